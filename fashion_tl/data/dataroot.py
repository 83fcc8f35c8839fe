"""A data root: a folder or zip in Kaggle's layout, or with a folder per class; read where it lies,
never written to.
"""

import json
import os
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from fashion_tl.data.classfolders import FILLERS, find_classes
from fashion_tl.data.listing import (
    Archive,
    Folder,
    PhotoFile,
    by_id,
    by_words,
    in_words,
    opened,
    photos_in,
    read_file,
    split_ending,
)
from fashion_tl.data.search import (
    DEEPEST,
    IMAGES,
    OTHER_TABLES,
    TABLE,
    Copy,
    Found,
    find_copies,
    find_photos,
)
from fashion_tl.data.zips import why_no_zip
from fashion_tl.errors import DataError
from fashion_tl.files import as_path, make_once
from fashion_tl.split import PARTS

SAMPLE = "sample"  # in place of a path: the built-in sample, drawn on first use
# Why a photo is left out, or a folder.
OUTSIDE, UNREAD, TOO_DEEP = "link out of the root", "format that isn't read", "folder too far down"
PLACES = {
    "input",
    "kaggle",
    "content",
    "drive",
    "mydrive",
}  # where Kaggle and Colab put any data: no name of theirs
OTHER_CACHE = "name another folder with --cache or FASHION_TL_CACHE"
HELP = "A data root is a folder or a .zip that holds styles.csv and images/<id>.jpg, or a folder of photos for each class"


def cache_folder(folder: str | os.PathLike | None = None) -> Path:
    """``folder``, else ``$FASHION_TL_CACHE``, else ``~/.cache/fashion_tl``: for photos, features
    and the sample.
    """
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return as_path(folder or os.environ.get("FASHION_TL_CACHE") or f"{base}/fashion_tl")


def make_cached(path: Path, what: str, make: Callable[[Path], None]) -> None:
    """:func:`fashion_tl.files.make_once` in the cache folder; DataError, with a way out, where it
    can't be written.
    """
    try:
        make_once(path, make)
    except OSError as error:
        raise DataError(
            f"{path.parent}: {what} can't be written ({error}); {OTHER_CACHE}."
        ) from error


def unreadable(path: Path, error: Exception) -> DataError:
    """What to raise, with a way out, where a file or folder in the cache can't be read."""
    if isinstance(error, PermissionError):  # somebody else's
        return DataError(f"{path} can't be read ({error.strerror}); {OTHER_CACHE}.")
    return DataError(f"{path} is damaged ({error}); delete it, and it is made again.")


