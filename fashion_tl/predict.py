"""Predict the most likely classes of any number of photos, in files and folders."""

import errno
import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from PIL import Image

from fashion_tl.data.decoding import FORMATS, decode
from fashion_tl.data.formats import what_it_is
from fashion_tl.data.listing import ENDINGS, RAW_ENDINGS, UNREAD_ENDINGS, read_file, shown
from fashion_tl.errors import DataError, photos_in_words, some_of
from fashion_tl.files import RUN_FILE, StrPath, as_path, is_run_folder
from fashion_tl.machine import processors, progress, say, warn
from fashion_tl.network.inference import photo_logits, pick_device
from fashion_tl.network.memory import Memory
from fashion_tl.network.model import SavedModel
from fashion_tl.network.unknown import doubts
from fashion_tl.reporting.evaluation import TOP_K, answer_table
from fashion_tl.runs import write_json, write_table
from fashion_tl.targets import checked_target, refuse_replacing

UNKNOWN = "  (unknown: like nothing it learned from)"  # stands after the name of a photo
BATCH = 64  # photos at a time, or the training's batch size if that is smaller; more aren't faster


def find_photos(paths: Sequence[StrPath], note: Callable[[str], None] = warn) -> list[Path]:
    """The files among ``paths`` and, for each folder, the image files below it.

    An image file has an image's ending, or begins like a photo that can be decoded. The files of a
    folder are sorted by path. Links are followed. Hidden files are left out, and so are the folders
    of runs, whose images are figures. A ``note`` names the first few of these runs, and another
    one the first few files that are no images. A folder that can't be listed is returned as a
    photo, and :func:`answers` says why. DataError names a folder without any image files.
    """
    photos = []
    for path in map(as_path, paths):
        if not os.path.isdir(path):
            photos.append(path)
            continue
        if is_run_folder(path):
            note(f"{path}: the folder of a run; its images are figures")
        runs: list[str] = []
        below = {file: _is_image(file) for file in sorted(_below(path, runs))}
        if runs:
            note(f"{path}: skipped, the folder of a run: {some_of(runs)}")
        if not any(below.values()):
            raise DataError(
                f"{path}: no image files in this folder, nor below it",
                fault=f"{path}: none of the files is a photo",
            )
        photos += [file for file, is_image in below.items() if is_image]
        if others := [file.name for file, is_image in below.items() if not is_image]:
            note(f"{path}: skipped, not photos: {some_of(others)}")
    return photos


def _below(folder: Path, runs: list[str]) -> Iterator[Path]:
    """All visible files below a folder, and each folder there that can't be listed.

    The folders of runs in it are left out, and their paths below it are added to ``runs``.
    Links to folders come after all files and real folders. Each real folder comes only once, so
    links in a circle end.
    """
    seen: set[tuple] = set()
    tops = [os.fspath(folder)]
    for top in tops:  # the loop adds the links that it finds to its own list
        waiting = [top]
        while waiting:  # no recursion, because folders may be a thousand levels deep
            here = waiting.pop()
            entries: dict[str, os.DirEntry] = {}
            try:
                own = _identity(here)
                if own not in seen:
                    entries = {entry.name: entry for entry in os.scandir(here)}
            except OSError:
                yield Path(here)
                continue
            seen.add(own)
            if RUN_FILE in entries and here != tops[0] and is_run_folder(Path(here)):
                runs.append(os.path.relpath(here, folder))
                continue
            inner = {name for name, entry in entries.items() if _is_folder(entry)}
            links = [name for name in shown(inner) if entries[name].is_symlink()]
            tops += [os.path.join(here, name) for name in links]
            waiting += [os.path.join(here, name) for name in reversed(shown(inner - {*links}))]
            yield from (Path(here, name) for name in shown(entries.keys() - inner))


def _identity(folder: str) -> tuple:
    """Equal for two paths to the same real folder."""
    about = os.stat(folder)
    return (about.st_dev, about.st_ino) if about.st_ino else (os.path.realpath(folder),)


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _is_image(file: Path) -> bool:
    """Whether a file or folder gets an answer, which may be why it can't be read."""
    if file.suffix.lower() in {*ENDINGS, *RAW_ENDINGS, *UNREAD_ENDINGS} or os.path.isdir(file):
        return True
    try:
        if not stat.S_ISREG(os.stat(file).st_mode):  # reading a pipe would never end
            return False
    except OSError as error:
        return error.errno == errno.ENAMETOOLONG  # too deep to be opened; it may be a photo
    try:
        with Image.open(file, formats=FORMATS):
            return True
    except Exception:  # Pillow's readers may raise any error
        return False


def read_photo(photo: Path, size: tuple[int, int]) -> np.ndarray:
    """A photo as uint8 RGB [height, width, 3]; OSError, ValueError or DataError says why not."""
    ending = photo.suffix.lower()
    if os.path.isdir(photo):
        os.scandir(photo).close()  # raises the reason why the folder can't be listed
    elif ending in RAW_ENDINGS:
        raise DataError(
            f"{ending[1:].upper()}, a camera's raw format, isn't read; convert it to JPEG"
        )
    content = read_file(photo.parent, photo.name)
    try:
        return decode(content, size)
    except DataError as error:
        if ending in UNREAD_ENDINGS and not what_it_is(content):
            raise DataError(
                f"{ending[1:].upper()} isn't read; convert it to JPEG or PNG"
            ) from error
        raise


