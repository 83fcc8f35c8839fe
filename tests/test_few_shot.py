"""The study of few shots draws fairly, and counts what is right after a draw."""

import json
from dataclasses import replace
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest

import study.few_shot
import study.hidden
import study.unknown
from fashion_tl.data.dataset import load_data
from fashion_tl.errors import DataError, RunError
from fashion_tl.network.extending import RIDGE, SCALE, Ground, LastLayer
from fashion_tl.recipes import make_config
from fashion_tl.runs import machine, write_json
from study.blocks.few_shots import few_shot
from study.few_shot import CHOSEN, FIGURES, figures, odd_years
from study.hidden import METHODS, SCALES, SHIPPED, SHOTS, drawn, judged, ridge
from study.places import RESULTS
from study.records import read_looks, read_measured
from study.retrained import retrained
from study.two_blocks import LastBlocks
from tests.conftest import TINY


def test_a_draw_takes_only_classes_with_more_photos_and_twins_never_test():
    labels = np.array([0, 0, 0, 1, 1, 2, 2, 2, 2])
    twins = np.array([0, 1, 2, 3, 4, 5, 5, 6, 7])  # photos 5 and 6 are the same
    rows = np.arange(9)
    for seed in range(20):
        chosen, classes, left = drawn(np.random.default_rng(seed), rows, labels, twins, 2)
        assert classes.tolist() == [0, 2] and chosen.shape == (2, 2)
        assert (labels[chosen] == [[0, 0], [2, 2]]).all()
        assert not np.isin(twins[left], twins[chosen]).any()
        assert {3, 4} <= set(left.tolist())


def test_the_figures_after_a_draw():
    labels = np.array([0, 0, 0, 0, 5, 5, 6, 7])
    named = np.array([0, 0, 0, 5, 5, 0, 6, 0])
    found = figures(labels, named, np.array([5, 6]), labels >= 5)
    assert found["known"] == 0.75
    assert found["new"] == pytest.approx(2 / 3)
    assert found["new_macro"] == 0.75
    assert found["harmonic"] == pytest.approx(2 * 0.75 * (2 / 3) / (0.75 + 2 / 3))
    assert found["all"] == 5 / 8  # also of class 7, which was not drawn


def test_the_block_shows_each_network_and_number_of_photos(tmp_path):
    assert few_shot(tmp_path).startswith("Not measured yet")
    after, interval = dict.fromkeys(FIGURES, 0.5), {name: [0.4, 0.6] for name in FIGURES}
    rows = [
        {
            "shots": shots,
            "classes": 9,
            "draws": 100,
            "before": {"known": 0.8, "all": 0.7},
            "after": after,
            "interval95": interval,
        }
        for shots in SHOTS
    ]
    hidden = [
        {"method": "ridge", "scale": scale, "shots": 1, "new": scale / 10} for scale in (1, 2)
    ]
    network = {"hidden": hidden, "odd_years": {"last": rows}}
    (tmp_path / "few_shot.json").write_text(json.dumps({"networks": {"mine": network}}))
    text = few_shot(tmp_path)
    assert "`mine`, the last block's features, 100 draws" in text
    assert "| 10 | 9 | 50.0 % (40.0–60.0) |" in text
    assert "| ridge | 2 | 20.0 % |" in text and "no bias" not in text


def test_the_block_shows_what_extend_does_beside_the_best_scale_of_each_method(tmp_path):
    hidden = [
        {"method": SHIPPED, "scale": scale, "shots": shots, "new": scale / 10}
        | {"plain_new": shots / 10, "plain_cost": shots / 1000}
        for scale in (1, SCALE, 4)
        for shots in (1, 2)
    ]
    network = {**CHOSEN, "hidden": hidden, "odd_years": {}}
    (tmp_path / "few_shot.json").write_text(json.dumps({"networks": {"mine": network}}))
    text = few_shot(tmp_path)
    assert f"| {SHIPPED} | 4 | 40.0 % | 40.0 % |" in text
    assert f"| **`extend`**: {SHIPPED}, no bias | {SCALE} | 10.0 % | 20.0 % |" in text
    assert "0.10, 0.20 points, from 1 to 2 photos each" in text


