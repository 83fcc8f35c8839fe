"""``extend`` teaches a finished run more classes from a few photos, without its training data."""

import errno
import json
import os
import shutil
import unicodedata
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from fashion_tl import shots
from fashion_tl.__main__ import main
from fashion_tl.errors import DataError, FashionTLError, RunError, WeightsError
from fashion_tl.export import export_onnx
from fashion_tl.extend import _check_names, _check_target, extend, extended_by, findings
from fashion_tl.extension import Shots, extension_of, read_shots
from fashion_tl.files import replacing
from fashion_tl.network.extending import note_on_scale
from fashion_tl.network.features import features_of
from fashion_tl.network.memory import build_memory, read_memory, save_memory
from fashion_tl.network.model import load_model
from fashion_tl.predict import answers
from fashion_tl.reporting.report import write_report
from fashion_tl.runs import open_run, refuse_own_file, steps_of
from fashion_tl.shots import find_shots, not_yet_learned
from tests import RUN_JSON
from tests.conftest import jpeg, pattern
from tests.made_runs import FILES, small_model

SIZE = (80, 60)


def command(*words):
    return main([str(word) for word in words])


def put(folder, **classes):
    """A folder of class folders: a photo for each number, or these bytes."""
    for name, photos in classes.items():
        (folder / name).mkdir(parents=True)
        for number, photo in enumerate(photos):
            content = photo if isinstance(photo, bytes) else jpeg(pattern(photo))
            (folder / name / f"{number}.jpg").write_bytes(content)
    return folder


def striped(seed):
    """A photo of a class that the sample doesn't have: stripes of two colours, a little noisy."""
    rng = np.random.default_rng(seed)
    pixels = np.zeros((80, 60, 3))
    pixels[:, ::6] = pixels[:, 1::6] = (250, 30, 220)
    pixels[:, 2::6] = pixels[:, 3::6] = (20, 240, 60)
    return jpeg(
        Image.fromarray((pixels + rng.uniform(0, 25, pixels.shape)).clip(0, 255).astype("u1"))
    )


# What lies in the folder


def test_each_folder_is_a_class_and_folders_below_it_belong_to_it(tmp_path):
    put(tmp_path, Lipstick=[1, 2], Hats=[3])
    put(tmp_path / "Hats", winter=[4])
    shots = find_shots(tmp_path, SIZE)
    assert shots.classes == ["Hats", "Lipstick"]
    assert list(zip(shots.ids, shots.labels, strict=True)) == [
        ("Hats/0.jpg", "Hats"),
        ("Hats/winter/0.jpg", "Hats"),
        ("Lipstick/0.jpg", "Lipstick"),
        ("Lipstick/1.jpg", "Lipstick"),
    ]
    assert shots.pixels.shape == (4, *SIZE, 3)


def test_hidden_files_and_photos_in_no_class_are_left_out(tmp_path, capsys):
    put(tmp_path, Hats=[1], **{".cache": [2], "__MACOSX": [3]})
    (tmp_path / "logo.jpg").write_bytes(jpeg(pattern(4)))
    (tmp_path / "Hats" / "._0.jpg").write_bytes(b"x")
    (tmp_path / "Hats" / "notes.txt").write_text("hats")
    assert find_shots(tmp_path, SIZE).ids == ["Hats/0.jpg"]
    said = capsys.readouterr().err
    assert "left out, in no class folder: logo.jpg" in said and "notes.txt" in said


def test_a_photo_that_cannot_be_read_is_named_and_the_others_count(tmp_path, capsys):
    put(tmp_path, Hats=[1, b"\xff\xd8\xff broken", 2])
    assert find_shots(tmp_path, SIZE).ids == ["Hats/0.jpg", "Hats/2.jpg"]
    assert str(tmp_path / "Hats" / "1.jpg") in capsys.readouterr().err


def test_the_same_photo_counts_once_in_a_class(tmp_path, capsys):
    put(tmp_path, Hats=[1, 2, 1])
    assert find_shots(tmp_path, SIZE).ids == ["Hats/0.jpg", "Hats/1.jpg"]
    assert "the same photo again: Hats/2.jpg" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("other", "why"),
    [("hats", "capitals"), ("Hats ", "a blank"), ("Hats\u200b", "an invisible mark")],
)
def test_two_folders_of_one_class_are_refused(tmp_path, other, why):
    put(tmp_path, Hats=[1])
    put(tmp_path, **{other: [2]})
    if len(list(tmp_path.iterdir())) < 2:
        pytest.skip(f"this system takes names that differ in {why} for the same")
    with pytest.raises(DataError, match="are the same class") as error:
        find_shots(tmp_path, SIZE)
    assert str(tmp_path / "Hats") in str(error.value)


