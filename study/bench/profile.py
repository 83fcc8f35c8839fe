"""Where the time of our training loop goes: into matrix products, and into what else.

    python -m study bench profile --data data/fashion-product-images-small.zip

writes results/bench/profile-<machine>.json in some minutes. A share of the machine's rate of matrix
products says how far from it training is; this says why.
"""

import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from torch.autograd.profiler import profile

from fashion_tl.data.dataset import Data, load_data
from fashion_tl.errors import ConfigError
from fashion_tl.network.inference import pick_device
from fashion_tl.network.model import build_network
from fashion_tl.recipes import make_config
from study.bench.limit import SIDE, operations, products
from study.bench.measures import BF16, Size, evenly, training, words
from study.bench.timing import TIME_IN, row, save

ROUNDS = 5
SIZES: tuple[Size, ...] = ((80, 60), (160, 120))
LOOP = "part of the rate, the loop"
PRODUCTS = "part of the rate, its matrix products alone"
MATRICES = "convolutions and matrix products"
REST = "all else (Python, pooling, loss, …)"
# The kinds of work, by words in the names of torch's operators. The first kind that fits counts.
KINDS = {
    "the optimizer": ("_fused_", "Optimizer"),
    MATRICES: ("convolution", "conv2d", "addmm", "::mm", "linear", "matmul"),
    "BatchNorm": ("batch_norm",),
    "copies, other layouts and dtypes": ("copy", "::cat", "clone", "fill_", "zero", "index", "pad"),
    "ReLU, sums and other arithmetic": (
        *("relu", "clamp", "threshold", "lerp", "::add", "::sub", "::mul", "::div"),
        *("::sum", "::mean"),
    ),
}


def kind_of(operator: str) -> str:
    """The kind of work that an operator of torch does, by its name."""
    fitting = (kind for kind, parts in KINDS.items() if any(part in operator for part in parts))
    return next(fitting, REST)


def by_kind(work: Callable[[], object]) -> dict[str, float]:
    """The seconds that some work takes, by kind. What no operator takes belongs to the rest."""
    start = time.perf_counter()
    with profile() as seen:
        work()
        seconds = time.perf_counter() - start
    taken: dict[str, float] = defaultdict(float)
    for operator in seen.key_averages():
        taken[kind_of(operator.key)] += operator.self_cpu_time_total / 1e6
    taken[REST] += max(0.0, seconds - sum(taken.values()))
    return taken


def where_time_goes(data: Data, size: Size, batch: int, batches: int, side: int) -> list[dict]:
    """The share of each kind of work in our loop's time, and the parts of the machine's rate that
    the loop and its matrix products alone reach.

    The machine's rate is measured before and after each round of the loop.
    """
    config = make_config("direct", image_size=size, batch_size=batch)
    photos = evenly(data.task.train, batches * batch)
    learn = training(data, photos, config)
    multiply = products(side, torch.bfloat16 if BF16 else torch.float32)
    network = build_network(data.task.num_classes, None, config)
    needed = operations(network, size, learns=True) * len(photos)
    shares: dict[str, list[float]] = {
        name: [] for name in (LOOP, *(TIME_IN + kind for kind in (*KINDS, REST)), PRODUCTS)
    }
    by_kind(learn)  # not measured: it warms up
    for _ in range(ROUNDS):
        rates = [rate_of(multiply, side) for _ in range(3)]
        taken = by_kind(learn)
        whole = sum(taken.values())
        most = median(rates + [rate_of(multiply, side) for _ in range(3)])
        for kind in (*KINDS, REST):
            shares[TIME_IN + kind].append(100 * taken[kind] / whole)
        shares[LOOP].append(100 * needed / whole / most)
        shares[PRODUCTS].append(100 * needed / taken[MATRICES] / most)
    return [
        row(
            f"fine-tuning, {words(size)}: {name}",
            "%",
            own,
            note=f"{min(own):.0f} to {max(own):.0f} % in {ROUNDS} rounds, batches of {batch}",
        )
        for name, own in shares.items()
    ]


def rate_of(multiply: Callable[[], object], side: int) -> float:
    """Floating-point operations per second of one product."""
    start = time.perf_counter()
    multiply()
    return 2 * side**3 / (time.perf_counter() - start)


def main(data_path: str, results: Path, cache: str | None = None) -> None:
    """Measure on the processor, print the table, and keep it. ConfigError where a GPU trains."""
    if pick_device().type != "cpu":
        raise ConfigError(
            "a GPU trains here, and this measures the processor; set FASHION_TL_DEVICE=cpu"
        )
    started = time.perf_counter()
    data = load_data(data_path, make_config("direct"), cache, quiet=True)
    rows: list[dict] = []
    for size in SIZES:
        rows += where_time_goes(data, size, batch=64, batches=4, side=SIDE)
    save(rows, results / "bench", data.root.name, len(data.photos.ids), started, "profile-")
