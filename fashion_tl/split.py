"""The split: a rule, written as a setting, for which rows train and which test."""

import re
import shlex
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fashion_tl.errors import ConfigError, in_a_line

if TYPE_CHECKING:  # each process that decodes photos imports this, and pandas takes 35 MB
    import pandas as pd

PARTS = {
    **dict.fromkeys(("train", "training", "trainval", "trainset"), "train"),
    **dict.fromkeys(("test", "testing", "testset"), "test"),
    **dict.fromkeys(("val", "valid", "validation", "eval", "evaluation", "dev", "valset"), "val"),
}
# Words beside these that say nothing about the part, and in folder names name no class.
FILLERS = set("set data dataset images photos split seg all unknown unlabelled unlabeled".split())
EVEN_ODD = "even-odd"

# Takes a table with the column ``label``, and ``year`` (whole numbers) or ``split_value`` (what the
# rule's own column says) if the rule needs them, and the seed of what is drawn. Gives "train",
# "val" or "test" for each row, str [rows]; a row that can't tell gets "".
Parts = Callable[["pd.DataFrame", int], np.ndarray]


@dataclass(frozen=True)
class Split:
    """Which rows train and which test. ``train`` and ``test`` are words, to follow "photos of".

    ``parts`` decides (see :data:`Parts`). ``needs_year`` and ``column`` say what a row must have;
    the column must hold words that :func:`part_of_value` knows. ``is_drawn`` is true if chance
    decides, not the data.
    """

    train: str
    test: str
    parts: Parts
    needs_year: bool = False
    column: str | None = None
    is_drawn: bool = False

    @property
    def rule(self) -> str:
        return f"{self.train} train, {self.test} test"


@dataclass(frozen=True)
class Rule:
    """A way to write a split: an example of it, the form of all, and the split of a text.

    ``pattern`` is a regular expression for the whole text, and ``split`` gets its match. ``note``
    follows the example in an error. Where several texts mean the same, ``plain`` gives the one that
    is kept; by default it is the text itself.
    """

    example: str
    pattern: str
    split: Callable[[re.Match], Split]
    note: str = ""
    plain: Callable[[re.Match], str] = lambda text: text[0]


def _even_odd(_: re.Match) -> Split:
    def parts(table: "pd.DataFrame", seed: int) -> np.ndarray:
        return np.where(_years(table) % 2 == 0, "train", "test")

    return Split("even years", "odd years", parts, needs_year=True)


def _up_to_a_year(text: re.Match) -> Split:
    last = text[1]

    def parts(table: "pd.DataFrame", seed: int) -> np.ndarray:
        return np.where(_years(table) <= int(last), "train", "test")

    return Split(f"years up to {last}", f"years after {last}", parts, needs_year=True)


def _random(text: re.Match) -> Split:
    share = _share(text)

    def parts(table: "pd.DataFrame", seed: int) -> np.ndarray:
        order = np.random.default_rng(seed).permutation(len(table))
        return np.where(drawn(table["label"], order, share), "test", "train")

    rest, own = f"{100 * (1 - share):.4g}%", f"{100 * share:.4g}%"
    return Split(f"a drawn {rest}", f"the other {own}", parts, is_drawn=True)


def _share(text: re.Match) -> float:
    return float(text[1]) if text[1] else float(text[2]) / 100


def _plain(share: float) -> str:
    """The share in digits; empty if it is next to 0 or 1."""
    return f"{share:.9f}".rstrip("0") if 1e-9 < share < 1 - 1e-9 else ""


def _by_column(text: re.Match) -> Split:
    return Split(f"{text[1]} “train”", f"{text[1]} “test”", _as_stated, column=text[1])


def _years(table: "pd.DataFrame") -> np.ndarray:
    return table["year"].to_numpy(dtype=np.int64)


def _as_stated(table: "pd.DataFrame", seed: int) -> np.ndarray:
    parts = {word: part_of_value(word) or "" for word in table["split_value"].unique()}
    return table["split_value"].map(parts).to_numpy(dtype=str)


