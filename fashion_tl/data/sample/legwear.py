"""Trousers, skirts and socks of the built-in sample: one function each, in a given style."""

from collections.abc import Sequence

from fashion_tl.data.sample.canvas import Canvas, Style
from fashion_tl.data.sample.colours import CREAM, PALETTE, STEEL, darker, ink, lighter, mix
from fashion_tl.data.sample.outlines import Point, both, box, curve, oval


def _legs(
    canvas: Canvas, style: Style, hem: float, out: float, inner: float, crotch: float = 32
) -> None:
    """Two legs under a waistband, with a fly. ``out`` and ``inner`` are the hem's edges."""
    canvas.cloth(
        both(
            f"M30 9 L20.4 9 C19.4 18 18 24 {min(17.6, out + 2)} 34 "
            f"L{out} {hem} L{inner} {hem + 0.8} L30 {crotch}"
        ),
        style,
    )
    seam = ink(style.colour, 0.3)
    canvas.line(((20.2, 12.6), (39.8, 12.6)), seam, 0.5)
    for x in (23.4, 30, 36.6):
        canvas.fill(box(x - 0.5, 8.6, x + 0.5, 13), seam)
    canvas.line(curve(f"M30 12.6 L30 {crotch}"), seam, 0.6)
    canvas.dots([(30, 10.8)], STEEL, 0.7)


def trousers(canvas: Canvas, style: Style) -> None:
    """Straight legs with a pressed crease and slanting pockets."""
    seam = ink(style.colour, 0.3)
    _legs(canvas, style, 72.4, style.vary(15.4, 17.6), style.vary(25.6, 27), 31)
    canvas.pair("M22.6 13 L19.2 22", seam, 0.7)
    canvas.pair("M24.6 20 L21.6 72", ink(style.colour, 0.2), 0.5)


def jeans(canvas: Canvas, style: Style) -> None:
    """Denim: washed thighs, yellow stitching, round pockets, turned-up hems."""
    thread = mix(PALETTE["Mustard"], style.colour, 0.25)
    out = style.vary(15, 19)
    inner = style.vary(25.4, 27)
    _legs(canvas, style, 72, out, inner, 30)
    wash = lighter(style.colour, style.vary(0.10, 0.3))
    for colour, grow in ((mix(wash, style.colour, 0.5), 1), (wash, 0)):
        for x in (22.6, 37.4):
            canvas.fill(oval(x, 34, 2 + grow, 12 + 2 * grow), colour)
    canvas.pair("M20 17.4 Q24.6 18.6 25.8 12.8", thread, 0.6)
    canvas.pair(f"M19.2 16 Q17.6 30 {out + 0.8} 68", thread, 0.35)
    canvas.line(curve("M31.8 13 L31.8 22 Q31.6 25 30 26"), thread, 0.5)
    for side in (1, -1):
        hem = [
            (30 + side * (x - 30), y)
            for x, y in ((out, 69), (inner + 0.2, 69.8), (inner, 72.8), (out, 72))
        ]
        canvas.fill(hem, lighter(style.colour, 0.35))


def shorts(canvas: Canvas, style: Style) -> None:
    """Wide legs that end above the knee; some with a drawstring."""
    canvas.lower(7)
    hem = style.vary(48, 58)
    out = style.vary(10, 12.6)
    seam = ink(style.colour, 0.3)
    _legs(canvas, style, hem, out, 28.4, 36)
    canvas.pair("M21.4 13 L17 23", seam, 0.7)
    canvas.pair(f"M{out + 0.3} {hem - 3} L28.6 {hem - 2.2}", seam, 0.5)
    if style.rng.random() < 0.4:
        canvas.line(curve("M29.4 11 Q26.6 17 27.6 22"), CREAM, 0.8)
        canvas.line(curve("M30.6 11 Q33.4 17 32.4 21"), CREAM, 0.8)
    else:
        canvas.line(curve("M15.4 36 L22.6 36.4 L22.6 43.6 L14.2 43"), seam, 0.5)


def skirt(canvas: Canvas, style: Style) -> None:
    """A waistband over an A-line with pleats, or over tiers."""
    canvas.lower(2)
    hem = style.vary(54, 70)
    out = style.vary(6.5, 12)
    seam = ink(style.colour, 0.22)
    canvas.cloth(
        both(f"M30 15 L20 15 C17.6 30 {out + 3} 42 {out} {hem} Q20 {hem + 3.6} 30 {hem + 3.6}"),
        style,
    )
    if style.rng.random() < 0.6:
        for x in (22, 25.2, 28.4, 31.6, 34.8, 38):
            foot = 30 + (x - 30) * (30 - out) / 10
            canvas.line(
                curve(f"M{x} 19 Q{(x + foot) / 2 - (x - 30) * 0.1} 36 {foot} {hem + 2}"), seam, 0.7
            )
    else:
        for share in (0.36, 0.68):
            y = 19 + (hem - 19) * share
            half = 10 + (20 - out + 8) * share * 0.62
            canvas.line(curve(f"M{30 - half} {y} Q30 {y + 4.4} {30 + half} {y}"), seam, 1.1)
    canvas.fill(box(19.6, 13, 40.4, 18, 0.8), ink(style.colour, 0.3))
    canvas.dots([(30, 15.5)], STEEL, 0.9)


def socks(canvas: Canvas, style: Style) -> None:
    """A pair of socks: ribbed cuffs, heel and toe in a second colour."""
    tall = style.vary(8, 20)
    leg = curve(
        f"M17 {tall} L30 {tall} L30.6 44 C31 50 29 54 25 58 L15.6 67 "
        f"C11 70 5.6 66 7.4 61 C8.6 57.4 16.6 52 17 46 L17 {tall}"
    )
    toe = curve(
        "M7.4 61 C5.6 66 11 70 15.6 67 L18 64.7 C16 62 13 60 10.4 58.2 C8.8 59.2 7.8 60 7.4 61"
    )
    heel = curve("M30.6 44 C31 50 29 54 25.4 57.6 C23 54 24.6 47 30.6 44")
    for dx, shade in ((17, 0.16), (0, 0)):  # the sock behind first

        def move(points: Sequence[Point], dx: int = dx) -> list[Point]:
            return [(x + dx, y) for x, y in points]

        canvas.cloth(move(leg), style, darker(style.colour, shade))
        canvas.line(move(leg), ink(style.colour, 0.3), 0.4)
        for part in (toe, heel, box(17, tall, 30, tall + 5)):
            canvas.fill(move(part), style.accent)
        for i in range(6):
            x = 18.4 + 2.1 * i
            canvas.line(move([(x, tall + 0.4), (x, tall + 4.6)]), ink(style.accent, 0.22), 0.4)
