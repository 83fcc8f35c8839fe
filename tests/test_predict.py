"""``predict`` on folders of photos: a row for each, in a stable order, those that can't be read named; whole files."""

import json
import os
import shutil

import pandas as pd
import pytest
import torch

from fashion_tl import predict
from fashion_tl.__main__ import main
from fashion_tl.batches import prepare_photos
from fashion_tl.errors import DataError
from fashion_tl.evaluation import class_probabilities
from fashion_tl.model import load_model
from fashion_tl.photos import decode
from fashion_tl.predict import answers, find_photos


def command(*words):
    return main([str(word) for word in words])


def read_answers(file):
    return pd.read_csv(file, keep_default_na=False, na_values={f"p{k}": [""] for k in range(1, 6)})


@pytest.fixture
def photos(sample_root, tmp_path):
    """Three photos of the sample, in a folder and one below it."""
    (tmp_path / "shop" / "below").mkdir(parents=True)
    files = sorted((sample_root / "images").iterdir())[:3]
    places = [tmp_path / "shop" / name for name in ("a.JPG", "below/b.jpeg", "c.jpg")]
    for file, place in zip(files, places, strict=True):
        shutil.copy(file, place)
    return places


def test_a_folder_is_answered_in_one_file_as_in_the_runs_own_predictions(tiny_run, sample_root, tmp_path):
    assert command("predict", tiny_run.folder, sample_root / "images", "--to", tmp_path / "answers.csv") == 0
    table = read_answers(tmp_path / "answers.csv")
    assert list(table) == ["photo", *(f"top{k}" for k in range(1, 6)), *(f"p{k}" for k in range(1, 6)), "error"]
    assert len(table) == len(list((sample_root / "images").iterdir())) > 7 * 32 and (table["error"] == "").all()
    own = tiny_run.predictions
    names = [str(sample_root / "images" / f"{number}.jpg") for number in own["id"]]
    answered = table.set_index("photo").loc[names].reset_index()
    assert (answered["top1"] == own["top1"]).all()
    for k in range(1, 6):
        assert (answered[f"p{k}"] - own[f"p{k}"]).abs().max() < 1e-4


def test_an_answer_in_a_batch_is_that_of_the_photo_alone_averaged_over_its_mirror_image(tiny_run, sample_root):
    saved, files = load_model(tiny_run.model_path), sorted((sample_root / "images").iterdir())[:40]
    for file, row in list(zip(files, answers(saved, files), strict=True))[::13]:
        photo = torch.from_numpy(decode(file.read_bytes(), (80, 60)).copy())[None]
        with torch.no_grad():
            logits = saved.model(prepare_photos(torch.cat([photo, photo.flip(2)]), tiny_run.config)).mean(
                0, keepdim=True
            )
        shares = class_probabilities(logits.numpy(), saved.train_counts)[0]
        assert row["top1"] == saved.classes[shares.argmax()] and abs(row["p1"] - shares.max()) < 1e-4


def test_without_a_file_each_photo_is_printed_and_there_is_no_progress_bar(tiny_run, photos, capsys):
    assert command("predict", tiny_run.folder, photos[0].parent) == 0
    output = capsys.readouterr()
    lines = output.out.splitlines()
    assert output.err == "" and lines[::6] == [str(photo) for photo in photos]
    assert all(line.startswith("  ") and "%  " in line for line in lines if line not in lines[::6])


def test_into_a_file_there_is_a_progress_bar_and_its_name_alone_is_printed(tiny_run, photos, tmp_path, capsys):
    assert command("predict", tiny_run.folder, *photos, "--to", tmp_path / "answers.csv") == 0
    output = capsys.readouterr()
    assert output.out == f"{tmp_path / 'answers.csv'}\n" and "predicting: 100%" in output.err and "3/3" in output.err


def test_json_holds_what_csv_holds(tiny_run, photos, tmp_path):
    for name in ("answers.csv", "answers.json"):
        assert command("predict", tiny_run.folder, *photos, "--to", tmp_path / name) == 0
    rows, table = json.loads((tmp_path / "answers.json").read_text()), read_answers(tmp_path / "answers.csv")
    assert [row.pop("error") for row in rows] == [None] * 3
    pd.testing.assert_frame_equal(pd.DataFrame(rows), table.drop(columns="error"), rtol=1e-5, check_dtype=False)


