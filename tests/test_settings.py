"""What was fixed once is a setting: label, split, network, augmentation, approach."""

import json
import re

import numpy as np
import pandas as pd
import pytest
import torch
from torchvision.models import get_model_weights

from fashion_tl import approaches, running, split
from fashion_tl.__main__ import main
from fashion_tl.approaches import run_approach
from fashion_tl.backbones import BACKBONES, Backbone
from fashion_tl.config import LOSS_AND_LOGITS, Config
from fashion_tl.data import batches
from fashion_tl.data.catalogue import read_catalogue
from fashion_tl.data.dataroot import open_root
from fashion_tl.data.dataset import load_data
from fashion_tl.errors import ConfigError, DataError, RunError, WeightsError
from fashion_tl.network.checkpoints import likeness
from fashion_tl.network.layers import Conv
from fashion_tl.network.model import (
    build_network,
    freeze_all_but_head,
    load_model,
    read_weights,
    save_model,
)
from fashion_tl.network.weights import ways_to_give
from fashion_tl.recipes import (
    APPROACHES,
    TRAININGS,
    Approach,
    Training,
    approach_configs,
    make_config,
)
from fashion_tl.reporting.gallery import distribution20, draw_all
from fashion_tl.reporting.report import write_report
from fashion_tl.runs import open_run
from fashion_tl.split import RULES, Rule, Split, for_a_shell, parse_split
from study.record import record
from study.records import read_records
from tests import REPOSITORY
from tests.conftest import figures_alone, jpeg
from tests.test_figures import row_names

FEW = {"rare": {"largest": 2}}  # the drawn data have too few classes for the usual 20
QUICK = {"epochs": 1, "image_size": (32, 32), "batch_size": 32, "precision": "fp32", "lr": 1e-3}
QUICKEST = QUICK | {"backbone": "resnet18"}  # where any network will do
SETS = [
    f"--set={name}={value}".replace("(", "").replace(")", "") for name, value in QUICKEST.items()
]
HEADER = "id,year,articleType,baseColour,part"
ROWS = [
    "1,2012,Shirts,Blue,train",
    "2,2012,Heels,Red,Training",
    "3,2013,Shirts,Red,val",
    "4,2014,Heels,Blue,test",
    "5,,Shirts,Blue,TEST",
    "6,2015,Heels,,train",
    "7,2016,Shirts,Red,maybe",
]


def catalogue(make_root, **settings):
    return read_catalogue(open_root(make_root(ROWS, header=HEADER)), **settings)


def parts(catalogue):
    return dict(zip(catalogue.table["id"], catalogue.table["part"], strict=True))


# -- label and split


def test_any_column_can_be_the_label(make_root):
    colours = catalogue(make_root, label="baseColour")
    assert set(colours.classes) == {"Blue", "Red"} and colours.label == "baseColour"
    assert {"missing baseColour", "missing year"} == set(colours.left_out["reason"])


def test_a_label_or_a_split_column_that_is_not_there_is_named_with_those_that_are(make_root):
    root = open_root(make_root(ROWS, header=HEADER))
    for settings, wrong in (({"label": "colour"}, "colour"), ({"split": "column:fold"}, "fold")):
        with pytest.raises(
            DataError, match=f"no column '{wrong}'.*id,year,articleType,baseColour,part"
        ):
            read_catalogue(root, **settings)


def test_a_column_says_what_trains_validates_and_tests(make_root):
    split = catalogue(make_root, split="column:part")
    assert parts(split) == {
        **{"1": "train", "2": "train", "6": "train"},
        **{"3": "val", "4": "test", "5": "test"},
    }
    assert split.examples == {
        "bad part": "line 8 has 'maybe', which is neither train, val nor test"
    }
    assert split.table["year"].isna().sum() == 1  # no year is needed


