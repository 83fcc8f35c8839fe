"""What the built-in sample is drawn with: palette, curves, patterns, and a canvas that turns them
into photos.
"""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from random import Random

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

WIDTH, HEIGHT = 60, 80  # pixels of a photo, and the units every shape is described in
SCALE = 4  # shapes are drawn this many times larger, then reduced: that is the antialiasing

RGB = tuple[int, int, int]
Point = tuple[float, float]

# Kaggle's colour names. Slightly muted, so that any two of them go together.
PALETTE: dict[str, RGB] = {
    "Black": (44, 45, 50),
    "White": (241, 240, 236),
    "Grey": (146, 150, 155),
    "Charcoal": (78, 82, 89),
    "Silver": (190, 194, 200),
    "Gold": (208, 170, 94),
    "Navy Blue": (40, 54, 94),
    "Blue": (62, 110, 176),
    "Turquoise Blue": (92, 184, 194),
    "Teal": (42, 124, 126),
    "Green": (72, 136, 94),
    "Olive": (116, 118, 70),
    "Yellow": (240, 200, 84),
    "Mustard": (208, 158, 54),
    "Orange": (228, 128, 66),
    "Peach": (243, 190, 162),
    "Red": (198, 56, 60),
    "Maroon": (120, 38, 52),
    "Pink": (230, 142, 164),
    "Purple": (120, 84, 148),
    "Lavender": (182, 168, 212),
    "Brown": (114, 76, 52),
    "Tan": (188, 138, 90),
    "Khaki": (178, 158, 116),
    "Beige": (220, 201, 170),
}
CREAM, STEEL, DARK = (246, 243, 234), (196, 199, 204), (36, 37, 42)


def mix(one: RGB, other: RGB, share: float) -> RGB:
    """The colour that lies ``share`` (0..1) of the way from ``one`` to ``other``."""
    return tuple(round(a + (b - a) * share) for a, b in zip(one, other, strict=True))


def light(colour: RGB) -> float:
    """How light a colour looks, 0..255."""
    return 0.30 * colour[0] + 0.59 * colour[1] + 0.11 * colour[2]


def darker(colour: RGB, share: float = 0.25) -> RGB:
    """``colour`` mixed with ``share`` of near-black."""
    return mix(colour, (20, 18, 26), share)


def lighter(colour: RGB, share: float = 0.25) -> RGB:
    """``colour`` mixed with ``share`` of white."""
    return mix(colour, (255, 255, 255), share)


def ink(colour: RGB, share: float = 0.25) -> RGB:
    """A colour whose lines can be seen on ``colour``: darker, or lighter where that is already
    dark.
    """
    return darker(colour, share) if light(colour) > 75 else lighter(colour, share)


@dataclass(frozen=True)
class Style:
    """How one article looks: its colours, its pattern, and the chance that settles the remaining
    details.
    """

    colour: RGB
    accent: RGB
    pattern: str
    rng: Random

    def pick(self, *choices):
        """One of ``choices``; repeat a choice to make it likelier."""
        return self.rng.choice(choices)

    def vary(self, low: float, high: float) -> float:
        """A number between ``low`` and ``high``, to a tenth (so that curves can be cached)."""
        return round(self.rng.uniform(low, high), 1)


@lru_cache(maxsize=4096)
def curve(text: str) -> tuple[Point, ...]:
    """The points along a path written as in SVG, absolute ``M L Q C`` only, in units of a 60 x 80
    photo.
    """
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
    out = []
    for i in range(1, pieces + 1):
        t = i / pieces
        weights = [math.comb(n, k) * t**k * (1 - t) ** (n - k) for k in range(n + 1)]
        out.append(
            tuple(
                sum(w * c[axis] for w, c in zip(weights, corners, strict=True)) for axis in (0, 1)
            )
        )
    return out


def both(text: str, axis: float = 30) -> tuple[Point, ...]:
    """A closed outline from its left half: the path, then the path mirrored about ``x = axis``,
    backwards.
    """
    left = curve(text)
    return left + tuple((2 * axis - x, y) for x, y in reversed(left))


def flip(points: Sequence[Point], axis: float = 30) -> tuple[Point, ...]:
    """The same points mirrored about ``x = axis``."""
    return tuple((2 * axis - x, y) for x, y in points)


