"""A folder per class is a data root like any other; what was decided about it is said."""

import io
import os
import shutil
import unicodedata
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from PIL.PngImagePlugin import PngInfo

from fashion_tl.__main__ import main
from fashion_tl.data.catalogue import facts, read_catalogue
from fashion_tl.data.classfolders import find_classes
from fashion_tl.data.dataroot import open_root
from fashion_tl.data.dataset import load_data
from fashion_tl.data.task import make_task
from fashion_tl.data.twins import twin_groups
from fashion_tl.errors import DataError
from fashion_tl.files import is_run_folder
from fashion_tl.predict import find_photos
from fashion_tl.recipes import make_config
from tests import RUN_JSON
from tests.conftest import jpeg, pattern


def names(*patterns: str, photos: int = 5) -> list[str]:
    """So many photos for each, where ``{}`` is a number."""
    return [pattern.format(n) for pattern in patterns for n in range(photos)]


def put(folder: Path, files: list[str]) -> Path:
    for number, name in enumerate(files):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(jpeg(pattern(number)))
    return folder


def png(picture, number: int) -> bytes:
    """The same pixels for one picture, in other bytes for each number."""
    buffer, about = io.BytesIO(), PngInfo()
    about.add_text("number", str(number))
    picture.save(buffer, "PNG", pnginfo=about)
    return buffer.getvalue()


def parts(files: list[str]) -> dict[str, tuple[set[str], set[str]]]:
    """The folders above photos that train and that test, by class."""
    found: dict[str, tuple[set[str], set[str]]] = {}
    for name, (part, kind) in find_classes(files).labelled.items():
        found.setdefault(kind, (set(), set()))[part == "test"].add(name.rpartition("/")[0])
    return found


TWO = ["train/Shirts/{}.jpg", "train/Shoes/{}.jpg", "test/Shirts/{}.jpg", "test/Shoes/{}.jpg"]
SHIRTS_AND_SHOES = {
    "Shirts": ({"train/Shirts"}, {"test/Shirts"}),
    "Shoes": ({"train/Shoes"}, {"test/Shoes"}),
}


def test_train_trains_and_test_tests():
    assert parts(names(*TWO)) == SHIRTS_AND_SHOES


def test_the_folder_and_its_zip_are_one_data_root(tmp_path, zip_root, capsys):
    folder = put(tmp_path / "root", names(*TWO, photos=3))
    tables = [
        read_catalogue(open_root(path))
        for path in (folder, zip_root(folder), zip_root(folder, "a/b/", "b.zip"))
    ]
    for catalogue in tables:
        assert catalogue.table.equals(tables[0].table)
        assert catalogue.table["id"].tolist()[:2] == ["test/Shirts/0", "test/Shirts/1"]
        assert (catalogue.rows, facts(catalogue)["train"], facts(catalogue)["test"]) == (12, 6, 6)
        assert (catalogue.table[["productDisplayName", "masterCategory", "subCategory"]] == "").all(
            axis=None
        )
    assert main(["summary", "--data", str(folder)]) == 0
    said = capsys.readouterr().out
    assert "the class of a photo is the folder that it lies in (2 classes: Shirts, Shoes)." in said
    assert "Photos in train/ train; those in test/ test." in said
    assert tables[0].naming == "folders name the classes" and tables[0].naming in said


@pytest.mark.parametrize(
    "train, test",
    [
        ("Train", "TEST"),
        ("training_set", "test_set"),
        ("seg_train", "seg_test"),
        ("training", "validation"),
        ("fashion_train", "fashion_test"),
        ("train_images", "test_images"),
        ("train", "val"),
        ("train", "valid"),
        ("seg_train/seg_train", "seg_test/seg_test"),
        ("train/images", "test/images"),
        ("photos-train", "photos-val"),
    ],
)
def test_the_parts_go_by_many_names(train, test):
    files = names(
        *(f"{part}/{kind}/{{}}.jpg" for part in (train, test) for kind in ("Shirts", "Shoes"))
    )
    assert parts(files) == {
        kind: ({f"{train}/{kind}"}, {f"{test}/{kind}"}) for kind in ("Shirts", "Shoes")
    }


def test_val_trains_where_there_is_a_test():
    files = names(*TWO, "val/Shirts/{}.jpg", "val/Shoes/{}.jpg")
    assert parts(files)["Shirts"] == ({"train/Shirts", "val/Shirts"}, {"test/Shirts"})
    assert "Photos in train/ and val/ train" in find_classes(files).notes[1]


