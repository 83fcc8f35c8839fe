"""What folders are by their names and their contents: parts, classes, or around classes."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

from fashion_tl.data.labels import label_of
from fashion_tl.errors import DataError, in_a_line, photos_in_words, some_of
from fashion_tl.split import FILLERS, part_of, words_of


def is_no_class(folder: str) -> bool:
    """Whether a folder's name is that of a part, such as ``train``, or of photos in general."""
    return part_of(folder) is not None or names_only_fillers(folder)


def names_only_fillers(folder: str) -> bool:
    words = words_of(folder)
    return bool(words) and words <= FILLERS


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
    Folders such as ``train/`` in it are no classes.
    """
    deep = [kind for kind, paths in classes.items() if all(len(path) > 1 for path in paths)]
    for kind, paths in classes.items():
        inside = _folders_in(paths)
        alike = sum(label_of(folder) in classes.keys() - {kind} for folder in inside)
        if alike > 1 or (kind in deep and (alike == len(inside) or is_no_class(kind))):
            return Wrapper(kind, inside, is_sure=True)
    inside = _folders_in(classes[deep[0]]) if len(deep) == 1 else []
    if len(inside) >= len(classes) and not all(map(is_no_class, inside)):
        return Wrapper(deep[0], inside, is_sure=False)
    return None


def _folders_in(paths: Sequence[tuple[str, ...]]) -> list[str]:
    return sorted({path[0] for path in paths if len(path) > 1})


def refuse_other_layouts(
    inner: str, classes: Mapping[str, Sequence[tuple[str, ...]]], has_parts: bool
) -> None:
    """DataError if would-be classes look like data sets, or if only some have train/ and test/.

    ``inner`` is the path to these folders. ``classes`` gives the paths of the photos of each, below
    its folder. With ``has_parts``, each photo lies in a train/ or test/ of its class.
    """
    _refuse_data_sets(inner, classes)
    if not has_parts:
        _refuse_parts_in_a_class(inner, classes)


def refuse_part_as_class(where: str, folders: Iterable[str]) -> None:
    """DataError if a folder that would be a class has a name such as ``train``.

    ``where`` is the path to the folders, up to its last ``/``.
    """
    if name := next(filter(part_of, folders), None):
        raise DataError(
            f"{where}{name}/ lies among folders of classes, but its name is that of a part of the "
            "photos. Give it the name of the class of its photos, or move it elsewhere."
        )


def notes_on_parts_as_classes(kinds: Iterable[str]) -> list[str]:
    """What is said of classes with a name such as ``train``, which may be meant (a toy)."""
    return [
        f"{kind}/ is taken for a class, though it has the name of a part of the photos. If it is "
        "none, move it elsewhere."
        for kind in sorted(filter(part_of, kinds))
    ]


def _refuse_data_sets(inner: str, classes: Mapping[str, Sequence[tuple[str, ...]]]) -> None:
    """DataError if two folders that would be classes look like data sets.

    Two data sets have train/ and test/, and several folders in these have the same names in both
    data sets, since they may be the same classes.
    """
    inside: dict[str, set[str]] = {}
    for kind, paths in classes.items():
        further_down = {path[1] for path in paths if len(path) > 2 and part_of(path[0])}
        if len(further_down) > 1 and _has_several_parts(paths):
            inside[kind] = further_down
    for kind, other in combinations(inside, 2):
        if len(inside[kind] & inside[other]) > 1:
            way = "move the photos there up out of the folders further down"
            raise DataError(_fault_of_data_set(inner, kind, _parts_in(classes[kind]), way))


def _refuse_parts_in_a_class(inner: str, classes: Mapping[str, Sequence[tuple[str, ...]]]) -> None:
    """DataError if some folders that would be classes hold train/ and test/, but not all photos do.

    It is unknown whether the others train or test.
    """
    parts = {kind: _parts_in(paths) for kind, paths in classes.items()}
    if len({part_of(folder) for own in parts.values() for folder in own}) < 2:
        return
    lacking = next(
        kind
        for kind, paths in classes.items()
        if any(len(path) == 1 or path[0] not in parts[kind] for path in paths)
    )
    for kind, own in parts.items():
        is_deep = any(len(path) > 2 and path[0] in own for path in classes[kind])
        if is_deep and _has_several_parts(classes[kind]):
            way = f"move all photos in {inner}{lacking}/ into a train/ or a test/ there"
            raise DataError(_fault_of_data_set(inner, kind, own, way))
    example = next(kind for kind, own in parts.items() if own)
    raise DataError(
        f"{inner}{example}/ holds {_joined(parts[example])}, but photos in {inner}{lacking}/ "
        "lie in no such folder. Move them into a train/ or a test/ there, as in the other "
        "classes, or remove these folders from all classes."
    )


def _fault_of_data_set(inner: str, folder: str, parts: Sequence[str], way: str) -> str:
    return (
        f"{inner}{folder}/ holds {_joined(parts)}, and other folders of photos lie beside it. "
        f"If it is a data set, name its folder instead. If it is a class, {way}."
    )


def _has_several_parts(paths: Sequence[tuple[str, ...]]) -> bool:
    return len(set(map(part_of, _parts_in(paths)))) > 1


def refuse_name(path: str, label: str, fault: str) -> None:
    """DataError that names the folder in a photo's path whose name is no label for this ``fault``.

    It is to be called if fewer than two classes are left without that folder.
    """
    folder = next(own for own in path.split("/") if label_of(own) == label)
    raise DataError(
        f"the folder {in_a_line(folder)} is no class, because its name has letters that can't be "
        f"shown ({fault}). Rename it; there must be two or more classes."
    )


def _parts_in(paths: Sequence[tuple[str, ...]]) -> list[str]:
    """The folders among the paths that are parts, such as train/."""
    return list(filter(part_of, _folders_in(paths)))


def _joined(folders: Sequence[str]) -> str:
    return " and ".join(f"{folder}/" for folder in folders)


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


def note_on_split(parts: Mapping[str, str], known: Collection[str], tests: str) -> str:
    """Which photos train and which test, where ``parts`` gives the part of each folder.

    ``known`` are the parts that have photos, ``tests`` is the one that tests.
    """
    folders = {}
    for part in known:
        named = " and ".join(f"{folder}/" for folder, own in parts.items() if own == part)
        folders[part] = named or f"the {part}/ of each class"
    train = " and ".join(
        folders[part] for part in ("train", "val") if part in folders and part != tests
    )
    return f"Photos in {train} train; those in {folders[tests]} test."


def note_on_draw(drawn: int, share: float, known: Collection[str]) -> str:
    """How many photos chance chose to test, and why; ``known`` are the parts that have photos."""
    part = next(iter({*known} - {"", "train"}), None)
    if part:
        why = f"No folder says which photos train, because all lie in folders for {part}"
    else:
        why = "No folder says which photos test"
    verb = "test" if part else "do"
    return (
        f"{why}: {share:.0%} of each class {verb} "
        f"({photos_in_words(drawn)}, always the same); the others train."
    )


def some_folders(names: Sequence[str]) -> str:
    """The first folders of several, such as ``a/, b/, c/ and 2 more``."""
    return some_of([f"{name}/" for name in names])
