"""What folders are by their names and their contents: parts, classes, or around classes."""

import re
from collections.abc import Mapping, Sequence

from fashion_tl.data.labels import label_of
from fashion_tl.split import PARTS

# Words in folder names that name no class.
FILLERS = set("set data dataset images photos split seg all unknown unlabelled unlabeled".split())
NAMED = 3  # folders that a message names


def part_of(folder: str, shared: set[str] | frozenset[str] = frozenset()) -> str | None:
    """``"train"`` for ``"seg_train"`` and ``"Training Set"``; None for ``"Training Shoes"``."""
    words = words_of(folder) - FILLERS - shared
    return PARTS.get(words.pop()) if len(words) == 1 else None


def is_no_class(folder: str) -> bool:
    """Whether a folder's name is that of a part, such as ``train``, or of photos in general."""
    return part_of(folder) is not None or names_only_fillers(folder)


def names_only_fillers(folder: str) -> bool:
    words = words_of(folder)
    return bool(words) and words <= FILLERS


def words_of(folder: str) -> set[str]:
    return set(re.findall(r"[^\W\d_]+", folder.casefold()))


def find_wrapper(classes: Mapping[str, Sequence[tuple[str, ...]]]) -> tuple[str, list[str]] | None:
    """The folder that would be a class, but rather holds classes, and the folders in it; or None.

    ``classes`` gives the paths of the photos of each class, below its folder. It is such a folder
    if no photo lies in it itself and it has the name of a part or of photos in general; or if that
    is so of it alone, and it holds more folders than lie beside it. It also is one if the folders
    in it have the names of classes beside it.
    """
    deep = [kind for kind, paths in classes.items() if all(len(path) > 1 for path in paths)]
    for kind, paths in classes.items():
        inside = _folders_in(paths)
        others = classes.keys() - {kind}
        alike = sum(label_of(folder) in others for folder in inside)
        if (
            alike > 1
            or (kind in deep and (alike == len(inside) or is_no_class(kind)))
            or (deep == [kind] and len(inside) > len(others))
        ):
            return kind, inside
    return None


def _folders_in(paths: Sequence[tuple[str, ...]]) -> list[str]:
    return sorted({path[0] for path in paths if len(path) > 1})


def fault_of_wrapper(folder: str, inside: Sequence[str]) -> str:
    """What is wrong with a folder that :func:`find_wrapper` found, and what to do."""
    return (
        f"{folder} would be one class, but it holds {some_folders(inside)}. If these are the "
        f"classes, name {folder} instead, or move them up out of it. If it is one class, move its "
        "photos up into it."
    )


def some_folders(names: Sequence[str]) -> str:
    """The first folders of several, such as ``a/, b/, c/ and 2 more``."""
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(f"{name}/" for name in names[:NAMED]) + more
