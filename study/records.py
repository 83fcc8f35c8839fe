"""What is on record: ``results/runs/`` has a folder per run, the other measurements lie beside
it."""

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from fashion_tl.backbones import find_backbone
from fashion_tl.config import DEFAULT_LABEL, Config
from fashion_tl.errors import ConfigError, ContentError, RunError, fault_of_file
from fashion_tl.files import as_path
from fashion_tl.locks import lock
from fashion_tl.recipes import TRAININGS
from fashion_tl.runfiles import read_json, read_table
from study.places import RESULTS

# The trainings that tables and charts show, by the names of their records.
TITLES = {name: training.title for name, training in TRAININGS.items()}
LOOKS = ["run", "commit", "seed", "epochs", "correct", "label", "input", "why"]
# What people wrote down: no command makes these files again.
KEPT = (
    *("verdicts.csv", "few_shot_classes.csv", "published_per_class.csv"),
    *("published.json", "others.json", "goals.json"),
)
RECORD_AGAIN = "record the run again"
COUNTED = ["label", "train", "test", "correct"]  # of each class
# The numbers in a run.json. Those that are a mean over no photos or classes are null.
COUNTS = ("n_test", "correct", "macro_classes", "few_shot_classes")
SHARES = ("top1", "top5", "ceiling")
MEANS = ("top1_learnable", "top5_learnable", "macro", "few_shot", "ece")
METRICS = {"top1": "top-1", "top5": "top-5", "macro": "macro", "few_shot": "few-shot"}


@dataclass(frozen=True)
class Record:
    """One run on record. ``about`` is its run.json; the tables are read when asked for. RunError
    where one can't be.
    """

    folder: Path
    about: dict[str, Any]

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def base(self) -> list[str]:
        """The names of the runs that it is compared with."""
        return self.about["base"]

    @property
    def group(self) -> str:
        """The name that it shares with the runs that differ from it in the seed alone."""
        return self.about["group"]

    @property
    def config(self) -> Config:
        """Its settings, as this version names them."""
        try:
            return Config.from_dict(self.about["config"])
        except (TypeError, KeyError, ValueError, AttributeError, ConfigError) as error:
            wrong = ContentError(f"config: {error}")
            raise RunError(fault_of_file(self.folder / "run.json", wrong, RECORD_AGAIN)) from error

    @property
    def data(self) -> str:
        """The data and weights behind it, in one line."""
        network = find_backbone(self.config.backbone).title
        return f"Data: {self.about['data']} · {network} from {self.about['weights']}"

    @property
    def source(self) -> str:
        """:attr:`data`, and how it was trained."""
        recipe = f"{self.about['recipe']} recipe, {self.size}, {self.about['epochs']} epochs"
        return f"{self.data} · {recipe}"

    @property
    def size(self) -> str:
        """Height and width of the network's input: ``"160×120"``."""
        return "×".join(map(str, self.about["image_size"]))

    @cached_property
    def history(self) -> pd.DataFrame:
        return self._read("history.csv")

    @cached_property
    def per_class(self) -> pd.DataFrame:
        """``label, train, test, correct, accuracy``; without a test photo, the accuracy is NaN."""
        table = self._read("per_class.csv", COUNTED)
        return table.assign(accuracy=table["correct"] / table["test"].where(table["test"] > 0))

    @cached_property
    def confusions(self) -> pd.DataFrame:
        return self._read("confusions.csv")

    @cached_property
    def predictions(self) -> pd.DataFrame:
        return self._read("predictions.csv.gz", ("id", "top1", "p1"))

    def _read(self, name: str, columns: Sequence[str] = ()) -> pd.DataFrame:
        return read_columns(self.folder / name, columns, RECORD_AGAIN)


@contextmanager
def one_at_a_time(results: str | os.PathLike) -> Iterator[None]:
    """While this block reads a file of the results and writes it anew, other processes that ask
    for this wait. Else one of two would lose what the other wrote. It must not ask for it twice.
    """
    handle = lock(as_path(results), wait=True)
    try:
        yield
    finally:
        if handle is not None:
            os.close(handle)


def way_back(file: Path) -> str:
    """What to do about a damaged or missing file: git has those that no command makes again."""
    if file.name not in KEPT:
        return "make it again"
    if os.path.realpath(file.parent) == os.path.realpath(RESULTS):
        return f"restore it with `git checkout {file}`"
    return f"copy it from {RESULTS.name}/ of the repository"


def read_columns(
    file: Path, columns: Sequence[str] = (), way_out: str | None = None
) -> pd.DataFrame:
    """A table of the study, which must have some columns.

    RunError, which names the file and the way out (by default :func:`way_back`), if it can't be
    read or lacks one of them.
    """
    try:
        table = read_table(file)
        if missing := [column for column in columns if column not in table]:
            raise ContentError(f"it lacks the columns {', '.join(missing)}")
    except (OSError, ValueError) as error:
        raise RunError(fault_of_file(file, error, way_out or way_back(file))) from error
    return table