@dataclass(frozen=True)
class Seen:
    """Some photos as a network sees them.

    ``names`` are fit to print. ``pixels`` are uint8 RGB [photos, height, width, 3]. ``features``
    are float32 [photos, width], ``logits`` float32 [photos, num_classes]. A photo that couldn't be
    read has its reason in ``errors``, and its numbers mean nothing; the others have None.
    """

    names: list[str]
    errors: list[str | None]
    pixels: np.ndarray
    features: np.ndarray
    logits: np.ndarray


def seen(saved: SavedModel, photos: Sequence[StrPath]) -> Iterator[Seen]:
    """What the network makes of the photos, some at a time, in their order.

    Everything is computed in float32. At most two batches of decoded photos are in memory.
    """
    config = saved.config
    device = pick_device()
    model = saved.folded.to(device)
    n = min(BATCH, config.batch_size)
    files = [as_path(photo) for photo in photos]

    def read(photo: Path) -> tuple[np.ndarray, str | None]:
        try:
            return read_photo(photo, config.stored_size), None
        except (OSError, ValueError, DataError) as error:
            return np.zeros((*config.stored_size, 3), np.uint8), str(error)

    with ThreadPoolExecutor(processors()) as pool:
        ahead = pool.map(read, files[:n])
        for start in range(0, len(files), n):
            decoded, errors = zip(*ahead, strict=True)
            ahead = pool.map(read, files[start + n : start + 2 * n])
            pixels = np.stack(decoded)
            batch = torch.from_numpy(pixels).to(device)
            both = photo_logits(model, batch, config).cpu().numpy()
            # A file's name may be any bytes, and must be fit to print.
            names = [
                os.fsencode(photo).decode(errors="backslashreplace")
                for photo in files[start : start + n]
            ]
            features, logits = both[:, : saved.width], both[:, saved.width :]
            yield Seen(names, list(errors), pixels, features, logits)


def answers(
    saved: SavedModel, photos: Sequence[StrPath], memory: Memory | None = None
) -> Iterator[dict[str, Any]]:
    """A row for each photo in turn: ``photo, top1 … top5, p1 … p5, error``.

    With the run's ``memory`` it also has ``unknown``, whether the photo is like nothing that the
    network learned from, and ``unknown_score``. Either ``error`` is None, or all others but
    ``photo`` are. RunError if the network's answers aren't finite numbers.
    """
    for batch in seen(saved, photos):
        yield from answers_of(batch, saved, memory)


def answers_of(
    batch: Seen, saved: SavedModel, memory: Memory | None = None
) -> Iterator[dict[str, Any]]:
    """The rows of :func:`answers` for photos that the network has seen."""
    table = answer_table(
        batch.logits,
        saved.classes,
        saved.fit_counts,
        saved.path or "the model",
        saved.temperature,
    )
    if memory:
        table = table.assign(**doubts(memory, batch.features))
    rows = table.to_dict("records")
    for name, row, error in zip(batch.names, rows, batch.errors, strict=True):
        yield {"photo": name, **(dict.fromkeys(row) if error else row), "error": error}


def predict(
    saved: SavedModel,
    paths: Sequence[StrPath],
    to: StrPath | None = None,
    memory: Memory | None = None,
) -> None:
    """Print the answers for photos and folders of photos, or write them ``to`` a .csv or .json.

    With the run's ``memory``, photos that are like nothing it learned from are marked as unknown.
    The file is written whole or not at all. A photo that can't be read is named on stderr, and in
    the file, with the reason. In the end DataError says how many there were. An error before any
    work if ``to`` can't be written.
    """
    target = None if to is None else checked_target(to, "answers", (".csv", ".json"))
    photos = find_photos(paths)
    if target:
        refuse_replacing(target, photos)
    found: Iterable[dict[str, Any]] = answers(saved, photos, memory)
    if target:
        found = progress(found, "predicting", len(photos), unit="photo")
    rows = []
    for row in found:
        rows.append(row)
        if row["error"]:
            say(f"{row['photo']}: {row['error']}", file=sys.stderr)
        elif not target:
            best = [(row[f"p{k}"], row[f"top{k}"]) for k in range(1, TOP_K + 1)]
            lines = [f"  {share:>6.1%}  {name}" for share, name in best if name]
            say("\n".join([row["photo"] + (UNKNOWN if row.get("unknown") else ""), *lines]))
    if target:
        if target.suffix.lower() == ".json":
            write_json(target, rows)
        else:
            write_table(target, pd.DataFrame(rows), float_format="%.6g")
        say(target)
    if failed := sum(row["error"] is not None for row in rows):
        raise DataError(f"{failed} of {photos_in_words(len(photos))} could not be read")
