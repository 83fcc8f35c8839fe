"""One temperature for a trained network: logits divided by it give probabilities that hold true.

After Guo et al., *On Calibration of Modern Neural Networks*, ICML 2017.
"""

import math
import os
from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from fashion_tl.errors import RunError

BOUNDS = (1e-3, 1e3)  # of a temperature
PLAIN = 1.0  # the temperature that changes nothing


def masked_logits(
    logits: np.ndarray, fit_counts: Sequence[int], run: str | os.PathLike = "the run"
) -> np.ndarray:
    """Logits as float64 [n, num_classes]; -inf for classes without training photos.

    RunError, with the name of the ``run``, if a logit of another class isn't a finite number.
    """
    seen = np.asarray(fit_counts) > 0
    if not np.isfinite(logits[:, seen]).all():
        raise RunError(
            f"{run}: the network's answers are not finite numbers. Its weights are damaged, or its "
            "training diverged: copy the run again, or train with a lower lr."
        )
    return np.where(seen, logits.astype(np.float64), -np.inf)


def fit_temperature(
    logits: np.ndarray,
    labels: np.ndarray,
    fit_counts: Sequence[int],
    run: str | os.PathLike = "the run",
) -> float:
    """The temperature at which photos that the network didn't learn from have the lowest loss.

    ``logits`` are float [n, num_classes] and ``labels`` int64 [n]. The loss is the unweighted sum
    of cross-entropies. Photos of classes without training photos don't count; ``PLAIN`` if none is
    left. RunError as from :func:`masked_logits`.
    """
    known = np.asarray(fit_counts)[labels] > 0
    scores = masked_logits(logits, fit_counts, run)[known]
    if not len(scores):
        return PLAIN
    own = scores[np.arange(len(scores)), labels[known]]

    def cost(log_temperature: float) -> float:
        share = math.exp(-log_temperature)
        loss = (logsumexp(share * scores, axis=1) - share * own).sum()
        # The second term weighs as much as about one photo. Without it, a few photos that are all
        # right would give a temperature of 0, and so answers that are always sure.
        return float(loss + log_temperature**2 / 2)

    low, high = map(math.log, BOUNDS)
    return math.exp(minimize_scalar(cost, bounds=(low, high), method="bounded").x)
