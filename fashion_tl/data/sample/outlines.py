"""The outlines of the built-in sample: points along curves, ovals and boxes."""

import math
import re
from collections.abc import Sequence
from functools import lru_cache

Point = tuple[float, float]
# Of radius 1.
CIRCLE = [(math.cos(turn), math.sin(turn)) for turn in (2 * math.pi * i / 28 for i in range(28))]


@lru_cache(maxsize=4096)
def curve(text: str) -> tuple[Point, ...]:
    """The points along an SVG path with the absolute commands ``M L Q C``, in units of a photo."""
    points: list[Point] = []
    for command, rest in re.findall(r"([MLQC])([^MLQC]*)", text):
        values = [float(v) for v in rest.split()]
        corners = list(zip(values[::2], values[1::2], strict=True))
        step = {"M": 1, "L": 1, "Q": 2, "C": 3}[command]
        for i in range(0, len(corners), step):
            points += [corners[i]] if step == 1 else _bezier([points[-1], *corners[i : i + step]])
    return tuple(points)


def _bezier(corners: list[Point], pieces: int = 10) -> list[Point]:
    """The curve with these three or four control points, without its first point."""
    n = len(corners) - 1
    points: list[Point] = []
    for i in range(1, pieces + 1):
        t = i / pieces
        weights = [math.comb(n, k) * t**k * (1 - t) ** (n - k) for k in range(n + 1)]
        x, y = (sum(w * c[axis] for w, c in zip(weights, corners, strict=True)) for axis in (0, 1))
        points.append((x, y))
    return points


def both(text: str, axis: float = 30) -> tuple[Point, ...]:
    """A closed outline from its left half: the path, then its mirror image about ``x = axis``."""
    left = curve(text)
    return left + tuple((2 * axis - x, y) for x, y in reversed(left))


def flip(points: Sequence[Point], axis: float = 30) -> tuple[Point, ...]:
    """The same points mirrored about ``x = axis``."""
    return tuple((2 * axis - x, y) for x, y in points)


def oval(x: float, y: float, rx: float, ry: float | None = None) -> tuple[Point, ...]:
    """An ellipse around ``(x, y)``; without ``ry`` a circle."""
    ry = rx if ry is None else ry
    return tuple([(x + rx * right, y + ry * down) for right, down in CIRCLE])


def box(x0: float, y0: float, x1: float, y1: float, r: float = 0) -> tuple[Point, ...]:
    """A rectangle with corners rounded by ``r``."""
    return curve(
        f"M{x0 + r} {y0} L{x1 - r} {y0} Q{x1} {y0} {x1} {y0 + r} "
        f"L{x1} {y1 - r} Q{x1} {y1} {x1 - r} {y1} "
        f"L{x0 + r} {y1} Q{x0} {y1} {x0} {y1 - r} "
        f"L{x0} {y0 + r} Q{x0} {y0} {x0 + r} {y0}"
    )
