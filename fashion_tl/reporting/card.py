"""A model card: what a trained network is for, how good it is, and what it can't do.

After Mitchell et al., *Model Cards for Model Reporting*, 2019.
"""

import re
from collections.abc import Sequence
from typing import Any

import pandas as pd

from fashion_tl.backbones import find_backbone
from fashion_tl.data.catalogue import FEW_SHOT, Catalogue
from fashion_tl.data.task import Task
from fashion_tl.extension import in_a_sentence, photos_by_class
from fashion_tl.network.unknown import note_on_threshold
from fashion_tl.recipes import TRAININGS
from fashion_tl.runs import Run
from fashion_tl.split import Split

# What an extended run's card corrects in the card of the run before.
FITTED = "Its probabilities"
NUMBER = re.compile(r"\bone of [\d,]+ classes\.")

MEANINGS = {
    "top1": "Top-1 accuracy, over all test photos",
    "ceiling": "Ceiling of top-1, which no network that learned from these photos can pass",
    "top1_learnable": "Top-1 accuracy, over the test photos whose class has training photos",
    "top5": "Top-5 accuracy, where the right class is among the five most likely",
    "macro": "Macro accuracy, the mean over the classes that have training and test photos",
    "few_shot": f"Few-shot accuracy, the same mean over classes with {FEW_SHOT} training photos "
    "or fewer",
}

KAGGLES = "fashion-product-images"  # is part of the names of Kaggle's folders and zips


def model_card(
    run: Run,
    metrics: dict[str, Any],
    per_class: pd.DataFrame,
    catalogue: Catalogue,
    task: Task,
) -> str:
    """The card of a run with these figures of merit, in Markdown.

    ``metrics`` are those of metrics.json, and ``per_class`` is the table per_class.csv.
    ``catalogue`` is that of the run's data, and ``task`` says which photos validated.
    """
    config, split, validated = run.config, catalogue.split, len(task.val)
    photos, tested = run.about["data"]["photos"], metrics["n_test"]
    if catalogue.in_folders:
        subject, names = "photos in class folders", "names the folder that a photo belongs to"
        unused = " Its `label` and `split` were not used, because folders decided."
    else:
        subject, names, unused = catalogue.label, f"names the `{catalogue.label}` of a photo", ""
    network = find_backbone(config.backbone).title
    is_kaggles = KAGGLES in run.about["data"]["name"]
    sections = {
        "What it is": [
            f"A {network} that {names}, one of {len(per_class):,} classes.",
            f"Training: {TRAININGS[config.training].title}, {config.recipe} recipe, "
            f"{_epochs(metrics['epochs'])}, seed {config.seed}. All settings are in `run.json`."
            f"{unused}",
            f"Input: photos are stored at {_size(config.stored_size)} pixels (height × width). "
            f"The network sees them at {_size(config.image_size)}.",
        ],
        "What it learned from": [
            f"Data: {run.about['data']['name']}. The split: {split.rule}.",
            f"Of {photos:,} photos, {photos - validated - tested:,} trained, {validated:,} "
            f"validated, and {tested:,} tested.",
            f"The training started from {run.about['weights']['name']}.",
        ],
        "How good it is": [
            *(
                f"{words}: {metrics[name]:.2%}"
                for name, words in MEANINGS.items()
                if metrics[name] is not None
            ),
            "The accuracy of each class is in `per_class.csv`, and every answer is in "
            "`predictions.csv.gz`.",
        ],
        "What it can't do": _limits(run, metrics, per_class, split, int(task.val_known.sum())),
        "Licence": [
            "The code is under the MIT licence.",
            "The photos, and the weights that the training started from, have licences of their "
            "own. Read them before you pass this network on.",
            *(["That of *Fashion Product Images* is on its page at Kaggle."] if is_kaggles else []),
        ],
    }
    lines = [f"# {network} for {subject}", ""]
    for title, points in sections.items():
        lines += [f"## {title}", "", *(f"- {point}" for point in points), ""]
    return "\n".join(lines)


def _limits(
    run: Run, metrics: dict[str, Any], per_class: pd.DataFrame, split: Split, known: int
) -> list[str]:
    """What the figures and the network leave out, one sentence each.

    ``known`` is the number of photos that validated and whose class has training photos.
    """
    unseen = per_class[(per_class["train"] == 0) & (per_class["test"] > 0)]
    limits = [
        "It always answers with one of its classes, even if a photo shows something else.",
        "`predict` marks photos that are like nothing it learned from, but misses some of them"
        + (f"; {words}." if (words := note_on_threshold(known)) else "."),
        _on_probabilities(metrics),
        "Its accuracies hold for photos like those of the test. With another camera, background "
        "or kind of product, it may be right less often.",
    ]
    if len(unseen):
        limits.insert(
            0,
            f"It never names {len(unseen):,} of the classes, because they have no training photo. "
            f"{unseen['test'].sum():,} photos of {split.test} belong to them.",
        )
    if left_out := run.config.without_largest:
        limits.insert(0, f"It doesn't know the {left_out} largest classes.")
    if run.is_random:
        limits.insert(0, "It started from random weights, so nothing was transferred.")
    if run.is_sample:
        limits.insert(0, "It learned from drawings, so its accuracies say nothing about photos.")
    return limits


def _on_probabilities(metrics: dict[str, Any]) -> str:
    """How far its probabilities can be trusted."""
    if metrics["val_ece"] is None or metrics["ece"] is None:
        return "Its probabilities are no measure of how often it is right."
    return (
        f"{FITTED} were fitted to validation photos (temperature "
        f"{metrics['temperature']:.3f}, calibration error {metrics['val_ece']:.3f}). On test "
        f"photos that it could learn, the error is {metrics['ece']:.3f}. On photos of another kind "
        "they are no measure of how often it is right."
    )


def extended_card(card: str, rows: Sequence[dict[str, Any]], classes: int) -> str:
    """The card of an extended run, from that of the run before and what was learned since.

    ``rows`` are those of :func:`fashion_tl.extension.extension_of`. It knows ``classes`` by now.
    """
    title, _, rest = card.partition("\n")
    rest = NUMBER.sub(f"one of {classes:,} classes.", rest, count=1)
    rest = rest.replace(f"{FITTED} were fitted", f"{FITTED} of the old classes were fitted")
    lines = [
        title,
        "",
        "## What it learned afterwards",
        "",
        "- After its training, `extend` gave the network photos of: "
        f"{in_a_sentence(photos_by_class(rows))}.",
        "- Only its last layer changed. No test photo measured what that did. The figures below "
        "are those of the network before, whose results are in `before/`.",
        rest,
    ]
    return "\n".join(lines)


def _epochs(number: int) -> str:
    return "1 epoch" if number == 1 else f"{number} epochs"


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]}×{size[1]}"
