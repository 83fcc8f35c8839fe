"""The small things of the built-in sample: one function each, drawn in a given style."""

import math

from fashion_tl.data.sample.canvas import Canvas, Style
from fashion_tl.data.sample.colours import (
    CREAM,
    DARK,
    PALETTE,
    RGB,
    STEEL,
    darker,
    ink,
    light,
    lighter,
    mix,
)
from fashion_tl.data.sample.outlines import both, box, curve, flip, oval

GOLD = PALETTE["Gold"]


def watch(canvas: Canvas, style: Style) -> None:
    """A wrist watch from the front: strap above and below, case, dial with marks and hands,
    crown."""
    metal = style.pick(STEEL, STEEL, GOLD)
    dial = style.pick(CREAM, DARK, mix(style.colour, DARK, 0.2), style.accent)
    marks = CREAM if light(dial) < 130 else DARK
    w = style.vary(6, 8.4)
    r = style.vary(12.4, 15.4)
    band = curve(
        f"M{30 - w} 38 L{30 - w + 1.6} 5 Q30 3.4 {30 + w - 1.6} 5 "
        f"L{30 + w} 38 L{30 + w - 1.8} 75 Q30 77 {30 - w + 1.8} 75"
    )
    canvas.fill(band, style.colour)
    if style.rng.random() < 0.45:  # a bracelet of links
        for i in range(18):
            y = 6 + 4 * i
            half = w - 0.3 - 1.8 * abs(4 * i - 34) / 35
            canvas.line(((30 - half, y), (30 + half, y)), ink(style.colour, 0.4), 0.5)
        for x in (-w / 2.6, w / 2.6):
            canvas.line(((30 + x, 5), (30 + x, 75)), ink(style.colour, 0.3), 0.5)
    else:
        stitch = (
            lighter(style.colour, 0.35) if light(style.colour) < 150 else darker(style.colour, 0.3)
        )
        for x in (-w + 2, w - 2):
            canvas.line(((30 + x * 0.9, 6), (30 + x, 26)), stitch, 0.35)
            canvas.line(((30 + x, 54), (30 + x * 0.9, 74)), stitch, 0.35)
        canvas.dots([(30, 61 + 3.6 * i) for i in range(4)], darker(style.colour, 0.55), 0.6)
    canvas.fill(box(30 + r - 0.6, 38, 30 + r + 2.4, 42, 0.8), darker(metal, 0.15))
    if style.rng.random() < 0.72:
        rings = [oval(30, 40, r - d) for d in (0, 1.3, 2.2)]
    else:
        rings = [
            box(30 - r + d + 1, 40 - r + d, 30 + r - d - 1, 40 + r - d, 4) for d in (0, 1.3, 2.2)
        ]
    for ring, colour in zip(rings, (darker(metal, 0.3), lighter(metal, 0.3), dial), strict=True):
        canvas.fill(ring, colour)
    if style.rng.random() < 0.3:
        for x, y in ((25.4, 40), (34.6, 40), (30, 45)):
            canvas.fill(oval(x, y, 2.4), mix(dial, marks, 0.22))
    _hours_and_hands(canvas, style, r, marks)


def _hours_and_hands(canvas: Canvas, style: Style, r: float, marks: RGB) -> None:
    """The marks of a watch's dial of radius ``r``, and its two hands."""
    for hour in range(12):
        a = math.radians(30 * hour)
        near, far = (r - 4.6, r - 3) if hour % 3 else (r - 5.6, r - 3)
        ends = [(30 + q * math.sin(a), 40 - q * math.cos(a)) for q in (near, far)]
        canvas.line(ends, marks, 0.5 if hour % 3 else 1.0)
    for length, width, turn in (
        (r * 0.42, 1.2, style.vary(0, 6)),
        (r * 0.62, 0.8, style.vary(0, 6)),
    ):
        canvas.line(
            ((30, 40), (30 + length * math.sin(turn), 40 - length * math.cos(turn))), marks, width
        )
    canvas.dots([(30, 40)], marks, 1.0)


