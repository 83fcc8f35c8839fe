"""The figures that show photos, up to ``MAX_PHOTOS`` of them. Each function returns the figure.

``source``, one line on the data and the weights, stands at the bottom. ValueError for photos that
are not uint8 [n, H, W, 3], and for a table that lacks a column or rows.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from fashion_tl.reporting.fonts import family
from fashion_tl.reporting.layout import (
    GREEN,
    GREY,
    INK,
    LIGHT,
    MARGIN,
    RED,
    Chart,
    need,
    new_figure,
    styled,
)
from fashion_tl.reporting.text import from_left, ruler, shorten, wrap_into

MAX_PHOTOS = 24
STEEPEST = 3  # a photo's largest ratio of height to width, or of width to height, in a figure
LONGEST = 60  # letters of a name under a photo, which take three or four lines
WIDE, GAP, LINE = 1.2, 0.22, 0.145  # inches: a photo's width, the space around it, a line of text

# A line of text under a photo, and its colour.
Line = tuple[str, str]


@styled
def photo_grid(photos: np.ndarray, labels: Sequence[str], title: str, source: str) -> Chart:
    """Photos with their labels. ValueError also if the lengths differ."""
    short = shorten([*map(str, labels)], len, LONGEST)
    captions = [[(short[str(label)], INK)] for label in labels]
    return _grid(photos, captions, [LIGHT] * len(labels), title, source)


@styled
def neighbours(
    photos: np.ndarray, captions: Sequence[tuple[str, str]], title: str, source: str
) -> Chart:
    """A photo and those nearest to it. The first one is framed.

    ``captions`` are a name and a distance for each photo. ValueError also if the lengths differ.
    """
    short = shorten([name for name, _ in captions], len, LONGEST)
    lines = [[(short[name], INK), (distance, GREY)] for name, distance in captions]
    note = "Under each training photo: its class, and its cosine distance from the first photo"
    frames = [INK] + [LIGHT] * (len(captions) - 1)
    return _grid(photos, lines, frames, title, source, note)


@styled
def sample_predictions(
    photos: np.ndarray, predictions: pd.DataFrame, title: str, source: str
) -> Chart:
    """Photos with the predicted class: ✓ and green, or ✗, red and the true class.

    ``predictions``: label (true), top1, p1. ValueError also if the lengths differ.
    """
    need(predictions, "predictions", "label", "top1", "p1")
    captions = [lines[:1] if lines[0][1] == GREEN else lines for lines in _verdicts(predictions)]
    colours = [lines[0][1] for lines in captions]
    note = (
        f"{colours.count(GREEN)} of {len(colours)} right. "
        "Under each photo: predicted class and its probability"
    )
    return _grid(photos, captions, colours, title, source, note)


@styled
def largest_losses(photos: np.ndarray, predictions: pd.DataFrame, title: str, source: str) -> Chart:
    """``sample_predictions`` with the loss (one more column) and the true class under each photo.

    Without rows the figure says so.
    """
    need(predictions, "predictions", "label", "top1", "p1", "loss", rows=0)
    if predictions.empty:  # no test photo has a loss
        note = "No test photo is of a class that can be learned"
        return new_figure(7.5, 0.1, title, source, note)[0]
    verdicts = _verdicts(predictions)
    captions = [
        [(f"loss {max(0.0, loss):.2f}", GREY), *lines]
        for loss, lines in zip(predictions["loss"], verdicts, strict=True)
    ]
    note = "Under each photo: loss, predicted class and its probability, true class"
    frames = [lines[0][1] for lines in verdicts]
    if RED not in frames:
        note = f"All are right. {note}"
    return _grid(photos, captions, frames, title, source, note)


def _verdicts(predictions: pd.DataFrame) -> list[list[Line]]:
    """Two lines for each photo: the predicted class with its probability, and the true class."""
    rows = [*predictions[["label", "top1", "p1"]].itertuples(index=False)]
    short = shorten([name for true, guess, _ in rows for name in (true, guess)], len, LONGEST)
    verdicts = []
    for true, guess, probability in rows:
        mark, colour = ("✓", GREEN) if guess == true else ("✗", RED)
        first = from_left([mark, short[guess], f"{probability:.0%}"])
        verdicts.append([(first, colour), (from_left(["is", short[true]]), INK)])
    return verdicts


def _grid(
    photos: np.ndarray,
    captions: list[list[Line]],
    frames: Sequence[str],
    title: str,
    source: str,
    note: str = "",
) -> Chart:
    """Photos in a grid, each in a coloured frame above the wrapped lines of its caption."""
    _check(photos, captions)
    rows = 1 if len(photos) <= 6 else 2 if len(photos) <= 12 else 3
    columns = -(-len(photos) // rows)
    ratio = photos.shape[1] / photos.shape[2]
    high = WIDE * min(max(ratio, 1 / STEEPEST), STEEPEST)  # photos beyond that are stretched
    letters = "".join(text for caption in captions for text, _ in caption)
    look: dict[str, Any] = {"size": 8, "family": family(letters)}
    fitted = partial(wrap_into, WIDE + 0.9 * GAP, letters=20, width=ruler(**look))
    captions = [[(fitted(text), colour) for text, colour in caption] for caption in captions]
    most_lines = max(sum(_lines(text) for text, _ in caption) for caption in captions)
    pitch = high + GAP + LINE * most_lines
    width = max(6.5, columns * (WIDE + GAP) - GAP + 2 * MARGIN)
    figure, add = new_figure(width, rows * pitch - GAP / 2, title, source, note)
    for place, (photo, caption, frame) in enumerate(zip(photos, captions, frames, strict=True)):
        row, column = divmod(place, columns)
        left = MARGIN + column * (WIDE + GAP)
        ax = add(left, (rows - row) * pitch - GAP / 2 - high, WIDE, high)
        ax.imshow(photo, interpolation="bicubic", aspect="auto")
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set(visible=True, color=frame, linewidth=1 if frame == LIGHT else 2.5)
        centred: dict[str, Any] = {"transform": ax.transAxes, "ha": "center", "va": "top"}
        down = 0.07
        for text, colour in caption:
            ax.text(0.5, -down / high, text, color=colour, parse_math=False, **look, **centred)
            down += LINE * _lines(text)
    return figure


def _check(photos: np.ndarray, captions: Sequence) -> None:
    if photos.ndim != 4 or photos.shape[-1] != 3 or photos.dtype != np.uint8:
        raise ValueError(
            f"photos must be uint8 [n, H, W, 3], not {photos.dtype} {list(photos.shape)}"
        )
    if not 1 <= len(photos) == len(captions) <= MAX_PHOTOS:
        raise ValueError(
            f"{len(photos)} photos and {len(captions)} captions: "
            f"there must be as many of both, 1 to {MAX_PHOTOS}"
        )


def _lines(text: str) -> int:
    return 1 + text.count("\n")
