"""``similar`` finds the training photos that are nearest to a photo; ``predict`` says which photos
are like none of them.
"""

import errno
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fashion_tl.__main__ import main
from fashion_tl.errors import RunError, WeightsError
from fashion_tl.network.memory import read_memory, save_memory
from fashion_tl.network.model import load_model, save_model
from fashion_tl.network.trained import load_network, load_remembering, load_trained
from fashion_tl.predict import answers
from fashion_tl.runs import open_run
from fashion_tl.similar import remember
from tests.conftest import jpeg, pattern


def command(*words):
    return main([str(word) for word in words])


@pytest.fixture
def own_run(tiny_run, tmp_path):
    """A copy of the run that may be changed."""
    shutil.copytree(tiny_run.folder, tmp_path / "run")
    return open_run(tmp_path / "run")


def photo_of(sample_root, number):
    return sample_root / "images" / f"{number}.jpg"


def test_a_run_remembers_exactly_its_training_photos(tiny_run, sample_root):
    from fashion_tl.data.dataset import load_data

    memory = read_memory(tiny_run.memory_path)
    data = load_data(sample_root, tiny_run.config, quiet=True)
    train = data.table("train")
    assert memory.ids.tolist() == train["id"].tolist()
    assert [memory.classes[label] for label in memory.labels] == train["label"].tolist()
    assert np.isfinite(memory.threshold)


def test_a_training_photo_is_nearest_to_itself(tiny_run, sample_root, capsys):
    memory = read_memory(tiny_run.memory_path)
    files = [photo_of(sample_root, number) for number in memory.ids[:3]]
    assert command("similar", tiny_run.folder, *files, "--top", 4, "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["photo"] for row in rows] == [str(file) for file in files]
    for number, label, row in zip(memory.ids, memory.labels, rows, strict=False):
        assert row["error"] is None and len(row["nearest"]) == 4
        first = row["nearest"][0]
        assert first["distance"] < 0.01
        twins = [each["id"] for each in row["nearest"] if each["distance"] < 0.01]
        assert number in twins and first["label"] == memory.classes[label]
        distances = [each["distance"] for each in row["nearest"]]
        assert distances == sorted(distances)


def test_the_table_names_ids_classes_and_distances(tiny_run, sample_root, capsys):
    memory = read_memory(tiny_run.memory_path)
    file = photo_of(sample_root, memory.ids[0])
    assert command("similar", tiny_run.folder, file) == 0
    first, head, *lines = capsys.readouterr().out.splitlines()
    assert first == str(file) and head.split() == ["distance", "id", "class"]
    assert len(lines) == 10
    for line in lines:
        distance, number, label = line.split(maxsplit=2)
        assert (
            0 <= float(distance) <= 2
            and memory.classes[memory.labels[memory.ids.tolist().index(number)]] == label
        )


def test_more_than_there_are_gives_all(tiny_run, sample_root, capsys):
    memory = read_memory(tiny_run.memory_path)
    file = photo_of(sample_root, memory.ids[0])
    assert command("similar", tiny_run.folder, file, "--top", 100_000, "--json") == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert sorted(each["id"] for each in row["nearest"]) == sorted(memory.ids)


def test_a_picture_shows_the_photo_and_those_nearest_to_it(tiny_run, sample_root, tmp_path, capsys):
    file = photo_of(sample_root, read_memory(tiny_run.memory_path).ids[0])
    words = ["similar", tiny_run.folder, file, "--out", tmp_path / "new" / "near.png"]
    assert command(*words, "--data", sample_root, "--top", 3) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(tmp_path / "new" / "near.png")
    with Image.open(tmp_path / "new" / "near.png") as picture:
        assert picture.width > 300


def test_a_picture_with_the_memory_of_another_run_names_the_photo_that_the_data_lack(
    own_run, sample_root, tmp_path, capsys
):
    memory = read_memory(own_run.memory_path)
    file = photo_of(sample_root, memory.ids[0])
    save_memory(own_run.memory_path, replace(memory, ids=np.char.add("x", memory.ids.astype(str))))
    words = ["similar", own_run.folder, file, "--out", tmp_path / "near.png"]
    assert command(*words, "--data", sample_root) == 2
    assert f"has no photo 'x{memory.ids[0]}', which the run names" in capsys.readouterr().err
    assert not (tmp_path / "near.png").exists()


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["--top", "0"], "top must be a whole number from 1, not 0"),
        (["--out", "near.jpg", "--data", "sample"], "near.jpg: the picture is written into a .png"),
        (["--out", "near.png"], "near.png: a picture needs the training photos"),
        (["b.jpg", "--out", "near.png", "--data", "sample"], "a picture shows one photo, not 2"),
    ],
)
def test_what_can_not_be_done_is_said_before_any_work(
    tiny_run, tmp_path, monkeypatch, capsys, words, error
):
    monkeypatch.chdir(tmp_path)
    assert command("similar", tiny_run.folder, "a.jpg", *words) == 2
    output = capsys.readouterr()
    assert error in output.err and output.out == "" and not list(tmp_path.iterdir())


