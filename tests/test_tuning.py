"""The scripts behind the results, tried on a drawn catalogue: trials, variants, heads, and what the
years share.
"""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from fashion_tl.backbones import BACKBONES
from fashion_tl.config import Config
from fashion_tl.data.dataset import load_data
from fashion_tl.data.sample import draw_sample
from fashion_tl.errors import ConfigError, RunError
from fashion_tl.network.model import build_network
from fashion_tl.recipes import make_config
from fashion_tl.runs import open_run
from study import data_check, flips, heads, train, tune
from study.__main__ import main
from study.places import RESULTS
from study.records import read_looks, read_measured, read_records
from tests.conftest import TINY


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tuning")
    return draw_sample(folder / "catalogue", photos=240, types=22), folder / "cache"


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    file = tmp_path_factory.mktemp("weights") / "weights.pth"
    torch.save(build_network(1000, None, Config("direct", backbone="tiny")).state_dict(), file)
    return str(file)


@pytest.mark.parametrize("approach", tune.TRIALS)
def test_a_trial_trains_and_validates_but_tests_nothing_and_is_not_made_twice(
    approach, catalogue, weights, tmp_path
):
    root, cache = catalogue
    settings = TINY | {"train_fraction": 0.5}
    data = load_data(root, tune.trial_configs(approach, settings)[-1], cache)
    run = tune.trial(approach, settings, data, weights, tmp_path / approach)
    assert not {path.name for path in run.folder.rglob("*")} & {
        "predictions.csv.gz",
        "metrics.json",
        "checkpoint.pt",
    }
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
            tune.trial_configs(approach, settings)
    assert tune.TRIALS["direct"].keys() == tune.TRIALS["two_step"].keys()


def test_a_trial_takes_the_place_of_the_same_one_and_the_others_stay(tmp_path):
    for approach, name, score in (
        ("direct", "a", 1),
        ("direct", "b", 2),
        ("fc_only", "a", 3),
        ("direct", "a", 4),
    ):
        tune.keep({"approach": approach, "trial": name, "val_accuracy": score}, tmp_path)
    assert pd.read_csv(tmp_path / "tuning.csv")["val_accuracy"].tolist() == [4, 2, 3]


def test_lp_ft_starts_from_the_head_that_fc_only_learns_and_tests_once(
    catalogue, weights, tmp_path
):
    root, cache = catalogue
    run = train.lp_ft(root, weights, tmp_path / "lp_ft", cache=cache, flip_test=False, **TINY)[0]
    assert run.is_finished and run.config.training == "direct"
    figures = flips.without_flips(run.folder, root, cache)
    # It was tested without, too.
    assert figures == pytest.approx({figure: run.metrics[figure] for figure in figures})
    with pytest.raises(RunError, match="drawn with other photos"):
        flips.without_flips(
            run.folder, draw_sample(tmp_path / "other", photos=250, types=22), cache
        )
    head = open_run(tmp_path / "lp_ft" / "head")
    assert len(head.history) and not (head.folder / "predictions.csv.gz").exists()
    assert head.config.image_size == run.config.image_size


def test_runs_without_flips_join_those_that_were_measured_before(tmp_path, monkeypatch):
    figures = {"top1": 0.5, "correct": 7}
    about = {"commit": "c", "seed": 0, "epochs": 1}
    run = SimpleNamespace(metrics=about | figures, config=make_config("direct"))
    monkeypatch.setattr(flips, "refuse_unmeasured", lambda folder: None)
    monkeypatch.setattr(flips, "read_record", lambda results, name: None)
    monkeypatch.setattr(flips, "open_run", lambda folder: run)
    monkeypatch.setattr(flips, "without_flips", lambda *words: figures | {"top1": 0.4})
    for name in ("a", "b", "a"):
        flips.main([f"runs/{name}"], "d", None, tmp_path)
    found = read_measured(tmp_path, "flips")
    assert set(found) == {"a", "b"}
    assert found["a"] == {"with": figures, "without": figures | {"top1": 0.4}}
    assert read_looks(tmp_path)["run"].tolist() == ["a", "b"]


def test_the_head_of_lp_ft_learns_on_the_photos_and_the_network_of_the_training_after_it(
    catalogue, tmp_path
):
    root, cache = catalogue
    file = tmp_path / "tiny.pth"
    own = TINY | {"label": "masterCategory", "split": "random:0.3"}
    own |= {"split_seed": 3, "train_fraction": 0.5, "largest": 2}
    torch.save(BACKBONES["tiny"].build().state_dict(), file)
    (run,) = train.lp_ft(root, file, tmp_path / "lp_ft", cache=cache, **own)
    head = open_run(run.folder / "head").config
    shared = own.keys() & set(train.SHARED)
    assert {name: getattr(head, name) for name in shared} == {name: own[name] for name in shared}
    assert len(run.per_class) == 2


def test_direct_gets_as_many_photos_as_both_steps_of_two():
    both = 0.757 * make_config("top20").epochs + make_config("two_step").epochs
    assert abs(train.as_long_as_two_steps() - both) <= 0.5


