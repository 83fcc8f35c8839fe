"""A finished run that learns more classes from a few photos, without its training data."""

import copy
import os
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from fashion_tl.data.guard import refuse_among
from fashion_tl.data.labels import same_names
from fashion_tl.data.listing import Folder
from fashion_tl.errors import DataError, RunError, WriteError, photos_in_words
from fashion_tl.extension import BEFORE, Shots, extension_of, measured, read_shots, save_shots
from fashion_tl.files import (
    RUN_FILE,
    StrPath,
    as_path,
    check_writable,
    make_once,
    refuse_inside,
)
from fashion_tl.machine import warn
from fashion_tl.network.calibration import masked_logits
from fashion_tl.network.extending import (
    Ground,
    LastLayer,
    extended_layer,
    ground_of,
    layer_of,
    logits_left_out,
    note_on_scale,
)
from fashion_tl.network.features import features_of
from fashion_tl.network.memory import Memory, save_memory
from fashion_tl.network.model import SavedModel, replace_head, save_model
from fashion_tl.network.trained import load_remembering
from fashion_tl.provenance import commit
from fashion_tl.reporting.card import extended_card
from fashion_tl.runs import OWN_FILES, Run, open_run, steps_of, write_json, write_text
from fashion_tl.shots import Note, find_shots, not_yet_learned

# Not kept of the run before.
LARGE = ("checkpoint.pt", "model.safetensors", "memory.safetensors", "photos.npz")
NAMED = 3  # most frequent names that the network gave the photos of a class before


@dataclass(frozen=True)
class Extended:
    """A network that has learned more classes, its memory, and a row about each of the classes.

    See :func:`fashion_tl.extension.extension_of`.
    """

    saved: SavedModel
    memory: Memory
    rows: list[dict[str, Any]]


def extend(
    folder: StrPath, photos: StrPath, out: StrPath, known: bool = False, note: Note = warn
) -> Run:
    """Make a new run whose network also knows the classes in a folder of class folders.

    Only the network's last layer changes. With ``known``, there may also be more photos of classes
    that the run knows. The new run lies in ``out``, whole or not at all. Each ``note`` names photos
    that are left out, or says that the run remembers too few for sure probabilities.

    RunError if ``out`` is there already or lies in the folder of the run or of the photos, if the
    run isn't finished, and if its memory, its earlier photos or what it measured can't be read.
    WeightsError if its network can't be read. DataError as from
    :func:`fashion_tl.shots.find_shots` and :func:`fashion_tl.shots.not_yet_learned`, and for a
    known class without ``known``. WriteError if ``out`` can't be written.
    """
    run = open_run(folder)
    root, target = as_path(photos), as_path(out)
    _check_target(target, run.folder, root)
    check_writable(target, makes_folders=True)
    measured(run).refuse_unfinished("then extend it")
    for step in steps_of(measured(run)):
        step.check_results()
    earlier = read_shots(run)
    saved, memory = load_remembering(run)
    shots = find_shots(root, saved.config.stored_size, saved.classes, note)
    _check_names(root, shots, saved, known)
    shots = not_yet_learned(root, shots, earlier, memory, note)
    extended = extended_by(saved, memory, shots)
    try:
        if not make_once(target, lambda new: _write(new, run, extended, earlier + shots)):
            raise _is_there(target)  # another process was first
    except OSError as error:
        raise WriteError(f"{target} can't be written: {error}") from error
    words = note_on_scale(len(memory.ids))
    if words and any(row["is_new"] for row in extended.rows):
        note(words)
    return open_run(target)


def _is_there(target: Path) -> RunError:
    return RunError(f"{target} is there already; name a new folder for the extended run")


def _check_target(target: Path, run: Path, photos: Path) -> None:
    """RunError if something is there already, or if it would lie in the run or among the photos."""
    if os.path.lexists(target):
        raise _is_there(target)
    refuse_inside(target, run, "the extended run")
    linked = Folder(photos).entries("").links if photos.is_dir() else ()
    refuse_among(target, (photos, *(photos / name for name in linked)), "the extended run")


def _check_names(folder: Path, shots: Shots, saved: SavedModel, known: bool) -> None:
    """DataError for a class that may not be added."""
    photos = dict(zip(saved.classes, saved.fit_counts, strict=True))
    for label in shots.classes:
        alike = same_names(label, saved.classes)
        if alike and label not in alike:
            raise DataError(
                f"{folder / label}: the run has this class as {' and '.join(alike)}; "
                "give the folder exactly that name"
            )
        if photos.get(label) and not known:
            raise DataError(
                f"{folder / label}: the run knows this class from "
                f"{photos_in_words(photos[label])}; allow more photos of it with --known, or move "
                "the folder elsewhere"
            )


