"""Which test photos a run took for something that it never learned, rightly or wrongly."""

import pandas as pd
from sklearn.metrics import roc_auc_score


def unknown_metrics(predictions: pd.DataFrame, counts: pd.DataFrame) -> dict[str, float | None]:
    """``unknown_auroc, unknown_accepted, known_accepted`` of the test photos.

    A photo is unknown if its class has no training photo: ``counts`` gives ``label, train``. The
    last two are the shares of unknown and of known photos that the run did not refuse. None without
    such photos, and for predictions of an older version, which have no ``unknown_score``.
    """
    none = dict.fromkeys(("unknown_auroc", "unknown_accepted", "known_accepted"))
    if "unknown_score" not in predictions or predictions.empty:
        return none
    is_unknown = _is_unknown(predictions, counts)
    accepted = ~predictions["unknown"].astype(bool)
    shares = {"unknown_accepted": accepted[is_unknown], "known_accepted": accepted[~is_unknown]}
    found = {name: float(each.mean()) if len(each) else None for name, each in shares.items()}
    if None in found.values():
        return none | found
    auroc = float(roc_auc_score(is_unknown, predictions["unknown_score"]))
    return none | found | {"unknown_auroc": auroc}


def _is_unknown(predictions: pd.DataFrame, counts: pd.DataFrame) -> pd.Series:
    """Whether the class of each photo has no training photo."""
    return ~predictions["label"].isin(counts["label"][counts["train"] > 0])


def refused_and_missed(predictions: pd.DataFrame, counts: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The rows of test photos by what was rightly or wrongly done with them.

    ``rightly`` and ``wrongly`` were refused, unknown or known; ``missed`` are unknown, but were
    accepted. The clearest cases come first. Empty for predictions of an older version.
    """
    if "unknown_score" not in predictions:
        return {}
    ordered = predictions.sort_values("unknown_score", ascending=False, kind="stable")
    is_unknown = _is_unknown(ordered, counts)
    refused = ordered["unknown"].astype(bool)
    return {
        "rightly": ordered[refused & is_unknown],
        "wrongly": ordered[refused & ~is_unknown],
        "missed": ordered[~refused & is_unknown].iloc[::-1],
    }
