"""Keep other processes away from files and folders."""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fashion_tl.machine import say, signals_put_off

WAITING = 0.2  # seconds until it is tried again whether another process has ended
# The locks that this process holds until it ends, by the device and inode of each file.
_held: dict[tuple[int, int], int | None] = {}


def lock(path: Path, wait: bool = False) -> int | None:
    """Lock a file or folder until the returned handle is closed, or until this process ends.

    BlockingIOError if another process holds the lock and ``wait`` is false. None on systems without
    locks: Windows, and some network drives.
    """
    if os.name == "nt":
        return None
    import fcntl

    # NFS can't lock a file that is opened only for reading.
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BaseException as error:  # Ctrl-C, too, while it waits
        os.close(handle)
        if isinstance(error, BlockingIOError) or not isinstance(error, OSError):
            raise
        return None
    return handle


def hold(file: Path) -> None:
    """Keep other processes from a file as long as this process lives, which may ask again.

    BlockingIOError if another process has it. On a system without locks this does nothing.
    """
    about = file.stat()
    if (about.st_dev, about.st_ino) not in _held:
        _held[about.st_dev, about.st_ino] = lock(file)


@contextmanager
def own_folder(folder: Path) -> Iterator[Path]:
    """A folder that this process alone has, removed in the end. No Ctrl-C leaves it behind."""
    own: Path | None = None
    handle: int | None = None
    has_told = False

    def give_back() -> None:
        nonlocal own, handle
        with signals_put_off():
            if own is not None:
                shutil.rmtree(own, ignore_errors=True)
            if handle is not None:
                os.close(handle)
            own = handle = None  # from now on it may be another process's

    try:
        while own is None:
            try:
                with signals_put_off():
                    own, handle = _take(folder)
            except BlockingIOError:
                if not has_told:
                    what = f"waiting for another process, which is working on {folder}"
                    say(what, file=sys.stderr)
                has_told = True
                time.sleep(WAITING)
        yield own
    finally:
        try:
            give_back()
        except BaseException:  # Ctrl-C before it was put off; a lock that is kept would hang us
            give_back()
            raise


def _take(folder: Path) -> tuple[Path | None, int | None]:
    """Make a folder if it is missing, and lock it: the folder, and the lock's handle.

    On a system without locks it is a folder of another name, without a handle. BlockingIOError if
    another process has it. No folder if that process has just removed it.
    """
    folder.mkdir(exist_ok=True)
    with suppress(FileNotFoundError):
        handle = lock(folder)
        if handle is None:
            folder.rmdir()
            return Path(tempfile.mkdtemp(prefix=f"{folder.name}-", dir=folder.parent)), None
        if _is_there_still(folder, handle):
            return folder, handle
        os.close(handle)  # others wait for it, too
    return None, None


def _is_there_still(folder: Path, handle: int) -> bool:
    """Whether a folder is the one of this handle, and not removed or made again since."""
    try:
        return os.path.samestat(os.fstat(handle), folder.stat())
    except FileNotFoundError:
        return False
