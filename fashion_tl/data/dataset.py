"""Everything a training needs of its data, in one value, and the function that loads it."""

import hashlib
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from fashion_tl.config import IN_LOSS, Config
from fashion_tl.data.batches import Batches, photo_batches
from fashion_tl.data.catalogue import (
    NAMED,
    Catalogue,
    Task,
    class_weights,
    make_task,
    read_catalogue,
)
from fashion_tl.data.dataroot import DataRoot, open_root
from fashion_tl.data.photos import Photos, decode_photos, photo_digests, twin_groups
from fashion_tl.distributed import main_first
from fashion_tl.errors import DataError
from fashion_tl.files import StrPath
from fashion_tl.machine import say


@dataclass(frozen=True)
class Data:
    """Everything a training needs of the data; row i of the catalogue is photo i of the array."""

    root: DataRoot
    catalogue: Catalogue
    photos: Photos
    task: Task
    digests: list[bytes]  # of each photo's pixels
    fingerprint: str  # changes with any pixel, id, year, label or part
    cache: StrPath | None = None

    def batches(self, part: str, config: Config) -> Batches:
        """The ``"train"``, ``"val"`` or ``"test"`` photos."""
        rows = getattr(self.task, part)
        return photo_batches(self.photos.array, rows, self.task.labels[rows], config)

    def class_weights(self, config: Config) -> np.ndarray:
        """Weight of each class in the loss, float64 [num_classes], from the training photos
        alone."""
        return class_weights(
            self.task.fit_counts, config.balance_power if config.balance in IN_LOSS else 0.0
        )

    def table(self, part: str) -> pd.DataFrame:
        """The catalogue's rows of one part."""
        return self.catalogue.table.iloc[getattr(self.task, part)]

    @property
    def counts(self) -> pd.DataFrame:
        """Photos per class of the task on the two sides of the split: ``label, train, test``."""
        return self.catalogue.counts[: self.task.num_classes]

    def largest(self, n: int) -> "Data":
        """The same data, the ``n`` largest classes alone; all of them if it is 0."""
        return replace(self, task=self.task.largest(n))


@main_first()
def load_data(
    path: StrPath,
    config: Config,
    cache: StrPath | None = None,
    workers: int | None = None,
    quiet: bool = False,
) -> Data:
    """Open a data root, read its catalogue, decode its photos (once, in ``workers`` processes) and
    split them.

    Unless ``quiet``, it prints what was decided and, where rows are left out, how many and why.
    """
    root = open_root(path, cache)
    catalogue = read_catalogue(root, config.bad_rows, config.label, config.split, config.split_seed)
    if catalogue.table.empty:
        reasons = catalogue.reasons(catalogue.examples)
        raise DataError(
            f"{root.path}: not one of its {catalogue.rows} rows can be used ({reasons})."
        )
    photos = decode_photos(
        root, catalogue.table["id"].to_numpy(), config.stored_size, cache, workers
    )
    failed = [
        f"left out: {root.photos[own].name}: {reason}" for own, reason in photos.failed.items()
    ]
    digests = photo_digests(photos.array)
    twins = twin_groups(digests)
    catalogue = catalogue.without(
        dict.fromkeys(photos.failed, "undecodable image")
    ).with_twins_together(twins)
    account = [catalogue.tally] if len(catalogue.left_out) else []
    for line in [] if quiet else [*failed[:NAMED], *catalogue.notes, *account]:
        say(line)
    task = make_task(
        catalogue, twins, config.val_fraction, config.split_seed, config.train_fraction
    )
    return Data(root, catalogue, photos, task, digests, _fingerprint(digests, catalogue), cache)


def _fingerprint(digests: list[bytes], catalogue: Catalogue) -> str:
    """Of the photos' pixels and the rows. A split by the years adds nothing to the years."""
    rows = catalogue.table[["id", "year"]].assign(**{catalogue.label: catalogue.table["label"]})
    if not catalogue.split.needs_year:
        rows = rows.assign(part=catalogue.table["part"])
    return hashlib.sha256(b"".join([*digests, rows.to_csv(index=False).encode()])).hexdigest()[:16]
