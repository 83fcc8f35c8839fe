"""``styles.csv`` as a table: its separator, header and records."""

import csv
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from fashion_tl.data.encoding import decode_lines
from fashion_tl.errors import DataError

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "'|'"}
SEPARATOR_LINE = re.compile(r'"?sep=([^\w\s"]|\t)', re.IGNORECASE)  # as Excel writes it
JUDGED = 1000  # rows that say how wide rows are
MOST_LINES = 1000  # of one record; the end of an open quote is searched no further down
NO_UTF8 = (
    "The table isn't all UTF-8; the rest was read as Windows-1252. "
    "If letters look wrong, save it as CSV in UTF-8."
)


@dataclass(frozen=True)
class Table:
    """A parsed table.

    ``column`` gives the place of each known column among the ``width`` fields. ``records`` are
    (first line in the file, fields). A record with a field that is far too long has no fields.
    """

    column: dict[str, int]
    width: int
    separator: str
    records: list[tuple[int, list[str]]]
    notes: tuple[str, ...] = ()  # sentences on what was decided


def parse_table(
    content: bytes,
    where: str,
    needed: Sequence[str],
    known: Sequence[str],
    photo_of: Callable[[str], str | None],
    hints: Mapping[str, str] | None = None,
) -> Table:
    """Parse a table. The ``needed`` columns, ``id`` first, must be there; ``known`` ones may be.

    A record continues on the next line if the line break is in quotes. But a quote that is never
    closed must spoil only its own line. So lines are joined only if the result is as wide as the
    header, and if none of them is itself a record of another photo. ``photo_of`` gives the photo
    that an id names, or None. ``hints`` say what to do if a column is missing.

    DataError says what was found in ``where``, and what to do, if it is empty or isn't text, or if
    a needed column is missing or there twice.
    """
    encoding, lines = decode_lines(content, where)
    filled = [at for at, line in enumerate(lines) if line.strip()]
    separators = [*SEPARATORS]
    if filled and (stated := SEPARATOR_LINE.match(lines[filled[0]])):
        separators.insert(0, stated[1])
        del filled[0]
    if not filled:
        raise DataError(f"{where} is empty; it must hold a header and one row per photo.")
    line = lines[filled[0]]
    header, separator, start = _header(lines, filled[0], separators, needed)
    if fault := _fault_of_header(header, needed, hints or {}):
        raise DataError(
            f"{where}, line {filled[0] + 1}: {fault} {_as_read(line, header, separator, encoding)}"
        )
    column = {name: places[0] for name in known if (places := _places(name, header))}
    widths = _widths(lines, start, separator, header)

    def photo(fields: list[str]) -> str | None:
        """The photo that a record's id names; None if the record has another width."""
        return photo_of(fields[column[needed[0]]].strip()) if len(fields) in widths else None

    found = _records(lines, start, separator, widths, photo)
    records = [(line, _fitted(fields, widths)) for line, fields in found]
    if not records:
        raise DataError(f"{where} has a header but no rows.")
    notes = (NO_UTF8,) if encoding == "Windows-1252" else ()
    return Table(column, widths[0], separator, records, notes)


def _header(
    lines: list[str], at: int, separators: list[str], needed: Sequence[str]
) -> tuple[list[str], str, int]:
    """The header's fields, the separator, and the line after the header.

    The header is read with each separator; the reading with most of the needed columns wins.
    """
    found = []
    for separator in separators:
        fields, after = _quoted(lines, at, separator)
        found.append((fields, separator, after))
        found.append((_fields(lines[at], separator), separator, at + 1))
    wanted = {_plain(name) for name in needed}

    def quality(reading: tuple[list[str], str, int]) -> tuple[int, int]:
        fields = reading[0]
        return len(wanted & set(map(_plain, fields))), len(fields)

    return max(found, key=quality)


def _fault_of_header(
    header: list[str], needed: Sequence[str], hints: Mapping[str, str]
) -> str | None:
    if not header:
        return "a name in the header is longer than 131,072 letters."
    if missing := [name for name in needed if not _places(name, header)]:
        named = f"column{'s' * (len(missing) > 1)} {', '.join(map(repr, missing))}"
        ways = "".join(f" {hints[name]}" for name in missing if name in hints)
        return f"no {named} in the header.{ways} The table needs the columns {', '.join(needed)}."
    for name in needed:
        own = [header[at] for at in _places(name, header)]
        if len(own) > 1:
            columns = ", ".join(own)[:200]
            return f"more than one column {name!r} in the header ({columns!r}). Rename the others."
    return None


