"""Trials judged by years left out: what could improve a recipe, tried on even years alone.

    python -m study trials --data … --weights … --out runs/trials

**The criterion**, stated before any trial: the mean of five accuracies, on the photos of 2010,
2014, 2016 and 2018, each scored by networks that learned without that year, and on the validation
photos. Two networks make a trial: one learns without 2016, the other without the other three. Only
photos of classes with training photos count. No trial sees a photo of an odd year.

Several processes with the same ``--out`` share the work. Each takes the next trial that no other
has begun.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from fashion_tl.approaches import start_run, train_and_finish
from fashion_tl.config import Config
from fashion_tl.data.batches import Batches, feature_batches, photo_batches
from fashion_tl.data.dataset import Data, load_data
from fashion_tl.network.features import frozen_features
from fashion_tl.network.inference import forward, pick_device, through
from fashion_tl.network.layers import Head
from fashion_tl.network.model import (
    build_network,
    freeze_all_but_head,
    freeze_first_children,
    replace_head,
    split_frozen,
)
from fashion_tl.network.training import fit
from fashion_tl.recipes import make_config
from fashion_tl.runs import commit, write_json
from study.train import as_long_as_two_steps

FOLDS = ((2016,), (2010, 2014, 2018))
FRACTION, EPOCHS = 0.5, 4  # of the training photos, and for how long, in a trial of a fine-tuning
MASTER_SUB = ("masterCategory", "subCategory")
ALL_FOUR = (*MASTER_SUB, "gender", "baseColour")
TO_MIX = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)  # the fine-tuned network's parts
FINAL_SEEDS = 3


@dataclass(frozen=True)
class Trial:
    """What a trial changes in the recipe of its approach.

    ``gain`` is how many points of the criterion it must win to be taken: more where it costs time.
    """

    approach: str
    settings: dict[str, Any] = field(default_factory=dict)
    gain: float = 0.2
    blocks: int = 1  # of the network's last blocks whose features FC only's head sees


TRIALS = {
    "direct": Trial("direct"),
    "two steps": Trial("two_step"),
    "direct, 224x168": Trial("direct", {"image_size": (224, 168)}, 0.5),
    "direct, two further heads": Trial("direct", {"further_labels": MASTER_SUB}),
    "direct, four further heads": Trial("direct", {"further_labels": ALL_FOUR}),
    "direct, averaged over 1 epoch": Trial("direct", {"averaged_epochs": 1.0}),
    "direct, trimmed": Trial("direct", {"trim": True}),
    "FC only": Trial("fc_only"),
    "FC only, two blocks": Trial("fc_only", blocks=2),
    "FC only, trimmed": Trial("fc_only", {"trim": True}),
    "two steps, head kept": Trial("two_step", {"keep_head": True}),
    "direct, from FC only": Trial("lp_ft"),
    "direct, shifted": Trial("direct", {"shift": True}),
    "FC only, trimmed, two blocks": Trial("fc_only", {"trim": True}, blocks=2),
    "FC only, 256x192": Trial("fc_only", {"image_size": (256, 192)}),
    "direct, no mixup": Trial("direct", {"mixup": 0.0}),
}


def without(data: Data, years: tuple[int, ...], fraction: float) -> tuple[Data, np.ndarray]:
    """The data without some even years, and with a part of the remaining training photos.

    Also the rows of those years, int64, that have a class to learn.
    """
    task = data.task
    out = np.isin(data.catalogue.table["year"].to_numpy(dtype=int), years)
    rows = task.train[~out[task.train]]
    groups = pd.Series(rows).groupby(task.labels[rows])
    kept = [own.sample(int(np.ceil(fraction * len(own))), random_state=0) for _, own in groups]
    less = replace(task, train=np.sort(np.concatenate(kept)), val=task.val[~out[task.val]])
    return replace(data, task=less), np.flatnonzero(out & data.catalogue.trains)


def learn(model: nn.Module, data: Data, config: Config) -> None:
    """Train to the last epoch: choosing one would flatter."""
    frozen, learning = split_frozen(model.to(pick_device()))
    photos = through(frozen, data.batches("train", config), config.precision)
    nothing = replace(photos, rows=photos.rows[:0], labels=photos.labels[:0], further=None)
    fit(learning, photos, nothing, config, data.class_weights(config))


def answers(model: nn.Module, batches: Batches, counts: np.ndarray, config: Config) -> np.ndarray:
    """Which samples are named rightly: bool [n]."""
    logits = forward(model, batches, config.precision, None, flip=config.flip_test)
    logits[:, torch.from_numpy(counts == 0)] = -torch.inf
    return (logits.argmax(1) == batches.labels.cpu()).numpy()


def scores(right: np.ndarray, rows: np.ndarray, data: Data, of_val: bool) -> Iterator[dict]:
    """Photos of classes that were learned, and how many are right, by year or on validation."""
    known = data.task.fit_counts[data.task.labels[rows]] > 0
    years = data.catalogue.table["year"].to_numpy(dtype=int)[rows]
    for year in ["val"] if of_val else np.unique(years).tolist():
        own = known & ((years == year) | of_val)
        yield {"on": str(year), "n": int(own.sum()), "correct": int(right[own].sum())}


def score_photos(model: nn.Module, data: Data, rows: np.ndarray, config: Config) -> list[dict]:
    """Scores on the left-out rows and on the validation photos."""
    found: list[dict] = []
    for own, of_val in ((rows, False), (data.task.val, True)):
        batches = photo_batches(data.photos.array, own, data.task.labels[own], config)
        right = answers(model, batches, data.task.fit_counts, config)
        found += scores(right, own, data, of_val)
    return found


def fine_tuned(trial: Trial, data: Data, weights: str) -> Iterator[tuple[str, int, dict]]:
    """(variant, fold, score) of both networks of a trial of fine-tuning."""
    for fold, years in enumerate(FOLDS):
        part, rows = without(data, years, FRACTION)
        if trial.approach == "two_step":
            model, config = two_steps(trial, part, weights)
            for score in score_photos(model, part, rows, config):
                yield "", fold, score
            continue
        config = make_config("direct", epochs=EPOCHS, **trial.settings)
        model = build_network(part.task.num_classes, weights, config)
        start = None
        if trial.approach == "lp_ft":
            start = head_first(model, part, config)
        learn(model, part, config)
        if start is None:
            for score in score_photos(model, part, rows, config):
                yield "", fold, score
            if not trial.settings:
                for size in ((192, 144), (224, 168)):
                    for score in score_photos(model, part, rows, config.change(image_size=size)):
                        yield "tested at {}x{}".format(*size), fold, score
            continue
        end = {name: value.clone() for name, value in model.state_dict().items()}
        for share in TO_MIX:
            mixed = {
                n: v if not v.is_floating_point() else start[n].to(v.device).lerp(v, share)
                for n, v in end.items()
            }
            model.load_state_dict(mixed)
            for score in score_photos(model, part, rows, config):
                yield f"{share:g} of it", fold, score


def two_steps(trial: Trial, data: Data, weights: str) -> tuple[nn.Module, Config]:
    """The network of both steps, and the settings of the second."""
    config = make_config("two_step", epochs=EPOCHS - 1, **trial.settings)
    config20 = make_config("top20", epochs=EPOCHS - 1, **trial.settings)
    data20 = data.largest(20)
    model = build_network(20, weights, config20)
    learn(model, data20, config20)
    replace_head(model, data.task.num_classes, config.seed, config.keep_head)
    freeze_first_children(model)
    learn(model, data, config)
    return model, config


def head_first(model: nn.Module, data: Data, config: Config) -> dict[str, torch.Tensor]:
    """Train the last layer alone, and return the network's state after it."""
    freeze_all_but_head(model)
    frozen, head = split_frozen(model.to(pick_device()))
    own = make_config("fc_only", image_size=config.image_size, epochs=10)
    train = head_batches(data, frozen, data.task.train, data.task.train, own)
    fit(
        head,
        train,
        replace(train, rows=train.rows[:0], labels=train.labels[:0]),
        own,
        data.class_weights(own),
    )
    model.requires_grad_(True)
    return {name: value.clone() for name, value in model.state_dict().items()}


