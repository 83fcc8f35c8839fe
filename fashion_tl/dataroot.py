"""A data root: a folder or a zip in Kaggle's layout, read where it lies and never written to."""

import json
import os
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from fashion_tl.errors import DataError
from fashion_tl.files import make_once

SAMPLE = "sample"  # in place of a path: the built-in sample, drawn on first use
DEEPEST = 2  # folders between the root and styles.csv
HELP = "A data root is a folder or a .zip that holds styles.csv and images/<id>.jpg"


def cache_folder(folder: str | os.PathLike | None = None) -> Path:
    """``folder``, else ``$FASHION_TL_CACHE``, else ``~/.cache/fashion_tl``: for photos, features and the sample."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(folder or os.environ.get("FASHION_TL_CACHE") or f"{base}/fashion_tl").expanduser()


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
    when the photo does: its size, and its checksum (in a zip) or time.
    """

    path: Path
    inner: str
    photos: dict[int, tuple[int, int]] = field(repr=False)
    is_zip: bool
    is_sample: bool = False

    @property
    def name(self) -> str:
        """What figures and tables call it: no path of any machine."""
        return "the built-in sample" if self.is_sample else self.path.name

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
                inside = self.inner + name
                return archive.read(inside) if archive else (self.path / inside).read_bytes()
            except Exception as error:  # zipfile lets through whatever a damaged or encrypted member makes it raise
                raise DataError(f"{self.path}: {self.inner}{name} can't be read: {error}") from error

        try:
            yield read
        finally:
            if archive:
                archive.close()


def open_root(path: str | os.PathLike, cache: str | os.PathLike | None = None) -> DataRoot:
    """Find ``styles.csv`` and its photos in a folder or a zip; the shallowest copy wins.

    ``"sample"`` stands for the built-in sample, which is drawn into the cache folder. DataError names the path
    and what it lacks.
    """
    if str(path) == SAMPLE:
        from fashion_tl.sample import draw_sample

        path = draw_sample(cache_folder(cache) / "sample")
    path = Path(path).expanduser()
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
    photos = {}
    with os.scandir(home / "images") as entries:
        for entry in entries:
            if (number := _photo_id(entry.name)) is not None:
                with suppress(OSError):  # a link to nowhere is a missing image
                    stat = entry.stat()
                    photos[number] = (stat.st_size, stat.st_mtime_ns)
    try:
        is_sample = json.loads((home / "sample.json").read_text())["sample"] is True
    except (OSError, ValueError, KeyError, TypeError):
        is_sample = False
    inner = home.relative_to(path).as_posix()
    return DataRoot(path, "" if inner == "." else f"{inner}/", photos, False, is_sample)


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
            raise DataError(f"{path}: refused, it names a file outside itself: {name!r}")
    tables = [name for name in members if name.split("/")[-1] == "styles.csv" and name.count("/") <= DEEPEST]
    if not tables:
        raise DataError(f"{path}: no styles.csv in it, nor up to {DEEPEST} folders down. {HELP}.")
    inner = min(tables, key=lambda name: (name.count("/"), name)).removesuffix("styles.csv")
    photos = {}
    for name, member in members.items():
        if name.startswith(f"{inner}images/"):
            number = _photo_id(name.removeprefix(f"{inner}images/"))
            if number is not None:
                photos[number] = (member.file_size, member.CRC)
    return DataRoot(path, inner, photos, True)


def _photo_id(name: str) -> int | None:
    """``"15970.jpg"`` as 15970; None for every other kind of name."""
    stem, _, extension = name.partition(".")
    plain = stem.isascii() and stem.isdigit() and len(stem) <= 18 and str(int(stem)) == stem
    return int(stem) if plain and extension == "jpg" else None
