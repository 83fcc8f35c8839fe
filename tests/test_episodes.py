"""N-way k-shot episodes: what they draw, how photos are named, what learns, and what is told."""

import json

import numpy as np
import pytest
import torch

from fashion_tl.config import Config
from fashion_tl.data.dataset import load_unsplit
from fashion_tl.errors import DataError, RunError
from fashion_tl.network.extending import Ground, LastLayer
from fashion_tl.network.model import build_network
from fashion_tl.runfiles import read_table
from study import draws, episodes
from study.__main__ import main
from study.blocks.episodes import GOALS
from study.blocks.episodes import episodes as block
from study.draws import METHODS, NAMERS, VIEWS, accuracies, one_of_twins, plain_ground
from study.places import RESULTS
from study.records import read_measured

LABELS = np.repeat(np.arange(8), [1, 2, 4, 9, 20, 40, 40, 40])


def test_an_episode_draws_other_photos_to_name_than_those_to_learn_from(monkeypatch):
    monkeypatch.setitem(draws.SETTINGS, "3-way 2-shot", (3, 2))
    rows = np.arange(len(LABELS))[::-1]
    drawn = draws.episodes(rows, LABELS, "3-way 2-shot", 50)
    assert len(drawn) == 50
    for each in drawn:
        of_shots = LABELS[each.shots]
        assert each.shots.shape == (3, 2) and (of_shots == of_shots[:, :1]).all()
        classes = of_shots[:, 0]
        assert len(set(classes)) == 3 and classes.min() >= 2  # the first two have too few
        assert (LABELS[each.queries] == classes[each.answers]).all()
        assert not np.isin(each.queries, each.shots).any()
        assert len(set(each.queries)) == len(each.queries)
        wanted = [min(15, count - 2) for count in np.bincount(LABELS)[classes]]
        assert np.bincount(each.answers).tolist() == wanted
    again = draws.episodes(rows, LABELS, "3-way 2-shot", 50)
    assert all((a.queries == b.queries).all() for a, b in zip(drawn, again, strict=True))


def test_too_few_classes_for_an_episode_are_refused():
    with pytest.raises(DataError, match=r"15-way 1-shot episodes need 15 classes .* have 7"):
        draws.episodes(np.arange(len(LABELS)), LABELS, "15-way 1-shot", 1)


def test_of_photos_that_are_the_same_one_takes_part():
    twins = np.array([0, 1, 2, 1, 3, 2])
    assert one_of_twins(np.array([1, 3, 4, 5]), twins).tolist() == [1, 4, 5]


