"""New classes of even years: hidden in the training of FC only's head, then added back."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from torch import nn

from fashion_tl.config import Config
from fashion_tl.data.batches import feature_batches
from fashion_tl.data.dataset import Data
from fashion_tl.data.twins import twin_groups
from fashion_tl.errors import RunError, photos_in_words
from fashion_tl.network.calibration import masked_logits
from fashion_tl.network.extending import RIDGE, SCALE, Ground, LastLayer
from fashion_tl.network.layers import Head
from fashion_tl.network.memory import unit
from fashion_tl.network.training import fit, unless_interrupted
from study.heads import left_out
from study.retrained import WEIGHT_DECAYS, retrained
from study.two_blocks import LastBlocks

SHOTS = (1, 2, 5, 10, 20)
DRAWS = 10
FOLDS = 4  # of the classes
MOST = 100  # photos of a hidden class; otherwise a few classes would have most photos
COST = 0.005  # share of known photos that may be lost
SCALES = tuple(sorted({SCALE, *(2 ** (step / 2) for step in range(-2, 9))}))
RIDGES = (0.03, RIDGE, 0.3)
# A function that says how much each photo looks like each hidden class: a score, float
# [n, classes], from the photos' features, [n, width], and those of the shots, [classes, shots,
# width].
Scores = Callable[[Ground, np.ndarray, np.ndarray], np.ndarray]


def possible(rows: np.ndarray, labels: np.ndarray) -> list[int]:
    """Those of ``SHOTS`` that leave at least one class of these rows a photo to test."""
    largest = np.bincount(labels[rows], minlength=1).max()
    return [shots for shots in SHOTS if shots < largest]


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


def imprinting(ground: Ground, features: np.ndarray, shots: np.ndarray) -> np.ndarray:
    """Cosine to the mean direction of the shots (Qi et al., 2018)."""
    rows = np.stack([unit(own).mean(axis=0) for own in shots])
    return unit(features) @ unit(rows).T


def class_means(ground: Ground, features: np.ndarray, shots: np.ndarray) -> np.ndarray:
    """The same after the mean of the training photos is taken away (SimpleShot, 2019)."""
    return imprinting(ground, features - ground.mean, shots - ground.mean)


def ridge(ground: Ground, features: np.ndarray, shots: np.ndarray) -> np.ndarray:
    """What ``extend`` does, at a scale of 1 and with the ground's ridge."""
    return ground.rows(shots.mean(axis=1)).logits(features) / ground.best_logit


@dataclass(frozen=True)
class Method:
    """A way to name photos of new classes: its scores, the blocks that it sees, and the ridge."""

    scores: Scores
    blocks: int = 1
    ridge: float = RIDGE


SHIPPED = f"ridge {RIDGE:g}"  # what `extend` does, if the scale is SCALE
METHODS = {
    "weight imprinting": Method(imprinting),
    "centred class means": Method(class_means),
    **{f"ridge {value:g}": Method(ridge, ridge=value) for value in RIDGES},
    f"{SHIPPED}, last two blocks": Method(ridge, blocks=2),
    **{
        f"new rows retrained, weight decay {decay:g}": Method(
            partial(retrained, weight_decay=decay)
        )
        for decay in WEIGHT_DECAYS
    },
}


def with_head(network: LastBlocks, data: Data, config: Config) -> LastBlocks:
    """The network with FC only's head, trained on the training photos of these data."""
    task = data.task
    width = network.layer.weight.shape[1]
    views = np.ascontiguousarray(network.views[:, :, -width:])
    head = nn.Sequential(Head(width, task.num_classes))
    train, val = (
        feature_batches(views, rows, task.labels[rows], config) for rows in (task.train, task.val)
    )
    unless_interrupted(fit(head, train, val, config, data.class_weights(config)))
    weight, bias = (each.detach().numpy() for each in head.parameters())
    return LastBlocks(network.views, LastLayer(weight, bias), data)


