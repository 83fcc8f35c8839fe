"""Recorded results side by side: read from ``results/``, tabled and drawn. No photo and no network is needed."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from uncertainty import margin95

from fashion_tl.data.catalogue import FEW_SHOT
from fashion_tl.errors import RunError
from fashion_tl.files import as_path
from fashion_tl.reporting.layout import BLUE, GREY, INK, ORANGE, RED, log_ticks, new_figure, styled
from fashion_tl.runs import read_table

FIGURES = {"top1": "top-1", "top5": "top-5", "macro": "macro", "few_shot": "few-shot"}
PUBLISHED = ("fc_only", "direct", "top20", "two_step", "two_step_flips")
BINS = (1, 11, FEW_SHOT + 1, 201, 1001)  # training photos of a class, from


@dataclass(frozen=True)
class Result:
    """One recorded training: its metrics, and tables per epoch, per class and per pair of confused classes."""

    name: str
    record: dict[str, Any]
    history: pd.DataFrame
    per_class: pd.DataFrame
    confusions: pd.DataFrame

    @property
    def data(self) -> str:
        """The data and weights behind it, in one line."""
        return f"Data: {self.record['data']} · ResNet-50 from {self.record['weights']}"

    @property
    def source(self) -> str:
        """:attr:`data`, and how it was trained."""
        size = "×".join(map(str, self.record["image_size"]))
        return f"{self.data} · {self.record['recipe']} recipe, {size}, {self.record['epochs']} epochs"


def recorded(folder: str | os.PathLike) -> list[str]:
    """The names of the runs on record."""
    files = as_path(folder).glob("*_predictions.csv.gz")
    return sorted(file.name.removesuffix("_predictions.csv.gz") for file in files)


def read_result(folder: str | os.PathLike, name: str) -> Result:
    """One result from the files ``NAME.json``, ``NAME_history.csv`` and so on; RunError where one can't be read."""
    folder = as_path(folder)
    try:
        record = json.loads((folder / f"{name}.json").read_text())
        tables = (read_table(folder / f"{name}_{table}.csv") for table in ("history", "per_class", "confusions"))
        history, per_class, confusions = tables
    except (OSError, ValueError) as error:
        raise RunError(f"{folder}: there is no whole result {name!r} ({error})") from error
    return Result(name, record, history, with_accuracy(per_class), confusions)


def with_accuracy(per_class: pd.DataFrame) -> pd.DataFrame:
    return per_class.assign(accuracy=per_class["correct"] / per_class["test"].where(per_class["test"] > 0))


def read_published(folder: str | os.PathLike) -> dict[str, list[dict[str, Any]]]:
    """The published figures of merit, fractions, by our names: for two steps without flips and with them.

    Top-1 is the best that the study states, the rest is what its notebooks print. ``margin95`` holds what chance in
    the test photos does to each, as far as the counts are known.
    """
    study = json.loads((as_path(folder) / "published.json").read_text())
    per_class = read_table(as_path(folder) / "published_per_class.csv")  # of the classes that can be learned
    few, figures = per_class["train"] <= FEW_SHOT, {}
    for name in PUBLISHED:
        stated, counted = study[name]["readme"], study[name]["notebook"]
        known = {"top1": (stated["correct"], stated["total"])}
        if "top5_correct" in counted:
            known["top5"] = counted["top5_correct"], stated["total"]
        if name in per_class:
            right, photos = per_class[name], per_class["test"]
            known |= {"macro": (right, photos), "few_shot": (right[few], photos[few])}
        own = {figure: float(np.mean(right / photos)) for figure, (right, photos) in known.items()}
        own |= {"macro": counted["macro"]} if name not in per_class else {}
        own["margin95"] = {figure: margin95(*counts) for figure, counts in known.items()}
        figures.setdefault(name.removesuffix("_flips"), []).append(own)
    return figures


def side_by_side(results: Sequence[Result]) -> pd.DataFrame:
    """A row per result: right answers, the ceiling, and each figure of merit with its 95 % interval."""
    rows = {}
    for result in results:
        record = result.record
        row = {"right": f"{record['correct']:,} of {record['n_test']:,}", "ceiling": f"{record['ceiling']:.2%}"}
        for key, title in FIGURES.items():
            row[title] = with_interval(record, key)
        rows[result.name] = row
    return pd.DataFrame.from_dict(rows, orient="index")


def with_interval(record: dict[str, Any], key: str) -> str:
    """``"71.2 % (70.6–71.8)"``, or a dash where there is no such figure."""
    if record[key] is None:
        return "–"
    low, high = record["interval95"][key]
    return f"{100 * record[key]:.1f} % ({100 * low:.1f}–{100 * high:.1f})"


def on_the_same_photos(folder: str | os.PathLike, names: Sequence[str] | None = None) -> pd.DataFrame:
    """Runs compared photo by photo, those among ``names`` if these are given: photos that one alone got right, and the
    second's figures minus the first's, in points, with 95 % intervals."""
    rows = []
    for each in json.loads((as_path(folder) / "paired.json").read_text()):
        if names is None or {each["first"], each["second"]} <= set(names):
            row = {"first": each["first"], "second": each["second"], "photos": f"{each['photos']:,}"}
            row |= {f"only {one} right": f"{each[f'only_{one}']:,}" for one in ("first", "second")}
            for key, title in FIGURES.items():
                if key != "top5":
                    row[title] = points(each[key]) if key in each else "–"
            rows.append(row)
    return pd.DataFrame(rows)


