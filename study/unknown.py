"""Which score tells photos that are like nothing a network learned from, and how well it does.

python -m study unknown --data … --weights …               # writes results/unknown.json
python -m study unknown --data … --weights … --run RUN     # adds the score of a trained run

The score is chosen on even years alone. Some of their classes are hidden in turn: a fifth of the
classes, then each master category. FC only's head learns the others, and photos of hidden classes
must be told from validation photos. The score with the highest mean AUROC is chosen. Only then are
the odd years scored, once. Photos whose class has no training photo are *near* if their master
category has training photos, and otherwise *far*.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.special import logsumexp
from sklearn.metrics import roc_auc_score

from fashion_tl.config import Config
from fashion_tl.data.batches import Batches
from fashion_tl.data.dataset import Data, load_data
from fashion_tl.errors import RunError
from fashion_tl.network.features import features_and_logits, part_features
from fashion_tl.network.inference import pick_device
from fashion_tl.network.memory import Memory, build_memory, unit
from fashion_tl.network.model import available_weights, load_model
from fashion_tl.network.training import fit
from fashion_tl.network.unknown import ACCEPTED
from fashion_tl.network.weights import weights_name
from fashion_tl.recipes import make_config
from fashion_tl.reporting.gallery import open_steps
from fashion_tl.runs import commit, machine, write_json
from study.heads import new_head
from study.record import look
from study.records import read_measured

FOLDS = 5  # of classes, hidden in turn
MOST = 4000  # hidden photos that are scored; more say nothing new
PRINCIPAL = 512  # dimensions of ViM's principal space
DRAWS = 1000  # of the intervals
NEIGHBOURS = (1, 2, 5, 10, 20, 50)


@dataclass(frozen=True)
class Network:
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
    """Photos as a network sees them: features, float32 [n, width], and the logits of the classes
    that it knows, float32 [n, known].
    """

    features: np.ndarray
    logits: np.ndarray


Score = Callable[[Network, Photos], np.ndarray]


def probability(network: Network, photos: Photos) -> np.ndarray:
    return -np.exp(photos.logits.max(1) - logsumexp(photos.logits, axis=1))


def energy(network: Network, photos: Photos) -> np.ndarray:
    """Liu et al., 2020."""
    return -logsumexp(photos.logits, axis=1)


def largest_logit(network: Network, photos: Photos) -> np.ndarray:
    """Hendrycks et al., 2022."""
    return -photos.logits.max(1)


def neighbour(k: int) -> Score:
    """The cosine distance to the k-th nearest training photo (Sun et al., 2022)."""

    def score(network: Network, photos: Photos) -> np.ndarray:
        return network.memory.nearest(photos.features, k)[0][:, -1]

    return score


def virtual_logit(network: Network, photos: Photos) -> np.ndarray:
    """ViM (Wang et al., 2022): the part of the features outside the principal space of training
    photos, as one more logit.
    """
    weight, bias = network.weight[network.known], network.bias[network.known]
    origin = -np.linalg.pinv(weight) @ bias
    centred = network.features - origin
    vectors = np.linalg.eigh(centred.T @ centred)[1]
    rest = vectors[:, : -min(PRINCIPAL, len(vectors) // 2)]
    own = np.linalg.norm(centred @ rest, axis=1)
    largest = (network.features @ weight.T + bias).max(1)
    scale = largest.mean() / own.mean()
    return scale * np.linalg.norm((photos.features - origin) @ rest, axis=1) + energy(
        network, photos
    )


def auroc(known: np.ndarray, unknown: np.ndarray) -> float:
    """How often an unknown photo scores higher than a known one."""
    is_unknown = np.repeat([0, 1], [len(known), len(unknown)])
    return float(roc_auc_score(is_unknown, np.concatenate([known, unknown])))


def accepted(known: np.ndarray, unknown: np.ndarray) -> float:
    """The share of unknown photos that are accepted where ``ACCEPTED`` of the known ones are."""
    return float((unknown <= np.quantile(known, ACCEPTED)).mean())


def hidden_classes(data: Data) -> dict[str, np.ndarray]:
    """Classes to hide in turn, int64, by name: fifths of the even years' classes, and each master
    category.
    """
    task = data.task
    even = np.concatenate([task.train, task.val])
    classes = np.random.default_rng(0).permutation(np.unique(task.labels[even]))
    hidden = {f"fifth {fold + 1}": classes[fold::FOLDS] for fold in range(FOLDS)}
    categories = data.catalogue.table["masterCategory"].to_numpy(str)
    for category in np.unique(categories[even]):
        own = np.unique(task.labels[even[categories[even] == category]])
        if len(own) < len(classes):
            hidden[f"all of {category}"] = own
    return hidden


def without(hidden: np.ndarray, data: Data) -> Data:
    """The data without these classes. Their photos of even years test."""
    task = data.task
    even = np.sort(np.concatenate([task.train, task.val]))
    test = even[np.isin(task.labels[even], hidden)]
    if len(test) > MOST:
        test = np.sort(np.random.default_rng(0).choice(test, MOST, replace=False))
    left = {
        part: rows[~np.isin(task.labels[rows], hidden)]
        for part, rows in (("train", task.train), ("val", task.val))
    }
    return replace(data, task=replace(task, **left, test=test))
