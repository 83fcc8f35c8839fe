"""Photos are decoded once, whatever they are, into one array in the cache; nothing else is
written."""

import errno
import io
import os
import struct
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from fashion_tl.data import decoding, listing, photos
from fashion_tl.data.dataroot import open_root
from fashion_tl.data.dataset import load_data
from fashion_tl.data.photos import decode, decode_photos
from fashion_tl.data.twins import photo_digests, twin_groups
from fashion_tl.errors import DataError
from fashion_tl.recipes import make_config
from tests import REPOSITORY
from tests.conftest import jpeg, pattern

ROWS = [(n, 2012 + n % 2, "Shirts") for n in range(1, 7)]
IDS = [str(row[0]) for row in ROWS]


@pytest.fixture
def folder(make_root):
    return make_root(ROWS)


@pytest.fixture
def no_decoding(monkeypatch):
    """``no_decoding()``: from now on any look at a JPEG fails the test."""

    def forbid(*_):
        raise AssertionError("a JPEG was decoded")

    return lambda: monkeypatch.setattr(photos, "decode", forbid)


def entries(folder) -> list[str]:
    return sorted(path.name for path in folder.rglob("*"))


def test_photos_become_one_uint8_array_in_the_order_asked_for(folder, tmp_path):
    decoded = decode_photos(open_root(folder), ["3", "1", "2"], cache=tmp_path / "cache")
    assert decoded.array.shape == (3, 80, 60, 3) and decoded.array.dtype == np.uint8
    assert isinstance(decoded.array, np.memmap)
    assert decoded.ids.tolist() == ["3", "1", "2"] and decoded.failed == {}
    for row, number in enumerate([3, 1, 2]):
        assert (
            decoded.array[row] == np.asarray(Image.open(folder / "images" / f"{number}.jpg"))
        ).all()


def test_a_second_call_touches_no_jpeg(folder, tmp_path, no_decoding):
    first = decode_photos(open_root(folder), IDS, cache=tmp_path / "cache")
    root = open_root(folder)
    for file in (folder / "images").iterdir():
        file.unlink()
    no_decoding()
    second = decode_photos(root, IDS, cache=tmp_path / "cache")
    assert (second.array == first.array).all()


def test_changing_the_array_never_changes_the_cache(folder, tmp_path):
    first = decode_photos(open_root(folder), IDS, cache=tmp_path / "cache").array
    kept = first.copy()
    first[:] = 0
    del first
    assert (decode_photos(open_root(folder), IDS, cache=tmp_path / "cache").array == kept).all()


def test_a_changed_photo_is_decoded_again(folder, tmp_path, zip_root):
    before = decode_photos(open_root(folder), IDS, cache=tmp_path / "cache")
    packed = decode_photos(open_root(zip_root(folder)), IDS, cache=tmp_path / "cache")
    (folder / "images" / "2.jpg").write_bytes(jpeg((255, 0, 0)))
    after = decode_photos(open_root(folder), IDS, cache=tmp_path / "cache")
    assert (before.array[1] != after.array[1]).any() and (
        np.delete(before.array == after.array, 1, 0)
    ).all()
    assert (packed.array == before.array).all()
    again = decode_photos(open_root(zip_root(folder)), IDS, cache=tmp_path / "cache")
    assert (again.array == after.array).all()


def test_a_photo_changed_to_one_of_equal_length_is_decoded_again(folder, tmp_path, zip_root):
    def second_photos():
        roots = open_root(folder), open_root(zip_root(folder))
        return [decode_photos(root, IDS, cache=tmp_path / "cache").array[1] for root in roots]

    file = folder / "images" / "2.jpg"
    before = second_photos()
    other = jpeg((0, 0, 255))
    file.write_bytes(other + bytes(file.stat().st_size - len(other)))
    os.utime(file, ns=(10**18, 10**18))
    for old, new in zip(before, second_photos(), strict=True):
        assert (old != new).any()


