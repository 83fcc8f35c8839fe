"""A run folder whose files are damaged: one line names the file and says what to do."""

import errno
import gzip
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from torch import nn

from fashion_tl.__main__ import main
from fashion_tl.errors import FashionTLError, RunError, WeightsError
from fashion_tl.extend import extend
from fashion_tl.extension import measured, read_shots
from fashion_tl.network.going_on import go_on
from fashion_tl.network.memory import read_memory
from fashion_tl.network.model import load_model
from fashion_tl.reporting.gallery import draw_all
from fashion_tl.reporting.report import write_report
from fashion_tl.runfiles import read_table
from fashion_tl.runs import create_run, open_run
from tests import REPOSITORY
from tests.conftest import figures_alone
from tests.made_runs import make_run

ROW = {"label": "Hüte", "photos": 2, "is_new": True, "before": {}, "left_out": 1, "taken": 0}
AGAIN = "copy it again, or delete the run's folder and train it again"


@pytest.fixture
def root(make_root):
    return make_root(
        [(1, 2010, "Shirts"), (2, 2010, "Tops"), (3, 2011, "Shirts"), (4, 2013, "Tops")]
    )


@pytest.fixture
def folder(root, tmp_path) -> Path:
    """A finished run, to be damaged."""
    table = pd.DataFrame({"label": ["Shirts", "Tops"], "top1": "Shirts", "p1": 0.5, "loss": 1.25})
    counts = pd.DataFrame({"label": ["Shirts", "Tops"], "train": 1})
    return make_run(tmp_path / "run", root, table, counts)


def refused(file: Path, work) -> str:
    """The error of some work on a run with this damaged file: one line that says what to do."""
    with pytest.raises(RunError) as error:
        work()
    said = str(error.value)
    assert str(file) in said and AGAIN in said and "\n" not in said
    return said


def changed(file: Path, **values) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"{}",
        b"[]",
        b"null",
        b"7",
        b"\xff\xfe\x00",
        b"[" * 200_000,
        b'{"config": {}, "weights": {"name": "w"}}',
    ],
)
def test_a_run_json_of_another_shape_is_named(folder, content):
    (folder / "run.json").write_bytes(content)
    refused(folder / "run.json", lambda: open_run(folder))


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("config", None),
        ("data", "x"),
        ("data", {"name": "d", "photos": "many", "fingerprint": "f"}),
        ("data", {"name": "d", "photos": True, "fingerprint": "f"}),
        ("weights", None),
        ("weights", {}),
        ("versions", []),
        ("extended", "x"),
        ("extended", ["x"]),
        ("extended", [{"label": "Hats"}]),
        ("extended", [ROW | {"before": {"Caps": "x"}}]),
        ("extended", [ROW | {"left_out": "x"}]),
    ],
)
def test_a_part_of_run_json_of_another_kind_is_named(folder, part, value):
    changed(folder / "run.json", **{part: value})
    assert part in refused(folder / "run.json", lambda: open_run(folder))


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"training": "x"},
        {"training": "direct", "class_weights": "sqrt"},
        {"training": "direct", "split": {}},
    ],
)
def test_settings_that_no_version_wrote_are_named(folder, config):
    changed(folder / "run.json", config=config)
    refused(folder / "run.json", lambda: open_run(folder).source)


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b"null", b"[" * 200_000, b'{"top1": null}', b'{"interrupted": true}'],
)
def test_metrics_of_another_shape_are_named(folder, root, content):
    (folder / "metrics.json").write_bytes(content)
    for work in (lambda: open_run(folder).is_finished, lambda: write_report(folder, root)):
        refused(folder / "metrics.json", work)


@pytest.mark.parametrize("value", [None, "0.5", True, []])
@pytest.mark.parametrize("name", ["top1", "correct", "minutes", "n_test"])
def test_a_metric_that_is_no_number_is_named(folder, name, value):
    changed(folder / "metrics.json", **{name: value})
    assert name in refused(folder / "metrics.json", lambda: open_run(folder).metrics)


def test_a_mean_over_no_classes_is_no_damage(folder):
    changed(folder / "metrics.json", few_shot=None, macro=None)
    assert open_run(folder).metrics["macro"] is None


