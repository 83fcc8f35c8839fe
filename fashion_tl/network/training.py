"""The training loop ``fit``: its history and its best epoch."""

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import recall_score
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer
from tqdm import tqdm

from fashion_tl.config import LOSS_AND_LOGITS, Config
from fashion_tl.data.batches import Batches
from fashion_tl.distributed import everyone, share, world_size
from fashion_tl.errors import ConfigError, RunError
from fashion_tl.machine import progress
from fashion_tl.network.going_on import go_on, save_checkpoint
from fashion_tl.network.inference import autocast, forward
from fashion_tl.network.loss import (
    PerClass,
    guesses,
    loss_of_share,
    make_per_class,
    sums_over_samples,
)
from fashion_tl.network.model import train_mode
from fashion_tl.network.optimizer import learning_rate, make_optimizer
from fashion_tl.threads import threads_by_load


@dataclass(frozen=True)
class Fitted:
    """What a training gives besides the network.

    ``history`` has a row per epoch: ``epoch, lr, train_loss, train_accuracy, val_loss,
    val_accuracy, val_cross_entropy, val_macro, seconds, best``. Losses are weighted, except for
    ``val_cross_entropy``; each is a sum over samples divided by their number. ``interrupted`` is
    true if Ctrl-C ended the training. ``seconds`` is the time of the epochs that :func:`fit` took
    over from a checkpoint.
    """

    history: pd.DataFrame
    interrupted: bool = False
    seconds: float = 0.0


def unless_interrupted(fitted: Fitted) -> Fitted:
    """What was given; KeyboardInterrupt after a Ctrl-C that ``fit`` put off."""
    if fitted.interrupted:
        raise KeyboardInterrupt(
            "stopped; a run goes on after its last whole epoch: call the same command, or its "
            "training cell, again"
        )
    return fitted


def fit(
    model: nn.Module,
    train: Batches,
    val: Batches,
    config: Config,
    class_weights: np.ndarray,
    checkpoint: Path | None = None,
    tell: bool = True,
) -> Fitted:
    """Train what is not frozen in ``model``; in the end it has the weights of the best epoch.

    The best epoch has the lowest unweighted cross-entropy over the validation photos whose class
    has training photos. Without such photos it is the last one. Everything random depends on
    ``config.seed`` and the epoch alone. So a training that was killed and started again ends
    exactly like one that never stopped.

    ``class_weights`` is [num_classes]. The file ``checkpoint`` is written after every epoch. If it
    is there already, the training goes on from it. Each epoch is a line, unless ``tell`` is false.

    After Ctrl-C the best epoch so far is kept. RunError if the loss is no longer a number, or if
    the checkpoint belongs to another training.
    """
    device = next(model.parameters()).device
    refuse_settings(config, len(train.rows), _learns_batchnorm(model, config))
    per_class = make_per_class(class_weights, train.labels, config, device)
    optimizer = make_optimizer(model, config)
    if world_size() > 1 and device.type == "cuda":
        # The new layers share their parameters and buffers with the old ones.
        model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
    learner = DistributedDataParallel(model) if world_size() > 1 else model
    train = train.to(device)
    val = val.to(device)
    history, best = go_on(checkpoint, model, optimizer, config)
    seconds_before = sum(row["seconds"] for row in history)
    interrupted = False
    steps = len(train)
    bar = progress(total=config.epochs * steps, initial=len(history) * steps, unit="batch")
    try:
        with threads_by_load(device) as adapt:
            for epoch in range(len(history), config.epochs):
                start = time.perf_counter()
                torch.manual_seed(config.seed * 100_003 + epoch)
                bar.set_description(f"epoch {epoch + 1}/{config.epochs}")
                train_loss, train_accuracy = train_epoch(
                    learner, train, optimizer, config, per_class, epoch, bar, adapt
                )
                buffers = {name: buffer.cpu() for name, buffer in model.named_buffers()}
                model.load_state_dict(everyone(buffers)[0], strict=False)
                if not math.isfinite(train_loss):
                    raise RunError(
                        f"the loss is no longer a number in epoch {epoch + 1}; "
                        f"lower lr ({config.lr:g})"
                    )
                row = {
                    "epoch": epoch + 1,
                    "lr": optimizer.param_groups[-1]["lr"],
                    "train_loss": train_loss,
                    "train_accuracy": train_accuracy,
                    **validate(model, val, config, per_class),
                }
                row["seconds"] = time.perf_counter() - start
                better = best
                lowest = best["val_cross_entropy"]
                if not math.isfinite(lowest) or row["val_cross_entropy"] < lowest:
                    better = {"state": copy.deepcopy(model.state_dict()), **row}
                longer = [*history, row]
                save_checkpoint(
                    checkpoint,
                    config=config.to_dict(),
                    history=longer,
                    best=better,
                    model=model.state_dict(),
                    optimizer=optimizer.state_dict(),
                )
                # Both in one statement, and only once they are saved: Ctrl-C must not come between.
                history, best = longer, better
                if tell:
                    bar.write(_line(row, config.epochs))
    except BaseException as error:
        if not history:  # the same call again, as in a notebook's cell, must start from the same
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
    return Fitted(table, interrupted, seconds_before)


