"""Files and folders that are made whole or not at all, by one process at a time; locks that end
with their process.
"""

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fashion_tl.errors import ConfigError, FashionTLError, WriteError
from fashion_tl.machine import say

StrPath = str | os.PathLike


def as_path(path: StrPath) -> Path:
    """A path as a user writes it, in which ``~`` is the home folder. Every path from outside comes
    through here.

    ``~name`` is that user's home folder, and a file or folder of this very name where one is here.
    ConfigError where there is neither.
    """
    if not os.fspath(path):
        raise ConfigError("a path is empty; write . for the folder that you are in")
    expanded = os.path.expanduser(path)  # not Path.expanduser, for which ./~ is the home folder too
    if expanded.startswith("~") and not os.path.lexists(expanded):
        raise ConfigError(
            f"{expanded}: the ~ stands for no home folder here; write the whole path, or ./{expanded}"
        )
    return (
        Path.cwd() / expanded if expanded.startswith("./~") else Path(expanded)
    )  # Path would drop the ./


def lock(path: Path, wait: bool = False) -> int | None:
    """Lock a file or folder until what this returns is closed, or this process ends, however it
    ends.

    BlockingIOError where another has it and ``wait`` is false. None where there are no locks: on
    Windows, and on some network drives.
    """
    if os.name == "nt":
        return None
    import fcntl

    handle = os.open(
        path, os.O_RDONLY if path.is_dir() else os.O_RDWR
    )  # NFS locks no file that can't be written
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError as error:
        os.close(handle)
        if isinstance(error, BlockingIOError):
            raise
        return None
    return handle


@contextmanager
def draft(path: Path) -> Iterator[Path]:
    """A place for what is to become ``path``, in a hidden folder beside it that is removed in the
    end.

    Another process of this machine that wants the same waits. If this one is killed, the next one
    cleans up after it, on a machine of the same name. Where there are no locks, each has a folder
    of its own, and nobody waits.
    """
    folder = _draft_folder(path)
    handle = _lock_folder(folder)
    own = (
        folder
        if handle is not None
        else Path(tempfile.mkdtemp(prefix=f"{folder.name}-", dir=folder.parent))
    )
    try:
        shutil.rmtree(own / path.name, ignore_errors=True)
        yield own / path.name
    finally:
        shutil.rmtree(own, ignore_errors=True)
        if handle is not None:
            os.close(handle)


def _draft_folder(path: Path) -> Path:
    # With the machine's name: a network drive's folders are locked for the processes of one machine
    # alone.
    return path.with_name(f".{path.name}.{platform.node()}.tmp")


def _lock_folder(folder: Path) -> int | None:
    """Make a folder where it is missing, and lock it; None where there are no locks, and then it
    isn't there.
    """
    while True:
        folder.mkdir(exist_ok=True)
        with suppress(FileNotFoundError):  # the process that had it has just removed it
            try:
                handle = lock(folder)
            except BlockingIOError:
                say(f"waiting for another process, which is at {folder}", file=sys.stderr)
                handle = lock(folder, wait=True)
            if handle is None:
                folder.rmdir()
                return None
            if os.path.samestat(os.fstat(handle), folder.stat()):
                return handle
            os.close(handle)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary name; what is written there takes the place of ``path`` in the end, or is
    removed.

    WriteError, naming ``path``, where that fails; what was there before then stays. An error of
    ours stays as it is.
    """
    try:
        with draft(path) as temporary:
            yield temporary
            os.replace(temporary, path)
    except FashionTLError:
        raise
    except (
        Exception
    ) as error:  # for a full disk each library has an error of its own, which may hide Python's
        cause = error.__context__ or error
        if isinstance(
            cause, KeyboardInterrupt
        ):  # Ctrl-C amid a library's writing, which then fails in its own way
            raise cause from None
        raise WriteError(f"{path} can't be written ({cause}). Fix that and try again.") from error


def is_made(path: Path) -> bool:
    """Whether it is there, and no draft of it is: somebody may be at it, or was killed."""
    return path.exists() and not _draft_folder(path).exists()


def make_once(path: Path, make: Callable[[Path], None]) -> None:
    """Have a file or folder made under a temporary name, which then becomes ``path``; nothing, if
    it is there.

    Of several processes one makes it, and the others wait. OSError where it can't be made.
    """
    if is_made(path):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with draft(path) as temporary:
        if not path.exists():
            make(temporary)
            if not path.exists():  # where there are no locks, another process may have been first
                os.replace(temporary, path)


def reserve(file: Path) -> None:
    """OSError now where the disk is too full for a file: a mapped page that finds no room would
    kill the process.
    """
    if hasattr(os, "posix_fallocate"):
        with open(file, "r+b") as whole:
            os.posix_fallocate(whole.fileno(), 0, file.stat().st_size)
