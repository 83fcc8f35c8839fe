"""Nothing is written among photos, where it would be read as data."""

from collections.abc import Iterable
from pathlib import Path

from fashion_tl.data.contents import DataRoot
from fashion_tl.data.listing import shown
from fashion_tl.files import is_run_folder, lies_inside, ways_into


def refuse_among_photos(target: Path, root: DataRoot, what: str) -> None:
    """RunError if a file or folder that is to be made for ``what`` would become data of this root.

    A run that is there already may stay.
    """
    if root.folder_of_photos is not None:
        refuse_among(target, (root.folder_of_photos, *root.linked), what)


def refuse_among(target: Path, folders: Iterable[Path], what: str) -> None:
    """RunError if a new file or folder would be found in one of these folders of photos.

    Nothing is found in hidden folders and in the folders of runs.
    """
    for folder in folders:
        ways = ways_into(folder, target)
        if any(_is_shown(way) and not any(map(is_run_folder, way)) for way in ways):
            raise lies_inside(target, folder, what)


def _is_shown(way: list[Path]) -> bool:
    """Whether no path of a way (see :func:`ways_into`) is hidden, so that data is read there."""
    return len(shown(path.name for path in way)) == len(way)
