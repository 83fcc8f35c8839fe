"""The cache folder: where decoded photos, features and the sample are kept."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from fashion_tl.errors import ContentError, DataError, fault_of_file
from fashion_tl.files import StrPath, as_path, make_once

OTHER_CACHE = "name another folder with --cache or FASHION_TL_CACHE"
MADE_AGAIN = "delete it, and it is made again"


def cache_folder(folder: StrPath | None = None) -> Path:
    """``folder``, ``$FASHION_TL_CACHE`` or ``~/.cache/fashion_tl``: the first one that is given."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return named_cache(folder) or as_path(f"{base}/fashion_tl")


def named_cache(folder: StrPath | None = None) -> Path | None:
    """``folder``, else ``$FASHION_TL_CACHE`` unless that is empty; None if neither is given."""
    named = os.environ.get("FASHION_TL_CACHE") or None if folder is None else folder
    return None if named is None else as_path(named)


def make_cached(path: Path, what: str, make: Callable[[Path], None]) -> None:
    """:func:`fashion_tl.files.make_once` in the cache folder.

    DataError, with the way out, if it can't be written.
    """
    try:
        make_once(path, make)
    except OSError as error:
        raise DataError(
            f"{path.parent}: {what} can't be written ({error}); {OTHER_CACHE}."
        ) from error


def load_kept(file: Path, shape: tuple[int | None, ...], dtype: type) -> np.ndarray:
    """The array in a file, memory-mapped; changes to it never reach the file.

    ContentError if it has another type or shape, in which None stands for any length. numpy's and
    the system's own errors if it can't be read.
    """
    array = np.load(file, mmap_mode="c")
    own = array.shape if isinstance(array, np.ndarray) else ()
    fits = len(own) == len(shape) and all(
        n in (None, there) for n, there in zip(shape, own, strict=True)
    )
    if not fits or array.dtype != dtype:
        wanted = " × ".join("any" if n is None else f"{n:,}" for n in shape)
        raise ContentError(f"{file.name} must be an array of {np.dtype(dtype)}, {wanted}")
    return array


def unreadable(path: Path, error: Exception) -> DataError:
    """The error to raise, with the way out, if a file or folder in the cache can't be read."""
    # What can't be read at all is another user's.
    return DataError(f"{fault_of_file(path, error, MADE_AGAIN, readable=OTHER_CACHE)}.")
