"""Which figures a run has, under which file names; drawn from its folder and the photos, without
training.
"""

from collections.abc import Callable
from functools import wraps
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from fashion_tl.config import IN_LOSS
from fashion_tl.data.dataset import Data, load_data
from fashion_tl.data.task import class_weights
from fashion_tl.errors import RunError
from fashion_tl.files import StrPath, as_path
from fashion_tl.recipes import LARGEST, TRAININGS, first_steps
from fashion_tl.reporting import evaluation, figures
from fashion_tl.reporting.evaluation import confused_pairs
from fashion_tl.runs import Run, open_run

SHOWN = 18  # photos in a grid
Drawing = Callable[[Run, Data], Figure]
# The figures of a run, by name: those that show its data, and those that show what it learned.
OF_DATA: dict[str, Drawing] = {}
OF_RUN: dict[str, Drawing] = {}


def _kept_in(table: dict[str, Drawing]) -> Callable[[Drawing], Drawing]:
    """Enter a function into a table, and have it save its figure in the run's folder ``figures/``,
    under its name.

    The names are the published study's; those of a run's figures end with the training's suffix.
    """

    def enter(function: Drawing) -> Drawing:
        name = function.__name__

        @wraps(function)
        def drawing(run: Run, data: Data) -> Figure:
            figure = function(run, data)
            end = f"_{TRAININGS[run.config.training].suffix}" if table is OF_RUN else ""
            figures.save(figure, run.folder / "figures" / f"{name}{end}.png")
            return figure

        table[name] = drawing
        return drawing

    return enter


@_kept_in(OF_DATA)
def distribution(run: Run, data: Data) -> Figure:
    """Photos of every class."""
    split = data.catalogue.split
    return figures.class_distribution(
        data.catalogue.counts, run.source, sides=(split.train, split.test)
    )


@_kept_in(OF_DATA)
def distribution20(run: Run, data: Data) -> Figure:
    """Photos of each of the 20 largest classes."""
    split = data.catalogue.split
    return figures.class_distribution(
        data.catalogue.counts, run.source, LARGEST, (split.train, split.test)
    )


@_kept_in(OF_DATA)
def sampledata(run: Run, data: Data) -> Figure:
    """Some training photos."""
    return _photos("train", f"Training photos ({data.catalogue.split.train})", run, data)


@_kept_in(OF_DATA)
def sampledata2(run: Run, data: Data) -> Figure:
    """Some test photos."""
    return _photos("test", f"Test photos ({data.catalogue.split.test})", run, data)


@_kept_in(OF_DATA)
def weight(run: Run, data: Data) -> Figure:
    """How much more a photo of a rare class counts."""
    config, counts = run.config, data.task.fit_counts
    power = 0.0 if config.balance == "none" else config.balance_power
    # In the logits, it is what multiplies the odds of each class, beside the network's own.
    place = "in the loss" if config.balance in IN_LOSS else "in the softmax"
    where = place if power else "alike for all: nothing is balanced"
    formula = (
        f"$w_c = (N / n_c)^{{{power:g}}}$ {where}, scaled to a mean of 1 over the training photos"
    )
    return figures.class_weights_chart(
        data.task.classes, counts, class_weights(counts, power), formula, run.source
    )


@_kept_in(OF_RUN)
def loss(run: Run, data: Data) -> Figure:
    """Loss and accuracy over the epochs."""
    return figures.loss_curves(run.history, _title(run, "loss and accuracy"), run.source)


@_kept_in(OF_RUN)
def sample_results(run: Run, data: Data) -> Figure:
    """Some test photos with what the network says of them."""
    chosen = choose(run.predictions)
    return figures.sample_predictions(
        photos_of(chosen, data), chosen, _title(run, "sample predictions"), run.source
    )


@_kept_in(OF_RUN)
def per_class(run: Run, data: Data) -> Figure:
    """The accuracy of every class."""
    return figures.per_class_accuracy(run.per_class, _title(run, "accuracy per class"), run.source)


@_kept_in(OF_RUN)
def confused(run: Run, data: Data) -> Figure:
    """Which classes it takes for which."""
    return figures.confused_pairs(
        confused_pairs(run.predictions), _title(run, "most confused pairs"), run.source
    )


@_kept_in(OF_RUN)
def largest_losses(run: Run, data: Data) -> Figure:
    """The test photos that it was most wrong about."""
    chosen = evaluation.largest_losses(run.predictions)
    return figures.largest_losses(
        photos_of(chosen, data), chosen, _title(run, "largest losses"), run.source
    )


def _photos(part: str, title: str, run: Run, data: Data) -> Figure:
    chosen = choose(data.table(part))
    return figures.photo_grid(photos_of(chosen, data), list(chosen["label"]), title, run.source)


def _title(run: Run, what: str) -> str:
    title = TRAININGS[run.config.training].title
    return f"{title}{' (RANDOM weights)' if run.is_random else ''}: {what}"


def open_steps(
    folder: StrPath, data_path: StrPath, cache: StrPath | None = None
) -> list[tuple[Run, Data]]:
    """The run in a folder, with its data; of an approach in steps all, the first one first.

    RunError when none lies there, or it was made on other data.
    """
    run = open_run(folder)
    data = load_data(data_path, run.config, cache, quiet=True)
    if data.fingerprint != run.about["data"]["fingerprint"]:
        raise RunError(
            f"{folder} was made on other data ({run.about['data']['name']}) than {data.root.name}"
        )
    before = [run.folder / training for training in first_steps(run.config.training)]
    runs = [*(open_run(below) for below in before if below.is_dir()), run]
    return [(each, data.largest(each.config.largest)) for each in runs]


def draw_all(folder: StrPath, data_path: StrPath, cache: StrPath | None = None) -> list[Path]:
    """Draw every figure of a finished run again (of each step, where there are steps); returns the
    files.

    Raises:
        RunError: when the run isn't finished, or was made on other data.
    """
    folder = as_path(folder)
    for run, data in open_steps(folder, data_path, cache):
        for drawing in (*(OF_DATA.values() if run.folder == folder else ()), *OF_RUN.values()):
            drawing(run, data)
    return sorted(folder.rglob("figures/*.png"))


def choose(table: pd.DataFrame) -> pd.DataFrame:
    """Some rows at random, the same ones for every approach."""
    rows = np.random.default_rng(0).permutation(len(table))[:SHOWN]
    return table.iloc[rows]


def photos_of(table: pd.DataFrame, data: Data) -> np.ndarray:
    """The photos of a table's ids: uint8 [rows, height, width, 3]."""
    return data.photos.array[pd.Index(data.photos.ids).get_indexer(table["id"])]
