"""Find a data root: a folder or zip in Kaggle's layout, or with a folder per class.

It is read where it lies, and never written to.
"""

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from fashion_tl.data.cache import cache_folder, named_cache
from fashion_tl.data.classfolders import find_classes, taken_for_parts
from fashion_tl.data.contents import OUTSIDE, DataRoot
from fashion_tl.data.foldernames import some_folders
from fashion_tl.data.guard import refuse_among, refuse_among_photos
from fashion_tl.data.listing import (
    Archive,
    Folder,
    PhotoFile,
    by_id,
    by_words,
    in_words,
    opened,
    photos_in,
)
from fashion_tl.data.lost import (
    notes_on_empty,
    notes_on_outside,
    refuse_lost,
    refuse_lost_classes,
    why_no_folder,
)
from fashion_tl.data.search import (
    DEEPEST,
    IMAGES,
    OTHER_TABLES,
    TABLE,
    TEXT_TABLES,
    AllPhotos,
    Copy,
    Found,
    find_copies,
    find_photos,
    linked_folders,
)
from fashion_tl.data.zips import why_no_zip
from fashion_tl.errors import DataError, some_of
from fashion_tl.files import StrPath, absolute, as_path, ways_into

SAMPLE = "sample"  # instead of a path: the built-in sample, drawn on first use
# Why a photo or a folder is left out.
UNREAD = "format that isn't read"
TOO_DEEP = "folder too far down"
OF_A_RUN = "folder of a run"
AGAIN = "link to a folder that was read already"
HELP = (
    "A data root is a folder or a .zip that holds styles.csv and images/<id>.jpg, "
    "or a folder of photos for each class"
)


def open_root(path: StrPath, cache: StrPath | None = None) -> DataRoot:
    """Find ``styles.csv`` with ``images/`` beside it in a folder or a zip.

    It may lie up to ``DEEPEST`` folders down. The shallowest copy wins; of several equally deep
    copies, the first by name. Without a ``styles.csv``, folders of photos are classes: see
    :func:`fashion_tl.data.classfolders.find_classes`. ``"sample"`` stands for the built-in sample,
    which is drawn into the cache folder. The table's own path stands for its folder.

    Folders may be symbolic links, and photos hard links. A photo that is a symbolic link is
    followed only within the root (or within its own folder, if that folder is a link). Otherwise it
    is left out, because somebody else's data root must not show your private photos. In a zip no
    link is followed, and of two members with one name the last counts.

    DataError names the path and what is missing. RunError if a named cache lies among the photos.
    """
    named = named_cache(cache)  # an empty path is an error also where no cache is needed
    if str(path) == SAMPLE:
        from fashion_tl.data.sample import draw_sample

        path = draw_sample(cache_folder(cache) / "sample")
    root = _found_at(as_path(path))
    if named:
        refuse_among_photos(named, root, "the cache, with --cache or FASHION_TL_CACHE")
    return root


def refuse_in_data(target: Path, path: StrPath, what: str) -> None:
    """RunError if a file or folder that is to be made for ``what`` would become data.

    That is the case anywhere in class folders, and in the ``images/`` of a table, but not in
    hidden folders.
    """
    home = as_path(path)
    if home.name.casefold() == TABLE:
        home = home.parent
    if str(path) == SAMPLE or not home.is_dir():
        return
    listing = Folder(home)  # the photos themselves are looked up only if it matters
    found = find_copies(listing)
    if copies := found.copies or found.empty:
        refuse_among(target, [home / copies[0].inner / copies[0].images], what)
    elif any(ways_into(folder, target) for folder in (home, *linked_folders(listing))):
        refuse_among_photos(target, _found_at(as_path(path)), what)


