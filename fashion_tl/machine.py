"""This machine: its processors, and text and progress bars that any console can show."""

import re
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from multiprocessing import resource_tracker
from typing import TYPE_CHECKING, Any, TextIO

from loky import cpu_count

from fashion_tl.errors import ConfigError

if TYPE_CHECKING:
    from tqdm import tqdm


# Letters that change what a console shows instead of being shown: control letters, and marks that
# turn the direction of the text after them.
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def processors() -> int:
    """The number of processors that this process may use.

    The machine, the process's affinity or a container's quota limits it. ``LOKY_MAX_CPU_COUNT``
    lowers it further; ConfigError if that is no number.
    """
    try:
        return cpu_count()
    except ValueError as error:
        raise ConfigError(f"LOKY_MAX_CPU_COUNT must be a whole number ({error})") from error


def say(*words: object, file: TextIO | None = None) -> None:
    """Print words to any console, above the progress bars.

    Letters of ``CONTROL``, and those that the console's encoding lacks, are escaped.
    """
    stream = file or sys.stdout
    if stream is None:  # a program without a console
        return
    encoding = getattr(stream, "encoding", None) or "utf-8"
    text = CONTROL.sub(lambda found: ascii(found[0])[1:-1], " ".join(map(str, words)))
    shown = text.encode(encoding, "backslashreplace").decode(encoding)
    if bars := sys.modules.get("tqdm"):
        bars.tqdm.write(shown, file=stream)
    else:
        print(shown, file=stream)


def warn(text: str) -> None:
    """:func:`say` on stderr."""
    say(text, file=sys.stderr)


@cache
def say_once(text: str) -> None:
    """:func:`say`, unless this process has said the same before."""
    say(text)


def progress(
    iterable: Any = None, desc: str | None = None, total: int | None = None, **options: Any
) -> "tqdm":
    """A progress bar in a terminal or a notebook.

    In a log file it shows nothing, because it would fill the file with half-drawn bars.
    """
    from tqdm import tqdm  # not at the top: most commands show none

    ipython = sys.modules.get("IPython")
    in_notebook = ipython is not None and ipython.get_ipython() is not None
    seen = in_notebook or (sys.stderr is not None and sys.stderr.isatty())
    settings = {"mininterval": 0.5, "disable": not seen} | options
    return tqdm(iterable, desc, total, **settings)


@contextmanager
def signals_put_off() -> Iterator[None]:
    """Put off Ctrl-C, or a scheduler's signal to end, until the end of this block."""
    received: list[int] = []
    try:
        with _put_off(signal.SIGINT, received), _put_off(signal.SIGTERM, received):
            yield
    finally:
        for got in received[:1]:
            signal.raise_signal(got)


@contextmanager
def _put_off(number: int, received: list[int]) -> Iterator[None]:
    """Add a signal's number to ``received``, each time that it comes, instead of handling it."""
    is_main = threading.current_thread() is threading.main_thread()  # others get no signals
    handler = signal.getsignal(number) if is_main else None
    try:
        if handler is not None:
            signal.signal(number, lambda got, _: received.append(got))
        yield
    finally:
        if handler is not None:
            signal.signal(number, handler)


@contextmanager
def interrupts_put_off() -> Iterator[None]:
    """:func:`signals_put_off`, for a block that starts processes, which never get Ctrl-C.

    A pool that is interrupted while it starts would leave processes behind and wait for them for
    ever. A process that is interrupted during its imports would print a traceback. The processes
    inherit the signal mask, which Windows doesn't have.
    """
    with signals_put_off():
        has_mask = hasattr(signal, "pthread_sigmask")
        if has_mask:
            resource_tracker.ensure_running()  # if it started in this block, it would lift the mask
            mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            yield
        finally:
            if has_mask:
                signal.pthread_sigmask(signal.SIG_SETMASK, mask)
