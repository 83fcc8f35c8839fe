"""``styles.csv`` made trustworthy: its rows, what was left out and why, the split by year, classes,
weights.
"""

import math
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd

from fashion_tl.data.classfolders import SHARE
from fashion_tl.data.dataroot import DataRoot
from fashion_tl.data.labels import alike_in_capitals
from fashion_tl.data.rows import KEPT, MALFORMED, read_rows, rows_of_folders
from fashion_tl.errors import ConfigError, DataError
from fashion_tl.split import EVEN_ODD, FOLDERS, Split, parse_split

TOP = 20  # of the largest classes, of which a table's facts say how much of the data they are
FEW = 5  # a class with fewer training photos than this gives none of them up for validation
FEW_SHOT = 50  # training photos, or fewer, of a class that counts as few-shot
NAMED = 20  # rows that are named for each reason to leave some out


@dataclass(frozen=True)
class Catalogue:
    """The usable rows of ``styles.csv``, or the photos in class folders, and an account of the
    others.

    ``rows`` counts the file's data rows; ``malformed`` those with another number of fields than the
    header, recovered or not, or with a field beyond all bounds. ``table`` holds the usable rows in
    the file's order (the columns ``KEPT``, and ``line``), ``left_out`` the others: ``line, id,
    reason``. An id is text: the name of the photo's file without its ending. Without a file of
    rows, each ``line`` is 0. ``notes`` are sentences on what was decided when the data were read.
    ``examples`` show in words the first row that was left out, for those reasons that need it.
    ``label`` is the column that names the classes; ``split`` the rule that dealt the rows to the
    parts in the column ``part``: ``"train"``, ``"val"`` or ``"test"``.
    """

    name: str
    rows: int
    malformed: int
    table: pd.DataFrame
    left_out: pd.DataFrame
    notes: tuple[str, ...] = ()
    examples: dict[str, str] = field(default_factory=dict)
    label: str = "articleType"
    split: Split = FOLDERS

    @cached_property
    def trains(self) -> np.ndarray:
        """Which rows train or validate, bool [rows]. The others test."""
        return (self.table["part"] != "test").to_numpy(dtype=bool)

    @cached_property
    def counts(self) -> pd.DataFrame:
        """Photos per class on the two sides of the split: ``label, train, test``, the largest class
        first.

        ``train`` counts those that validate, too: how many these are is a training's choice.
        """
        trains, names = self.trains, self.table["label"]
        counts = pd.DataFrame(
            {"train": names[trains].value_counts(), "test": names[~trains].value_counts()}
        )
        counts = counts.fillna(0).astype("int64").rename_axis("label").reset_index()
        order = counts.assign(all=counts["train"] + counts["test"])
        order = order.sort_values(["all", "label"], ascending=[False, True])
        return counts.loc[order.index].reset_index(drop=True)

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Every label of the usable rows, most photos first: the published label space."""
        return tuple(self.counts["label"])

    @property
    def tally(self) -> str:
        """How many rows are used and how many left out, by reason, in a line."""
        used = f"{len(self.table):,} of {self.rows:,} rows are used"
        # Without the example of a malformed row: Kaggle's own table has such rows, and each run
        # would name one.
        left_out = self.reasons(
            {reason: words for reason, words in self.examples.items() if reason != MALFORMED}
        )
        return f"{used}; left out: {left_out}" if left_out else used

    def reasons(self, examples: dict[str, str]) -> str:
        """How many rows are left out for each reason, with these examples, in a line."""
        counts = self.left_out["reason"].value_counts()
        words = {reason: f" ({example})" for reason, example in examples.items()}
        return ", ".join(f"{reason}: {n:,}{words.get(reason, '')}" for reason, n in counts.items())

    @property
    def fault(self) -> str | None:
        """Why nothing can be trained on these rows and tested, in a sentence that names the data,
        or None.
        """
        trains = self.trains
        if not len(trains):
            return f"{self.name}: not one of its {self.rows:,} rows can be used ({self.reasons(self.examples)})."
        for part, is_there, words in (
            ("train", trains.any(), self.split.train),
            ("test", not trains.all(), self.split.test),
        ):
            if not is_there:
                return f"{self.name}: there is nothing to {part} on, no photo of {words}. The split: {self.split.rule}."
        if (self.counts["train"] > 0).sum() < 2:
            return f"{self.name}: photos of {self.split.train} hold a single {self.label}; nothing can be told apart."
        return None

    def named(self) -> list[str]:
        """A line for each reason to leave rows out, with the first ``NAMED`` of these."""
        lines = []
        for reason, rows in self.left_out.groupby("reason", sort=False):
            first = rows[:NAMED]
            ids = [i if i.isprintable() and len(i) < 100 else f"{i[:100]!r}" for i in first["id"]]
            which = ", ".join(
                f"{line} (id {i})" if line else i
                for line, i in zip(first["line"], ids, strict=True)
            )
            more = f" and {len(rows) - NAMED:,} more" if len(rows) > NAMED else ""
            example = f"; {self.examples[reason]}" if reason in self.examples else ""
            lines.append(f"{reason} ({len(rows):,}): {which}{more}{example}")
        return lines

    def without(self, failed: dict[str, str]) -> "Catalogue":
        """The same without the photos in ``failed`` (id → reason); they join ``left_out``."""
        if not failed:
            return self
        gone = self.table["id"].isin(failed.keys())
        more = self.table.loc[gone, ["line", "id"]].assign(reason=self.table["id"].map(failed))
        left_out = pd.concat([self.left_out, more], ignore_index=True)
        return replace(self, table=self.table[~gone].reset_index(drop=True), left_out=left_out)

    def with_twins_together(self, twins: np.ndarray) -> "Catalogue":
        """The same without a drawn test photo that has a twin in training: both train.

        ``twins``, int64 [rows], is equal for photos that are pixel for pixel the same. What a table
        or folders say stays as it is.
        """
        trains = pd.Series(self.trains).groupby(twins).transform("any").to_numpy(dtype=bool)
        moved = int((trains != self.trains).sum())
        if not (self.split.is_drawn and moved):
            return self
        note = f"Photos drawn to test that are pixel for pixel the same as one that trains: {moved:,}. They train too."
        return replace(
            self,
            table=self.table.assign(part=np.where(trains, "train", "test")),
            notes=(*self.notes, note),
        )


def read_catalogue(
    root: DataRoot,
    bad_rows: str = "skip",
    label: str = "articleType",
    split: str = EVEN_ODD,
    seed: int = 0,
) -> Catalogue:
    """Read ``styles.csv`` as it really is, or the classes of photos that lie in a folder per class.

    ``label`` is the column that names the classes, ``split`` a setting (see
    :mod:`fashion_tl.split`), ``seed`` that of what is drawn.

    Rows with unquoted separators in their last field are left out (``bad_rows="skip"``, as in the
    published runs) or have it joined together again (``"recover"``). DataError as
    :func:`fashion_tl.data.rows.read_rows`.
    """
    if bad_rows not in ("skip", "recover"):
        raise ConfigError(f"bad_rows must be skip or recover, not {bad_rows!r}")
    if root.table is None and (label, split) != ("articleType", EVEN_ODD):
        raise ConfigError(
            f"{root.name} has no styles.csv: its folders say the class and the part of each photo. Leave label and "
            "split out."
        )
    rule = _rule_of_folders(root) if root.table is None else parse_split(split)
    rows = (
        rows_of_folders(root)
        if root.table is None
        else read_rows(root, bad_rows == "recover", label, rule)
    )
    table = pd.DataFrame(rows.kept, columns=[*KEPT, "line"]).astype(
        {"id": "str", "year": "Int64", "line": "int64"}
    )
    table["part"] = table["split_value"] if root.table is None else rule.parts(table, seed)
    left_out = pd.DataFrame(rows.left_out, columns=["line", "id", "reason"]).astype(
        {"id": "str", "reason": "str"}
    )
    notes = (*root.notes, *rows.notes, *alike_in_capitals(table["label"]))
    label = "class" if root.table is None else label
    return Catalogue(
        root.name, rows.count, rows.malformed, table, left_out, notes, rows.examples, label, rule
    )


def _rule_of_folders(root: DataRoot) -> Split:
    return parse_split(f"random:{SHARE}") if root.is_drawn else FOLDERS


def facts(catalogue: Catalogue) -> dict[str, int | float]:
    """The size of the task in numbers, as ``summary`` prints them."""
    counts, reasons = catalogue.counts, catalogue.left_out["reason"].value_counts()
    top, unseen = counts[:TOP], counts[(counts["train"] == 0) & (counts["test"] > 0)]
    return {
        "rows": catalogue.rows,
        "malformed": catalogue.malformed,
        "missing_image": int(reasons.get("missing image", 0)),
        "missing_year": int(reasons.get("missing year", 0)),
        "usable": len(catalogue.table),
        "classes": len(counts),
        "train": int(counts["train"].sum()),
        "train_classes": int((counts["train"] > 0).sum()),
        "test": int(counts["test"].sum()),
        "test_classes": int((counts["test"] > 0).sum()),
        "top20_train": int(top["train"].sum()),
        "top20_test": int(top["test"].sum()),
        "unseen_classes": len(unseen),
        "unseen_test_rows": int(unseen["test"].sum()),
        "ceiling_top1": ceiling(counts),
        "ceiling_top1_top20": ceiling(top),
    }


def ceiling(counts: pd.DataFrame) -> float:
    """The share of test photos whose class has a training photo: no classifier can be right more
    often.
    """
    total = counts["test"].sum()
    return float(counts["test"][counts["train"] > 0].sum() / total) if total else 0.0


@dataclass(frozen=True)
class Task:
    """A training's view of the catalogue: labels as numbers, and which rows are for what.

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
    def fit_counts(self) -> np.ndarray:
        """Photos per class that the network is fitted to, those that validate left out: int64
        [num_classes].
        """
        return np.bincount(self.labels[self.train], minlength=self.num_classes)

    def largest(self, n: int) -> "Task":
        """The same split for the ``n`` largest classes alone, or for all if it is 0; labels keep
        their numbers.

        DataError when these have no photo to train on, or none to test on.
        """
        if not n:
            return self
        parts = {part: getattr(self, part) for part in ("train", "val", "test")}
        parts = {part: rows[self.labels[rows] < n] for part, rows in parts.items()}
        for part in ("train", "test"):
            if not len(parts[part]):
                raise DataError(
                    f"the {n} largest classes have no photo to {part} on; set `largest` higher, or 0"
                )
        return replace(self, classes=self.classes[:n], **parts)