def oval(x: float, y: float, rx: float, ry: float | None = None) -> tuple[Point, ...]:
    """An ellipse (a circle without ``ry``) around ``(x, y)``."""
    ry = rx if ry is None else ry
    turns = [2 * math.pi * i / 28 for i in range(28)]
    return tuple((x + rx * math.cos(a), y + ry * math.sin(a)) for a in turns)


def box(x0: float, y0: float, x1: float, y1: float, r: float = 0) -> tuple[Point, ...]:
    """A rectangle with corners rounded by ``r``."""
    return curve(
        f"M{x0 + r} {y0} L{x1 - r} {y0} Q{x1} {y0} {x1} {y0 + r} L{x1} {y1 - r} Q{x1} {y1} {x1 - r} {y1}"
        f" L{x0 + r} {y1} Q{x0} {y1} {x0} {y1 - r} L{x0} {y0 + r} Q{x0} {y0} {x0 + r} {y0}"
    )


class Canvas:
    """A white sheet of 60 x 80 units in some pose (turn, size, shift, mirror), and what has been
    covered on it.
    """

    def __init__(self, rng: Random, mirror: bool = False):
        """Draws the pose from ``rng``; ``mirror`` says whether the article may face the other
        way."""
        turn = math.radians(rng.gauss(0, 2.2))
        size, stretch = rng.uniform(0.87, 1.04), rng.uniform(0.96, 1.04)
        side = -1 if mirror and rng.random() < 0.5 else 1
        self._size = size
        self._matrix = (
            side * size * stretch * math.cos(turn),
            -size * math.sin(turn),
            side * size * stretch * math.sin(turn),
            size * math.cos(turn),
        )
        self._centre = (30 + rng.uniform(-1.6, 1.6), 40 + rng.uniform(-1.8, 1.8))
        self.image = Image.new("RGB", (WIDTH * SCALE, HEIGHT * SCALE), "white")
        self.alpha = Image.new("L", self.image.size)
        self._pens = (ImageDraw.Draw(self.image), ImageDraw.Draw(self.alpha))

    def _place(self, points: Sequence[Point]) -> list[Point]:
        a, b, c, d = self._matrix
        cx, cy = self._centre
        return [
            (SCALE * (cx + a * (x - 30) + b * (y - 40)), SCALE * (cy + c * (x - 30) + d * (y - 40)))
            for x, y in points
        ]

    def fill(self, points: Sequence[Point], colour: RGB) -> None:
        """Fills a closed outline with one colour."""
        placed = self._place(points)
        for pen, value in zip(self._pens, (colour, 255), strict=True):
            pen.polygon(placed, fill=value)

    def cloth(self, points: Sequence[Point], style: Style, colour: RGB | None = None) -> None:
        """Fills a closed outline with the style's pattern on its colour (or on ``colour``)."""
        ground = style.colour if colour is None else colour
        self.fill(points, ground)
        if style.pattern in PATTERNS:
            mask = Image.new("L", self.image.size)
            ImageDraw.Draw(mask).polygon(self._place(points), fill=255)
            layer = self.image.copy()
            pen = ImageDraw.Draw(layer)
            # A fresh chance with a fixed start, so that two panels of one article carry the same
            # pattern.
            chance = Random(style.pattern)
            for shape, value in PATTERNS[style.pattern](ground, style.accent, chance):
                pen.polygon(self._place(shape), fill=value)
            self.image.paste(layer, mask=mask)

    def line(self, points: Sequence[Point], colour: RGB, width: float = 0.6) -> None:
        """Draws an open line ``width`` units thick."""
        placed, pixels = self._place(points), max(1, round(width * SCALE * self._size))
        for pen, value in zip(self._pens, (colour, 255), strict=True):
            pen.line(placed, fill=value, width=pixels, joint="curve")

    def pair(self, text: str, colour: RGB, width: float = 0.5) -> None:
        """Draws a line and its mirror image."""
        self.line(curve(text), colour, width)
        self.line(flip(curve(text)), colour, width)

    def lower(self, units: float) -> None:
        """Moves all that is drawn from now on down, to centre what is short."""
        self._centre = (self._centre[0], self._centre[1] + units)

    def dots(self, points: Sequence[Point], colour: RGB, r: float = 0.6) -> None:
        """Fills a small circle at each point."""
        for x, y in points:
            self.fill(oval(x, y, r), colour)

    def photo(self, size: tuple[int, int] = (WIDTH, HEIGHT)) -> Image.Image:
        """The finished RGB photo of ``size`` (width, height): reduced, lit from the upper left,
        with a shadow.
        """
        image = self.image.resize(size, Image.Resampling.LANCZOS)
        alpha = self.alpha.resize(size, Image.Resampling.LANCZOS)
        soft = alpha.filter(ImageFilter.GaussianBlur(2.6))
        cover = np.asarray(alpha, np.float32)[..., None] / 255
        lit, unlit, below = (
            np.asarray(
                soft.transform(size, Image.Transform.AFFINE, (1, 0, -dx, 0, 1, -dy)), np.float32
            )[..., None]
            / 255
            for dx, dy in ((2, 2), (-2, -2), (1, 2))
        )
        pixels = np.asarray(image, np.float32)
        pixels += (255 - pixels) * cover * (1 - lit) * 0.22
        pixels *= 1 - cover * (1 - unlit) * 0.42
        pixels *= 1 - (1 - cover) * below * 0.20
        return Image.fromarray(np.clip(pixels + 0.5, 0, 255).astype(np.uint8))


