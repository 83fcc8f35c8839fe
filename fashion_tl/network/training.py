"""The one training loop: ``fit``, its loss and schedule, its history, the best epoch, and going on
after a kill.
"""

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import recall_score
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer
from tqdm import tqdm

from fashion_tl.config import Config
from fashion_tl.data.batches import Batches
from fashion_tl.distributed import everyone, rank, share, world_size
from fashion_tl.errors import ConfigError, RunError
from fashion_tl.files import replacing
from fashion_tl.machine import progress, say
from fashion_tl.network.inference import autocast, forward
from fashion_tl.network.model import train_mode
from fashion_tl.network.optimizer import learning_rate, make_optimizer
from fashion_tl.threads import threads_by_load


@dataclass(frozen=True)
class PerClass:
    """What the loss knows of every class, [num_classes]: its weight, and what is added to its logit
    in training.
    """

    weights: Tensor
    prior: Tensor


@dataclass(frozen=True)
class Fitted:
    """What a training leaves beside the network.

    ``history`` has a row per epoch: ``epoch, lr, train_loss, train_accuracy, val_loss,
    val_accuracy, val_cross_entropy, val_macro, seconds, best``. Losses are weighted,
    ``val_cross_entropy`` isn't; each is a sum over samples divided by their number. ``interrupted``
    says that Ctrl-C ended it. ``seconds`` is the time that it took before what :func:`fit` itself
    has done: epochs taken over from a checkpoint.
    """

    history: pd.DataFrame
    interrupted: bool = False
    seconds: float = 0.0


def make_per_class(
    class_weights: np.ndarray, labels: Tensor, config: Config, device: torch.device
) -> PerClass:
    """The weights, and the logarithm of each class's share of the training ``labels`` times the
    logit adjustment.

    With the prior added while it learns, a network need not learn it, and without it predicts as if
    all classes were equally frequent, or, below 1, something in between (Menon et al., 2021).
    """
    counts = torch.bincount(labels.to(device), minlength=len(class_weights)).clamp(min=1)
    tau = config.balance_power if config.balance == "logits" else 0.0
    prior = tau * (counts / len(labels)).log()
    return PerClass(torch.as_tensor(class_weights, dtype=torch.float32, device=device), prior)


def fit(
    model: nn.Module,
    train: Batches,
    val: Batches,
    config: Config,
    class_weights: np.ndarray,
    checkpoint: Path | None = None,
) -> Fitted:
    """Train what is not frozen in ``model``; the weights of the best epoch are in it when this
    returns.

    The best epoch is the one with the lowest unweighted validation cross-entropy (the last one,
    where nothing validates). Everything random follows from ``config.seed`` and the epoch alone, so
    that a training that is killed and started again ends as one that never stopped.

    ``class_weights`` is [num_classes]. The file ``checkpoint`` is written after every epoch; where
    it is there already, the training goes on from it.

    After Ctrl-C the best so far is kept. RunError when the loss is no longer a number, or the
    checkpoint belongs to another training.
    """
    device = next(model.parameters()).device
    _check_batch_of_one(model, train, config)
    per_class = make_per_class(class_weights, train.labels, config, device)
    optimizer = make_optimizer(model, config)
    if world_size() > 1 and device.type == "cuda":
        model = nn.SyncBatchNorm.convert_sync_batchnorm(model)  # of the same parameters and buffers
    learner = DistributedDataParallel(model) if world_size() > 1 else model
    train, val = train.to(device), val.to(device)
    history, best = _go_on(checkpoint, model, optimizer, config)
    interrupted, before = False, sum(row["seconds"] for row in history)
    bar = progress(
        total=config.epochs * len(train), initial=len(history) * len(train), unit="batch"
    )
    try:
        with threads_by_load(device) as adapt:
            for epoch in range(len(history), config.epochs):
                start = time.perf_counter()
                torch.manual_seed(config.seed * 100_003 + epoch)
                bar.set_description(f"epoch {epoch + 1}/{config.epochs}")
                train_loss, train_accuracy = train_epoch(
                    learner, train, optimizer, config, per_class, epoch, bar, adapt
                )
                model.load_state_dict(
                    everyone({k: b.cpu() for k, b in model.named_buffers()})[0], strict=False
                )
                if not math.isfinite(train_loss):
                    raise RunError(
                        f"the loss is no longer a number in epoch {epoch + 1}; lower lr ({config.lr:g})"
                    )
                row = {"epoch": epoch + 1, "lr": optimizer.param_groups[-1]["lr"]}
                row |= {"train_loss": train_loss, "train_accuracy": train_accuracy}
                row |= validate(model, val, config, per_class) | {
                    "seconds": time.perf_counter() - start
                }
                better = best
                if (
                    not math.isfinite(best["val_cross_entropy"])
                    or row["val_cross_entropy"] < best["val_cross_entropy"]
                ):
                    better = {"state": copy.deepcopy(model.state_dict()), **row}
                states = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
                _save_checkpoint(
                    checkpoint,
                    config=config.to_dict(),
                    history=[*history, row],
                    best=better,
                    **states,
                )
                history, best = (
                    [*history, row],
                    better,
                )  # in one go, and only what is saved: Ctrl-C finds both or none
                bar.write(_line(row, config.epochs))
    except BaseException as error:
        if (
            not history
        ):  # the same call, as in a notebook's cell, must start from where this one did
            model.load_state_dict(best["state"])
        if not history or not isinstance(error, KeyboardInterrupt):
            raise
        interrupted = True
        which = "best" if math.isfinite(best["val_cross_entropy"]) else "last"
        bar.write(
            f"interrupted: the weights of epoch {best['epoch']}, the {which} so far, are kept"
        )
    finally:
        bar.close()
    model.load_state_dict(best["state"])
    model.eval()
    table = pd.DataFrame(history).assign(best=lambda t: t["epoch"] == best["epoch"])
    return Fitted(table, interrupted, before)


