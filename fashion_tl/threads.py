"""How many threads torch takes while other programs come and go on the same processors."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil
import torch

from fashion_tl.machine import say

WINDOW = 3.0  # seconds that one look at the processors covers
CLEAR = 0.6  # of a processor: by so much must those that are free differ from the threads before their number changes


@contextmanager
def threads_by_load(device: torch.device | None) -> Iterator[Callable[[], None]]:
    """A function to call at each step of long work on the CPU: it gives torch as many threads as
    serve.

    On another device, or without one, it does nothing.

    All threads wait for the slowest after every layer, so beside a busy program one thread too many
    halves the speed of all. The right number is that of the processors which this process has or
    nobody uses. On an idle machine that is all of them, and the number never changes; where it
    does, sums round in another way, and a note says so. ``OMP_NUM_THREADS``, the user's own choice,
    stays.
    """
    most = torch.get_num_threads()
    if (
        device != torch.device("cpu")
        or most == 1
        or "OMP_NUM_THREADS" in os.environ
        or not _own_and_idle()
    ):
        yield lambda: None
        return
    looked = time.monotonic(), _own_and_idle()

    def adapt() -> None:
        nonlocal looked
        (before, had), now = looked, time.monotonic()
        if now - before < WINDOW:
            return
        looked = now, _own_and_idle()
        free, threads = (looked[1] - had) / (now - before), torch.get_num_threads()
        wanted = min(most, max(1, round(free)))
        if abs(free - threads) > CLEAR and wanted != threads:
            torch.set_num_threads(wanted)
            why = "other programs are busy" if wanted < threads else "processors are free again"
            say(f"NOTE: {why}; going on with {wanted} of {most} threads")

    try:
        yield adapt
    finally:
        torch.set_num_threads(most)


def _own_and_idle() -> float | None:
    """Seconds that this process has computed, and that the processors it may use have been idle,
    both since they began.

    None where the system doesn't say how long they have been idle.
    """
    try:
        processors = psutil.cpu_times(percpu=True)
    except (OSError, psutil.Error):
        return None
    allowed = (
        os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(len(processors))
    )
    own = [processors[number] for number in allowed if number < len(processors)]
    idle = sum(
        times.idle + getattr(times, "iowait", 0.0) for times in own
    )  # a process that waits for a disk is idle
    return time.process_time() + idle if idle else None
