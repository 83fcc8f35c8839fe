"""Scores by which a photo that is like nothing a network learned from can be told from others.

Each takes a network and photos as it sees them, and gives a number for each photo: more for photos
that are less like what was learned.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import logsumexp
from sklearn.metrics import roc_auc_score

from fashion_tl.network.memory import PRINCIPAL, Memory, principal
from fashion_tl.network.unknown import ACCEPTED

NEIGHBOURS = (1, 2, 5, 10, 20, 50)
DRAWS = 500  # of the intervals


@dataclass(frozen=True)
class Learned:
    """What a score may use: a head, what it learned from, and the memory of it.

    ``weight`` is float32 [classes, width], ``bias`` float32 [classes], ``features`` float32
    [training photos, width]. ``known``, bool [classes], are the classes with training photos.
    """

    weight: np.ndarray
    bias: np.ndarray
    known: np.ndarray
    features: np.ndarray
    memory: Memory


@dataclass(frozen=True)
class Photos:
    """Photos as a network sees them: features, float32 [n, width], the logits of the classes that
    it knows, float32 [n, known], and the distances to the nearest training photos, float32
    [n, k].
    """

    features: np.ndarray
    logits: np.ndarray
    distances: np.ndarray


Score = Callable[[Learned, Photos], np.ndarray]


def probability(network: Learned, photos: Photos) -> np.ndarray:
    return -np.exp(photos.logits.max(1) - logsumexp(photos.logits, axis=1))


def energy(network: Learned, photos: Photos) -> np.ndarray:
    """Liu et al., 2020."""
    return -logsumexp(photos.logits, axis=1)


def largest_logit(network: Learned, photos: Photos) -> np.ndarray:
    """Hendrycks et al., 2022."""
    return -photos.logits.max(1)


def neighbour(k: int) -> Score:
    """The cosine distance to the k-th nearest training photo (Sun et al., 2022)."""

    def score(network: Learned, photos: Photos) -> np.ndarray:
        return photos.distances[:, k - 1]

    return score


def neighbour_and_residual(k: int) -> Score:
    """The same, multiplied by how far the features point out of the training photos' space."""

    def score(network: Learned, photos: Photos) -> np.ndarray:
        return photos.distances[:, k - 1] * network.memory.residuals(photos.features)

    return score


def residual(network: Learned, photos: Photos) -> np.ndarray:
    return network.memory.residuals(photos.features)


def virtual_logit(network: Learned, photos: Photos) -> np.ndarray:
    """ViM (Wang et al., 2022): the part of the features outside the principal space of training
    photos, as one more logit.
    """
    weight, bias = network.weight[network.known], network.bias[network.known]
    origin = -np.linalg.pinv(weight) @ bias
    basis = principal(network.features - origin, int(PRINCIPAL * len(origin)))

    def outside(features: np.ndarray) -> np.ndarray:
        centred = features - origin
        return np.linalg.norm(centred - centred @ basis.T @ basis, axis=1)

    largest = (network.features @ weight.T + bias).max(1)
    scale = largest.mean() / outside(network.features).mean()
    return scale * outside(photos.features) + energy(network, photos)


SCORES: dict[str, Score] = {
    "largest probability": probability,
    "energy": energy,
    "largest logit": largest_logit,
    "ViM": virtual_logit,
    "residual": residual,
    **{f"distance to neighbour {k}": neighbour(k) for k in NEIGHBOURS},
    **{f"distance to neighbour {k} × residual": neighbour_and_residual(k) for k in NEIGHBOURS},
}


def auroc(known: np.ndarray, unknown: np.ndarray) -> float:
    """How often an unknown photo scores higher than a known one."""
    is_unknown = np.repeat([0, 1], [len(known), len(unknown)])
    return float(roc_auc_score(is_unknown, np.concatenate([known, unknown])))


def auroc_interval(known: np.ndarray, unknown: np.ndarray) -> list[float]:
    """The 95 % interval of :func:`auroc` (DeLong et al., 1988)."""
    below = _placements(known, unknown)
    above = 1 - _placements(unknown, known)
    margin = 1.96 * np.sqrt(below.var() / len(below) + above.var() / len(above))
    return [round(float(below.mean() + side * margin), 5) for side in (-1, 1)]


def _placements(those: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """For each score, the share of those that are lower; equal ones count half."""
    ordered = np.sort(those)
    sides = [np.searchsorted(ordered, scores, side) for side in ("left", "right")]
    return np.mean(sides, axis=0) / len(those)


def accepted(known: np.ndarray, unknown: np.ndarray) -> float:
    """The share of unknown photos that are accepted where ``ACCEPTED`` of the known ones are."""
    return float((unknown <= np.quantile(known, ACCEPTED)).mean())


def interval(figure: Callable[..., float], *groups: np.ndarray) -> list[float]:
    """The 95 % bootstrap interval of a figure over photos, which are drawn again in each group."""
    rng = np.random.default_rng(0)
    drawn = [figure(*(rng.choice(group, len(group)) for group in groups)) for _ in range(DRAWS)]
    return [round(float(each), 5) for each in np.quantile(drawn, (0.025, 0.975))]


def shares(scores: np.ndarray, threshold: float) -> dict[str, Any]:
    """How many photos there are, and which share of them is accepted, with its interval."""

    def share(drawn: np.ndarray) -> float:
        return float((drawn <= threshold).mean())

    return {
        "photos": len(scores),
        "accepted": share(scores),
        "accepted_interval": interval(share, scores),
    }


def against(known: np.ndarray, unknown: np.ndarray, threshold: float) -> dict[str, Any] | None:
    """What is said of unknown photos. ``accepted_at_95`` is the share that is accepted where
    ``ACCEPTED`` of the known test photos are. None without photos.
    """
    if not len(unknown):
        return None
    return shares(unknown, threshold) | {
        "auroc": auroc(known, unknown),
        "auroc_interval": auroc_interval(known, unknown),
        "accepted_at_95": accepted(known, unknown),
        "accepted_at_95_interval": interval(accepted, known, unknown),
    }
