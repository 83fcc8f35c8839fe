"""What lies in a folder or a zip: folders and files, both listed alike, and which of the files are
photos.
"""

import os
import stat
import unicodedata
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, NamedTuple

from fashion_tl.data.table import text_of
from fashion_tl.data.zips import ENCRYPTED, is_encrypted, members_of
from fashion_tl.errors import DataError

# Of photos, in any capitals; where a photo is there twice, as .jpg and .png, the earlier one is
# taken.
ENDINGS = tuple(
    ".jpg .jpeg .jpe .jfif .png .apng .webp .avif .avifs .bmp .gif .tif .tiff .ppm .pgm .pbm .pnm".split()
)
# Cameras' raw files. They are never tried: of some, Pillow would read the small preview as if it
# were the photo.
RAW_ENDINGS = frozenset(".arw .cr2 .cr3 .dng .nef .nrw .orf .pef .raf .raw .rw2 .srw".split())
# Other images that aren't read. `predict` tries a file of such a name: phones give JPEGs the name
# .heic too.
UNREAD_ENDINGS = frozenset(".ai .eps .heic .heif .hif .ico .j2k .jp2 .jxl .psd .svg .tga".split())
LARGEST_FILE = 1 << 28  # bytes, of a photo or the table; a larger one is a mistake or a bomb
OF_SYSTEMS = (
    "__macosx",
    "@eadir",
    "$recycle.bin",
)  # folders that systems make, beside those that begin with a dot


class PhotoFile(NamedTuple):
    """A photo's ``name`` below the root, its ``size``, and its ``stamp``: checksum (in a zip) or
    time.
    """

    name: str
    size: int
    stamp: int


class Entries(NamedTuple):
    """The names in one folder, sorted, without hidden ones; ``links`` are the files that are
    symbolic links.
    """

    folders: list[str]
    files: list[str]
    links: frozenset[str] = frozenset()


class Folder:
    """A folder on disk. Names are paths below it; a folder's ends with ``/``, and its own is
    empty."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def entries(self, folder: str) -> Entries:
        """DataError where the folder can't be read."""
        folders, files, links = [], [], set()
        try:
            with os.scandir(self.path / folder) as found:
                for entry in found:
                    is_folder = False
                    with suppress(OSError):  # a link in a circle
                        is_folder = entry.is_dir()
                    if is_folder and entry.is_symlink() and self._is_above(Path(entry), folder):
                        continue  # a link to a folder above would lead round in circles
                    (folders if is_folder else files).append(entry.name)
                    if entry.is_symlink():
                        links.add(entry.name)
        except OSError as error:
            raise DataError(f"{self.path / folder} can't be read: {error.strerror}.") from error
        return Entries(shown(folders), shown(files), frozenset(links))

    def _is_above(self, link: Path, folder: str) -> bool:
        return (self.path / folder).resolve().is_relative_to(link.resolve())

    def place(self, folder: str) -> str:
        """Where a folder really lies."""
        return os.path.realpath(self.path / folder)

    def holds_photos(self, folder: str) -> bool:
        with suppress(OSError), os.scandir(self.path / folder) as found:
            return any(
                split_ending(entry.name)[1] for entry in found if not entry.name.startswith(".")
            )
        return False

    def photo(self, name: str) -> PhotoFile | None:
        """None for what is no plain file: a pipe, a device, a link to nowhere."""
        try:
            about = os.stat(os.path.join(self.path, name))  # a Path would take as long again
        except OSError:
            return None
        return (
            PhotoFile(name, about.st_size, about.st_mtime_ns)
            if stat.S_ISREG(about.st_mode)
            else None
        )

    def leads_out(self, name: str) -> bool:
        """Whether a link leads out of this folder, and out of the one it lies in, which may be a
        link itself.
        """
        target, home = (self.path / name).resolve(), (self.path / name).parent.resolve()
        return not (target.is_relative_to(self.path.resolve()) or target.is_relative_to(home))


