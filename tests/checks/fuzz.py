"""``make fuzz``: hostile and merely strange input, by the ten thousand.

Each case follows from a seed and its number. It is either made, so that its right answer is known
and compared, or damaged at random, so that it must end in a documented error or in something sound.
Cases run in worker processes with a time limit for each and a bound on their memory: a crash, a
hang or a blow-up is a failure of that case, and the next one goes on. ``--kind KIND --from N
--count 1 --jobs 1`` repeats one.
"""

import argparse
import bz2
import contextlib
import io
import json
import lzma
import os
import pickle
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image

from fashion_tl.data.catalogue import facts, read_catalogue
from fashion_tl.data.dataroot import open_root
from fashion_tl.data.listing import LARGEST_FILE
from fashion_tl.data.photos import decode, decode_photos
from fashion_tl.errors import DataError, FashionTLError, WeightsError
from fashion_tl.machine import processors
from tests import HEADER
from tests.checks.reliability import write_table

SIZE = (80, 60)
COLUMNS = tuple(HEADER.split(","))
SEED = 2010
PROGRAM = ("-m", "tests.checks.fuzz")  # what the worker processes run


@dataclass(frozen=True)
class Kind:
    """One kind of input. ``attempt(rng, folder)`` makes a case in an empty folder and says what
    came of it, ``"whole"``, ``"part"`` or ``"refused"``; whatever it raises is a failure.
    """

    words: str
    attempt: Callable[[Random, Path], str]
    count: int
    megabytes: int  # of memory beyond what the worker has when it starts
    space: int = 1  # times as much address space: what isn't touched costs nothing
    seconds: int = 20  # for one case, on a busy machine


# -- styles.csv

PHOTOS = range(1, 31)  # the ids that have one
WRONG = {  # a fault in one field: the reason it must be left out for, and ways to have it
    ("id", "missing id"): ("", "  "),
    ("id", "missing image"): (
        "../7", "/etc/passwd", "-7", "7.5", "1e1", "x", "７", "9" * 19, "0x7", "7\0", "7 8", "\\7", ".jpg",
        "0" * 100_000 + "x",
    ),
    ("year", "missing year"): ("", "  "),
    ("year", "bad year"): (
        "soon", "16", "FY16", "2016-13-13", "01/05/16", "2015-2016", "-2012", "2012.5", "nan", "inf", "2_012", "99999",
        "0", "２０１２", "2012\0", "20 12", "1e3",
    ),
    ("articleType", "missing articleType"): ("", "  "),
    ("articleType", "bad articleType"): ("Shi\0rts", "\x1b[31mShirts"),
}  # fmt: skip
LABELS = {"Shirts": "Shirts", "Café Tops": "Café Tops", '"Bath, Robe"': "Bath, Robe", '"Say ""hi"""': 'Say "hi"',
          " Heels ": "Heels", "x" * 100_000: "x" * 100_000, "NA": "NA", "../Socks": "../Socks",
          "Women’s Tops": "Women’s Tops"}  # fmt: skip
YEARS = {
    "2012": 2012,
    "2013.0": 2013,
    " 2014 ": 2014,
    '"2015"': 2015,
    "2016-05-01": 2016,
    "31/12/2013 0:00": 2013,
    "9999": 9999,
    "02016.": None,
}
MORE = ",Slim, Fit"  # with the table's own separator
NAMES = {  # other ways to write the header
    "id": ("ID", '"id"'), "year": ("Year", " year "), "articleType": ("ArticleType", "article_type", "Article Type"),
}  # fmt: skip
WIDE = ("utf-16", "utf-16-le", "utf-16-be", "utf-32")  # two without a byte order mark


@dataclass
class Table:
    """A styles.csv and what must be read from it: ``good`` has (line, id, year, label), ``refused``
    the words of the error, if there must be one.
    """

    content: bytes = b""
    rows: int = 0
    good: list[tuple[int, str, int, str]] = field(default_factory=list)
    reasons: Counter = field(default_factory=Counter)
    refused: str = ""


def make_table(rng: Random, bad_rows: str) -> Table:
    """A table with faults of every kind, and the right answer."""
    table, columns, separator = Table(), list(COLUMNS), rng.choice(",,;\t|")
    change = rng.random()
    if change < 0.3:
        rng.shuffle(columns)
    elif change < 0.5:
        name = rng.choice(columns)
        columns.remove(name) if change < 0.4 else columns.insert(
            rng.randrange(len(columns) + 1), name
        )
        if name in ("id", "year", "articleType"):
            table.refused = f"{'no' if change < 0.4 else 'more than one'} column '{name}'"
    written = [rng.choice((name, *NAMES.get(name, ()))) for name in columns]
    lines, seen = [separator.join(written)], set()
    lines[:0] = [f"sep={separator}"] * (rng.random() < 0.1)
    lines[:0] = [""] * (rng.random() < 0.1)
    place = len(lines) - 1  # the header's
    for _ in range(rng.choice((0, 1, 5, 20, 40))):
        if rng.random() < 0.05:
            lines.append("")
        line, reason, row = _make_row(rng, columns, bad_rows, separator)
        if rng.random() < 0.003 and "\n" not in line:
            line, reason = line + "y" * 1_000_000, "malformed"
        start = len(lines) + 1
        lines += line.split("\n")
        table.rows += 1
        if reason is None:
            number, year, label = row
            reason = (
                "duplicate id" if number in seen else None if number in PHOTOS else "missing image"
            )
            if reason is None:
                seen.add(number)
                table.good.append((start, str(number), year, label))
                continue
        elif reason not in (
            "malformed",
            "missing id",
            "missing image",
        ):  # faults are looked for in this order
            reason = (
                "duplicate id"
                if row[0] in seen
                else reason
                if row[0] in PHOTOS
                else "missing image"
            )
        table.reasons[reason] += 1
    missing = table.reasons["missing image"]
    found = table.rows - missing - table.reasons["missing id"] - table.reasons["malformed"]
    if not table.rows and not table.refused:
        table.refused = "no rows"
    if missing and found < min(10, missing / 20) and not table.refused:
        table.refused = f"only {found} of {found + missing} ids name a photo"
    if rng.random() < 0.01:
        lines[place] += "y" * 1_000_000
        table.refused = f"line {place + 1}:"
    table.content = _encode(rng, lines)
    return table


