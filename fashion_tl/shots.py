"""Photos that `extend` learns new classes from: a folder for each class."""

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from fashion_tl.data.foldernames import (
    fault_of_wrapper,
    find_wrapper,
    is_no_class,
    note_on_wrapper,
    refuse_part_as_class,
)
from fashion_tl.data.labels import fault_of_label, label_of, same_names
from fashion_tl.data.listing import Folder, in_words, split_ending
from fashion_tl.data.twins import photo_digests
from fashion_tl.errors import DataError, may_be_whole, some_of
from fashion_tl.extension import Shots
from fashion_tl.files import StrPath, as_path, is_run_folder
from fashion_tl.machine import processors, warn
from fashion_tl.network.memory import Memory
from fashion_tl.predict import find_photos, read_photo

# What takes sentences about photos that are left out.
Note = Callable[[str], None]


def find_shots(
    folder: StrPath, size: tuple[int, int], classes: Collection[str] = (), note: Note = warn
) -> Shots:
    """The photos in a folder of class folders, decoded to ``size`` (height, width).

    The first folder below ``folder`` is the class; folders further down belong to it. The same
    photo counts once in a class. A ``note`` lists photos that can't be read, those in no class
    folder, and a folder that may be meant to hold classes. Two folders whose names differ only in
    capitals are refused, unless the run has a class for each.

    DataError if there is no class folder, if a folder has the name of a part such as ``train`` or
    holds folders with the names of the classes beside it, if two folders are one class, if a class
    has no photo that can be read, or if two classes have the same photo.
    """
    root = as_path(folder)
    found = Shots(np.zeros((0, *size, 3), np.uint8), [], [])
    names = _class_folders(root, classes, note)
    photos = {label: _photos_of(root / name, note) for label, name in names.items()}
    _judge_wrapper(root, names, photos, note)
    refuse_part_as_class(f"{root}/", [own for label, own in names.items() if label not in classes])
    for label, files in photos.items():
        name = names[label]
        pixels, kept = _decoded(root / name, files, size, note)
        ids = [in_words(file.relative_to(root).as_posix()) for file in kept]
        found += Shots(pixels, ids, [label] * len(ids))
    return _without_twins(root, found, note)


def _class_folders(root: Path, classes: Collection[str], note: Note) -> dict[str, str]:
    """The folders of the classes by the classes' names."""
    if not root.is_dir():
        raise DataError(
            f"{root}: no such folder; name a folder with a folder of photos for each class"
            + ("; unpack this file first" if root.is_file() else "")
        )
    if is_run_folder(root):
        raise DataError(
            f"{root} is the folder of a run, whose images are figures; name a folder with a folder "
            "of photos for each class"
        )
    folders, files, _ = Folder(root).entries("")
    if runs := [name for name in folders if is_run_folder(root / name)]:
        note(f"{root}: left out, the folder of a run: {some_of(runs)}")
    folders = [name for name in folders if name not in runs]
    loose = [name for name in files if split_ending(name)[1]]
    if not folders:
        holds = "photos, but no folders" if loose else "no folders"
        holds += f" other than that of a run ({some_of(runs)})" if runs else ""
        raise DataError(
            f"{root} holds {holds}; put the photos of each class into a folder in it that has the "
            "name of the class"
        )
    if all(map(is_no_class, folders)):
        one = len(folders) == 1
        raise DataError(
            f"{root} holds {' and '.join(f'{name}/' for name in folders[:3])}, which "
            f"{'isn' if one else 'aren'}'t {'the name of a class' if one else 'names of classes'}. "
            f"If folders of classes lie in {'it' if one else 'one of them'}, name that one; "
            f"otherwise give {'it' if one else 'each'} the name of the class of its photos."
        )
    if loose:
        note(f"{root}: left out, in no class folder: {some_of(loose)}")
    by_label: dict[str, str] = {}
    for name in folders:
        label = label_of(in_words(name))
        if fault := fault_of_label(label, "class name"):
            raise DataError(f"{root / name}: {fault}; give the folder another name")
        for other in same_names(label, by_label):
            if other == label or not {other, label} <= {*classes}:
                raise DataError(
                    f"{root / by_label[other]} and {root / name} are the same class; "
                    "put their photos into one folder"
                )
        by_label[label] = name
    return by_label


def _photos_of(folder: Path, note: Note) -> list[Path]:
    try:
        return find_photos([folder], note)
    except DataError as error:
        raise DataError(f"{error}; put photos there, or delete the folder", error.fault) from error


