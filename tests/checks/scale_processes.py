"""How long an epoch takes by one process and by two, and how far apart they end; run by
``make scale``.
"""

import os
import socket
import sys
from pathlib import Path
from subprocess import DEVNULL, Popen

import torch
from safetensors.torch import load_file
from torch import Tensor

from fashion_tl.config import Config
from fashion_tl.data.sample import draw_sample
from fashion_tl.network.model import build_network
from fashion_tl.runs import open_run

LARGEST = {"of any weight": 1e-5, "in the history": 1e-4}  # differences
SETTINGS = (
    "image_size=80x60",
    "batch_size=16",
    "precision=fp32",
    "optimizer=sgd",
    "lr=1e-4",
    "warmup_epochs=0",
    "epochs=2",
)


def processes(
    home: Path, weights: str | None = None, photos: int = 240
) -> list[tuple[str, str, str, str]]:
    """Rows ``(what, how, result, bound)``: direct, by one process, by two, and by one on each of
    two machines, in ``home``; each has one thread.

    ``weights`` is a ResNet-50's file or name; None takes random ones, from which BatchNorm learns,
    so that nothing can be said of the difference.
    """
    data = draw_sample(home / "sample", photos=photos, types=8)
    runs = [
        _run(*size, data, weights or "none", home / "{} x {}".format(*size))
        for size in ((1, 1), (1, 2), (2, 1))
    ]
    one, two, _ = histories = [open_run(run).history for run in runs]
    how = f"direct, {photos} photos of the sample at 80×60, batches of 16, fp32, one thread each"
    times = [table["seconds"].iloc[-1] for table in (one, two)]
    rows = [
        ("an epoch by 1 and by 2 processes", how, f"{times[0]:.1f} s and {times[1]:.1f} s", "–")
    ]
    if weights:
        alone, *together = [load_file(run / "model.safetensors") for run in runs]
        start = build_network(len(alone["fc.bias"]), weights, Config("direct")).state_dict()
        moved, least = apart(alone, start), 10 * LARGEST["of any weight"]
        rows.append(
            (
                "largest change of any weight in training",
                how,
                judged(moved, moved >= least),
                f"≥ {least:g}",
            )
        )
        one, *others = (table.drop(columns=["seconds", "best"]) for table in histories)
        places = ("one torchrun", "two torchruns, as of two machines")
        for where, state, table in zip(places, together, others, strict=True):
            found = (apart(alone, state), float((one - table).abs().to_numpy().max()))
            for (what, bound), value in zip(LARGEST.items(), found, strict=True):
                words = f"2 processes of {where}: largest difference {what}"
                rows.append((words, how, judged(value, value <= bound), f"≤ {bound:g}"))
    wanted = set(open_run(runs[0]).predictions["id"])
    predicted = [open_run(run).predictions["id"] for run in runs]
    once = all(ids.is_unique and set(ids) == wanted for ids in predicted)
    return [
        *rows,
        ("every test photo predicted once", how, "yes" if once else "no: NOT MET", "yes"),
    ]


def apart(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    """The largest difference of any weight; NaN where one of them is."""
    return float(
        torch.stack([(one[name].double() - other[name].double()).abs().max() for name in one]).max()
    )


def judged(value: float, met: bool) -> str:
    return f"{value:.1e}" if met else f"{value:.1e}: NOT MET"


def _run(machines: int, n: int, data: Path, weights: str, folder: Path) -> Path:
    """One run of so many machines, here all this one, with ``n`` processes each."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    places = {"data": data, "weights": weights, "out": folder, "cache": folder.parent / "cache"}
    words = ["run", "direct", *(f"--{name}={place}" for name, place in places.items())]
    words += [f"--set={setting}" for setting in SETTINGS]
    running = []
    for machine in range(machines):
        torchrun = f"-m torch.distributed.run --nnodes {machines} --node-rank {machine}"
        torchrun += f" --nproc-per-node {n} --master-addr 127.0.0.1 --master-port {port}"
        start = torchrun.split() if machines * n > 1 else []
        command = [sys.executable, *start, "-m", "fashion_tl", *words]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        running.append(Popen(command, env=environment, stdout=DEVNULL, stderr=DEVNULL))
    codes = [process.wait() for process in running]
    if any(codes):
        raise SystemExit(f"{folder}: the run failed")
    return folder