COLUMNS = [
    ("history.csv", "epoch"),
    ("history.csv", "val_cross_entropy"),
    ("history.csv", "best"),
    ("per_class.csv", "label"),
    ("per_class.csv", "correct"),
    ("predictions.csv.gz", "p1"),
    ("predictions.csv.gz", "top1"),
    ("predictions.csv.gz", "loss"),
]


@pytest.mark.parametrize(("name", "column"), COLUMNS)
def test_a_table_without_one_of_its_columns_names_the_column(folder, root, name, column):
    table = pd.read_csv(folder / name)
    table.drop(columns=column).to_csv(folder / name, index=False)
    assert column in refused(folder / name, lambda: write_report(folder, root))
    assert column in refused(folder / name, lambda: draw_all(folder, root))


@pytest.mark.parametrize(
    ("name", "column"), [each for each in COLUMNS if each[1] not in ("label", "top1")]
)
def test_a_table_with_words_among_its_numbers_names_the_column(folder, root, name, column):
    table = pd.read_csv(folder / name)
    table.assign(**{column: "x"}).to_csv(folder / name, index=False)
    assert column in refused(folder / name, lambda: write_report(folder, root))


@pytest.mark.parametrize("name", ["history.csv", "per_class.csv", "predictions.csv.gz"])
@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"\xff\x00", b'"'])
def test_a_table_that_holds_something_else_is_named(folder, root, name, content):
    packed = gzip.compress(content) if name.endswith("gz") else content
    (folder / name).write_bytes(packed)
    refused(folder / name, lambda: write_report(folder, root))


@pytest.mark.parametrize(
    ("name", "column", "value"),
    [
        ("history.csv", "train_loss", "1e999"),
        ("history.csv", "train_loss", "high"),
        ("history.csv", "val_accuracy", 2),
        ("per_class.csv", "train", ""),
        ("per_class.csv", "correct", -1),
        ("predictions.csv.gz", "p1", 1.5),
        ("predictions.csv.gz", "loss", "inf"),
        ("predictions.csv.gz", "id", "none"),
        ("predictions.csv.gz", "label", "Hats"),
    ],
)
def test_a_row_of_a_table_that_can_not_be_true_is_named(folder, root, name, column, value):
    table = read_table(folder / name).astype({column: object})
    table.loc[1, column] = value
    table.to_csv(folder / name, index=False)
    for work in (write_report, draw_all):
        said = refused(folder / name, lambda work=work: work(folder, root))
        assert "line 3" in said and column in said


@pytest.mark.parametrize(
    ("column", "value"), [("val_loss", "inf"), ("val_cross_entropy", 1e20), ("train_loss", 1e20)]
)
def test_a_training_that_diverged_can_be_read_and_drawn(folder, root, column, value):
    table = read_table(folder / "history.csv").astype({column: object})
    table.loc[0, column] = value
    table.to_csv(folder / "history.csv", index=False)
    assert open_run(folder).history[column].max() == float(value)
    with figures_alone("loss"):
        assert draw_all(folder, root)


@pytest.mark.parametrize(
    ("name", "value"),
    [("top1", 7), ("n_test", -1), ("minutes", 10**400), ("ece", -0.1), ("nll", float("1e999"))],
)
def test_a_metric_that_can_not_be_true_is_named(folder, name, value):
    changed(folder / "metrics.json", **{name: value})
    text = (folder / "metrics.json").read_text().replace("Infinity", "1e999")
    (folder / "metrics.json").write_text(text)
    assert name in refused(folder / "metrics.json", lambda: open_run(folder).metrics)


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("predictions.csv.gz", lambda table: table[:1], "it has 1 test photos, and metrics.json"),
        ("predictions.csv.gz", lambda table: table.assign(top1=table["label"]), "2 right answers"),
        ("per_class.csv", lambda table: table[:1], "it has 1 test photos"),
        ("per_class.csv", lambda table: table.assign(correct=[1, 1]), "2 right answers"),
        ("history.csv", lambda table: table[2:], "it has 2 epochs, and metrics.json has 4"),
    ],
)
def test_a_table_of_another_run_is_named(folder, root, tmp_path, name, change, words):
    change(read_table(folder / name)).to_csv(folder / name, index=False)
    for work in (
        lambda: write_report(folder, root),
        lambda: draw_all(folder, root),
        lambda: extend(folder, tmp_path / "photos", tmp_path / "extended"),
    ):
        said = refused(folder / name, work)
        assert "doesn't belong to this run" in said and words in said
    assert not (folder / "report.html").exists() and not list(folder.rglob("*.png"))


