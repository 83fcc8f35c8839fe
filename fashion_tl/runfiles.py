"""What a run's own JSON files and tables must hold. ValueError says what is wrong with one."""

import json
import math
import os
import sys
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from fashion_tl.errors import ContentError, RunError, fault_of_file, in_a_line
from fashion_tl.files import RUN_FILE, StrPath, as_path, check_readable

BEFORE = "before"  # in an extended run, the folder of the run before, without its network
AGAIN = "copy it again, or delete the run's folder and train it again"
EXTEND_AGAIN = "copy it again, or extend the first run again"
# Columns of our tables that are always text: a class may be called 001, NA or True.
TEXT = (
    *("id", "label", "articleType", "true", "predicted", "photo", "error", "drawn_from", "by"),
    *("top1", "top2", "top3", "top4", "top5", "given", "suggested", "other", "verdict"),
    *("run", "commit", "input", "why", "approach", "training", "trial", "image_size", "on"),
    *("machine", "part"),
)
# The kinds of values in JSON, with their names for errors.
KINDS = {dict: "an object", list: "a list", str: "text", int: "a whole number", float: "a number"}
# What run.json must hold, and what each row of its ``extended`` must.
ABOUT = {"config": dict, "data": dict, "weights": dict}
DATA = {"name": str, "photos": int, "fingerprint": str}
WEIGHTS = {"name": str}
EXTENDED = {"label": str, "photos": int, "is_new": bool, "before": dict, "taken": int}
# What metrics.json must hold. A mean over no photos or classes is null.
METRICS = {
    **dict.fromkeys(("n_test", "correct", "macro_classes", "few_shot_classes"), int),
    **dict.fromkeys(("epochs", "best_epoch"), int),
    **dict.fromkeys(("top1", "top5", "ceiling", "minutes"), float),
    "approach": str,
}
MEANS = ("top1_learnable", "macro", "few_shot")
# What it also may hold: older versions wrote less. Each is null where nothing could be measured.
MAY_BE_MEASURED = (
    *("top5_learnable", "ece", "nll", "temperature", "val_ece", "threshold95", "threshold98"),
    *("unknown_auroc", "unknown_accepted", "known_accepted"),
)
# The columns that each table must have. Of the numbers, those that may be missing stand apart.
TEXTS = {
    "predictions.csv.gz": ("id", "label", *(f"top{k}" for k in range(1, 6))),
    "per_class.csv": ("label",),
}
NUMBERS = {
    "history.csv": ("epoch", "train_loss", "train_accuracy"),
    "predictions.csv.gz": ("p1",),
    "per_class.csv": ("train", "test", "correct"),
}
GAPS = {
    "history.csv": ("val_loss", "val_accuracy", "val_cross_entropy"),
    "predictions.csv.gz": ("loss",),
    "per_class.csv": ("accuracy",),
}
# The numbers that are parts of a whole, from 0 to 1, and those that have no limits but their size.
# Of all others none is below 0.
SHARES = (
    *("top1", "top5", "top1_learnable", "ceiling", "macro", "few_shot", "ece", "val_ece"),
    *("threshold95", "threshold98", "unknown_auroc", "unknown_accepted", "known_accepted"),
    *("p1", "accuracy", "train_accuracy", "val_accuracy"),
)
ANY_NUMBER = ("unknown_score",)
# A training that diverges has losses of any size. Its training loss alone stops it if that becomes
# infinite.
LOSSES = ("train_loss", "val_loss", "val_cross_entropy", "loss", "nll")
MAY_BE_INFINITE = ("val_loss", "val_cross_entropy")
TINY = 1e-6  # how far a sum of rounded numbers may lie below 0 or above 1
HUGE = 1e15  # what counts, measures or times something here is far below
# Columns of predictions.csv.gz that are there together or not at all.
DOUBTS = ("unknown", "unknown_score")


def way_out(folder: Path, otherwise: str = AGAIN) -> str:
    """What to do if a file in a run's folder is damaged, missing or of another run.

    No command makes a file of an extended run anew, nor one of the run that was kept in it. The
    files of all other runs have the way ``otherwise``.
    """
    kept = (own.parent / RUN_FILE for own in (folder, *folder.parents) if own.name == BEFORE)
    is_of_extended = os.path.isdir(folder / BEFORE) or any(map(os.path.isfile, kept))
    return EXTEND_AGAIN if is_of_extended else otherwise


