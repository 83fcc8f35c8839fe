"""A data root: a folder or a zip in Kaggle's layout, read where it lies and never written to."""

import json
import os
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from fashion_tl.errors import DataError
from fashion_tl.files import as_path, make_once

SAMPLE = "sample"  # in place of a path: the built-in sample, drawn on first use
DEEPEST = 2  # folders between the root and styles.csv
LARGEST_FILE = 1 << 28  # bytes, of a photo or the table; a larger one is a mistake or a bomb
HELP = "A data root is a folder or a .zip that holds styles.csv and images/<id>.jpg"


def cache_folder(folder: str | os.PathLike | None = None) -> Path:
    """``folder``, else ``$FASHION_TL_CACHE``, else ``~/.cache/fashion_tl``: for photos, features and the sample."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return as_path(folder or os.environ.get("FASHION_TL_CACHE") or f"{base}/fashion_tl")


def make_cached(path: Path, what: str, make: Callable[[Path], None]) -> None:
    """:func:`fashion_tl.files.make_once` in the cache folder; DataError, with a way out, where it can't be written."""
    try:
        make_once(path, make)
    except OSError as error:
        raise DataError(
            f"{path.parent}: {what} can't be written ({error}); name another folder with --cache or FASHION_TL_CACHE."
        ) from error


@dataclass(frozen=True)
class DataRoot:
    """Where ``styles.csv`` and the photos lie.

    ``inner`` leads from ``path`` to the folder of ``styles.csv``; ``photos`` holds, for each id, what changes
    when the photo does: its size, and its checksum (in a zip) or time. ``outside`` are photos that are left out,
    being links out of the root.
    """

    path: Path
    inner: str
    photos: dict[int, tuple[int, int]] = field(repr=False)
    is_zip: bool
    is_sample: bool = False
    outside: frozenset[int] = frozenset()

    @property
    def name(self) -> str:
        """What figures and tables call it: no path of any machine."""
        return "the built-in sample" if self.is_sample else os.path.basename(os.path.abspath(self.path))

    @contextmanager
    def open_files(self) -> Iterator[Callable[[str], bytes]]:
        """A function from a name, such as ``images/1.jpg``, to the file's bytes; a zip is opened just once.

        That function raises DataError, naming the file, when it can't be read.
        """
        try:
            archive = zipfile.ZipFile(self.path) if self.is_zip else None
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise DataError(f"{self.path} can't be read any more: {error}") from error

        def read(name: str) -> bytes:
            try:
                return (_read_member if archive else read_file)(archive or self.path, self.inner + name)
            except Exception as error:  # zipfile lets through whatever a damaged or encrypted member makes it raise
                raise DataError(f"{self.path}: {self.inner}{name} can't be read: {error!s:.300}") from error

        try:
            yield read
        finally:
            if archive:
                archive.close()


def _read_member(archive: zipfile.ZipFile, name: str) -> bytes:
    member = archive.getinfo(name)
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError("it is packed in a way that can't be unpacked bit by bit; pack it with plain zip")
    with archive.open(member) as file:  # it may say that it is small, and unpack to gigabytes
        return _read_whole(file, member.file_size)


def read_file(folder: Path, name: str) -> bytes:
    """A plain file of no more than ``LARGEST_FILE`` bytes; ValueError or OSError where it isn't one."""
    if not (folder / name).is_file():
        raise ValueError("no such file, or not a plain one")  # a pipe would be waited for without end
    with open(folder / name, "rb") as file:
        return _read_whole(file, os.fstat(file.fileno()).st_size)


def _read_whole(file: IO[bytes], size: int) -> bytes:
    if size > LARGEST_FILE:
        raise ValueError(f"{size:,} bytes are too many")
    return file.read(size)


