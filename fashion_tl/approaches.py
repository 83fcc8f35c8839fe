"""The three approaches, each a function that reads like its notebook: data → model → fit → evaluate → save."""

import hashlib
import os
import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from torch import nn
from torch.optim.swa_utils import update_bn

from fashion_tl.batches import Batches, feature_batches, photo_batches
from fashion_tl.catalogue import LARGEST, NAMED, POWERS, Catalogue, Task, class_weights, make_task, read_catalogue
from fashion_tl.config import Config, make_config
from fashion_tl.dataroot import DataRoot, open_root
from fashion_tl.distributed import main_first, rank, world_size
from fashion_tl.errors import DataError
from fashion_tl.evaluation import metrics, per_class_table, prediction_table
from fashion_tl.features import frozen_features
from fashion_tl.files import as_path, draft
from fashion_tl.inference import forward, pick_device, resolve_precision, through
from fashion_tl.machine import say
from fashion_tl.model import (
    available_weights,
    build_resnet50,
    freeze_all_but_head,
    freeze_first_children,
    load_model,
    replace_head,
    save_model,
    split_frozen,
)
from fashion_tl.photos import Photos, decode_photos, photo_digests, twin_groups
from fashion_tl.runs import Run, create_run, file_fingerprint, write_json, write_table
from fashion_tl.training import fit
from fashion_tl.weights import is_random, weights_name

StrPath = str | os.PathLike
Maybe = StrPath | None


@dataclass(frozen=True)
class Data:
    """Everything a training needs of the data; row i of the catalogue is photo i of the array."""

    root: DataRoot
    catalogue: Catalogue
    photos: Photos
    task: Task
    digests: list[bytes]  # of each photo's pixels
    fingerprint: str  # changes with any pixel, id, year or articleType
    cache: Maybe = None

    def batches(self, part: str, config: Config) -> Batches:
        """The ``"train"``, ``"val"`` or ``"test"`` photos."""
        rows = getattr(self.task, part)
        return photo_batches(self.photos.array, rows, self.task.labels[rows], config)

    @main_first()
    def features(self, frozen: nn.Module, config: Config, *parts: str) -> list[Batches]:
        """The same parts as features of a frozen network: computed once, and kept in the cache folder."""
        rows = np.sort(np.concatenate([getattr(self.task, part) for part in parts]))
        digests = [self.digests[row] for row in rows]
        features = frozen_features(frozen, self.photos.array, rows, digests, config, self.cache)
        chosen = [getattr(self.task, part) for part in parts]
        return [feature_batches(features, np.searchsorted(rows, own), self.task.labels[own], config) for own in chosen]

    def class_weights(self, config: Config) -> np.ndarray:
        """Weight of each class in the loss, float64 [num_classes], from the training photos alone."""
        return class_weights(self.task.train_counts, POWERS[config.class_weights])

    def table(self, part: str) -> pd.DataFrame:
        """The catalogue's rows of one part."""
        return self.catalogue.table.iloc[getattr(self.task, part)]

    @property
    def counts(self) -> pd.DataFrame:
        """Photos per class of the task in even and odd years: ``articleType, train, test``."""
        return self.catalogue.counts[: self.task.num_classes]

    def largest(self, n: int = LARGEST) -> "Data":
        """The same data, the ``n`` largest classes alone."""
        return replace(self, task=self.task.largest(n))


@main_first()
def load_data(
    path: StrPath, config: Config, cache: Maybe = None, workers: int | None = None, quiet: bool = False
) -> Data:
    """Open a data root, read its catalogue, decode its photos (once, in ``workers`` processes) and split them.

    Unless ``quiet``, it prints what was decided and, where rows are left out, how many and why.
    """
    root = open_root(path, cache)
    catalogue = read_catalogue(root, config.bad_rows)
    if catalogue.table.empty:
        reasons = ", ".join(f"{reason}: {n}" for reason, n in catalogue.left_out["reason"].value_counts().items())
        raise DataError(f"{root.path}: not one of its {catalogue.rows} rows can be used ({reasons}).")
    photos = decode_photos(root, catalogue.table["id"].to_numpy(), config.stored_size, cache, workers)
    failed = [f"left out: {root.photos[own].name}: {reason}" for own, reason in photos.failed.items()]
    catalogue = catalogue.without(dict.fromkeys(photos.failed, "undecodable image"))
    account = [catalogue.tally] if len(catalogue.left_out) else []
    for line in [] if quiet else [*failed[:NAMED], *catalogue.notes, *account]:
        say(line)
    digests = photo_digests(photos.array)
    task = make_task(catalogue, twin_groups(digests), config.val_fraction, config.split_seed, config.train_fraction)
    labels = catalogue.table[["id", "year", "articleType"]].to_csv(index=False).encode()
    fingerprint = hashlib.sha256(b"".join([*digests, labels])).hexdigest()[:16]
    return Data(root, catalogue, photos, task, digests, fingerprint, cache)