def _learns_batchnorm(model: nn.Module, config: Config) -> bool:
    train_mode(model, config.frozen_batchnorm)
    return any(isinstance(module, _BatchNorm) and module.training for module in model.modules())


def refuse_settings(config: Config, photos: int, learns_batchnorm: bool) -> None:
    """ConfigError for settings with which no network can learn from so many training photos.

    These are a balance of an older version, and batches of which BatchNorm would learn from one
    value per channel, which has no variance.
    """
    if config.balance == LOSS_AND_LOGITS:
        raise ConfigError("balance: an older version weighted both loss and logits; train again")
    last_map_is_one_pixel = max(config.image_size) <= 32  # a ResNet divides both sides by 32
    if learns_batchnorm and last_map_is_one_pixel and min(config.batch_size, photos) == 1:
        why = "batch_size=1" if config.batch_size == 1 else "a single training photo"
        height, width = config.image_size
        raise ConfigError(
            f"{why} with image_size={height}x{width}: BatchNorm can't learn from one value per "
            "channel. Take a larger batch_size or image_size, or set frozen_batchnorm=true."
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
    """One pass over the training samples; their mean loss and accuracy while the network learns.

    With mixup these are the loss and accuracy of mixtures. A mixture counts as its larger part.
    Several processes draw the same batches, and each runs its share of each batch through the
    network.
    """
    train_mode(model, config.frozen_batchnorm)
    weights = per_class.weights
    # Read only once, at the end, so that a GPU need not wait for it.
    sums = torch.zeros(2, dtype=torch.float64, device=weights.device)
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
            logits = (model(inputs) + per_class.prior)[own]
        own_targets = targets[run][own]
        loss = loss_of_share(logits, own_targets, targets, weights, config)
        if config.mixup:
            others = targets[pairs[1]]
            other_loss = loss_of_share(logits, others[run][own], others, weights, config)
            loss = part * loss + (1 - part) * other_loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        sums += sums_over_samples(logits.detach(), own_targets, per_class)[:2]
        bar.update()
        each_step()
    mean_loss, accuracy = (sum(everyone(sums.cpu())) / len(train.rows)).tolist()
    return mean_loss, accuracy


def mixture(n: int, config: Config, epoch: int, step: int) -> tuple[Tensor, float]:
    """Pairs for mixup (Zhang et al., 2018) in a batch of ``n`` samples.

    Returns the samples and their partners, int64 [2, n], and the part of the first in each mixture.
    The part is at least a half. The mixtures are the same as without that limit, and each one
    counts as the class of its larger part.
    """
    rng = np.random.default_rng([config.seed, epoch, step])
    part = float(rng.beta(config.mixup, config.mixup))
    pairs = torch.stack([torch.arange(n), torch.from_numpy(rng.permutation(n))])
    return pairs, max(part, 1 - part)


def validate(
    model: nn.Module, val: Batches, config: Config, per_class: PerClass
) -> dict[str, float]:
    """Mean weighted loss, accuracy, cross-entropy and macro accuracy over the validation samples.

    Samples of classes that nothing is learned of don't count: the epoch that is worst at them would
    look best, or the other way round. All figures are NaN if there is no other sample.
    """
    names = ("val_loss", "val_accuracy", "val_cross_entropy", "val_macro")
    labels, known = val.labels.cpu(), per_class.cpu()
    counts = known.weights[labels] > 0
    if not counts.any():
        return dict.fromkeys(names, math.nan)
    logits = forward(model, val, config.precision, desc=None, by_load=False)
    logits, labels = logits[counts], labels[counts]
    sums = sums_over_samples(logits + known.prior, labels, known) / len(labels)
    guessed = guesses(logits, known)
    macro = recall_score(labels, guessed, labels=labels.unique(), average="macro", zero_division=0)
    return everyone(dict(zip(names, [*sums.tolist(), float(macro)], strict=True)))[0]


def _line(row: dict[str, float], epochs: int) -> str:
    """An epoch in a line, without validation if there was none."""
    loss = f"{row['train_loss']:.3f} train"
    accuracy = f"{row['train_accuracy']:.1%} train"
    if not math.isnan(row["val_loss"]):
        loss += f" {row['val_loss']:.3f} val"
        accuracy += f" {row['val_accuracy']:.1%} val"
    seconds = f"{row['seconds']:.0f} s"
    return f"epoch {row['epoch']:2d}/{epochs}  loss {loss}   accuracy {accuracy}   {seconds}"
