"""Photos in a folder per class, as many data sets come: which class each is of, and whether it
trains or tests.
"""

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fashion_tl.data.labels import label_of
from fashion_tl.data.listing import split_ending
from fashion_tl.errors import DataError
from fashion_tl.split import PARTS

SHARE = 0.2  # of each class that tests where no folder says what does
SEED = 0  # of that choice
FILLERS = set(
    "set data dataset images photos split seg all unknown unlabelled unlabeled".split()
)  # no classes
NO_CLASS = "no class folder"

Paths = dict[
    str, tuple[str, ...]
]  # what is left of each photo's path, by its name: folders, and the file


@dataclass(frozen=True)
class ClassFolders:
    """``labelled`` holds (``"train"`` or ``"test"``, class) and ``left_out`` the reason of each
    photo, by name.

    ``inner`` leads to the folder that the classes, or train and test, lie in; ``notes`` say what
    was decided.
    """

    inner: str
    labelled: dict[str, tuple[str, str]]
    left_out: dict[str, str]
    notes: tuple[str, ...]
    is_drawn: bool  # which photos test, for no folder says it


def find_classes(names: Sequence[str]) -> ClassFolders | None:
    """The classes of photos, told from names such as ``fashion/train/Shirts/1.jpg``; None where
    there are no two.

    Single folders around everything are skipped. What follows are ``train``, ``test`` and ``val``,
    by these or like names, or the classes at once; folders further down belong to their class.
    ``val`` trains where there is a ``test``, and else tests. Where no folder says what tests, a
    share of each class does, the same each time.
    """
    inner, paths = _unwrap(
        {name: tuple(name.split("/")) for name in sorted(names)}, lambda folder, is_deep: is_deep
    )
    folders = _by_folder(paths)
    deep = [
        folder for folder, own in folders.items() if any(len(path) > 1 for path in own.values())
    ]
    if len(folders) > 1 and len(deep) == 1 and _words(deep[0]) and _words(deep[0]) <= FILLERS:
        inner, folders = (
            f"{inner}{deep[0]}/",
            _by_folder(folders[deep[0]]),
        )  # `images/` beside `docs/logo.png`
    parts = _parts(folders)
    # The part and class of each photo; the part may stand below the class, as in Shirts/train/.
    found = _parts_within(folders) or {
        name: ("", kind) for kind, own in folders.items() for name in own
    }
    if parts:
        found = {}
        for folder, part in parts.items():
            _, own = _unwrap(
                folders[folder], lambda below, _, part=part: _names_no_class(below, part)
            )
            found |= {
                name: (part, kind) for kind, photos in _by_folder(own).items() for name in photos
            }
    found = {name: (part, label_of(kind)) for name, (part, kind) in found.items()}
    if len({kind for _, kind in found.values()}) < 2:
        return None
    for kind in () if parts or any(part for part, _ in found.values()) else folders:
        below = sorted(filter(_part_of, _by_folder(folders[kind])))
        if len({_part_of(folder) for folder in below}) > 1:
            raise DataError(
                f"{inner}{kind}/ holds {' and '.join(f'{folder}/' for folder in below)}, and beside it lie other "
                "folders of photos. Name the folder of the one data set that is meant."
            )
    known = {part for part, _ in found.values()}
    tests = next((part for part in ("test", "val") if part in known and len(known) > 1), None)
    drawn = set() if tests else _draw({name: kind for name, (_, kind) in found.items()}, inner)
    labelled = {
        name: ("test" if name in drawn or (tests and part == tests) else "train", kind)
        for name, (part, kind) in found.items()
    }
    left_out = {name: NO_CLASS for name in sorted(names) if name not in found}
    lost = {
        folder: len(folders[folder])
        for folder in parts
        if not any(name in found for name in folders[folder])
    }
    said = {
        part: " and ".join(f"{folder}/" for folder, own in parts.items() if own == part)
        for part in known
    }
    said = {part: words or f"the {part}/ of each class" for part, words in said.items()}
    classes = {kind for _, kind in found.values()}
    return ClassFolders(
        inner, labelled, left_out, _notes(said, tests, len(drawn), lost, classes), tests is None
    )


