"""Trials judged by years left out: what they learn from, what they score, what they keep."""

import shutil

import numpy as np
import pandas as pd
import pytest
import torch

from fashion_tl.config import Config
from fashion_tl.data.dataset import load_data
from fashion_tl.errors import ConfigError, DataError, RunError, WriteError
from fashion_tl.network.model import build_network
from fashion_tl.network.training import Fitted
from fashion_tl.runfiles import read_table
from fashion_tl.runs import write_table
from study import fewer, trials
from study.blocks.runs import fewer as fewer_block
from tests.conftest import TINY


@pytest.fixture
def even_years(sample_root, monkeypatch):
    """Data, and their even years, of which the first two are left out in turn."""
    data = load_data(sample_root, Config("direct"), quiet=True)
    table = data.catalogue.table
    years = sorted(set(table.loc[data.catalogue.trains, "year"]))
    monkeypatch.setattr(trials, "FOLDS", ((years[0],), (years[1],)))
    return data, years


def tiny_weights(folder):
    file = folder / "weights.pth"
    torch.save(build_network(1000, None, Config("direct", backbone="tiny")).state_dict(), file)
    return str(file)


def test_the_years_left_out_are_neither_learned_nor_validated_but_scored(even_years):
    data, years = even_years
    part = trials.without(data, years[:1], 0.5)
    of = data.catalogue.table["year"].to_numpy(dtype=int)
    assert years[0] not in {*of[part.task.train], *of[part.task.val]}
    assert set(of[part.task.test]) == {years[0]}
    left = np.bincount(data.task.labels[data.task.train[of[data.task.train] != years[0]]])
    assert (part.task.fit_counts[: len(left)] == np.ceil(left / 2)).all()


@pytest.mark.parametrize("approach", ["fc_only", "direct", "two_step"])
def test_a_trial_scores_each_year_by_a_network_that_learned_without_it(
    approach, even_years, sample_root, tmp_path, monkeypatch, capsys
):
    data, years = even_years
    settings = TINY | ({"largest": 3} if approach == "two_step" else {})
    monkeypatch.setattr(trials, "TRIALS", {"a trial": trials.Trial(approach, settings)})
    given = (str(sample_root), tiny_weights(tmp_path), str(tmp_path / "out"), tmp_path)
    trials.main(*given)
    table = read_table(tmp_path / "trials.csv").set_index("on")
    assert set(table.index) == {str(years[0]), str(years[1]), "val"}
    assert (table["correct"] <= table["n"]).all() and (table["n"] > 0).all()
    of = data.catalogue.table.loc[data.catalogue.trains, "year"]
    assert table.loc[str(years[0]), "n"] <= (of == years[0]).sum()
    trials.main(*given)  # another process
    assert "another process makes this trial" in capsys.readouterr().out
    assert len(read_table(tmp_path / "trials.csv")) == 3


def test_trainings_with_fewer_operations_are_tried_beside_whole_ones_seed_by_seed(
    even_years, sample_root, tmp_path, monkeypatch
):
    _, years = even_years
    settings = TINY | {"largest": 3, "epochs": 2}
    ways = {
        "whole": settings,
        "shorter": settings | {"epochs": 1},
        "frozen": settings | {"frozen_children": 7},
    }
    monkeypatch.setattr(fewer, "YEARS", years[:2])
    monkeypatch.setattr(fewer, "SEEDS", range(2))
    monkeypatch.setattr(fewer, "WAYS", ways)
    monkeypatch.setattr(fewer, "available_weights", lambda *words, **more: None)  # of a ResNet-50
    given = (str(sample_root), tiny_weights(tmp_path), str(tmp_path / "out"), tmp_path)
    fewer.main(*given)
    table = read_table(tmp_path / "fewer.csv")
    assert set(table["on"]) == {*map(str, years[:2]), "val"}
    assert set(table["training"]) == {"direct", "top20", "two_step"}
    assert len(table) == 3 * 3 * 2 * 3 and (table["correct"] <= table["n"]).all()
    needed = table.groupby(["training", "trial"])["operations"].first().unstack()
    assert (needed["frozen"] < needed["whole"]).all() and (
        needed["shorter"] < needed["whole"]
    ).all()
    shutil.rmtree(tmp_path / "out" / "two_step_whole_1")
    fewer.main(*given)  # makes only that one again
    assert len(read_table(tmp_path / "fewer.csv")) == len(table)


