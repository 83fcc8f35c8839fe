"""``styles.csv`` as text: its encoding, its separator, its header, and its records one by one."""

import codecs
import csv
import re
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from fashion_tl.errors import DataError

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "'|'"}
MOST_LINES = 1000  # of one record: the end of an open quote is looked for no further down
MARKS = {  # byte order marks; UTF-32's come first, since one of them begins as UTF-16's
    codecs.BOM_UTF8: "UTF-8",
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
NO_TEXT = {  # how other files begin that people put in a table's place
    b"PK\x03\x04": "an Excel workbook or a zip",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"\x1f\x8b": "compressed with gzip",
    b"PAR1": "a Parquet file",
}
NO_UTF8 = "The table isn't all UTF-8; the rest was read as Windows-1252. If letters look wrong, save it as CSV in UTF-8."


@dataclass(frozen=True)
class Table:
    """A table taken apart.

    ``column`` gives the place of each known column among the ``width`` fields. ``records`` are
    (first line in the file, fields); a record that is beyond all bounds has no fields.
    """

    column: dict[str, int]
    width: int
    separator: str
    records: list[tuple[int, list[str]]]
    notes: tuple[str, ...] = ()  # sentences on what was decided


def _windows_1252(error: UnicodeDecodeError) -> tuple[str, int]:
    wrong = error.object[error.start : error.end]
    try:
        return wrong.decode("windows-1252"), error.end
    except UnicodeDecodeError:  # five bytes mean nothing there
        return wrong.decode("latin-1"), error.end


codecs.register_error("windows-1252", _windows_1252)


def text_of(content: bytes) -> str:
    """Text in UTF-8. A byte that isn't UTF-8 is read as Windows-1252, which is what Excel
    writes."""
    return content.decode(errors="windows-1252")


def read_table(
    content: bytes,
    where: str,
    needed: Sequence[str],
    known: Sequence[str],
    photo_of: Callable[[str], str | None],
) -> Table:
    """Take a table apart; ``known`` columns are looked for, and the ``needed`` ones, ``id`` first,
    must be there.

    A record goes on over several lines where a line break lies in quotes. A quote that is never
    closed spoils its own line alone: lines are joined only if the result is as wide as the header,
    and if none of them is by itself a record of another photo; ``photo_of`` tells which photo an id
    names, if any. DataError says what was found in ``where``, and what to do, when this is empty or
    no text, or when a needed column is missing or there twice.
    """
    encoding, lines = _decode(content, where)
    filled = [at for at, line in enumerate(lines) if line.strip()]
    stated = re.match(r'"?sep=([^\w\s"]|\t)', lines[filled[0]], re.IGNORECASE) if filled else None
    if stated:  # Excel's own way to name the separator
        del filled[0]
    if not filled:
        raise DataError(f"{where} is empty; it must hold a header and one row per photo.")
    line, separators = lines[filled[0]], [*(stated[1] if stated else ""), *SEPARATORS]
    header, separator, start = _header(lines, filled[0], separators, needed)
    if fault := _fault_of_header(header, needed):
        raise DataError(
            f"{where}, line {filled[0] + 1}: {fault} {_as_read(line, header, separator, encoding)}"
        )
    names = [_plain(name) for name in header]
    column = {name: names.index(_plain(name)) for name in known if _plain(name) in names}

    def photo(fields: list[str]) -> str | None:
        return photo_of(fields[column[needed[0]]].strip()) if len(fields) == len(header) else None

    records = _records(lines, start, separator, len(header), photo)
    if not records:
        raise DataError(f"{where} has a header but no rows.")
    notes = () if encoding != "Windows-1252" else (NO_UTF8,)
    return Table(column, len(header), separator, records, notes)


def _decode(content: bytes, where: str) -> tuple[str, list[str]]:
    """The encoding's name, and the lines without their ends."""
    for start, what in NO_TEXT.items():
        if content.startswith(start):
            raise DataError(
                f"{where} is no text: it is {what}. Save the table as CSV, in UTF-8, under that name."
            )
    mark = next((mark for mark in MARKS if content.startswith(mark)), b"")
    encoding, content = MARKS.get(mark, "UTF-8"), content.removeprefix(mark)
    if encoding != "UTF-8":
        ends = "le" if mark[:1] == b"\xff" else "be"
        content = content.decode(f"{encoding}-{ends}", "replace").encode()
    elif ends := _byte_order(content):
        encoding, content = "UTF-16", content.decode(f"utf-16-{ends}", "replace").encode()
    try:
        content.decode()
    except UnicodeDecodeError:
        encoding = "Windows-1252"
    # Split as bytes: text would be split at form feeds and the like, too.
    return encoding, [text_of(line) for line in content.splitlines()]


def _byte_order(content: bytes) -> str | None:
    """``"le"`` or ``"be"`` where it plainly begins as UTF-16 without a mark: every other byte is
    zero.
    """
    for ends, zeros, letters in (
        ("le", content[1:64:2], content[0:64:2]),
        ("be", content[0:64:2], content[1:64:2]),
    ):
        if len(zeros) >= 4 and zeros.count(0) > 0.7 * len(zeros) and 0 not in letters:
            return ends
    return None


def _header(
    lines: list[str], at: int, separators: list[str], needed: Sequence[str]
) -> tuple[list[str], str, int]:
    """The header's fields, the separator, and where the rows begin: as it must be read to have the
    needed columns.
    """
    found = []
    for separator in separators:
        fields, after = _quoted(lines, at, separator)
        found += [(fields, separator, after), (_fields(lines[at], separator), separator, at + 1)]
    wanted = {_plain(name) for name in needed}
    return max(found, key=lambda each: (len(wanted & set(map(_plain, each[0]))), len(each[0])))


def _fault_of_header(header: list[str], needed: Sequence[str]) -> str | None:
    if not header:
        return "a name in the header is longer than 131,072 letters."
    for name in needed:
        own = [other for other in header if _plain(other) == _plain(name)]
        if not own:
            return f"no column {name!r} in the header. The table needs the columns {', '.join(needed)}."
        if len(own) > 1:
            return f"more than one column {name!r} in the header ({', '.join(own)[:200]!r}). Rename the others."
    return None


def _as_read(line: str, header: list[str], separator: str, encoding: str) -> str:
    """How a header was taken apart, for whoever wonders why a column wasn't found, and the way
    out."""
    others = Counter(re.findall(r"[^\w\"'.-]", line)).most_common(1)
    if len(header) > 1:
        words = f"separated by {SEPARATORS.get(separator, repr(separator))}"
    else:
        words = (
            f"separated by {others[0][0]!r}, which isn't known"
            if others
            else "with nothing that separates columns"
        )
    return (
        f"It was read as {encoding}, {words}: {line[:200]!r}. "
        "If that is wrong, save it as CSV in UTF-8, with commas, semicolons, tabs or '|'."
    )


def _records(
    lines: list[str], at: int, separator: str, width: int, photo: Callable[[list[str]], str | None]
) -> list[tuple[int, list[str]]]:
    """All records from a line on, each with the number of its first line, from 1.

    Lines that hold only blanks, or only empty fields as spreadsheets write them, are no records.
    """
    records = []
    while at < len(lines):
        fields, after = _quoted(lines, at, separator)
        others = {photo(_fields(line, separator)) for line in lines[at + 1 : after]} - {
            None,
            photo(fields),
        }
        if after == at + 1 or len(fields) != width or others:
            fields, after = _fields(lines[at], separator), at + 1
        is_blank = not any(map(str.strip, fields)) if fields else not lines[at].strip()
        if not is_blank:
            records.append((at + 1, fields))
        at = after
    return records


def _plain(name: str) -> str:
    """A column's name as it is compared: ``Article Type`` and ``article_type`` are
    ``articletype``."""
    return re.sub(r"[\W_]", "", name.casefold())


def _fields(line: str, separator: str) -> list[str]:
    """One line as a record, whatever its quotes are like; nothing where a field is longer than
    131,072 letters.
    """
    try:
        return next(
            csv.reader([line], delimiter=separator, skipinitialspace=_is_spaced(line, separator)),
            [],
        )
    except csv.Error:
        return []


def _is_spaced(line: str, separator: str) -> bool:
    """Whether quotes stand behind a blank, as in ``1, "Shirts"``; elsewhere blanks are part of
    their field.
    """
    return f'{separator} "' in line


def _quoted(lines: list[str], at: int, separator: str) -> tuple[list[str], int]:
    """The record that begins in a line, all its quotes closed, and the line after it; no fields
    where there is none.
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
