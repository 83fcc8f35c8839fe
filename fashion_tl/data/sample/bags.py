"""The bags and the leather of the built-in sample: one function each, drawn in a given style."""

from fashion_tl.data.sample.canvas import Canvas, Style
from fashion_tl.data.sample.colours import CREAM, PALETTE, STEEL, darker, ink, light, lighter, mix
from fashion_tl.data.sample.outlines import both, box, curve, oval

GOLD = PALETTE["Gold"]


def handbag(canvas: Canvas, style: Style) -> None:
    """A tote with two handles, a satchel with a flap, or a soft round bag."""
    seam = ink(style.colour, 0.3)
    kind = style.pick("tote", "satchel", "round")
    metal = style.pick(GOLD, GOLD, STEEL)
    if kind == "tote":
        canvas.line(curve("M20 36 C20 12 40 12 40 36"), darker(style.colour, 0.45), 1.8)
        canvas.cloth(both("M30 32 L9.6 32 L6.4 64 Q6.4 67 10 67 L30 67"), style)
        canvas.line(
            curve("M18 40 C18 9 42 9 42 40"),
            style.colour if style.pattern == "Solid" else seam,
            2.1,
        )
        canvas.line(both("M30 35.4 L9.6 35.4"), seam, 0.5)
        canvas.dots([(18, 40), (42, 40)], metal, 1.3)
        canvas.pair("M13 33 L11.4 67", seam)
    elif kind == "satchel":
        canvas.line(curve("M19 33 C18 14 42 14 41 33"), darker(style.colour, 0.3), 2.4)
        canvas.fill(both("M30 30 L9 30 Q5.6 30 5.6 34 L5 60 Q5 65 10 65 L30 65"), style.colour)
        canvas.cloth(
            both("M30 29 L10 29 Q6 29 6 33 L7.6 47 Q8 51 13 51 L30 51"),
            style,
            lighter(style.colour, 0.08),
        )
        canvas.line(both("M30 51 L13 51 Q8 51 7.6 47 L6 33"), seam, 0.7)
        canvas.fill(box(26, 47, 34, 54, 1.2), metal)
        canvas.fill(oval(30, 50.4, 1.1), darker(metal, 0.55))
        canvas.dots([(19, 33), (41, 33)], metal, 1.2)
    else:
        canvas.line(curve("M13 42 C12 8 48 8 47 42"), darker(style.colour, 0.2), 2.6)
        canvas.cloth(both("M30 36 C22 38 16 34 13 36 C6 44 3 56 8 62 C12 67 22 68 30 68"), style)
        for x in (19, 24.4, 35.6, 41):
            canvas.line(
                curve(f"M{x} 36 Q{30 + (x - 30) * 1.2} 42 {30 + (x - 30) * 1.3} 49"), seam, 0.6
            )
        canvas.line(curve("M13 37 Q30 40.6 47 37"), seam, 1.4)
        canvas.dots([(30, 39.4)], metal, 1.6)


def backpack(canvas: Canvas, style: Style) -> None:
    """A backpack from the front: handle, rounded body, zip, a front pocket, side straps."""
    seam = ink(style.colour, 0.35)
    zipper = lighter(STEEL, 0.2)
    trim = style.accent if style.pattern == "Solid" else ink(style.colour, 0.3)
    canvas.line(curve("M25 14 C24 7 36 7 35 14"), darker(style.colour, 0.4), 2.0)
    canvas.pair("M11 30 C5.6 40 5.6 56 10 66", darker(style.colour, 0.45), 2.6)
    canvas.cloth(both("M30 11 C20 11 12.6 15 11.4 27 L10.4 64 Q10.4 70 16 70 L30 70"), style)
    canvas.line(both("M30 16.4 C22 16.4 16 19.6 15.2 29"), zipper, 0.8)
    canvas.line(((15.2, 29), (14.8, 35)), zipper, 0.8)
    canvas.fill(both("M30 40 L18.6 40 Q15 40 15 44 L15 62 Q15 66 19 66 L30 66"), trim)
    canvas.line(
        both("M30 40 L18.6 40 Q15 40 15 44 L15 62 Q15 66 19 66 L30 66"), ink(trim, 0.3), 0.5
    )
    canvas.line(curve("M17.6 45 Q30 43.4 42.4 45"), zipper, 0.8)
    canvas.fill(box(28.9, 44.4, 31.1, 49, 0.6), zipper)
    canvas.fill(box(25.6, 27, 34.4, 33, 0.8), seam)
    canvas.line(((27, 30), (33, 30)), zipper, 0.7)


