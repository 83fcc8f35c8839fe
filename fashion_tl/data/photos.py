"""Photos decoded once, in parallel, into one memory-mapped ``uint8`` array; afterwards no JPEG is
touched.
"""

import hashlib
import io
import json
import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from pathlib import Path

import numpy as np
from loky import ProcessPoolExecutor
from numpy.lib.format import open_memmap
from PIL import Image, ImageOps, UnidentifiedImageError, features
from PIL.TiffImagePlugin import BITSPERSAMPLE, PHOTOMETRIC_INTERPRETATION

from fashion_tl.data.dataroot import DataRoot, cache_folder, make_cached, unreadable
from fashion_tl.data.formats import what_it_is
from fashion_tl.errors import ConfigError, DataError
from fashion_tl.files import reserve
from fashion_tl.machine import processors, progress, say

# They name no file. A photo that can't be decoded is named by us.
warnings.filterwarnings("ignore", module=r"PIL\.")

VERSION = 4  # part of the cache's key: raise it when decoding changes a pixel
CHUNK = 128  # photos decoded at a time: what fits a core's own cache
FEW = 2048  # below this, starting workers costs more than it saves
LARGEST_PHOTO = (
    1 << 26
)  # pixels, a gigabyte to decode; a larger one is a mistake or a decompression bomb
MOST_SCANS = 20  # of a JPEG of that many pixels; a progressive one has some 10, and each goes over all pixels again
# Of Pillow's other formats, one would start Ghostscript. Not every Pillow reads AVIF.
FORMATS = (
    "JPEG",
    "PNG",
    "GIF",
    "BMP",
    "WEBP",
    "TIFF",
    "PPM",
    *(["AVIF"] if features.check("avif") else []),
)


@dataclass(frozen=True)
class Photos:
    """Every decoded photo.

    ``array`` is uint8 [photos, height, width, 3], memory-mapped (changes to it never reach the
    file), ``ids`` text [photos]. ``failed`` gives the reason for each id that could not be decoded.
    """

    array: np.ndarray
    ids: np.ndarray
    failed: dict[str, str]


def decode_photos(
    root: DataRoot,
    ids: Sequence[str],
    size: tuple[int, int] = (80, 60),
    cache: str | os.PathLike | None = None,
    workers: int | None = None,
) -> Photos:
    """Decode the photos ``ids`` to one ``size`` (height, width), or open the array of an earlier
    call.

    The aspect is stretched, as in the published runs. ``cache`` is the folder to keep the array in
    (see :func:`fashion_tl.data.dataroot.cache_folder`), ``workers`` the number of processes: by
    default one for each processor that this process may use. DataError when not one photo can be
    decoded, or the cache folder can't be written; ConfigError when ``workers`` is below 1.
    """
    if workers is not None and workers < 1:
        raise ConfigError(f"workers must be 1 or more, not {workers}")
    ids = np.array(ids, dtype=object)
    folder = cache_folder(cache) / f"photos-{_key(root, ids, size)[:16]}"
    make_cached(
        folder, "the decoded photos", lambda new: _decode_into(new, root, ids, size, workers)
    )
    try:
        array = np.load(folder / "photos.npy", mmap_mode="c")
        failed = json.loads((folder / "failed.json").read_text())
    except (EOFError, OSError, ValueError) as error:
        raise unreadable(folder, error) from error
    return Photos(array, ids[[i not in failed for i in ids]], failed)


def photo_digests(array: np.ndarray) -> list[bytes]:
    """A digest per photo of ``array``, uint8 [photos, height, width, 3], equal only for the very
    same pixels.
    """
    return [hashlib.blake2b(photo, digest_size=16).digest() for photo in array]


def twin_groups(digests: Sequence[bytes]) -> np.ndarray:
    """A number per digest, int64 [photos], equal for equal ones."""
    numbers: dict[bytes, int] = {}
    return np.array(
        [numbers.setdefault(digest, len(numbers)) for digest in digests], dtype=np.int64
    )