def _found_at(path: Path) -> DataRoot:
    """The data root in a folder or a zip; see :func:`open_root`."""
    if not path.exists():
        raise DataError(
            f"no such data root: {path}. {HELP}; "
            "`python -m fashion_tl download --small --to data` fetches one, "
            "and the word `sample` draws one."
        )
    if not path.is_file() and not path.is_dir():  # reading a pipe would never end
        raise DataError(f"{path} is neither a file nor a folder. {HELP}.")
    is_table = path.is_file() and path.name.casefold() == TABLE
    path = path.parent if is_table else path
    listing = Folder(path) if path.is_dir() else _archive(path)
    found = find_copies(listing)
    copies = found.copies or found.empty
    if copies and not (is_table and copies[0].inner):
        return _with_table(listing, path, copies)
    if found.lone:
        why = why_no_folder(listing, found.lone[0], IMAGES)
        raise DataError(
            f"{path}: {found.lone[0]} is there, but no folder {IMAGES}/ beside it.{why} {HELP}."
        )
    return _with_classes(listing, path, found)


def _archive(path: Path) -> Archive:
    """The zip; DataError says what else the file is, and what to do."""
    if path.suffix.lower() in OTHER_TABLES:
        way = "Name its folder instead"
        if not (path.parent / TABLE).exists():  # which must not be replaced
            way += f", and {_made_the_table(path.name, 'this file')}"
        raise DataError(f"{path} is a single file. {way}. {IMAGES}/ must be beside it.")
    try:
        return Archive(path)
    except zipfile.BadZipFile as error:
        raise DataError(f"{path}: {why_no_zip(path)} {HELP}.") from error
    except (OSError, ValueError, NotImplementedError) as error:
        raise DataError(f"{path}: not a zip that can be read ({error}). {HELP}.") from error


def _with_table(listing: Folder | Archive, path: Path, copies: list[Copy]) -> DataRoot:
    """The first of several copies; a note names the others."""
    inner = copies[0].inner
    images = copies[0].images
    folder = f"{inner}{images}/"
    entries = listing.entries(folder)
    photos, outside, lost = photos_in(listing, folder, entries)
    if not photos and not outside:
        refuse_lost(path, folder, lost)
    if entries.folders and not photos and not outside:
        some = ", ".join(f"{name}/" for name in entries.folders[:3])
        raise DataError(
            f"{path}: {folder} holds no photo itself, only folders such as {some}: "
            f"move the photos up into {folder}."
        )

    def ids(own: list[PhotoFile]) -> dict[str, PhotoFile]:
        below = (photo._replace(name=photo.name.removeprefix(inner)) for photo in own)
        return by_id(below, f"{images}/")

    is_zip = isinstance(listing, Archive)
    return DataRoot(
        path,
        inner,
        ids(photos),
        is_zip,
        is_sample=_is_sample(listing, inner),
        outside=frozenset(ids(outside)),
        table=copies[0].table,
        notes=(*_note_on_copies(copies), *_notes_on_lost(folder, lost)),
    )


def _note_on_copies(copies: list[Copy]) -> tuple[str, ...]:
    if len(copies) == 1:
        return ()
    others = ", ".join(copy.inner or "." for copy in copies[1:4])
    folders = f"{len(copies)} folders hold {TABLE} and {IMAGES}/"
    return (f"{folders}: {copies[0].inner} is read, not {others}.",)


def _notes_on_lost(folder: str, lost: Mapping[str, str]) -> list[str]:
    """A sentence for each reason why photos beside a table can't be looked up."""
    names: dict[str, list[str]] = {}
    for name, why in lost.items():
        names.setdefault(why, []).append(name.removeprefix(folder))
    return [
        f"In {folder}, left out: {why} ({len(own):,}): {some_of(own)}."
        for why, own in names.items()
    ]


def _is_sample(listing: Folder | Archive, inner: str) -> bool:
    is_zip, mark = isinstance(listing, Archive), f"{inner}sample.json"
    if isinstance(listing, Archive) and mark not in listing.members:
        return False  # to open a large zip once more would take half a second
    try:
        with opened(listing.path, is_zip) as read:
            return json.loads(read(mark))["sample"] is True
    except Exception:  # a damaged member may raise anything
        return False


