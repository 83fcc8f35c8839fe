"""Batches of network inputs made from the photo array: shuffled, augmented, enlarged and normalised per batch."""

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

    Attributes:
        inputs: [all rows, …]: uint8 photos, or features.
        rows: int64 [n], the rows these batches are made of.
        labels: int64 [n].
        prepare: from a batch of ``inputs`` to what the network takes.
        augment: changes a batch of ``inputs`` at random; training only.
    """

    inputs: Tensor
    rows: Tensor
    labels: Tensor
    batch_size: int
    prepare: Callable[[Tensor], Tensor] = lambda inputs: inputs
    augment: Callable[[Tensor, np.random.Generator], Tensor] | None = None

    def __len__(self) -> int:
        return len(self._splits(np.arange(len(self.rows))))

    @property
    def num_samples(self) -> int:
        return len(self.rows)

    def in_order(self, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
        """Every sample once, as it stands: (inputs, labels)."""
        for part in self._splits(np.arange(len(self.rows))):
            yield self._batch(torch.from_numpy(part), None, device)

    def shuffled(self, seed: int, epoch: int, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
        """Every sample once, in an order (and with augmentation) that seed and epoch alone decide."""
        rng = np.random.default_rng([seed, epoch])
        for part in self._splits(rng.permutation(len(self.rows))):
            yield self._batch(torch.from_numpy(part), rng, device)

    def _splits(self, order: np.ndarray) -> list[np.ndarray]:
        cuts = list(range(self.batch_size, len(order), self.batch_size))
        if cuts and len(order) - cuts[-1] == 1:
            cuts.pop()  # BatchNorm can't learn from a batch of one; it joins the one before
        return np.split(order, cuts) if len(order) else []

    def _batch(self, part: Tensor, rng: np.random.Generator | None, device: torch.device) -> tuple[Tensor, Tensor]:
        inputs = self.inputs[self.rows[part]]
        if self.augment and rng is not None:
            inputs = self.augment(inputs, rng)
        return self.prepare(inputs.to(device)), self.labels[part].to(device)


def photo_batches(array: np.ndarray, rows: np.ndarray, labels: np.ndarray, config: Config) -> Batches:
    """Batches of photos.

    Args:
        array: uint8 [photos, height, width, 3].
        rows: int64 [n], which photos. labels: int64 [n], theirs.
        config: gives batch size, input size, normalisation and augmentation.
    """
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
    images = photos.permute(0, 3, 1, 2).float()  # a permuted NHWC tensor *is* channels_last: nothing is copied
    if images.shape[2:] != config.image_size:
        smaller = images.shape[2] > config.image_size[0] or images.shape[3] > config.image_size[1]
        images = F.interpolate(images, config.image_size, mode="bilinear", antialias=smaller)
    mean = torch.tensor(config.mean, device=images.device).view(1, 3, 1, 1) * 255
    std = torch.tensor(config.std, device=images.device).view(1, 3, 1, 1) * 255
    return images.sub_(mean).div_(std).contiguous(memory_format=torch.channels_last)


def flip_half(photos: Tensor, rng: np.random.Generator) -> Tensor:
    """Mirror each photo left to right with probability 1/2. uint8 [batch, height, width, 3]."""
    chosen = torch.from_numpy(rng.random(len(photos)) < 0.5).to(photos.device)
    return torch.where(chosen.view(-1, 1, 1, 1), photos.flip(2), photos)
