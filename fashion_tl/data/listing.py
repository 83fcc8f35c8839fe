"""The folders, files and photos in a folder or a zip; both are listed in the same way."""

import errno
import os
import stat
import unicodedata
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, NamedTuple

from fashion_tl.data.encoding import text_of
from fashion_tl.data.zips import ENCRYPTED, is_encrypted, members_of
from fashion_tl.errors import DataError

# Photos' endings, in any capitals. If a photo is there twice, as .jpg and .png, the earlier ending
# wins.
ENDINGS = tuple(
    ".jpg .jpeg .jpe .jfif .png .apng .webp .avif .avifs .bmp .gif "
    ".tif .tiff .ppm .pgm .pbm .pnm".split()
)
# Cameras' raw files. They are never tried, because Pillow would take the small preview in some of
# them for the photo.
RAW_ENDINGS = frozenset(".arw .cr2 .cr3 .dng .nef .nrw .orf .pef .raf .raw .rw2 .srw".split())
# Other images that aren't read. `predict` still tries a file with such a name, because phones also
# name JPEGs .heic.
UNREAD_ENDINGS = frozenset(".ai .eps .heic .heif .hif .ico .j2k .jp2 .jxl .psd .svg .tga".split())
LARGEST_FILE = 1 << 28  # bytes; a larger photo or table is a mistake or a decompression bomb
# Folders that operating systems make, besides those that begin with a dot.
OF_SYSTEMS = ("__macosx", "@eadir", "$recycle.bin")
NOWHERE = "link that leads nowhere"  # why a photo is left out


class PhotoFile(NamedTuple):
    """A photo's ``name`` below the root, and its size in bytes.

    ``stamp`` changes with the content: a checksum in a zip, a time in a folder.
    """

    name: str
    size: int
    stamp: int


class Entries(NamedTuple):
    """The names in one folder, sorted, without hidden ones; ``links`` are symbolic links."""

    folders: list[str]
    files: list[str]
    links: frozenset[str] = frozenset()


class Folder:
    """A folder on disk. Names are paths below it.

    The name of a folder below it ends with ``/``; its own name is empty.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def entries(self, folder: str) -> Entries:
        """What lies in a folder below this one; DataError if it can't be read."""
        folders: list[str] = []
        files: list[str] = []
        links: set[str] = set()
        try:
            with os.scandir(self.path / folder) as found:
                for entry in found:
                    is_folder = False
                    with suppress(OSError):  # a link that leads to itself
                        is_folder = entry.is_dir()
                    if is_folder and entry.is_symlink() and self._is_above(Path(entry), folder):
                        continue  # a link to a folder above would never end
                    (folders if is_folder else files).append(entry.name)
                    if entry.is_symlink():
                        links.add(entry.name)
        except OSError as error:
            raise DataError(
                f"{self.path / folder} can't be read: {error.strerror}. "
                "Make it readable, or move it elsewhere."
            ) from error
        return Entries(shown(folders), shown(files), frozenset(links))

    def _is_above(self, link: Path, folder: str) -> bool:
        return (self.path / folder).resolve().is_relative_to(link.resolve())

    def place(self, folder: str) -> str:
        """The real path of a folder, without links."""
        return os.path.realpath(self.path / folder)

    def holds_photos(self, folder: str) -> bool:
        with suppress(OSError), os.scandir(self.path / folder) as found:
            names = (entry.name for entry in found)
            return any(split_ending(name)[1] for name in names if not name.startswith("."))
        return False

    def photo(self, name: str) -> PhotoFile | None:
        """The photo; None if it is not a plain file but a pipe or a device.

        OSError if the system doesn't say: a broken link, or a folder that can't be entered.
        """
        about = os.stat(os.path.join(self.path, name))  # Path.stat takes twice as long
        if not stat.S_ISREG(about.st_mode):
            return None
        return PhotoFile(name, about.st_size, about.st_mtime_ns)

    def leads_out(self, name: str) -> bool:
        """Whether a link leads out of this folder, and also out of the folder it lies in.

        The folder it lies in may itself be a link.
        """
        link = self.path / name
        target = link.resolve()
        homes = (self.path.resolve(), link.parent.resolve())
        return not any(target.is_relative_to(home) for home in homes)


