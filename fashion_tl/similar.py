"""The training photos that are nearest to a photo, from a run's memory, which can be made anew."""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fashion_tl.data.dataset import Data
from fashion_tl.errors import ConfigError, DataError, in_a_line, photos_in_words
from fashion_tl.extension import read_shots, refuse_extended
from fashion_tl.files import StrPath, check_writable
from fashion_tl.machine import say
from fashion_tl.network.features import features_and_logits
from fashion_tl.network.inference import pick_device
from fashion_tl.network.memory import Memory, nearest_photos, save_memory
from fashion_tl.network.model import SavedModel
from fashion_tl.network.trained import (
    load_network,
    load_remembering,
    refuse_other_classes,
)
from fashion_tl.network.unknown import training_memory
from fashion_tl.predict import Seen, find_photos, read_photo, seen
from fashion_tl.reporting import figures, photo_figures
from fashion_tl.reporting.gallery import no_such_photo, open_steps
from fashion_tl.runs import Run, open_run
from fashion_tl.targets import checked_target

MOST_SHOWN = photo_figures.MAX_PHOTOS - 1  # neighbours in a picture, beside the photo itself


def similar(
    folder: StrPath,
    paths: Sequence[StrPath],
    top: int = 10,
    as_json: bool = False,
    out: StrPath | None = None,
    data_path: StrPath | None = None,
    cache: StrPath | None = None,
) -> None:
    """Print the ``top`` training photos of a run that are nearest to each photo.

    They are printed as a table, or ``as_json``. ``out`` is a .png file for a picture of them; it
    takes a single photo, and the data that the run was made on. ConfigError or DataError before any
    work if that can't be done. RunError if there is no run or no memory, WeightsError if its
    network can't be read. A photo that can't be read is named on stderr. In the end DataError says
    how many there were.
    """
    if isinstance(top, bool) or not isinstance(top, int) or top < 1:
        raise ConfigError(f"top must be a whole number from 1, not {in_a_line(top)}")
    run = open_run(folder)
    saved, memory = load_remembering(run)
    photos = find_photos(paths)
    target = None if out is None else _target(out, photos, data_path)
    data = None
    if target and data_path is not None:
        data = open_steps(folder, data_path, cache)[-1][1]
    rows = []
    for row in neighbours(saved, memory, photos, top):
        rows.append(row)
        if row["error"]:
            say(f"{row['photo']}: {row['error']}", file=sys.stderr)
        elif not as_json:
            say(_as_table(row))
    if as_json:
        print(json.dumps(rows, indent=2))  # in ASCII, which any console can show
    if failed := sum(row["error"] is not None for row in rows):
        raise DataError(f"{failed} of {photos_in_words(len(photos))} could not be read")
    if target and data:
        _draw(target, run, photos[0], rows[0]["nearest"], data)
        say(target, file=sys.stderr if as_json else None)


def neighbours(
    saved: SavedModel, memory: Memory, photos: Sequence[StrPath], top: int = 10
) -> Iterator[dict[str, Any]]:
    """A row for each photo in turn: ``photo``, ``nearest`` and ``error``.

    ``nearest`` has a dict for each of the ``top`` nearest training photos: ``id``, ``label`` and
    ``distance``, the cosine distance, nearest first. Either ``error`` or ``nearest`` is None.
    """
    for batch in seen(saved, photos):
        yield from neighbours_of(batch, memory, top)


def neighbours_of(batch: Seen, memory: Memory, top: int = 10) -> Iterator[dict[str, Any]]:
    """The rows of :func:`neighbours` for photos that the network has seen."""
    found = nearest_photos(memory, batch.features, top)
    for name, error, nearest in zip(batch.names, batch.errors, found, strict=True):
        yield {"photo": name, "nearest": None if error else nearest, "error": error}


def _as_table(row: dict[str, Any]) -> str:
    width = max(len("id"), *(len(each["id"]) for each in row["nearest"]))
    lines = [row["photo"], f"  distance  {'id':<{width}}  class"]
    for each in row["nearest"]:
        lines.append(f"  {each['distance']:>8.4f}  {each['id']:<{width}}  {each['label']}")
    return "\n".join(lines)


def _target(out: StrPath, photos: Sequence[Path], data_path: StrPath | None) -> Path:
    """The picture's file; an error if no picture can be drawn there."""
    target = checked_target(
        out, "the picture", (".png",), data_path, makes_folders=True, reads=photos
    )
    if len(photos) != 1:
        raise ConfigError(f"{target}: a picture shows one photo, not {len(photos)}; name one")
    if data_path is None:
        raise ConfigError(f"{target}: a picture needs the training photos; name them with --data")
    return target


def _draw(
    target: Path, run: Run, photo: Path, nearest: Sequence[dict[str, Any]], data: Data
) -> None:
    """Write a picture of a photo and its nearest training photos.

    RunError if the data lack one of these.
    """
    shown = nearest[:MOST_SHOWN]
    pixels_of = {own: data.photos.array[place] for place, own in enumerate(data.photos.ids)}
    shots = read_shots(run)
    pixels_of |= dict(zip(shots.ids, shots.pixels, strict=True))
    if strange := [each["id"] for each in shown if each["id"] not in pixels_of]:
        raise no_such_photo(strange[0], data)
    pixels = [pixels_of[each["id"]] for each in shown]
    own = read_photo(photo, run.config.stored_size)
    captions = [(photo.name, ""), *((each["label"], f"{each['distance']:.3f}") for each in shown)]
    title = "The photo, and the training photos nearest to it"
    figures.save(
        photo_figures.neighbours(np.stack([own, *pixels]), captions, title, run.source), target
    )


def remember(folder: StrPath, data_path: StrPath, cache: StrPath | None = None) -> list[Path]:
    """Give a finished run, and the steps before it, a memory of its training photos.

    New runs have one from the start. Nothing is trained. Returns the files. RunError if the run was
    made on other data, if it isn't finished, or if it was extended. WeightsError if its network
    can't be read, WriteError if the memory can't be written.
    """
    refuse_extended(folder, "its memory holds the new photos too, so extend the first run again")
    check_writable(open_run(folder).memory_path)
    files = []
    for run, data in open_steps(folder, data_path, cache):
        run.refuse_unfinished("it gets its memory, too")
        saved = load_network(run)
        refuse_other_classes(run, saved, data.task.classes, "the data")
        model = saved.model.to(pick_device())
        val, _ = features_and_logits(model, data, run.config, "val")
        save_memory(run.memory_path, training_memory(model, data, run.config, val))
        files.append(run.memory_path)
    return files
