"""Decode one photo, as people see it, to RGB pixels."""

import io
import re
import warnings
from contextlib import suppress

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError, features
from PIL.TiffImagePlugin import BITSPERSAMPLE, PHOTOMETRIC_INTERPRETATION, SAMPLEFORMAT

from fashion_tl.data.formats import what_it_is
from fashion_tl.errors import DataError

# Pillow's warnings name no file. Our errors name each photo that can't be decoded.
warnings.filterwarnings("ignore", module=r"PIL\.")

LARGEST_PHOTO = 1 << 26  # pixels, a gigabyte to decode; a larger photo is a mistake or a bomb
# A progressive JPEG has about 10 scans, and each goes over all pixels again. So many scans are
# allowed for a JPEG of the largest size, and more for a smaller one.
MOST_SCANS = 20
# One of Pillow's other formats would start Ghostscript. Not every Pillow reads AVIF.
FORMATS = (
    "JPEG",
    "PNG",
    "GIF",
    "BMP",
    "WEBP",
    "TIFF",
    "PPM",
    *(["AVIF"] if features.check("avif") else []),
)


# What begins a part of a JPEG that states its length, and the end. Other bytes after 255 belong to
# the compressed pixels, or have no length.
_MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd8\xff])")


def _scans(content: bytes) -> int:
    """The scans of a JPEG up to its end. Phones append films, whose bytes may look like scans."""
    place, scans = 2, 0
    while (found := _MARKER.search(content, place)) and found[1] != b"\xd9":
        scans += found[1] == b"\xda"
        place = found.end() + int.from_bytes(content[found.end() : found.end() + 2])
    return scans


def decode(content: bytes, size: tuple[int, int]) -> np.ndarray:
    """Decode one photo as people see it: uint8 RGB [height, width, 3].

    It is turned upright if its EXIF data say so, and its transparent parts become white. DataError
    says why it can't be decoded.
    """
    try:
        is_jpeg = content[:3] == b"\xff\xd8\xff"
        formats = FORMATS[:1] if is_jpeg else FORMATS  # trying all formats costs a tenth more time
        with Image.open(io.BytesIO(content), formats=formats) as image:
            pixels = image.width * image.height
            scans = _scans(content) if is_jpeg else 1
            if pixels > LARGEST_PHOTO or pixels * scans > LARGEST_PHOTO * MOST_SCANS:
                raise ValueError(
                    f"{image.width}×{image.height} pixels, scans: {scans}: "
                    "too many for a product photo"
                )
            # A far larger JPEG is decoded at a reduced scale.
            image.draft("RGB", (max(size), max(size)))
            image.load()
            with suppress(Exception):  # a photo with damaged EXIF data can still be read
                ImageOps.exif_transpose(image, in_place=True)
            _refuse_unknown_scale(image)
            if image.format == "PNG" and image.mode in ("L", "RGB"):
                _scale_transparent_colour(image, bits=content[24])
            photo = _opaque(image).convert("RGB")
            if photo.size != size[::-1]:
                photo = photo.resize(size[::-1], Image.Resampling.BILINEAR)
            return np.asarray(photo)
    except UnidentifiedImageError as error:  # its message names an address in memory
        what = what_it_is(content) or f"none of {', '.join(FORMATS)}"
        raise DataError(f"not a photo that can be decoded ({what})") from error
    except Exception as error:  # a damaged file makes Pillow's readers raise any error
        why = f"{type(error).__name__}: {error}"
        raise DataError(f"not a photo that can be decoded ({why})") from error


def _refuse_unknown_scale(image: Image.Image) -> None:
    """ValueError for a TIFF whose numbers don't say which of them is white.

    Programs keep numbers of 8 bits in signed ones of 16, and those of 8 or 16 bits in 32.
    """
    if image.mode == "F":
        raise ValueError("its pixels are floating-point numbers, of unknown scale")
    tags = getattr(image, "tag_v2", {})  # only a TIFF has tags
    bits, signed = tags.get(BITSPERSAMPLE, (0,))[0], tags.get(SAMPLEFORMAT) == (2,)
    if (bits == 8 and signed) or (image.mode == "I" and bits in (16, 32)):
        values = np.asarray(image)
        most = {8: -1, 16: 255, 32: 65535}[bits]
        if values.min() < 0 or values.max() > most:
            words = "signed whole numbers" if signed else "whole numbers"
            raise ValueError(f"its pixels are {words} of {bits} bits, of unknown scale")


def _scale_transparent_colour(image: Image.Image, bits: int) -> None:
    """Scale a PNG's transparent colour to 8 bits a channel, as Pillow scales only the pixels.

    Of 16 bits Pillow keeps the upper 8. So colours that differ only in the lower 8 bits become
    transparent too.
    """

    def in_8_bits(part: int) -> int:
        most = 2**bits - 1
        return part >> 8 if bits == 16 else (part & most) * 255 // most

    colour = image.info.get("transparency")
    if isinstance(colour, tuple):
        image.info["transparency"] = tuple(map(in_8_bits, colour))
    elif colour is not None:
        image.info["transparency"] = in_8_bits(colour)


def _opaque(image: Image.Image) -> Image.Image:
    """The same image with 8 bits a channel, and white where it is transparent."""
    if image.mode.startswith("I"):
        return _grey_in_8_bits(image)
    if not image.has_transparency_data:
        return image
    of_bmp = image.format == "BMP"
    image = image.convert("RGBA")
    if of_bmp and image.getchannel("A").getextrema() == (0, 0):
        return image.convert("RGB")  # programs that know no alpha write 0 there
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)


def _grey_in_8_bits(image: Image.Image) -> Image.Image:
    """An image of 12 or 16 bits of grey, or of 8 bits kept in 32. Pillow would clip it to 8."""
    values = np.asarray(image)
    tags = getattr(image, "tag_v2", {})  # only a TIFF has tags
    if tags.get(PHOTOMETRIC_INTERPRETATION) == 0:  # 0 is white; Pillow inverts only 8 bits
        values = 65535 - values
    if image.mode == "I" and tags and values.max() <= 255:
        scaled = values
    else:
        scaled = values >> (4 if tags.get(BITSPERSAMPLE) == (12,) else 8)
    grey = scaled.clip(0, 255).astype(np.uint8)
    if "transparency" in image.info:
        grey[values == image.info["transparency"]] = 255
    return Image.fromarray(grey)
