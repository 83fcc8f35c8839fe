"""What the page of `serve` does: it names photos, and learns a class from a few of them."""

import os
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, count, repeat
from pathlib import Path
from typing import Any

import numpy as np

from fashion_tl.data.foldernames import is_no_class
from fashion_tl.data.labels import fault_of_label, label_of, same_names
from fashion_tl.data.listing import in_words, shown, split_ending
from fashion_tl.errors import DataError, FashionTLError, RunError, in_a_line, photos_in_words
from fashion_tl.extend import extend, findings
from fashion_tl.extension import extension_of, read_shots
from fashion_tl.files import StrPath, absolute, as_path
from fashion_tl.network.memory import Memory
from fashion_tl.network.model import SavedModel
from fashion_tl.network.trained import load_trained
from fashion_tl.predict import Seen, answers_of, seen
from fashion_tl.reporting.evaluation import TOP_K
from fashion_tl.reporting.gallery import open_steps
from fashion_tl.reporting.pages import picture
from fashion_tl.runs import Run, open_run
from fashion_tl.shots import Note, names_of
from fashion_tl.similar import neighbours_of

NEAREST = 6  # training photos beside an answer
LONGEST = 60  # letters of a file's name
LONGEST_FOLDER = 255  # bytes of a folder's name, on any usual disk

# A photo as a browser sends it: the name of its file, and its content.
Upload = tuple[str, bytes]


@dataclass(frozen=True)
class Served:
    """The run that the page uses.

    ``memory`` is None for a run of an older version. ``pixels`` are training photos to show, by
    their ids: uint8 RGB [height, width, 3]. ``added`` are the ids of the photos of extensions. New
    runs get their names from the folder ``first``.
    """

    run: Run
    saved: SavedModel
    memory: Memory | None
    pixels: Mapping[str, np.ndarray]
    added: Collection[str]
    first: Path


def open_served(
    folder: StrPath, data_path: StrPath | None = None, cache: StrPath | None = None
) -> Served:
    """The run in a folder, with its training photos if its data are given.

    RunError if the run is missing or damaged, or if it was made on other data. WeightsError if its
    network can't be read. DataError or ConfigError if the data can't be read.
    """
    pixels = {}
    if data_path is not None:
        photos = open_steps(folder, data_path, cache)[-1][1].photos
        pixels = {own: photos.array[place] for place, own in enumerate(photos.ids)}
    first = as_path(folder)
    if first.name in ("", ".."):  # as of ".", whose name new folders can't take
        first = absolute(first)
    return _served(open_run(folder), pixels, first)


def _served(run: Run, pixels: Mapping[str, np.ndarray], first: Path) -> Served:
    saved, memory = load_trained(run)
    shots = read_shots(run)
    own = dict(zip(shots.ids, shots.pixels, strict=True))
    return Served(run, saved, memory, {**pixels, **own}, frozenset(shots.ids), first)


def name_photos(served: Served, uploads: Sequence[Upload]) -> list[dict[str, Any]]:
    """What the page shows of each photo: ``name``, ``error``, and more of those that can be read.

    These have ``answers``, pairs of class and probability, whether the photo ``is_unknown``, its
    ``nearest`` training photos as from :func:`fashion_tl.similar.neighbours`, and a picture of it
    and of those, as from :func:`fashion_tl.reporting.pages.picture`. DataError without photos.
    """
    if not uploads:
        raise DataError("no photo was chosen; choose one, or drop it on the page")
    with tempfile.TemporaryDirectory() as folder:
        batches = seen(served.saved, _kept(uploads, Path(folder)))
        rows = chain.from_iterable(_shown(served, batch) for batch in batches)
        return [{"name": name, **row} for (name, _), row in zip(uploads, rows, strict=True)]


def _shown(served: Served, batch: Seen) -> Iterator[dict[str, Any]]:
    """The answers to each photo of a batch, and its neighbours, with pictures."""
    near: Iterator[dict[str, Any]] = repeat({"nearest": []}, len(batch.names))
    if served.memory:
        near = neighbours_of(batch, served.memory, NEAREST)
    rows = answers_of(batch, served.saved, served.memory)
    for row, own, pixels in zip(rows, near, batch.pixels, strict=True):
        if row["error"]:
            yield {"error": row["error"]}
            continue
        named = [(row[f"top{k}"], row[f"p{k}"]) for k in range(1, TOP_K + 1)]
        yield {
            "error": None,
            "answers": [(label, share) for label, share in named if label],
            "is_unknown": bool(row.get("unknown")),
            "nearest": [each | _picture_of(served, each["id"]) for each in own["nearest"]],
            **picture(pixels),
        }


