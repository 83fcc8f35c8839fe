"""This machine: how many processors this process may use, and text and progress that any console can show."""

import sys
from typing import TYPE_CHECKING, Any, TextIO

from loky import cpu_count

if TYPE_CHECKING:
    from tqdm import tqdm


def processors() -> int:
    """How many processors this process may use: those of the machine, of its affinity, or of a container's quota.

    ``LOKY_MAX_CPU_COUNT`` lowers it.
    """
    return cpu_count()


def say(*words: object, file: TextIO | None = None) -> None:
    """``print`` that never fails for a letter: what the console's encoding lacks is escaped."""
    stream = file or sys.stdout
    encoding = getattr(stream, "encoding", None) or "utf-8"
    text = " ".join(map(str, words))
    print(text.encode(encoding, "backslashreplace").decode(encoding), file=stream)


def progress(iterable: Any = None, desc: str | None = None, total: int | None = None, **options: Any) -> "tqdm":
    """A progress bar in a terminal or a notebook; none in a log file, which it would fill with half-drawn bars."""
    from tqdm import tqdm  # not at the top: most commands show none

    seen = sys.stderr.isatty() or "ipykernel" in sys.modules
    return tqdm(iterable, desc, total, **{"mininterval": 0.5, "disable": not seen} | options)
