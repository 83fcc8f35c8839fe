"""This machine: how many processors this process may use, and text and progress that any console
can show.
"""

import sys
from typing import TYPE_CHECKING, Any, TextIO

from loky import cpu_count

from fashion_tl.errors import ConfigError

if TYPE_CHECKING:
    from tqdm import tqdm


def processors() -> int:
    """How many processors this process may use: those of the machine, of its affinity, or of a
    container's quota.

    ``LOKY_MAX_CPU_COUNT`` lowers it, and so does it the threads of torch. ConfigError where that is
    no number.
    """
    try:
        return cpu_count()
    except ValueError as error:
        raise ConfigError(f"LOKY_MAX_CPU_COUNT must be a whole number ({error})") from error


def say(*words: object, file: TextIO | None = None) -> None:
    """``print`` that never fails for a letter, which is escaped where the console's encoding lacks
    it, and that keeps clear of progress bars: they go on below the words.
    """
    stream = file or sys.stdout
    if stream is None:  # closed, as of a program without a console
        return
    encoding = getattr(stream, "encoding", None) or "utf-8"
    text = " ".join(map(str, words))
    shown, bars = (
        text.encode(encoding, "backslashreplace").decode(encoding),
        sys.modules.get("tqdm"),
    )
    bars.tqdm.write(shown, file=stream) if bars else print(shown, file=stream)


def progress(
    iterable: Any = None, desc: str | None = None, total: int | None = None, **options: Any
) -> "tqdm":
    """A progress bar in a terminal or a notebook; none in a log file, which it would fill with
    half-drawn bars.
    """
    from tqdm import tqdm  # not at the top: most commands show none

    ipython = sys.modules.get("IPython")
    in_notebook = ipython is not None and ipython.get_ipython() is not None
    seen = in_notebook or (sys.stderr is not None and sys.stderr.isatty())
    return tqdm(iterable, desc, total, **{"mininterval": 0.5, "disable": not seen} | options)
