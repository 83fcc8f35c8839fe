"""Write a finished run as one HTML page that needs no network, for a screen or a phone.

This module collects the numbers and photos; the files in ``web/`` say how they look.
"""

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from matplotlib.ticker import MaxNLocator
from PIL import Image

from fashion_tl.data.catalogue import FEW_SHOT
from fashion_tl.data.dataset import Data
from fashion_tl.errors import RunError
from fashion_tl.files import StrPath, as_path, replacing
from fashion_tl.recipes import APPROACHES, TRAININGS
from fashion_tl.reporting import layout
from fashion_tl.reporting.evaluation import confused_pairs, largest_losses
from fashion_tl.reporting.gallery import choose, open_steps, photos_of
from fashion_tl.runs import Run, refuse_own_file

PHOTO = (180, 240)  # the largest width and height of a photo in pixels; smaller ones stay
WIDE, HIGH = 280, 150  # of the area of a chart's lines
LINES = {
    "loss": ("train_loss", "val_loss", "val_cross_entropy"),
    "accuracy": ("train_accuracy", "val_accuracy"),
}


def write_report(
    folder: StrPath, data_path: StrPath, cache: StrPath | None = None, to: StrPath | None = None
) -> Path:
    """Write the page of a run and of the steps before it; return the file.

    The default file is ``report.html`` in the run's folder. RunError if the run isn't finished, or
    if it was made on other data.
    """
    steps = open_steps(folder, data_path, cache)
    target = as_path(to or as_path(folder) / "report.html")
    refuse_own_file(target)
    for run, _ in steps:
        if not run.is_finished:
            raise RunError(
                f"{run.folder} isn't finished; run the command that began it again, "
                "and then write the report"
            )
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {"percent": _percent, "thousands": "{:,}".format}
    html = templates.get_template("report.html.j2").render(
        steps=[_collected(run, data) for run, data in steps],
        heading=_heading(steps[-1][0].config.training),
        colours=layout,
        wide=WIDE,
        high=HIGH,
        few_shot=FEW_SHOT,
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as temporary:
        temporary.write_text(html, encoding="utf-8")
    return target


def _heading(training: str) -> str:
    """The title of the approach that ends with this training, or the training's own title."""
    titles = (each.title for each in APPROACHES.values() if each.trainings[-1] == training)
    return next(titles, TRAININGS[training].title)


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
        "unseen": per_class["test"][per_class["train"] == 0].loc[lambda photos: photos > 0],
        "classes": per_class.to_dict("records"),
        "pairs": confused_pairs(predictions).to_dict("records"),
        "largest_losses": _with_photos(largest_losses(predictions), data),
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

    def x(epoch: float) -> float:
        return round((epoch - 0.5) / epochs * WIDE, 1)

    def y(value: float) -> float:
        return round((marks[-1] - value) / (marks[-1] - marks[0]) * HIGH, 1)

    ticks = MaxNLocator(5, integer=True).tick_values(1, epochs)
    along = [int(tick) for tick in ticks if 1 <= tick <= epochs]
    lines = {}
    for name in names:
        points = zip(history["epoch"], values[name], strict=True)
        lines[name] = [(x(epoch), y(value)) for epoch, value in points]
    number = "{:.0%}" if kind == "accuracy" else "{:g}"
    return {
        "kind": kind,
        "lines": lines,
        "across": [(y(mark), number.format(mark)) for mark in marks],
        "along": [(x(epoch), epoch) for epoch in along],
        "kept": x(history.loc[history["best"], "epoch"].iloc[0]),
    }


def _with_photos(predictions: pd.DataFrame, data: Data) -> list[dict[str, Any]]:
    """Rows of predictions, each with a small ``photo`` as data URI and the product's ``name``."""
    table = data.catalogue.table.astype({"id": str}).set_index("id")
    names = table["productDisplayName"].fillna("")
    rows = predictions.to_dict("records")
    shown = []
    for row, pixels in zip(rows, photos_of(predictions, data), strict=True):
        photo = Image.fromarray(pixels)
        photo.thumbnail(PHOTO)
        file = io.BytesIO()
        photo.save(file, "JPEG", quality=80)
        content = base64.b64encode(file.getvalue()).decode()
        own = {
            "photo": f"data:image/jpeg;base64,{content}",
            "size": photo.size,
            "name": names[row["id"]],
            "is_right": row["top1"] == row["label"],
        }
        shown.append(row | own)
    return shown


def _percent(share: float | None, digits: int = 1) -> str:
    return "–" if share is None else f"{100 * share:.{digits}f}\N{NO-BREAK SPACE}%"
