"""The members of any zip by name, and what a file that is not a zip really is."""

import re
import unicodedata
import zipfile
from contextlib import suppress
from pathlib import Path

from fashion_tl.errors import DataError

DEEPEST_MEMBER = 50  # folders above a file, also in a zip; deeper files aren't listed
ARCHIVES = {  # how the files begin that people give instead of a zip
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!\x1a\x07": "a RAR archive",
    b"\x1f\x8b": "compressed with gzip, as .tar.gz is",
    b"BZh": "compressed with bzip2, as .tar.bz2 is",
    b"\xfd7zXZ\x00": "compressed with xz, as .tar.xz is",
    b"\x28\xb5\x2f\xfd": "compressed with Zstandard, as .tar.zst is",
}
PACKED_ENDINGS = frozenset(".7z .rar .tar .gz .tgz .bz2 .tbz2 .xz .txz .zst".split())
# For zips that don't state the encoding of their names: encodings to try, and the scripts (by
# Unicode's names) whose letters they should give.
ENCODINGS = (
    ("cp932", {"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA"}),
    ("cp437", {"LATIN"}),
    ("cp1252", {"LATIN"}),
)
ENCRYPTED = "a password protects it; unpack it with that, and name the folder instead."


def members_of(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The members by their names with ``/``, also if Windows wrote them with backslashes."""
    unstated = {}
    for member in archive.infolist():
        if not (member.filename.isascii() or member.flag_bits & 0x800):
            # zipfile has decoded the name as cp437.
            unstated[member.filename] = member.filename.encode("cp437", "replace")
    encoding = _encoding_of(list(unstated.values()))
    members = {}
    for member in archive.infolist():
        name = member.filename
        if name in unstated:
            with suppress(UnicodeError):
                name = unstated[name].decode(encoding)
        parts = name.replace("\\", "/").split("/")
        # Nothing is ever unpacked, so such a name does no harm. But no honest archive has one.
        if ".." in parts or parts[0] == "" or parts[0].endswith(":"):
            raise DataError(
                f"{archive.filename}: refused, it names a file outside itself: {name[:200]!r}. "
                "Unpack it with a program that you trust, and name the folder instead."
            )
        if len(parts) <= DEEPEST_MEMBER:
            inner = [part for part in parts[:-1] if part not in ("", ".")]
            members["/".join([*inner, parts[-1]])] = member
    return members


def _encoding_of(names: list[bytes]) -> str:
    """The encoding of a zip's names that state none: the first one that gives plausible letters."""
    with suppress(UnicodeError):  # macOS writes UTF-8 without saying so
        for name in names:
            name.decode()
        return "utf-8"
    for encoding, scripts in ENCODINGS:
        with suppress(UnicodeError):
            words = [name.decode(encoding) for name in names]
            others = [re.findall(r"[^\x00-\x7f]+", word) for word in words]
            letters = "".join(run for runs in others for run in runs)
            found = {unicodedata.name(letter, "?").split()[0] for letter in letters}
            # In cp932 an umlaut and the letter after it look like a single Japanese letter.
            has_runs = all(max(map(len, runs), default=0) > 1 for runs in others)
            if found <= scripts and (encoding != "cp932" or has_runs):
                return encoding
    return "cp437"


def is_encrypted(member: zipfile.ZipInfo) -> bool:
    return bool(member.flag_bits & 1)


def why_no_zip(path: Path) -> str:
    """What a file is that can't be read as a zip, and the way out, to follow the file's name.

    OSError if the file can't be read.
    """
    with open(path, "rb") as file:
        start = file.read(1024)
    what = next((what for first, what in ARCHIVES.items() if start.startswith(first)), None)
    if what is None and start[257:262] == b"ustar":
        what = "a tar archive"
    if what:
        return f"not a zip that can be read: it is {what}. Unpack it, and name the folder instead."
    if start.startswith(b"PK\x03\x04"):
        return (
            "not a zip that can be read: its end is missing. "
            "Copy or download the whole of it again."
        )
    if start.lstrip()[:15].lower().startswith((b"<!doctype html", b"<html")):
        return (
            "not a zip that can be read: it is a web page. "
            "Sign in where you download it, and try again."
        )
    if not start:
        return "not a zip that can be read: the file is empty."
    return "not a zip that can be read."
