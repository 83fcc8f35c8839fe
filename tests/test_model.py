"""The network: weights that fit or are refused, freezing that freezes, heads that can be
swapped."""

import json
import pickle
import zipfile
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torchvision.models import ResNet50_Weights, resnet18, resnet50

from fashion_tl.__main__ import main
from fashion_tl.config import Config
from fashion_tl.data.batches import Batches
from fashion_tl.errors import WeightsError
from fashion_tl.network.model import (
    available_weights,
    build_network,
    count_parameters,
    freeze_all_but_head,
    freeze_first_children,
    load_model,
    read_weights,
    replace_head,
    save_model,
    train_mode,
)
from fashion_tl.network.training import fit
from fashion_tl.recipes import make_config, notes_on_random


@pytest.fixture(scope="module")
def imagenet_like():
    """The tensors of some ResNet-50 with 1,000 classes."""
    torch.manual_seed(1)
    return resnet50(weights=None).state_dict()


def photos(n=6):
    rng = torch.Generator().manual_seed(0)
    inputs = torch.randn(n, 3, 32, 32, generator=rng)
    return Batches(inputs, torch.arange(n), torch.arange(n) % 3, batch_size=3)


def train_one_epoch(model):
    config = Config(
        "direct", epochs=1, lr=0.1, warmup_epochs=0, weight_decay=0.01, precision="fp32"
    )
    fit(model, photos(), photos(3), config, [1.0, 1.0, 1.0])


SMALL = Config("direct", backbone="tiny")  # where any network will do


def copy_of(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def changed(before, model):
    return {
        name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])
    }


def test_only_the_head_moves_when_all_but_the_head_is_frozen():
    model = build_network(3, None, SMALL)
    freeze_all_but_head(model)
    before = copy_of(model)
    train_one_epoch(model)
    assert changed(before, model) == {"fc.weight", "fc.bias"}


def test_no_parameter_and_no_buffer_of_the_first_five_children_moves_when_they_are_frozen():
    model = build_network(3, None, Config("direct"))
    freeze_first_children(model, 5)
    before = copy_of(model)
    train_one_epoch(model)
    frozen = {name for name in before if name.split(".")[0] in ("conv1", "bn1", "layer1")}
    assert changed(before, model) == set(before) - frozen
    assert {"bn1.running_mean", "layer1.2.bn3.running_var"} <= frozen


def test_everything_moves_when_nothing_is_frozen():
    model = build_network(3, None, SMALL)
    before = copy_of(model)
    train_one_epoch(model)
    assert changed(before, model) == set(before)


def test_train_mode_leaves_frozen_batchnorm_in_evaluation_mode():
    model = build_network(3, None, Config("direct"))
    freeze_first_children(model, 5)
    train_mode(model)
    assert not model.bn1.training and not model.layer1[0].bn1.training
    assert model.layer2[0].bn1.training and model.fc.training


def test_the_number_of_learning_parameters_is_that_of_the_head_alone():
    model = build_network(20, None, Config("direct"))
    freeze_all_but_head(model)
    assert count_parameters(model)[0] == 2049 * 20


def test_swapping_the_head_from_20_to_142_classes_keeps_the_body():
    model = build_network(20, None, Config("direct"))
    before = copy_of(model)
    replace_head(model, 142)
    body = {
        name: tensor for name, tensor in model.state_dict().items() if not name.startswith("fc.")
    }
    assert all(torch.equal(before[name], tensor) for name, tensor in body.items())
    assert model.eval()(torch.zeros(1, 3, 32, 32)).shape == (1, 142)


@pytest.mark.parametrize("backbone", ["resnet18", "resnet50"])
def test_with_two_blocks_the_last_layer_takes_the_features_of_both(backbone, tmp_path):
    config = make_config("fc_only", blocks=2, backbone=backbone)
    model = build_network(5, None, config).eval()
    photos = torch.randn(2, 3, 70, 50)
    maps, means = photos, []
    plain = build_network(5, None, config.change(blocks=1)).eval()
    with torch.no_grad():
        for name, child in plain.named_children():
            maps = child(maps) if name not in ("avgpool", "fc") else maps
            means += [maps.mean((2, 3))] if name in ("layer3", "layer4") else []
        logits = model(photos)
        torch.testing.assert_close(logits, model.fc(torch.cat(means, 1)), rtol=1e-3, atol=1e-4)
        save_model(tmp_path / "m.safetensors", model, tuple("abcde"), [1] * 5, config)
        loaded = load_model(tmp_path / "m.safetensors")
        assert loaded.width == model.fc.in_features
        torch.testing.assert_close(loaded.model(photos), logits)
        both = loaded.folded(photos)
        torch.testing.assert_close(both[:, loaded.width :], logits, rtol=1e-3, atol=1e-3)


