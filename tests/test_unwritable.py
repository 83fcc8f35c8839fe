"""A place that can't be written is found before the work, not after it."""

import errno
import os
import shutil

import pytest

from fashion_tl import approaches, audit, export, extend, predict, similar
from fashion_tl.__main__ import main
from fashion_tl.errors import WriteError
from fashion_tl.files import check_writable
from fashion_tl.reporting import gallery, report
from study.__main__ import main as study_main


@pytest.fixture
def no_place(tmp_path):
    """A folder in a file, which nobody can make."""
    (tmp_path / "file").write_text("mine")
    return tmp_path / "file" / "folder"


def test_a_place_that_cannot_be_written_is_known_before_anything_is(tmp_path, no_place):
    check_writable(tmp_path / "new")
    check_writable(tmp_path / "a" / "b" / "new", makes_folders=True)
    for place, why in (
        (tmp_path, "it is a folder"),
        (tmp_path / "a" / "new", "there is no folder"),
        (tmp_path / ("a" * 300), "too long"),
    ):
        with pytest.raises(WriteError, match=rf"can't be written \(.*{why}"):
            check_writable(place)
    with pytest.raises(WriteError, match="Not a directory"):
        check_writable(no_place / "new", makes_folders=True)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_each_command_finds_a_place_that_it_cannot_write_before_the_work(
    tiny_run, sample_root, tmp_path, no_place, monkeypatch, capsys
):
    work = ("load_data", "load_unsplit", "open_steps", "find_shots", "seen", "Classifier")
    for module in (approaches, audit, export, extend, gallery, predict, report, similar):
        for name in work:
            monkeypatch.delattr(module, name, raising=False)
    run, data = tiny_run.folder, ("--data", sample_root)
    photo = next((sample_root / "images").iterdir())
    shutil.copytree(run, tmp_path / "run")
    (tmp_path / "run" / "figures").write_text("mine")
    (tmp_path / "other").mkdir()
    shutil.copy(run / "run.json", tmp_path / "other")
    (tmp_path / "other" / "memory.safetensors").mkdir()
    (tmp_path / "labels" / "labels.html").mkdir(parents=True)
    for words in (
        ("run", "fc_only", *data, "--out", no_place),
        ("audit", *data, "--to", no_place),
        ("audit", *data, "--to", tmp_path / "labels"),
        ("figures", tmp_path / "run", *data),
        ("report", run, *data, "--to", no_place / "report.html"),
        ("report", run, *data, "--to", tmp_path),
        ("predict", run, photo, "--to", no_place / "answers.csv"),
        ("similar", run, photo, *data, "--out", no_place / "near.png"),
        ("remember", tmp_path / "other", *data),
        ("extend", run, "--photos", tmp_path / "other", "--out", no_place),
        ("export", run, "--onnx", "--to", no_place / "model.onnx"),
        ("export", run, "--onnx", "--to", tmp_path),
    ):
        assert main([str(word) for word in words]) == 2, words
        (line,) = capsys.readouterr().err.splitlines()
        assert "can't be written (" in line, line


def test_a_finished_run_is_read_where_nothing_can_be_written(
    tiny_run, sample_root, monkeypatch, files_under
):
    def read_only(*given, dir=None, **more):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), dir)

    monkeypatch.setattr("fashion_tl.files.tempfile.mkdtemp", read_only)
    monkeypatch.setattr("fashion_tl.files.draft", read_only)
    before = files_under(tiny_run.folder)
    names = ("epochs", "image_size", "batch_size", "precision", "backbone", "flip_test", "lr")
    settings = {name: getattr(tiny_run.config, name) for name in names}
    words = ("fc_only", sample_root, "none")
    (run,) = approaches.run_approach(*words, tiny_run.folder, **settings)
    assert run.metrics == tiny_run.metrics and files_under(tiny_run.folder) == before
    with pytest.raises(WriteError, match="Read-only"):
        approaches.run_approach(*words, tiny_run.folder.with_name("new"), **settings)


def test_a_measurement_finds_a_place_that_it_cannot_write_before_the_work(no_place, capsys):
    for words in ("heads", "data-check", "audit", "unknown"):
        weights = () if words == "data-check" else ("--weights", "none")
        asked = (words, "--data", "sample", *weights, "--results", str(no_place))
        assert study_main(asked) == 2
        assert f"{no_place / 'looks.csv'} can't be written (" in capsys.readouterr().err
