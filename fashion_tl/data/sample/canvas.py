"""The canvas of the built-in sample: it turns outlines, colours and patterns into photos."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeVar

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from fashion_tl.data.sample.colours import RGB
from fashion_tl.data.sample.outlines import Point, curve, flip, oval
from fashion_tl.data.sample.patterns import PATTERNS

WIDTH, HEIGHT = 60, 80  # pixels of a photo, and the units of every shape
SCALE = 4  # antialiasing: shapes are drawn this many times larger, then reduced

T = TypeVar("T")


@dataclass(frozen=True)
class Style:
    """How one article looks: its colours, its pattern, and the chance that decides the details."""

    colour: RGB
    accent: RGB
    pattern: str
    rng: Random

    def pick(self, *choices: T) -> T:
        """One of ``choices``; repeat a choice to make it likelier."""
        return self.rng.choice(choices)

    def vary(self, low: float, high: float) -> float:
        """A number between ``low`` and ``high``, to a tenth (so that curves can be cached)."""
        return round(self.rng.uniform(low, high), 1)


class Canvas:
    """A white sheet of 60 x 80 units in some pose: turned, scaled, shifted, perhaps mirrored.

    ``alpha`` says which part of the sheet is covered.
    """

    def __init__(self, rng: Random, mirror: bool = False) -> None:
        """Draw the pose from ``rng``. With ``mirror`` the article may face the other way."""
        turn = math.radians(rng.gauss(0, 2.2))
        size = rng.uniform(0.87, 1.04)
        stretch = rng.uniform(0.96, 1.04)
        side = -1 if mirror and rng.random() < 0.5 else 1
        self._size = size
        # From units to pixels of the sheet.
        self._matrix = (
            SCALE * side * size * stretch * math.cos(turn),
            SCALE * -size * math.sin(turn),
            SCALE * side * size * stretch * math.sin(turn),
            SCALE * size * math.cos(turn),
        )
        self._centre = (
            SCALE * (30 + rng.uniform(-1.6, 1.6)),
            SCALE * (40 + rng.uniform(-1.8, 1.8)),
        )
        self.image = Image.new("RGB", (WIDTH * SCALE, HEIGHT * SCALE), "white")
        self.alpha = Image.new("L", self.image.size)
        self._pen = ImageDraw.Draw(self.image)
        self._cover = ImageDraw.Draw(self.alpha)

    def _place(self, points: Sequence[Point]) -> list[Point]:
        a, b, c, d = self._matrix
        cx, cy = self._centre
        return [
            (cx + a * right + b * down, cy + c * right + d * down)
            for right, down in [(x - 30, y - 40) for x, y in points]
        ]

    def fill(self, points: Sequence[Point], colour: RGB) -> None:
        """Fill a closed outline with one colour."""
        placed = self._place(points)
        self._pen.polygon(placed, fill=colour)
        self._cover.polygon(placed, fill=255)

    def cloth(self, points: Sequence[Point], style: Style, colour: RGB | None = None) -> None:
        """Fill a closed outline with the style's pattern on its colour (or on ``colour``)."""
        ground = style.colour if colour is None else colour
        self.fill(points, ground)
        if style.pattern in PATTERNS:
            mask = Image.new("L", self.image.size)
            ImageDraw.Draw(mask).polygon(self._place(points), fill=255)
            layer = self.image.copy()
            pen = ImageDraw.Draw(layer)
            # A new chance with a fixed seed: two panels of one article get the same pattern.
            chance = Random(style.pattern)
            for shape, value in PATTERNS[style.pattern](ground, style.accent, chance):
                pen.polygon(self._place(shape), fill=value)
            self.image.paste(layer, mask=mask)

    def line(self, points: Sequence[Point], colour: RGB, width: float = 0.6) -> None:
        """Draw an open line ``width`` units thick."""
        placed = self._place(points)
        pixels = max(1, round(width * SCALE * self._size))
        self._pen.line(placed, fill=colour, width=pixels, joint="curve")
        self._cover.line(placed, fill=255, width=pixels, joint="curve")

    def pair(self, text: str, colour: RGB, width: float = 0.5) -> None:
        """Draw a line and its mirror image."""
        self.line(curve(text), colour, width)
        self.line(flip(curve(text)), colour, width)

    def lower(self, units: float) -> None:
        """Move everything drawn from now on down, to centre a short article."""
        self._centre = (self._centre[0], self._centre[1] + SCALE * units)

    def dots(self, points: Sequence[Point], colour: RGB, r: float = 0.6) -> None:
        """Fill a small circle at each point."""
        for x, y in points:
            self.fill(oval(x, y, r), colour)

    def photo(self, size: tuple[int, int] = (WIDTH, HEIGHT)) -> Image.Image:
        """The finished RGB photo, ``size`` (width, height), lit from the upper left."""
        image = self.image.resize(size, Image.Resampling.LANCZOS)
        alpha = self.alpha.resize(size, Image.Resampling.LANCZOS)
        soft = alpha.filter(ImageFilter.GaussianBlur(2.6))
        cover = np.asarray(alpha, np.float32)[..., None] / 255

        def shifted(dx: int, dy: int) -> np.ndarray:
            moved = soft.transform(size, Image.Transform.AFFINE, (1, 0, -dx, 0, 1, -dy))
            return np.asarray(moved, np.float32)[..., None] / 255

        lit = shifted(2, 2)
        unlit = shifted(-2, -2)
        below = shifted(1, 2)
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
    """The RGB photo, ``size`` (width, height), of one article; the style's chance poses it."""
    canvas = Canvas(style.rng, mirror)
    shape(canvas, style)
    return canvas.photo(size)