def decode(content: bytes, size: tuple[int, int]) -> np.ndarray:
    """One encoded photo as people see it: uint8 RGB [height, width, 3].

    It is turned upright where its EXIF data say so, and what is transparent in it becomes white.
    DataError says why it can't be decoded.
    """
    try:
        known = (
            FORMATS[:1] if content[:3] == b"\xff\xd8\xff" else FORMATS
        )  # to try all takes a tenth of the time
        with Image.open(io.BytesIO(content), formats=known) as image:
            pixels, scans = (
                image.width * image.height,
                content.count(b"\xff\xda") if known == FORMATS[:1] else 1,
            )
            if pixels > LARGEST_PHOTO or pixels * scans > LARGEST_PHOTO * MOST_SCANS:
                raise ValueError(
                    f"{image.width}×{image.height} pixels, scans: {scans}: too many for a product photo"
                )
            image.draft(
                "RGB", (max(size), max(size))
            )  # a JPEG far larger is decoded at a reduced scale
            image.load()
            with suppress(Exception):  # damaged EXIF data don't make a photo unreadable
                ImageOps.exif_transpose(image, in_place=True)
            if image.mode == "F":
                raise ValueError("its pixels are floating-point numbers, of unknown scale")
            if (
                image.format == "PNG"
                and image.mode in ("L", "RGB")
                and "transparency" in image.info
            ):
                image.info["transparency"] = _in_8_bits(image.info["transparency"], content[24])
            image = _opaque(image).convert("RGB")
            if image.size != size[::-1]:
                image = image.resize(size[::-1], Image.Resampling.BILINEAR)
            return np.asarray(image)
    except UnidentifiedImageError as error:  # its message names an address in memory
        what = what_it_is(content) or f"none of {', '.join(FORMATS)}"
        raise DataError(f"not a photo that can be decoded ({what})") from error
    except (
        Exception
    ) as error:  # Pillow's readers raise whatever a damaged file makes them stumble on
        raise DataError(
            f"not a photo that can be decoded ({type(error).__name__}: {error})"
        ) from error


def _in_8_bits(colour: int | tuple[int, ...], bits: int) -> int | tuple[int, ...]:
    """The transparent colour of a PNG of so many bits, scaled as Pillow scales the pixels but not
    this colour.

    Of 16 bits Pillow keeps the upper 8, so colours that differ only in the others are transparent
    too.
    """
    if isinstance(colour, tuple):
        return tuple(_in_8_bits(part, bits) for part in colour)
    most = 2**bits - 1
    return colour >> 8 if bits == 16 else (colour & most) * 255 // most


def _opaque(image: Image.Image) -> Image.Image:
    """The same on white where it is transparent, and with 8 bits a channel."""
    if image.mode.startswith(
        "I"
    ):  # 12 or 16 bits of grey, which Pillow would clip to 8; or 8 bits kept in 32
        values, tags = np.asarray(image), getattr(image, "tag_v2", {})  # only a TIFF has tags
        if (
            tags.get(PHOTOMETRIC_INTERPRETATION) == 0
        ):  # 0 is white, which Pillow minds in 8 bits only
            values = 65535 - values
        upper = values >> (4 if tags.get(BITSPERSAMPLE) == (12,) else 8)
        grey = (
            (values if image.mode == "I" and values.max() <= 255 else upper)
            .clip(0, 255)
            .astype(np.uint8)
        )
        if "transparency" in image.info:
            grey[values == image.info["transparency"]] = 255
        return Image.fromarray(grey)
    if not image.has_transparency_data:
        return image
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)


def _key(root: DataRoot, ids: np.ndarray, size: tuple[int, int]) -> str:
    """Changes when any photo's file, the selection or the stored size does."""
    place = (
        "" if root.is_zip else str(root.path.resolve())
    )  # a zip has checksums; times tell only within a folder
    stamps = [(i, root.photos[i]) for i in ids.tolist()]
    return hashlib.sha256(repr((VERSION, FORMATS, size, place, stamps)).encode()).hexdigest()


def _decode_into(
    folder: Path, root: DataRoot, ids: np.ndarray, size: tuple[int, int], workers: int | None
) -> None:
    """Make the folder: the array, and the reasons why some photos are not in it."""
    folder.mkdir()
    target = folder / "photos.npy"
    array = open_memmap(target, mode="w+", dtype=np.uint8, shape=(len(ids), *size, 3))
    failed = _decode_all(target, root, ids, size, workers)
    if len(failed) == len(ids):
        some = "; ".join(
            f"{root.photos[i].name}: {reason}" for i, reason in list(failed.items())[:3]
        )
        raise DataError(f"{root.path}: not one of its {len(ids)} photos can be decoded. {some}")
    if failed:
        keep = np.flatnonzero([i not in failed for i in ids])
        kept = open_memmap(folder / "kept.npy", "w+", np.uint8, (len(keep), *size, 3))
        reserve(folder / "kept.npy")
        for start in range(0, len(keep), CHUNK):
            kept[start : start + CHUNK] = array[keep[start : start + CHUNK]]
        kept.flush()
        os.replace(folder / "kept.npy", target)
    (folder / "failed.json").write_text(json.dumps(failed))