def test_single_folders_around_everything_are_skipped_and_deeper_ones_belong_to_their_class():
    files = names("a/b/train/Shirts/red/{}.jpg", "a/b/train/Shoes/{}.jpg", "a/b/test/Shirts/{}.jpg")
    assert find_classes(files).inner == "a/b/"
    assert parts(files)["Shirts"] == ({"a/b/train/Shirts/red"}, {"a/b/test/Shirts"})


def test_without_folders_that_name_parts_a_fifth_of_each_class_tests_and_always_the_same():
    files = names("Shirts/{}.jpg", photos=100) + names("Shoes/{}.jpg", photos=3) + ["Ties/0.jpg"]
    found = find_classes(files)
    assert Counter(kind for part, kind in found.labelled.values() if part == "test") == {
        "Shirts": 20,
        "Shoes": 1,
    }
    assert "20% of each class do (21 photos, always the same)" in found.notes[1]
    assert find_classes(files[::-1]).labelled == found.labelled
    moved = find_classes([f"wrapped/{name}" for name in files]).labelled
    assert {name.removeprefix("wrapped/"): each for name, each in moved.items()} == found.labelled
    more = find_classes([*files, "Shirts/more.jpg"]).labelled  # few others change sides
    assert sum(more[name] != each for name, each in found.labelled.items()) <= 1
    assert [name for name, (part, _) in found.labelled.items() if part == "test"][:5] != files[:5]


def test_only_train_with_classes_is_divided_too():
    found = find_classes(names("train/Shirts/{}.jpg", "train/Shoes/{}.jpg"))
    assert Counter(part for part, _ in found.labelled.values()) == {"train": 8, "test": 2}


@pytest.mark.parametrize(
    "test", ["test/{}.jpg", "test/unknown/{}.jpg", "test/test/{}.jpg", "test/images/{}.jpg"]
)
def test_photos_of_a_competition_whose_classes_nobody_tells_are_left_out_and_the_way_on_is_said(
    test,
):
    found = find_classes(names("train/Shirts/{}.jpg", "train/Shoes/{}.jpg", test))
    assert found.left_out == dict.fromkeys(names(test), "no class folder")
    assert found.notes[1] == (
        "5 photos in test/ lie in no class folder: left out. "
        "After the run, `predict` tells their classes."
    )
    assert "20% of each class" in found.notes[2]


def test_where_test_has_no_classes_val_tests():
    found = find_classes(
        names("train/Shirts/{}.jpg", "train/Shoes/{}.jpg", "val/Shirts/{}.jpg", "test/{}.jpg")
    )
    assert (
        found.labelled["val/Shirts/0.jpg"] == ("test", "Shirts")
        and "those in val/ test" in found.notes[2]
    )


def test_photos_beside_the_class_folders_are_left_out_and_counted(tmp_path):
    folder = put(
        tmp_path / "root", [*names("Shirts/{}.jpg", "Shoes/{}.jpg"), "cover.jpg", "logo.png"]
    )
    catalogue = read_catalogue(open_root(folder))
    assert catalogue.named() == ["no class folder (2): cover.jpg, logo.png"]
    assert catalogue.tally == "10 of 12 rows are used; left out: no class folder: 2"


def test_a_folder_beside_train_and_test_is_no_class():
    found = find_classes(names(*TWO, "pred/{}.jpg", "more/Shirts/{}.jpg"))
    assert parts(names(*TWO, "pred/{}.jpg", "more/Shirts/{}.jpg")) == SHIRTS_AND_SHOES
    assert len(found.left_out) == 10


def test_classes_whose_names_hold_train_or_test_are_classes():
    found = parts(names("Training Shoes/{}.jpg", "Test Tubes/{}.jpg", "Train/{}.jpg"))
    assert set(found) == {"Training Shoes", "Test Tubes", "Train"}


def test_a_class_whose_name_is_a_number_is_a_class_also_alone():
    found = parts(names("train/0/{}.jpg", "train/1/{}.jpg", "test/1/{}.jpg"))
    assert found == {"0": ({"train/0"}, set()), "1": ({"train/1"}, {"test/1"})}


def test_a_class_may_be_in_one_part_alone(tmp_path):
    folder = put(tmp_path / "root", names(*TWO, "test/Hats/{}.jpg", "train/Ties/{}.jpg"))
    catalogue = read_catalogue(open_root(folder))
    numbers = facts(catalogue)
    assert (numbers["unseen_classes"], numbers["classes"]) == (1, 4) and numbers[
        "ceiling_top1"
    ] == 10 / 15
    task = make_task(catalogue, catalogue.table.index.to_numpy())
    assert len(task.test) == 15


