"""Whether more data asks for more of the machine than it should. For ``make scale``.

    python tests/scale.py [NAME ...]

writes the table of all rows, or prints the rows of these functions alone. A row is a function in ``ROWS``, which gets
an empty folder and returns ``(what, how, result, bound)``; the bound ends with a ``!`` where it is broken.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

HEAD = ("what", "how", "result", "bound")
FEW, MANY = 44_000, 440_000  # photos of the real data set, and ten times as many
DISTINCT = 500  # photos; the others are hard links to them
KINDS = 142


def many_photos(folder: Path) -> tuple[str, str, str, str]:
    """Most anonymous memory of ``load_data``: the decoded photos are a file's pages, and don't count."""
    peaks, own = [], []  # bytes; kB a photo, without what the process had before
    for n in (FEW, MANY):
        peak, before = _measure(_linked_root(folder / str(n), n), folder / f"cache {n}")
        peaks.append(peak)
        own.append((peak - before) / n / 1e3)
    ratio, how = peaks[1] / peaks[0], f"{MANY:,} photos beside {FEW:,}, stored at 8×8; anonymous memory of the process"
    result = f"{peaks[1] / 1e6:,.0f} MB beside {peaks[0] / 1e6:,.0f} MB ({ratio:.1f}×)"
    result += f"; {own[1]:.1f} kB a photo beside {own[0]:.1f}"
    return "loading ten times the photos", how, result, "< 5×" + ("" if ratio < 5 else " !")


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


ROWS: list[Callable[[Path], tuple[str, str, str, str]]] = [many_photos]


def main() -> int:
    from reliability import write_table

    chosen, rows = [row for row in ROWS if not sys.argv[1:] or row.__name__ in sys.argv[1:]], []
    for row in chosen:
        with tempfile.TemporaryDirectory(prefix="scale-") as folder:
            rows.append(row(Path(folder)))
        print(" | ".join(rows[-1]), flush=True)
    if not sys.argv[1:]:
        write_table("scale", HEAD, rows)
    return int(any(bound.endswith("!") for *_, bound in rows))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--load"]:
        _load(*sys.argv[2:])
    else:
        sys.exit(main())
