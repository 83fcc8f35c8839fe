"""What one training learns: which rows train, validate and test, and what each class weighs."""

import math
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from fashion_tl.data.catalogue import Catalogue
from fashion_tl.errors import DataError

FEWEST_TO_VALIDATE = 5  # a class with fewer training photos keeps all of them for training


@dataclass(frozen=True)
class Task:
    """A training's view of the catalogue: labels as numbers, and the rows of each part.

    ``classes`` are names by label; ``labels`` is int64 [rows of the catalogue]. ``train``, ``val``
    and ``test`` are rows: int64, ascending, only of photos whose label is among ``classes``.
    """

    classes: tuple[str, ...]
    labels: np.ndarray
    train: np.ndarray
    val: np.ndarray
    test: np.ndarray

    @property
    def num_classes(self) -> int:
        return len(self.classes)

    @property
    def train_and_val(self) -> np.ndarray:
        """The rows that train or validate: int64, ascending."""
        return np.sort(np.concatenate([self.train, self.val]))

    @property
    def fit_counts(self) -> np.ndarray:
        """Photos per class that the network learns from, without those that validate.

        int64 [num_classes].
        """
        return np.bincount(self.labels[self.train], minlength=self.num_classes)

    @property
    def val_known(self) -> np.ndarray:
        """Whether the class of each photo that validates has training photos: bool [val].

        Only these photos say how good a network is that learned from the training photos.
        """
        return self.fit_counts[self.labels[self.val]] > 0

    def largest(self, n: int) -> "Task":
        """The same split for the ``n`` largest classes alone, or for all if ``n`` is 0.

        Labels keep their numbers. DataError as from :meth:`_of`.
        """
        if not n:
            return self
        parts = self._of(self.labels < n, f"the {n} largest classes", "set `largest` higher, or 0")
        return replace(self, classes=self.classes[:n], **parts)

    def without_largest(self, n: int) -> "Task":
        """The same split for all but the ``n`` largest classes; labels are counted from there.

        DataError as from :meth:`_of`.
        """
        if not n:
            return self
        which = f"all but the {n} largest classes"
        way_out = "leave out fewer: set `without_largest` lower or, for `rare`, `largest`"
        parts = self._of(self.labels >= n, which, way_out)
        return replace(self, classes=self.classes[n:], labels=self.labels - n, **parts)

    def _of(self, chosen: np.ndarray, which: str, way_out: str) -> dict[str, np.ndarray]:
        """The rows of each part that are ``chosen``, bool [rows of the catalogue].

        DataError if these classes have no training or no test photo, or if only one of them has a
        training photo.
        """
        parts = {}
        for part in ("train", "val", "test"):
            rows = getattr(self, part)
            parts[part] = rows[chosen[rows]]
        for part in ("train", "test"):
            if not len(parts[part]):
                raise DataError(f"{which} have no photo to {part} on; {way_out}")
        if len(np.unique(self.labels[parts["train"]])) < 2:
            raise DataError(f"of {which}, a single one has photos to train on; {way_out}")
        return parts


def all_train(catalogue: Catalogue, classes: tuple[str, ...]) -> Task:
    """Every photo of these classes trains. Other photos have the label -1."""
    labels = pd.Index(classes).get_indexer(catalogue.table["label"]).astype(np.int64)
    none = np.zeros(0, dtype=np.int64)
    return Task(classes, labels, np.flatnonzero(labels >= 0), none, none)


def make_task(
    catalogue: Catalogue,
    twins: np.ndarray,
    val_fraction: float = 0.1,
    seed: int = 0,
    train_fraction: float = 1.0,
) -> Task:
    """Decide which rows train, validate and test.

    If the data themselves don't say which rows validate, ``seed`` draws ``val_fraction`` of each
    class's training photos. Classes with fewer than ``FEWEST_TO_VALIDATE`` of them give none.
    Of the rest, ``train_fraction`` of each class trains, at least one photo. ``twins``, int64
    [rows], is equal for photos with the same pixels; twins among those that train or validate stay
    together, unless the data say otherwise. DataError if there is nothing to train on, nothing to
    test on, or only one class.
    """
    if catalogue.fault:
        raise DataError(catalogue.fault)
    number = {name: label for label, name in enumerate(catalogue.classes)}
    labels = catalogue.table["label"].map(number).to_numpy(dtype=np.int64)
    rows = np.flatnonzero(catalogue.trains)
    test = np.flatnonzero(~catalogue.trains)
    in_val = catalogue.table["part"].to_numpy(dtype=str)[rows] == "val"
    if not in_val.any():
        in_val = _validation(labels[rows], twins[rows], val_fraction, np.random.default_rng(seed))
    train = pd.Series(rows[~in_val]).groupby(labels[rows[~in_val]])
    kept = [own.sample(math.ceil(train_fraction * len(own)), random_state=seed) for _, own in train]
    return Task(catalogue.classes, labels, np.sort(np.concatenate(kept)), rows[in_val], test)


def _validation(
    labels: np.ndarray, twins: np.ndarray, fraction: float, rng: np.random.Generator
) -> np.ndarray:
    """Which rows validate: bool [rows]. Class by class, whole groups of twins are drawn."""
    in_val = np.zeros(len(labels), dtype=bool)
    if fraction == 0:
        return in_val
    members = pd.Series(np.arange(len(labels))).groupby(twins).indices
    count = np.bincount(labels)
    too_small = count < FEWEST_TO_VALIDATE
    for label in np.unique(labels):
        wanted = 0 if too_small[label] else max(1, round(fraction * count[label]))
        for group in rng.permutation(pd.unique(twins[labels == label])):
            if in_val[labels == label].sum() >= wanted:
                break
            rows = members[group]
            taken = np.bincount(labels[in_val], minlength=len(count))
            taken += np.bincount(labels[rows], minlength=len(count))
            # Twins may be of different classes. No small class may give a photo up, and no class
            # more than half of its photos.
            protected = too_small | (taken > count / 2)
            if not protected[labels[rows]].any():
                in_val[rows] = True
    return in_val


def class_weights(counts: np.ndarray, power: float) -> np.ndarray:
    """The weight of each class, float64 [num_classes], with a mean of 1 over the training photos.

    The weight is (N / n_c) ** ``power``, where N is the number of training photos and n_c that of
    the class. Power 1 is the published study's, 0.5 takes the square root, and 0 treats all classes
    alike. A class without training photos gets 0.
    """
    seen = counts > 0
    weights = np.zeros(len(counts))
    weights[seen] = (counts.sum() / counts[seen]) ** power
    return weights * counts.sum() / (weights * counts).sum()
