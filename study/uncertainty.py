"""How sure the measured figures are: bootstrap intervals over test photos, of one run and between
two.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from fashion_tl.data.catalogue import FEW_SHOT
from fashion_tl.reporting.evaluation import metrics, per_class_table


def intervals(
    predictions: pd.DataFrame,
    counts: pd.DataFrame,
    draws: int = 10_000,
    point: Mapping[str, float | None] | None = None,
) -> dict[str, list[float]]:
    """95 % bootstrap intervals ``[low, high]`` of the figures that ``metrics`` gives for the same
    tables. ``point`` has these figures, if they are known.

    Test photos are drawn again with replacement (Efron, 1979): all of them for shares of all, the
    learnable ones for shares of these, and within each class for the means over classes. How many
    of n photos are right in such a draw is binomial, so no photo need be touched. The spread over
    seeds is not in it.
    """
    rng = np.random.default_rng(0)
    classes = per_class_table(predictions, counts)
    point = point or metrics(predictions, counts)
    tested = classes[(classes["train"] > 0) & (classes["test"] > 0)]
    few = tested[tested["train"] <= FEW_SHOT]

    def share(figure: str, n: int) -> np.ndarray:
        value = point[figure]
        assert value is not None, "only a mean over no photos is"
        return rng.binomial(n, value, draws) / n

    drawn = {name: share(name, len(predictions)) for name in ("top1", "top5")}
    if len(tested):
        drawn |= {
            f"{name}_learnable": share(f"{name}_learnable", tested["test"].sum()) for name in drawn
        }
    for name, table in (("macro", tested), ("few_shot", few)):
        if len(table):
            right = rng.binomial(table["test"], table["accuracy"], (draws, len(table)))
            drawn[name] = (right / table["test"].to_numpy()).mean(axis=1)
    return {
        name: [round(float(q), 5) for q in np.quantile(values, (0.025, 0.975))]
        for name, values in drawn.items()
    }


def margin95(right: np.ndarray | pd.Series, photos: np.ndarray | pd.Series) -> float:
    """Half the width of the 95 % interval of the mean of shares ``right / photos``, by the normal
    distribution.

    For counts of classes, that of the mean over classes; for one pair of numbers, of that share.
    """
    share, n = np.atleast_1d(right) / np.atleast_1d(photos), np.atleast_1d(photos)
    return float(1.96 * np.sqrt((share * (1 - share) / n).sum()) / len(n))


def paired_difference(
    first: pd.DataFrame, second: pd.DataFrame, draws: int = 10_000
) -> dict[str, int | dict]:
    """Two prediction tables compared on the photos that are in both: the second's figures minus
    those of the first.

    Beside ``id, label, top1`` the tables hold ``train``, the class's photos in even years. Returns
    ``photos``, ``only_first`` and ``only_second`` right, and for ``top1``, ``macro`` and
    ``few_shot`` the ``difference`` and its 95 % bootstrap ``interval``, drawn as in
    :func:`intervals`; what no class counts for is left out. Pairing takes out what is hard or easy
    for both. ValueError when they share no photo.
    """
    both = first.merge(second, on="id", suffixes=("_1", "_2"))
    if both.empty:
        raise ValueError("the two tables have no photo in common")
    right = [both[f"top1_{k}"] == both[f"label_{k}"] for k in (1, 2)]
    changed = pd.DataFrame(
        {"gained": right[1] & ~right[0], "lost": right[0] & ~right[1], "photos": True}
    )
    classes = changed.groupby([both["label_1"], both["train_1"]]).sum().reset_index("train_1")
    whole = classes[["gained", "lost", "photos"]].sum().to_frame().T
    known = classes[classes["train_1"] > 0]
    parts = {"top1": whole, "macro": known, "few_shot": known[known["train_1"] <= FEW_SHOT]}
    rng = np.random.default_rng(0)

    def compared(table: pd.DataFrame) -> dict[str, float | list]:
        gained, lost, n = (table[name].to_numpy() for name in ("gained", "lost", "photos"))
        shares = np.stack([gained, lost, n - gained - lost], axis=1) / n[:, None]
        drawn = rng.multinomial(n, shares, (draws, len(table)))
        low, high = np.quantile(((drawn[..., 0] - drawn[..., 1]) / n).mean(axis=1), (0.025, 0.975))
        interval = [round(float(low), 5), round(float(high), 5)]
        return {"difference": float(((gained - lost) / n).mean()), "interval": interval}

    counts = {
        "photos": len(both),
        "only_first": int(whole["lost"].item()),
        "only_second": int(whole["gained"].item()),
    }
    return counts | {figure: compared(table) for figure, table in parts.items() if len(table)}