def _make_row(
    rng: Random, columns: Sequence[str], bad_rows: str, separator: str
) -> tuple[str, str | None, tuple]:
    """A row, which may go on in a second line, why it can't be used (or None), and its id, year and
    label.
    """
    more = MORE.replace(",", separator)
    number, year, label = rng.randint(1, 40), rng.choice(list(YEARS)), rng.choice(list(LABELS))
    text = dict.fromkeys(COLUMNS, "Café") | {"year": year, "articleType": label}
    text["id"] = rng.choice(
        (
            str(number),
            f" {number} ",
            f'"{number}"',
            f"00{number}",
            f"{number}.0",
            f"{number}.jpg",
            f"0{number}.JPEG",
            f"images/{number}.jpg",
        )
    )
    value = (number, YEARS[year], LABELS[label])
    reason = None if YEARS[year] else "bad year"
    fault = rng.random()
    if fault < 0.3:
        (name, why), ways = rng.choice(list(WRONG.items()))
        text[name] = rng.choice(ways)
        if reason is None or name != "articleType":
            reason = why if name in ("id", "year") else reason or why
    elif fault < 0.35:
        text["season"] = "Fa\0ll"
    fields = [text[name] for name in columns]
    if 0.35 <= fault < 0.4:
        fields[-1] = fields[-1].strip() + more
        name = columns[-1]
        if bad_rows == "skip":
            return separator.join(fields), "malformed", value
        if columns.index(name) == len(columns) - 1:
            if name == "id":
                return separator.join(fields), "missing image", value
            if name == "year":
                reason = "bad year"
            elif name == "articleType":
                value = (
                    *value[:2],
                    " ".join((LABELS[label] + more).split()),
                )  # tabs separate nothing any more
    elif 0.4 <= fault < 0.45:
        fields = fields[: rng.randrange(1, len(fields))]
        fields[0] = fields[0] or "x"
        return separator.join(fields), "malformed", value
    elif 0.45 <= fault < 0.5 and '"' not in "".join(fields):
        place = rng.randrange(len(fields))
        fields[place] = '"' + fields[place]
        if place < len(fields) - 1:
            return separator.join(fields), "malformed", value
    elif (
        0.5 <= fault < 0.6 and "season" in columns
    ):  # two lines in quotes, the second of which is no row
        fields[columns.index("season")] = (
            f'"Fall{separator}{separator} and\n{rng.choice(("", "7", separator))}""winter"""'
        )
    return separator.join(fields), reason, value


def _encode(rng: Random, lines: list[str]) -> bytes:
    """In UTF-8, in Windows-1252 or in each line's own, or in UTF-16 or 32; with any line ends, and
    marked or not.
    """
    codec, ends = (
        rng.choice(("utf-8", "cp1252", None)),
        rng.choice((["\n"], ["\r\n"], ["\r"], ["\n", "\r\n"])),
    )
    if rng.random() < 0.2:
        return rng.choice(ends).join(lines).encode(rng.choice(WIDE))
    content = b"\xef\xbb\xbf" * (rng.random() < 0.3)
    for number, line in enumerate(lines, 1):
        try:
            content += line.encode(codec or rng.choice(("utf-8", "cp1252")))
        except UnicodeEncodeError:
            content += line.encode()
        if number < len(lines) or rng.random() < 0.5:
            content += rng.choice(ends).encode()
    return content


def try_table(rng: Random, folder: Path) -> str:
    bad_rows = rng.choice(("skip", "recover"))
    table = make_table(rng, bad_rows)
    root = _table_root(folder, table.content)
    try:
        catalogue = read_catalogue(root, bad_rows)
    except DataError as error:
        assert table.refused and table.refused in _naming(error, folder, "styles.csv"), (
            table.refused,
            str(error),
        )
        return "refused"
    assert not table.refused, f"it was read, though {table.refused}"
    columns = (catalogue.table[name] for name in ("line", "id", "year", "articleType"))
    assert list(zip(*columns, strict=True)) == table.good
    assert Counter(catalogue.left_out["reason"]) == table.reasons
    return _accounted(catalogue, table.rows)


def try_damaged_table(rng: Random, folder: Path) -> str:
    content = damage(rng, make_table(rng, "skip").content)
    if rng.random() < 0.05:
        content = content.decode("latin-1").encode("utf-16")
    try:
        return _accounted(
            read_catalogue(_table_root(folder, content), rng.choice(("skip", "recover")))
        )
    except DataError as error:
        _naming(error, folder, "styles.csv")
        return "refused"


def _table_root(folder: Path, content: bytes):
    images = folder.parent / "images"  # the same for all
    if not images.exists():
        images.mkdir()
        for number in PHOTOS:
            (images / f"{number}.jpg").touch()
    (folder / "images").symlink_to(images)
    (folder / "styles.csv").write_bytes(content)
    return open_root(folder)


