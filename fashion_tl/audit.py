"""Find labels to check: a table, and a page with their photos.

Each photo is judged by a network that didn't learn from it. Confident learning (Northcutt et al.,
*Confident Learning: Estimating Uncertainty in Dataset Labels*, JAIR 2021) then decides which
labels the answers speak against. The package cleanlab does that. Most of these labels may be right
all the same: on Kaggle's photos, results/README.md says how many were.
"""

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from fashion_tl.config import Config
from fashion_tl.data.dataset import Data, load_unsplit
from fashion_tl.data.task import all_train
from fashion_tl.data.twins import twin_groups
from fashion_tl.errors import AuditError, ConfigError, DataError, how_to_install
from fashion_tl.files import StrPath, as_path
from fashion_tl.machine import say
from fashion_tl.network.calibration import fit_temperature
from fashion_tl.network.folds import FOLDS, logits_out_of_fold
from fashion_tl.network.model import available_weights
from fashion_tl.network.weights import is_random, weights_name
from fashion_tl.recipes import make_config, notes_on_random, suiting_random_weights
from fashion_tl.reporting.evaluation import class_probabilities
from fashion_tl.reporting.pages import photo_cards, write_page
from fashion_tl.runs import write_table
from fashion_tl.targets import checked_target

FEWEST = FOLDS  # different photos that a class needs, so that all networks learn it
PAIRS_PRINTED, PAIRS_SHOWN = 10, 25  # pairs of classes: printed, and on the page
SHOWN = 300  # photos on the page
# Settings that would leave photos out, or that follow from others.
NOT_HERE = (
    *("split", "largest", "without_largest", "val_fraction", "train_fraction", "split_seed"),
    "flip_test",
)


@dataclass(frozen=True)
class Audit:
    """Which labels to check.

    ``found`` has a row for each: ``id, given, suggested, confidence, given_confidence``, where the
    answer is surest against the label first. ``judged`` is the number of photos that were judged,
    and ``right`` of those whose label was the answer. ``unjudged`` says how many photos each class
    has that is too small.
    """

    found: pd.DataFrame
    judged: int
    right: int
    unjudged: pd.Series

    @property
    def pairs(self) -> pd.DataFrame:
        """``given, suggested, count`` of each pair of classes, the most frequent first."""
        counts = self.found.groupby(["given", "suggested"]).size().reset_index(name="count")
        return counts.sort_values("count", ascending=False, kind="stable", ignore_index=True)


def audit_config(label: str | None = None, **settings: Any) -> Config:
    """FC only's settings, changed by the given ones; ConfigError names one that doesn't fit."""
    for name in NOT_HERE:
        if settings.get(name) is not None:
            raise ConfigError(
                f"{name}: every photo is judged, by networks that didn't learn from it. "
                f"Leave {name} out."
            )
    config = make_config("fc_only", label=label, **settings)
    return config.change(flip_test=config.flip)


