"""An augmentation or an approach is a function and rows; refused settings leave nothing behind."""

import json
from pkgutil import resolve_name
from types import SimpleNamespace

import pytest
import torch

from fashion_tl import approaches, running
from fashion_tl.__main__ import main
from fashion_tl.approaches import run_approach
from fashion_tl.config import LOSS_AND_LOGITS
from fashion_tl.data import batches
from fashion_tl.data.dataset import load_data
from fashion_tl.errors import ConfigError, RunError
from fashion_tl.network.model import build_network, freeze_all_but_head
from fashion_tl.recipes import APPROACHES, TRAININGS, Approach, Training, make_config
from fashion_tl.reporting.gallery import draw_all
from fashion_tl.reporting.report import write_report
from study.record import record
from study.records import read_records
from tests import REPOSITORY
from tests.conftest import figures_alone
from tests.quick import QUICKEST, SETS


def test_an_augmentation_is_a_function_and_a_setting_and_fc_only_refuses_it_by_name(
    sample_root, tmp_path, monkeypatch
):
    seen = []
    # A new one would be a new field of Config; here an old setting stands in for it.
    monkeypatch.setitem(
        batches.AUGMENTATIONS, "flip_test", lambda photos, rng: seen.append(1) or photos
    )
    settings = QUICKEST | {"flip_test": True}
    data = load_data(sample_root, make_config("direct", **settings), quiet=True)
    train = data.batches("train", make_config("direct", **settings))
    next(train.shuffled(0, 0, torch.device("cpu")))
    assert seen
    with pytest.raises(ConfigError, match="flip_test: while only the last layer learns"):
        run_approach("fc_only", sample_root, "none", tmp_path / "run", **settings | {"lr": 0.01})


@pytest.mark.parametrize("name", APPROACHES)
def test_each_approach_has_a_function_and_trainings_and_is_told_in_the_documents(name):
    row = APPROACHES[name]
    assert callable(resolve_name(row.function))
    assert set(row.trainings) <= TRAININGS.keys()
    assert f"`{name}`" in (REPOSITORY / "docs" / "usage.md").read_text(encoding="utf-8")
    if row.notebook:
        first_page = (REPOSITORY / "README.md").read_text(encoding="utf-8")
        assert f"(notebooks/{row.notebook}.ipynb)" in first_page


def test_runs_in_another_order_than_in_the_table_are_refused(sample_root, tmp_path, monkeypatch):
    """Else results would go on record under each other's names."""
    add_head_twice(monkeypatch)
    runs = [SimpleNamespace(config=make_config(name)) for name in ("then_all", "head")]
    monkeypatch.setattr(approaches, "head_twice", lambda *given: runs)
    said = r"returned the runs of then_all, head; APPROACHES has head, then_all, in this order"
    with pytest.raises(RunError, match=said):
        run_approach("mine", sample_root, "none", tmp_path / "run", **QUICKEST)


def test_no_two_trainings_have_figures_of_the_same_name():
    suffixes = [row.suffix for row in TRAININGS.values()]
    assert len(set(suffixes)) == len(suffixes)


@pytest.mark.parametrize("name", batches.AUGMENTATIONS)
def test_an_augmentation_gives_photos_of_the_same_kind_and_the_same_ones_for_the_same_seed(name):
    photos = torch.randint(0, 256, (16, 8, 6, 3), dtype=torch.uint8)
    change = batches.AUGMENTATIONS[name]
    one, other = (change(photos.clone(), torch.Generator().manual_seed(3)) for _ in "ab")
    assert one.dtype == torch.uint8 and one.shape == photos.shape
    assert torch.equal(one, other) and not torch.equal(one, photos)


@pytest.mark.parametrize("approach", ["fc_only", "mine"])
def test_settings_that_are_refused_leave_no_folder_so_that_the_command_without_them_runs(
    approach, sample_root, tmp_path, monkeypatch
):
    add_head_twice(monkeypatch)
    monkeypatch.setitem(batches.AUGMENTATIONS, "trim", lambda photos, rng: photos)
    out = tmp_path / "run"
    settings = QUICKEST | {"lr": 0.01}
    with pytest.raises(ConfigError, match="trim: while only the last layer learns"):
        run_approach(approach, sample_root, "none", out, **settings, trim=True)
    assert not out.exists()
    assert run_approach(approach, sample_root, "none", out, **settings)[-1].is_finished


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"batch_size": 1, "frozen_batchnorm": True}, "batch_size=1 with image_size=32x32"),
        ({"balance": LOSS_AND_LOGITS}, "balance: an older version"),
    ],
)
@pytest.mark.parametrize("approach", ["direct", "two_step"])
def test_settings_that_no_network_can_learn_with_are_refused_before_a_folder_is_made(
    approach, settings, said, sample_root, tmp_path
):
    settings = QUICKEST | {"largest": 3} | settings
    with pytest.raises(ConfigError, match=said):
        run_approach(approach, sample_root, "none", tmp_path / "run", **settings)
    assert not (tmp_path / "run").exists()


def head_twice(data, weights, folder, first, config):
    """FC only, and then the whole network from there."""
    run = running.start_run(folder, config, data, weights)
    earlier = running.start_run(folder / first.training, first, data, weights)
    model = build_network(data.task.num_classes, weights, first)
    freeze_all_but_head(model)
    running.train_and_finish(model, data, earlier)
    model.requires_grad_(True)
    return [earlier, running.train_and_finish(model, data, run)]


def add_head_twice(monkeypatch):
    monkeypatch.setattr(approaches, "head_twice", head_twice, raising=False)
    row = Approach(
        "Head, then all", "fashion_tl.approaches:head_twice", ("head", "then_all"), "05_mine"
    )
    monkeypatch.setitem(APPROACHES, "mine", row)
    first = Training("First the head", "head", {}, head_only=True)
    monkeypatch.setitem(TRAININGS, "head", first)
    monkeypatch.setitem(TRAININGS, "then_all", Training("Then all of it", "all", {}))


def test_an_approach_is_a_function_and_rows_and_is_run_drawn_reported_and_recorded(
    sample_root, tmp_path, monkeypatch
):
    add_head_twice(monkeypatch)
    out = tmp_path / "run"
    words = ["run", "mine", "--data", sample_root, "--weights", "none", "--out", out, *SETS]
    with figures_alone("loss"):  # all of them are drawn below
        assert main([*map(str, words)]) == 0
    names = {path.name for path in draw_all(out, sample_root)}
    assert {"loss_head.png", "loss_all.png", "per_class_all.png"} <= names
    page = write_report(out, sample_root).read_text(encoding="utf-8")
    assert "First the head" in page and "Then all of it" in page
    about = json.loads((out / "run.json").read_text())
    about["data"]["is_sample"] = False  # the sample measures nothing, and is never recorded
    (out / "run.json").write_text(json.dumps(about))
    record(out, tmp_path / "results", None, "a test", [], None)
    assert read_records(tmp_path / "results")["then_all"].about["approach"] == "then_all"
