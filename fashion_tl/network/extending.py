"""Rows of the last layer for classes that come later, from a few photos and a run's memory.

The row of a class is a ridge regression on the memory's photos and the new ones: the mean of the
class's features, seen from the mean of all, through the inverse of their covariance. It is scaled
so that its logits can be compared with those of the classes that were trained.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from torch import nn

from fashion_tl.network.memory import Memory

# Both were chosen on classes of even years that were hidden in training (docs/few-shot.md).
RIDGE = 0.1  # added to the covariance, as a share of its mean variance
SCALE = 3.2  # of new logits, where 1 is the mean logit of the answers to remembered photos
CHUNK = 4096  # remembered photos at a time, so that a large memory takes little more of the RAM
FEWEST = 1000  # remembered photos; with fewer, new classes get probabilities that are too high


@dataclass(frozen=True)
class LastLayer:
    """A linear layer: ``weight`` float32 [classes, width] and ``bias`` float32 [classes]."""

    weight: np.ndarray
    bias: np.ndarray

    def logits(self, features: np.ndarray) -> np.ndarray:
        """Float32 [n, classes] of features, float32 [n, width]."""
        return features @ self.weight.T + self.bias


def layer_of(model: nn.Module) -> LastLayer:
    """The last layer of a network."""
    weight, bias = (each.detach().cpu().numpy() for each in model.get_submodule("fc").parameters())
    return LastLayer(weight, bias)


@dataclass(frozen=True)
class Ground:
    """What a new class is compared with: the features and the last layer of a trained network.

    ``features`` are those of the memory's photos, float32 [photos, width], and ``labels`` their
    classes, int64 [photos]. ``layer`` is the last layer as it was trained, and ``trained`` says
    which of its classes have training photos: bool [classes].
    """

    features: np.ndarray
    labels: np.ndarray
    layer: LastLayer
    trained: np.ndarray
    ridge: float = RIDGE
    scale: float = SCALE

    @cached_property
    def mean(self) -> np.ndarray:
        """The mean of all features: float32 [width]."""
        return self.features.mean(axis=0)

    @cached_property
    def _factor(self) -> tuple[np.ndarray, bool]:
        """The covariance with the ridge, ready to be divided by."""
        centred = self.features - self.mean
        covariance = (centred.T @ centred).astype(np.float64) / len(centred)
        width = len(covariance)
        # Equal features of all photos have no variance.
        level = max(covariance.trace() / width, np.finfo(np.float32).eps)
        return cho_factor(covariance + self.ridge * level * np.eye(width))

    @cached_property
    def common(self) -> LastLayer:
        """The mean of the trained rows, which counts for all classes alike: one row."""
        weight = self.layer.weight[self.trained].mean(axis=0, keepdims=True)
        return LastLayer(weight, self.layer.bias[self.trained].mean(keepdims=True))

    @cached_property
    def best_logit(self) -> float:
        """The mean logit of the answers to remembered photos, above the mean of all logits."""
        above = self.layer.logits(self.features) - self.common.logits(self.features)
        return float(above[:, self.trained].max(axis=1).mean())

    def rows(self, means: np.ndarray) -> LastLayer:
        """A row for each class whose photos have these mean features, float32 [classes, width].

        They are what stands out: :attr:`common` isn't in them.
        """
        apart = (means - self.mean).astype(np.float64)
        directions = cho_solve(self._factor, apart.T).T
        spread = np.sqrt(np.einsum("ij,ij->i", directions, apart) * means.shape[1])
        tiny = np.finfo(np.float32).tiny
        factor = self.scale * self.best_logit / np.maximum(spread, tiny)
        weight = directions * factor[:, None]
        return LastLayer(weight.astype(np.float32), (-weight @ self.mean).astype(np.float32))

    @cached_property
    def _leverage(self) -> np.ndarray:
        """Each remembered photo's own part in the covariance, over its share: float64 [photos]."""
        factor, is_lower = self._factor
        factor = factor.astype(np.float32)
        parts = []
        for start in range(0, len(self.features), CHUNK):
            apart = self.features[start : start + CHUNK] - self.mean
            half = solve_triangular(factor, apart.T, trans=not is_lower, lower=is_lower)
            parts.append(np.square(half).sum(axis=0))
        return np.concatenate(parts) / max(len(self.features) - 1, 1)

    def left_out(self, mean: np.ndarray) -> np.ndarray:
        """The logit by :meth:`rows` of each remembered photo, if it weren't remembered.

        ``mean``, float32 [width], are the mean features of a class that has none of these photos.
        The result is float64 [photos], by Sherman and Morrison's formula. It is exact, but for two
        things that each photo hardly changes: the ridge, and :attr:`best_logit`. In a small memory,
        a photo that counts in the covariance looks far less like a new class than others do.
        """
        n = max(len(self.features) - 1, 1)
        apart = (mean - self.mean).astype(np.float64)
        direction = cho_solve(self._factor, apart)
        own = (self.features - self.mean) @ direction.astype(np.float32)
        rest = 1 - self._leverage
        value = (own + self._leverage) / rest
        squares = apart @ direction + (2 * own + self._leverage) / n + value**2 * rest / n
        spread = np.sqrt(np.maximum(squares, 0) * n / (n + 1) * len(mean))
        return self.scale * self.best_logit * value / np.maximum(spread, np.finfo(np.float32).tiny)