def test_the_values_that_extend_has_are_among_those_compared():
    assert SCALE in SCALES and list(SCALES) == sorted(SCALES)
    shipped = METHODS[SHIPPED]
    assert (shipped.scores, shipped.blocks, shipped.ridge) == (ridge, 1, RIDGE)
    ridges = {each.ridge for each in METHODS.values() if each.scores is ridge}
    assert min(ridges) < RIDGE < max(ridges)
    rng = np.random.default_rng(0)
    features = rng.normal(size=(60, 8)).astype(np.float32)
    layer = LastLayer(rng.normal(size=(2, 8)).astype(np.float32), np.zeros(2, np.float32))
    ground = Ground(features, np.repeat([0, 1], 30), layer, np.ones(2, bool))
    shots = features[:4].reshape(2, 2, 8)
    ours = SCALE * ridge(replace(ground, scale=1.0), features, shots) * ground.best_logit
    np.testing.assert_allclose(ours, ground.rows(shots.mean(1)).logits(features), rtol=1e-4)


def test_every_method_scale_and_number_of_photos_is_judged_on_hidden_classes(monkeypatch):
    """Six classes, of which the last two are hidden; each has a direction of its own."""
    monkeypatch.setattr(study.hidden, "DRAWS", 1)
    monkeypatch.setattr(study.hidden, "SHOTS", (1, 5))
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(6), 30)
    last = rng.normal(0, 0.3, (180, 8)) + 3 * np.eye(8)[labels]
    views = np.concatenate([last, last], axis=1).astype(np.float32)[:, None]
    known = np.flatnonzero(labels < 4)
    task = SimpleNamespace(
        labels=labels,
        train=known[known % 30 < 20],
        val=known[known % 30 >= 20],
        classes=tuple("abcdef"),
        num_classes=6,
        fit_counts=np.array([20] * 4 + [0] * 2),
    )
    digests = [bytes([photo]) for photo in range(180)]
    weight = np.where(np.arange(6)[:, None] < 4, 2 * np.eye(8)[:6], 0).astype(np.float32)
    layer = LastLayer(weight, np.zeros(6, np.float32))
    network = LastBlocks(views, layer, SimpleNamespace(task=task, digests=digests))
    found = dict(study.hidden.of_fold(network, np.flatnonzero(labels >= 4)))
    assert set(found) == {(*each, n) for each in product(METHODS, SCALES) for n in (1, 5)}
    accuracy, _, plain, _ = found[SHIPPED, SCALE, 5]
    assert accuracy > 0.9 and plain > 0.9
    bias = {value: found[f"ridge {value:g}", SCALE, 1][1] for value in study.hidden.RIDGES}
    assert len(set(bias.values())) == 3  # so that each ridge is really used


def test_each_network_keeps_the_values_and_the_machine_that_it_was_measured_with(
    tmp_path, monkeypatch
):
    write_json(tmp_path / "few_shot.json", {"networks": {"earlier": {"ridge": 9, "machine": "m"}}})
    monkeypatch.setattr(study.few_shot, "both_ways", lambda network: {"last": []})
    monkeypatch.setattr(study.few_shot, "weights_or_run", lambda *given: None)
    monkeypatch.setattr(study.few_shot, "last_blocks", lambda *parts: None)
    monkeypatch.setattr(study.few_shot, "look", lambda *parts: None)
    monkeypatch.setattr(study.few_shot, "refuse_without_new", lambda *parts: None)
    config = make_config("fc_only")
    about = {"weights": {"name": "w.pth"}}
    run = SimpleNamespace(folder=tmp_path, model_path="", about=about, config=config, metrics={})
    data = SimpleNamespace(root=SimpleNamespace(name="mine.zip"))
    monkeypatch.setattr(study.few_shot, "open_steps", lambda *parts: [(run, data)])
    monkeypatch.setattr(study.few_shot, "load_network", lambda run: SimpleNamespace(model=None))
    monkeypatch.setattr(study.few_shot, "layer_of", lambda model: None)
    study.few_shot.main("mine.zip", None, None, tmp_path, str(tmp_path / "new"))
    found = json.loads((tmp_path / "few_shot.json").read_text())
    assert set(found) == {"networks"}
    assert found["networks"]["earlier"] == {"ridge": 9, "machine": "m"}
    new = found["networks"]["new"]
    assert (new["ridge"], new["scale"], new["machine"]) == (RIDGE, SCALE, machine())
    assert (new["weights"], new["data"]) == ("w.pth", "mine.zip")


