"""The published study's figures, under our names."""

import os
from typing import Any

import numpy as np

from fashion_tl.data.catalogue import FEW_SHOT
from fashion_tl.errors import RunError
from fashion_tl.files import as_path
from study.records import COUNTED, read_columns, read_measured, way_back
from study.uncertainty import margin95

# The study's names for each of our trainings: two steps without mirror images and with them.
THEIR_NAMES = {
    "fc_only": ["fc_only"],
    "direct": ["direct"],
    "top20": ["top20"],
    "two_step": ["two_step", "two_step_flips"],
}


def read_study(results: str | os.PathLike) -> dict[str, Any]:
    """``published.json``: what the study states, training by training. RunError when it isn't
    there.
    """
    study = read_measured(results, "published")
    if study is None:
        file = as_path(results) / "published.json"
        raise RunError(f"{file} is missing; {way_back(file)}")
    return study


def read_published(results: str | os.PathLike) -> dict[str, list[dict[str, Any]]]:
    """The published figures of merit, fractions, by our names: for two steps without flips and with
    them.

    Top-1 is the best that the study states, the rest is what its notebooks print. ``margin95``
    holds what chance in the test photos does to each, as far as the counts are known.
    """
    study = read_study(results)
    # They hold the classes that can be learned.
    per_class = read_columns(as_path(results) / "published_per_class.csv", COUNTED[:3])
    few = per_class["train"] <= FEW_SHOT

    def figures(name: str) -> dict[str, Any]:
        stated, counted = study[name]["readme"], study[name]["notebook"]
        known = {"top1": (stated["correct"], stated["total"])}
        if "top5_correct" in counted:
            known["top5"] = counted["top5_correct"], stated["total"]
        if name in per_class:
            right, photos = per_class[name], per_class["test"]
            known |= {"macro": (right, photos), "few_shot": (right[few], photos[few])}
        own = {figure: float(np.mean(right / photos)) for figure, (right, photos) in known.items()}
        own |= {"macro": counted["macro"]} if name not in per_class else {}
        return own | {"margin95": {figure: margin95(*counts) for figure, counts in known.items()}}

    return {approach: [figures(name) for name in names] for approach, names in THEIR_NAMES.items()}
