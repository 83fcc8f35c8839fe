"""``styles.csv`` as text: its encoding, separator, header and records."""

import codecs
import csv
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from fashion_tl.errors import DataError

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "'|'"}
SEPARATOR_LINE = re.compile(r'"?sep=([^\w\s"]|\t)', re.IGNORECASE)  # as Excel writes it
MOST_LINES = 1000  # of one record; the end of an open quote is searched no further down
MARKS = {  # byte order marks; UTF-32's come first, because one of them begins like UTF-16's
    codecs.BOM_UTF8: "UTF-8",
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
NO_TEXT = {  # how other files begin that people use instead of a CSV table
    b"PK\x03\x04": "an Excel workbook or a zip",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"\x1f\x8b": "compressed with gzip",
    b"PAR1": "a Parquet file",
}
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


def _windows_1252(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):  # this handler is for decoding alone
        raise error
    wrong = error.object[error.start : error.end]
    try:
        return wrong.decode("windows-1252"), error.end
    except UnicodeDecodeError:  # Windows-1252 leaves five bytes undefined
        return wrong.decode("latin-1"), error.end


codecs.register_error("windows-1252", _windows_1252)


def text_of(content: bytes) -> str:
    """Text in UTF-8. A byte that isn't UTF-8 is read as Windows-1252, which Excel writes."""
    return content.decode(errors="windows-1252")


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
    encoding, lines = _decode(content, where)
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
    names = [_plain(name) for name in header]
    column = {name: names.index(_plain(name)) for name in known if _plain(name) in names}

    def photo(fields: list[str]) -> str | None:
        """The photo that a record's id names; None if the record isn't as wide as the header."""
        return photo_of(fields[column[needed[0]]].strip()) if len(fields) == len(header) else None

    named = max(at for at, name in enumerate(header) if name.strip()) + 1
    records = _records(lines, start, separator, (named, len(header)), photo)
    if not records:
        raise DataError(f"{where} has a header but no rows.")
    notes = (NO_UTF8,) if encoding == "Windows-1252" else ()
    return Table(column, len(header), separator, records, notes)


def _decode(content: bytes, where: str) -> tuple[str, list[str]]:
    """The encoding's name, and the lines without line breaks."""
    for start, what in NO_TEXT.items():
        if content.startswith(start):
            raise DataError(
                f"{where} is not text: it is {what}. "
                "Save the table as CSV, in UTF-8, under that name."
            )
    mark = next((mark for mark in MARKS if content.startswith(mark)), b"")
    encoding = MARKS.get(mark, "UTF-8")
    content = content.removeprefix(mark)
    if encoding != "UTF-8":
        order = "LE" if mark[:1] == b"\xff" else "BE"
        content = content.decode(f"{encoding}-{order}", "replace").encode()
    elif unmarked := _unmarked(content):
        encoding = unmarked[:6]
        content = content.decode(unmarked, "replace").encode()
    try:
        content.decode()
    except UnicodeDecodeError:
        encoding = "Windows-1252"
    # Bytes are split, because text would be split at form feeds and the like too.
    return encoding, [text_of(line) for line in content.splitlines()]


def _unmarked(content: bytes) -> str:
    """``"UTF-16-LE"``, say, if the content begins in UTF-16 or UTF-32 without a mark; else empty.

    Most letters of a header have a single byte that isn't zero.
    """
    for encoding, width, place in (
        ("UTF-32-LE", 4, 0),
        ("UTF-32-BE", 4, 3),
        ("UTF-16-LE", 2, 0),
        ("UTF-16-BE", 2, 1),
    ):
        letters = content[place:64:width]
        zeros = [byte for at, byte in enumerate(content[:64]) if at % width != place]
        if len(zeros) >= 4 and zeros.count(0) > 0.7 * len(zeros) and 0 not in letters:
            return encoding
    return ""


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
    for name in needed:
        own = [other for other in header if _plain(other) == _plain(name)]
        if not own:
            columns = ", ".join(needed)
            hint = f" {hints[name]}" if name in hints else ""
            return f"no column {name!r} in the header.{hint} The table needs the columns {columns}."
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

    ``widths`` are those of the header, up to its last name and in all (see :func:`_fitted`).
    Lines with only blanks, or with only empty fields as spreadsheets write them, are no records.
    """
    records = []
    while at < len(lines):
        fields, after = _quoted(lines, at, separator)
        fields = _fitted(fields, widths)
        others = {
            photo(_fitted(_fields(line, separator), widths)) for line in lines[at + 1 : after]
        }
        others -= {None, photo(fields)}
        if after == at + 1 or len(fields) != widths[1] or others:
            fields = _fitted(_fields(lines[at], separator), widths)
            after = at + 1
        is_blank = not any(map(str.strip, fields)) if fields else not lines[at].strip()
        if not is_blank:
            records.append((at + 1, fields))
        at = after
    return records


def _fitted(fields: list[str], widths: tuple[int, int]) -> list[str]:
    """The fields of a record, as many as the header has if only empty ones are too many or too few.

    Programs write a separator at the end of each row but not of the header, or the other way round.
    """
    named, width = widths
    if len(fields) > width and not any(map(str.strip, fields[width:])):
        return fields[:width]
    if named <= len(fields) < width:
        return [*fields, *[""] * (width - len(fields))]
    return fields


def unprotected(text: str) -> str:
    """``0012`` for ``="0012"`` and ``'0012``, as people keep Excel from changing a value."""
    if text.startswith('="') and text.endswith('"') and len(text) > 2:
        return text[2:-1].strip()
    return text.removeprefix("'") if text.removeprefix("'").isdecimal() else text


def _plain(name: str) -> str:
    """A column's name as it is compared: ``articletype`` for ``Article Type``, ``article_type``."""
    return re.sub(r"[\W_]", "", name.casefold())


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