def _accounted(catalogue, rows: int | None = None) -> str:
    """Every row is used or left out, each with its reason; the facts can be told."""
    assert catalogue.rows == len(catalogue.table) + len(catalogue.left_out)
    assert rows is None or catalogue.rows == rows
    assert catalogue.left_out["reason"].str.len().min() > 0 or catalogue.left_out.empty
    assert catalogue.table["id"].is_unique and catalogue.table["id"].isin(map(str, PHOTOS)).all()
    assert (
        catalogue.table["year"].between(1, 9999).all()
        and (catalogue.table["articleType"].str.len() > 0).all()
    )
    assert facts(catalogue)["usable"] == len(catalogue.table)
    return "part" if len(catalogue.left_out) else "whole"


def _naming(error: Exception, *names: object) -> str:
    """The message; it must name these, be of bounded length, and not come of memory that ran
    out."""
    message = str(error)
    assert all(str(name) in message for name in names), message
    assert "Memory" not in message and "allocate" not in message and len(message) < 5000, message[
        :500
    ]
    return message


def damage(rng: Random, content: bytes) -> bytes:
    """The same with bits flipped, bytes lost, bytes put in, a part doubled or blanked, or the end
    cut off.
    """
    content = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        here, there = sorted(rng.randrange(len(content) + 1) for _ in range(2))
        there = min(there, here + 200)
        way = rng.random()
        if way < 0.5 and here < len(content):
            content[here] ^= 1 << rng.randrange(8)
        elif way < 0.6:
            content[here:here] = rng.randbytes(rng.randrange(1, 9))
        elif way < 0.7:
            del content[here:there]
        elif way < 0.8:
            content[here:here] = content[here:there]
        elif way < 0.9:
            content[here:there] = bytes(there - here)
        else:
            del content[here:]
    return bytes(content)


# -- photos

COLOUR = (40, 160, 220)