def _decode_all(
    target: Path, root: DataRoot, ids: np.ndarray, size: tuple[int, int], workers: int | None
) -> dict:
    workers = workers or processors()
    chunks = [(start, ids[start : start + CHUNK]) for start in range(0, len(ids), CHUNK)]
    if workers > 1 and len(ids) >= FEW:
        # loky's processes, unlike those of the standard library, never run the user's own script
        # again. They are new ones: the parent may hold threads and a GPU that don't survive a fork.
        try:
            return _in_processes(
                min(workers, len(chunks)), (target, root, size, os.getpid()), chunks
            )
        except Exception as error:  # no memory, no semaphores, no place for processes: each system has its own reasons
            why = f"{type(error).__name__}: {error}".partition("\n")[0]
            say(
                f"NOTE: photos can't be decoded by several processes here ({why:.200}); one goes on alone"
            )
    with root.open_files() as read:
        decoder = _Decoder(target, root, read, size)
        return _gather((decoder.run(*chunk) for chunk in chunks), len(ids))


def _in_processes(
    workers: int, start: tuple, chunks: list[tuple[int, np.ndarray]]
) -> dict[str, str]:
    """Decode the chunks in so many processes, each of which begins with
    ``_Worker.start(*start)``."""
    pool = ProcessPoolExecutor(workers, initializer=_Worker.start, initargs=start)
    try:
        with _interrupts_put_off():
            jobs = [pool.submit(_Worker.run, *chunk) for chunk in chunks]
        failed = _gather((job.result() for job in jobs), sum(len(ids) for _, ids in chunks))
    except BaseException:
        with _interrupts_put_off():
            pool.shutdown(kill_workers=True)  # else Ctrl-C would wait for all that are to come
        raise
    pool.shutdown()
    return failed


@contextmanager
def _interrupts_put_off() -> Iterator[None]:
    """Ctrl-C, or a scheduler's signal to end, takes effect after this, and Ctrl-C never in
    processes started here.

    A pool that is interrupted while it starts would leave processes behind and wait for them
    without end, and each process that is interrupted amid its imports would print where. They
    inherit the mask; Windows has none.
    """
    received: list[int] = []
    in_main = threading.current_thread() is threading.main_thread()  # others get no signals
    numbers = [
        number
        for number in (signal.SIGINT, signal.SIGTERM)
        if in_main and signal.getsignal(number) is not None
    ]
    handlers = {
        number: signal.signal(number, lambda got, _: received.append(got)) for number in numbers
    }
    mask = set()
    if has_mask := hasattr(signal, "pthread_sigmask"):
        resource_tracker.ensure_running()  # else it would start in here, and lift the mask
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        if has_mask:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for number in received[:1]:
            signal.raise_signal(number)


def _gather(results: Iterable[dict[str, str]], total: int) -> dict[str, str]:
    failed: dict[str, str] = {}
    with progress(total=total, desc="decoding photos", unit="photo") as bar:
        for result in results:
            failed |= result
            bar.update(min(CHUNK, total - bar.n))
    return failed


class _Decoder:
    """Decodes chunks of photos into their places in the array's file ``target``."""

    def __init__(
        self, target: Path, root: DataRoot, read: Callable[[str], bytes], size: tuple[int, int]
    ) -> None:
        self.root, self.target, self.read, self.offset = (
            root,
            target,
            read,
            np.load(target, mmap_mode="r").offset,
        )
        self.block = np.empty((CHUNK, *size, 3), dtype=np.uint8)

    def run(self, start: int, ids: np.ndarray) -> dict[str, str]:
        """Decode some photos into the array's rows from ``start`` on; returns the ones that
        failed."""
        failed = {}
        for place, own in enumerate(ids):
            try:
                self.block[place] = decode(
                    self.read(self.root.photos[own].name), self.block.shape[1:3]
                )
            except DataError as error:
                failed[own] = str(error)
        with open(
            self.target, "r+b"
        ) as file:  # a fifth quicker than to touch the pages of a mapped file
            file.seek(self.offset + start * self.block[0].nbytes)
            file.write(self.block[: len(ids)])
        return failed


class _Worker:
    """What a worker process keeps open from one chunk to the next: listing a large zip takes a
    while.
    """

    @classmethod
    def start(cls, target: Path, root: DataRoot, size: tuple[int, int], parent: int) -> None:
        signal.signal(
            signal.SIGINT, signal.SIG_IGN
        )  # Ctrl-C is for the parent, which ends its workers
        threading.Thread(target=_end_with, args=[parent], daemon=True).start()
        cls.files = root.open_files()
        cls.decoder = _Decoder(target, root, cls.files.__enter__(), size)

    @classmethod
    def run(cls, start: int, ids: np.ndarray) -> dict[str, str]:
        return cls.decoder.run(start, ids)


def _end_with(parent: int) -> None:
    """End this process when its parent does: one that was killed could not end its workers."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