def test_photos_of_equal_size_and_time_in_another_folder_are_not_taken_for_these(
    make_root, tmp_path
):
    folders = [
        make_root(ROWS[:1], {1: colour}, at=str(colour)) for colour in ((1, 1, 1), (250, 250, 250))
    ]
    contents = [(folder / "images" / "1.jpg").read_bytes() for folder in folders]
    arrays = []
    for folder, content in zip(folders, contents, strict=True):
        (folder / "images" / "1.jpg").write_bytes(content.ljust(max(map(len, contents)), b"\0"))
        os.utime(folder / "images" / "1.jpg", ns=(10**18, 10**18))
        arrays.append(decode_photos(open_root(folder), ["1"], cache=tmp_path / "cache").array)
    assert (arrays[0] != arrays[1]).all()


def test_another_size_or_selection_is_another_array(folder, tmp_path):
    root = open_root(folder)
    whole, small, few = (
        decode_photos(root, ids, size, cache=tmp_path / "cache")
        for ids, size in ((IDS, (80, 60)), (IDS, (40, 30)), (IDS[:2], (80, 60)))
    )
    assert small.array.shape == (6, 40, 30, 3) and len(few.array) == 2
    assert len(whole.array) == 6 and len(list((tmp_path / "cache").iterdir())) == 3


def test_grayscale_and_odd_sized_photos_become_rgb_of_one_size(make_root, tmp_path):
    gray = Image.new("L", (60, 80), 77)
    pictures = {
        1: gray,
        2: Image.new("RGB", (75, 100), (9, 200, 30)),
        3: Image.new("CMYK", (60, 80), (0, 0, 0, 255)),
    }
    array = decode_photos(
        open_root(make_root(ROWS[:3], pictures)), ["1", "2", "3"], cache=tmp_path / "cache"
    ).array
    assert array.shape == (3, 80, 60, 3)
    assert (array[0] == 77).all()
    assert np.abs(array[1].astype(int) - (9, 200, 30)).max() <= 3
    assert (array[2] < 5).all()


def test_larger_photos_are_decoded_at_the_stored_size():
    # Red above green: whatever the scale, the halves stay halves.
    picture = Image.new("RGB", (1080, 1440), (255, 0, 0))
    picture.paste((0, 255, 0), (0, 720, 1080, 1440))
    photo = decode(jpeg(picture), (80, 60)).astype(int)
    assert photo.shape == (80, 60, 3)
    assert (
        np.abs(photo[:38] - (255, 0, 0)).max() <= 4 and np.abs(photo[42:] - (0, 255, 0)).max() <= 4
    )


def test_photos_of_the_stored_size_are_stored_as_they_are():
    content = jpeg(pattern(1))
    assert (decode(content, (80, 60)) == np.asarray(Image.open(io.BytesIO(content)))).all()


def test_photos_that_cannot_be_decoded_are_named_and_left_out(
    folder, tmp_path, no_decoding, zip_root
):
    (folder / "images" / "2.jpg").write_text("no photo at all")
    (folder / "images" / "4.jpg").write_bytes(jpeg(pattern(4))[:300])
    (folder / "images" / "5.jpg").write_bytes(b"")
    for root in (open_root(folder), open_root(zip_root(folder))):
        decoded = decode_photos(root, IDS, cache=tmp_path / "cache")
        assert sorted(decoded.failed) == ["2", "4", "5"]
        assert all(
            "not a photo that can be decoded" in reason for reason in decoded.failed.values()
        )
        assert decoded.ids.tolist() == ["1", "3", "6"] and decoded.array.shape == (3, 80, 60, 3)
        for photo, number in zip(decoded.array, decoded.ids, strict=True):
            assert (photo == np.asarray(Image.open(folder / "images" / f"{number}.jpg"))).all()
    no_decoding()
    again = decode_photos(open_root(folder), IDS, cache=tmp_path / "cache")
    assert sorted(again.failed) == ["2", "4", "5"] and again.ids.tolist() == ["1", "3", "6"]


