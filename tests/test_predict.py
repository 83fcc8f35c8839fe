"""``predict`` on folders of photos: a row for each, in a stable order, those that can't be read
named; whole files.
"""

import json
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from PIL import Image

from fashion_tl import predict
from fashion_tl.__main__ import main
from fashion_tl.actions import RANDOM
from fashion_tl.data.batches import prepare_photos
from fashion_tl.data.listing import ENDINGS
from fashion_tl.data.photos import FORMATS, decode
from fashion_tl.errors import FashionTLError, RunError
from fashion_tl.network.model import load_model
from fashion_tl.predict import answers, find_photos
from fashion_tl.reporting.evaluation import class_probabilities
from tests import RUN_JSON


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


def test_a_folder_is_answered_in_one_file_as_in_the_runs_own_predictions(
    tiny_run, sample_root, tmp_path
):
    assert (
        command(
            "predict", tiny_run.folder, sample_root / "images", "--to", tmp_path / "answers.csv"
        )
        == 0
    )
    table = read_answers(tmp_path / "answers.csv")
    assert list(table) == [
        "photo",
        *(f"top{k}" for k in range(1, 6)),
        *(f"p{k}" for k in range(1, 6)),
        "unknown",
        "unknown_score",
        "error",
    ]
    assert (
        len(table) == len(list((sample_root / "images").iterdir())) > 7 * 32
        and (table["error"] == "").all()
    )
    own = tiny_run.predictions
    names = [str(sample_root / "images" / f"{number}.jpg") for number in own["id"]]
    answered = table.set_index("photo").loc[names].reset_index()
    assert (answered["top1"] == own["top1"]).all()
    for k in range(1, 6):
        assert (answered[f"p{k}"] - own[f"p{k}"]).abs().max() < 1e-4


def test_an_answer_in_a_batch_is_that_of_the_photo_alone_averaged_over_its_mirror_image(
    tiny_run, sample_root
):
    saved, files = load_model(tiny_run.model_path), sorted((sample_root / "images").iterdir())[:40]
    for file, row in list(zip(files, answers(saved, files), strict=True))[::13]:
        photo = torch.from_numpy(decode(file.read_bytes(), (80, 60)).copy())[None]
        with torch.no_grad():
            logits = saved.model(
                prepare_photos(torch.cat([photo, photo.flip(2)]), tiny_run.config)
            ).mean(0, keepdim=True)
        shares = class_probabilities(
            logits.numpy(), saved.fit_counts, temperature=saved.temperature
        )[0]
        assert (
            row["top1"] == saved.classes[shares.argmax()] and abs(row["p1"] - shares.max()) < 1e-4
        )


def test_another_temperature_changes_how_sure_it_is_and_no_answer(tiny_run, photos):
    saved = load_model(tiny_run.model_path)
    sharp = replace(saved, temperature=saved.temperature / 20)
    rows = list(zip(answers(saved, photos), answers(sharp, photos), strict=True))
    for before, after in rows:
        assert [before[f"top{k}"] for k in range(1, 6)] == [after[f"top{k}"] for k in range(1, 6)]
        assert after["p1"] > before["p1"]


def test_without_a_file_each_photo_is_printed_and_there_is_no_progress_bar(
    tiny_run, photos, capsys
):
    assert command("predict", tiny_run.folder, photos[0].parent) == 0
    output = capsys.readouterr()
    lines = output.out.splitlines()
    assert output.err == f"{RANDOM}\n" and lines[::6] == [str(photo) for photo in photos]
    assert all(line.startswith("  ") and "%  " in line for line in lines if line not in lines[::6])


def test_into_a_file_its_name_alone_is_printed_and_a_log_gets_no_progress_bar(
    tiny_run, photos, tmp_path, capsys
):
    assert command("predict", tiny_run.folder, *photos, "--to", tmp_path / "answers.csv") == 0
    output = capsys.readouterr()
    assert output.out == f"{tmp_path / 'answers.csv'}\n" and output.err == f"{RANDOM}\n"


def test_json_holds_what_csv_holds(tiny_run, photos, tmp_path):
    for name in ("answers.csv", "answers.json"):
        assert command("predict", tiny_run.folder, *photos, "--to", tmp_path / name) == 0
    rows = json.loads((tmp_path / "answers.json").read_text())
    table = read_answers(tmp_path / "answers.csv")
    assert [row.pop("error") for row in rows] == [None] * 3
    pd.testing.assert_frame_equal(
        pd.DataFrame(rows), table.drop(columns="error"), rtol=1e-5, check_dtype=False
    )