def make_task(
    catalogue: Catalogue,
    twins: np.ndarray,
    val_fraction: float = 0.1,
    seed: int = 0,
    train_fraction: float = 1.0,
) -> Task:
    """Deal the rows. ``val_fraction`` of what each class has to train on validates, chosen by
    ``seed``, unless the data say themselves which rows validate.

    Of what is left, ``train_fraction`` of each class trains, one photo at least. Classes with fewer
    than 5 training photos train whole. ``twins``, int64 [rows], is equal for photos that are pixel
    for pixel the same; these stay on one side. DataError when there is nothing to train on, to test
    on, or to tell apart.
    """
    if catalogue.fault:
        raise DataError(catalogue.fault)
    trains, part = catalogue.trains, catalogue.table["part"].to_numpy(dtype=str)
    number = {name: label for label, name in enumerate(catalogue.classes)}
    labels = catalogue.table["label"].map(number).to_numpy(dtype=np.int64)
    rows, test = np.flatnonzero(trains), np.flatnonzero(~trains)
    in_val = part[rows] == "val"
    if not in_val.any():
        in_val = _validation(labels[rows], twins[rows], val_fraction, np.random.default_rng(seed))
    train = pd.Series(rows[~in_val]).groupby(labels[rows[~in_val]])
    kept = [own.sample(math.ceil(train_fraction * len(own)), random_state=seed) for _, own in train]
    return Task(catalogue.classes, labels, np.sort(np.concatenate(kept)), rows[in_val], test)