@pytest.mark.parametrize("damage", ["cut", "cut to its header", "changed", "not gzipped"])
def test_damaged_predictions_are_named(folder, root, damage):
    file = folder / "predictions.csv.gz"
    content = file.read_bytes()
    file.write_bytes(
        {
            "cut": content[: len(content) // 2],
            "cut to its header": content[:10],
            "changed": content[:20] + bytes(20) + content[40:],
            "not gzipped": b"id,label\n",
        }[damage]
    )
    refused(file, lambda: write_report(folder, root))
    refused(file, lambda: draw_all(folder, root))


@pytest.mark.parametrize("name", ["run.json", "metrics.json", "history.csv"])
def test_a_file_that_must_not_be_read_may_be_whole_so_nobody_is_told_to_delete_it(
    folder, monkeypatch, name
):
    def forbidden(file, *given, **more):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(file))

    run = open_run(folder)
    if name == "history.csv":
        monkeypatch.setattr(pd, "read_csv", forbidden)
    else:
        monkeypatch.setattr(Path, "read_bytes", forbidden)
    works = {
        "run.json": lambda: open_run(folder),
        "metrics.json": lambda: run.is_finished,
        "history.csv": lambda: run.history,
    }
    with pytest.raises(RunError) as error:
        works[name]()
    said = f"{folder / name} can't be read (Permission denied); make it readable"
    assert str(error.value) == said


def test_a_folder_that_must_not_be_entered_is_named_itself(folder, monkeypatch):
    def forbidden(file, *given, **more):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(file))

    monkeypatch.setattr(Path, "read_bytes", forbidden)
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != folder)
    with pytest.raises(RunError, match=rf"^{folder} can't be entered .*; change its permissions$"):
        open_run(folder)
    above = folder.parent  # nothing below a closed folder can be entered
    monkeypatch.setattr(os, "access", lambda path, mode: not {above, folder} & {Path(path)})
    with pytest.raises(RunError, match=rf"^{above} can't be entered .*; change its permissions$"):
        open_run(folder)


def test_a_network_that_is_missing_from_a_finished_run_has_the_way_out(folder):
    with pytest.raises(WeightsError, match=rf"model\.safetensors is missing .*{AGAIN}"):
        load_model(folder / "model.safetensors")


def test_a_table_of_no_bytes_is_called_empty(folder):
    (folder / "history.csv").write_bytes(b"")
    assert "(it is empty)" in refused(folder / "history.csv", lambda: open_run(folder).history)


def test_predictions_that_name_a_photo_twice_are_named(folder):
    file = folder / "predictions.csv.gz"
    table = read_table(file)
    first, second = table["id"]
    table.assign(id=first).to_csv(file, index=False)  # as many rows as before
    said = refused(file, lambda: open_run(folder).predictions)
    assert f"line 3: the id {first!r} has a row already" in said and repr(second) not in said


def test_a_link_to_a_file_that_is_gone_is_not_called_damaged(folder):
    (folder / "history.csv").unlink()
    (folder / "history.csv").symlink_to(folder / "gone")
    said = refused(folder / "history.csv", lambda: open_run(folder).history)
    assert "history.csv is a link that leads nowhere" in said and "damaged" not in said


def in_the_place_of(file: Path, what: str) -> None:
    file.unlink(missing_ok=True)
    if what == "link":
        file.symlink_to(file.parent / "gone")
    elif what == "folder":
        file.mkdir()
    else:
        os.mkfifo(file)


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("link", "is a link that leads nowhere"),
        ("folder", "Is a directory"),
        ("pipe", "it is a pipe or a device, not a plain file"),
    ],
)
@pytest.mark.parametrize("name", ["metrics.json", "run.json"])
@pytest.mark.parametrize("is_interrupted", [False, True])
def test_a_run_is_never_trained_again_over_a_file_that_is_something_else(
    folder, name, what, words, is_interrupted
):
    run = open_run(folder)
    if is_interrupted:
        run.checkpoint.touch()
    in_the_place_of(folder / name, what)
    about = {part: run.about[part] for part in ("data", "weights")}
    said = refused(folder / name, lambda: create_run(folder, run.config, **about).is_finished)
    assert words in said and (folder / name).is_symlink() == (what == "link")


