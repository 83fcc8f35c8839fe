"""Batches of network inputs: shuffled, augmented, enlarged and normalised as they are drawn."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from fashion_tl.config import Config

BORDER = 24  # of 255: how far the channels of a border's pixels may differ
SMALLEST = 0.3  # part of a photo's sides that is left after its borders are cut away

Augmentation = Callable[[Tensor, torch.Generator], Tensor]


@dataclass(frozen=True)
class Batches:
    """Some rows of an array, in batches.

    ``inputs`` [all rows, …] are uint8 photos or features. ``rows``, int64 [n], says which of them
    are used, and ``labels``, int64 [n], gives their classes. ``prepare`` turns a batch of inputs
    into what the network takes, on the network's device. Before that, shuffled batches are changed
    at random by ``augment``.
    """

    inputs: Tensor
    rows: Tensor
    labels: Tensor
    batch_size: int
    prepare: Callable[[Tensor], Tensor] = lambda inputs: inputs
    augment: Augmentation = lambda inputs, generator: inputs

    def __len__(self) -> int:
        return len(self._sizes())

    def to(self, device: torch.device) -> "Batches":
        """The same samples in a GPU's memory, if they leave half of it free.

        An epoch then copies nothing to the GPU.
        """
        if device.type != "cuda" or self.inputs.is_cuda:
            return self
        size = self.inputs[:1].nbytes * len(self.rows)
        if size > torch.cuda.mem_get_info(device)[0] / 2:
            return self
        return replace(
            self,
            inputs=self.inputs[self.rows].to(device),
            rows=torch.arange(len(self.labels), device=device),
            labels=self.labels.to(device),
        )

    def in_order(self, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
        """(inputs, labels) of every sample once, unshuffled and prepared for the network."""
        order = torch.arange(len(self.rows), device=self.rows.device)
        for part in order.split(self._sizes()):
            inputs = self.prepare(self.inputs[self.rows[part]].to(device))
            yield inputs, self.labels[part].to(device)

    def shuffled(
        self, seed: int, epoch: int, device: torch.device
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """(inputs, labels) of every sample once, shuffled and augmented.

        Seed and epoch alone decide the order and the augmentation. The inputs are not prepared
        yet: each of several processes prepares only its own share.
        """
        rng = np.random.default_rng([seed, epoch])
        order = torch.from_numpy(rng.permutation(len(self.rows))).to(self.rows.device)
        generator = torch.Generator(device).manual_seed(int(rng.integers(2**63)))
        for part in order.split(self._sizes()):
            inputs = self.augment(self.inputs[self.rows[part]].to(device), generator)
            yield inputs, self.labels[part].to(device)

    def _sizes(self) -> list[int]:
        whole, rest = divmod(len(self.rows), self.batch_size)
        sizes = [self.batch_size] * whole
        if rest == 1 and sizes:
            # BatchNorm can't learn from a batch of one, so it joins the batch before it.
            sizes[-1] += 1
        elif rest:
            sizes.append(rest)
        return sizes


def photo_batches(
    array: np.ndarray, rows: np.ndarray, labels: np.ndarray, config: Config
) -> Batches:
    """Batches of the photos ``rows``, int64 [n], of ``array``, uint8 [photos, height, width, 3]."""
    steps = augmentations(config)
    return Batches(
        torch.from_numpy(array),
        torch.from_numpy(rows),
        torch.from_numpy(labels),
        config.batch_size,
        prepare=lambda photos: prepare_photos(photos, config),
        augment=lambda photos, generator: augmented(photos, generator, steps),
    )


def prepare_photos(photos: Tensor, config: Config) -> Tensor:
    """Photos as the network takes them: normalised, and resized to ``config.image_size``.

    Takes uint8 [batch, height, width, 3]; returns float32 [batch, 3, *image_size], channels last.
    """
    images = photos.permute(0, 3, 1, 2).float()  # this view is already in channels_last format
    mean = _constant(config.mean, images.device)
    std = _constant(config.std, images.device)
    # Normalising first gives the same result, and costs less: enlarging adds pixels.
    images = images.sub_(mean).div_(std)
    if config.trim:
        return trimmed(photos, images, config.image_size)
    if images.shape[2:] != config.image_size:
        smaller = images.shape[2] > config.image_size[0] or images.shape[3] > config.image_size[1]
        images = F.interpolate(images, config.image_size, mode="bilinear", antialias=smaller)
    return images.contiguous(memory_format=torch.channels_last)


def trimmed(photos: Tensor, images: Tensor, size: tuple[int, int]) -> Tensor:
    """The part of each photo that isn't an even border, float32 [batch, 3, *size].

    ``photos`` are uint8 [batch, height, width, 3], ``images`` the same as floats [batch, 3, height,
    width]. A photo's upper left pixel says what its border looks like. The part keeps the photo's
    proportions, and may reach beyond the photo's edge.
    """
    differs = (photos.int() - photos[:, :1, :1].int()).abs().amax(3) > BORDER
    top, bottom = _ends(differs.any(2))
    left, right = _ends(differs.any(1))
    scale = torch.maximum(bottom - top, right - left).clamp(min=SMALLEST)
    down = _places(size[0], scale, top + bottom - 1)
    across = _places(size[1], scale, left + right - 1)
    shape = (photos.shape[0], *size)  # not len(): an export would fix the number of photos
    grid = torch.stack([across[:, None].expand(shape), down[:, :, None].expand(shape)], 3)
    images = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
    return images.contiguous(memory_format=torch.channels_last)


def _ends(filled: Tensor) -> tuple[Tensor, Tensor]:
    """Where the first place that is filled begins and the last one ends, as parts of the length.

    ``filled`` is bool [batch, length]. Without such a place it is the whole.
    """
    length = filled.shape[1]
    places = filled.int()
    first = places.argmax(1) / length
    last = 1 - places.flip(1).argmax(1) / length
    return first, last


def _places(length: int, scale: Tensor, centre: Tensor) -> Tensor:
    """The places, float32 [batch, length], of a part's pixels, from -1 to 1 over the photo."""
    places = (torch.arange(length, device=scale.device) + 0.5) * 2 / length - 1
    return places * scale[:, None] + centre[:, None]