def test_the_same_seed_gives_the_same_network():
    one, other = (build_network(3, None, Config("direct", seed=5)).state_dict() for _ in range(2))
    assert list(one) == list(other)
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_half_precision_safetensors_are_accepted_and_become_float32(tmp_path, imagenet_like):
    save_file(
        {k: v.half() if v.is_floating_point() else v for k, v in imagenet_like.items()},
        tmp_path / "w.safetensors",
    )
    model = build_network(7, tmp_path / "w.safetensors", Config("direct"))
    assert torch.equal(model.conv1.weight, imagenet_like["conv1.weight"].half().float())
    assert model.fc.out_features == 7 and model.conv1.weight.dtype == torch.float32


def test_a_pth_file_is_accepted(tmp_path, imagenet_like):
    torch.save(imagenet_like, tmp_path / "w.pth")
    assert torch.equal(
        build_network(7, tmp_path / "w.pth", Config("direct")).conv1.weight,
        imagenet_like["conv1.weight"],
    )


def test_weights_of_another_network_are_refused_and_the_tensors_named(tmp_path):
    save_file(resnet18(weights=None).state_dict(), tmp_path / "resnet18.safetensors")
    with pytest.raises(
        WeightsError,
        match=r"resnet18.safetensors does not fit ResNet-50: layer1\.0\.conv3\.weight is missing",
    ):
        build_network(7, tmp_path / "resnet18.safetensors", Config("direct"))


def test_a_tensor_of_the_wrong_shape_is_named(tmp_path, imagenet_like):
    save_file(
        imagenet_like | {"conv1.weight": torch.zeros(64, 3, 3, 3)}, tmp_path / "w.safetensors"
    )
    with pytest.raises(
        WeightsError, match=r"conv1\.weight is \(64, 3, 3, 3\), not \(64, 3, 7, 7\)"
    ):
        build_network(7, tmp_path / "w.safetensors", Config("direct"))


def test_weights_that_are_not_numbers_are_refused(tmp_path, imagenet_like):
    save_file(
        imagenet_like | {"bn1.weight": torch.full((64,), float("nan"))}, tmp_path / "w.safetensors"
    )
    with pytest.raises(WeightsError, match=r"bn1\.weight holds values that are not numbers"):
        build_network(7, tmp_path / "w.safetensors", Config("direct"))


@pytest.mark.parametrize(
    "strange",
    [
        torch.ones(64, dtype=torch.int64),
        torch.ones(64, dtype=torch.complex64),
        torch.full((64,), 1e300, dtype=torch.float64),  # no number any more as float32
        torch.ones(64).to_sparse(),
        torch.ones(64, device="meta"),
    ],
    ids=["whole", "complex", "too large", "sparse", "meta"],
)
@pytest.mark.filterwarnings("ignore:.*sparse:UserWarning")
def test_only_floating_point_numbers_are_weights(tmp_path, imagenet_like, strange):
    light = {name: torch.zeros(()).expand(tensor.shape) for name, tensor in imagenet_like.items()}
    torch.save(light | {"bn1.weight": strange}, tmp_path / "w.pth")
    with pytest.raises(
        WeightsError, match=r"w\.pth .*: bn1\.weight holds values that are not numbers\. Give"
    ):
        read_weights(tmp_path / "w.pth")


def test_tensors_without_a_name_are_refused(tmp_path, imagenet_like):
    torch.save({1: torch.zeros(1)}, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=r"w\.pth holds no plain table of tensors"):
        read_weights(tmp_path / "w.pth")


def test_a_pth_that_would_unpack_to_gigabytes_is_refused(tmp_path):
    torch.save({"conv1.weight": torch.zeros(64, 3, 7, 7)}, tmp_path / "w.pth")
    with (
        zipfile.ZipFile(tmp_path / "w.pth") as archive,
        zipfile.ZipFile(tmp_path / "tight.pth", "w", 8) as tight,
    ):
        for name in archive.namelist():
            tight.writestr(name, archive.read(name))
    with pytest.raises(WeightsError, match=r"tight\.pth can't be read as weights"):
        read_weights(tmp_path / "tight.pth")


class Bomb:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return (Path.touch, (self.target,))


