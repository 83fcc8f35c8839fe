"""The loop: what it measures, what it keeps, and that it goes on after a kill as if nothing had
happened.
"""

import argparse
import copy
import errno
import os
import re

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from fashion_tl.config import Config
from fashion_tl.data.batches import (
    Batches,
    feature_batches,
    flip_half,
    mirrored,
    photo_batches,
    prepare_photos,
)
from fashion_tl.errors import RunError, WriteError
from fashion_tl.network import training
from fashion_tl.network.inference import forward, resolve_precision
from fashion_tl.network.loss import classification_loss
from fashion_tl.network.training import fit, learning_rate
from tests.conftest import tiny_config

CLASSES = 3
CHECKPOINT = "checkpoint.pt"
EVEN = np.ones(CLASSES)


def colours(n=50, seed=0):
    """Photos that are mostly red, green or blue: uint8 [n, 8, 6, 3], and which."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(CLASSES, size=n)
    photos = rng.integers(0, 160, (n, 8, 6, 3), dtype=np.uint8)
    photos[np.arange(n), :, :, labels] += 70
    return photos, labels


def settings(**changes):
    return tiny_config("direct", **{"epochs": 4, "batch_size": 16, "lr": 0.05} | changes)


def batches(config, n=50, seed=0):
    photos, labels = colours(n, seed)
    return photo_batches(photos, np.arange(n), labels, config)


def small_network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=4),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, CLASSES),
    )


def run(config, folder=None, model=None, val_size=20):
    model, checkpoint = model or small_network(), folder and folder / CHECKPOINT
    fitted = fit(model, batches(config), batches(config, val_size, 1), config, EVEN, checkpoint)
    return fitted.history, {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


def test_the_loss_falls_and_the_colours_are_learned():
    history, _ = run(settings(epochs=8))
    assert history["train_loss"].iloc[-1] < 0.6 * history["train_loss"].iloc[0]
    assert history["val_accuracy"].iloc[-1] > 0.9


def test_loss_and_accuracy_are_means_over_samples_not_over_batches():
    # Batches of 47 and 3.
    config = settings(epochs=1, lr=1e-9, momentum=0, weight_decay=0, batch_size=47)
    model = small_network()
    model[1].requires_grad_(False)  # no BatchNorm statistics of a batch in the way
    weights = np.array([2.0, 1.0, 0.5])
    history = fit(model, batches(config), batches(config, 50), config, weights).history
    logits, (_, labels) = forward(model, batches(config), "fp32"), colours()
    losses = F.cross_entropy(logits, torch.from_numpy(labels), reduction="none")
    row = history.iloc[0]
    assert row["train_loss"] == pytest.approx(
        (losses * torch.from_numpy(weights)[labels]).mean().item(), rel=1e-4
    )
    assert row["train_accuracy"] == pytest.approx((logits.argmax(1).numpy() == labels).mean())
    assert row["val_cross_entropy"] == pytest.approx(losses.mean().item(), rel=1e-4)


def test_the_weights_of_the_epoch_with_the_lowest_validation_cross_entropy_are_restored():
    # Far too wild to end at its best.
    config = settings(epochs=6, lr=0.4, momentum=0.95, schedule="constant")
    model = small_network()
    history, _ = run(config, model=model)
    best = history.loc[history["best"]].iloc[0]
    assert best["val_cross_entropy"] == history["val_cross_entropy"].min()
    assert best["epoch"] < 6
    photos, labels = colours(20, 1)
    logits = forward(model, photo_batches(photos, np.arange(20), labels, config), "fp32")
    assert F.cross_entropy(logits, torch.from_numpy(labels)).item() == pytest.approx(
        best["val_cross_entropy"], rel=1e-5
    )


def test_without_validation_photos_the_last_epoch_is_kept():
    history, _ = run(settings(), val_size=0)
    assert history["best"].tolist() == [False, False, False, True]
    assert history["val_loss"].isna().all()


def test_without_validation_photos_nothing_is_said_of_validation(monkeypatch, capsys):
    run(settings(epochs=1), val_size=0)
    said = capsys.readouterr().out
    assert re.fullmatch(
        r"epoch  1/1  loss \d\.\d{3} train   accuracy \d+\.\d% train   \d+ s\n", said
    )
    train_epoch, calls = training.train_epoch, []

    def interrupted(*args):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return train_epoch(*args)

    monkeypatch.setattr(training, "train_epoch", interrupted)
    run(settings(), val_size=0)
    said = capsys.readouterr().out
    assert (
        "interrupted: the weights of epoch 2, the last so far, are kept" in said
        and "nan" not in said
    )


@pytest.mark.parametrize("killed_after", [1, 3])
def test_a_killed_training_ends_bit_for_bit_as_one_that_never_stopped(
    tmp_path, monkeypatch, killed_after
):
    config = settings(flip=True)
    whole, weights = run(config, tmp_path)
    (tmp_path / CHECKPOINT).unlink()

    validate, calls = training.validate, []

    def killed(*args):
        calls.append(1)
        if len(calls) > killed_after:
            raise SystemExit("killed")
        return validate(*args)

    monkeypatch.setattr(training, "validate", killed)
    with pytest.raises(SystemExit):
        run(config, tmp_path)
    monkeypatch.setattr(training, "validate", validate)
    resumed, resumed_weights = run(config, tmp_path, model=small_network(seed=99))
    assert same(weights, resumed_weights)
    pd.testing.assert_frame_equal(
        whole.drop(columns="seconds"), resumed.drop(columns="seconds"), check_exact=True
    )


def test_two_trainings_with_one_seed_are_identical_and_another_seed_differs():
    _, one = run(settings(flip=True))
    _, two = run(settings(flip=True))
    _, other = run(settings(flip=True, seed=1))
    assert same(one, two) and not same(one, other)


def test_going_on_leaves_frozen_parts_frozen(tmp_path):
    def frozen():
        model = small_network()
        model[0].requires_grad_(False)
        model[1].requires_grad_(False)
        return model

    start = frozen().state_dict()
    run(settings(epochs=4), tmp_path, frozen())
    checkpoint = torch.load(tmp_path / CHECKPOINT, weights_only=True)
    checkpoint["history"] = checkpoint["history"][:2]
    torch.save(checkpoint, tmp_path / CHECKPOINT)
    _, end = run(settings(epochs=4), tmp_path, frozen())
    assert all(torch.equal(start[name], end[name]) for name in start if name[0] in "01")
    assert not torch.equal(start["5.weight"], end["5.weight"])


def test_a_checkpoint_of_another_training_is_refused_by_name(tmp_path):
    run(settings(), tmp_path)
    with pytest.raises(RunError, match="was made with other settings: lr"):
        run(settings(lr=0.01), tmp_path)


def test_ctrl_c_keeps_the_best_so_far(interrupt):
    interrupt(2)
    config = settings()
    fitted = fit(small_network(), batches(config), batches(config, 20, 1), config, EVEN)
    assert fitted.history["epoch"].tolist() == [1, 2] and fitted.history["best"].sum() == 1
    assert fitted.interrupted


def test_a_loss_that_is_no_number_stops_the_training_and_names_lr():
    with pytest.raises(RunError, match=r"no longer a number in epoch \d; lower lr \(1000"):
        layers = [nn.Flatten(), nn.Linear(3 * 32 * 32, 8), nn.Linear(8, 8), nn.Linear(8, CLASSES)]
        run(settings(lr=1000, schedule="constant"), model=nn.Sequential(*layers))


@pytest.mark.parametrize(
    ("content", "kind"),
    [(b"half a checkpoint", "KeyError"), (argparse.Namespace(), "UnpicklingError")],
    ids=["half", "code"],
)
def test_a_damaged_checkpoint_is_named_and_nobody_is_told_to_run_its_code(tmp_path, content, kind):
    file = tmp_path / CHECKPOINT
    file.write_bytes(content) if isinstance(content, bytes) else torch.save(content, file)
    with pytest.raises(RunError) as error:
        run(settings(), tmp_path)
    assert str(error.value) == f"{file} is damaged ({kind}); delete it to train from the start"
    assert "weights_only" not in str(error.value)


@pytest.mark.parametrize(
    "change",
    [
        lambda state: {},
        lambda state: [1, 2],
        lambda state: torch.zeros(3),
        lambda state: state | {"config": None},
        lambda state: state | {"config": {"shape": "x"}},
        lambda state: state | {"history": 7},
        lambda state: state | {"history": [{"epoch": 1}]},
        lambda state: state | {"history": state["history"] * 2},
        lambda state: state | {"history": [state["history"][0] | {"epoch": n} for n in (1, 2)]},
        lambda state: state | {"history": [state["history"][0] | {"train_loss": "low"}]},
        lambda state: state | {"best": {}},
        lambda state: state | {"best": state["best"] | {"state": {}}},
        lambda state: state | {"model": None},
        lambda state: state | {"optimizer": {}},
    ],
)
def test_a_file_of_torchs_that_is_no_checkpoint_is_named(tmp_path, change):
    run(settings(epochs=1), tmp_path)
    state = torch.load(tmp_path / CHECKPOINT, weights_only=True)
    torch.save(change(state), tmp_path / CHECKPOINT)
    with pytest.raises(RunError, match=r"checkpoint\.pt is of (something|another).*; delete it"):
        run(settings(epochs=1), tmp_path)


def test_a_checkpoint_that_must_not_be_read_may_be_whole_so_nobody_is_told_to_delete_it(
    tmp_path, monkeypatch
):
    def forbidden(*given, **more):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    (tmp_path / CHECKPOINT).write_bytes(b"whole")
    monkeypatch.setattr(torch, "load", forbidden)
    with pytest.raises(RunError, match=r"can't be read \(Permission denied\); make it readable$"):
        run(settings(), tmp_path)


def test_a_checkpoint_that_can_not_be_written_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(state, file):
        file.write(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(WriteError, match=r"checkpoint\.pt can't be written \(no space left"):
        run(settings(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_class_without_training_photos_weighs_nothing():
    config, weights = settings(epochs=1), np.array([1.0, 0.0, 1.0])
    model = small_network()
    history = fit(model, batches(config), batches(config, 20, 1), config, weights).history
    logits = forward(model, batches(config, 20, 1), "fp32")
    labels = torch.from_numpy(colours(20, 1)[1])
    others = labels != 1
    expected = F.cross_entropy(logits[others], labels[others], reduction="mean").item()
    assert history["val_loss"][0] == pytest.approx(expected, rel=1e-4)


def test_bf16_trains_to_the_same_accuracy_within_a_tenth():
    accuracies = [
        run(settings(epochs=8, precision=p))[0]["val_accuracy"].iloc[-1] for p in ("fp32", "bf16")
    ]
    assert abs(accuracies[0] - accuracies[1]) <= 0.1
    assert {resolve_precision(p, torch.device("cpu")) for p in ("fp32", "bf16")} == {"fp32", "bf16"}
    assert resolve_precision("auto", torch.device("cpu")) in ("fp32", "bf16")


def five_answers():
    """Logits, the right ones of three classes, and the classes' weights."""
    logits = torch.randn(5, 3)
    return logits, torch.tensor([0, 1, 2, 0, 1]), torch.tensor([1.0, 4.0, 0.5])


