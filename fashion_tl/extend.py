"""A finished run that learns more classes from a few photos, without its training data."""

import copy
import os
import shutil
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fashion_tl.errors import DataError, RunError, WriteError
from fashion_tl.extension import BEFORE, Shots, extension_of, measured, read_shots, save_shots
from fashion_tl.files import StrPath, as_path, make_once
from fashion_tl.network.calibration import masked_logits
from fashion_tl.network.extending import Head, extended_head, left_out
from fashion_tl.network.features import features_of
from fashion_tl.network.memory import Memory, read_memory, save_memory
from fashion_tl.network.model import SavedModel, load_model, replace_head, save_model
from fashion_tl.provenance import commit
from fashion_tl.reporting.card import extended_card
from fashion_tl.runs import OWN_FILES, Run, open_run, write_json, write_text
from fashion_tl.shots import find_shots

LARGE = ("checkpoint.pt", "model.safetensors", "memory.safetensors")  # not kept of the run before
NAMED = 3  # classes that photos of a class were taken for


@dataclass(frozen=True)
class Extended:
    """A network that has learned more classes, its memory, and a row about each of the classes.

    See :func:`fashion_tl.extension.extension_of`.
    """

    saved: SavedModel
    memory: Memory
    rows: list[dict[str, Any]]


def extend(folder: StrPath, photos: StrPath, out: StrPath, known: bool = False) -> Run:
    """Make a new run whose network also knows the classes in a folder of class folders.

    Only the network's last layer changes. With ``known``, there may also be more photos of classes
    that the run knows. The new run lies in ``out``, whole or not at all. RunError if ``out`` is
    there already, or if the run has no network or no memory. DataError as from
    :func:`fashion_tl.shots.find_shots`, and for a known class without ``known``.
    """
    run = open_run(folder)
    target = as_path(out)
    if os.path.lexists(target):
        raise RunError(f"{target} is there already; name a new folder for the extended run")
    saved = load_model(run.model_path)
    memory = read_memory(run.memory_path, saved.width)
    if memory.classes != saved.classes:
        raise RunError(
            f"{run.memory_path} has other classes than the network; make it again: "
            f"fashion-tl remember {run.folder} --data DATA"
        )
    shots = find_shots(photos, saved.config.stored_size)
    _check_names(as_path(photos), shots, saved, known)
    extended = extended_by(saved, memory, shots)
    try:
        make_once(target, lambda new: _write(new, run, extended, shots))
    except OSError as error:
        raise WriteError(f"{target} can't be written: {error}") from error
    return open_run(target)


def _check_names(folder: Path, shots: Shots, saved: SavedModel, known: bool) -> None:
    """DataError for a class that may not be added."""
    photos = dict(zip(saved.classes, saved.fit_counts, strict=True))
    alike = {name.casefold(): name for name in saved.classes}
    for label in shots.classes:
        if label not in photos and (other := alike.get(label.casefold())):
            raise DataError(
                f"{folder / label}: the run has this class as {other}; "
                "give the folder exactly that name"
            )
        if photos.get(label) and not known:
            raise DataError(
                f"{folder / label}: the run knows this class from {photos[label]:,} photos; "
                "allow more photos of it with --known, or delete the folder"
            )


def extended_by(saved: SavedModel, memory: Memory, shots: Shots) -> Extended:
    """The network after learning these photos; nothing is written."""
    classes = (*saved.classes, *(own for own in shots.classes if own not in saved.classes))
    number = {name: label for label, name in enumerate(classes)}
    labels = np.array([number[own] for own in shots.labels])
    features, logits = features_of(saved, shots.pixels)
    before = Head.of(saved.model)
    after = extended_head(before, memory, features, labels, len(classes))
    counts = np.array([*saved.fit_counts, *[0] * (len(classes) - len(saved.classes))])
    new_counts = counts + np.bincount(labels, minlength=len(classes))
    model = copy.deepcopy(saved.model)
    replace_head(model, len(classes))
    model.fc.load_state_dict(
        {"weight": torch.from_numpy(after.weight), "bias": torch.from_numpy(after.bias)}
    )
    called = masked_logits(logits, saved.fit_counts, saved.path or "the model").argmax(1)
    ...