def _unwrap(paths: Paths, skips: Callable[[str, bool], bool]) -> tuple[str, Paths]:
    """Go into single folders for as long as ``skips(name, whether it has folders)``; what lies
    beside them is lost.
    """
    inner = ""
    while len(folders := _by_folder(paths)) == 1:
        ((folder, own),) = folders.items()
        if not skips(folder, any(len(path) > 1 for path in own.values())):
            break
        inner, paths = f"{inner}{folder}/", own
    return inner, paths


def _by_folder(paths: Paths) -> dict[str, Paths]:
    """The photos by their first folder, in which their paths then begin; those in none are lost."""
    folders: dict[str, Paths] = {}
    for name, path in paths.items():
        if len(path) > 1:
            folders.setdefault(path[0], {})[name] = path[1:]
    return folders


def _parts(folders: dict[str, Paths]) -> dict[str, str]:
    """Which folders hold which part; empty where the folders are classes themselves."""
    words = [_words(folder) for folder in folders]
    alike = (
        set.intersection(*words) if len(words) > 1 else set()
    )  # as in fashion_train, fashion_test
    parts = {folder: part for folder in folders if (part := _part_of(folder, alike - set(PARTS)))}
    has_classes = any(
        part == "train" and len(_by_folder(folders[folder])) > 1 for folder, part in parts.items()
    )
    return parts if len(parts) == len(folders) or has_classes else {}


def _parts_within(folders: dict[str, Paths]) -> dict[str, tuple[str, str]]:
    """The part and class of each photo where each class has its own train/ and test/; empty where
    that isn't so.
    """
    found = {}
    for kind, own in folders.items():
        below = _by_folder(own)
        if not all(map(_part_of, below)) or any(
            len(path) != 2 for path in own.values()
        ):  # as Shirts/train/1.jpg
            return {}
        found |= {
            name: (_part_of(folder) or "", kind)
            for folder, photos in below.items()
            for name in photos
        }
    return found


def _part_of(folder: str, alike: set[str] | frozenset[str] = frozenset()) -> str | None:
    """``"seg_train"`` and ``"Training Set"`` are ``"train"``; None for ``"Training Shoes"``."""
    words = _words(folder) - FILLERS - alike
    return PARTS.get(words.pop()) if len(words) == 1 else None


def _names_no_class(folder: str, part: str) -> bool:
    """Whether a folder in one of the parts is none of a class: ``train/images/``,
    ``seg_test/seg_test/``.
    """
    words = _words(folder)
    return (bool(words) and words <= FILLERS) or _part_of(folder) == part


def _words(folder: str) -> set[str]:
    return set(re.findall(r"[^\W\d_]+", folder.casefold()))


def _draw(classes: dict[str, str], inner: str) -> set[str]:
    """The photos that test: a share of each class, at least one of two, whatever else the data set
    holds.
    """
    by_class: dict[str, list[str]] = {}
    for name, kind in classes.items():
        by_class.setdefault(kind, []).append(name)

    def chance(name: str) -> bytes:
        return hashlib.sha256(
            f"{SEED} {split_ending(name.removeprefix(inner))[0]}".encode()
        ).digest()

    drawn = set()
    for own in by_class.values():
        number = max(1, round(SHARE * len(own))) if len(own) > 1 else 0
        drawn.update(sorted(own, key=chance)[:number])
    return drawn


def _some(classes: set[str]) -> str:
    """A few of the classes by name, and how many there are."""
    names = ", ".join(sorted(classes)[:4])
    return (
        f"{len(classes):,} classes: {names}"
        if len(classes) <= 4
        else f"{len(classes):,} classes, such as {names}"
    )


def _notes(
    said: dict[str, str], tests: str | None, drawn: int, lost: dict[str, int], classes: set[str]
) -> tuple[str, ...]:
    """Sentences on what was decided; ``said`` names the folders of each part, ``lost`` counts what
    has no class.
    """
    notes = [
        f"There is no styles.csv: the class of a photo is the folder that it lies in ({_some(classes)})."
    ]
    for folder, photos in lost.items():
        what = f"{photos:,} photos in {folder}/ lie in no class folder: left out."
        notes.append(f"{what} After the run, `predict` tells their classes.")
    if tests:
        trains = " and ".join(
            said[part] for part in ("train", "val") if part in said and part != tests
        )
        notes.append(f"Photos in {trains} train; those in {said[tests]} test.")
    else:
        notes.append(
            f"No folder says which photos test: {SHARE:.0%} of each class do ({drawn:,} photos, always the same); "
            "the others train."
        )
    return tuple(notes)
