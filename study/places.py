"""Where things are: the clone that this package lies in, and what is on record there."""

import os
from contextlib import suppress
from pathlib import Path

from fashion_tl.data.dataroot import SAMPLE, open_root
from fashion_tl.errors import ConfigError, FashionTLError
from fashion_tl.files import as_path, check_writable

REPOSITORY = Path(__file__).resolve().parents[1]
RESULTS = REPOSITORY / "results"


def writable(folder: str) -> Path:
    """A folder for records; WriteError if it is missing, or if nothing can be written there."""
    place = as_path(folder)
    check_writable(place / "looks.csv")
    return place


def refuse_sample(data: str, results: str | os.PathLike) -> None:
    """ConfigError if figures of the built-in sample would stand in ``RESULTS``."""
    if os.path.realpath(results) == os.path.realpath(RESULTS) and _is_sample(data):
        raise ConfigError(
            f"{RESULTS.name}/ holds measurements on real data alone; to try this command on the "
            "sample, name another folder with --results"
        )


def _is_sample(data: str) -> bool:
    if data == SAMPLE:
        return True
    with suppress(FashionTLError):  # the command says what is wrong with its data
        return open_root(data).is_sample
    return False
