"""The most likely classes of any photos, however many: found in folders, decoded a batch ahead, a row for each."""

import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from fashion_tl.dataroot import read_file
from fashion_tl.errors import DataError
from fashion_tl.evaluation import TOP_K, class_probabilities, top_classes
from fashion_tl.inference import photo_logits, pick_device
from fashion_tl.machine import processors
from fashion_tl.model import SavedModel, folded
from fashion_tl.photos import decode
from fashion_tl.runs import write_json, write_table

IMAGES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
BATCH = 64  # photos at a time, or as few as the training took: more are no quicker


def find_photos(paths: Sequence[str | os.PathLike]) -> list[Path]:
    """The files among ``paths``, and in place of each folder the image files below it, sorted by path, none hidden.

    DataError names a folder without any.
    """
    photos = []
    for path in map(Path, paths):
        files = (file for file in path.rglob("*") if file.suffix.lower() in IMAGES and not file.is_dir())
        below = sorted(file for file in files if not any(p.startswith(".") for p in file.relative_to(path).parts))
        if path.is_dir() and not below:
            raise DataError(f"{path}: no image files in this folder, nor below it ({' '.join(IMAGES)})")
        photos += below or [path]
    return photos


def answers(saved: SavedModel, photos: Sequence[Path]) -> Iterator[dict[str, Any]]:
    """For each photo in turn ``photo, top1 … top5, p1 … p5, error``; all but the first are None, or the last is.

    In float32, as ever; at most two batches of decoded photos are in memory.
    """
    config, device = saved.config, pick_device()
    model, n = folded(saved.model.to(device)), min(BATCH, config.batch_size)

    def read(photo: Path) -> tuple[np.ndarray, str | None]:
        try:
            return decode(read_file(photo.parent, photo.name), config.stored_size), None
        except (OSError, ValueError, DataError) as error:
            return np.zeros((*config.stored_size, 3), np.uint8), str(error)

    with ThreadPoolExecutor(processors()) as pool:
        ahead = pool.map(read, photos[:n])
        for start in range(0, len(photos), n):
            decoded, errors = zip(*ahead, strict=True)
            ahead = pool.map(read, photos[start + n : start + 2 * n])
            logits = photo_logits(model, torch.from_numpy(np.stack(decoded)).to(device), config).cpu().numpy()
            table = top_classes(class_probabilities(logits, saved.train_counts), saved.classes).to_dict("records")
            for photo, row, error in zip(photos[start : start + n], table, errors, strict=True):
                name = os.fsencode(photo).decode(errors="backslashreplace")  # any bytes: it must be fit to print
                yield {"photo": name, **(dict.fromkeys(row) if error else row), "error": error}


def predict(saved: SavedModel, paths: Sequence[str | os.PathLike], to: str | os.PathLike | None = None) -> None:
    """Print the answers for photos and folders of photos; or write them, whole or not at all, ``to`` a .csv or .json.

    A photo that can't be read is named on stderr, and in the file, with the reason. In the end DataError says how
    many there were; one before any work says that ``to`` can't be written.
    """
    to, photos = to and Path(to), find_photos(paths)
    if to and (to.suffix not in (".csv", ".json") or to.is_dir() or not os.access(to.parent, os.W_OK)):
        raise DataError(f"{to}: answers are written into a .csv or .json file, in a folder that can be written to")
    rows = []
    for row in tqdm(answers(saved, photos), "predicting", len(photos), unit="photo", mininterval=0.5, disable=not to):
        rows.append(row)
        if row["error"]:
            tqdm.write(f"{row['photo']}: {row['error']}", file=sys.stderr)
        elif not to:
            best = [(row[f"p{k}"], row[f"top{k}"]) for k in range(1, TOP_K + 1)]
            print(row["photo"], *(f"  {share:>6.1%}  {name}" for share, name in best if name), sep="\n")
    if to:
        write_json(to, rows) if to.suffix == ".json" else write_table(to, pd.DataFrame(rows), float_format="%.6g")
        print(to)
    if failed := sum(row["error"] is not None for row in rows):
        raise DataError(f"{failed} of {len(photos)} photos could not be read")
