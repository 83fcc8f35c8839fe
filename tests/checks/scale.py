"""Photos of full size, and several processes: how quickly, in what memory, and with what result.
For ``make scale``.

    python -m tests.checks.scale [--weights WEIGHTS] [NAME ...]

writes the table of all measurements, or prints the rows of these alone. A measurement is a function
in ``MEASURES``, which gets an empty folder and the weights, and returns rows ``(what, how, result,
bound)``; a result ends with ``NOT MET`` where its bound is broken. Without weights, nothing can be
said of how far two processes end from one.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.checks.reliability import write_table
from tests.checks.scale_photos import photo_rows
from tests.checks.scale_processes import processes

HEAD = ("what", "how", "result", "bound")

MEASURES: dict[str, Callable[[Path, str | None], list[tuple[str, str, str, str]]]] = {
    "full_size_photos": lambda folder, weights: photo_rows(folder),
    "processes": processes,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(MEASURES))
    parser.add_argument("--weights", help="a torchvision name, or a file")
    args = parser.parse_args()
    rows = []
    for name in args.names or MEASURES:
        with tempfile.TemporaryDirectory(prefix="scale-") as folder:
            new = MEASURES[name](Path(folder), args.weights)
        print(*map(" | ".join, new), sep="\n", flush=True)
        rows += new
    if not args.names:
        write_table("scale", HEAD, rows)
    return int(any(result.endswith("NOT MET") for _, _, result, _ in rows))


if __name__ == "__main__":
    sys.exit(main())
