"""A data root is found wherever it lies, never written to, and refused in plain words when it is none."""

import os
import shutil
import zipfile
from functools import partial
from pathlib import Path

import pytest

from fashion_tl import sample
from fashion_tl.catalogue import read_catalogue
from fashion_tl.dataroot import cache_folder, open_root
from fashion_tl.errors import DataError
from fashion_tl.photos import decode_photos

ROWS = [(11, 2012, "Shirts"), (12, 2013, "Heels"), (13, 2014, "Heels")]


def ids(path) -> list[str]:
    return read_catalogue(open_root(path)).table["id"].tolist()


def refusal(path) -> str:
    """What the DataError says; it must name the path."""
    with pytest.raises(DataError) as caught:
        read_catalogue(open_root(path))
    assert str(path) in str(caught.value)
    return str(caught.value)


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


def test_the_data_may_lie_one_or_two_folders_down(make_root, zip_root):
    one = make_root(ROWS, at="one/fashion").parent
    two = make_root(ROWS, at="two/data/fashion").parents[1]
    assert ids(one) == ids(two) == ["11", "12", "13"]
    assert ids(zip_root(one)) == ids(zip_root(two, name="two.zip")) == ["11", "12", "13"]


def test_three_folders_down_is_too_deep(make_root, zip_root):
    top = make_root(ROWS, at="top/a/b/c").parents[2]
    assert "no styles.csv" in refusal(top)
    assert "no styles.csv" in refusal(zip_root(top))


def test_of_two_copies_the_shallower_is_read(make_root, zip_root):
    # As in Kaggle's own archive. Here the deeper copy is first in the alphabet, and says something else.
    make_root([(99, 2012, "Watches")], at="top/a/deeper")
    top = make_root(ROWS, at="top/fashion").parent
    assert ids(top) == ids(zip_root(top)) == ["11", "12", "13"]


def test_only_files_named_by_an_id_are_photos(make_root, zip_root):
    folder = make_root(ROWS)
    for name in ("thumb.jpg", "0011.jpg", "14.png", "15.jpg.txt", "-16.jpg", "１７.jpg", ".jpg"):
        (folder / "images" / name).write_bytes(b"x")
    assert sorted(open_root(folder).photos) == sorted(open_root(zip_root(folder)).photos) == ["11", "12", "13"]


def test_the_word_sample_draws_the_sample_into_the_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(sample, "draw_sample", partial(sample.draw_sample, photos=60, types=6))
    root = open_root("sample", tmp_path / "cache")
    assert root.is_sample and root.name == "the built-in sample"
    assert root.path == tmp_path / "cache" / "sample"
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]
    assert len(read_catalogue(root).table) == 60


def test_a_drawn_sample_is_known_as_one_wherever_it_lies(sample_root):
    assert open_root(sample_root).is_sample


def test_the_cache_is_the_one_given_else_the_environments_else_the_users(monkeypatch, tmp_path, cache):
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
    after = {name: state for name, state in files_under(tmp_path).items() if not name.startswith("cache")}
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


def test_a_zip_that_names_a_file_outside_itself_is_refused_and_nothing_is_written(tmp_path, files_under):
    table = ("styles.csv", "id,year,articleType\n1,2012,Shirts\n")
    (tmp_path / "inner").mkdir()
    outside = ("../evil.jpg", "images/../../evil.jpg", "/abs", "C:\\x", "C:/x", "\\\\host\\x", "..\\evil.jpg")
    for number, name in enumerate(outside):
        packed = zip_naming(tmp_path / "inner" / f"{number}.zip", table, (name, "evil"))
        before = files_under(tmp_path)
        message = refusal(packed)
        assert "outside itself" in message and repr(name) in message
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
    folder = make_root([*ROWS, (14, 2012, "Heels")], photos={11: (1, 2, 3), 12: (4, 5, 6), 13: (7, 8, 9)})
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


def test_links_within_the_root_hard_links_and_folders_that_are_links_are_followed(make_root, tmp_path):
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
        [*ROWS, *((n, 2012, "Heels") for n in (14, 15, 16))], photos={n: (n, 2, 3) for n in (11, 12, 13)}
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
    assert "styles.csv can't be read: no such file, or not a plain one" in refusal(folder)


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
    failed = decode_photos(open_root(tmp_path / "packed.zip"), ["11", "12", "13"], cache=tmp_path / "cache").failed
    assert list(failed) == ["12"] and "images/12.jpg can't be read: it is packed" in failed["12"]


def test_a_link_in_a_zip_is_not_followed(make_root, tmp_path):
    folder = make_root(ROWS)
    link = zipfile.ZipInfo("images/12.jpg")
    link.create_system, link.external_attr = 3, 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "linked.zip", "w") as archive:
        archive.write(folder / "styles.csv", "styles.csv")
        archive.write(folder / "images" / "11.jpg", "images/11.jpg")
        archive.writestr(link, str(folder / "images" / "12.jpg"))
    assert list(decode_photos(open_root(tmp_path / "linked.zip"), ["11", "12"], cache=tmp_path / "cache").failed) == [
        "12"
    ]


def test_of_two_members_with_one_name_the_last_counts(tmp_path):
    table = "id,year,articleType\n{},2012,Shirts\n"
    members = [("images/1.jpg", "x"), ("images/2.jpg", "x"), *(("styles.csv", table.format(n)) for n in (1, 2))]
    with pytest.warns(UserWarning, match="Duplicate name"):
        packed = zip_naming(tmp_path / "doubled.zip", *members)
    assert ids(packed) == ["2"]


def test_brackets_without_end_in_sample_json_make_no_sample(make_root):
    folder = make_root(ROWS)
    (folder / "sample.json").write_text("[" * 100_000)
    assert not open_root(folder).is_sample


def test_an_error_about_a_member_with_a_very_long_name_stays_short(tmp_path):
    assert len(refusal(zip_naming(tmp_path / "x.zip", ("../" + "x" * 60_000, "")))) < 1000


def test_a_cache_that_cannot_be_written_is_named_when_the_sample_is_drawn(tmp_path):
    (tmp_path / "file").write_text("in the way")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(DataError, match=str(folder)):
            open_root("sample", folder)
