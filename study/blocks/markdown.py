"""Numbers and tables as Markdown."""

from statistics import mean, stdev


def markdown(head: list[str], rows: list[list]) -> str:
    """A table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def percent(fraction: float | None, digits: int = 1) -> str:
    """``"70.4 %"``, or a dash for None."""
    return "–" if fraction is None else f"{100 * fraction:.{digits}f} %"


def spread(shares: list[float | None], digits: int = 1) -> str:
    """``"70.4 % ± 0.2"``: mean and standard deviation."""
    return (
        "–"
        if None in shares
        else f"{percent(mean(shares), digits)} ± {100 * stdev(shares):.{digits}f}"
    )