def head_batches(
    data: Data, frozen: nn.Module, among: np.ndarray, rows: np.ndarray, config: Config
) -> Batches:
    """Batches of features of some rows; those ``among`` them are computed together."""
    digests = [data.digests[row] for row in among]
    features = frozen_features(frozen, data.photos.array, among, digests, config, data.cache)
    return feature_batches(features, np.searchsorted(among, rows), data.task.labels[rows], config)


class Blocks(nn.Module):
    """A ResNet's mean features after its last ``n`` blocks, side by side, each scaled alike."""

    def __init__(self, model: nn.Module, n: int) -> None:
        super().__init__()
        children = [*model.children()][:-2]
        self.first = nn.Sequential(*children[: len(children) - n])
        self.last = nn.ModuleList(children[len(children) - n :])
        self.scales = [1.0] * n

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        maps = self.first(inputs)
        means = []
        for block, scale in zip(self.last, self.scales, strict=True):
            maps = block(maps)
            means.append(maps.float().mean((2, 3)) * scale)
        return torch.cat(means, 1)


def fc_only(trial: Trial, data: Data, weights: str) -> Iterator[tuple[str, int, dict]]:
    """(variant, fold, score) of both heads of a trial of FC only."""
    config = make_config("fc_only", **trial.settings)
    even = np.flatnonzero(data.catalogue.trains)
    model = build_network(data.task.num_classes, weights, config).to(pick_device())
    frozen = Blocks(model, trial.blocks).requires_grad_(False).eval()
    for fold, years in enumerate(FOLDS):
        part, rows = without(data, years, 1.0)
        train = head_batches(part, frozen, even, part.task.train, config)
        width = train.inputs.shape[-1]
        head = nn.Sequential(Head(width, part.task.num_classes)).to(pick_device())
        nn.init.normal_(head[0].weight, std=0.01)
        empty = replace(train, rows=train.rows[:0], labels=train.labels[:0])
        fit(head, train, empty, config, part.class_weights(config))
        for own, of_val in ((rows, False), (part.task.val, True)):
            batches = head_batches(part, frozen, even, own, config)
            right = answers(head, batches, part.task.fit_counts, config)
            for score in scores(right, own, part, of_val):
                yield "", fold, score


