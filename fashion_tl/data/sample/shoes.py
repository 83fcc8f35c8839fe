"""The footwear of the built-in sample: one function per kind, drawn in a given style."""

from fashion_tl.data.sample.canvas import Canvas, Style
from fashion_tl.data.sample.colours import (
    CREAM,
    DARK,
    PALETTE,
    RGB,
    darker,
    ink,
    light,
    lighter,
    mix,
)
from fashion_tl.data.sample.outlines import curve, flip, oval


def _laces(
    canvas: Canvas, colour: RGB, rows: int, start: tuple[float, float], step: tuple[float, float]
) -> None:
    """Short crossing laces up the instep."""
    for i in range(rows):
        x, y = start[0] + step[0] * i, start[1] + step[1] * i
        canvas.line(((x - 1.2, y - 1.6), (x + 2.6, y + 2.4)), colour, 1.0)


def casual_shoe(canvas: Canvas, style: Style) -> None:
    """A canvas sneaker from the side: flat pale sole, toe cap, laces; or a slip-on without
    laces."""
    seam = ink(style.colour, 0.32)
    sole = style.pick(CREAM, CREAM, PALETTE["Tan"])
    slip_on = style.rng.random() < 0.3
    canvas.fill(curve("M29 33 C36 27 44 27 50 29 L50 34 L30 37"), darker(style.colour, 0.55))
    if not slip_on:
        canvas.fill(curve("M25 36 L31 25.4 Q34.6 25.6 36 29 L33 37"), lighter(style.colour, 0.12))
    canvas.cloth(
        curve(
            "M5.4 50 C5 45 8.6 42.6 14 41.6 C20.6 40.4 25 37 29.6 31.4 "
            "C35 35 44 34 49.6 27.4 C52.4 28 52.8 31 52.8 35 C52.6 40 53.6 46 53.6 50 L5.4 50"
        ),
        style,
    )
    canvas.line(curve("M29.6 31.6 C35 35.2 44 34.2 49.6 27.8"), seam, 0.6)
    canvas.line(curve("M45 50 C44 44 45.4 38 46.4 32.4"), seam, 0.5)
    if slip_on:
        canvas.fill(curve("M27.6 34 L31.4 32.6 L35.6 34 L31.6 42"), ink(style.colour, 0.45))
        canvas.line(curve("M15 41.4 C20 44 27 46 30 50"), seam, 0.5)
    else:
        canvas.fill(curve("M5.4 50 C5 45 8.6 42.6 14 41.6 C17.4 43.4 18.6 47 18.6 50"), sole)
        canvas.line(curve("M14 41.6 C17.4 43.4 18.6 47 18.6 50"), darker(sole, 0.25), 0.5)
        canvas.line(curve("M19 41 C24 44 29 42 33.6 34.4"), seam, 0.5)
        _laces(canvas, CREAM if light(style.colour) < 170 else DARK, 4, (21.4, 39.6), (2.7, -2.5))
    canvas.fill(
        curve("M4.6 49 L54 49 C55 51.6 54.8 54 54 55.4 L7.4 55.4 C4.4 55 4 52 4.6 49"), sole
    )
    canvas.line(((5, 51.2), (54.4, 51.2)), style.accent if not slip_on else darker(sole, 0.3), 0.7)


def sports_shoe(canvas: Canvas, style: Style) -> None:
    """A running shoe from the side: thick curved two-colour sole, mesh, swept stripes, heel tab."""
    seam = ink(style.colour, 0.3)
    pop = style.accent
    canvas.fill(curve("M30 30 C37 25 45 25 51 26 L50 33 L31 36"), darker(style.colour, 0.55))
    canvas.fill(curve("M25 36 L30 23.6 Q34.6 22.6 36.4 28 L33 37"), pop)
    canvas.fill(
        curve(
            "M4.6 46 C5 42.6 10 41.4 15 40 C21 38 25 34.6 29.4 29.6 "
            "C35 34 44 33 50 24 C53.6 25 54.4 27.6 53.4 31 C52.4 36 54 42 54.6 47 L5 50"
        ),
        style.colour,
    )
    for i in range(7):  # mesh on the toe
        canvas.line(
            curve(f"M{8 + 2.4 * i} {43.6 - 0.6 * i} L{9.6 + 2.4 * i} 48"),
            ink(style.colour, 0.14),
            0.5,
        )
    badge = style.pick("slashes", "wave", "ribs")
    if badge == "slashes":
        for i in range(2):
            x = 31 + 4.8 * i
            canvas.fill(curve(f"M{x} 47 L{x + 4} 35.4 L{x + 6.4} 35.4 L{x + 3} 47"), pop)
    elif badge == "wave":
        canvas.fill(curve("M22 44.4 C30 46 38 43 44 34 L47 34.4 C42 45 32 49.6 22 47"), pop)
    else:
        for i in range(4):
            canvas.line(
                curve(f"M{26 + 4 * i} 46.6 Q{29 + 4 * i} 42 {29.6 + 4 * i} {39.4 - 0.8 * i}"),
                pop,
                1.2,
            )
    canvas.line(curve("M18.6 39.6 C23 43 29 41 33 33"), seam, 0.6)
    _laces(canvas, CREAM if light(style.colour) < 170 else DARK, 5, (20.6, 38.6), (2.2, -2.2))
    canvas.fill(
        curve(
            "M47.6 34 C48 40 47.6 44 46.6 48 L54.6 48 C54 42 52.6 36 53.4 31 C52 33 50 34 47.6 34"
        ),
        mix(pop, seam, 0.2),
    )
    _running_sole(canvas, style)


