"""Cases of photos that are small as files, and of very many pixels or very much work."""

import struct
import zlib
from functools import cache
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image

from fashion_tl.errors import DataError
from tests.checks.fuzz.damage import naming
from tests.checks.fuzz.photos import COLOUR, SIZE, decoded, encoded, strange_photos


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
        photo = decoded(content, SIZE)
    except DataError as error:
        naming(error)
        assert colour in (None, ...), str(error)
        return "refused"
    assert colour is not None, "it was read"
    assert colour is ... or np.abs(photo.astype(int) - colour).max() <= 4
    return "whole"