@dataclass(frozen=True)
class DataRoot:
    """Where ``styles.csv`` and the photos lie, or photos in a folder per class.

    ``inner`` leads from ``path`` to the folder of ``table``, the name of ``styles.csv``. ``photos``
    holds each photo's file by the photo's id: the file's name without its ending. ``outside`` are
    ids of photos that are left out, being links out of the root. ``labelled`` are (id, part, class)
    where there is no table, and ``left_out`` then (name, reason) of photos without a class;
    ``classes_in`` leads to the folder of the classes, and ``is_drawn`` says that chance decided
    which of them test. ``notes`` say in sentences what was decided.
    """

    path: Path
    inner: str
    photos: dict[str, PhotoFile] = field(repr=False)
    is_zip: bool
    is_sample: bool = False
    outside: frozenset[str] = frozenset()
    table: str | None = TABLE
    labelled: tuple[tuple[str, str, str], ...] = field(default=(), repr=False)
    left_out: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    notes: tuple[str, ...] = ()
    classes_in: str = ""
    is_drawn: bool = False

    @property
    def name(self) -> str:
        """What figures and tables call it: no path of any machine.

        It is the name of the folder or zip; where that is a place for any data, that of the data's
        own folder in it.
        """
        if self.is_sample:
            return "the built-in sample"
        name = os.path.basename(os.path.abspath(self.path))
        no_names = PLACES | FILLERS | set(PARTS)
        below = [
            part
            for part in (self.inner + self.classes_in).split("/")
            if part and part.lower() not in no_names
        ]
        return below[-1] if below and name.lower() in PLACES else name

    def id_of(self, text: str) -> str | None:
        """The id of the photo that a table's ``text`` names, or None.

        It may name it with the file's ending, with the path to it that ends in ``images/``, and a
        number with zeros before it or ``.0`` behind, as spreadsheets and pandas make of numbers,
        where no other photo has that number.
        """
        if text in self.photos:
            return text
        text, stem = _names(text)
        for name in (text, stem):
            if name in self.photos or name in self.outside:
                return name
        number = stem.removesuffix(".0").removesuffix(",0")
        return self._numbers.get(_plain(number)) if number.isascii() and number.isdigit() else None

    def id_in_capitals(self, text: str, taken: set[str | None]) -> str | None:
        """The id of the only photo that ``text`` names in other capitals, or None; ``taken`` are
        ids of other rows.
        """
        for name in _names(text):
            own = self._folded.get(name.casefold())
            if own is not None and own not in taken:
                return own
        return None

    @cached_property
    def _folded(self) -> dict[str, str | None]:
        """Ids by their name without capitals; None where several have it."""
        folded: dict[str, str | None] = {}
        for own in (*self.photos, *self.outside):
            folded[own.casefold()] = None if own.casefold() in folded else own
        return folded

    @cached_property
    def _numbers(self) -> dict[str, str | None]:
        """Ids by their number without zeros before it; None where several have it."""
        numbers: dict[str, str | None] = {}
        for own in (*self.photos, *self.outside):
            if own.isascii() and own.isdigit():
                numbers[_plain(own)] = None if _plain(own) in numbers else own
        return numbers

    @contextmanager
    def open_files(self) -> Iterator[Callable[[str], bytes]]:
        """A function from a name, such as ``images/1.jpg``, to the file's bytes; a zip is opened
        just once.

        That function raises DataError, naming the file, when it can't be read.
        """
        with ExitStack() as stack:
            try:
                read_any = stack.enter_context(opened(self.path, self.is_zip))
            except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
                raise DataError(f"{self.path} can't be read any more: {error}") from error

            def read(name: str) -> bytes:
                try:
                    return read_any(self.inner + name)
                except Exception as error:  # zipfile lets through whatever a damaged or encrypted member makes it raise
                    raise DataError(
                        f"{self.path}: {self.inner}{name} can't be read: {error!s:.300}"
                    ) from error

            yield read


def _names(text: str) -> tuple[str, str]:
    """A photo's name as a table writes it, without the path to ``images/``, and the same without
    its ending.
    """
    *above, name = in_words(text).replace("\\", "/").split("/")
    if not above or (above[-1].casefold() != IMAGES and set(above) != {"."}):
        name = in_words(text)
    return name, split_ending(name)[0]


def _plain(number: str) -> str:
    return number.lstrip("0") or "0"


def open_root(path: str | os.PathLike, cache: str | os.PathLike | None = None) -> DataRoot:
    """Find ``styles.csv`` with ``images/`` beside it in a folder or a zip, up to ``DEEPEST``
    folders down.

    The shallowest copy wins, of several the first by name. Where there is no ``styles.csv``,
    folders of photos are classes: see :func:`fashion_tl.data.classfolders.find_classes`. Folders
    may be links, and photos hard links; but a photo that is a symbolic link is followed only within
    the root (or the folder that it lies in, where that is a link), else it is left out: a data root
    from elsewhere must not show photos of yours. In a zip no link is followed, and of two members
    with one name the last counts. ``"sample"`` stands for the built-in sample, which is drawn into
    the cache folder. The table itself stands for its folder. DataError names the path and what it
    lacks.
    """
    if str(path) == SAMPLE:
        from fashion_tl.data.sample import draw_sample

        path = draw_sample(cache_folder(cache) / "sample")
    path = as_path(path)
    if not path.exists():
        raise DataError(
            f"no such data root: {path}. {HELP}; "
            "`python -m fashion_tl download --small --to data` fetches one, and the word `sample` draws one."
        )
    is_table = path.is_file() and path.name.casefold() == TABLE
    path = path.parent if is_table else path
    listing = Folder(path) if path.is_dir() else _archive(path)
    found = find_copies(listing)
    copies = found.copies or found.empty
    if copies and not (is_table and copies[0].inner):
        return _with_table(listing, path, copies)
    if found.lone:
        raise DataError(
            f"{path}: {found.lone[0]} is there, but no folder {IMAGES}/ beside it. {HELP}."
        )
    return _with_classes(listing, path, found)