def test_a_photo_that_must_not_be_read_is_named_and_read_once_it_may_be(
    folder, tmp_path, monkeypatch
):
    with monkeypatch.context() as patch:
        closed = {"2.jpg", "4.jpg"}
        patch.setattr(os, "access", lambda path, mode: os.path.basename(path) not in closed)
        decoded = decode_photos(open_root(folder), IDS, cache=tmp_path / "cache")
        assert decoded.ids.tolist() == ["1", "3", "5", "6"] and len(decoded.array) == 4
        why = "can't be read (Permission denied); make it readable"
        assert decoded.failed == {"2": why, "4": why}
        closed |= {f"{own}.jpg" for own in IDS}
        with pytest.raises(DataError, match=r"none of its 6 photos can be decoded.*make it"):
            decode_photos(open_root(folder), IDS, cache=tmp_path / "cache")
    decoded = decode_photos(open_root(folder), IDS, cache=tmp_path / "cache")
    assert decoded.ids.tolist() == IDS and decoded.failed == {}


def test_a_photo_whose_permissions_only_reading_finds_is_left_out_and_called_unreadable(
    folder, tmp_path, monkeypatch
):
    """As on Windows and some network drives, where ``os.access`` says that it may be read."""
    (folder / "images" / "5.jpg").write_text("no photo at all")
    with monkeypatch.context() as patch:
        read_whole = listing._read_whole

        def forbidden(file, size):
            if file.name.endswith("2.jpg"):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            return read_whole(file, size)

        patch.setattr(listing, "_read_whole", forbidden)
        decoded = decode_photos(open_root(folder), IDS, cache=tmp_path / "cache", workers=1)
        assert decoded.ids.tolist() == ["1", "3", "4", "6"]
        assert decoded.left_out == {"2": "unreadable image", "5": "undecodable image"}
        assert "Permission denied" in decoded.failed["2"]
    again = decode_photos(open_root(folder), IDS, cache=tmp_path / "cache")
    assert again.left_out == {"5": "undecodable image"}


def test_a_class_whose_photos_must_not_be_read_is_not_lost_without_a_word(
    make_root, tmp_path, monkeypatch
):
    root = make_root([(n, 2012 + n % 2, ("Shirts", "Heels")[n > 3]) for n in range(1, 7)])
    closed = {"4.jpg", "5.jpg", "6.jpg"}
    monkeypatch.setattr(os, "access", lambda path, mode: os.path.basename(path) not in closed)
    with pytest.raises(DataError, match=r"no photo of the class 'Heels' can be read.*readable"):
        load_data(root, make_config("direct"), tmp_path / "cache")


def test_if_no_photo_is_left_those_that_must_not_be_read_are_counted_too(
    folder, tmp_path, monkeypatch
):
    closed = {f"{own}.jpg" for own in IDS[1:]}
    (folder / "images" / f"{IDS[0]}.jpg").write_text("no photo at all")
    monkeypatch.setattr(os, "access", lambda path, mode: os.path.basename(path) not in closed)
    with pytest.raises(DataError, match=r"none of its 6 photos can be decoded.*make it readable"):
        decode_photos(open_root(folder), IDS, cache=tmp_path / "cache")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_disk_that_fails_for_a_while_is_an_error_and_no_photo_is_lost_by_it(
    folder, tmp_path, monkeypatch, workers
):
    monkeypatch.setattr(photos, "PARALLEL_FROM", 1)
    root = open_root(folder)
    (folder / "images" / "3.jpg").rename(tmp_path / "3.jpg")
    with pytest.raises(DataError, match=r"3\.jpg can't be read: .*No such file"):
        decode_photos(root, IDS, cache=tmp_path / "cache", workers=workers)
    assert entries(tmp_path / "cache") == []
    (tmp_path / "3.jpg").rename(folder / "images" / "3.jpg")
    assert decode_photos(root, IDS, cache=tmp_path / "cache").failed == {}


