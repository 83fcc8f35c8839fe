"""Do photos that grow over the epochs cost accuracy? They cost fewer operations.

    python -m study growing --data … --weights … --out runs/growing    # writes results/growing.csv

Each network learns from an eighth of the photos of 2008 and 2012, and is judged on 2010, 2014, 2016
and 2018, and on the validation photos. The ways are compared seed by seed: with the same seed they
see the same photos in the same order. No photo of an odd year is seen.
"""

import shutil
import time
from collections.abc import Sequence
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
from fashion_tl.runs import Run, commit, machine, write_table
from study.records import one_at_a_time, read_columns
from study.trials import claimed, learn_to_the_end, scores, without

YEARS = (2010, 2014, 2016, 2018)
FRACTION = 0.125
EPOCHS = {"direct": 8, "two_step": 4}  # of each training
WAYS: dict[str, dict[str, Any]] = {
    "whole": {},
    "grown": {"grow_from": 0.4},
}


def judged(
    approach: str, way: str, seed: int, data: Data, weights: str, folder: Path
) -> list[dict]:
    """Train one network; its right answers by year, and the seconds of its trainings' epochs."""
    seconds = 0.0
    networks: list[nn.Module] = []

    def learn(model: nn.Module, own: Data, run: Run) -> Run:
        nonlocal seconds
        start = time.perf_counter()
        networks.append(model)
        learn_to_the_end(model, own, run)
        seconds += time.perf_counter() - start
        return run

    own = {"epochs": EPOCHS[approach], "seed": seed, "flip_test": False}
    configs = approach_configs(approach, **own, **WAYS[way])
    part = without(data, YEARS, FRACTION)
    run = resolve_name(APPROACHES[approach].function)(part, weights, folder, *configs, learn)[-1]
    rows: list[dict[str, Any]] = []
    for scored in ("test", "val"):
        _, logits = features_and_logits(networks[-1], part, run.config, scored, "scoring")
        rows += scores(scored, logits, part)
    about = {"train": len(part.task.train), "seconds": round(seconds, 1)}
    return [{"approach": approach, "way": way, "seed": seed} | row | about for row in rows]


def main(
    data_path: str,
    weights: str,
    out: str,
    results: Path,
    cache: str | None = None,
    only: Sequence[str] = (),
) -> None:
    """Train every network of ``only`` (approaches) that isn't trained yet, seed by seed."""
    available_weights(weights, is_sample=False)
    data = load_data(data_path, make_config("direct"), cache, quiet=True)
    for approach in only or EPOCHS:
        for seed in range(3):
            for way in WAYS:
                folder = as_path(out) / f"{approach}_{way}_{seed}".replace(" ", "_")
                if not claimed(folder):
                    continue
                try:
                    keep(judged(approach, way, seed, data, weights, folder), results)
                except BaseException:
                    shutil.rmtree(folder)
                    raise


def keep(rows: list[dict], results: Path) -> None:
    """Put these rows in the place of older ones in ``growing.csv``."""
    file = results / "growing.csv"
    names = ["approach", "way", "seed"]
    new = pd.DataFrame(rows).assign(machine=machine(), commit=commit())
    print(new.to_string(index=False), flush=True)
    with one_at_a_time(results):
        if file.exists():
            old = read_columns(file, names)
            again = old.set_index(names).index.isin(new.set_index(names).index)
            new = pd.concat([old[~again], new])
        write_table(file, new)
