"""Photos of full size (1440×1080, height×width): how quickly and in what memory they are decoded,
and how well.

``photo_rows`` measures it for `make scale`. Run as a program, it is the worker that is measured:

    python -m tests.checks.scale_photos ROOT CACHE HEIGHT WIDTH {reduced,whole}
"""

import io
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from fashion_tl.data.dataroot import open_root
from fashion_tl.data.photos import decode, decode_photos
from fashion_tl.data.sample import draw_sample
from tests import REPOSITORY

WORKER = (sys.executable, "-m", "tests.checks.scale_photos")
FULL = (1440, 1080)  # of Kaggle's photos
STORED = (224, 168)  # what the documents advise to store of them
# The bounds.
FASTER = 1.5  # times
PEAK = 75  # MB
MEAN, MOST = 1.0, 6  # levels of 255: on average, and of 99.9 % of the values


def enlarge(photo: Path, grain: np.ndarray) -> bytes:
    """A drawing as a photo of full size: with ``grain``, float32 [height, width], as a JPEG of 0.3
    to 0.5 MB.
    """
    pixels = np.asarray(
        Image.open(photo).convert("RGB").resize(FULL[::-1], Image.Resampling.LANCZOS), np.float32
    )
    buffer = io.BytesIO()
    Image.fromarray((pixels + grain[..., None]).clip(0, 255).astype(np.uint8)).save(
        buffer, "JPEG", quality=90
    )
    return buffer.getvalue()


def full_size_root(folder: Path, photos: int = 240) -> Path:
    """A data root of so many enlarged drawings."""
    small = draw_sample(folder / "small", photos=photos, types=min(30, photos // 8))
    home = folder / "full"
    (home / "images").mkdir(parents=True)
    (home / "styles.csv").write_bytes((small / "styles.csv").read_bytes())
    grain = np.random.default_rng(0).normal(0, 6, FULL).astype(np.float32)
    for number, photo in enumerate(sorted((small / "images").iterdir())):
        (home / "images" / photo.name).write_bytes(enlarge(photo, np.roll(grain, 7919 * number)))
    return home


def decode_whole(content: bytes, size: tuple[int, int]) -> np.ndarray:
    """What ``decoding.decode`` would give without decoding at a reduced scale."""
    draft, JpegImageFile.draft = JpegImageFile.draft, lambda *_: None
    try:
        return decode(content, size)
    finally:
        JpegImageFile.draft = draft


def differences(contents: list[bytes], size: tuple[int, int]) -> np.ndarray:
    """Between both ways, for each value of each photo, in levels of 255."""
    return np.stack([np.abs(decode(c, size).astype(int) - decode_whole(c, size)) for c in contents])


def peak_memory() -> float:
    """The most that this process has held so far, in MB (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1000


def measure(root: Path, way: str) -> dict[str, float]:
    """``rate``, photos per second, and ``before`` and ``peak``, MB, of a fresh process that decodes
    them all.
    """
    with tempfile.TemporaryDirectory() as cache:
        words = [*WORKER, str(root), cache, *map(str, STORED), way]
        done = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, check=True)
        return json.loads(done.stdout)


def photo_rows(folder: Path, photos: int = 240, rounds: int = 3) -> list[tuple[str, str, str, str]]:
    """Rows (what, how, result, bound) of the table. ``folder`` gets 0.4 MB per photo; the ways take
    turns.
    """
    root = full_size_root(folder, photos)
    files = sorted((root / "images").iterdir())
    runs = [{way: measure(root, way) for way in ("reduced", "whole")} for _ in range(rounds)]
    reduced, whole = (
        {key: [run[way][key] for run in runs] for key in runs[0][way]}
        for way in ("reduced", "whole")
    )
    times = float(np.median([a / b for a, b in zip(reduced["rate"], whole["rate"], strict=True)]))
    peaks, before = (max(reduced["peak"]), max(whole["peak"])), max(reduced["before"])
    apart = differences([file.read_bytes() for file in files[:32]], STORED)
    mean, most = float(apart.mean()), float(np.quantile(apart, 0.999))
    size = sum(file.stat().st_size for file in files) / len(files) / 1e6
    how = f"{len(files)} JPEGs of {FULL[0]}×{FULL[1]}, {size:.2f} MB each"
    how += f", to {STORED[0]}×{STORED[1]}; one worker"

    def row(what: str, how: str, result: str, bound: str, holds: bool) -> tuple[str, str, str, str]:
        return what, how, result if holds else f"{result}: NOT MET", bound

    rates = [float(np.median(way["rate"])) for way in (reduced, whole)]
    return [
        row(
            "decoding full-size photos",
            f"{how}; median of {rounds} rounds, beside decoding whole",
            f"{rates[0]:.0f} photos/s beside {rates[1]:.0f} ({times:.1f}×)",
            f"≥ {FASTER}×",
            times >= FASTER,
        ),
        row(
            "peak memory of that worker",
            f"the same; {before:.0f} MB of it before the first photo",
            f"{peaks[0]:.0f} MB beside {peaks[1]:.0f} MB",
            f"≤ {PEAK} MB, and no more than whole",
            peaks[0] <= min(PEAK, peaks[1]),
        ),
        row(
            "what it does to the pixels",
            f"{len(apart)} of them, beside decoding whole and resizing, levels of 255",
            f"{mean:.2f} on average, 99.9 % within {most:.0f}",
            f"≤ {MEAN:g}, 99.9 % within {MOST}",
            mean <= MEAN and most <= MOST,
        ),
    ]


def main(root: str, cache: str, height: str, width: str, way: str) -> None:
    if way == "whole":
        JpegImageFile.draft = lambda *_: None
    data = open_root(root)
    before, start = peak_memory(), time.perf_counter()
    decode_photos(data, list(data.photos), (int(height), int(width)), cache, workers=1)
    rate = len(data.photos) / (time.perf_counter() - start)
    print(json.dumps({"rate": rate, "before": before, "peak": peak_memory()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