def encoded(image: Image.Image, form: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.copy().save(buffer, form, **options)  # Pillow remembers in an image how it was saved
    return buffer.getvalue()


@cache
def strange_photos() -> dict[str, tuple[bytes, tuple[int, int, int], int]]:
    """Encoded photos of one colour, with that colour and how far off it may be."""
    plain, grey = Image.new("RGB", SIZE[::-1], COLOUR), Image.new("L", SIZE[::-1], 77)
    other = Image.new("RGB", SIZE[::-1], (255, 0, 0))
    deep = np.full(SIZE, 77 * 257, np.uint16)
    palette = plain.convert("P", palette=Image.Palette.ADAPTIVE)
    exif = Image.Exif()
    exif[0x0112] = 1
    photos = {
        "JPEG": (encoded(plain, "JPEG"), COLOUR, 4),
        "progressive JPEG": (encoded(plain, "JPEG", progressive=True), COLOUR, 4),
        "JPEG with EXIF": (encoded(plain, "JPEG", exif=exif, comment=b"x" * 60_000), COLOUR, 4),
        "JPEG and bytes after it": (encoded(plain, "JPEG") + bytes(100_000), COLOUR, 4),
        "two pictures in a JPEG": (encoded(plain, "MPO", save_all=True, append_images=[other.copy()]), COLOUR, 4),
        "1×1": (encoded(Image.new("RGB", (1, 1), COLOUR), "PNG"), COLOUR, 0),
        "1×1 JPEG": (encoded(Image.new("RGB", (1, 1), COLOUR), "JPEG"), COLOUR, 4),
        "1×50,000": (encoded(Image.new("RGB", (1, 50_000), COLOUR), "JPEG"), COLOUR, 4),
        "50,000×1": (encoded(Image.new("RGB", (50_000, 1), COLOUR), "PNG"), COLOUR, 0),
        "CMYK": (encoded(plain.convert("CMYK"), "JPEG"), COLOUR, 4),
        "CMYK TIFF": (encoded(plain.convert("CMYK"), "TIFF"), COLOUR, 1),
        "grey": (encoded(grey, "JPEG"), (77, 77, 77), 2),
        "grey with alpha": (encoded(grey.convert("LA"), "PNG"), (77, 77, 77), 0),
        "black and white": (encoded(Image.new("1", SIZE[::-1], 1), "PNG"), (255, 255, 255), 0),
        "16-bit PNG": (encoded(Image.fromarray(deep), "PNG"), (77, 77, 77), 0),
        "16-bit TIFF": (encoded(Image.fromarray(deep), "TIFF"), (77, 77, 77), 0),
        "big-endian 16-bit TIFF": (
            encoded(Image.frombytes("I;16B", SIZE[::-1], deep.astype(">u2").tobytes()), "TIFF"), (77, 77, 77), 0,
        ),
        "32-bit TIFF": (encoded(Image.fromarray(deep.astype(np.int32)), "TIFF"), (77, 77, 77), 0),
        "palette PNG": (encoded(palette, "PNG"), COLOUR, 2),
        "palette BMP": (encoded(palette, "BMP"), COLOUR, 2),
        "animated GIF": (encoded(plain, "GIF", save_all=True, append_images=[other.copy()] * 5), COLOUR, 2),
        "animated PNG": (encoded(plain, "PNG", save_all=True, append_images=[other.copy()] * 5), COLOUR, 0),
        "animated WebP": (
            encoded(plain, "WEBP", save_all=True, append_images=[other.copy()] * 5, lossless=True), COLOUR, 2,
        ),
        "pages of a TIFF": (encoded(plain, "TIFF", save_all=True, append_images=[other.copy()]), COLOUR, 0),
        "WebP": (encoded(plain, "WEBP"), COLOUR, 6),
        "BMP": (encoded(plain, "BMP"), COLOUR, 0),
        "alpha": (encoded(plain.convert("RGBA"), "PNG"), COLOUR, 0),
    }  # fmt: skip
    for packing in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        photos[f"TIFF, {packing}"] = (encoded(plain, "TIFF", compression=packing), COLOUR, 4)
    return photos


def try_strange_photo(rng: Random, folder: Path) -> str:
    content, colour, off = rng.choice(list(strange_photos().values()))
    size = rng.choice((SIZE, (224, 168), (8, 8)))
    photo = _decoded(content, size)
    assert np.abs(photo.astype(int) - colour).max() <= off, (photo[0, 0].tolist(), colour)
    return "whole"


def try_damaged_photo(rng: Random, folder: Path) -> str:
    content = damage(rng, rng.choice(damageable()))
    try:
        _decoded(content, SIZE)
        return "whole"
    except DataError as error:
        _naming(error)
        return "refused"


@cache
def damageable() -> list[bytes]:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8))
    forms = (
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("JPEG", {"optimize": True, "quality": 30}),
        ("PNG", {}),
    )
    forms += (
        ("GIF", {}),
        ("WEBP", {}),
        ("BMP", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
    )
    photos = [encoded(noise, form, **options) for form, options in forms]
    return (
        photos[:3] * 6
        + photos
        + [content for content, _, _ in strange_photos().values() if len(content) < 50_000]
    )


def _decoded(content: bytes, size: tuple[int, int]) -> np.ndarray:
    photo = decode(content, size)
    assert photo.shape == (*size, 3) and photo.dtype == np.uint8
    return photo


@cache
def bombs() -> dict[str, tuple[bytes, tuple[int, int, int] | None]]:
    """Small files of very many pixels, or of very much work; with the colour of those that are a
    photo all the same; ``...`` where either will do.
    """
    grey, most = (77, 77, 77), Image.new("L", (8_192, 8_192), 77)  # the most pixels there may be
    wide = encoded(Image.new("L", (3_000, 3_000), 77), "JPEG", progressive=True)
    scan = wide[wide.rindex(b"\xff\xda") : -2]
    small, tile, web = (
        encoded(Image.new("RGB", (60, 80), COLOUR), form) for form in ("JPEG", "BMP", "WEBP")
    )
    frame, sizes = small.index(b"\xff\xc0") + 5, web.index(struct.pack("<HH", 60, 80))
    moving = strange_photos()["animated WebP"][0]
    assert moving[12:16] == b"VP8X"
    gif, tiff = encoded(Image.new("P", (60, 80)), "GIF"), encoded(Image.new("L", (60, 80)), "TIFF")

    def patch(content: bytes, place: int, size: bytes) -> bytes:
        return content[:place] + size + content[place + len(size) :]

    for tag, pixels in ((256, 60), (257, 80)):
        entry = next(
            e for e in (struct.pack("<HHII", tag, kind, 1, pixels) for kind in (3, 4)) if e in tiff
        )
        tiff = patch(tiff, tiff.index(entry), struct.pack("<HHII", tag, 4, 1, 60_000))
    return {
        "PNG of 900 million pixels": (png(30_000, 30_000), None),
        "PNG of 4 billion × 4 billion pixels": (png(2**31 - 1, 2**31 - 1), None),
        "PNG of 0 pixels": (png(0, 0), None),
        "PNG with a comment that unpacks to a gigabyte": (png(60, 80, zeros(1000)), None),
        "PNG of the most pixels": (encoded(most, "PNG", compress_level=1), grey),
        "JPEG of the most pixels": (encoded(most, "JPEG"), grey),
        "JPEG with 3,000 scans": (wide[:-2] + scan * 3_000 + b"\xff\xd9", None),
        "JPEG with scans within the limit": (wide[:-2] + scan * 130 + b"\xff\xd9", grey),
        "JPEG that says 65,500×65,500": (
            patch(small, frame, struct.pack(">HH", 65_500, 65_500)),
            None,
        ),
        "JPEG that says 1,100×60,000": (
            patch(small, frame, struct.pack(">HH", 60_000, 1_100)),
            ...,
        ),
        "BMP that says 60,000×60,000": (patch(tile, 18, struct.pack("<ii", 60_000, 60_000)), None),
        "BMP that says 8,000×8,000": (patch(tile, 18, struct.pack("<ii", 8_000, 8_000)), None),
        "GIF that says 65,535×65,535": (patch(gif, 6, struct.pack("<HH", 65_535, 65_535)), None),
        "WebP that says 800,000×80": (patch(moving, 24, (799_999).to_bytes(3, "little")), ...),
        "WebP that says 16,383×16,383": (
            patch(web, sizes, struct.pack("<HH", 16_383, 16_383)),
            None,
        ),
        "TIFF that says 60,000×60,000": (tiff, None),
        "PostScript": (
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 60 80\n%%EndComments\n{} loop\n",
            None,
        ),
        "vector graphics": (
            b'<svg xmlns="http://www.w3.org/2000/svg" width="60" height="80"/>',
            None,
        ),
    }


def png(width: int, height: int, comment: bytes = b"") -> bytes:
    """A PNG that says it has so many pixels, of which few follow; its comment is packed already."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    note = chunk(b"zTXt", b"note\0\0\x78\x9c" + comment) if comment else b""
    return (
        b"\x89PNG\r\n\x1a\n"
        + head
        + note
        + chunk(b"IDAT", zlib.compress(bytes(5_000)))
        + chunk(b"IEND", b"")
    )


@cache
def zeros(megabytes: int) -> bytes:
    """So many megabytes of zeros, deflated: some 1 kB each."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    one = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return one * megabytes + packer.flush()


def try_bomb(rng: Random, folder: Path) -> str:
    content, colour = rng.choice(list(bombs().values()))
    try:
        photo = _decoded(content, SIZE)
    except DataError as error:
        _naming(error)
        assert colour in (None, ...), str(error)
        return "refused"
    assert colour is not None, "it was read"
    assert colour is ... or np.abs(photo.astype(int) - colour).max() <= 4
    return "whole"


# -- what lies in images/


def try_entries(rng: Random, folder: Path) -> str:
    """Links, pipes, folders and other things in the photos' places; good ones must be found,
    whatever lies beside.
    """
    root, outside, photo = folder / "root", folder / "outside", strange_photos()["JPEG"][0]
    outside.mkdir()
    images = root / "images"
    if rng.random() < 0.2:  # a folder may be a link
        root.mkdir()
        images.symlink_to(outside / "images")
        (outside / "images").mkdir()
    else:
        images.mkdir(parents=True)
    (outside / "1.jpg").write_bytes(photo)
    (images / "100.jpg").write_bytes(photo)
    ways = {
        "file": lambda path: path.write_bytes(photo),
        "hard link": lambda path: os.link(outside / "1.jpg", path),
        "link within": lambda path: path.symlink_to("100.jpg"),
        "long way within": lambda path: path.symlink_to(
            Path("..") / images.resolve().name / "100.jpg"
        ),
        "link out of the root": lambda path: path.symlink_to(outside / "1.jpg"),
        "relative link out of the root": lambda path: path.symlink_to(
            os.path.relpath(outside / "1.jpg", images)
        ),
        "link to nowhere": lambda path: path.symlink_to(outside / "2.jpg"),
        "link to itself": lambda path: path.symlink_to(path.name),
        "link to zeros without end": lambda path: path.symlink_to("/dev/zero"),
        "pipe": os.mkfifo,
        "folder": Path.mkdir,
        "link to a folder": lambda path: path.symlink_to(outside),
        "socket": _socket,
        "empty file": Path.touch,
        "file of a terabyte": _sparse,
        "text": lambda path: path.write_text("not a photo"),
    }
    good, rows = {100}, {100: ("file", "")}
    for number in range(1, rng.randrange(2, 12)):
        way = rng.choice(list(ways))
        ways[way](images / f"{number}{rng.choice(('.jpg', '.JPG', '.jpeg', '.png'))}")
        rows[number] = way
        good |= (
            {number} if way in ("file", "hard link", "link within", "long way within") else set()
        )
    lines = [f"{number},{2012 + number % 2},Shirts" for number in rows]
    (root / "styles.csv").write_text("\n".join(["id,year,articleType", *lines]))
    catalogue, photos = _read_root(root, folder)
    assert set(map(int, photos.ids)) == good, (rows, photos.ids)
    left_out = dict(
        zip(catalogue.left_out["id"].astype(int), catalogue.left_out["reason"], strict=True)
    )
    for number, reason in left_out.items():
        assert (reason == "link out of the root") == rows[number].endswith(
            "link out of the root"
        ), (rows, left_out)
    assert len(rows) == len(good) + len(left_out)
    return "part" if left_out else "whole"


def _socket(path: Path) -> None:
    with (
        contextlib.chdir(path.parent),
        socket.socket(socket.AF_UNIX) as server,
    ):  # their names must be short
        server.bind(path.name)


def _sparse(path: Path) -> None:
    with open(path, "wb") as file:
        file.truncate(1 << 40)


def _read_root(root: Path, folder: Path):
    """Catalogue without the photos that failed, and photos, as a training reads them."""
    opened = open_root(root)
    catalogue = read_catalogue(opened)
    if catalogue.table.empty:
        raise DataError(f"{root}: no row can be used")
    photos = decode_photos(
        opened, catalogue.table["id"].to_numpy(), SIZE, folder / "cache", workers=1
    )
    for number, reason in photos.failed.items():
        assert f"/{number}." in reason or "not a photo" in reason, reason
        _naming(DataError(reason))
    catalogue = catalogue.without(dict.fromkeys(photos.failed, "undecodable image"))
    assert catalogue.rows == len(catalogue.table) + len(catalogue.left_out)
    assert catalogue.table["id"].tolist() == photos.ids.tolist()
    return catalogue, photos


# -- zips

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
        names = ("../x.jpg", "images/../../1.jpg", "..\\x", "images\\..\\..\\x", "..", "a/..")
        names = (
            names
            if way == "climbing"
            else ("/1.jpg", "/etc/passwd", "C:\\x", "c:/images/1.jpg", "\\\\host\\x", "\\x")
        )
        members.insert(rng.randrange(len(members) + 1), member(rng.choice(names), photo))
        return pack(members), None
    if way == "windows":
        return pack(
            [
                (zipfile.ZipInfo("a\\" + info.filename.replace("/", "\\")), photo)
                for info, photo in members
            ]
        ), good
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
        name, others = ("styles.csv", [f"images/{n}.jpg" for n in good]) if way == "table bomb" else (
            "images/1.jpg", ["images/2.jpg", "images/3.jpg"])  # fmt: skip
        others = [(other, photo) for other in others] + ([TABLE] if way == "bomb" else [])
        return raw_zip(name, packed, packing, size, others), good - {1} if way == "bomb" else None
    content = pack(members)
    if way == "cut":
        return content[: rng.randrange(content.rindex(b"PK\5\6") + 20)], None
    if way == "odd":
        wrap = rng.choice((rng.randbytes(500), b"MZ" + bytes(3_000)))
        return (wrap + content, good) if rng.random() < 0.5 else (pack([(zipfile.ZipInfo("a/b/" + i.filename), c)
                                                                       for i, c in members]), good)  # fmt: skip
    return content, good


def try_zip(rng: Random, folder: Path) -> str:
    content, good = make_zip(rng)
    (folder / "root.zip").write_bytes(content)
    before = sorted(folder.parent.iterdir())
    try:
        catalogue, photos = _read_root(folder / "root.zip", folder)
    except DataError as error:
        assert good is None, (good, str(error))
        _naming(error, "root.zip")
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
        catalogue, _ = _read_root(folder / "root.zip", folder)
        return "part" if len(catalogue.left_out) else "whole"
    except DataError as error:
        _naming(error, "root.zip")
        return "refused"


# -- weights


class Code:
    """Pickled, it is a call that leaves a file behind when it is made."""

    def __init__(self, function: Callable, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@cache
def shapes() -> dict[str, tuple[int, ...]]:
    """Of a ResNet-50's tensors, BatchNorm's counters left out."""
    import torch
    from torchvision.models import resnet50

    with torch.device("meta"):
        state = resnet50(weights=None).state_dict()
    return {
        name: tuple(tensor.shape) for name, tensor in state.items() if "num_batches" not in name
    }


def light_state(**changed):
    """The tensors of a ResNet-50, each a single number that is only said to be many: small in a
    file.
    """
    import torch

    return {name: torch.zeros(1).expand(shape) for name, shape in shapes().items()} | changed


def safetensors_header(rng: Random) -> dict[str, dict]:
    header, start = {}, 0
    for name, shape in shapes().items():
        end = start + 2 * int(np.prod(shape))
        header[name] = {
            "dtype": rng.choice(("F16", "BF16")),
            "shape": list(shape),
            "data_offsets": [start, end],
        }
        start = end
    return header


def write_safetensors(path: Path, header: bytes, length: int | None = None, body: int = 0) -> None:
    """The header as it is, its length as told, and a body of zeros that takes no space."""
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(header) if length is None else length) + header)
        file.truncate(file.tell() + body)


