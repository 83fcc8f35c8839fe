"""Tuning: every trial is judged on the validation photos of the even years alone.

Networks learn from a fixed quarter of the training photos; heads alone, which cost next to nothing,
from all of them.

    python -m study tune --data … --weights … --out runs/tuning
    python -m study render

The first makes all trials, and only reads those already made. The second writes results/tuning.md
from results/tuning.csv.

No trial ever sees a photo of an odd year. The trials in tuning.csv with "zoom" in their names can't
be made again from here: it has left the code, and the commit beside them has it.
"""

from collections.abc import Sequence
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import pandas as pd
from torch import nn

from fashion_tl.config import Config
from fashion_tl.data.dataset import Data, load_data
from fashion_tl.errors import ConfigError
from fashion_tl.files import as_path
from fashion_tl.network.model import available_weights
from fashion_tl.recipes import APPROACHES, TRAININGS
from fashion_tl.running import train, unless_interrupted
from fashion_tl.runs import Run, open_run, write_table
from study.records import one_at_a_time, read_columns

QUARTER = {"train_fraction": 0.25}
BASIS = {
    "image_size": (80, 60),
    "batch_size": 64,
    "flip": True,
    "optimizer": "adamw",
    "lr": 3e-3,
    "backbone_lr_ratio": 0.1,
    "weight_decay": 0.05,
    "warmup_epochs": 0.5,
    "frozen_batchnorm": True,
}
SMOOTHED = {"label_smoothing": 0.1}
ADJUSTED = {"balance": "logits", "balance_power": 0.5}
SHORT = {
    "AdamW, 3e-4": BASIS,
    "AdamW, 1e-4": BASIS | {"backbone_lr_ratio": 0.03},
    "AdamW, 6e-4": BASIS | {"backbone_lr_ratio": 0.2},
    "mixup": BASIS | {"mixup": 0.2},
    "SGD, 0.02": BASIS | {"optimizer": "sgd", "lr": 0.2, "weight_decay": 1e-4},
    "label smoothing": BASIS | SMOOTHED,
    "logit adjustment": BASIS | ADJUSTED,
    "BatchNorm learns": BASIS | {"frozen_batchnorm": False},
    "128x96": BASIS | {"image_size": (128, 96)},
    "160x120": BASIS | {"image_size": (160, 120)},
}
LONG: dict[str, dict[str, Any]] = {
    "mixup, long": {"mixup": 0.2},
    "more mixup, long": {"mixup": 0.8},
    "mixup and logit adjustment, long": {"mixup": 0.2, **ADJUSTED},
    "these and label smoothing, long": {"mixup": 0.2, **SMOOTHED, **ADJUSTED},
}
HEAD = {"image_size": (224, 168), "batch_size": 128, "flip": True, "lr": 1.0, "epochs": 20}
# What each trial changes, by approach. Each sees as many photos as the others of its approach, the
# long ones three times as many. The epochs of two steps are those of each step.
TRIALS = {
    "fc_only": {
        "lr 1": HEAD,
        "lr 0.3": HEAD | {"lr": 0.3},
        "lr 3": HEAD | {"lr": 3.0},
        "weight decay 1e-5": HEAD | {"weight_decay": 1e-5},
        "label smoothing": HEAD | SMOOTHED,
        "logit adjustment": HEAD | ADJUSTED,
        "no class weights": HEAD | {"balance": "none"},
        "batches of 32": HEAD | {"batch_size": 32},
        "160x120": HEAD | {"image_size": (160, 120)},
        "128x96": HEAD | {"image_size": (128, 96)},
        "logit adjustment and smoothing": HEAD | ADJUSTED | SMOOTHED,
        "these and weight decay 1e-5": HEAD | ADJUSTED | SMOOTHED | {"weight_decay": 1e-5},
        "these and lr 0.3": HEAD | ADJUSTED | SMOOTHED | {"weight_decay": 1e-5, "lr": 0.3},
        "these and lr 3": HEAD | ADJUSTED | SMOOTHED | {"weight_decay": 1e-5, "lr": 3.0},
        "these and logit adjustment 1": HEAD
        | ADJUSTED
        | SMOOTHED
        | {"weight_decay": 1e-5, "balance_power": 1.0},
        "these and weight decay 1e-6": HEAD | ADJUSTED | SMOOTHED | {"weight_decay": 1e-6},
    },
    "direct": {name: QUARTER | settings | {"epochs": 4} for name, settings in SHORT.items()}
    | {name: QUARTER | BASIS | settings | {"epochs": 12} for name, settings in LONG.items()},
    "two_step": {name: QUARTER | settings | {"epochs": 2} for name, settings in SHORT.items()}
    | {name: QUARTER | BASIS | settings | {"epochs": 6} for name, settings in LONG.items()},
}