@cache
def _constant(values: tuple[float, ...], device: torch.device) -> Tensor:
    """One value per channel, on the scale from 0 to 255.

    It is made once, because a GPU would have to wait for each new one.
    """
    return torch.tensor(values, device=device).view(1, -1, 1, 1) * 255


def flip_half(photos: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror each photo, uint8 [batch, height, width, 3], left to right with probability 1/2."""
    chosen = torch.rand(len(photos), generator=generator, device=photos.device) < 0.5
    return torch.where(chosen.view(-1, 1, 1, 1), photos.flip(2), photos)


# Each function changes training photos, uint8 [batch, height, width, 3], at random. Its name is the
# setting that turns it on.
AUGMENTATIONS: dict[str, Augmentation] = {"flip": flip_half}


def augmentations(config: Config) -> list[Augmentation]:
    """The augmentations that the settings turn on, in the table's order."""
    return [function for name, function in AUGMENTATIONS.items() if getattr(config, name)]


def augmented(photos: Tensor, generator: torch.Generator, steps: Sequence[Augmentation]) -> Tensor:
    """The photos after all the steps."""
    for step in steps:
        photos = step(photos, generator)
    return photos


def mirrored(batches: Batches) -> Batches:
    """The same samples mirrored left to right.

    Photos [n, height, width, 3] are flipped; of features [n, 2 views, width] the other view is
    taken. ValueError for features of one view.
    """
    axis = 2 if batches.inputs.ndim == 4 else 1
    if axis == 1 and batches.inputs.shape[1] != 2:
        views = batches.inputs.shape[1]
        raise ValueError(f"features of {views} view have no mirror image: compute them with flip")
    return replace(batches, prepare=lambda inputs: batches.prepare(inputs.flip(axis)))


def feature_batches(
    features: np.ndarray, rows: np.ndarray, labels: np.ndarray, config: Config
) -> Batches:
    """Batches of the rows, int64 [n], of ``features``, float32 [photos, views, width].

    Each photo gives its first view; in shuffled batches, one of its views at random.
    """
    return Batches(
        torch.from_numpy(features),
        torch.from_numpy(rows),
        torch.from_numpy(labels),
        config.batch_size,
        prepare=lambda views: views[:, 0],
        augment=one_view,
    )


def one_view(features: Tensor, generator: torch.Generator) -> Tensor:
    """One of each photo's views at random: [batch, views, width] to [batch, 1, width]."""
    batch, views, _ = features.shape
    chosen = torch.randint(views, (batch,), generator=generator, device=features.device)
    return features[torch.arange(batch, device=features.device), chosen, None]
