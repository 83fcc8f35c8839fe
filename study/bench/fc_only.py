"""FC only, measured: features computed once, then epochs of the head on them."""

import statistics
import tempfile
import time
from collections.abc import Iterator
from itertools import chain, islice, repeat
from pathlib import Path

import numpy as np
import torch

from fashion_tl.config import Config
from fashion_tl.data.batches import feature_batches
from fashion_tl.data.dataset import Data
from fashion_tl.data.twins import photo_digests
from fashion_tl.network import features
from fashion_tl.network.inference import outputs, pick_device
from fashion_tl.network.model import build_network, freeze_all_but_head, split_frozen
from fashion_tl.network.training import fit, unless_interrupted
from fashion_tl.recipes import make_config
from study.bench import peers
from study.bench.measures import BF16, Size, evenly, quietly, some, times, training, words
from study.bench.timing import alternate, row

EPOCHS = 20


def head_seconds(data: Data) -> float:
    """20 epochs of the head on as many features, measured whole."""
    train, val, classes = len(data.task.train), len(data.task.val), data.task.num_classes
    random = np.random.default_rng(0).standard_normal((train + val, 1, 2048), dtype=np.float32)
    labels, rows = np.arange(train + val) % classes, np.arange(train + val)
    config = make_config("fc_only", epochs=EPOCHS, flip=False)
    model = build_network(classes, None, make_config("direct"))
    freeze_all_but_head(model)
    learned, validated = (
        feature_batches(random, part, labels[part], config) for part in (rows[:train], rows[train:])
    )
    start = time.perf_counter()
    head, weights = split_frozen(model)[1].to(pick_device()), np.ones(classes)
    quietly(lambda: unless_interrupted(fit(head, learned, validated, config, weights)))
    return time.perf_counter() - start


def fc_only(
    data: Data, files: list[Path], decoding: float, size: Size, batches: int, workers: int = 0
) -> dict:
    """20 epochs of FC only, features computed once, beside 20 epochs forward through the backbone.

    The other is the published loop; for the photos' own size, our loop without cached features.
    ``decoding`` is what that took, in seconds.
    """
    own = size == data.photos.array.shape[1:3]
    even = np.sort(np.r_[data.task.train, data.task.val])
    batch = features.BATCH
    labels = data.task.labels[evenly(data.task.train, len(files))]
    classes = data.task.num_classes
    config = make_config("fc_only", image_size=size, batch_size=batch, flip=False)
    model = build_network(classes, None, make_config("direct"))
    freeze_all_but_head(model.to(pick_device()))
    feed = Feed(split_frozen(model)[0], data, even, config, batches)
    if own:
        other = training(data, evenly(even, batches * batch), config, freeze_all_but_head)
    else:
        other = peers.published_loop(files, labels, size, classes, head_only=True, workers=workers)
    bare = peers.bare_forward(size, batch, classes, BF16)
    head = head_seconds(data)
    taken = alternate(ours=feed, other=other, bare=times(batches, bare))
    passing = [len(even) * each for each in taken["ours"]]
    middle = statistics.median
    note = (
        f"scaled up to {len(even):,} photos; ours: {decoding:.0f} s decoding, "
        f"{feed.start_up:.0f} s starting, {middle(passing):.0f} s features, "
        f"{head:.0f} s for 20 epochs of the head; "
        f"other: {'our loop without cached features' if own else 'the published loop'}, "
        f"{1000 * middle(taken['other']):.1f} ms per photo and epoch; "
        "bare: one forward pass, not compiled"
    )
    return row(
        f"FC only, 20 epochs, {words(size)}",
        "s",
        [decoding + feed.start_up + head + each for each in passing],
        [EPOCHS * len(even) * each for each in taken["other"]],
        [len(even) * each for each in taken["bare"]],
        "≥ 10×" if own else "≥ 50×",
        note,
    )


class Feed:
    """Our pass for features, into a file, some batches at a time; ``start_up`` is all that comes
    before.
    """

    def __init__(
        self, frozen: torch.nn.Module, data: Data, rows: np.ndarray, config: Config, n: int
    ) -> None:
        start = time.perf_counter()
        digests = photo_digests(data.photos.array)
        features._key(frozen, data.photos.array.shape[1:], digests, config)
        batches = some(data, rows, config)
        self.passing: Iterator = chain.from_iterable(
            outputs(frozen, again, compiled=True) for again in repeat(batches)
        )
        self.n, self.file = n, tempfile.TemporaryFile()  # noqa: SIM115
        next(self.passing)
        self.start_up = time.perf_counter() - start

    def __call__(self) -> int:
        photos = 0
        for batch in islice(self.passing, self.n):
            self.file.write(batch.cpu().numpy())
            photos += len(batch)
        return photos
