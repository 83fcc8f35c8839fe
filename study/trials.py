"""Trials judged by years left out: what could improve a recipe, tried on even years alone.

python -m study trials --data … --weights … --out runs/trials    # writes results/trials.csv

The criterion is the mean of five accuracies: on the photos of 2010, of 2014, of 2016 and of 2018,
each scored by a network that learned without that year, and on the validation photos. Two networks
make a trial: one learns without 2016, the other without the other three years. Only photos of
classes with training photos count. No trial sees a photo of an odd year, and none chooses an epoch.

Several processes with the same ``--out`` share the work: each takes a trial that no other has.
The trials in trials.csv that can't be made from here have left the code; the commit beside them has
it.
"""

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import numpy as np
import pandas as pd
from torch import nn

from fashion_tl.data.dataset import Data, load_data
from fashion_tl.errors import ConfigError, DataError
from fashion_tl.files import as_path, check_writable
from fashion_tl.network.features import features_and_logits, part_features
from fashion_tl.network.inference import pick_device, through
from fashion_tl.network.model import available_weights, split_frozen
from fashion_tl.network.training import fit, unless_interrupted
from fashion_tl.recipes import APPROACHES, approach_configs, make_config
from fashion_tl.reporting.evaluation import prediction_table
from fashion_tl.runs import Run, commit, machine, write_table
from study.heads import left_out
from study.records import one_at_a_time, read_columns

FOLDS = ((2016,), (2010, 2014, 2018))  # left out together
# Of a fine-tuning: half of the training photos, and half of the epochs.
SHORT = {"epochs": 4}
FRACTION = 0.5


@dataclass(frozen=True)
class Trial:
    """What a trial changes in the recipe of its approach."""

    approach: str
    settings: dict[str, Any] = field(default_factory=dict)


TRIALS = {
    "direct": Trial("direct", SHORT),
    "direct, 224x168": Trial("direct", SHORT | {"image_size": (224, 168)}),
    "direct, trimmed": Trial("direct", SHORT | {"trim": True}),
    "direct, no mixup": Trial("direct", SHORT | {"mixup": 0.0}),
    "direct, frozen before layer3": Trial("direct", SHORT | {"frozen_children": 6}),
    "two steps": Trial("two_step", SHORT),
    "FC only": Trial("fc_only"),
    "FC only, 256x192": Trial("fc_only", {"image_size": (256, 192)}),
    "FC only, trimmed": Trial("fc_only", {"trim": True}),
    "FC only, two blocks, lr 0.1": Trial("fc_only", {"blocks": 2, "lr": 0.1}),
    "FC only, two blocks, lr 0.2": Trial("fc_only", {"blocks": 2, "lr": 0.2}),
    "FC only, two blocks, lr 0.4": Trial("fc_only", {"blocks": 2, "lr": 0.4}),
    "FC only, two blocks, lr 0.7": Trial("fc_only", {"blocks": 2, "lr": 0.7}),
    "FC only, two blocks, 256x192": Trial(
        "fc_only", {"blocks": 2, "lr": 0.4, "image_size": (256, 192)}
    ),
}


def without(data: Data, years: Sequence[int], fraction: float) -> Data:
    """The data without some even years, and with a part of the remaining training photos.

    The photos of those years are its test photos.
    """
    part = left_out(data, np.isin(data.catalogue.table["year"].to_numpy(dtype=int), years))
    rows = pd.Series(part.task.train)
    kept = [
        own.sample(int(np.ceil(fraction * len(own))), random_state=0)
        for _, own in rows.groupby(part.task.labels[rows])
    ]
    return replace(part, task=replace(part.task, train=np.sort(np.concatenate(kept))))


def refuse_without_years(data: Data) -> None:
    """DataError if there is nothing to leave out in one of the ``FOLDS``."""
    there = data.catalogue.table["year"].to_numpy()[data.task.train_and_val]
    for years in FOLDS:
        if not np.isin(there.astype(int), years).any():
            raise DataError(
                f"{data.root.path}: no photo of {' or '.join(map(str, years))} trains, and each "
                "trial is judged on them; name other data"
            )


def learn_to_the_end(model: nn.Module, data: Data, run: Run) -> Run:
    """Train, and keep the last epoch: choosing one would flatter.

    KeyboardInterrupt after Ctrl-C: what has learned less than a trial asks for is no trial.
    """
    config = run.config
    frozen, learning = split_frozen(model.to(pick_device()))
    if len(learning) > 1:
        train = through(frozen, data.batches("train", config), config.precision)
    else:
        (train,) = part_features(data, frozen, config, "train")
    nothing = replace(train, rows=train.rows[:0], labels=train.labels[:0])
    unless_interrupted(fit(learning, train, nothing, config, data.class_weights(config)))
    return run


