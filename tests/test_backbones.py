"""The network is a setting: each backbone is built, told from the others, and trained."""

import json
import re

import pytest
import torch
from torchvision.models import get_model_weights

from fashion_tl.__main__ import main
from fashion_tl.approaches import run_approach
from fashion_tl.backbones import BACKBONES, Backbone
from fashion_tl.config import Config
from fashion_tl.errors import WeightsError
from fashion_tl.network.layers import Conv
from fashion_tl.network.model import build_network, load_model, read_weights, save_model
from fashion_tl.network.tensors import likeness
from fashion_tl.network.weights import ways_to_give
from fashion_tl.reporting.report import write_report
from tests.conftest import jpeg
from tests.quick import QUICK
from tests.tiny import TINY_BACKBONE

FEW = {"rare": {"largest": 2}}  # the drawn data have too few classes for the usual 20


TORCHVISIONS = [name for name in BACKBONES if name != TINY_BACKBONE.name]


@pytest.mark.parametrize("name", TORCHVISIONS)
def test_the_table_of_backbones_says_what_torchvision_builds(name):
    with torch.device("meta"):
        network = BACKBONES[name].build()
    children = [child for child, _ in network.named_children()]
    assert children == [
        "conv1",
        "bn1",
        "relu",
        "maxpool",
        *(f"layer{n}" for n in range(1, 5)),
        "avgpool",
        "fc",
    ]
    assert "IMAGENET1K_V1" in BACKBONES[name].weights_names


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("resnet19", "'resnet19', but this torchvision has no such network. Correct or remove"),
        ("mobilenet_v3_small", "isn't built as a ResNet: its children are features, avgpool"),
    ],
)
@pytest.mark.parametrize("weights", ["none", "IMAGENET1K_V1"])
def test_a_row_of_the_table_that_cannot_work_is_named(
    name, said, weights, sample_root, tmp_path, monkeypatch, capsys
):
    monkeypatch.setitem(BACKBONES, name, Backbone(name, "Mine"))
    words = ["--backbone", name, "--weights", weights, "--data", sample_root]
    assert main([*map(str, ["run", "direct", *words, "--out", tmp_path / "run"])]) == 2
    error = capsys.readouterr().err
    assert f"error: BACKBONES has {name!r}" in error and said in error
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["resnet18", "resnext50_32x4d"])
def test_quick_convolutions_stand_only_where_they_compute_the_same(name, tmp_path):
    """In training and after loading alike; those in groups stay torch's own."""
    config = Config("direct", backbone=name)
    network = build_network(3, None, config)
    save_model(tmp_path / "m.safetensors", network, ("a", "b", "c"), [1, 1, 1], config)
    loaded = load_model(tmp_path / "m.safetensors").model
    plain = BACKBONES[name].build()
    plain.fc = network.fc
    plain.load_state_dict(network.state_dict())
    photos = torch.randn(2, 3, 64, 48)
    for each in (network, loaded):
        kinds = {type(module) for module in each.modules() if isinstance(module, torch.nn.Conv2d)}
        assert Conv in kinds
        with torch.enable_grad():
            assert torch.allclose(each.eval()(photos), plain.eval()(photos), atol=1e-3)
    grouped = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d) and m.groups > 1]
    assert not any(isinstance(module, Conv) for module in grouped)


@pytest.mark.parametrize("name", TORCHVISIONS)
def test_each_backbone_is_told_from_the_others_by_its_tensors(name):
    assert likeness(BACKBONES[name].outline()) == BACKBONES[name].title


def test_tensors_like_no_backbone_are_called_by_no_name():
    deeper = BACKBONES["resnet18"].outline() | {"layer1.2.conv1.weight": torch.empty(64, 64, 3, 3)}
    assert likeness(deeper) == likeness({}) == likeness({"layer1.0.conv1.weight": 7}) == ""


@pytest.mark.parametrize("name", TORCHVISIONS)
def test_an_error_on_weights_offers_those_that_the_backbone_has(name):
    given = re.search(r"a torchvision name \((.*): down", ways_to_give(BACKBONES[name]))[1]
    assert given.split(", ") == [member.name for member in get_model_weights(name)]


def test_damaged_weights_are_not_said_to_look_like_the_backbone_itself(tmp_path):
    state = BACKBONES["resnet18"].build().state_dict()
    torch.save(state | {"bn1.weight": 7}, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=r"bn1\.weight is not a tensor") as error:
        read_weights(tmp_path / "w.pth", "resnet18")
    assert "looks like" not in str(error.value) and "IMAGENET1K_V2" not in str(error.value)


def test_weights_of_another_backbone_are_refused_by_its_name(tmp_path):
    torch.save(BACKBONES["resnet18"].build().state_dict(), tmp_path / "w.pth")
    build_network(3, tmp_path / "w.pth", Config("direct", backbone="resnet18"))
    with pytest.raises(
        Exception, match=r"w\.pth does not fit ResNet-34: .* It looks like a ResNet-18"
    ):
        build_network(3, tmp_path / "w.pth", Config("direct", backbone="resnet34"))


# The others run on it in test_label_and_split.py.
@pytest.mark.parametrize("approach", ["fc_only", "rare"])
def test_an_approach_runs_on_another_backbone_and_its_model_is_used(
    approach, sample_root, tmp_path
):
    few = FEW.get(approach, {})
    settings = QUICK | {"backbone": "resnet18"} | few
    run = run_approach(approach, sample_root, "none", tmp_path / "run", **settings)[-1]
    assert "ResNet-18 from random weights" in run.source
    assert load_model(run.model_path).model.fc.in_features == 512
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(jpeg((200, 10, 10)))
    answers = tmp_path / "answers.json"
    assert main(["predict", str(run.folder), str(photo), "--to", str(answers)]) == 0
    assert json.loads(answers.read_text())[0]["top1"] in set(run.per_class["label"])
    assert "ResNet-18" in write_report(run.folder, sample_root).read_text(encoding="utf-8")