def _validation(
    labels: np.ndarray, twins: np.ndarray, fraction: float, rng: np.random.Generator
) -> np.ndarray:
    """Which rows validate: bool [rows]. Groups of twins are dealt whole, class by class."""
    in_val = np.zeros(len(labels), dtype=bool)
    if fraction == 0:
        return in_val
    members = pd.Series(np.arange(len(labels))).groupby(twins).indices
    count = np.bincount(labels)
    for label in np.unique(labels):
        wanted = max(1, round(fraction * count[label])) if count[label] >= FEW else 0
        for group in rng.permutation(pd.unique(twins[labels == label])):
            if in_val[labels == label].sum() >= wanted:
                break
            rows = members[group]
            dealt = np.bincount(labels[in_val], minlength=len(count)) + np.bincount(
                labels[rows], minlength=len(count)
            )
            small, halved = count < FEW, dealt > count / 2
            if not (small | halved)[
                labels[rows]
            ].any():  # twins must not empty a class, nor take of a small one
                in_val[rows] = True
    return in_val


def class_weights(counts: np.ndarray, power: float) -> np.ndarray:
    """Weight of each class, float64 [num_classes], with a mean of 1 over the training photos.

    It is (N / n_c) to this power, N the number of training photos and n_c that of the class: 1 as
    published, 0.5 its square root, 0 all alike. A class without training photos gets 0.
    """
    seen = counts > 0
    weights = np.zeros(len(counts))
    weights[seen] = (counts.sum() / counts[seen]) ** power
    return weights * counts.sum() / (weights * counts).sum()
