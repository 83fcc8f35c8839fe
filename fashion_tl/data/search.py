"""Search a folder or a zip for the shallowest styles.csv with photos beside it, or for photos."""

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from fashion_tl.data.listing import (
    NOWHERE,
    RAW_ENDINGS,
    UNREAD_ENDINGS,
    Archive,
    Folder,
    PhotoFile,
    photos_in,
    split_ending,
)
from fashion_tl.data.zips import DEEPEST_MEMBER, PACKED_ENDINGS
from fashion_tl.errors import DataError
from fashion_tl.files import RUN_FILE

TABLE, IMAGES = "styles.csv", "images"  # in any capitals
DEEPEST = 5  # folders between the root and the table
MOST_FOLDERS = 10_000  # that are searched for a table
MOST_CLASS_FOLDERS = 100_000  # that are searched for photos; no data set has more
TEXT_TABLES = (".csv", ".tsv", ".txt")  # only their names differ from the table's
OTHER_TABLES = (*TEXT_TABLES, ".xls", ".xlsx", ".ods", ".parquet", ".json")


@dataclass(frozen=True)
class Copy:
    """A folder that holds a table with photos beside it; ``inner`` is the path to it."""

    inner: str
    table: str
    images: str


@dataclass
class Found:
    """What a search found.

    ``copies`` are whole data sets, all equally deep. ``empty`` ones have a folder of photos without
    photos. ``lone`` are tables without such a folder. ``zips``, ``packed`` (other archives) and
    ``tables`` are other files near the top that the user may have meant. ``is_run`` is true if the
    top folder is that of a run.
    """

    copies: list[Copy] = field(default_factory=list)
    empty: list[Copy] = field(default_factory=list)
    lone: list[str] = field(default_factory=list)
    zips: list[str] = field(default_factory=list)
    packed: list[str] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)
    is_run: bool = False


def find_copies(listing: Folder | Archive) -> Found:
    """Search for tables, the shallowest first, and no deeper than the first whole data set.

    DataError if the top folder can't be read.
    """
    found = Found()
    level = [""]
    looked = 0
    for depth in range(DEEPEST + 1):
        below: list[str] = []
        for inner in level[: MOST_FOLDERS - looked]:
            try:
                entries = listing.entries(inner)
            except DataError:
                if not inner:
                    raise
                continue  # another user's folder
            if RUN_FILE in entries.files:
                found.is_run = found.is_run or not inner
                if inner:
                    continue  # a run's tables are results
            table = _named(entries.files, TABLE)
            images = _named(entries.folders, IMAGES)
            if table and images:
                is_whole = listing.holds_photos(f"{inner}{images}/")
                (found.copies if is_whole else found.empty).append(Copy(inner, table, images))
            elif table:
                found.lone.append(inner + table)
            if depth <= 1:
                found.zips += _ending_in(entries.files, (".zip",), inner)
                found.packed += _ending_in(entries.files, PACKED_ENDINGS, inner)
                found.tables += _ending_in(entries.files, OTHER_TABLES, inner)
            below += [
                f"{inner}{name}/" for name in entries.folders if not (table and name == images)
            ]
        looked += len(level)
        if found.copies or looked >= MOST_FOLDERS:
            break
        level = below
    return found


@dataclass
class AllPhotos:
    """``photos``, and what is left out.

    ``outside`` are photos that link out of the root, ``unread`` the names of images in formats that
    aren't read, ``too_deep`` the names of folders that are too deep to be searched, and ``runs``
    those of folders of runs, whose images are figures. ``again`` are links to folders that were
    read already. ``lost`` gives the reason why a name can't be looked up. ``without`` gives the
    number of files in each folder that has no photo and no folder in it. ``linked`` are the real
    folders that links lead to.
    """

    photos: list[PhotoFile] = field(default_factory=list)
    outside: list[PhotoFile] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    too_deep: list[str] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)
    again: list[str] = field(default_factory=list)
    lost: dict[str, str] = field(default_factory=dict)
    without: dict[str, int] = field(default_factory=dict)
    linked: list[str] = field(default_factory=list)


def find_photos(listing: Folder | Archive) -> AllPhotos:
    """All photos up to ``DEEPEST_MEMBER`` folders down.

    DataError if a folder can't be read, or none of the photos in it and below.
    """
    found = AllPhotos()
    folders = [""]
    links: set[str] = set()
    seen: set[str] = set()
    for folder in folders:  # the loop adds folders to its own list
        place = listing.place(folder)
        if place in seen:  # two links that lead to each other would never end
            found.again.append(folder)
            continue
        seen.add(place)
        entries = listing.entries(folder)
        if folder and RUN_FILE in entries.files:
            found.runs.append(folder)
            continue
        if folder in links:
            found.linked.append(place)
        own = photos_in(listing, folder, entries)
        found.photos += own.found
        found.outside += own.outside
        found.lost |= own.lost
        unread = _ending_in(entries.files, RAW_ENDINGS | UNREAD_ENDINGS, folder)
        found.unread += unread
        if folder and not (entries.folders or unread or any(own)):
            found.without[folder] = len(entries.files)
        below = found.too_deep if folder.count("/") == DEEPEST_MEMBER - 1 else folders
        # A link to a folder beside it comes after that folder, which keeps its photos.
        inner = sorted(entries.folders, key=lambda name: name in entries.links)
        below += [f"{folder}{name}/" for name in inner]
        links |= {f"{folder}{name}/" for name in inner if name in entries.links}
        if len(folders) > MOST_CLASS_FOLDERS:
            raise DataError(
                f"{listing.path}: {MOST_CLASS_FOLDERS:,} folders without a {TABLE}; "
                "name the data set's own folder."
            )
    _refuse_lost_folders(listing, found)
    return found


def _refuse_lost_folders(listing: Folder | Archive, found: AllPhotos) -> None:
    """DataError for a folder that would vanish, because all photos in it and below are lost."""
    if not found.lost:
        return
    kept = {
        photo.name[: end + 1]
        for photo in (*found.photos, *found.outside)
        for end, letter in enumerate(photo.name)
        if letter == "/"
    }
    below: dict[str, dict[str, str]] = {}
    for name, why in found.lost.items():
        for end, letter in enumerate(name):
            if letter == "/" and name[: end + 1] not in kept:
                below.setdefault(name[: end + 1], {})[name] = why
    for folder, lost in below.items():
        refuse_lost(listing.path, folder, lost)


def refuse_lost(path: Path, folder: str, lost: Mapping[str, str]) -> None:
    """DataError for a folder below ``path`` if all its photos are ``lost``, for these reasons."""
    names = [name for name in lost if split_ending(name)[1]]
    if not names:
        return
    if lost[names[0]] == NOWHERE:
        way = "Connect or restore what the links lead to"
    else:
        way = "Make the folder and its photos readable"
    raise DataError(
        f"{path}: {folder} has no photo that can be read, but {len(names):,} that can't, such as "
        f"{names[0]}: {lost[names[0]]}. {way}, or move the folder elsewhere."
    )


def _named(names: list[str], wanted: str) -> str | None:
    """The name that is ``wanted``, or the only one that differs from it only in capitals."""
    alike = [name for name in names if name.casefold() == wanted]
    if wanted in alike:
        return wanted
    return alike[0] if len(alike) == 1 else None


def _ending_in(files: list[str], endings: Container[str], folder: str) -> list[str]:
    """The paths of the files in a folder that have one of these endings, in any capitals."""
    return [folder + name for name in files if PurePosixPath(name).suffix.lower() in endings]
