"""What every program of ours does alike: letters for any console, errors in one line, Ctrl-C, a
reader who left.
"""

import argparse
import io
import os
import signal
import sys
from collections.abc import Callable, Sequence

from fashion_tl.errors import FashionTLError
from fashion_tl.machine import say

GOES_ON = "; the same command goes on after the last whole epoch"


def add_command(
    commands: argparse._SubParsersAction, function: Callable, words: str, data: bool = True
) -> argparse.ArgumentParser:
    """A command with a function's name that calls it; with the options ``--data`` and ``--cache``
    if it reads data.
    """
    new = commands.add_parser(function.__name__.replace("_", "-"), help=words, description=words)
    new.set_defaults(function=function)
    if data:
        new.add_argument(
            "--data",
            required=True,
            help="folder or zip in Kaggle's layout or with a folder per class, or `sample`",
        )
        new.add_argument(
            "--cache", help="folder for decoded photos (default: FASHION_TL_CACHE or ~/.cache)"
        )
    return new


def run(parser: argparse.ArgumentParser, arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, and call the ``function`` that the chosen command has set; the
    program's exit code.

    A command that can be continued has the default ``goes_on``, which says how.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(
            stream, io.TextIOWrapper
        ):  # a console that lacks a letter gets an escape for it, not an end
            stream.reconfigure(errors="backslashreplace")
    args = argparse.Namespace(goes_on="")

    def work() -> None:
        parser.parse_args(arguments, args)
        args.function(args)

    return exit_code(work, lambda: f"stopped{args.goes_on}")


def exit_code(work: Callable[[], int | None], stopped: Callable[[], str]) -> int:
    """Do the work, and say in one line why it ended early.

    Returns 2 for an error of ours or of the system; 128 plus the signal for Ctrl-C and a
    scheduler's way to end a program, which is taken as Ctrl-C is, with what ``stopped`` says; else
    what ``work`` returns, or 0.
    """
    received = [signal.SIGINT]
    signal.signal(
        signal.SIGTERM, lambda *of: (received.append(of[0]), signal.default_int_handler(*of))
    )
    try:
        code = work() or 0
        if sys.stdout:  # None where it was closed before the program began
            sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (FashionTLError, OSError) as error:
        say(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        say(stopped(), file=sys.stderr)
        return 128 + received[-1]
    return code
