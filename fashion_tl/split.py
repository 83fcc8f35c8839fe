"""The split: a rule, written as a setting, for which rows train and which test."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fashion_tl.errors import ConfigError, in_a_line

if TYPE_CHECKING:  # each process that decodes photos imports this, and pandas takes 35 MB
    import pandas as pd

PARTS = {
    **dict.fromkeys(("train", "training", "trainval"), "train"),
    **dict.fromkeys(("test", "testing"), "test"),
    **dict.fromkeys(("val", "valid", "validation", "eval", "dev"), "val"),
}
EVEN_ODD = "even-odd"
RULES = (
    "even-odd, year<=2014, random:0.2 (the share that tests) "
    "or column:NAME (which holds train, test, val)"
)


@dataclass(frozen=True)
class Split:
    """A rule. ``train`` and ``test`` are words for the two sides, to follow "photos of".

    ``needs_year`` and ``column`` say what a row must have.
    """

    train: str
    test: str
    needs_year: bool = False
    column: str | None = None
    last_year: int | None = None  # the last year that trains
    share: float = 0.0  # of each class, drawn at random to test

    @property
    def is_drawn(self) -> bool:
        """Whether chance decides, not the data."""
        return self.share > 0

    @property
    def rule(self) -> str:
        return f"{self.train} train, {self.test} test"

    def parts(self, table: "pd.DataFrame", seed: int) -> np.ndarray:
        """``"train"``, ``"val"`` or ``"test"`` for each row: str [rows].

        A row whose ``column`` says none of these gets "".

        Args:
            table: has the column ``label``, and ``year`` (whole numbers) or ``split_value``
                (what its own column says) if the rule needs them.
            seed: decides what is drawn.
        """
        if self.column:
            words = table["split_value"].str.strip().str.lower()
            return words.map(PARTS).fillna("").to_numpy(dtype=str)
        if self.is_drawn:
            order = np.random.default_rng(seed).permutation(len(table))
            return np.where(drawn(table["label"], order, self.share), "test", "train")
        years = table["year"].to_numpy(dtype=np.int64)
        trains = years % 2 == 0 if self.last_year is None else years <= self.last_year
        return np.where(trains, "train", "test")


# For photos in folders per class: the folders themselves say which photos train and which test.
FOLDERS = Split("the training folders", "the test folders")


def parse_split(text: Any) -> Split:
    """The rule that a setting's text stands for; ConfigError says how to write one."""
    rule = text.strip() if isinstance(text, str) else ""
    if rule == EVEN_ODD:
        return Split("even years", "odd years", needs_year=True)
    if year := re.fullmatch(r"year\s*<=\s*(\d{4})", rule):
        last = int(year[1])
        return Split(
            f"years up to {year[1]}", f"years after {year[1]}", needs_year=True, last_year=last
        )
    if (share := re.fullmatch(r"random:\s*(0?\.\d+)", rule)) and float(share[1]) > 0:
        tests = float(share[1])
        return Split(f"a drawn {1 - tests:.0%}", f"the other {tests:.0%}", share=tests)
    if column := re.fullmatch(r"column:\s*(\S.*)", rule):
        return Split(f"{column[1]} “train”", f"{column[1]} “test”", column=column[1])
    raise ConfigError(f"split must be {RULES}, not {in_a_line(text)}")


def drawn(labels: "pd.Series", order: np.ndarray, share: float) -> np.ndarray:
    """Which rows are drawn: a share of each class, its first rows in this order. Bool [rows].

    A class with several rows gives at least one and keeps at least one. A class with one row gives
    none. ``order`` holds each row's number once, int64 [rows].
    """
    rank = labels.iloc[order].groupby(labels.iloc[order]).cumcount().sort_index().to_numpy()
    size = labels.groupby(labels).transform("size").to_numpy()
    return rank < np.where(size > 1, np.clip(np.round(share * size), 1, size - 1), 0)