def test_the_ending_of_the_answers_may_be_in_capitals(tiny_run, photos, tmp_path):
    for name in ("a.CSV", "a.Json"):
        assert command("predict", tiny_run.folder, photos[0], "--to", tmp_path / name) == 0
    assert (
        json.loads((tmp_path / "a.Json").read_text())[0]["top1"]
        == read_answers(tmp_path / "a.CSV")["top1"][0]
    )


def test_photos_that_can_not_be_read_are_named_on_stderr_and_in_the_file_and_the_others_answered(
    tiny_run, photos, tmp_path, capsys
):
    photos[1].write_text("not a photo")
    missing = tmp_path / "missing.jpg"
    for name in ("answers.csv", "answers.json"):
        assert (
            command("predict", tiny_run.folder, photos[0].parent, missing, "--to", tmp_path / name)
            == 2
        )
        error = capsys.readouterr().err
        assert f"{photos[1]}: not a photo" in error and f"{missing}: " in error
        assert "2 of 4 photos could not be read" in error
    table = read_answers(tmp_path / "answers.csv")
    assert table["photo"].tolist() == [*map(str, photos), str(missing)]
    assert (
        (table["error"] != "").tolist()
        == (table["top1"] == "").tolist()
        == [False, True, False, True]
    )
    assert table["p1"].isna().tolist() == [False, True, False, True]
    rows = json.loads((tmp_path / "answers.json").read_text())
    assert [row["top1"] for row in rows] == [top or None for top in table["top1"]]
    assert [row["error"] for row in rows] == [error or None for error in table["error"]]


def test_folders_give_their_image_files_sorted_and_files_stand_where_they_were_named(
    photos, tmp_path
):
    folder, other = photos[0].parent, tmp_path / "z.jpg"
    for name in ("notes.txt", "._c.jpg", "styles.csv"):
        (folder / name).write_text("")
    (folder / "d.jpg").mkdir()  # a folder is no photo, whatever its name
    assert find_photos([other, folder, photos[2]]) == [other, *photos, photos[2]]


def test_the_endings_of_photos_are_those_that_pillow_knows_for_these_formats():
    formats = {*FORMATS, "AVIF"}  # also where this Pillow doesn't read it
    registered = Image.registered_extensions().items()
    assert {ending for ending, format in registered if format in formats} - {".pfm"} == {*ENDINGS}


def test_a_photo_in_a_folder_is_answered_whatever_its_name(tiny_run, photos, tmp_path):
    names = (
        "old.jpe",
        "browser.jfif",
        "UPPER.JFIF",
        "no ending",
        "1.5",
        "photo.jpg.bak",
        "photo.HEIC",
    )
    for name in names:
        shutil.copy(photos[0], photos[0].with_name(name))
    assert (
        command("predict", tiny_run.folder, photos[0].parent, "--to", tmp_path / "answers.csv") == 0
    )
    table = read_answers(tmp_path / "answers.csv").set_index("photo")
    assert len(table) == 3 + len(names)
    assert (
        table.loc[[str(photos[0].with_name(name)) for name in names], "top1"]
        == table["top1"][str(photos[0])]
    ).all()


def test_images_that_are_not_read_are_named_with_the_reason_and_the_photos_answered(
    tiny_run, photos, capsys
):
    names = ("iphone.heic", "iphone.HEIF", "camera.CR2", "a.dng", "a.psd", "logo.svg", "a.jxl")
    for name in names:
        photos[0].with_name(name).write_bytes(b"of a format that nobody here knows")
    assert command("predict", tiny_run.folder, photos[0].parent) == 2
    output = capsys.readouterr()
    assert f"{len(names)} of {len(names) + 3} photos could not be read" in output.err
    assert all(str(photo) in output.out for photo in photos)
    for name in names:
        (line,) = (
            line
            for line in output.err.splitlines()
            if line.startswith(f"{photos[0].with_name(name)}: ")
        )
        assert name.split(".")[1].upper() in line.split(": ")[1] and "convert it to JPEG" in line


def test_the_preview_in_a_raw_file_is_not_taken_for_the_photo(tiny_run, photos, capsys):
    raw = photos[0].with_name("raw.nef")
    Image.new("RGB", (160, 120)).save(raw, "TIFF")
    for place in (raw, raw.parent):
        assert command("predict", tiny_run.folder, place) == 2
        assert (
            f"{raw}: NEF, a camera's raw format, isn't read; convert it to JPEG"
            in capsys.readouterr().err
        )


