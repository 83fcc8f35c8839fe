"""Runs on record side by side: tables made from ``results/`` alone. No photo and no network is
needed.
"""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from fashion_tl.data.catalogue import FEW_SHOT
from study.records import METRICS, Record, need, read_measured, read_record, some_recorded

BINS = (1, 11, FEW_SHOT + 1, 201, 1001)  # training photos of a class, from


def main(results: os.PathLike, names: Sequence[str]) -> None:
    """Print the runs of these names, or all on record, side by side and photo by photo."""
    names = names or some_recorded(results)
    print(side_by_side([read_record(results, name) for name in names]).to_string())
    paired = on_the_same_photos(results, names)
    if len(paired):
        print(f"\n{paired.to_string(index=False)}")


def side_by_side(records: Sequence[Record]) -> pd.DataFrame:
    """A row per run: right answers, the ceiling, and each figure of merit with its 95 %
    interval."""
    rows = {}
    for record in records:
        need(record, ("correct", "n_test", "ceiling", "interval95", *METRICS))
        about = record.about
        row = {
            "right": f"{about['correct']:,} of {about['n_test']:,}",
            "ceiling": f"{about['ceiling']:.2%}",
        }
        for key, title in METRICS.items():
            row[title] = with_interval(about, key)
        rows[record.name] = row
    return pd.DataFrame.from_dict(rows, orient="index")


def with_interval(about: dict[str, Any], key: str) -> str:
    """``"71.2 % (70.6–71.8)"``, or a dash where there is no such figure."""
    if about[key] is None:
        return "–"
    low, high = about["interval95"][key]
    return f"{100 * about[key]:.1f} % ({100 * low:.1f}–{100 * high:.1f})"


def on_the_same_photos(
    results: str | os.PathLike, names: Sequence[str] | None = None
) -> pd.DataFrame:
    """Runs compared photo by photo, those among ``names`` if these are given: photos that one alone
    got right, and the second's figures minus the first's, in points, with 95 % intervals. Empty
    where nothing is compared yet.
    """
    rows = []
    for each in read_measured(results, "paired") or []:
        if names is None or {each["first"], each["second"]} <= set(names):
            row = {
                "first": each["first"],
                "second": each["second"],
                "photos": f"{each['photos']:,}",
            }
            row |= {f"only {one} right": f"{each[f'only_{one}']:,}" for one in ("first", "second")}
            for key, title in METRICS.items():
                if key != "top5":
                    row[title] = points(each[key]) if key in each else "–"
            rows.append(row)
    return pd.DataFrame(rows)


def points(compared: dict[str, Any]) -> str:
    """``"+1.2 (+0.8 to +1.6)"``."""
    low, high = compared["interval"]
    return f"{100 * compared['difference']:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"


def by_training_photos(records: Sequence[Record]) -> pd.DataFrame:
    """Mean accuracy per class, for classes with so many training photos: a row per bin, a column
    per run.
    """
    rows = []
    for low, high in zip(BINS, (*BINS[1:], np.inf), strict=True):
        words = f"{low:,} or more" if high == np.inf else f"{low:,} to {int(high) - 1:,}"
        row: dict[str, str | float] = {"training photos": words}
        for record in records:
            table = record.per_class[record.per_class["train"].between(low, high, inclusive="left")]
            tested = table[table["test"] > 0]
            row |= {"classes": len(tested), "test photos": int(tested["test"].sum())}
            row[record.name] = tested["accuracy"].mean()
        rows.append(row)
    return pd.DataFrame(rows)


def to_the_ceiling(records: Sequence[Record]) -> pd.DataFrame:
    """Where the test photos went, as shares of all: right, second to fifth guess, further down,
    impossible.
    """
    rows = {}
    for record in records:
        about = record.about
        rows[record.name] = {
            "right": about["top1"],
            "among the five, not first": about["top5"] - about["top1"],
            "not among the five": about["ceiling"] - about["top5"],
            "class unknown in even years": 1 - about["ceiling"],
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def gained_and_lost(first: Record, second: Record) -> pd.DataFrame:
    """Per class that both have: right answers of each, and the second's accuracy minus the first's,
    best first.
    """
    table = first.per_class.merge(
        second.per_class[["label", "correct"]], on="label", suffixes=("_1", "_2")
    )
    table = table[(table["train"] > 0) & (table["test"] > 0)]
    table = table.rename(columns={"correct_1": first.name, "correct_2": second.name}).drop(
        columns="accuracy"
    )
    table["difference"] = (table[second.name] - table[first.name]) / table["test"]
    return table.sort_values("difference", ascending=False, kind="stable", ignore_index=True)