def _running_sole(canvas: Canvas, style: Style) -> None:
    canvas.fill(
        curve(
            "M3.6 46 C10 49.4 20 48.6 30 47.6 C40 46 50 44.6 55.4 45.4 "
            "C57 49 56.4 52.6 55.4 55 L12 56 C6 55.6 3 51 3.6 46"
        ),
        CREAM,
    )
    canvas.line(curve("M6 50.6 C14 52.6 30 51.6 55.6 49"), style.accent, 0.9)
    canvas.fill(
        curve("M6.4 53.6 C16 54.6 40 54 55.8 53 L55 56.6 L14 57.4 C9.6 57 7.4 55.6 6.4 53.6"),
        darker(style.colour, 0.45),
    )


def formal_shoe(canvas: Canvas, style: Style) -> None:
    """A polished lace-up from the side: long toe with a cap seam, thin dark sole, low heel."""
    canvas.lower(-3)
    seam = ink(style.colour, 0.4)
    sole = darker(style.colour, 0.7)
    canvas.fill(curve("M30 38 C37 34 45 34 51 35.4 L50 42 L32 43"), darker(style.colour, 0.55))
    canvas.fill(
        curve(
            "M2.6 51 C2.4 48 6 46.4 12 46 C20 45.4 25 42.4 30.4 37.4 C35 41.4 43 41.4 50.4 35 "
            "C53.4 36 53 39 53 42 C53 45.6 53.8 48.4 53.8 51.4 L2.6 51.4"
        ),
        style.colour,
    )
    canvas.line(curve("M30.4 37.6 C35 41.6 43 41.6 50.4 35.4"), seam, 0.6)
    canvas.line(curve("M14 45.8 C17.4 47.2 18 49.4 17.6 51"), seam, 0.7)
    canvas.line(curve("M44.6 51 C43.6 47 44.4 43 45 40"), seam, 0.5)
    if style.rng.random() < 0.7:
        canvas.line(curve("M21.6 44.2 C24.6 49 31 49.4 34.6 41.2"), seam, 0.6)
        lace = DARK if light(style.colour) > 75 else mix(style.colour, CREAM, 0.5)
        for i in range(3):
            x, y = 24 + 2.3 * i, 43.4 - 1.7 * i
            canvas.line(((x, y), (x + 2, y + 2.6)), lace, 0.8)
    else:  # a monk strap
        canvas.fill(curve("M24.6 42.2 L28.4 39.2 L40 45 L38.4 49"), ink(style.colour, 0.24))
        canvas.line(
            curve("M34.6 42.4 L38.2 44.4 L36.8 48.2 L33 46.2 L34.6 42.4"), PALETTE["Gold"], 0.8
        )
    canvas.line(curve("M5.6 48.8 Q9 47.2 13 47.2"), lighter(style.colour, 0.5), 0.9)
    canvas.fill(
        curve(
            "M2.2 50.8 L54.4 50.8 L54.4 56 L42 56 L41 53 "
            "C28 52.6 14 53.4 5 52.8 C3 52.6 2 52 2.2 50.8"
        ),
        sole,
    )
    canvas.line(((3, 51.2), (54, 51.2)), lighter(sole, 0.35), 0.4)


