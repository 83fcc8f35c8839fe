"""How long an epoch takes by one process and by two, and how far apart the two end; run by ``tests/scale.py``."""

import os
import subprocess
import sys
from pathlib import Path

from safetensors.torch import load_file

from fashion_tl.model import build_resnet50
from fashion_tl.runs import open_run
from fashion_tl.sample import draw_sample

LARGEST = {"of any weight": 1e-5, "in the history": 1e-4}  # differences
SETTINGS = "image_size=80x60 batch_size=16 precision=fp32 optimizer=sgd lr=1e-4 warmup_epochs=0 epochs=2".split()


def processes(home: Path, weights: str | None = None, photos: int = 240) -> list[tuple[str, str, str, str]]:
    """Rows ``(what, how, result, bound)``: direct, by one process and by two of one thread each, in ``home``.

    ``weights`` is a ResNet-50's file or name; None takes random ones, from which BatchNorm learns, so that nothing can
    be said of the difference.
    """
    data = draw_sample(home / "sample", photos=photos, types=8)
    runs = [_run(n, data, weights or "none", home / f"{n} processes") for n in (1, 2)]
    one, two = (open_run(run).history for run in runs)
    how = f"direct, {photos} photos of the sample at 80×60, batches of 16, fp32, one thread each"
    times = [table["seconds"].iloc[-1] for table in (one, two)]
    rows = [("an epoch by 1 and by 2 processes", how, f"{times[0]:.1f} s and {times[1]:.1f} s", "–")]
    if weights:
        states = [load_file(run / "model.safetensors") for run in runs]
        weight = max(float((states[0][k].double() - states[1][k].double()).abs().max()) for k in states[0])
        one, two = (table.drop(columns=["seconds", "best"]) for table in (one, two))
        figure = float((one - two).abs().max().max())
        for (what, bound), apart in zip(LARGEST.items(), (weight, figure), strict=True):
            rows.append((f"largest difference {what}", how, judged(apart, apart <= bound), f"≤ {bound:g}"))
        start = build_resnet50(len(states[0]["fc.bias"]), weights, seed=0).state_dict()
        moved = max(float((states[0][k].double() - start[k].double()).abs().max()) for k in start)
        least = 10 * LARGEST["of any weight"]
        rows.append(("largest change of any weight in training", how, judged(moved, moved >= least), f"≥ {least:g}"))
    once = all(open_run(run).predictions["id"].is_unique for run in runs)
    same = set(open_run(runs[0]).predictions["id"]) == set(open_run(runs[1]).predictions["id"])
    return [*rows, ("every test photo predicted once", how, "yes" if once and same else "no: NOT MET", "yes")]


def judged(value: float, met: bool) -> str:
    return f"{value:.1e}" if met else f"{value:.1e}: NOT MET"


def _run(n: int, data: Path, weights: str, folder: Path) -> Path:
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(n)] if n > 1 else []
    words = ["run", "direct", "--data", data, "--weights", weights, "--out", folder, "--cache", folder.parent / "cache"]
    settings = [word for setting in SETTINGS for word in ("--set", setting)]
    command = [sys.executable, *torchrun, "-m", "fashion_tl", *map(str, words), *settings]
    subprocess.run(command, check=True, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True)
    return folder
