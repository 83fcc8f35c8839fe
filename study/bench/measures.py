"""What is measured: each function returns rows of the table, from rounds that alternate."""

import contextlib
import importlib.util
import io
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fashion_tl.config import Config
from fashion_tl.data.batches import Batches, photo_batches
from fashion_tl.data.dataset import Data
from fashion_tl.network.inference import outputs, pick_device, resolve_precision, through
from fashion_tl.network.model import (
    build_network,
    freeze_first_children,
    split_frozen,
)
from fashion_tl.network.training import fit
from fashion_tl.recipes import make_config
from study.bench import peers
from study.bench.timing import alternate, missing, rates, row

EPOCHS = 20
BF16 = resolve_precision("auto", pick_device()) == "bf16"
Size = tuple[int, int]


def words(size: Size) -> str:
    return f"{size[0]}×{size[1]}"


def evenly(rows: np.ndarray, n: int) -> np.ndarray:
    """``n`` of the rows, from the first to the last."""
    return rows[np.linspace(0, len(rows) - 1, min(n, len(rows))).astype(int)]


def some(data: Data, rows: np.ndarray, config: Config) -> Batches:
    return photo_batches(data.photos.array, rows, data.task.labels[rows], config)


def quietly(work: Callable, *args: object) -> None:
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        work(*args)


def times(n: int, work: Callable[[], int]) -> Callable[[], int]:
    return lambda: sum(work() for _ in range(n))


def training(
    data: Data, rows: np.ndarray, config: Config, freeze: Callable | None = None
) -> Callable[[], int]:
    """One epoch of our own loop over these photos."""
    model = build_network(data.task.num_classes, None, config).to(pick_device())
    if freeze:
        freeze(model)
    frozen, learning = split_frozen(model)
    train = through(frozen, some(data, rows, config), config.precision).to(pick_device())
    val = some(data, rows[:0], config)
    config = config.change(epochs=1, warmup_epochs=0.0)

    def epoch() -> int:
        quietly(fit, learning, train, val, config, np.ones(data.task.num_classes))
        return len(rows)

    return epoch


def forward(data: Data, rows: np.ndarray, config: Config) -> Callable[[], int]:
    """Our own forward pass over these photos."""
    model = build_network(data.task.num_classes, None, config).to(pick_device())
    batches = some(data, rows, config)
    return lambda: sum(len(part) for part in outputs(model, batches, config.precision))


def fine_tuning(
    data: Data, files: list[Path], size: Size, batch: int, batches: int, workers: int = 0
) -> list[dict]:
    """The loop beside the bare step, the published loop, and itself with the first five children
    frozen.
    """
    config = make_config("direct", image_size=size, batch_size=batch)
    classes = data.task.num_classes
    rows = evenly(data.task.train, batches * batch)
    labels = data.task.labels[evenly(data.task.train, len(files))]
    bare = peers.bare_training(size, batch, classes, BF16, frozen=False)
    bare_step2 = peers.bare_training(size, batch, classes, BF16, frozen=True)
    device = pick_device()
    ready = some(data, rows, config).to(device)
    taken = alternate(
        loop=training(data, rows, config),
        bare=times(batches, bare),
        published=peers.published_loop(
            files, labels, size, classes, head_only=False, workers=workers
        ),
        step2=training(data, rows, config, freeze_first_children),
        bare_step2=times(batches, bare_step2),
        prepare=lambda: sum(
            len(ready.prepare(inputs)) for inputs, _ in ready.shuffled(0, 0, device)
        ),
    )
    return _fine_tuning_rows(taken, size, f"batches of {batch}", workers)


def _fine_tuning_rows(
    taken: dict[str, list[float]], size: Size, batches: str, workers: int
) -> list[dict]:
    """The seconds that :func:`fine_tuning` has taken, as rows of the table."""
    per_second = {name: rates(seconds) for name, seconds in taken.items()}
    saved = statistics.median(
        1 - b / a for a, b in zip(taken["bare"], taken["bare_step2"], strict=True)
    )
    shares = [100 * p / b for p, b in zip(taken["prepare"], taken["loop"], strict=True)]
    return [
        row(
            f"full fine-tune, {words(size)}",
            "photos/s",
            per_second["loop"],
            per_second["published"],
            per_second["bare"],
            goal="≥ 2.5×, ≥ 0.95",
            note=f"{batches}; other: the published loop, float32, batches of 16, "
            f"{workers} worker processes",
        ),
        row(
            f"step 2 (5 children frozen), {words(size)}",
            "photos/s",
            per_second["step2"],
            per_second["loop"],
            per_second["bare_step2"],
            goal=f"≥ {1 / (1 - saved):.2f}×",
            note="other: our full fine-tune; "
            f"the backward pass of the frozen part takes {saved:.1%} of a bare step",
        ),
        row(
            f"preparing batches of {words(size)}, part of a training step",
            "%",
            shares,
            goal="≤ 4 %",
        ),
    ]


