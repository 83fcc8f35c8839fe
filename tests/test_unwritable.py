"""A place that can't be written is found before the work, not after it."""

import errno
import os
import shutil
from functools import partial
from types import SimpleNamespace

import pytest

from fashion_tl import approaches, audit, export, extend, predict, similar
from fashion_tl.__main__ import main
from fashion_tl.data import sample
from fashion_tl.data.dataroot import open_root, refuse_in_data
from fashion_tl.data.listing import Folder
from fashion_tl.errors import ConfigError, RunError, WriteError
from fashion_tl.files import check_writable, write_whole
from fashion_tl.reporting import gallery, report
from fashion_tl.running import start_run
from fashion_tl.targets import checked_target
from study.__main__ import main as study_main
from tests import RUN_JSON
from tests.conftest import jpeg, pattern, tiny_config


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
        *_, line = capsys.readouterr().err.splitlines()  # after a note on random weights
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


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a system without pipes")
def test_a_link_stays_and_its_file_gets_the_content_and_a_pipe_is_refused(tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "link.csv").symlink_to(tmp_path / "far" / "own.csv")  # which is still to be made
    target = checked_target(tmp_path / "link.csv", "the answers", (".csv",))
    write_whole(target, b"new")
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "far" / "own.csv").read_bytes() == b"new"
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(WriteError, match=r"pipe\.csv can't be written \(it is a pipe or a device"):
        checked_target(tmp_path / "pipe.csv", "the answers", (".csv",))


def test_a_measurement_finds_a_place_that_it_cannot_write_before_the_work(no_place, capsys):
    for words in ("heads", "data-check", "audit", "unknown"):
        weights = () if words == "data-check" else ("--weights", "none")
        asked = (words, "--data", "sample", *weights, "--results", str(no_place))
        assert study_main(asked) == 2
        assert f"{no_place / 'looks.csv'} can't be written (" in capsys.readouterr().err


@pytest.fixture
def class_root(tmp_path):
    """Two folders of photos, which are the classes."""
    for number, kind in enumerate(["Shirts", "Shoes"]):
        (tmp_path / "classes" / kind).mkdir(parents=True)
        (tmp_path / "classes" / kind / "1.jpg").write_bytes(jpeg(pattern(number)))
    return tmp_path / "classes"


@pytest.fixture
def linked_root(class_root):
    """The same classes; each folder is a link."""
    root = class_root.with_name("links")
    root.mkdir()
    for kind in class_root.iterdir():
        (root / kind.name).symlink_to(kind)
    return root


@pytest.fixture
def linked_table(sample_root, tmp_path):
    """A table beside a link to its photos."""
    (tmp_path / "table").mkdir()
    shutil.copy(sample_root / "styles.csv", tmp_path / "table")
    (tmp_path / "table" / "images").symlink_to(sample_root / "images")
    return tmp_path / "table"


def test_nothing_is_written_among_the_photos_where_it_would_become_data(
    tiny_run,
    sample_root,
    class_root,
    linked_root,
    linked_table,
    monkeypatch,
    files_under,
    capsys,
):
    for module in (approaches, audit, gallery, report, similar):
        for name in ("load_data", "load_unsplit", "open_steps", "seen"):
            monkeypatch.delattr(module, name, raising=False)
    run, photo = tiny_run.folder, class_root / "Shoes" / "1.jpg"
    monkeypatch.chdir(class_root)
    before = files_under(class_root), files_under(sample_root)
    for data, inside in (
        (class_root, class_root / "new"),
        (".", "Shoes/new"),
        (class_root / "Shoes" / "..", class_root),
        (sample_root, sample_root / "images" / "new"),
        (sample_root / "styles.csv", sample_root / "images"),
        (linked_root, linked_root / "Shirts"),
        (linked_root, linked_root / "Shirts" / "new"),
        (linked_table, linked_table / "images" / "new"),
    ):
        for words in (
            ("run", "fc_only", "--out", inside),
            ("audit", "--to", inside),
            ("summary", "--cache", inside),
            ("report", run, "--to", f"{inside}/page.html"),
            ("similar", run, photo, "--out", f"{inside}/near.png"),
        ):
            if words[0] == "audit":
                monkeypatch.setattr(audit, "_cleanlab", lambda: None)
            assert main([str(word) for word in (*words, "--data", data)]) == 2, words
            *_, line = capsys.readouterr().err.splitlines()  # after a note on random weights
            assert "which stays as it is; name a folder elsewhere for the" in line
    monkeypatch.setenv("FASHION_TL_CACHE", str(class_root / "new"))
    assert main(["summary", "--data", str(class_root)]) == 2
    assert "with --cache or FASHION_TL_CACHE" in capsys.readouterr().err
    assert before == (files_under(class_root), files_under(sample_root))