@pytest.mark.parametrize(
    "name", ["run.json", "metrics.json", "history.csv", "predictions.csv.gz", "per_class.csv"]
)
def test_nobody_waits_for_a_pipe_in_the_place_of_a_run_s_file(folder, root, name):
    in_the_place_of(folder / name, "pipe")
    assert "it is a pipe" in refused(folder / name, lambda: write_report(folder, root))


def test_nobody_waits_for_a_pipe_in_the_place_of_a_network_or_what_belongs_to_it(folder):
    works = {
        "model.safetensors": lambda: load_model(folder / "model.safetensors"),
        "memory.safetensors": lambda: read_memory(folder / "memory.safetensors"),
        "checkpoint.pt": lambda: go_on(folder / "checkpoint.pt", nn.Linear(1, 1), None, None),
        "photos.npz": lambda: read_shots(open_run(folder)),
    }
    changed(folder / "run.json", extended=[ROW])
    for what, words in (("pipe", "it is a pipe"), ("link", "leads nowhere")):
        for name, work in works.items():
            if (what, name) != ("link", "model.safetensors"):  # its run may be unfinished
                in_the_place_of(folder / name, what)
                with pytest.raises(FashionTLError, match=rf"{name} .*{words}"):
                    work()


def test_a_damaged_network_is_named_with_the_way_out(folder):
    (folder / "model.safetensors").write_bytes(b"cut")
    with pytest.raises(WeightsError) as error:
        load_model(folder / "model.safetensors")
    said = f"{folder / 'model.safetensors'} is damaged (SafetensorError); {AGAIN}"
    assert str(error.value) == said


def test_a_library_s_own_advice_on_a_damaged_file_is_never_shown(folder):
    np.savez(folder / "photos.npz", pixels=np.array([{}], dtype=object))
    changed(folder / "run.json", extended=[ROW])
    with pytest.raises(RunError) as error:
        read_shots(open_run(folder))
    assert "photos.npz is damaged (" in str(error.value) and "pickle" not in str(error.value)


@pytest.mark.parametrize("name", ["history.csv", "predictions.csv.gz", "per_class.csv"])
def test_a_file_that_a_finished_run_lacks_is_to_be_copied_again(folder, root, name):
    (folder / name).unlink()
    assert "is missing" in refused(folder / name, lambda: write_report(folder, root))
    (folder / "metrics.json").unlink()
    with pytest.raises(RunError, match=rf"{name} can't be read .*; is the run finished\? If not"):
        getattr(open_run(folder), name.split(".")[0])


def test_damage_in_an_extended_run_is_repaired_by_extending_again(folder):
    shutil.copytree(folder, folder / "before")
    (folder / "before" / "metrics.json").write_text("[]")
    (folder / "run.json").write_text("[]")
    for work in (
        lambda: open_run(folder),
        lambda: open_run(folder / "before").metrics,
        lambda: open_run(folder / "before").is_finished,
    ):
        with pytest.raises(RunError, match=r"is damaged .*; copy it again, or extend the first"):
            work()


@pytest.mark.parametrize("name", ["threshold95", "temperature", "val_ece", "ece", "nll"])
def test_a_metric_that_older_versions_lack_is_a_number_where_it_is_there(folder, root, name):
    changed(folder / "metrics.json", **{name: "0.9"})
    for work in (lambda: open_run(folder).metrics, lambda: write_report(folder, root)):
        assert name in refused(folder / "metrics.json", work)
    changed(folder / "metrics.json", **{name: None})
    assert open_run(folder).metrics[name] is None


def test_whether_a_run_was_interrupted_is_true_or_false(folder):
    changed(folder / "metrics.json", interrupted="no")
    assert "interrupted" in refused(folder / "metrics.json", lambda: open_run(folder).metrics)


