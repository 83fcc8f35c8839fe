"""What the folder of an extended run holds: the new photos, and the run that was extended."""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fashion_tl.errors import RunError
from fashion_tl.files import StrPath, as_path, replacing
from fashion_tl.runs import Run, open_run

BEFORE = "before"  # the folder of the run that was extended, without its network
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

    def __add__(self, more: "Shots") -> "Shots":
        pixels = np.concatenate([self.pixels, more.pixels])
        return Shots(pixels, self.ids + more.ids, self.labels + more.labels)


def extension_of(run: Run) -> list[dict[str, Any]]:
    """What a run learned after its training, a row for each class; empty for all other runs.

    A row has ``label`` and ``photos``, whether the class ``is_new``, and what else
    :func:`fashion_tl.extend.extend` found.
    """
    return run.about.get("extended", [])


def measured(run: Run) -> Run:
    """The run that a run's figures are of: itself or, of an extended run, the one before."""
    return open_run(run.folder / BEFORE) if extension_of(run) else run


def refuse_extended(folder: StrPath, why: str) -> None:
    """RunError, which says ``why``, if there is an extended run in a folder."""
    folder = as_path(folder)
    if (folder / BEFORE).is_dir() and extension_of(open_run(folder)):
        raise RunError(f"{folder} holds a run that was extended; {why}")


def save_shots(folder: Path, shots: Shots) -> None:
    """Keep the photos that a run was extended with."""
    with replacing(folder / PHOTOS) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, pixels=shots.pixels, ids=shots.ids, labels=shots.labels)


def read_shots(run: Run) -> Shots | None:
    """The photos that a run was extended with; None for all other runs.

    RunError if they can't be read.
    """
    if not extension_of(run):
        return None
    file = run.folder / PHOTOS
    try:
        with np.load(file) as content:
            return Shots(content["pixels"], content["ids"].tolist(), content["labels"].tolist())
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise RunError(f"{file} can't be read ({error}); extend the first run again") from error
