"""How sure the measured figures are: bootstrap intervals over test photos, of one run and between two."""

import numpy as np
import pandas as pd

from fashion_tl.catalogue import FEW_SHOT
from fashion_tl.evaluation import metrics, per_class_table


def intervals(predictions: pd.DataFrame, counts: pd.DataFrame, draws: int = 10_000) -> dict[str, list[float]]:
    """95 % bootstrap intervals ``[low, high]`` of the figures that ``metrics`` gives for the same tables.

    Test photos are drawn again with replacement (Efron, 1979): all of them for shares of all, the learnable ones for
    shares of these, and within each class for the means over classes. How many of n photos are right in such a draw
    is binomial, so no photo need be touched. The spread over seeds is not in it.
    """
    rng = np.random.default_rng(0)
    point, classes = metrics(predictions, counts), per_class_table(predictions, counts)
    tested = classes[(classes["train"] > 0) & (classes["test"] > 0)]
    few = tested[tested["train"] <= FEW_SHOT]

    def share(value: float, n: int) -> np.ndarray:
        return rng.binomial(n, value, draws) / n

    drawn = {name: share(point[name], len(predictions)) for name in ("top1", "top5")}
    if len(tested):
        drawn |= {f"{name}_learnable": share(point[f"{name}_learnable"], tested["test"].sum()) for name in drawn}
    for name, table in (("macro", tested), ("few_shot", few)):
        if len(table):
            right = rng.binomial(table["test"], table["accuracy"], (draws, len(table)))
            drawn[name] = (right / table["test"].to_numpy()).mean(axis=1)
    return {name: [round(float(q), 5) for q in np.quantile(values, (0.025, 0.975))] for name, values in drawn.items()}


def paired_difference(first: pd.DataFrame, second: pd.DataFrame, draws: int = 10_000) -> dict[str, float | int | list]:
    """Two prediction tables compared on the photos that are in both: top-1 of the second minus that of the first.

    ``photos``, ``only_first`` and ``only_second`` right, ``difference`` and its 95 % bootstrap ``interval`` over the
    photos (as in :func:`intervals`). Pairing takes out what is hard or easy for both. ValueError when they share no
    photo.
    """
    both = first.merge(second, on="id", suffixes=("_1", "_2"))
    if both.empty:
        raise ValueError("the two tables have no photo in common")
    right = [both[f"top1_{k}"] == both[f"articleType_{k}"] for k in (1, 2)]
    n, gained, lost = len(both), int((right[1] & ~right[0]).sum()), int((right[0] & ~right[1]).sum())
    drawn = np.random.default_rng(0).multinomial(n, [gained / n, lost / n, 1 - (gained + lost) / n], draws)
    low, high = np.quantile((drawn[:, 0] - drawn[:, 1]) / n, (0.025, 0.975))
    return {
        "photos": n,
        "only_first": lost,
        "only_second": gained,
        "difference": (gained - lost) / n,
        "interval": [round(float(low), 5), round(float(high), 5)],
    }
