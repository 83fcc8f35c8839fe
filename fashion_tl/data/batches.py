"""Batches of network inputs from the photo array: shuffled, augmented, enlarged and normalised as
they are drawn.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from fashion_tl.config import Config


@dataclass(frozen=True)
class Batches:
    """Some rows of an array, in batches.

    ``inputs`` [all rows, …] are uint8 photos or features; ``rows`` int64 [n] says which of them,
    ``labels`` int64 [n] of what class. ``prepare`` makes a batch of inputs what the network takes,
    where the network is. Where batches are shuffled, ``augment`` changes them at random before.
    """

    inputs: Tensor
    rows: Tensor
    labels: Tensor
    batch_size: int
    prepare: Callable[[Tensor], Tensor] = lambda inputs: inputs
    augment: Callable[[Tensor, torch.Generator], Tensor] = lambda inputs, generator: inputs

    def __len__(self) -> int:
        return len(self._sizes())

    def to(self, device: torch.device) -> "Batches":
        """The same samples, in a GPU's own memory where they leave half of it free: then an epoch
        moves nothing.
        """
        size = self.inputs[:1].nbytes * len(self.rows)
        if (
            device.type != "cuda"
            or self.inputs.is_cuda
            or size > torch.cuda.mem_get_info(device)[0] / 2
        ):
            return self
        inputs, labels = self.inputs[self.rows].to(device), self.labels.to(device)
        return replace(
            self, inputs=inputs, rows=torch.arange(len(labels), device=device), labels=labels
        )

    def in_order(self, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
        """(inputs, labels) of every sample once, as it stands."""
        for part in torch.arange(len(self.rows), device=self.rows.device).split(self._sizes()):
            yield (
                self.prepare(self.inputs[self.rows[part]].to(device)),
                self.labels[part].to(device),
            )

    def shuffled(
        self, seed: int, epoch: int, device: torch.device
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """(inputs, labels) of every sample once, in an order and with augmentation decided by seed
        and epoch alone.

        The inputs are yet to be prepared: of several processes, each prepares its share alone.
        """
        rng = np.random.default_rng([seed, epoch])
        order = torch.from_numpy(rng.permutation(len(self.rows))).to(self.rows.device)
        generator = torch.Generator(device).manual_seed(int(rng.integers(2**63)))
        for part in order.split(self._sizes()):
            yield (
                self.augment(self.inputs[self.rows[part]].to(device), generator),
                self.labels[part].to(device),
            )

    def _sizes(self) -> list[int]:
        whole, rest = divmod(len(self.rows), self.batch_size)
        sizes = [self.batch_size] * whole
        if rest == 1 and sizes:
            sizes[-1] += 1  # BatchNorm can't learn from a batch of one; it joins the one before
        elif rest:
            sizes.append(rest)
        return sizes


def photo_batches(
    array: np.ndarray, rows: np.ndarray, labels: np.ndarray, config: Config
) -> Batches:
    """Batches of the photos ``rows``, int64 [n], of ``array``, uint8 [photos, height, width, 3]."""
    tensors, prepare = (
        map(torch.from_numpy, (array, rows, labels)),
        partial(prepare_photos, config=config),
    )
    return Batches(
        *tensors, config.batch_size, prepare, partial(augmented, steps=augmentations(config))
    )


def prepare_photos(photos: Tensor, config: Config) -> Tensor:
    """uint8 [batch, height, width, 3] to normalised float32 [batch, 3, *config.image_size],
    channels last.
    """
    images = photos.permute(0, 3, 1, 2).float()  # such a view *is* channels_last: nothing is moved
    mean, std = _constant(config.mean, images.device), _constant(config.std, images.device)
    images = images.sub_(mean).div_(
        std
    )  # before they are enlarged, and so more: the result is the same
    if images.shape[2:] != config.image_size:
        smaller = images.shape[2] > config.image_size[0] or images.shape[3] > config.image_size[1]
        images = F.interpolate(images, config.image_size, mode="bilinear", antialias=smaller)
    return images.contiguous(memory_format=torch.channels_last)


@cache
def _constant(values: tuple[float, ...], device: torch.device) -> Tensor:
    """One value per channel, in the scale of 0 to 255; made once, since a GPU would have to wait
    for each.
    """
    return torch.tensor(values, device=device).view(1, -1, 1, 1) * 255


def flip_half(photos: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror each photo, uint8 [batch, height, width, 3], left to right with probability 1/2."""
    chosen = torch.rand(len(photos), generator=generator, device=photos.device) < 0.5
    return torch.where(chosen.view(-1, 1, 1, 1), photos.flip(2), photos)


# By the setting that asks for it: what changes training photos, uint8 [batch, height, width, 3], at
# random.
AUGMENTATIONS: dict[str, Callable[[Tensor, torch.Generator], Tensor]] = {"flip": flip_half}


def augmentations(config: Config) -> list[Callable[[Tensor, torch.Generator], Tensor]]:
    """Those that the settings ask for, in the table's order."""
    return [function for name, function in AUGMENTATIONS.items() if getattr(config, name)]


def augmented(photos: Tensor, generator: torch.Generator, steps: Sequence[Callable]) -> Tensor:
    """The photos after every one of the steps."""
    for step in steps:
        photos = step(photos, generator)
    return photos


def mirrored(batches: Batches) -> Batches:
    """The same samples mirrored left to right: photos [n, height, width, 3], or features [n, 2
    views, width] by the other view. ValueError for features of one view.
    """
    axis = 2 if batches.inputs.ndim == 4 else 1
    if axis == 1 and batches.inputs.shape[1] != 2:
        raise ValueError(
            f"features of {batches.inputs.shape[1]} view have no mirror image: compute them with flip"
        )
    return replace(batches, prepare=lambda inputs: batches.prepare(inputs.flip(axis)))


def feature_batches(
    features: np.ndarray, rows: np.ndarray, labels: np.ndarray, config: Config
) -> Batches:
    """Batches of the rows, int64 [n], of ``features``, float32 [photos, views, width].

    Of each photo the first view, or, where batches are shuffled, one at random.
    """
    tensors = map(torch.from_numpy, (features, rows, labels))
    return Batches(*tensors, config.batch_size, lambda views: views[:, 0], one_view)


def one_view(features: Tensor, generator: torch.Generator) -> Tensor:
    """One of each photo's views, drawn evenly: [batch, views, width] to [batch, 1, width]."""
    batch, views, _ = features.shape
    chosen = torch.randint(views, (batch,), generator=generator, device=features.device)
    return features[torch.arange(batch, device=features.device), chosen, None]
