"""Folders without a photo that can be read, which may be classes: an error, or a note."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from fashion_tl.data.classfolders import ClassFolders, find_classes
from fashion_tl.data.listing import (
    NOWHERE,
    Archive,
    Folder,
    PhotoFile,
    in_words,
    split_ending,
)
from fashion_tl.errors import DataError, some_of
from fashion_tl.split import part_of


def refuse_lost_classes(path: Path, kept: Collection[str], lost: Mapping[str, str]) -> None:
    """DataError if the folder of a class or a part below ``path`` has no photo left.

    ``kept`` are the names of photos, and ``lost`` gives the reason why a name can't be looked up.
    If it is unknown which folders are classes, each folder counts.
    """
    names = [name for name in lost if split_ending(name)[1]]
    if not names:
        return
    try:
        classes = find_classes([in_words(name) for name in (*kept, *names)])
    except DataError:  # the photos that are kept may have another layout
        classes = None
    there = {folder for name in kept for folder in _above(name)}
    for name in names:
        for folder in _above(name):
            if folder not in there and (classes is None or _is_class_or_part(folder, classes)):
                refuse_lost(
                    path,
                    folder,
                    {own: why for own, why in lost.items() if own.startswith(folder)},
                    ", or move the folder elsewhere",
                )


def refuse_lost(path: Path, folder: str, lost: Mapping[str, str], otherwise: str = "") -> None:
    """DataError for a folder below ``path`` if all its photos are ``lost``, for these reasons.

    ``otherwise`` is another way out.
    """
    names = [name for name in lost if split_ending(name)[1]]
    if not names:
        return
    if lost[names[0]] == NOWHERE:
        way = "Connect or restore what the links lead to"
    else:
        way = "Make the folder and its photos readable"
    raise DataError(
        f"{path}: {folder} has no photo that can be read, but {len(names):,} that can't, such as "
        f"{names[0]}: {lost[names[0]]}. {way}{otherwise}."
    )


def why_no_folder(listing: Folder | Archive, beside: str, wanted: str) -> str:
    """What stands in the place of a folder ``wanted`` beside a file, in a sentence; or empty."""
    inner = beside.rpartition("/")[0]
    inner = f"{inner}/" if inner else ""
    entries = listing.entries(inner)
    for name in entries.files:
        if name.casefold() == wanted:
            if name in entries.links and not (listing.path / inner / name).exists():
                return f" {inner}{name} is a {NOWHERE}: connect or restore what it leads to."
            return f" {inner}{name} is a file, not a folder."
    return ""


def notes_on_outside(outside: Sequence[PhotoFile]) -> list[str]:
    """A sentence on photos that are left out because they are links out of the root."""
    if not outside:
        return []
    n = len(outside)
    links = "1 photo is a link" if n == 1 else f"{n:,} photos are links"
    return [
        f"{links} out of the root, such as {outside[0].name}: left out. "
        "Copy the photos there, or name the folder that holds both."
    ]


def _above(name: str) -> Iterator[str]:
    """The folders above a photo, from the top, each with a ``/`` at its end."""
    return (name[: end + 1] for end, letter in enumerate(name) if letter == "/")


def _is_class_or_part(folder: str, classes: ClassFolders) -> bool:
    around, own = _split(folder)
    return around in classes.around or (around == classes.inner and part_of(own) is not None)


def _split(folder: str) -> tuple[str, str]:
    """``"train/Shirts/"`` as ``("train/", "Shirts")``, in words."""
    around, slash, own = in_words(folder)[:-1].rpartition("/")
    return around + slash, own


def notes_on_empty(without: Mapping[str, int], classes: ClassFolders | None = None) -> list[str]:
    """A sentence on folders without photos, by the number of their files; they may be classes.

    Those in a folder of the ``classes``, if there are any, belong to that class.
    """
    around = {classes.inner, *classes.around} if classes else None
    some = [
        f"{folder} ({n:,} file{'' if n == 1 else 's'})"
        for folder, n in without.items()
        if around is None or _split(folder)[0] in around
    ]
    if not some:
        return []
    return [f"No class, because no file has a photo's ending such as .jpg: {some_of(some)}."]