@main_first()
def start_run(folder: StrPath, config: Config, data: Data, weights: Maybe) -> Run:
    """Make the folder of a run, or take up the same run where it stopped; see :func:`fashion_tl.runs.create_run`.

    From random weights BatchNorm learns in any case: it has no statistics that could be kept.
    """
    if is_random(weights) and config.frozen_batchnorm:
        say("NOTE: from random weights BatchNorm learns, whatever the recipe says")
        config = config.change(frozen_batchnorm=False)
    learns = config.training != "fc_only" and not config.frozen_batchnorm
    if world_size() > 1 and learns and pick_device().type == "cpu":
        say("NOTE: on CPUs, BatchNorm that learns takes its statistics from each process's own part of a batch")
    photos = len(data.task.train) + len(data.task.val) + len(data.task.test)
    file = None if is_random(weights) else as_path(weights)
    fingerprint = file_fingerprint(file)[:16] if file and file.is_file() else None
    own_data = {"name": data.root.name, "photos": photos, "fingerprint": data.fingerprint}
    return create_run(folder, config, own_data, {"name": weights_name(weights), "fingerprint": fingerprint})


def train_head(model: nn.Module, data: Data, run: Run) -> pd.DataFrame:
    """FC only: the frozen backbone's features are computed once, and the last layer learns from them.

    Returns :func:`fashion_tl.training.fit`'s history. A finished run is not trained again, but read.
    """
    if run.is_finished:
        return _read_back(model, run)
    start, config = time.perf_counter(), run.config
    frozen, head = split_frozen(model.to(pick_device()))
    if run.is_random:  # a random network that is to be frozen has no statistics of its own
        pairs = config.change(batch_size=max(2, config.batch_size))  # from one photo alone it could learn nothing
        update_bn(data.batches("train", pairs).in_order(pick_device()), frozen)
    train, val = data.features(frozen, config, "train", "val")
    return _fit(head, train, val, data, run, start)


def train_network(model: nn.Module, data: Data, run: Run) -> pd.DataFrame:
    """Whatever is not frozen in the network learns from photos; returns as :func:`train_head` does."""
    if run.is_finished:
        return _read_back(model, run)
    start, config = time.perf_counter(), run.config
    frozen, learning = split_frozen(model.to(pick_device()))
    train, val = (through(frozen, data.batches(part, config), config.precision) for part in ("train", "val"))
    return _fit(learning, train, val, data, run, start)


def _read_back(model: nn.Module, run: Run) -> pd.DataFrame:
    say(f"{run.folder} holds this run, finished: its weights are read. Delete the folder to train again.")
    model.load_state_dict(load_model(run.model_path).model.state_dict())
    return run.history


def _fit(model: nn.Module, train: Batches, val: Batches, data: Data, run: Run, start: float) -> pd.DataFrame:
    history = fit(model, train, val, run.config, data.class_weights(run.config), run.checkpoint)
    history.attrs["seconds"] = time.perf_counter() - start + history.attrs["seconds_before"]
    if rank() == 0:
        write_table(run.folder / "history.csv", history)
    return history