def read_json(path: Path) -> Any:
    """The content of a JSON file; NaN and infinities become None."""
    check_readable(path)
    return json.loads(path.read_bytes(), parse_constant=lambda _: None)


def read_about(path: Path) -> dict[str, Any]:
    """The content of a run.json; OSError or ValueError if it can't be used."""
    about = read_json(path)
    _check_object(about, ABOUT)
    _check_object(about["data"], DATA, "data: ")
    _check_object(about["weights"], WEIGHTS, "weights: ")
    for name, kind in {"versions": dict, "extended": list}.items():
        if name in about and not _is(about[name], kind):
            raise ContentError(f"{name} must be {KINDS[kind]}")
    for row in about.get("extended", []):
        _check_object(row, EXTENDED, "extended: ")
        if not all(_is(photos, int) for photos in row["before"].values()):
            raise ContentError("extended: before must hold whole numbers")
        _check_optional(row, ("left_out",), int, "extended: ")
    return about


def about_run(folder: StrPath) -> dict[str, Any]:
    """What the run.json in a run's folder holds; RunError if there is none, or if it is damaged."""
    folder = as_path(folder)
    if not folder.is_dir():
        raise RunError(f"no such run folder: {folder}")
    file = folder / RUN_FILE
    try:
        return read_about(file)
    except FileNotFoundError as error:
        if file.is_symlink():
            raise unreadable(file, error) from error
        below = ", ".join(sorted(path.parent.name for path in folder.glob(f"*/{RUN_FILE}")))
        hint = f"; runs lie in it: {below}" if below else ""
        raise RunError(f"{folder} is not a run folder: it has no {RUN_FILE}{hint}") from error
    except Exception as error:  # deeply nested JSON raises RecursionError
        raise unreadable(file, error) from error


def unreadable(file: Path, error: Exception) -> RunError:
    """The error that says what is wrong with a file of a run, and what to do."""
    return RunError(fault_of_file(file, error, way_out(file.parent)))


def read_metrics(path: Path) -> dict[str, Any]:
    """The content of a metrics.json; OSError or ValueError if it can't be used."""
    metrics = read_json(path)
    _check_object(metrics, METRICS)
    _check_optional(metrics, MEANS, float)
    _check_optional(metrics, tuple(name for name in MAY_BE_MEASURED if name in metrics), float)
    for name in (*METRICS, *MEANS, *MAY_BE_MEASURED):
        lowest, most = _limits(name)
        value = metrics.get(name)
        if isinstance(value, int | float) and not lowest <= value <= most:
            raise ContentError(f"{name} can't be {in_a_line(value)}")
    if not _is(metrics.get("interrupted", False), bool):
        raise ContentError("interrupted must be true or false")
    return metrics


def _check_object(value: Any, wanted: Mapping[str, type], where: str = "") -> None:
    if not isinstance(value, dict):
        raise ContentError(f"{where}it must be an object in braces")
    if missing := [name for name in wanted if name not in value]:
        raise ContentError(f"{where}it lacks {', '.join(missing)}")
    for name, kind in wanted.items():
        if not _is(value[name], kind):
            raise ContentError(f"{where}{name} must be {KINDS.get(kind, 'true or false')}")


def _check_optional(
    value: dict[str, Any], names: tuple[str, ...], kind: type, where: str = ""
) -> None:
    """ValueError unless each name is there, and its value is null or of this kind."""
    given = {name: value[name] for name in names if value.get(name) is not None}
    if missing := [name for name in names if name not in value]:
        raise ContentError(f"{where}it lacks {', '.join(missing)}")
    _check_object(given, dict.fromkeys(given, kind), where)


def _limits(name: str) -> tuple[float, float]:
    """The least and the most that a number of this name can be."""
    most = 1 + TINY if name in SHARES else sys.float_info.max if name in LOSSES else HUGE
    least = -HUGE if name in ANY_NUMBER else -TINY
    return least, math.inf if name in MAY_BE_INFINITE else most