def _picture_of(served: Served, own: str) -> dict[str, Any]:
    """A training photo's picture, by its id; without its data, ``photo`` is None."""
    pixels = served.pixels.get(own)
    return {"photo": None} if pixels is None else picture(pixels)


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
    names = names_of(served.memory) if served.memory else {}
    taken = {name.removeprefix(f"{label}/") for name in names if name.startswith(f"{label}/")}
    notes = _notes_on_names(served, label, uploads, names)
    with tempfile.TemporaryDirectory() as folder, _without(folder):
        _kept(uploads, Path(folder) / label, taken)
        run = _extended(served, folder, known, notes.append)
        notes = [_shortened(words, folder) for words in notes]
    learned = [findings(row) for row in extension_of(run)[-1:]]
    return _served(run, served.pixels, served.first), [*learned, *notes]


def _notes_on_names(
    served: Served, label: str, uploads: Sequence[Upload], names: Mapping[str, str]
) -> list[str]:
    """A sentence on each photo that may be a training photo, by its name.

    ``names`` are those of :func:`fashion_tl.shots.names_of`. Photos of an extension need none,
    because they are known by their pixels.
    """
    files = [_safe_name(name) for name, _ in uploads]
    known = [(file, names.get(f"{label}/{split_ending(in_words(file))[0]}")) for file in files]
    return [
        f"{file}: training photo {own} has this name. If it is the same photo, it now counts twice."
        for file, own in known
        if own and own not in served.added
    ]


def _extended(served: Served, photos: str, known: bool, note: Note) -> Run:
    """The run extended by the photos, in the first folder that is free."""
    while True:
        out = _new_folder(served.first)
        try:
            return extend(served.run.folder, photos, out, known, note)
        except RunError:
            if not os.path.lexists(out):
                raise  # else another process made it meanwhile, so the next one is tried


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
    alike = same_names(label, counts)
    if len(alike) > 1:
        raise DataError(
            f"the run has the classes {' and '.join(alike)}; write one of these names exactly"
        )
    label = alike[0] if alike else label
    if len(label.encode(errors="replace")) > LONGEST_FOLDER:
        raise DataError(f"{in_a_line(label)} is too long for a class's name; write a shorter one")
    if counts.get(label) and not known:
        raise DataError(
            f"the run knows {label} from {photos_in_words(counts[label])}; write another name, or "
            "tick “more photos of a class that it knows”"
        )
    return label


def _new_folder(first: Path) -> Path:
    """A folder for an extended run, beside the first run's; it isn't there yet."""
    names = (first.with_name(f"{first.name}-extended-{number}") for number in count(1))
    return next(folder for folder in names if not os.path.lexists(folder))


@contextmanager
def _without(folder: str) -> Iterator[None]:
    """Errors of ours leave out the name of a folder that nobody knows, and advice on folders."""
    try:
        yield
    except FashionTLError as error:
        if isinstance(error, DataError) and error.fault:
            raise DataError(f"{_shortened(error.fault, folder)}; choose other photos") from error
        raise type(error)(_shortened(str(error), folder)) from error


def _shortened(words: str, folder: str) -> str:
    """The words without the name of a folder, alone or at the start of a path."""
    return words.replace(f"{folder}{os.sep}", "").replace(f"{folder}: ", "")


def _kept(
    uploads: Sequence[Upload], folder: Path, taken: Collection[str] = frozenset()
) -> list[Path]:
    """The photos as files in a folder, under their own names as far as these allow it.

    ``taken`` are the names that no file may have, with or without its ending.
    """
    files: list[Path] = []

    def is_free(name: str) -> bool:
        words = in_words(name)
        return not {words, split_ending(words)[0]} & {*taken} and not (folder / name).exists()

    try:
        folder.mkdir(exist_ok=True)
        for name, content in uploads:
            own = _safe_name(name)
            others = (f"{number} {own}" for number in count(2))
            file = folder / next(filter(is_free, chain([own], others)))
            file.write_bytes(content)
            files.append(file)
    except OSError as error:
        raise DataError(f"{folder.name}: the photos can't be kept ({error.strerror})") from error
    return files


def _safe_name(name: str) -> str:
    """A name for a file of an upload: the end of its own name, in no folder and not hidden."""
    last = "".join(filter(str.isprintable, name.replace("\\", "/").rpartition("/")[2]))
    short = last[-LONGEST:].lstrip(". ")
    return short if short and shown([short]) else f"photo {short}".strip()
