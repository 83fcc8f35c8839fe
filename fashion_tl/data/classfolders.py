"""Photos in a folder per class, as many data sets come: each photo's class and part."""

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import compress
from typing import NamedTuple

import numpy as np

from fashion_tl.data.foldernames import (
    fault_of_wrapper,
    find_wrapper,
    names_only_fillers,
    note_on_draw,
    note_on_split,
    note_on_wrapper,
    notes_on_parts_as_classes,
    refuse_name,
    refuse_other_layouts,
    some_folders,
)
from fashion_tl.data.labels import fault_of_label, label_of
from fashion_tl.data.listing import split_ending
from fashion_tl.errors import DataError, photos_in_words
from fashion_tl.split import PARTS, drawn, part_of, words_of

SHARE = 0.2  # of each class tests if no folder says which photos test
SEED = 0  # of that draw
NO_CLASS = "no class folder"

# By each photo's name: the rest of its path, which is folders and the file.
Paths = dict[str, tuple[str, ...]]


class Place(NamedTuple):
    """Where a photo lies: its part, or "" if no folder says, its class, and its path below that."""

    part: str
    kind: str
    below: tuple[str, ...]


@dataclass(frozen=True)
class ClassFolders:
    """The photos of a data set in class folders, by name.

    ``labelled`` holds (``"train"`` or ``"test"``, class) and ``left_out`` a reason. ``inner`` is
    the path to the folder that holds the classes, or train and test. ``around`` are the paths to
    all folders that hold classes. ``notes`` say what was decided. ``is_drawn`` is true if chance
    decides which photos test.
    """

    inner: str
    around: frozenset[str]
    labelled: dict[str, tuple[str, str]]
    left_out: dict[str, str]
    notes: tuple[str, ...]
    is_drawn: bool


def find_classes(names: Sequence[str]) -> ClassFolders | None:
    """The classes of photos, read from names such as ``fashion/train/Shirts/1.jpg``.

    None if there are fewer than two classes. Single folders around everything are skipped. The
    next folders are either ``train``, ``test`` and ``val`` (or similar names) or the classes
    themselves. Folders further down belong to their class. ``val`` trains if there is a ``test``,
    and tests otherwise. If no folder says which photos test, a share of each class does, the same
    share of photos each time. DataError if a folder that would be a class holds classes, or if only
    folders' names leave fewer than two classes. If a folder may hold classes, a note says so.
    """
    inner, folders = _folders_of(names)
    parts = _parts(folders)
    all_found = _found_in_parts(folders, parts) if parts else _found_in_classes(folders)
    faults = {
        name: fault
        for name, own in all_found.items()
        if (fault := fault_of_label(own.kind, "class"))
    }
    found = {name: own for name, own in all_found.items() if name not in faults}
    kinds = {place.kind for place in found.values()}
    if len(kinds) < 2:
        if faults and len({place.kind for place in all_found.values()}) > 1:
            name = next(iter(faults))
            refuse_name(name, all_found[name].kind, faults[name])
        return None
    known = {place.part for place in found.values()}
    if not parts:
        below = {kind: [*own.values()] for kind, own in folders.items()}
        refuse_other_layouts(inner, below, has_parts=known != {""})
    notes = [_note_on_classes(kinds), *_notes_on_inner_folders(found)]
    tests = next((part for part in ("test", "val") if part in known and len(known) > 1), None)
    testing = set() if tests else _draw({name: each.kind for name, each in found.items()}, inner)
    labelled = {}
    for name, (part, kind, _) in found.items():
        does_test = name in testing or (tests is not None and part == tests)
        labelled[name] = ("test" if does_test else "train", kind)
    notes += notes_on_parts_as_classes(kinds) if not parts else []
    notes += _notes_on_lost(folders, parts, found.keys() | faults)
    notes.append(
        note_on_split(parts, known, tests) if tests else note_on_draw(len(testing), SHARE, known)
    )
    return ClassFolders(
        inner=inner,
        around=frozenset(_around(name, own) for name, own in found.items()),
        labelled=labelled,
        left_out={name: faults.get(name, NO_CLASS) for name in sorted(names) if name not in found},
        notes=tuple(notes),
        is_drawn=tests is None,
    )


def _around(name: str, place: Place) -> str:
    """The path to the folder that holds the class folder of a photo of this name."""
    return "".join(f"{folder}/" for folder in name.split("/")[: -len(place.below) - 1])


def _folders_of(names: Sequence[str]) -> tuple[str, dict[str, Paths]]:
    """The path to the first folder with several folders in it, and the photos in each of these."""
    paths: Paths = {name: tuple(name.split("/")) for name in sorted(names)}
    inner, paths = _unwrap(paths, lambda folder, own: _has_folders(own))
    folders = _by_folder(paths)
    deep = [name for name, own in folders.items() if _has_folders(own)]
    if len(folders) > 1 and len(deep) == 1 and names_only_fillers(deep[0]):
        # Such as `images/` with the classes, beside `docs/logo.png`.
        inner = f"{inner}{deep[0]}/"
        folders = _by_folder(folders[deep[0]])
    return inner, folders


def _found_in_parts(folders: dict[str, Paths], parts: dict[str, str]) -> dict[str, Place]:
    """The place of each photo, if the folders are parts such as ``train``.

    A folder around the classes of a part is skipped if its name says that it is no class, or if
    each part would have a single class otherwise.
    """
    found = _places(folders, parts, _skips_by_name)
    kinds = {(place.part, place.kind) for place in found.values()}
    if len(kinds) > len({part for part, _ in kinds}):
        return found
    return _places(folders, parts, _skips_by_content)


