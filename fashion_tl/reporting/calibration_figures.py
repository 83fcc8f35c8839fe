"""The chart of a run's calibration, and of its accuracy if it only answers when it is sure."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from fashion_tl.reporting.calibration import (
    TARGETS,
    answered,
    calibration_error,
    coverage_curve,
    find_threshold,
    reliability,
)
from fashion_tl.reporting.layout import (
    BLUE,
    GREEN,
    GREY,
    LIGHT,
    ORANGE,
    Chart,
    Look,
    need,
    new_figure,
    styled,
)

LEARNABLE: Look = {"color": BLUE, "label": "learnable test photos"}
ALL: Look = {"color": ORANGE, "label": "all test photos"}
IDEAL: Look = {"color": GREY, "ls": "--", "label": "as right as sure"}
TARGET: Look = {"color": GREEN, "ls": ":", "label": "95% and 98% right"}


@styled
def calibration(table: pd.DataFrame, title: str, source: str) -> Chart:
    """Accuracy against confidence in bins, and accuracy against the share of photos answered.

    ``table``: confidence, right, learnable; a row per test photo, as from
    :func:`fashion_tl.reporting.calibration.judged`.
    """
    need(table, "table", "confidence", "right", "learnable")
    known = table[table["learnable"]]
    error = calibration_error(known)
    said = "no learnable photo" if error is None else f"calibration error {error:.3f}"
    shares = [_at(known, accuracy) for accuracy in TARGETS.values()]
    note = f"Learnable photos: {said}. If only the surest are answered: {', '.join(shares)}"
    legend = [Line2D([], [], **look) for look in (LEARNABLE, ALL, IDEAL, TARGET)]
    figure, add = new_figure(9.5, 3.3, title, source, note, legend)
    _draw_reliability(add(0.6, 0.45, 3.85, 2.55), known)
    _draw_coverage(add(5.35, 0.45, 3.85, 2.55), table, known)
    return figure


def _at(known: pd.DataFrame, accuracy: float) -> str:
    """In words, how many photos could be answered with this accuracy."""
    share = answered(known, find_threshold(known, accuracy))["coverage"]
    return f"{share:.0%} of them with {accuracy:.0%} right"


def _draw_reliability(ax: Axes, known: pd.DataFrame) -> None:
    bins = reliability(known)
    share = bins["photos"] / max(1, len(known))
    ax.bar(bins["low"], share, bins["high"] - bins["low"], align="edge", color=LIGHT)
    ax.plot([0, 1], [0, 1], color=IDEAL["color"], ls=IDEAL["ls"])
    some = bins[bins["photos"] > 0]
    if len(some):  # else matplotlib would think that something lies in the figure's corner
        ax.plot(some["confidence"], some["accuracy"], "o-", color=BLUE, ms=4, clip_on=False)
    ax.set_title("Accuracy by probability (bars: share of photos)", loc="left")
    ax.set(xlabel="probability of the answer", xlim=(0, 1), ylim=(0, 1))
    _in_percent(ax)


def _draw_coverage(ax: Axes, table: pd.DataFrame, known: pd.DataFrame) -> None:
    lowest = 0.9
    for photos, look in ((table, ALL), (known, LEARNABLE)):
        if photos.empty:
            continue
        curve = coverage_curve(photos)
        ax.plot(curve["coverage"], curve["accuracy"], color=look["color"], clip_on=False)
        lowest = min([lowest, *curve["accuracy"]])
    for accuracy in TARGETS.values():
        ax.axhline(accuracy, color=TARGET["color"], ls=TARGET["ls"])
    ax.set_title("Accuracy of the surest answers", loc="left")
    ax.set(xlabel="share of photos that get an answer", xlim=(0, 1))
    ax.set_ylim(np.floor(20 * lowest) / 20, 1)
    _in_percent(ax)


def _in_percent(ax: Axes) -> None:
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(PercentFormatter(1, decimals=0))