def test_the_reason_a_photo_failed_holds_no_address_in_memory():
    for content in (b"no photo", b"", jpeg(pattern(1))[:300]):
        with pytest.raises(DataError) as caught:
            decode(content, (80, 60))
        assert "0x" not in str(caught.value)  # an address in memory means nothing to anyone


def test_a_photo_damaged_inside_the_zip_is_named_and_left_out(folder, tmp_path, zip_root):
    packed = zip_root(folder)
    content = bytearray(packed.read_bytes())
    content[content.index((folder / "images" / "3.jpg").read_bytes()) + 400] ^= 255
    packed.write_bytes(content)
    decoded = decode_photos(open_root(packed), IDS, cache=tmp_path / "cache")
    assert list(decoded.failed) == ["3"] and "3.jpg" in decoded.failed["3"]


def test_when_not_one_photo_can_be_decoded_the_error_says_so_and_nothing_is_kept(
    make_root, tmp_path
):
    folder = make_root(ROWS, dict.fromkeys(IDS, b"no photo"))
    with pytest.raises(DataError, match=r"root: none of its 6 photos can be decoded.*1\.jpg"):
        decode_photos(open_root(folder), IDS, cache=tmp_path / "cache")
    assert entries(tmp_path / "cache") == []


def test_no_photos_at_all_is_a_data_error(folder, tmp_path):
    with pytest.raises(DataError, match="root"):
        decode_photos(open_root(folder), [], cache=tmp_path / "cache")


def test_a_picture_far_too_large_is_named_and_left_out(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(decoding, "LARGEST_PHOTO", 60 * 80)
    (folder / "images" / "1.jpg").write_bytes(jpeg(Image.new("RGB", (61, 80))))
    decoded = decode_photos(open_root(folder), IDS, cache=tmp_path / "cache")
    assert list(decoded.failed) == ["1"] and "61×80" in decoded.failed["1"]


def test_16_bits_of_grey_are_scaled_to_8_and_not_clipped():
    for dtype in (np.uint16, np.int32):
        buffer = io.BytesIO()
        Image.fromarray(np.full((80, 60), 77 * 257, dtype)).save(buffer, "TIFF")
        assert (decode(buffer.getvalue(), (80, 60)) == 77).all()


def test_a_jpeg_that_goes_over_its_pixels_thousands_of_times_is_refused():
    content = jpeg(Image.new("L", (2000, 2000)))
    scan = content[content.rindex(b"\xff\xda") : -2]
    with pytest.raises(DataError, match="2000×2000 pixels, scans: 1001: too many"):
        decode(content[:-2] + scan * 1000 + content[-2:], (80, 60))


def test_a_film_that_a_phone_appended_to_a_photo_counts_for_nothing():
    content = jpeg(Image.new("RGB", (2000, 2000), (200, 30, 30)))
    film = b"\0\0\0\x18ftypmp42" + b"\xff\xda" * 2000
    assert (decode(content + film, (80, 60)) == decode(content, (80, 60))).all()


def test_a_program_in_a_photos_place_never_reaches_an_interpreter(monkeypatch):
    from PIL import EpsImagePlugin

    monkeypatch.setattr(
        EpsImagePlugin, "Ghostscript", lambda *_, **__: pytest.fail("Ghostscript was started")
    )
    program = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 60 80\n%%EndComments\n{} loop\n"
    with pytest.raises(DataError, match="it is EPS, which can't be read here"):
        decode(program, (80, 60))


def box(*brands: bytes) -> bytes:
    """The first box of a file of the ISO family."""
    words = brands[0] + bytes(4) + b"".join(brands[1:])
    return (8 + len(words)).to_bytes(4, "big") + b"ftyp" + words + bytes(64)


CONVERT = "which can't be read here; convert it to JPEG or PNG"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (box(b"heic", b"mif1", b"heic"), f"it is HEIC, {CONVERT}"),
        (box(b"mif1", b"mif1", b"heic"), f"it is HEIC, {CONVERT}"),
        (box(b"mif1", b"mif1", b"tmap"), f"it is HEIF, {CONVERT}"),
        (box(b"mif1", b"miaf", b"avif"), f"it is AVIF, {CONVERT}"),
        (box(b"crx ", b"crx ", b"isom"), f"it is a camera's raw format, {CONVERT}"),
        (box(b"isom", b"isom", b"mp42"), f"it is a video, {CONVERT}"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", f"it is JPEG XL, {CONVERT}"),
        (b'<?xml version="1.0"?>\n<svg width="9"/>', f"it is SVG, {CONVERT}"),
        (b"%PDF-1.7", f"it is PDF, {CONVERT}"),
        (b"\n<!DOCTYPE html><svg/>", "it is a web page: download the photo again"),
        (b"\xef\xbb\xbf<HTML>", "it is a web page: download the photo again"),
        (b"version https://git-lfs.github.com/spec/v1", "`git lfs pull` fetches"),
        (b"PK\3\4", "it is a zip: unpack it first"),
        (b"", "the file is empty: copy it again"),
        (bytes(999), "only zeros: copy it again"),
        (b"text", "none of JPEG, PNG"),
    ],
)
def test_what_is_no_photo_under_a_photos_name_is_called_by_its_own(content, words):
    with pytest.raises(DataError, match="not a photo that can be decoded") as caught:
        decode(content, (80, 60))
    assert words in str(caught.value)