@pytest.mark.parametrize(
    ("columns", "wrong"),
    [
        ({"unknown": ["yes", "no"], "unknown_score": 0.5}, "unknown"),
        ({"unknown": [1, 0], "unknown_score": 0.5}, "unknown"),
        ({"unknown": [True, None], "unknown_score": 0.5}, "unknown"),
        ({"unknown_score": 0.5}, "unknown"),
        ({"unknown": [True, False]}, "unknown_score"),
        ({"unknown": [True, False], "unknown_score": "x"}, "unknown_score"),
        ({"unknown": [True, False], "unknown_score": [0.5, None]}, "unknown_score"),
    ],
)
def test_what_a_run_refused_is_told_by_two_columns_or_by_none(folder, root, columns, wrong):
    file = folder / "predictions.csv.gz"
    table = open_run(folder).predictions
    table.assign(unknown=[True, False], unknown_score=0.5).to_csv(file, index=False)
    assert open_run(folder).predictions["unknown"].tolist() == [True, False]
    table.assign(**columns).to_csv(file, index=False)
    assert wrong in refused(file, lambda: write_report(folder, root))


@pytest.mark.parametrize("damage", [lambda whole: whole[:-9], lambda whole: whole[:20] + b"0" * 40])
def test_a_packed_table_that_is_cut_off_or_changed_is_a_wrong_value(folder, damage):
    file = folder / "predictions.csv.gz"
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(ValueError, match="it can't be unpacked: "):
        read_table(file)


@pytest.mark.parametrize("file", ["metrics.json", "top20/metrics.json"])
def test_the_figures_of_an_unfinished_run_are_not_even_begun(root, folder, tmp_path, file):
    table = open_run(folder).predictions[["label", "top1", "p1", "loss"]]
    counts = pd.DataFrame({"label": ["Shirts", "Tops"], "train": 1})
    run = make_run(tmp_path / "two", root, table, counts, training="two_step")
    make_run(run / "top20", root, table, counts, training="top20")
    (run / file).unlink()
    with pytest.raises(RunError, match=r"isn't finished; repeat the command .*, and then draw its"):
        draw_all(run, root)
    assert not list(run.rglob("*.png"))


def test_a_command_says_it_in_one_line(folder, root, capsys):
    (folder / "metrics.json").write_text("[]")
    assert main(["report", str(folder), "--data", str(root)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_missing_figures_of_an_extended_run_are_named_with_a_way_out(folder):
    changed(folder / "run.json", extended=[ROW])
    with pytest.raises(RunError, match=r"before, which holds .*; copy it again, or extend"):
        measured(open_run(folder))


OPEN = """
import sys
from fashion_tl.extension import extension_of
from fashion_tl.provenance import commit, machine
from fashion_tl.runs import create_run, open_run

run = open_run(sys.argv[1])
print(ascii(extension_of(run)[0]["label"]), bool(run.source))
"""


def test_a_run_is_opened_whatever_the_locale(folder):
    """`extend` writes names of classes in UTF-8."""
    about = json.loads((folder / "run.json").read_text()) | {"extended": [ROW]}
    text = json.dumps(about, ensure_ascii=False)
    (folder / "run.json").write_bytes(text.encode())
    plain = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}
    done = subprocess.run(
        [sys.executable, "-c", OPEN, str(folder)],
        env=os.environ | plain | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == [r"'H\xfcte'", "True"], done.stderr


def test_git_may_answer_with_a_path_of_any_letters_in_any_locale(tmp_path):
    """The package tells its own checkout by the path that git prints."""
    clone = tmp_path / "Hüte"
    (clone / "fashion_tl").mkdir(parents=True)
    for file in (REPOSITORY / "fashion_tl").glob("*.py"):
        shutil.copyfile(file, clone / "fashion_tl" / file.name)
    subprocess.run(["git", "init", "-q"], cwd=clone, check=True)
    subprocess.run(["git", "add", "."], cwd=clone, check=True)
    who = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
    subprocess.run(["git", *who, "commit", "-qm", "all"], cwd=clone, check=True)
    done = subprocess.run(
        [sys.executable, "-c", "from fashion_tl.provenance import commit; print(commit())"],
        cwd=clone,
        env=os.environ
        | {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C", "PYTHONPATH": str(clone)},
        capture_output=True,
        text=True,
    )
    assert len(done.stdout.strip()) == 10, done.stderr
