"""All the data that a training needs, in one value, and the function that loads it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from fashion_tl.config import IN_LOSS, Config
from fashion_tl.data.batches import Batches, photo_batches
from fashion_tl.data.catalogue import NAMED, Catalogue, read_catalogue
from fashion_tl.data.contents import DataRoot
from fashion_tl.data.dataroot import open_root
from fashion_tl.data.labels import alike_in_capitals
from fashion_tl.data.photos import Photos, decode_photos
from fashion_tl.data.task import Task, all_train, class_weights, make_task
from fashion_tl.data.twins import photo_digests, twin_groups
from fashion_tl.distributed import main_first
from fashion_tl.errors import DataError
from fashion_tl.files import StrPath
from fashion_tl.machine import say
from fashion_tl.split import EVEN_ODD

NEEDS_NOTHING = "random:0.2"  # a split that needs neither years nor a column


@dataclass(frozen=True)
class Data:
    """All the data that a training needs. Row i of the catalogue is photo i of the array."""

    root: DataRoot
    catalogue: Catalogue
    photos: Photos
    task: Task
    digests: list[bytes]  # of each photo's pixels
    fingerprint: str  # changes with any pixel, id, year, label or part
    cache: StrPath | None = None

    def batches(self, part: str, config: Config) -> Batches:
        """The photos of one part: ``"train"``, ``"val"`` or ``"test"``."""
        rows = getattr(self.task, part)
        return photo_batches(self.photos.array, rows, self.task.labels[rows], config)

    def class_weights(self, config: Config) -> np.ndarray:
        """The weight of each class in the loss, float64 [num_classes], from the training photos."""
        power = config.balance_power if config.balance in IN_LOSS else 0.0
        return class_weights(self.task.fit_counts, power)

    def table(self, part: str) -> pd.DataFrame:
        """The catalogue's rows of one part."""
        return self.catalogue.table.iloc[getattr(self.task, part)]

    @property
    def counts(self) -> pd.DataFrame:
        """Photos of each class of the task on both sides of the split: ``label, train, test``."""
        counts = self.catalogue.counts
        return counts[counts["label"].isin(self.task.classes)].reset_index(drop=True)

    def largest(self, n: int) -> "Data":
        """The same data with the ``n`` largest classes alone, or with all if ``n`` is 0."""
        return replace(self, task=self.task.largest(n))

    def of_classes(self, config: Config) -> "Data":
        """The same data with the classes alone that ``largest`` and ``without_largest`` leave."""
        task = self.task.largest(config.largest).without_largest(config.without_largest)
        return replace(self, task=task)


@main_first()
def load_data(
    path: StrPath,
    config: Config,
    cache: StrPath | None = None,
    workers: int | None = None,
    quiet: bool = False,
) -> Data:
    """Open a data root, read its catalogue, decode its photos and split them.

    ``workers`` processes decode the photos, only once: they are kept in ``cache``. Unless
    ``quiet``, this prints what was decided, and how many rows are left out and why.
    """
    root = open_root(path, cache)
    catalogue, photos, digests = _read(root, config, config.split, cache, workers)
    catalogue = catalogue.with_twins_together(twin_groups(digests))
    if not quiet:
        _tell(root, photos, catalogue, catalogue.notes)
    task = make_task(
        catalogue,
        twin_groups(digests),
        config.val_fraction,
        config.split_seed,
        config.train_fraction,
    )
    return Data(root, catalogue, photos, task, digests, _fingerprint(digests, catalogue), cache)


def load_unsplit(path: StrPath, config: Config, cache: StrPath | None = None) -> Data:
    """:func:`load_data` without a split, so that no years are needed: all photos train."""
    root = open_root(path, cache)
    split = EVEN_ODD if root.table is None else NEEDS_NOTHING
    catalogue, photos, digests = _read(root, config, split, cache)
    _tell(root, photos, catalogue, alike_in_capitals(catalogue.table["label"]))
    task = all_train(catalogue, catalogue.classes)
    return Data(root, catalogue, photos, task, digests, _fingerprint(digests, catalogue), cache)


def _read(
    root: DataRoot,
    config: Config,
    split: str,
    cache: StrPath | None = None,
    workers: int | None = None,
) -> tuple[Catalogue, Photos, list[bytes]]:
    """The rows whose photos can be decoded, these photos, and a digest of each."""
    catalogue = read_catalogue(root, config.bad_rows, config.label, split, config.split_seed)
    if catalogue.table.empty:
        reasons = catalogue.reasons(catalogue.examples)
        raise DataError(f"{root.path}: none of its {catalogue.rows} rows can be used ({reasons}).")
    ids = catalogue.table["id"].to_numpy()
    photos = decode_photos(root, ids, config.stored_size, cache, workers)
    _refuse_closed_classes(root, catalogue, photos)
    catalogue = catalogue.without(photos.left_out)
    return catalogue, photos, photo_digests(photos.array)


def _refuse_closed_classes(root: DataRoot, catalogue: Catalogue, photos: Photos) -> None:
    """DataError if a class would be lost because its photos can't be read now."""
    is_closed = catalogue.table["id"].isin(photos.unread)
    is_kept = ~catalogue.table["id"].isin(photos.failed)
    labels = catalogue.table["label"]
    if lost := sorted(set(labels[is_closed]) - set(labels[is_kept])):
        own = catalogue.table["id"][is_closed & (labels == lost[0])].iloc[0]
        raise DataError(
            f"{root.path}: no photo of the class {lost[0]!r} can be read, such as "
            f"{root.photos[own].name}: {photos.failed[own]}. Make them readable, or leave the "
            "class out of the data."
        )


def _tell(root: DataRoot, photos: Photos, catalogue: Catalogue, notes: Sequence[str]) -> None:
    """Print what is left out and why, and these notes."""
    for own, reason in list(photos.failed.items())[:NAMED]:
        say(f"left out: {root.photos[own].name}: {reason}")
    for note in notes:
        say(note)
    if len(catalogue.left_out):
        say(catalogue.tally)


def _fingerprint(digests: list[bytes], catalogue: Catalogue) -> str:
    """Changes with the photos' pixels and the rows.

    A split by year needs no column of its own in it: the years are there already.
    """
    rows = catalogue.table[["id", "year", "label"]]
    header = ["id", "year", catalogue.label]
    contents = [*digests, rows.to_csv(index=False, header=header).encode()]
    if not catalogue.split.needs_year:
        contents.append("\n".join(catalogue.table["part"]).encode())
    return hashlib.sha256(b"".join(contents)).hexdigest()[:16]