def test_files_that_are_no_photos_are_passed_over_and_the_first_few_named(tiny_run, photos, capsys):
    for name in ("Thumbs.db", "a.txt", "b.json", "c.csv", "movie.mp4", ".hidden.jpg", ".DS_Store"):
        (photos[0].parent / name).write_text("P1 BM GIF")
    (photos[0].parent / "@eaDir").mkdir()  # a network drive's own small copies of the photos
    shutil.copy(photos[0], photos[0].parent / "@eaDir" / "SYNOPHOTO_THUMB_M.jpg")
    assert command("predict", tiny_run.folder, photos[0].parent) == 0
    said = "skipped, not photos: Thumbs.db, a.txt, b.json and 2 more"
    output = capsys.readouterr()
    assert output.err == f"{RANDOM}\n{photos[0].parent}: {said}\n" and "THUMB" not in output.out


def test_the_figures_of_runs_are_no_photos_unless_their_folder_is_named(photos, tmp_path, capsys):
    shop = photos[0].parent
    for run in (shop / "run", tmp_path / "other"):
        (run / "figures").mkdir(parents=True)
        (run / "run.json").write_text(RUN_JSON)
        shutil.copy(photos[0], run / "figures" / "loss.png")
    (shop / "link").symlink_to(tmp_path / "other", target_is_directory=True)
    assert find_photos([shop]) == photos
    assert f"{shop}: skipped, the folder of a run: run, link" in capsys.readouterr().err
    assert find_photos([shop / "run"]) == [shop / "run" / "figures" / "loss.png"]


def test_links_are_followed_each_folder_once_and_a_circle_ends(photos, tmp_path):
    shop, other = photos[0].parent, tmp_path / "other"
    other.mkdir()
    for place in (other / "x.jpg", other / ".hidden.jpg", tmp_path / "y.jpg"):
        shutil.copy(photos[0], place)
    (shop / "a link").symlink_to(other, target_is_directory=True)
    (shop / "a link to a folder that is here").symlink_to(shop / "below", target_is_directory=True)
    (shop / "a second link").symlink_to(other, target_is_directory=True)
    (other / "back").symlink_to(shop, target_is_directory=True)
    (shop / "y.jpg").symlink_to(tmp_path / "y.jpg")
    (shop / "d.jpg").symlink_to(shop / "below", target_is_directory=True)
    assert find_photos([shop]) == sorted([*photos, shop / "a link" / "x.jpg", shop / "y.jpg"])
    assert find_photos([shop / "a link"])[-1] == shop / "a link" / "x.jpg"


def test_what_can_not_be_opened_is_named_and_the_others_are_answered(
    tiny_run, photos, tmp_path, capsys
):
    shop = photos[0].parent
    (shop / "broken.jpg").symlink_to(tmp_path / "nothing.jpg")
    (shop / "round.jpg").symlink_to(shop / "round.jpg")
    (shop / "empty.jpg").write_bytes(b"")
    os.mkfifo(shop / "pipe.jpg")
    os.mkfifo(shop / "pipe")
    assert (
        command("predict", tiny_run.folder, shop, shop / "pipe", "--to", tmp_path / "answers.csv")
        == 2
    )
    error = capsys.readouterr().err
    table = read_answers(tmp_path / "answers.csv").set_index("photo")
    assert "5 of 8 photos could not be read" in error
    for name in ("broken.jpg", "round.jpg", "empty.jpg", "pipe.jpg", "pipe"):
        assert f"{shop / name}: " in error and table.loc[str(shop / name), "error"] != ""
    assert (table.loc[[*map(str, photos)], "error"] == "").all()


def test_a_folder_that_can_not_be_listed_is_named_with_the_reason(
    tiny_run, photos, monkeypatch, capsys
):
    below, scandir = str(photos[1].parent), os.scandir

    def denied(path="."):
        if os.fspath(path) == below:
            raise PermissionError(13, "Permission denied", below)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", denied)  # root may list any
    assert command("predict", tiny_run.folder, photos[0].parent) == 2
    output = capsys.readouterr()
    assert f"{below}: [Errno 13] Permission denied" in output.err and "1 of 3 photos" in output.err
    assert str(photos[0]) in output.out and str(photos[2]) in output.out
    assert command("predict", tiny_run.folder, below, photos[0]) == 2
    assert f"{below}: [Errno 13] Permission denied" in capsys.readouterr().err