def test_fc_only_is_measured_on_hidden_classes_and_then_on_the_odd_years(
    sample_root, tmp_path, monkeypatch
):
    monkeypatch.setattr(study.hidden, "METHODS", {SHIPPED: METHODS[SHIPPED]})
    for name, few in {"FOLDS": 2, "DRAWS": 1, "SHOTS": (1, 2), "SCALES": (1, SCALE)}.items():
        monkeypatch.setattr(study.hidden, name, few)
    monkeypatch.setattr(
        study.few_shot, "both_ways", lambda network: {"last": odd_years(network, draws=2)}
    )
    settings = TINY | {"lr": 1e-4, "flip_test": False}
    study.few_shot.main(str(sample_root), "none", None, tmp_path, **settings)
    own = read_measured(tmp_path, "few_shot")["networks"]["fc_only"]
    assert {row["method"] for row in own["hidden"]} == {SHIPPED}
    assert {row["scale"] for row in own["hidden"]} == {1, SCALE}
    first = own["odd_years"]["last"][0]
    assert (first["shots"], first["draws"]) == (1, 2) and first["classes"] > 0
    (look,) = read_looks(tmp_path).to_dict("records")
    assert look["why"] == "new classes from a few photos" and look["run"] == "fc_only_head"
    assert "`fc_only`, the last block's features, 2 draws" in few_shot(tmp_path)


def test_a_run_without_a_class_to_learn_later_is_an_error(
    tiny_run, sample_root, tmp_path, monkeypatch
):
    data = load_data(sample_root, tiny_run.config, quiet=True).largest(3)
    for module in (study.few_shot, study.unknown):
        monkeypatch.setattr(module, "open_steps", lambda *words: [(tiny_run, data)])
    write_json(tmp_path / "unknown.json", {"chosen": "energy", "runs": {}})
    for module, photos in ((study.few_shot, "2 photos"), (study.unknown, "1 photo")):
        with pytest.raises(DataError, match=f"no class without a training photo has {photos} to"):
            module.main("d", None, None, tmp_path, run=str(tiny_run.folder))
    assert [file.name for file in tmp_path.iterdir()] == ["unknown.json"]


def test_a_head_that_learned_nothing_is_an_error():
    with pytest.raises(RunError, match="of 4 photos that validate, the head names 0 right"):
        judged([], 1.0, np.zeros(4), np.zeros(4, bool), np.arange(4), np.zeros(4, int))


def test_what_is_on_record_names_the_machine_and_the_values_of_each_network():
    measured = read_measured(RESULTS, "few_shot")
    assert set(measured) == {"networks"}
    for network in measured["networks"].values():
        assert (network["ridge"], network["scale"]) == (RIDGE, SCALE)
        assert network["machine"] and network["commit"]


def test_hidden_classes_are_judged_where_few_known_photos_are_lost():
    """200 known photos and 4 of a hidden class 1: by hand, with one draw at a scale of 1."""
    labels = np.array([0] * 200 + [1] * 4)
    place = np.arange(204)
    right = np.arange(200) < 160  # of these, at most one may be lost: half a percent of 200
    ahead = np.zeros(204)
    ahead[:160] = np.linspace(-1.6, -0.01, 160)  # how far the new class leads the known photos
    ahead[200:] = (-0.5, -0.015, 0.3, 0.4)
    new = (ahead, np.ones(204, int), np.arange(200, 204))
    accuracy, bias, plain, cost = judged([new], 1.0, np.zeros(204), right, place, labels)
    assert cost == 0 and plain == 0.5
    assert 0.01 < bias < 0.03  # more than the first known photo needs, less than the third
    assert accuracy == (0.75 if bias > 0.015 else 0.5)
    lost = (ahead[:160] + bias > 0).sum()
    assert lost == 1


def test_retrained_rows_name_new_photos_and_leave_the_old_ones_alone():
    """Two known classes and two new ones, each around a direction of its own."""
    rng = np.random.default_rng(0)

    def photos(direction: int, n: int) -> np.ndarray:
        return (rng.normal(0, 0.3, (n, 8)) + 3 * np.eye(8)[direction]).astype(np.float32)

    memory = np.concatenate([photos(0, 50), photos(1, 50)])
    layer = LastLayer(np.eye(8, dtype=np.float32)[:2] * 2, np.zeros(2, np.float32))
    ground = Ground(memory, np.repeat([0, 1], 50), layer, np.ones(2, bool))
    shots = np.stack([photos(2, 3), photos(3, 3)])
    tests = np.concatenate([photos(which, 20) for which in range(4)])
    new = retrained(ground, tests, shots, weight_decay=1e-3)
    old = (layer.logits(tests) - ground.common.logits(tests)) / ground.best_logit
    named = np.concatenate([old, new], axis=1).argmax(axis=1)
    assert (named == np.repeat(range(4), 20)).mean() > 0.95
