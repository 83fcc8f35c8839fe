"""Where the time of our training loop goes: into matrix products, and into what else.

    python -m study bench profile --data data/fashion-product-images-small.zip

writes results/bench/profile-<machine>.json in a few minutes. A share of the machine's rate of
matrix products says how far from it training is; this says why.
"""

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import torch
from torch.autograd.profiler import profile

from fashion_tl.data.dataset import Data, load_data
from fashion_tl.recipes import make_config
from study.bench.limit import SIDE, operations, products
from study.bench.measures import BF16, Size, evenly, training, words
from study.bench.timing import RATE, TIME_IN, row, save

ROUNDS = 5
SIZES: tuple[Size, ...] = ((80, 60), (160, 120))
PRODUCTS = "convolutions and matrix products"
REST = "all else"
# The kinds of work, by words in the names of torch's operators. The first kind that fits counts.
KINDS = {
    PRODUCTS: ("convolution", "mm", "linear", "matmul"),
    "BatchNorm": ("batch_norm",),
    "copies": ("copy", "cat", "clone", "fill_", "zero", "index", "pad"),
    "ReLU, sums and other arithmetic": ("relu", "threshold", "add", "mul", "sum", "mean", "div"),
}


def kind_of(operator: str) -> str:
    """The kind of work that an operator of torch does, by its name."""
    fitting = (kind for kind, parts in KINDS.items() if any(part in operator for part in parts))
    return next(fitting, REST)


def by_kind(work: Callable[[], object]) -> Counter[str]:
    """The seconds that some work takes on the processor, by kind."""
    with profile() as seen:
        work()
    taken: Counter[str] = Counter()
    for operator in seen.key_averages():
        taken[kind_of(operator.key)] += operator.self_cpu_time_total / 1e6
    return taken


def where_time_goes(data: Data, size: Size, batch: int, batches: int, side: int) -> list[dict]:
    """The shares of each kind of work in our loop, and how quick its matrix products alone are.

    The machine's rate of matrix products is measured in turns with the loop.
    """
    config = make_config("direct", image_size=size, batch_size=batch)
    photos = evenly(data.task.train, batches * batch)
    learn = training(data, photos, config)
    multiply = products(side, torch.bfloat16 if BF16 else torch.float32)
    needed = operations(data.task.num_classes, size, learns=True) * len(photos)
    shares: dict[str, list[float]] = {kind: [] for kind in (*KINDS, REST)}
    reached = []
    for number in range(ROUNDS + 1):
        start = time.perf_counter()
        multiply()
        most = 2 * side**3 / (time.perf_counter() - start)
        taken = by_kind(learn)
        if number:
            for kind, own in shares.items():
                own.append(100 * taken[kind] / taken.total())
            reached.append(100 * needed / taken[PRODUCTS] / most)
    title = f"fine-tuning, {words(size)}"
    rows = [row(f"{title}: {TIME_IN}{kind}", "%", own) for kind, own in shares.items()]
    note = f"part of the rate of {side}×{side} products, batches of {batch}"
    return [*rows, row(f"{title}: {RATE}", "%", reached, note=note)]


def main(data_path: str, results: Path, cache: str | None = None) -> None:
    """Measure on the processor, print the table, and keep it."""
    started = time.perf_counter()
    data = load_data(data_path, make_config("direct"), cache, quiet=True)
    rows: list[dict] = []
    for size in SIZES:
        rows += where_time_goes(data, size, batch=64, batches=4, side=SIDE)
    save(rows, results / "bench", data.root.name, len(data.photos.ids), started, "profile-")
