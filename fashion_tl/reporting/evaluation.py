"""A run's predictions as one table, and all metrics, computed from that table alone."""

import os
from collections.abc import Sequence

import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score, recall_score

from fashion_tl.data.catalogue import FEW_SHOT, ceiling
from fashion_tl.network.calibration import PLAIN, masked_logits
from fashion_tl.reporting.calibration import TARGETS, calibration_error, find_threshold, judged

TOP_K = 5


def class_probabilities(
    logits: np.ndarray,
    fit_counts: Sequence[int],
    run: str | os.PathLike = "the run",
    temperature: float = PLAIN,
) -> np.ndarray:
    """Softmax over the classes with training photos, float64 [n, num_classes]; the others get 0.

    The logits are first divided by ``temperature``. RunError, with the name of the ``run``, if a
    logit of those classes isn't a finite number.
    """
    masked = masked_logits(logits, fit_counts, run)
    scores = np.exp((masked - masked.max(axis=1, keepdims=True)) / temperature)
    # Only a class that can't be predicted gets 0.
    scores = np.where(np.isinf(masked), 0, np.maximum(scores, np.finfo(float).tiny))
    return scores / scores.sum(axis=1, keepdims=True)


def answer_table(
    logits: np.ndarray,
    classes: Sequence[str],
    fit_counts: Sequence[int],
    run: str | os.PathLike = "the run",
    temperature: float = PLAIN,
) -> pd.DataFrame:
    """:func:`top_classes` of logits, float [n, num_classes], in the same order at any temperature.

    RunError as from :func:`class_probabilities`.
    """
    probabilities = class_probabilities(logits, fit_counts, run, temperature)
    return top_classes(probabilities, classes, masked_logits(logits, fit_counts, run))


def top_classes(
    probabilities: np.ndarray, classes: Sequence[str], scores: np.ndarray | None = None
) -> pd.DataFrame:
    """The five most likely classes of each sample: columns ``top1 … top5`` and ``p1 … p5``.

    If fewer classes can be predicted, the rest is empty, with probability 0. ``scores``
    [n, num_classes] decide the order where they are given: very small probabilities may be equal.
    """
    ranked = probabilities if scores is None else scores
    order = np.argsort(-ranked, axis=1, kind="stable")[:, :TOP_K]
    values = np.take_along_axis(probabilities, order, axis=1)
    names = np.where(values > 0, np.asarray(classes, dtype=object)[order], "")
    table = pd.DataFrame(
        {f"top{i + 1}": names[:, i] if i < names.shape[1] else "" for i in range(TOP_K)}
    )
    for i in range(TOP_K):
        table[f"p{i + 1}"] = values[:, i] if i < values.shape[1] else 0.0
    return table


def prediction_table(
    photos: pd.DataFrame,
    logits: np.ndarray,
    classes: Sequence[str],
    fit_counts: Sequence[int],
    run: str | os.PathLike = "the run",
    temperature: float = PLAIN,
) -> pd.DataFrame:
    """A row per photo: ``id, year, label, top1 … top5, p1 … p5, loss``.

    ``photos`` holds the first three; ``logits`` are float [photos, num_classes]. ``loss`` is the
    cross-entropy of the true class. It is empty if that class has no training photo, and so can't
    be predicted. Probabilities and losses are those at this ``temperature``. RunError, with the
    name of the ``run``, if logits aren't finite numbers.
    """
    probabilities = class_probabilities(logits, fit_counts, run, temperature)
    number = {name: label for label, name in enumerate(classes)}
    labels = photos["label"].map(number).to_numpy(dtype=np.int64)
    with np.errstate(divide="ignore"):
        loss = -np.log(probabilities[np.arange(len(labels)), labels])
    table = photos[["id", "year", "label"]].reset_index(drop=True)
    answers = answer_table(logits, classes, fit_counts, run, temperature)
    table = pd.concat([table, answers], axis=1)
    return table.assign(loss=np.where(np.asarray(fit_counts)[labels] > 0, loss, np.nan))


def per_class_table(predictions: pd.DataFrame, counts: pd.DataFrame) -> pd.DataFrame:
    """``label, train, test, correct, accuracy`` of each class.

    The accuracy is NaN without test photos. ``counts`` gives ``label, train``: the training photos
    of each class.
    """
    by_class = predictions.groupby("label")
    right = (predictions["top1"] == predictions["label"]).groupby(predictions["label"]).sum()
    table = counts[["label", "train"]].reset_index(drop=True)
    table["test"] = by_class.size().reindex(table["label"], fill_value=0).to_numpy()
    table["correct"] = right.reindex(table["label"], fill_value=0).to_numpy()
    table["accuracy"] = table["correct"] / table["test"].where(table["test"] > 0)
    return table