def ground_of(memory: Memory, layer: LastLayer, trained: np.ndarray) -> Ground:
    """The :class:`Ground` of a run's memory and its last layer; ``trained`` is bool [classes]."""
    return Ground(memory.features, memory.labels, layer, trained)


def note_on_scale(remembered: int) -> str | None:
    """What to expect of new classes if a run remembers so few photos; None if they are enough."""
    if remembered >= FEWEST:
        return None
    return (
        f"NOTE: the run remembers fewer than {FEWEST:,} photos ({remembered:,}). The scale of new "
        "classes was chosen with thousands, so their probabilities are too high. They don't say "
        "how sure the network is. Photos of other classes may get the new names, too: try "
        "`predict` on photos that you know."
    )


def extended_layer(
    ground: Ground, features: np.ndarray, labels: np.ndarray, num_classes: int
) -> LastLayer:
    """The last layer after new photos: features, float32 [n, width], and labels, int64 [n].

    Labels from the old number of classes on are new. The rows of other classes stay as they are.
    The row of a trained class changes by as much as the new photos change what ridge regression
    makes of the class's remembered ones.
    """
    old = ground.layer
    shape = (num_classes, old.weight.shape[1])
    weight, bias = np.zeros(shape, np.float32), np.zeros(num_classes, np.float32)
    weight[: len(old.weight)], bias[: len(old.bias)] = old.weight, old.bias
    trained = np.zeros(num_classes, bool)
    trained[: len(ground.trained)] = ground.trained
    for label in np.unique(labels):
        own = features[labels == label]
        before = ground.features[ground.labels == label]
        after = ground.rows(np.concatenate([before, own]).mean(axis=0, keepdims=True))
        from_here = ground.common
        if trained[label] and len(before):
            was = ground.rows(before.mean(axis=0, keepdims=True))
            from_here = LastLayer(weight[label] - was.weight, bias[label] - was.bias)
        weight[label] = (from_here.weight + after.weight)[0]
        bias[label] = (from_here.bias + after.bias)[0]
    return LastLayer(weight, bias)


def logits_left_out(
    ground: Ground, layer: LastLayer, features: np.ndarray, labels: np.ndarray
) -> np.ndarray:
    """The logits of remembered photos by ``layer``, which :func:`extended_layer` made of these new
    photos, with each photo's part in the new rows left out: float32 [photos, classes].

    For a photo of one of the new photos' own classes they are those with its part.
    """
    logits = layer.logits(ground.features)
    for label in np.unique(labels):
        before = ground.features[ground.labels == label]
        others = ground.labels != label
        after = np.concatenate([before, features[labels == label]]).mean(axis=0)
        changed = ground.left_out(after)
        if label < len(ground.trained) and ground.trained[label] and len(before):
            start = ground.layer.weight[label], ground.layer.bias[label]
            changed -= ground.left_out(before.mean(axis=0))
        else:
            start = ground.common.weight[0], ground.common.bias[0]
        changed += ground.features @ start[0] + start[1]
        logits[others, label] = changed[others]
    return logits