def test_a_pickle_that_would_run_code_is_refused_and_does_not_run(tmp_path):
    with open(tmp_path / "w.pth", "wb") as file:
        pickle.dump({"conv1.weight": Bomb(tmp_path / "ran")}, file)
    torch.save({"conv1.weight": Bomb(tmp_path / "ran")}, tmp_path / "zip.pth")
    for name in ("w.pth", "zip.pth"):
        with pytest.raises(WeightsError, match=f"{name} can't be read as weights"):
            read_weights(tmp_path / name)
    assert not (tmp_path / "ran").exists()


def test_a_damaged_file_is_refused(tmp_path):
    (tmp_path / "w.safetensors").write_bytes(b"\xff" * 100)
    with pytest.raises(WeightsError, match=r"w\.safetensors can.t be read"):
        read_weights(tmp_path / "w.safetensors")


def test_missing_weights_name_the_three_ways_to_give_them(tmp_path):
    with pytest.raises(
        WeightsError, match=r"no such weights: .*IMAGENET1K_V1.*\.safetensors.*none"
    ):
        build_network(7, tmp_path / "absent.pth", Config("direct"))


@pytest.fixture
def offline(monkeypatch):
    def fail(*args, **kwargs):
        raise URLError("no network")

    monkeypatch.setattr(ResNet50_Weights, "get_state_dict", fail)


def test_without_a_network_the_sample_goes_on_from_random_weights_and_says_so(offline, capsys):
    assert available_weights("IMAGENET1K_V2", is_sample=True) is None
    assert "RANDOM weights" in capsys.readouterr().out


def test_settings_that_do_not_suit_random_weights_are_named_and_no_others():
    assert notes_on_random(make_config("direct", lr=0.01, frozen_batchnorm=False)) == []
    (note,) = notes_on_random(make_config("fc_only"))
    assert note == "lr=1 is too high for random weights; set lr to 0.01 or less"
    (note,) = notes_on_random(make_config("two_step"))
    assert note.endswith("so it learns them, whatever frozen_batchnorm says")
    (note,) = notes_on_random(
        make_config("direct", lr=0.01, frozen_batchnorm=False, frozen_children=6)
    )
    assert note.endswith("so frozen_children freezes nothing")


def test_without_a_network_a_run_on_real_data_stops(offline):
    with pytest.raises(WeightsError, match=r"IMAGENET1K_V2 could not be downloaded .*three ways"):
        available_weights("IMAGENET1K_V2", is_sample=False)


def test_a_misspelt_name_is_never_taken_for_random_weights():
    with pytest.raises(WeightsError, match="no such weights: IMAGENET1K_V9"):
        available_weights("IMAGENET1K_V9", is_sample=True)


def test_a_saved_model_carries_its_classes_and_settings(tmp_path):
    model, config = build_network(2, None, SMALL).eval(), SMALL
    save_model(tmp_path / "m.safetensors", model, ("Shirts", "Belts"), [5, 0], config, 0.4)
    saved = load_model(tmp_path / "m.safetensors")
    assert saved.temperature == 0.4
    assert (
        saved.classes == ("Shirts", "Belts")
        and saved.fit_counts == (5, 0)
        and saved.config == config
    )
    inputs = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        assert torch.equal(saved.model(inputs), model(inputs))
    assert [path.name for path in tmp_path.iterdir()] == ["m.safetensors"]
    (tmp_path / "other").touch()  # those who may read other files may read this one
    assert (tmp_path / "m.safetensors").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_a_file_that_is_no_saved_model_is_refused(tmp_path, imagenet_like):
    save_file(imagenet_like, tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match="not a model saved by fashion_tl"):
        load_model(tmp_path / "w.safetensors")


SETTINGS = SMALL.to_dict()


@pytest.mark.parametrize("name", ["fc.bias", "bn1.running_var"])
def test_a_saved_model_with_a_value_that_is_no_number_is_refused(tmp_path, name):
    model = build_network(2, None, SMALL)
    model.state_dict()[name][0] = float("nan")
    save_model(tmp_path / "m.safetensors", model, ("Shirts", "Belts"), [5, 0], SMALL)
    with pytest.raises(
        WeightsError, match=r"m\.safetensors is damaged: .* holds values that are not numbers"
    ):
        load_model(tmp_path / "m.safetensors")


def test_a_variance_below_zero_is_refused_in_weights_and_in_a_saved_model(tmp_path):
    model = build_network(2, None, Config("direct"))
    model.layer2[0].bn1.running_var[3] = -0.1
    torch.save(model.state_dict(), tmp_path / "w.pth")
    save_model(tmp_path / "m.safetensors", model, ("Shirts", "Belts"), [5, 0], Config("direct"))
    for read, name in ((read_weights, "w.pth"), (load_model, "m.safetensors")):
        with pytest.raises(
            WeightsError, match=rf"{name} .*layer2\.0\.bn1\.running_var holds negative values"
        ):
            read(tmp_path / name)


