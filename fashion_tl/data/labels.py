"""Class names as they are compared: names that look the same count as the same."""

import re
import unicodedata
from collections.abc import Iterable

from fashion_tl.errors import some_of
from fashion_tl.machine import CONTROL

# Letters that show nothing, besides blanks and formatting marks: fillers, and marks of variants.
EMPTY = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0100-\U000e01ef]"
)
# Marks without width, which text copied from web pages and documents brings along. Marks that join
# letters are not among them.
INVISIBLE = re.compile("[\u00ad\u200b\u200e\u200f\u2060\ufeff]")


def label_of(text: str) -> str:
    """The label that ``text`` stands for.

    Letters are composed (NFC), each run of blanks becomes one plain blank, and blanks around the
    text are removed.
    """
    if text.isalnum() and text.isascii():
        return text
    visible = INVISIBLE.sub("", unicodedata.normalize("NFC", text))
    return " ".join(visible.split())


def fault_of_label(label: str, column: str) -> str | None:
    """Why photos with this label can't be used, or None; ``column`` is the label's column."""
    if CONTROL.search(label):  # no table, chart or console could show it as it is
        return f"bad {column}"
    return None if any(map(_is_visible, label)) else f"missing {column}"


def _is_visible(letter: str) -> bool:
    is_blank = unicodedata.category(letter) in ("Cf", "Zs", "Zl", "Zp")
    return not is_blank and not EMPTY.match(letter)


def same_names(label: str, labels: Iterable[str]) -> list[str]:
    """Which of the labels somebody means: the very same one, else those in other capitals.

    Several labels may differ only in capitals. Empty if none is like it.
    """
    alike = [own for own in labels if own.casefold() == label.casefold()]
    return [label] if label in alike else alike


def alike_in_capitals(labels: Iterable[str]) -> tuple[str, ...]:
    """A sentence that names labels which differ only in capitals; empty if there are none."""
    groups: dict[str, list[str]] = {}
    for label in sorted(set(labels)):
        groups.setdefault(label.casefold(), []).append(label)
    alike = [" and ".join(map(repr, group)) for group in groups.values() if len(group) > 1]
    if not alike:
        return ()
    words = "Some labels differ only in capitals, and count as different classes"
    return (f"{words}: {some_of(alike)}.",)