def test_photos_that_the_data_name_for_validation_validate(make_root):
    rows = [
        f"{n},2012,{('Shirts', 'Heels')[n % 2]},Blue,{('train', 'val', 'test')[n % 3]}"
        for n in range(24)
    ]
    root = make_root(rows, header=HEADER)
    data = load_data(root, make_config("direct", split="column:part"), quiet=True)
    ids = data.catalogue.table["id"].astype(int)
    for number, part in enumerate(("train", "val", "test")):
        assert (ids.iloc[getattr(data.task, part)] % 3 == number).all()


def test_classes_that_only_validate_cannot_be_learned(make_root):
    rows = [
        f"{n},2012,{kind},Blue,{part}"
        for n, (kind, part) in enumerate(
            [("A", "train"), ("B", "train"), ("C", "val"), ("A", "test"), ("C", "test")]
        )
    ]
    known = read_catalogue(open_root(make_root(rows, header=HEADER)), split="column:part")
    counts = known.counts.set_index("label")["train"]
    assert counts.to_dict() == {"A": 1, "B": 1, "C": 0} and known.fault is None
    rows = [row.replace("train", "val") for row in rows]
    none = read_catalogue(open_root(make_root(rows, header=HEADER, at="none")), split="column:part")
    assert "there is nothing to train on" in none.fault


def test_labels_belong_to_the_fingerprint_whatever_their_column_is_called(make_root):
    prints = set()
    for swap in (False, True):
        rows = [f"{n},2012,A,Blue,{('train', 'test')[(n % 2 == 0) != swap]}" for n in range(8)]
        root = make_root(rows, header=HEADER, at=f"root{swap}")
        config = make_config("direct", label="part", split="random:0.5")
        prints.add(load_data(root, config, quiet=True).fingerprint)
    assert len(prints) == 2


def test_years_up_to_one_train(make_root):
    assert parts(catalogue(make_root, split="year<=2013")) == {
        **{"1": "train", "2": "train", "3": "train"},
        **{"4": "test", "6": "test", "7": "test"},
    }


def test_a_share_of_each_class_is_drawn_to_test_the_same_each_time(make_root):
    table = pd.DataFrame({"label": ["a"] * 50 + ["b"] * 10 + ["c"]})
    split = parse_split("random:0.2")
    drawn = split.parts(table, seed=0)
    counts = pd.Series(drawn).groupby(table["label"]).apply(lambda own: (own == "test").sum())
    assert counts.to_dict() == {"a": 10, "b": 2, "c": 0}
    assert (drawn == split.parts(table, seed=0)).all() and (
        drawn != split.parts(table, seed=1)
    ).any()


@pytest.mark.parametrize(
    "text", ["", "odd", "year<2014", "random:2", "random:0", "random:x", "column:", 3, None]
)
def test_a_split_that_cannot_be_read_is_refused_with_the_ways_to_write_one(text):
    with pytest.raises(
        ConfigError, match=r"split must be even-odd, year<=2014, random:0.2 .* column:NAME"
    ):
        parse_split(text)


def test_a_rule_cannot_exist_without_saying_which_photos_train():
    with pytest.raises(TypeError, match="parts"):
        Split("summer", "winter")


def test_a_new_rule_is_one_row_and_is_read_named_and_offered(make_root, monkeypatch):
    def thirds(_):
        return Split(
            "two in three",
            "one in three",
            lambda table, seed: np.where(table["id"].astype(int) % 3 == 0, "test", "train"),
        )

    monkeypatch.setattr(split, "RULES", (*RULES, Rule("thirds", "thirds", thirds)))
    new = catalogue(make_root, split="thirds")
    assert {own for own, part in parts(new).items() if part == "test"} == {"3", "6"}
    assert new.split.rule == "two in three train, one in three test"
    with pytest.raises(ConfigError, match=r"random:0.2 .* or thirds, not 'odd'"):
        parse_split("odd")
    assert for_a_shell().endswith("column:NAME or thirds")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.example)
def test_each_rule_reads_its_own_example_and_is_explained_in_the_documents(rule):
    assert isinstance(parse_split(rule.example), Split)
    usage = (REPOSITORY / "docs" / "usage.md").read_text(encoding="utf-8")
    setting = re.search(r"^\| `split` \|.*$", usage, re.MULTILINE)[0]
    assert f"`{rule.example}`" in setting
    assert re.search(rf'^\| `"?{re.escape(rule.example)}"?` \|', usage, re.MULTILINE)


