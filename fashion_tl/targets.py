"""The file that a user names for something to be written."""

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from fashion_tl.data.dataroot import refuse_in_data
from fashion_tl.data.search import IMAGES, TABLE
from fashion_tl.errors import ConfigError, RunError
from fashion_tl.files import StrPath, as_path, check_writable
from fashion_tl.runs import refuse_own_file


def checked_target(
    to: StrPath,
    what: str,
    endings: Sequence[str],
    data_path: StrPath | None = None,
    makes_folders: bool = False,
    reads: Iterable[Path] = (),
) -> Path:
    """The file ``to`` which ``what``, such as ``the report``, goes; to be called before the work.

    If it is a link, this is the file that the link leads to.

    RunError if a run itself keeps that file, if it would become part of the data at ``data_path``,
    if it is the table of a data root, or if it is one of the files that ``what`` ``reads``.
    WriteError if it can't be written; with ``makes_folders``, the folders above it may be missing.
    ConfigError if it has none of the ``endings``, in any capitals.
    """
    target = as_path(to)
    if target.is_symlink():
        refuse_own_file(target)
        target = Path(os.path.realpath(target))
    refuse_own_file(target)
    _refuse_table(target)
    refuse_replacing(target, reads)
    if data_path is not None:
        refuse_in_data(target, data_path, what)
    check_writable(target, makes_folders=makes_folders)
    if target.suffix.lower() not in endings:
        verb = "are" if what.endswith("s") else "is"
        raise ConfigError(f"{target}: {what} {verb} written into a {' or '.join(endings)} file")
    return target


def _refuse_table(target: Path) -> None:
    """RunError for a styles.csv beside a folder of photos."""
    if target.name.casefold() != TABLE:
        return
    names: list[str] = []
    with suppress(OSError):  # check_writable says why
        names = os.listdir(target.parent)
    if IMAGES in map(str.casefold, names):
        raise RunError(f"{target} is the table of a data root; name another file")


def refuse_replacing(target: Path, files: Iterable[Path]) -> None:
    """RunError if a new file would replace one of the files that are read for it."""
    there = os.path.exists
    if there(target) and any(there(file) and os.path.samefile(target, file) for file in files):
        raise RunError(f"{target} is one of the files that are read; name another file")
