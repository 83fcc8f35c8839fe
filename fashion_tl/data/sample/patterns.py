"""The patterns of the built-in sample's cloth.

Each one yields (outline, colour) over the whole sheet. The canvas clips them to the cloth.
"""

import math
from collections.abc import Callable, Iterator
from random import Random

from fashion_tl.data.sample.colours import PALETTE, RGB, ink, mix
from fashion_tl.data.sample.outlines import Point, box, oval

Shapes = Iterator[tuple[tuple[Point, ...], RGB]]


def _bands(vertical: bool, step: float, width: float, colour: RGB) -> Shapes:
    for i in range(int(110 / step)):
        at = -10 + i * step
        band = box(at, -10, at + width, 95) if vertical else box(-10, at, 75, at + width)
        yield band, colour


def _checks(ground: RGB, accent: RGB, chance: Random) -> Shapes:
    yield from _bands(True, 6, 2.6, mix(ground, accent, 0.40))
    yield from _bands(False, 6, 2.6, mix(ground, accent, 0.40))
    for x in range(-10, 75, 6):
        for y in range(-10, 95, 6):
            yield box(x, y, x + 2.6, y + 2.6), mix(ground, accent, 0.78)


def _spots(ground: RGB, accent: RGB, chance: Random) -> Shapes:
    for row in range(22):
        for column in range(18):
            yield oval(-10 + 5 * column + 2.5 * (row % 2), -10 + 4.4 * row, 0.95), accent


def _flowers(ground: RGB, accent: RGB, chance: Random) -> Shapes:
    for row in range(13):
        for column in range(10):
            x = -8 + 8 * column + 4 * (row % 2) + chance.uniform(-1, 1)
            y = -8 + 7.2 * row + chance.uniform(-1, 1)
            for k in range(5):
                angle = 1.2566 * k + chance.random()
                yield oval(x + 1.3 * math.cos(angle), y + 1.3 * math.sin(angle), 0.95), accent
            yield oval(x, y, 0.75), mix(accent, PALETTE["Mustard"], 0.8)
            yield oval(x + 3.6, y + 2.6, 1.1, 0.55), mix(ground, PALETTE["Green"], 0.6)


def _diagonals(ground: RGB, accent: RGB, chance: Random) -> Shapes:
    for i in range(24):
        y = -50 + 7 * i
        yield ((-10, y), (75, y + 62), (75, y + 64.6), (-10, y + 2.6)), accent


def _knit(ground: RGB, accent: RGB, chance: Random) -> Shapes:
    yield from _bands(True, 3, 0.7, ink(ground, 0.14))
    for y in (24, 27.4, 35, 38.4):
        for x in range(-10, 75, 4):
            yield ((x, y + 1), (x + 2, y - 1), (x + 4, y + 1), (x + 2, y + 3)), accent


PATTERNS: dict[str, Callable[[RGB, RGB, Random], Shapes]] = {
    "Striped": lambda ground, accent, chance: _bands(False, 6.2, 2.3, accent),
    "Pinstriped": lambda ground, accent, chance: _bands(True, 3.4, 0.6, mix(ground, accent, 0.45)),
    "Checked": _checks,
    "Polka Dot": _spots,
    "Floral": _flowers,
    "Diagonal": _diagonals,
    "Fair Isle": _knit,
}
