"""The study of unknown photos: which classes are hidden, what the scores say, and what is told."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import fashion_tl.network.memory
import study.scores
import study.unknown
from fashion_tl.data.dataset import load_data
from fashion_tl.errors import ConfigError, DataError, RunError
from fashion_tl.network.memory import build_memory
from fashion_tl.network.unknown import K
from fashion_tl.network.weights import weights_name
from fashion_tl.recipes import make_config
from fashion_tl.runs import write_json
from study.blocks.unknown import unknown
from study.choices import as_chosen
from study.places import RESULTS
from study.records import read_looks, read_measured
from study.scores import NEIGHBOURS, SCORES, Learned, Photos, accepted, auroc
from study.unknown import best, hidden_classes, measured, without
from tests.conftest import TINY


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


@pytest.fixture
def measure(sample_root, tmp_path, monkeypatch):
    """``measure(**settings)``: the command at 32×32, with one set of hidden classes and three
    scores; what it wrote, and the looks.
    """
    one = {"fifth 1": hidden_classes(load_data(sample_root, make_config("fc_only")))["fifth 1"]}
    monkeypatch.setattr(study.unknown, "hidden_classes", lambda data: one)
    quick = ("energy", "largest logit", "distance to neighbour 10")
    monkeypatch.setattr(study.unknown, "SCORES", {name: SCORES[name] for name in quick})
    monkeypatch.setattr(study.scores, "DRAWS", 5)
    monkeypatch.setattr(fashion_tl.network.memory, "PRINCIPAL", 0.02)  # else it takes a second each

    def made(**settings):
        settings = {"lr": 1e-4, **TINY, **settings}
        study.unknown.main(str(sample_root), "none", None, tmp_path, **settings)
        return read_measured(tmp_path, "unknown"), read_looks(tmp_path)

    return made


def test_a_choice_stays_when_it_is_tried_at_another_size(measure, tmp_path):
    first, looks = measure()
    assert first["chosen"] == best(first["hidden"]) and first["runs"] == first["other_sizes"] == {}
    assert looks["why"].tolist() == ["unknown photos"]
    chosen = "energy" if first["chosen"] != "energy" else "largest logit"
    write_json(tmp_path / "unknown.json", first | {"chosen": chosen, "runs": {"mine": 1}})
    second, looks = measure(image_size=(40, 32))
    assert (second["chosen"], second["runs"]) == (chosen, {"mine": 1})
    other = second["other_sizes"]["40x32"]
    assert other["odd_years"]["score"] == chosen
    assert other["by_own_choice"]["score"] == other["chosen"] == best(other["hidden"])
    assert looks["input"].tolist() == ["32x32", "40x32"]
    # Made again, the choice is another one: what was scored by the old one can't stay beside it.
    again, _ = measure()
    assert again["chosen"] == first["chosen"] and again["runs"] == again["other_sizes"] == {}
    write_json(tmp_path / "unknown.json", again | {"runs": {"mine": 1}})
    assert measure()[0]["runs"] == {"mine": 1}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"flip_test": True}, "other flip_test"),
        ({"lr": 0.5, "flip": True}, "other flip and lr"),
        ({"before": "other.pth", "image_size": (40, 32)}, "other weights"),
    ],
)
def test_figures_of_other_settings_or_weights_are_never_put_beside_a_choice(
    tmp_path, settings, words
):
    config = make_config("fc_only", flip=False, flip_test=False)
    there = settings.get("before", weights_name("none"))
    write_json(tmp_path / "unknown.json", {"config": config.to_dict(), "weights": there})
    before = (tmp_path / "unknown.json").read_bytes()
    given = {"flip": False, "flip_test": False} | settings
    given.pop("before", None)
    with pytest.raises(ConfigError, match=f"unknown.json has figures with {words}, which belong"):
        study.unknown.main("no data", "none", None, tmp_path, **given)
    assert [file.name for file in tmp_path.iterdir()] == ["unknown.json"]
    assert (tmp_path / "unknown.json").read_bytes() == before


def test_a_choice_that_another_command_made_meanwhile_stays(tmp_path):
    write_json(tmp_path / "unknown.json", {"chosen": "energy"})
    assert as_chosen("energy", tmp_path) == {"chosen": "energy"}
    with pytest.raises(RunError, match="another command has chosen a score meanwhile; repeat"):
        as_chosen("ViM", tmp_path)
    (tmp_path / "unknown.json").unlink()
    assert as_chosen("ViM", tmp_path) is None


def test_too_few_photos_or_classes_for_the_scores_are_an_error(make_root):
    rows = [(n, 2010 + n % 2, kind) for n, kind in enumerate(["Tops", "Ties", "Hats"] * 8, 1)]
    root = make_root(rows)
    with pytest.raises(DataError, match="fewer than 5 classes train"):
        study.unknown.refuse_few(load_data(root, make_config("fc_only"), quiet=True))
    kinds = [f"kind {number}" for number in range(5)] * 10
    root = make_root([(n, 2010 + n // 40, kind) for n, kind in enumerate(kinds, 1)], at="more")
    with pytest.raises(DataError, match=r"with some classes hidden, \d+ photos would train, and"):
        study.unknown.refuse_few(load_data(root, make_config("fc_only"), quiet=True))


def test_before_it_is_measured_the_document_says_how(tmp_path):
    assert "Not measured yet" in unknown(tmp_path)
