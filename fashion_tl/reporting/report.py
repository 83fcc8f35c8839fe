"""Write a finished run as one HTML page that needs no network, for a screen or a phone.

This module collects the numbers and photos; the files in ``web/`` say how they look.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from fashion_tl.data.catalogue import FEW_SHOT
from fashion_tl.data.dataset import Data
from fashion_tl.extension import extension_of, new_classes, read_shots
from fashion_tl.files import StrPath, as_path
from fashion_tl.network.features import features_of
from fashion_tl.network.memory import nearest_photos
from fashion_tl.network.trained import load_remembering
from fashion_tl.recipes import APPROACHES, TRAININGS
from fashion_tl.reporting.calibration import (
    calibration_error,
    coverage_curve,
    judged,
    reliability,
    unattended,
)
from fashion_tl.reporting.evaluation import confused_pairs, largest_losses
from fashion_tl.reporting.gallery import check_predictions, choose, open_steps, photos_of
from fashion_tl.reporting.pages import photo_cards, picture, write_page
from fashion_tl.reporting.unknown import refused_and_missed, unknown_metrics
from fashion_tl.runs import Run, open_run
from fashion_tl.targets import checked_target

SHOWN = 12  # photos of each kind
NEAREST = 3  # training photos beside a mistake
WIDE, HIGH = 280, 150  # of the area of a chart's lines
SHARES = np.linspace(0, 1, 6)  # ticks of an axis from 0 to 100 %
LINES = {
    "loss": ("train_loss", "val_loss", "val_cross_entropy"),
    "accuracy": ("train_accuracy", "val_accuracy"),
}


def write_report(
    folder: StrPath, data_path: StrPath, cache: StrPath | None = None, to: StrPath | None = None
) -> Path:
    """Write the page of a run and of the steps before it; return the file.

    Of an extended run, it shows what was learned since, and the figures of the run before. The
    default file is ``report.html`` in the run's folder. ConfigError if the file is no .html or
    .htm file. RunError if the run isn't finished, if it was made on other data, or if the file
    would lie among the photos.
    """
    extended = open_run(folder)
    target = checked_target(
        as_path(folder) / "report.html" if to is None else to,
        "the report",
        (".html", ".htm"),
        data_path,
        makes_folders=True,
    )
    steps = open_steps(folder, data_path, cache)
    for run, data in steps:
        run.refuse_unfinished("then write the report")
        check_predictions(run, data)
    write_page(
        target,
        "report.html.j2",
        steps=[_collected(run, data) for run, data in steps],
        extension=_extension(extended),
        learned=new_classes(extension_of(extended)),
        heading=_heading(steps[-1][0].config.training),
        wide=WIDE,
        high=HIGH,
        few_shot=FEW_SHOT,
    )
    return target


def _heading(training: str) -> str:
    """The title of the approach that ends with this training, or the training's own title."""
    titles = (each.title for each in APPROACHES.values() if each.trainings[-1] == training)
    return next(titles, TRAININGS[training].title)


def _extension(run: Run) -> list[dict[str, Any]]:
    """What an extended run learned since its training, with a few photos of each row.

    A class that several extensions gave photos has several rows, each with its own photos.
    """
    shots = read_shots(run)
    labels = np.array(shots.labels)
    told: dict[str, int] = {}
    rows = []
    for row in extension_of(run):
        label, start = row["label"], told.get(row["label"], 0)
        told[label] = start + row["photos"]
        shown = np.flatnonzero(labels == label)[start : told[label]][:SHOWN]
        pictures = [picture(shots.pixels[place]) | {"id": shots.ids[place]} for place in shown]
        rows.append(row | {"shown": pictures})
    return rows


def _collected(run: Run, data: Data) -> dict[str, Any]:
    """What the page says about one training."""
    predictions = run.predictions
    per_class = run.per_class
    return {
        "run": run,
        "split": data.catalogue.split,
        "settings": _settings(run, data),
        "title": TRAININGS[run.config.training].title,
        "charts": [_chart(run.history, kind) for kind in LINES],
        "calibration": _calibration(judged(predictions, per_class), run.metrics),
        "unseen": per_class["test"][per_class["train"] == 0].loc[lambda photos: photos > 0],
        "classes": per_class.to_dict("records"),
        "pairs": confused_pairs(predictions).to_dict("records"),
        "largest_losses": _with_nearest(largest_losses(predictions), run, data),
        "unknown": _unknown(predictions, per_class, data),
        "samples": _with_photos(choose(predictions), data),
    }


def _settings(run: Run, data: Data) -> dict[str, Any]:
    """The run's settings. If folders decide, it says so in the place of those for a table."""
    settings = dict(run.about["config"])
    if data.catalogue.in_folders:
        settings |= {
            "label": "the name of the folder",
            "split": data.catalogue.split.rule,
            "bad_rows": "none: there is no table",
        }
    return settings


def _chart(history: pd.DataFrame, kind: str) -> dict[str, Any]:
    """One of ``LINES`` over the epochs: points and ticks, measured from the upper left corner."""
    names = [name for name in LINES[kind] if history[name].notna().any()]
    if np.allclose(history["val_cross_entropy"], history["val_loss"], equal_nan=True):
        names = [name for name in names if name != "val_cross_entropy"]
    epochs = len(history)
    values = history[names]
    locator = MaxNLocator(4, steps=[1, 2, 5, 10])
    marks = locator.tick_values(values.min().min(), values.max().max())
    ticks = MaxNLocator(5, integer=True).tick_values(1, epochs)
    number = "{:.0%}" if kind == "accuracy" else "{:g}"
    drawn = _drawn(
        {name: history[["epoch", name]].to_numpy() for name in names},
        {tick: str(int(tick)) for tick in ticks if 1 <= tick <= epochs},
        {mark: number.format(mark) for mark in marks},
        (0.5, epochs + 0.5),
    )
    kept = history.loc[history["best"], "epoch"].iloc[0]
    return drawn | {
        "title": kind.capitalize(),
        "words": f"{kind} in each epoch; the numbers stand below",
        "xlabel": "epoch",
        "dots": True,
        "kept": round((kept - 0.5) / epochs * WIDE, 1),
    }