def test_an_interrupted_decode_leaves_nothing_behind(folder, tmp_path, monkeypatch):
    seen = []

    def interrupted(content, size):
        seen.append(content)
        if len(seen) == 4:
            raise KeyboardInterrupt
        return decode(content, size)

    with monkeypatch.context() as patch:
        patch.setattr(photos, "decode", interrupted)
        with pytest.raises(KeyboardInterrupt):
            decode_photos(open_root(folder), IDS, cache=tmp_path / "cache")
    assert entries(tmp_path / "cache") == []
    assert len(decode_photos(open_root(folder), IDS, cache=tmp_path / "cache").array) == 6


def test_two_workers_give_what_one_gives_byte_for_byte(folder, tmp_path, monkeypatch):
    (folder / "images" / "4.jpg").write_text("no photo")
    monkeypatch.setattr(photos, "PARALLEL_FROM", 2)
    monkeypatch.setattr(photos, "CHUNK", 2)
    for workers in (1, 2):
        decode_photos(open_root(folder), IDS, cache=tmp_path / str(workers), workers=workers)
    one, two = (
        {path.name: path.read_bytes() for path in (tmp_path / n).rglob("*.*")} for n in "12"
    )
    assert set(one) == {"photos.npy", "failed.json"} and one == two


def test_a_process_that_only_decodes_imports_neither_pandas_nor_torch():
    """Each worker holds what it imports: pandas alone would nearly double its memory."""
    program = (
        "import sys, fashion_tl.data.photos\n"
        "print({'pandas', 'torch', 'matplotlib'} & set(sys.modules))"
    )
    words = [sys.executable, "-c", program]
    done = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_a_cache_that_cannot_be_written_is_named(folder, tmp_path):
    file = tmp_path / "file"
    file.write_text("in the way")
    for cache in (file, file / "below"):
        with pytest.raises(DataError, match=f"{cache}: .*--cache"):
            decode_photos(open_root(folder), IDS, cache=cache)
    assert file.read_text() == "in the way"


