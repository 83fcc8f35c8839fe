"""Features of photos: of a frozen backbone, kept in a file, and of any network, with its logits."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.lib.format import open_memmap
from torch import nn
from torch.optim.swa_utils import update_bn

from fashion_tl.config import Config
from fashion_tl.data.batches import AUGMENTATIONS, Batches, feature_batches, mirrored, photo_batches
from fashion_tl.data.cache import cache_folder, load_kept, make_cached, unreadable
from fashion_tl.data.dataset import Data
from fashion_tl.distributed import main_first
from fashion_tl.errors import ConfigError
from fashion_tl.files import reserve
from fashion_tl.network.inference import (
    forward,
    outputs,
    photo_logits,
    pick_device,
    resolve_precision,
)
from fashion_tl.network.layers import WithFeatures
from fashion_tl.network.model import SavedModel, split_frozen, with_features

BATCH = 128  # fixed, so that features never depend on the training's batch size
# The settings that prepare photos; the network's are in its tensors, and the others change nothing.
PREPARATION = ("image_size", "mean", "std", "flip", "trim")
SERVED = ("flip",)  # augmentations with few views, all of which can be kept
NARROW = 32  # the widest photos whose last map is one pixel wide
VERSION = 2  # part of the key: raise it when the same photos would give other features


def measure_statistics(frozen: nn.Module, data: Data, config: Config) -> None:
    """Give a random network that will be frozen the BatchNorm statistics of the training photos.

    ``config.seed`` mixes the photos first. The statistics are means over the batches, and a batch
    of photos in the order of their class folders would show how one class varies, not how all do.
    """
    # BatchNorm can learn nothing from a single photo.
    pairs = config.change(batch_size=max(2, config.batch_size))
    rows = np.random.default_rng(config.seed).permutation(data.task.train)
    mixed = replace(data, task=replace(data.task, train=rows))
    update_bn(mixed.batches("train", pairs).in_order(pick_device()), frozen)


def refuse_augmentations(config: Config) -> None:
    """ConfigError names an augmentation that kept features can't replace."""
    for name in AUGMENTATIONS:
        if getattr(config, name) and name not in SERVED:
            raise ConfigError(
                f"{name}: while only the last layer learns, the features of each photo are "
                "computed once and kept, so photos can't be changed at random. "
                f"Leave {name} out, or let more of the network learn."
            )


@main_first()
def part_features(data: Data, frozen: nn.Module, config: Config, *parts: str) -> list[Batches]:
    """Parts of the data (``"train"``, ``"val"``, ``"test"``) as features of a frozen network.

    They are computed once, and kept in the cache folder. ConfigError as in
    :func:`refuse_augmentations`.
    """
    refuse_augmentations(config)
    chosen = [getattr(data.task, part) for part in parts]
    rows = np.sort(np.concatenate(chosen))
    digests = [data.digests[row] for row in rows]
    features = frozen_features(frozen, data.photos.array, rows, digests, config, data.cache)
    return [
        feature_batches(features, np.searchsorted(rows, own), data.task.labels[own], config)
        for own in chosen
    ]


