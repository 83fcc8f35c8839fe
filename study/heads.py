"""How sure are FC only's figures? Five seeds, five folds of the even years, and each even year held
out in turn.

python -m study heads --data … --weights …     # writes results/fc_head.json; some minutes, most of
it features
"""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.model_selection import StratifiedGroupKFold
from torch import nn

from fashion_tl.config import Config
from fashion_tl.data.batches import Batches
from fashion_tl.data.dataset import Data, load_data
from fashion_tl.data.twins import twin_groups
from fashion_tl.errors import DataError, photos_in_words
from fashion_tl.network.features import part_features
from fashion_tl.network.inference import forward, pick_device
from fashion_tl.network.model import (
    available_weights,
    build_network,
    freeze_all_but_head,
    split_frozen,
)
from fashion_tl.network.training import fit, unless_interrupted
from fashion_tl.network.weights import weights_name
from fashion_tl.recipes import make_config
from fashion_tl.reporting.evaluation import metrics, prediction_table
from fashion_tl.runs import commit, machine, write_json
from study.record import look

FEWEST = 100  # photos of a year that is worth holding out
MEASURED = (
    "n_test",
    "ceiling",
    "correct",
    "top1",
    "top1_learnable",
    "top5",
    "macro",
    "macro_classes",
    "few_shot",
)


def new_head(weights: str, data: Data, config: Config) -> tuple[nn.Sequential, nn.Sequential]:
    """A frozen body, and a head that has learned nothing yet."""
    model = build_network(data.task.num_classes, weights, config).to(pick_device())
    freeze_all_but_head(model)
    return split_frozen(model)


def trained_head(
    weights: str, data: Data, config: Config, together: bool
) -> tuple[nn.Sequential, Batches, Batches, Batches]:
    """A head, trained as the recipe says, and the features to train, to validate and to test.

    ``together`` keeps the features of all parts in one file.
    """
    frozen, head = new_head(weights, data, config)
    parts = ("train", "val", "test") if together else ("train", "val")
    train, val, *rest = part_features(data, frozen, config, *parts)
    unless_interrupted(fit(head, train, val, config, data.class_weights(config)))
    views = config.change(flip=config.flip_test)
    (test,) = rest or part_features(data, frozen, views, "test")
    return head, train, val, test


def left_out(data: Data, chosen: np.ndarray) -> Data:
    """The data without some photos of even years, which test instead.

    ``chosen``, bool [rows], marks them. Twins of theirs, photos that are the same pixel for pixel,
    still train unless they are chosen, too.
    """
    task = data.task
    even = task.train_and_val
    train, val = (rows[~chosen[rows]] for rows in (task.train, task.val))
    return replace(data, task=replace(task, train=train, val=val, test=even[chosen[even]]))


def refuse_without_new(data: Data, where: str | os.PathLike, fewest: int = 1) -> None:
    """DataError, which begins with ``where``, unless a class without a training photo has at least
    the ``fewest`` test photos.
    """
    task = data.task
    rows = task.test[task.fit_counts[task.labels[task.test]] == 0]
    if np.bincount(task.labels[rows], minlength=1).max() < fewest:
        raise DataError(
            f"{where}: there is nothing to measure, since no class without a training photo has "
            f"{photos_in_words(fewest)} to test; name data in which some classes only test"
        )


def made_with(data: Data, weights: str, config: Config) -> dict[str, Any]:
    """What a measurement says of its data, weights, settings, machine and code."""
    return {
        "data": data.root.name,
        "weights": weights_name(weights),
        "config": config.to_dict(),
        "torch": torch.__version__,
        "machine": machine(),
        "commit": commit(),
    }


def trained(
    weights: str, data: Data, counts: pd.DataFrame, config: Config, together: bool
) -> dict[str, float | None]:
    """A head (see :func:`trained_head`), scored once on the photos that test.

    ``counts`` gives ``label, train``: the training photos of each class. A mean over no photos or
    classes is None.
    """
    head, _, _, test = trained_head(weights, data, config, together)
    logits = forward(head, test, config.precision, None, flip=config.flip_test).numpy()
    task = data.task
    fit_counts = task.fit_counts.tolist()
    predictions = prediction_table(data.table("test"), logits, task.classes, fit_counts)
    result = metrics(predictions, counts)
    return {"train": len(task.train), **{figure: result[figure] for figure in MEASURED}}


def main(data_path: str, weights: str, cache: str | None, results: Path) -> None:
    """Measure all of it, and write ``fc_head.json``."""
    config = make_config("fc_only")
    available_weights(weights, is_sample=False, backbone=config.backbone)
    data = load_data(data_path, config, cache)
    seeds = [
        {"seed": seed}
        | trained(weights, data, data.counts, config.change(seed=seed), together=False)
        for seed in range(5)
    ]
    folds, years = held_out(weights, data, config)
    made = made_with(data, weights, config)
    for each in seeds:
        about = each | {"epochs": config.epochs, "commit": commit()}
        look("fc_only_head", about, config, "the spread over five seeds", results)
    write_json(results / "fc_head.json", made | {"seeds": seeds, "folds": folds, "years": years})


def held_out(weights: str, data: Data, config: Config) -> tuple[list[dict], list[dict]]:
    """The head trained without one fold of the even years, and without one of those years, and
    scored on that.

    It is trained to the last epoch: choosing one on the photos that are scored would flatter. A
    fold has both of two twins, photos that are the same pixel for pixel, or neither. A year may
    have one of two twins, while the other one trains.
    """
    even = data.task.train_and_val
    labels, years = data.task.labels[even], data.catalogue.table["year"].to_numpy()[even]

    def without(rows: np.ndarray) -> dict[str, float | None]:
        task = replace(data.task, train=np.setdiff1d(even, rows), val=rows[:0], test=rows)
        counts = data.counts.assign(train=task.fit_counts)
        return trained(weights, replace(data, task=task), counts, config, together=True)

    twins = twin_groups(data.digests)[even]
    split = StratifiedGroupKFold(5, shuffle=True, random_state=0).split(even, labels, twins)
    folds = [{"fold": fold} | without(even[rows]) for fold, (_, rows) in enumerate(split, 1)]
    named, photos = np.unique(years, return_counts=True)
    return folds, [
        {"year": int(year)} | without(even[years == year]) for year in named[photos >= FEWEST]
    ]
