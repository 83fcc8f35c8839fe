"""Episodes of N classes with k photos each: how they are drawn, and how their photos are named."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from fashion_tl.data.twins import twin_groups
from fashion_tl.errors import DataError
from fashion_tl.network.extending import Ground, LastLayer
from fashion_tl.network.memory import unit
from study.two_blocks import LastBlocks

QUERIES = 15  # photos of each class to name; fewer where a class has fewer
CHUNK = 50  # episodes whose classes are computed together
# By the words of others: how many classes, and how many photos of each.
SETTINGS = {f"{ways}-way {shots}-shot": (ways, shots) for ways in (5, 15) for shots in (1, 5)}


@dataclass(frozen=True)
class Episode:
    """``shots`` are the rows to learn from, int64 [ways, shots]; ``queries``, int64 [n], are those
    to name, and ``answers``, int64 [n], say which of the ways each one is.
    """

    shots: np.ndarray
    queries: np.ndarray
    answers: np.ndarray


def one_of_twins(rows: np.ndarray, twins: np.ndarray) -> np.ndarray:
    """The rows without all but the first of those whose photos are the same. ``twins`` is that of
    all photos.
    """
    return np.sort(rows[np.unique(twins[rows], return_index=True)[1]])


def episodes(rows: np.ndarray, labels: np.ndarray, setting: str, number: int) -> list[Episode]:
    """Episodes of one of the ``SETTINGS``, drawn from these rows; always the same ones.

    DataError if too few classes have more photos than an episode learns from.
    """
    ways, shots = SETTINGS[setting]
    named, photos = np.unique(labels[rows], return_counts=True)
    pools = [rows[labels[rows] == own] for own in named[photos > shots]]
    if len(pools) < ways:
        raise DataError(
            f"{setting} episodes need {ways} classes with more than {shots} photos; "
            f"the data have {len(pools)}"
        )
    rng = np.random.default_rng([ways, shots])
    found = []
    for _ in range(number):
        chosen = rng.choice(len(pools), ways, replace=False)
        photos_of = [rng.permutation(pools[own])[: shots + QUERIES] for own in chosen]
        queries = [own[shots:] for own in photos_of]
        answers = np.repeat(np.arange(ways), [len(own) for own in queries])
        first = np.stack([own[:shots] for own in photos_of])
        found.append(Episode(first, np.concatenate(queries), answers))
    return found


# Of features and of background features, both float32 [n, width]: the first, seen in another way.
View = Callable[[np.ndarray, np.ndarray], np.ndarray]
# Rows of classes, by the mean features of their shots: float32 [classes, width].
Namer = Callable[[Ground, np.ndarray], LastLayer]


def plain(features: np.ndarray, background: np.ndarray) -> np.ndarray:
    return features


def centred(features: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Less the background's mean, and then of length 1 (SimpleShot, 2019)."""
    return unit(features - background.mean(axis=0))


def roots(features: np.ndarray, background: np.ndarray) -> np.ndarray:
    """The same after a square root, which makes features less skewed. None is below 0."""
    return centred(np.sqrt(features), np.sqrt(background))


def nearest_mean(ground: Ground, means: np.ndarray) -> LastLayer:
    """The larger the logit, the nearer the mean."""
    return LastLayer(means, -(means**2).sum(axis=1) / 2)


def ridge(ground: Ground, means: np.ndarray) -> LastLayer:
    """What ``extend`` does."""
    return ground.rows(means)


VIEWS: dict[str, View] = {
    "features as they are": plain,
    "centred, length 1": centred,
    "square roots, centred, length 1": roots,
}
NAMERS: dict[str, Namer] = {"nearest class mean": nearest_mean, "ridge": ridge}
BLOCKS = {"last block": 1, "last two blocks": 2}


@dataclass(frozen=True)
class Method:
    """A way to name an episode's photos, by the names in ``NAMERS``, ``VIEWS`` and ``BLOCKS``."""

    namer: str
    view: str
    blocks: str

    @property
    def words(self) -> str:
        return f"{self.namer}; {self.view}; {self.blocks}"


METHODS = tuple(Method(*names) for names in product(NAMERS, VIEWS, BLOCKS))


def measured(
    network: LastBlocks, number: int, methods: Sequence[Method] = METHODS
) -> dict[Method, dict[str, np.ndarray]]:
    """By method and setting: the accuracy in each of ``number`` episodes: float64 [number].

    The test photos give the episodes, and the training photos are the background.
    """
    task = network.data.task
    rows = one_of_twins(task.test, twin_groups(network.data.digests))
    drawn = {setting: episodes(rows, task.labels, setting, number) for setting in SETTINGS}
    place = np.full(len(task.labels), -1)
    place[rows] = np.arange(len(rows))
    found = {}
    for method in methods:
        blocks, view = BLOCKS[method.blocks], VIEWS[method.view]
        background = network.features(task.train, blocks)
        features = view(network.features(rows, blocks), background)
        ground = plain_ground(view(background, background))
        found[method] = {
            setting: accuracies(NAMERS[method.namer], ground, features, place, each)
            for setting, each in drawn.items()
        }
    return found


def plain_ground(features: np.ndarray) -> Ground:
    """The ground of background features, float32 [n, width]. A last layer would only scale all
    logits of an episode alike, so a layer of zeros takes its place.
    """
    layer = LastLayer(np.zeros((2, features.shape[1]), np.float32), np.array([1, -1], np.float32))
    return Ground(features, np.zeros(len(features), np.int64), layer, np.ones(2, bool))


def accuracies(
    namer: Namer, ground: Ground, features: np.ndarray, place: np.ndarray, drawn: list[Episode]
) -> np.ndarray:
    """The share of right answers in each episode, float64 [episodes].

    ``features`` are float32 [photos, width]; ``place`` says where in them each row is.
    """
    found = []
    for start in range(0, len(drawn), CHUNK):
        own = drawn[start : start + CHUNK]
        means = np.stack([features[place[each.shots]].mean(axis=1) for each in own])
        rows = namer(ground, means.reshape(-1, means.shape[-1]))
        weights = rows.weight.reshape(means.shape)
        biases = rows.bias.reshape(means.shape[:2])
        for each, weight, bias in zip(own, weights, biases, strict=True):
            logits = LastLayer(weight, bias).logits(features[place[each.queries]])
            found.append((logits.argmax(axis=1) == each.answers).mean())
    return np.array(found)


def mean_of(found: dict[str, np.ndarray]) -> float:
    """The mean accuracy over the settings, by which methods are chosen."""
    return float(np.mean([own.mean() for own in found.values()]))


def figures(found: dict[str, np.ndarray]) -> dict[str, dict[str, float]]:
    """By setting: the mean accuracy, and half of its 95 % interval over the episodes."""
    return {
        setting: {
            "accuracy": round(float(own.mean()), 5),
            "margin95": round(float(1.96 * own.std(ddof=1) / np.sqrt(len(own))), 5),
            "episodes": len(own),
        }
        for setting, own in found.items()
    }
