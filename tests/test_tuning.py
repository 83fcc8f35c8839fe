"""The scripts behind the results, tried on a drawn catalogue: trials, variants, heads, and what the years share."""

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from fashion_tl.config import Config
from fashion_tl.data.dataset import load_data
from fashion_tl.data.sample import draw_sample
from fashion_tl.errors import RunError
from fashion_tl.network.model import build_network
from fashion_tl.recipes import make_config
from fashion_tl.runs import open_run

RESULTS = Path(__file__).resolve().parents[1] / "results"
sys.path.insert(0, str(RESULTS))
TINY = {"image_size": (32, 32), "epochs": 1, "batch_size": 32, "precision": "fp32"}


def load(name):
    spec = importlib.util.spec_from_file_location(f"results_{name}", RESULTS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


tune, train, heads, flips, data_check = (load(name) for name in ("tune", "train", "heads", "flips", "data_check"))
runs_to_compare = load("make").runs_to_compare


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tuning")
    return draw_sample(folder / "catalogue", photos=240, types=22), folder / "cache"


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    file = tmp_path_factory.mktemp("weights") / "weights.pth"
    torch.save(build_network(1000, None, Config("direct")).state_dict(), file)
    return str(file)


@pytest.mark.parametrize("approach", tune.TRIALS)
def test_a_trial_trains_and_validates_but_tests_nothing_and_is_not_made_twice(approach, catalogue, weights, tmp_path):
    root, cache = catalogue
    settings = TINY | {"train_fraction": 0.5}
    data = load_data(root, Config(approach).change(**settings), cache)
    run = tune.trial(approach, settings, data, weights, tmp_path / approach)
    assert not {path.name for path in run.folder.rglob("*")} & {"predictions.csv.gz", "metrics.json", "checkpoint.pt"}
    row = tune.row(approach, "a trial", run, data)
    assert row["train_photos"] == len(data.task.train) and 0 <= row["val_accuracy"] <= 1
    before = (run.folder / "history.csv").stat().st_mtime_ns
    tune.trial(approach, settings, data, weights, tmp_path / approach)
    assert (run.folder / "history.csv").stat().st_mtime_ns == before
    with pytest.raises(RunError, match=r"other settings: lr"):
        tune.trial(approach, settings | {"lr": 0.5}, data, weights, tmp_path / approach)


def test_every_trial_can_be_made_of_settings_there_are():
    for approach, trials in tune.TRIALS.items():
        for settings in trials.values():
            Config(approach).change(**settings)
    assert tune.TRIALS["direct"].keys() == tune.TRIALS["two_step"].keys()


def test_a_trial_takes_the_place_of_the_same_one_and_the_others_stay(tmp_path, monkeypatch):
    monkeypatch.setattr(tune, "HERE", tmp_path)
    for approach, name, score in (("direct", "a", 1), ("direct", "b", 2), ("fc_only", "a", 3), ("direct", "a", 4)):
        tune.keep({"approach": approach, "trial": name, "val_accuracy": score})
    assert pd.read_csv(tmp_path / "tuning.csv")["val_accuracy"].tolist() == [4, 2, 3]


def test_lp_ft_starts_from_the_head_that_fc_only_learns_and_tests_once(catalogue, weights, tmp_path):
    root, cache = catalogue
    run = train.lp_ft(root, weights, tmp_path / "lp_ft", cache=cache, flip_test=False, **TINY)[0]
    assert run.is_finished and run.config.training == "direct"
    figures = flips.without_flips(run.folder, root, cache)
    assert figures == pytest.approx({figure: run.metrics[figure] for figure in figures})  # it was tested without, too
    with pytest.raises(RunError, match="made on other data"):
        flips.without_flips(run.folder, draw_sample(tmp_path / "other", photos=250, types=22), cache)
    head = open_run(tmp_path / "lp_ft" / "head")
    assert len(head.history) and not (head.folder / "predictions.csv.gz").exists()
    assert head.config.image_size == run.config.image_size


def test_direct_gets_as_many_photos_as_both_steps_of_two():
    both = 0.757 * make_config("top20").epochs + make_config("two_step").epochs
    assert abs(train.as_long_as_two_steps() - both) <= 0.5


def test_no_two_runs_on_a_gpu_are_the_same_and_each_is_compared_with_its_own_recipe():
    made = [(function, tuple(settings.items())) for function, settings, _ in train.GPU_RUNS.values()]
    assert len(set(made)) == len(made) == 2 * 3 * (2 + 3 + 3)  # FC only's own size is one of the two
    assert not set(train.GPU_RUNS) & set(train.RUNS)
    published = [name for name in train.GPU_RUNS if name.endswith("_published")]
    assert runs_to_compare([*train.GPU_RUNS]) == [(name.removesuffix("_published"), name) for name in published]


def test_a_head_is_scored_on_photos_that_chose_nothing(catalogue, weights, monkeypatch):
    root, cache = catalogue
    small = lambda training, **settings: make_config(training, **(settings | TINY))  # noqa: E731
    monkeypatch.setattr(heads, "make_config", small)
    data = load_data(root, small("fc_only"), cache)
    held_out = data.task.val
    result = heads.trained(weights, replace(data, task=replace(data.task, val=held_out)), "val")
    assert result["n_test"] == len(held_out) and result["train"] == len(data.task.train)
    assert heads.trained(weights, data, "test")["n_test"] == len(data.task.test)


def test_near_duplicates_are_found_by_their_difference():
    rng = np.random.default_rng(0)
    photos = rng.integers(0, 250, (6, 80, 60, 3), dtype=np.uint8)
    others = photos[[4, 2]].copy()
    others[1] += 3  # every level of one photo by 3
    i, j, difference = data_check.near_pairs(data_check.small(photos), data_check.small(others), limit=4)
    assert list(zip(i.tolist(), j.tolist(), difference.round(2).tolist(), strict=True)) == [(2, 1, 3.0), (4, 0, 0.0)]


def test_twins_whose_labels_differ_are_named_within_the_years_and_between_them():
    photos = np.random.default_rng(0).integers(0, 250, (4, 80, 60, 3), dtype=np.uint8)[[0, 0, 1, 1, 2, 2, 3, 3]]
    digests = np.array([b"a", b"a", b"b", b"b", b"c", b"c", b"d", b"d"])
    even = np.array([0, 1, 2, 6])  # both of a, one of b and one of d; both of c are of odd years
    labels = np.array([0, 1, 2, 0, 1, 2, 3, 3])
    task = SimpleNamespace(labels=labels, test=np.array([3, 4, 5, 7]), classes=("Shirts", "Tops", "Belts", "Ties"))
    data = SimpleNamespace(task=task, digests=digests, photos=SimpleNamespace(array=photos))
    named = [tuple(each.values()) for each in data_check.noise(data, even)]
    between, within = ("even and odd", "Shirts", "Belts", 1), ("even", "Shirts", "Tops", 1)
    assert named == [within, between, ("odd", "Tops", "Belts", 1)]
    exact = {words: tuple(each.values()) for words, each in data_check.shared(data, even).items() if "exact" in words}
    pairs, photos, differ = zip(*exact.values(), strict=True)
    assert [*exact] == ["even and odd years, exact", "even years, exact", "odd years, exact"]
    assert (pairs, photos, differ) == ((2, 1, 1), (2, 2, 2), (1, 1, 1))


def test_what_the_years_share_is_counted(catalogue):
    root, cache = catalogue
    data = load_data(root, Config("direct"), cache)
    even = np.flatnonzero(data.catalogue.trains)
    shared = data_check.shared(data, even)
    twins = pd.Series([*data.digests]).value_counts()
    exact = [each for words, each in shared.items() if words.endswith("exact")]
    assert sum(each["pairs"] for each in exact) == (twins * (twins - 1) // 2).sum() > 0
    assert len(data_check.shift(data, 3)) == 3