@pytest.mark.parametrize(
    ("counts", "config", "words"),
    [
        ([5], SETTINGS, "its classes and their counts don't fit together"),
        (None, SETTINGS, "its counts of training photos are no whole numb"),
        ([5, "0"], SETTINGS, "its counts of training photos are no whole numb"),
        ([5, -1], SETTINGS, "its counts of training photos are no whole numb"),
        ([0, 0], SETTINGS, "none of its classes has a training photo"),
        ([5, 0], None, "NoneType.*another version made it"),
        ([5, 0], {}, "'training'.*another version made it"),
        ([5, 0], SETTINGS | {"of_another_version": 1}, "'of_another_versi.*or use that version"),
        ([5, 0], SETTINGS | {"epochs": -1}, "epochs must be.*another version made it"),
    ],
)
def test_a_saved_model_whose_parts_do_not_fit_together_is_refused(tmp_path, counts, config, words):
    state = {
        name: values.contiguous()
        for name, values in build_network(2, None, SMALL).state_dict().items()
    }
    about = {"classes": ["Shirts", "Belts"], "train_counts": counts, "config": config}
    save_file(state, tmp_path / "m.safetensors", metadata={"fashion_tl": json.dumps(about)})
    with pytest.raises(WeightsError, match=rf"m\.safetensors .*{words}"):
        load_model(tmp_path / "m.safetensors")


def with_temperature(folder, more):
    """A saved model of an older version, and ``more`` in its description."""
    about = {"classes": ["Shirts", "Belts"], "train_counts": [5, 0], "config": SETTINGS}
    network = build_network(2, None, SMALL).state_dict()
    state = {name: values.contiguous() for name, values in network.items()}
    file = folder / "m.safetensors"
    save_file(state, file, metadata={"fashion_tl": json.dumps(about | more)})
    return file


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda state: state.pop("bn1.bias"), "bn1.bias is missing"),
        (lambda state: state.update(more=torch.zeros(1)), "more is not in this network"),
        (
            lambda state: state.update({"fc.bias": torch.zeros(3)}),
            r"fc.bias is \(3,\), not \(2,\)",
        ),
    ],
)
def test_a_saved_model_with_other_tensors_is_refused_in_one_line(tmp_path, change, words):
    file = with_temperature(tmp_path, {})
    with safe_open(file, "pt") as saved:
        about = saved.metadata()
    state = load_file(file)
    change(state)
    save_file(state, file, metadata=about)
    with pytest.raises(
        WeightsError, match=rf"its tensors don't fit its settings: {words}"
    ) as error:
        load_model(file)
    assert "\n" not in str(error.value)


def test_a_model_saved_before_there_were_temperatures_has_that_of_the_plain_softmax(tmp_path):
    assert load_model(with_temperature(tmp_path, {})).temperature == 1


def test_in_a_finished_run_a_network_without_its_description_is_called_damaged(tmp_path):
    file = with_temperature(tmp_path, {})
    save_file(load_file(file), file)  # as another tool saves it
    with pytest.raises(WeightsError, match=r"isn't finished: it lacks the description"):
        load_model(file)
    (tmp_path / "metrics.json").write_text("{}")
    with pytest.raises(WeightsError, match=r"damaged \(it lacks the description .*; copy it again"):
        load_model(file)


@pytest.mark.parametrize(
    "value", [0, -1.5, 10**400, float("nan"), float("inf"), None, True, "warm", [1]]
)
def test_a_temperature_that_is_none_is_refused(tmp_path, value):
    with pytest.raises(WeightsError, match=r"is damaged \(its temperature is"):
        load_model(with_temperature(tmp_path, {"temperature": value}))


def test_bad_weights_end_a_run_before_anything_is_trained_or_written(sample_root, tmp_path, capsys):
    torch.save({"conv1.weight": Bomb(tmp_path / "ran")}, tmp_path / "w.pth")
    words = ["run", "direct", "--data", str(sample_root), "--weights", str(tmp_path / "w.pth")]
    assert main([*words, "--out", str(tmp_path / "run")]) == 2
    assert "w.pth can't be read as weights" in capsys.readouterr().err
    assert not (tmp_path / "run").exists() and not (tmp_path / "ran").exists()


def test_logits_are_float32_also_where_the_body_computes_in_bf16():
    model = build_network(3, None, SMALL).eval()
    with torch.autocast("cpu", torch.bfloat16):
        logits = model(torch.randn(2, 3, 32, 32))
    assert logits.dtype == torch.float32
    assert not torch.equal(logits, logits.bfloat16().float())
