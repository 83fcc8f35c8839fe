"""Bytes to text: in the encodings that tables of spreadsheets come in."""

import codecs

from fashion_tl.errors import DataError

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


def decode_lines(content: bytes, where: str) -> tuple[str, list[str]]:
    """The encoding's name, and the lines without line breaks.

    DataError says what is ``where`` if it isn't text.
    """
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

    The upper two of four bytes are zero in all usual scripts. The upper one of two bytes is zero in
    separators and plain letters, and no other text has zeros.
    """
    start = content[:4096].rstrip(b"\0")  # damaged files end in zeros
    zeros = [[byte == 0 for byte in start[place::4]] for place in range(4)]
    share = [sum(own) / max(len(own), 1) for own in zeros]
    for encoding, upper in (("UTF-32-LE", (2, 3)), ("UTF-32-BE", (0, 1))):
        if min(share[place] for place in upper) > 0.9:
            return encoding
    first, second = share[0] + share[2], share[1] + share[3]
    if max(first, second) > 0.2 and len(start) >= 8 and max(first, second) > 4 * min(first, second):
        return "UTF-16-LE" if second > first else "UTF-16-BE"
    return ""