def metrics(predictions: pd.DataFrame, counts: pd.DataFrame) -> dict[str, float | int | None]:
    """The metrics, as fractions, of :func:`prediction_table`'s rows.

    ``counts`` gives ``label, train``: the training photos of each class. ``ceiling`` is that of
    :func:`fashion_tl.data.catalogue.ceiling`; ``top1`` and ``top5`` can't exceed it. ``macro``
    is the mean accuracy of the learnable classes: those with training and test photos.
    ``few_shot`` is the same for those with ``FEW_SHOT`` training photos or fewer. ``ece`` is the
    calibration error over the learnable photos and ``nll`` their mean loss; without the column
    ``loss`` it is None. A mean over no photos or classes is None.
    """
    true = predictions["label"]
    names = pd.Index(pd.unique(pd.concat([true, predictions["top1"]])))
    # As numbers: scikit-learn sorts the labels many times, and sorting text is slow.
    numbers, guesses = names.get_indexer(true), names.get_indexer(predictions["top1"])
    seen = counts[counts["train"] > 0]
    table = judged(predictions, counts)
    right = table["right"]
    learnable = table["learnable"]
    tested = seen[seen["label"].isin(true)]
    few = tested[tested["train"] <= FEW_SHOT]
    losses = predictions["loss"][learnable] if "loss" in predictions else pd.Series(dtype=float)
    in_top5 = (predictions[[f"top{k}" for k in range(1, TOP_K + 1)]].eq(true, axis=0)).any(axis=1)

    def macro(classes: pd.Series) -> float | None:
        if classes.empty:
            return None
        own = names.get_indexer(classes)
        return float(recall_score(numbers, guesses, labels=own, average="macro", zero_division=0))

    return {
        "n_test": len(predictions),
        "correct": int(right.sum()),
        "top1": float(accuracy_score(numbers, guesses)),
        "top5": float(in_top5.mean()),
        "ceiling": ceiling(per_class_table(predictions, counts)),
        "top1_learnable": float(right[learnable].mean()) if len(tested) else None,
        "top5_learnable": float(in_top5[learnable].mean()) if len(tested) else None,
        "macro": macro(tested["label"]),
        "macro_classes": len(tested),
        "few_shot": macro(few["label"]),
        "few_shot_classes": len(few),
        "ece": calibration_error(table[learnable]),
        "nll": float(losses.mean()) if len(losses) else None,
    }


def chosen_on_validation(
    predictions: pd.DataFrame, counts: pd.DataFrame, temperature: float
) -> dict[str, float | None]:
    """``temperature``, ``val_ece`` (their ``ece``), and a threshold for each of ``TARGETS``.

    ``predictions`` are the rows of :func:`prediction_table` for the validation photos at this
    temperature; only the learnable ones count. Of the answers whose probability is a threshold or
    more, the target's share was right. None without photos, or without such a threshold.
    """
    table = judged(predictions, counts)
    known = table[table["learnable"]]
    thresholds = {name: find_threshold(known, share) for name, share in TARGETS.items()}
    return {"temperature": temperature, "val_ece": calibration_error(known), **thresholds}


def best_and_worst(per_class: pd.DataFrame, n: int = 5) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The ``n`` learnable classes with the highest accuracy, and those with the lowest.

    Of equal classes, those with more test photos come first.
    """
    table = per_class[(per_class["train"] > 0) & (per_class["test"] > 0)]

    def ordered(lowest_first: bool) -> pd.DataFrame:
        order = ["accuracy", "test"]
        return table.sort_values(
            order, ascending=[lowest_first, False], kind="stable", ignore_index=True
        )

    return ordered(lowest_first=False).head(n), ordered(lowest_first=True).head(n)


def confused_pairs(predictions: pd.DataFrame, n: int = 12) -> pd.DataFrame:
    """The most frequent mistakes: ``true, predicted, count, share``.

    The share is that of the true class's test photos.
    """
    wrong = predictions[predictions["top1"] != predictions["label"]]
    sizes = wrong.groupby(["label", "top1"]).size()
    pairs = sizes.rename_axis(["true", "predicted"]).reset_index(name="count")
    pairs["share"] = pairs["count"] / pairs["true"].map(predictions["label"].value_counts())
    pairs = pairs.sort_values(["count", "share"], ascending=False, kind="stable")
    return pairs.head(n).reset_index(drop=True)


def largest_losses(predictions: pd.DataFrame, n: int = 12) -> pd.DataFrame:
    """The rows with the largest losses, among those whose class could be learned."""
    return predictions.dropna(subset=["loss"]).nlargest(n, "loss")


def headline(result: dict[str, float | int | None]) -> pd.DataFrame:
    """The most important metrics in one row, with the ceiling."""
    names = ("top1", "ceiling", "top1_learnable", "top5", "macro", "few_shot")
    row = {"right": f"{result['correct']:,} of {result['n_test']:,}"}
    for name in names:
        row[name] = "–" if result[name] is None else f"{result[name]:.1%}"
    row["minutes"] = f"{result['minutes']:.1f}"
    return pd.DataFrame([row], index=[result["approach"]])
