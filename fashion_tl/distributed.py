"""Several processes, started by torchrun, that train as one: who does what, and what all share."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from datetime import timedelta
from io import StringIO
from typing import Any

import torch
import torch.distributed as dist

from fashion_tl.errors import RunError


def rank() -> int:
    """This process's number, or 0 if it is alone. Only process 0 prints and writes."""
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    """How many processes train as one."""
    return dist.get_world_size() if dist.is_initialized() else 1


@contextmanager
def processes(device: torch.device) -> Iterator[None]:
    """Run a block as one of torchrun's processes, each on its own GPU or on the CPU.

    Without torchrun nothing changes. If one process fails, all end, and only the first to fail says
    why. (If the machine that counts them has ended, each of them says why.) RunError if another
    process has ended.
    """
    if not dist.is_torchelastic_launched():
        yield
        return
    if device.type == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    store, place, size = next(dist.rendezvous("env://"))
    # The others notice at once when a process ends. They wait up to this long for a process that
    # decodes the photos for all of them.
    wait = timedelta(hours=3)
    dist.init_process_group(backend, store=store, rank=place, world_size=size, timeout=wait)
    # torchrun sends SIGTERM when another process has ended. It is treated like Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with (
            redirect_stdout(StringIO() if place else sys.stdout),
            redirect_stderr(StringIO() if place else sys.stderr),
        ):
            yield
    except (Exception, KeyboardInterrupt) as error:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it must not cut the message
        is_first = True
        with suppress(dist.DistError):  # if the machine that counts has ended, each one says why
            is_first = store.add("failed", 1) == 1
        if device.type == "cpu":  # gloo's threads would abort a process that ends with them
            dist.destroy_process_group()
        raise _own_or_another_ended(error) if is_first else SystemExit(2) from None
    dist.destroy_process_group()


def _own_or_another_ended(error: BaseException) -> BaseException:
    """The error itself, or a RunError if it comes from the end of another process."""
    if isinstance(error, KeyboardInterrupt):
        cause = ""
    elif isinstance(error, dist.DistError) or "gloo/transport" in str(error):
        first_line = str(error).partition("\n")[0]
        cause = f" ({first_line})"
    else:
        return error
    return RunError(
        f"stopped, or another process ended{cause}: "
        "the same command goes on after the last whole epoch"
    )


def everyone(own: Any) -> list[Any]:
    """What each process gave, by rank, on all processes. They wait for each other here."""
    parts = [own] * world_size()
    if dist.is_initialized():
        dist.all_gather_object(parts, own)
    return parts


@contextmanager
def main_first() -> Iterator[None]:
    """Let rank 0 run a block first, then one process of each other machine, then the rest.

    So files are made only once. A process that fails in the block must end, because the others
    would wait for it.
    """
    for turn in range(3):
        if turn == min(rank(), 1 if os.environ.get("LOCAL_RANK") == "0" else 2):
            yield
        everyone(None)


def share(n: int) -> tuple[slice, slice]:
    """This process's part of ``n`` samples: those to run through the network, and its own of these.

    Each sample belongs to one process. Each process runs at least two samples, if there are two,
    because BatchNorm can't learn from one.
    """
    start, stop = (n * (rank() + i) // world_size() for i in (0, 1))
    run = slice(max(0, min(start, stop - 2)), max(stop, min(n, start + 2)))
    return run, slice(start - run.start, stop - run.start)
