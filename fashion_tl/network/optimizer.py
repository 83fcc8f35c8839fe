"""The optimiser, and its learning rate at each step."""

import math

from torch import nn
from torch.optim import SGD, AdamW, Optimizer

from fashion_tl.config import Config


def make_optimizer(model: nn.Module, config: Config) -> Optimizer:
    """SGD, or AdamW (Loshchilov and Hutter, 2019), for the parameters that learn.

    The last layer learns at the learning rate, and the rest at ``config.backbone_lr_ratio`` times
    that. Each group of parameters has this number as its ``factor``.
    """
    last = {id(p) for p in [*model.modules()][-1].parameters()}
    head = [p for p in model.parameters() if p.requires_grad and id(p) in last]
    rest = [p for p in model.parameters() if p.requires_grad and id(p) not in last]
    groups = [
        {"params": parameters, "factor": factor}
        for parameters, factor in ((rest, config.backbone_lr_ratio), (head, 1.0))
        if parameters
    ]
    lr, decay = config.lr, config.weight_decay
    if config.optimizer == "adamw":
        return AdamW(groups, lr=lr, weight_decay=decay, fused=True)
    return SGD(groups, lr=lr, momentum=config.momentum, weight_decay=decay, fused=True)


def learning_rate(step: int, steps_per_epoch: int, config: Config) -> float:
    """The learning rate of a step: a linear warm-up, then the schedule.

    Steps are counted from 0 over all epochs.
    """
    warmup = config.warmup_epochs * steps_per_epoch
    total = config.epochs * steps_per_epoch
    if step < warmup:
        return config.lr * (step + 1) / (warmup + 1)
    if config.schedule == "constant":
        return config.lr
    return config.lr * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, total - warmup)))
