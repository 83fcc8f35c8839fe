"""A run from its start to its results: its folder, its training, its test, its tables."""

import time
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from torch import nn

from fashion_tl.config import Config
from fashion_tl.data.dataset import Data
from fashion_tl.data.guard import refuse_among_photos
from fashion_tl.distributed import main_first, rank, world_size
from fashion_tl.extension import refuse_extended
from fashion_tl.files import StrPath, as_path, draft, is_run_folder
from fashion_tl.machine import say, say_once
from fashion_tl.network.calibration import PLAIN, fit_temperature
from fashion_tl.network.features import (
    features_and_logits,
    measure_statistics,
    part_features,
    refuse_augmentations,
)
from fashion_tl.network.inference import pick_device, resolve_precision, through
from fashion_tl.network.memory import save_memory
from fashion_tl.network.model import (
    save_model,
    split_frozen,
)
from fashion_tl.network.trained import load_network
from fashion_tl.network.training import Fitted, fit, refuse_settings, unless_interrupted
from fashion_tl.network.unknown import doubts, training_memory
from fashion_tl.network.weights import is_random, weights_name
from fashion_tl.provenance import file_fingerprint
from fashion_tl.recipes import TRAININGS, notes_on_random
from fashion_tl.reporting.card import model_card
from fashion_tl.reporting.evaluation import (
    chosen_on_validation,
    metrics,
    per_class_table,
    prediction_table,
)
from fashion_tl.reporting.unknown import unknown_metrics
from fashion_tl.runs import Run, create_run, write_json, write_table, write_text


@main_first()
def start_run(folder: StrPath, config: Config, data: Data, weights: StrPath | None) -> Run:
    """Make the folder of a run, or continue the same run; see :func:`fashion_tl.runs.create_run`.

    In a run from random weights ``frozen_batchnorm`` and ``frozen_children`` are off: there is
    nothing to keep. ConfigError for settings that the training refuses; no folder is made then.
    """
    refuse_extended(folder, "name another folder for this run")
    refuse_among_photos(as_path(folder), data.root, "the run")
    starts_random = is_random(weights)
    fingerprint = None
    if starts_random:
        for note in notes_on_random(config):
            say_once(f"NOTE: {note}")  # the steps of an approach share most settings
        config = config.change(frozen_batchnorm=False, frozen_children=0)
    elif weights is not None and as_path(weights).is_file():
        fingerprint = file_fingerprint(weights)[:16]
    refuse_untrainable(folder, config, data)
    about_data = {
        "name": data.root.name,
        "photos": len(data.task.train) + len(data.task.val) + len(data.task.test),
        "fingerprint": data.fingerprint,
        "is_sample": data.root.is_sample,
    }
    about_weights = {
        "name": weights_name(weights),
        "fingerprint": fingerprint,
        "is_random": starts_random,
    }
    return create_run(folder, config, about_data, about_weights)


def refuse_untrainable(folder: StrPath, config: Config, data: Data) -> None:
    """ConfigError for settings that the training refuses, unless a run is in the folder already.

    If a run were made first, the same command without these settings would be refused, too.
    """
    if is_run_folder(as_path(folder)):
        return
    row = TRAININGS.get(config.training)
    head_only = row is not None and row.head_only
    if head_only:
        refuse_augmentations(config)
    learns_batchnorm = not head_only and not config.frozen_batchnorm
    refuse_settings(config, len(data.task.train), learns_batchnorm)


def train(model: nn.Module, data: Data, run: Run) -> Fitted:
    """Train all that is not frozen in the network. A finished run is read instead.

    If only the last layer learns, the features of the frozen rest are computed once and kept.
    """
    if run.is_finished:
        say(
            f"{run.folder} holds this run, and it is finished: its weights are read. "
            "Delete the folder to train again."
        )
        model.load_state_dict(load_network(run).model.state_dict())
        return Fitted(run.history)
    start = time.perf_counter()
    config = run.config
    frozen, learning = split_frozen(model.to(pick_device()))
    if len(learning) > 1:
        if world_size() > 1 and not config.frozen_batchnorm and pick_device().type == "cpu":
            say_once(
                "NOTE: on CPUs, BatchNorm that learns takes its statistics from each process's "
                "own part of a batch"
            )
        fit_on = through(frozen, data.batches("train", config), config.precision)
        validate_on = through(frozen, data.batches("val", config), config.precision)
    else:
        if run.is_random:
            measure_statistics(frozen, data, config)
        fit_on, validate_on = part_features(data, frozen, config, "train", "val")
    weights = data.class_weights(config)
    fitted = fit(learning, fit_on, validate_on, config, weights, run.checkpoint)
    if rank() == 0:
        write_table(run.folder / "history.csv", fitted.history)
    return replace(fitted, seconds=time.perf_counter() - start + fitted.seconds)