def make_weights(rng: Random, folder: Path) -> tuple[Path, bool]:
    """A file, and whether it must be read."""
    import torch

    if rng.random() < 0.5:
        return _make_safetensors(rng, folder)
    path, marker = folder / "w.pth", folder / "ran"
    name = rng.choice(list(shapes()))
    shape = shapes()[name]
    way = rng.choice(
        "good wrapped code bare_code shape missing extra not_a_number type form key bomb".split()
    )
    legacy = way != "bomb" and rng.random() < 0.3

    def save(state: object) -> Path:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.save(state, path, _use_new_zipfile_serialization=not legacy)
        return path

    def number(value: float, dtype: torch.dtype = torch.float32):
        return torch.full((1,), value, dtype=dtype).expand(shape)

    if name.startswith("fc.") and way in ("shape", "missing", "not_a_number", "type"):
        way = "good"  # the last layer is replaced anyway
    if way == "good":
        dtype = rng.choice((torch.float16, torch.bfloat16, torch.float32, torch.float64))
        return save(light_state(**{name: number(0.5, dtype)})), True
    if way in ("code", "bare_code"):
        code = rng.choice((
            Code(Path.touch, marker), Code(os.system, f"touch {marker}"), Code(eval, f"open({str(marker)!r}, 'w')"),
            Code(exec, f"open({str(marker)!r}, 'w')"), Code(subprocess.check_call, ["touch", str(marker)]),
        ))  # fmt: skip
        state = rng.choice(
            (code, [code], light_state(**{name: code}), {code: 1}, {"a": {"b": (code,)}})
        )
        if way == "bare_code":
            path.write_bytes(
                pickle.dumps(code if isinstance(state, dict) else state, rng.randrange(2, 6))
            )
            return path, False
        return save(state), False
    if way == "shape":
        wrong = rng.choice(
            ((), (0,), (*shape, 1), (*shape[:-1], shape[-1] + 1), (2**33,), (*shape[::-1], 2))
        )
        return save(
            light_state(
                **{name: torch.zeros(()).expand(wrong) if wrong != (0,) else torch.zeros(0)}
            )
        ), False
    if way == "bomb":
        return _unpacking_to_gigabytes(path, save(light_state())), False
    if way == "missing":
        state = light_state()
        del state[name]
        return save(state), False
    if way == "extra":
        return save(
            light_state(**{rng.choice(("layer5.weight", "../x", "y" * 1_000_000)): torch.zeros(1)})
        ), False
    if way == "not_a_number":
        return save(light_state(**{name: rng.choice((
            number(np.nan), number(np.inf), number(-np.inf, torch.bfloat16), number(1e300, torch.float64),
        ))})), False  # fmt: skip
    if way == "type":
        return save(light_state(**{name: rng.choice((
            number(1, torch.int64), number(1, torch.bool), number(1, torch.complex64), number(1, torch.uint8),
            torch.zeros(shape, device="meta"), torch.sparse_coo_tensor(size=shape), 7, "weights", None,
        ))})), False  # fmt: skip
    if way == "key":
        return save(
            light_state() | {rng.choice((1, None, ("a", "b"), b"conv1", 1.5)): torch.zeros(1)}
        ), False
    if way == "wrapped":
        prefix = rng.choice(("", "module.", "_orig_mod.model."))
        state = {f"{prefix}{k}": v for k, v in light_state().items()}
        return save(rng.choice(({"state_dict": state}, {"model": state, "epoch": 1}, state))), True
    return save(
        rng.choice(([], [light_state()], torch.zeros(3), "x", None, {}, 7, {"state_dict": {}}))
    ), False


