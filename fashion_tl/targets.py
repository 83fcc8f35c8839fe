"""The file that a user names for something to be written."""

import os
from collections.abc import Sequence
from pathlib import Path

from fashion_tl.data.dataroot import refuse_in_data
from fashion_tl.errors import ConfigError
from fashion_tl.files import StrPath, as_path, check_writable
from fashion_tl.runs import refuse_own_file


def checked_target(
    to: StrPath,
    what: str,
    endings: Sequence[str],
    data_path: StrPath | None = None,
    makes_folders: bool = False,
) -> Path:
    """The file ``to`` which ``what``, such as ``the report``, goes; to be called before the work.

    If it is a link, this is the file that the link leads to.

    RunError if a run itself keeps that file, or if it would become part of the data at
    ``data_path``. WriteError if it can't be written; with ``makes_folders``, the folders above it
    may be missing. ConfigError if it has none of the ``endings``, in any capitals.
    """
    target = as_path(to)
    if target.is_symlink():
        refuse_own_file(target)
        target = Path(os.path.realpath(target))
    refuse_own_file(target)
    if data_path is not None:
        refuse_in_data(target, data_path, what)
    check_writable(target, makes_folders=makes_folders)
    if target.suffix.lower() not in endings:
        verb = "are" if what.endswith("s") else "is"
        raise ConfigError(f"{target}: {what} {verb} written into a {' or '.join(endings)} file")
    return target
