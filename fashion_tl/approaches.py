"""The three approaches, each a function that reads like its notebook: data → model → fit → evaluate
→ save.
"""

import time
from dataclasses import replace
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from torch import nn
from torch.optim.swa_utils import update_bn

from fashion_tl.config import Config
from fashion_tl.data.dataset import Data, load_data
from fashion_tl.distributed import main_first, rank, world_size
from fashion_tl.files import StrPath, as_path, draft
from fashion_tl.machine import say
from fashion_tl.network.features import part_features
from fashion_tl.network.inference import forward, pick_device, resolve_precision, through
from fashion_tl.network.model import (
    available_weights,
    build_network,
    freeze_all_but_head,
    freeze_first_children,
    load_model,
    notes_on_random,
    replace_head,
    save_model,
    split_frozen,
)
from fashion_tl.network.training import Fitted, fit
from fashion_tl.network.weights import is_random, weights_name
from fashion_tl.recipes import APPROACHES, approach_configs, first_steps
from fashion_tl.reporting.card import model_card
from fashion_tl.reporting.evaluation import metrics, per_class_table, prediction_table
from fashion_tl.runs import Run, create_run, file_fingerprint, write_json, write_table, write_text


@main_first()
def start_run(folder: StrPath, config: Config, data: Data, weights: StrPath | None) -> Run:
    """Make the folder of a run, or take up the same run where it stopped; see
    :func:`fashion_tl.runs.create_run`.

    From random weights BatchNorm learns in any case: it has no statistics that could be kept.
    """
    if is_random(weights):
        for note in (
            () if first_steps(config.training) else notes_on_random(config)
        ):  # the first step says them
            say(f"NOTE: {note}")
        config = config.change(frozen_batchnorm=False)
    photos = len(data.task.train) + len(data.task.val) + len(data.task.test)
    file = None if is_random(weights) else as_path(weights)
    fingerprint = file_fingerprint(file)[:16] if file and file.is_file() else None
    own_data = {"name": data.root.name, "photos": photos, "fingerprint": data.fingerprint}
    own_weights = {
        "name": weights_name(weights),
        "fingerprint": fingerprint,
        "is_random": is_random(weights),
    }
    return create_run(folder, config, own_data | {"is_sample": data.root.is_sample}, own_weights)


def train(model: nn.Module, data: Data, run: Run) -> Fitted:
    """Train whatever is not frozen in the network. A finished run is not trained again, but read.

    Where the last layer alone learns, the features of the frozen rest are computed once, and kept.
    """
    if run.is_finished:
        say(
            f"{run.folder} holds this run, finished: its weights are read. Delete the folder to train again."
        )
        model.load_state_dict(load_model(run.model_path).model.state_dict())
        return Fitted(run.history)
    start, config = time.perf_counter(), run.config
    frozen, learning = split_frozen(model.to(pick_device()))
    if len(learning) > 1:
        learns = not (config.frozen_batchnorm or first_steps(config.training))
        if world_size() > 1 and learns and pick_device().type == "cpu":
            say(
                "NOTE: on CPUs, BatchNorm that learns takes its statistics from each process's own part of a batch"
            )
        parts = (
            through(frozen, data.batches(part, config), config.precision)
            for part in ("train", "val")
        )
    else:
        if run.is_random:  # a random network that is to be frozen has no statistics of its own
            pairs = config.change(
                batch_size=max(2, config.batch_size)
            )  # from one photo alone it could learn nothing
            update_bn(data.batches("train", pairs).in_order(pick_device()), frozen)
        parts = part_features(data, frozen, config, "train", "val")
    fitted = fit(learning, *parts, config, data.class_weights(config), run.checkpoint)
    if rank() == 0:
        write_table(run.folder / "history.csv", fitted.history)
    return replace(fitted, seconds=time.perf_counter() - start + fitted.seconds)


