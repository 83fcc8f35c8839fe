"""The catalogue: usable rows of ``styles.csv``, their classes and split, and the rows left out."""

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd

from fashion_tl.config import CHOICES, DEFAULT_LABEL
from fashion_tl.data.classfolders import SHARE
from fashion_tl.data.contents import DataRoot
from fashion_tl.data.labels import alike_in_capitals
from fashion_tl.data.rows import KEPT, MALFORMED, read_rows, rows_of_folders
from fashion_tl.errors import ConfigError
from fashion_tl.machine import say
from fashion_tl.recipes import LARGEST
from fashion_tl.split import EVEN_ODD, FOLDERS, Split, parse_split

FEW_SHOT = 50  # a class with this many training photos or fewer is few-shot
NAMED = 20  # rows that are named for each reason to leave rows out
LARGEST_SHOWN = 5  # largest classes that the summary names
MOVED_BY_RUN = (
    "`run` may test fewer photos than are counted here. It opens them, and if one drawn to test is "
    "pixel for pixel the same as one that trains, it trains too."
)


@dataclass(frozen=True)
class Catalogue:
    """The usable rows of ``styles.csv``, or the photos in class folders, and the rows left out.

    ``rows`` counts the file's data rows. ``malformed`` counts those with another number of fields
    than the header, recovered or not, or with a field that is far too long. ``table`` holds the
    usable rows in the file's order: the columns ``KEPT``, ``line`` and ``part`` (``"train"``,
    ``"val"`` or ``"test"``). ``left_out`` holds the others: ``line, id, reason``. An id is text:
    the name of the photo's file without its ending. Photos in class folders have ``line`` 0.
    ``notes`` are sentences on what was decided while reading. ``examples`` describe the first row
    left out, for the reasons that need an example. ``label`` is the column that names the classes,
    and ``split`` the rule that made the column ``part``. ``in_folders`` is true if there is no
    table, and folders name the classes.
    """

    name: str
    rows: int
    malformed: int
    table: pd.DataFrame
    left_out: pd.DataFrame
    notes: tuple[str, ...] = ()
    examples: dict[str, str] = field(default_factory=dict)
    label: str = DEFAULT_LABEL
    split: Split = FOLDERS
    in_folders: bool = False

    @cached_property
    def trains(self) -> np.ndarray:
        """Which rows train or validate, bool [rows]. The others test."""
        return (self.table["part"] != "test").to_numpy(dtype=bool)

    @cached_property
    def counts(self) -> pd.DataFrame:
        """Photos per class on both sides of the split: ``label, train, test``, largest class first.

        ``train`` includes the photos that are drawn to validate, because their number differs
        between trainings. It leaves out those that the data themselves name for validation.
        """
        names = self.table["label"]
        train = names[self.table["part"] == "train"].value_counts()
        test = names[~self.trains].value_counts()
        counts = pd.DataFrame({"train": train, "test": test})
        counts = counts.fillna(0).astype("int64").rename_axis("label").reset_index()
        order = counts.assign(all=counts["train"] + counts["test"])
        order = order.sort_values(["all", "label"], ascending=[False, True])
        return counts.loc[order.index].reset_index(drop=True)

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Every label of the usable rows, most photos first."""
        return tuple(self.counts["label"])

    @property
    def naming(self) -> str:
        """What names the classes: a clause for the middle of a sentence."""
        return "folders name the classes" if self.in_folders else f"the label is {self.label}"

    @property
    def tally(self) -> str:
        """One line: how many rows are used, and how many are left out for each reason."""
        used = f"{len(self.table):,} of {self.rows:,} rows are used"
        # No example of a malformed row: Kaggle's own table has some, so every run would show one.
        left_out = self.reasons(
            {reason: words for reason, words in self.examples.items() if reason != MALFORMED}
        )
        return f"{used}; left out: {left_out}" if left_out else used

    def reasons(self, examples: dict[str, str]) -> str:
        """One line: how many rows are left out for each reason, with these examples."""
        counts = self.left_out["reason"].value_counts()
        words = {reason: f" ({example})" for reason, example in examples.items()}
        return ", ".join(f"{reason}: {n:,}{words.get(reason, '')}" for reason, n in counts.items())

    @property
    def fault(self) -> str | None:
        """A sentence on why these rows can't be trained and tested on, or None."""
        if self.table.empty:
            reasons = self.reasons(self.examples)
            return f"{self.name}: none of its {self.rows:,} rows can be used ({reasons})."
        for part, is_there, words in (
            ("train", (self.table["part"] == "train").any(), self.split.train),
            ("test", not self.trains.all(), self.split.test),
        ):
            if not is_there:
                return (
                    f"{self.name}: there is nothing to {part} on, no photo of {words}. "
                    f"The split: {self.split.rule}."
                )
        if (self.counts["train"] > 0).sum() < 2:
            return (
                f"{self.name}: photos of {self.split.train} hold a single {self.label}. "
                "A training needs at least two."
            )
        return None

    def named(self) -> list[str]:
        """A line for each reason to leave rows out, with the first ``NAMED`` rows."""
        lines = []
        for reason, rows in self.left_out.groupby("reason", sort=False):
            first = rows[:NAMED]
            shown = []
            for line, own in zip(first["line"], first["id"], strict=True):
                word = own if own.isprintable() and len(own) < 100 else repr(own[:100])
                shown.append(f"{line} (id {word})" if line else word)
            which = ", ".join(shown)
            more = f" and {len(rows) - NAMED:,} more" if len(rows) > NAMED else ""
            example = f"; {self.examples[reason]}" if reason in self.examples else ""
            lines.append(f"{reason} ({len(rows):,}): {which}{more}{example}")
        return lines

    def without(self, failed: dict[str, str]) -> "Catalogue":
        """The same catalogue without the photos in ``failed`` (id → reason).

        They move to ``left_out``.
        """
        if not failed:
            return self
        gone = self.table["id"].isin(failed.keys())
        more = self.table.loc[gone, ["line", "id"]].assign(reason=self.table["id"].map(failed))
        left_out = pd.concat([self.left_out, more], ignore_index=True)
        return replace(self, table=self.table[~gone].reset_index(drop=True), left_out=left_out)

    def with_twins_together(self, twins: np.ndarray) -> "Catalogue":
        """The same catalogue, with twins on one side of a drawn split.

        A drawn test photo with a twin in training trains too. ``twins``, int64 [rows], is equal for
        photos with the same pixels. A split that a table or folders state stays as it is.
        """
        trains = pd.Series(self.trains).groupby(twins).transform("any").to_numpy(dtype=bool)
        moved = int((trains != self.trains).sum())
        if not (self.split.is_drawn and moved):
            return self
        note = (
            "Photos drawn to test that are pixel for pixel the same as one that trains: "
            f"{moved:,}. They train too."
        )
        table = self.table.assign(part=np.where(trains, "train", "test"))
        return replace(self, table=table, notes=(*self.notes, note))


