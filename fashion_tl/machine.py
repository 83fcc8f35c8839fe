"""This machine: how many processors this process may use, and text that any console can print."""

import os
import sys
from typing import TextIO


def processors() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def say(*words: object, file: TextIO | None = None) -> None:
    """``print`` that never fails for a letter: what the console's encoding lacks is escaped."""
    stream = file or sys.stdout
    text = " ".join(map(str, words))
    encoding = getattr(stream, "encoding", None) or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding), file=stream)
