"""What all our programs do in the same way: consoles, errors in one line, Ctrl-C, closed pipes."""

import argparse
import io
import os
import signal
import sys
from collections.abc import Callable, Sequence
from types import FrameType

from fashion_tl.errors import FashionTLError
from fashion_tl.machine import say

GOES_ON = "; the same command goes on after the last whole epoch"


def add_command(
    commands: argparse._SubParsersAction,
    function: Callable,
    words: str,
    data: bool = True,
    of_a_run: bool = False,
) -> argparse.ArgumentParser:
    """Add a command that calls a function and has its name.

    If it reads ``data``, it gets the options ``--data`` and ``--cache``. The data ``of_a_run`` on
    the built-in sample need not be named.
    """
    new = commands.add_parser(function.__name__.replace("_", "-"), help=words, description=words)
    new.set_defaults(function=function)
    if data:
        new.add_argument(
            "--data",
            required=not of_a_run,
            help="folder or zip in Kaggle's layout or with a folder per class, or `sample`"
            + ("; not needed for a run on the sample" if of_a_run else ""),
        )
        new.add_argument(
            "--cache", help="folder for decoded photos (default: FASHION_TL_CACHE or ~/.cache)"
        )
    return new


def run(parser: argparse.ArgumentParser, arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, call the chosen command's ``function``, return the exit code.

    A command that can be continued has the default ``goes_on``, which says how.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Letters that the console can't show are escaped, instead of ending the program.
            stream.reconfigure(errors="backslashreplace")
    args = argparse.Namespace(goes_on="")

    def work() -> None:
        parser.parse_args(arguments, args)
        args.function(args)

    return exit_code(work, lambda: f"stopped{args.goes_on}")


def exit_code(work: Callable[[], int | None], stopped: Callable[[], str]) -> int:
    """Do the work, and say in one line why it ended early.

    Returns what ``work`` returns, or 0. An error of ours or of the system gives 2. Ctrl-C gives 128
    plus the number of the signal, and prints what ``stopped`` says. SIGTERM, with which a scheduler
    ends a program, is treated like Ctrl-C.
    """
    received = int(signal.SIGINT)

    def end(number: int, frame: FrameType | None) -> None:
        nonlocal received
        received = number
        signal.default_int_handler(number, frame)

    signal.signal(signal.SIGTERM, end)
    try:
        code = work() or 0
        if sys.stdout:  # None where it was closed before the program began
            sys.stdout.flush()
    except BrokenPipeError:  # the reader of our output, such as `head`, has ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (FashionTLError, OSError) as error:
        say(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        say(stopped(), file=sys.stderr)
        return 128 + received
    return code
