"""A data root ten times the real one takes a few kB a photo, and not ten times the memory. For
``make faults``.

Run as a program, it is the process that is measured: python -m tests.checks.many_photos ROOT CACHE
"""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
from PIL import Image

from tests import HEADER, REPOSITORY

FEW, MANY = 44_000, 440_000  # photos of the real data set, and ten times as many
DISTINCT = 500  # photos; the others are hard links to them
KINDS = 142
BOUND, OWN = 5, 3  # times the memory; kB a photo


def many_photos(folder: Path) -> tuple[str, str, str]:
    """A row (what, how often, what was lost) of the table: most anonymous memory of ``load_data``,
    since the decoded photos are a file's pages, and don't count.
    """
    peaks, own = [], []  # bytes; kB a photo, without what the process had before
    for n in (FEW, MANY):
        peak, before = _measure(_linked_root(folder / str(n), n), folder / f"cache {n}")
        peaks.append(peak)
        own.append((peak - before) / n / 1e3)
    ratio = peaks[1] / peaks[0]
    took = f"{peaks[1] / 1e6:,.0f} MB of memory beside {peaks[0] / 1e6:,.0f} MB ({ratio:.1f}×"
    took += f"; {own[1]:.1f} kB a photo beside {own[0]:.1f})"
    what = f"a data root of {MANY:,} photos (links) is loaded, beside one of {FEW:,}"
    return (
        what,
        f"1: {took}",
        "nothing"
        if ratio < BOUND and own[1] < OWN
        else f"more than {BOUND}× the memory, or {OWN} kB a photo",
    )


def _linked_root(home: Path, photos: int) -> Path:
    """A data root of so many photos, of which few are files of their own."""
    (home / "images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    lines = [HEADER]
    for number in range(1, photos + 1):
        file = home / "images" / f"{number}.jpg"
        if number <= DISTINCT:
            Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(file, quality=90)
        else:
            os.link(home / "images" / f"{number % DISTINCT + 1}.jpg", file)
        kind, year = f"Kind {int(rng.integers(KINDS))}", 2011 + int(rng.integers(6))
        name = f"Some Name of Product {number}"
        lines.append(f"{number},Men,Apparel,Topwear,{kind},Navy Blue,Fall,{year},Casual,{name}")
    (home / "styles.csv").write_text("\n".join([*lines, ""]))
    return home


def _measure(root: Path, cache: Path) -> tuple[int, int]:
    """(most, before it began) bytes of anonymous memory of a process that loads this data root."""
    words = [sys.executable, "-m", "tests.checks.many_photos", root, cache]
    done = subprocess.run(words, cwd=REPOSITORY, check=True, capture_output=True, text=True)
    return tuple(json.loads(done.stdout.splitlines()[-1]))


def _load(root: str, cache: str) -> None:
    from fashion_tl.data.dataset import load_data
    from fashion_tl.recipes import make_config

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


if __name__ == "__main__":
    _load(*sys.argv[1:])