def render(
    shape: Callable[[Canvas, Style], None],
    style: Style,
    *,
    mirror: bool = False,
    size: tuple[int, int] = (WIDTH, HEIGHT),
) -> Image.Image:
    """The RGB photo, ``size`` (width, height), of one article in a pose of the style's own
    chance."""
    canvas = Canvas(style.rng, mirror)
    shape(canvas, style)
    return canvas.photo(size)


# Each pattern yields (outline, colour) over the whole sheet; the canvas clips them to the cloth.
def _bands(vertical: bool, step: float, width: float, colour: RGB):
    for i in range(int(110 / step)):
        at = -10 + i * step
        yield (box(at, -10, at + width, 95) if vertical else box(-10, at, 75, at + width)), colour


def _checks(ground: RGB, accent: RGB, chance: Random):
    yield from _bands(True, 6, 2.6, mix(ground, accent, 0.40))
    yield from _bands(False, 6, 2.6, mix(ground, accent, 0.40))
    for x in range(-10, 75, 6):
        for y in range(-10, 95, 6):
            yield box(x, y, x + 2.6, y + 2.6), mix(ground, accent, 0.78)


def _spots(ground: RGB, accent: RGB, chance: Random):
    for row in range(22):
        for column in range(18):
            yield oval(-10 + 5 * column + 2.5 * (row % 2), -10 + 4.4 * row, 0.95), accent


def _flowers(ground: RGB, accent: RGB, chance: Random):
    for row in range(13):
        for column in range(10):
            x, y = (
                -8 + 8 * column + 4 * (row % 2) + chance.uniform(-1, 1),
                -8 + 7.2 * row + chance.uniform(-1, 1),
            )
            for k in range(5):
                angle = 1.2566 * k + chance.random()
                yield oval(x + 1.3 * math.cos(angle), y + 1.3 * math.sin(angle), 0.95), accent
            yield oval(x, y, 0.75), mix(accent, PALETTE["Mustard"], 0.8)
            yield oval(x + 3.6, y + 2.6, 1.1, 0.55), mix(ground, PALETTE["Green"], 0.6)


def _diagonals(ground: RGB, accent: RGB, chance: Random):
    for i in range(24):
        y = -50 + 7 * i
        yield ((-10, y), (75, y + 62), (75, y + 64.6), (-10, y + 2.6)), accent


def _knit(ground: RGB, accent: RGB, chance: Random):
    yield from _bands(True, 3, 0.7, ink(ground, 0.14))
    for y in (24, 27.4, 35, 38.4):
        for x in range(-10, 75, 4):
            yield ((x, y + 1), (x + 2, y - 1), (x + 4, y + 1), (x + 2, y + 3)), accent


PATTERNS = {
    "Striped": lambda ground, accent, chance: _bands(False, 6.2, 2.3, accent),
    "Pinstriped": lambda ground, accent, chance: _bands(True, 3.4, 0.6, mix(ground, accent, 0.45)),
    "Checked": _checks,
    "Polka Dot": _spots,
    "Floral": _flowers,
    "Diagonal": _diagonals,
    "Fair Isle": _knit,
}