def run_trials(data: Data, weights: str, out: Path, until: float, only: tuple[str, ...]) -> None:
    """Make the trials that no other process has begun, as long as it's before ``until``."""
    for name in only or TRIALS:
        trial = TRIALS[name]
        if time.time() > until or not claimed(out / "begun" / name):
            continue
        start = time.perf_counter()
        make = fc_only if trial.approach == "fc_only" else fine_tuned
        rows = [
            {"trial": name, "variant": variant, "fold": fold, **score}
            for variant, fold, score in make(trial, data, weights)
        ]
        seconds = round(time.perf_counter() - start, 1)
        write_json(out / f"{name}.json", {"seconds": seconds, "commit": commit(), "rows": rows})
        print(f"{name}: {seconds} s", flush=True)


def claimed(path: Path) -> bool:
    """Whether this process is the first to ask."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def table(out: Path) -> pd.DataFrame:
    """A row per trial and variant: its accuracies and the criterion, in percent."""
    rows = []
    for file in sorted(out.glob("*.json")):
        content = json.loads(file.read_text(encoding="utf-8"))
        rows += [row | {"seconds": content["seconds"]} for row in content["rows"]]
    found = pd.DataFrame(rows)
    sums = found.groupby(["trial", "variant", "on"])[["n", "correct"]].sum()
    accuracy = (100 * sums["correct"] / sums["n"]).unstack()
    accuracy["criterion"] = accuracy.mean(axis=1)
    accuracy["seconds"] = found.groupby(["trial", "variant"])["seconds"].first()
    return accuracy.round(2).reset_index()


def chosen(found: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """The settings that pay, for each approach: every trial that wins its ``gain`` or more.

    Of two trials of one setting, the better.
    """
    criterion = found[found["variant"] == ""].set_index("trial")["criterion"]
    bases = {"direct": "direct", "two_step": "two steps", "fc_only": "FC only"}
    settings: dict[str, dict[str, Any]] = {name: {} for name in bases}
    best: dict[tuple[str, str], float] = {}
    for name, trial in TRIALS.items():
        base = bases.get(trial.approach)
        if base not in criterion or name not in criterion or trial.blocks > 1:
            continue
        won = criterion[name] - criterion[base]
        for key, value in trial.settings.items():
            if won >= max(trial.gain, best.get((trial.approach, key), 0)):
                settings[trial.approach][key] = value
                best[trial.approach, key] = won
    # A step of two is a fine-tuning like direct.
    settings["two_step"] = settings["direct"] | settings["two_step"]
    settings["two_step"].pop("backbone_lr_ratio", None)
    return settings


def finals(
    data: Data, weights: str, out: Path, until: float, settings: dict[str, dict[str, Any]]
) -> None:
    """Train what was chosen, seed after seed, and score it on the odd years."""
    jobs = []
    for seed in range(FINAL_SEEDS):
        jobs += [("direct", seed), ("two_step", seed)]
    jobs += [("fc_only", seed) for seed in range(5)]
    for name, seed in jobs:
        folder = out / f"{name}_seed{seed}"
        if time.time() > until or not claimed(out / "begun" / folder.name):
            continue
        start = time.perf_counter()
        final(name, seed, data, weights, folder, settings[name])
        print(f"{folder.name}: {time.perf_counter() - start:.0f} s", flush=True)


def final(
    name: str, seed: int, data: Data, weights: str, folder: Path, settings: dict[str, Any]
) -> None:
    """One approach with one seed; after two steps, also the other classes alone."""
    if name == "two_step":
        two = settings
        config, config20 = (make_config(t, seed=seed, **two) for t in ("two_step", "top20"))
        data20 = data.largest(20)
        run = start_run(folder, config, data, weights)
        run20 = start_run(folder / "top20", config20, data20, weights)
        model = build_network(20, weights, config20)
        train_and_finish(model, data20, run20)
        first = {key: value.clone() for key, value in model.state_dict().items()}
        replace_head(model, data.task.num_classes, seed, config.keep_head)
        freeze_first_children(model)
        train_and_finish(model, data, run)
        rare = make_config("rare", seed=seed, **{**two, "keep_head": False})
        others = data.without_largest(rare.without_largest)
        run = start_run(folder / "rare", rare, others, weights)
        replace_head(model, 20)
        model.load_state_dict(first)
        replace_head(model, others.task.num_classes, seed)
        freeze_first_children(model)
        train_and_finish(model, others, run)
        return
    more = {"epochs": as_long_as_two_steps()} if name == "direct" else {}
    config = make_config(name, seed=seed, **more, **settings)
    run = start_run(folder, config, data, weights)
    model = build_network(data.task.num_classes, weights, config)
    if name == "fc_only":
        freeze_all_but_head(model)
    train_and_finish(model, data, run)


def main(
    data_path: str,
    weights: str,
    out: str,
    cache: str | None,
    seconds: float,
    final_seconds: float,
    only: tuple[str, ...] = (),
) -> None:
    """Make trials for some seconds, then what was chosen by them for some more."""
    started = time.time()
    data = load_data(data_path, make_config("direct", further_labels=ALL_FOUR), cache, quiet=True)
    folder = Path(out)
    if seconds:
        run_trials(data, weights, folder, started + seconds, only)
        found = table(folder)
        print(found.to_string(), flush=True)
    if final_seconds:
        file = folder / "chosen" / "settings.json"
        if not file.exists():
            file.parent.mkdir(exist_ok=True)
            write_json(file, chosen(table(folder)))
        settings = json.loads(file.read_text(encoding="utf-8"))
        print(settings, flush=True)
        finals(data, weights, folder / "finals", time.time() + final_seconds, settings)


if __name__ == "__main__":
    import argparse

    parser = argparse.ArgumentParser()
    for option in ("--data", "--weights", "--out", "--cache"):
        parser.add_argument(option)
    parser.add_argument("--seconds", type=float, default=0)
    parser.add_argument("--final-seconds", type=float, default=0)
    parser.add_argument("--only", nargs="*", default=())
    args = parser.parse_args()
    main(
        args.data,
        args.weights,
        args.out,
        args.cache,
        args.seconds,
        args.final_seconds,
        tuple(args.only),
    )