class Archive:
    """A zip, with names as in :class:`Folder`.

    No link is followed. Of two members with the same name the last counts. DataError if a member's
    name leads out of the zip, or if a password protects all members. zipfile's and the system's own
    errors if the zip can't be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        # The folders and the files in each folder.
        self.tree: dict[str, tuple[list[str], list[str]]] = {"": ([], [])}
        with zipfile.ZipFile(path) as archive:
            members = members_of(archive)
        self.members = {name: member for name, member in members.items() if not name.endswith("/")}
        if self.members and all(map(is_encrypted, self.members.values())):
            raise DataError(f"{path}: {ENCRYPTED}")
        for name in members:
            folder, _, file = name.rpartition("/")
            self._add_folder(folder)
            if file:
                self.tree[folder][1].append(file)

    def _add_folder(self, folder: str) -> None:
        if folder not in self.tree:
            self.tree[folder] = ([], [])
            above, _, own = folder.rpartition("/")
            self._add_folder(above)
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
    """A function from a file's name to its bytes; a zip is opened only once."""
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
            "its compression can't be unpacked in small pieces; pack it again with plain zip"
        )
    with archive.open(member) as file:
        # No more than the stated size is read: a member may unpack to gigabytes.
        return _read_whole(file, member.file_size)


def read_file(folder: Path, name: str) -> bytes:
    """A plain file of at most ``LARGEST_FILE`` bytes; ValueError or OSError for any other."""
    if not stat.S_ISREG(os.stat(folder / name).st_mode):  # reading a pipe would never end
        raise ValueError("not a plain file")
    with open(folder / name, "rb") as file:
        return _read_whole(file, os.fstat(file.fileno()).st_size)


def _read_whole(file: IO[bytes], size: int) -> bytes:
    if size > LARGEST_FILE:
        raise ValueError(f"{size:,} bytes are too many")
    return file.read(size)


def shown(names: Iterable[str]) -> list[str]:
    """The names sorted, without those that systems hide, such as ``._1.jpg`` and ``__MACOSX``."""
    return sorted(
        name for name in names if not name.startswith(".") and name.casefold() not in OF_SYSTEMS
    )


class Photos(NamedTuple):
    """The photos in a folder, and those left out.

    ``outside`` are links out of the root. ``lost`` gives the reason why a name can't be looked up.
    """

    found: list[PhotoFile]
    outside: list[PhotoFile]
    lost: dict[str, str]


def photos_in(listing: Folder | Archive, folder: str, entries: Entries) -> Photos:
    """The photos among the entries of a folder; a broken link may have been a folder of photos."""
    photos = Photos([], [], {})
    for file in entries.files:
        is_link = file in entries.links
        if not (is_link or split_ending(file)[1]):
            continue
        try:
            photo = listing.photo(folder + file)
        except OSError as error:
            is_broken = error.errno in (errno.ENOENT, errno.ELOOP)
            photos.lost[folder + file] = (
                NOWHERE if is_broken else f"can't be read ({error.strerror})"
            )
            continue
        if photo and split_ending(file)[1]:
            leads_out = is_link and listing.leads_out(photo.name)
            (photos.outside if leads_out else photos.found).append(photo)
    return photos


def by_id(photos: Iterable[PhotoFile], below: str) -> dict[str, PhotoFile]:
    """Photos by their ids: the name below a folder without its ending.

    The ending stays if another photo has that id. If two names are the same after
    :func:`in_words`, the second keeps its name in the file system.
    """

    def rank(photo: PhotoFile) -> tuple[int, bool, str]:
        ending = split_ending(photo.name)[1]
        return ENDINGS.index(ending.lower()), not ending.islower(), photo.name

    found: dict[str, PhotoFile] = {}
    for photo in sorted(photos, key=rank):
        name = in_words(photo.name).removeprefix(below)
        stem, _ = split_ending(name)
        as_it_is = photo.name.removeprefix(below)
        own = next((own for own in (stem, name) if own not in found), as_it_is)
        found.setdefault(own, photo)
    return found


def by_words(photos: Iterable[PhotoFile]) -> dict[str, PhotoFile]:
    """Photos by their names after :func:`in_words`.

    If two names are the same then, the second photo keeps its name in the file system.
    """
    words = [(in_words(photo.name), photo) for photo in photos]
    found = {name: photo for name, photo in words if name == photo.name}
    for name, photo in words:
        found.setdefault(photo.name if name in found else name, photo)
    return found


def split_ending(name: str) -> tuple[str, str]:
    """``"1.JPG"`` as ``("1", ".JPG")``; the ending is empty if it isn't a photo's."""
    stem, dot, ending = name.rpartition(".")
    return (stem, dot + ending) if stem and f".{ending.lower()}" in ENDINGS else (name, "")


def in_words(name: str) -> str:
    """A file's name as a table would write it.

    Letters are composed (macOS takes them apart), and bytes that aren't UTF-8 are read as in
    tables.
    """
    if name.isascii():
        return name
    try:
        name.encode()
    except UnicodeEncodeError:
        name = text_of(os.fsencode(name))
    return unicodedata.normalize("NFC", name)
