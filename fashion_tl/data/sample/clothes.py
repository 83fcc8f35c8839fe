"""The upper garments of the built-in sample: one function each, drawn in a given style."""

from fashion_tl.data.sample.canvas import Canvas, Style
from fashion_tl.data.sample.colours import CREAM, PALETTE, STEEL, darker, ink, light, lighter, mix
from fashion_tl.data.sample.outlines import both, box, curve, flip, oval


def _folds(canvas: Canvas, style: Style, top: float, foot: float) -> None:
    """A few soft folds between two heights."""
    fold = ink(style.colour, 0.10)
    for x in style.rng.sample(range(20, 41, 4), 3):
        y = style.vary(top, (top + foot) / 2)
        canvas.line(curve(f"M{x} {y} Q{x + 1.4} {y + 5} {x + 0.4} {y + 11}"), fold, 0.7)


def _buttons(canvas: Canvas, style: Style, top: float, foot: float, step: float = 7.5) -> None:
    """A placket with buttons down the middle."""
    seam = ink(style.colour, 0.30)
    canvas.fill(box(28.5, top, 31.5, foot), style.colour)
    canvas.line(((28.5, top), (28.5, foot)), seam, 0.4)
    canvas.line(((31.5, top), (31.5, foot)), seam, 0.4)
    button = CREAM if light(style.colour) < 150 else darker(style.colour, 0.55)
    rows = int((foot - top - 3) / step) + 1
    canvas.dots([(30, top + 3 + step * i) for i in range(rows)], button, 0.75)


def _collar(canvas: Canvas, style: Style, y: float, drop: float = 9) -> None:
    """A turned-down collar whose back is at height ``y``."""
    canvas.fill(curve(f"M23.6 {y} Q30 {y - 2.5} 36.4 {y} L30 {y + 7}"), darker(style.colour, 0.38))
    leaf = curve(
        f"M23.6 {y - 0.3} C22.6 {y + 2} 22.4 {y + 4} 21.8 {y + 6} "
        f"L26 {y + drop} L30 {y + 6.2} L25 {y + 1}"
    )
    for side in (leaf, flip(leaf)):
        canvas.fill(side, lighter(style.colour, 0.10))
        canvas.line((*side, side[0]), ink(style.colour, 0.34), 0.45)


def _round_neck(canvas: Canvas, style: Style, y: float, deep: float, rib: float = 1.4) -> None:
    """A round neck with a ribbed edge; the inside of the back shows dark."""
    canvas.fill(
        curve(f"M24 {y} Q30 {y + 2.4} 36 {y} C35 {y + deep} 25 {y + deep} 24 {y}"),
        darker(style.colour, 0.4),
    )
    canvas.line(curve(f"M24 {y} C25 {y + deep} 35 {y + deep} 36 {y}"), ink(style.colour, 0.2), rib)


def _v_neck(canvas: Canvas, style: Style, y: float, deep: float, rib: float = 1.4) -> None:
    """A V neck with an edge."""
    canvas.fill(curve(f"M24 {y} Q30 {y + 2.2} 36 {y} L30 {y + deep}"), darker(style.colour, 0.4))
    canvas.line(curve(f"M24 {y} L30 {y + deep} L36 {y}"), ink(style.colour, 0.2), rib)


def tshirt(canvas: Canvas, style: Style) -> None:
    """Short sleeves; a round neck, a V neck or a polo collar; sometimes a print on the chest."""
    seam = ink(style.colour, 0.18)
    hem = style.vary(66, 70)
    canvas.cloth(
        both(
            "M30 15 L24 13 L19.6 14.6 C14 17 9 24 5.5 33 L13.2 36.6 L16.8 30 "
            f"C17.4 42 17.2 55 16.4 {hem} Q23 {hem + 1.4} 30 {hem + 1.4}"
        ),
        style,
    )
    canvas.pair("M19.8 14.8 C17.4 19 16.6 24 16.8 30", seam, 0.5)
    canvas.pair("M6.3 31.2 L14.2 35", seam, 0.4)
    canvas.line(curve(f"M16.6 {hem - 2} Q30 {hem} 43.4 {hem - 2}"), seam, 0.4)
    neck = style.pick("round", "round", "round", "v", "polo")
    if neck == "polo":
        _buttons(canvas, style, 18, 30, 4)
        _collar(canvas, style, 13, 8)
    elif neck == "v":
        _v_neck(canvas, style, 13, 12)
    else:
        _round_neck(canvas, style, 13, 8)
    _folds(canvas, style, 42, 56)
    if style.pattern == "Printed":
        second = mix(style.accent, PALETTE["Mustard"], 0.5)
        motif = style.pick("sun", "hills", "bars", "rings")
        if motif == "sun":
            canvas.fill(oval(30, 38, 7), style.accent)
            for i in range(4):
                canvas.fill(box(22, 37 + 2.2 * i, 38, 37.5 + 2.2 * i + 0.2 * i), style.colour)
        elif motif == "hills":
            canvas.fill(oval(34, 33, 3), second)
            canvas.fill(curve("M20 46 L27 34 L31 40 L34 36.5 L40 46"), style.accent)
        elif motif == "bars":
            for i, colour in enumerate(
                (style.accent, second, mix(style.accent, style.colour, 0.5))
            ):
                canvas.fill(box(21, 30 + 4.6 * i, 39, 33 + 4.6 * i), colour)
        else:
            for r, colour in ((7.5, style.accent), (5.3, style.colour), (3.4, second)):
                canvas.fill(oval(30, 38, r), colour)


