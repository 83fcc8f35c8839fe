"""Which figures a run has, under which file names; drawn from its folder and the photos, without training."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from fashion_tl.data.catalogue import LARGEST, POWERS, class_weights
from fashion_tl.data.dataset import Data, load_data
from fashion_tl.errors import RunError
from fashion_tl.files import StrPath, as_path
from fashion_tl.reporting import figures
from fashion_tl.reporting.evaluation import confused_pairs, largest_losses
from fashion_tl.runs import Run, open_run

# After the published study's file names.
SUFFIX = {"fc_only": "fconly", "direct": "direct", "top20": "20", "two_step": "142"}
TITLE = {
    "fc_only": "FC only",
    "direct": "Direct",
    "top20": "Two steps, first: the 20 largest classes",
    "two_step": "Two steps, second: all classes",
}
OF_DATA = ("distribution", "distribution20", "weight", "sampledata", "sampledata2")
OF_RUN = ("loss", "sample_results", "per_class", "confused", "largest_losses")
SHOWN = 18  # photos in a grid


def draw(name: str, run: Run, data: Data) -> Figure:
    """Draw one of ``OF_DATA`` or ``OF_RUN``, save it in the run's folder ``figures/``, and return it."""
    figure = _draw(name, run, data, run.source)
    file = f"{name}_{SUFFIX[run.config.training]}.png" if name in OF_RUN else f"{name}.png"
    figures.save(figure, run.folder / "figures" / file)
    return figure


def open_steps(folder: StrPath, data_path: StrPath, cache: StrPath | None = None) -> list[tuple[Run, Data]]:
    """The run in a folder, with its data; of two steps both, the first before the second.

    RunError when none lies there, or it was made on other data.
    """
    run = open_run(folder)
    data = load_data(data_path, run.config, cache, quiet=True)
    if data.fingerprint != run.about["data"]["fingerprint"]:
        raise RunError(f"{folder} was made on other data ({run.about['data']['name']}) than {data.root.name}")
    first = run.folder / "top20"
    return [(open_run(first), data.largest()), (run, data)] if first.is_dir() else [(run, data)]


def draw_all(folder: StrPath, data_path: StrPath, cache: StrPath | None = None) -> list[Path]:
    """Draw every figure of a finished run again (of both its steps, for two-step); returns the files.

    Raises:
        RunError: when the run isn't finished, or was made on other data.
    """
    folder = as_path(folder)
    for run, data in open_steps(folder, data_path, cache):
        for name in (*(OF_DATA if run.folder == folder else ()), *OF_RUN):
            draw(name, run, data)
    return sorted(folder.rglob("figures/*.png"))


def _draw(name: str, run: Run, data: Data, source: str) -> Figure:
    title = TITLE[run.config.training] + (" (RANDOM weights)" if run.is_random else "")
    if name in ("distribution", "distribution20"):
        return figures.class_distribution(data.catalogue.counts, source, LARGEST if name.endswith("20") else None)
    if name == "weight":
        counts, config = data.task.train_counts, run.config
        power, words = POWERS[config.class_weights], "in the loss"
        if config.logit_adjustment and power:
            words += f" (beside logit adjustment by {config.logit_adjustment:g})"
        elif config.logit_adjustment:  # what it multiplies the odds of each class by, beside the network's own
            power, words = config.logit_adjustment, "in the softmax"
        formula = f"$w_c = (N / n_c)^{{{power:g}}}$ {words}, scaled to a mean of 1 over the training photos"
        return figures.class_weights_chart(data.task.classes, counts, class_weights(counts, power), formula, source)
    if name in ("sampledata", "sampledata2"):
        part = "train" if name == "sampledata" else "test"
        chosen = choose(data.table(part))
        words = "Training photos (even years)" if part == "train" else "Test photos (odd years)"
        return figures.photo_grid(photos_of(chosen, data), list(chosen["articleType"]), words, source)
    if name == "loss":
        return figures.loss_curves(run.history, f"{title}: loss and accuracy", source)
    if name == "per_class":
        return figures.per_class_accuracy(run.per_class, f"{title}: accuracy per class", source)
    if name == "confused":
        return figures.confused_pairs(confused_pairs(run.predictions), f"{title}: most confused pairs", source)
    if name == "sample_results":
        chosen = choose(run.predictions)
        return figures.sample_predictions(photos_of(chosen, data), chosen, f"{title}: sample predictions", source)
    if name == "largest_losses":
        chosen = largest_losses(run.predictions)
        return figures.largest_losses(photos_of(chosen, data), chosen, f"{title}: largest losses", source)
    raise ValueError(f"no figure is called {name!r}; there are {', '.join(OF_DATA + OF_RUN)}")


def choose(table: pd.DataFrame) -> pd.DataFrame:
    """Some rows at random, the same ones for every approach."""
    rows = np.random.default_rng(0).permutation(len(table))[:SHOWN]
    return table.iloc[rows]


def photos_of(table: pd.DataFrame, data: Data) -> np.ndarray:
    """The photos of a table's ids: uint8 [rows, height, width, 3]."""
    return data.photos.array[pd.Index(data.photos.ids).get_indexer(table["id"])]