def test_folders_of_two_classes_that_a_run_tells_apart_by_capitals_are_two(tmp_path):
    put(put(tmp_path, Hats=[1]), hats=[2])
    if len(list(tmp_path.iterdir())) < 2:
        pytest.skip("this system takes names that differ in capitals for the same")
    assert find_shots(tmp_path, SIZE, ("hats", "Hats")).classes == ["Hats", "hats"]
    with pytest.raises(DataError, match="are the same class"):
        find_shots(tmp_path, SIZE, ("Hats", "HATS"))


def test_names_in_two_forms_of_unicode_are_one_class(tmp_path):
    forms = {unicodedata.normalize(form, "Écharpes") for form in ("NFC", "NFD")}
    for number, name in enumerate(forms):
        put(tmp_path, **{name: [number]})
    if len(list(tmp_path.iterdir())) < 2:
        pytest.skip("this system takes both forms for the same name")
    with pytest.raises(DataError, match="are the same class"):
        find_shots(tmp_path, SIZE)


def test_one_photo_of_two_classes_is_refused(tmp_path):
    put(tmp_path, Hats=[1, 2], Caps=[3, 2])
    with pytest.raises(DataError, match="the same photo, but of two classes") as error:
        find_shots(tmp_path, SIZE)
    assert str(tmp_path / "Hats" / "1.jpg") in str(error.value)
    assert str(tmp_path / "Caps" / "1.jpg") in str(error.value)


def test_a_class_without_a_readable_photo_is_refused(tmp_path):
    put(tmp_path, Hats=[1], Caps=[b"no photo"])
    with pytest.raises(DataError, match=r"Caps: none of its photos can be read"):
        find_shots(tmp_path, SIZE)


def test_nobody_is_told_to_delete_photos_that_only_must_not_be_read(tmp_path, monkeypatch):
    put(tmp_path, Hats=[1], Caps=[2])

    def forbidden(file, size):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(file))

    monkeypatch.setattr(shots, "read_photo", forbidden)
    with pytest.raises(DataError, match=r"none of its photos can be read.*make them") as no:
        find_shots(tmp_path, SIZE)
    assert "delete the folder" not in str(no.value)


def test_an_empty_class_folder_is_refused(tmp_path):
    put(tmp_path, Hats=[1], Caps=[])
    with pytest.raises(DataError, match=r"Caps: no image files in this folder"):
        find_shots(tmp_path, SIZE)


def test_a_folder_without_classes_is_refused(tmp_path):
    with pytest.raises(DataError, match="holds no folders; put the photos of each class"):
        find_shots(tmp_path, SIZE)
    (tmp_path / "1.jpg").write_bytes(jpeg(pattern(1)))
    with pytest.raises(DataError, match="holds photos, but no folders"):
        find_shots(tmp_path, SIZE)


def test_a_folder_of_parts_and_a_file_are_refused(tmp_path):
    put(tmp_path / "set", train=[1], test=[2])
    with pytest.raises(
        DataError, match=r"test/ and train/, which aren't names of cl.*name that one"
    ):
        find_shots(tmp_path / "set", SIZE)
    put(tmp_path / "new", Hats=[1], train=[2])
    with pytest.raises(DataError, match=r"new/train/ lies among folders of classes, but its name"):
        find_shots(tmp_path / "new", SIZE)
    assert find_shots(tmp_path / "new", SIZE, ("train",)).classes == ["Hats", "train"]
    (tmp_path / "photos.zip").write_bytes(b"PK")
    with pytest.raises(DataError, match="unpack this file first"):
        find_shots(tmp_path / "photos.zip", SIZE)
    with pytest.raises(DataError, match="no such folder"):
        find_shots(tmp_path / "nothing", SIZE)


@pytest.mark.parametrize(
    ("photos", "folder"),
    [
        (["train/Hats/1", "train/Caps/2", "Ties/3"], "train"),
        (["train/Hats/1", "Ties/3", "Bags/4", "Caps/5"], "train"),
        (["images/Hats/1", "Ties/3", "Bags/4"], "images"),
        (["new/Hats/1", "new/Caps/2", "Hats/3", "Caps/4"], "new"),
        (["Hats/1", "Caps/2", "Ties/3", "backup/Hats/4", "backup/Caps/5", "backup/6"], "backup"),
    ],
)
def test_a_folder_that_holds_classes_is_not_taken_for_one(tmp_path, photos, folder):
    for number, name in enumerate(photos):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / f"{name}.jpg").write_bytes(jpeg(pattern(number)))
    with pytest.raises(DataError, match="would be one class, but it holds ") as error:
        find_shots(tmp_path, SIZE)
    assert f"name {tmp_path / folder} instead" in str(error.value)