def test_a_cache_that_cannot_be_read_is_named_with_the_way_to_another(
    folder, tmp_path, monkeypatch
):
    def refuse(path, *_, **__):
        raise PermissionError(13, "Permission denied", str(path))

    decode_photos(open_root(folder), IDS, cache=tmp_path)
    monkeypatch.setattr(photos.np, "load", refuse)
    with pytest.raises(
        DataError, match=r"photos-\w+ can't be read \(Permission denied\); .*FASHION_TL_CACHE"
    ):
        decode_photos(open_root(folder), IDS, cache=tmp_path)


@pytest.mark.parametrize("left", [-100, 0])
def test_a_damaged_array_is_named(folder, tmp_path, left):
    decode_photos(open_root(folder), IDS, cache=tmp_path)
    (array,) = tmp_path.rglob("photos.npy")
    array.write_bytes(array.read_bytes()[:left])
    with pytest.raises(DataError, match=f"{array.parent} is damaged.*delete it"):
        decode_photos(open_root(folder), IDS, cache=tmp_path)


def test_twins_share_a_number_and_no_others_do(make_root, tmp_path):
    same = {1: (1, 2, 3), 2: pattern(2), 3: (1, 2, 3), 4: pattern(4), 5: pattern(2), 6: (1, 2, 9)}
    decoded = decode_photos(open_root(make_root(ROWS, same)), IDS, cache=tmp_path / "cache")
    one, two, three, four, five, six = twin_groups(photo_digests(decoded.array))
    assert one == three and two == five and len({one, two, four, six}) == 4


def test_where_no_processes_can_be_started_one_decodes_alone_and_says_so(
    folder, tmp_path, monkeypatch, capsys
):
    def no_processes(*_, **__):
        raise AssertionError("daemonic processes are not allowed to have children")

    monkeypatch.setattr(photos, "PARALLEL_FROM", 2)
    monkeypatch.setattr(photos, "ProcessPoolExecutor", no_processes)
    decoded = decode_photos(open_root(folder), IDS, cache=tmp_path, workers=2)
    assert len(decoded.array) == 6
    assert (
        "can't be decoded by several processes here (AssertionError: daemonic"
        in capsys.readouterr().out
    )


@pytest.mark.parametrize("pixels", [np.linspace(0, 1, 4800, dtype="f4"), np.full(4800, 0.5, "f4")])
def test_floating_point_pixels_are_refused_since_nobody_knows_their_scale(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels.reshape(80, 60)).save(buffer, "TIFF")
    with pytest.raises(DataError, match="floating-point numbers, of unknown scale"):
        decode(buffer.getvalue(), (80, 60))


def test_8_bits_of_grey_kept_in_32_stay_as_bright_as_they_are():
    buffer = io.BytesIO()
    Image.fromarray(np.full((80, 60), 200, np.int32)).save(buffer, "TIFF")
    assert (decode(buffer.getvalue(), (80, 60)) == 200).all()


def test_16_bits_of_grey_are_not_inverted_where_0_is_white():
    for bits, value in ((16, 200 * 257), (8, 200)):
        values = np.full((80, 60), value, np.uint16 if bits == 16 else np.uint8)
        for zero, seen in ((0, 55), (1, 200)):
            content = tiff(values.astype(f"<u{bits // 8}").tobytes(), bits, zero)
            assert (decode(content, (80, 60)) == seen).all(), (bits, zero)


