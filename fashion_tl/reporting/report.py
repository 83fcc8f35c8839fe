"""One HTML page of a finished run that needs no network: to read, also on a phone, to send and to
keep.

Here its numbers and photos are gathered; how they look stands in ``web/``.
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
from fashion_tl.recipes import TRAININGS
from fashion_tl.reporting import layout
from fashion_tl.reporting.evaluation import confused_pairs, largest_losses
from fashion_tl.reporting.gallery import choose, open_steps, photos_of
from fashion_tl.runs import Run, refuse_own_file

PHOTO = (
    180,
    240,
)  # width × height in pixels that a photo is made to fit; smaller ones stay as they are
WIDE, HIGH = 280, 150  # of the box that the lines of a chart lie in
LINES = {
    "loss": ("train_loss", "val_loss", "val_cross_entropy"),
    "accuracy": ("train_accuracy", "val_accuracy"),
}


def write_report(
    folder: StrPath, data_path: StrPath, cache: StrPath | None = None, to: StrPath | None = None
) -> Path:
    """Write the page of a run (of both its steps, for two-step), by default as ``report.html`` in
    its folder.

    Returns the file. RunError when the run isn't finished, or was made on other data.
    """
    steps, target = (
        open_steps(folder, data_path, cache),
        as_path(to or as_path(folder) / "report.html"),
    )
    refuse_own_file(target)
    for run, _ in steps:
        if not run.is_finished:
            raise RunError(
                f"{run.folder} isn't finished; the command that began it goes on, and then it has a report"
            )
    parts = [_gathered(run, data) for run, data in steps]
    strict = {
        "autoescape": True,
        "undefined": StrictUndefined,
        "trim_blocks": True,
        "lstrip_blocks": True,
    }
    templates = Environment(loader=FileSystemLoader(Path(__file__).parent / "web"), **strict)
    templates.filters |= {"percent": _percent, "thousands": "{:,}".format}
    looks = {"colours": layout, "wide": WIDE, "high": HIGH, "few_shot": FEW_SHOT}
    html = templates.get_template("report.html.j2").render(steps=parts, **looks)
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as temporary:
        temporary.write_text(html, encoding="utf-8")
    return target


def _gathered(run: Run, data: Data) -> dict[str, Any]:
    """What the page says of one training."""
    predictions, per_class = run.predictions, run.per_class
    return {
        "run": run,
        "split": data.catalogue.split,
        "title": TRAININGS[run.config.training].title,
        "charts": [_chart(run.history, kind) for kind in LINES],
        "unseen": per_class["test"][per_class["train"] == 0].loc[lambda photos: photos > 0],
        "classes": per_class.to_dict("records"),
        "pairs": confused_pairs(predictions).to_dict("records"),
        "largest_losses": _with_photos(largest_losses(predictions), data),
        "samples": _with_photos(choose(predictions), data),
    }


def _chart(history: pd.DataFrame, kind: str) -> dict[str, Any]:
    """One of ``LINES`` over the epochs: points and ticks as distances from the box's upper left
    corner.
    """
    names = [name for name in LINES[kind] if history[name].notna().any()]
    if np.allclose(history["val_cross_entropy"], history["val_loss"], equal_nan=True):
        names = [name for name in names if name != "val_cross_entropy"]
    epochs, values = len(history), history[names]
    marks = MaxNLocator(4, steps=[1, 2, 5, 10]).tick_values(
        values.min().min(), values.max().max()
    )  # up to 100 %

    def x(epoch: float) -> float:
        return round((epoch - 0.5) / epochs * WIDE, 1)

    def y(value: float) -> float:
        return round((marks[-1] - value) / (marks[-1] - marks[0]) * HIGH, 1)

    along = [
        int(tick)
        for tick in MaxNLocator(5, integer=True).tick_values(1, epochs)
        if 1 <= tick <= epochs
    ]
    return {
        "kind": kind,
        "lines": {
            name: [(x(e), y(v)) for e, v in zip(history["epoch"], values[name], strict=True)]
            for name in names
        },
        "across": [
            (y(mark), f"{mark:.0%}" if kind == "accuracy" else f"{mark:g}") for mark in marks
        ],
        "along": [(x(epoch), epoch) for epoch in along],
        "kept": x(history.loc[history["best"], "epoch"].iloc[0]),
    }


def _with_photos(predictions: pd.DataFrame, data: Data) -> list[dict[str, Any]]:
    """Rows of predictions, each with its ``photo`` as a data URI, small, and its product's
    ``name``.
    """
    names = (
        data.catalogue.table.astype({"id": str}).set_index("id")["productDisplayName"].fillna("")
    )
    shown = []
    for row, pixels in zip(
        predictions.to_dict("records"), photos_of(predictions, data), strict=True
    ):
        photo, file = Image.fromarray(pixels), io.BytesIO()
        photo.thumbnail(PHOTO)
        photo.save(file, "JPEG", quality=80)
        uri = f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"
        is_right = row["top1"] == row["label"]
        shown.append(
            row | {"photo": uri, "size": photo.size, "name": names[row["id"]], "is_right": is_right}
        )
    return shown


def _percent(share: float | None, digits: int = 1) -> str:
    return "–" if share is None else f"{100 * share:.{digits}f}\N{NO-BREAK SPACE}%"