def _drawn(
    lines: dict[str, np.ndarray],
    along: dict[float, str],
    across: dict[float, str],
    ends: tuple[float, float],
) -> dict[str, Any]:
    """Lines by name, each float [points, 2], and the ticks' texts by value, in a chart's units.

    ``ends`` are the values at the left and right edges. The first and last ticks ``across`` are at
    the lower and upper edges.
    """
    left, right = ends
    low, high = min(across), max(across)

    def x(value: float) -> float:
        return round(float((value - left) / (right - left) * WIDE), 1)

    def y(value: float) -> float:
        return round(float((high - value) / (high - low) * HIGH), 1)

    return {
        "lines": {name: [(x(a), y(b)) for a, b in points] for name, points in lines.items()},
        "along": [(x(tick), text) for tick, text in along.items()],
        "across": [(y(mark), text) for mark, text in across.items()],
    }


def _calibration(table: pd.DataFrame, metrics: dict[str, Any]) -> dict[str, Any]:
    """What the page says of probabilities, from :func:`judged`'s table of the test photos."""
    known = table[table["learnable"]]
    curves = {
        side: coverage_curve(photos)[["coverage", "accuracy"]].to_numpy()
        for side, photos in {"all": table, "learnable": known}.items()
    }
    return {
        "error": calibration_error(known),
        "temperature": metrics.get("temperature"),
        "val_error": metrics.get("val_ece"),
        "rows": unattended(table, metrics),  # older runs have no threshold
        "charts": [_reliability_chart(known), _coverage_chart(curves)],
    }


def _reliability_chart(known: pd.DataFrame) -> dict[str, Any]:
    bins = reliability(known)
    ticks = {share: f"{share:.0%}" for share in SHARES}
    lines = {
        "ideal": np.array([[0, 0], [1, 1]]),
        "learnable": bins.loc[bins["photos"] > 0, ["confidence", "accuracy"]].to_numpy(),
    }
    return _drawn(lines, ticks, ticks, (0, 1)) | {
        "title": "Accuracy by probability",
        "words": "share of right answers by the probability of the answer",
        "xlabel": "probability of the answer",
        "dots": True,
    }


def _coverage_chart(curves: dict[str, np.ndarray]) -> dict[str, Any]:
    """``curves`` are coverage and accuracy, float [points, 2]."""
    lowest = min(curve[:, 1].min(initial=0.9) for curve in curves.values())
    marks = MaxNLocator(4, steps=[1, 2, 5, 10]).tick_values(lowest, 1)
    across = {mark: f"{mark:.0%}" for mark in marks if mark < 1.001}
    return _drawn(curves, {share: f"{share:.0%}" for share in SHARES}, across, (0, 1)) | {
        "title": "Accuracy of the surest answers",
        "words": "share of right answers by the share of photos answered; numbers stand below",
        "xlabel": "share of photos answered",
        "dots": False,
    }


def _unknown(
    predictions: pd.DataFrame, per_class: pd.DataFrame, data: Data
) -> dict[str, Any] | None:
    """What the page says of photos that are like none it learned from; None for older runs."""
    if not (kinds := refused_and_missed(predictions, per_class)):
        return None
    return {
        "metrics": unknown_metrics(predictions, per_class),
        "photos": {kind: len(rows) for kind, rows in kinds.items()},
        "shown": {kind: _with_photos(rows.head(SHOWN), data) for kind, rows in kinds.items()},
    }


def _with_nearest(predictions: pd.DataFrame, run: Run, data: Data) -> list[dict[str, Any]]:
    """:func:`_with_photos`, each with its ``nearest`` training photos: those have photos, too."""
    rows = _with_photos(predictions, data)
    for row, nearest in zip(rows, _nearest_to(run, data, predictions), strict=True):
        ids = pd.DataFrame({"id": [each["id"] for each in nearest]}, dtype=object)
        pictures = [picture(pixels) for pixels in photos_of(ids, data)]
        row["nearest"] = [each | own for each, own in zip(nearest, pictures, strict=True)]
    return rows


def _nearest_to(run: Run, data: Data, table: pd.DataFrame) -> list[list[dict[str, Any]]]:
    """The ``NEAREST`` training photos for each of the table's photos: ``id, label, distance``.

    Empty lists if the run has no memory. RunError if its memory is damaged.
    """
    if table.empty or not run.memory_path.exists():
        return [[] for _ in range(len(table))]
    saved, memory = load_remembering(run)
    features, _ = features_of(saved, photos_of(table, data))
    return nearest_photos(memory, features, NEAREST)


def _with_photos(predictions: pd.DataFrame, data: Data) -> list[dict[str, Any]]:
    """Rows of predictions with their photos, each with ``is_right`` and no ``nearest`` photos."""
    is_right = predictions["top1"] == predictions["label"]
    cards = photo_cards(predictions.assign(is_right=is_right), data)
    return [card | {"nearest": []} for card in cards]
