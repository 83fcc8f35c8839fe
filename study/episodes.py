"""N-way k-shot episodes: how well a network names classes that it never learned from.

python -m study episodes --data … --weights … --out runs/episodes     # writes results/episodes.json

An episode draws N classes, k photos of each to learn from, and other photos of them to name. Others
state such figures for one partition of the classes, ``few_shot_classes.csv``: the network learns
from the *background* classes, and the episodes are drawn from the *evaluation* classes. They use
the photos of all years, and so does this. So no other figure of ours can be compared with these.

Two networks are measured: ImageNet's, and one that was fine-tuned on the background classes by
direct's recipe. How an episode's photos are named is chosen for each of them on episodes of
background classes that were held out. Only then are the evaluation classes scored, once.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from fashion_tl.config import Config
from fashion_tl.data.dataset import Data, load_unsplit
from fashion_tl.data.task import make_task
from fashion_tl.data.twins import twin_groups
from fashion_tl.errors import DataError
from fashion_tl.files import as_path
from fashion_tl.network.extending import layer_of
from fashion_tl.network.model import available_weights, build_network
from fashion_tl.recipes import make_config
from fashion_tl.running import start_run, train, unless_interrupted
from fashion_tl.runs import write_json
from study.data_check import alike
from study.draws import figures, mean_of, measured
from study.heads import made_with
from study.hidden import some_of
from study.records import read_columns
from study.two_blocks import LastBlocks, last_blocks

MOST = 300  # training photos of a class, so that the largest ones don't fill the training
HELD_OUT = 0.25  # of the background classes, to choose on
CHOOSING, EPISODES = 200, 1000  # of each setting


def read_parts(results: Path, data: Data) -> dict[str, list[str]]:
    """The names of the ``"background"`` and the ``"evaluation"`` classes.

    RunError if the table of them can't be read, DataError if the data lack one of the classes.
    """
    file = results / "few_shot_classes.csv"
    table = read_columns(file, ("label", "part"))
    if missing := sorted(set(table["label"]) - set(data.catalogue.classes)):
        raise DataError(
            f"{data.root.path}: no photo of {missing[0]!r}, a class that {file} names; "
            "remove its row there, or take other data"
        )
    return {part: own["label"].to_list() for part, own in table.groupby("part")}


def parted(data: Data, learned: Sequence[str], scored: Sequence[str], config: Config) -> Data:
    """The same data, of which some classes train and validate, and others test.

    Of each class that is ``learned``, ``MOST`` photos train at most, and a tenth as many validate.
    Photos with a twin in a class that is ``scored`` do neither.
    """
    names = data.catalogue.table["label"]
    twins = twin_groups(data.digests)
    part = np.where(names.isin(scored), "test", "train")
    catalogue = replace(data.catalogue, table=data.catalogue.table.assign(part=part))
    task = make_task(catalogue, twins, config.val_fraction, config.split_seed)
    seen = names.isin(learned).to_numpy() & ~np.isin(twins, twins[task.test])
    train_rows, val_rows = (
        np.sort(some_of(rows[seen[rows]], task.labels, most))
        for rows, most in ((task.train, MOST), (task.val, MOST // 10))
    )
    # Runs on other photos are other runs.
    rows = np.concatenate([train_rows, val_rows]).astype(np.int64)
    fingerprint = hashlib.sha256(data.fingerprint.encode() + rows.tobytes()).hexdigest()[:16]
    task = replace(task, train=train_rows, val=val_rows)
    return replace(data, task=task, fingerprint=fingerprint)


def held_out(background: Sequence[str]) -> tuple[list[str], list[str]]:
    """The background classes to learn, and those to choose on."""
    order = np.random.default_rng(0).permutation(sorted(background)).tolist()
    held = round(HELD_OUT * len(order))
    return sorted(order[held:]), sorted(order[:held])


def imagenet(data: Data, weights: str, config: Config, folder: Path) -> nn.Module:
    """The network as it is before any training on these data; nothing is kept in the folder."""
    return build_network(data.task.num_classes, weights, config)


def fine_tuned(data: Data, weights: str, config: Config, folder: Path) -> nn.Module:
    """The network after direct's training. The folder keeps each epoch, so that it can go on."""
    run = start_run(folder, config, data, weights)
    model = build_network(data.task.num_classes, weights, config)
    unless_interrupted(train(model, data, run))
    return model


MAKERS = {"ImageNet": imagenet, "background classes": fine_tuned}


def of_networks(choosing: LastBlocks, scoring: LastBlocks) -> dict[str, Any]:
    """Every method on episodes of the first network, and the best of them on those of the second.

    Both are made in the same way. The classes that test give the episodes.
    """
    tried = {method: mean_of(own) for method, own in measured(choosing, CHOOSING).items()}
    chosen = max(tried, key=lambda method: tried[method])
    found = measured(scoring, EPISODES, [chosen])[chosen]
    return {
        "held_out": {method.words: round(mean, 5) for method, mean in tried.items()},
        "chosen": chosen.words,
        "evaluation": figures(found),
    }


def described(data: Data, parts: dict[str, list[str]]) -> dict[str, Any]:
    """How many photos took part, of which years, and what both sides share."""
    task = data.task
    names = data.catalogue.table["label"]
    background = np.flatnonzero(names.isin(parts["background"]))
    years = data.catalogue.table["year"].to_numpy(float, na_value=np.nan)
    odd = {
        name: int((years[rows] % 2 == 1).sum())
        for name, rows in (("train", task.train), ("test", task.test))
    }
    return {
        "classes": {name: len(own) for name, own in parts.items()},
        "photos": {"train": len(task.train), "val": len(task.val), "test": len(task.test)},
        "of_odd_years": odd,
        "most": MOST,
        "alike": alike(data, background, task.test),
    }


def main(
    data_path: str, weights: str, out: str, cache: str | None, results: Path, **settings: Any
) -> None:
    """Train, choose and score, and write ``episodes.json``.

    ``settings`` change direct's recipe. What ``out`` and the cache hold already isn't made again.
    """
    config = make_config("direct", **settings)
    available_weights(weights, is_sample=False, backbone=config.backbone)
    data = load_unsplit(data_path, config, cache)
    parts = read_parts(results, data)
    learned, held = held_out(parts["background"])
    choosing = parted(data, learned, held, config)
    scoring = parted(data, parts["background"], parts["evaluation"], config)
    found = {}
    for name, make in MAKERS.items():
        networks = []
        for own, folder in ((choosing, "held_out"), (scoring, "background")):
            model = make(own, weights, config, as_path(out) / folder)
            networks.append(last_blocks(model, layer_of(model), own, config))
        found[name] = of_networks(*networks)
    write_json(
        results / "episodes.json",
        made_with(data, weights, config)
        | {"held_out": held, **described(scoring, parts), "networks": found},
    )