def _unpacking_to_gigabytes(path: Path, light: Path) -> Path:
    """The same file, its first tensor's numbers replaced by two gigabytes of zeros, deflated."""
    with zipfile.ZipFile(light) as archive:
        files = [(name, archive.read(name)) for name in archive.namelist()]
    first = next(name for name, _ in files if "/data/" in name)
    path.write_bytes(
        raw_zip(first, zeros(2048), 8, 2**31, [file for file in files if file[0] != first])
    )
    return path


def _make_safetensors(rng: Random, folder: Path) -> tuple[Path, bool]:
    path, header = folder / "w.safetensors", safetensors_header(rng)
    body = max(about["data_offsets"][1] for about in header.values())
    name = rng.choice([name for name in header if not name.startswith("fc.")])
    about = header[name]
    start, end = about["data_offsets"]
    length, good, text = None, False, None
    way = rng.randrange(14)
    if way == 0:
        good = True
    elif way == 1:
        length = rng.choice((0, 1, 10**6, 2**31, 2**32, 2**40, 2**63, 2**64 - 1))
    elif way == 2:
        about["data_offsets"] = rng.choice(
            ([start, end + 2**40], [body, body + end - start], [2**63, 2**63 + end - start])
        )
    elif way == 3:
        about["data_offsets"] = list(rng.choice(list(header.values()))["data_offsets"])
        good = about["data_offsets"] == [start, end]
    elif way == 4:
        about["data_offsets"] = rng.choice(
            ([-2, end - start - 2], [end, start], [start], "all", [start, end, end], [0.5, 9])
        )
    elif way == 5:
        about["shape"] = rng.choice(
            ([2**62, 2**62], [-1, *about["shape"]], [], [0], about["shape"] * 2, "any", [2**64])
        )
    elif way == 6:
        about["dtype"] = rng.choice(("F128", "", 7, None, "I8", "BOOL", "F64", "I16", "U16"))
    elif way == 7:
        text = rng.choice(
            (
                b"",
                b"{",
                b"null",
                b"[]",
                b"{}",
                b"[" * 100_000,
                b'{"a":' * 100_000,
                b"\xff" * 50,
                b"\0" * 50,
            )
        )
    elif way == 8:
        body = rng.choice((0, body - 1, body + 1, body // 2, body + 1000))
    elif way == 9:
        del header[name]
    elif way == 10:
        header["../../x"] = {"dtype": "F16", "shape": [0], "data_offsets": [body, body]}
    elif way == 11:
        header["__metadata__"] = rng.choice((7, {"a": 7}, {"a": {"b": "c"}}, ["x"]))
    elif way == 12:
        about["shape"] = [*about["shape"], 1]
    else:
        header["__metadata__"], good = {"format": "pt", "x": "y" * 1_000_000}, True
    write_safetensors(path, json.dumps(header).encode() if text is None else text, length, body)
    return path, good


def try_weights(rng: Random, folder: Path) -> str:
    path, good = make_weights(rng, folder)
    if rng.random() < 0.4:
        with open(path, "r+b") as file:  # the head of it: behind it, safetensors hold numbers alone
            head = file.read(40_000)
            file.seek(0)
            file.write(damage(rng, head)[: len(head)])
        good = None
    return _read_weights(path, good)


def _read_weights(path: Path, good: bool | None) -> str:
    import torch

    from fashion_tl.network.model import read_weights

    try:
        state = read_weights(path)
    except WeightsError as error:
        assert not good, str(error)
        assert (
            path.name in str(error) and len(str(error)) < 5000
        )  # of memory that ran out, too, if it was never used
        return "refused"
    finally:
        assert not (path.parent / "ran").exists(), "the file's code ran"
    assert good is not False, "it was read"
    assert all(
        tuple(state[name].shape) == shape
        for name, shape in shapes().items()
        if not name.startswith("fc.")
    )
    assert all(torch.isfinite(tensor.float()).all() for tensor in state.values())
    return "whole"


KINDS = {
    "tables": Kind("styles.csv with faults, the right answer known", try_table, 7000, 300),
    "damaged-tables": Kind(
        "styles.csv, bits flipped, cut, spliced, UTF-16", try_damaged_table, 3000, 300
    ),
    "photos": Kind("strange photos, their colour known", try_strange_photo, 2400, 200),
    "damaged-photos": Kind("photos, bits flipped, cut, spliced", try_damaged_photo, 7400, 1200),
    "bombs": Kind("photos of too many pixels or too much work", try_bomb, 200, 1200),
    "entries": Kind("links, pipes, folders, giants among the photos", try_entries, 500, 800),
    "zips": Kind("zips that climb, link, lie, unpack to gigabytes", try_zip, 2000, 800),
    "damaged-zips": Kind("zips, bits flipped, cut, spliced", try_damaged_zip, 2000, 800),
    "weights": Kind(
        "weights that run code, lie, don't fit, aren't numbers, are damaged",
        try_weights,
        1000,
        1000,
        6,
    ),
}


# -- running them


@dataclass
class Report:
    """What came of a kind: how many ended how, the failures in words, the longest in seconds and
    the peak in bytes.
    """

    outcomes: Counter = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    longest: float = 0.0
    peak: int = 0


def work(kind: str, seed: int, first: int, last: int) -> None:
    """Try the cases from ``first`` to before ``last`` in this process, and print a line of JSON
    about each.
    """
    answers, sys.stdout = sys.stdout, io.StringIO()
    warnings.simplefilter("ignore")
    if "weights" in kind:
        import fashion_tl.network.model

        fashion_tl.network.model.torch.set_num_threads(1)
    about = KINDS[kind]
    size = memory("VmSize") + about.space * about.megabytes * 2**20
    for prepare in (
        strange_photos,
        *((bombs,) if kind == "bombs" else (packed_bombs,) if "zips" in kind else ()),
    ):
        prepare()  # making them may take more than trying them
    baseline = memory("VmRSS")
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    with tempfile.TemporaryDirectory(prefix="fuzz-") as home:
        for number in range(first, last):
            folder = Path(home, str(number))
            folder.mkdir()
            Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
            signal.alarm(about.seconds)  # nobody catches it: it ends the process
            start, failure = time.perf_counter(), None
            try:
                outcome = about.attempt(Random(f"{seed} {kind} {number}"), folder)
            except Exception as error:
                word = "is not documented here" if isinstance(error, FashionTLError) else "failed"
                outcome, failure = "failure", f"{type(error).__name__} {word}: {error}"[:2000]
            seconds, peak = time.perf_counter() - start, memory("VmHWM") - baseline
            signal.alarm(0)
            if peak > about.megabytes * 2**20:
                outcome, failure = "failure", f"it took {peak / 1e6:.0f} MB of memory"
            answer = {"number": number, "outcome": outcome, "seconds": seconds, "failure": failure}
            print(json.dumps(answer | {"peak": peak}), file=answers, flush=True)
            shutil.rmtree(folder)


def memory(name: str) -> int:
    """Bytes, of a line in /proc/self/status."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def run(kind: str, seed: int, first: int, count: int, program: Sequence[str] = PROGRAM) -> Report:
    """Have workers try so many cases; one that dies has failed in its case, and the next takes up
    after it.
    """
    report, number, last = Report(), first, first + count
    while number < last and report.outcomes["failure"] < 20:
        command = [
            sys.executable,
            *program,
            "--kind",
            kind,
            "--seed",
            str(seed),
            "--work",
            str(number),
            str(last),
        ]
        environment = os.environ | {
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        }
        with tempfile.TemporaryFile("w+") as errors:
            worker = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment
            )
            for line in worker.stdout:
                case = json.loads(line)
                report.outcomes[case["outcome"]] += 1
                report.longest, report.peak = (
                    max(report.longest, case["seconds"]),
                    max(report.peak, case["peak"]),
                )
                number = case["number"] + 1
                if case["failure"]:
                    report.failures.append(f"{kind} {case['number']}: {case['failure']}")
            if worker.wait():  # the case it was at has ended it
                errors.seek(0)
                how = (
                    "took too long"
                    if worker.returncode == -signal.SIGALRM
                    else f"died ({worker.returncode})"
                )
                report.failures.append(
                    f"{kind} {number}: the process {how}. {errors.read()[-500:]}"
                )
                report.outcomes["failure"] += 1
                number += 1
    return report


def run_all(
    kinds: Sequence[str], counts: Callable[[str], int], seed: int, first: int, jobs: int
) -> dict[str, Report]:
    """All kinds side by side, the long ones in as many parts as there are jobs."""
    parts = []
    for kind in kinds:
        step = max(400, -(-counts(kind) // jobs))
        parts += [
            (kind, first + at, min(step, counts(kind) - at)) for at in range(0, counts(kind), step)
        ]
    reports = {kind: Report() for kind in kinds}
    with ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(run, kind, seed, at, count) for kind, at, count in parts]
        for (kind, _, _), future in zip(parts, futures, strict=True):
            part, whole = future.result(), reports[kind]
            whole.outcomes += part.outcomes
            whole.failures += part.failures
            whole.longest, whole.peak = max(whole.longest, part.longest), max(whole.peak, part.peak)
    return reports


HEAD = (
    "input",
    "how many",
    "read whole",
    "read in part",
    "refused",
    "failures",
    "longest",
    "peak memory",
)


def rows(reports: dict[str, Report]) -> list[tuple]:
    return [
        (
            KINDS[kind].words,
            f"{report.outcomes.total():,}",
            *(f"{report.outcomes[name]:,}" for name in ("whole", "part", "refused", "failure")),
            f"{report.longest:.2f} s",
            f"{max(0, report.peak) / 1e6:.0f} MB",
        )
        for kind, report in reports.items()
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--kind", choices=KINDS, action="append", help="these alone; the table is printed, not kept"
    )
    parser.add_argument("--count", type=int, help="cases of each kind (default: 25,500 in all)")
    parser.add_argument(
        "--from", type=int, default=0, dest="first", help="number of the first case"
    )
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--jobs", type=int, default=processors())
    parser.add_argument("--work", type=int, nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.work:
        work(args.kind[0], args.seed, *args.work)
        return 0
    start = time.perf_counter()
    kinds = args.kind or list(KINDS)
    reports = run_all(
        kinds, lambda kind: args.count or KINDS[kind].count, args.seed, args.first, args.jobs
    )
    for line in (HEAD, *rows(reports)):
        print(" | ".join(map(str, line)))
    failures = [failure for report in reports.values() for failure in report.failures]
    print(*failures, sep="\n")
    print(f"{len(failures)} failures; seed {args.seed}; {time.perf_counter() - start:.0f} s")
    if not (args.kind or args.count or args.first):
        write_table("fuzz", HEAD, rows(reports))
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