def test_12_bits_of_grey_are_as_bright_as_they_are():
    packed = bytes([0xC8, 0x7C, 0x87]) * (80 * 60 // 2)  # 0xC87, twice
    assert (decode(tiff(packed, 12, 1), (80, 60)) == 0xC8).all()


def tiff(pixels: bytes, bits: int, photometric: int, signed: bool = False) -> bytes:
    """A grey TIFF, 60 wide and 80 high, as scanners write it; ``photometric`` 0 says that 0 is
    white.
    """
    tags = [
        (256, 60),
        (257, 80),
        (258, bits),
        (259, 1),
        (262, photometric),
        (273, 8 + 2 + (9 + signed) * 12 + 4),
        (277, 1),
    ]
    tags += [(278, 80), (279, len(pixels)), *([(339, 2)] if signed else [])]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + pixels


@pytest.mark.parametrize("value", [70_000, -1])
def test_whole_numbers_of_32_bits_are_refused_since_nobody_knows_their_scale(value):
    buffer = io.BytesIO()
    Image.fromarray(np.full((80, 60), value, np.int32)).save(buffer, "TIFF")
    with pytest.raises(DataError, match="whole numbers of 32 bits, of unknown scale"):
        decode(buffer.getvalue(), (80, 60))


@pytest.mark.parametrize(("bits", "value"), [(8, 100), (16, 300), (16, -5)], ids=str)
def test_signed_pixels_are_refused_unless_they_are_8_bits_kept_in_more(bits, value):
    pixels = np.full(60 * 80, value, f"<i{bits // 8}").tobytes()
    with pytest.raises(DataError, match=f"signed whole numbers of {bits} bits, of unknown scale"):
        decode(tiff(pixels, bits, 1, signed=True), (80, 60))
    kept = np.full(60 * 80, 100, "<i2").tobytes()
    assert (decode(tiff(kept, 16, 1, signed=True), (80, 60)) == 100).all()


def test_a_dark_photo_of_16_bits_stays_dark():
    values = np.full(60 * 80, 200, ">u2").tobytes()  # of 65,535: all but black
    assert (decode(b"P5 60 80 65535\n" + values, (80, 60)) == 0).all()
    assert (decode(tiff(np.full(60 * 80, 200, "<u2").tobytes(), 16, 1), (80, 60)) == 0).all()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_photo_that_one_zip_cannot_give_is_read_from_a_sound_zip_with_the_same_checksums(
    folder, tmp_path, zip_root, monkeypatch, no_decoding, workers
):
    monkeypatch.setattr(photos, "PARALLEL_FROM", 1)
    sound, bad = zip_root(folder), zip_root(folder, name="bad.zip")
    content = bytearray(bad.read_bytes())
    content[content.index((folder / "images" / "3.jpg").read_bytes()) + 400] ^= 255
    bad.write_bytes(content)

    def decoded(path):
        return decode_photos(open_root(path), IDS, cache=tmp_path / "cache", workers=workers)

    for _ in range(2):
        assert list(decoded(bad).failed) == ["3"] and "bad.zip" in decoded(bad).failed["3"]
    assert decoded(sound).failed == {} and decoded(sound).ids.tolist() == IDS
    no_decoding()
    again = decoded(bad)  # it is tried again, and nothing else is decoded again
    assert list(again.failed) == ["3"] and len(again.array) == 5


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("failed.json", "[]"),
        ("failed.json", '{"7": "why"}'),
        ("failed.json", '{"1": 5}'),
        ("failed.json", "[" * 200_000),
        ("photos.npy", np.zeros((5, 80, 60, 3), np.uint8)),
        ("photos.npy", np.zeros((6, 60, 80, 3), np.uint8)),
        ("photos.npy", np.zeros((6, 80, 60, 3), np.float32)),
        ("photos.npy", np.uint8(7)),
        ("photos.npy", {"packed": np.zeros((6, 80, 60, 3), np.uint8)}),
        ("photos.npy", "PK\3\4"),
    ],
)
def test_decoded_photos_that_were_changed_in_the_cache_are_named_with_the_way_out(
    folder, tmp_path, name, content
):
    decode_photos(open_root(folder), IDS, cache=tmp_path / "cache")
    (file,) = (tmp_path / "cache").glob(f"*/{name}")
    if isinstance(content, str):
        file.write_text(content)
    else:
        with open(file, "wb") as opened:
            np.savez(opened, **content) if isinstance(content, dict) else np.save(opened, content)
    with pytest.raises(DataError, match=r"is damaged \(.*\); delete it, and it is made again\.$"):
        decode_photos(open_root(folder), IDS, cache=tmp_path / "cache")