@pytest.mark.parametrize(
    ("photos", "classes", "said"),
    [
        (["Hats/2023/1"], ["Hats"], "Hats/ is one class, though it holds 2023/."),
        (
            ["Dresses/red/1", "Dresses/blue/2", "Dresses/green/3", "Shoes/4"],
            ["Dresses", "Shoes"],
            "Dresses/ is one class, though it holds blue/, green/, red/.",
        ),
        (["new/Hats/1", "new/Caps/2"], ["new"], "new/ is one class, though it holds Caps/, Hats/."),
        (["Hats/2023/1", "Caps/2"], ["Caps", "Hats"], ""),
    ],
)
def test_a_folder_that_may_be_a_class_is_one_and_a_note_says_so(
    tmp_path, capsys, photos, classes, said
):
    for number, name in enumerate(photos):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / f"{name}.jpg").write_bytes(jpeg(pattern(number)))
    assert find_shots(tmp_path, SIZE).classes == classes
    told = capsys.readouterr().err
    assert said in told and ("If these are the classes, name " in told) == bool(said)


def test_folders_in_one_of_several_classes_belong_to_it(tmp_path):
    put(tmp_path, Caps=[1], Ties=[2], Set=[3])
    put(tmp_path / "Hats", winter=[4], summer=[5])
    assert find_shots(tmp_path, SIZE).classes == ["Caps", "Hats", "Set", "Ties"]


# A run that learns them


@pytest.fixture(scope="module")
def stripes(tmp_path_factory):
    return put(tmp_path_factory.mktemp("new"), Stripes=[striped(seed) for seed in range(5)])


@pytest.fixture(scope="module")
def extended(tiny_run, stripes, tmp_path_factory):
    """The run after it learned one class; not to be changed."""
    return extend(tiny_run.folder, stripes, tmp_path_factory.mktemp("runs") / "extended")


@pytest.fixture
def own_run(tiny_run, tmp_path):
    """A copy of the run that may be changed."""
    shutil.copytree(tiny_run.folder, tmp_path / "run")
    return tmp_path / "run"


def known_photos(sample_root, run, n=40):
    memory = read_memory(run.memory_path)
    return [sample_root / "images" / f"{own}.jpg" for own in memory.ids[:n]]


def test_the_new_class_is_named_rightly_and_the_others_keep_their_names(
    tiny_run, extended, sample_root, tmp_path
):
    unseen = put(tmp_path, others=[striped(seed) for seed in range(100, 108)]) / "others"
    saved = load_model(extended.model_path)
    named = [row["top1"] for row in answers(saved, sorted(unseen.iterdir()))]
    assert named.count("Stripes") >= 7
    photos = known_photos(sample_root, tiny_run)
    before = [row["top1"] for row in answers(load_model(tiny_run.model_path), photos)]
    after = [row["top1"] for row in answers(saved, photos)]
    assert sum(one == other for one, other in zip(before, after, strict=True)) >= 38