def wallet(canvas: Canvas, style: Style) -> None:
    """A folded wallet with stitching, an open one with cards, or a long purse with a flap."""
    kind = style.pick("fold", "open", "long")
    seam = ink(style.colour, 0.3)
    stitch = lighter(style.colour, 0.4) if light(style.colour) < 140 else darker(style.colour, 0.35)
    if kind == "fold":
        canvas.fill(box(9, 25, 52, 57, 2.4), darker(style.colour, 0.4))
        canvas.cloth(box(8, 23.6, 50.6, 55.6, 2.4), style)
        canvas.line(box(9.8, 25.4, 48.8, 53.8, 1.6), stitch, 0.4)
        canvas.fill(box(37, 46, 46, 51, 0.6), ink(style.colour, 0.18))
        canvas.line(((39, 48.5), (44, 48.5)), stitch, 0.5)
    elif kind == "open":
        canvas.fill(box(5, 20, 55, 60, 2.4), style.colour)
        for i, card in enumerate(
            (mix(style.accent, CREAM, 0.3), CREAM, mix(PALETTE["Teal"], CREAM, 0.3))
        ):
            for x in (8, 32):
                canvas.fill(box(x, 25 + 6.6 * i, x + 20, 36 + 6.6 * i, 1), card)
                canvas.fill(
                    box(x - 0.6, 28.4 + 6.6 * i, x + 20.6, 57, 0.8), lighter(style.colour, 0.05 * i)
                )
                canvas.line(((x - 0.6, 28.4 + 6.6 * i), (x + 20.6, 28.4 + 6.6 * i)), seam, 0.6)
        canvas.line(((30, 20.4), (30, 59.6)), seam, 1.0)
    else:
        canvas.fill(box(4, 27, 56, 55, 2.4), darker(style.colour, 0.12))
        canvas.cloth(
            curve("M4 29 Q4 26 7 26 L53 26 Q56 26 56 29 L56 40 Q56 43 53 43 L7 43 Q4 43 4 40"),
            style,
        )
        canvas.line(((4.4, 43), (55.6, 43)), seam, 0.8)
        canvas.line(
            curve("M5.6 30 L5.6 40.6 Q6 41.4 8 41.4 L52 41.4 Q54.4 41.4 54.4 40"), stitch, 0.35
        )
        canvas.dots([(30, 43)], GOLD, 2.0)
        canvas.dots([(30, 43)], darker(GOLD, 0.3), 1.0)


def belt(canvas: Canvas, style: Style) -> None:
    """A rolled belt seen a little from above, its buckle in front."""
    high = style.vary(8, 11)
    edge = ink(style.colour, 0.35)
    metal = style.pick(STEEL, GOLD)
    y = 38
    canvas.fill(oval(30, y, 24, 11), darker(style.colour, 0.1))
    canvas.fill(oval(30, y + 0.4, 22.6, 9.8), darker(style.colour, 0.55))
    canvas.fill(oval(30, y + high * 0.75, 20.4, 7.8), (255, 255, 255))
    canvas.line(
        curve(f"M12 {y - 5} C18 {y - 1} 42 {y - 3} 46 {y - 4}"), darker(style.colour, 0.3), 1.0
    )
    front = curve(
        f"M6 {y} C6 {y + 14.6} 54 {y + 14.6} 54 {y} L54 {y + high} "
        f"C54 {y + 14.6 + high} 6 {y + 14.6 + high} 6 {y + high} L6 {y}"
    )
    canvas.cloth(front, style)
    stitch = lighter(style.colour, 0.3) if light(style.colour) < 140 else darker(style.colour, 0.3)
    for dy in (1.4, high - 1.4):
        canvas.line(
            curve(f"M6.6 {y + dy} C7 {y + 14.4 + dy} 53 {y + 14.4 + dy} 53.4 {y + dy}"),
            stitch,
            0.35,
        )
    middle = y + 10.9 + high / 2
    half = high / 2 + 1.6
    x = style.vary(24, 30)
    canvas.line(
        curve(f"M{x + 10} {middle - high / 2 - 0.4} L{x + 10} {middle + high / 2}"), edge, 2.4
    )
    frame = box(x - 6, middle - half, x + 6, middle + half, 2)
    if style.rng.random() < 0.3:
        canvas.fill(frame, metal)
        canvas.line(
            box(x - 4.6, middle - half + 1.4, x + 4.6, middle + half - 1.4, 1),
            darker(metal, 0.3),
            0.5,
        )
    else:
        canvas.line((*frame, frame[1]), darker(metal, 0.3), 2.3)
        canvas.line((*frame, frame[1]), metal, 1.6)
        canvas.line(((x - 5.4, middle), (x + 6, middle)), lighter(metal, 0.3), 1.2)
        canvas.dots(
            [(x + 14 + 4 * i, middle - 0.7 - 0.8 * i) for i in range(3)],
            darker(style.colour, 0.65),
            0.7,
        )