def _judge_wrapper(
    root: Path, names: Mapping[str, str], photos: Mapping[str, list[Path]], note: Note
) -> None:
    """DataError if a folder that would be a class rather holds classes; a note if it may do so.

    ``names`` are the folders of the classes, ``photos`` the files in them.
    """
    below = {
        label: [file.relative_to(root / names[label]).parts for file in files]
        for label, files in photos.items()
    }
    if wrapper := find_wrapper(below):
        folder = str(root / names[wrapper.kind])
        if wrapper.is_sure:
            raise DataError(fault_of_wrapper(folder, wrapper.inside))
        note(note_on_wrapper(folder, wrapper.inside))


def _decoded(
    folder: Path, files: Sequence[Path], size: tuple[int, int], note: Note
) -> tuple[np.ndarray, list[Path]]:
    """The photos of a class that can be read, uint8 [photos, height, width, 3], and their files."""

    def read(file: Path) -> np.ndarray | Exception:
        try:
            return read_photo(file, size)
        except (OSError, ValueError, DataError) as error:
            return error

    with ThreadPoolExecutor(processors()) as pool:
        results = list(pool.map(read, files))
    photos = [own for own in results if isinstance(own, np.ndarray)]
    pairs = list(zip(files, results, strict=True))
    reasons = [f"{file}: {why}" for file, why in pairs if isinstance(why, Exception)]
    if not photos:
        fault = f"{folder}: none of its photos can be read ({reasons[0]})"
        are_whole = any(isinstance(why, Exception) and may_be_whole(why) for why in results)
        way = "make them readable" if are_whole else "put others there, or delete the folder"
        raise DataError(f"{fault}; {way}", fault)
    for reason in reasons:
        note(f"left out: {reason}")
    return np.stack(photos), [file for file, own in pairs if isinstance(own, np.ndarray)]


def _without_twins(root: Path, shots: Shots, note: Note) -> Shots:
    """Each photo once; DataError if one is of two classes."""
    first: dict[bytes, int] = {}
    twins = []
    for number, digest in enumerate(photo_digests(shots.pixels)):
        other = first.setdefault(digest, number)
        if shots.labels[other] != shots.labels[number]:
            raise DataError(
                f"{root / shots.ids[other]} and {root / shots.ids[number]} are the same photo, "
                "but of two classes; delete one of them"
            )
        if other != number:
            twins.append(shots.ids[number])
    if twins:
        note(f"{root}: left out, the same photo again: {some_of(twins)}")
    return shots.chosen(sorted(first.values()))


def names_of(memory: Memory) -> dict[str, str]:
    """The ids of the photos that a run remembers, by the names that tell a new photo from them.

    These are the ids themselves. Of training photos, they also are the class and the name of the
    file, as in ``Shirts/1``, since a training photo may lie in other folders than a new one. A
    training photo's id has no ending as a rule.
    """
    names = {str(own): str(own) for own in memory.ids}
    trained = len(memory.ids) - memory.added
    for own, label in zip(memory.ids[:trained], memory.labels[:trained], strict=True):
        stem, _ = split_ending(own.rpartition("/")[2])
        names.setdefault(f"{memory.classes[label]}/{stem}", str(own))
    return names


def not_yet_learned(
    root: Path, shots: Shots, earlier: Shots, memory: Memory, note: Note = warn
) -> Shots:
    """The photos below ``root`` that aren't among the ``earlier`` ones of a run's extensions.

    A ``note`` lists the others. Training photos are told by their names alone, because the
    ``memory`` has no pixels. DataError if a photo was learned as another class, if the run
    remembers a photo of the same name, or if no photo of a class is left.
    """
    names = names_of(memory)
    learned = dict(zip(photo_digests(earlier.pixels), earlier.labels, strict=True))
    kept: list[int] = []
    again: list[int] = []
    for number, digest in enumerate(photo_digests(shots.pixels)):
        own, label = shots.ids[number], learned.get(digest)
        if label is None and (known := _known_as(own, shots.labels[number], names)):
            raise DataError(
                f"{root / own}: the run remembers this photo, or another of this name, as {known}; "
                "delete the file, or give it another name if it is another photo"
            )
        if label not in (None, shots.labels[number]):
            fault = f"{root / own}: the run learned this same photo as {label}"
            raise DataError(f"{fault}; delete it here", fault)
        (kept if label is None else again).append(number)
    left = shots.chosen(kept)
    for label in shots.classes:
        if label not in left.classes:
            fault = f"{root / label}: the run has learned all of its photos already"
            raise DataError(f"{fault}; put others there, or move the folder elsewhere", fault)
    if again:
        some = some_of([shots.ids[number] for number in again])
        note(f"{root}: left out, learned already: {some}")
    return left


def _known_as(own: str, label: str, names: Mapping[str, str]) -> str | None:
    """The id of the photo that may be the one of this id and class, from :func:`names_of`."""
    stem, _ = split_ending(own)
    forms = (own, stem, f"{label}/{stem.rpartition('/')[2]}")
    return next((names[form] for form in forms if form in names), None)
