"""The figures: matplotlib from tables and arrays. Each function returns the figure, which Jupyter
shows.

``source``, one line on the data and the weights, stands at the bottom of each. A table without a
column it needs or without rows, and photos that are not uint8 [n, H, W, 3], raise ValueError.
"""

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter

from fashion_tl.data.catalogue import FEW_SHOT
from fashion_tl.files import as_path, replacing
from fashion_tl.reporting.fonts import family
from fashion_tl.reporting.layout import (
    BLUE,
    GREEN,
    GREY,
    INK,
    LIGHT,
    MARGIN,
    ORANGE,
    PURPLE,
    RED,
    Chart,
    log_ticks,
    new_figure,
    rows_of_marks,
    ruler,
    shorten,
    styled,
    wrap_into,
)

MAX_PHOTOS = 24
TALLEST = 3  # as high as wide, or as wide as high, can a photo be shown: a stored_size may be of any shape
LONGEST = 60  # letters of a name under a photo: three lines or four
TRAIN = {"marker": "o", "color": BLUE, "ms": 5}
TEST = {"marker": "o", "color": ORANGE, "mfc": "none", "mew": 1.5}
NO_TRAIN = {"marker": "x", "color": RED, "mew": 1.8}
NO_TEST = {"marker": "+", "color": PURPLE, "mew": 1.8, "ms": 8}


def need(table: pd.DataFrame, name: str, *columns: str, rows: int = 1) -> None:
    if missing := [column for column in columns if column not in table.columns]:
        raise ValueError(f"{name} lacks the column {', '.join(missing)}")
    if len(table) < rows:
        raise ValueError(f"{name} has no rows")


@styled
def class_distribution(
    counts: pd.DataFrame, source: str, top: int | None = None, sides: tuple[str, str] | None = None
) -> Figure:
    """Photos per class on a log scale; marks where a class has none to train on or none to test.

    ``counts``: label, train, test (photos), one row per class, largest first; ``top`` keeps the
    first so many; ``sides`` says in words which photos train and which test. ValueError also where
    ``top`` is below 1."""
    need(counts, "counts", "label", "train", "test")
    if top is not None and top < 1:
        raise ValueError(f"top is {top}: at least one class must be shown")
    train_side, test_side = (f" ({words})" for words in sides) if sides else ("", "")
    shown = counts.head(top or len(counts))
    train, test = shown["train"].to_numpy(), shown["test"].to_numpy()
    marks = [
        (train > 0, train, f"training photos{train_side}", TRAIN),
        (test > 0, test, f"test photos{test_side}", TEST),
        (train == 0, train, "no training photo: cannot be learned", NO_TRAIN),
        (test == 0, test, "no test photo: cannot be measured", NO_TEST),
    ]
    part = (
        f"all {len(counts)}"
        if len(shown) == len(counts)
        else f"the {len(shown)} largest of {len(counts)}"
    )
    note = (
        f"{train.sum():,} training and {test.sum():,} test photos. Beside each row: training | test"
    )
    names, beside = (
        [*zip(shown["label"])],
        [f"{a:,} | {b:,}" for a, b in zip(train, test, strict=True)],
    )
    title = f"Photos per class, {part} classes"
    figure, panels = rows_of_marks(names, beside, marks, "photos, log scale", title, source, note)
    least, most = min(train.min(), test.min()), max(train.max(), test.max(), 1)
    for ax, rows in panels:
        ax.hlines(rows, train[rows], test[rows], color="#C8C8C8")
        ax.set_xscale("symlog", linthresh=1, linscale=0.4)  # a log scale with a place for 0
        log_ticks(ax, least / 1.5 or -0.5, most * 1.3)
    return figure