def trial(approach: str, settings: dict[str, Any], data: Data, weights: str, folder: Path) -> Run:
    """Train as the approach does, and test nothing.

    A trial that was made already, with these settings, is only read.
    """
    configs = trial_configs(approach, settings)
    start = available_weights(weights, is_sample=False, backbone=configs[-1].backbone)
    was_done = is_done(folder)

    def learn(model: nn.Module, own: Data, run: Run) -> Run:
        if not was_done:
            unless_interrupted(train(model, own, run))
        return run

    prepare_and_learn = resolve_name(APPROACHES[approach].function)
    *steps_before, run = prepare_and_learn(data, start, folder, *configs, learn)
    for each in (run, *steps_before):
        each.checkpoint.unlink(missing_ok=True)
    return run


def trial_configs(approach: str, settings: dict[str, Any]) -> list[Config]:
    """The settings of each training of an approach.

    They don't begin from a recipe, because the trials decide what that is.
    """
    return [
        Config(training, largest=TRAININGS[training].largest).change(**settings)
        for training in APPROACHES[approach].trainings
    ]


def is_done(folder: Path) -> bool:
    return (folder / "history.csv").exists() and not (folder / "checkpoint.pt").exists()


def row(approach: str, name: str, run: Run, data: Data) -> dict[str, Any]:
    best, config = run.history[run.history["best"]].iloc[0], run.config
    seconds, n = run.history["seconds"].sum(), len(data.task.val)
    for training in APPROACHES[approach].trainings[:-1]:
        seconds += open_run(run.folder / training).history["seconds"].sum()
    margin = 1.96 * (best["val_accuracy"] * (1 - best["val_accuracy"]) / n) ** 0.5
    return {
        "approach": approach,
        "trial": name,
        "image_size": "{}x{}".format(*config.image_size),
        "epochs": config.epochs,
        "train_photos": len(data.task.train),
        "val_accuracy": round(best["val_accuracy"], 4),
        "margin95": round(margin, 4),
        "val_macro": round(best["val_macro"], 4),
        "val_cross_entropy": round(best["val_cross_entropy"], 4),
        "best_epoch": int(best["epoch"]),
        "minutes": round(seconds / 60, 1),
        "commit": run.about["commit"],
    }


def main(
    data_path: str,
    weights: str,
    out: str,
    results: Path,
    *,
    cache: str | None = None,
    only: Sequence[str] = (),
    trials: Sequence[str] = (),
) -> None:
    """Make the trials of these approaches and names, or all, and put each into ``tuning.csv``."""
    chosen = {approach: chosen_trials(approach, trials) for approach in only or TRIALS}
    for approach, named in chosen.items():
        if named:
            first = next(iter(named.values()))
            data = load_data(data_path, trial_configs(approach, first)[-1], cache)
        for name, settings in named.items():
            run = trial(
                approach, settings, data, weights, as_path(out) / approach / name.replace(" ", "_")
            )
            keep(row(approach, name, run, data), results)


def chosen_trials(approach: str, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """An approach's trials of these names, or all. ConfigError for a name that no trial has, of
    whatever approach.
    """
    known = {name for trials in TRIALS.values() for name in trials}
    for name in names:
        if name not in known:
            raise ConfigError(f"there is no trial {name!r}; there are: {', '.join(sorted(known))}")
    return {
        name: settings for name, settings in TRIALS[approach].items() if name in (names or known)
    }


def keep(new: dict[str, Any], results: Path) -> None:
    """Put the row in the place of the same trial's in ``tuning.csv``, or at the end."""
    file = results / "tuning.csv"
    with one_at_a_time(results):
        rows = read_columns(file, ("approach", "trial")).to_dict("records") if file.exists() else []
        names = [(old["approach"], old["trial"]) for old in rows]
        own = (new["approach"], new["trial"])
        place = names.index(own) if own in names else len(rows)
        rows[place : place + 1] = [new]
        write_table(file, pd.DataFrame(rows))
    print(new, flush=True)
