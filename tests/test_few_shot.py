"""The study of few shots draws fairly, and counts what is right after a draw."""

import json

import numpy as np
import pytest

from study.blocks.few_shots import few_shot
from study.few_shot import FIGURES, figures
from study.hidden import SHOTS, drawn


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
    assert "| ridge | 2 | 20.0 % |" in text
