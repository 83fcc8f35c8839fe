"""Adapt the number of torch's threads to other programs on the same processors."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil
import torch

from fashion_tl.machine import say

WINDOW = 3.0  # seconds between two looks at the processors
# The number of threads changes only if it differs from the free processors by more than this.
CLEAR = 0.6


@contextmanager
def threads_by_load(device: torch.device | None) -> Iterator[Callable[[], None]]:
    """A function to call at each step of long work on the CPU; it adapts the number of threads.

    On another device, or without one, it does nothing.

    After every layer all threads wait for the slowest one. If another program is busy, one thread
    too many halves the speed of all. The right number is that of the processors which this process
    uses or which are idle. On an idle machine that is all of them, and the number never changes. If
    it changes, sums are rounded differently, and a note says so. ``OMP_NUM_THREADS`` is the user's
    own choice, and is respected.
    """
    most = torch.get_num_threads()
    is_fixed = device != torch.device("cpu") or most == 1 or "OMP_NUM_THREADS" in os.environ
    if is_fixed or not _own_and_idle():
        yield lambda: None
        return
    looked_at = time.monotonic()
    counted = _own_and_idle()

    def adapt() -> None:
        nonlocal looked_at, counted
        now = time.monotonic()
        passed = now - looked_at
        if passed < WINDOW:
            return
        before = counted
        looked_at = now
        counted = _own_and_idle()
        free = (counted - before) / passed
        threads = torch.get_num_threads()
        wanted = min(most, max(1, round(free)))
        if abs(free - threads) > CLEAR and wanted != threads:
            torch.set_num_threads(wanted)
            why = "other programs are busy" if wanted < threads else "processors are free again"
            say(f"NOTE: {why}; going on with {wanted} of {most} threads")

    try:
        yield adapt
    finally:
        torch.set_num_threads(most)


def _own_and_idle() -> float:
    """The seconds that this process has computed plus those that its processors were idle.

    Both are counted from the start. 0 if the system doesn't say how long they were idle.
    """
    try:
        processors = psutil.cpu_times(percpu=True)
    except (OSError, psutil.Error):
        return 0.0
    if hasattr(os, "sched_getaffinity"):
        allowed = os.sched_getaffinity(0)
    else:
        allowed = set(range(len(processors)))
    own = [processors[number] for number in allowed if number < len(processors)]
    # A processor whose process waits for a disk is idle.
    idle = sum(times.idle + getattr(times, "iowait", 0.0) for times in own)
    return time.process_time() + idle if idle else 0.0