def test_photos_with_one_name_and_different_endings_have_different_ids(tmp_path):
    folder = put(
        tmp_path / "root",
        ["A/1.jpg", "A/1.png", "A/2.JPEG", "B/1.webp", "B/.hidden.jpg", "B/Thumbs.db"],
    )
    assert read_catalogue(open_root(folder)).table["id"].tolist() == [
        "A/1",
        "A/1.png",
        "A/2",
        "B/1",
    ]


def test_hidden_folders_and_those_that_systems_make_are_no_classes(tmp_path):
    folder = put(
        tmp_path / "root",
        names(
            "A/{}.jpg",
            "B/{}.jpg",
            ".ipynb_checkpoints/{}.jpg",
            "__MACOSX/A/{}.jpg",
            "A/@eaDir/{}.jpg",
        ),
    )
    catalogue = read_catalogue(open_root(folder))
    assert catalogue.classes == ("A", "B") and catalogue.rows == 10


def test_classes_are_in_any_script_and_may_look_like_numbers(tmp_path, zip_root):
    folder = put(tmp_path / "root", names("007/{}.jpg", "Été/{}.jpg", "シャツ/{}.jpg", "NA/{}.jpg"))
    for path in (folder, zip_root(folder)):
        assert set(read_catalogue(open_root(path)).classes) == {"007", "Été", "シャツ", "NA"}


def test_a_photo_that_is_a_link_out_of_the_root_is_left_out_and_a_folder_that_is_a_link_is_followed(
    tmp_path,
):
    folder = put(tmp_path / "root", names("A/{}.jpg", "B/{}.jpg"))
    put(tmp_path / "elsewhere", names("{}.jpg"))
    (folder / "A" / "9.jpg").symlink_to(tmp_path / "elsewhere" / "0.jpg")
    (folder / "C").symlink_to(tmp_path / "elsewhere")
    (folder / "A" / "round").symlink_to(folder)
    catalogue = read_catalogue(open_root(folder))
    assert catalogue.left_out.to_numpy().tolist() == [[0, "A/9.jpg", "link out of the root"]]
    assert Counter(catalogue.table["label"]) == {"A": 5, "B": 5, "C": 5}


@pytest.mark.parametrize(
    "files",
    [
        ["images/{}.jpg"],
        ["train/{}.jpg", "test/{}.jpg"],
        ["train/A/{}.jpg", "test/A/{}.jpg"],
        ["{}.jpg"],
        ["train/images/{}.jpg", "train/labels/{}.txt"],
    ],
)
def test_photos_without_two_classes_are_refused_with_the_way_out(tmp_path, zip_root, files):
    folder = put(tmp_path / "root", names(*files))
    for path in (folder, zip_root(folder)):
        with pytest.raises(
            DataError, match=r"no styles\.csv in it.*nor folders of photos for two or more classes"
        ) as error:
            open_root(path)
        assert str(path) in str(error.value) and "folder of photos for each class" in str(
            error.value
        )


def test_a_zip_of_folders_too_deep_for_any_class_takes_no_memory(tmp_path):
    with zipfile.ZipFile(tmp_path / "deep.zip", "w") as archive:
        for number in range(20):
            archive.writestr(f"{number}/" * 20_000 + "1.jpg", b"x")
    with pytest.raises(DataError, match=r"deep\.zip"):
        open_root(tmp_path / "deep.zip")


def test_a_table_wins_over_class_folders(make_root):
    folder = make_root([(1, 2012, "Shirts"), (2, 2013, "Heels")])
    put(folder, names("train/A/{}.jpg", "train/B/{}.jpg"))
    assert read_catalogue(open_root(folder)).table["id"].tolist() == ["1", "2"]


def test_each_class_may_have_its_own_train_and_test():
    names = [
        f"{kind}/{part}/{n}.jpg"
        for kind in ("Shirts", "Shoes")
        for part in ("train", "test")
        for n in (1, 2)
    ]
    found = find_classes(names)
    assert found.labelled["Shirts/train/1.jpg"] == ("train", "Shirts")
    assert found.labelled["Shoes/test/2.jpg"] == ("test", "Shoes")
    assert sum(part == "test" for part, _ in found.labelled.values()) == 4
    assert (
        "the train/ of each class train" in found.notes[-1]
        and "the test/ of each class test" in found.notes[-1]
    )


def test_folders_further_down_belong_to_their_class_and_its_part():
    files = ["Shirts/train/1.jpg", "Shirts/test/2.jpg", "Shoes/train/high/3.jpg"]
    assert parts(files) == {
        "Shirts": ({"Shirts/train"}, {"Shirts/test"}),
        "Shoes": ({"Shoes/train/high"}, set()),
    }
    deep = {"Shirts": ("red", "blue"), "Shoes": ("high", "low")}
    assert parts(
        names(
            *(
                f"{kind}/{part}/{own}/{{}}.jpg"
                for kind, below in deep.items()
                for own in below
                for part in ("train", "test")
            )
        )
    ) == {
        kind: tuple({f"{kind}/{part}/{own}" for own in below} for part in ("train", "test"))
        for kind, below in deep.items()
    }


