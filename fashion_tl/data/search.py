"""Where a data set lies in a folder or a zip: the shallowest styles.csv with photos beside it, or
photos alone.
"""

from dataclasses import dataclass, field
from pathlib import PurePosixPath

from fashion_tl.data.listing import (
    RAW_ENDINGS,
    UNREAD_ENDINGS,
    Archive,
    Folder,
    PhotoFile,
    photos_in,
)
from fashion_tl.data.zips import DEEPEST_MEMBER, PACKED_ENDINGS
from fashion_tl.errors import DataError

TABLE, IMAGES = "styles.csv", "images"  # in any capitals
DEEPEST = 5  # folders between the root and the table
MOST_FOLDERS = 10_000  # looked into for a table
MOST_CLASS_FOLDERS = 100_000  # looked into for photos; more are no data set
OTHER_TABLES = (".csv", ".tsv", ".txt", ".xls", ".xlsx", ".ods", ".parquet", ".json")


@dataclass(frozen=True)
class Copy:
    """A folder that holds a table with photos beside it; ``inner`` leads to it."""

    inner: str
    table: str
    images: str


@dataclass
class Found:
    """What a search came upon.

    ``copies`` are whole ones, all at the least depth; ``empty`` ones have no photo, ``lone`` tables
    no folder of them. ``zips``, ``packed`` (archives of other kinds) and ``tables`` are other files
    near the top, which may be meant.
    """

    copies: list[Copy] = field(default_factory=list)
    empty: list[Copy] = field(default_factory=list)
    lone: list[str] = field(default_factory=list)
    zips: list[str] = field(default_factory=list)
    packed: list[str] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)


def find_copies(listing: Folder | Archive) -> Found:
    """Look for tables, the shallowest first, and no deeper than the first whole copy. DataError as
    ``entries``.
    """
    found, level, looked = Found(), [""], 0
    for depth in range(DEEPEST + 1):
        below: list[str] = []
        for inner in level[: MOST_FOLDERS - looked]:
            try:
                entries = listing.entries(inner)
            except DataError:
                if not inner:
                    raise
                continue  # a folder that is somebody else's
            table, images = _named(entries.files, TABLE), _named(entries.folders, IMAGES)
            if table and images:
                is_whole = listing.holds_photos(f"{inner}{images}/")
                (found.copies if is_whole else found.empty).append(Copy(inner, table, images))
            elif table:
                found.lone.append(inner + table)
            if depth <= 1:
                found.zips += [inner + name for name in entries.files if _ending(name) == ".zip"]
                found.packed += [
                    inner + name for name in entries.files if _ending(name) in PACKED_ENDINGS
                ]
                found.tables += [
                    inner + name for name in entries.files if _ending(name) in OTHER_TABLES
                ]
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
    """``photos``; those that are left out, being links out of the root (``outside``); the names of
    images in formats that aren't read, and of folders that are too deep to be looked into.
    """

    photos: list[PhotoFile] = field(default_factory=list)
    outside: list[PhotoFile] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    too_deep: list[str] = field(default_factory=list)


def find_photos(listing: Folder | Archive) -> AllPhotos:
    """All photos up to ``DEEPEST_MEMBER`` folders down. DataError as ``entries``."""
    found, folders, seen = AllPhotos(), [""], set()
    for folder in folders:  # which grows meanwhile
        if (
            place := listing.place(folder)
        ) in seen:  # two links that lead to one another would go on without end
            continue
        seen.add(place)
        entries = listing.entries(folder)
        own, more = photos_in(listing, folder, entries)
        found.photos += own
        found.outside += more
        found.unread += [
            folder + name for name in entries.files if _ending(name) in RAW_ENDINGS | UNREAD_ENDINGS
        ]
        below = found.too_deep if folder.count("/") == DEEPEST_MEMBER - 1 else folders
        below += [f"{folder}{name}/" for name in entries.folders]
        if len(folders) > MOST_CLASS_FOLDERS:
            raise DataError(
                f"{listing.path}: {MOST_CLASS_FOLDERS:,} folders without a {TABLE}; name the data set's own folder."
            )
    return found


def _named(names: list[str], wanted: str) -> str | None:
    """The name that is ``wanted``, or the only one that differs only in capitals."""
    alike = [name for name in names if name.casefold() == wanted]
    return wanted if wanted in alike else alike[0] if len(alike) == 1 else None


def _ending(name: str) -> str:
    return PurePosixPath(name).suffix.lower()