def test_our_loss_is_the_mean_over_samples_of_weight_times_cross_entropy():
    logits, targets, weights = five_answers()
    each = [
        weights[t] * F.cross_entropy(row[None], t[None])
        for row, t in zip(logits, targets, strict=True)
    ]
    assert torch.allclose(classification_loss(logits, targets, weights), torch.stack(each).mean())


def test_the_published_loss_is_torchs_own_weighted_reduction():
    logits, targets, weights = five_answers()
    published = classification_loss(logits, targets, weights, "weighted mean")
    assert torch.equal(published, nn.CrossEntropyLoss(weight=weights)(logits, targets))


def test_label_smoothing_is_spread_over_learnable_classes_and_does_not_explode_with_rare_ones():
    logits = torch.tensor([[8.0, 0.0, -30.0]])
    target, weights = torch.tensor([0]), torch.tensor([1.0, 1000.0, 0.0])
    smoothed = classification_loss(logits, target, weights, label_smoothing=0.1)
    log_p = F.log_softmax(logits, 1)[0]
    expected = -(0.9 * log_p[0] + 0.1 * (log_p[0] + log_p[1]) / 2)
    assert smoothed.item() == pytest.approx(expected.item(), rel=1e-5)


def rare(config):
    """Batches in which class 2 is rare, and one network's predictions after training on them."""
    photos, labels = colours(120)
    # Nothing to see in them.
    photos = np.random.default_rng(0).integers(0, 256, photos.shape, dtype=np.uint8)
    labels = np.where(np.arange(120) % 12 == 0, 2, labels % 2)
    data, model = photo_batches(photos, np.arange(120), labels, config), small_network()
    fit(model, data, data, config, EVEN)
    return F.softmax(forward(model, data, "fp32"), 1).mean(0)