def finish_run(run: Run, model: nn.Module, data: Data, history: pd.DataFrame) -> dict[str, Any]:
    """Predict the test photos, and save weights, predictions, tables and, last, the metrics, which it returns.

    After Ctrl-C it does so for the best epoch so far, and the run stays unfinished: training can go on.
    """
    if run.is_finished:
        return run.metrics
    start = time.perf_counter()
    config, task = run.config, data.task
    frozen, learning = split_frozen(model)
    if len(learning) == 1:  # the head alone
        network, test = learning, data.features(frozen, config.change(flip=config.flip_test), "test")[0]
    else:
        network, test = model, data.batches("test", config)
    logits = forward(network, test, config.precision, "testing", compiled=True, flip=config.flip_test).numpy()
    predictions = prediction_table(data.table("test"), logits, task.classes, task.train_counts, run.folder)
    seconds = history.attrs["seconds"] + time.perf_counter() - start
    result = {
        "approach": config.training,
        "recipe": config.recipe,
        "data": run.about["data"]["name"],
        "weights": run.about["weights"]["name"],
        "image_size": list(config.image_size),
        "epochs": len(history),
        "interrupted": history.attrs["interrupted"],
        "best_epoch": int(history.loc[history["best"], "epoch"].iloc[0]),
        "seed": config.seed,
        **metrics(predictions, data.counts),
        "precision": resolve_precision(config.precision, pick_device()),
        "minutes": round(seconds / 60, 2),
        "machine": run.about["machine"],
        "commit": run.about["commit"],
    }
    if rank() == 0:
        save_model(run.model_path, model, task.classes, task.train_counts.tolist(), config)
        write_table(run.folder / "predictions.csv.gz", predictions, float_format="%.6g")
        write_table(run.folder / "per_class.csv", per_class_table(predictions, data.counts))
        write_json(run.folder / "metrics.json", result)
        if not history.attrs["interrupted"]:
            with draft(run.checkpoint):  # what a killed process has left of one goes first: without it, all is done
                pass
            run.checkpoint.unlink(missing_ok=True)
    return result


def run_fc_only(
    data_path: StrPath,
    weights: Maybe,
    folder: StrPath,
    recipe: str = "tuned",
    cache: Maybe = None,
    workers: int | None = None,
    **settings: Any,
) -> list[Run]:
    """Backbone frozen, new last layer trained. Returns the finished run; ``settings`` are those of ``Config``."""
    config = make_config("fc_only", recipe, **settings)
    data = load_data(data_path, config, cache, workers)
    weights = available_weights(weights, data.root.is_sample)
    run = start_run(folder, config, data, weights)
    model = build_resnet50(data.task.num_classes, weights, config.seed)
    freeze_all_but_head(model)
    history = unless_interrupted(train_head(model, data, run))
    finish_run(run, model, data, history)
    return [run]


def run_direct(
    data_path: StrPath,
    weights: Maybe,
    folder: StrPath,
    recipe: str = "tuned",
    cache: Maybe = None,
    workers: int | None = None,
    **settings: Any,
) -> list[Run]:
    """New last layer, the whole network fine-tuned. Returns and settings as :func:`run_fc_only`."""
    config = make_config("direct", recipe, **settings)
    data = load_data(data_path, config, cache, workers)
    weights = available_weights(weights, data.root.is_sample)
    run = start_run(folder, config, data, weights)
    model = build_resnet50(data.task.num_classes, weights, config.seed)
    history = unless_interrupted(train_network(model, data, run))
    finish_run(run, model, data, history)
    return [run]


def run_two_step(
    data_path: StrPath,
    weights: Maybe,
    folder: StrPath,
    recipe: str = "tuned",
    cache: Maybe = None,
    workers: int | None = None,
    **settings: Any,
) -> list[Run]:
    """Fine-tune on the 20 largest classes; then a head for all, the first 5 children frozen, the rest fine-tuned.

    Returns both steps' runs: the second lies in ``folder``, the first in its ``top20``.
    """
    config20, config = (make_config(training, recipe, **settings) for training in ("top20", "two_step"))
    data = load_data(data_path, config, cache, workers)
    data20 = data.largest()
    weights = available_weights(weights, data.root.is_sample)

    run = start_run(folder, config, data, weights)
    run20 = start_run(as_path(folder) / "top20", config20, data20, weights)
    model = build_resnet50(data20.task.num_classes, weights, config20.seed)
    history20 = unless_interrupted(train_network(model, data20, run20))
    finish_run(run20, model, data20, history20)

    replace_head(model, data.task.num_classes, config.seed)
    freeze_first_children(model)
    history = unless_interrupted(train_network(model, data, run))
    finish_run(run, model, data, history)
    return [run20, run]


RUN = {"fc_only": run_fc_only, "direct": run_direct, "two_step": run_two_step}


def unless_interrupted(history: pd.DataFrame) -> pd.DataFrame:
    """The history; KeyboardInterrupt after a Ctrl-C, which ``fit`` had put off to keep the best epoch."""
    if history.attrs.get("interrupted"):
        raise KeyboardInterrupt("stopped; the same command, or its training cell, goes on after the last whole epoch")
    return history