def _with_classes(listing: Folder | Archive, path: Path, found: Found) -> DataRoot:
    """Photos in a folder per class; DataError says what else is there if there are no classes."""
    if found.is_run:
        raise DataError(
            f"{path} is the folder of a run, not data. Name the data that the run was made on."
        )
    all_photos = find_photos(listing)
    kept = [photo.name for photo in (*all_photos.photos, *all_photos.outside)]
    refuse_lost_classes(path, kept, all_photos.lost)
    names = by_words(all_photos.photos)
    classes = find_classes(list(names))
    if classes is None:
        raise DataError(
            f"{path}: no {TABLE} in it, nor up to {DEEPEST} folders down, nor folders of photos "
            f"for two or more classes. {HELP}.{_hints(listing, found, all_photos, [*names])}"
        )
    by_name = by_id((names[name] for name in classes.labelled), classes.inner)
    words = {photo.name: name for name, photo in names.items()}
    labelled = tuple((own, *classes.labelled[words[by_name[own].name]]) for own in sorted(by_name))
    likely = [name for name in found.tables if name.lower().endswith((".csv", ".tsv"))]
    left_out = [*classes.left_out.items()]
    left_out += [(in_words(photo.name), OUTSIDE) for photo in all_photos.outside]
    left_out += [(in_words(name), UNREAD) for name in all_photos.unread]
    left_out += [(in_words(name), TOO_DEEP) for name in all_photos.too_deep]
    left_out += [(in_words(name), OF_A_RUN) for name in all_photos.runs]
    left_out += [(in_words(name), AGAIN) for name in all_photos.again]
    left_out += [(in_words(name), why) for name, why in all_photos.lost.items()]
    return DataRoot(
        path,
        "",
        by_name,
        isinstance(listing, Archive),
        table=None,
        labelled=labelled,
        left_out=tuple(left_out),
        notes=(
            *classes.notes,
            *notes_on_empty(all_photos.without, classes),
            *_hints_at_tables(likely),
        ),
        classes_in=classes.inner,
        linked=tuple(map(Path, all_photos.linked)),
        is_drawn=classes.is_drawn,
    )


def _hints(listing: Folder | Archive, found: Found, photos: AllPhotos, names: list[str]) -> str:
    """What the user may have meant instead, in sentences; ``names`` are those of the photos."""
    hints = [_hint_at_others(listing, found)]
    if unread := photos.unread:
        hints.append(
            f"{len(unread):,} images are of formats that aren't read, such as {unread[0]}: "
            "make them JPEGs."
        )
    if parts := taken_for_parts(names):
        hints.append(
            f"By their names, {some_folders(parts)} were taken for parts of the photos, which hold "
            "folders of classes. If they are classes, give them other names."
        )
    hints += [*notes_on_outside(photos.outside), *notes_on_empty(photos.without)]
    hints += [*_hints_at_tables(found.tables)]
    return "".join(f" {words}" for words in hints if words)


def _hints_at_tables(tables: list[str]) -> list[str]:
    """A sentence on each of three files that may be the table under another name; CSV first."""
    likely = sorted(tables, key=lambda name: not name.lower().endswith(".csv"))
    return [
        f"If {name} is the table, {_made_the_table(name, 'it')}, with {IMAGES}/ beside it."
        for name in likely[:3]
    ]


def _made_the_table(name: str, it: str) -> str:
    """What to do with a file so that it is the table."""
    is_text = PurePosixPath(name).suffix.lower() in TEXT_TABLES
    return f"rename {it} to {TABLE}" if is_text else f"save {it} as CSV, as {TABLE}"


def _hint_at_others(listing: Folder | Archive, found: Found) -> str:
    """The folder above, a zip in a folder, or an archive that must be unpacked."""
    above = absolute(listing.path).parent
    if (above / TABLE).is_file():
        return f"{TABLE} lies beside it: name the folder {above} instead."
    is_zip = isinstance(listing, Archive)
    if found.zips and not is_zip:
        return f"It holds {', '.join(found.zips[:3])}: name that file instead."
    packed = [*found.packed, *(found.zips if is_zip else ())]
    return f"It holds {', '.join(packed[:3])}: unpack that, and name its folder." if packed else ""