def sunglasses(canvas: Canvas, style: Style) -> None:
    """Sunglasses from the front: wayfarer, aviator or round, with tinted lenses and folded
    temples."""
    lens = style.pick(DARK, DARK, darker(style.accent, 0.5), (84, 66, 58), (70, 90, 104))
    kind = style.pick("wayfarer", "wayfarer", "aviator", "round")
    canvas.line(curve("M5.4 36 C8 30.6 18 29.4 28 31"), darker(style.colour, 0.45), 1.4)
    canvas.line(curve("M54.6 36 C52 30.6 42 29.4 32 31"), darker(style.colour, 0.45), 1.4)
    if kind == "wayfarer":
        frame = curve(
            "M3.6 34 Q16 31.6 27.4 34.4 C28.4 42 25 49 16.4 49.4 C8 49.4 5.4 43 5 39 L3.4 37.6"
        )
        inner = curve("M7 36 Q16 34.4 25 36.4 C25.2 42 22.4 46.8 16.4 47 C10 47 7.4 42 7 36")
        canvas.fill(both("M30 35 L26 34.6 L26 38 Q28 36.8 30 36.9"), style.colour)
    elif kind == "aviator":
        frame = curve("M5 35 Q15 31.6 26.6 34.4 C28 41 23 52 16 52 C7.4 52 4 42 5 35")
        inner = curve("M6.4 36 Q15 33 25.4 35.6 C26.4 41 22 50.6 16 50.6 C8.4 50.6 5.4 42 6.4 36")
        canvas.line(curve("M24 33.4 L36 33.4"), style.colour, 1.1)
        canvas.line(curve("M26 37.6 Q30 35 34 37.6"), style.colour, 1.1)
    else:
        frame = oval(16, 41, 11.4)
        inner = oval(16, 41, 9.6)
        canvas.line(curve("M26 38.6 Q30 34.6 34 38.6"), style.colour, 1.6)
    for turn in (lambda points: points, flip):
        canvas.fill(turn(frame), style.colour)
        canvas.fill(turn(inner), lens)
    for dx in (0, 28):  # the same light falls on both lenses
        canvas.fill(
            curve(f"M{9.6 + dx} 38 L{14 + dx} 37 L{11 + dx} 44.6 Q{9 + dx} 42 {9.6 + dx} 38"),
            lighter(lens, 0.24),
        )


def cap(canvas: Canvas, style: Style) -> None:
    """A baseball cap from the side: panels, a button, a curved brim, sometimes a badge."""
    seam = ink(style.colour, 0.3)
    brim = (
        style.accent
        if style.pattern == "Solid" and style.rng.random() < 0.5
        else ink(style.colour, 0.12)
    )
    canvas.cloth(
        curve("M19 51 C16 34 24 22.6 37 22.6 C50 22.6 56 34 54.4 49.6 Q36 46.6 19 51"), style
    )
    canvas.line(curve("M37.6 22.8 C30 27 26.4 36 27 49.2"), seam, 0.6)
    canvas.line(curve("M37.6 22.8 C46 28 48.4 38 47.4 48.2"), seam, 0.6)
    canvas.line(curve("M18.8 48.6 Q36 44 54.4 47"), seam, 0.5)
    canvas.fill(oval(37.4, 22.4, 2.0, 1.1), brim)
    canvas.fill(
        curve(
            "M28.6 47.6 C20 46 9 48 3.6 55.4 C3 57.4 5 58 7 57.2 "
            "C15 54 22 53 30 51.6 Q31 49 28.6 47.6"
        ),
        brim,
    )
    canvas.line(curve("M5 55.6 C11 50.6 20 48.6 29 49.6"), ink(brim, 0.25), 0.4)
    canvas.dots([(33, 29.6), (43.6, 30)], seam, 0.7)
    if style.pattern == "Solid":
        canvas.fill(oval(37.4, 38, 4.4), style.accent)
        canvas.fill(curve("M34.6 40 L37.4 35 L40.2 40"), style.colour)


