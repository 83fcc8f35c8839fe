"""Whether more data asks for more of the machine than it should. For ``make scale``.

    python tests/scale.py [--weights WEIGHTS] [NAME ...]

writes the table of all measurements, or prints the rows of these alone. A measurement is a function in ``MEASURES``,
which gets an empty folder and the weights, and returns rows ``(what, how, result, bound)``; a result ends with
``NOT MET`` where its bound is broken. Without weights, nothing can be said of how far two processes end from one.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from reliability import write_table
from scale_photos import photo_rows
from scale_processes import processes

HEAD = ("what", "how", "result", "bound")
FEW, MANY = 44_000, 440_000  # photos of the real data set, and ten times as many
DISTINCT = 500  # photos; the others are hard links to them
KINDS = 142


def many_photos(folder: Path) -> list[tuple[str, str, str, str]]:
    """Most anonymous memory of ``load_data``: the decoded photos are a file's pages, and don't count."""
    peaks, own = [], []  # bytes; kB a photo, without what the process had before
    for n in (FEW, MANY):
        peak, before = _measure(_linked_root(folder / str(n), n), folder / f"cache {n}")
        peaks.append(peak)
        own.append((peak - before) / n / 1e3)
    ratio, how = peaks[1] / peaks[0], f"{MANY:,} photos beside {FEW:,}, stored at 8×8; anonymous memory of the process"
    result = f"{peaks[1] / 1e6:,.0f} MB beside {peaks[0] / 1e6:,.0f} MB ({ratio:.1f}×)"
    result += f"; {own[1]:.1f} kB a photo beside {own[0]:.1f}"
    return [("loading ten times the photos", how, result if ratio < 5 else f"{result}: NOT MET", "< 5×")]


def _linked_root(home: Path, photos: int) -> Path:
    """A data root of so many photos, of which few are files of their own."""
    import numpy as np
    from PIL import Image

    (home / "images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    lines = ["id,gender,masterCategory,subCategory,articleType,baseColour,season,year,usage,productDisplayName"]
    for number in range(1, photos + 1):
        file = home / "images" / f"{number}.jpg"
        if number <= DISTINCT:
            Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(file, quality=90)
        else:
            os.link(home / "images" / f"{number % DISTINCT + 1}.jpg", file)
        kind, year = f"Kind {int(rng.integers(KINDS))}", 2011 + int(rng.integers(6))
        lines.append(f"{number},Men,Apparel,Topwear,{kind},Navy Blue,Fall,{year},Casual,Some Name of Product {number}")
    (home / "styles.csv").write_text("\n".join([*lines, ""]))
    return home


def _measure(root: Path, cache: Path) -> tuple[int, int]:
    """(most, before it began) bytes of anonymous memory of a process that loads this data root."""
    words = [sys.executable, __file__, "--load", root, cache]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    return tuple(json.loads(done.stdout.splitlines()[-1]))


def _load(root: str, cache: str) -> None:
    from fashion_tl.approaches import load_data
    from fashion_tl.config import make_config

    before = _anonymous()
    peak, done = [before], threading.Event()

    def watch() -> None:
        while not done.is_set():
            peak[0] = max(peak[0], _anonymous())
            time.sleep(0.02)

    threading.Thread(target=watch, daemon=True).start()
    load_data(root, make_config("direct", stored_size=(8, 8)), cache)
    done.set()
    print(json.dumps([peak[0], before]))


def _anonymous() -> int:
    """Bytes of memory of this process that no file stands behind (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))


MEASURES: dict[str, Callable[[Path, str | None], list[tuple[str, str, str, str]]]] = {
    "many_photos": lambda folder, weights: many_photos(folder),
    "full_size_photos": lambda folder, weights: photo_rows(folder),
    "processes": processes,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(MEASURES))
    parser.add_argument("--weights", help="a torchvision name, or a file")
    args = parser.parse_args()
    rows = []
    for name in args.names or MEASURES:
        with tempfile.TemporaryDirectory(prefix="scale-") as folder:
            new = MEASURES[name](Path(folder), args.weights)
        print(*map(" | ".join, new), sep="\n", flush=True)
        rows += new
    if not args.names:
        write_table("scale", HEAD, rows)
    return int(any(result.endswith("NOT MET") for _, _, result, _ in rows))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--load"]:
        _load(*sys.argv[2:])
    else:
        sys.exit(main())