def _is(value: Any, kind: type) -> bool:
    """Whether a value of JSON is of a kind: true is no number, and 1 is also a ``float``."""
    if kind is float:
        kind = int if isinstance(value, int) else float
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def read_table(path: StrPath) -> pd.DataFrame:
    """Read a table that :func:`write_table` wrote. All our tables are read here.

    The columns of ``TEXT`` come back as the same text. An empty value in another column becomes
    NaN. OSError or ValueError if the file can't be read.
    """
    check_readable(Path(path))
    try:
        empty = {name: [""] for name in pd.read_csv(path, nrows=0) if name not in TEXT}
        table = pd.read_csv(
            path, dtype=dict.fromkeys(TEXT, str), keep_default_na=False, na_values=empty
        )
    except pd.errors.EmptyDataError as error:
        raise ContentError("it is empty") from error
    except pd.errors.ParserError as error:
        raise ContentError(str(error)) from error
    except (EOFError, zlib.error) as error:  # of a gzipped file that is cut off or changed
        raise ContentError(f"it can't be unpacked: {error}") from error
    # Older versions called the label articleType, also if it came from another column.
    return table.rename(columns={"articleType": "label"})


def read_results(path: Path) -> pd.DataFrame:
    """:func:`read_table` for a table in ``NUMBERS``, which must have its columns and values."""
    table = read_table(path)
    _check_table(table, path.name)
    return table


def of_another_run(
    metrics: dict[str, Any],
    history: pd.DataFrame,
    predictions: pd.DataFrame,
    per_class: pd.DataFrame,
) -> str:
    """The table that metrics.json contradicts, and how, such as ``history.csv doesn't belong to
    this run: it has 2 epochs, and metrics.json has 4``; empty if there is none.
    """
    right = int((predictions["top1"] == predictions["label"]).sum())
    for file, metric, own, what in (
        ("history.csv", "epochs", len(history), "epochs"),
        # First the counts: check_predictions compares the predictions with their classes.
        ("per_class.csv", "n_test", int(per_class["test"].sum()), "test photos"),
        ("per_class.csv", "correct", int(per_class["correct"].sum()), "right answers"),
        ("predictions.csv.gz", "n_test", len(predictions), "test photos"),
        ("predictions.csv.gz", "correct", right, "right answers"),
    ):
        if own != metrics[metric]:
            both = f"it has {own:,} {what}, and metrics.json has {metrics[metric]:,}"
            return f"{file} doesn't belong to this run: {both}"
    return ""


def _check_table(table: pd.DataFrame, name: str) -> None:
    """ValueError unless the table has the columns and the values that a file of this name has."""
    numbers, gaps = NUMBERS[name], GAPS[name]
    if any(column in table for column in DOUBTS):  # older versions wrote neither
        numbers = (*numbers, DOUBTS[1])
        if not is_bool_dtype(table.get(DOUBTS[0], pd.Series(dtype=object))):
            raise ContentError(f"the column {DOUBTS[0]} must hold True and False")
    flags = ("best",) if name == "history.csv" else ()
    wanted = (*TEXTS.get(name, ()), *numbers, *gaps, *flags)
    if missing := [column for column in wanted if column not in table]:
        raise ContentError(f"it lacks the columns {', '.join(missing)}")
    if table.empty:
        raise ContentError("it has no rows")
    if "id" in table:
        refuse_repeated(table["id"])
    for column in (*numbers, *gaps):
        is_number = is_numeric_dtype(table[column]) and not is_bool_dtype(table[column])
        if not is_number or (column in numbers and table[column].isna().any()):
            raise ContentError(_no_number(table[column]))
        lowest, most = _limits(column)
        given = table[column].dropna()
        if len(wrong := given[(given < lowest) | (given > most)]):
            raise ContentError(f"line {wrong.index[0] + 2}: {column} can't be {wrong.iloc[0]:g}")
    if flags and not (is_bool_dtype(table["best"]) and table["best"].sum() == 1):
        raise ContentError("the column best must hold False, and True once")


def _no_number(column: pd.Series) -> str:
    """The first value of a column that should hold finite numbers, and its line."""
    unfit = ~np.isfinite(pd.to_numeric(column.astype(str), errors="coerce"))
    # A text says more than a gap. If all could be numbers, they are True and False.
    candidates = (column[unfit & column.notna()], column[unfit], column)
    wrong = next(values for values in candidates if len(values))
    value = in_a_line(wrong.iloc[0])
    return f"line {wrong.index[0] + 2}: {column.name} must be a number, not {value}"


def refuse_repeated(ids: pd.Series) -> None:
    """ValueError if a photo has two rows: it would count twice."""
    if len(again := ids[ids.duplicated()]):
        line, own = again.index[0] + 2, in_a_line(again.iloc[0])
        raise ContentError(f"line {line}: the id {own} has a row already")