def shirt(canvas: Canvas, style: Style) -> None:
    """A collar, a row of buttons, a curved tail; long sleeves or short ones."""
    seam = ink(style.colour, 0.28)
    if style.rng.random() < 0.7:
        sleeve = "C14 16.4 11 22 9.6 32 L6 59 L12.6 60.6 L16.6 36"
        cuff = curve("M6.3 56.4 L13 58 L12.6 60.8 L5.8 59.2")
    else:
        sleeve = "C14 17 10 24 7 34 L14.2 37 L16.8 31"
        cuff = ()
    canvas.cloth(
        both(f"M30 15 L24 12.4 L19.4 14.2 {sleeve} C17.2 46 17 56 16.4 66 C19 70 25 71.5 30 71.5"),
        style,
    )
    for side in (cuff, flip(cuff)):
        if side:
            canvas.fill(side, lighter(style.colour, 0.06))
            canvas.line((*side, side[0]), seam, 0.4)
    canvas.pair("M19.6 14.4 C17.4 19 16.4 25 16.6 34", seam, 0.5)
    _buttons(canvas, style, 19, 71)
    _collar(canvas, style, 12.6)
    if style.rng.random() < 0.6:
        pocket = curve("M34 29 L40.4 29 L40.4 35 L37.2 37 L34 35 L34 29")
        canvas.line(pocket, seam, 0.5)
    _folds(canvas, style, 40, 58)


def top(canvas: Canvas, style: Style) -> None:
    """A woman's top: straps, cap sleeves or flutter sleeves, gathered and flared."""
    seam = ink(style.colour, 0.22)
    flare = style.vary(-1, 4)
    cut = style.pick("straps", "cap", "flutter")
    waist = f"C20.5 36 20.5 42 20 46 C18.5 54 16.5 60 {15.5 - flare} 66 Q23 69.5 30 69.5"
    if cut == "straps":
        canvas.cloth(
            both(f"M30 24 C27 24 24.6 20 24 12 L21.6 12 C21.4 19 20 24 17.4 27.4 {waist}"), style
        )
        canvas.line(
            curve("M23.8 13 C24.6 20.4 27 24.2 30 24.2 C33 24.2 35.4 20.4 36.2 13"), seam, 0.7
        )
    else:
        sleeve = (
            "L11.5 27 L17 31" if cut == "cap" else "C10 20 7 28 5.5 35 Q10 39 15.5 36.5 L18.4 29"
        )
        canvas.cloth(both(f"M30 20 C26 20 24 17 22.6 13 L18.6 14.4 {sleeve} {waist}"), style)
        canvas.fill(
            curve("M22.6 13 Q30 16 37.4 13 C36 19.4 33 21 30 21 C27 21 24 19.4 22.6 13"),
            darker(style.colour, 0.4),
        )
        canvas.line(curve("M22.6 13 C24 19.4 27 21 30 21 C33 21 36 19.4 37.4 13"), seam, 1.0)
        canvas.pair("M18.8 14.6 C17.4 19 17 24 17.8 30", seam, 0.4)
    canvas.line(curve("M20 45 Q30 47.4 40 45"), seam, 0.9)
    for x in (22, 26, 30, 34, 38):
        canvas.line(
            curve(f"M{x} 47 Q{30 + (x - 30) * 1.1} 55 {30 + (x - 30) * 1.35} 62"),
            ink(style.colour, 0.12),
            0.6,
        )
    if style.rng.random() < 0.35:
        canvas.fill(curve("M30 46.6 L25.6 44 L25.6 49.4"), seam)
        canvas.fill(curve("M30 46.6 L34.4 44 L34.4 49.4"), seam)


def dress(canvas: Canvas, style: Style) -> None:
    """A fitted bodice and a flared skirt, sleeveless or with short sleeves."""
    seam = ink(style.colour, 0.24)
    hem = style.vary(66, 75)
    out = style.vary(0, 4)
    arm = style.pick("C21 18 20.6 21 20 24", "L14.2 21 L18 25.4 L20 23.4")
    bodice = f"M30 17 C27 17 25.4 14 24.6 8 L21.4 8.6 {arm} C21 30 22.6 33 22.8 36 L30 36"
    skirt = f"M30 35 L22.8 35 C20 44 16 56 {14 - out} {hem} Q22 {hem + 3} 30 {hem + 3}"
    canvas.cloth(both(bodice), style)
    canvas.cloth(both(skirt), style)
    neck = curve("M24.6 8.4 C25.4 14.6 27 17.4 30 17.4 C33 17.4 34.6 14.6 35.4 8.4")
    canvas.line(neck, seam, 0.7)
    for x in (23, 26.5, 30, 33.5, 37):
        canvas.line(
            curve(f"M{x} 38 Q{30 + (x - 30) * 1.3} 52 {30 + (x - 30) * 2} {hem - 1}"),
            ink(style.colour, 0.14),
            0.7,
        )
    belt = style.accent if style.pattern == "Solid" else seam
    canvas.fill(both("M30 34.4 Q26 34.2 22.7 33.6 L22.5 37 Q26 37.6 30 37.8"), belt)


