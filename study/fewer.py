"""What does it cost to train with fewer operations? Tried seed by seed, on even years alone.

python -m study fewer --data … --weights … --out runs/fewer    # writes results/fewer.csv

Each network learns from an eighth of the photos of 2008 and 2012, and is judged on 2010, 2014, 2016
and 2018, and on the validation photos. All ways learn from the same photos. No photo of an odd year
is seen. ``operations`` are those of a whole training, in 10¹². The way "grown" in fewer.csv has
left the code; the commit beside it has it.
"""

import time
from itertools import product
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import pandas as pd
from torch import nn

from fashion_tl.data.dataset import Data, load_data
from fashion_tl.files import as_path
from fashion_tl.network.features import features_and_logits
from fashion_tl.network.model import available_weights
from fashion_tl.recipes import APPROACHES, approach_configs, make_config
from fashion_tl.runs import Run, commit, machine
from study.bench.limit import operations
from study.trials import (
    claimed,
    keep,
    learn_to_the_end,
    made_or_removed,
    refuse_damaged,
    refuse_without_years,
    scores,
    without,
)

YEARS = (2010, 2014, 2016, 2018)
FRACTION = 0.125
TRIED = ("direct", "two_step")
SEEDS = range(3)
# What each trial changes in a recipe.
WAYS: dict[str, dict[str, Any]] = {
    "whole": {},
    "shorter": {"epochs": 5},
    "frozen": {"frozen_children": 6},  # all before layer3
    "frozen, 6 epochs": {"frozen_children": 6, "epochs": 6},
}


def judged(
    approach: str, way: dict[str, Any], seed: int, data: Data, weights: str, folder: Path
) -> list[dict[str, Any]]:
    """Train one approach; for each of its trainings the right answers by year, and the seconds."""
    rows: list[dict[str, Any]] = []

    def learn(model: nn.Module, own: Data, run: Run) -> Run:
        start = time.perf_counter()
        learn_to_the_end(model, own, run)
        seconds = round(time.perf_counter() - start, 2)
        photos = len(own.task.train)
        needed = operations(model, run.config.image_size, learns=True)
        needed *= photos * run.config.epochs / 1e12
        about = {"train": photos, "operations": float(f"{needed:.4g}"), "seconds": seconds}
        for scored in ("test", "val"):
            _, logits = features_and_logits(model, own, run.config, scored, "scoring")
            named = {"training": run.config.training}
            rows.extend(named | row | about for row in scores(scored, logits, own))
        return run

    configs = approach_configs(approach, seed=seed, flip_test=False, **way)
    part = without(data, YEARS, FRACTION)
    resolve_name(APPROACHES[approach].function)(part, weights, folder, *configs, learn)
    return rows


def main(data_path: str, weights: str, out: str, results: Path, cache: str | None = None) -> None:
    """Train every network that isn't trained yet, seed by seed."""
    config = make_config("direct")
    available_weights(weights, is_sample=False, backbone=config.backbone)
    data = load_data(data_path, config, cache, quiet=True)
    refuse_without_years(data)
    names = ("training", "trial", "seed")
    refuse_damaged(results / "fewer.csv", names)
    for seed, approach, (trial, way) in product(SEEDS, TRIED, WAYS.items()):
        folder = as_path(out) / f"{approach}_{trial}_{seed}".replace(", ", "_").replace(" ", "_")
        if not claimed(folder):
            continue
        with made_or_removed(folder):
            rows = pd.DataFrame(judged(approach, way, seed, data, weights, folder))
            rows.insert(1, "trial", trial)
            rows.insert(2, "seed", seed)
            rows = rows.assign(machine=machine(), commit=commit())
            keep(rows, results / "fewer.csv", names)
