"""The most likely classes of any photos, however many: found in folders, decoded a batch ahead, a
row for each.
"""

import errno
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from PIL import Image

from fashion_tl.data.decoding import FORMATS, decode
from fashion_tl.data.formats import what_it_is
from fashion_tl.data.listing import ENDINGS, RAW_ENDINGS, UNREAD_ENDINGS, read_file, shown
from fashion_tl.errors import DataError
from fashion_tl.files import as_path
from fashion_tl.machine import processors, progress, say
from fashion_tl.network.inference import photo_logits, pick_device
from fashion_tl.network.model import SavedModel, folded
from fashion_tl.reporting.evaluation import TOP_K, class_probabilities, top_classes
from fashion_tl.runs import refuse_own_file, write_json, write_table

BATCH = 64  # photos at a time, or as few as the training took: more are no quicker


def find_photos(paths: Sequence[str | os.PathLike]) -> list[Path]:
    """The files among ``paths``, and in place of each folder the image files below it, sorted by
    path, none hidden.

    Links are followed. An image file has the ending of one, or begins like a photo that can be
    decoded; the first few of all other files are named on stderr. A folder that can't be listed
    stands among the photos, and :func:`answers` says why. DataError names a folder without any
    image files.
    """
    photos = []
    for path in map(as_path, paths):
        if not os.path.isdir(path):
            photos.append(path)
            continue
        below = {file: _is_image(file) for file in sorted(_below(path))}
        if not any(below.values()):
            raise DataError(f"{path}: no image files in this folder, nor below it")
        photos += [file for file, is_image in below.items() if is_image]
        if others := [file.name for file, is_image in below.items() if not is_image]:
            more = f" and {len(others) - 3} more" if len(others) > 3 else ""
            say(f"{path}: passed over, not photos: {', '.join(others[:3])}{more}", file=sys.stderr)
    return photos


def _below(folder: Path) -> Iterator[Path]:
    """All files below a folder, none hidden, and each folder there that can't be listed.

    Links to folders come after everything that lies below without them; each real folder comes
    once, so that links in a circle end.
    """
    seen: set[tuple] = set()
    tops = [os.fspath(folder)]
    for top in tops:  # the links that are found are added at its end
        waiting = [top]
        while waiting:  # no recursion, and no look at the folders above: they may be a thousand
            here = waiting.pop()
            try:
                own = _identity(here)
                entries = (
                    {entry.name: entry for entry in os.scandir(here)} if own not in seen else {}
                )
            except OSError:
                yield Path(here)
                continue
            seen.add(own)
            inner = {name for name, entry in entries.items() if _is_folder(entry)}
            links = [name for name in shown(inner) if entries[name].is_symlink()]
            tops += [os.path.join(here, name) for name in links]
            waiting += [os.path.join(here, name) for name in reversed(shown(inner - {*links}))]
            yield from (Path(here, name) for name in shown(entries.keys() - inner))


def _identity(folder: str) -> tuple:
    """Equal for the same real folder, by whatever path."""
    about = os.stat(folder)
    return (about.st_dev, about.st_ino) if about.st_ino else (os.path.realpath(folder),)


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle
        return False


def _is_image(file: Path) -> bool:
    """Whether a file or folder is to be answered, or named because it can't be."""
    if file.suffix.lower() in {*ENDINGS, *RAW_ENDINGS, *UNREAD_ENDINGS} or os.path.isdir(file):
        return True
    try:
        if not stat.S_ISREG(os.stat(file).st_mode):  # a pipe would be waited for without end
            return False
    except OSError as error:
        return error.errno == errno.ENAMETOOLONG  # too deep to be reached: photos may lie there
    try:
        with Image.open(file, formats=FORMATS):
            return True
    except Exception:  # Pillow's readers raise whatever makes them stumble
        return False


def _decoded(photo: Path, size: tuple[int, int]) -> np.ndarray:
    """uint8 RGB [height, width, 3]; OSError, ValueError or DataError says why not."""
    ending = photo.suffix.lower()
    if os.path.isdir(photo):
        os.scandir(photo).close()  # says why it can't be listed
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


def answers(saved: SavedModel, photos: Sequence[str | os.PathLike]) -> Iterator[dict[str, Any]]:
    """For each photo in turn ``photo, top1 … top5, p1 … p5, error``; all but the first are None, or
    the last is.

    In float32, as ever; at most two batches of decoded photos are in memory. RunError where the
    network answers with values that aren't finite numbers.
    """
    config, device, photos = saved.config, pick_device(), [as_path(photo) for photo in photos]
    model, n = folded(saved.model.to(device)), min(BATCH, config.batch_size)

    def read(photo: Path) -> tuple[np.ndarray, str | None]:
        try:
            return _decoded(photo, config.stored_size), None
        except (OSError, ValueError, DataError) as error:
            return np.zeros((*config.stored_size, 3), np.uint8), str(error)

    with ThreadPoolExecutor(processors()) as pool:
        ahead = pool.map(read, photos[:n])
        for start in range(0, len(photos), n):
            decoded, errors = zip(*ahead, strict=True)
            ahead = pool.map(read, photos[start + n : start + 2 * n])
            logits = (
                photo_logits(model, torch.from_numpy(np.stack(decoded)).to(device), config)
                .cpu()
                .numpy()
            )
            shares = class_probabilities(logits, saved.fit_counts, saved.path or "the model")
            table = top_classes(shares, saved.classes).to_dict("records")
            for photo, row, error in zip(photos[start : start + n], table, errors, strict=True):
                name = os.fsencode(photo).decode(
                    errors="backslashreplace"
                )  # any bytes: it must be fit to print
                yield {"photo": name, **(dict.fromkeys(row) if error else row), "error": error}


def predict(
    saved: SavedModel, paths: Sequence[str | os.PathLike], to: str | os.PathLike | None = None
) -> None:
    """Print the answers for photos and folders of photos; or write them, whole or not at all,
    ``to`` a .csv or .json.

    A photo that can't be read is named on stderr, and in the file, with the reason. In the end
    DataError says how many there were; one before any work says that ``to`` can't be written.
    """
    to = as_path(to) if to else None
    ending = to.suffix.lower() if to else None
    if to and (ending not in (".csv", ".json") or to.is_dir() or not os.access(to.parent, os.W_OK)):
        raise DataError(
            f"{to}: answers are written into a .csv or .json file, in a folder that can be written to"
        )
    if to:
        refuse_own_file(to)
    rows, photos = [], find_photos(paths)
    found = answers(saved, photos)
    for row in progress(found, "predicting", len(photos), unit="photo") if to else found:
        rows.append(row)
        if row["error"]:
            say(f"{row['photo']}: {row['error']}", file=sys.stderr)
        elif not to:
            best = [(row[f"p{k}"], row[f"top{k}"]) for k in range(1, TOP_K + 1)]
            say(
                "\n".join(
                    [row["photo"], *(f"  {share:>6.1%}  {name}" for share, name in best if name)]
                )
            )
    if to:
        write_json(to, rows) if ending == ".json" else write_table(
            to, pd.DataFrame(rows), float_format="%.6g"
        )
        say(to)
    if failed := sum(row["error"] is not None for row in rows):
        raise DataError(f"{failed} of {len(photos)} photos could not be read")
