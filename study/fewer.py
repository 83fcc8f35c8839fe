"""What does it cost to train with fewer operations? Tried seed by seed, on even years alone.

python -m study fewer --data … --weights … --out runs/fewer    # writes results/fewer.csv

Each network learns from an eighth of the photos of 2008 and 2012, and is judged on 2010, 2014, 2016
and 2018, and on the validation photos. All ways learn from the same photos. No photo of an odd year
is seen. The way "grown" in fewer.csv has left the code; the commit beside it has it.
"""

import time
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
from study.trials import (
    claimed,
    keep,
    learn_to_the_end,
    made_or_removed,
    refuse_without_years,
    scores,
    without,
)

YEARS = (2010, 2014, 2016, 2018)
FRACTION = 0.125
APPROACH = "direct"
SEEDS = range(3)
WAYS: dict[str, dict[str, Any]] = {"whole": {}, "shorter": {"epochs": 5}}


def judged(way: str, seed: int, data: Data, weights: str, folder: Path) -> list[dict[str, Any]]:
    """Train one network; its right answers by year, and the seconds of its training."""
    seconds: list[float] = []
    networks: list[nn.Module] = []

    def learn(model: nn.Module, own: Data, run: Run) -> Run:
        start = time.perf_counter()
        networks.append(model)
        learn_to_the_end(model, own, run)
        seconds.append(time.perf_counter() - start)
        return run

    configs = approach_configs(APPROACH, seed=seed, flip_test=False, **WAYS[way])
    part = without(data, YEARS, FRACTION)
    approach = resolve_name(APPROACHES[APPROACH].function)
    run = approach(part, weights, folder, *configs, learn)[-1]
    about = {"train": len(part.task.train), "seconds": round(sum(seconds), 2)}
    rows: list[dict[str, Any]] = []
    for scored in ("test", "val"):
        _, logits = features_and_logits(networks[-1], part, run.config, scored, "scoring")
        rows += scores(scored, logits, part)
    return [{"trial": way, "seed": seed} | row | about for row in rows]


def main(data_path: str, weights: str, out: str, results: Path, cache: str | None = None) -> None:
    """Train every network that isn't trained yet, seed by seed."""
    config = make_config(APPROACH)
    available_weights(weights, is_sample=False, backbone=config.backbone)
    data = load_data(data_path, config, cache, quiet=True)
    refuse_without_years(data)
    for seed in SEEDS:
        for way in WAYS:
            folder = as_path(out) / f"{way}_{seed}"
            if not claimed(folder):
                continue
            with made_or_removed(folder):
                rows = pd.DataFrame(judged(way, seed, data, weights, folder))
                rows = rows.assign(machine=machine(), commit=commit())
                keep(rows, results / "fewer.csv", ("trial", "seed"))