def parts_of(table: pd.DataFrame, rule: Split, seed: int) -> np.ndarray:
    """The part of each row, str [rows]. ValueError if a rule gives words that are none."""
    parts = rule.parts(table, seed)
    if wrong := set(parts) - {"train", "val", "test", ""}:
        raise ValueError(
            f"a split's function gave {', '.join(map(repr, sorted(wrong)))}; "
            "a part is 'train', 'val', 'test', or '' for a row that can't tell"
        )
    return parts


def read_catalogue(
    root: DataRoot,
    bad_rows: str = "skip",
    label: str = DEFAULT_LABEL,
    split: str = EVEN_ODD,
    seed: int = 0,
) -> Catalogue:
    """Read ``styles.csv``, or the classes of photos in a folder per class.

    ``label`` is the column that names the classes, ``split`` a setting (see
    :mod:`fashion_tl.split`), ``seed`` that of a drawn split.

    Some rows have unquoted separators in their last field. With ``bad_rows="skip"``, as in the
    published runs, they are left out; with ``"recover"`` the field is joined together again.
    DataError as in :func:`fashion_tl.data.rows.read_rows`.
    """
    if bad_rows not in CHOICES["bad_rows"]:
        words = " or ".join(CHOICES["bad_rows"])
        raise ConfigError(f"bad_rows must be {words}, not {bad_rows!r}")
    in_folders = root.table is None
    if in_folders and (label, split) != (DEFAULT_LABEL, EVEN_ODD):
        raise ConfigError(
            f"{root.name} has no styles.csv: its folders say the class and the part of each photo. "
            "Leave label and split out."
        )
    if in_folders:
        rule = parse_split(f"random:{SHARE}") if root.is_drawn else FOLDERS
        rows = rows_of_folders(root)
    else:
        rule = parse_split(split)
        rows = read_rows(root, bad_rows == "recover", label, rule)
    table = pd.DataFrame(rows.kept, columns=[*KEPT, "line"])
    table = table.astype({"id": "str", "year": "Int64", "line": "int64"})
    # Photos in folders were drawn as they were listed, if no folder says which of them test.
    table["part"] = table["split_value"] if in_folders else parts_of(table, rule, seed)
    left_out = pd.DataFrame(rows.left_out, columns=["line", "id", "reason"])
    left_out = left_out.astype({"id": "str", "reason": "str"})
    return Catalogue(
        name=root.name,
        rows=rows.count,
        malformed=rows.malformed,
        table=table,
        left_out=left_out,
        notes=(*root.notes, *rows.notes, *alike_in_capitals(table["label"])),
        examples=rows.examples,
        label="class" if in_folders else label,
        split=rule,
        in_folders=in_folders,
    )


