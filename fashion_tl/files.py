"""Write files and folders whole or not at all, by one process at a time."""

import errno
import json
import os
import platform
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from fashion_tl.errors import ConfigError, ContentError, FashionTLError, RunError, WriteError
from fashion_tl.locks import own_folder

StrPath = str | os.PathLike


RUN_FILE = "run.json"  # in the folder of each run
# Files that a run alone has. Beside one of them, a damaged run.json is that of a run.
BESIDE_IT = ("model.safetensors", "memory.safetensors", "checkpoint.pt", "predictions.csv.gz")


def is_run_folder(folder: Path) -> bool:
    """Whether a folder is that of a run, so that its images are figures."""
    file = folder / RUN_FILE
    if not os.path.isfile(file):  # false also where nothing can be looked up
        return False
    try:
        is_beside_files = any(os.path.isfile(folder / name) for name in BESIDE_IT)
        return is_of_a_run(file.read_bytes(), is_beside_files)
    except OSError:
        return True


def is_of_a_run(content: bytes, is_beside_files: bool = False) -> bool:
    """Whether a run.json is ours, whole or damaged. Other tools write files of that name, too.

    ``is_beside_files`` says that files lie beside it which a run has. Then a damaged one is ours.
    """
    try:
        about = json.loads(content)
    except (ValueError, RecursionError):
        return is_beside_files or b'"config"' in content[:200]  # ours begins with it
    return isinstance(about, dict) and about.keys() >= {"config", "data", "weights"}


def as_path(path: StrPath) -> Path:
    """A path as a user writes it, where ``~`` is the home folder.

    Every path from outside goes through here. ``~name`` is that user's home folder. If there is no
    such user, it is a file or folder with this very name; ConfigError if that doesn't exist either.
    """
    if not os.fspath(path):
        raise ConfigError("a path is empty; write . for the folder that you are in")
    # Not Path.expanduser, which also takes ./~ for the home folder.
    expanded = os.path.expanduser(os.fspath(path))
    if expanded.startswith("~") and not os.path.lexists(expanded):
        raise ConfigError(
            f"{expanded}: the ~ stands for no home folder here; "
            f"write the whole path, or ./{expanded}"
        )
    if expanded.startswith("./~"):  # Path would drop the ./
        return Path.cwd() / expanded
    return Path(expanded)


@contextmanager
def draft(path: Path) -> Iterator[Path]:
    """A place to write what will become ``path``, in a hidden folder beside it.

    The folder is removed in the end. Another process of this machine that wants the same path
    waits. If this process is killed, the next one on a machine of the same name cleans up. On
    systems without locks each process has its own folder, and none waits.
    """
    with own_folder(_draft_folder(path)) as own:
        try:
            shutil.rmtree(own / path.name, ignore_errors=True)
            yield own / path.name
        except (OSError, WriteError) as error:
            raise _of_the_target(error, own / path.name, path) from error.__cause__


def _of_the_target(error: Exception, drafted: Path, path: Path) -> Exception:
    """The same error, with the path that a user knows instead of the draft's."""
    if isinstance(error, OSError):
        for name in ("filename", "filename2"):
            if isinstance(there := getattr(error, name), str):
                setattr(error, name, there.replace(str(drafted), str(path)))
        return error
    return WriteError(str(error).replace(str(drafted), str(path)))