@styled
def class_weights_chart(
    classes: Sequence[str], counts: np.ndarray, weights: np.ndarray, formula: str, source: str
) -> Figure:
    """The weight of each class in the loss, most photos first, as its distance from 1 on a log
    scale.

    ``classes``, ``counts`` (training photos) and ``weights`` [n]; weight 0 is a class without
    training photo. ``formula`` (mathtext) stands in the title. ValueError where the lengths differ
    or are 0."""
    if not len(classes) == len(counts) == len(weights) > 0:
        raise ValueError(f"{len(classes)} classes, {len(counts)} counts and {len(weights)} weights")
    order = np.argsort(-np.asarray(counts), kind="stable")
    photos, weight = np.asarray(counts)[order], np.asarray(weights, dtype=float)[order]
    used = weight > 0
    left, right = min(weight[used], default=1) / 1.8, max(weight[used], default=1) * 1.3
    nowhere = np.full(len(weight), left * 1.2)
    marks = [
        (used, weight, "weight", TRAIN),
        (~used, nowhere, "weight 0: no training photo", NO_TRAIN),
    ]
    names = [(classes[place],) for place in order]
    beside = [f"{count:,} | {number:.2f}" for count, number in zip(photos, weight, strict=True)]
    head = (f"Class weights: {formula}", source, "Beside each row: training photos | weight")
    figure, panels = rows_of_marks(names, beside, marks, "weight, log scale", *head)
    for ax, rows in panels:
        ax.hlines(rows, 1, np.where(used, weight, 1)[rows], color=BLUE, alpha=0.4, linewidth=2.5)
        ax.axvline(1, color=GREY, linewidth=1)
        ax.set_xscale("log")
        log_ticks(ax, left, max(right, 1.3))
    return figure


