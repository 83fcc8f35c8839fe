"""What the page of `serve` does: it names photos, and learns a class from a few of them."""

import io
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from itertools import chain, count, repeat
from pathlib import Path
from typing import Any

import numpy as np

from fashion_tl.data.foldernames import is_no_class
from fashion_tl.data.labels import fault_of_label, label_of
from fashion_tl.data.listing import shown
from fashion_tl.errors import DataError, FashionTLError, in_a_line
from fashion_tl.extend import extend, findings
from fashion_tl.extension import extension_of, read_shots
from fashion_tl.files import StrPath, as_path
from fashion_tl.network.memory import Memory, read_memory
from fashion_tl.network.model import SavedModel, load_model
from fashion_tl.predict import answers, read_photo
from fashion_tl.reporting.evaluation import TOP_K
from fashion_tl.reporting.gallery import open_steps
from fashion_tl.reporting.pages import picture
from fashion_tl.runs import Run, open_run
from fashion_tl.similar import neighbours

NEAREST = 6  # training photos beside an answer
LONGEST = 60  # letters of a file's name

# A photo as a browser sends it: the name of its file, and its content.
Upload = tuple[str, bytes]


@dataclass(frozen=True)
class Served:
    """The run that the page uses.

    ``memory`` is None for a run of an older version. ``pixels`` are training photos to show, by
    their ids: uint8 RGB [height, width, 3]. New runs get their names from the folder ``first``.
    """

    run: Run
    saved: SavedModel
    memory: Memory | None
    pixels: Mapping[str, np.ndarray]
    first: Path


def open_served(
    folder: StrPath, data_path: StrPath | None = None, cache: StrPath | None = None
) -> Served:
    """The run in a folder, with its training photos if its data are given.

    RunError if the run is missing or damaged, or if it was made on other data.
    """
    pixels = {}
    if data_path:
        photos = open_steps(folder, data_path, cache)[-1][1].photos
        pixels = {own: photos.array[place] for place, own in enumerate(photos.ids)}
    return _served(open_run(folder), pixels, Path(os.path.abspath(as_path(folder))))


def _served(run: Run, pixels: Mapping[str, np.ndarray], first: Path) -> Served:
    saved = load_model(run.model_path)
    has_memory = run.memory_path.exists()
    memory = read_memory(run.memory_path, saved.width) if has_memory else None
    shots = read_shots(run)
    own = dict(zip(shots.ids, shots.pixels, strict=True))
    return Served(run, saved, memory, {**pixels, **own}, first)


def name_photos(served: Served, uploads: Sequence[Upload]) -> list[dict[str, Any]]:
    """What the page shows of each photo: ``name``, ``error``, and more of those that can be read.

    These have ``answers``, pairs of class and probability, whether the photo ``is_unknown``, its
    ``nearest`` training photos as from :func:`fashion_tl.similar.neighbours`, and a picture of it
    and of those, as from :func:`fashion_tl.reporting.pages.picture`. DataError without photos.
    """
    if not uploads:
        raise DataError("no photo was chosen; choose one, or drop it on the page")
    with tempfile.TemporaryDirectory() as folder:
        photos = _kept(uploads, Path(folder))
        near: Iterator[dict[str, Any]] = repeat({"nearest": []})
        if served.memory:
            near = neighbours(served.saved, served.memory, photos, NEAREST)
        rows = answers(served.saved, photos, served.memory)
        return [
            {"name": name, **_shown(served, photo, row, next(near)["nearest"])}
            for (name, _), photo, row in zip(uploads, photos, rows, strict=True)
        ]


def _shown(
    served: Served, photo: Path, row: dict[str, Any], nearest: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """A photo's answers, as a row of ``answers``, and its neighbours, with pictures."""
    if row["error"]:
        return {"error": row["error"]}
    named = [(row[f"top{k}"], row[f"p{k}"]) for k in range(1, TOP_K + 1)]
    pixels = [served.pixels.get(each["id"]) for each in nearest]
    return {
        "error": None,
        "answers": [(label, share) for label, share in named if label],
        "is_unknown": bool(row.get("unknown")),
        "nearest": [
            each | (picture(own) if own is not None else {"photo": None})
            for each, own in zip(nearest, pixels, strict=True)
        ],
        **picture(read_photo(photo, served.saved.config.stored_size)),
    }


def learn_class(
    served: Served, name: str, uploads: Sequence[Upload], known: bool = False
) -> tuple[Served, list[str]]:
    """The run extended by one class, in a new folder, and sentences about what it learned.

    The run before stays as it is. With ``known``, the class may be one that the run knows already.
    Errors as from :func:`fashion_tl.extend.extend`, and DataError for a name that no class can
    have, or without photos; then nothing is written.
    """
    label = _class_name(served.saved, name, known)
    if not uploads:
        raise DataError(f"{label}: no photos were chosen; choose one or more of this class")
    said = io.StringIO()
    with tempfile.TemporaryDirectory() as folder, _without(f"{folder}{os.sep}"):
        _kept(uploads, Path(folder) / label)
        with redirect_stderr(said):
            run = extend(served.run.folder, folder, _new_folder(served.first), known)
        notes = said.getvalue().replace(f"{folder}{os.sep}", "").splitlines()
    learned = [findings(row) for row in extension_of(run)[-1:]]
    return _served(run, served.pixels, served.first), [*learned, *notes]


def _class_name(saved: SavedModel, name: str, known: bool) -> str:
    """The class that somebody means; DataError if it can't be learned."""
    label = label_of(name)
    if not label:
        raise DataError("the class has no name; write one")
    is_folder = shown([label]) and not {*"/\\"} & {*label}
    if not is_folder or is_no_class(label) or fault_of_label(label, "class name"):
        raise DataError(
            f"{in_a_line(label)} can't be the name of a class: no name begins with a dot, has a "
            "slash in it, or is a word such as train or photos; write another name"
        )
    counts = dict(zip(saved.classes, saved.fit_counts, strict=True))
    label = next((own for own in counts if own.casefold() == label.casefold()), label)
    if counts.get(label) and not known:
        raise DataError(
            f"the run knows {label} from {counts[label]:,} photos; write another name, or tick "
            "“more photos of a class that it knows”"
        )
    return label


def _new_folder(first: Path) -> Path:
    """A folder for an extended run, beside the first run's; it isn't there yet."""
    names = (first.with_name(f"{first.name}-extended-{number}") for number in count(1))
    return next(folder for folder in names if not os.path.lexists(folder))


@contextmanager
def _without(folder: str) -> Iterator[None]:
    """Errors of ours leave out the name of a folder that nobody knows."""
    try:
        yield
    except FashionTLError as error:
        raise type(error)(str(error).replace(folder, "")) from error


def _kept(uploads: Sequence[Upload], folder: Path) -> list[Path]:
    """The photos as files in a folder, under their own names as far as these allow it."""
    files: list[Path] = []
    try:
        folder.mkdir(exist_ok=True)
        for name, content in uploads:
            last = "".join(filter(str.isprintable, name.replace("\\", "/").rpartition("/")[2]))
            short = last.lstrip(".")[-LONGEST:] or "photo"
            others = (f"{number} {short}" for number in count(2))
            file = next(
                folder / own for own in chain([short], others) if not (folder / own).exists()
            )
            file.write_bytes(content)
            files.append(file)
    except OSError as error:
        raise DataError(f"{folder.name}: the photos can't be kept ({error.strerror})") from error
    return files
