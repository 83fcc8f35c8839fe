"""A run's predictions as one table, and all metrics, computed from that table alone."""

import os
from collections.abc import Sequence

import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score, recall_score

from fashion_tl.data.catalogue import FEW_SHOT
from fashion_tl.errors import RunError

TOP_K = 5


def class_probabilities(
    logits: np.ndarray, fit_counts: Sequence[int], run: str | os.PathLike = "the run"
) -> np.ndarray:
    """Softmax over the classes with training photos, float64 [n, num_classes]; the others get 0.

    RunError, with the name of the ``run``, if a logit of those classes isn't a finite number.
    """
    seen = np.asarray(fit_counts) > 0
    if not np.isfinite(logits[:, seen]).all():
        raise RunError(
            f"{run}: the network's answers are not finite numbers. Its weights are damaged, or its "
            "training diverged: copy the run again, or train with a lower lr."
        )
    masked = np.where(seen, logits.astype(np.float64), -np.inf)
    scores = np.exp(masked - masked.max(axis=1, keepdims=True))
    # Only a class that can't be predicted gets 0.
    scores = np.where(np.isinf(masked), 0, np.maximum(scores, np.finfo(float).tiny))
    return scores / scores.sum(axis=1, keepdims=True)


def top_classes(probabilities: np.ndarray, classes: Sequence[str]) -> pd.DataFrame:
    """The five most likely classes of each sample: columns ``top1 … top5`` and ``p1 … p5``.

    If fewer classes can be predicted, the rest is empty, with probability 0.
    """
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :TOP_K]
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
) -> pd.DataFrame:
    """A row per photo: ``id, year, label, top1 … top5, p1 … p5, loss``.

    ``photos`` holds the first three; ``logits`` are float [photos, num_classes]. ``loss`` is the
    cross-entropy of the true class. It is empty if that class has no training photo, and so can't
    be predicted. RunError, with the name of the ``run``, if logits aren't finite numbers.
    """
    probabilities = class_probabilities(logits, fit_counts, run)
    number = {name: label for label, name in enumerate(classes)}
    labels = photos["label"].map(number).to_numpy()
    with np.errstate(divide="ignore"):
        loss = -np.log(probabilities[np.arange(len(labels)), labels])
    table = photos[["id", "year", "label"]].reset_index(drop=True)
    table = pd.concat([table, top_classes(probabilities, classes)], axis=1)
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

    ``counts`` gives ``label, train``: the training photos of each class. ``ceiling`` is the share
    of test photos whose class has training photos; ``top1`` and ``top5`` can't exceed it. ``macro``
    is the mean accuracy of the learnable classes: those with training and test photos.
    ``few_shot`` is the same for those with ``FEW_SHOT`` training photos or fewer. A mean over no
    photos or classes is None.
    """
    true = predictions["label"]
    guess = predictions["top1"]
    seen = counts[counts["train"] > 0]
    learnable = true.isin(seen["label"])
    tested = seen[seen["label"].isin(true)]
    few = tested[tested["train"] <= FEW_SHOT]
    in_top5 = (predictions[[f"top{k}" for k in range(1, TOP_K + 1)]].eq(true, axis=0)).any(axis=1)

    def macro(classes: pd.Series) -> float | None:
        if classes.empty:
            return None
        return float(
            recall_score(true, guess, labels=list(classes), average="macro", zero_division=0)
        )

    return {
        "n_test": len(predictions),
        "correct": int((true == guess).sum()),
        "top1": float(accuracy_score(true, guess)),
        "top5": float(in_top5.mean()),
        "ceiling": float(learnable.mean()),
        "top1_learnable": float((true == guess)[learnable].mean()) if len(tested) else None,
        "top5_learnable": float(in_top5[learnable].mean()) if len(tested) else None,
        "macro": macro(tested["label"]),
        "macro_classes": len(tested),
        "few_shot": macro(few["label"]),
        "few_shot_classes": len(few),
    }


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
