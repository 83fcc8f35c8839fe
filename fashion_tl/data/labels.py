"""Class names as they are compared: what looks the same is the same, in tables and in names of
folders alike.
"""

import re
import unicodedata
from collections.abc import Iterable

# Marks without width that text copied from web pages and documents brings along. Those that join
# letters stay.
INVISIBLE = re.compile("[\u00ad\u200b\u200e\u200f\u2060\ufeff]")


def label_of(text: str) -> str:
    """The label that ``text`` stands for: letters whole (NFC), one plain blank for any others, none
    around it.
    """
    return text if text.isalnum() and text.isascii() else " ".join(_visible(text).split())


def _visible(text: str) -> str:
    return INVISIBLE.sub("", unicodedata.normalize("NFC", text))


def fault_of_label(label: str, column: str) -> str | None:
    """Why photos with this label, of this column, can't be used, or None."""
    if min(label, default=" ") < " ":  # NUL and the like: no table or chart could hold it
        return f"bad {column}"
    return None if label else f"missing {column}"


def alike_in_capitals(labels: Iterable[str]) -> tuple[str, ...]:
    """A sentence that names labels which differ only in capitals, or nothing."""
    groups: dict[str, list[str]] = {}
    for label in sorted(set(labels)):
        groups.setdefault(label.casefold(), []).append(label)
    alike = [" and ".join(map(repr, group)) for group in groups.values() if len(group) > 1]
    if not alike:
        return ()
    more = f" and {len(alike) - 3:,} more" if len(alike) > 3 else ""
    return (
        f"Some labels differ only in capitals, and count as different classes: {', '.join(alike[:3])}{more}.",
    )