def test_folders_say_the_label_and_the_split_themselves(tmp_path):
    for part in ("train", "test"):
        for kind in ("A", "B"):
            (tmp_path / part / kind).mkdir(parents=True)
            (tmp_path / part / kind / f"{part}{kind}.jpg").write_bytes(jpeg((9, 9, 9)))
    root = open_root(tmp_path)
    assert read_catalogue(root).split.rule == "the training folders train, the test folders test"
    with pytest.raises(ConfigError, match="Leave label and split out"):
        read_catalogue(root, label="baseColour")


# The drawn data have too few master categories to leave the largest out.
@pytest.mark.parametrize("approach", [name for name in APPROACHES if name != "rare"])
def test_every_approach_runs_by_another_label_and_split_and_says_the_true_words(
    approach, sample_root, one_figure, tmp_path, capsys
):
    out = tmp_path / "run"
    words = [
        "--label",
        "masterCategory",
        "--split",
        "random:0.2",
        "--weights",
        "none",
        "--out",
        out,
    ]
    assert main([*map(str, ["run", approach, "--data", sample_root, *words, *SETS])]) == 0
    run = open_run(out)
    assert set(run.per_class["label"]) <= {
        "Apparel",
        "Footwear",
        "Accessories",
        "Personal Care",
        "Free Items",
    }
    page = write_report(out, sample_root).read_text(encoding="utf-8")
    assert "a drawn 80% train, the other 20% test" in page
    assert "odd year" not in page and "even year" not in page
    assert main(["summary", "--data", str(sample_root), *words[:4]]) == 0
    assert "the label is masterCategory; a drawn 80% train" in capsys.readouterr().out


# -- the backbone


@pytest.mark.parametrize("name", BACKBONES)
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


@pytest.mark.parametrize("name", BACKBONES)
def test_each_backbone_is_told_from_the_others_by_its_tensors(name):
    assert likeness(BACKBONES[name].outline()) == BACKBONES[name].title


def test_tensors_like_no_backbone_are_called_by_no_name():
    deeper = BACKBONES["resnet18"].outline() | {"layer1.2.conv1.weight": torch.empty(64, 64, 3, 3)}
    assert likeness(deeper) == likeness({}) == likeness({"layer1.0.conv1.weight": 7}) == ""


@pytest.mark.parametrize("name", BACKBONES)
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


@pytest.mark.parametrize("approach", APPROACHES)
def test_every_approach_runs_on_another_backbone_and_its_model_is_used(
    approach, sample_root, tmp_path
):
    few = FEW.get(approach, {})
    settings = QUICKEST | few
    run = run_approach(approach, sample_root, "none", tmp_path / "run", **settings)[-1]
    assert "ResNet-18 from random weights" in run.source
    assert load_model(run.model_path).model.fc.in_features == 512
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(jpeg((200, 10, 10)))
    answers = tmp_path / "answers.json"
    assert main(["predict", str(run.folder), str(photo), "--to", str(answers)]) == 0
    assert json.loads(answers.read_text())[0]["top1"] in set(run.per_class["label"])
    assert "ResNet-18" in write_report(run.folder, sample_root).read_text(encoding="utf-8")


# -- the classes


def test_the_other_classes_alone_are_learned_from_the_network_of_the_largest(
    wide_root, tmp_path, monkeypatch
):
    first, second = run_approach(
        "rare", wide_root, "none", tmp_path / "run", **QUICKEST, largest=10
    )
    largest, others = set(first.per_class["label"]), set(second.per_class["label"])
    assert len(largest) == 10 and len(others) == 14 and not largest & others
    assert first.folder == second.folder / "top20"
    counts = read_catalogue(open_root(wide_root)).counts.set_index("label")
    assert set(second.predictions["label"]) == {c for c in others if counts.loc[c, "test"]}
    assert counts.loc[list(others), "train"].sum() == second.per_class["train"].sum()
    a, b = (load_model(run.model_path).model for run in (first, second))
    assert torch.equal(a.layer1[0].conv1.weight, b.layer1[0].conv1.weight)
    assert not torch.equal(a.layer4[0].conv1.weight, b.layer4[0].conv1.weight)
    assert "without the 10 largest classes" in second.source
    with figures_alone("loss", "per_class", "weight", "calibration"):
        names = {file.name for file in draw_all(second.folder, wide_root)}
    assert {"loss_122.png", "per_class_122.png", "weight.png", "calibration_122.png"} <= names


