"""Cases of photos: strange ones whose colour is known, and damaged ones."""

import io
from functools import cache
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image

from fashion_tl.data.photos import decode
from fashion_tl.errors import DataError
from tests.checks.fuzz.damage import damage, naming

SIZE = (80, 60)
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
    big_endian = Image.frombytes("I;16B", SIZE[::-1], deep.astype(">u2").tobytes())
    palette = plain.convert("P", palette=Image.Palette.ADAPTIVE)
    exif = Image.Exif()
    exif[0x0112] = 1

    def before(others: int) -> dict[str, object]:
        return {"save_all": True, "append_images": [other.copy()] * others}

    photos = {
        "JPEG": (encoded(plain, "JPEG"), COLOUR, 4),
        "progressive JPEG": (encoded(plain, "JPEG", progressive=True), COLOUR, 4),
        "JPEG with EXIF": (encoded(plain, "JPEG", exif=exif, comment=b"x" * 60_000), COLOUR, 4),
        "JPEG and bytes after it": (encoded(plain, "JPEG") + bytes(100_000), COLOUR, 4),
        "two pictures in a JPEG": (encoded(plain, "MPO", **before(1)), COLOUR, 4),
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
        "big-endian 16-bit TIFF": (encoded(big_endian, "TIFF"), (77, 77, 77), 0),
        "32-bit TIFF": (encoded(Image.fromarray(deep.astype(np.int32)), "TIFF"), (77, 77, 77), 0),
        "palette PNG": (encoded(palette, "PNG"), COLOUR, 2),
        "palette BMP": (encoded(palette, "BMP"), COLOUR, 2),
        "animated GIF": (encoded(plain, "GIF", **before(5)), COLOUR, 2),
        "animated PNG": (encoded(plain, "PNG", **before(5)), COLOUR, 0),
        "animated WebP": (encoded(plain, "WEBP", lossless=True, **before(5)), COLOUR, 2),
        "pages of a TIFF": (encoded(plain, "TIFF", **before(1)), COLOUR, 0),
        "WebP": (encoded(plain, "WEBP"), COLOUR, 6),
        "BMP": (encoded(plain, "BMP"), COLOUR, 0),
        "alpha": (encoded(plain.convert("RGBA"), "PNG"), COLOUR, 0),
    }
    for packing in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        photos[f"TIFF, {packing}"] = (encoded(plain, "TIFF", compression=packing), COLOUR, 4)
    return photos


def try_strange_photo(rng: Random, folder: Path) -> str:
    content, colour, off = rng.choice(list(strange_photos().values()))
    size = rng.choice((SIZE, (224, 168), (8, 8)))
    photo = decoded(content, size)
    assert np.abs(photo.astype(int) - colour).max() <= off, (photo[0, 0].tolist(), colour)
    return "whole"


def try_damaged_photo(rng: Random, folder: Path) -> str:
    content = damage(rng, rng.choice(damageable()))
    try:
        decoded(content, SIZE)
        return "whole"
    except DataError as error:
        naming(error)
        return "refused"


@cache
def damageable() -> list[bytes]:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8))
    forms = (
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("JPEG", {"optimize": True, "quality": 30}),
        ("PNG", {}),
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


def decoded(content: bytes, size: tuple[int, int]) -> np.ndarray:
    photo = decode(content, size)
    assert photo.shape == (*size, 3) and photo.dtype == np.uint8
    return photo