def test_a_file_of_another_kind_is_a_wrong_setting_whatever_is_to_be_written(tmp_path, class_root):
    assert checked_target(tmp_path / "a.CSV", "answers", (".csv", ".json")) == tmp_path / "a.CSV"
    with pytest.raises(
        ConfigError, match=r"a\.txt: answers are written into a \.csv or \.json file"
    ):
        checked_target(tmp_path / "a.txt", "answers", (".csv", ".json"))
    (tmp_path / "run.json").write_text(RUN_JSON)
    for words, error in (
        ((tmp_path / "metrics.json", "answers", (".json",)), "is a file of the run itself"),
        ((class_root / "a.png", "the picture", (".png",), class_root), "elsewhere for the picture"),
        ((tmp_path / "none" / "a.onnx", "the model", (".onnx",)), "there is no folder"),
    ):
        with pytest.raises((RunError, WriteError), match=error):
            checked_target(*words)


def test_beside_a_table_and_in_a_run_that_is_there_nothing_becomes_data(
    sample_root, class_root, monkeypatch
):
    (class_root / "mine").mkdir()
    (class_root / "mine" / "run.json").write_text(RUN_JSON)
    for target, data in (
        (sample_root / "runs" / "mine", sample_root),
        (class_root / "mine", class_root),
        (class_root / "mine" / "report.html", class_root),
        (class_root.with_name("classes-2"), class_root),
        (class_root / "new", "sample"),
    ):
        refuse_in_data(target, data, "the run")
    monkeypatch.setattr(sample, "draw_sample", partial(sample.draw_sample, photos=60, types=6))
    assert open_root("sample", class_root.parent).is_sample


def test_hidden_folders_are_never_read_as_data_so_they_take_anything(
    class_root, sample_root, monkeypatch
):
    for hidden in (".cache", ".runs/x", "Shirts/.new/page.html", "Shirts/@eaDir/x", ".near.png"):
        refuse_in_data(class_root / hidden, class_root, "the run")
    refuse_in_data(sample_root / "images" / ".new", sample_root, "the run")
    (class_root / ".hidden").mkdir()
    (class_root / "shown").symlink_to(class_root / ".hidden")
    with pytest.raises(RunError, match="which stays as it is"):
        refuse_in_data(class_root / "shown" / "new", class_root, "the run")
    monkeypatch.setenv("FASHION_TL_CACHE", str(class_root / ".cache"))
    assert open_root(class_root).path == class_root


def test_a_cache_among_the_photos_is_no_obstacle_where_another_one_is_named(
    class_root, monkeypatch
):
    monkeypatch.setenv("FASHION_TL_CACHE", str(class_root / "new"))
    refuse_in_data(class_root / ".runs", class_root, "the run")
    refuse_in_data(class_root.with_name("elsewhere"), class_root, "the run")
    with pytest.raises(RunError, match="name a folder elsewhere for the run"):
        refuse_in_data(class_root / "new", class_root, "the run")
    assert open_root(class_root, class_root.with_name("cache")).path == class_root


def test_the_run_of_a_notebook_does_not_begin_among_the_photos(class_root):
    config = tiny_config("fc_only")
    data = SimpleNamespace(root=open_root(class_root))
    with pytest.raises(RunError, match="name a folder elsewhere for the run"):
        start_run(class_root / "new", config, data, None)
    assert not (class_root / "new").exists()


def test_what_lies_among_the_photos_through_a_link_in_the_data_is_refused(tmp_path, class_root):
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "data").symlink_to(class_root)
    for name in ("new", "Shirts/near.png"):
        with pytest.raises(RunError, match="elsewhere for the picture"):
            refuse_in_data(class_root / name, tmp_path / "linked", "the picture")
    refuse_in_data(class_root / ".hidden" / "near.png", tmp_path / "linked", "the picture")


def test_for_a_place_elsewhere_or_beside_a_table_no_photo_is_looked_up(
    class_root, linked_root, sample_root, tmp_path, monkeypatch
):
    monkeypatch.delattr(Folder, "photo")
    for data in (class_root, linked_root, sample_root):
        refuse_in_data(tmp_path / "elsewhere" / "page.html", data, "the report")
    refuse_in_data(sample_root / "page.html", sample_root, "the report")
    with pytest.raises(RunError, match="which stays as it is"):
        refuse_in_data(sample_root / "images" / "page.html", sample_root, "the report")


def test_the_way_up_from_a_link_is_that_of_the_system(class_root, tmp_path):
    (tmp_path / "far" / "away").mkdir(parents=True)
    (class_root / "link").symlink_to(tmp_path / "far" / "away")
    refuse_in_data(class_root / "link" / ".." / "run", class_root, "the run")  # it is far/run
    (tmp_path / "into").symlink_to(class_root / "Shirts")
    with pytest.raises(RunError, match="which stays as it is"):
        refuse_in_data(tmp_path / "into" / ".." / "run", class_root, "the run")
    assert open_root(tmp_path / "into" / "..").name == class_root.name


def test_no_file_that_is_read_and_no_table_of_photos_is_replaced(tmp_path, sample_root):
    photo = tmp_path / "photo.png"
    photo.write_bytes(b"mine")
    (tmp_path / "link.png").symlink_to(photo)
    for target in (photo, tmp_path / "link.png"):
        with pytest.raises(RunError, match="is one of the files that are read"):
            checked_target(target, "the picture", (".png",), reads=[photo])
    with pytest.raises(RunError, match="is the table of a data root"):
        checked_target(sample_root / "styles.csv", "answers", (".csv",))
