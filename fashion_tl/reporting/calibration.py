"""How much a run's probabilities are worth: their calibration, and answering only when sure.

Most functions take :func:`judged`'s table, or its rows of learnable photos.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

FIRST = 0.01  # the smallest coverage in a chart
BINS = 15  # of equal width; as in Guo et al., ICML 2017
# Accuracies that an owner may ask for, by the metric that says when an answer is sure enough.
TARGETS = {"threshold95": 0.95, "threshold98": 0.98}


def judged(predictions: pd.DataFrame, counts: pd.DataFrame) -> pd.DataFrame:
    """``confidence, right, learnable`` of each row of predictions.

    ``confidence`` is the probability of the answer, the largest one. ``counts`` gives ``label,
    train``: a photo is learnable if its class has training photos.
    """
    seen = counts["label"][counts["train"] > 0]
    return pd.DataFrame(
        {
            "confidence": predictions["p1"].astype(float),
            "right": predictions["top1"] == predictions["label"],
            "learnable": predictions["label"].isin(seen),
        }
    )


def reliability(table: pd.DataFrame) -> pd.DataFrame:
    """``low, high, photos, confidence, accuracy`` of each of ``BINS`` bins of the confidence.

    The last two are means over the bin's photos, or NaN. A confidence on the edge of two bins is in
    the lower one.
    """
    edges = np.linspace(0, 1, BINS + 1)
    place = np.digitize(table["confidence"], edges[1:-1], right=True)
    photos = np.bincount(place, minlength=BINS)
    some = np.where(photos > 0, photos, np.nan)
    return pd.DataFrame(
        {
            "low": edges[:-1],
            "high": edges[1:],
            "photos": photos,
            "confidence": np.bincount(place, table["confidence"], BINS) / some,
            "accuracy": np.bincount(place, table["right"], BINS) / some,
        }
    )


def calibration_error(table: pd.DataFrame) -> float | None:
    """The expected calibration error: the mean over photos of |accuracy - confidence| of their bin.

    None without photos.
    """
    if table.empty:
        return None
    bins = reliability(table)
    gap = (bins["accuracy"] - bins["confidence"]).abs()
    return float((gap * bins["photos"]).sum() / len(table))


def accuracy_by_coverage(table: pd.DataFrame) -> pd.DataFrame:
    """``threshold, coverage, accuracy`` if only answers that are at least so sure are given.

    A row for each confidence that occurs, highest first. ``coverage`` is the share of photos with
    an answer, and ``accuracy`` the share of right answers among these.
    """
    photos = table[["confidence", "right"]].assign(photos=1)
    sums = photos.groupby("confidence").sum().sort_index(ascending=False).cumsum()
    return pd.DataFrame(
        {
            "threshold": sums.index.to_numpy(dtype=float),
            "coverage": (sums["photos"] / len(table)).to_numpy(dtype=float),
            "accuracy": (sums["right"] / sums["photos"]).to_numpy(dtype=float),
        }
    )


def coverage_curve(table: pd.DataFrame, points: int = 200) -> pd.DataFrame:
    """Rows of :func:`accuracy_by_coverage` for a chart: at most so many, the last one among them.

    It begins at ``FIRST``: of fewer photos, a single wrong one would make a deep dip.
    """
    curve = accuracy_by_coverage(table)
    shown = curve[curve["coverage"] >= FIRST]
    places = np.linspace(0, len(shown) - 1, min(points, len(shown))).astype(int)
    return shown.iloc[places]


def find_threshold(table: pd.DataFrame, accuracy: float) -> float | None:
    """The lowest confidence such that the answers at least so sure have this accuracy.

    None if there is no such confidence.
    """
    curve = accuracy_by_coverage(table)
    enough = curve["threshold"][curve["accuracy"] >= accuracy]
    return None if enough.empty else float(enough.iloc[-1])


def answered(table: pd.DataFrame, threshold: float | None) -> dict[str, Any]:
    """``photos, coverage, accuracy`` of the answers that are at least as sure as a threshold.

    Without a threshold no photo gets an answer. The accuracy of no answers is None.
    """
    given = table.head(0) if threshold is None else table[table["confidence"] >= threshold]
    return {
        "photos": len(given),
        "coverage": len(given) / len(table) if len(table) else 0.0,
        "accuracy": float(given["right"].mean()) if len(given) else None,
    }


def unattended(table: pd.DataFrame, thresholds: Mapping[str, float | None]) -> list[dict[str, Any]]:
    """How many photos could be labelled without a look at them: a row for each of ``TARGETS``.

    A row has the ``accuracy`` that is asked for, the ``threshold`` for it, and :func:`answered` of
    all photos and of the learnable ones: ``best``, with a threshold that is chosen on these photos
    themselves, and ``given``, with the one in ``thresholds``, which is None where it lacks one.
    """
    sides = {"all": table, "learnable": table[table["learnable"]]}
    rows = []
    for name, accuracy in TARGETS.items():
        threshold = thresholds.get(name)
        best = {side: answered(own, find_threshold(own, accuracy)) for side, own in sides.items()}
        given = {side: answered(own, threshold) for side, own in sides.items()}
        rows.append({"accuracy": accuracy, "threshold": threshold, "best": best, "given": given})
    return rows
