"""Numbers and tables as Markdown."""

import textwrap
from statistics import mean, stdev

WIDTH = 120  # of the lines of a document


def wrapped(text: str) -> str:
    """A text whose lines, except those of tables, are no longer than ``WIDTH``."""
    return "\n".join(
        line if line.startswith("|") or len(line) <= WIDTH else _broken(line)
        for line in text.split("\n")
    )


def _broken(line: str) -> str:
    indent = "  " if line.startswith("- ") else ""
    return textwrap.fill(
        line, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def markdown(head: list[str], rows: list[list]) -> str:
    """A table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def percent(fraction: float | None, digits: int = 1) -> str:
    """``"70.4 %"``, or a dash for None."""
    return "–" if fraction is None else f"{100 * fraction:.{digits}f} %"


def spread(shares: list[float | None], digits: int = 1) -> str:
    """``"70.4 % ± 0.2"``: mean and standard deviation; a dash if one is None."""
    known = [share for share in shares if share is not None]
    if len(known) < len(shares):
        return "–"
    return f"{percent(mean(known), digits)} ± {100 * stdev(known):.{digits}f}"