def _archive(path: Path) -> Archive:
    """DataError says what the file is instead, and what to do."""
    if path.suffix.lower() in OTHER_TABLES:
        raise DataError(
            f"{path} is a single file. Name its folder instead; the table there must be {TABLE}, beside {IMAGES}/."
        )
    try:
        return Archive(path)
    except zipfile.BadZipFile as error:
        raise DataError(f"{path}: {why_no_zip(path)} {HELP}.") from error
    except (OSError, ValueError, NotImplementedError) as error:
        raise DataError(f"{path}: not a zip that can be read ({error}). {HELP}.") from error


def _with_table(listing: Folder | Archive, path: Path, copies: list[Copy]) -> DataRoot:
    """The first of several copies; a note names the others."""
    inner, notes = copies[0].inner, ()
    if others := [copy.inner or "." for copy in copies[1:]]:
        notes = (
            f"{len(copies)} folders hold {TABLE} and {IMAGES}/: {inner} is read, not {', '.join(others[:3])}.",
        )
    folder = f"{inner}{copies[0].images}/"
    entries = listing.entries(folder)
    found = photos_in(listing, folder, entries)
    if entries.folders and not any(found):
        some = ", ".join(f"{name}/" for name in entries.folders[:3])
        raise DataError(
            f"{path}: {folder} holds no photo itself, only folders such as {some}: move the photos up into {folder}."
        )
    below = [
        [photo._replace(name=photo.name.removeprefix(inner)) for photo in photos]
        for photos in found
    ]
    photos, outside = (by_id(own, f"{copies[0].images}/") for own in below)
    is_zip = isinstance(listing, Archive)
    is_sample = not is_zip and _is_sample(path / inner)
    return DataRoot(
        path, inner, photos, is_zip, is_sample, frozenset(outside), copies[0].table, notes=notes
    )


def _is_sample(home: Path) -> bool:
    try:
        return json.loads(read_file(home, "sample.json"))["sample"] is True
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def _with_classes(listing: Folder | Archive, path: Path, found: Found) -> DataRoot:
    """Photos in a folder per class; DataError, with what else is there, where there are no classes
    either.
    """
    all_photos = find_photos(listing)
    names, unread = by_words(all_photos.photos), all_photos.unread
    classes = find_classes(list(names))
    if classes is None:
        hint = _hint_at_others(listing, found)
        if unread:
            hint += f" {len(unread):,} images are of formats that aren't read, such as {unread[0]}: make them JPEGs."
        if found.tables:
            hint += f" If {', '.join(found.tables[:3])} is the table, save it as CSV, as {TABLE}, with {IMAGES}/ beside it."
        raise DataError(
            f"{path}: no {TABLE} in it, nor up to {DEEPEST} folders down, nor folders of photos for two or more "
            f"classes. {HELP}.{hint}"
        )
    by_name = by_id((names[name] for name in classes.labelled), classes.inner)
    words = {photo.name: name for name, photo in names.items()}
    labelled = tuple((own, *classes.labelled[words[by_name[own].name]]) for own in sorted(by_name))
    left_out = [
        *classes.left_out.items(),
        *((in_words(photo.name), OUTSIDE) for photo in all_photos.outside),
    ]
    left_out += [(in_words(name), UNREAD) for name in unread]
    left_out += [(in_words(name), TOO_DEEP) for name in all_photos.too_deep]
    return DataRoot(
        path,
        "",
        by_name,
        isinstance(listing, Archive),
        table=None,
        labelled=labelled,
        left_out=tuple(left_out),
        notes=classes.notes,
        classes_in=classes.inner,
        is_drawn=classes.is_drawn,
    )


def _hint_at_others(listing: Folder | Archive, found: Found) -> str:
    """What may be meant instead: the folder above, a zip, or what a zip or another archive
    holds."""
    above = Path(os.path.abspath(listing.path)).parent
    if (above / TABLE).is_file():
        return f" {TABLE} lies beside it: name the folder {above} instead."
    packed = [*found.packed, *(found.zips if isinstance(listing, Archive) else ())]
    if found.zips and not isinstance(listing, Archive):
        return f" It holds {', '.join(found.zips[:3])}: name that file instead."
    return f" It holds {', '.join(packed[:3])}: unpack that, and name its folder." if packed else ""