def extended_by(saved: SavedModel, memory: Memory, shots: Shots) -> Extended:
    """The network after learning these photos; nothing is written.

    RunError if its answers aren't finite numbers.
    """
    classes = (*saved.classes, *(own for own in shots.classes if own not in saved.classes))
    number = {name: label for label, name in enumerate(classes)}
    labels = np.array([number[own] for own in shots.labels])
    features, logits = features_of(saved, shots.pixels)
    trained = np.array(saved.fit_counts) > 0
    ground = ground_of(memory, layer_of(saved.model), trained)
    layer = extended_layer(ground, features, labels, len(classes))
    counts = [*saved.fit_counts, *[0] * (len(classes) - len(saved.classes))]
    counts = [int(n) for n in counts + np.bincount(labels, minlength=len(classes))]
    called = masked_logits(logits, saved.fit_counts, saved.path or "the model").argmax(1)
    is_right = _left_out(ground, layer, features, labels, counts)
    remembered = logits_left_out(ground, layer, features, labels)
    answers = masked_logits(remembered, counts).argmax(1)
    answered = masked_logits(ground.layer.logits(ground.features), saved.fit_counts).argmax(1)
    code = commit()
    rows = []
    for name in shots.classes:
        own = labels == number[name]
        new = (answers == number[name]) & (answered != number[name])
        names = Counter(classes[label] for label in called[own])
        rows.append(
            {
                "label": name,
                "photos": int(own.sum()),
                "is_new": not trained[number[name]] if name in saved.classes else True,
                "before": dict(names.most_common(NAMED)),
                "left_out": int(is_right[own].sum()) if own.sum() > 1 else None,
                "taken": int((new & (ground.labels != number[name])).sum()),
                "commit": code,
            }
        )
    return Extended(
        replace(saved, model=_with_layer(saved, layer), classes=classes, fit_counts=tuple(counts)),
        memory.with_photos(features, shots.ids, labels, classes),
        rows,
    )


def _with_layer(saved: SavedModel, layer: LastLayer) -> nn.Module:
    """A copy of the network with another last layer."""
    model = copy.deepcopy(saved.model)
    replace_head(model, len(layer.bias))
    values = {"weight": torch.from_numpy(layer.weight), "bias": torch.from_numpy(layer.bias)}
    model.get_submodule("fc").load_state_dict(values)
    return model


def _left_out(
    ground: Ground,
    layer: LastLayer,
    features: np.ndarray,
    labels: np.ndarray,
    counts: Sequence[int],
) -> np.ndarray:
    """Whether each new photo gets the right name if its class is learned without it: bool [photos].

    ``layer`` has learned all photos. False for the only photo of a class.
    """
    logits = masked_logits(layer.logits(features), counts)
    for place, label in enumerate(labels):
        others = (labels == label) & (np.arange(len(labels)) != place)
        if others.any():
            own = extended_layer(ground, features[others], labels[others], len(counts))
            row = own.weight[label] @ features[place] + own.bias[label]
            logits[place, label] = row
        else:
            logits[place, label] = -np.inf
    return logits.argmax(axis=1) == labels


def _write(new: Path, run: Run, extended: Extended, shots: Shots) -> None:
    """Make the folder of an extended run; ``shots`` are the photos of all its extensions."""
    new.mkdir()
    _keep(measured(run), new / BEFORE)
    saved = extended.saved
    counts = list(saved.fit_counts)
    settings = (saved.config, saved.temperature)
    save_model(new / "model.safetensors", saved.model, saved.classes, counts, *settings)
    save_memory(new / "memory.safetensors", extended.memory)
    save_shots(new, shots)
    rows = extension_of(run) + extended.rows
    card = new / BEFORE / "model_card.md"
    if card.exists():  # people may have edited it, in whatever encoding
        text = card.read_text(encoding="utf-8", errors="replace")
    else:
        text = f"# {run.folder.name}\n"
    write_text(new / "model_card.md", extended_card(text, rows, len(saved.classes)))
    write_json(new / RUN_FILE, run.about | {"extended": rows})


def _keep(run: Run, new: Path) -> None:
    """Copy what a run measured, and what the steps before it did, without their networks."""
    for step in steps_of(run):
        target = new / step.folder.relative_to(run.folder)
        target.mkdir(parents=True, exist_ok=True)
        for name in set(OWN_FILES) - set(LARGE):
            if os.path.isfile(step.folder / name):  # a pipe or a device would never end
                shutil.copyfile(step.folder / name, target / name)


def findings(row: dict[str, Any]) -> str:
    """A row about a class (see :func:`fashion_tl.extension.extension_of`) in a few sentences."""
    photos = photos_in_words(row["photos"])
    words = [f"{row['label']}: {'new' if row['is_new'] else 'known'}, from {photos}."]
    if row["photos"] == 1:
        words.append(f"Before, the network called it {', '.join(row['before'])}.")
    else:
        others = row["photos"] - sum(row["before"].values())
        names = row["before"] | ({"other names": others} if others else {})
        named = ", ".join(f"{name} ({n:,})" for name, n in names.items())
        words.append(f"Before, the network called them {named}.")
    if row["left_out"] is not None:
        words.append(f"Left out in turn, {row['left_out']:,} of them get the right name.")
    words.append(
        "Training photos of other classes, left out in turn, that now get this name: "
        f"{row['taken']:,}."
    )
    return " ".join(words)