def read_record(results: str | os.PathLike, name: str) -> Record:
    """One run on record; RunError when there is none of this name, or its run.json can't be
    used."""
    folder, there = as_path(results) / "runs" / name, recorded(results)
    if name not in there:
        known = f"there are: {', '.join(there)}" if there else "there is none yet"
        raise RunError(f"{folder}: no run of this name is on record; {known}")
    file = folder / "run.json"
    try:
        about = read_json(file)
        _check_about(about)
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(fault_of_file(file, error, RECORD_AGAIN)) from error
    for key, kind, words in (("base", list, "a list of names of runs"), ("group", str, "a name")):
        if not isinstance(about.get(key), kind):
            raise RunError(f'{file} must have "{key}", {words}')
    return Record(folder, about)


def _check_about(about: Any) -> None:
    """ContentError unless what a run.json holds is of the kinds that a record has."""
    if not isinstance(about, dict):
        raise ContentError("it must be an object in braces")
    for key in (*COUNTS, *SHARES, *MEANS):
        value = about.get(key, 0)
        is_kind = _is_number(value) and (key not in COUNTS or isinstance(value, int))
        if not is_kind and not (key in MEANS and value is None):
            raise ContentError(f"{key} must be a {'whole ' if key in COUNTS else ''}number")
    if "interval95" not in about:
        return
    given = about["interval95"] if isinstance(about["interval95"], dict) else {}
    for key in METRICS:
        ends = given.get(key) or []
        is_pair = isinstance(ends, list) and len(ends) == 2
        if about.get(key) is not None and not (is_pair and all(map(_is_number, ends))):
            raise ContentError(f"interval95 must hold two numbers for {key}")


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value)


def need(record: Record, keys: Sequence[str]) -> None:
    """RunError unless a record's run.json has all of these."""
    if missing := [key for key in keys if key not in record.about]:
        what = ", ".join(missing)
        raise RunError(f"{record.folder / 'run.json'} lacks {what}; record the run again")


def some_recorded(results: str | os.PathLike) -> list[str]:
    """:func:`recorded`; RunError where there are none."""
    if names := recorded(results):
        return names
    raise RunError(f"no runs on record in {as_path(results)}; name the folder with --results")


def recorded(results: str | os.PathLike) -> list[str]:
    """The names of the runs on record: of the folders in ``runs/``, hidden ones aside."""
    runs = as_path(results) / "runs"
    return (
        sorted(each.name for each in runs.iterdir() if each.is_dir() and each.name[0] != ".")
        if runs.is_dir()
        else []
    )


def read_records(results: str | os.PathLike) -> dict[str, Record]:
    """All runs on record, by name. RunError as from :func:`read_record`."""
    return {name: read_record(results, name) for name in recorded(results)}


def read_looks(results: str | os.PathLike) -> pd.DataFrame:
    """The looks at the odd years, in ``looks.csv``: all columns are text, ``LOOKS``.

    Looks that were kept before there was a column for the label were at ``DEFAULT_LABEL``.
    """
    file = as_path(results) / "looks.csv"
    if not file.exists():
        return pd.DataFrame(columns=LOOKS)
    restore = "restore it, as git has it"
    table = read_columns(file, [name for name in LOOKS if name != "label"], restore)
    return table.astype(str).reindex(columns=LOOKS, fill_value=DEFAULT_LABEL)


def read_measured(results: str | os.PathLike, name: str) -> Any:
    """Another measurement, of the file ``NAME.json``; None where it isn't there yet. RunError when
    it can't be read.
    """
    file = as_path(results) / f"{name}.json"
    try:
        return read_json(file) if file.exists() else None
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(fault_of_file(file, error, way_back(file))) from error


def read_benches(results: str | os.PathLike) -> list[dict[str, Any]]:
    """What ``python -m study bench`` measured, a machine each. RunError as in
    :func:`read_measured`.
    """
    files = sorted((as_path(results) / "bench").glob("*.json"))
    return [read_measured(file.parent, file.stem) for file in files]


def pairs(records: dict[str, Record]) -> list[tuple[str, str]]:
    """Each run with each that it is compared with, (base, run): those with a title first.

    RunError when a base isn't on record.
    """
    found = []
    for record in sorted(
        records.values(), key=lambda record: (record.name not in TITLES, record.name)
    ):
        for base in record.base:
            if base not in records:
                raise RunError(
                    f'{record.folder / "run.json"} compares it with {base!r} ("base"), '
                    "which is not on record; record that run too, or remove its name there"
                )
            found.append((base, record.name))
    return found


def groups(records: dict[str, Record]) -> dict[str, list[Record]]:
    """The runs that differ in the seed alone, by the name that they share. RunError when they
    differ in more.
    """
    found: dict[str, list[Record]] = {}
    for record in records.values():
        found.setdefault(record.group, []).append(record)
    for first, *others in found.values():
        for other in others:
            settings = other.config.to_dict()
            changed = [
                key for key, value in first.config.to_dict().items() if value != settings[key]
            ]
            if changed != ["seed"]:
                what = f"in {', '.join(changed)}" if changed else "in nothing, not even the seed"
                raise RunError(
                    f'{first.folder} and {other.folder} have one "group", of runs that differ in '
                    f"the seed alone, but these differ {what}; give one of them a group of its own"
                )
    return found
