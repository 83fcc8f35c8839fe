"""The optimiser of what learns, and its learning rate at each step."""

import math

from torch import nn
from torch.optim import SGD, AdamW, Optimizer

from fashion_tl.config import Config


def make_optimizer(model: nn.Module, config: Config) -> Optimizer:
    """SGD, or AdamW (Loshchilov and Hutter, 2019), of what learns: the last layer at the learning
    rate, the rest at ``config.backbone_lr_ratio`` times it, which ``factor`` in its group says.
    """
    last = {id(p) for p in [*model.modules()][-1].parameters()}
    head = [p for p in model.parameters() if p.requires_grad and id(p) in last]
    rest = [p for p in model.parameters() if p.requires_grad and id(p) not in last]
    groups = [
        {"params": p, "factor": f} for p, f in ((rest, config.backbone_lr_ratio), (head, 1.0)) if p
    ]
    kind, more = (
        (AdamW, {}) if config.optimizer == "adamw" else (SGD, {"momentum": config.momentum})
    )
    return kind(groups, lr=config.lr, weight_decay=config.weight_decay, fused=True, **more)


def learning_rate(step: int, steps_per_epoch: int, config: Config) -> float:
    """The learning rate of a step, counted from 0 over all epochs: a linear warm-up, then the
    schedule.
    """
    warmup, total = config.warmup_epochs * steps_per_epoch, config.epochs * steps_per_epoch
    if step < warmup:
        return config.lr * (step + 1) / (warmup + 1)
    if config.schedule == "constant":
        return config.lr
    return config.lr * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, total - warmup)))