def open_root(path: str | os.PathLike, cache: str | os.PathLike | None = None) -> DataRoot:
    """Find ``styles.csv`` and its photos in a folder or a zip; the shallowest copy wins.

    Folders may be links, ``images/`` too, and photos hard links; but a photo that is a symbolic link is followed only
    within the root (or the folder that ``images/`` links to), else it is left out: a data root from elsewhere must
    not show photos of yours. In a zip no link is followed, and of two members with one name the last counts.
    ``"sample"`` stands for the built-in sample, which is drawn into the cache folder. DataError names the path
    and what it lacks.
    """
    if str(path) == SAMPLE:
        from fashion_tl.sample import draw_sample

        path = draw_sample(cache_folder(cache) / "sample")
    path = as_path(path)
    if not path.exists():
        raise DataError(
            f"no such data root: {path}. {HELP}; "
            "`python -m fashion_tl download --small --to data` fetches one, and the word `sample` draws one."
        )
    return _open_folder(path) if path.is_dir() else _open_zip(path)


def _open_folder(path: Path) -> DataRoot:
    tables = [t for depth in range(DEEPEST + 1) for t in sorted(path.glob("*/" * depth + "styles.csv"))]
    if not tables:
        zips = ", ".join(sorted(p.name for p in path.glob("*.zip")))
        hint = f" It holds {zips}: name that file instead." if zips else ""
        raise DataError(f"{path}: no styles.csv in it, nor up to {DEEPEST} folders down. {HELP}.{hint}")
    home = tables[0].parent
    if not (home / "images").is_dir():
        raise DataError(f"{home}: styles.csv is there, but no folder images/ beside it. {HELP}.")
    photos, outside, within = {}, set(), (path.resolve(), (home / "images").resolve())
    with os.scandir(home / "images") as entries:
        for entry in entries:
            with suppress(OSError):  # a link in a circle
                if (number := _photo_id(entry.name)) is None or not entry.is_file():
                    continue  # a folder, a pipe, or a link to nowhere is a missing image
                if entry.is_symlink() and not any(Path(entry).resolve().is_relative_to(folder) for folder in within):
                    outside.add(number)
                else:
                    photos[number] = (entry.stat().st_size, entry.stat().st_mtime_ns)
    try:
        is_sample = json.loads(read_file(home, "sample.json"))["sample"] is True
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        is_sample = False
    inner = home.relative_to(path).as_posix()
    return DataRoot(path, "" if inner == "." else f"{inner}/", photos, False, is_sample, frozenset(outside))


def _open_zip(path: Path) -> DataRoot:
    try:
        with zipfile.ZipFile(path) as archive:
            members = {member.filename: member for member in archive.infolist()}
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise DataError(f"{path}: not a zip that can be read ({error}). {HELP}.") from error
    for name in members:
        parts = name.replace("\\", "/").split("/")
        # Nothing is ever unpacked, so such a name could do no harm; but no honest archive holds one.
        if ".." in parts or parts[0] == "" or parts[0].endswith(":"):
            raise DataError(f"{path}: refused, it names a file outside itself: {name[:200]!r}")
    tables = [name for name in members if name.split("/")[-1] == "styles.csv" and name.count("/") <= DEEPEST]
    if not tables:
        raise DataError(f"{path}: no styles.csv in it, nor up to {DEEPEST} folders down. {HELP}.")
    inner = min(tables, key=lambda name: (name.count("/"), name)).removesuffix("styles.csv")
    images = f"{inner}images/"
    numbers = {_photo_id(name.removeprefix(images)): m for name, m in members.items() if name.startswith(images)}
    return DataRoot(path, inner, {i: (m.file_size, m.CRC) for i, m in numbers.items() if i is not None}, True)


def _photo_id(name: str) -> int | None:
    """``"15970.jpg"`` as 15970; None for every other kind of name."""
    stem, _, extension = name.partition(".")
    plain = stem.isascii() and stem.isdigit() and len(stem) <= 18 and str(int(stem)) == stem
    return int(stem) if plain and extension == "jpg" else None