def tie(canvas: Canvas, style: Style) -> None:
    """A knotted tie hanging straight down, the narrow end behind it."""
    wide = style.vary(6, 8.4)
    canvas.fill(curve("M31 16 L35 58 L32 61 L29 58"), darker(style.colour, 0.4))
    canvas.line(curve("M26 9 C20 5 40 5 34 9"), darker(style.colour, 0.25), 2.4)
    canvas.cloth(both(f"M30 15.6 L26.8 15.6 C26 34 {30 - wide} 52 {30 - wide} 63 L30 74"), style)
    canvas.cloth(
        curve("M24.8 7.6 Q30 6 35.2 7.6 L33 16.6 Q30 17.6 27 16.6"),
        style,
        darker(style.colour, 0.12),
    )
    canvas.line(curve("M27 16.6 Q30 18 33 16.6"), darker(style.colour, 0.5), 0.7)
    canvas.line(curve(f"M30 19 Q{29.4} 40 {30 - wide * 0.3} 66"), ink(style.colour, 0.1), 0.6)


def earrings(canvas: Canvas, style: Style) -> None:
    """A pair of drops, hoops or jhumka bells, hanging from hooks."""
    kind = style.pick("drop", "hoop", "bell")
    gem = style.accent
    edge = darker(style.colour, 0.35)
    for x in (17, 43):
        canvas.line(curve(f"M{x} 26 L{x} 20 C{x} 14 {x + 5} 14 {x + 5} 20"), edge, 0.8)
        canvas.dots([(x, 26)], style.colour, 2.0)
        if kind == "drop":
            canvas.fill(
                curve(
                    f"M{x} 28 C{x + 2} 36 {x + 8} 42 {x + 8} 49 "
                    f"C{x + 8} 60 {x - 8} 60 {x - 8} 49 C{x - 8} 42 {x - 2} 36 {x} 28"
                ),
                style.colour,
            )
            canvas.fill(
                curve(
                    f"M{x} 35 C{x + 1} 40 {x + 5} 44 {x + 5} 49 "
                    f"C{x + 5} 55.6 {x - 5} 55.6 {x - 5} 49 C{x - 5} 44 {x - 1} 40 {x} 35"
                ),
                gem,
            )
            canvas.fill(oval(x - 1.8, 47, 1.1, 2), lighter(gem, 0.6))
        elif kind == "hoop":
            ring = oval(x, 43, 10, 14)
            canvas.line((*ring, *ring[:2]), edge, 3.0)
            canvas.line((*ring, *ring[:2]), style.colour, 2.2)
            canvas.dots([(x, 57)], gem, 1.8)
        else:
            canvas.fill(
                curve(
                    f"M{x} 28 C{x + 8} 30 {x + 9} 40 {x + 10} 48 "
                    f"L{x - 10} 48 C{x - 9} 40 {x - 8} 30 {x} 28"
                ),
                style.colour,
            )
            canvas.line(curve(f"M{x - 8.6} 42 Q{x} 44 {x + 8.6} 42"), edge, 0.8)
            canvas.dots([(x - 6 + 4 * i, 38) for i in range(4)], gem, 1.1)
            canvas.dots([(x - 8 + 4 * i, 49.4) for i in range(5)], gem, 1.6)


def water_bottle(canvas: Canvas, style: Style) -> None:
    """A sports bottle: cap with a loop, shoulders, grip rings, a label."""
    lid = style.pick(DARK, style.accent, STEEL)
    w = style.vary(9.4, 11.6)
    canvas.line(curve("M25 10 C25 3.6 35 3.6 35 10"), darker(lid, 0.2), 1.6)
    canvas.fill(box(24, 9, 36, 17.6, 1.4), lid)
    for x in range(26, 36, 2):
        canvas.line(((x, 11), (x, 17)), ink(lid, 0.3), 0.4)
    canvas.cloth(
        both(
            f"M30 18 L25 18 C25 23 {30 - w} 23 {30 - w} 30 "
            f"L{30 - w} 71 Q{30 - w} 75 {34 - w} 75 L30 75"
        ),
        style,
    )
    for y in (30, 33):
        canvas.line(
            curve(f"M{30 - w} {y} Q30 {y + 1.6} {30 + w} {y}"), ink(style.colour, 0.25), 0.8
        )
    canvas.fill(box(30 - w, 44, 30 + w, 58), mix(style.accent, CREAM, 0.15))
    canvas.fill(
        curve("M30 46 C33 50 33.6 52 33.4 53 C33 56.6 27 56.6 26.6 53 C26.4 52 27 50 30 46"),
        style.colour,
    )
    canvas.line(((32 - w, 31), (32 - w, 70)), lighter(style.colour, 0.5), 1.2)
