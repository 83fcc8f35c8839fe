"""Zips as people have them: their members by name, whatever wrote them, and what a file is that is
none.
"""

import re
import unicodedata
import zipfile
from contextlib import suppress
from pathlib import Path

from fashion_tl.errors import DataError

DEEPEST_MEMBER = 50  # folders above a file, in a zip too; one further down isn't listed
ARCHIVES = {  # how files begin that people give in a zip's place
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!\x1a\x07": "a RAR archive",
    b"\x1f\x8b": "compressed with gzip, as .tar.gz is",
    b"BZh": "compressed with bzip2, as .tar.bz2 is",
    b"\xfd7zXZ\x00": "compressed with xz, as .tar.xz is",
    b"\x28\xb5\x2f\xfd": "compressed with Zstandard, as .tar.zst is",
}
PACKED_ENDINGS = frozenset(".7z .rar .tar .gz .tgz .bz2 .tbz2 .xz .txz .zst".split())
# Whose letters stand in the names of a zip that doesn't state their encoding, by what Unicode calls
# the scripts.
ENCODINGS = (
    ("cp932", {"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA"}),
    ("cp437", {"LATIN"}),
    ("cp1252", {"LATIN"}),
)
ENCRYPTED = "a password protects it; unpack it with that, and name the folder instead."


def members_of(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The members by their names with ``/``, also where Windows wrote them with backslashes."""
    members, unstated = {}, {}
    for member in archive.infolist():
        if not (member.filename.isascii() or member.flag_bits & 0x800):
            unstated[member.filename] = member.filename.encode(
                "cp437", "replace"
            )  # as zipfile has decoded it
    encoding = _encoding_of(list(unstated.values()))
    for member in archive.infolist():
        name = member.filename
        if name in unstated:
            with suppress(UnicodeError):
                name = unstated[name].decode(encoding)
        parts = name.replace("\\", "/").split("/")
        # Nothing is ever unpacked, so such a name could do no harm; but no honest archive holds
        # one.
        if ".." in parts or parts[0] == "" or parts[0].endswith(":"):
            raise DataError(
                f"{archive.filename}: refused, it names a file outside itself: {name[:200]!r}"
            )
        if len(parts) <= DEEPEST_MEMBER:
            inner = [part for part in parts[:-1] if part not in ("", ".")]
            members["/".join([*inner, parts[-1]])] = member
    return members


def _encoding_of(names: list[bytes]) -> str:
    """The encoding of a zip's names that don't state it: the first which makes all of them letters
    of one script.
    """
    with suppress(UnicodeError):  # as macOS writes it without saying so
        for name in names:
            name.decode()
        return "utf-8"
    for encoding, scripts in ENCODINGS:
        with suppress(UnicodeError):
            words = [name.decode(encoding) for name in names]
            others = [re.findall(r"[^\x00-\x7f]+", word) for word in words]
            found = {
                unicodedata.name(letter, "?").split()[0]
                for runs in others
                for run in runs
                for letter in run
            }
            # A single letter between others may be an umlaut and the letter after it, read
            # together.
            if found <= scripts and (
                encoding != "cp932" or all(len(max(runs, key=len)) > 1 for runs in others)
            ):
                return encoding
    return "cp437"


def is_encrypted(member: zipfile.ZipInfo) -> bool:
    return bool(member.flag_bits & 1)


def why_no_zip(path: Path) -> str:
    """What a file is that is given as a zip and can't be read as one, and the way out; OSError
    where it can't be read.

    The words go behind the file's name.
    """
    with open(path, "rb") as file:
        start = file.read(1024)
    what = next((what for first, what in ARCHIVES.items() if start.startswith(first)), None)
    if what is None and start[257:262] == b"ustar":
        what = "a tar archive"
    if what:
        return f"not a zip that can be read: it is {what}. Unpack it, and name the folder instead."
    if start.startswith(b"PK\x03\x04"):
        return "not a zip that can be read: its end is missing. Copy or download the whole of it again."
    if start.lstrip()[:15].lower().startswith((b"<!doctype html", b"<html")):
        return "not a zip that can be read: it is a web page. Sign in where you download it, and try again."
    if not start:
        return "not a zip that can be read: the file is empty."
    return "not a zip that can be read."