def heel(canvas: Canvas, style: Style) -> None:
    """A pump from the side with a slim or a block heel, some with an ankle strap or an open toe."""
    rise = style.vary(-3, 3)
    top = 24 + rise
    seam = ink(style.colour, 0.35)
    canvas.fill(
        curve(f"M16 48 C26 45 37 37 42 {31 + rise} Q47 {25 + rise} 50 {top + 1} L47 40 L30 50"),
        mix(style.colour, PALETTE["Beige"], 0.65),
    )
    if style.rng.random() < 0.6:
        canvas.fill(
            curve(f"M51.6 {36 + rise} L49.4 58 L47.2 58 L45 {41 + rise}"), darker(style.colour, 0.2)
        )
    else:
        canvas.fill(
            curve(f"M52.4 {34 + rise} L52 58 L43.6 58 L42 {42 + rise}"), darker(style.colour, 0.2)
        )
    canvas.cloth(
        curve(
            f"M3.6 55.6 C3 52 8 49 17 46.4 C21 49.6 27 48 33 {43.6 + rise / 3} "
            f"C41 {38 + rise} 46 {32 + rise} 50.6 {top} "
            f"C53.4 {29 + rise} 53 {35 + rise} 51 {39 + rise} "
            f"C44 {42 + rise} 36 49 27 54.4 C20 57.6 10 57.6 3.6 55.6"
        ),
        style,
    )
    canvas.line(
        curve(f"M3.6 55.8 C10 58 20 57.8 27 54.8 C36 49.4 44 {42.4 + rise} 51 {39.4 + rise}"),
        darker(style.colour, 0.6),
        0.9,
    )
    detail = style.pick("plain", "plain", "strap", "bow")
    if detail == "strap":
        canvas.line(
            curve(
                f"M50.8 {top + 3} C46 {top - 5} 38 {top - 3} 33 {top + 1} "
                f"C31 {top + 4} 40 {top + 5} 50 {top + 4}"
            ),
            style.colour,
            1.5,
        )
        canvas.dots([(36, top + 1.6)], PALETTE["Gold"], 1.1)
    elif detail == "bow":
        for tip in ("M17 47 L10.6 44.6 L12.4 50.4", "M17 47 L22 42.6 L23.6 49"):
            canvas.fill(curve(tip), ink(style.colour, 0.3))
        canvas.dots([(17, 47)], seam, 1.2)


def sandal(canvas: Canvas, style: Style) -> None:
    """An open shoe from the side: a footbed with straps over toe, instep and heel."""
    sole = style.pick(PALETTE["Tan"], PALETTE["Khaki"], DARK)
    edge = darker(style.colour, 0.35)
    lift = style.vary(0, 4)
    far = darker(style.colour, 0.5)
    canvas.line(curve(f"M12 49 C16 42 22 42 25 {47 - lift / 2}"), far, 3)
    canvas.line(curve(f"M30 46 C32 34 38 33 42 {45 - lift}"), far, 3)
    canvas.fill(
        curve(
            f"M4.6 51 C8 48 20 49.6 30 {48 - lift / 2} "
            f"C40 {46 - lift} 48 {45 - lift} 54.4 {45.4 - lift} "
            "L54.6 56 L8 56.4 C4.6 56 3.4 53.4 4.6 51"
        ),
        sole,
    )
    canvas.line(
        curve(
            f"M5 51.6 C8 50 20 51.2 30 {49.8 - lift / 2} "
            f"C40 {48 - lift} 48 {47 - lift} 54.4 {47.4 - lift}"
        ),
        lighter(sole, 0.4),
        1.0,
    )
    canvas.line(((8, 55.6), (54.4, 55.2)), darker(sole, 0.5), 1.2)
    straps = [
        f"M9 52 C10 42 17 40 23 {51 - lift / 2}",
        f"M27 {50 - lift / 2} C28 38 34 32 41 {48 - lift}",
    ]
    if style.rng.random() < 0.5:
        straps.append(f"M19 {50 - lift / 2} C22 40 28 36 35 {49 - lift}")
    straps += [
        f"M35 {35 - lift / 2} C42 {32 - lift} 50 {33 - lift} 52 {37 - lift} L52.6 {47 - lift}"
    ]
    width = style.vary(2.6, 4)
    for strap in straps:
        canvas.line(curve(strap), edge, width + 0.7)
        canvas.line(curve(strap), style.colour, width)
    x, y = 38, 34 - lift / 2
    canvas.line(
        ((x - 2, y - 2), (x + 2, y - 2.4), (x + 2, y + 2), (x - 2, y + 2.4), (x - 2, y - 2)),
        PALETTE["Gold"],
        0.8,
    )


def flip_flops(canvas: Canvas, style: Style) -> None:
    """A pair from above: two footbeds, each with a Y of straps."""
    sole = curve(
        "M17.4 15 C23.6 14.6 27.6 20 27 29 C26.6 37 24.6 42 25 49 C25.6 57 24 65.6 17.4 66 "
        "C10.6 66 9 58 10 50 C11 43 7.6 37 7.4 29 C7.2 20 11 15.2 17.4 15"
    )
    strap = curve("M18.6 24 C14 28 10.6 33 9.6 40"), curve("M18.6 24 C22.4 28 24.6 33 25.2 40")
    rim = curve("M17.4 15 C23.6 14.6 27.6 20 27 29 C26.6 37 24.6 42 25 49 C25.6 57 24 65.6 17.4 66")
    for turn in (lambda points: points, flip):
        canvas.fill([(x + 0.6, y + 1.4) for x, y in turn(sole)], darker(style.accent, 0.45))
        canvas.cloth(turn(sole), style, lighter(style.colour, 0.12))
        canvas.line(turn(rim), ink(style.colour, 0.25), 0.5)
        for part in strap:
            canvas.line(turn(part), darker(style.accent, 0.4), 3.4)
            canvas.line(turn(part), style.accent, 2.6)
        canvas.fill(turn(oval(18.6, 24, 1.8)), style.accent)
        canvas.fill(turn(oval(18.6, 23.6, 0.8)), darker(style.accent, 0.4))
