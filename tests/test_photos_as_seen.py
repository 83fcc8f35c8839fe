"""A photo is decoded as people see it: upright, on white, whatever program or phone has stored
it."""

import io
import struct
import subprocess
import sys
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image, features

from fashion_tl.data import photos
from fashion_tl.data.dataroot import open_root
from fashion_tl.data.photos import decode, decode_photos
from tests.conftest import jpeg

SIZE = (80, 60)
# What each EXIF orientation says was done to the picture before it was stored.
STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
avif = pytest.param(
    "AVIF", marks=pytest.mark.skipif(not features.check("avif"), reason="this Pillow reads no AVIF")
)


def corners(width: int = 60, height: int = 80) -> Image.Image:
    """A picture whose four quarters differ, so that no turn or mirror image looks like another."""
    picture = Image.new("RGB", (width, height), (250, 250, 250))
    picture.paste((220, 30, 30), (0, 0, width // 2, height // 2))
    picture.paste((30, 200, 30), (width // 2, 0, width, height // 2))
    picture.paste((30, 30, 220), (0, height // 2, width // 2, height))
    return picture


def encoded(picture: Image.Image, form: str, **options) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, form, **options)
    return buffer.getvalue()


def quarters(photo: np.ndarray) -> list[list[int]]:
    """The colour in the middle of each quarter."""
    height, width = photo.shape[:2]
    return [
        photo[y, x].tolist()
        for y in (height // 4, 3 * height // 4)
        for x in (width // 4, 3 * width // 4)
    ]


@pytest.mark.parametrize("size", [(60, 80), (900, 1200)], ids=["small", "large"])
@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", avif])
def test_a_photo_stored_on_its_side_is_turned_upright(form, orientation, size):
    picture, turn, exif = corners(*size), STORED[orientation], Image.Exif()
    exif[0x0112] = orientation
    stored = encoded(picture if turn is None else picture.transpose(turn), form, exif=exif)
    seen, wanted = quarters(decode(stored, SIZE)), quarters(np.asarray(picture))
    assert np.abs(np.subtract(seen, wanted)).max() <= 25


def test_grey_photos_of_16_bits_are_turned_upright_too():
    exif, picture = Image.Exif(), np.full((60, 80), 30 * 257, np.uint16)
    exif[0x0112] = 6
    picture[:, :40] = 200 * 257  # stored on its side: the left half is the upper one
    photo = decode(encoded(Image.fromarray(picture), "PNG", exif=exif), SIZE)
    assert (photo[:38] == 200).all() and (photo[42:] == 30).all()


@pytest.mark.parametrize(
    "exif", [b"Exif\0\0", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff", b"Exif\0\0" + b"\xff" * 40]
)
def test_a_photo_with_damaged_exif_data_is_decoded_as_it_is_stored(exif):
    plain = jpeg(corners())
    segment = b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
    assert (decode(plain[:2] + segment + plain[2:], SIZE) == decode(plain, SIZE)).all()


def test_an_orientation_that_does_not_exist_changes_nothing():
    exif = Image.Exif()
    exif[0x0112] = 9
    assert (decode(encoded(corners(), "PNG", exif=exif), SIZE) == np.asarray(corners())).all()


def cut_out() -> Image.Image:
    """A grey square on nothing; below the nothing lies black, as programs that cut products out
    leave it.
    """
    picture = Image.new("RGBA", (60, 80), (0, 0, 0, 0))
    picture.paste((90, 90, 90, 255), (20, 30, 40, 50))
    return picture


def on_white() -> np.ndarray:
    picture = Image.new("RGB", (60, 80), "white")
    picture.paste((90, 90, 90), (20, 30, 40, 50))
    return np.asarray(picture)


MODES = {
    "RGBA": lambda: encoded(cut_out(), "PNG"),
    "LA": lambda: encoded(cut_out().convert("LA"), "PNG"),
    "palette with an alpha for each colour": lambda: encoded(
        cut_out().quantize(4, Image.Quantize.FASTOCTREE), "PNG"
    ),
    "palette with one transparent colour": lambda: encoded(keyed(), "PNG", transparency=0),
    "GIF": lambda: encoded(keyed(), "GIF", transparency=0),
    "grey with one transparent value": lambda: encoded(
        cut_out().convert("L"), "PNG", transparency=0
    ),
    "RGB with one transparent colour": lambda: encoded(
        cut_out().convert("RGB"), "PNG", transparency=(0, 0, 0)
    ),
    "black and white": lambda: encoded(Image.new("1", (60, 80), 0), "PNG", transparency=0),
    "WebP": lambda: encoded(cut_out(), "WEBP", lossless=True, exact=True),
    "TIFF": lambda: encoded(cut_out(), "TIFF"),
    "16 bits of grey with one transparent value": lambda: with_transparent_grey(),
}


def keyed() -> Image.Image:
    picture = Image.new("P", (60, 80), 0)
    picture.putpalette([0, 0, 0, 90, 90, 90])
    picture.paste(1, (20, 30, 40, 50))
    return picture


def with_transparent_grey() -> bytes:
    """A PNG of 16-bit grey whose value 5 is transparent."""
    values = np.full((80, 60), 5, np.uint16)
    values[30:50, 20:40] = 90 * 257
    return png(16, 0, values.astype(">u2").tobytes(), (5,))


def png(bits: int, kind: int, pixels: bytes, transparent: tuple[int, ...]) -> bytes:
    """A PNG of 60×80 pixels with a tRNS chunk, of kinds that Pillow doesn't write; ``kind`` 0 is
    grey, 2 is RGB.
    """
    row = len(pixels) // 80
    rows = b"".join(b"\0" + pixels[start : start + row] for start in range(0, len(pixels), row))
    chunks = {
        b"IHDR": struct.pack(">IIBBBBB", 60, 80, bits, kind, 0, 0, 0),
        b"tRNS": struct.pack(f">{len(transparent)}H", *transparent),
        b"IDAT": zlib.compress(rows),
        b"IEND": b"",
    }
    whole = (
        struct.pack(">I", len(c)) + n + c + struct.pack(">I", zlib.crc32(n + c))
        for n, c in chunks.items()
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(whole)


TRANSPARENT = {
    "2 bits of grey": (2, 0, b"\x55", (1,)),
    "4 bits of grey": (4, 0, b"\x77", (7,)),
    "8 bits of grey": (8, 0, b"\x77", (0x77,)),
    "8 bits of grey, with more in the chunk": (8, 0, b"\x77", (0x0177,)),
    "8 bits of RGB": (8, 2, b"\x11\x22\x33", (0x11, 0x22, 0x33)),
    "16 bits of grey": (16, 0, b"\x12\x34", (0x1234,)),
    "16 bits of RGB": (16, 2, b"\x12\x34\x45\x67\x89\xab", (0x1234, 0x4567, 0x89AB)),
}


@pytest.mark.parametrize("kind", TRANSPARENT)
def test_the_one_transparent_colour_of_a_png_of_any_depth_becomes_white_and_no_other(kind):
    bits, colours, pixel, transparent = TRANSPARENT[kind]
    times = 60 * 80 * (3 if colours else 1) * bits // 8 // len(pixel)
    assert (decode(png(bits, colours, pixel * times, transparent), SIZE) == 255).all()
    other = (0,) * len(transparent)
    assert (decode(png(bits, colours, pixel * times, other), SIZE) < 180).all()


@pytest.mark.parametrize("mode", MODES)
def test_what_is_transparent_becomes_white(mode):
    photo, wanted = decode(MODES[mode](), SIZE), on_white()
    if mode == "black and white":
        wanted = np.full_like(wanted, 255)
    assert np.abs(photo.astype(int) - wanted).max() <= 2


def bmp(alphas: tuple[int, int]) -> bytes:
    """A BMP of 60×80 pixels with an alpha channel: (220, 30, 30) in both of its halves."""
    colours = b"".join(bytes((30, 30, 220, alpha)) * 60 * 40 for alpha in alphas)
    masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000) + bytes(52)
    about = struct.pack("<IiiHHIIiiII", 108, 60, 80, 1, 32, 3, len(colours), 0, 0, 0, 0) + masks
    return b"BM" + struct.pack("<IHHI", 122 + len(colours), 0, 0, 122) + about + colours


def test_a_bmp_whose_alpha_is_0_everywhere_keeps_its_colours():
    """Many programs know no alpha and write 0 there. Viewers show such a file as it was meant."""
    assert (decode(bmp((0, 0)), SIZE) == (220, 30, 30)).all()
    half = decode(bmp((0, 255)), SIZE)  # rows go upwards in a BMP
    assert (half[:40] == (220, 30, 30)).all() and (half[40:] == 255).all()


def test_half_transparent_pixels_are_mixed_with_white():
    photo = decode(encoded(Image.new("RGBA", (60, 80), (0, 0, 0, 128)), "PNG"), SIZE)
    assert np.abs(photo.astype(int) - 127).max() <= 1


def test_a_cut_out_larger_than_the_stored_size_has_no_dark_rim():
    """White comes first and the smaller size after it: the black below the nothing must not be
    mixed in.
    """
    large = decode(encoded(cut_out().resize((600, 800), Image.Resampling.NEAREST), "PNG"), SIZE)
    assert large.min() >= 88


def test_a_photo_whose_transparency_hides_nothing_is_as_it_was():
    picture = corners().convert("RGBA")
    assert (decode(encoded(picture, "PNG"), SIZE) == np.asarray(corners())).all()


def test_a_cache_from_before_these_rules_is_not_used_again(make_root, tmp_path, monkeypatch):
    root = open_root(make_root([(1, 2012, "Shirts"), (2, 2013, "Shirts")]))
    monkeypatch.setattr(photos, "VERSION", photos.VERSION - 1)
    decode_photos(root, list(root.photos), cache=tmp_path)
    monkeypatch.undo()
    decode_photos(root, list(root.photos), cache=tmp_path)
    assert len(list(tmp_path.glob("photos-*"))) == 2


SCRIPT = """
import sys
from fashion_tl.data.dataroot import open_root
from fashion_tl.data.photos import decode_photos
root = open_root(sys.argv[-2])
print("photos:", len(decode_photos(root, list(root.photos), cache=sys.argv[-1], workers=2).array))
"""


@pytest.fixture(scope="module")
def many_photos(tmp_path_factory):
    """A zip of just so many photos that worker processes decode them."""
    path, content = tmp_path_factory.mktemp("many") / "many.zip", jpeg((200, 30, 30))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("styles.csv", "id,year,articleType\n1,2012,Shirts\n")
        for number in range(1, photos.PARALLEL_FROM + 1):
            archive.writestr(f"images/{number}.jpg", content)
    return path


@pytest.mark.parametrize("how", ["a script", "-c", "standard input"])
def test_a_plain_script_without_a_main_guard_ends_and_runs_once(how, many_photos, tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    start = {"a script": [tmp_path / "script.py"], "-c": ["-c", SCRIPT], "standard input": ["-"]}[
        how
    ]
    done = subprocess.run(
        [sys.executable, *start, many_photos, tmp_path / "cache"],
        input=SCRIPT if how == "standard input" else "",
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, f"photos: {photos.PARALLEL_FROM}\n"), done.stderr
    assert "NOTE" not in done.stderr and "Traceback" not in done.stderr


INTERRUPTED = """
import os, signal, sys, threading
from fashion_tl.data import photos
from fashion_tl.data.dataroot import open_root

in_processes, handled = photos._in_processes, signal.getsignal(signal.SIGINT)

def in_processes_and_interrupted(*words):
    # As a terminal does, to all of them.
    threading.Timer(float(sys.argv[-3]), os.killpg, [0, signal.SIGINT]).start()
    return in_processes(*words)

photos._in_processes = in_processes_and_interrupted
root = open_root(sys.argv[-2])
try:
    photos.decode_photos(root, list(root.photos), (400, 300), cache=sys.argv[-1], workers=2)
except KeyboardInterrupt:
    sys.exit(130 if signal.getsignal(signal.SIGINT) is handled else 1)
"""


@pytest.mark.parametrize("seconds", ["0", "0.1", "0.3"])
def test_ctrl_c_while_processes_start_ends_them_all_without_a_word(seconds, many_photos, tmp_path):
    words = [sys.executable, "-c", INTERRUPTED, seconds, many_photos, tmp_path / "cache"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=30, start_new_session=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
    assert list((tmp_path / "cache").iterdir()) == []