def points(compared: dict[str, Any]) -> str:
    """``"+1.2 (+0.8 to +1.6)"``."""
    low, high = compared["interval"]
    return f"{100 * compared['difference']:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"


def by_training_photos(results: Sequence[Result]) -> pd.DataFrame:
    """Mean accuracy per class, for classes with so many training photos: a row per bin, a column per result."""
    rows = []
    for low, high in zip(BINS, (*BINS[1:], np.inf), strict=True):
        words = f"{low:,} or more" if high == np.inf else f"{low:,} to {int(high) - 1:,}"
        row = {"training photos": words}
        for result in results:
            table = result.per_class[result.per_class["train"].between(low, high, inclusive="left")]
            tested = table[table["test"] > 0]
            row |= {"classes": len(tested), "test photos": int(tested["test"].sum())}
            row[result.name] = tested["accuracy"].mean()
        rows.append(row)
    return pd.DataFrame(rows)


def to_the_ceiling(results: Sequence[Result]) -> pd.DataFrame:
    """Where the test photos went, as shares of all: right, second to fifth guess, further down, impossible."""
    rows = {}
    for result in results:
        record = result.record
        rows[result.name] = {
            "right": record["top1"],
            "among the five, not first": record["top5"] - record["top1"],
            "not among the five": record["ceiling"] - record["top5"],
            "class unknown in even years": 1 - record["ceiling"],
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def gained_and_lost(first: Result, second: Result) -> pd.DataFrame:
    """Per class that both have: right answers of each, and the second's accuracy minus the first's, best first."""
    table = first.per_class.merge(second.per_class[["articleType", "correct"]], on="articleType", suffixes=("_1", "_2"))
    table = table[(table["train"] > 0) & (table["test"] > 0)]
    table = table.rename(columns={"correct_1": first.name, "correct_2": second.name}).drop(columns="accuracy")
    table["difference"] = (table[second.name] - table[first.name]) / table["test"]
    return table.sort_values("difference", ascending=False, kind="stable", ignore_index=True)


@styled
def merit_chart(results: Sequence[Result], published: dict[str, list[dict[str, Any]]], source: str) -> Figure:
    """Each figure of merit of each result with its 95 % interval, the published ones, and the ceiling.

    ``published`` is as from :func:`read_published`: by result's name, one dict of figures for each ring to draw.
    """
    note = "Dot and line: ours with its 95 % interval over test photos. Rings: published (without flips; for two_step "
    note += "with them, too). Red line: ceiling"
    height = 0.3 * len(results) + 0.5
    figure, add = new_figure(10, height, "The approaches side by side", source, note)
    for place, (key, title) in enumerate(FIGURES.items()):
        ax = add(1.55 + 2.1 * place, 0.4, 1.85, height - 0.6)
        for row, result in enumerate(results):
            if result.record[key] is not None:
                ax.plot(result.record["interval95"][key], [row, row], color=BLUE, lw=2)
                ax.plot(result.record[key], row, "o", color=BLUE, ms=5)
            rings = [each[key] for each in published.get(result.name, []) if key in each]
            ax.plot(rings, [row] * len(rings), "o", color=ORANGE, mfc="none", mew=1.6, ms=7)
            if key.startswith("top"):
                ax.plot([result.record["ceiling"]] * 2, [row - 0.4, row + 0.4], color=RED, lw=1.5)
        ax.set(ylim=(len(results) - 0.5, -0.5), yticks=range(len(results)))
        ax.set_yticklabels([result.name for result in results] if place == 0 else [])
        ax.set_title(title, loc="left", size=9, color=INK)
        ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        ax.tick_params(length=0)
    return figure


@styled
def photos_chart(results: Sequence[Result], source: str) -> Figure:
    """Accuracy of every class against its number of training photos, and the means by bins, a panel per result."""
    note = "A dot per class with training and test photos, larger with more test photos. Lines: means over classes"
    figure, add = new_figure(10, 3.1, "Accuracy against training photos", source, note)
    wide = 9.2 / len(results)
    for place, result in enumerate(results):
        table = result.per_class[(result.per_class["train"] > 0) & (result.per_class["test"] > 0)]
        ax = add(0.6 + place * wide, 0.45, wide - 0.25, 2.3)
        ax.scatter(table["train"], table["accuracy"], 6 + table["test"] ** 0.6, color=BLUE, alpha=0.35, lw=0)
        for low, high in zip(BINS, (*BINS[1:], 3000), strict=True):
            mean = table.loc[table["train"].between(low, high, inclusive="left"), "accuracy"].mean()
            ax.plot([low, high], [mean, mean], color=ORANGE, lw=2)
        ax.set_xscale("log")
        log_ticks(ax, 0.8, 4000)
        ax.set(ylim=(-0.03, 1.05), xlabel="training photos, log scale")
        ax.set_title(result.name, loc="left", size=9, color=INK)
        ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        ax.tick_params(length=0, labelleft=place == 0, labelcolor=GREY)
    return figure
