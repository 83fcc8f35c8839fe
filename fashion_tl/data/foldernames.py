"""What folders are by their names and their contents: parts, classes, or around classes."""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

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


class Wrapper(NamedTuple):
    """A folder that would be a class, and the folders in it: they are classes, surely or maybe."""

    kind: str
    inside: list[str]
    is_sure: bool


def find_wrapper(classes: Mapping[str, Sequence[tuple[str, ...]]]) -> Wrapper | None:
    """The folder that would be a class, but holds classes or may do so; None if there is none.

    ``classes`` gives the paths of the photos of each class, below its folder. It holds classes if
    the folders in it have the names of classes beside it; or if no photo lies in it itself and it
    has the name of a part or of photos in general. It may do so if no photo lies in it itself, but
    in each of the others, and it holds more folders than lie beside it. ``Dresses/`` with ``red/``
    and ``blue/`` beside ``Shoes/`` looks like ``new/`` with ``Hats/`` and ``Caps/`` beside it.
    """
    deep = [kind for kind, paths in classes.items() if all(len(path) > 1 for path in paths)]
    for kind, paths in classes.items():
        inside = _folders_in(paths)
        alike = sum(label_of(folder) in classes.keys() - {kind} for folder in inside)
        if alike > 1 or (kind in deep and (alike == len(inside) or is_no_class(kind))):
            return Wrapper(kind, inside, is_sure=True)
    if len(deep) == 1 and len(inside := _folders_in(classes[deep[0]])) >= len(classes):
        return Wrapper(deep[0], inside, is_sure=False)
    return None


def _folders_in(paths: Sequence[tuple[str, ...]]) -> list[str]:
    return sorted({path[0] for path in paths if len(path) > 1})


def fault_of_wrapper(folder: str, inside: Sequence[str]) -> str:
    """What is wrong with a folder that holds classes, and what to do."""
    return (
        f"{folder} would be one class, but it holds {some_folders(inside)}. If these are the "
        f"classes, name {folder} instead, or move them up out of it. If it is one class, move its "
        "photos up into it."
    )


def note_on_wrapper(folder: str, inside: Sequence[str]) -> str:
    """What is decided of a folder that may hold classes, and what to do if it does."""
    return (
        f"{folder}/ is one class, though it holds {some_folders(inside)}. If these are the "
        f"classes, name {folder} instead, or move them up out of it."
    )


def some_folders(names: Sequence[str]) -> str:
    """The first folders of several, such as ``a/, b/, c/ and 2 more``."""
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(f"{name}/" for name in names[:NAMED]) + more