def judged(trial: Trial, data: Data, weights: str, folder: Path) -> Iterator[dict[str, Any]]:
    """For each year left out, and for the validation photos of both networks: ``on, n, correct``.

    ``n`` counts the photos of classes that the network could learn.
    """
    configs = approach_configs(trial.approach, **trial.settings)
    fraction = 1.0 if trial.approach == "fc_only" else FRACTION
    for fold, years in enumerate(FOLDS):
        part = without(data, years, fraction)
        networks: list[nn.Module] = []

        def learn(model: nn.Module, own: Data, run: Run, networks: list = networks) -> Run:
            networks.append(model)
            return learn_to_the_end(model, own, run)

        approach = resolve_name(APPROACHES[trial.approach].function)
        run = approach(part, weights, folder / str(fold), *configs, learn)[-1]
        for scored in ("test", "val"):
            _, logits = features_and_logits(networks[-1], part, run.config, scored, "scoring")
            yield from scores(scored, logits, part)


def scores(scored: str, logits: np.ndarray, data: Data) -> Iterator[dict[str, Any]]:
    """How many photos of one part are right, by year for the years left out."""
    counts = data.task.fit_counts
    table = prediction_table(data.table(scored), logits, data.task.classes, counts.tolist())
    known = table[counts[data.task.labels[getattr(data.task, scored)]] > 0]
    on = known["year"].astype(str) if scored == "test" else pd.Series("val", known.index)
    for name, own in known.groupby(on):
        right = int((own["label"] == own["top1"]).sum())
        yield {"on": name, "n": len(own), "correct": right}


def main(
    data_path: str,
    weights: str,
    out: str,
    results: Path,
    *,
    cache: str | None = None,
    only: Sequence[str] = (),
) -> None:
    """Make the trials of these names, or all that no other process has begun."""
    for name in only:
        if name not in TRIALS:
            raise ConfigError(f"there is no trial {name!r}; there are: {', '.join(TRIALS)}")
    chosen = {name: TRIALS[name] for name in only or TRIALS}
    configs = [approach_configs(each.approach, **each.settings)[-1] for each in chosen.values()]
    for backbone in sorted({config.backbone for config in configs}):
        available_weights(weights, is_sample=False, backbone=backbone)
    data = load_data(data_path, make_config("direct"), cache, quiet=True)
    refuse_without_years(data)
    refuse_damaged(results / "trials.csv")
    for name, trial in chosen.items():
        folder = as_path(out) / name.replace(" ", "_")
        if not claimed(folder):
            continue
        with made_or_removed(folder):
            start = time.perf_counter()
            rows = pd.DataFrame(judged(trial, data, weights, folder))
            rows = rows.groupby("on", sort=False, as_index=False).sum()
            minutes = round((time.perf_counter() - start) / 60, 1)
            rows = rows.assign(trial=name, minutes=minutes, machine=machine(), commit=commit())
            keep(rows, results / "trials.csv")


def claimed(folder: Path) -> bool:
    """Whether this process is the first to ask for a trial's folder. WriteError if it can't be."""
    check_writable(folder / "run.json", makes_folders=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        folder.mkdir()
    except FileExistsError:
        print(f"{folder} is there: another process makes this trial, or made it; delete it to ask")
        return False
    return True


@contextmanager
def made_or_removed(folder: Path) -> Iterator[None]:
    """If this block fails, remove a trial's folder, so that the next call makes this trial."""
    try:
        yield
    except BaseException:
        shutil.rmtree(folder)
        raise


def refuse_damaged(file: Path, names: Sequence[str] = ("trial",)) -> None:
    """RunError before anything is trained, if later rows couldn't be kept beside the older ones."""
    if file.exists():
        read_columns(file, names)


def keep(new: pd.DataFrame, file: Path, names: Sequence[str] = ("trial",)) -> None:
    """Put rows in the place of a file's older ones with the same ``names``."""
    print(new.to_string(index=False), flush=True)
    with one_at_a_time(file.parent):
        if file.exists():
            old = read_columns(file, names)
            made_again = old.set_index([*names]).index.isin(new.set_index([*names]).index)
            new = pd.concat([old[~made_again], new])
        write_table(file, new)
