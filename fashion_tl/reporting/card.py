"""A model card: what a trained network is for, how good it is, and what it can't do.

After Mitchell et al., *Model Cards for Model Reporting*, 2019.
"""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from fashion_tl.backbones import find_backbone
from fashion_tl.data.catalogue import FEW_SHOT, Catalogue
from fashion_tl.recipes import TRAININGS
from fashion_tl.runs import Run
from fashion_tl.split import Split

KAGGLE = "the photos are Kaggle's *Fashion Product Images*, under the licence stated there"
MEANINGS = {
    "top1": "top-1",
    "ceiling": "the ceiling of top-1: no classifier trained on these photos can pass it",
    "top1_learnable": "top-1 of the photos whose class has training photos",
    "top5": "top-5",
    "macro": "macro: the mean accuracy of the classes that can be learned and tested",
    "few_shot": f"few-shot: the same over those with {FEW_SHOT} training photos or fewer",
}


def model_card(
    run: Run, metrics: dict[str, Any], per_class: pd.DataFrame, catalogue: Catalogue
) -> str:
    """The card of a run with these figures of merit, in Markdown.

    ``metrics`` are those of metrics.json, ``per_class`` is the table per_class.csv, and
    ``catalogue`` that of the run's data.
    """
    config = run.config
    label = catalogue.label
    split = catalogue.split
    network = find_backbone(config.backbone).title
    sections = {
        "What it is": [
            f"{network} that names the `{label}` of product photos, "
            f"one of {len(per_class):,} classes.",
            f"Training: {TRAININGS[config.training].title}, {config.recipe} recipe, "
            f"{_epochs(metrics['epochs'])}, seed {config.seed}. All settings are in `run.json`.",
            f"Input: photos of {_size(config.stored_size)} pixels (height × width), "
            f"which the network sees at {_size(config.image_size)}.",
        ],
        "What it learned from": [
            f"Data: {run.about['data']['name']}. The split: {split.rule}.",
            f"Of {run.about['data']['photos']:,} photos, {metrics['n_test']:,} test; the network "
            "learned from the others.",
            f"It began from {run.about['weights']['name']}.",
        ],
        "How good it is": [
            *(f"{meaning}: {_percent(metrics[name])}" for name, meaning in MEANINGS.items()),
            "The accuracy of each class is in `per_class.csv`, "
            "each answer in `predictions.csv.gz`.",
        ],
        "What it can't do": _limits(run, metrics, per_class, split),
        "Licence": [
            "The code is under the MIT licence.",
            "The network's weights and the data have licences of their own. If these are Kaggle's, "
            f"{KAGGLE}.",
        ],
    }
    lines = [f"# {network} for {label}", ""]
    for title, points in sections.items():
        lines += [f"## {title}", "", *(f"- {point}" for point in points), ""]
    return "\n".join(lines)


def _limits(run: Run, metrics: dict[str, Any], per_class: pd.DataFrame, split: Split) -> list[str]:
    """What the figures and the network leave out, one sentence each."""
    unseen = per_class[(per_class["train"] == 0) & (per_class["test"] > 0)]
    limits = [
        "It always answers with one of its classes, also for photos of something else.",
        _on_probabilities(metrics),
        "Its figures hold for photos like these: one product each, on a plain background.",
    ]
    if len(unseen):
        limits.insert(
            0,
            f"It never names {len(unseen):,} of the classes, which have no training photo. "
            f"{unseen['test'].sum():,} photos of {split.test} belong to them.",
        )
    if run.is_random:
        limits.insert(0, "It began from random weights: nothing was transferred.")
    if run.is_sample:
        limits.insert(0, "It learned from drawings: its figures measure nothing.")
    return limits


def _on_probabilities(metrics: dict[str, Any]) -> str:
    """How far its probabilities can be trusted."""
    if metrics["val_ece"] is None or metrics["ece"] is None:
        return "Its probabilities are no measure of how often it is right."
    return (
        f"Its probabilities were fitted to validation photos (temperature "
        f"{metrics['temperature']:.3f}, calibration error {metrics['val_ece']:.3f}). On test "
        f"photos that it could learn, the error is {metrics['ece']:.3f}. On photos of another kind "
        "they are no measure of how often it is right."
    )


def extended_card(card: str, rows: Sequence[dict[str, Any]]) -> str:
    """The card of an extended run, from that of the run before and what was learned since.

    ``rows`` are those of :func:`fashion_tl.extension.extension_of`.
    """
    title, _, rest = card.partition("\n")
    named = ", ".join(f"{row['label']} ({_photos(row['photos'])})" for row in rows)
    lines = [
        title,
        "",
        "## What it learned afterwards",
        "",
        f"- After its training, `extend` gave the network photos of: {named}.",
        "- Only its last layer changed. No test photo measured what that did. The figures below "
        "are those of the network before, whose results are in `before/`.",
        rest,
    ]
    return "\n".join(lines)


def _photos(number: int) -> str:
    return "1 photo" if number == 1 else f"{number:,} photos"


def _epochs(number: int) -> str:
    return "1 epoch" if number == 1 else f"{number} epochs"


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]}×{size[1]}"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.2%}"
