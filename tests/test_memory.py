"""A run's memory of its training photos: it is small, it is whole, and it finds the photos that are
alike.
"""

import math
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from fashion_tl.errors import RunError
from fashion_tl.network.memory import build_memory, read_memory, save_memory, unit


def features_of(n: int, width: int = 64, classes: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Features in clusters, one for each class: float32 [n, width], and labels, int64 [n]."""
    rng = np.random.default_rng(0)
    labels = np.arange(n) % classes
    centres = rng.uniform(0, 2, (classes, width))
    return (centres[labels] + rng.uniform(0, 0.5, (n, width))).astype(np.float32), labels


def memory_of(n: int = 200, **settings: int):
    features, labels = features_of(n)
    ids = [f"{i:04}" for i in range(n)]
    return features, build_memory(features, ids, labels, "abcde", **settings)


def test_each_photo_is_nearest_to_itself_and_then_to_its_own_class():
    features, memory = memory_of()
    distances, places = memory.nearest(features, 10)
    assert distances.shape == places.shape == (200, 10)
    assert (places[:, 0] == np.arange(200)).all() and distances[:, 0].max() < 0.003
    assert (np.diff(distances) >= 0).all()
    assert (memory.labels[places] == memory.labels[:, None]).all()


def test_the_distance_is_one_minus_the_cosine_and_a_photos_brightness_does_not_matter():
    features, memory = memory_of()
    distances, _ = memory.nearest(features * 3, 200)
    exact = np.sort(1 - unit(features) @ unit(features).T, axis=1)
    assert np.abs(distances - exact).max() < 0.01


def test_features_come_back_nearly_as_they_were():
    features, memory = memory_of()
    error = np.linalg.norm(memory.features - features, axis=1) / np.linalg.norm(features, axis=1)
    assert error.max() < 0.08


def test_a_memory_smaller_than_what_is_asked_for_gives_all_its_photos():
    features, memory = memory_of(3)
    distances, places = memory.nearest(features, 10)
    assert distances.shape == (3, 3) and sorted(places[0]) == [0, 1, 2]


@pytest.mark.parametrize("features", [np.zeros((4, 8)), np.ones((4, 8)), np.eye(8)[:1]])
def test_photos_that_are_all_alike_and_features_of_zeros_can_be_kept(features):
    memory = build_memory(features, list("abcd")[: len(features)], np.zeros(len(features)), ["x"])
    assert np.isfinite(memory.nearest(features, 2)[0]).all()
    assert np.allclose(memory.features, features, atol=0.01)


def test_it_is_read_as_it_was_written(tmp_path):
    _, memory = memory_of()
    memory = replace(memory, added=3)
    save_memory(tmp_path / "memory.safetensors", memory)
    again = read_memory(tmp_path / "memory.safetensors")
    assert again.ids.tolist() == memory.ids.tolist() and again.classes == memory.classes
    assert again.threshold == math.inf and again.added == 3
    for name in ("labels", "codes", "scale", "basis", "mean", "lengths"):
        assert (getattr(again, name) == getattr(memory, name)).all(), name
    assert [path.name for path in tmp_path.iterdir()] == ["memory.safetensors"]


def test_it_takes_less_than_half_a_byte_for_each_feature_of_a_photo(tmp_path):
    rng = np.random.default_rng(0)
    features = rng.gamma(1, 1, (2000, 256)) * rng.gamma(1, 1, 256)
    memory = build_memory(features, [f"{i:04}" for i in range(2000)], np.zeros(2000), ["a"])
    save_memory(tmp_path / "memory.safetensors", replace(memory, basis=memory.basis[:4]))
    size = (tmp_path / "memory.safetensors").stat().st_size
    assert size < 2000 * (256 / 2 + 8 + 8) + 256 * 16


def test_photos_like_those_it_learned_from_point_into_the_space_that_they_fill():
    rng = np.random.default_rng(0)
    inside = rng.normal(size=(300, 8)) @ rng.normal(size=(8, 64))
    memory = build_memory(inside, [str(i) for i in range(300)], np.zeros(300), ["a"])
    other = rng.normal(size=(20, 64))
    assert memory.residuals(inside).max() < 0.1 < 0.5 < memory.residuals(other).min()


@pytest.mark.parametrize("width", [512, 2048])
def test_however_wide_the_network_not_every_photo_points_into_the_space_of_those_learned(width):
    """ResNet-18 has 512 features: all of its principal components would leave nothing outside."""
    rng = np.random.default_rng(0)
    inside = rng.normal(size=(600, 8)) @ rng.normal(size=(8, width))
    noisy = inside + 0.1 * rng.normal(size=inside.shape)
    memory = build_memory(noisy, [str(i) for i in range(600)], np.zeros(600), ["a"])
    assert len(memory.basis) <= width // 4
    assert memory.residuals(rng.normal(size=(20, width))).min() > 0.5


def test_photos_of_a_new_class_can_be_added():
    features, memory = memory_of()
    rng = np.random.default_rng(1)
    new = rng.uniform(0, 2, (3, 64)).astype(np.float32)
    longer = memory.with_photos(new, ["x", "y", "z"], [5, 5, 5], (*memory.classes, "new"))
    assert longer.ids.tolist()[-3:] == ["x", "y", "z"] and longer.labels[-1] == 5
    assert (longer.nearest(new, 1)[1][:, 0] == [200, 201, 202]).all()
    assert (longer.nearest(features, 1)[1][:, 0] == np.arange(200)).all()
    assert longer.threshold == memory.threshold


def photos_that_fill(n: int, seed: int = 0) -> np.ndarray:
    """Features of photos that fill 8 of 64 dimensions, always the same: float32 [n, 64]."""
    space = np.random.default_rng(9).normal(size=(8, 64))
    return (np.random.default_rng(seed).normal(size=(n, 8)) @ space).astype(np.float32)


def of_any_kind(n: int, seed: int = 1) -> np.ndarray:
    """Features in all directions: float32 [n, 64]."""
    return np.random.default_rng(seed).normal(size=(n, 64)).astype(np.float32)


@pytest.fixture
def filled():
    """A memory of photos that fill 8 of 64 dimensions."""
    return build_memory(photos_that_fill(300), [str(i) for i in range(300)], np.zeros(300), ["a"])


@pytest.mark.parametrize("times", [1, 20])
def test_however_many_photos_are_added_a_photo_of_any_other_kind_is_still_unlike_them(
    filled, times
):
    other = of_any_kind(20)
    centre = of_any_kind(1, seed=2)
    memory = filled
    for number in range(times):
        photos = centre + of_any_kind(1000 // times, seed=number + 3)
        ids = [f"{number}-{i}" for i in range(len(photos))]
        memory = memory.with_photos(photos, ids, np.ones(len(photos)), ("a", "new"))
    assert memory.added == 1000 and len(memory.basis) == len(filled.basis) + 1
    assert (memory.residuals(other) > 0.8 * filled.residuals(other)).all()
    assert memory.residuals(centre) < 0.5 * filled.residuals(centre)


def test_however_many_classes_are_added_half_of_the_dimensions_stay_outside(filled):
    memory = filled
    for n in range(1, 200):
        classes = ("a", *(f"new {own}" for own in range(n)))
        memory = memory.with_photos(of_any_kind(1, seed=n + 2), [f"x{n}"], np.array([n]), classes)
    assert len(memory.basis) == 32
    assert np.median(memory.residuals(of_any_kind(20))) > 0.6


def test_a_class_within_the_space_that_photos_fill_adds_nothing_to_it(filled):
    own = photos_that_fill(5, seed=2)
    after = filled.with_photos(own, list("abcde"), np.ones(5), ("a", "new"))
    assert np.array_equal(after.basis, filled.basis)


def test_more_photos_of_a_known_class_add_no_direction(filled):
    ids = [f"x{i}" for i in range(20)]
    after = filled.with_photos(of_any_kind(20), ids, np.zeros(20), ("a",))
    assert np.array_equal(after.basis, filled.basis) and after.added == 20


def test_a_run_without_a_memory_is_told_how_to_make_one(tmp_path):
    with pytest.raises(RunError, match=r"fashion-tl remember .* --data DATA"):
        read_memory(tmp_path / "memory.safetensors")
    (tmp_path / "before").mkdir()  # an extended run, in which `remember` makes none
    with pytest.raises(RunError, match=r"copy it again, or extend the first run again$") as error:
        read_memory(tmp_path / "memory.safetensors")
    assert "remember" not in str(error.value)


def test_a_damaged_memory_is_named(tmp_path):
    file = tmp_path / "memory.safetensors"
    _, memory = memory_of()
    save_memory(file, memory)
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RunError, match=r"memory.safetensors is damaged"):
        read_memory(file)
    file.write_bytes(whole)
    save_file(load_file(file), file)  # without what it says of itself
    with pytest.raises(RunError, match=r"memory.safetensors is damaged \(KeyError\); delete it"):
        read_memory(file)