def test_a_photo_that_can_not_be_read_is_named_and_the_others_are_answered(
    tiny_run, tmp_path, capsys
):
    (tmp_path / "good.jpg").write_bytes(jpeg(pattern(1)))
    (tmp_path / "bad.jpg").write_text("no photo")
    assert command("similar", tiny_run.folder, tmp_path, "--json") == 2
    output = capsys.readouterr()
    bad, good = json.loads(output.out)
    assert bad["nearest"] is None and bad["error"] and len(good["nearest"]) == 10
    assert f"{tmp_path / 'bad.jpg'}: " in output.err and "1 of 2 photos" in output.err


def test_a_run_without_a_memory_gets_one_that_is_as_its_own_was(own_run, sample_root, capsys):
    before = read_memory(own_run.memory_path)
    own_run.memory_path.unlink()
    photo = photo_of(sample_root, before.ids[0])
    assert command("similar", own_run.folder, photo) == 2
    assert "fashion-tl remember" in capsys.readouterr().err
    assert command("remember", own_run.folder, "--data", sample_root) == 0
    *notes, last = capsys.readouterr().out.splitlines()
    assert last == str(own_run.memory_path)
    assert [line for line in notes if "photos validated" not in line] == []
    after = read_memory(own_run.memory_path)
    assert after.ids.tolist() == before.ids.tolist()
    assert np.abs(after.features - before.features).max() < 0.05 * before.features.max()
    assert after.threshold == pytest.approx(before.threshold, abs=1e-3)
    assert command("similar", own_run.folder, photo) == 0


def test_predict_says_which_photos_are_like_none_that_it_learned_from(
    own_run, sample_root, tmp_path, capsys
):
    memory = read_memory(own_run.memory_path)
    (tmp_path / "noise.jpg").write_bytes(jpeg(pattern(1)))
    photos = [photo_of(sample_root, memory.ids[0]), tmp_path / "noise.jpg"]
    saved = load_model(own_run.model_path)
    scores = [row["unknown_score"] for row in answers(saved, photos, memory)]
    save_memory(own_run.memory_path, replace(memory, threshold=sum(scores) / 2))
    expected = [score == max(scores) for score in scores]
    assert sum(expected) == 1
    for name in ("a.json", "a.csv"):
        assert command("predict", own_run.folder, *photos, "--to", tmp_path / name) == 0
    rows = json.loads((tmp_path / "a.json").read_text())
    table = pd.read_csv(tmp_path / "a.csv")
    assert [row["unknown"] for row in rows] == table["unknown"].tolist() == expected
    assert [row["unknown_score"] for row in rows] == pytest.approx(scores)
    assert table["unknown_score"].tolist() == pytest.approx(scores, rel=1e-4)
    capsys.readouterr()
    assert command("predict", own_run.folder, *photos) == 0
    names = capsys.readouterr().out.splitlines()[::6]
    for name, photo, is_unknown in zip(names, photos, expected, strict=True):
        assert name == str(photo) + ("  (unknown: like nothing it learned from)" * is_unknown)