def test_photos_that_can_not_be_read_are_named_on_stderr_and_in_the_file_and_the_others_answered(
    tiny_run, photos, tmp_path, capsys
):
    photos[1].write_text("not a photo")
    missing = tmp_path / "missing.jpg"
    for name in ("answers.csv", "answers.json"):
        assert command("predict", tiny_run.folder, photos[0].parent, missing, "--to", tmp_path / name) == 2
        error = capsys.readouterr().err
        assert f"{photos[1]}: not a photo" in error and f"{missing}: " in error
        assert "2 of 4 photos could not be read" in error
    table = read_answers(tmp_path / "answers.csv")
    assert table["photo"].tolist() == [*map(str, photos), str(missing)]
    assert (table["error"] != "").tolist() == (table["top1"] == "").tolist() == [False, True, False, True]
    assert table["p1"].isna().tolist() == [False, True, False, True]
    rows = json.loads((tmp_path / "answers.json").read_text())
    assert [row["top1"] for row in rows] == [top or None for top in table["top1"]]
    assert [row["error"] for row in rows] == [error or None for error in table["error"]]


def test_folders_give_their_image_files_sorted_and_files_stand_where_they_were_named(photos, tmp_path):
    folder, other = photos[0].parent, tmp_path / "z.jpg"
    for name in ("notes.txt", "._c.jpg", "styles.csv"):
        (folder / name).write_text("")
    (folder / "d.jpg").mkdir()  # a folder is no photo, whatever its name
    assert find_photos([other, folder, photos[2]]) == [other, *photos, photos[2]]


def test_a_folder_without_photos_is_named_before_anything_is_done(tiny_run, photos, tmp_path, capsys):
    (tmp_path / "empty" / "below").mkdir(parents=True)
    (tmp_path / "empty" / "notes.txt").write_text("")
    words = ["predict", tiny_run.folder, *photos, tmp_path / "empty", "--to", tmp_path / "answers.csv"]
    assert command(*words) == 2
    output = capsys.readouterr()
    assert f"{tmp_path / 'empty'}: no image files" in output.err and output.out == ""
    assert not (tmp_path / "answers.csv").exists()


@pytest.mark.parametrize("name", ["answers.txt", "answers", "no such folder/answers.csv"])
def test_a_file_that_can_not_be_written_is_refused_before_any_photo_is_read(
    tiny_run, photos, tmp_path, monkeypatch, name
):
    monkeypatch.setattr(predict, "decode", None)
    with pytest.raises(DataError, match=f"{name}: answers are written into a .csv or .json"):
        predict.predict(load_model(tiny_run.model_path), photos, tmp_path / name)


def test_no_more_than_two_batches_are_decoded_ahead_however_many_photos_there_are(tiny_run, sample_root, monkeypatch):
    decoded = []

    def counted(*args):
        decoded.append(1)
        return decode(*args)

    monkeypatch.setattr(predict, "decode", counted)
    rows = answers(load_model(tiny_run.model_path), sorted((sample_root / "images").iterdir()))
    next(rows)
    assert 32 <= len(decoded) <= 64
    rows.close()
    assert len(decoded) <= 64


def test_stopped_in_between_nothing_is_left_and_earlier_answers_stay(tiny_run, sample_root, tmp_path, monkeypatch):
    def interrupted(content, size):
        raise KeyboardInterrupt

    (tmp_path / "answers.csv").write_text("earlier")
    monkeypatch.setattr(predict, "decode", interrupted)
    assert command("predict", tiny_run.folder, sample_root / "images", "--to", tmp_path / "answers.csv") == 130
    assert [path.name for path in tmp_path.iterdir()] == ["answers.csv"]
    assert (tmp_path / "answers.csv").read_text() == "earlier"


def test_a_name_that_is_no_text_is_no_obstacle(tiny_run, photos, tmp_path, capsys):
    name = os.fsencode(photos[0].parent) + b"/caf\xe9.jpg"
    try:
        os.rename(photos[0], name)
    except OSError:
        pytest.skip("this file system takes no such names")
    assert command("predict", tiny_run.folder, os.fsdecode(name)) == 0
    assert command("predict", tiny_run.folder, os.fsdecode(name), "--to", tmp_path / "answers.csv") == 0
    assert r"caf\xe9.jpg" in capsys.readouterr().out
    assert read_answers(tmp_path / "answers.csv")["photo"].str.endswith(r"caf\xe9.jpg").all()
