"""Measuring in turns: what is compared runs A B C A B C …, so that a machine's moods fall on all
alike.
"""

import platform
import re
import statistics
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

VALUES = ("ours", "peer", "limit", "ratio_peer", "ratio_limit")
TIME_IN = "time in "  # by these words a row belongs to a profile: see study/bench/profile.py
PACKAGES = ("torch", "torchvision", "numpy", "pillow")


def alternate(rounds: int = 5, /, **work: Callable[[], float]) -> dict[str, list[float]]:
    """Call each piece of ``work`` in turn, once unmeasured and then ``rounds`` times.

    Each returns how many photos it dealt with (or 1). Returns seconds per photo, by name, a value
    per round. ``rounds`` is given by its place alone, so that a piece of work may have any name.
    """
    taken: dict[str, list[float]] = {name: [] for name in work}
    wait = _wait_for_gpu()
    for number in range(rounds + 1):
        for name, call in work.items():
            start = time.perf_counter()
            photos = call()
            wait()
            if number:
                taken[name].append((time.perf_counter() - start) / photos)
    return taken


def _wait_for_gpu() -> Callable[[], object]:
    torch = sys.modules.get("torch")
    return torch.cuda.synchronize if torch and torch.cuda.is_available() else lambda: None


def row(
    name: str,
    unit: str,
    ours: list[float],
    peer: list[float] | None = None,
    limit: list[float] | None = None,
    goal: str = "",
    note: str = "",
) -> dict:
    """One line of the table, from the same rounds of ours, of a peer and of the bare limit.

    In ``photos/s`` more is better, in any other unit less. Ratios say how many times better than
    the peer, or which part of the limit; each is the median of the rounds' own ratios, and
    ``spread`` their least and most.
    """

    def ratios(other: list[float] | None) -> list[float] | None:
        pairs = zip(ours, other, strict=True) if other else ()
        return [o / x if unit == "photos/s" else x / o for o, x in pairs] or None

    def middle(values: list[float] | None) -> float | None:
        return float(f"{statistics.median(values):.4g}") if values else None

    against = {"peer": ratios(peer), "limit": ratios(limit)}
    return {
        "name": name,
        "ours": middle(ours),
        "peer": middle(peer),
        "limit": middle(limit),
        "unit": unit,
        "ratio_peer": middle(against["peer"]),
        "ratio_limit": middle(against["limit"]),
        "spread": {key: [round(min(v), 3), round(max(v), 3)] for key, v in against.items() if v},
        "goal": goal,
        "note": note,
    }


def missing(name: str, unit: str, why: str) -> dict:
    """The line of what could not be measured."""
    return {"name": name, "unit": unit, "goal": "", "note": why, "spread": {}} | dict.fromkeys(
        VALUES
    )


def rates(seconds: list[float]) -> list[float]:
    """Photos per second, from seconds per photo."""
    return [1 / each for each in seconds]


def save(
    rows: list[dict], folder: Path, data: str, photos: int, started: float, prefix: str = ""
) -> Path:
    """Write ``<machine>.json`` into a folder, and print the table."""
    # Imported here, since decoding is timed in light processes.
    from fashion_tl.runs import (
        commit,
        machine,
        write_json,
    )

    words = re.sub(r"\(R\)|\(TM\)|CPU|Processor|@.*?GHz", "", machine())
    file = folder / f"{prefix}{re.sub(r'[^a-z0-9]+', '-', words.lower()).strip('-')}.json"
    folder.mkdir(parents=True, exist_ok=True)
    about = {
        "machine": machine(),
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in PACKAGES},
        "commit": commit(),
        "data": data,
        "photos": photos,
        "minutes": round((time.perf_counter() - started) / 60, 1),
    }
    write_json(file, about | {"rows": rows})
    print(f"\n{show(rows)}\n\n{file}")
    return file


def show(rows: list[dict]) -> str:
    """The table as Markdown."""
    lines = [
        "| what | ours | other | bare | × other | of bare | goal |",
        "|---|---|---|---|---|---|---|",
    ]
    for each in rows:
        values = [number(each[key], each["unit"]) for key in ("ours", "peer", "limit")]
        shares = [ratio(each, "peer", "×"), ratio(each, "limit", "")]
        lines.append(f"| {' | '.join([each['name'], *values, *shares, each['goal'] or '–'])} |")
    return "\n".join(lines)


def notes(rows: list[dict]) -> str:
    """What the rows note, as a list; rows with the same note share an item."""
    names: dict[str, list[str]] = {}
    for each in rows:
        names.setdefault(each["note"], []).append(each["name"])
    return "\n".join(f"- {'; '.join(names[note])}: {note}." for note in names if note)


def number(value: float | None, unit: str) -> str:
    if value is None:
        return "–"
    return f"{value:,.4g} {unit}" if value < 1000 else f"{value:,.0f} {unit}"


def ratio(each: dict, key: str, sign: str) -> str:
    """A ratio with its spread."""
    value = each[f"ratio_{key}"]
    if value is None:
        return "–"
    low, high = each["spread"][key]
    digits = 2 if value < 10 else 0
    return f"{value:.{digits}f}{sign} ({low:.{digits}f}–{high:.{digits}f})"
