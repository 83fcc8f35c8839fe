"""A trained network as the study of few shots sees it: the features of its last two blocks."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from fashion_tl.config import Config
from fashion_tl.data.dataset import Data
from fashion_tl.errors import ConfigError
from fashion_tl.network.extending import Ground, LastLayer
from fashion_tl.network.features import frozen_features
from fashion_tl.network.inference import pick_device
from fashion_tl.network.memory import build_memory


class TwoBlocks(nn.Module):
    """A network's body with the features of its last two blocks: float32 [batch, both widths]."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        *first, last, _, _ = model.children()
        self.first = nn.Sequential(*first)
        self.last = last

    def forward(self, inputs: Tensor) -> Tensor:
        before = self.first(inputs)
        maps = [before, self.last(before)]
        return torch.cat([each.float().mean((2, 3)) for each in maps], 1)


@dataclass(frozen=True)
class LastBlocks:
    """A trained network, as seen by the photos of the data.

    ``views`` are the features of its last two blocks, float32 [photos, views, width]; the last
    ``layer.weight.shape[1]`` of them are the last block's.
    """

    views: np.ndarray
    layer: LastLayer
    data: Data

    def features(self, rows: np.ndarray, blocks: int = 1) -> np.ndarray:
        """Means over the views, float32 [rows, width], of the last block or of the last two."""
        start = 0 if blocks == 2 else -self.layer.weight.shape[1]
        return self.views[rows, :, start:].mean(axis=1)

    def ground(self, rows: np.ndarray, blocks: int = 1) -> Ground:
        """What the network remembers of these training photos, compressed as in a run."""
        task = self.data.task
        features = self.features(rows, blocks)
        labels = task.labels[rows]
        memory = build_memory(features, [""] * len(rows), labels, task.classes)
        more = np.zeros((task.num_classes, features.shape[1] - self.layer.weight.shape[1]))
        weight = np.concatenate([more.astype(np.float32), self.layer.weight], axis=1)
        trained = np.bincount(labels, minlength=task.num_classes) > 0
        return Ground(memory.features, labels, LastLayer(weight, self.layer.bias), trained)


def last_blocks(model: nn.Module, layer: LastLayer, data: Data, config: Config) -> LastBlocks:
    """A network with the features of every photo, which are computed once and kept.

    ConfigError if its last layer takes the features of two blocks already.
    """
    if config.blocks != 1:
        raise ConfigError("blocks=2: one block's features are compared with two's; take one block")
    body = TwoBlocks(model).eval().requires_grad_(False).to(pick_device())
    task = data.task
    views = config.change(flip=config.flip_test)
    parts = (task.train_and_val, task.test)
    found = [
        frozen_features(
            body, data.photos.array, rows, [data.digests[row] for row in rows], views, data.cache
        )
        for rows in parts
    ]
    whole = np.zeros((len(task.labels), *found[0].shape[1:]), np.float32)
    for rows, features in zip(parts, found, strict=True):
        whole[rows] = features
    return LastBlocks(whole, layer, data)
