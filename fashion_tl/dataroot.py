"""A data root: a folder or a zip in Kaggle's layout, read where it lies and never written to."""

import json
import os
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from fashion_tl.errors import DataError

SAMPLE = "sample"  # in place of a path: the built-in sample, drawn on first use
DEEPEST = 2  # folders between the root and styles.csv
HELP = "A data root is a folder or a .zip that holds styles.csv and images/<id>.jpg"


def cache_folder(folder: str | os.PathLike | None = None) -> Path:
    """Where decoded photos and the sample are kept: ``folder``, ``$FASHION_TL_CACHE`` or ``~/.cache/fashion_tl``."""
    if folder is None:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        folder = os.environ.get("FASHION_TL_CACHE") or Path(base) / "fashion_tl"
    return Path(folder).expanduser()


@dataclass(frozen=True)
class DataRoot:
    """Where ``styles.csv`` and the photos lie.

    Attributes:
        path: the folder or the zip.
        inner: the part of the path, inside it, down to the folder that holds ``styles.csv``.
        photos: for each id, what changes when the photo does (its size and CRC or time).
        is_sample: whether this is the built-in sample.
    """

    path: Path
    inner: str
    photos: dict[int, tuple] = field(repr=False)
    is_sample: bool = False

    @property
    def is_zip(self) -> bool:
        return self.path.is_file()

    @property
    def name(self) -> str:
        """What figures and tables call it: no path of any machine."""
        return "the built-in sample" if self.is_sample else self.path.name

    def styles_csv(self) -> bytes:
        """The bytes of ``styles.csv``."""
        with self.open_files() as read:
            return read("styles.csv")

    @contextmanager
    def open_files(self) -> Iterator[Callable[[str], bytes]]:
        """A function from a name inside the root to its bytes; opens a zip just once.

        Raises:
            DataError: when the file can't be read (damaged, encrypted, no permission).
        """
        archive = zipfile.ZipFile(self.path) if self.is_zip else None

        def read(name: str) -> bytes:
            try:
                return archive.read(self.inner + name) if archive else (self.path / self.inner / name).read_bytes()
            except (
                OSError,
                RuntimeError,
                NotImplementedError,
                zipfile.BadZipFile,
                EOFError,
                KeyError,
            ) as error:
                raise DataError(f"{self.path}: {self.inner}{name} can't be read: {error}") from error
            except Exception as error:  # zlib.error has no public base of its own
                raise DataError(f"{self.path}: {self.inner}{name} is damaged: {error}") from error

        try:
            yield read
        finally:
            if archive:
                archive.close()


def open_root(path: str | os.PathLike, cache: str | os.PathLike | None = None) -> DataRoot:
    """Find ``styles.csv`` and its photos in a folder or a zip; the shallowest copy wins.

    Args:
        path: a folder, a ``.zip``, or ``"sample"`` for the built-in sample (drawn into the cache folder).

    Raises:
        DataError: naming the path and what it lacks.
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
    for depth in range(DEEPEST + 1):
        found = sorted(path.glob("/".join(["*"] * depth + ["styles.csv"])))
        if found:
            home = found[0].parent
            break
    else:
        zips = ", ".join(sorted(p.name for p in path.glob("*.zip")))
        hint = f" It holds {zips}: name that file instead." if zips else ""
        raise DataError(f"{path}: no styles.csv in it, nor up to {DEEPEST} folders down. {HELP}.{hint}")
    if not (home / "images").is_dir():
        raise DataError(f"{home}: styles.csv is there, but no folder images/ beside it. {HELP}.")
    photos = {}
    with os.scandir(home / "images") as entries:
        for entry in entries:
            stem, extension = os.path.splitext(entry.name)
            if extension == ".jpg" and _is_id(stem):
                stat = entry.stat()
                photos[int(stem)] = (stat.st_size, stat.st_mtime_ns)
    inner = home.relative_to(path).as_posix()
    return DataRoot(path, "" if inner == "." else inner + "/", photos, _is_sample(home))


def _open_zip(path: Path) -> DataRoot:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise DataError(f"{path}: not a zip that can be read ({error}). {HELP}.") from error
    for member in members:
        # Nothing is ever unpacked, so such a name could do no harm; but no honest archive holds one.
        if _leads_outside(member.filename):
            raise DataError(f"{path}: refused, it names a file outside itself: {member.filename!r}")
    tables = [PurePosixPath(m.filename) for m in members if PurePosixPath(m.filename).name == "styles.csv"]
    tables = sorted((len(t.parts) - 1, str(t)) for t in tables if len(t.parts) - 1 <= DEEPEST)
    if not tables:
        raise DataError(f"{path}: no styles.csv in it, nor up to {DEEPEST} folders down. {HELP}.")
    inner = tables[0][1].removesuffix("styles.csv")
    start = inner + "images/"
    photos = {}
    for member in members:
        if member.filename.startswith(start) and member.filename.endswith(".jpg"):
            stem = member.filename[len(start) : -4]
            if _is_id(stem):
                photos[int(stem)] = (member.file_size, member.CRC)
    return DataRoot(path, inner, photos)


def _is_id(text: str) -> bool:
    """Digits and nothing else, written the one way that ``str(int)`` writes them."""
    return text.isascii() and text.isdigit() and len(text) <= 18 and str(int(text)) == text


def _leads_outside(name: str) -> bool:
    parts = name.replace("\\", "/").split("/")
    return ".." in parts or name.startswith(("/", "\\")) or parts[0].endswith(":")


def _is_sample(home: Path) -> bool:
    try:
        return json.loads((home / "sample.json").read_text()).get("sample") is True
    except (OSError, ValueError, AttributeError):
        return False