def test_logit_adjustment_takes_the_classes_frequencies_out_of_the_prediction():
    """Menon et al., 2021: where photos say nothing, every class becomes as likely as the others."""
    config = settings(epochs=15, balance="none")
    assert rare(config)[2] < 0.12
    adjusted = rare(config.change(balance="logits", balance_power=1.0))
    assert torch.allclose(adjusted, torch.full((3,), 1 / 3), atol=0.08)


def test_the_last_layer_may_learn_faster_than_the_rest():
    model = small_network()
    first, last = model[0].weight.clone(), model[-1].weight.clone()
    history, _ = run(settings(epochs=1, backbone_lr_ratio=0.0, weight_decay=0), model=model)
    assert torch.equal(model[0].weight, first) and not torch.equal(model[-1].weight, last)
    # The rate is the last layer's.
    assert history["lr"].iloc[-1] == pytest.approx(run(settings(epochs=1))[0]["lr"].iloc[-1])


@pytest.mark.parametrize(
    "change", [{"optimizer": "adamw", "lr": 0.01}, {"mixup": 0.4}, {"label_smoothing": 0.1}]
)
def test_whatever_the_optimiser_and_regularisation_it_learns_and_goes_on_after_a_kill(
    tmp_path, change
):
    config = settings(epochs=8, **change)
    history, weights = run(config)
    assert history["val_accuracy"].iloc[-1] > 0.85
    whole = training.train_epoch

    def killed(*args):
        if args[5] == 5:
            raise SystemExit("killed")
        return whole(*args)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(training, "train_epoch", killed)
        run(config, tmp_path)
    assert same(run(config, tmp_path)[1], weights)


