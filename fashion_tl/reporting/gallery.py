"""The figures of a run and their file names, drawn from its folder and the photos."""

from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from pathlib import Path

import numpy as np
import pandas as pd

from fashion_tl.config import IN_LOSS
from fashion_tl.data.dataset import Data, load_data
from fashion_tl.data.task import class_weights
from fashion_tl.errors import ConfigError, RunError, in_a_line, photos_in_words, some_of
from fashion_tl.extension import measured
from fashion_tl.files import StrPath, check_writable
from fashion_tl.recipes import LARGEST, TRAININGS
from fashion_tl.reporting import calibration_figures, evaluation, figures, photo_figures
from fashion_tl.reporting.calibration import judged
from fashion_tl.reporting.evaluation import confused_pairs
from fashion_tl.reporting.layout import Chart
from fashion_tl.runfiles import way_out
from fashion_tl.runs import Run, open_run, steps_of

SHOWN = 18  # photos in a grid
Drawing = Callable[[Run, Data], Chart]
# The figures of a run by name: those that show its data, and those that show what it learned.
OF_DATA: dict[str, Drawing] = {}
OF_RUN: dict[str, Drawing] = {}


def _kept_in(table: dict[str, Drawing], of_run: bool = True) -> Callable[[Drawing], Drawing]:
    """Enter a function into a table, and let it save its figure in the run's ``figures/``.

    The figure's file has the function's name, which is the published study's. With ``of_run``, it
    ends with the training's suffix.
    """

    def enter(function: Drawing) -> Drawing:
        name = function.__name__

        @wraps(function)
        def drawing(run: Run, data: Data) -> Chart:
            figure = function(run, data)
            end = f"_{TRAININGS[run.config.training].suffix}" if of_run else ""
            figures.save(figure, run.folder / "figures" / f"{name}{end}.png")
            return figure

        table[name] = drawing
        return drawing

    return enter


@_kept_in(OF_DATA, of_run=False)
def distribution(run: Run, data: Data) -> Chart:
    """Photos of every class."""
    split = data.catalogue.split
    return figures.class_distribution(
        data.catalogue.counts, run.source, sides=(split.train, split.test)
    )


@_kept_in(OF_DATA, of_run=False)
def distribution20(run: Run, data: Data) -> Chart:
    """Photos of each of the largest classes: those that a step learns alone, or ``LARGEST``."""
    split = data.catalogue.split
    sizes = (each.config.largest for each in steps_of(run))
    shown = next(filter(None, sizes), LARGEST)
    return figures.class_distribution(
        data.catalogue.counts, run.source, shown, (split.train, split.test)
    )


@_kept_in(OF_DATA, of_run=False)
def sampledata(run: Run, data: Data) -> Chart:
    """Some training photos."""
    return _photos("train", f"Training photos ({data.catalogue.split.train})", run, data)


@_kept_in(OF_DATA, of_run=False)
def sampledata2(run: Run, data: Data) -> Chart:
    """Some test photos."""
    return _photos("test", f"Test photos ({data.catalogue.split.test})", run, data)


@_kept_in(OF_DATA, of_run=False)
def weight(run: Run, data: Data) -> Chart:
    """The influence of a photo of each class: those of rare classes count for more."""
    config = run.config
    counts = data.task.fit_counts
    power = 0.0 if config.balance == "none" else config.balance_power
    if not power:
        where = "alike for all: nothing is balanced"
    elif config.balance in IN_LOSS:
        where = "in the loss"
    else:  # the weight multiplies the odds of its class
        where = "in the softmax"
    formula = (
        f"$w_c = (N / n_c)^{{{power:g}}}$ {where}, scaled to a mean of 1 over the training photos"
    )
    return figures.class_weights_chart(
        data.task.classes, counts, class_weights(counts, power), formula, run.source
    )


@_kept_in(OF_RUN)
def loss(run: Run, data: Data) -> Chart:
    """Loss and accuracy over the epochs."""
    return figures.loss_curves(run.history, _title(run, "loss and accuracy"), run.source)


@_kept_in(OF_RUN)
def sample_results(run: Run, data: Data) -> Chart:
    """Some test photos and the network's answers."""
    chosen = choose(run.predictions)
    return photo_figures.sample_predictions(
        photos_of(chosen, data), chosen, _title(run, "sample predictions"), run.source
    )


@_kept_in(OF_RUN)
def per_class(run: Run, data: Data) -> Chart:
    """The accuracy of every class."""
    return figures.per_class_accuracy(run.per_class, _title(run, "accuracy per class"), run.source)


@_kept_in(OF_RUN)
def confused(run: Run, data: Data) -> Chart:
    """The pairs of classes that the network confuses most."""
    return figures.confused_pairs(
        confused_pairs(run.predictions), _title(run, "most confused pairs"), run.source
    )


@_kept_in(OF_RUN)
def calibration(run: Run, data: Data) -> Chart:
    """How often the network is right when it is so sure, and when only sure answers count."""
    return calibration_figures.calibration(
        judged(run.predictions, run.per_class), _title(run, "how sure, how right"), run.source
    )


