"""The cosmetics of the built-in sample: one function each, drawn in a given style."""

from fashion_tl.data.sample.canvas import Canvas, Style
from fashion_tl.data.sample.colours import CREAM, DARK, PALETTE, STEEL, darker, light, lighter, mix
from fashion_tl.data.sample.outlines import both, box, curve, oval

GOLD = PALETTE["Gold"]


def perfume(canvas: Canvas, style: Style) -> None:
    """A glass bottle or a tall spray can, with a collar, a cap and a label."""
    glass = lighter(style.colour, 0.25)
    metal = style.pick(GOLD, STEEL)
    if style.rng.random() < 0.6:
        w = style.vary(13, 18)
        top = style.vary(31, 36)
        canvas.fill(
            box(24.6, top - 16, 35.4, top - 5, 1.2),
            style.pick(metal, DARK, darker(style.colour, 0.3)),
        )
        canvas.fill(box(26.6, top - 5, 33.4, top + 1), darker(metal, 0.15))
        canvas.fill(box(30 - w, top, 30 + w, 70, 4), mix(glass, CREAM, 0.35))
        canvas.fill(box(33 - w, top + 4, 27 + w, 67, 2.4), style.colour)
        canvas.fill(box(33 - w, top + 4, 27 + w, top + 9, 1.6), lighter(style.colour, 0.35))
        canvas.line(((30, top), (30, 64)), lighter(style.colour, 0.3), 0.5)
        canvas.fill(box(22, 47, 38, 58, 0.6), CREAM)
        canvas.line(((25, 51), (35, 51)), style.colour, 0.9)
        canvas.line(((27, 54.4), (33, 54.4)), metal, 0.7)
        canvas.line(((31.6 - w, top + 5), (31.6 - w, 65)), CREAM, 0.9)
    else:
        w = style.vary(8, 10)
        canvas.fill(
            both(f"M30 6 L{33 - w} 6 Q{30.6 - w} 6 {30.6 - w} 9 L{30.6 - w} 20 L30 20"),
            darker(style.colour, 0.35),
        )
        canvas.fill(box(30 - w - 0.6, 19.4, 30 + w + 0.6, 22, 0.6), metal)
        canvas.fill(box(30 - w, 22, 30 + w, 75, 1.6), style.colour)
        canvas.fill(
            curve(f"M{30 - w} 50 Q30 40 {30 + w} 46 L{30 + w} 62 Q30 58 {30 - w} 66"), style.accent
        )
        canvas.line(((26, 31), (34, 31)), CREAM, 1.4)
        canvas.line(((27.4, 35), (32.6, 35)), CREAM, 0.7)
        canvas.line(((31.8 - w, 24), (31.8 - w, 73)), lighter(style.colour, 0.45), 1.1)


def lipstick(canvas: Canvas, style: Style) -> None:
    """An open lipstick, its bullet cut at a slant; the cap often stands beside it."""
    case = style.pick(DARK, DARK, PALETTE["Maroon"], CREAM)
    ring = style.pick(GOLD, STEEL)
    beside = style.rng.random() < 0.6
    x = 21 if beside else 30
    tall = style.vary(12, 18)
    canvas.fill(
        curve(
            f"M{x - 5} 44 L{x - 5} {tall + 7} "
            f"C{x - 4} {tall + 2} {x + 2} {tall - 2} {x + 5} {tall} L{x + 5} 44"
        ),
        style.colour,
    )
    canvas.fill(
        curve(
            f"M{x - 5} {tall + 7} C{x - 4} {tall + 2} {x + 2} {tall - 2} {x + 5} {tall} "
            f"C{x + 4} {tall + 6} {x - 1} {tall + 9} {x - 5} {tall + 7}"
        ),
        lighter(style.colour, 0.28),
    )
    canvas.fill(box(x - 6.4, 38, x + 6.4, 50, 0.6), ring)
    canvas.line(((x - 6.4, 47.4), (x + 6.4, 47.4)), darker(ring, 0.3), 0.6)
    canvas.fill(box(x - 7.6, 49.4, x + 7.6, 70, 1), case)
    canvas.line(((x - 5, 51), (x - 5, 69)), lighter(case, 0.4), 1.0)
    if beside:
        canvas.fill(box(36, 40, 51.6, 70, 1.6), case)
        canvas.fill(box(36, 64, 51.6, 67), ring)
        canvas.line(((38.6, 42), (38.6, 63)), lighter(case, 0.4), 1.0)


def nail_polish(canvas: Canvas, style: Style) -> None:
    """A small bottle of colour under a tall cap: square, round or bell-shaped."""
    lid = style.pick(DARK, DARK, CREAM, GOLD)
    kind = style.pick("square", "round", "bell")
    canvas.fill(both("M30 8 L26 8 Q24.8 8 24.6 10 L23.4 41 L30 41"), lid)
    canvas.line(((26.4, 11), (25.8, 39)), lighter(lid, 0.45), 1.0)
    canvas.fill(box(25, 40, 35, 45), darker(lid, 0.2))
    outline = {
        "square": "M30 44 L19 44 Q16 44 16 47 L16 69 Q16 72 19 72 L30 72",
        "round": "M30 43 C12 43 11 72 24 72 L30 72",
        "bell": "M30 43 C23 43 22 52 18 58 C14 65 15 72 19 72 L30 72",
    }[kind]
    glass = both(outline)
    canvas.fill(glass, lighter(style.colour, 0.45))
    canvas.fill([(30 + (x - 30) * 0.87, 58 + (y - 58) * 0.87) for x, y in glass], style.colour)
    canvas.fill(oval(22.4, 58, 1.2, 7), lighter(style.colour, 0.6))
    canvas.line(((27, 61), (35, 61)), CREAM if light(style.colour) < 190 else DARK, 0.8)
    canvas.line(((28.6, 64), (33.4, 64)), CREAM if light(style.colour) < 190 else DARK, 0.5)