def finish_run(run: Run, model: nn.Module, data: Data, fitted: Fitted) -> dict[str, Any]:
    """Predict the test photos; save weights, predictions and tables, and last the metrics.

    The temperature of the probabilities is fitted to the validation photos first. The memory of the
    training photos is kept, too. Returns the metrics. After Ctrl-C it uses the best epoch so far,
    without a memory, and the run stays unfinished, so that training can go on.
    """
    if run.is_finished:
        return run.metrics
    start = time.perf_counter()
    config = run.config
    task = data.task
    val = features_and_logits(model, data, config, "val", "validating")
    test = features_and_logits(model, data, config, "test", "testing")
    temperature, chosen = _calibrate(val[1], data, run)
    predictions = _table("test", test[1], data, run, temperature)
    # Ctrl-C shouldn't take minutes, and the training goes on anyway.
    memory = None if fitted.interrupted else training_memory(model, data, config, val[0])
    if memory:
        predictions = predictions.assign(**doubts(memory, test[0]))
    measured = {
        **metrics(predictions, data.counts),
        **chosen,
        **unknown_metrics(predictions, data.counts),
    }
    result = _described(run, data, fitted, measured, fitted.seconds + time.perf_counter() - start)
    if rank() == 0:
        run.memory_path.unlink(missing_ok=True)  # an earlier one is of other weights
        save_model(
            run.model_path, model, task.classes, task.fit_counts.tolist(), config, temperature
        )
        if memory:
            save_memory(run.memory_path, memory)
        _write_results(run, data, predictions, result)
        if not fitted.interrupted:
            with draft(run.checkpoint):  # removes first what a killed process left of one
                pass
            run.checkpoint.unlink(missing_ok=True)
    return result


def _described(
    run: Run, data: Data, fitted: Fitted, measured: dict[str, Any], seconds: float
) -> dict[str, Any]:
    """What was measured, and the settings, data and machine that gave it."""
    config, history = run.config, fitted.history
    return {
        "approach": config.training,
        "recipe": config.recipe,
        "data": run.about["data"]["name"],
        "weights": run.about["weights"]["name"],
        "image_size": list(config.image_size),
        "epochs": len(history),
        "interrupted": fitted.interrupted,
        "best_epoch": int(history.loc[history["best"], "epoch"].iloc[0]),
        "seed": config.seed,
        "split_is_drawn": data.catalogue.split.is_drawn,
        **measured,
        "precision": resolve_precision(config.precision, pick_device()),
        "minutes": round(seconds / 60, 2),
        "machine": run.about.get("machine"),
        "commit": run.about.get("commit"),
    }


def _write_results(run: Run, data: Data, predictions: pd.DataFrame, result: dict[str, Any]) -> None:
    """Write the predictions, the tables and the model card; last the metrics, ``result``."""
    write_table(run.folder / "predictions.csv.gz", predictions, float_format="%.6g")
    per_class = per_class_table(predictions, data.counts)
    write_table(run.folder / "per_class.csv", per_class)
    card = model_card(run, result, per_class, data.catalogue, data.task)
    write_text(run.folder / "model_card.md", card)
    write_json(run.folder / "metrics.json", result)


def _calibrate(logits: np.ndarray, data: Data, run: Run) -> tuple[float, dict[str, float | None]]:
    """The temperature that suits the validation photos, and what it gives on them.

    ``logits`` are theirs, float32 [photos, num_classes].
    See :func:`fashion_tl.reporting.evaluation.chosen_on_validation`. Without a validation photo of
    a class that has training photos, the temperature is ``PLAIN``, and a line says so.
    """
    task = data.task
    labels = task.labels[task.val]
    counts = task.fit_counts.tolist()
    if not task.val_known.any():
        say(f"NOTE: no photo validates, so the temperature of the probabilities is {PLAIN:g}")
    temperature = fit_temperature(logits, labels, counts, run.folder)
    table = _table("val", logits, data, run, temperature)
    trained = pd.DataFrame({"label": task.classes, "train": counts})
    return temperature, chosen_on_validation(table, trained, temperature)


def _table(part: str, logits: np.ndarray, data: Data, run: Run, temperature: float) -> pd.DataFrame:
    """The predictions for one part of the data."""
    counts = data.task.fit_counts.tolist()
    return prediction_table(
        data.table(part), logits, data.task.classes, counts, run.folder, temperature
    )


def train_and_finish(model: nn.Module, data: Data, run: Run) -> Run:
    """:func:`train`, then :func:`finish_run`; KeyboardInterrupt after Ctrl-C."""
    finish_run(run, model, data, unless_interrupted(train(model, data, run)))
    return run