def _as_read(line: str, header: list[str], separator: str, encoding: str) -> str:
    """How a header was read, which may explain why a column wasn't found, and the way out."""
    others = Counter(re.findall(r"[^\w\"'.-]", line)).most_common(1)
    if len(header) > 1:
        words = f"separated by {SEPARATORS.get(separator, repr(separator))}"
    elif others:
        words = f"separated by {others[0][0]!r}, which isn't known"
    else:
        words = "with nothing that separates columns"
    return (
        f"It was read as {encoding}, {words}: {line[:200]!r}. "
        "If that is wrong, save it as CSV in UTF-8, with commas, semicolons, tabs or '|'."
    )


def _records(
    lines: list[str],
    at: int,
    separator: str,
    widths: tuple[int, int],
    photo: Callable[[list[str]], str | None],
) -> list[tuple[int, list[str]]]:
    """All records from a line on, each with the number of its first line, counted from 1.

    ``widths`` are those that a record may have (see :func:`_widths`). Lines with only blanks, or
    with only empty fields as spreadsheets write them, are no records.
    """
    records = []
    while at < len(lines):
        fields, after = _quoted(lines, at, separator)
        others = {photo(_fields(line, separator)) for line in lines[at + 1 : after]}
        others -= {None, photo(fields)}
        if after == at + 1 or len(fields) not in widths or others:
            fields = _fields(lines[at], separator)
            after = at + 1
        is_blank = not any(map(str.strip, fields)) if fields else not lines[at].strip()
        if not is_blank:
            records.append((at + 1, fields))
        at = after
    return records


def _widths(lines: list[str], at: int, separator: str, header: list[str]) -> tuple[int, int]:
    """How many fields a record has, and how many it may have if the last ones are empty.

    Programs write a separator at the end of each row but not of the header, or the other way round.
    In a single row it may be one too many in the middle. So nearly all of the first rows must have
    it, and columns without a name and without values don't count.
    """
    width = len(header)
    named = max((place for place, name in enumerate(header) if name.strip()), default=0) + 1
    counts: Counter[int] = Counter()
    while at < len(lines) and counts.total() < JUDGED:
        fields, after = _quoted(lines, at, separator)
        fields = fields or _fields(lines[at], separator)
        if len(fields) >= named and not any(map(str.strip, fields[width:])):
            counts[len(fields)] += 1
        at = after
    usual = max(counts, key=lambda n: (counts[n], n == width), default=width)
    if usual < width:
        return usual, width
    return width, usual if counts[width] < counts[usual] / 20 else width


def _fitted(fields: list[str], widths: tuple[int, int]) -> list[str]:
    """A record without the last fields that are too many, if they are empty."""
    width, widest = widths
    is_wide = len(fields) == widest and not any(map(str.strip, fields[width:]))
    return fields[:width] if is_wide else fields


def unprotected(text: str) -> str:
    """``0012`` for ``="0012"``, which keeps Excel from changing a value."""
    is_formula = text.startswith('="') and text.endswith('"') and len(text) > 2
    return text[2:-1].strip() if is_formula else text


def _places(name: str, header: Sequence[str]) -> list[int]:
    """The columns that have this name: exactly, or else as people may write it."""
    exact = _composed(name)
    if own := [at for at, other in enumerate(header) if _composed(other) == exact]:
        return own
    return [at for at, other in enumerate(header) if _plain(other) == _plain(name)]


def _composed(name: str) -> str:
    """A column's name without blanks around it, and with composed letters."""
    return unicodedata.normalize("NFC", name).strip()


def _plain(name: str) -> str:
    """A column's name as it is compared: ``articletype`` for ``Article Type``, ``article_type``.

    In many scripts vowels are marks, so marks count as letters do.
    """
    folded = _composed(_composed(name).casefold())
    letters = (own for own in folded if own.isalnum() or unicodedata.category(own)[0] == "M")
    return "".join(letters) or folded


def _fields(line: str, separator: str) -> list[str]:
    """The fields of one line, also if its quotes don't match.

    There are none if a field is longer than 131,072 letters.
    """
    spaced = _is_spaced(line, separator)
    try:
        return next(csv.reader([line], delimiter=separator, skipinitialspace=spaced), [])
    except csv.Error:
        return []


def _is_spaced(line: str, separator: str) -> bool:
    """Whether quotes follow a blank, as in ``1, "Shirts"``. Other blanks belong to their field."""
    return f'{separator} "' in line


def _quoted(lines: list[str], at: int, separator: str) -> tuple[list[str], int]:
    """The record that begins in a line, with all its quotes closed, and the line after it.

    It has no fields if there is no such record.
    """
    if '"' in lines[at]:
        ahead = (lines[i] + "\n" for i in range(at, min(at + MOST_LINES, len(lines))))
        reader = csv.reader(
            ahead,
            delimiter=separator,
            skipinitialspace=_is_spaced(lines[at], separator),
            strict=True,
        )
        with suppress(csv.Error):
            return next(reader), at + reader.line_num
    return [], at + 1
