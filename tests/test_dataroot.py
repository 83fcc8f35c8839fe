"""A data root is found wherever it lies, never written to, and refused in plain words when it is
none.
"""

import os
import shutil
import unicodedata
import zipfile
from functools import partial
from pathlib import Path

import pytest

from fashion_tl.__main__ import main
from fashion_tl.data import sample
from fashion_tl.data.catalogue import read_catalogue
from fashion_tl.data.dataroot import cache_folder, open_root
from fashion_tl.data.listing import ENDINGS
from fashion_tl.data.photos import FORMATS, decode_photos
from fashion_tl.errors import DataError
from tests.conftest import jpeg

ROWS = [(11, 2012, "Shirts"), (12, 2013, "Heels"), (13, 2014, "Heels")]


def ids(path) -> list[str]:
    return read_catalogue(open_root(path)).table["id"].tolist()


def refusal(path) -> str:
    """What the DataError says; it must name the path."""
    with pytest.raises(DataError) as caught:
        read_catalogue(open_root(path))
    assert str(path) in str(caught.value)
    return str(caught.value)


def put(folder: Path, files: dict[str, bytes]) -> Path:
    """Write files below a folder, which is made."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def zip_naming(path: Path, *members: tuple[str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content)
    return path


def test_a_folder_is_read_where_it_lies(make_root):
    folder = make_root(ROWS)
    root = open_root(folder)
    assert not root.is_zip and root.name == "root" and not root.is_sample
    assert sorted(root.photos) == ["11", "12", "13"]
    with root.open_files() as read:
        assert read("styles.csv") == (folder / "styles.csv").read_bytes()
        assert read("images/12.jpg") == (folder / "images" / "12.jpg").read_bytes()
    assert ids(str(folder)) == ["11", "12", "13"]


@pytest.mark.parametrize("path", [".", "images/.."])
def test_the_folder_one_is_in_has_a_name_too(make_root, monkeypatch, path):
    monkeypatch.chdir(make_root(ROWS))
    assert open_root(path).name == "root"


def test_a_zip_is_the_same_as_the_folder_in_it(make_root, zip_root):
    packed = zip_root(make_root(ROWS))
    assert open_root(packed).is_zip
    assert ids(packed) == ["11", "12", "13"]


def test_the_data_may_lie_up_to_five_folders_down_as_kaggle_mounts_them(
    make_root, zip_root, tmp_path
):
    top = make_root(ROWS, at="top/datasets/owner/name/fashion-dataset/fashion-dataset").parents[4]
    for above in (top, top / "datasets", top / "datasets" / "owner"):
        assert ids(above) == ids(zip_root(above)) == ["11", "12", "13"]


def test_six_folders_down_is_too_deep(make_root, zip_root):
    top = make_root(ROWS, at="top/a/b/c/d/e/f").parents[5]
    assert "no styles.csv" in refusal(top)
    assert "no styles.csv" in refusal(zip_root(top))


@pytest.mark.parametrize(
    "beside", [{}, {"images/notes.txt": b"x"}], ids=["no images/", "no photo in images/"]
)
def test_a_table_alone_above_a_whole_copy_does_not_win(make_root, zip_root, beside):
    top = make_root(ROWS, at="top/a/fashion").parents[1]
    put(top, {"styles.csv": b"id,year,articleType\n99,2012,Watches\n", **beside})
    assert ids(top) == ids(zip_root(top)) == ["11", "12", "13"]


def test_a_table_without_photos_beside_it_is_named_where_there_is_no_whole_copy(tmp_path, zip_root):
    top = put(
        tmp_path / "top", {"a/styles.csv": b"id,year,articleType\n1,2012,Shirts\n", "b/1.jpg": b"x"}
    )
    for path in (top, zip_root(top)):
        assert "a/styles.csv is there, but no folder images/ beside it" in refusal(path)


def test_of_several_data_sets_side_by_side_the_first_by_name_is_read_and_the_program_says_so(
    make_root, zip_root
):
    make_root([(99, 2012, "Watches")], at="input/watches")
    top = make_root(ROWS, at="input/fashion").parent
    for path in (top, zip_root(top)):
        assert ids(path) == ["11", "12", "13"]
        (note,) = read_catalogue(open_root(path)).notes
        assert note == "2 folders hold styles.csv and images/: fashion/ is read, not watches/."


def test_the_table_and_the_folder_of_photos_may_be_in_other_capitals(make_root, zip_root):
    folder = make_root(ROWS)
    (folder / "styles.csv").rename(folder / "Styles.CSV")
    (folder / "images").rename(folder / "Images")
    assert ids(folder) == ids(zip_root(folder)) == ["11", "12", "13"]
    put(folder, {"images/99.jpg": b"x"})  # the exact name is the one that is meant
    assert "only 0 of 3 ids name a photo" in refusal(folder)


def test_folders_that_are_somebody_elses_are_passed_over(make_root, monkeypatch):
    top = make_root(ROWS, at="top/fashion").parent
    (top / "closed").mkdir()
    scandir = os.scandir

    def refused(path):
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refused)
    assert ids(top) == ["11", "12", "13"]


def test_of_two_copies_the_shallower_is_read(make_root, zip_root):
    # As in Kaggle's own archive. Here the deeper copy is first in the alphabet, and says something
    # else.
    make_root([(99, 2012, "Watches")], at="top/a/deeper")
    top = make_root(ROWS, at="top/fashion").parent
    assert ids(top) == ids(zip_root(top)) == ["11", "12", "13"]


def test_photos_are_told_by_their_endings_in_any_capitals(make_root, zip_root):
    folder = make_root(ROWS)
    names = [f"{n}{ending}" for n, ending in enumerate(ENDINGS, 100)] + [
        "20.JPG",
        "21.Jpeg",
        "22.TIFF",
        "thumb.jpg",
    ]
    put(folder / "images", dict.fromkeys(names, b"x"))
    put(
        folder / "images",
        dict.fromkeys(["30.jpg.txt", "31", "Thumbs.db", "._20.JPG", ".jpg", "below/32.jpg"], b"x"),
    )
    expected = {
        "11",
        "12",
        "13",
        "20",
        "21",
        "22",
        "thumb",
        *(str(100 + n) for n in range(len(ENDINGS))),
    }
    assert set(open_root(folder).photos) == set(open_root(zip_root(folder)).photos) == expected


def test_every_format_that_is_read_has_its_endings():
    from PIL import Image

    Image.init()
    usual = {ending for ending, form in Image.registered_extensions().items() if form in FORMATS}
    assert usual - {".pfm"} <= set(ENDINGS)  # those are floating-point numbers


def test_of_two_photos_of_one_name_the_jpg_is_taken_and_the_other_by_its_whole_name(
    make_root, zip_root
):
    folder = make_root(ROWS, photos={})
    put(
        folder / "images",
        dict.fromkeys(
            ["11.png", "11.jpg", "11.JPEG", "12.webp", "12.png", "13.JPG", "13.jpg"], b"x"
        ),
    )
    for path in (folder, zip_root(folder)):
        photos = {own: photo.name for own, photo in open_root(path).photos.items()}
        assert photos == {
            "11": "images/11.jpg",
            "11.JPEG": "images/11.JPEG",
            "11.png": "images/11.png",
            "12": "images/12.png",
            "12.webp": "images/12.webp",
            "13": "images/13.jpg",
            "13.JPG": "images/13.JPG",
        }


def test_a_zip_written_on_windows_is_read(make_root, tmp_path):
    folder = make_root(ROWS)
    names = {
        f"fashion\\{p.relative_to(folder)}".replace("/", "\\"): p
        for p in folder.rglob("*")
        if p.is_file()
    }
    with zipfile.ZipFile(tmp_path / "windows.zip", "w") as archive:
        archive.writestr("fashion\\images\\", b"")
        for name, path in names.items():
            archive.write(path, name)
    root = open_root(tmp_path / "windows.zip")
    assert sorted(root.photos) == ids(root.path) == ["11", "12", "13"]
    assert decode_photos(root, ["11", "12"], cache=tmp_path / "cache").failed == {}


def test_what_macos_adds_to_a_zip_is_nobodys_photo(make_root, tmp_path, zip_root):
    folder = make_root(ROWS)
    for path in [*folder.rglob("*")]:
        if path.is_file():
            put(
                folder, {f"__MACOSX/{path.relative_to(folder).parent}/._{path.name}": b"\0\5\x16\7"}
            )
    put(folder, {"images/._11.jpg": b"x", "images/.DS_Store": b"x"})
    assert (
        sorted(open_root(zip_root(folder)).photos)
        == sorted(open_root(folder).photos)
        == ["11", "12", "13"]
    )


def test_names_that_macos_writes_apart_and_in_zips_without_saying_how_are_read(
    make_root, tmp_path, zip_root
):
    folder = make_root(
        "id,year,articleType\nÉté 1,2012,Shirts\n2,2013,Heels\n", photos={2: (3, 2, 1)}
    )
    name = unicodedata.normalize("NFD", "images/Été 1.jpg")
    put(folder, {name: jpeg((1, 2, 3))})
    plain = "x" * len(name.encode())  # what zipfile takes for ASCII, and so doesn't say to be UTF-8
    with zipfile.ZipFile(tmp_path / "mac.zip", "w") as archive:
        for own, inside in (
            ("styles.csv", "styles.csv"),
            (name, plain),
            ("images/2.jpg", "images/2.jpg"),
        ):
            archive.write(folder / own, inside)
    content = (tmp_path / "mac.zip").read_bytes()
    (tmp_path / "mac.zip").write_bytes(content.replace(plain.encode(), name.encode()))
    for path in (folder, zip_root(folder), tmp_path / "mac.zip"):
        assert ids(path) == ["Été 1", "2"]
        assert (
            decode_photos(open_root(path), ["Été 1", "2"], cache=tmp_path / path.name[:3]).failed
            == {}
        )


@pytest.mark.skipif(os.name == "nt", reason="names are bytes on Linux alone")
def test_a_name_that_is_no_utf_8_is_read_as_tables_are(make_root, tmp_path):
    folder = make_root("id,year,articleType\nCafé,2012,Shirts\n", photos={})
    with open(os.fsencode(folder / "images") + b"/Caf\xe9.jpg", "wb") as file:
        file.write(jpeg((1, 2, 3)))
    assert ids(folder) == ["Café"]
    assert decode_photos(open_root(folder), ["Café"], cache=tmp_path / "cache").failed == {}


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("styles.xlsx", "save {} as CSV, as styles.csv"),
        ("products.csv", "rename {} to styles.csv"),
        ("Katalog.TSV", "rename {} to styles.csv"),
    ],
)
def test_a_table_under_another_name_is_named_with_the_way_out(tmp_path, name, way):
    folder = put(tmp_path / "root", {name: b"PK", "images/1.jpg": b"x", "about.txt": b""})
    hint = f"If {name} is the table, {way.format('it')}, with images/ beside it."
    assert hint in refusal(folder)
    assert f"Name its folder instead, and {way.format('this file')}." in refusal(folder / name)


def test_where_class_folders_are_read_a_table_under_another_name_is_named_too(tmp_path):
    files = {f"{kind}/{number}.jpg": b"x" for kind in ("images", "thumbs") for number in range(4)}
    root = open_root(put(tmp_path / "root", {"products.csv": b"id\n1\n", **files}))
    assert root.table is None
    assert "If products.csv is the table, rename it to styles.csv" in root.notes[-1]


def test_the_word_sample_draws_the_sample_into_the_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(sample, "draw_sample", partial(sample.draw_sample, photos=60, types=6))
    root = open_root("sample", tmp_path / "cache")
    assert root.is_sample and root.name == "the built-in sample"
    assert root.path == tmp_path / "cache" / "sample"
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]
    assert len(read_catalogue(root).table) == 60


@pytest.mark.parametrize("refusing", ["mkdir", "exists"])
def test_a_sample_that_cannot_be_drawn_into_the_cache_says_how_to_name_another(
    refusing, tmp_path, monkeypatch
):
    def refuse(path, *_, **__):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, refusing, refuse)
    with pytest.raises(
        DataError, match=r"sample can't be drawn there .*denied.*--cache or FASHION_TL_CACHE"
    ):
        open_root("sample", tmp_path / "cache")


def test_a_drawn_sample_is_known_as_one_wherever_it_lies(sample_root, zip_root):
    assert open_root(sample_root).is_sample
    packed = open_root(zip_root(sample_root, "fashion/"))
    assert packed.is_sample and packed.name == "the built-in sample"


def test_the_cache_is_the_one_given_else_the_environments_else_the_users(
    monkeypatch, tmp_path, cache
):
    assert cache_folder(tmp_path) == tmp_path
    assert cache_folder() == cache
    monkeypatch.delenv("FASHION_TL_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert cache_folder() == Path("/somewhere/fashion_tl")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/someone")
    assert cache_folder() == Path("/home/someone/.cache/fashion_tl")


def test_reading_and_decoding_write_to_the_cache_alone(make_root, zip_root, files_under, tmp_path):
    folder = make_root(ROWS)
    packed = zip_root(folder)
    before = files_under(tmp_path)
    for path in (folder, packed):
        root = open_root(path)
        decode_photos(root, read_catalogue(root).table["id"], cache=tmp_path / "cache")
    after = {
        name: state for name, state in files_under(tmp_path).items() if not name.startswith("cache")
    }
    assert after == before
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_no_such_root(tmp_path):
    assert "no such data root" in refusal(tmp_path / "nowhere")


def test_a_folder_without_a_table_names_the_zip_that_lies_in_it(tmp_path):
    assert "no styles.csv" in refusal(tmp_path)
    zip_naming(tmp_path / "fashion.zip")
    assert "fashion.zip" in refusal(tmp_path)


def test_a_folder_without_photos(make_root):
    folder = make_root(ROWS)
    shutil.rmtree(folder / "images")
    assert "images/" in refusal(folder)


def test_a_zip_without_a_table(tmp_path):
    assert "no styles.csv" in refusal(zip_naming(tmp_path / "x.zip", ("images/11.jpg", "x")))


def test_a_text_file_is_not_a_zip(tmp_path):
    text = tmp_path / "data.zip"
    text.write_text("id,year,articleType\n")
    assert "not a zip" in refusal(text)


def test_half_a_zip_is_not_a_zip(make_root, zip_root):
    packed = zip_root(make_root(ROWS))
    packed.write_bytes(packed.read_bytes()[:-30])
    assert "not a zip" in refusal(packed)


def test_a_zip_that_names_a_file_outside_itself_is_refused_and_nothing_is_written(
    tmp_path, files_under
):
    table = ("styles.csv", "id,year,articleType\n1,2012,Shirts\n")
    (tmp_path / "inner").mkdir()
    outside = (
        "../evil.jpg",
        "images/../../evil.jpg",
        "/abs",
        "C:\\x",
        "C:/x",
        "\\\\host\\x",
        "..\\evil.jpg",
    )
    for number, name in enumerate(outside):
        packed = zip_naming(tmp_path / "inner" / f"{number}.zip", table, (name, "evil"))
        before = files_under(tmp_path)
        message = refusal(packed)
        assert "outside itself" in message and repr(name) in message
        assert message.endswith("name the folder instead.")
        assert files_under(tmp_path) == before
    assert not Path("/abs").exists()


def test_a_damaged_table_in_a_zip_is_named(make_root, zip_root):
    packed = zip_root(make_root(ROWS))
    content = bytearray(packed.read_bytes())
    content[content.index(b"Topwear")] ^= 1
    packed.write_bytes(content)
    assert "styles.csv" in refusal(packed)


def test_a_zip_that_has_gone_since_it_was_opened_is_named(make_root, zip_root):
    root = open_root(zip_root(make_root(ROWS)))
    root.path.unlink()
    with pytest.raises(DataError, match=r"root\.zip"):
        read_catalogue(root)


def test_a_photo_that_is_a_dangling_link_is_a_missing_image(make_root):
    folder = make_root(
        [*ROWS, (14, 2012, "Heels")], photos={11: (1, 2, 3), 12: (4, 5, 6), 13: (7, 8, 9)}
    )
    (folder / "images" / "14.jpg").symlink_to(folder / "nowhere.jpg")
    catalogue = read_catalogue(open_root(folder))
    assert len(catalogue.table) == 3 and catalogue.left_out["reason"].tolist() == ["missing image"]


def test_a_photo_that_is_a_link_out_of_the_root_is_named_and_left_out(make_root, tmp_path):
    folder = make_root([*ROWS, (14, 2012, "Heels")], photos={n: (n, 2, 3) for n in (11, 12, 13)})
    elsewhere = make_root([(1, 2012, "Heels")], at="elsewhere") / "images" / "1.jpg"
    (folder / "images" / "14.jpg").symlink_to(elsewhere)
    root = open_root(folder)
    assert sorted(root.photos) == ["11", "12", "13"]
    assert read_catalogue(root).left_out.to_numpy().tolist() == [[5, "14", "link out of the root"]]


def test_links_within_the_root_hard_links_and_folders_that_are_links_are_followed(
    make_root, tmp_path
):
    folder = make_root(ROWS, photos={11: (1, 2, 3)})
    (folder / "images" / "12.jpg").symlink_to("11.jpg")
    os.link(folder / "images" / "11.jpg", folder / "images" / "13.jpg")
    (tmp_path / "linked").mkdir()
    for name in ("images", "styles.csv"):
        (tmp_path / "linked" / name).symlink_to(folder / name)
    (tmp_path / "alias").symlink_to(folder)
    assert ids(folder) == ids(tmp_path / "linked") == ids(tmp_path / "alias") == ["11", "12", "13"]


def test_pipes_folders_and_devices_in_a_photos_place_are_missing_images(make_root):
    folder = make_root(
        [*ROWS, *((n, 2012, "Heels") for n in (14, 15, 16))],
        photos={n: (n, 2, 3) for n in (11, 12, 13)},
    )
    os.mkfifo(folder / "images" / "14.jpg")
    (folder / "images" / "15.jpg").mkdir()
    (folder / "images" / "16.jpg").symlink_to("/dev/zero")
    assert read_catalogue(open_root(folder)).left_out["reason"].tolist() == ["missing image"] * 3


def test_a_pipe_in_the_tables_place_is_refused_and_not_waited_for(make_root):
    folder = make_root(ROWS)
    for name in ("styles.csv", "sample.json"):
        (folder / name).unlink(missing_ok=True)
        os.mkfifo(folder / name)
    assert "styles.csv can't be read: not a plain file" in refusal(folder)


def test_a_file_of_a_terabyte_is_named_and_not_read(make_root, tmp_path):
    folder = make_root(ROWS)
    os.truncate(folder / "images" / "12.jpg", 1 << 40)
    root = open_root(folder)
    failed = decode_photos(root, ["11", "12", "13"], cache=tmp_path / "cache").failed
    assert list(failed) == ["12"] and "1,099,511,627,776 bytes are too many" in failed["12"]
    os.truncate(folder / "styles.csv", 1 << 40)
    assert "styles.csv can't be read: 1,099,511,627,776 bytes are too many" in refusal(folder)


@pytest.mark.parametrize("packing", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_members_packed_in_a_way_that_unpacks_without_bound_are_named(make_root, tmp_path, packing):
    folder = make_root(ROWS)
    with zipfile.ZipFile(tmp_path / "packed.zip", "w") as archive:
        archive.write(folder / "styles.csv", "styles.csv")
        for number in (11, 12, 13):
            kind = packing if number == 12 else zipfile.ZIP_DEFLATED
            archive.write(folder / "images" / f"{number}.jpg", f"images/{number}.jpg", kind)
    failed = decode_photos(
        open_root(tmp_path / "packed.zip"), ["11", "12", "13"], cache=tmp_path / "cache"
    ).failed
    assert list(failed) == ["12"] and "images/12.jpg can't be read: its compression" in failed["12"]


def test_a_link_in_a_zip_is_not_followed(make_root, tmp_path):
    folder = make_root(ROWS)
    link = zipfile.ZipInfo("images/12.jpg")
    link.create_system, link.external_attr = 3, 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "linked.zip", "w") as archive:
        archive.write(folder / "styles.csv", "styles.csv")
        archive.write(folder / "images" / "11.jpg", "images/11.jpg")
        archive.writestr(link, str(folder / "images" / "12.jpg"))
    assert list(
        decode_photos(
            open_root(tmp_path / "linked.zip"), ["11", "12"], cache=tmp_path / "cache"
        ).failed
    ) == ["12"]


def test_of_two_members_with_one_name_the_last_counts(tmp_path):
    table = "id,year,articleType\n{},2012,Shirts\n"
    members = [
        ("images/1.jpg", "x"),
        ("images/2.jpg", "x"),
        *(("styles.csv", table.format(n)) for n in (1, 2)),
    ]
    with pytest.warns(UserWarning, match="Duplicate name"):
        packed = zip_naming(tmp_path / "doubled.zip", *members)
    assert ids(packed) == ["2"]


def test_brackets_without_end_in_sample_json_make_no_sample(make_root, zip_root):
    folder = make_root(ROWS)
    assert not open_root(zip_root(folder)).is_sample
    (folder / "sample.json").write_text("[" * 100_000)
    assert not open_root(folder).is_sample
    assert not open_root(zip_root(folder)).is_sample


def test_an_error_about_a_member_with_a_very_long_name_stays_short(tmp_path):
    assert len(refusal(zip_naming(tmp_path / "x.zip", ("../" + "x" * 60_000, "")))) < 1000


def test_a_cache_that_cannot_be_written_is_named_when_the_sample_is_drawn(tmp_path):
    (tmp_path / "file").write_text("in the way")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(DataError, match=str(folder)):
            open_root("sample", folder)


def test_the_table_itself_stands_for_its_folder(make_root, monkeypatch):
    folder = make_root(ROWS)
    assert (
        ids(folder / "styles.csv") == ["11", "12", "13"]
        and open_root(folder / "styles.csv").name == "root"
    )
    monkeypatch.chdir(folder)
    assert ids("styles.csv") == ["11", "12", "13"] and open_root("styles.csv").name == "root"


def test_a_table_that_is_handed_in_is_never_another_one(make_root, tmp_path):
    top = make_root(ROWS, at="top/below").parent
    put(top, {"styles.csv": b"id,year,articleType\n1,2012,Shirts\n", "products.csv": b"id\n"})
    with pytest.raises(DataError, match=r"styles\.csv is there, but no folder images/ beside it"):
        open_root(top / "styles.csv")
    assert "is a single file. Name its folder instead. images/" in refusal(top / "products.csv")


def test_the_folder_of_photos_alone_leads_to_the_folder_around_it(make_root):
    folder = make_root(ROWS)
    assert f"styles.csv lies beside it: name the folder {folder} instead" in refusal(
        folder / "images"
    )


def test_photos_one_folder_too_far_down_are_named_with_the_way_out(make_root, zip_root):
    folder = put(
        make_root(ROWS, photos={}), {"images/images/11.jpg": b"x", "images/more/12.jpg": b"x"}
    )
    for path in (folder, zip_root(folder)):
        said = refusal(path)
        assert "images/ holds no photo itself, only folders such as images/, more/" in said
        assert "move the photos" in said


@pytest.mark.parametrize(
    "content, what",
    [
        (b"7z\xbc\xaf\x27\x1c\0", "a 7z archive"),
        (b"Rar!\x1a\x07\0", "a RAR archive"),
        (b"\x1f\x8b\x08", "compressed with gzip"),
        (b"BZh9", "compressed with bzip2"),
        (b"\xfd7zXZ\0", "with xz"),
        (b"\0" * 257 + b"ustar\0", "a tar archive"),
        (b"\n<!DOCTYPE html>", "a web page"),
        (b"", "empty"),
        (b"PK\x03\x04", "its end is missing"),
    ],
)
def test_a_file_of_another_kind_is_called_by_its_name_with_the_way_out(tmp_path, content, what):
    (tmp_path / "data.zip").write_bytes(content)
    said = refusal(tmp_path / "data.zip")
    assert what in said and "\n" not in said


@pytest.mark.parametrize("name", ["data.7z", "data.rar", "data.tar.gz", "data.tgz"])
def test_an_archive_in_a_folder_or_a_zip_is_named_with_the_way_out(tmp_path, name):
    folder = put(tmp_path / "folder", {name: b"x"})
    assert f"It holds {name}: unpack that, and name its folder" in refusal(folder)
    assert "It holds in.zip: unpack that" in refusal(
        zip_naming(tmp_path / "zip.zip", ("in.zip", "x"))
    )


def test_a_zip_with_a_password_says_so(make_root, zip_root):
    packed = zip_root(make_root(ROWS))
    content = packed.read_bytes()
    # Set the flag that says so in each member.
    for mark, place in (
        (b"PK\x03\x04", 6),
        (b"PK\x01\x02", 8),
    ):
        parts = content.split(mark)
        content = mark.join(
            [
                parts[0],
                *(p[: place - 4] + bytes([p[place - 4] | 1]) + p[place - 3 :] for p in parts[1:]),
            ]
        )
    packed.write_bytes(content)
    assert "a password protects it; unpack it with that, and name the folder instead" in refusal(
        packed
    )


@pytest.mark.parametrize(
    "encoding, name",
    [("cp1252", "Größe"), ("cp437", "Größe"), ("cp932", "シャツ"), ("cp932", "日本")],
)
def test_names_in_a_zip_that_does_not_state_their_encoding_are_read(
    make_root, tmp_path, encoding, name
):
    folder = make_root(
        f"id,year,articleType\n{name},2012,Shirts\n2,2013,Heels\n", photos={2: (3, 2, 1)}
    )
    raw = f"images/{name}.jpg".encode(encoding)
    with zipfile.ZipFile(tmp_path / "old.zip", "w") as archive:
        archive.write(folder / "styles.csv", "styles.csv")
        archive.write(folder / "images" / "2.jpg", "x" * len(raw))
        archive.write(folder / "images" / "2.jpg", "images/2.jpg")
    content = (tmp_path / "old.zip").read_bytes()
    (tmp_path / "old.zip").write_bytes(content.replace(b"x" * len(raw), raw))
    assert ids(tmp_path / "old.zip") == [name, "2"]
    assert (
        decode_photos(open_root(tmp_path / "old.zip"), [name, "2"], cache=tmp_path / "cache").failed
        == {}
    )


@pytest.mark.parametrize(
    "below", ["fashion-small", "datasets/owner/fashion-small", "fashion-small/input"]
)
def test_data_where_kaggle_mounts_them_go_by_their_own_name(make_root, tmp_path, below):
    make_root(ROWS, at=f"kaggle/input/{below}")
    assert (
        open_root(tmp_path / "kaggle" / "input").name
        == open_root(tmp_path / "kaggle").name
        == "fashion-small"
    )


def test_class_folders_where_kaggle_mounts_them_go_by_their_own_name(tmp_path):
    names = [f"input/shoes/train/{kind}/{number}.jpg" for kind in "AB" for number in range(3)]
    put(tmp_path, dict.fromkeys(names, b"x"))
    assert open_root(tmp_path / "input").name == "shoes"


def test_a_pipe_or_a_device_is_no_data_root(tmp_path, capsys):
    os.mkfifo(tmp_path / "pipe")
    os.mkfifo(tmp_path / "pipe.zip")
    os.mkfifo(tmp_path / "styles.csv")
    for path in (tmp_path / "pipe", tmp_path / "pipe.zip", tmp_path / "styles.csv", "/dev/zero"):
        assert main(["summary", "--data", str(path)]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"error: {path} is neither a file nor a folder. A data root is")


def test_a_link_or_file_in_the_place_of_the_folder_of_photos_is_named(make_root, tmp_path):
    folder = make_root([(11, 2011, "Shirts"), (12, 2012, "Shirts")])
    (folder / "images").rename(tmp_path / "photos")
    (folder / "images").symlink_to(tmp_path / "gone")
    said = "no folder images/ beside it. images is a link that leads nowhere: connect or restore"
    assert said in refusal(folder)
    (folder / "images").unlink()
    (folder / "images").touch()
    assert "images is a file, not a folder." in refusal(folder)