def test_leaving_all_classes_out_is_an_error_that_says_so(sample_root):
    data = load_data(sample_root, Config("rare"), quiet=True)
    with pytest.raises(DataError, match="all but the 20 largest classes have no photo to train on"):
        data.of_classes(Config("rare", without_largest=20))
    one_left = data.task.num_classes - 1
    with pytest.raises(DataError, match=r"(no photo|a single one).*leave out fewer"):
        data.of_classes(Config("rare", without_largest=one_left))


def test_how_many_classes_the_second_step_leaves_out_is_said_once_by_largest():
    first, second = approach_configs("rare", largest=7)
    assert (first.largest, first.without_largest) == (7, 0)
    assert (second.largest, second.without_largest) == (0, 7)
    first, second = approach_configs("two_step", without_largest=5)
    assert (first.without_largest, second.without_largest) == (0, 5)
    with pytest.raises(ConfigError, match="set `largest`"):
        approach_configs("rare", without_largest=5)


# -- augmentation


def test_an_augmentation_is_a_function_and_a_setting_and_fc_only_refuses_it_by_name(
    sample_root, tmp_path, monkeypatch
):
    seen = []
    # A new one would be a new field of Config; here an old setting stands in for it.
    monkeypatch.setitem(
        batches.AUGMENTATIONS, "flip_test", lambda photos, rng: seen.append(1) or photos
    )
    settings = QUICK | {"flip_test": True}
    data = load_data(sample_root, make_config("direct", **settings), quiet=True)
    train = data.batches("train", make_config("direct", **settings))
    next(train.shuffled(0, 0, torch.device("cpu")))
    assert seen
    with pytest.raises(ConfigError, match="flip_test: while only the last layer learns"):
        run_approach("fc_only", sample_root, "none", tmp_path / "run", **settings | {"lr": 0.01})


@pytest.mark.parametrize("approach", ["fc_only", "mine"])
def test_settings_that_are_refused_leave_no_folder_so_that_the_command_without_them_runs(
    approach, sample_root, tmp_path, monkeypatch
):
    add_head_twice(monkeypatch)
    monkeypatch.setitem(batches.AUGMENTATIONS, "trim", lambda photos, rng: photos)
    out = tmp_path / "run"
    settings = QUICKEST | {"lr": 0.01}
    with pytest.raises(ConfigError, match="trim: while only the last layer learns"):
        run_approach(approach, sample_root, "none", out, **settings, trim=True)
    assert not out.exists()
    assert run_approach(approach, sample_root, "none", out, **settings)[-1].is_finished


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"batch_size": 1, "frozen_batchnorm": True}, "batch_size=1 with image_size=32x32"),
        ({"balance": LOSS_AND_LOGITS}, "balance: an older version"),
    ],
)
@pytest.mark.parametrize("approach", ["direct", "two_step"])
def test_settings_that_no_network_can_learn_with_are_refused_before_a_folder_is_made(
    approach, settings, said, sample_root, tmp_path
):
    settings = QUICKEST | {"largest": 3} | settings
    with pytest.raises(ConfigError, match=said):
        run_approach(approach, sample_root, "none", tmp_path / "run", **settings)
    assert not (tmp_path / "run").exists()


# -- an approach


