"""Frozen parts run once, and quick ways of running: the same results, in float32, to the tolerances
stated.
"""

import shutil
from dataclasses import fields

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F
from torch.optim.swa_utils import update_bn

from fashion_tl.config import Config
from fashion_tl.data.batches import feature_batches, photo_batches
from fashion_tl.data.dataset import load_data
from fashion_tl.data.twins import photo_digests
from fashion_tl.errors import DataError
from fashion_tl.network import features as module
from fashion_tl.network import inference
from fashion_tl.network.features import frozen_features
from fashion_tl.network.inference import forward, through
from fashion_tl.network.layers import Conv, folded, with_quick_convolutions
from fashion_tl.network.model import (
    build_network,
    freeze_all_but_head,
    freeze_first_children,
    split_frozen,
)
from fashion_tl.network.training import fit
from tests.conftest import jpeg, tiny_config

CLASSES = 3
EVEN = np.ones(CLASSES)
COLUMNS = ["train_loss", "train_accuracy", "val_loss", "val_accuracy", "val_cross_entropy"]


def settings(**changes):
    return tiny_config("fc_only", **{"epochs": 3, "batch_size": 8, "lr": 0.001} | changes)


@pytest.fixture(scope="module")
def photos():
    return np.random.default_rng(0).integers(0, 256, (30, 16, 12, 3), dtype=np.uint8)


LABELS = np.arange(30) % CLASSES
TRAIN, VAL = np.arange(20), np.arange(20, 30)


def network(photos, freeze=freeze_all_but_head, backbone="tiny"):
    model = build_network(CLASSES, None, Config("direct", backbone=backbone))
    update_bn(
        photo_batches(photos, TRAIN, LABELS[TRAIN], settings()).in_order(torch.device("cpu")), model
    )
    freeze(model)
    return model


def parts(photos, config):
    return [photo_batches(photos, rows, LABELS[rows], config) for rows in (TRAIN, VAL)]


@pytest.fixture(scope="module")
def model(photos):
    return network(photos)


@pytest.fixture
def cached(photos, tmp_path):
    def features(model, photos=photos, **changes):
        frozen, _ = split_frozen(model)
        return frozen_features(
            frozen,
            photos,
            np.arange(len(photos)),
            photo_digests(photos),
            settings(**changes),
            tmp_path,
        )

    return features


def test_a_head_on_cached_features_learns_as_through_the_frozen_backbone(photos, cached):
    """The same history to 1e-4, the same predictions."""
    config = settings()
    whole, part = network(photos), network(photos)
    history = fit(whole, *parts(photos, config), config, EVEN).history
    features, head = cached(part), split_frozen(part)[1]
    quick = fit(
        head,
        *(feature_batches(features, rows, LABELS[rows], config) for rows in (TRAIN, VAL)),
        config,
        EVEN,
    ).history
    np.testing.assert_allclose(quick[COLUMNS], history[COLUMNS], rtol=1e-4)
    val = parts(photos, config)[1]
    assert torch.equal(forward(part, val, "fp32").argmax(1), forward(whole, val, "fp32").argmax(1))


def test_the_rest_learns_from_what_the_frozen_first_children_leave_as_in_the_whole_network(photos):
    config = settings(flip=True, epochs=1, batch_size=10, image_size=(64, 48), lr=1e-4)
    whole, part = (network(photos, freeze_first_children, "resnet18") for _ in range(2))
    history = fit(whole, *parts(photos, config), config, EVEN).history
    before = {name: tensor.clone() for name, tensor in part.state_dict().items()}
    frozen, learning = split_frozen(part)
    assert len(frozen) == 5
    quick = fit(
        learning,
        *(through(frozen, batches, "fp32") for batches in parts(photos, config)),
        config,
        EVEN,
    ).history
    np.testing.assert_allclose(quick[COLUMNS], history[COLUMNS], rtol=1e-3)
    # The network itself has learned, except its first children.
    for name, tensor in part.state_dict().items():
        assert torch.equal(tensor, before[name]) == (
            name.split(".")[0] in ("conv1", "bn1", "layer1")
        ), name
        if tensor.is_floating_point():
            torch.testing.assert_close(tensor, whole.state_dict()[name], rtol=1e-3, atol=1e-4)