def _draft_folder(path: Path) -> Path:
    # It has the machine's name, because a lock on a network drive may hold for one machine only.
    return path.with_name(f".{path.name}.{platform.node()}.tmp")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path; in the end, what is written there replaces ``path``.

    If that fails, it is removed, and the old ``path`` stays; WriteError names the path. An error of
    ours is raised as it is.
    """
    try:
        with draft(path) as temporary:
            yield temporary
            os.replace(temporary, path)
    except FashionTLError:
        raise
    except Exception as error:
        # On a full disk each library raises its own error, which may hide Python's error.
        cause = error.__context__ or error
        if isinstance(cause, KeyboardInterrupt):  # Ctrl-C made the library's writing fail
            raise cause from None
        raise WriteError(f"{path} can't be written ({cause}). Fix that and try again.") from error


def write_whole(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all; see :func:`replacing`."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def check_writable(path: Path, makes_folders: bool = False) -> None:
    """WriteError if no file can be written at a path; to be called before long work.

    With ``makes_folders``, whoever writes the file makes the missing folders above it.
    """
    folder = path.parent
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "it is a folder")
        if path.exists() and not path.is_file():  # a file would take its place
            raise OSError(errno.EINVAL, "it is a pipe or a device")
        if makes_folders:
            folder = next(each for each in path.parents if os.path.lexists(each))
        elif not folder.exists():
            raise FileNotFoundError(errno.ENOENT, f"there is no folder {folder}")
        os.rmdir(tempfile.mkdtemp(prefix=f"{_draft_folder(path).name}-", dir=folder))
    except OSError as error:
        raise WriteError(
            f"{path} can't be written ({error.strerror}). Fix that, or name another place."
        ) from error


def absolute(path: Path) -> Path:
    """A path from the root on, without ``..`` in it; otherwise links in it stay.

    The system goes up from where a link leads. ``os.path.abspath`` goes up from the link.
    """
    parts = path.absolute().parts
    end = max((place + 1 for place, part in enumerate(parts) if part == ".."), default=1)
    return Path(os.path.realpath(Path(*parts[:end])), *parts[end:])


def ways_into(folder: Path, target: Path) -> list[list[Path]]:
    """The paths from ``target`` up to ``folder``, without the folder; none if it lies elsewhere.

    A folder between them may be a link. So there may be two ways: that of the target as it is
    named, and that of the place that it stands for.
    """
    home = os.path.realpath(folder)
    ways = []
    for named in dict.fromkeys([absolute(target), Path(os.path.realpath(target))]):
        paths = [named, *named.parents]
        above = next((n for n, path in enumerate(paths) if os.path.realpath(path) == home), None)
        if above is not None:
            ways.append(paths[:above])
    return ways


def check_readable(file: Path) -> None:
    """OSError, with the system's reason, if a file can't be opened; ContentError for a pipe.

    The library of safetensors says of each file that it can't open that there is none. Reading a
    pipe would never end.
    """
    kind = os.stat(file).st_mode
    if not stat.S_ISREG(kind) and not stat.S_ISDIR(kind):  # a folder has an error of its own
        raise ContentError("it is a pipe or a device, not a plain file")
    with open(file, "rb"):
        pass


def refuse_inside(target: Path, folder: Path, what: str) -> None:
    """RunError if a file or folder that is to be made for ``what`` would lie in another folder."""
    if ways_into(folder, target):
        raise lies_inside(target, folder, what)


def lies_inside(target: Path, folder: Path, what: str) -> RunError:
    return RunError(
        f"{target} lies in {folder}, which stays as it is; name a folder elsewhere for {what}"
    )


def is_made(path: Path) -> bool:
    """Whether a path is there, without a draft, which a killed or working process would have."""
    return path.exists() and not _draft_folder(path).exists()


def make_once(path: Path, make: Callable[[Path], None]) -> bool:
    """Make a file or folder under a temporary name, which then becomes ``path``.

    If ``path`` is there already, this does nothing. Of several processes one makes it, and the
    others wait. Returns whether this process made it. OSError if it can't be made.
    """
    if is_made(path):
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    with draft(path) as temporary:
        if path.exists():
            return False
        make(temporary)
        if path.exists():  # without locks, another process may have been first
            return False
        os.replace(temporary, path)
    return True


def reserve(file: Path) -> None:
    """OSError if the disk is too full for a file.

    Without this check, a page of a mapped file that finds no space would kill the process.
    """
    if hasattr(os, "posix_fallocate"):
        with open(file, "r+b") as whole:
            os.posix_fallocate(whole.fileno(), 0, file.stat().st_size)