def test_one_picture_beside_the_data_makes_no_class_of_the_folder_around_it():
    names = [
        "docs/logo.png",
        *(f"images/{kind}/{n}.jpg" for kind in ("Shirts", "Shoes") for n in range(4)),
    ]
    found = find_classes(names)
    assert {kind for _, kind in found.labelled.values()} == {
        "Shirts",
        "Shoes",
    } and found.inner == "images/"
    assert list(found.left_out) == ["docs/logo.png"]


def test_a_class_folder_that_holds_train_and_test_beside_others_is_refused():
    names = [
        f"{root}/{part}/{kind}/1.jpg"
        for root in ("one", "two")
        for part in ("train", "test")
        for kind in "ab"
    ]
    with pytest.raises(
        DataError,
        match=r"one/ holds test/ and train/, and other folders of photos lie beside it\. "
        "If it is a data set, name its folder instead. If it is a class, move ",
    ):
        find_classes(names)
    with pytest.raises(
        DataError, match=r"one/ holds .*a class, move all photos in docs/ into a train/ or a test/"
    ):
        find_classes([*(name for name in names if "one/" in name), "docs/1.jpg"])


def test_photos_of_formats_that_are_not_read_are_counted_and_named(tmp_path, capsys):
    for kind, ending in (("Shirts", "jpg"), ("Shoes", "jpg"), ("Ties", "HEIC")):
        (tmp_path / kind).mkdir()
        for number in range(3):
            (tmp_path / kind / f"{number}.{ending}").write_bytes(jpeg(pattern(number)))
    assert main(["summary", "--data", str(tmp_path)]) == 0
    assert "format that isn't read (3): " in capsys.readouterr().out


def test_two_links_that_lead_to_one_another_count_each_photo_once(tmp_path):
    for kind, other in (("Shirts", "Shoes"), ("Shoes", "Shirts")):
        (tmp_path / kind).mkdir()
        (tmp_path / kind / f"{kind}.jpg").write_bytes(jpeg(pattern(len(kind))))
        (tmp_path / kind / "other").symlink_to(tmp_path / other)
    assert len(open_root(tmp_path).photos) == 2


def test_folders_that_look_the_same_are_one_class_and_lose_no_photo(tmp_path):
    whole, apart = unicodedata.normalize("NFC", "Été"), unicodedata.normalize("NFD", "Été")
    folder = put(
        tmp_path / "root",
        names(f"{whole}/{{}}.jpg", f"{apart}/{{}}.jpg", "a  b/{}.jpg", "a\u00a0b/{}.jpg"),
    )
    catalogue = read_catalogue(open_root(folder))
    assert catalogue.counts["label"].tolist() == ["a b", whole] and catalogue.rows == 20
    assert (catalogue.table["label"].value_counts() == 10).all() and catalogue.table["id"].is_unique
    assert len({photo.name for photo in open_root(folder).photos.values()}) == 20


def test_folders_nested_hundreds_deep_are_left_out_and_named(tmp_path):
    folder = put(tmp_path / "root", names("A/{}.jpg", "B/{}.jpg"))
    below = os.open(folder / "B", os.O_RDONLY)
    try:
        for _ in range(300):
            os.mkdir("d", dir_fd=below)
            inner = os.open("d", os.O_RDONLY, dir_fd=below)
            os.close(below)
            below = inner
    finally:
        os.close(below)
    catalogue = read_catalogue(open_root(folder))
    assert len(catalogue.table) == 10 and catalogue.left_out["reason"].tolist() == [
        "folder too far down"
    ]
    assert catalogue.left_out["id"].tolist() == ["B/" + "d/" * 49]


def test_each_folder_is_listed_no_more_than_twice(tmp_path, monkeypatch):
    folder = put(tmp_path / "root", names("A/{}.jpg", "B/{}.jpg"))
    scandir = os.scandir
    seen = Counter()
    monkeypatch.setattr(os, "scandir", lambda path: (seen.update([str(path)]), scandir(path))[1])
    open_root(folder)
    assert max(seen.values()) == 2  # once for a table, once for photos