def test_a_network_with_its_batchnorms_folded_gives_the_same_logits(photos, model):
    inputs, _ = next(parts(photos, settings())[0].in_order(torch.device("cpu")))
    quick = folded(model)
    assert not [m for m in quick.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    with torch.inference_mode():
        logits, others = model.eval()(inputs), quick(inputs)
    # The variances that a random network takes from 20 photos are close to 0 here and there, and
    # magnify rounding.
    assert (others - logits).abs().max() < 1e-3 * logits.abs().max()


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("height", [1, 2, 3, 5, 12])
def test_a_convolution_learns_the_same_as_a_matrix_product(kernel, stride, height):
    torch.manual_seed(0)
    plain = torch.nn.Conv2d(6, 10, kernel, stride, kernel // 2)
    ours = Conv(6, 10, kernel, stride, kernel // 2)
    ours.load_state_dict(plain.state_dict())
    inputs = [
        torch.randn(2, 6, height, 7, generator=torch.Generator().manual_seed(1)).requires_grad_()
        for _ in "ab"
    ]
    one, other = plain(inputs[0]), ours(inputs[1])
    small = other.shape[2] * other.shape[3] <= Conv.LARGEST_MAP
    assert ("Convolution" in other.grad_fn.name()) == (kernel == 3 and not small)
    torch.testing.assert_close(other, one)
    for output in (one, other):
        (output * torch.arange(output.numel()).view(output.shape).cos()).sum().backward()
    torch.testing.assert_close(ours.weight.grad, plain.weight.grad)
    torch.testing.assert_close(inputs[1].grad, inputs[0].grad)


@pytest.mark.parametrize("groups", [1, 32])
@pytest.mark.parametrize("size", [(3, 2), (4, 1), (5, 2)])
def test_a_map_one_pixel_wide_is_computed_right_in_bf16(size, groups):
    """torch's own convolution reads beyond the map where the CPU has AMX."""
    network = torch.nn.Sequential(torch.nn.Conv2d(64, 64, 3, 2, 1, groups=groups))
    (conv,) = with_quick_convolutions(network).to(memory_format=torch.channels_last)
    maps = torch.randn(16, 64, *size, generator=torch.Generator().manual_seed(1))
    maps = maps.to(memory_format=torch.channels_last)
    with torch.inference_mode():
        right = F.conv2d(maps, conv.weight, conv.bias, 2, 1, groups=groups)
        for _ in range(5):
            torch.full((1 << 20,), 1e4)  # what the memory held before
            with torch.autocast("cpu", torch.bfloat16):
                found = conv(maps).float()
            torch.testing.assert_close(found, right, rtol=0.05, atol=0.05)


def test_features_are_computed_once_and_then_read(cached, model, monkeypatch):
    first = np.array(cached(model))
    monkeypatch.setattr(module, "outputs", None)  # it would have to be called
    np.testing.assert_array_equal(first, cached(model))


@pytest.mark.parametrize(
    "change",
    "weights statistics size normalisation precision flip blocks photo order".split(),
)
def test_a_stale_cache_is_never_used(change, cached, model, photos, tmp_path):
    before = np.array(cached(model))
    if change == "blocks":
        whole = build_network(CLASSES, None, settings(blocks=2, backbone="tiny"))
        whole.load_state_dict(model.state_dict() | whole.fc.state_dict(prefix="fc."))
        freeze_all_but_head(whole)
        after = cached(whole, blocks=2)
        assert after.shape[2] == before.shape[2] * 3 // 2
        np.testing.assert_allclose(after[..., before.shape[2] // 2 :], before, rtol=1e-4, atol=1e-5)
    elif change in ("weights", "statistics"):
        model = network(photos)
        name = "layer4.0.conv3.weight" if change == "weights" else "layer4.0.bn3.running_mean"
        model.state_dict()[name].add_(0.01)
        after = cached(model)
    elif change in ("photo", "order"):
        others = photos.copy()
        others[7, 3, 3] ^= 255
        after = cached(model, others if change == "photo" else photos[::-1].copy())
    else:
        changes = {
            "size": {"image_size": (40, 32)},
            "normalisation": {"mean": (0.5, 0.5, 0.5)},
            "flip": {"flip": True},
        }
        after = cached(model, **changes.get(change, {"precision": "bf16"}))
    assert len(list(tmp_path.iterdir())) == 2
    assert not np.array_equal(before, after)


# Those of the data are in the photos' digests, those of the network in its tensors.
NOT_IN_FEATURES = {
    *("training", "recipe", "seed", "label", "split", "largest", "without_largest", "bad_rows"),
    *("val_fraction", "train_fraction", "split_seed", "stored_size", "backbone", "blocks"),
    *("frozen_batchnorm", "frozen_children", "mixup", "flip_test", "epochs", "batch_size"),
    *("optimizer", "lr"),
    *("backbone_lr_ratio", "momentum", "weight_decay", "schedule", "warmup_epochs", "balance"),
    *("balance_power", "label_smoothing", "precision"),  # which the key has in another way
}


def test_each_setting_either_prepares_photos_or_leaves_their_features_as_they_are():
    """A new one that prepares photos belongs in PREPARATION; else kept features would be stale."""
    every = {field.name for field in fields(Config)}
    assert every == {*module.PREPARATION} ^ NOT_IN_FEATURES


def test_an_interrupted_cache_leaves_nothing_and_the_next_one_is_whole(
    cached, model, tmp_path, monkeypatch
):
    def stops(*args, **options):
        yield torch.zeros(8, 512)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "outputs", stops)
        with pytest.raises(KeyboardInterrupt):
            cached(model)
    assert list(tmp_path.iterdir()) == []
    assert np.abs(cached(model)).sum(axis=(1, 2)).min() > 0


def test_with_flips_each_photo_has_two_views_and_training_draws_one_of_them(cached, model, photos):
    both, mirrored = np.array(cached(model, flip=True)), cached(model, photos[:, :, ::-1].copy())
    assert both.shape == (30, 2, 512)
    np.testing.assert_allclose(both[:, 1], mirrored[:, 0], rtol=1e-4, atol=1e-5)
    batches = feature_batches(both, TRAIN, LABELS[TRAIN], settings())
    cpu = torch.device("cpu")
    plain = torch.cat([inputs for inputs, _ in batches.in_order(cpu)])
    assert torch.equal(plain, torch.from_numpy(both[TRAIN, 0]))
    drawn = torch.cat(
        [batches.prepare(inputs) for inputs, _ in batches.shuffled(0, 0, cpu)]
    ).numpy()
    kinds = [(drawn[:, None] == both[None, :, view]).all(2).any(1).sum() for view in (0, 1)]
    assert sum(kinds) == 20 and min(kinds) > 3


def test_features_of_a_network_that_learns_are_refused(photos, tmp_path):
    learning = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3))
    with pytest.raises(ValueError, match="freeze the backbone first"):
        frozen_features(learning, photos, TRAIN, photo_digests(photos[TRAIN]), settings(), tmp_path)


def test_a_cache_folder_that_cannot_be_written_is_named(photos, model, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match=r"file: the features can't be written"):
        digests = photo_digests(photos[TRAIN])
        frozen_features(
            split_frozen(model)[0], photos, TRAIN, digests, settings(), tmp_path / "file"
        )


def test_compiled_or_where_it_cannot_be_the_outputs_are_the_same(
    photos, monkeypatch, capsys, tmp_path
):
    # Not where other processes compile, or were killed while they did.
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "compiled"))
    small = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3), torch.nn.BatchNorm2d(8), torch.nn.ReLU(), torch.nn.Flatten()
    )
    # 8, 8 and 4: the last is not compiled.
    batches = photo_batches(photos, TRAIN, LABELS[TRAIN], settings())
    plain = forward(small, batches, "fp32")
    monkeypatch.setattr("torch._inductor.config.cpp.vec_isa_ok", True)
    monkeypatch.setattr(inference, "COMPILE_FROM", 0)
    if shutil.which("g++") or shutil.which("clang++"):
        torch.testing.assert_close(forward(small, batches, "fp32", compiled=True), plain)
        assert "NOTE" not in capsys.readouterr().out

    def no_compiler(*args, **options):
        raise RuntimeError("no compiler")

    monkeypatch.setattr(torch, "compile", no_compiler)
    assert torch.equal(forward(small, batches, "fp32", compiled=True), plain)
    assert "torch.compile can't be used here" in capsys.readouterr().out