def part_of(text: str, ignored: Collection[str] = ()) -> str | None:
    """``"train"`` for ``"seg_train"`` and ``"Training Set"``; None for ``"Training Shoes"``.

    ``text`` is a folder's name or a column's value. Besides ``FILLERS``, the words ``ignored`` say
    nothing.
    """
    words = words_of(text) - FILLERS - set(ignored)
    return PARTS.get(words.pop()) if len(words) == 1 else None


def part_of_value(text: str) -> str | None:
    """:func:`part_of` for a column's value. ``"!train"`` and ``"train?"`` say something else."""
    return part_of(text) if re.fullmatch(r"[^\W\d_][^\W\d]*([ -][^\W\d]+)*", text) else None


def words_of(text: str) -> set[str]:
    return set(re.findall(r"[^\W\d_]+", text.casefold()))


SHARE, PERCENT = r"(0?\.\d*[1-9]\d*)", r"((?=[\d.]*[1-9])\d\d?(?:\.\d*)?)"
# Capitals don't count. Errors and the command line's help name these; docs/usage.md explains them.
RULES = (
    Rule(EVEN_ODD, re.escape(EVEN_ODD), _even_odd, plain=lambda _: EVEN_ODD),
    Rule(
        "year<=2014",
        r"year\s*<=\s*(\d{4})",
        _up_to_a_year,
        plain=lambda text: f"year<={text[1]}",
    ),
    Rule(
        "random:0.2",
        rf"random:\s*(?:{SHARE}|{PERCENT}\s*%)",
        _random,
        "the share that tests",
        lambda text: f"random:{plain}" if (plain := _plain(_share(text))) else text[0],
    ),
    Rule(
        "column:NAME",
        r"column:\s*(\S.*)",
        _by_column,
        "which holds train, test, val",
        lambda text: f"column:{text[1]}",
    ),
)

# For photos in folders per class: the folders themselves say which photos train and which test.
FOLDERS = Split("the training folders", "the test folders", _as_stated)


def parse_split(text: Any) -> Split:
    """The split that a setting's text stands for; ConfigError says how to write one."""
    if found := _rule_of(text):
        return found[0].split(found[1])
    ways = [f"{rule.example} ({rule.note})" if rule.note else rule.example for rule in RULES]
    raise ConfigError(f"split must be {one_of(ways)}, not {in_a_line(text)}")


def split_text(text: Any) -> Any:
    """The one text that is kept for a split that may be written in several ways; anything else as
    it is.
    """
    found = _rule_of(text)
    return found[0].plain(found[1]) if found else text


def _rule_of(text: Any) -> tuple[Rule, re.Match] | None:
    """The rule of a split's text, and the match of its pattern."""
    for rule in RULES if isinstance(text, str) else ():
        if match := re.fullmatch(rule.pattern, text.strip(), re.ASCII | re.IGNORECASE):
            return rule, match
    return None


def for_a_shell() -> str:
    """The ways to write a split on a command line, in words."""
    quoted = ((rule.example, shlex.quote(rule.example)) for rule in RULES)
    return one_of([safe if safe == plain else f"{safe} in quotes" for plain, safe in quoted])


def one_of(ways: Sequence[str]) -> str:
    """``"a, b or c"``."""
    return f"{', '.join(ways[:-1])} or {ways[-1]}"


def drawn(labels: "pd.Series", order: np.ndarray, share: float) -> np.ndarray:
    """Which rows are drawn: a share of each class, its first rows in this order. Bool [rows].

    A class with several rows gives at least one and keeps at least one. A class with one row gives
    none. ``order`` holds each row's number once, int64 [rows].
    """
    rank = labels.iloc[order].groupby(labels.iloc[order]).cumcount().sort_index().to_numpy()
    size = labels.groupby(labels).transform("size").to_numpy()
    return rank < np.where(size > 1, np.clip(np.round(share * size), 1, size - 1), 0)
