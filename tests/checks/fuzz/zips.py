"""Cases of zips: that climb, link, lie or unpack to gigabytes, and damaged ones."""

import bz2
import io
import lzma
import struct
import warnings
import zipfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from random import Random

import numpy as np

from fashion_tl.data.listing import LARGEST_FILE
from fashion_tl.errors import DataError
from tests.checks.fuzz.bombs import zeros
from tests.checks.fuzz.damage import damage, naming
from tests.checks.fuzz.entries import read_root
from tests.checks.fuzz.photos import COLOUR, strange_photos

TABLE = ("styles.csv", b"id,year,articleType\n1,2012,Shirts\n2,2013,Heels\n3,2014,Heels\n")


def member(
    name: str, content: bytes, packing: int = zipfile.ZIP_DEFLATED
) -> tuple[zipfile.ZipInfo, bytes]:
    info = zipfile.ZipInfo(name)
    info.compress_type = packing
    return info, content


def pack(members: Sequence[tuple[zipfile.ZipInfo, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of two members with one name
        for info, content in members:
            archive.writestr(info, content)
    return buffer.getvalue()


def raw_zip(name: str, packed: bytes, packing: int, size: int, others: Sequence = ()) -> bytes:
    """A zip whose first member is packed already, and says what size it unpacks to."""
    head = struct.pack("<HHHHHIIIHH", 20, 0, packing, 0, 33, 0, len(packed), size, len(name), 0)
    local = b"PK\3\4" + head + name.encode() + packed
    rest = pack([member(*other) for other in others])
    end = rest.rindex(b"PK\5\6")
    count, length, start = struct.unpack("<HII", rest[end + 10 : end + 20])
    directory = bytearray(rest[start : start + length])
    place = 0
    while place < length:  # the others' offsets move
        offset = struct.unpack_from("<I", directory, place + 42)[0]
        struct.pack_into("<I", directory, place + 42, offset + len(local))
        place += 46 + sum(struct.unpack_from("<HHH", directory, place + 28))
    directory += b"PK\1\2" + struct.pack("<H", 20) + head + bytes(14) + name.encode()
    tail = struct.pack(
        "<HHHHIIH", 0, 0, count + 1, count + 1, len(directory), len(local) + start, 0
    )
    return local + rest[:start] + bytes(directory) + b"PK\5\6" + tail


@cache
def packed_bombs() -> dict[str, tuple[bytes, int]]:
    """Very many zeros as the packings hold them, with the packing's number."""
    lz = lzma.compress(bytes(1 << 24), lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA1}])
    properties = lzma._encode_filter_properties({"id": lzma.FILTER_LZMA1})
    return {
        "deflate": (zeros(2048), 8),
        "bzip2": (bz2.compress(bytes(1 << 24)), 12),
        "LZMA": (struct.pack("<BBH", 9, 4, len(properties)) + properties + lz, 14),
        "stored": (b"\0" * 1000, 0),
        "unknown": (b"\0" * 1000, 97),
    }


def make_zip(rng: Random) -> tuple[bytes, set[int] | None]:
    """A zip, and the ids that must be read from it; None where all of it must be refused."""
    photo = strange_photos()["JPEG"][0]
    members = [member(*TABLE), *(member(f"images/{number}.jpg", photo) for number in (1, 2, 3))]
    way = rng.choice(
        (
            "plain",
            "climbing",
            "absolute",
            "link",
            "encrypted",
            "doubled",
            "bomb",
            "table bomb",
            "cut",
            "odd",
            "windows",
        )
    )
    good = {1, 2, 3}
    if way in ("climbing", "absolute"):
        names = {
            "climbing": (
                *("../x.jpg", "images/../../1.jpg", "..\\x"),
                *("images\\..\\..\\x", "..", "a/.."),
            ),
            "absolute": (
                *("/1.jpg", "/etc/passwd", "C:\\x"),
                *("c:/images/1.jpg", "\\\\host\\x", "\\x"),
            ),
        }
        members.insert(rng.randrange(len(members) + 1), member(rng.choice(names[way]), photo))
        return pack(members), None
    if way == "windows":
        names = ("a\\" + info.filename.replace("/", "\\") for info, _ in members)
        contents = (content for _, content in members)
        return pack(list(zip(map(zipfile.ZipInfo, names), contents, strict=True))), good
    if way == "link":
        link = rng.randrange(4)
        info, _ = members[link]
        info.create_system, info.external_attr = 3, 0o120777 << 16
        members[link] = (
            info,
            rng.choice((b"/etc/passwd", b"images/2.jpg", b"../../x", b"/dev/zero")),
        )
        return pack(members), None if link == 0 else good - {link}
    if way == "encrypted":
        which = rng.randrange(4)
        content = bytearray(pack(members))
        for start, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
            place = -1
            for _ in range(which + 1):
                place = content.index(start, place + 1)
            content[place + flags] |= 1
        return bytes(content), None if which == 0 else good - {which}
    if way == "doubled":
        which = rng.randrange(1, 4)
        last = rng.choice((photo, b"not a photo"))
        members.append(member(f"images/{which}.jpg", last))
        return pack(members), good if last == photo else good - {which}
    if way in ("bomb", "table bomb"):
        packed, packing = rng.choice(list(packed_bombs().values()))
        size = rng.choice((0, 5_000, 100_000_000, LARGEST_FILE, LARGEST_FILE + 1, 2**31, 2**32 - 2))
        photos = [(f"images/{number}.jpg", photo) for number in (1, 2, 3)]
        if way == "table bomb":
            return raw_zip("styles.csv", packed, packing, size, photos), None
        return raw_zip("images/1.jpg", packed, packing, size, [*photos[1:], TABLE]), good - {1}
    content = pack(members)
    if way == "cut":
        return content[: rng.randrange(content.rindex(b"PK\5\6") + 20)], None
    if way == "odd":
        before = rng.choice((rng.randbytes(500), b"MZ" + bytes(3_000)))
        if rng.random() < 0.5:
            return before + content, good
        deeper = [(zipfile.ZipInfo(f"a/b/{info.filename}"), body) for info, body in members]
        return pack(deeper), good
    return content, good


def try_zip(rng: Random, folder: Path) -> str:
    content, good = make_zip(rng)
    (folder / "root.zip").write_bytes(content)
    before = sorted(folder.parent.iterdir())
    try:
        catalogue, photos = read_root(folder / "root.zip", folder)
    except DataError as error:
        assert good is None, (good, str(error))
        naming(error, "root.zip")
        return "refused"
    finally:
        assert sorted(path.name for path in folder.iterdir() if path.name != "cache") == [
            "root.zip"
        ]
        assert sorted(folder.parent.iterdir()) == before
    assert good is not None, "it was read"
    assert set(map(int, photos.ids)) == good, (photos.ids, photos.failed, good)
    assert (np.abs(photos.array.astype(int) - COLOUR) <= 4).all()
    return "part" if len(catalogue.left_out) else "whole"


def try_damaged_zip(rng: Random, folder: Path) -> str:
    content = make_zip(rng)[0]
    while len(content) > 100_000:  # damaged bombs are the same bombs
        content = make_zip(rng)[0]
    directory = content.find(b"PK\1\2")
    cut = directory if directory > 0 and rng.random() < 0.7 else 0  # where it hurts most
    (folder / "root.zip").write_bytes(content[:cut] + damage(rng, content[cut:]))
    try:
        catalogue, _ = read_root(folder / "root.zip", folder)
        return "part" if len(catalogue.left_out) else "whole"
    except DataError as error:
        naming(error, "root.zip")
        return "refused"