def finish_run(run: Run, model: nn.Module, data: Data, fitted: Fitted) -> dict[str, Any]:
    """Predict the test photos, and save weights, predictions, tables and, last, the metrics, which
    it returns.

    After Ctrl-C it does so for the best epoch so far, and the run stays unfinished: training can go
    on.
    """
    if run.is_finished:
        return run.metrics
    start = time.perf_counter()
    config, task, history = run.config, data.task, fitted.history
    frozen, learning = split_frozen(model)
    if len(learning) == 1:  # the head alone
        network, test = (
            learning,
            part_features(data, frozen, config.change(flip=config.flip_test), "test")[0],
        )
    else:
        network, test = model, data.batches("test", config)
    logits = forward(
        network, test, config.precision, "testing", compiled=True, flip=config.flip_test
    ).numpy()
    predictions = prediction_table(
        data.table("test"), logits, task.classes, task.fit_counts, run.folder
    )
    seconds = fitted.seconds + time.perf_counter() - start
    result = {
        "approach": config.training,
        "recipe": config.recipe,
        "data": run.about["data"]["name"],
        "weights": run.about["weights"]["name"],
        "image_size": list(config.image_size),
        "epochs": len(history),
        "interrupted": fitted.interrupted,
        "best_epoch": int(history.loc[history["best"], "epoch"].iloc[0]),
        "seed": config.seed,
        **metrics(predictions, data.counts),
        "precision": resolve_precision(config.precision, pick_device()),
        "minutes": round(seconds / 60, 2),
        "machine": run.about["machine"],
        "commit": run.about["commit"],
    }
    if rank() == 0:
        save_model(run.model_path, model, task.classes, task.fit_counts.tolist(), config)
        write_table(run.folder / "predictions.csv.gz", predictions, float_format="%.6g")
        per_class = per_class_table(predictions, data.counts)
        write_table(run.folder / "per_class.csv", per_class)
        card = model_card(run, result, per_class, data.catalogue.split)
        write_text(run.folder / "model_card.md", card)
        write_json(run.folder / "metrics.json", result)
        if not fitted.interrupted:
            # What a killed process has left of one goes first: without it, all is done.
            with draft(run.checkpoint):
                pass
            run.checkpoint.unlink(missing_ok=True)
    return result


def run_approach(
    name: str,
    data_path: StrPath,
    weights: StrPath | None,
    folder: StrPath,
    recipe: str = "tuned",
    cache: StrPath | None = None,
    workers: int | None = None,
    **settings: Any,
) -> list[Run]:
    """One approach of the table from the data to its figures of merit; ``settings`` are those of
    ``Config``.

    Returns the finished runs of its trainings, in order: the last lies in ``folder``, the others in
    folders below.
    """
    configs = approach_configs(name, recipe, **settings)
    data = load_data(data_path, configs[-1], cache, workers).largest(configs[-1].largest)
    weights = available_weights(weights, data.root.is_sample, configs[-1].backbone)
    return resolve_name(APPROACHES[name].function)(data, weights, as_path(folder), *configs)


def fc_only(data: Data, weights: StrPath | None, folder: Path, config: Config) -> list[Run]:
    """Backbone frozen, new last layer trained."""
    run = start_run(folder, config, data, weights)
    model = build_network(data.task.num_classes, weights, config)
    freeze_all_but_head(model)
    return [train_and_finish(model, data, run)]


def direct(data: Data, weights: StrPath | None, folder: Path, config: Config) -> list[Run]:
    """New last layer, the whole network fine-tuned."""
    run = start_run(folder, config, data, weights)
    model = build_network(data.task.num_classes, weights, config)
    return [train_and_finish(model, data, run)]


def two_step(
    data: Data, weights: StrPath | None, folder: Path, config20: Config, config: Config
) -> list[Run]:
    """Fine-tune on the 20 largest classes; then a head for all, the first 5 children frozen, the
    rest fine-tuned.
    """
    data20 = data.largest(config20.largest)
    run = start_run(folder, config, data, weights)
    run20 = start_run(folder / config20.training, config20, data20, weights)
    model = build_network(data20.task.num_classes, weights, config20)
    train_and_finish(model, data20, run20)
    replace_head(model, data.task.num_classes, config.seed)
    freeze_first_children(model)
    return [run20, train_and_finish(model, data, run)]


def train_and_finish(model: nn.Module, data: Data, run: Run) -> Run:
    """:func:`train`, then :func:`finish_run`; KeyboardInterrupt after a Ctrl-C, with the best epoch
    so far kept.
    """
    finish_run(run, model, data, unless_interrupted(train(model, data, run)))
    return run


def unless_interrupted(fitted: Fitted) -> Fitted:
    """The same; KeyboardInterrupt after a Ctrl-C, which ``fit`` had put off to keep the best
    epoch."""
    if fitted.interrupted:
        raise KeyboardInterrupt(
            "stopped; the same command, or its training cell, goes on after the last whole epoch"
        )
    return fitted