def test_a_photo_that_can_not_be_read_is_neither_known_nor_unknown(tiny_run, tmp_path):
    (tmp_path / "bad.jpg").write_text("no photo")
    assert command("predict", tiny_run.folder, tmp_path / "bad.jpg", "--to", tmp_path / "a.json")
    (row,) = json.loads((tmp_path / "a.json").read_text())
    assert row["unknown"] is None and row["unknown_score"] is None


def test_without_a_memory_predict_answers_as_it_did_before(own_run, sample_root, tmp_path):
    photo = photo_of(sample_root, read_memory(own_run.memory_path).ids[0])
    own_run.memory_path.unlink()
    assert command("predict", own_run.folder, photo, "--to", tmp_path / "a.json") == 0
    (row,) = json.loads((tmp_path / "a.json").read_text())
    assert "unknown" not in row and "unknown_score" not in row and row["top1"]


def test_a_damaged_memory_stops_predict_and_the_error_says_what_to_do(own_run, tmp_path, capsys):
    own_run.memory_path.write_bytes(b"damaged")
    (tmp_path / "photo.jpg").write_bytes(jpeg(pattern(1)))
    assert command("predict", own_run.folder, tmp_path / "photo.jpg") == 2
    assert "memory.safetensors is damaged" in capsys.readouterr().err


def test_a_memory_of_another_network_is_refused(own_run, tmp_path):
    memory = read_memory(own_run.memory_path)
    narrow = {
        name: getattr(memory, name)[..., :100] for name in ("codes", "scale", "mean", "basis")
    }
    wrong = replace(memory, **narrow)
    save_memory(own_run.memory_path, wrong)
    with pytest.raises(RunError, match=r"of another network: it has 100 features .*remember"):
        load_remembering(own_run)
    assert memory.network  # another training of the same classes has other weights
    save_memory(own_run.memory_path, replace(memory, network="0123"))
    with pytest.raises(RunError, match=r"its features are those of other weights; .*remember"):
        load_remembering(own_run)
    save_memory(own_run.memory_path, replace(memory, network=""))  # as older versions wrote it
    assert load_remembering(own_run)[1].network == ""
    save_memory(own_run.memory_path, replace(memory, classes=("Hats", *memory.classes[1:])))
    for load in (load_remembering, load_trained):
        with pytest.raises(RunError, match=rf"knows Hats, .* know {memory.classes[0]}; .*remember"):
            load(own_run)


def test_a_network_of_another_run_is_refused_by_all_that_use_it(own_run, sample_root, tmp_path):
    saved = load_model(own_run.model_path)
    classes, counts = ("Hats", *saved.classes[1:]), list(saved.fit_counts)
    save_model(own_run.model_path, saved.model, classes, counts, saved.config)
    for work in (load_network, load_trained, lambda run: remember(run.folder, sample_root)):
        with pytest.raises(WeightsError, match=r"model\.safetensors is of another run: .*copy it"):
            work(own_run)
    (own_run.folder / "per_class.csv").unlink()  # what can't be compared may be right
    assert load_network(own_run).classes == classes
    with pytest.raises(WeightsError, match=r"is of another run: it knows Hats, unlike the data"):
        remember(own_run.folder, sample_root)


@pytest.mark.parametrize("name", ["model.safetensors", "memory.safetensors"])
def test_a_file_that_must_not_be_read_may_be_whole(own_run, monkeypatch, name):
    def forbidden(file, *given, **more):
        if Path(file).name == name:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(file))
        return open(file, *given, **more)

    monkeypatch.setattr("fashion_tl.files.open", forbidden, raising=False)
    said = rf"{name} can't be read \(Permission denied\); make it readable$"
    with pytest.raises((RunError, WeightsError), match=said):
        load_remembering(own_run)


def test_the_runs_predictions_have_the_scores_of_predict(tiny_run, sample_root, tmp_path):
    table = tiny_run.predictions.head(5)
    photos = [photo_of(sample_root, number) for number in table["id"]]
    assert command("predict", tiny_run.folder, *photos, "--to", tmp_path / "a.csv") == 0
    answers = pd.read_csv(tmp_path / "a.csv")
    assert answers["unknown_score"].tolist() == pytest.approx(
        table["unknown_score"].tolist(), abs=1e-3
    )
    assert set(tiny_run.predictions["unknown"]) <= {True, False}
