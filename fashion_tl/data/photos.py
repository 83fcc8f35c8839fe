"""Decode all photos once, in parallel, into one memory-mapped ``uint8`` array."""

import hashlib
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from loky import ProcessPoolExecutor
from numpy.lib.format import open_memmap

from fashion_tl.data.cache import cache_folder, load_kept, make_cached, unreadable
from fashion_tl.data.contents import DataRoot, closed_photos, fault_of_reading, unread_photos
from fashion_tl.data.decoding import FORMATS, decode
from fashion_tl.errors import ConfigError, ContentError, DataError, WriteError, photos_in_words
from fashion_tl.files import reserve, write_whole
from fashion_tl.machine import interrupts_put_off, processors, progress, say

VERSION = 6  # part of the cache's key: raise it when a pixel or what is left out changes
CHUNK = 128  # photos decoded at a time; they fit into a core's own cache
PARALLEL_FROM = 2048  # photos; for fewer, starting workers costs more time than it saves
# The reasons for the ids that can't be decoded, and for those whose files can't be read.
Faults = tuple[dict[str, str], dict[str, str]]


@dataclass(frozen=True)
class Photos:
    """All decoded photos.

    ``array`` is uint8 [photos, height, width, 3], memory-mapped; changes to it never reach the
    file. ``ids`` is text [photos]. ``failed`` gives the reason for each id that could not be read
    or decoded; ``unread`` are those of the first kind.
    """

    array: np.ndarray
    ids: np.ndarray
    failed: dict[str, str]
    unread: frozenset[str] = frozenset()

    @property
    def left_out(self) -> dict[str, str]:
        """In two words, why each id of ``failed`` is left out."""
        return {
            own: "unreadable image" if own in self.unread else "undecodable image"
            for own in self.failed
        }


def decode_photos(
    root: DataRoot,
    ids: Sequence[str],
    size: tuple[int, int] = (80, 60),
    cache: str | os.PathLike | None = None,
    workers: int | None = None,
) -> Photos:
    """Decode the photos ``ids`` to one ``size`` (height, width), or open an earlier call's array.

    The photos are stretched to that size, as in the published runs. ``cache`` is the folder to keep
    the array in (see :func:`fashion_tl.data.cache.cache_folder`). ``workers`` is the number of
    processes; the default is one for each processor that this process may use.

    A photo that can't be read is tried again by the next call. DataError if no photo can be
    decoded, if reading one stops with an error of the system, or if the cache folder can't be
    written. ConfigError if ``workers`` is below 1.
    """
    if workers is not None and workers < 1:
        raise ConfigError(f"workers must be 1 or more, not {workers}")
    hint = cache_folder(cache) / f"unread-{_key(root, ids, size)[:16]}.json"
    closed = closed_photos(root, ids)
    before = _unread_before(hint).intersection(ids) - closed.keys()
    unread = unread_photos(root, sorted(before))
    while True:
        try:
            return _decoded(root, ids, closed | unread, size, cache, workers or processors())
        except _Unread as error:
            unread |= error.faults
            with suppress(WriteError):  # without it, all photos are decoded again next time
                write_whole(hint, json.dumps([*unread]).encode())


class _Unread(Exception):
    """Some photos can't be read; ``faults`` gives the reason for each id."""

    def __init__(self, faults: dict[str, str]) -> None:
        super().__init__(faults)
        self.faults = faults


def _decoded(
    root: DataRoot,
    ids: Sequence[str],
    closed: dict[str, str],
    size: tuple[int, int],
    cache: str | os.PathLike | None,
    workers: int,
) -> Photos:
    """All photos but the ``closed`` ones, from the cache; _Unread if others can't be read."""
    wanted = np.array([own for own in ids if own not in closed], dtype=object)
    if closed and not len(wanted):
        raise _none_decoded(root, closed)
    folder = cache_folder(cache) / f"photos-{_key(root, wanted, size)[:16]}"

    def make(new: Path) -> None:
        _decode_into(new, root, wanted, size, workers, closed)

    make_cached(folder, "the decoded photos", make)
    try:
        failed = _read_failed(folder / "failed.json", set(wanted))
        array = load_kept(folder / "photos.npy", (len(wanted) - len(failed), *size, 3), np.uint8)
    except Exception as error:  # a damaged file makes readers raise any error
        raise unreadable(folder, error) from error
    kept = wanted[[own not in failed for own in wanted]]
    return Photos(array, kept, closed | failed, frozenset(closed))


def _read_failed(file: Path, ids: set[str]) -> dict[str, str]:
    failed = json.loads(file.read_text(encoding="utf-8"))
    is_ours = isinstance(failed, dict) and failed.keys() <= ids
    if not is_ours or not all(isinstance(why, str) for why in failed.values()):
        raise ContentError(f"{file.name} must give the reason for each photo that is left out")
    return failed