def test_no_two_runs_on_a_gpu_are_the_same_and_each_is_compared_with_its_own_recipe():
    made = [(plan.train, *plan.settings.values()) for plan in train.GPU_PLANS]
    # FC only's own size is one of the two.
    assert len(set(made)) == len(made) == 2 * 3 * (2 + 3 + 3)
    entries = {entry.name: (plan, entry) for plan in train.GPU_PLANS for entry in plan.entries}
    assert not set(entries) & {entry.name for plan in train.PLANS for entry in plan.entries}
    assert len(entries) == len(made) + 2 * 3 * 3  # the first steps
    seeds = {}
    for plan, entry in entries.values():
        rest = {name: value for name, value in plan.settings.items() if name != "seed"}
        seeds.setdefault(entry.group, []).append((plan.settings["seed"], rest))
        if plan.settings["recipe"] == "published":
            (base,) = entry.base
            other = entries[base][0]
            assert other.train is plan.train and other.settings == plan.settings | {
                "recipe": "tuned"
            }
        else:
            assert entry.base == ()
    for runs in seeds.values():
        assert [seed for seed, _ in runs] == [0, 1, 2] and all(
            rest == runs[0][1] for _, rest in runs
        )


def test_the_plans_are_the_runs_on_record():
    """A GPU had time for some of its plans; all others were made."""

    def entries(*plans):
        return {entry.name: list(entry.base) for plan in plans for entry in plan.entries}

    on_record = {name: record.base for name, record in read_records(RESULTS).items()}
    made, for_a_gpu = entries(*train.PLANS, *train.TRIMMED_PLANS), entries(*train.GPU_PLANS)
    more = {name: base for name, base in for_a_gpu.items() if name in on_record}
    assert on_record == made | more


def test_a_training_or_trial_that_there_is_not_is_named_before_any_work():
    with pytest.raises(
        ConfigError, match=r"no training has the name 'dirct'; there are: fc_only, direct"
    ):
        train.chosen(["direct", "dirct"], gpu=False)
    with pytest.raises(ConfigError, match=r"no trial 'lr 7'; there are: "):
        tune.chosen_trials("fc_only", ["lr 7"])
    # The other trial is of other approaches.
    assert list(tune.chosen_trials("fc_only", ["mixup", "lr 3"])) == ["lr 3"]
    named = ["two_step", "gpu_direct_80x60_seed1"]
    assert [plan.name for plan in train.chosen(named, gpu=False)] == named


def test_flips_of_a_run_that_is_not_on_record_end_before_any_work(tiny_run, tmp_path, capsys):
    words = ["flips", str(tiny_run.folder), "--data", "nothing", "--results", str(tmp_path)]
    assert main(words) == 2
    assert "tiny: no run of this name is on record" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore:The least populated class")
def test_a_head_is_scored_on_photos_that_chose_nothing(catalogue, weights, monkeypatch):
    root, cache = catalogue
    config = make_config("fc_only", **TINY)
    data = load_data(root, config, cache)
    result = heads.trained(weights, data, data.counts, config, together=False)
    assert result["n_test"] == len(data.task.test) and result["train"] == len(data.task.train)
    even = data.task.train_and_val
    years = data.catalogue.table["year"].to_numpy()[even]
    monkeypatch.setattr(heads, "FEWEST", 1)
    folds, of_years = heads.held_out(weights, data, config)
    assert sum(fold["n_test"] for fold in folds) == len(even)
    assert {row["year"]: row["n_test"] for row in of_years} == {
        year: (years == year).sum() for year in np.unique(years)
    }
    for row in (*folds, *of_years):
        assert row["train"] + row["n_test"] == len(even)


def test_near_duplicates_are_found_by_their_difference():
    rng = np.random.default_rng(0)
    photos = rng.integers(0, 250, (6, 80, 60, 3), dtype=np.uint8)
    others = photos[[4, 2]].copy()
    others[1] += 3  # every level of one photo by 3
    i, j, difference = data_check.near_pairs(
        data_check.small(photos), data_check.small(others), limit=4
    )
    assert list(zip(i.tolist(), j.tolist(), difference.round(2).tolist(), strict=True)) == [
        (2, 1, 3.0),
        (4, 0, 0.0),
    ]


def test_twins_whose_labels_differ_are_named_within_the_years_and_between_them():
    photos = np.random.default_rng(0).integers(0, 250, (4, 80, 60, 3), dtype=np.uint8)[
        [0, 0, 1, 1, 2, 2, 3, 3]
    ]
    digests = np.array([b"a", b"a", b"b", b"b", b"c", b"c", b"d", b"d"])
    even = np.array([0, 1, 2, 6])  # both of a, one of b and one of d; both of c are of odd years
    labels = np.array([0, 1, 2, 0, 1, 2, 3, 3])
    task = SimpleNamespace(
        labels=labels, test=np.array([3, 4, 5, 7]), classes=("Shirts", "Tops", "Belts", "Ties")
    )
    data = SimpleNamespace(task=task, digests=digests, photos=SimpleNamespace(array=photos))
    named = [tuple(each.values()) for each in data_check.noise(data, even)]
    between, within = ("even and odd", "Shirts", "Belts", 1), ("even", "Shirts", "Tops", 1)
    assert named == [within, between, ("odd", "Tops", "Belts", 1)]
    exact = {
        words: tuple(each.values())
        for words, each in data_check.shared(data, even).items()
        if "exact" in words
    }
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
