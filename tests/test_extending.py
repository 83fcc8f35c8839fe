"""Rows for new classes: what ridge regression over a memory makes of a few photos."""

from dataclasses import replace

import numpy as np
import pytest

from fashion_tl.network.extending import Ground, LastLayer, extended_layer, logits_left_out
from fashion_tl.network.memory import build_memory
from fashion_tl.network.unknown import unknown_scores

WIDTH, CLASSES = 32, 6
CENTRES = np.random.default_rng(1).uniform(0, 1, (CLASSES + 2, WIDTH)).astype(np.float32)


def photos_of(labels, seed=0):
    """Features of photos of these classes: float32 [n, width]."""
    noise = np.random.default_rng(seed).normal(0, 0.08, (len(labels), WIDTH))
    return (CENTRES[labels] + noise).astype(np.float32)


@pytest.fixture
def ground():
    """A network that tells six classes apart, and remembers 20 photos of each."""
    labels = np.arange(120) % CLASSES
    features = photos_of(labels)
    centred = CENTRES[:CLASSES] - CENTRES[:CLASSES].mean(axis=0)
    weight = 5 * centred
    bias = -(weight * CENTRES[:CLASSES]).sum(axis=1) / 2 - 5 * (centred @ CENTRES.mean(0)) / 2
    return Ground(features, labels, LastLayer(weight, bias), np.ones(CLASSES, bool))


def right(layer, labels):
    return (layer.logits(photos_of(labels, seed=9)).argmax(axis=1) == labels).mean()


@pytest.mark.parametrize("shots", [1, 5])
def test_new_classes_are_told_apart_and_known_ones_keep_their_names(ground, shots):
    new = np.repeat([CLASSES, CLASSES + 1], shots)
    layer = extended_layer(ground, photos_of(new, seed=2), new, CLASSES + 2)
    known = np.arange(300) % CLASSES
    assert right(layer, known) >= right(ground.layer, known) - 0.01
    assert right(layer, np.repeat([CLASSES, CLASSES + 1], 50)) > 0.9


def test_rows_of_other_classes_stay_as_they_are(ground):
    new = np.array([CLASSES, 2, 2])
    layer = extended_layer(ground, photos_of(new), new, CLASSES + 1)
    others = [0, 1, 3, 4, 5]
    assert np.array_equal(layer.weight[others], ground.layer.weight[others])
    assert np.array_equal(layer.bias[others], ground.layer.bias[others])


def test_more_photos_of_a_known_class_change_it_the_more_the_fewer_it_had(ground):
    def change(kept):
        keep = (ground.labels != 2) | (np.cumsum(ground.labels == 2) <= kept)
        own = Ground(ground.features[keep], ground.labels[keep], ground.layer, ground.trained)
        new = np.full(3, 2)
        layer = extended_layer(own, photos_of(np.full(3, CLASSES)), new, CLASSES)
        return np.abs(layer.weight[2] - ground.layer.weight[2]).max()

    assert change(1) > change(20) > 0


def test_a_remembered_photo_is_left_out_as_if_it_had_never_been_there(ground):
    mean = photos_of(np.full(3, CLASSES)).mean(axis=0)
    found = ground.left_out(mean)
    level = ground.features.var(axis=0).mean()
    for place in (0, 17, 119):
        rest = np.arange(len(ground.labels)) != place
        features = ground.features[rest]
        own = Ground(features, ground.labels[rest], ground.layer, ground.trained)
        # The formula keeps the ridge as it is, and the scale is that of all photos.
        ridge = ground.ridge * level / features.var(axis=0).mean() * 120 / 119
        own = replace(own, ridge=ridge, scale=ground.scale * ground.best_logit / own.best_logit)
        assert found[place] == pytest.approx(
            own.rows(mean[None]).logits(ground.features[place : place + 1])[0, 0], rel=1e-3
        )


def test_a_small_memory_does_not_hide_what_new_classes_take_from_others():
    """With fewer photos than features, each photo's own part in the covariance keeps it away."""
    rng = np.random.default_rng(3)
    features = rng.normal(size=(16, 200)).astype(np.float32)
    layer = LastLayer(np.zeros((2, 200), np.float32), np.array([0.1, 0.0], np.float32))
    layer.weight[0] = features.mean(axis=0)
    ground = Ground(features, np.zeros(16, int), layer, np.ones(2, bool))
    mean, labels = features[:8].mean(axis=0, keepdims=True) + 0.2, np.array([2])
    new = extended_layer(ground, mean, labels, 3)
    left_out = logits_left_out(ground, new, mean, labels)
    inside = new.logits(features)
    assert (left_out.argmax(1) == 2).sum() > 2 * (inside.argmax(1) == 2).sum() + 2
    assert np.array_equal(left_out[:, :2], inside[:, :2])


def test_a_constant_added_to_all_logits_changes_no_answer(ground):
    new = np.full(2, CLASSES)
    shift = np.linspace(-3, 3, WIDTH, dtype=np.float32)
    layer = LastLayer(ground.layer.weight + shift, ground.layer.bias + 7)
    moved = Ground(ground.features, ground.labels, layer, ground.trained)
    tests = photos_of(np.arange(200) % (CLASSES + 1), seed=4)
    answers = [
        extended_layer(own, photos_of(new), new, CLASSES + 1).logits(tests).argmax(axis=1)
        for own in (ground, moved)
    ]
    assert np.array_equal(*answers)


def test_equal_features_of_all_photos_give_finite_rows():
    features = np.ones((4, WIDTH), np.float32)
    layer = LastLayer(np.zeros((2, WIDTH), np.float32), np.zeros(2, np.float32))
    ground = Ground(features, np.array([0, 1, 0, 1]), layer, np.ones(2, bool))
    new = extended_layer(ground, features[:1], np.array([2]), 3)
    assert np.isfinite(new.weight).all() and np.isfinite(new.bias).all()


def test_a_photo_of_a_class_that_was_added_is_less_unknown_than_before():
    labels = np.arange(120) % CLASSES
    memory = build_memory(photos_of(labels), [str(n) for n in range(120)], labels, "abcdef")
    new = np.full(3, CLASSES)
    after = memory.with_photos(photos_of(new, seed=2), ["x", "y", "z"], new, tuple("abcdefg"))
    assert after.added == 3
    queries = photos_of(np.full(5, CLASSES), seed=6)
    assert (unknown_scores(after, queries) < unknown_scores(memory, queries) / 2).all()
    known = photos_of(labels[:30], seed=7)
    # The new photos widen the space that photos fill, so known ones seem a little more at home.
    share = unknown_scores(after, known) / unknown_scores(memory, known)
    assert (share <= 1).all() and (share > 0.8).all()
