"""The three approaches, each a function like its notebook: data, model, fit, evaluate, save."""

from collections.abc import Callable
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from torch import nn

from fashion_tl.config import Config
from fashion_tl.data.dataroot import refuse_in_data
from fashion_tl.data.dataset import Data, load_data
from fashion_tl.distributed import rank
from fashion_tl.errors import RunError
from fashion_tl.files import RUN_FILE, StrPath, as_path, check_writable, is_run_folder
from fashion_tl.network.model import (
    available_weights,
    build_network,
    freeze_all_but_head,
    freeze_first_children,
    replace_head,
)
from fashion_tl.network.weights import is_random
from fashion_tl.recipes import APPROACHES, approach_configs, suiting_random_weights
from fashion_tl.running import refuse_untrainable, start_run, train_and_finish
from fashion_tl.runs import Run, open_run

# What an approach does with each network that it has prepared.
Learn = Callable[[nn.Module, Data, Run], Run]


def run_approach(
    name: str,
    data_path: StrPath,
    weights: StrPath | None,
    folder: StrPath,
    recipe: str = "tuned",
    cache: StrPath | None = None,
    workers: int | None = None,
    note_data: Callable[[Data], object] | None = None,
    **settings: Any,
) -> list[Run]:
    """Run one approach of the table, from the data to its metrics.

    ``settings`` are those of ``Config``. Returns the finished runs of its trainings, in order. The
    last run lies in ``folder``, the others in folders below it. ``note_data`` gets the data, so
    that the caller need not read them again. If the weights can't be downloaded for the built-in
    sample, :func:`fashion_tl.recipes.suiting_random_weights` changes the settings.

    A finished run is only read. WriteError if an unfinished run can't be written. RunError if it
    would lie among the photos, or if the approach's function returns other runs than its row says.
    """
    configs = approach_configs(name, recipe, **settings)
    if rank() == 0 and not _is_finished(as_path(folder)):  # a finished run is only read
        refuse_in_data(as_path(folder), data_path, "the run")
        check_writable(as_path(folder) / RUN_FILE, makes_folders=True)
    data = load_data(data_path, configs[-1], cache, workers)
    if note_data:
        note_data(data)
    found = available_weights(weights, data.root.is_sample, configs[-1].backbone)
    if found is None and not is_random(weights):
        # The download failed. Who asks for random weights gets the recipe as it is.
        settings = suiting_random_weights(name, recipe, settings)
        configs = approach_configs(name, recipe, **settings)
    for config in configs:  # before the first of the runs is made
        refuse_untrainable(folder, config, data)
    runs = resolve_name(APPROACHES[name].function)(data, found, as_path(folder), *configs)
    made = tuple(run.config.training for run in runs)
    if made != APPROACHES[name].trainings:
        raise RunError(
            f"{APPROACHES[name].function} returned the runs of {', '.join(made)}; "
            f"APPROACHES has {', '.join(APPROACHES[name].trainings)}, in this order"
        )
    return runs


def _is_finished(folder: Path) -> bool:
    return is_run_folder(folder) and open_run(folder).is_finished


def fc_only(
    data: Data,
    weights: StrPath | None,
    folder: Path,
    config: Config,
    learn: Learn = train_and_finish,
) -> list[Run]:
    """Freeze the backbone, and train a new last layer."""
    data = data.of_classes(config)
    run = start_run(folder, config, data, weights)
    model = build_network(data.task.num_classes, weights, config)
    freeze_all_but_head(model)
    return [learn(model, data, run)]


def direct(
    data: Data,
    weights: StrPath | None,
    folder: Path,
    config: Config,
    learn: Learn = train_and_finish,
) -> list[Run]:
    """Give the network a new last layer, and fine-tune all of it but ``frozen_children``."""
    data = data.of_classes(config)
    run = start_run(folder, config, data, weights)
    model = build_network(data.task.num_classes, weights, run.config)
    return [learn(model, data, run)]


def two_step(
    data: Data,
    weights: StrPath | None,
    folder: Path,
    config20: Config,
    config: Config,
    learn: Learn = train_and_finish,
) -> list[Run]:
    """Fine-tune on the largest classes; then freeze the first 5 children, and fine-tune again.

    With ``frozen_children`` both steps keep so many first children as they are.
    The second step learns all classes, or with ``without_largest`` the other classes alone.
    """
    data20, data = data.of_classes(config20), data.of_classes(config)
    run = start_run(folder, config, data, weights)
    run20 = start_run(folder / config20.training, config20, data20, weights)
    model = build_network(data20.task.num_classes, weights, run20.config)
    learn(model, data20, run20)
    replace_head(model, data.task.num_classes, config.seed)
    freeze_first_children(model)
    return [run20, learn(model, data, run)]
