"""Where things are: the clone that this package lies in, and what is on record there. It says which
data may give figures for it, too.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from fashion_tl.config import parse_settings
from fashion_tl.data.contents import DataRoot
from fashion_tl.data.dataroot import SAMPLE, open_root
from fashion_tl.errors import ConfigError, DataError, FashionTLError
from fashion_tl.files import as_path, check_writable
from fashion_tl.split import parse_split

REPOSITORY = Path(__file__).resolve().parents[1]
RESULTS = REPOSITORY / "results"


def writable(folder: str) -> Path:
    """A folder for records; WriteError if it is missing, or if nothing can be written there."""
    place = as_path(folder)
    check_writable(place / "looks.csv")
    return place


def refuse_unfit(
    data: str,
    results: str | os.PathLike,
    settings: Sequence[str] = (),
    *,
    stated: bool = True,
    years: bool = False,
) -> None:
    """ConfigError or DataError, before any work, for data whose figures can't go on record.

    These are the built-in sample where ``results`` is ``RESULTS``. If the split must be ``stated``,
    they are also data and ``settings``, written ``name=value``, by which chance decides which
    photos test: nobody else could compare their figures. If ``years`` are compared, they are also
    data without a table.
    """
    root = _root_of(data)
    is_sample = data == SAMPLE or (root is not None and root.is_sample)
    if is_sample and os.path.realpath(results) == os.path.realpath(RESULTS):
        raise ConfigError(
            f"{RESULTS.name}/ holds measurements on real data alone; to try this command on the "
            "sample, name another folder with --results"
        )
    if stated:
        _refuse_drawn(root, settings)
    if years and root is not None and root.table is None:
        raise DataError(
            f"{root.path} has no styles.csv, so no photo has a year, and this command compares "
            "years; name data with a styles.csv"
        )


def _refuse_drawn(root: DataRoot | None, settings: Sequence[str]) -> None:
    why = "chance would decide which photos test, so nobody could compare the figures"
    split = parse_settings(settings).get("split")
    if split is not None and parse_split(split).is_drawn:
        raise ConfigError(f"split={split}: {why}; split by year or by a column")
    if root is not None and root.is_drawn:
        raise DataError(
            f"{root.path}: {why}; put the photos into folders train/ and test/, or name data with "
            "a styles.csv"
        )


def _root_of(data: str) -> DataRoot | None:
    """The data root of this path. None for the word `sample`, which is drawn only when it is used,
    and for data that can't be read: the command says what is wrong with them.
    """
    if data != SAMPLE:
        with suppress(FashionTLError):
            return open_root(data)
    return None
