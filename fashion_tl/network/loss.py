"""The loss of a training, and what it needs to know of each class."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from fashion_tl.config import Config
from fashion_tl.distributed import world_size


@dataclass(frozen=True)
class PerClass:
    """What the loss knows of each class: its weight, and what is added to its logit in training.

    Both are float32 [num_classes].
    """

    weights: Tensor
    prior: Tensor

    def cpu(self) -> "PerClass":
        return PerClass(self.weights.cpu(), self.prior.cpu())


def make_per_class(
    class_weights: np.ndarray, labels: Tensor, config: Config, device: torch.device
) -> PerClass:
    """The weight of each class, and the prior that balances the logits.

    The prior is ``balance_power`` times the logarithm of the class's share of the training
    ``labels``; without that kind of balance it is 0. A network that learns with the prior added
    need not learn the shares itself. Without the prior it then predicts as if all classes were
    equally frequent or, with a power below 1, something in between (Menon et al., 2021).
    """
    counts = torch.bincount(labels.to(device), minlength=len(class_weights)).clamp(min=1)
    tau = config.balance_power if config.balance == "logits" else 0.0
    prior = tau * (counts / len(labels)).log()
    return PerClass(torch.as_tensor(class_weights, dtype=torch.float32, device=device), prior)


def classification_loss(
    logits: Tensor,
    targets: Tensor,
    weights: Tensor,
    balance: str = "loss",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Weighted cross-entropy of logits [batch, num_classes] and targets, int64 [batch].

    ``weights`` [num_classes] are those of the classes. With the balance ``"weighted mean"`` this is
    torch's own reduction, as published: the sum is divided by the sum of the batch's weights, so
    the influence of a sample depends on the others in its batch. With any other balance it is the
    mean of weight × cross-entropy over the samples. Label smoothing spreads evenly over the classes
    that have training photos.
    """
    if balance == "weighted mean":
        return F.cross_entropy(logits, targets, weights, label_smoothing=label_smoothing)
    losses = F.cross_entropy(logits, targets, reduction="none")
    if label_smoothing:
        seen = (weights > 0).float()
        uniform = -(F.log_softmax(logits, 1) * seen).sum(1) / seen.sum()
        losses = (1 - label_smoothing) * losses + label_smoothing * uniform
    return (weights[targets] * losses).mean()


def loss_of_share(
    logits: Tensor, targets: Tensor, whole: Tensor, weights: Tensor, config: Config
) -> Tensor:
    """The part of a whole batch's loss that a process's own samples contribute.

    ``targets`` are those of its own samples, and ``whole``, int64 [batch], those of the whole
    batch. The processes learn from the mean of their losses, which is the whole batch's
    :func:`classification_loss`.
    """
    counted = weights if config.balance == "weighted mean" else torch.ones_like(weights)
    part = world_size() * counted[targets].sum() / counted[whole].sum()
    return part * classification_loss(
        logits, targets, weights, config.balance, config.label_smoothing
    )


def sums_over_samples(logits: Tensor, targets: Tensor, per_class: PerClass) -> Tensor:
    """The sums of weighted losses, of right answers and of unweighted losses: float64 [3].

    ``logits`` are those of the loss, so the prior is already added.
    """
    losses = F.cross_entropy(logits, targets, reduction="none").double()
    correct = (guesses(logits - per_class.prior, per_class) == targets).double()
    return torch.stack([(per_class.weights[targets] * losses).sum(), correct.sum(), losses.sum()])


def guesses(logits: Tensor, per_class: PerClass) -> Tensor:
    """The most likely class with training photos, int64 [batch]; as in testing, no other counts."""
    return logits.masked_fill(per_class.weights == 0, -math.inf).argmax(1)
