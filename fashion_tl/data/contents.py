"""What a data root holds: its table, its photos by id, and a function that reads its files."""

import errno
import os
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from fashion_tl.data.listing import PhotoFile, in_words, opened, split_ending
from fashion_tl.data.search import IMAGES, TABLE
from fashion_tl.data.table import unprotected
from fashion_tl.errors import DataError
from fashion_tl.files import absolute
from fashion_tl.split import FILLERS, PARTS

# Where Kaggle and Colab put any data. These folders' names say nothing about the data.
PLACES = {"input", "kaggle", "content", "drive", "mydrive"}
OUTSIDE = "link out of the root"  # why a photo is left out


@dataclass(frozen=True)
class DataRoot:
    """A folder or zip with ``styles.csv`` and photos, or with photos in a folder per class.

    ``table`` is the name of ``styles.csv``, or None; ``inner`` is the path from ``path`` to its
    folder. ``photos`` holds each photo's file by the photo's id: the file's name without its
    ending. ``outside`` are the ids of photos that are left out because they link out of the root.

    Without a table, ``labelled`` holds (id, part, class) of each photo, and ``left_out`` (name,
    reason) of photos without a class. ``classes_in`` is the path to the folder of the classes.
    ``is_drawn`` is true if chance decided which photos test. ``notes`` are sentences on what was
    decided. ``linked`` are the folders that links in the data lead to.
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
    linked: tuple[Path, ...] = ()

    @property
    def name(self) -> str:
        """What figures and tables call the data, without any machine's path.

        It is the name of the folder or zip. If that is one of ``PLACES``, it is the name of the
        data's own folder in it.
        """
        if self.is_sample:
            return "the built-in sample"
        name = absolute(self.path).name
        if name.lower() not in PLACES:
            return name
        no_names = PLACES | FILLERS | set(PARTS)
        below = [part for part in f"{self.inner}{self.classes_in}".split("/") if part]
        named = [part for part in below if part.lower() not in no_names]
        return named[-1] if named else name

    @property
    def folder_of_photos(self) -> Path | None:
        """The folder in which other files would become data; None for a zip.

        It is ``images/`` beside a table. Without a table, any folder may be a class.
        """
        if self.is_zip:
            return None
        if self.table is None:
            return self.path
        photo = next((photo.name for photo in self.photos.values()), f"{IMAGES}/")
        return self.path / self.inner / photo.partition("/")[0]

    def id_of(self, text: str) -> str | None:
        """The id of the photo that a table's ``text`` names, or None.

        The text may have the file's ending, and the path that ends in ``images/``. A number may
        have zeros before it or ``.0`` after it, as spreadsheets and pandas write numbers, unless
        another photo has that number.
        """
        if text in self.photos:
            return text
        text, stem = _names(text)
        for name in (text, stem):
            if name in self.photos or name in self.outside:
                return name
        number = stem.removesuffix(".0").removesuffix(",0")
        return self._numbers.get(_plain(number)) if _is_number(number) else None

    def id_in_capitals(self, text: str, taken: set[str | None]) -> str | None:
        """The id of the only photo that ``text`` names if capitals don't count, or None.

        ``taken`` are the ids of other rows.
        """
        for name in _names(text):
            own = self._folded.get(name.casefold())
            if own is not None and own not in taken:
                return own
        return None

    @cached_property
    def _folded(self) -> dict[str, str | None]:
        """Ids by their name in small letters; None if several ids have that name."""
        folded: dict[str, str | None] = {}
        for own in (*self.photos, *self.outside):
            folded[own.casefold()] = None if own.casefold() in folded else own
        return folded

    @cached_property
    def _numbers(self) -> dict[str, str | None]:
        """Ids by their number without leading zeros; None if several ids have that number."""
        numbers: dict[str, str | None] = {}
        for own in (*self.photos, *self.outside):
            if _is_number(own):
                numbers[_plain(own)] = None if _plain(own) in numbers else own
        return numbers

    @contextmanager
    def open_files(self) -> Iterator[Callable[[str], bytes]]:
        """A function from a file's name, such as ``images/1.jpg``, to its bytes.

        A zip is opened only once. The function raises DataError, naming the file, if it can't read
        it.
        """
        with ExitStack() as stack:
            try:
                read_any = stack.enter_context(opened(self.path, self.is_zip))
            except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
                raise DataError(f"{self.path} can't be read any more: {error}") from error

            def read(name: str) -> bytes:
                try:
                    return read_any(self.inner + name)
                except Exception as error:  # a damaged or encrypted member may raise anything
                    raise DataError(
                        f"{self.path}: {self.inner}{name} can't be read: {error!s:.300}"
                    ) from error

            yield read


def closed_photos(root: DataRoot, ids: Sequence[str]) -> dict[str, str]:
    """Why photos can't be read: the reason for each one whose permissions forbid it.

    Permissions change neither a file's time nor its size. So the cache must not keep this.
    """
    if root.is_zip:
        return {}
    home = os.path.join(root.path, root.inner)
    files = {own: os.path.join(home, root.photos[own].name) for own in ids}
    why = f"can't be read ({os.strerror(errno.EACCES)}); make it readable"
    return {
        own: why
        for own, file in files.items()
        if not os.access(file, os.R_OK) and os.path.exists(file)
    }


def unread_photos(root: DataRoot, ids: Sequence[str]) -> dict[str, str]:
    """Why photos can't be read: the reason for each one that can't. DataError as from
    :func:`fault_of_reading`.
    """
    faults: dict[str, str] = {}
    if not ids:
        return faults
    with root.open_files() as read:
        for own in ids:
            try:
                read(root.photos[own].name)
            except DataError as error:
                faults[own] = fault_of_reading(error)
    return faults


def fault_of_reading(error: DataError) -> str:
    """Why a photo can't be read; the error itself is raised if it comes from the system.

    Not if permissions forbid it: some systems say so only when a file is read, not before.
    """
    if isinstance(error.__cause__, OSError) and not isinstance(error.__cause__, PermissionError):
        raise error  # next time it may be read
    return str(error)


def _names(text: str) -> tuple[str, str]:
    """A photo's name in a table, without the path to ``images/``; the second one has no ending."""
    text = unprotected(text).removeprefix("'")  # Excel takes what follows it for text
    *above, name = in_words(text).replace("\\", "/").split("/")
    if not above or (above[-1].casefold() != IMAGES and set(above) != {"."}):
        name = in_words(text)
    return name, split_ending(name)[0]


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _plain(number: str) -> str:
    return number.lstrip("0") or "0"