def test_frozen_batchnorm_keeps_its_statistics_while_its_weights_learn():
    model = small_network()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    run(settings(epochs=2, frozen_batchnorm=True), model=model)
    assert torch.equal(model[1].running_mean, before["1.running_mean"])
    assert not torch.equal(model[1].weight, before["1.weight"])


def test_macro_accuracy_counts_every_class_of_the_validation_photos_alike():
    config = settings(epochs=1, lr=1e-9)
    photos, labels = colours(40)
    labels = np.where(np.arange(40) < 36, 0, 1)
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, CLASSES))
    nn.init.zeros_(model[1].weight)
    with torch.no_grad():
        model[1].bias.copy_(torch.tensor([1.0, 0.0, 0.0]))
    val = photo_batches(photos, np.arange(40), labels, config)
    row = fit(model, val, val, config, EVEN).history.iloc[0]
    assert row["val_accuracy"] == pytest.approx(0.9) and row["val_macro"] == pytest.approx(0.5)


def test_the_learning_rate_warms_up_then_falls_to_nothing_as_a_cosine():
    config = settings(epochs=10, lr=1.0, warmup_epochs=1.0)
    rates = [learning_rate(step, 20, config) for step in range(200)]
    assert rates[0] < 0.1 and max(rates) == pytest.approx(1.0, abs=0.01) and rates[-1] < 0.01
    assert int(np.argmax(rates)) == 20
    assert {
        learning_rate(s, 20, settings(epochs=10, schedule="constant", lr=0.5)) for s in range(200)
    } == {0.5}


def test_every_sample_comes_once_an_epoch_in_an_order_that_seed_and_epoch_decide():
    numbers = Batches(
        torch.arange(33)[:, None].float(), torch.arange(33), torch.arange(33), batch_size=16
    )
    cpu = torch.device("cpu")

    def order(seed, epoch):
        return torch.cat([labels for _, labels in numbers.shuffled(seed, epoch, cpu)]).tolist()

    assert sorted(order(0, 0)) == list(range(33))
    assert order(0, 0) == order(0, 0) and order(0, 0) != order(0, 1) and order(0, 0) != order(1, 0)
    sizes = [len(labels) for _, labels in numbers.shuffled(0, 0, cpu)]
    assert sizes == [16, 17] and len(numbers) == 2  # BatchNorm can't learn from a batch of one


def test_even_borders_are_cut_away_and_the_product_keeps_its_proportions():
    photo = torch.full((3, 80, 60, 3), 250, dtype=torch.uint8)
    photo[0, 20:40, 10:25] = 7  # a quarter of each side, off the middle
    photo[1, 10:70, 25:30] = 7  # tall: three quarters of the height decide
    config = Config("direct", image_size=(80, 60), trim=True, mean=(0, 0, 0), std=(1, 1, 1))
    dark = prepare_photos(photo, config)[:, 0] < 0.5
    assert dark[0].float().mean() == pytest.approx((0.25 / 0.3) ** 2, abs=0.02)
    rows, columns = dark[1].any(1), dark[1].any(0)
    assert rows.sum() >= 79 and columns.sum() == pytest.approx(5 / 0.75, abs=1.1)
    assert not dark[2].any()  # nothing but border: the photo stays whole
    plain = prepare_photos(photo[2:], config.change(trim=False))
    assert torch.allclose(prepare_photos(photo[2:], config), plain, atol=1e-5)