def find_contradicted(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Which labels the probabilities speak against, bool [photos].

    ``labels`` are int64 [photos], with a photo of each class. ``probabilities``, float [photos,
    classes], are from networks that didn't learn from the photo. AuditError if cleanlab is
    missing.
    """
    find_label_issues = _cleanlab()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about small classes, in which it finds less
        found = find_label_issues(labels, probabilities, n_jobs=1)
    return found & (probabilities.argmax(1) != labels)


def _cleanlab() -> Any:
    try:
        from cleanlab.filter import find_label_issues
    except ImportError as error:
        raise AuditError(
            f"an audit needs another package ({error}): {how_to_install('audit')}"
        ) from error
    return find_label_issues


def of_large_enough_classes(data: Data) -> tuple[Data, pd.Series]:
    """The data as a task in which all photos train, and the photos of each class left out of it.

    A class is left out if it has fewer than ``FEWEST`` different photos. DataError if not even two
    classes are left.
    """
    names = data.catalogue.table["label"]
    different = pd.Series(twin_groups(data.digests)).groupby(names.to_numpy()).nunique()
    classes = tuple(name for name in data.catalogue.classes if different[name] >= FEWEST)
    if len(classes) < 2:
        raise DataError(
            f"{data.catalogue.name}: an audit needs two classes with {FEWEST} different photos "
            f"each, and finds {len(classes)}"
        )
    task = all_train(data.catalogue, classes)
    return replace(data, task=task), names[~names.isin(classes)].value_counts()


def judge_labels(data: Data, weights: StrPath | None, config: Config) -> Audit:
    """Judge the label of every photo; see :func:`of_large_enough_classes` for those left out."""
    judged, unjudged = of_large_enough_classes(data)
    task = judged.task
    labels = task.labels[task.train]
    logits = logits_out_of_fold(judged, weights, config)
    counts = task.fit_counts.tolist()
    temperature = fit_temperature(logits, labels, counts)
    probabilities = class_probabilities(logits, counts, temperature=temperature)
    answers = probabilities.argmax(1)
    names = np.array(task.classes, dtype=object)
    photos = np.arange(len(labels))
    table = pd.DataFrame(
        {
            "id": judged.table("train")["id"].to_numpy(),
            "given": names[labels],
            "suggested": names[answers],
            "confidence": probabilities[photos, answers],
            "given_confidence": probabilities[photos, labels],
        }
    )
    found = table[find_contradicted(labels, probabilities)]
    surest = (found["given_confidence"] - found["confidence"]).sort_values(kind="stable")
    found = found.loc[surest.index].reset_index(drop=True)
    return Audit(found, len(labels), int((answers == labels).sum()), unjudged)


def write_audit(
    path: StrPath,
    weights: StrPath | None,
    to: StrPath,
    cache: StrPath | None = None,
    **settings: Any,
) -> Audit:
    """Judge the labels of any data; print a summary, and write ``labels.csv`` and ``labels.html``.

    Both go into the folder ``to``. Errors come before the long work. RunError if
    the files would lie among the photos.
    """
    _cleanlab()
    folder = as_path(to)
    table, page = (
        checked_target(folder / f"labels{ending}", what, (ending,), path, makes_folders=True)
        for what, ending in (("the list of labels", ".csv"), ("the page of labels", ".html"))
    )
    config = audit_config(**settings)
    data = load_unsplit(path, config, cache)
    of_large_enough_classes(data)
    found = available_weights(weights, data.root.is_sample, config.backbone)
    if found is None and not is_random(weights):  # the download failed
        config = audit_config(**suiting_random_weights("fc_only", config.recipe, settings))
    if found is None:
        for note in notes_on_random(config):
            say(f"NOTE: {note}")
    result = judge_labels(data, found, config)
    folder.mkdir(parents=True, exist_ok=True)
    write_table(table, result.found, float_format="%.4f")
    write_page(
        page,
        "audit.html.j2",
        audit=result,
        pairs=result.pairs[:PAIRS_SHOWN].to_dict("records"),
        photos=photo_cards(result.found[:SHOWN], data),
        data=data,
        weights=weights_name(found),
    )
    _print_summary(result)
    say(table)
    say(page)
    return result


def _print_summary(result: Audit) -> None:
    found = len(result.found)
    say(
        f"{found:,} of {result.judged:,} labels should be checked "
        f"({found / result.judged:.1%}). For {result.right:,} photos, a network that hadn't seen "
        "them gave the same label. Of the others, the list has those that it was sure of."
    )
    if len(result.unjudged):
        say(
            f"not judged: {result.unjudged.sum():,} photos of {len(result.unjudged)} classes "
            f"with fewer than {FEWEST} different photos"
        )
    for given, suggested, count in result.pairs[:PAIRS_PRINTED].itertuples(index=False):
        say(f"  {count:>6,}  {given} → {suggested}")
