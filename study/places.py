"""Where things are: the clone that this package lies in, and what is on record there."""

from pathlib import Path

from fashion_tl.files import as_path, check_writable

REPOSITORY = Path(__file__).resolve().parents[1]
RESULTS = REPOSITORY / "results"


def writable(folder: str) -> Path:
    """A folder for records; WriteError if it is missing, or if nothing can be written there."""
    place = as_path(folder)
    check_writable(place / "looks.csv")
    return place
