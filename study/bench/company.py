"""Our programs beside other busy ones: a machine is seldom all ours, and torch's threads wait for
one another.

    python -m study.bench.company {train,forward}     # says "ready"; then each line of stdin is a
    number of seconds

is one program at work: for each line it answers with the photos per second that it reached.
:func:`in_company` starts several, and compares them.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, redirect_stdout
from pathlib import Path

from fashion_tl.machine import processors
from study.bench.timing import row, save

SECONDS = 15.0  # the number of threads follows the load within some of them
ROUNDS = 2
SIZE, BATCH, CLASSES = (80, 60), 64, 142
OPENMP_DEFAULT = "300000"  # what GOMP_SPINCOUNT is where nobody sets it
KINDS = {"train": "fine-tuning", "forward": "forward pass"}


def step(kind: str) -> Callable[[], int]:
    """One step of our own network on one batch: of its training, or forward as in testing."""
    import torch

    from fashion_tl.network.inference import autocast, frozen_copy, resolve_precision
    from fashion_tl.network.model import build_network
    from fashion_tl.recipes import make_config
    from study.bench.peers import training_step

    device = torch.device("cpu")
    model = build_network(CLASSES, None, make_config("direct"))
    precision = resolve_precision("auto", device)
    if kind == "train":
        return training_step(model, model, SIZE, BATCH, precision == "bf16")
    network = frozen_copy(model.eval(), precision)
    photos = torch.randn(BATCH, 3, *SIZE).to(memory_format=torch.channels_last)

    def forward() -> int:
        with torch.inference_mode(), autocast(device, precision):
            network(photos)
        return BATCH

    return forward


def work(kind: str) -> None:
    """Answer each line of stdin as the module says."""
    import torch

    from fashion_tl.threads import threads_by_load

    one_step = step(kind)
    one_step()
    one_step()
    print("ready", flush=True)
    for line in sys.stdin:
        start, photos = time.perf_counter(), 0
        # Adapts as our loops do.
        with (
            redirect_stdout(sys.stderr),
            threads_by_load(torch.device("cpu")) as adapt,
        ):
            while time.perf_counter() - start < float(line):
                photos += one_step()
                adapt()
        print(f"{photos / (time.perf_counter() - start)}", flush=True)


def start(kind: str, spin_count: str, end: ExitStack, adapts: bool = True) -> subprocess.Popen[str]:
    """One such program, ready; ``end`` ends it. It has all threads at all times unless it
    ``adapts`` their number.
    """
    environment = os.environ | {"GOMP_SPINCOUNT": spin_count, "FASHION_TL_DEVICE": "cpu"}
    if not adapts:
        environment["OMP_NUM_THREADS"] = str(processors())
    program = subprocess.Popen(
        [sys.executable, "-m", "study.bench.company", kind],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    end.callback(program.wait)
    end.callback(program.kill)
    answer(program)
    return program


def ask(program: subprocess.Popen[str]) -> None:
    """Let it work for ``SECONDS``."""
    assert program.stdin is not None, "start gave it a pipe"
    program.stdin.write(f"{SECONDS}\n")
    program.stdin.flush()


def answer(program: subprocess.Popen[str]) -> str:
    """The next line that it says, once it does."""
    assert program.stdout is not None, "start gave it a pipe"
    return program.stdout.readline()


def together(*programs: subprocess.Popen[str]) -> float:
    """Photos per second of all of them, at work at the same time."""
    for program in programs:
        ask(program)
    return sum(float(answer(program)) for program in programs)


def beside_a_busy_loop(program: subprocess.Popen[str]) -> float:
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
        try:
            return together(program)
        finally:
            busy.kill()


def main(results: Path) -> None:
    """Measure this alone, print the table, and keep it in a file of its own."""
    started = time.perf_counter()
    rows = in_company()
    save(rows, results / "bench", "one random batch", BATCH, started, "beside-others-")


def in_company() -> list[dict]:
    """Rows of the table: alone, beside a busy program, two at once; ours, and with OpenMP's own way
    of waiting.
    """
    rows = []
    for kind, words in KINDS.items():
        rates: dict[str, list[float]] = {}
        with ExitStack() as end:
            ours = [
                start(kind, os.environ.get("GOMP_SPINCOUNT", OPENMP_DEFAULT), end) for _ in range(2)
            ]
            others = [start(kind, OPENMP_DEFAULT, end, adapts=False) for _ in range(2)]
            for _ in range(ROUNDS):
                for name, pair in (("ours", ours), ("other", others)):
                    rates.setdefault(f"{name} alone", []).append(together(pair[0]))
                    rates.setdefault(f"{name} busy", []).append(beside_a_busy_loop(pair[0]))
                    rates.setdefault(f"{name} two", []).append(together(*pair))
        alone = rates["ours alone"]
        note = (
            f"batches of {BATCH}; other: the same with as many threads as cores at all times, each "
            "of which keeps its core busy while it waits; bare: ours alone"
        )
        for name, what, limit, goal in (
            ("alone", f"{words}, alone", None, "≥ 0.98×"),
            ("busy", f"{words}, beside a busy program", alone, "≥ 0.40"),
            ("two", f"{words}, two at once, together", alone, "≥ 0.60" if kind == "train" else ""),
        ):
            rows.append(
                row(
                    what,
                    "photos/s",
                    rates[f"ours {name}"],
                    rates[f"other {name}"],
                    limit,
                    goal,
                    note,
                )
            )
    return rows


if __name__ == "__main__":
    work(*sys.argv[1:])
