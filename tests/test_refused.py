"""What a run refused as unknown, rightly or wrongly: its metrics and its report."""

import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from torch import nn

from fashion_tl.data.task import Task
from fashion_tl.network import unknown
from fashion_tl.network.memory import build_memory, read_memory
from fashion_tl.network.unknown import doubts
from fashion_tl.reporting.report import write_report
from fashion_tl.reporting.unknown import refused_and_missed, unknown_metrics
from fashion_tl.runs import open_run, write_table
from tests.test_report import Page

COUNTS = pd.DataFrame({"label": ["Shirts", "Jeans", "Lipstick"], "train": [5, 3, 0]})


def predictions(rows):
    """Rows of (label, refused, score)."""
    table = pd.DataFrame(rows, columns=["label", "unknown", "unknown_score"])
    return table.assign(id=[str(number) for number in range(len(table))])


def test_shares_and_auroc_are_those_of_a_small_example():
    table = predictions(
        [
            ("Shirts", False, 0.1),
            ("Shirts", True, 0.6),
            ("Jeans", False, 0.2),
            ("Jeans", False, 0.3),
            ("Lipstick", True, 0.7),
            ("Lipstick", False, 0.4),
        ]
    )
    assert unknown_metrics(table, COUNTS) == {
        "unknown_auroc": 7 / 8,
        "unknown_accepted": 1 / 2,
        "known_accepted": 3 / 4,
    }
    kinds = {kind: rows["id"].tolist() for kind, rows in refused_and_missed(table, COUNTS).items()}
    assert kinds == {"rightly": ["4"], "wrongly": ["1"], "missed": ["5"]}


def test_without_unknown_photos_or_without_scores_there_is_no_metric():
    known = predictions([("Shirts", False, 0.1), ("Jeans", True, 0.6)])
    assert unknown_metrics(known, COUNTS) == {
        "unknown_auroc": None,
        "unknown_accepted": None,
        "known_accepted": 0.5,
    }
    older = known.drop(columns=["unknown", "unknown_score"])
    assert set(unknown_metrics(older, COUNTS).values()) == {None}
    assert refused_and_missed(older, COUNTS) == {}


def test_a_photo_unlike_all_others_has_a_higher_score_and_a_threshold_decides():
    rng = np.random.default_rng(0)
    features = rng.uniform(0, 0.2, (60, 32)).astype(np.float32)
    features[:, :4] += 3
    other = rng.uniform(0, 0.2, (5, 32)).astype(np.float32)
    other[:, 8:12] += 3
    memory = build_memory(features, [str(i) for i in range(60)], np.zeros(60), ["x"])
    both = np.concatenate([features, other])
    scores = doubts(memory, both)["unknown_score"]
    assert scores[:60].max() < scores[60:].min()
    assert not doubts(memory, both)["unknown"].any()
    sure = replace(memory, threshold=float(scores[:60].max()))
    assert doubts(sure, both)["unknown"].tolist() == [False] * 60 + [True] * 5


def test_the_threshold_accepts_95_percent_of_the_validation_photos_whose_class_is_known(
    monkeypatch,
    capsys,
):
    rng = np.random.default_rng(0)
    train, val = (rng.normal(size=(n, 16)).astype(np.float32) for n in (100, 220))
    labels = np.array([0, 1] * 50 + [0, 1] * 100 + [2] * 20)  # no training photo is of class 2
    val[200:] *= -1
    task = Task(("a", "b", "c"), labels, np.arange(100), np.arange(100, 320), np.arange(0))
    table = pd.DataFrame({"id": [str(number) for number in range(100)]})
    data = SimpleNamespace(task=task, table=lambda part: table)
    monkeypatch.setattr(unknown, "features_and_logits", lambda *parts: (train, None))
    network = nn.Linear(16, 3)
    memory = unknown.training_memory(network, data, None, val)
    refused = doubts(memory, val)["unknown"]
    assert refused[:200].sum() == 10  # one in twenty
    assert capsys.readouterr().out == ""
    data.task = replace(task, val=np.arange(100, 119))
    unknown.training_memory(network, data, None, val[:19])
    said = (
        "NOTE: only 19 photos validated, so far more than 1 in 20 good photos may be called unknown"
    )
    assert capsys.readouterr().out.strip() == said
    data.task = replace(task, val=task.val[:0])
    assert unknown.training_memory(network, data, None, val[:0]).threshold == np.inf


@pytest.fixture
def page(tiny_run, sample_root, tmp_path):
    """The page of a run that refused a photo of each kind."""
    shutil.copytree(tiny_run.folder, tmp_path / "run")
    run = open_run(tmp_path / "run")
    table = run.predictions
    unseen = run.per_class.loc[run.per_class["train"] == 0, "label"]
    is_unknown = table["label"].isin(unseen)
    table["unknown"] = False
    table.loc[[is_unknown.idxmax(), (~is_unknown).idxmax()], "unknown"] = True
    write_table(run.folder / "predictions.csv.gz", table)
    return Page(write_report(run.folder, sample_root, to=tmp_path / "page.html").read_text("utf-8"))


def test_the_report_tells_which_photos_were_refused_rightly_and_wrongly(page):
    summaries = [text for text in page.texts("summary") if "refused" in text or "accepted" in text]
    assert summaries[0].startswith("Rightly refused: the class has no training photo (1 photo)")
    assert summaries[1].startswith("Wrongly refused: the class has training photos (1 photo)")
    assert summaries[2].startswith("Wrongly accepted: the class has no training photo (")


def test_each_large_mistake_shows_its_three_nearest_training_photos(page, tiny_run):
    memory = read_memory(tiny_run.memory_path)
    shown = [a["alt"] for a in page.attributes("img") if a["alt"].startswith("training photo ")]
    assert len(shown) == 3 * min(12, len(tiny_run.predictions))
    assert {alt.removeprefix("training photo ") for alt in shown} <= set(memory.ids)


def test_the_report_of_a_run_without_a_memory_has_neither(tiny_run, sample_root, tmp_path):
    shutil.copytree(tiny_run.folder, tmp_path / "run")
    run = open_run(tmp_path / "run")
    run.memory_path.unlink()
    table = run.predictions.drop(columns=["unknown", "unknown_score"])
    write_table(run.folder / "predictions.csv.gz", table)
    text = write_report(run.folder, sample_root).read_text("utf-8")
    assert "nearest training" not in text and "Refused as unknown" not in text
