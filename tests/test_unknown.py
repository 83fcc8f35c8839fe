"""The study of unknown photos: which classes are hidden, what the scores say, and what is told."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import study.unknown
from fashion_tl.data.dataset import load_data
from fashion_tl.network.memory import build_memory
from fashion_tl.network.unknown import K
from fashion_tl.recipes import make_config
from study.blocks.unknown import unknown
from study.places import RESULTS
from study.records import read_measured
from study.scores import NEIGHBOURS, SCORES, Learned, Photos, accepted, auroc
from study.unknown import best, hidden_classes, measured, without


@pytest.fixture
def data(sample_root):
    return load_data(sample_root, make_config("fc_only"), quiet=True)


def test_each_class_of_even_years_is_hidden_once_and_with_its_master_category(data):
    hidden = hidden_classes(data)
    task = data.task
    even = np.unique(task.labels[task.train_and_val])
    fifths = np.concatenate([own for name, own in hidden.items() if name.startswith("fifth")])
    assert sorted(fifths) == even.tolist()
    table = data.catalogue.table
    for name, own in hidden.items():
        if name.startswith("all of "):
            category = name.removeprefix("all of ")
            labels = {task.classes[label] for label in own}
            rows = table["label"].isin(labels) & (table["masterCategory"] == category)
            assert set(table.loc[rows, "label"]) == labels and len(own) < len(even)


def test_hidden_classes_neither_train_nor_validate_and_no_photo_of_an_odd_year_is_seen(data):
    for hidden in hidden_classes(data).values():
        task = without(hidden, data).task
        learned = task.train_and_val
        assert not np.isin(task.labels[learned], hidden).any()
        assert np.isin(task.labels[task.test], hidden).all() and len(task.test)
        even = data.task.train_and_val
        assert sorted([*learned, *task.test]) == sorted(even)


@pytest.fixture
def network():
    """A network that knows two of three classes, and known and unknown photos."""
    rng = np.random.default_rng(0)
    centres = np.zeros((3, 24), np.float32)
    centres[[0, 1, 2], [0, 1, 2]] = 4

    def photos(label, n):
        return centres[label] + rng.uniform(0, 0.5, (n, 24)).astype(np.float32)

    features = np.concatenate([photos(0, 60), photos(1, 60)])
    labels = np.repeat([0, 1], 60)
    memory = build_memory(features, [str(i) for i in range(120)], labels, "abc")
    known = np.array([True, True, False])
    own = Learned(centres.copy(), np.zeros(3, np.float32), known, features, memory)

    def seen(rows):
        distances, _ = memory.nearest(rows, max(NEIGHBOURS))
        return Photos(rows, (rows @ own.weight.T)[:, known], distances)

    return own, seen(np.concatenate([photos(0, 20), photos(1, 20)])), seen(photos(2, 20))


@pytest.mark.parametrize("name", SCORES)
def test_every_score_is_higher_for_photos_unlike_those_learned(network, name):
    own, known, unknown_photos = network
    score = SCORES[name]
    assert auroc(score(own, known), score(own, unknown_photos)) > 0.99
    assert accepted(score(own, known), score(own, unknown_photos)) < 0.05


def test_auroc_and_accepted_by_hand():
    known, unknown_scores = np.arange(100.0), np.array([94.0, 200.0])
    assert auroc(known, unknown_scores) == pytest.approx((94.5 + 100) / 200)
    assert accepted(known, unknown_scores) == 0.5


def test_the_score_is_chosen_by_its_mean_over_the_hidden_classes():
    first, second, *others = SCORES
    low = {name: {"auroc": 0.5} for name in others}
    rows = [
        {"scores": low | {first: {"auroc": 0.9}, second: {"auroc": 0.8}}},
        {"scores": low | {first: {"auroc": 0.6}, second: {"auroc": 0.8}}},
    ]
    assert best(rows) == second


def test_near_and_far_unknown_photos_are_told_apart_and_all_of_it_is_shown(network, tmp_path):
    own, known, unknown_photos = network
    rows = np.concatenate([known.features, unknown_photos.features])
    test = Photos(
        rows,
        np.concatenate([known.logits, unknown_photos.logits]),
        np.concatenate([known.distances, unknown_photos.distances]),
    )
    labels = np.repeat([0, 1, 2], 20)
    tables = {
        "train": pd.DataFrame({"masterCategory": ["Apparel"]}),
        "test": pd.DataFrame({"masterCategory": ["Apparel"] * 45 + ["Home"] * 15}),
    }
    task = SimpleNamespace(labels=labels, test=np.arange(60))
    data = SimpleNamespace(table=tables.get, task=task)
    chosen = "distance to neighbour 10"
    found = measured(data, own, known, test, chosen)
    assert [found["unknown"][part]["photos"] for part in ("all", "near", "far")] == [20, 5, 15]
    assert found["known"]["photos"] == 40
    assert found["known"]["accepted"] == 0.95
    hidden = [{"scores": found["scores"]}]
    config = {"image_size": [160, 120]}
    own = found | {"config": config}
    content = {"hidden": hidden, "chosen": chosen, "odd_years": found, "runs": {"mine": own}}
    content["config"] = config
    other = {"hidden": hidden, "chosen": "ViM", "odd_years": found, "by_own_choice": found}
    content["other_sizes"] = {"224x168": other | {"config": {"image_size": [224, 168]}}}
    (tmp_path / "unknown.json").write_text(json.dumps(content))
    said = unknown(tmp_path)
    assert "| **distance to neighbour 10** | 100.0 % | 0.0 % | 100.0 % | 0.0 % |" in said
    assert said.count("| all unknown photos | 20 | 100.0 % (100.0–100.0)") == 3
    assert "It accepts 95.0 % of the 40 known photos" in said
    assert said.count("Goals, AUROC at least 96 %: met; at most 20 % accepted: met.") == 3
    assert "The same comparison at 224×168, made later: it would choose ViM" in said
    assert "FC only at 224×168, by the distance to neighbour 10" in said


def test_the_package_uses_the_score_that_was_chosen():
    measured = read_measured(RESULTS, "unknown")
    assert measured["chosen"] == best(measured["hidden"])
    assert measured["chosen"] == f"distance to neighbour {K} × residual"


def test_a_choice_stays_when_it_is_tried_at_another_size(data, tmp_path, monkeypatch):
    chosen = "distance to neighbour 10"
    monkeypatch.setattr(study.unknown, "available_weights", lambda *words, **more: None)
    monkeypatch.setattr(study.unknown, "load_data", lambda *words: data)
    monkeypatch.setattr(study.unknown, "made_with", lambda *words: {"config": {}})
    monkeypatch.setattr(study.unknown, "compared", lambda *words: [])
    monkeypatch.setattr(study.unknown, "best", lambda rows: "ViM")
    monkeypatch.setattr(study.unknown, "learned", lambda *words, **more: (None, None, None))
    monkeypatch.setattr(study.unknown, "correct", lambda *words: 7)
    monkeypatch.setattr(study.unknown, "measured", lambda *words: {"score": words[-1]})
    before = {"config": {"image_size": [128, 96]}, "chosen": chosen, "runs": {"mine": 1}}
    words = ("data", "weights", None, tmp_path)
    found = study.unknown.of_fc_only(*words, make_config("fc_only"), before)
    assert found["chosen"] == chosen and found["runs"] == {"mine": 1}
    other = found["other_sizes"]["224x168"]
    assert other["odd_years"] == {"score": chosen} and other["by_own_choice"] == {"score": "ViM"}
    again = study.unknown.of_fc_only(*words, make_config("fc_only", image_size=(128, 96)), found)
    assert again["chosen"] == "ViM" and again["other_sizes"] == found["other_sizes"]


def test_before_it_is_measured_the_document_says_how(tmp_path):
    assert "Not measured yet" in unknown(tmp_path)