def compiling(batches: int) -> list[dict]:
    """Whether torch.compile pays for a training step."""
    first, second = (build_network(142, None, make_config("direct")) for _ in range(2))
    plain = peers.training_step(first, first, (80, 60), 64, BF16)
    compiled = peers.training_step(second, torch.compile(second), (80, 60), 64, BF16)
    start = time.perf_counter()
    compiled()
    seconds = time.perf_counter() - start
    note = f"other: the same under torch.compile, which first takes {seconds:.0f} s"
    taken = alternate(plain=times(batches, plain), compiled=times(batches, compiled))
    return [
        row(
            "training step of our network, 80×60",
            "photos/s",
            rates(taken["plain"]),
            rates(taken["compiled"]),
            note=note,
        )
    ]


def evaluation(data: Data, size: Size, batch: int, batches: int) -> list[dict]:
    """Predicting test photos beside the bare forward pass."""
    config = make_config("direct", image_size=size, batch_size=batch)
    bare = peers.bare_forward(size, batch, data.task.num_classes, BF16)
    rows = evenly(data.task.test, batches * batch)
    taken = alternate(ours=forward(data, rows, config), bare=times(batches, bare))
    name = f"evaluating test photos, {words(size)}"
    return [
        row(
            name,
            "photos/s",
            rates(taken["ours"]),
            None,
            rates(taken["bare"]),
            "≥ 0.95",
            f"batches of {batch}",
        )
    ]


def per_photo(data: Data) -> list[dict]:
    """Milliseconds per photo as the number of photos grows, over some taken evenly from all of
    them.
    """
    rows, config = np.arange(len(data.photos.ids)), make_config("direct", image_size=(80, 60))
    sizes = [n for n in (1000, 4000, 16000) if n < len(rows)] + [len(rows)]
    table = []
    for name, work, photos in (("forward pass", forward, 512), ("fine-tuning", training, 256)):
        taken = alternate(**{str(n): work(data, evenly(rows[:n], photos), config) for n in sizes})
        ms = {n: [1000 * each for each in taken[str(n)]] for n in sizes}
        shown = ", ".join(f"first {n:,}: {statistics.median(ms[n]):.3f} ms" for n in sizes)
        note = f"time for each photo, over {photos} photos taken evenly from so many; {shown}"
        title = f"{name}: photos drawn from {sizes[-1]:,} beside from {sizes[0]:,}"
        table.append(row(title, "ms/photo", ms[sizes[-1]], ms[sizes[0]], None, "0.9–1.1×", note))
    return table


def memory(path: Path) -> list[dict]:
    """Most anonymous memory of a fine-tuning, with all photos and with a quarter of them."""
    peaks = [
        in_its_own_process("memory", str(path), share)["anonymous_gb"] for share in ("1", "0.25")
    ]
    note = "memory of the process, without files that it maps; other: on a quarter of the photos"
    return [
        row("memory of a full fine-tune", "GB", peaks[:1], peaks[1:], None, "< 2.5 GB, level", note)
    ]


def fastai(files: list[Path], labels: list[str], data: Data) -> list[dict]:
    """fastai's own fine-tuning of the same network on the same photos."""
    name = "full fine-tune, 80×60, beside fastai"
    if importlib.util.find_spec("fastai") is None:
        return [
            missing(name, "photos/s", "fastai isn't installed; see study/bench/requirements.txt")
        ]
    from study.bench.fastai_peer import fastai_epoch

    rows = evenly(data.task.train, len(files))
    taken = alternate(
        ours=training(data, rows, make_config("direct", image_size=(80, 60))),
        fastai=fastai_epoch(files, labels),
    )
    note = "other: vision_learner, fit_one_cycle, float32, batches of 64"
    return [row(name, "photos/s", rates(taken["ours"]), rates(taken["fastai"]), note=note)]


def in_its_own_process(module: str, *words: str) -> Any:
    """What a module beside this one prints last when it is run, as JSON."""
    command = [sys.executable, "-m", f"study.bench.{module}", *words]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def extract(data: Data, rows: np.ndarray, folder: Path) -> tuple[list[Path], list[str]]:
    """These photos as files of their own, as the published loop reads them, and their classes."""
    table = data.catalogue.table.iloc[rows]
    with data.root.open_files() as read:
        for own in table["id"]:
            (folder / f"{own}.jpg").write_bytes(read(data.root.photos[own].name))
    return [folder / f"{own}.jpg" for own in table["id"]], list(table["label"])
