"""Rows for new classes that go on learning by gradients, to compare with those in closed form."""

import numpy as np
import torch
from torch import Tensor

from fashion_tl.network.extending import Ground

STEPS = 30  # of L-BFGS
WEIGHT_DECAYS = (1e-3, 1e-2)


def retrained(
    ground: Ground, features: np.ndarray, shots: np.ndarray, weight_decay: float
) -> np.ndarray:
    """Logits of new classes whose rows are learned from the remembered photos and the shots.

    The loss is cross-entropy over old and new classes, with weight decay. The rows of the old
    classes stay as they are. Each new class weighs as much as a mean old one, however few its
    photos. ``features`` is float32 [n, width] and ``shots`` float32 [classes, shots, width].
    Returns float32 [n, classes], above the mean of all logits, where 1 is ``ground.best_logit``.
    """
    classes, each, _ = shots.shape
    examples = shots.reshape(classes * each, -1)
    spread = max(float(ground.features.std()), np.finfo(np.float32).tiny)
    share = 1 / (int(ground.trained.sum()) * each)
    remembered, given = (
        torch.from_numpy((part - ground.mean) / spread) for part in (ground.features, examples)
    )
    old_remembered, old_given = (
        torch.from_numpy(ground.layer.logits(part)[:, ground.trained]).logsumexp(1)
        for part in (ground.features, examples)
    )
    labels = torch.arange(classes).repeat_interleave(each)
    weight = torch.zeros(classes, remembered.shape[1], requires_grad=True)
    bias = torch.full((classes,), float(old_remembered.mean()), requires_grad=True)

    def loss() -> Tensor:
        """Of the remembered photos, only what the new classes change in it."""
        new = given @ weight.T + bias
        total = torch.cat([old_given[:, None], new], 1).logsumexp(1)
        own = new.gather(1, labels[:, None])[:, 0]
        beside = torch.cat([old_remembered[:, None], remembered @ weight.T + bias], 1)
        kept = (beside.logsumexp(1) - old_remembered).mean()
        return kept + share * (total - own).sum() + weight_decay * weight.square().sum()

    optimizer = torch.optim.LBFGS([weight, bias], max_iter=STEPS, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        found = loss()
        found.backward()
        return found

    optimizer.step(closure)
    with torch.no_grad():
        logits = torch.from_numpy((features - ground.mean) / spread) @ weight.T + bias
    return (logits.numpy() - ground.common.logits(features)) / ground.best_logit
