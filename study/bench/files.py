"""The data side: a zip decoded into the array, the light commands. A process without torch, as the
commands are.

python -m study.bench.files data/fashion-product-images-small.zip      # prints rows of the table,
as JSON
"""

import contextlib
import io
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from fashion_tl.data.dataroot import DataRoot, open_root
from fashion_tl.data.photos import decode_photos
from fashion_tl.files import as_path
from study.bench.timing import alternate, row

SIZE = (80, 60)


def decoding_loop(root: DataRoot, ids: list[str], size: tuple[int, int]) -> int:
    """Every photo of a zip decoded with PIL into one array, in one process."""
    array = np.empty((len(ids), *size, 3), dtype=np.uint8)
    with zipfile.ZipFile(root.path) as archive:
        for row, own in enumerate(ids):
            image = Image.open(
                io.BytesIO(archive.read(root.inner + root.photos[own].name))
            ).convert("RGB")
            array[row] = np.asarray(image if image.size == size[::-1] else image.resize(size[::-1]))
    return len(ids)


def decoding(path: Path) -> list[dict]:
    """From a zip on disk to the whole array, beside a plain PIL loop (the first row); and opening
    it again.
    """
    root = open_root(path)
    ids = sorted(root.photos)
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder, "cache")

        def ours() -> int:
            with contextlib.redirect_stderr(io.StringIO()):
                return len(decode_photos(open_root(path), ids, SIZE, cache).ids)

        def again() -> int:
            decode_photos(root, ids, SIZE, cache)
            return 1

        def clean() -> int:  # else the disk would be busy with what earlier rounds wrote
            shutil.rmtree(cache)
            return 1

        taken = alternate(
            ours=ours, again=again, clean=clean, loop=lambda: decoding_loop(root, ids, SIZE)
        )
    seconds, theirs = ([each * len(ids) for each in taken[name]] for name in ("ours", "loop"))
    return [
        row(
            f"zip on disk to ready array, {len(ids):,} photos",
            "s",
            seconds,
            theirs,
            None,
            "≥ 1.7×",
            "the zip is in memory already; other: one process with PIL",
        ),
        row("opening that array again", "s", taken["again"], goal="< 0.5 s"),
    ]


def per_photo(path: Path) -> list[dict]:
    """Milliseconds per photo after start-up, as the number of photos grows."""
    root = open_root(path)
    everything = sorted(root.photos)
    sizes = [n for n in (1000, 4000, 16000) if n < len(everything)] + [len(everything)]

    def decode(n: int) -> Callable[[], int]:
        ids = [everything[i] for i in np.linspace(0, len(everything) - 1, n).astype(int)]

        def run() -> int:
            with tempfile.TemporaryDirectory() as cache, contextlib.redirect_stderr(io.StringIO()):
                return len(decode_photos(root, ids, SIZE, cache, workers=1).ids)

        return run

    taken = alternate(one=decode(1), **{str(n): decode(n) for n in sizes})
    starts = taken.pop("one")
    ms = {
        n: [1000 * (t - start / n) for t, start in zip(taken[str(n)], starts, strict=True)]
        for n in sizes
    }
    shown = ", ".join(f"{n:,} photos: {statistics.median(ms[n]):.3f} ms" for n in sizes)
    note = f"time for each photo, in one process; {shown}"
    name = f"decoding: {sizes[-1]:,} photos beside {sizes[0]:,}"
    return [row(name, "ms/photo", ms[sizes[-1]], ms[sizes[0]], None, "0.9–1.1×", note)]


def commands(path: Path) -> list[dict]:
    """How long the light commands take, and that they don't wait for torch."""
    here = [sys.executable, "-m", "fashion_tl"]

    def run(*words: str) -> Callable[[], int]:
        def command() -> int:
            subprocess.run([*here, *words], check=True, capture_output=True)
            return 1

        return command

    taken = alternate(help=run("--help"), summary=run("summary", "--data", str(path)))
    return [row(f"`{name}`", "s", seconds, goal="< 2 s") for name, seconds in taken.items()]


if __name__ == "__main__":
    zip_file = as_path(sys.argv[1])
    light, decoded = commands(zip_file), decoding(zip_file)
    print(
        json.dumps(
            {"rows": [*light, *decoded, *per_photo(zip_file)], "decoding": decoded[0]["ours"]}
        )
    )