def test_photos_are_enlarged_and_normalised_per_batch():
    photo = np.full((1, 8, 6, 3), 255, dtype=np.uint8)
    config = settings(image_size=(64, 48), mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    prepared = prepare_photos(torch.from_numpy(photo), config)
    assert prepared.shape == (1, 3, 64, 48) and torch.allclose(prepared, torch.ones(()))
    assert prepared.is_contiguous(memory_format=torch.channels_last)


def test_photos_are_augmented_as_seed_and_epoch_decide_and_those_that_validate_never_are():
    photos = np.repeat(colours(1)[0], 16, axis=0)
    same = photo_batches(photos, np.arange(16), np.arange(16), settings(flip=True))
    plain, _ = next(same.in_order(torch.device("cpu")))
    assert torch.equal(plain, plain[:1].expand_as(plain))
    drawn, again, other = (
        next(same.shuffled(0, epoch, torch.device("cpu")))[0] for epoch in (0, 0, 1)
    )
    assert not torch.equal(drawn, drawn[:1].expand_as(drawn))
    assert torch.equal(drawn, again) and not torch.equal(drawn, other)


def test_the_logits_of_both_mirror_images_can_be_averaged():
    config, model = settings(flip_test=True), small_network().eval()
    photos, labels = colours(20)
    plain, turned = (
        forward(model, photo_batches(p, np.arange(20), labels, config), "fp32")
        for p in (photos, np.ascontiguousarray(photos[:, :, ::-1]))
    )
    both = forward(model, photo_batches(photos, np.arange(20), labels, config), "fp32", flip=True)
    assert not torch.allclose(plain, turned)
    assert torch.allclose(both, (plain + turned) / 2, atol=1e-6)


def test_features_are_mirrored_by_their_other_view_and_need_one():
    features = np.arange(12, dtype=np.float32).reshape(3, 2, 2)
    both = feature_batches(features, np.arange(3), np.arange(3), settings())
    plain, turned = (next(each.in_order(torch.device("cpu")))[0] for each in (both, mirrored(both)))
    assert torch.equal(plain, torch.from_numpy(features[:, 0])) and torch.equal(
        turned, torch.from_numpy(features[:, 1])
    )
    with pytest.raises(ValueError, match="no mirror image"):
        mirrored(feature_batches(features[:, :1], np.arange(3), np.arange(3), settings()))


def test_classes_without_training_photos_are_no_more_guessed_in_validation_than_in_testing():
    photos = colours(40)[0]
    config = settings(epochs=1, lr=1e-9, balance="logits", balance_power=1.0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, CLASSES))
    nn.init.zeros_(model[1].weight)
    with torch.no_grad():
        model[1].bias.copy_(torch.tensor([1.0, 0.0, 50.0]))  # it shouts for class 2
    data = photo_batches(photos, np.arange(40), np.zeros(40, dtype=int), config)
    row = fit(model, data, data, config, np.array([1.0, 1.0, 0.0])).history.iloc[0]
    assert row["val_accuracy"] == row["val_macro"] == row["train_accuracy"] == 1


def test_photos_of_classes_that_nothing_is_learned_of_do_not_decide_which_epoch_is_best():
    config = settings(epochs=4, lr=0.05)
    photos, labels = colours(40)[0], np.arange(40) % 2
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, CLASSES))
    train = photo_batches(photos, np.arange(40), labels, config)
    weights = np.array([1.0, 1.0, 0.0])

    def validated(labels):
        val = photo_batches(photos, np.arange(40), labels, config)
        history = fit(copy.deepcopy(model), train, val, config, weights).history
        return history.filter(regex="^val_|^best$")

    half = np.where(np.arange(40) < 20, labels, 2)  # class 2 has no training photo
    alone = photo_batches(photos, np.arange(20), labels[:20], config)
    expected = fit(copy.deepcopy(model), train, alone, config, weights).history
    found = validated(half)
    pd.testing.assert_frame_equal(found, expected[found.columns])
    assert validated(np.full(40, 2)).filter(like="val_").isna().all(axis=None)


def test_about_half_of_the_photos_are_mirrored_and_the_stored_ones_are_not_touched():
    photos = torch.from_numpy(colours(200)[0])
    before = photos.clone()
    flipped = flip_half(photos, torch.Generator().manual_seed(0))
    mirrored = [torch.equal(a, b.flip(1)) for a, b in zip(flipped, before, strict=True)]
    kept = [torch.equal(a, b) for a, b in zip(flipped, before, strict=True)]
    assert all(m or k for m, k in zip(mirrored, kept, strict=True)) and 70 < sum(mirrored) < 130
    assert torch.equal(photos, before)