class Archive:
    """A zip; names as in :class:`Folder`. No link is followed, and of two members with one name the
    last counts.

    DataError where a member's name leads out of it, or where a password protects them all;
    zipfile's and the system's own errors where it can't be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tree: dict[str, tuple[list[str], list[str]]] = {
            "": ([], [])
        }  # folders and files in each folder
        with zipfile.ZipFile(path) as archive:
            members = members_of(archive)
        self.members = {name: member for name, member in members.items() if not name.endswith("/")}
        if self.members and all(map(is_encrypted, self.members.values())):
            raise DataError(f"{path}: {ENCRYPTED}")
        for name in members:
            folder, _, file = name.rpartition("/")
            self._grow(folder)
            if file:
                self.tree[folder][1].append(file)

    def _grow(self, folder: str) -> None:
        if folder not in self.tree:
            self.tree[folder] = ([], [])
            above, _, own = folder.rpartition("/")
            self._grow(above)
            self.tree[above][0].append(own)

    def entries(self, folder: str) -> Entries:
        folders, files = self.tree[folder.rstrip("/")]
        return Entries(shown(folders), shown(files))

    def place(self, folder: str) -> str:
        return folder

    def holds_photos(self, folder: str) -> bool:
        return any(split_ending(name)[1] for name in self.entries(folder).files)

    def photo(self, name: str) -> PhotoFile | None:
        return PhotoFile(name, self.members[name].file_size, self.members[name].CRC)

    def leads_out(self, name: str) -> bool:
        return False


@contextmanager
def opened(path: Path, is_zip: bool) -> Iterator[Callable[[str], bytes]]:
    """A function from a file's name below a folder, or in a zip, to its bytes; a zip is opened just
    once.
    """
    if not is_zip:
        yield lambda name: read_file(path, name)
        return
    with zipfile.ZipFile(path) as archive:
        members = members_of(archive)
        yield lambda name: _read_member(archive, members[name])


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    if is_encrypted(member):
        raise ValueError(ENCRYPTED)
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(
            "it is packed in a way that can't be unpacked bit by bit; pack it with plain zip"
        )
    with archive.open(member) as file:  # it may say that it is small, and unpack to gigabytes
        return _read_whole(file, member.file_size)


def read_file(folder: Path, name: str) -> bytes:
    """A plain file of no more than ``LARGEST_FILE`` bytes; ValueError or OSError where it isn't
    one.
    """
    if not (folder / name).is_file():
        raise ValueError(
            "no such file, or not a plain one"
        )  # a pipe would be waited for without end
    with open(folder / name, "rb") as file:
        return _read_whole(file, os.fstat(file.fileno()).st_size)


def _read_whole(file: IO[bytes], size: int) -> bytes:
    if size > LARGEST_FILE:
        raise ValueError(f"{size:,} bytes are too many")
    return file.read(size)


def shown(names: list[str]) -> list[str]:
    """Sorted, without what systems hide, such as ``._1.jpg`` and ``__MACOSX``."""
    return sorted(
        name for name in names if not name.startswith(".") and name.casefold() not in OF_SYSTEMS
    )


def photos_in(
    listing: Folder | Archive, folder: str, entries: Entries
) -> tuple[list[PhotoFile], list[PhotoFile]]:
    """The photos among the entries of a folder, and those that are left out, being links out of the
    root.
    """
    photos, outside = [], []
    for file in entries.files:
        if split_ending(file)[1] and (photo := listing.photo(folder + file)):
            (outside if file in entries.links and listing.leads_out(photo.name) else photos).append(
                photo
            )
    return photos, outside


def by_id(photos: Iterable[PhotoFile], below: str) -> dict[str, PhotoFile]:
    """Photos by their ids: the name below a folder without its ending, or with it where another
    photo has that id.

    Of two names that are the same in words, the second stays as it is in the file system.
    """

    def rank(photo: PhotoFile) -> tuple[int, bool, str]:
        ending = split_ending(photo.name)[1]
        return ENDINGS.index(ending.lower()), not ending.islower(), photo.name

    found: dict[str, PhotoFile] = {}
    for photo in sorted(photos, key=rank):
        name = in_words(photo.name).removeprefix(below)
        stem, _ = split_ending(name)
        found.setdefault(
            next((own for own in (stem, name) if own not in found), photo.name.removeprefix(below)),
            photo,
        )
    return found


def by_words(photos: Iterable[PhotoFile]) -> dict[str, PhotoFile]:
    """Photos by their names in words; of two that are the same then, the second by its name as it
    is.
    """
    words = [(in_words(photo.name), photo) for photo in photos]
    found = {name: photo for name, photo in words if name == photo.name}
    for name, photo in words:
        found.setdefault(photo.name if name in found else name, photo)
    return found


def split_ending(name: str) -> tuple[str, str]:
    """``"1.JPG"`` as ``("1", ".JPG")``; no ending where it isn't one of a photo."""
    stem, dot, ending = name.rpartition(".")
    return (stem, dot + ending) if stem and f".{ending.lower()}" in ENDINGS else (name, "")


def in_words(name: str) -> str:
    """A file's name as tables hold it: letters whole (macOS takes them apart), and what is no UTF-8
    as in tables.
    """
    if name.isascii():
        return name
    try:
        name.encode()
    except UnicodeEncodeError:
        name = text_of(os.fsencode(name))
    return unicodedata.normalize("NFC", name)
