"""The charts, drawn with matplotlib from tables. Each function returns the figure.

``source``, one line on the data and the weights, stands at the bottom. ValueError for a table that
lacks a column or rows.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter

from fashion_tl.data.catalogue import FEW_SHOT
from fashion_tl.files import StrPath, as_path, replacing
from fashion_tl.reporting.layout import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    RED,
    Chart,
    Look,
    Marks,
    log_ticks,
    need,
    new_figure,
    rows_of_marks,
    styled,
)

TRAIN: Look = {"marker": "o", "color": BLUE, "ms": 5}
TEST: Look = {"marker": "o", "color": ORANGE, "mfc": "none", "mew": 1.5}
NO_TRAIN: Look = {"marker": "x", "color": RED, "mew": 1.8}
NO_TEST: Look = {"marker": "+", "color": PURPLE, "mew": 1.8, "ms": 8}
HATCHED: Look = {"facecolor": "#F6D58E", "edgecolor": "#B87A00", "hatch": "/////", "linewidth": 0.6}


@styled
def class_distribution(
    counts: pd.DataFrame, source: str, top: int | None = None, sides: tuple[str, str] | None = None
) -> Chart:
    """Photos per class on a log scale, with marks for classes without training or test photos.

    ``counts``: label, train, test (photos), one row per class, largest first. ``top`` keeps only
    the first classes. ``sides`` are words for the photos that train and for those that test.
    ValueError also if ``top`` is below 1.
    """
    need(counts, "counts", "label", "train", "test")
    if top is not None and top < 1:
        raise ValueError(f"top is {top}: at least one class must be shown")
    train_side, test_side = (f" ({words})" for words in sides) if sides else ("", "")
    shown = counts.head(top or len(counts))
    train = shown["train"].to_numpy()
    test = shown["test"].to_numpy()
    marks = [
        Marks(train > 0, train, f"training photos{train_side}", TRAIN),
        Marks(test > 0, test, f"test photos{test_side}", TEST),
        Marks(train == 0, train, "no training photo: cannot be learned", NO_TRAIN),
        Marks(test == 0, test, "no test photo: cannot be measured", NO_TEST),
    ]
    every = len(shown) == len(counts)
    part = f"all {len(counts)}" if every else f"the {len(shown)} largest of {len(counts)}"
    figure, panels = rows_of_marks(
        [(label,) for label in shown["label"]],
        [f"{n:,} | {m:,}" for n, m in zip(train, test, strict=True)],
        marks,
        "photos, log scale",
        f"Photos per class, {part} classes",
        source,
        f"{train.sum():,} training and {test.sum():,} test photos. "
        "Beside each row: training | test",
    )
    least = min(train.min(), test.min())
    most = max(train.max(), test.max(), 1)
    for ax, rows in panels:
        ax.hlines(rows, train[rows], test[rows], color="#C8C8C8")
        ax.set_xscale("symlog", linthresh=1, linscale=0.4)  # a log scale that has a 0
        log_ticks(ax, least / 1.5 or -0.5, most * 1.3)
    return figure


@styled
def class_weights_chart(
    classes: Sequence[str], counts: np.ndarray, weights: np.ndarray, formula: str, source: str
) -> Chart:
    """The weight of each class, most photos first, as its distance from 1 on a log scale.

    ``classes``, ``counts`` (training photos) and ``weights`` [n]; a class without training photos
    has weight 0. ``formula`` (mathtext) stands in the title. ValueError if the lengths differ or
    are 0.
    """
    if not len(classes) == len(counts) == len(weights) > 0:
        raise ValueError(f"{len(classes)} classes, {len(counts)} counts and {len(weights)} weights")
    order = np.argsort(-np.asarray(counts), kind="stable")
    photos = np.asarray(counts)[order]
    weight = np.asarray(weights, dtype=float)[order]
    used = weight > 0
    left = min(weight[used], default=1) / 1.8
    right = max(weight[used], default=1) * 1.3
    at_the_edge = np.full(len(weight), left * 1.2)
    marks = [
        Marks(used, weight, "weight", TRAIN),
        Marks(~used, at_the_edge, "weight 0: no training photo", NO_TRAIN),
    ]
    figure, panels = rows_of_marks(
        [(classes[place],) for place in order],
        [f"{count:,} | {number:.2f}" for count, number in zip(photos, weight, strict=True)],
        marks,
        "weight, log scale",
        f"Class weights: {formula}",
        source,
        "Beside each row: training photos | weight",
    )
    for ax, rows in panels:
        ax.hlines(rows, 1, np.where(used, weight, 1)[rows], color=BLUE, alpha=0.4, linewidth=2.5)
        ax.axvline(1, color=GREY, linewidth=1)
        ax.set_xscale("log")
        log_ticks(ax, left, max(right, 1.3))
    return figure


# The lines of the losses, by the history's columns.
LINES: dict[str, Look] = {
    "train_loss": {"label": "training", "color": BLUE, "marker": "o", "ms": 4},
    "val_loss": {"label": "validation", "color": ORANGE, "marker": "s", "ms": 4},
    "val_cross_entropy": {
        "label": "validation, unweighted",
        "color": PURPLE,
        "ls": "--",
        "marker": ".",
    },
}


@styled
def loss_curves(history: pd.DataFrame, title: str, source: str) -> Chart:
    """Loss and accuracy per epoch, training and validation, and the epoch whose weights were kept.

    ``history``: epoch (from 1), train_loss, val_loss, train_accuracy, val_accuracy (fractions),
    val_cross_entropy (unweighted; drawn if it differs from val_loss) and best. The val columns may
    be NaN. ValueError also unless exactly one row is best.
    """
    need(history, "history", "epoch", *LINES, "train_accuracy", "val_accuracy", "best")
    if (kept := history["best"].astype(bool)).sum() != 1:
        raise ValueError(f"history must have one best epoch, not {kept.sum()}")
    best = history[kept].iloc[0]
    epochs = history["epoch"]
    lines = {column: look for column, look in LINES.items() if history[column].notna().any()}
    if np.allclose(history["val_cross_entropy"], history["val_loss"], equal_nan=True):
        lines.pop("val_cross_entropy", None)
    star: Look = {"color": GREEN, "marker": "*", "ms": 14, "mec": "white", "zorder": 4}
    star["clip_on"] = False
    looks = [*lines.values(), {**star, "ls": ":", "label": "weights kept"}]
    legend = [Line2D([], [], **look) for look in looks]
    judge = [*lines][-1]  # the loss by which the best epoch was chosen
    accuracy = "val_accuracy" if "val_loss" in lines else "train_accuracy"
    part = "validation" if accuracy == "val_accuracy" else "training"
    note = (
        f"Kept: epoch {best['epoch']:.0f} of {epochs.max():.0f}. "
        f"Its loss ({lines[judge]['label']}): {best[judge]:.3f}, "
        f"its accuracy ({part}): {best[accuracy]:.1%}"
    )
    figure, add = new_figure(9.5, 3.1, title, source, note, legend)
    for x, kind, mark in ((0.55, "loss", judge), (5.4, "accuracy", accuracy)):
        ax = add(x, 0.4, 3.9, 2.45)
        unit = 100 if kind == "accuracy" else 1
        ax.axvline(best["epoch"], color=GREEN, ls=":")
        for column, look in lines.items():
            if kind == "loss" or column.endswith("_loss"):
                values = unit * history[column.replace("loss", kind)]
                ax.plot(epochs, values, clip_on=False, **look)
        ax.plot(best["epoch"], unit * best[mark], **star)
        ax.set_title(kind.capitalize(), loc="left")
        ax.set(xlabel="epoch", xlim=(epochs.min() - 0.5, epochs.max() + 0.5))
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.yaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.yaxis.set_major_formatter(PercentFormatter(decimals=0))
    ax.set_ylim(top=min(100, ax.get_ylim()[1]))
    return figure


@styled
def per_class_accuracy(per_class: pd.DataFrame, title: str, source: str) -> Chart:
    """Accuracy per class, highest first; classes that can't be learned or measured come last.

    ``per_class``: label, train, test, correct (photos), accuracy (fraction, NaN if test is 0).
    """
    need(per_class, "per_class", "label", "train", "test", "correct", "accuracy")
    table = per_class.assign(untested=per_class["test"] == 0, untaught=per_class["train"] == 0)
    order = {"untested": True, "untaught": True, "accuracy": False, "test": False}
    table = table.sort_values(
        [*order], ascending=[*order.values()], kind="stable", ignore_index=True
    )
    train = table["train"]
    test = table["test"]
    accuracy = table["accuracy"]
    known = (train > 0) & (test > 0)
    few = train <= FEW_SHOT
    at_the_edge = np.full(len(table), 0.03)
    beside_it = at_the_edge * (1 + 2 * (train == 0))  # if both marks are needed
    kinds = [
        (known & ~few, accuracy, f"more than {FEW_SHOT} training photos", {"color": BLUE}),
        (known & few, accuracy, f"1 to {FEW_SHOT} training photos (few-shot)", HATCHED),
        (train == 0, at_the_edge, "no training photo: cannot be learned", NO_TRAIN),
        (test == 0, beside_it, "no test photo: cannot be measured", NO_TEST),
    ]
    mean = f"{accuracy[known].mean():.1%}" if known.any() else "–"
    figure, panels = rows_of_marks(
        [(label,) for label in table["label"]],
        [f"{right:,.0f}/{n:,}" for right, n in zip(table["correct"], test, strict=True)],
        [Marks(at, values, f"{label} ({at.sum()})", look) for at, values, label, look in kinds],
        "accuracy",
        title,
        source,
        f"Mean of the {known.sum()} classes with training and test photos: {mean}. "
        "Beside each row: right/test photos",
    )
    for ax, _ in panels:
        ax.xaxis.set_major_formatter(PercentFormatter(1))
        ax.set_xlim(0, 1)
    return figure


@styled
def confused_pairs(pairs: pd.DataFrame, title: str, source: str) -> Chart:
    """The number of photos of one class that were predicted as another, most first.

    ``pairs``: true, predicted, count and share (the fraction of the true class), about 10 to 15
    rows. Without rows the figure says so.
    """
    need(pairs, "pairs", "true", "predicted", "count", "share", rows=0)
    if pairs.empty:  # the network made no mistake
        return new_figure(7.5, 0.1, title, source, "No photo was taken for one of another class")[0]
    table = pairs.sort_values("count", ascending=False, kind="stable", ignore_index=True)
    count = table["count"]
    figure, panels = rows_of_marks(
        [*zip(table["true"], table["predicted"], strict=True)],
        [f"{n:,} ({share:.0%})" for n, share in zip(count, table["share"], strict=True)],
        [Marks(count > 0, count, "photos", {"color": BLUE})],
        "photos",
        title,
        source,
        "True class → predicted class. Beside each row: photos (share of the true class)",
        legend=False,
    )
    for ax, _ in panels:
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.set_xlim(0, 1.02 * count.max())
    return figure


@styled
def save(figure: Chart, path: StrPath) -> Path:
    """Write a figure as PNG, whole or not at all; missing folders are made.

    The same figure gives the same bytes.
    """
    target = as_path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    content = figure._repr_png_()
    with replacing(target) as temporary:
        temporary.write_bytes(content)
    return target