def _unread_before(hint: Path) -> set[str]:
    """The ids of photos that an earlier call couldn't read; ``hint`` is the file that names them.

    A zip's directory gives the same checksum for a damaged photo as for a sound one. So the cache
    must not keep more than this.
    """
    try:
        return set(json.loads(hint.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError):
        return set()


def _none_decoded(root: DataRoot, failed: dict[str, str]) -> DataError:
    some = "; ".join(f"{root.photos[own].name}: {why}" for own, why in [*failed.items()][:3])
    return DataError(
        f"{root.path}: none of its {photos_in_words(len(failed))} can be decoded. {some}"
    )


def _key(root: DataRoot, ids: Iterable[str], size: tuple[int, int]) -> str:
    """Changes with any photo's file, with the selection and with the stored size."""
    # A zip has checksums. A file's time says something only together with its folder.
    place = "" if root.is_zip else str(root.path.resolve())
    stamps = [(own, root.photos[own]) for own in ids]
    return hashlib.sha256(repr((VERSION, FORMATS, size, place, stamps)).encode()).hexdigest()


def _decode_into(
    folder: Path,
    root: DataRoot,
    ids: np.ndarray,
    size: tuple[int, int],
    workers: int,
    closed: dict[str, str],
) -> None:
    """Make the folder with the array, and with the reasons why some photos are not in it.

    DataError if no photo is in it; ``closed`` are the reasons for those that were not tried.
    """
    folder.mkdir()
    target = folder / "photos.npy"
    array = open_memmap(target, mode="w+", dtype=np.uint8, shape=(len(ids), *size, 3))
    failed, unread = _decode_all(target, root, ids, size, workers)
    if len(failed) + len(unread) == len(ids):
        raise _none_decoded(root, closed | unread | failed)
    if unread:
        raise _Unread(unread)
    if failed:
        keep = np.flatnonzero([own not in failed for own in ids])
        kept = open_memmap(folder / "kept.npy", "w+", np.uint8, (len(keep), *size, 3))
        reserve(folder / "kept.npy")
        for start in range(0, len(keep), CHUNK):
            kept[start : start + CHUNK] = array[keep[start : start + CHUNK]]
        kept.flush()
        os.replace(folder / "kept.npy", target)
    (folder / "failed.json").write_text(json.dumps(failed), encoding="utf-8")


def _decode_all(
    target: Path, root: DataRoot, ids: np.ndarray, size: tuple[int, int], workers: int
) -> Faults:
    chunks = [(start, ids[start : start + CHUNK]) for start in range(0, len(ids), CHUNK)]
    if workers > 1 and len(ids) >= PARALLEL_FROM:
        # loky's processes, unlike the standard library's, never run the user's own script again.
        # They are started afresh, because the parent may hold threads and a GPU, which don't
        # survive a fork.
        start = (target, root, size, os.getpid())
        try:
            return _in_processes(min(workers, len(chunks)), start, chunks)
        except DataError:
            raise
        except Exception as error:  # no memory or no semaphores: each system has its own reasons
            why = f"{type(error).__name__}: {error}".partition("\n")[0]
            say(
                f"NOTE: photos can't be decoded by several processes here ({why:.200}); "
                "a single process decodes them"
            )
    with root.open_files() as read:
        decoder = _Decoder(target, root, read, size)
        return _gather((decoder.run(*chunk) for chunk in chunks), len(ids))


def _in_processes(workers: int, start: tuple, chunks: list[tuple[int, np.ndarray]]) -> Faults:
    """Decode the chunks in several processes. Each one begins with ``_Worker.start(*start)``."""
    pool = ProcessPoolExecutor(workers, initializer=_Worker.start, initargs=start)
    try:
        with interrupts_put_off():
            jobs = [pool.submit(_Worker.run, *chunk) for chunk in chunks]
        faults = _gather((job.result() for job in jobs), sum(len(ids) for _, ids in chunks))
    except BaseException:
        with interrupts_put_off():
            pool.shutdown(kill_workers=True)  # without it, Ctrl-C would wait for all chunks
        raise
    pool.shutdown()
    return faults


def _gather(results: Iterable[Faults], total: int) -> Faults:
    failed: dict[str, str] = {}
    unread: dict[str, str] = {}
    with progress(total=total, desc="decoding photos", unit="photo") as bar:
        for each in results:
            failed |= each[0]
            unread |= each[1]
            bar.update(min(CHUNK, total - bar.n))
    return failed, unread


class _Decoder:
    """Decodes chunks of photos into their places in ``target``, the array's file."""

    def __init__(
        self, target: Path, root: DataRoot, read: Callable[[str], bytes], size: tuple[int, int]
    ) -> None:
        self.target = target
        self.root = root
        self.read = read
        self.size = size
        self.offset = np.load(target, mmap_mode="r").offset
        self.block = np.empty((CHUNK, *size, 3), dtype=np.uint8)

    def run(self, start: int, ids: np.ndarray) -> Faults:
        """Decode some photos into the array's rows from ``start`` on; return the failed ones.

        DataError if the system can't read one.
        """
        failed, unread = {}, {}
        for place, own in enumerate(ids):
            try:
                content = self.read(self.root.photos[own].name)
            except DataError as error:
                unread[own] = fault_of_reading(error)
                continue
            try:
                self.block[place] = decode(content, self.size)
            except DataError as error:
                failed[own] = str(error)
        with open(self.target, "r+b") as file:  # a fifth quicker than writing to a mapped file
            file.seek(self.offset + start * self.block[0].nbytes)
            file.write(self.block[: len(ids)].data)
        return failed, unread


class _Worker:
    """What a worker process keeps open between two chunks, since listing a large zip is slow."""

    files: AbstractContextManager[Callable[[str], bytes]]
    decoder: _Decoder

    @classmethod
    def start(cls, target: Path, root: DataRoot, size: tuple[int, int], parent: int) -> None:
        # Ctrl-C is for the parent, which ends its workers.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        threading.Thread(target=_end_with, args=[parent], daemon=True).start()
        cls.files = root.open_files()
        cls.decoder = _Decoder(target, root, cls.files.__enter__(), size)

    @classmethod
    def run(cls, start: int, ids: np.ndarray) -> Faults:
        return cls.decoder.run(start, ids)


def _end_with(parent: int) -> None:
    """End this process when its parent ends. A parent that was killed can't end its workers."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
