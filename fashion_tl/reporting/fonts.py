"""Choose the fonts for a text: DejaVu Sans, and this machine's fonts for letters that it lacks."""

import unicodedata
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache

from matplotlib.font_manager import FontEntry, findfont, findSystemFonts, fontManager
from matplotlib.ft2font import FT2Font

from fashion_tl.machine import say

FONT = "DejaVu Sans"  # comes with matplotlib, and has all letters of our own words
# The font for each letter searched so far, or None if no font has it.
_fonts_of: dict[str, str | None] = {}


def family(text: str) -> list[str]:
    """The names of the fonts to draw a text with. The first one that has a letter draws it.

    If no font of this machine has a letter, this says once for each script which font to install.
    """
    if text.isascii():
        return [FONT]
    letters = sorted(letter for letter in set(text) - _own_letters() if letter.isprintable())
    by_script: dict[tuple[str, str, str], set[str]] = {}
    for letter in letters:
        if letter not in _fonts_of:
            by_script.setdefault(_script(letter), set()).add(letter)
    for script, new in by_script.items():
        if lacking := _look_for(new):
            _fonts_of.update(dict.fromkeys(lacking))
            _say_lacking(*script)
    return [FONT, *dict.fromkeys(font for letter in letters if (font := _fonts_of[letter]))]


@contextmanager
def quiet_on_missing_letters() -> Iterator[None]:
    """Hide matplotlib's warnings about letters that no font has; :func:`family` says it once."""
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", r"Glyph \d+ .*missing from|Matplotlib currently does not support"
        )
        yield


def _look_for(letters: set[str]) -> set[str]:
    """Choose as few fonts as possible for letters of one script; return the letters without one."""
    have = {name: _letters_in(file, letters) for name, file in installed().items()}
    while most := max(have, key=lambda name: len(have[name]), default=None):
        if not have[most]:
            break
        _fonts_of.update(dict.fromkeys(have[most], most))
        letters = letters - have[most]
        have = {name: some & letters for name, some in have.items()}
    return letters


@cache
def installed() -> dict[str, str]:
    """The file of each installed font by its name.

    Upright fonts of normal weight come first, and among them those without serifs.
    """
    known = {entry.fname for entry in fontManager.ttflist}
    for file in findSystemFonts():
        if file not in known:  # installed after matplotlib made its list, which it never renews
            with suppress(Exception):  # a font that matplotlib can't use
                fontManager.addfont(file)

    def preference(entry: FontEntry) -> tuple:
        plain = entry.style == "normal" and entry.weight in (400, "normal")
        index = getattr(entry, "index", 0)
        return (not plain, "Sans" not in entry.name, index, entry.name, entry.fname)

    files: dict[str, str] = {}
    for entry in sorted(fontManager.ttflist, key=preference):
        if "lastresort" not in entry.name.lower().replace(" ", ""):  # it has only boxes
            files.setdefault(entry.name, entry.fname)
    return files


def _letters_in(file: str, letters: set[str]) -> set[str]:
    """The letters that a font file has as outlines.

    Coloured emoji often have no outlines, and would be blank.
    """
    try:
        font = FT2Font(file)
        found = {letter for letter in letters if font.get_char_index(ord(letter))}
        return {
            letter for letter in found if font.load_char(ord(letter)) and len(font.get_path()[0])
        }
    except (OSError, RuntimeError):  # removed since, or damaged
        return set()


@cache
def _own_letters() -> frozenset[str]:
    return frozenset(map(chr, FT2Font(findfont(FONT)).get_charmap()))


def _script(letter: str) -> tuple[str, str, str]:
    """The name of a letter's script, a font that has it, and Debian's package of that font."""
    if unicodedata.category(letter).startswith("S"):
        return "emoji or symbols", "Symbola", "fonts-symbola"
    if unicodedata.east_asian_width(letter) in "FHW":
        return "Chinese, Japanese or Korean letters", "Noto Sans CJK", "fonts-noto-cjk"
    script = unicodedata.name(letter, "other").split()[0].capitalize()
    return f"{script} letters", f"Noto Sans {script}", "fonts-noto-core"


@cache
def _say_lacking(script: str, font: str, package: str) -> None:
    say(
        f"NOTE: no font here has all {script} of some names; figures show boxes in their place. "
        f"Install a font that has them, such as {font} "
        f"(on Debian and Ubuntu: apt-get install {package})."
    )
