"""Run folders and models made by hand, of whatever data, for tests that train nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from fashion_tl import runfiles
from fashion_tl.config import Config
from fashion_tl.data.dataset import load_data
from fashion_tl.network.model import SavedModel
from fashion_tl.recipes import make_config
from fashion_tl.reporting.evaluation import metrics, per_class_table
from fashion_tl.runs import create_run, write_json, write_table
from study.places import RESULTS
from study.records import read_record

# What lies in the folder of a finished run, its figures aside.
FILES = {
    "run.json",
    "history.csv",
    "model.safetensors",
    "memory.safetensors",
    "predictions.csv.gz",
    "per_class.csv",
    "metrics.json",
    "model_card.md",
}

# All that metrics.json must hold.
METRICS = dict.fromkeys((*runfiles.METRICS, *runfiles.MEANS), 1) | {"approach": "fc_only"}


def predictions_on_record(name: str = "fc_only") -> tuple[pd.DataFrame, pd.DataFrame]:
    """As many right and wrong as a run on the real data had, class by class (142 classes, 20,634
    photos), and the photos of each class; ids count from 0, and probabilities and losses are drawn.
    """
    record = read_record(RESULTS, name)
    counts, wrong = record.per_class, record.confusions
    true = [
        *np.repeat(counts["label"], counts["correct"]),
        *np.repeat(wrong["true"], wrong["count"]),
    ]
    guess = [
        *np.repeat(counts["label"], counts["correct"]),
        *np.repeat(wrong["predicted"], wrong["count"]),
    ]
    rng = np.random.default_rng(0)
    order, p1 = rng.permutation(len(true)), rng.uniform(0.2, 1, len(true))
    table = (
        pd.DataFrame({"label": true, "top1": guess, "p1": p1}).iloc[order].reset_index(drop=True)
    )
    losses = np.where(
        table["top1"] == table["label"], -np.log(table["p1"]), 2 + rng.exponential(1, len(table))
    )
    table = table.assign(id=range(len(table)), year=2011, loss=losses)
    seen = counts["label"][counts["train"] > 0]
    return table.assign(loss=table["loss"].where(table["label"].isin(seen))), counts[
        ["label", "train"]
    ]


def history(epochs: int = 4, best: int = 3, val: bool = True) -> pd.DataFrame:
    """Losses and accuracies of so many epochs, made up; those of validation only with ``val``."""
    epoch = np.arange(1, epochs + 1)
    table = pd.DataFrame(
        {"epoch": epoch, "train_loss": 2 / epoch, "train_accuracy": 1 - 0.5 / epoch}
    )
    table = table.assign(
        val_loss=3 / epoch, val_accuracy=1 - 0.6 / epoch, val_cross_entropy=2.5 / epoch
    )
    if not val:
        table[["val_loss", "val_accuracy", "val_cross_entropy"]] = np.nan
    return table.assign(best=epoch == best)


def make_run(
    folder: Path,
    root: Path,
    predictions: pd.DataFrame,
    counts: pd.DataFrame,
    training: str = "fc_only",
    **settings: Any,
) -> Path:
    """A finished run on the data ``root`` with these predictions, whose photos are those of the
    data in turn; see also :func:`repeating_photos`.

    ``predictions`` need ``label, top1, p1, loss``; ``counts`` gives ``label, train``. Losses and
    accuracies of its 4 epochs are made up; without a validation part they are those of training
    alone.
    """
    config = make_config(training, **{"epochs": 4, **settings})
    data = load_data(root, config)
    photos = np.resize(data.table("test")["id"].to_numpy(), len(predictions))
    predictions = predictions.assign(id=photos, **{f"top{k}": "" for k in range(2, 6)})
    about = {"name": data.root.name, "photos": len(predictions), "fingerprint": data.fingerprint}
    run = create_run(
        folder, config, about, {"name": "resnet50.safetensors", "fingerprint": "0123456789abcdef"}
    )
    learned = history(config.epochs, val=bool(config.val_fraction))
    write_table(folder / "history.csv", learned)
    write_table(folder / "predictions.csv.gz", predictions)
    write_table(folder / "per_class.csv", per_class_table(predictions, counts))
    result = metrics(predictions, counts) | {
        "approach": training,
        "minutes": 1.5,
        "epochs": config.epochs,
        "best_epoch": 3,
    }
    write_json(folder / "metrics.json", result)
    return run.folder


@contextmanager
def repeating_photos() -> Iterator[None]:
    """In this block a run may have more predictions than its data have photos, as
    :func:`make_run` writes them: so many photos would take minutes to draw.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runfiles, "refuse_repeated", lambda ids: None)
        yield


def small_model(**sizes: Any) -> SavedModel:
    """A saved model of one convolution, for sizes to be tried."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(3), nn.Flatten(1))
    model.add_module("fc", nn.Linear(36, 3))  # named as a ResNet's last layer
    config = Config("direct", flip_test=True, **sizes)
    return SavedModel(model, ("Shirts", "Belts", "Ties"), (5, 0, 5), config)