def test_a_folder_without_photos_is_named_before_anything_is_done(
    tiny_run, photos, tmp_path, capsys
):
    (tmp_path / "empty" / "below").mkdir(parents=True)
    (tmp_path / "empty" / "notes.txt").write_text("")
    words = [
        "predict",
        tiny_run.folder,
        *photos,
        tmp_path / "empty",
        "--to",
        tmp_path / "answers.csv",
    ]
    assert command(*words) == 2
    output = capsys.readouterr()
    assert f"{tmp_path / 'empty'}: no image files" in output.err and output.out == ""
    assert not (tmp_path / "answers.csv").exists()


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("answers.txt", ": answers are written into a .csv or .json file"),
        ("answers", ": answers are written into a .csv or .json file"),
        ("no such folder/answers.csv", r" can't be written \(there is no folder "),
    ],
)
def test_a_file_that_can_not_be_written_is_refused_before_any_photo_is_read(
    tiny_run, photos, tmp_path, monkeypatch, name, why
):
    for work in ("decode", "find_photos"):
        monkeypatch.setattr(predict, work, None)
    with pytest.raises(FashionTLError, match=f"{name}{why}"):
        predict.predict(load_model(tiny_run.model_path), photos, tmp_path / name)


def test_no_more_than_two_batches_are_decoded_ahead_however_many_photos_there_are(
    tiny_run, sample_root, monkeypatch
):
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


def test_stopped_in_between_nothing_is_left_and_earlier_answers_stay(
    tiny_run, sample_root, tmp_path, monkeypatch
):
    def interrupted(content, size):
        raise KeyboardInterrupt

    (tmp_path / "answers.csv").write_text("earlier")
    monkeypatch.setattr(predict, "decode", interrupted)
    assert (
        command(
            "predict", tiny_run.folder, sample_root / "images", "--to", tmp_path / "answers.csv"
        )
        == 130
    )
    assert [path.name for path in tmp_path.iterdir()] == ["answers.csv"]
    assert (tmp_path / "answers.csv").read_text() == "earlier"


def test_a_name_that_is_no_text_is_no_obstacle(tiny_run, photos, tmp_path, capsys):
    name = os.fsencode(photos[0].parent) + b"/caf\xe9.jpg"
    try:
        os.rename(photos[0], name)
    except OSError:
        pytest.skip("this file system takes no such names")
    assert command("predict", tiny_run.folder, os.fsdecode(name)) == 0
    assert (
        command("predict", tiny_run.folder, os.fsdecode(name), "--to", tmp_path / "answers.csv")
        == 0
    )
    assert r"caf\xe9.jpg" in capsys.readouterr().out
    assert read_answers(tmp_path / "answers.csv")["photo"].str.endswith(r"caf\xe9.jpg").all()


@pytest.mark.parametrize("name", ["run.json", "metrics.json", "per_class.csv"])
def test_answers_never_take_the_place_of_a_runs_own_files(tiny_run, photos, capsys, name):
    file = tiny_run.folder / name
    before = file.read_bytes()
    assert command("predict", tiny_run.folder, photos[0], "--to", file) == 2
    assert f"{name} is a file of the run itself; name another file" in capsys.readouterr().err
    assert file.read_bytes() == before


@pytest.mark.parametrize("name", ["METRICS.json", "Per_Class.CSV"])
def test_the_names_of_a_runs_own_files_count_in_any_capitals(tiny_run, photos, capsys, name):
    assert command("predict", tiny_run.folder, photos[0], "--to", tiny_run.folder / name) == 2
    assert f"{name} is a file of the run itself" in capsys.readouterr().err


def test_a_network_whose_answers_are_no_numbers_is_named(tiny_run, photos):
    saved = load_model(tiny_run.model_path)
    saved.model.fc.weight.data[:] = 1e38
    with pytest.raises(
        RunError, match=rf"{tiny_run.model_path}: the network's answers are not finite numbers"
    ):
        list(answers(saved, photos))


def test_a_thousand_nested_folders_are_searched_to_the_last_within_a_second_or_two(
    photos, tmp_path
):
    deep = os.path.join(tmp_path, "deep")
    os.mkdir(deep)
    for _ in range(1000):
        deep = os.path.join(deep, "d")
        os.mkdir(deep)
    shutil.copy(photos[0], os.path.join(deep, "last.jpg"))
    start = time.perf_counter()
    assert find_photos([tmp_path / "deep"]) == [Path(deep, "last.jpg")]
    assert time.perf_counter() - start < 3
    os.remove(os.path.join(deep, "last.jpg"))
    os.removedirs(deep)  # what tidies up after the tests would go down by recursion


def test_a_folder_too_deep_to_be_reached_is_named(tiny_run, photos, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path / "shop")
    for _ in range(17):  # a path may have 4096 letters
        os.mkdir("d" * 250)
        os.chdir("d" * 250)
    monkeypatch.undo()
    (row,) = (
        row
        for row in answers(load_model(tiny_run.model_path), find_photos([tmp_path / "shop"]))
        if row["error"]
    )
    assert row["photo"].endswith("d" * 250) and "too long" in row["error"]