def _photos(photos: np.ndarray, captions: list, frames: Sequence[str], *head: str):
    """Photos in a grid, framed in colours, each over its caption: lines of (text, colour),
    wrapped."""
    if photos.ndim != 4 or photos.shape[-1] != 3 or photos.dtype != np.uint8:
        raise ValueError(
            f"photos must be uint8 [n, H, W, 3], not {photos.dtype} {list(photos.shape)}"
        )
    if not 1 <= len(photos) == len(captions) <= MAX_PHOTOS:
        raise ValueError(
            f"{len(photos)} photos and words for {len(captions)}: as many of both, 1 to {MAX_PHOTOS}"
        )
    rows = 1 if len(photos) <= 6 else 2 if len(photos) <= 12 else 3
    columns = -(-len(photos) // rows)
    wide, gap, line = 1.2, 0.22, 0.145
    high = wide * min(
        max(photos.shape[1] / photos.shape[2], 1 / TALLEST), TALLEST
    )  # beyond that, it is stretched
    look = {
        "size": 8,
        "family": family("".join(text for caption in captions for text, _ in caption)),
    }
    fitted = partial(wrap_into, wide + 0.9 * gap, letters=20, width=ruler(**look))
    captions = [[(fitted(text), color) for text, color in caption] for caption in captions]
    pitch = (
        high
        + gap
        + line * max(sum(1 + text.count("\n") for text, _ in caption) for caption in captions)
    )
    width = max(6.5, columns * (wide + gap) - gap + 2 * MARGIN)
    figure, add = new_figure(width, rows * pitch - gap / 2, *head)
    for place, (photo, caption, frame) in enumerate(zip(photos, captions, frames, strict=True)):
        row, column = divmod(place, columns)
        ax = add(MARGIN + column * (wide + gap), (rows - row) * pitch - gap / 2 - high, wide, high)
        ax.imshow(photo, interpolation="bicubic", aspect="auto")
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set(visible=True, color=frame, linewidth=1 if frame == LIGHT else 2.5)
        down = 0.07
        for text, color in caption:
            place = {"transform": ax.transAxes, "ha": "center", "va": "top"}
            ax.text(0.5, -down / high, text, color=color, parse_math=False, **look, **place)
            down += line * (1 + text.count("\n"))
    return figure


@styled
def photo_grid(photos: np.ndarray, labels: Sequence[str], title: str, source: str) -> Figure:
    """Up to 24 photos, each over its label. ValueError also where the lengths differ."""
    short = shorten([*map(str, labels)], len, LONGEST)
    return _photos(
        photos,
        [[(short[str(label)], INK)] for label in labels],
        [LIGHT] * len(labels),
        title,
        source,
    )


def _predicted(predictions: pd.DataFrame) -> list[list[tuple[str, str]]]:
    """Per photo two lines: the predicted class with mark, probability and colour, and the true
    class.
    """
    rows = [*predictions[["label", "top1", "p1"]].itertuples(index=False)]
    short = shorten([name for true, top, _ in rows for name in (true, top)], len, LONGEST)
    looks = {True: ("✓", GREEN), False: ("✗", RED)}
    verdicts = [(short[true], f"{short[top]} {p:.0%}", looks[top == true]) for true, top, p in rows]
    return [
        [(f"{mark} {guess}", color), (f"is {true}", INK)] for true, guess, (mark, color) in verdicts
    ]


@styled
def sample_predictions(
    photos: np.ndarray, predictions: pd.DataFrame, title: str, source: str
) -> Figure:
    """Up to 24 photos with the predicted class: ✓ and green, or ✗, red and the true class.

    ``predictions``: label (true), top1, p1. ValueError also where the lengths differ."""
    need(predictions, "predictions", "label", "top1", "p1")
    captions = [lines[:1] if lines[0][1] == GREEN else lines for lines in _predicted(predictions)]
    colors = [lines[0][1] for lines in captions]
    note = f"{colors.count(GREEN)} of {len(colors)} right. Under each photo: predicted class and its probability"
    return _photos(photos, captions, colors, title, source, note)


@styled
def largest_losses(
    photos: np.ndarray, predictions: pd.DataFrame, title: str, source: str
) -> Figure:
    """``sample_predictions`` with the loss (one more column) and the true class under each photo.

    Without rows a figure that says so."""
    need(predictions, "predictions", "label", "top1", "p1", "loss", rows=0)
    if predictions.empty:  # none has a loss
        return new_figure(
            7.5, 0.1, title, source, "No test photo is of a class that can be learned"
        )[0]
    lines = _predicted(predictions)
    captions = [
        [(f"loss {loss:.2f}", GREY), *two]
        for loss, two in zip(predictions["loss"], lines, strict=True)
    ]
    note = "Under each photo: loss, predicted class and its probability, true class"
    return _photos(photos, captions, [two[0][1] for two in lines], title, source, note)


@styled
def loss_curves(history: pd.DataFrame, title: str, source: str) -> Figure:
    """Loss and accuracy per epoch, training and validation, and the epoch whose weights were kept.

    ``history``: epoch (from 1), train_loss, val_loss, train_accuracy, val_accuracy (fractions),
    val_cross_entropy (unweighted, drawn where it is not val_loss) and best; val columns may be NaN.
    ValueError also where not one row is best."""
    lines = {
        "train_loss": {"label": "training", "color": BLUE, "marker": "o", "ms": 4},
        "val_loss": {"label": "validation", "color": ORANGE, "marker": "s", "ms": 4},
        "val_cross_entropy": {
            "label": "validation, unweighted",
            "color": PURPLE,
            "ls": "--",
            "marker": ".",
        },
    }
    need(history, "history", "epoch", *lines, "train_accuracy", "val_accuracy", "best")
    if (kept := history["best"].astype(bool)).sum() != 1:
        raise ValueError(f"history must have one best epoch, not {kept.sum()}")
    best, epochs = history[kept].iloc[0], history["epoch"]
    if np.allclose(history["val_cross_entropy"], history["val_loss"], equal_nan=True):
        del lines["val_cross_entropy"]
    lines = {column: look for column, look in lines.items() if history[column].notna().any()}
    star = {"color": GREEN, "marker": "*", "ms": 14, "mec": "white", "zorder": 4, "clip_on": False}
    legend = [
        Line2D([], [], **look)
        for look in [*lines.values(), {**star, "ls": ":", "label": "weights kept"}]
    ]
    judge = [*lines][-1]  # what the best epoch was chosen by
    accuracy = "val_accuracy" if "val_loss" in lines else "train_accuracy"
    note = f"Kept: epoch {best['epoch']:.0f} of {epochs.max():.0f}. "
    note += f"Its loss ({lines[judge]['label']}): {best[judge]:.3f}, "
    note += f"its accuracy ({'validation' if accuracy == 'val_accuracy' else 'training'}): {best[accuracy]:.1%}"
    figure, add = new_figure(9.5, 3.1, title, source, note, legend)
    for x, kind, mark in ((0.55, "loss", judge), (5.4, "accuracy", accuracy)):
        ax, unit = add(x, 0.4, 3.9, 2.45), 100 if kind == "accuracy" else 1
        ax.axvline(best["epoch"], color=GREEN, ls=":")
        for column, look in lines.items():
            if kind == "loss" or column.endswith("_loss"):
                ax.plot(epochs, unit * history[column.replace("loss", kind)], clip_on=False, **look)
        ax.plot(best["epoch"], unit * best[mark], **star)
        ax.set_title(kind.capitalize(), loc="left")
        ax.set(xlabel="epoch", xlim=(epochs.min() - 0.5, epochs.max() + 0.5))
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.yaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.yaxis.set_major_formatter(PercentFormatter(decimals=0))
    ax.set_ylim(top=min(100, ax.get_ylim()[1]))
    return figure


@styled
def per_class_accuracy(per_class: pd.DataFrame, title: str, source: str) -> Figure:
    """Accuracy per class, highest first; the classes that could not be learned or measured come
    last.

    ``per_class``: label, train, test, correct (photos), accuracy (fraction, NaN where test is
    0)."""
    need(per_class, "per_class", "label", "train", "test", "correct", "accuracy")
    table = per_class.assign(untested=per_class["test"] == 0, untaught=per_class["train"] == 0)
    order = {"untested": True, "untaught": True, "accuracy": False, "test": False}
    table = table.sort_values(
        [*order], ascending=[*order.values()], kind="stable", ignore_index=True
    )
    train, test, accuracy = table["train"], table["test"], table["accuracy"]
    known, few, nowhere = (train > 0) & (test > 0), train <= FEW_SHOT, np.full(len(table), 0.03)
    hatched = {"facecolor": "#F6D58E", "edgecolor": "#B87A00", "hatch": "/////", "linewidth": 0.6}
    kinds = [
        (known & ~few, accuracy, f"more than {FEW_SHOT} training photos", {"color": BLUE}),
        (known & few, accuracy, f"1 to {FEW_SHOT} training photos (few-shot)", hatched),
        (train == 0, nowhere, "no training photo: cannot be learned", NO_TRAIN),
        (test == 0, nowhere * (1 + 2 * (train == 0)), "no test photo: cannot be measured", NO_TEST),
    ]
    marks = [
        (where, values, f"{label} ({where.sum()})", look) for where, values, label, look in kinds
    ]
    mean = f"{accuracy[known].mean():.1%}" if known.any() else "–"
    mean = f"Mean of the {known.sum()} classes with training and test photos: {mean}. "
    beside = [
        f"{right:,.0f}/{photos:,}" for right, photos in zip(table["correct"], test, strict=True)
    ]
    head = (title, source, mean + "Beside each row: right/test photos")
    figure, panels = rows_of_marks([*zip(table["label"])], beside, marks, "accuracy", *head)
    for ax, _ in panels:
        ax.xaxis.set_major_formatter(PercentFormatter(1))
        ax.set_xlim(0, 1)
    return figure


@styled
def confused_pairs(pairs: pd.DataFrame, title: str, source: str) -> Figure:
    """How many photos of one class were taken for another, most first; without rows a figure that
    says so.

    ``pairs``: true, predicted, count and share (the fraction of the true class), some 10 to 15
    rows."""
    need(pairs, "pairs", "true", "predicted", "count", "share", rows=0)
    if pairs.empty:  # a network without a mistake
        return new_figure(7.5, 0.1, title, source, "No photo was taken for one of another class")[0]
    table = pairs.sort_values("count", ascending=False, kind="stable", ignore_index=True)
    names = [*zip(table["true"], table["predicted"], strict=True)]
    beside = [
        f"{count:,} ({share:.0%})"
        for count, share in zip(table["count"], table["share"], strict=True)
    ]
    marks = [(table["count"] > 0, table["count"], "photos", {"color": BLUE})]
    head = (
        title,
        source,
        "True class → predicted class. Beside each row: photos (share of the true class)",
    )
    figure, panels = rows_of_marks(names, beside, marks, "photos", *head, legend=False)
    for ax, _ in panels:
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.set_xlim(0, 1.02 * table["count"].max())
    return figure


@styled
def save(figure: Chart, path: str | os.PathLike) -> Path:
    """Write a PNG, whole or not at all, with the same bytes for the same figure; folders are
    made."""
    path = as_path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    content = figure._repr_png_()
    with replacing(path) as temporary:
        temporary.write_bytes(content)
    return path