def _check_batch_of_one(model: nn.Module, train: Batches, config: Config) -> None:
    """ConfigError where BatchNorm would have to learn from one value per channel, and so from no
    variance.
    """
    train_mode(model, config.frozen_batchnorm)
    learns = any(isinstance(module, _BatchNorm) and module.training for module in model.modules())
    last_map_is_one_pixel = (
        max(config.image_size) <= 32
    )  # a ResNet makes its input 32 times smaller
    if learns and last_map_is_one_pixel and min(config.batch_size, len(train.rows)) == 1:
        why = (
            f"batch_size={config.batch_size}"
            if config.batch_size == 1
            else "a single training photo"
        )
        raise ConfigError(
            f"{why} with image_size={config.image_size[0]}x{config.image_size[1]}: BatchNorm can't learn from one "
            "value per channel. Take a larger batch_size or image_size, or set frozen_batchnorm=true."
        )


def train_epoch(
    model: nn.Module,
    train: Batches,
    optimizer: Optimizer,
    config: Config,
    per_class: PerClass,
    epoch: int,
    bar: tqdm,
    each_step: Callable[[], None] = lambda: None,
) -> tuple[float, float]:
    """One pass over the training samples; returns their mean loss and accuracy, measured as it
    learns.

    With mixup they are those of the mixtures, taken for the class that each holds more of. Several
    processes draw the same batches, and each runs its share of every one of them through the
    network.
    """
    train_mode(model, config.frozen_batchnorm)
    weights, prior = per_class.weights, per_class.prior
    sums = torch.zeros(
        2, dtype=torch.float64, device=weights.device
    )  # read once, at the end: a GPU needn't wait
    steps = len(train)
    batches = train.shuffled(config.seed, epoch, weights.device)
    for step, (inputs, targets) in enumerate(batches, epoch * steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, steps, config) * group["factor"]
        run, own = share(len(targets))
        if config.mixup:
            pairs, part = mixture(len(targets), config, epoch, step)
            needed, (first, second) = pairs[:, run].unique(return_inverse=True)
            inputs = train.prepare(inputs[needed])
            inputs = torch.lerp(inputs[second], inputs[first], part)
        else:
            inputs = train.prepare(inputs[run])
        with autocast(weights.device, config.precision):
            logits = (model(inputs) + prior)[own]
        loss = loss_of_share(logits, targets[run][own], targets, weights, config)
        if config.mixup:
            others = targets[pairs[1]]
            loss = part * loss + (1 - part) * loss_of_share(
                logits, others[run][own], others, weights, config
            )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        sums += _sums(logits.detach(), targets[run][own], per_class)[:2]
        bar.update()
        each_step()
    loss, correct = (sum(everyone(sums.cpu())) / len(train.rows)).tolist()
    return loss, correct


def mixture(n: int, config: Config, epoch: int, step: int) -> tuple[Tensor, float]:
    """For mixup (Zhang et al., 2018): the batch's ``n`` samples, and which of them each is mixed
    with, int64 [2, n]; and its own part in it.

    That is at least half: the same mixtures come about, and each counts as the class that it holds
    more of.
    """
    rng = np.random.default_rng([config.seed, epoch, step])
    part = float(rng.beta(config.mixup, config.mixup))
    return torch.stack([torch.arange(n), torch.from_numpy(rng.permutation(n))]), max(part, 1 - part)


