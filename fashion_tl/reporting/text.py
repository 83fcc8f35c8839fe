"""Fit text into a figure: measure it, wrap it, shorten names so that they stay different."""

import re
import textwrap
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from itertools import count, pairwise
from typing import Any

from matplotlib.figure import Figure

FROM_LEFT = "\N{LEFT-TO-RIGHT MARK}"
Width = Callable[[str], float]  # the width of a text in inches, or in letters


def wrap(text: str, width: float) -> str:
    """Break ``text`` into lines of ``width`` letters, but no formula between dollar signs."""
    whole = re.sub(r"\$[^$]*\$", lambda formula: formula[0].replace(" ", "\0"), text)
    return "\n".join(textwrap.wrap(whole, int(width), break_on_hyphens=False)).replace("\0", " ")


def ruler(**look: Any) -> Width:
    """A function that measures a text drawn with this look: the width of its longest line."""
    figure = Figure()
    text = figure.text(0, 0, "", parse_math=False, **look)

    @cache
    def width(words: str) -> float:
        text.set_text(words)
        return text.get_window_extent().width / figure.dpi

    return width


def wrap_into(room: float, text: str, letters: float, width: Width) -> str:
    """``wrap`` into lines of at most ``letters`` letters that are no wider than ``room``.

    If the text is read from the left (see :func:`from_left`), so is each of its lines.
    """
    letters = int(letters)
    while (wide := width(lines := wrap(text, letters))) > room and letters > 1:
        letters = max(1, min(letters - 1, int(letters * room / wide)))
    if text.startswith(FROM_LEFT):
        return "\n".join(FROM_LEFT + line.removeprefix(FROM_LEFT) for line in lines.split("\n"))
    return lines


def from_left(parts: Sequence[str], between: str = " ") -> str:
    """The parts from left to right with ``between`` them, also if one is written the other way."""
    from_right = any(
        unicodedata.bidirectional(letter) in ("R", "AL") for part in parts for letter in part
    )
    mark = FROM_LEFT if from_right and len(parts) > 1 else ""
    return mark + f"{mark}{between}{mark}".join(parts)


def shorten(names: Sequence[str], width: Width, room: float) -> dict[str, str]:
    """Each name, shortened with “…” if it is wider than ``room``.

    The beginning of a name stays. Its end stays too, unless the letter that tells it from the most
    similar name comes before the end; then that letter stays. Different names stay different. If no
    letters can do that, a number does.
    """
    unique = sorted(set(names))
    apart = dict.fromkeys(names, 0)  # the place of the letter that tells a name from the others
    for one, other in pairwise(unique):
        place = next(n for n in count() if one[n : n + 1] != other[n : n + 1])
        apart[one] = max(apart[one], place)
        apart[other] = max(apart[other], place)
    shown = {name: name for name in unique if width(name) <= room}
    taken = set(shown)
    numbers: Counter[str] = Counter()
    for name in unique:
        if name not in shown:
            version = plain = _cut(name, apart[name], width, room)
            while version in taken:
                numbers[plain] += 1
                version = _cut(name, apart[name], width, room, f" ({numbers[plain] + 1})")
            shown[name] = version
            taken.add(version)
    return shown


def _cut(name: str, apart: int, width: Width, room: float, number: str = "") -> str:
    """As much of a name as fits, with the letter at the place ``apart``."""
    short, keep = name, len(name)
    while (wide := width(short)) > room and keep > 1:
        keep = max(1, min(keep - 1, int(keep * room / wide)))
        head = keep // 3
        start = len(name) - (keep - head)
        if head <= apart < start:  # otherwise that letter would be cut out
            start = max(head, apart - keep // 6)
        rest = name[start : start + keep - head]
        more = "…" if start + len(rest) < len(name) else ""
        short = f"{name[:head].rstrip()}…{rest.strip()}{more}{number}"
    return short
