"""The colours of the built-in sample: Kaggle's names, and how two colours are mixed."""

RGB = tuple[int, int, int]

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
CREAM: RGB = (246, 243, 234)
STEEL: RGB = (196, 199, 204)
DARK: RGB = (36, 37, 42)


def mix(one: RGB, other: RGB, share: float) -> RGB:
    """The colour that lies ``share`` (0..1) of the way from ``one`` to ``other``."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


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
    """A colour for lines on ``colour``: darker, or lighter if ``colour`` is already dark."""
    return darker(colour, share) if light(colour) > 75 else lighter(colour, share)