def features_and_logits(
    model: nn.Module, data: Data, config: Config, part: str, desc: str | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """What the last layer takes and gives for the photos of one part of the data.

    Returns float32 [n, width] and float32 [n, num_classes]. With ``config.flip_test`` both are
    means over each photo and its mirror image. If only the last layer learns, kept features are
    used. ``desc`` names the progress bar.
    """
    frozen, learning = split_frozen(model)
    head = learning[-1]
    assert isinstance(head, nn.Linear), "the last layer is linear"
    if len(learning) == 1:
        network = WithFeatures(nn.Identity(), head)
        batches = _kept_features(data, frozen, config, part)
    else:
        network = with_features(model)
        batches = data.batches(part, config)
    if not len(batches.rows):  # without photos there is no batch
        return np.empty((0, head.in_features), np.float32), np.empty((0, head.out_features))
    both = forward(network, batches, config.precision, desc, compiled=True, flip=config.flip_test)
    return both[:, : head.in_features].numpy(), both[:, head.in_features :].numpy()


def features_of(saved: SavedModel, photos: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What the last layer takes and gives for photos, uint8 [n, height, width, 3], in float32.

    Returns float32 [n, width] and float32 [n, num_classes], as ``predict`` computes them.
    """
    device = pick_device()
    model = saved.folded.to(device)
    parts = []
    with torch.inference_mode():
        for start in range(0, len(photos), BATCH):
            batch = torch.from_numpy(np.array(photos[start : start + BATCH])).to(device)
            parts.append(photo_logits(model, batch, saved.config).cpu().numpy())
    both = np.concatenate(parts)
    return both[:, : saved.width], both[:, saved.width :]


def _kept_features(data: Data, frozen: nn.Module, config: Config, part: str) -> Batches:
    """:func:`part_features` of one part, from the file that training made, if it has one."""
    if part == "test":
        return part_features(data, frozen, config.change(flip=config.flip_test), part)[0]
    views = config.change(flip=config.flip or config.flip_test)
    train, val = part_features(data, frozen, views, "train", "val")
    return train if part == "train" else val


def frozen_features(
    frozen: nn.Module,
    photos: np.ndarray,
    rows: np.ndarray,
    digests: Sequence[bytes],
    config: Config,
    cache: str | os.PathLike | None = None,
) -> np.ndarray:
    """Features of the photos ``rows``, int64 [n], of ``photos``, uint8 [photos, height, width, 3].

    Returns float32 [n, views, width], memory-mapped. The views are the photo as it is and, with
    ``config.flip``, its mirror image. ``digests`` [n] are those of the photos' pixels. The file in
    ``cache`` (see :func:`fashion_tl.data.cache.cache_folder`) is used again only for the same
    pixels in the same order, the same parameters and buffers of ``frozen``, and the same
    preparation and precision. DataError if it can't be written. ValueError if part of the network
    can still learn.
    """
    if any(p.requires_grad for p in frozen.parameters()):
        raise ValueError("features are computed once: freeze the backbone first")
    key = _key(frozen, photos.shape[1:], digests, config)
    file = cache_folder(cache) / f"features-{key[:16]}.npy"
    make_cached(file, "the features", lambda new: _compute_into(new, frozen, photos, rows, config))
    try:
        return load_kept(file, (len(rows), 2 if config.flip else 1, None), np.float32)
    except Exception as error:  # a damaged file makes readers raise any error
        raise unreadable(file, error) from error


def _key(
    frozen: nn.Module, shape: tuple[int, ...], digests: Sequence[bytes], config: Config
) -> str:
    """Changes with everything that the features depend on, to the last bit."""
    device = next(frozen.parameters()).device
    preparation = (shape, *(getattr(config, name) for name in PREPARATION))
    # One block's parameters are those of two. An older version computed these, and those of maps
    # one pixel wide, wrongly; kept features of all others stay right.
    special = config.blocks > 1 or config.image_size[1] <= NARROW
    blocks = (config.blocks, "right") if special else ()
    computation = (
        resolve_precision(config.precision, device),
        device.type,
        torch.__version__,
        torch.get_num_threads(),
    )
    key = hashlib.sha256(repr((VERSION, BATCH, (*preparation, *blocks), computation)).encode())
    for name, tensor in frozen.state_dict().items():
        key.update(name.encode())
        key.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    key.update(b"".join(digests))
    return key.hexdigest()


def _compute_into(
    file: Path, frozen: nn.Module, photos: np.ndarray, rows: np.ndarray, config: Config
) -> None:
    no_labels = np.zeros(len(rows), dtype=np.int64)
    plain = photo_batches(photos, rows, no_labels, config.change(flip=False, batch_size=BATCH))
    views = [plain, mirrored(plain)] if config.flip else [plain]
    features: np.memmap | None = None
    for number, view in enumerate(views):
        start = 0
        for batch in outputs(frozen, view, config.precision, "features", compiled=True):
            if features is None:  # the first batch tells the width
                shape = (len(rows), len(views), batch.shape[1])
                features = open_memmap(file, "w+", np.float32, shape)
                reserve(file)
            features[start : start + len(batch), number] = batch.cpu().numpy()
            start += len(batch)
    if features is not None:
        features.flush()
