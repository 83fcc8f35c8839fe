"""A run from the command line: its folder, going on, drawing again, predicting; on a tiny sample,
random weights.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file
from torchvision.models import ResNet18_Weights

from fashion_tl import approaches
from fashion_tl.__main__ import main
from fashion_tl.approaches import run_approach
from fashion_tl.config import Config
from fashion_tl.data.dataset import load_data
from fashion_tl.machine import say_once
from fashion_tl.network import weights
from fashion_tl.network.calibration import fit_temperature
from fashion_tl.network.inference import forward
from fashion_tl.network.model import build_network, load_model
from fashion_tl.recipes import make_config
from fashion_tl.reporting import gallery
from fashion_tl.reporting.evaluation import class_probabilities
from fashion_tl.running import start_run
from fashion_tl.runs import Run, create_run, open_run
from tests.conftest import TINY, figures_alone
from tests.made_runs import FILES, METRICS

SMALL = ("image_size=32x32", "batch_size=32", "precision=fp32", "backbone=tiny")
QUICK = [word for setting in SMALL for word in ("--set", setting)]


def command(*words):
    return main([str(word) for word in words])


def run_words(approach, data, out, epochs=2, weights="none"):
    """The command that trains on small photos."""
    words = ["run", approach, "--data", data, "--weights", weights, "--out", out]
    return [str(word) for word in [*words, "--epochs", epochs, *QUICK]]


@pytest.fixture(scope="module")
def fc_only(sample_root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "fc_only"
    assert command(*run_words("fc_only", sample_root, folder, epochs=3)) == 0
    return folder


@pytest.fixture(scope="module")
def two_step(wide_root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "two_step"
    with figures_alone("loss"):  # a test below draws them all
        assert command(*run_words("two_step", wide_root, folder)) == 0
    return folder


def test_a_run_folder_holds_settings_history_weights_predictions_and_metrics(fc_only):
    files = {path.name for path in fc_only.iterdir() if path.is_file()}
    assert files == FILES
    run = open_run(fc_only)
    assert run.about["weights"]["name"] == "random weights" and "torch" in run.about["versions"]
    assert len(list((fc_only / "figures").glob("*.png"))) == 11
    assert len(run.history) == 3 and run.metrics["epochs"] == 3
    assert run.metrics["n_test"] == len(run.predictions) == run.per_class["test"].sum()
    assert run.metrics["correct"] == run.per_class["correct"].sum()
    assert run.metrics["top1"] <= run.metrics["ceiling"] < 1


def test_a_run_reads_its_data_once_also_for_its_figures(
    sample_root, tmp_path, one_figure, monkeypatch
):
    read = []

    def once(*given, **named):
        read.append(1)
        return load_data(*given, **named)

    for module in (approaches, gallery):
        monkeypatch.setattr(module, "load_data", once)
    assert command(*run_words("fc_only", sample_root, tmp_path / "run", epochs=1)) == 0
    assert len(read) == 1
    assert [file.name for file in (tmp_path / "run" / "figures").iterdir()] == ["loss_fconly.png"]


def test_the_temperature_of_a_run_suits_its_validation_photos(tiny_run, sample_root):
    saved = load_model(tiny_run.model_path)
    metrics = tiny_run.metrics
    assert saved.temperature == metrics["temperature"] != 1
    assert 0 <= metrics["ece"] < 1 and 0 <= metrics["val_ece"] < 1 and metrics["nll"] > 0
    data = load_data(sample_root, tiny_run.config, quiet=True)
    logits = forward(saved.model, data.batches("val", tiny_run.config), "fp32", flip=True).numpy()
    labels = data.task.labels[data.task.val]
    again = fit_temperature(logits, labels, saved.fit_counts)
    assert again == pytest.approx(saved.temperature, rel=1e-3)


def test_tables_metrics_and_model_of_a_run_have_one_temperature(tiny_run, sample_root):
    saved = load_model(tiny_run.model_path)
    data = load_data(sample_root, tiny_run.config, quiet=True)
    logits = forward(saved.model, data.batches("test", tiny_run.config), "fp32", flip=True).numpy()
    hot, plain = (
        class_probabilities(logits, saved.fit_counts, temperature=each).max(1)
        for each in (saved.temperature, 1)
    )
    own = tiny_run.predictions
    assert np.abs(hot - own["p1"]).max() < 1e-4 < np.abs(plain - own["p1"]).max()
    known = own["loss"].notna()
    assert tiny_run.metrics["nll"] == pytest.approx(own["loss"][known].mean(), rel=1e-4)


def test_without_validation_photos_the_softmax_stays_plain_and_a_line_says_so(
    sample_root, tmp_path, one_figure, capsys
):
    words = run_words("fc_only", sample_root, tmp_path / "run", epochs=1)
    assert command(*words, "--set", "val_fraction=0") == 0
    assert "NOTE: no photo validates, so the temperature" in capsys.readouterr().out
    run = open_run(tmp_path / "run")
    assert load_model(run.model_path).temperature == run.metrics["temperature"] == 1
    assert run.metrics["val_ece"] is run.metrics["threshold95"] is None
    assert "are no measure of how often" in (run.folder / "model_card.md").read_text()
    assert command("report", run.folder, "--data", sample_root) == 0
    assert "No photo validates" in (run.folder / "report.html").read_text()


def test_from_random_weights_batchnorm_learns_whatever_the_recipe_says(two_step):
    assert make_config("two_step").frozen_batchnorm
    for folder in (two_step, two_step / "top20"):
        assert not open_run(folder).config.frozen_batchnorm


@pytest.mark.parametrize("approach", ["direct", "two_step"])
def test_children_that_a_setting_freezes_stay_as_the_weights_have_them(
    approach, sample_root, tmp_path
):
    start = build_network(1000, None, Config("direct", backbone="tiny"))
    torch.save(start.state_dict(), tmp_path / "weights.pth")
    given = (approach, sample_root, tmp_path / "weights.pth", tmp_path / "run")
    settings = TINY | {"largest": 3, "frozen_batchnorm": False, "frozen_children": 7}
    before = dict(start.named_children())
    for run in run_approach(*given, **settings):
        stands_still = {
            name: all(
                torch.equal(tensor, before[name].state_dict()[key])
                for key, tensor in child.state_dict().items()
            )
            for name, child in load_model(run.model_path).model.named_children()
            if name != "fc" and child.state_dict()
        }
        assert [name for name, still in stands_still.items() if not still] == ["layer4"]


def test_from_random_weights_no_setting_freezes_the_first_children(sample_root, tmp_path, capsys):
    settings = TINY | {"largest": 3, "frozen_children": 7}
    given = ("two_step", sample_root, "none", tmp_path / "run")
    first, last = run_approach(*given, **settings)
    assert "so frozen_children freezes nothing" in capsys.readouterr().out
    assert first.config.frozen_children == last.config.frozen_children == 0
    model, start = load_model(first.model_path).model, build_network(3, None, first.config)
    assert not torch.equal(model.conv1.weight, start.conv1.weight)
    assert [run.is_finished for run in run_approach(*given, **settings)] == [True, True]


def test_two_steps_say_each_note_once(wide_root, tmp_path, capsys):
    for lr, expected in ((0.01, ["BatchNorm"]), (0.02, ["lr=0.02", "BatchNorm"])):
        say_once.cache_clear()  # as in a fresh process
        configs = [make_config(step, lr=lr) for step in ("two_step", "top20")]
        data = load_data(wide_root, configs[0], quiet=True)
        for config in configs:
            start_run(tmp_path / f"{config.training} {lr}", config, data, "none")
        notes = [line for line in capsys.readouterr().out.splitlines() if line.startswith("NOTE")]
        assert len(notes) == len(expected)
        assert all(word in note for word, note in zip(expected, notes, strict=True))


def test_the_same_command_again_trains_nothing_and_changes_nothing(
    fc_only, sample_root, one_figure, capsys
):
    before = {path.name: path.read_bytes() for path in fc_only.iterdir() if path.is_file()}
    assert command(*run_words("fc_only", sample_root, fc_only, epochs=3)) == 0
    assert "finished" in capsys.readouterr().out
    assert before == {path.name: path.read_bytes() for path in fc_only.iterdir() if path.is_file()}


def test_a_folder_that_holds_a_run_with_other_settings_is_refused_and_left_alone(
    fc_only, sample_root, capsys
):
    before = (fc_only / "metrics.json").read_bytes()
    assert command(*run_words("fc_only", sample_root, fc_only, epochs=4)) == 2
    assert "other settings: epochs (3, now 4)" in capsys.readouterr().err
    assert (fc_only / "metrics.json").read_bytes() == before


def test_a_folder_with_something_else_in_it_is_refused(sample_root, tmp_path, capsys):
    (tmp_path / "thesis.txt").write_text("mine")
    assert command(*run_words("direct", sample_root, tmp_path)) == 2
    assert "holds something that isn't a run" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_another_tools_run_json_is_no_run_to_go_on_with_nor_to_delete(
    sample_root, tmp_path, capsys
):
    (tmp_path / "run.json").write_text('{"job": 7}')
    assert command(*run_words("direct", sample_root, tmp_path)) == 2
    assert "holds something that isn't a run; name another folder" in capsys.readouterr().err
    assert (tmp_path / "run.json").read_text() == '{"job": 7}'


def test_an_impossible_setting_is_refused_by_name(sample_root, tmp_path, capsys):
    words = ["run", "direct", "--data", sample_root, "--out", tmp_path / "run"]
    assert command(*words, "--epochs", 0) == 2
    assert "epochs must be a whole number from 1" in capsys.readouterr().err
    assert command(*words, "--set", "learning_rate=1") == 2
    assert "no setting is called 'learning_rate'" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_two_steps_leave_the_first_step_inside_the_second(two_step):
    first, second = open_run(two_step / "top20"), open_run(two_step)
    assert first.config.training == "top20" and second.config.training == "two_step"
    assert (len(first.per_class), len(second.per_class)) == (20, 24)
    assert first.metrics["n_test"] < second.metrics["n_test"]
    assert first.per_class["label"].tolist() == second.per_class["label"].tolist()[:20]


def test_a_refused_two_step_leaves_nothing_in_the_other_run(fc_only, wide_root):
    assert command(*run_words("two_step", wide_root, fc_only)) == 2
    assert not (fc_only / "top20").exists()


def test_weights_that_do_not_fit_are_refused_before_a_run_folder_is_made(
    sample_root, tmp_path, capsys
):
    save_file({"conv1.weight": torch.zeros(1)}, tmp_path / "w.safetensors")
    words = run_words("direct", sample_root, tmp_path / "run", weights=tmp_path / "w.safetensors")
    assert command(*words) == 2
    assert "w.safetensors holds no ResNet" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_run_is_not_taken_up_with_other_labels_but_is_where_the_data_moved(
    fc_only, sample_root, one_figure, tmp_path, capsys
):
    moved = tmp_path / "moved"
    shutil.copytree(sample_root, moved)
    words = run_words("fc_only", moved, fc_only, epochs=3)
    assert command(*words) == 0
    styles = (moved / "styles.csv").read_text()
    (moved / "styles.csv").write_text(
        styles.replace(",Tops,", ",?,").replace(",Handbags,", ",Tops,").replace(",?,", ",Handbags,")
    )
    assert command(*words) == 2
    assert "other settings: data fingerprint" in capsys.readouterr().err


def test_figures_are_drawn_again_without_training(two_step, wide_root, monkeypatch):
    monkeypatch.setattr("fashion_tl.running.fit", None)
    assert command("figures", two_step, "--data", wide_root) == 0
    names = {path.stem for path in two_step.rglob("figures/*.png")}
    of_the_data = "distribution distribution20 weight sampledata sampledata2".split()
    of_the_steps = "loss_20 loss_142 sample_results_20 sample_results_142".split()
    assert {*of_the_data, *of_the_steps} <= names


def test_figures_of_other_data_are_refused(two_step, tmp_path, capsys):
    assert command("sample", "--to", tmp_path / "other", "--photos", 80, "--types", 6) == 0
    assert command("figures", two_step, "--data", tmp_path / "other") == 2
    assert "was made on a sample that was drawn with other photos" in capsys.readouterr().err


def test_predict_names_the_five_most_likely_classes_of_any_photo(fc_only, sample_root, capsys):
    photo = next((sample_root / "images").iterdir())
    assert command("predict", fc_only, photo) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == str(photo) and len(lines) == 6
    shares = [float(line.split("%")[0]) for line in lines[1:]]
    assert shares == sorted(shares, reverse=True) and 90 < sum(shares) < 100.3
    assert {line.split("%")[1].strip() for line in lines[1:]} <= set(
        open_run(fc_only).per_class["label"]
    )


def test_predict_agrees_with_the_runs_own_predictions(fc_only, sample_root, capsys):
    row = open_run(fc_only).predictions.iloc[0]
    assert command("predict", fc_only, sample_root / "images" / f"{row['id']}.jpg") == 0
    assert row["top1"] in capsys.readouterr().out.splitlines()[1]


def test_predict_names_a_photo_it_can_not_read_and_answers_for_the_others(
    fc_only, sample_root, tmp_path, capsys
):
    (tmp_path / "text.jpg").write_text("not a photo")
    photo = next((sample_root / "images").iterdir())
    assert command("predict", fc_only, tmp_path / "text.jpg", photo) == 2
    output = capsys.readouterr()
    assert "text.jpg: not a photo" in output.err and str(photo) in output.out


def test_a_runs_figures_say_whether_its_recipe_was_changed(tmp_path):
    for name, settings, words in (
        ("own", {"epochs": 2, "seed": 1}, "tuned recipe"),
        ("changed", {"lr": 0.5}, "tuned recipe, changed"),
    ):
        config = make_config("direct", **settings)
        about = {"name": "some", "photos": 6, "fingerprint": "1"}
        run = create_run(
            tmp_path / name, config, about, {"name": "random weights", "fingerprint": None}
        )
        assert run.source.endswith(f" · {words}")


def test_predict_without_a_run_says_so(tiny_run, sample_root, tmp_path, capsys):
    assert command("predict", tmp_path, "photo.jpg") == 2
    assert (
        "is not a run folder" in (said := capsys.readouterr().err) and "runs lie in it" not in said
    )
    assert command("report", tiny_run.folder.parent, "--data", sample_root) == 2
    assert f"; runs lie in it: {tiny_run.folder.name}" in capsys.readouterr().err


@pytest.fixture
def offline(monkeypatch):
    """No weights can be downloaded."""

    def fail(*args, **kwargs):
        raise URLError("no network")

    monkeypatch.setattr(ResNet18_Weights, "get_state_dict", fail)
    monkeypatch.setattr(weights, "_knock", lambda url: None)


@pytest.fixture
def trained_with(sample_root, tmp_path, monkeypatch):
    """``trained_with(*words)``: the settings with which `run` would train FC only or Direct."""
    given = []

    def begin(data, found, folder, config):
        given.append(config)
        raise KeyboardInterrupt

    for name in ("fc_only", "direct"):
        monkeypatch.setattr(approaches, name, begin)

    def try_out(approach, *words, weights="IMAGENET1K_V1"):
        place = ("--data", sample_root, "--out", tmp_path / "run", "--weights", weights)
        assert command("run", approach, *place, "--set", "backbone=tiny", *words) == 130
        return given.pop()

    return try_out


def test_without_a_network_the_sample_gets_other_settings_than_the_recipes_and_a_line_says_which(
    trained_with, offline, capsys
):
    config = trained_with("direct")
    changed = {
        "image_size": (80, 60),
        "optimizer": "sgd",
        "lr": 0.005,
        "backbone_lr_ratio": 1.0,
        "weight_decay": 1e-4,
        "mixup": 0.0,
    }
    assert config == make_config("direct", backbone="tiny", **changed)
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "optimizer" in line]
    assert line == (
        "direct starts without its weights, so these settings change: image_size=80x60, "
        "optimizer=sgd, lr=0.005, backbone_lr_ratio=1.0, weight_decay=0.0001, mixup=0.0"
    )


def test_without_a_network_a_setting_that_was_given_stays(trained_with, offline, capsys):
    config = trained_with("fc_only", "--set", "lr=0.5")
    assert config.lr == 0.5 and config.image_size == (80, 60)
    assert "these settings change: image_size=80x60\n" in capsys.readouterr().out
    given = ("--set", "lr=0.5", "--set", "image_size=32x32")
    assert trained_with("fc_only", *given).image_size == (32, 32)
    assert "these settings change" not in capsys.readouterr().out


@pytest.mark.parametrize("approach", ["fc_only", "direct"])
def test_without_a_network_the_published_recipe_stays_as_it_is(
    trained_with, offline, approach, capsys
):
    published = make_config(approach, "published", backbone="tiny")
    assert trained_with(approach, "--recipe", "published") == published
    assert "these settings change" not in capsys.readouterr().out


def test_who_asks_for_random_weights_gets_the_recipe(trained_with, capsys):
    assert trained_with("direct", weights="none") == make_config("direct", backbone="tiny")
    assert "these settings change" not in capsys.readouterr().out


def test_a_run_on_real_data_without_weights_stops_and_names_the_three_ways(
    sample_root, tmp_path, offline, capsys
):
    shutil.copytree(sample_root, tmp_path / "mine")
    (tmp_path / "mine" / "sample.json").unlink()  # now it is somebody's own data
    assert (
        command("run", "fc_only", "--data", tmp_path / "mine", "--out", tmp_path / "run", *QUICK)
        == 2
    )
    assert "Give the weights in one of three ways" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_ctrl_c_keeps_the_best_and_the_same_command_goes_on(
    sample_root, tmp_path, one_figure, interrupt, monkeypatch, capsys
):
    words = run_words("direct", sample_root, tmp_path / "run")
    interrupt(1)
    assert command(*words) == 130
    assert "the same command goes on" in capsys.readouterr().err
    assert not open_run(tmp_path / "run").is_finished
    monkeypatch.undo()
    assert command(*words) == 0
    assert "going on after epoch 1 of 2" in capsys.readouterr().out
    assert open_run(tmp_path / "run").metrics["epochs"] == 2


def test_measured_after_ctrl_c_a_run_is_not_finished_also_when_its_damaged_checkpoint_was_deleted(
    tmp_path,
):
    for interrupted in (True, False):
        text = json.dumps(METRICS | {"interrupted": interrupted})
        (tmp_path / "metrics.json").write_text(text)
        assert Run(tmp_path, {}).is_finished is not interrupted


KILLED_WHERE = """
import json, os, signal, sys
from fashion_tl import approaches
from fashion_tl.__main__ import main
from fashion_tl.network import features, training
import tests.tiny