def drawn_features(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Positive features of 12 photos of each of 20 classes, which differ in a few of 30."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(20), 12)
    features = rng.gamma(1, 1, (20, 30))[labels] + rng.gamma(2, 0.1, (240, 30))
    return features.astype(np.float32), labels


@pytest.mark.parametrize("namer", NAMERS)
@pytest.mark.parametrize("view", VIEWS)
def test_every_method_names_classes_that_differ(namer, view):
    background = drawn_features(1)[0]
    features, labels = drawn_features(0)
    ground = plain_ground(VIEWS[view](background, background))
    seen = VIEWS[view](features, background)
    drawn = draws.episodes(np.arange(240), labels, "15-way 1-shot", 60)
    shares = accuracies(NAMERS[namer], ground, seen, np.arange(240), drawn)
    assert shares.shape == (60,) and shares.mean() > 0.9


def test_photos_get_the_nearest_mean_and_with_ridge_what_extend_would_say():
    background, (features, labels) = drawn_features(1)[0], drawn_features(0)
    (drawn,) = draws.episodes(np.arange(240), labels, "5-way 5-shot", 1)
    means = features[drawn.shots].mean(axis=1)
    nearest = ((features[drawn.queries][:, None] - means) ** 2).sum(axis=2).argmin(axis=1)
    rng = np.random.default_rng(0)
    layer = LastLayer(rng.normal(size=(3, 30)).astype(np.float32), np.zeros(3, np.float32))
    extended = Ground(background, np.zeros(240, int), layer, np.ones(3, bool)).rows(means)
    ridge = extended.logits(features[drawn.queries]).argmax(axis=1)
    for name, answers in (("nearest class mean", nearest), ("ridge", ridge)):
        share = accuracies(
            NAMERS[name], plain_ground(background), features, np.arange(240), [drawn]
        )
        assert share == [(answers == drawn.answers).mean()]


CLASSES = ("Tops", "Ties", "Heels", "Belts", "Caps", "Socks", "Scarves", "Trunk")


@pytest.fixture
def tiny(make_root, tmp_path):
    """Eight classes of ten photos in years of all kinds, four of them background; a class of
    neither part; and a photo of the background that is also one of the evaluation.
    """
    rows = [
        (10 * number + photo, 2011 + photo % 3, name)
        for number, name in enumerate((*CLASSES, "Hat"), 1)
        for photo in range(10)
    ]
    root = make_root(rows)
    (root / "images" / "10.jpg").write_bytes((root / "images" / "85.jpg").read_bytes())
    results = tmp_path / "results"
    results.mkdir()
    lines = [f"{name},{'background' if n < 4 else 'evaluation'}" for n, name in enumerate(CLASSES)]
    (results / "few_shot_classes.csv").write_text("\n".join(["label,part", *lines, ""]))
    return root, results


def test_only_the_classes_to_learn_train_without_photos_that_test(tiny, monkeypatch):
    root, results = tiny
    config = Config("direct")
    data = load_unsplit(root, config)
    parts = episodes.read_parts(results, data)
    assert parts == {"background": [*CLASSES[:4]], "evaluation": [*CLASSES[4:]]}
    monkeypatch.setattr(episodes, "MOST", 8)
    part = episodes.parted(data, parts["background"], parts["evaluation"], config)
    names = data.catalogue.table["label"].to_numpy(str)
    ids = data.catalogue.table["id"].to_numpy(str)
    assert set(names[part.task.train]) == set(CLASSES[:4])
    assert not len(part.task.val)  # a tenth of 8
    assert np.unique(names[part.task.train], return_counts=True)[1].max() == 8
    assert set(names[part.task.test]) == set(CLASSES[4:]) and len(part.task.test) == 40
    assert "10" not in ids[part.task.train]
    learned, held = episodes.held_out(parts["background"])
    assert len(held) == 1 and {*learned, *held} == set(CLASSES[:4])
    other = episodes.parted(data, learned, held, config)
    assert set(names[other.task.train]) == set(learned) and set(names[other.task.test]) == set(held)
    assert other.fingerprint != part.fingerprint  # a run on one is no run on the other


def test_classes_that_the_data_lack_and_a_missing_table_are_named(tiny):
    root, results = tiny
    data = load_unsplit(root, Config("direct"))
    with open(results / "few_shot_classes.csv", "a") as file:
        file.write("Sarees,evaluation\n")
    with pytest.raises(DataError, match=r"no photo of 'Sarees', a class that .*classes\.csv names"):
        episodes.read_parts(results, data)
    with pytest.raises(RunError, match=r"few_shot_classes\.csv is missing"):
        episodes.read_parts(results / "none", data)


def test_episodes_of_both_networks_are_measured_told_and_not_trained_twice(
    tiny, tmp_path, monkeypatch, capsys
):
    root, results = tiny
    for name, value in (("CHOOSING", 3), ("EPISODES", 4), ("HELD_OUT", 0.5)):
        monkeypatch.setattr(episodes, name, value)
    monkeypatch.setattr(draws, "SETTINGS", dict.fromkeys(GOALS, (2, 1)))
    weights = tmp_path / "weights.pth"
    small = Config("direct", backbone="tiny")
    torch.save(build_network(1000, None, small).state_dict(), weights)
    words = f"episodes --data {root} --weights {weights} --out {tmp_path}/out --results {results}"
    for setting in (
        "backbone=tiny",
        "image_size=32x32",
        "epochs=1",
        "batch_size=8",
        "precision=fp32",
    ):
        words += f" --set {setting}"
    assert main(words.split()) == 0
    first = read_measured(results, "episodes")
    assert first["photos"]["test"] == 40 and first["alike"]["exact"]["photos"] == 1
    for network in first["networks"].values():
        assert set(network["held_out"]) == {method.words for method in METHODS}
        assert network["held_out"][network["chosen"]] == max(network["held_out"].values())
        assert {own["episodes"] for own in network["evaluation"].values()} == {4}
    capsys.readouterr()
    assert main(words.split()) == 0
    assert capsys.readouterr().out.count("going on after epoch 1 of 1") == 2
    assert read_measured(results, "episodes") == first
    (results / "others.json").write_bytes((RESULTS / "others.json").read_bytes())
    said = block(results)
    assert (
        "| **ours** | Tiny ResNet, fine-tuned on the background classes | small, at 32x32 |" in said
    )
    assert "draw from 40 photos, 28 of them of odd years" in said.replace("\n", " ")


def test_what_others_state_is_there_before_ours_is_measured(tmp_path):
    (tmp_path / "others.json").write_bytes((RESULTS / "others.json").read_bytes())
    said = block(tmp_path)
    assert "| 59.1 % | 74.9 % |" in said and "Ours are not measured yet" in said
    best = {
        name: max(
            each[name]
            for each in json.loads((tmp_path / "others.json").read_text())["episodes"]["reported"]
        )
        for name in GOALS
    }
    assert all(100 * GOALS[name] > value for name, value in best.items())


def test_each_class_of_the_partition_is_in_one_part():
    table = read_table(RESULTS / "few_shot_classes.csv")
    assert table["label"].is_unique
    assert table["part"].value_counts().to_dict() == {"background": 60, "evaluation": 47}
