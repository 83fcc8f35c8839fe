"""Answers for every photo, each from a last layer that learned only from the other photos."""

from dataclasses import replace

import numpy as np
import torch
from sklearn.model_selection import StratifiedGroupKFold

from fashion_tl.config import Config
from fashion_tl.data.batches import Batches
from fashion_tl.data.dataset import Data
from fashion_tl.data.twins import twin_groups
from fashion_tl.files import StrPath
from fashion_tl.machine import say
from fashion_tl.network.features import measure_statistics, part_features
from fashion_tl.network.inference import forward, pick_device
from fashion_tl.network.model import (
    build_network,
    freeze_all_but_head,
    replace_head,
    split_frozen,
)
from fashion_tl.network.training import fit, unless_interrupted
from fashion_tl.network.weights import is_random

FOLDS = 5


def logits_out_of_fold(data: Data, weights: StrPath | None, config: Config) -> np.ndarray:
    """FC only's logits for each photo of ``data.task.train``, float32 [photos, num_classes].

    The photos are divided into ``FOLDS`` parts with about the same share of each class. Photos
    that are the same pixel for pixel stay together. For each part, a new last layer learns from
    the other parts to the last epoch. ``config.flip`` decides whether it sees mirror images, both
    in learning and in answering. The features of all photos of the catalogue are computed once and
    kept, so another label can use them again.
    """
    task = data.task
    rows, labels = task.train, task.labels
    every = replace(data, task=replace(task, train=np.arange(len(labels))))
    model = build_network(task.num_classes, weights, config).to(pick_device())
    freeze_all_but_head(model)
    frozen, _ = split_frozen(model)
    if is_random(weights):
        measure_statistics(frozen, every, config)
    (samples,) = part_features(every, frozen, config, "train")

    def part(own: np.ndarray) -> Batches:
        numbers = torch.from_numpy(own)
        return replace(samples, rows=numbers, labels=torch.from_numpy(labels[own]))

    logits = np.zeros((len(rows), task.num_classes), np.float32)
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=config.seed)
    parts = folds.split(rows, labels[rows], twin_groups(data.digests)[rows])
    for number, (others, own) in enumerate(parts, 1):
        say(f"part {number} of {FOLDS}: its labels are judged by the other parts")
        learned = replace(data, task=replace(task, train=rows[others]))
        replace_head(model, task.num_classes, config.seed)
        _, head = split_frozen(model)
        none = part(rows[:0])  # choosing an epoch on the part itself would flatter
        weights_of_classes = learned.class_weights(config)
        unless_interrupted(
            fit(head, part(rows[others]), none, config, weights_of_classes, tell=False)
        )
        answers = forward(head, part(rows[own]), config.precision, None, flip=config.flip)
        logits[own] = answers.numpy()
    return logits