def test_the_same_photo_under_two_names_is_on_one_side_of_a_drawn_split(tmp_path, capsys):
    for number in range(20):
        for kind in "AB":
            (tmp_path / "root" / kind).mkdir(parents=True, exist_ok=True)
            twin = pattern(number // 2 + 100 * (kind == "B"))
            (tmp_path / "root" / kind / f"{number}.png").write_bytes(png(twin, number))
    data = load_data(tmp_path / "root", make_config("direct"), tmp_path / "cache")
    groups = data.catalogue.table.groupby(twin_groups(data.digests))["part"].nunique()
    assert len(groups) == 20 and (groups == 1).all() and len(data.task.test) > 0
    assert (
        "drawn to test that are pixel for pixel the same as one that trains"
        in capsys.readouterr().out
    )


def wrapped(*folders: str) -> list[str]:
    """Photos of the classes A, B and C in each of these folders."""
    return names(*(f"{folder}/{kind}/{{}}.jpg" for folder in folders for kind in "ABC"))


@pytest.mark.parametrize(
    "train, test",
    [("train/fashion", "test/fashion"), ("train/a", "test/b"), ("a/train/x", "a/val/x")],
)
def test_a_folder_around_the_classes_of_each_part_is_skipped(train, test):
    assert parts(wrapped(train, test)) == {
        kind: ({f"{train}/{kind}"}, {f"{test}/{kind}"}) for kind in "ABC"
    }


@pytest.mark.parametrize(
    "files, folder",
    [
        ([*names("A/{}.jpg", "B/{}.jpg", "C/{}.jpg"), *wrapped("backup")], "backup"),
        ([*names("A/{}.jpg", "B/{}.jpg"), *names("old/A/{}.jpg")], "old"),
        ([*names("A/{}.jpg", "B/{}.jpg"), "old/1.jpg", *wrapped("old")], "old"),
        ([*names("A/{}.jpg", "B/{}.jpg"), *names("train/D/{}.jpg")], "train"),
        ([*wrapped("photos"), *wrapped("images")], "images"),
        ([*wrapped("train/fashion", "test")], "train/fashion"),
        ([*wrapped("train", "test/fashion")], "test/fashion"),
        ([*wrapped("x/train", "x/test/fashion", "x/val")], "x/test/fashion"),
    ],
)
def test_a_folder_that_holds_classes_is_not_taken_for_one(tmp_path, zip_root, files, folder):
    root = put(tmp_path / "root", files)
    for path in (root, zip_root(root)):
        with pytest.raises(
            DataError, match=f"^{folder} would be one class, but it holds "
        ) as error:
            open_root(path)
        assert f"name {folder} instead" in str(error.value)


@pytest.mark.parametrize(
    "files, classes, folder",
    [
        (
            names("Dresses/red/{}.jpg", "Dresses/blue/{}.jpg", "Shoes/{}.jpg"),
            {"Dresses", "Shoes"},
            "Dresses",
        ),
        ([*wrapped("fashion"), "docs/logo.png"], {"docs", "fashion"}, "fashion"),
        (
            [*wrapped("fashion"), *names("old/{}.jpg", "new/{}.jpg")],
            {"fashion", "new", "old"},
            "fashion",
        ),
        (
            [*wrapped("train/fashion"), *names("train/other/{}.jpg", "test/other/{}.jpg")],
            {"fashion", "other"},
            "train/fashion",
        ),
    ],
)
def test_a_folder_that_may_hold_classes_is_a_class_and_a_note_says_what_to_do(
    files, classes, folder
):
    assert set(parts(files)) == classes
    note = find_classes(files).notes[1]
    assert note.startswith(f"{folder}/ is one class, though it holds ")
    assert f"If these are the classes, name {folder} instead" in note


def test_folders_in_a_class_belong_to_it_and_are_named():
    files = names(
        "Shirts/red/{}.jpg", "Shirts/blue/{}.jpg", "Shoes/{}.jpg", "Ties/{}.jpg", "Ties/silk/{}.jpg"
    )
    found = find_classes(files)
    assert set(parts(files)) == {"Shirts", "Shoes", "Ties"}
    assert found.notes[1] == (
        "Folders in a class folder belong to that class, such as blue/, red/ in Shirts/."
    )
    kinds = parts(names(*(f"{kind}/{own}/{{}}.jpg" for kind in ("Tops", "Feet") for own in "abcd")))
    assert set(kinds) == {"Tops", "Feet"}
    assert len(find_classes(names("Shirts/photos/{}.jpg", "Shoes/photos/{}.jpg")).notes) == 2


@pytest.mark.parametrize(
    "others, lacking",
    [
        (["Y/{}.jpg"], "Y"),
        (["Y/red/{}.jpg"], "Y"),
        (["Y/train/{}.jpg", "Y/{}.jpg"], "Y"),
        (["Y/train/{}.jpg", "Z/{}.jpg"], "Z"),
    ],
)
def test_a_class_without_the_train_and_test_of_the_others_is_named(others, lacking):
    with pytest.raises(
        DataError, match=rf"^X/ holds test/ and train/, but photos in {lacking}/ lie in no such"
    ):
        find_classes(names("X/train/{}.jpg", "X/test/{}.jpg", *others))


def test_a_class_without_parts_is_named_also_where_no_class_has_both():
    with pytest.raises(DataError, match=r"^W/X/ holds train/, but photos in W/Z/ lie in no such"):
        find_classes(names("W/X/train/{}.jpg", "W/Y/test/{}.jpg", "W/Z/{}.jpg"))


@pytest.mark.parametrize(
    "kind, reason",
    [
        ("\x1b[31mRed", "bad class"),
        ("Red\x7f", "bad class"),
        ("\x9b31mRed", "bad class"),
        ("\u202eder", "bad class"),
        ("\u2066Red", "bad class"),
        ("\u200b", "missing class"),
        ("\u200d", "missing class"),
        ("\u3164", "missing class"),
        (" ", "missing class"),
    ],
)
def test_a_folder_whose_name_cannot_be_shown_is_no_class_and_never_printed(
    tmp_path, capsys, kind, reason
):
    root = put(tmp_path / "root", names("Shirts/{}.jpg", "Shoes/{}.jpg", f"{kind}/{{}}.jpg"))
    catalogue = read_catalogue(open_root(root))
    assert catalogue.classes == ("Shirts", "Shoes")
    assert catalogue.left_out["reason"].tolist() == [reason] * 5
    assert main(["summary", "--data", str(root)]) == 0
    said = capsys.readouterr().out
    assert "(2 classes: Shirts, Shoes)" in said and f"{reason} (5): " in said
    assert not {*"\x1b\x7f\x9b\u202e\u2066"} & {*said}


@pytest.mark.parametrize(
    "files", [["Shirts/{}.jpg", "\u202eder/{}.jpg"], ["train/\u200b/{}.jpg", "train/A/{}.jpg"]]
)
def test_a_folder_whose_name_leaves_a_single_class_is_named_as_such(files):
    with pytest.raises(
        DataError, match=r"folder '\\u20.*' is no class, because its name has .*Rename it"
    ):
        find_classes(names(*files))


def test_names_with_marks_that_join_or_change_letters_stay_classes():
    kinds = ["ក្\u200dក", "👩\u200d🦰", "❤\ufe0f", "شر\u200cت"]
    assert set(parts(names(*(f"{kind}/{{}}.jpg" for kind in kinds)))) == {*kinds}


def test_the_folder_of_a_run_is_no_class_and_is_named_as_left_out(tmp_path, zip_root):
    kinds = names("Shirts/{}.jpg", "Shoes/{}.jpg")
    root = put(tmp_path / "root", [*kinds, "runs/mine/figures/loss.png", "Shoes/run/loss.png"])
    for run in ("runs/mine", "Shoes/run"):
        (root / run / "run.json").write_text(RUN_JSON)
    for path in (root, zip_root(root)):
        catalogue = read_catalogue(open_root(path))
        assert catalogue.classes == ("Shirts", "Shoes") and len(catalogue.table) == 10
        assert catalogue.named() == ["folder of a run (2): Shoes/run/, runs/mine/"]


@pytest.fixture
def closed(monkeypatch):
    """A function that makes a folder's files impossible to look up, as with mode 444."""
    stat = os.stat

    def close(folder: Path) -> None:
        def refused(path, *rest, **more):
            if isinstance(path, str | Path) and Path(path).parent == folder:
                raise PermissionError(13, "Permission denied", str(path))
            return stat(path, *rest, **more)

        monkeypatch.setattr(os, "stat", refused)

    return close


def test_a_class_folder_that_cannot_be_entered_is_an_error_and_never_vanishes(tmp_path, closed):
    folder = put(tmp_path / "root", names("A/{}.jpg", "B/{}.jpg", "C/{}.jpg"))
    closed(folder / "C")
    with pytest.raises(DataError, match=r"C/ has no photo that can be read.*Permission denied"):
        open_root(folder)


def test_images_that_cannot_be_entered_are_to_be_made_readable(make_root, closed):
    folder = make_root([(1, 2011, "Shirts"), (2, 2012, "Shirts")])
    closed(folder / "images")
    advice = r"Make the folder and its photos readable\.$"  # and not: move it elsewhere
    with pytest.raises(DataError, match=rf"images/ has no photo that.*Permission.*{advice}"):
        open_root(folder)


def test_links_that_lead_nowhere_are_named_and_a_class_of_them_is_an_error(tmp_path, make_root):
    folder = put(tmp_path / "root", names("A/{}.jpg", "B/{}.jpg"))
    (folder / "A" / "9.jpg").symlink_to(tmp_path / "gone.jpg")
    (folder / "C").symlink_to(tmp_path / "gone")
    found = read_catalogue(open_root(folder)).named()
    assert found == ["link that leads nowhere (2): C, A/9.jpg"]
    (folder / "D").mkdir()
    (folder / "D" / "1.jpg").symlink_to(tmp_path / "gone.jpg")
    with pytest.raises(DataError, match=r"D/ has no photo that can be read.*leads nowhere"):
        open_root(folder)
    table = make_root([(1, 2011, "Shirts"), (2, 2012, "Shirts")])
    (table / "images" / "9.jpg").symlink_to(tmp_path / "gone.jpg")
    assert "In images/, left out: link that leads nowhere (1): 9.jpg." in open_root(table).notes


def test_a_link_that_leads_nowhere_in_a_good_class_or_beside_train_and_test_is_only_named(tmp_path):
    folder = put(tmp_path / "root", names(*TWO))
    for name in ("train/Shirts/old/9.jpg", "docs/logo.png"):
        (folder / name).parent.mkdir()
        (folder / name).symlink_to(tmp_path / "gone.jpg")
    catalogue = read_catalogue(open_root(folder))
    assert catalogue.classes == ("Shirts", "Shoes") and len(catalogue.table) == 20
    assert catalogue.named() == [
        "link that leads nowhere (2): docs/logo.png, train/Shirts/old/9.jpg"
    ]
    shutil.rmtree(folder / "test" / "Shirts")
    (folder / "test" / "Shirts").mkdir()
    (folder / "test" / "Shirts" / "1.jpg").symlink_to(tmp_path / "gone.jpg")
    with pytest.raises(DataError, match="test/Shirts/ has no photo that can be read"):
        open_root(folder)


def test_a_class_that_is_lost_never_makes_classes_of_the_folders_in_another_one(tmp_path, closed):
    folder = put(tmp_path / "root", names("A/red/{}.jpg", "A/blue/{}.jpg", "B/{}.jpg"))
    closed(folder / "B")
    with pytest.raises(DataError, match="B/ has no photo that can be read"):
        open_root(folder)


def test_folders_without_photos_in_a_good_class_or_beside_the_classes_parent_are_not_named(
    tmp_path,
):
    folder = put(tmp_path / "root", names("images/A/{}.jpg", "images/B/{}.jpg"))
    for inside in ("images/A/labels", "labels/A"):
        (folder / inside).mkdir(parents=True)
        (folder / inside / "1.txt").write_text("0 0 0 1 1")
    assert not any("No class" in note for note in open_root(folder).notes)


def test_folders_without_photos_are_named_since_they_may_be_classes(tmp_path):
    folder = put(tmp_path / "root", names("A/{}.jpg", "B/{}.jpg", "D/{}.jpg.txt"))
    note = "No class, because no file has a photo's ending such as .jpg: D/ (5 files)."
    assert note in open_root(folder).notes
    with pytest.raises(DataError, match=r"ending such as \.jpg: b/ \(5 files\)"):
        open_root(put(tmp_path / "other", names("a/{}.jpg", "b/{}")))


def test_a_link_to_another_class_is_named_and_that_class_keeps_its_photos(tmp_path):
    folder = put(tmp_path / "root", names("B/{}.jpg", "C/{}.jpg"))
    (folder / "A").symlink_to("B")
    catalogue = read_catalogue(open_root(folder))
    assert catalogue.named() == ["link to a folder that was read already (1): A/"]
    assert catalogue.classes == ("B", "C")


def test_a_link_to_a_folder_in_a_class_takes_nothing_from_that_class(tmp_path):
    folder = put(tmp_path / "photos", names("Shirts/red/{}.jpg", "Tops/{}.jpg"))
    (folder / "Red").symlink_to("Shirts/red")
    catalogue = read_catalogue(open_root(folder))
    assert catalogue.classes == ("Shirts", "Tops") and len(catalogue.table) == 10
    assert catalogue.named() == ["link to a folder that was read already (1): Red/"]


@pytest.mark.parametrize("name", ["Aall", "Zall"])
def test_what_a_link_to_a_folder_stands_for_does_not_depend_on_its_name(tmp_path, name):
    put(tmp_path / "cf", names("Hats/{}.jpg", "Shirts/{}.jpg"))
    folder = put(tmp_path / "d", names("Tops/{}.jpg"))
    (folder / name).symlink_to(tmp_path / "cf")
    (folder / "Hats").symlink_to(tmp_path / "cf" / "Hats")
    catalogue = read_catalogue(open_root(folder))
    assert Counter(catalogue.table["label"]) == {"Hats": 5, name: 5, "Tops": 5}
    assert catalogue.named() == [f"link to a folder that was read already (1): {name}/Hats/"]


def test_a_class_that_links_out_of_the_root_alone_is_no_class_and_the_error_says_why(tmp_path):
    folder = put(tmp_path / "root", names("A/{}.jpg"))
    put(tmp_path / "elsewhere", names("{}.jpg"))
    (folder / "B").mkdir()
    for n, words in ((0, "1 photo is a link"), (1, "2 photos are links")):
        (folder / "B" / f"{n}.jpg").symlink_to(tmp_path / "elsewhere" / "0.jpg")
        with pytest.raises(DataError, match=rf"two or more classes.* {words} out of the root.*B/0"):
            open_root(folder)


@pytest.mark.parametrize(
    "content", ['{"id": 7}', "[]", '{"config": {}}', '{"step": 1}\n{"step": 2}\n', "step: 1", ""]
)
def test_the_run_json_of_another_tool_makes_no_folder_that_of_a_run(
    tmp_path, make_root, zip_root, content
):
    folder = put(tmp_path / "classes", names("A/{}.jpg", "B/{}.jpg"))
    for place in (folder, folder / "A"):
        (place / "run.json").write_text(content)
    table = make_root([(1, 2011, "Shirts"), (2, 2012, "Shirts")], at="root/run")
    (table / "run.json").write_text(content)
    for root in (folder, zip_root(folder)):
        assert read_catalogue(open_root(root)).classes == ("A", "B")
    assert len(open_root(table.parent).photos) == 2
    assert len(find_photos([folder])) == 10


@pytest.mark.parametrize(
    ("train", "test", "other"),
    [
        ("seg_train/seg_train", "seg_test/seg_test", "seg_pred/seg_pred"),  # of Intel's images
        ("train/train", "test/test", "samples"),
        ("train/images", "test/images", "pred"),
        ("train", "test", "pred"),
    ],
)
def test_photos_beside_the_parts_are_left_out_however_the_parts_are_wrapped(train, test, other):
    files = [f"{part}/{kind}/{{}}.jpg" for part in (train, test) for kind in ("sea", "forest")]
    found = parts(names(*files, f"{other}/{{}}.jpg"))
    assert set(found) == {"sea", "forest"}


@pytest.mark.parametrize("part", ["test", "Train", "val"])
def test_a_class_with_the_name_of_a_part_is_named_since_it_may_be_none(tmp_path, part):
    folder = put(tmp_path / "root", names("hat/{}.jpg", "shirt/{}.jpg", f"{part}/{{}}.jpg"))
    said = f"{part}/ is taken for a class, though it has the name of a part of the photos."
    assert any(note.startswith(said) for note in open_root(folder).notes)


@pytest.mark.parametrize("name", ["model.safetensors", "memory.safetensors", "checkpoint.pt"])
def test_a_run_whose_run_json_is_empty_is_still_a_run(tmp_path, name):
    """As after a full disk: what lies beside it is a run's."""
    for file in ("run.json", name):
        (tmp_path / file).touch()
    assert is_run_folder(tmp_path)
    (tmp_path / "run.json").write_text('{"job": 7}')  # whole, and another tool's
    assert not is_run_folder(tmp_path)


def test_a_run_whose_run_json_is_cut_off_is_still_a_run(tmp_path):
    folder = put(tmp_path / "root", names("A/{}.jpg", "B/{}.jpg", "run/figures/{}.png"))
    (folder / "run" / "run.json").write_text(RUN_JSON[:20])
    catalogue = read_catalogue(open_root(folder))
    assert catalogue.named() == ["folder of a run (1): run/"]


def test_a_run_is_no_data_and_its_tables_are_not_taken_for_the_data_s(tmp_path):
    folder = put(tmp_path / "root", names("A/{}.jpg", "B/{}.jpg", "run/figures/{}.png"))
    for name in ("run.json", "history.csv"):
        (folder / "run" / name).write_text(RUN_JSON)
    assert not any("history.csv" in note for note in open_root(folder).notes)
    with pytest.raises(DataError, match="is the folder of a run, not data"):
        open_root(folder / "run")


def test_folders_taken_for_parts_are_named():
    files = names("A/test/{}.jpg", "B/test/{}.jpg")
    assert "No folder says which photos train, because all lie in" in find_classes(files).notes[-1]


def test_parts_without_classes_are_named_as_what_they_were_taken_for(tmp_path):
    folder = put(tmp_path, names("train 1/{}.jpg", "train 2/{}.jpg"))
    with pytest.raises(DataError, match="train 1/, train 2/ were taken for parts"):
        open_root(folder)