outputs, validate, calls = features.outputs, training.validate, []

def kill_myself():
    os.kill(os.getpid(), signal.SIGKILL)

def killed_while_features_are_written(*args, **options):
    yield next(outputs(*args, **options))
    kill_myself()

def killed_in_a_validation(*args):
    calls.append(1)
    if len(calls) == which:
        kill_myself()
    return validate(*args)

for words, which in json.loads(sys.argv[1]):
    if child := os.fork():
        print("exit code", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    elif which == "features":
        features.outputs, features.BATCH = killed_while_features_are_written, 16
        os._exit(main(words))
    else:
        training.validate = killed_in_a_validation
        os._exit(main(words))
"""
# Of each approach: the validations in which a process is killed, one after another: in the second
# epoch, of two steps in that of either one.
KILLS = {"fc_only": (2,), "direct": (2,), "two_step": (2, 3)}


@pytest.fixture(scope="module")
def killed(sample_root, wide_root, tmp_path_factory):
    """The words of commands that real SIGKILLs ended, by approach, and those of one that was killed
    while features were written.

    The processes are forked from a single one, which imports torch once.
    """
    home = tmp_path_factory.mktemp("killed")
    features = run_words("fc_only", sample_root, home / "features" / "run", epochs=1)
    features += ["--cache", str(home / "features" / "cache"), "--set", "val_fraction=0"]
    words = {
        name: [*run_words(name, wide_root, home / name), "--cache", str(home / f"{name} cache")]
        for name in KILLS
    }
    jobs = [(words[name], number) for name, numbers in KILLS.items() for number in numbers]
    jobs.append((features, "features"))
    done = subprocess.run(
        [sys.executable, "-c", KILLED_WHERE, json.dumps(jobs)], capture_output=True, text=True
    )
    codes = [line for line in done.stdout.splitlines() if line.startswith("exit code")]
    assert codes == ["exit code -9"] * len(jobs), done.stderr
    finished = [path.parent.name for path in home.rglob("metrics.json")]
    assert finished == ["top20"]  # of two steps, the second kill was in the second one
    return words | {"features": features}


def test_killed_while_features_are_written_it_starts_them_again(killed, one_figure):
    words = killed["features"]
    cache = Path(words[words.index("--cache") + 1])
    assert not list(cache.glob("features-*"))
    assert command(*words) == 0
    assert len(list(cache.glob("features-*"))) == 2  # even years and odd years


@pytest.mark.parametrize("approach", KILLS)
def test_a_killed_run_goes_on_and_ends_as_one_that_never_stopped(
    killed, wide_root, one_figure, tmp_path, request, approach
):
    """Bit for bit, on the CPU."""
    words = killed[approach]
    folder = Path(words[words.index("--out") + 1])
    assert command(*words) == 0
    if approach == "two_step":
        never_stopped = request.getfixturevalue("two_step")  # of the same settings
    else:
        never_stopped = tmp_path / "whole"
        whole = run_words(approach, wide_root, never_stopped)
        assert command(*whole, "--cache", tmp_path / "whole cache") == 0
    for step in [".", "top20"] if approach == "two_step" else ["."]:
        ours, whole = folder / step, never_stopped / step
        for name in FILES - {"history.csv", "metrics.json", "model_card.md"}:
            assert (ours / name).read_bytes() == (whole / name).read_bytes(), name
        one, other = (
            pd.read_csv(each / "history.csv").drop(columns="seconds") for each in (ours, whole)
        )
        pd.testing.assert_frame_equal(one, other, check_exact=True)
    assert not list(folder.rglob("*.pt")) and not list(folder.rglob(".*"))