FAULTS = ("malformed", "missing_image", "missing_year")  # what rows of a table may have


def facts(catalogue: Catalogue) -> dict[str, int | float]:
    """The numbers that ``summary`` prints: rows, photos, classes, ceilings."""
    counts = catalogue.counts
    reasons = catalogue.left_out["reason"].value_counts()
    largest = counts[:LARGEST]
    unseen = counts[(counts["train"] == 0) & (counts["test"] > 0)]
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
        f"top{LARGEST}_train": int(largest["train"].sum()),
        f"top{LARGEST}_test": int(largest["test"].sum()),
        "unseen_classes": len(unseen),
        "unseen_test_rows": int(unseen["test"].sum()),
        "ceiling_top1": ceiling(counts),
        f"ceiling_top1_top{LARGEST}": ceiling(largest),
    }


def ceiling(counts: pd.DataFrame) -> float:
    """The share of test photos whose class has a training photo.

    No classifier can be right more often.
    """
    total = counts["test"].sum()
    return float(counts["test"][counts["train"] > 0].sum() / total) if total else 0.0


def print_account(catalogue: Catalogue, numbers: dict[str, int | float]) -> None:
    """Print what is in the data, from the ``numbers`` of :func:`facts`, and what is left out.

    Counts of faults are printed if they aren't 0. Numbers of the largest classes are printed if
    there are more classes.
    """
    say(f"{catalogue.name}: {catalogue.naming}; {catalogue.split.rule}")
    for note in catalogue.notes:
        say(note)
    if catalogue.split.is_drawn:
        say(MOVED_BY_RUN)
    for name, value in numbers.items():
        if name in FAULTS and not value:
            continue
        if f"top{LARGEST}" in name and len(catalogue.counts) <= LARGEST:
            continue
        shown = f"{value:.2%}" if isinstance(value, float) else f"{value:,}"
        print(f"  {name:<20}{shown:>12}")
    if len(catalogue.counts):
        largest = catalogue.counts[:LARGEST_SHOWN].itertuples(index=False, name=None)
        words = ", ".join(f"{name} {train:,} + {test:,}" for name, train, test in largest)
        say(f"largest classes (train + test): {words}")
    if len(catalogue.left_out):
        say("left out, by line of styles.csv:" if catalogue.left_out["line"].any() else "left out:")
    for line in catalogue.named():
        say(f"  {line}")