def test_the_statistics_of_a_random_network_are_those_of_all_classes_though_each_has_a_folder(
    tmp_path,
):
    rng = np.random.default_rng(0)
    for kind, level in (("Dark", 20), ("Light", 230)):
        (tmp_path / "root" / kind).mkdir(parents=True)
        for number in range(40):
            photo = rng.integers(level - 10, level + 10, (80, 60, 3), dtype=np.uint8)
            (tmp_path / "root" / kind / f"{number}.jpg").write_bytes(jpeg(Image.fromarray(photo)))
    config = settings(mean=(0, 0, 0), std=(1, 1, 1))
    data = load_data(tmp_path / "root", config)
    norm = torch.nn.BatchNorm2d(3)
    module.measure_statistics(norm, data, config)
    levels = torch.from_numpy(data.photos.array[data.task.train]) / 255
    assert torch.allclose(norm.running_mean, levels.mean((0, 1, 2)), atol=0.05)
    # Within one class, the variance is a hundredth of that.
    assert (norm.running_var > 0.8 * levels.var((0, 1, 2))).all()


@pytest.mark.parametrize("shape", ["rows", "views", "plain", "type"])
def test_kept_features_of_another_shape_are_named_with_the_way_out(cached, model, tmp_path, shape):
    kept = np.array(cached(model))
    (file,) = tmp_path.rglob("features-*.npy")
    others = {
        "rows": kept[1:],
        "views": np.concatenate([kept, kept], axis=1),
        "plain": kept[:, 0],
        "type": kept.astype(np.float64),
    }
    np.save(file, others[shape])
    with pytest.raises(DataError, match=r"is damaged \(.* must be an array of float32, .*delete"):
        cached(model)