@pytest.mark.parametrize("study", [trials, fewer])
def test_an_interrupted_trial_is_not_recorded_and_made_again(
    study, even_years, sample_root, tmp_path, monkeypatch
):
    def interrupted(*words, **more):
        return Fitted(pd.DataFrame(), True, 0)

    monkeypatch.setattr(trials, "TRIALS", {"a trial": trials.Trial("fc_only", TINY)})
    monkeypatch.setattr(fewer, "YEARS", even_years[1][:2])
    monkeypatch.setattr(fewer, "WAYS", {"whole": TINY})
    monkeypatch.setattr(trials, "fit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        study.main(str(sample_root), "none", str(tmp_path / "out"), tmp_path / "results")
    assert not [*(tmp_path / "out").iterdir()]
    assert not [*tmp_path.glob("results/*.csv")]


def test_a_way_is_compared_with_the_whole_training_of_the_same_seeds(tmp_path):
    rows = [
        {"training": training, "trial": way, "seed": seed, "on": on, "n": 100, "correct": correct}
        | {"train": 9, "operations": cost, "seconds": cost, "commit": commit}
        for training, way, seed, correct, cost, commit in (
            ("direct", "whole", 0, 50, 10.0, "a"),
            ("direct", "whole", 1, 60, 30.0, "a"),
            ("direct", "whole", 2, 90, 99.0, "a"),
            ("direct", "grown", 0, 40, 5.0, "a"),
            ("direct", "grown", 1, 58, 13.0, "another day's"),
            ("top20", "whole", 0, 80, 2.0, "a"),
            ("top20", "grown", 0, 81, 1.0, "another day's"),
            ("direct", "lone", 7, 10, 1.0, "a"),
        )
        for on in ("2010", "val")
    ]
    write_table(tmp_path / "fewer.csv", pd.DataFrame(rows))
    compared = [line for line in fewer_block(tmp_path).splitlines() if line.startswith("- ")]
    assert compared == [
        "- direct, grown beside whole: -6.0 points of the criterion (-10.0 to -2.0 over 2 seeds), "
        "with 45% of the operations and in 50% of the time.",
        "- top20, grown beside whole: +1.0 points of the criterion (+1.0 to +1.0 over 1 seeds), "
        "with 50% of the operations.",
    ]
    write_table(tmp_path / "fewer.csv", pd.DataFrame(rows[-2:]))
    assert "beside whole" not in fewer_block(tmp_path)


def test_a_trial_that_cannot_be_kept_can_be_made_again(sample_root, tmp_path, monkeypatch):
    judged = [{"on": "val", "n": 2, "correct": 1}]
    monkeypatch.setattr(trials, "TRIALS", {"a trial": trials.Trial("fc_only", TINY)})
    monkeypatch.setattr(trials, "FOLDS", ((2010,), (2012,)))
    monkeypatch.setattr(trials, "judged", lambda *words: judged)
    given = (str(sample_root), "none", str(tmp_path / "out"), tmp_path)
    (tmp_path / "trials.csv").write_text("damaged")
    with pytest.raises(RunError, match=r"trials.csv is damaged"):
        trials.main(*given)
    (tmp_path / "trials.csv").unlink()
    trials.main(*given)
    assert read_table(tmp_path / "trials.csv")["trial"].tolist() == ["a trial"]


@pytest.mark.parametrize("study", [trials, fewer])
def test_a_damaged_table_is_refused_before_anything_is_trained(
    study, even_years, sample_root, tmp_path, monkeypatch
):
    def judged(*words):
        raise AssertionError("trained")

    monkeypatch.setattr(study, "judged", judged)
    name = f"{study.__name__.rpartition('.')[2]}.csv"
    (tmp_path / name).write_text("damaged")
    with pytest.raises(RunError, match=f"{name} is damaged"):
        study.main(str(sample_root), "none", str(tmp_path / "out"), tmp_path)
    assert not (tmp_path / "out").exists()


def test_a_folder_of_trials_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("mine")
    for place in ("file", "file/deeper"):
        with pytest.raises(WriteError, match=r"file/.*can't be written \(Not a directory\)"):
            trials.claimed(tmp_path / place / "whole_0")
    assert (tmp_path / "file").read_text() == "mine"


def test_years_that_the_data_lack_are_an_error(even_years, monkeypatch):
    data, years = even_years
    monkeypatch.setattr(trials, "FOLDS", ((years[0], 1999), (1998, 1999)))
    with pytest.raises(DataError, match="no photo of 1998 or 1999 trains"):
        trials.refuse_without_years(data)


def test_an_unknown_trial_is_refused_by_name(sample_root, tmp_path):
    with pytest.raises(ConfigError, match="no trial 'magic'; there are: direct"):
        trials.main(str(sample_root), "none", str(tmp_path), tmp_path, only=["magic"])