def _places(
    folders: dict[str, Paths], parts: dict[str, str], skips: Callable[[str, str, Paths], bool]
) -> dict[str, Place]:
    """The place of each photo, where ``skips(part, folder, its photos)`` says what is no class."""
    found = {}
    for folder, part in parts.items():
        _, own = _unwrap(folders[folder], partial(skips, part))
        for kind, photos in _by_folder(own).items():
            for name, path in photos.items():
                found[name] = Place(part, label_of(kind), path)
    return found


def _skips_by_name(part: str, folder: str, own: Paths) -> bool:
    return names_only_fillers(folder) or part_of(folder) == part


def _skips_by_content(part: str, folder: str, own: Paths) -> bool:
    holds_folders_alone = all(len(path) > 1 for path in own.values())
    return _skips_by_name(part, folder, own) or (holds_folders_alone and len(_by_folder(own)) > 1)


def _found_in_classes(folders: dict[str, Paths]) -> dict[str, Place]:
    """The place of each photo, if the folders are classes.

    A class may have its own train/ and test/, as in ``Shirts/train/1.jpg`` and, with folders
    further down, ``Shirts/train/red/1.jpg``. If a photo lies in none, every part is empty.
    """
    within: dict[str, Place] = {}
    for kind, own in folders.items():
        below = _by_folder(own)
        if not all(map(part_of, below)) or any(len(path) < 2 for path in own.values()):
            within = {}
            break
        for folder, photos in below.items():
            for name, path in photos.items():
                within[name] = Place(part_of(folder) or "", label_of(kind), path)
    if within:
        return within
    return {
        name: Place("", label_of(kind), path)
        for kind, own in folders.items()
        for name, path in own.items()
    }


def _unwrap(paths: Paths, skips: Callable[[str, Paths], bool]) -> tuple[str, Paths]:
    """Go into single folders as long as ``skips(name, its photos)`` is true.

    Files beside such a folder are dropped.
    """
    inner = ""
    while len(folders := _by_folder(paths)) == 1:
        ((folder, own),) = folders.items()
        if not skips(folder, own):
            break
        inner = f"{inner}{folder}/"
        paths = own
    return inner, paths


def _by_folder(paths: Paths) -> dict[str, Paths]:
    """The photos by their first folder, with the rest of their paths.

    Photos in no folder are dropped.
    """
    folders: dict[str, Paths] = {}
    for name, path in paths.items():
        if len(path) > 1:
            folders.setdefault(path[0], {})[name] = path[1:]
    return folders


def _has_folders(paths: Paths) -> bool:
    return any(len(path) > 1 for path in paths.values())


def _parts(folders: dict[str, Paths]) -> dict[str, str]:
    """The part that each folder holds; empty if the folders are classes themselves."""
    words = [words_of(folder) for folder in folders]
    # What all names share says nothing, as in fashion_train and fashion_test.
    shared = set.intersection(*words) if len(words) > 1 else set()
    parts = {folder: part for folder in folders if (part := part_of(folder, shared - set(PARTS)))}
    trains = (folder for folder, part in parts.items() if part == "train")
    below = (_unwrap(folders[folder], partial(_skips_by_name, "train"))[1] for folder in trains)
    has_classes = any(len(_by_folder(own)) > 1 for own in below)
    return parts if len(parts) == len(folders) or has_classes else {}


def taken_for_parts(names: Sequence[str]) -> list[str]:
    """The folders that :func:`find_classes` takes for parts such as ``train``."""
    return list(_parts(_folders_of(names)[1]))


def _draw(classes: dict[str, str], inner: str) -> set[str]:
    """The photos that test: a share of each class.

    A photo's own name decides, so photos of other classes change nothing.
    """

    def chance(name: str) -> bytes:
        stem, _ = split_ending(name.removeprefix(inner))
        return hashlib.sha256(f"{SEED} {stem}".encode()).digest()

    names = sorted(classes, key=chance)
    import pandas as pd  # not above: each process that decodes photos imports this module

    labels = pd.Series([classes[name] for name in names])
    return set(compress(names, drawn(labels, np.arange(len(names)), SHARE)))


def _note_on_classes(classes: set[str]) -> str:
    names = ", ".join(sorted(classes)[:4])
    such_as = ": " if len(classes) <= 4 else ", such as "
    return (
        "There is no styles.csv: the class of a photo is the folder that it lies in "
        f"({len(classes):,} classes{such_as}{names})."
    )


def _notes_on_inner_folders(found: Mapping[str, Place]) -> list[str]:
    """A sentence on the folders in a class, if there are several, since they might be classes.

    DataError if they are.
    """
    below: dict[str, list[tuple[str, ...]]] = {}
    for place in found.values():
        below.setdefault(place.kind, []).append(place.below)
    if wrapper := find_wrapper(below):
        name, own = next((name, own) for name, own in found.items() if own.kind == wrapper.kind)
        folder = "/".join(name.split("/")[: -len(own.below)])
        if wrapper.is_sure:
            raise DataError(fault_of_wrapper(folder, wrapper.inside))
        return [note_on_wrapper(folder, wrapper.inside)]
    inside = {kind: {path[0] for path in below[kind] if len(path) > 1} for kind in sorted(below)}
    several = ((kind, sorted(own)) for kind, own in inside.items() if len(own) > 1)
    return [
        f"Folders in a class folder belong to that class, such as {some_folders(own)} in {kind}/."
        for kind, own in several
    ][:1]


def _notes_on_lost(
    folders: dict[str, Paths], parts: dict[str, str], found: Collection[str]
) -> list[str]:
    """A sentence on each part whose photos lie in no class folder."""
    return [
        f"{photos_in_words(n)} in {folder}/ {'lies' if n == 1 else 'lie'} in no class folder: "
        "left out. After the run, `predict` tells their classes."
        for folder in parts
        if (n := len(folders[folder])) and not any(name in found for name in folders[folder])
    ]
