"""Search a folder or a zip for the shallowest styles.csv with photos beside it, or for photos."""

from collections import deque
from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from fashion_tl.data.listing import (
    RAW_ENDINGS,
    UNREAD_ENDINGS,
    Archive,
    Entries,
    Folder,
    PhotoFile,
    opened,
    photos_in,
)
from fashion_tl.data.zips import DEEPEST_MEMBER, PACKED_ENDINGS
from fashion_tl.errors import DataError
from fashion_tl.files import RUN_FILE, is_of_a_run, is_run_folder

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
            if _is_run(listing, inner, entries):
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
    """All photos up to ``DEEPEST_MEMBER`` folders down; DataError if a folder can't be read."""
    found = AllPhotos()
    for folder, entries in _walk(listing, found):
        _add_photos(found, listing, folder, entries)
    return found


def linked_folders(listing: Folder | Archive) -> list[Path]:
    """The real folders that links lead to; no photo is looked up."""
    found = AllPhotos()
    for _ in _walk(listing, found):
        pass
    return [Path(place) for place in found.linked]


def _walk(listing: Folder | Archive, found: AllPhotos) -> Iterator[tuple[str, Entries]]:
    """Each folder once, with what is in it; ``found`` gets the others and where links lead."""
    folders, links = deque([""]), deque[str]()
    level = deque[str]()  # the links of one level come before what lies below any of them
    seen: set[str] = set()
    while folders or links or level:  # links come last, so that each real folder keeps its photos
        if not folders and not level:
            top = min(link.count("/") for link in links)
            level.extend(link for link in links if link.count("/") == top)
            links = deque(link for link in links if link.count("/") != top)
        is_link = bool(level)
        folder = (level or folders).popleft()
        place = listing.place(folder)
        if place in seen:  # two links that lead to each other would never end
            found.again.append(folder)
            continue
        seen.add(place)
        entries = listing.entries(folder)
        if folder and _is_run(listing, folder, entries):
            found.runs.append(folder)
            continue
        if is_link:
            found.linked.append(place)
        yield folder, entries
        is_deepest = folder.count("/") == DEEPEST_MEMBER - 1
        for name in entries.folders:
            to = links if name in entries.links else folders
            (found.too_deep if is_deepest else to).append(f"{folder}{name}/")
        if len(seen) + len(folders) + len(links) + len(level) > MOST_CLASS_FOLDERS:
            raise DataError(
                f"{listing.path}: {MOST_CLASS_FOLDERS:,} folders without a {TABLE}; "
                "name the data set's own folder."
            )


def _add_photos(found: AllPhotos, listing: Folder | Archive, folder: str, entries: Entries) -> None:
    """Add what lies in a folder itself."""
    own = photos_in(listing, folder, entries)
    found.photos += own.found
    found.outside += own.outside
    found.lost |= own.lost
    unread = _ending_in(entries.files, RAW_ENDINGS | UNREAD_ENDINGS, folder)
    found.unread += unread
    if folder and not (entries.folders or unread or any(own)):
        found.without[folder] = len(entries.files)


def _is_run(listing: Folder | Archive, folder: str, entries: Entries) -> bool:
    """Whether a folder is that of a run; see :func:`fashion_tl.files.is_run_folder`."""
    if RUN_FILE not in entries.files:
        return False
    if isinstance(listing, Folder):
        return is_run_folder(listing.path / folder)
    try:
        with opened(listing.path, isinstance(listing, Archive)) as read:
            return is_of_a_run(read(folder + RUN_FILE))
    except Exception:  # a damaged zip raises errors of many kinds
        return True


def _named(names: list[str], wanted: str) -> str | None:
    """The name that is ``wanted``, or the only one that differs from it only in capitals."""
    alike = [name for name in names if name.casefold() == wanted]
    if wanted in alike:
        return wanted
    return alike[0] if len(alike) == 1 else None


def _ending_in(files: list[str], endings: Container[str], folder: str) -> list[str]:
    """The paths of the files in a folder that have one of these endings, in any capitals."""
    return [folder + name for name in files if PurePosixPath(name).suffix.lower() in endings]
