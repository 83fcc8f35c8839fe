"""How well a network learns classes that come later, from a few photos each.

python -m study few-shot --data … --weights …               # FC only's network; writes few_shot.json
python -m study few-shot --data … --weights … --run RUN     # adds a trained run's network

The classes are those that come only in odd years. Some of their photos, with their labels, are
drawn and given to the network, as ``fashion-tl extend`` does; the others test. So these figures use
labelled photos of odd years, and must not be compared with any that don't.

How it is done was chosen on even years alone: classes were hidden in the training of FC only's
head, and came back with a few photos.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fashion_tl.config import Config
from fashion_tl.data.batches import feature_batches
from fashion_tl.data.dataset import Data, load_data
from fashion_tl.data.photos import twin_groups
from fashion_tl.network.calibration import masked_logits
from fashion_tl.network.extending import Ground, LastLayer
from fashion_tl.network.features import frozen_features
from fashion_tl.network.inference import pick_device
from fashion_tl.network.memory import build_memory, unit
from fashion_tl.network.model import available_weights, build_network, load_model
from fashion_tl.network.training import fit
from fashion_tl.network.weights import weights_name
from fashion_tl.recipes import make_config
from fashion_tl.reporting.gallery import open_steps
from fashion_tl.runs import commit, machine, write_json
from study.heads import new_head
from study.record import look
from study.records import read_measured

SHOTS = (1, 2, 5, 10, 20)
DRAWS = 100
HIDDEN_DRAWS = 10
FOLDS = 4  # of even-year classes, hidden in turn
MOST = 100  # photos of a hidden class; otherwise a few classes would have most photos
COST = 0.005  # share of known photos that may be lost, where methods are compared
SCALES = tuple(2 ** (step / 2) for step in range(-4, 9))
FIGURES = ("known", "new", "new_macro", "harmonic", "all")


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
class Network:
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


def network_of(model: nn.Module, layer: LastLayer, data: Data, config: Config) -> Network:
    """A network with the features of every photo, which are computed once and kept."""
    body = TwoBlocks(model).eval().requires_grad_(False).to(pick_device())
    task = data.task
    views = config.change(flip=config.flip or config.flip_test)
    parts = {}
    for rows in (np.sort(np.concatenate([task.train, task.val])), task.test):
        digests = [data.digests[row] for row in rows]
        found = frozen_features(body, data.photos.array, rows, digests, views, data.cache)
        parts[tuple(rows[:1])] = rows, found
    (even, first), (odd, second) = parts.values()
    whole = np.zeros((len(task.labels), *first.shape[1:]), np.float32)
    whole[even], whole[odd] = first, second
    return Network(whole, layer, data)


def drawn(
    rng: np.random.Generator, rows: np.ndarray, labels: np.ndarray, twins: np.ndarray, shots: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """``shots`` of each class with more photos: their rows [classes, shots], the classes, and the
    rows that still test.

    Twins of a drawn photo don't test. ``labels`` and ``twins`` are those of all photos.
    """
    named, photos = np.unique(labels[rows], return_counts=True)
    classes = named[photos > shots]
    chosen = np.stack(
        [rng.choice(rows[labels[rows] == own], shots, replace=False) for own in classes]
    )
    return chosen, classes, rows[~np.isin(twins[rows], twins[chosen])]


def odd_years(network: Network, blocks: int = 1, draws: int = DRAWS) -> list[dict[str, Any]]:
    """For each number of shots, the mean of every figure over the draws, and its interval."""
    data = network.data
    task = data.task
    twins = twin_groups(data.digests)
    ground = network.ground(task.train, blocks)
    features = network.features(task.test, blocks)
    old = masked_logits(ground.layer.logits(features), task.fit_counts.tolist())
    best, answers = old.max(axis=1), old.argmax(axis=1)
    common = ground.common.logits(features)
    place = np.full(len(task.labels), -1)
    place[task.test] = np.arange(len(task.test))
    is_new = task.fit_counts[task.labels[task.test]] == 0
    found = []
    for shots in SHOTS:
        rng = np.random.default_rng(shots)
        rows = []
        for _ in range(draws):
            chosen, classes, left = drawn(rng, task.test[is_new], task.labels, twins, shots)
            means = features[place[chosen]].mean(axis=1)
            new = common + ground.rows(means).logits(features)
            named = np.where(new.max(axis=1) > best, classes[new.argmax(axis=1)], answers)
            tests = np.sort(np.concatenate([task.test[~is_new], left]))
            rows.append(figures(task.labels[tests], named[place[tests]], classes, is_new[place[tests]]))
        mean = {name: float(np.mean([row[name] for row in rows])) for name in FIGURES}
        interval = {
            name: np.quantile([row[name] for row in rows], (0.025, 0.975)).round(5).tolist()
            for name in FIGURES
        }
        right = answers == task.labels[task.test]
        before = {"known": float(right[~is_new].mean()), "all": float(right.mean())}
        sizes = {"shots": shots, "classes": len(classes), "draws": draws}
        found.append(sizes | {"before": before, "after": mean, "interval95": interval})
    return found


def figures(
    labels: np.ndarray, named: np.ndarray, classes: np.ndarray, is_new: np.ndarray
) -> dict[str, float]:
    """The shares of right answers after one draw.

    ``new`` is that of the photos of the classes that were drawn; ``all`` counts all photos, also
    those of new classes that had too few photos.
    """
    right = labels == named
    of_drawn = np.isin(labels, classes)
    known, new = right[~is_new].mean(), right[of_drawn].mean()
    return {
        "known": known,
        "new": new,
        "new_macro": np.mean([right[labels == own].mean() for own in classes if own in labels]),
        "harmonic": 2 * known * new / max(known + new, 1e-9),
        "all": right.mean(),
    }
