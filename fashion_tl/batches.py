"""Batches of network inputs from the photo array: shuffled, augmented, enlarged and normalised as they are drawn."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from fashion_tl.config import Config


@dataclass(frozen=True)
class Batches:
    """Some rows of an array, in batches.

    ``inputs`` [all rows, …] are uint8 photos or features; ``rows`` int64 [n] says which of them, ``labels``
    int64 [n] of what class. ``prepare`` makes a batch of inputs what the network takes; ``augment`` changes it
    at random first, where the batches are shuffled.
    """

    inputs: Tensor
    rows: Tensor
    labels: Tensor
    batch_size: int
    prepare: Callable[[Tensor], Tensor] = lambda inputs: inputs
    augment: Callable[[Tensor, np.random.Generator], Tensor] | None = None

    def __len__(self) -> int:
        return len(self._split(np.arange(len(self.rows))))

    def in_order(self, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
        """(inputs, labels) of every sample once, as it stands."""
        for part in self._split(np.arange(len(self.rows))):
            yield self._batch(part, None, device)

    def shuffled(self, seed: int, epoch: int, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
        """(inputs, labels) of every sample once, in an order and with augmentation decided by seed and epoch alone."""
        rng = np.random.default_rng([seed, epoch])
        for part in self._split(rng.permutation(len(self.rows))):
            yield self._batch(part, rng, device)

    def _split(self, order: np.ndarray) -> list[np.ndarray]:
        cuts = list(range(self.batch_size, len(order), self.batch_size))
        if cuts and len(order) - cuts[-1] == 1:
            cuts.pop()  # BatchNorm can't learn from a batch of one; it joins the one before
        return np.split(order, cuts) if len(order) else []

    def _batch(self, part: np.ndarray, rng: np.random.Generator | None, device: torch.device) -> tuple[Tensor, Tensor]:
        inputs = self.inputs[self.rows[part]]
        if self.augment and rng:
            inputs = self.augment(inputs, rng)
        return self.prepare(inputs.to(device)), self.labels[part].to(device)


def photo_batches(array: np.ndarray, rows: np.ndarray, labels: np.ndarray, config: Config) -> Batches:
    """Batches of the photos ``rows``, int64 [n], of ``array``, uint8 [photos, height, width, 3]."""
    return Batches(
        torch.from_numpy(array),
        torch.from_numpy(rows),
        torch.from_numpy(labels),
        config.batch_size,
        prepare=lambda photos: prepare_photos(photos, config),
        augment=flip_half if config.flip else None,
    )


def prepare_photos(photos: Tensor, config: Config) -> Tensor:
    """uint8 [batch, height, width, 3] to normalised float32 [batch, 3, *config.image_size], channels last."""
    images = photos.permute(0, 3, 1, 2).float()  # such a view *is* channels_last: nothing is moved
    if images.shape[2:] != config.image_size:
        smaller = images.shape[2] > config.image_size[0] or images.shape[3] > config.image_size[1]
        images = F.interpolate(images, config.image_size, mode="bilinear", antialias=smaller)
    mean = torch.tensor(config.mean, device=images.device).view(1, 3, 1, 1) * 255
    std = torch.tensor(config.std, device=images.device).view(1, 3, 1, 1) * 255
    return images.sub_(mean).div_(std).contiguous(memory_format=torch.channels_last)


def flip_half(photos: Tensor, rng: np.random.Generator) -> Tensor:
    """Mirror each photo, uint8 [batch, height, width, 3], left to right with probability 1/2."""
    chosen = torch.from_numpy(rng.random(len(photos)) < 0.5).to(photos.device)
    return torch.where(chosen.view(-1, 1, 1, 1), photos.flip(2), photos)
