"""Several processes, started by torchrun, that train as one: who does what, and what all of them
must know.
"""

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
    """This process's number; 0, the only one that prints and writes, when it is alone."""
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    """How many processes train as one."""
    return dist.get_world_size() if dist.is_initialized() else 1


@contextmanager
def processes(device: torch.device) -> Iterator[None]:
    """What runs inside is one of torchrun's processes, each with a GPU of its own, or on the CPU;
    else nothing changes.

    When one of them fails all end, and only the first to fail says why (each does, where the
    machine that counts them has ended). RunError where another has ended.
    """
    if not dist.is_torchelastic_launched():
        yield
        return
    if device.type == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    store, place, size = next(dist.rendezvous("env://"))
    # The end of a process is noticed at once; this long the others wait for one that decodes photos
    # for all.
    dist.init_process_group(
        backend, store=store, rank=place, world_size=size, timeout=timedelta(hours=3)
    )
    signal.signal(
        signal.SIGTERM, signal.default_int_handler
    )  # torchrun's, when another has ended: as Ctrl-C
    try:
        with (
            redirect_stdout(StringIO() if place else sys.stdout),
            redirect_stderr(StringIO() if place else sys.stderr),
        ):
            yield
    except (Exception, KeyboardInterrupt) as error:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # what follows is to be printed whole
        if isinstance(error, (KeyboardInterrupt, dist.DistError)) or "gloo/transport" in str(error):
            first_line = str(error).partition("\n")[0]
            cause = "" if isinstance(error, KeyboardInterrupt) else f" ({first_line})"
            words = f"stopped, or another process ended{cause}"
            error = RunError(f"{words}: the same command goes on after the last whole epoch")
        first = True
        with suppress(
            dist.DistError
        ):  # where the machine that counted them has ended, each says so
            first = store.add("failed", 1) == 1
        if device.type == "cpu":  # gloo's threads would abort a process that ends with them
            dist.destroy_process_group()
        raise error if first else SystemExit(2) from None  # the first one says why
    dist.destroy_process_group()


def everyone(own: Any) -> list[Any]:
    """What each process has, by rank, on all of them. They wait for one another here."""
    parts = [own] * world_size()
    if dist.is_initialized():
        dist.all_gather_object(parts, own)
    return parts


@contextmanager
def main_first() -> Iterator[None]:
    """Rank 0 does it first, then one process of each other machine, then the rest: what is kept in
    files is made once.

    A process that fails in it must not go on: the others would wait.
    """
    for turn in range(3):
        if turn == min(rank(), 1 if os.environ.get("LOCAL_RANK") == "0" else 2):
            yield
        everyone(None)


def share(n: int) -> tuple[slice, slice]:
    """This process's part of ``n`` samples: those to run through the network, and which of these
    are its own.

    Every sample is one process's own. Two are run at least, where there are so many, that BatchNorm
    can learn.
    """
    start, stop = (n * (rank() + i) // world_size() for i in (0, 1))
    run = slice(max(0, min(start, stop - 2)), max(stop, min(n, start + 2)))
    return run, slice(start - run.start, stop - run.start)