def jacket(canvas: Canvas, style: Style) -> None:
    """A blazer with lapels, or a zipped bomber with ribbed cuffs."""
    seam = ink(style.colour, 0.34)
    dark = darker(style.colour, 0.35)
    body = (
        "M30 14 L24 11.4 L18.4 13.6 C12.6 16 10 22 8.6 32 "
        "L5.6 60 L13 61.6 L16.4 38 C16.8 48 16.6 58"
    )
    if style.rng.random() < 0.4:
        canvas.cloth(both(f"{body} 15.8 68 Q23 70 28 69 L30 66"), style)
        canvas.fill(curve("M25 11.6 Q30 9.6 35 11.6 L30 38"), CREAM)
        canvas.fill(curve("M29 15.5 L31 15.5 L31.8 30 L30 33 L28.2 30"), style.accent)
        lapel = curve("M24.6 11 L21 19 L23.6 21.4 L21.8 23.4 L30 39 L26.4 20")
        for side in (lapel, flip(lapel)):
            canvas.fill(side, ink(style.colour, 0.12))
            canvas.line((*side, side[0]), seam, 0.5)
        canvas.line(((30, 39), (30, 66)), seam, 0.6)
        canvas.dots([(31.6, 43), (31.6, 50)], seam, 0.9)
        canvas.pair("M18.6 51 L26 51.6", seam, 1.1)
    else:
        canvas.cloth(both(f"{body} 16.6 66 L30 66"), style)
        rib = ink(style.colour, 0.24)
        canvas.fill(box(17, 64.6, 43, 70, 1), rib)
        for x in range(19, 43, 2):
            canvas.line(((x, 65), (x, 69.6)), dark, 0.3)
        cuff = curve("M5.9 57 L13.4 58.6 L12.8 62.4 L5.2 60.8")
        for side in (cuff, flip(cuff)):
            canvas.fill(side, rib)
        canvas.fill(curve("M23.6 11.6 Q30 8.4 36.4 11.6 L34.6 17.6 Q30 19.6 25.4 17.6"), rib)
        canvas.fill(curve("M25.4 11.8 Q30 10 34.6 11.8 Q30 14.6 25.4 11.8"), dark)
        canvas.line(((30, 18), (30, 69)), STEEL, 0.9)
        canvas.fill(box(29.4, 20, 30.6, 24, 0.4), lighter(STEEL, 0.4))
        canvas.pair("M20 48 L24 56", seam, 0.9)
        if style.rng.random() < 0.5:
            canvas.fill(both("M30 28 L16.8 28 L16.6 33 L30 33"), style.accent)
            canvas.line(((30, 28), (30, 33)), STEEL, 0.9)
    canvas.pair("M18.6 13.8 C16.8 19 16 27 16.4 38", seam, 0.5)


def sweater(canvas: Canvas, style: Style) -> None:
    """Knitted, long sleeves, ribbed neck, cuffs and hem."""
    rib = ink(style.colour, 0.18)
    row = ink(style.colour, 0.30)
    canvas.cloth(
        both(
            "M30 15 L24 12.4 L18.4 14.4 C12 17 9.4 24 8 34 "
            "L5 58 L12.8 59.6 L16.4 38 C16.6 48 16.6 56 16.4 66 L30 66"
        ),
        style,
    )
    canvas.fill(box(16.8, 63.6, 43.2, 69.6, 1.2), rib)
    cuff = curve("M5.2 55.6 L13.4 57.2 L12.6 62.4 L4.6 60.8")
    for side in (cuff, flip(cuff)):
        canvas.fill(side, rib)
    for i in range(12):
        canvas.line(((18.4 + 2.1 * i, 64.2), (18.4 + 2.1 * i, 69.2)), row, 0.35)
    if style.rng.random() < 0.6:
        _round_neck(canvas, style, 12.6, 9, 2.4)
    else:
        _v_neck(canvas, style, 12.6, 15, 2.2)
    canvas.pair("M18.6 14.6 C17 20 16 28 16.4 38", row, 0.5)
    if style.pattern == "Solid":  # cables down the front
        for x in (23, 37):
            for i in range(10):
                y = 22 + 4 * i
                canvas.line(curve(f"M{x - 1.4} {y} Q{x + 2} {y + 2} {x - 1.4} {y + 4}"), row, 0.5)
                canvas.line(curve(f"M{x + 1.4} {y} Q{x - 2} {y + 2} {x + 1.4} {y + 4}"), row, 0.5)