@_kept_in(OF_RUN)
def largest_losses(run: Run, data: Data) -> Chart:
    """The test photos with the largest losses."""
    chosen = evaluation.largest_losses(run.predictions)
    return photo_figures.largest_losses(
        photos_of(chosen, data), chosen, _title(run, "largest losses"), run.source
    )


def _photos(part: str, title: str, run: Run, data: Data) -> Chart:
    chosen = choose(data.table(part))
    photos = photos_of(chosen, data)
    return photo_figures.photo_grid(photos, list(chosen["label"]), title, run.source)


def _title(run: Run, what: str) -> str:
    training = TRAININGS[run.config.training].title
    weights = " (RANDOM weights)" if run.is_random else ""
    return f"{training}{weights}: {what}"


def open_steps(
    folder: StrPath, data_path: StrPath, cache: StrPath | None = None
) -> list[tuple[Run, Data]]:
    """The run in a folder with its data, after the runs of the steps before it, if it has any.

    Of an extended run, these are the steps of the run that was extended. RunError if there is no
    run, or if it was made on other data.
    """
    run = measured(open_run(folder))
    try:
        data = load_data(data_path, run.config, cache, quiet=True)
    except ConfigError as error:  # its label and split are the run's, not the user's
        raise RunError(f"{folder} was made on other data than {data_path}") from error
    if data.fingerprint != run.about["data"]["fingerprint"]:
        raise RunError(_on_other_data(folder, run, data))
    return [(each, data.of_classes(each.config)) for each in steps_of(run)]


def _on_other_data(folder: StrPath, run: Run, data: Data) -> str:
    """Why a run can't be shown with these data, and what to do if they were its own."""
    there = run.about["data"]["name"]
    if data.photos.failed:
        names = [f"{data.root.photos[own].name}: {why}" for own, why in data.photos.failed.items()]
        return (
            f"{folder} was made on other data ({there}), or on more photos of {data.root.name}: "
            f"{photos_in_words(len(names))} can't be read now ({some_of(names, between='; ')}). "
            "If they could be read then, make them readable, or copy them again."
        )
    if run.is_sample and data.root.is_sample:
        return (
            f"{folder} was made on a sample that was drawn with other photos; "
            "name the folder of that sample with --data"
        )
    return f"{folder} was made on other data ({there}) than {data.root.name}"


def draw_all(folder: StrPath, data_path: StrPath, cache: StrPath | None = None) -> list[Path]:
    """Draw all figures of a finished run again, and of the steps before it; return the files.

    RunError if the run isn't finished, or if it was made on other data.
    """
    _check_ready(steps_of(measured(open_run(folder))))
    return draw(open_steps(folder, data_path, cache))


def _check_ready(runs: Iterable[Run]) -> None:
    for run in runs:
        run.refuse_unfinished("then draw its figures")
        check_writable(run.folder / "figures" / "loss.png", makes_folders=True)


def draw(steps: Sequence[tuple[Run, Data]]) -> list[Path]:
    """:func:`draw_all` for runs whose data were read, in the order of :func:`open_steps`."""
    _check_ready(run for run, _ in steps)
    for run, data in steps:
        check_predictions(run, data)
    last = steps[-1][0]
    for run, data in steps:
        if run is last:
            for drawing in OF_DATA.values():
                drawing(run, data)
        for drawing in OF_RUN.values():
            drawing(run, data)
    return sorted(last.folder.rglob("figures/*.png"))


def choose(table: pd.DataFrame) -> pd.DataFrame:
    """Some rows at random, the same ones for all approaches."""
    rows = np.random.default_rng(0).permutation(len(table))[:SHOWN]
    return table.iloc[rows]


def photos_of(table: pd.DataFrame, data: Data) -> np.ndarray:
    """The photos of a table's rows: uint8 [rows, height, width, 3].

    RunError if the data have no photo with one of the ids.
    """
    places = pd.Index(data.photos.ids).get_indexer(table["id"])
    if len(strange := table["id"][places < 0]):
        raise no_such_photo(strange.iloc[0], data)
    return data.photos.array[places]


def no_such_photo(own: str, data: Data) -> RunError:
    """The error for a photo that a file of a run names, but the run's data don't have."""
    return RunError(
        f"{data.root.name} has no photo {in_a_line(own)}, which the run names: a file of the run "
        "is damaged, or is of another run; copy the run again"
    )


def check_predictions(run: Run, data: Data) -> None:
    """RunError if the predictions are of photos that aren't in the data, or of other classes.

    RunError also as from :meth:`fashion_tl.runs.Run.check_results`.
    """
    run.check_results()
    table, file = run.predictions, run.folder / "predictions.csv.gz"
    for column, known, owner in (
        ("id", data.photos.ids, f"no photo of {data.root.name} has"),
        ("label", run.per_class["label"], "per_class.csv lacks"),
    ):
        if len(strange := table[column][~table[column].isin(known)]):
            line, value = strange.index[0] + 2, in_a_line(strange.iloc[0])
            fault = f"{file} is damaged (line {line}: {owner} the {column} {value})"
            raise RunError(f"{fault}; {way_out(run.folder)}")
