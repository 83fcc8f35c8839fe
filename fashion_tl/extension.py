"""What the folder of an extended run holds: the new photos, and the run that was extended."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fashion_tl.errors import ContentError, RunError, fault_of_file, photos_in_words
from fashion_tl.files import StrPath, as_path, check_readable, is_run_folder, replacing
from fashion_tl.runfiles import BEFORE, EXTEND_AGAIN
from fashion_tl.runs import Run, open_run

PHOTOS = "photos.npz"


@dataclass(frozen=True)
class Shots:
    """Decoded photos of some classes.

    ``pixels`` are uint8 RGB [photos, height, width, 3]. ``ids`` and ``labels`` are text, one for
    each photo.
    """

    pixels: np.ndarray
    ids: list[str]
    labels: list[str]

    @property
    def classes(self) -> list[str]:
        """The names of the classes, each once."""
        return list(dict.fromkeys(self.labels))

    def chosen(self, places: Sequence[int]) -> "Shots":
        """The photos at these places."""
        ids, labels = ([texts[place] for place in places] for texts in (self.ids, self.labels))
        return Shots(self.pixels[list(places)], ids, labels)

    def __add__(self, more: "Shots") -> "Shots":
        pixels = np.concatenate([self.pixels, more.pixels])
        return Shots(pixels, self.ids + more.ids, self.labels + more.labels)


def extension_of(run: Run) -> list[dict[str, Any]]:
    """What a run learned after its training; empty for all other runs.

    Each extension adds a row for each of its classes. A row has ``label`` and ``photos``, whether
    the class ``is_new``, and what else :func:`fashion_tl.extend.extend` found.
    """
    return run.about.get("extended", [])


def photos_by_class(rows: Sequence[dict[str, Any]]) -> dict[str, int]:
    """The photos of each class in rows of :func:`extension_of`; a class may have several rows."""
    photos: dict[str, int] = {}
    for row in rows:
        photos[row["label"]] = photos.get(row["label"], 0) + row["photos"]
    return photos


def new_classes(rows: Sequence[dict[str, Any]]) -> dict[str, int]:
    """The same of the classes that the run didn't know after its training."""
    new = {row["label"] for row in rows if row["is_new"]}
    return {label: photos for label, photos in photos_by_class(rows).items() if label in new}


def in_a_sentence(photos: Mapping[str, int]) -> str:
    """Classes with their photos, as in ``Hats (1 photo), Caps (2 photos)``."""
    return ", ".join(f"{name} ({photos_in_words(n)})" for name, n in photos.items())


def measured(run: Run) -> Run:
    """The run that a run's figures are of: itself or, of an extended run, the one before.

    RunError if that one is missing.
    """
    if not extension_of(run):
        return run
    before = run.folder / BEFORE
    if not before.is_dir():
        raise RunError(
            f"{before}, which holds the figures of this extended run, is missing; {EXTEND_AGAIN}"
        )
    return open_run(before)


def refuse_extended(folder: StrPath, why: str) -> None:
    """RunError, which says ``why`` it is refused, if there is an extended run in a folder."""
    folder = as_path(folder)
    if is_run_folder(folder) and extension_of(open_run(folder)):
        raise RunError(f"{folder} holds a run that was extended; {why}")


def save_shots(folder: Path, shots: Shots) -> None:
    """Keep the photos that a run was extended with."""
    with replacing(folder / PHOTOS) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, pixels=shots.pixels, ids=shots.ids, labels=shots.labels)


def read_shots(run: Run) -> Shots:
    """The photos that a run was extended with, in the order of its extensions.

    No photos for all other runs. RunError if the file is missing or damaged.
    """
    size = tuple(run.config.stored_size)
    if not extension_of(run):
        return Shots(np.zeros((0, *size, 3), np.uint8), [], [])
    file = run.folder / PHOTOS
    try:
        check_readable(file)
        with np.load(file) as content:
            shots = Shots(content["pixels"], content["ids"].tolist(), content["labels"].tolist())
        _check(shots, size)
    except Exception as error:  # a damaged zip raises errors of many kinds
        raise RunError(fault_of_file(file, error, EXTEND_AGAIN)) from error
    return shots


def _check(shots: Shots, size: tuple[int, ...]) -> None:
    """ValueError unless the parts fit together, and the photos have this size."""
    photos = (len(shots.ids), *size, 3)
    if shots.pixels.dtype != np.uint8 or shots.pixels.shape != photos:
        held = f"{shots.pixels.dtype} {shots.pixels.shape}"
        raise ContentError(f"it holds {held}, not uint8 {photos}")
    if len(shots.labels) != len(shots.ids):
        raise ContentError(f"it holds {len(shots.ids)} ids, but {len(shots.labels)} labels")
    if not all(isinstance(text, str) for text in (*shots.ids, *shots.labels)):
        raise ContentError("its ids and labels aren't text")