def validate(
    model: nn.Module, val: Batches, config: Config, per_class: PerClass
) -> dict[str, float]:
    """Mean weighted loss, accuracy, unweighted cross-entropy and macro accuracy over the validation
    samples (NaN without any).
    """
    names = ("val_loss", "val_accuracy", "val_cross_entropy", "val_macro")
    if not len(val):
        return dict.fromkeys(names, math.nan)
    logits, labels = (
        forward(model, val, config.precision, desc=None, by_load=False),
        val.labels.cpu(),
    )
    per_class = PerClass(per_class.weights.cpu(), per_class.prior.cpu())
    sums = _sums(logits + per_class.prior, labels, per_class) / len(val.rows)
    guesses = _guesses(logits, per_class)
    macro = recall_score(labels, guesses, labels=labels.unique(), average="macro", zero_division=0)
    return everyone(dict(zip(names, [*sums.tolist(), float(macro)], strict=True)))[0]


def classification_loss(
    logits: Tensor,
    targets: Tensor,
    weights: Tensor,
    balance: str = "loss",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Cross-entropy of logits [batch, num_classes] and targets, int64 [batch], with class weights
    [num_classes].

    With the balance ``"weighted mean"`` it is torch's own reduction, as published: it divides by
    the batch's sum of weights, so that a sample counts more or less by the company it keeps. With
    any other it is the mean over samples of weight × cross-entropy, smoothed evenly over the
    classes that have training photos.
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
    """:func:`classification_loss` of a process's own samples, with the weight that they have in the
    ``whole`` batch's, int64 [batch]: the mean over the processes, which is what they learn from, is
    the loss of the whole batch.
    """
    counted = weights if config.balance == "weighted mean" else torch.ones_like(weights)
    part = world_size() * counted[targets].sum() / counted[whole].sum()
    return part * classification_loss(
        logits, targets, weights, config.balance, config.label_smoothing
    )


def _sums(logits: Tensor, targets: Tensor, per_class: PerClass) -> Tensor:
    """Over the samples: the sum of weighted losses, of right answers, of unweighted losses. float64
    [3].

    ``logits`` are those of the loss, ``prior`` already added.
    """
    losses = F.cross_entropy(logits, targets, reduction="none").double()
    correct = (_guesses(logits - per_class.prior, per_class) == targets).double()
    return torch.stack([(per_class.weights[targets] * losses).sum(), correct.sum(), losses.sum()])


def _guesses(logits: Tensor, per_class: PerClass) -> Tensor:
    """The most likely class, int64 [batch], of those with training photos; as in testing, the
    others are impossible.
    """
    return logits.masked_fill(per_class.weights == 0, -math.inf).argmax(1)


def _save_checkpoint(path: Path | None, **state: Any) -> None:
    if path and rank() == 0:
        with (
            replacing(path) as temporary,
            open(temporary, "wb") as file,
        ):  # at any moment, a whole one lies there
            torch.save(state, file)


def _go_on(
    path: Path | None, model: nn.Module, optimizer: Optimizer, config: Config
) -> tuple[list[dict], dict]:
    """History and best epoch so far, or the untrained model's state; puts model and optimiser where
    they were.

    Freezing is not touched.
    """
    if path is None or not path.exists():
        return [], {"state": copy.deepcopy(model.state_dict()), "val_cross_entropy": math.nan}
    try:
        state = torch.load(path, map_location=next(model.parameters()).device, weights_only=True)
    except Exception as error:  # whatever a damaged archive makes torch raise
        raise RunError(
            f"{path} is damaged ({type(error).__name__}); delete it to train from the start"
        ) from error
    made_with = Config.from_dict(state["config"]).to_dict()
    if made_with != config.to_dict():
        changed = [k for k, v in config.to_dict().items() if made_with.get(k) != v]
        raise RunError(
            f"{path} was made with other settings: {', '.join(changed)}; name another folder, or delete it"
        )
    try:
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
    except (RuntimeError, ValueError) as error:
        raise RunError(
            f"{path} is of another network, or of another version of this package; delete it"
        ) from error
    say(f"going on after epoch {len(state['history'])} of {config.epochs}")
    return state["history"], state["best"]


def _line(row: dict[str, float], epochs: int) -> str:
    """An epoch in words; without the validation's part where nothing validates."""
    loss, accuracy = f"{row['train_loss']:.3f} train", f"{row['train_accuracy']:.1%} train"
    if not math.isnan(row["val_loss"]):
        loss, accuracy = (
            f"{loss} {row['val_loss']:.3f} val",
            f"{accuracy} {row['val_accuracy']:.1%} val",
        )
    return f"epoch {row['epoch']:2d}/{epochs}  loss {loss}   accuracy {accuracy}   {row['seconds']:.0f} s"