def compared(network: LastBlocks, config: Config) -> list[dict[str, Any]]:
    """For each method, scale and number of shots: means over the folds and draws.

    ``new`` is the mean accuracy of the hidden classes where the bias costs ``COST`` of the known
    photos; ``bias`` is that bias. ``plain_cost`` and ``plain_new`` are without any bias.
    """
    labels = network.data.task.labels
    even = network.data.task.train_and_val
    order = np.random.default_rng(0).permutation(np.unique(labels[even]))
    found: dict[tuple, list[np.ndarray]] = {}
    for fold in range(FOLDS):
        data = left_out(network.data, np.isin(labels, order[fold::FOLDS]))
        part = with_head(network, data, config)
        for key, row in of_fold(part, some_of(data.task.test, labels)):
            found.setdefault(key, []).append(row)
    names = ("new", "bias", "plain_new", "plain_cost")
    return [
        {"method": method, "scale": scale, "shots": shots}
        | dict(zip(names, np.mean(rows, axis=0).round(5).tolist(), strict=True))
        for (method, scale, shots), rows in found.items()
    ]


def some_of(rows: np.ndarray, labels: np.ndarray, most: int = MOST) -> np.ndarray:
    """At most ``most`` of these rows for each class."""
    rng = np.random.default_rng(0)
    each = (rng.permutation(rows[labels[rows] == own])[:most] for own in np.unique(labels[rows]))
    return np.concatenate([rows[:0], *each])


def of_fold(network: LastBlocks, pool: np.ndarray) -> list[tuple[tuple, np.ndarray]]:
    """(method, scale, shots) and its figures, in the order of :func:`compared`."""
    task = network.data.task
    twins = twin_groups(network.data.digests)
    rows = np.concatenate([task.val, pool])
    place = np.full(len(task.labels), -1)
    place[rows] = np.arange(len(rows))
    known = len(task.val)
    found = []
    for name, method in METHODS.items():
        ground = network.ground(task.train, method.blocks)
        ground = replace(ground, scale=1.0, ridge=method.ridge)
        features = network.features(rows, method.blocks)
        common = ground.common.logits(features)[:, 0]
        old = masked_logits(ground.layer.logits(features), task.fit_counts.tolist())
        best = (old.max(axis=1) - common) / ground.best_logit
        right = old[:known].argmax(axis=1) == task.labels[task.val]
        for shots in possible(pool, task.labels):
            rng = np.random.default_rng(shots)
            draws = []
            for _ in range(DRAWS):
                chosen, classes, left = drawn(rng, pool, task.labels, twins, shots)
                new = method.scores(ground, features, features[place[chosen]])
                draws.append((new.max(axis=1), classes[new.argmax(axis=1)], left))
            for scale in SCALES:
                own = judged(draws, scale, best, right, place, task.labels)
                found.append(((name, scale, shots), own))
    return found


def judged(
    draws: list[tuple[np.ndarray, np.ndarray, np.ndarray]],
    scale: float,
    best: np.ndarray,
    right: np.ndarray,
    place: np.ndarray,
    labels: np.ndarray,
) -> np.ndarray:
    """The four figures of :func:`compared` for one fold: float64 [4].

    RunError if the network knows too few photos for any to be lost.
    """
    known = len(right)
    if right.mean() <= COST:
        raise RunError(
            f"of {photos_in_words(known)} that validate, the head names {right.sum()} right: it "
            "learned too little for anything to be measured; take weights that were trained"
        )
    lost = np.concatenate([(scale * new - best)[:known][right] for new, _, _ in draws])
    bias = -np.quantile(lost, 1 - COST / right.mean())
    accuracy = []
    for added in (bias, 0.0):
        each = []
        for new, names, left in draws:
            ahead = (scale * new + added > best)[place[left]]
            hit = ahead & (names[place[left]] == labels[left])
            each += [hit[labels[left] == own].mean() for own in np.unique(labels[left])]
        accuracy.append(np.mean(each))
    return np.array([accuracy[0], bias, accuracy[1], (lost > 0).mean() * right.mean()])
