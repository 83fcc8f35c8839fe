"""The checkpoint of a training: written after each epoch, and read where one goes on."""

import copy
import math
import os
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from fashion_tl.config import Config
from fashion_tl.distributed import rank
from fashion_tl.errors import ConfigError, RunError, fault_of_file, in_a_line
from fashion_tl.files import check_readable, replacing
from fashion_tl.machine import say
from fashion_tl.runfiles import GAPS, NUMBERS

FROM_THE_START = "delete it to train from the start"


def save_checkpoint(path: Path | None, **state: Any) -> None:
    """Replace the checkpoint, so that a complete one is there at any moment."""
    if path and rank() == 0:
        with replacing(path) as temporary, open(temporary, "wb") as file:
            torch.save(state, file)


def go_on(
    path: Path | None, model: nn.Module, optimizer: Optimizer, config: Config
) -> tuple[list[dict], dict]:
    """Restore model and optimiser from a checkpoint; return its history and best epoch so far.

    Without a checkpoint the history is empty, and the best epoch has the untrained model's state.
    What is frozen stays frozen. RunError if the checkpoint can't be used.
    """
    if path is None or not os.path.lexists(path):
        return [], {"state": copy.deepcopy(model.state_dict()), "val_cross_entropy": math.nan}
    try:
        check_readable(path)
        state = torch.load(path, map_location=next(model.parameters()).device, weights_only=True)
    except Exception as error:  # a damaged archive makes torch raise any error
        raise RunError(fault_of_file(path, error, FROM_THE_START)) from error
    try:
        made_with, history, best = _parts_of(state)
    except (AttributeError, KeyError, TypeError, ValueError, ConfigError) as error:
        raise RunError(
            f"{path} is of something else, or of another version of this package "
            f"({in_a_line(error)}); {FROM_THE_START}"
        ) from error
    if made_with != config.to_dict():
        changed = [k for k, v in config.to_dict().items() if made_with.get(k) != v]
        raise RunError(
            f"{path} was made with other settings: {', '.join(changed)}; "
            "name another folder, or delete it"
        )
    try:
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
    except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise RunError(
            f"{path} is of another network, or of another version of this package; delete it"
        ) from error
    say(f"going on after epoch {len(history)} of {config.epochs}")
    return history, best


def _parts_of(state: dict[str, Any]) -> tuple[dict[str, Any], list[dict], dict]:
    """The settings, history and best epoch in a checkpoint; any of several errors if it has none.

    Each epoch has what its row in history.csv must have, and its time.
    """
    if not isinstance(state, dict):
        raise TypeError("it isn't a dictionary")
    history, best, config = state["history"], state["best"], Config.from_dict(state["config"])
    if len(history) > config.epochs:
        raise ValueError(f"it has {len(history)} epochs of {config.epochs}")
    if [row["epoch"] for row in history] != [*range(1, len(history) + 1)]:
        raise ValueError("its epochs don't follow one another")
    columns = (*NUMBERS["history.csv"], *GAPS["history.csv"], "seconds")
    numbers = [row[name] for row in history for name in columns]
    numbers += [best["epoch"], best["val_cross_entropy"]]
    if not all(isinstance(number, int | float) for number in numbers):
        raise ValueError("its history holds something else than numbers")
    if best["state"].keys() != state["model"].keys():
        raise ValueError("its best epoch is of another network")
    return config.to_dict(), history, best