def head_twice(data, weights, folder, first, config):
    """FC only, and then the whole network from there."""
    run = running.start_run(folder, config, data, weights)
    earlier = running.start_run(folder / first.training, first, data, weights)
    model = build_network(data.task.num_classes, weights, first)
    freeze_all_but_head(model)
    running.train_and_finish(model, data, earlier)
    model.requires_grad_(True)
    return [earlier, running.train_and_finish(model, data, run)]


def add_head_twice(monkeypatch):
    monkeypatch.setattr(approaches, "head_twice", head_twice, raising=False)
    row = Approach(
        "Head, then all", "fashion_tl.approaches:head_twice", ("head", "then_all"), "05_mine"
    )
    monkeypatch.setitem(APPROACHES, "mine", row)
    first = Training("First the head", "head", {}, head_only=True)
    monkeypatch.setitem(TRAININGS, "head", first)
    monkeypatch.setitem(TRAININGS, "then_all", Training("Then all of it", "all", {}))


def test_an_approach_is_a_function_and_rows_and_is_run_drawn_reported_and_recorded(
    sample_root, tmp_path, monkeypatch
):
    add_head_twice(monkeypatch)
    out = tmp_path / "run"
    words = ["run", "mine", "--data", sample_root, "--weights", "none", "--out", out, *SETS]
    with figures_alone("loss"):  # all of them are drawn below
        assert main([*map(str, words)]) == 0
    names = {path.name for path in draw_all(out, sample_root)}
    assert {"loss_head.png", "loss_all.png", "per_class_all.png"} <= names
    page = write_report(out, sample_root).read_text(encoding="utf-8")
    assert "First the head" in page and "Then all of it" in page
    about = json.loads((out / "run.json").read_text())
    about["data"]["is_sample"] = False  # the sample measures nothing, and is never recorded
    (out / "run.json").write_text(json.dumps(about))
    record(out, tmp_path / "results", None, "a test", [], None)
    assert read_records(tmp_path / "results")["then_all"].about["approach"] == "then_all"


def test_the_largest_classes_are_a_setting(sample_root, tmp_path):
    first, second = run_approach(
        "two_step", sample_root, "none", tmp_path / "run", largest=3, **QUICKEST
    )
    assert (len(first.per_class), len(second.per_class)) == (3, 8)
    data = load_data(sample_root, second.config)
    assert len(row_names(distribution20(second, data))) == 3
    (run,) = run_approach("direct", sample_root, "none", tmp_path / "direct", largest=2, **QUICKEST)
    assert len(run.per_class) == 2
    with pytest.raises(DataError, match="a single one has photos to train on"):
        run_approach("direct", sample_root, "none", tmp_path / "one", largest=1, **QUICKEST)


def test_settings_of_older_versions_are_read_under_their_names_of_today():
    """What they can't express any more can be used, but not trained on."""
    older = {"training": "direct", "class_weights": "sqrt", "loss_reduction": "mean"}
    read = {
        (0.0, "sqrt"): ("loss", 0.5),
        (0.5, "none"): ("logits", 0.5),
        (0.0, "none"): ("none", 0.0),
        (0.0, "total/count"): ("loss", 1.0),
        (0.5, "sqrt"): (LOSS_AND_LOGITS, 0.5),
    }
    for (tau, weights), expected in read.items():
        config = Config.from_dict(older | {"logit_adjustment": tau, "class_weights": weights})
        assert (config.balance, config.balance_power) == expected
    assert Config("direct", balance="none").balance_power == 0.0
    top = {"training": "top20", "class_weights": "none", "logit_adjustment": 0.5}
    assert Config.from_dict(top | {"loss_reduction": "weighted"}).largest == 20
    assert Config.from_dict(config.to_dict()) == config


def test_a_split_that_was_drawn_is_not_put_on_record(sample_root, tmp_path):
    (run,) = run_approach(
        "fc_only", sample_root, "none", tmp_path / "run", split="random:0.2", **QUICKEST
    )
    about = json.loads((run.folder / "run.json").read_text())
    about["data"]["is_sample"] = False
    (run.folder / "run.json").write_text(json.dumps(about))
    with pytest.raises(RunError, match="a split that was drawn"):
        record(run.folder, tmp_path / "results")