def test_the_commit_of_the_code_is_asked_for_once_for_all_classes(tiny_run, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr("fashion_tl.extend.commit", lambda: asked.append(1) or "abc")
    run = extend(tiny_run.folder, put(tmp_path / "new", Hats=[1], Caps=[2]), tmp_path / "out")
    assert [row["commit"] for row in extension_of(run)] == ["abc", "abc"] and len(asked) == 1


def test_only_the_last_layer_changes_and_its_old_rows_stay(tiny_run, extended):
    before, after = (load_model(run.model_path) for run in (tiny_run, extended))
    assert after.classes == (*before.classes, "Stripes")
    assert after.fit_counts == (*before.fit_counts, 5)
    assert (after.temperature, after.config) == (before.temperature, before.config)
    rows = len(before.classes)
    new = after.model.state_dict()
    for name, values in before.model.state_dict().items():
        own = new[name][:rows] if name.startswith("fc.") else new[name]
        assert own.equal(values), name


def test_the_memory_holds_the_new_photos_too(tiny_run, extended, stripes, capsys):
    before, after = (read_memory(run.memory_path) for run in (tiny_run, extended))
    assert after.ids.tolist() == before.ids.tolist() + [f"Stripes/{n}.jpg" for n in range(5)]
    assert command("similar", extended.folder, stripes / "Stripes" / "3.jpg", "--json") == 0
    nearest = json.loads(capsys.readouterr().out)[0]["nearest"]
    assert nearest[0]["id"] == "Stripes/3.jpg" and nearest[0]["distance"] < 0.01
    assert [each["label"] for each in nearest[:5]] == ["Stripes"] * 5


def test_one_photo_is_enough(tiny_run, tmp_path):
    photos = put(tmp_path / "new", Stripes=[striped(0)])
    run = extend(tiny_run.folder, photos, tmp_path / "out")
    saved = load_model(run.model_path)
    (row,) = answers(saved, [photos / "Stripes" / "0.jpg"])
    assert row["top1"] == "Stripes" and np.isfinite(row["p1"])
    assert extension_of(run)[0]["left_out"] is None


def test_a_class_that_had_no_training_photo_counts_as_new(tiny_run, tmp_path):
    before = load_model(tiny_run.model_path)
    name = next(c for c, n in zip(before.classes, before.fit_counts, strict=True) if not n)
    photos = put(tmp_path / "new", **{name: [striped(0), striped(1)]})
    after = load_model(extend(tiny_run.folder, photos, tmp_path / "out").model_path)
    assert after.classes == before.classes
    assert after.fit_counts[after.classes.index(name)] == 2
    (row,) = answers(after, [photos / name / "0.jpg"])
    assert row["top1"] == name


def share_of(row, name):
    """The probability that a row of answers gives a class."""
    return next(row[f"p{k}"] for k in range(1, 6) if row[f"top{k}"] == name)


def test_a_known_class_takes_more_photos_only_when_that_is_allowed(tiny_run, stripes, tmp_path):
    before = load_model(tiny_run.model_path)
    (old,) = answers(before, [stripes / "Stripes" / "0.jpg"])
    name = old["top5"]  # the network takes these photos for another class
    place = before.classes.index(name)
    photos = put(tmp_path / "new", **{name: [striped(0), striped(1)]})
    known = f"knows this class from {before.fit_counts[place]} photos"
    with pytest.raises(DataError, match=known):
        extend(tiny_run.folder, photos, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    run = extend(tiny_run.folder, photos, tmp_path / "out", known=True)
    after = load_model(run.model_path)
    assert after.classes == before.classes
    assert after.fit_counts[place] == before.fit_counts[place] + 2
    (new,) = answers(after, [photos / name / "0.jpg"])
    assert share_of(new, name) > 1.1 * share_of(old, name)
    assert extension_of(run)[0]["is_new"] is False


def test_a_known_class_in_other_capitals_is_refused_with_its_name(tiny_run, tmp_path):
    name = load_model(tiny_run.model_path).classes[0]
    photos = put(tmp_path / "new", **{name.upper(): [1]})
    with pytest.raises(DataError, match=f"the run has this class as {name}"):
        extend(tiny_run.folder, photos, tmp_path / "out", known=True)


def test_an_extended_run_can_be_extended_again(tiny_run, extended, tmp_path):
    photos = put(tmp_path / "new", Hats=[1, 2])
    run = extend(extended.folder, photos, tmp_path / "out")
    saved = load_model(run.model_path)
    assert saved.classes[-2:] == ("Stripes", "Hats")
    assert [row["label"] for row in extension_of(run)] == ["Stripes", "Hats"]
    shots = read_shots(run)
    assert shots.ids == [*(f"Stripes/{n}.jpg" for n in range(5)), "Hats/0.jpg", "Hats/1.jpg"]
    assert (run.folder / "before" / "metrics.json").exists()
    assert not (run.folder / "before" / "before").exists()


def extended_again(extended, tmp_path, **classes):
    """The run after a second extension that may also add photos of known classes."""
    photos = put(tmp_path / "new", **classes)
    return extend(extended.folder, photos, tmp_path / "out", known=True)


def test_a_second_extension_leaves_out_photos_that_the_run_has_learned(extended, tmp_path, capsys):
    files = dict(enumerate([striped(0), striped(77), striped(1)], start=10))
    (tmp_path / "new" / "Stripes").mkdir(parents=True)
    for number, content in files.items():
        (tmp_path / "new" / "Stripes" / f"{number}.jpg").write_bytes(content)
    run = extend(extended.folder, tmp_path / "new", tmp_path / "out", known=True)
    assert read_shots(run).ids[5:] == ["Stripes/11.jpg"]
    assert load_model(run.model_path).fit_counts[-1] == 6
    assert "left out, learned already: Stripes/10.jpg, Stripes/12.jpg" in capsys.readouterr().err


def test_a_class_whose_photos_were_all_learned_already_is_refused(extended, stripes, tmp_path):
    with pytest.raises(DataError, match=r"Stripes: the run has learned all of its photos already"):
        extend(extended.folder, stripes, tmp_path / "out", known=True)
    assert not (tmp_path / "out").exists()


def test_a_photo_that_was_learned_as_another_class_is_refused(extended, tmp_path):
    with pytest.raises(DataError, match=r"1\.jpg: the run learned this same photo as Stripes"):
        extended_again(extended, tmp_path, Zebras=[1, striped(3)])
    assert not (tmp_path / "out").exists()


def test_two_photos_never_have_one_id(extended, tiny_run, tmp_path):
    said = r"remembers this photo, or another of this name, as Stripes/0\.jpg"
    with pytest.raises(DataError, match=said):
        extended_again(extended, tmp_path, Stripes=[striped(50)])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "own", ["Hats/0.jpg", "Hats/0", "train/Hats/0", "Hats/train/0", "data/Hats/winter/0.png", "0"]
)
def test_a_training_photo_is_not_learned_again(tiny_run, tmp_path, own):
    """It is told by its class and the name of its file, wherever it lay."""
    memory = read_memory(tiny_run.memory_path)
    classes, ids = list(memory.classes), list(memory.ids)
    classes[memory.labels[0]], ids[0] = "Hats", own
    memory = replace(memory, classes=tuple(classes), ids=np.array(ids))
    shots = find_shots(put(tmp_path, Hats=[1]), SIZE)
    none = shots.chosen([])
    with pytest.raises(DataError, match=f"this photo, or another of this name, as {own}; delete"):
        not_yet_learned(tmp_path, shots, none, memory)
    other = replace(shots, ids=["Hats/00.jpg"])
    assert not_yet_learned(tmp_path, other, none, memory).ids == ["Hats/00.jpg"]


def test_the_report_shows_the_photos_of_each_extension(extended, sample_root, tmp_path):
    (tmp_path / "new" / "Stripes").mkdir(parents=True)
    (tmp_path / "new" / "Stripes" / "x.jpg").write_bytes(striped(50))
    run = extended_again(extended, tmp_path, Hats=[1, 2])
    text = write_report(run.folder, sample_root).read_text(encoding="utf-8")
    assert 'this network learned <a href="#extension">2 classes' in text
    parts = text.split("<h3>")[1:4]
    headings = ["<bdi>Stripes</bdi>: 5 photos", "<bdi>Hats</bdi>: 2 photos"]
    headings += ["<bdi>Stripes</bdi>: 1 new photo"]
    shown = [["Stripes/0.jpg", "Stripes/4.jpg"], ["Hats/0.jpg"], ["Stripes/x.jpg"]]
    for part, heading, ids in zip(parts, headings, shown, strict=True):
        own = part.split("</ul>")[0]
        assert own.startswith(f"{heading}<") and all(f'alt="photo {each}"' in own for each in ids)
    assert [part.split("</ul>")[0].count("<img") for part in parts] == [5, 2, 1]
    card = (run.folder / "model_card.md").read_text(encoding="utf-8")
    assert "photos of: Stripes (6 photos), Hats (2 photos)." in card


def test_a_second_command_tells_of_its_own_photos_and_names_what_was_learned_earlier(
    extended, tmp_path, capsys
):
    words = ("--photos", put(tmp_path / "new", Hats=[1]), "--out", tmp_path / "out")
    assert command("extend", extended.folder, *words) == 0
    first, second, last = capsys.readouterr().out.splitlines()
    assert first.startswith("Hats: new, from 1 photo. Before, the network called it ")
    assert second == "It also knows the classes of earlier extensions: Stripes (5 photos)."
    assert last == str(tmp_path / "out")


def test_a_trained_class_with_more_photos_is_not_called_new(
    tiny_run, sample_root, tmp_path, capsys
):
    name = load_model(tiny_run.model_path).classes[0]
    photos = put(tmp_path / "more", **{name: [striped(0)]})
    run = extend(tiny_run.folder, photos, tmp_path / "first", known=True)
    text = write_report(run.folder, sample_root).read_text(encoding="utf-8")
    assert 'this network learned <a href="#extension">more photos of its classes</a>' in text
    words = ("--photos", put(tmp_path / "new", Hats=[1]), "--out", tmp_path / "second")
    capsys.readouterr()
    assert command("extend", run.folder, *words) == 0
    assert "It also knows" not in capsys.readouterr().out


def test_the_names_before_add_up_to_all_photos():
    before = {"Shirts": 4, "Ties": 2, "Belts": 2}
    row = {"label": "Hats", "photos": 10, "is_new": True, "before": before, "left_out": 3}
    said = findings(row | {"taken": 0})
    assert (
        "Before, the network called them Shirts (4), Ties (2), Belts (2), other names (2)." in said
    )


def test_the_folder_of_an_extended_run_is_never_replaced(tiny_run, stripes, tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(RunError, match="is there already; name a new folder"):
        extend(tiny_run.folder, stripes, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_folder_that_another_process_makes_meanwhile_is_not_taken_for_ours(
    tiny_run, stripes, tmp_path, monkeypatch
):
    out = tmp_path / "out"

    def meanwhile(*given):
        out.mkdir()
        return extended_by(*given)

    monkeypatch.setattr("fashion_tl.extend.extended_by", meanwhile)
    with pytest.raises(RunError, match="is there already; name a new folder"):
        extend(tiny_run.folder, stripes, out)
    assert list(tmp_path.iterdir()) == [out] and not list(out.iterdir())


def test_a_run_without_a_memory_says_how_to_make_one(own_run, stripes, tmp_path, capsys):
    (own_run / "memory.safetensors").unlink()
    assert command("extend", own_run, "--photos", stripes, "--out", tmp_path / "out") == 2
    assert f"fashion-tl remember {own_run} --data DATA" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_folder_without_a_run_or_without_a_network_is_refused(own_run, stripes, tmp_path):
    (own_run / "model.safetensors").unlink()
    for folder, error in ((tmp_path / "nothing", RunError), (own_run, WeightsError)):
        with pytest.raises(error, match=str(folder)):
            extend(folder, stripes, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("state", ["with a checkpoint", "not measured", "interrupted"])
def test_an_unfinished_run_is_refused_and_the_error_says_how_to_finish_it(
    own_run, stripes, tmp_path, state
):
    metrics = own_run / "metrics.json"
    if state == "with a checkpoint":
        (own_run / "checkpoint.pt").write_bytes(b"")
    elif state == "not measured":
        metrics.unlink()
    else:
        metrics.write_text(json.dumps(json.loads(metrics.read_text()) | {"interrupted": True}))
    with pytest.raises(RunError, match="isn't finished; repeat the command that began it"):
        extend(own_run, stripes, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("metrics.json", b"{}"),
        ("per_class.csv", b"label,train\nHats,1\n"),
        ("history.csv", b"a,b\n1,2\n"),
        ("predictions.csv.gz", b"\x1f\x8b"),
    ],
)
def test_damaged_figures_are_named_and_not_copied(own_run, stripes, tmp_path, name, content):
    (own_run / name).write_bytes(content)
    with pytest.raises(RunError, match=f"{own_run / name} is damaged.*; copy it again"):
        extend(own_run, stripes, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_a_model_card_that_people_saved_in_another_encoding_is_no_obstacle(
    own_run, stripes, tmp_path, encoding
):
    card = own_run / "model_card.md"
    card.write_bytes((card.read_text(encoding="utf-8") + "Für Hüte.").encode(encoding, "replace"))
    run = extend(own_run, stripes, tmp_path / "out")
    new = (run.folder / "model_card.md").read_text(encoding="utf-8")
    assert "Stripes (5 photos)" in new and ("What it is" in new) == (encoding == "latin-1")
    assert (run.folder / "before" / "model_card.md").read_bytes() == card.read_bytes()


def test_an_extended_run_never_lies_in_the_run_or_in_the_new_photos(own_run, tmp_path):
    photos = put(tmp_path / "new", Stripes=[1])
    (tmp_path / "link").symlink_to(own_run)
    (photos / "Hats").symlink_to(tmp_path)
    for out in (
        *(own_run / "out", own_run / "a" / "b", tmp_path / "link" / "out"),
        *(photos / "out", photos / "Hats" / "out"),
    ):
        with pytest.raises(RunError, match="which stays as it is; name a folder elsewhere"):
            extend(own_run, photos, out)
        assert not out.exists()
    with pytest.raises(RunError, match="is there already"):
        extend(own_run, photos, tmp_path)


def test_a_run_beside_the_new_classes_is_no_class(tmp_path, capsys):
    photos = put(tmp_path / "new", Stripes=[1], runs=[2])
    (photos / "runs" / "run.json").write_text(RUN_JSON)
    shots = find_shots(photos, (80, 60))
    assert shots.classes == ["Stripes"]
    assert "new: left out, the folder of a run: runs" in capsys.readouterr().err


def test_the_figures_of_a_run_in_a_class_folder_are_no_photos(tmp_path, capsys):
    photos = put(tmp_path / "new", Hats=[1], Caps=[2])
    run = put(photos / "Hats" / "below" / "old", figures=[3])
    (run / "run.json").write_text(RUN_JSON)
    assert find_shots(photos, SIZE).ids == ["Caps/0.jpg", "Hats/0.jpg"]
    assert "Hats: skipped, the folder of a run: below/old" in capsys.readouterr().err
    with pytest.raises(DataError, match=r"holds no folders other than that of a run \(old\); put"):
        find_shots(photos / "Hats" / "below", SIZE)


def test_the_steps_of_the_run_before_are_kept_and_no_other_run_in_its_folder(
    own_run, tiny_run, stripes, tmp_path
):
    """As of two steps, without the time to train them."""
    for folder, training in ((own_run, "two_step"), (own_run / "top20", "top20")):
        if folder != own_run:
            shutil.copytree(tiny_run.folder, folder)
        about = json.loads((folder / "run.json").read_text())
        about["config"]["training"] = training
        (folder / "run.json").write_text(json.dumps(about))
    shutil.copytree(tiny_run.folder, own_run / "another")
    before = extend(own_run, stripes, tmp_path / "out").folder / "before"
    steps = [step.config.training for step in steps_of(open_run(before))]
    assert steps == ["top20", "two_step"] and not (before / "another").exists()
    names = {path.name for path in (before / "top20").iterdir()}
    assert names == FILES - {"model.safetensors", "memory.safetensors"}


def damage(file, how):
    """Give the photos of an extension a fault of this kind."""
    content = bytearray(file.read_bytes())
    with np.load(file) as arrays:
        whole = dict(arrays)
    if how == "missing":
        file.unlink()
    elif how == "empty":
        file.write_bytes(b"")
    elif how == "truncated":
        file.write_bytes(content[:-100])
    elif how == "other bytes":
        middle = len(content) // 3
        content[middle : middle + 40] = bytes(40)
        file.write_bytes(content)
    elif how == "a single array":
        with open(file, "wb") as target:
            np.save(target, whole["pixels"])
    else:
        faults = {
            "too few labels": {"labels": whole["labels"][:2]},
            "too few photos": {"pixels": whole["pixels"][:2]},
            "photos of another size": {"pixels": whole["pixels"][:, 1:]},
            "pixels that aren't bytes": {"pixels": whole["pixels"].astype("f4")},
            "numbers as ids": {"ids": np.arange(len(whole["ids"]))},
        }
        np.savez_compressed(file, **whole | faults[how])


@pytest.mark.parametrize(
    "how",
    [
        *("missing", "empty", "truncated", "other bytes", "a single array"),
        *("too few labels", "too few photos", "photos of another size"),
        *("pixels that aren't bytes", "numbers as ids"),
    ],
)
def test_damaged_photos_of_an_extension_are_named(extended, tmp_path, how):
    for name in ("run.json", "photos.npz"):
        shutil.copy(extended.folder / name, tmp_path)
    damage(tmp_path / "photos.npz", how)
    said = "missing" if how == "missing" else "damaged"
    with pytest.raises(RunError, match=rf"photos\.npz is {said} .*; copy it again, or"):
        read_shots(open_run(tmp_path))


def test_a_run_with_damaged_photos_is_not_extended(extended, tmp_path):
    shutil.copytree(extended.folder, tmp_path / "run")
    (tmp_path / "run" / "photos.npz").unlink()
    with pytest.raises(RunError, match=r"photos\.npz is missing .*; copy it again, or"):
        extend(tmp_path / "run", put(tmp_path / "new", Hats=[1]), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_no_command_writes_over_the_photos_of_an_extension(extended):
    with pytest.raises(RunError, match="is a file of the run itself"):
        refuse_own_file(extended.folder / "photos.npz")


def test_the_threshold_stays_and_photos_of_the_new_class_are_no_longer_unknown(
    own_run, stripes, tmp_path
):
    unseen = put(tmp_path, others=[striped(seed) for seed in range(100, 108)]) / "others"
    saved = load_model(own_run / "model.safetensors")
    memory = read_memory(own_run / "memory.safetensors")
    rows = list(answers(saved, sorted(unseen.iterdir()), memory))
    threshold = 0.9 * min(row["unknown_score"] for row in rows)
    save_memory(own_run / "memory.safetensors", replace(memory, threshold=threshold))
    run = extend(own_run, stripes, tmp_path / "out")
    after = read_memory(run.memory_path)
    assert after.threshold == threshold and (memory.added, after.added) == (0, 5)
    assert command("predict", run.folder, unseen, "--to", tmp_path / "answers.json") == 0
    rows = json.loads((tmp_path / "answers.json").read_text())
    assert not any(row["unknown"] for row in rows)


def test_the_onnx_file_of_an_extended_network_gives_the_answers_of_predict(stripes, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    saved = small_model(stored_size=(40, 32), image_size=(40, 32))
    shots = find_shots(stripes, (40, 32))
    pixels = np.random.default_rng(0).integers(0, 256, (12, 40, 32, 3), dtype=np.uint8)
    labels = np.arange(12) % 2 * 2  # of the two classes with training photos
    ids = [str(number) for number in range(12)]
    memory = build_memory(features_of(saved, pixels)[0], ids, labels, saved.classes)
    own = extended_by(saved, memory, shots).saved
    session = onnxruntime.InferenceSession(export_onnx(own, tmp_path / "model.onnx"))
    (shares,) = session.run(None, {"photos": shots.pixels})
    photos = sorted((stripes / "Stripes").iterdir())
    for row, each in zip(answers(own, photos), shares, strict=True):
        assert len(each) == 4 and own.classes[each.argmax()] == row["top1"] == "Stripes"
        assert each.max() == pytest.approx(row["p1"], abs=1e-4)


def test_nothing_half_written_is_left(tiny_run, stripes, tmp_path, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("fashion_tl.extend.save_memory", full)
    with pytest.raises(FashionTLError, match="No space left"):
        extend(tiny_run.folder, stripes, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("where", ["in our folder", "in a file of ours"])
def test_a_full_disk_is_said_of_the_folder_that_was_named(
    tiny_run, stripes, tmp_path, monkeypatch, where
):
    def full(folder, *args):
        if where == "in a file of ours":
            with replacing(folder / "x.json") as temporary:
                raise OSError(28, "No space left on device", str(temporary))
        raise OSError(28, "No space left on device", str(folder / "x.json"))

    monkeypatch.setattr("fashion_tl.extend.save_shots", full)
    with pytest.raises(FashionTLError, match="No space left") as error:
        extend(tiny_run.folder, stripes, tmp_path / "out")
    assert str(tmp_path / "out") in str(error.value) and ".tmp" not in str(error.value)


@pytest.mark.parametrize(("photos", "words"), [(1, "1 photo."), (1234, "1,234 photos.")])
def test_photos_are_counted_as_people_do(photos, words):
    row = {"label": "Hats", "photos": photos, "is_new": True, "before": {"Caps": photos}}
    assert f"Hats: new, from {words}" in findings(row | {"left_out": None, "taken": 0})


def test_a_class_known_from_one_photo_is_said_so(tiny_run, tmp_path):
    saved = load_model(tiny_run.model_path)
    alone = replace(saved, fit_counts=(1, *saved.fit_counts[1:]))
    shots = Shots(np.zeros((1, 8, 8, 3), np.uint8), ["a"], [saved.classes[0]])
    with pytest.raises(DataError, match="the run knows this class from 1 photo;"):
        _check_names(tmp_path, shots, alone, known=False)


def test_training_never_goes_on_in_an_extended_run(extended, sample_root, capsys):
    assert command("remember", extended.folder, "--data", sample_root) == 2
    assert "holds a run that was extended" in capsys.readouterr().err
    words = ("run", "fc_only", "--data", sample_root, "--weights", "none", "--out")
    assert command(*words, extended.folder) == 2
    assert "holds a run that was extended; name another folder" in capsys.readouterr().err


def test_the_report_says_what_was_learned_and_whose_figures_it_shows(
    extended, sample_root, tmp_path
):
    page = tmp_path / "page.html"
    words = ("report", extended.folder, "--data", sample_root, "--to", page)
    assert command(*words) == 0
    text = page.read_text(encoding="utf-8")
    assert "It wasn't tested again" in text
    assert "<bdi>Stripes</bdi>: 5 photos" in text
    card = (extended.folder / "model_card.md").read_text(encoding="utf-8")
    assert "Stripes (5 photos)" in card and "No test photo measured" in card


def test_the_card_counts_the_new_classes_too_and_says_whose_probabilities_were_fitted(
    extended, tmp_path
):
    again = extend(extended.folder, put(tmp_path / "new", Hats=[1]), tmp_path / "out")
    for run in (extended, again):
        card = (run.folder / "model_card.md").read_text(encoding="utf-8")
        assert f"one of {len(load_model(run.model_path).classes)} classes." in card
        assert card.count("Its probabilities of the old classes were fitted to validation") == 1


def test_one_note_says_that_a_small_run_gives_new_classes_too_high_probabilities(
    tiny_run, tmp_path, capsys
):
    photos = put(tmp_path / "new", Hats=[1], Caps=[2])
    words = ("extend", tiny_run.folder, "--photos", photos, "--out")
    assert command(*words, tmp_path / "out") == 0
    said = capsys.readouterr().err
    assert said.count("NOTE: the run remembers fewer than 1,000 photos") == 1
    assert "their probabilities are too high" in said
    assert note_on_scale(1000) is None
    name = load_model(tiny_run.model_path).classes[0]
    extend(tiny_run.folder, put(tmp_path / "more", **{name: [7]}), tmp_path / "known", known=True)
    assert "remembers fewer" not in capsys.readouterr().err  # its row stays at its own scale


def test_the_command_says_what_it_found(tiny_run, stripes, tmp_path, capsys):
    words = ("extend", tiny_run.folder, "--photos", stripes, "--out", tmp_path / "out")
    assert command(*words) == 0
    said = capsys.readouterr().out
    assert "Stripes: new, from 5 photos" in said and str(tmp_path / "out") in said


def test_a_run_is_no_folder_of_photos_to_learn_from(tmp_path):
    put(tmp_path, figures=[1])
    (tmp_path / "run.json").write_text(RUN_JSON)
    with pytest.raises(DataError, match="is the folder of a run, whose images are figures"):
        find_shots(tmp_path, SIZE)


def test_advice_on_folders_fits_what_is_there(tmp_path):
    put(tmp_path / "one", train=[1])
    with pytest.raises(DataError, match="train/, which isn't the name of a class"):
        find_shots(tmp_path / "one", SIZE)
    put(tmp_path / "empty", Hats=[1], Caps=[])
    with pytest.raises(DataError, match="put photos there, or delete the folder"):
        find_shots(tmp_path / "empty", SIZE)
    put(tmp_path / "new" / "Bags", train=[1], test=[2])
    notes: list[str] = []
    assert find_shots(tmp_path / "new", SIZE, note=notes.append).classes == ["Bags"]
    assert notes == []  # naming Bags/ instead would be refused


def test_a_hidden_folder_among_the_photos_takes_the_extended_run(tmp_path):
    put(tmp_path / "photos", Hats=[1])
    _check_target(tmp_path / "photos" / ".runs" / "x", tmp_path / "run", tmp_path / "photos")
    with pytest.raises(RunError, match="elsewhere for the extended run"):
        _check_target(tmp_path / "photos" / "x", tmp_path / "run", tmp_path / "photos")
