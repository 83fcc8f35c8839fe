"""Settings: what is refused, by which name, and that a configuration survives JSON."""

import json
import re
from dataclasses import fields

import numpy as np
import pandas as pd
import pytest
import torch

from fashion_tl.__main__ import main
from fashion_tl.config import LOSS_AND_LOGITS, SETTINGS, Config, parse_setting, parse_settings
from fashion_tl.data.batches import AUGMENTATIONS
from fashion_tl.errors import ConfigError
from fashion_tl.network.features import PREPARATION
from fashion_tl.recipes import TRAININGS, make_config
from tests import REPOSITORY


def refusal(**settings) -> str:
    with pytest.raises(ConfigError) as caught:
        make_config("direct", **settings)
    return str(caught.value)


def test_an_unknown_setting_is_refused_by_name_and_the_known_ones_are_listed():
    for message in (refusal(learning_rate=0.1), refusal(learning_rate=None)):
        assert "'learning_rate'" in message and " lr," in message
    with pytest.raises(ConfigError, match="'learning_rate'"):
        Config("direct").change(learning_rate=0.1)


def test_impossible_values_are_refused_by_name():
    for name, values in {
        "epochs": (0, -1, 1.5, True, "20"),
        "batch_size": (0, 2.0),
        "blocks": (0, 3, 1.5),
        "frozen_children": (-1, 8, 1.5),
        "lr": (-1, 0, float("nan"), float("inf"), "0.1"),
        "momentum": (-0.1, 1),
        "weight_decay": (-1,),
        "warmup_epochs": (-1, 21),
        "label_smoothing": (1,),
        "val_fraction": (-0.1, 1),
        "seed": (-1, 2**31, 0.5),
        "split_seed": (-1, "x"),
        "flip": ("yes", 1),
        "flip_test": ("yes", 1),
        "frozen_batchnorm": ("yes", 1),
        "mixup": (-1,),
        "train_fraction": (0, 1.5),
        "backbone_lr_ratio": (-1, 11),
        "balance_power": (-1, 3),
        "optimizer": ("adam",),
        "image_size": ((5, 5), (80,), 80, (80, 60.0), (4000, 60), "80xwide", "8x8", {}),
        "stored_size": ((0, 60), (80, 60, 3)),
        "mean": ((0.5, 0.5), 0.5, ("a", "b", "c"), (0.5, 0.5, float("nan"))),
        "std": ((0.5, 0.5, 0), (1e-40, 1, 1), ("a", "b", "c"), (0.5, 0.5, float("nan"))),
        "bad_rows": ("keep",),
        "balance": ("x",),
        "schedule": ("step",),
        "precision": ("fp16", 16),
    }.items():
        for value in values:
            try:
                message = refusal(**{name: value})
            except (pytest.fail.Exception, TypeError) as error:
                raise AssertionError(f"{name}={value!r} is not refused: {error}") from error
            assert message.startswith(name)


ANY_NAME = ("training", "label")
X = "x"
WRONG = [
    X,
    "",
    1j,
    [],
    {},
    {1},
    b"x",
    object(),
    np.arange(2),
    pd.DataFrame({"a": [1, 2]}),
    float("nan"),
    10**400,
    -1,
]


def assert_short_and_naming(message, setting):
    assert message.startswith(f"{setting} must be ")
    assert "\n" not in message and len(message) < 260  # all backbones are named, the tests' too


def test_a_value_of_a_wrong_type_is_refused_in_one_line_for_every_setting():
    for field in fields(Config):
        for value in [value for value in WRONG if not (field.name in ANY_NAME and value is X)]:
            with pytest.raises(ConfigError) as caught:
                Config(**{"training": "direct", field.name: value})
            assert_short_and_naming(str(caught.value), field.name)


def test_a_wrong_value_on_a_command_line_is_refused_in_one_line_for_every_setting():
    for name in sorted(set(SETTINGS) - {*ANY_NAME}):
        for text in (
            "",
            "x",
            "null",
            "None",
            "nan",
            "1e999",
            "[1",
            "(((",
            "{}",
            "[[1]]",
            "a\nb",
            "9" * 500,
            "-1",
        ):
            if (name, text) == ("balance", "None"):
                continue  # that is its choice "none", in capitals
            assert_short_and_naming(refusal(**dict([parse_setting(f"{name}={text}")])), name)


def test_a_refusal_shows_a_value_that_is_right():
    for message in (refusal(mean=0.5), refusal(std=0.5)):
        assert "as [0.5, 0.5, 0.5], not 0.5" in message
    assert refusal(image_size=32).endswith("as 160x120, 32 to 2048 each, not 32")
    assert refusal(seed=-1).endswith("from 0 to 2147483647, not -1")


def test_a_size_may_be_written_as_on_a_command_line():
    for size in ("32x48", "32×48", " 32 X 48 ", "32, 48", "(32, 48)", [32, 48], np.array([32, 48])):
        config = make_config("direct", image_size=size, stored_size=size)
        assert config.image_size == config.stored_size == (32, 48)


def test_numpys_and_torchs_numbers_become_pythons_so_that_a_checkpoint_can_hold_them(tmp_path):
    """As in a sweep: for lr in numpy.logspace(-4, -1, 4)."""
    given = {
        "epochs": np.int64(3),
        "lr": np.float64(0.5),
        "momentum": np.float32(0.5),
        "flip": np.bool_(True),
    }
    config = make_config(
        "direct",
        **given,
        mean=np.full(3, 0.5),
        std=torch.full((3,), 0.5),
        schedule=np.str_("cosine"),
    )
    for value in config.to_dict().values():
        assert type(value) in (int, float, bool, str, list)
    torch.save(config.to_dict(), tmp_path / "settings.pt")
    assert Config(**torch.load(tmp_path / "settings.pt", weights_only=True)) == config


def test_an_unknown_training_or_recipe_is_refused():
    with pytest.raises(ConfigError, match="training must be one of fc_only, direct"):
        make_config("x")
    for refused in (
        lambda: make_config("direct", "x"),
        lambda: Config("direct", recipe="x"),
    ):
        with pytest.raises(ConfigError, match="recipe must be one of tuned, published"):
            refused()


def test_the_published_recipe_has_the_studys_values_for_every_training():
    for training in TRAININGS:
        config = make_config(training, "published")
        assert (config.training, config.recipe) == (training, "published")
        assert config.image_size == (224, 224)
        assert config.mean == config.std == (0.5, 0.5, 0.5)
        assert (config.epochs, config.batch_size, config.lr) == (20, 16, 0.001)
        assert (config.momentum, config.weight_decay, config.schedule) == (0, 0, "constant")
        assert (config.balance, config.balance_power) == ("weighted mean", 1.0)
        assert not config.flip and config.label_smoothing == 0 and config.bad_rows == "skip"


def test_settings_given_take_the_recipes_place_and_none_leaves_them():
    config = make_config("fc_only", "published", epochs=3, lr=None, image_size=[64, 48])
    assert (config.epochs, config.lr, config.image_size) == (3, 0.001, (64, 48))


def test_a_configuration_survives_json():
    for training in TRAININGS:
        for recipe in ("tuned", "published"):
            config = make_config(training, recipe, seed=7)
            assert Config(**json.loads(json.dumps(config.to_dict()))) == config


def test_choices_that_no_training_can_use_are_not_offered():
    message = refusal(balance="x")
    assert message == "balance must be one of none, loss, weighted mean, logits, not 'x'"


def test_settings_are_read_from_a_command_line():
    assert parse_setting("lr=0.1") == ("lr", 0.1)
    assert parse_setting("epochs=3") == ("epochs", 3)
    assert parse_setting("flip=true") == ("flip", True)
    assert parse_setting("balance=none") == ("balance", "none")
    assert parse_setting("balance=weighted mean") == ("balance", "weighted mean")
    assert parse_setting("image_size=128x96") == ("image_size", [128, 96])
    for text in ("[0.5, 0.5, 0.5]", "(.5, .5, .5)", "0.5,0.5,0.5", "(0.5,0.5,0.5,)"):
        assert parse_setting(f"mean={text}") == ("mean", [0.5, 0.5, 0.5])
    assert parse_setting(" image_size = 128 × 96 ") == ("image_size", [128, 96])
    assert make_config("direct", **dict([parse_setting("image_size=128x96")])).image_size == (
        128,
        96,
    )
    with pytest.raises(ConfigError, match="name=value, not 'lr'"):
        parse_setting("lr")


def test_a_setting_that_is_text_is_never_taken_for_a_number_or_a_truth_value():
    for text in ("2012", "1e5", "True", "[1]", "1_0"):
        for written in (text, f'"{text}"', f"'{text}'"):
            assert parse_setting(f"label={written}") == ("label", text)
    assert parse_setting("label='a' 'b'") == ("label", "'a' 'b'")
    assert parse_setting("image_size='64x48'") == ("image_size", [64, 48])


def test_what_python_alone_would_read_as_a_number_is_refused():
    assert parse_setting("lr=1e-2") == ("lr", 0.01) and parse_setting("epochs=2.") == ("epochs", 2)
    for text in ("1_0", "0x10", "٣", "1 0", "1,0"):
        assert_short_and_naming(refusal(**dict([parse_setting(f"epochs={text}")])), "epochs")


def test_names_of_choices_and_backbones_may_be_written_in_capitals():
    config = make_config("direct", optimizer="AdamW", precision="FP32", backbone="ResNet50")
    assert config == make_config("direct", optimizer="adamw", precision="fp32")


def test_settings_of_a_command_line_that_cannot_be_are_refused_in_one_line(tmp_path, capsys):
    for setting, words in (
        ("lr=fast", "lr must be"),
        ("lr=null", "lr must be"),
        ("image_size=128xwide", "image_size must be"),
        ("rate=1", "no setting is called 'rate'"),
        ("recipe=published", "recipe"),
        ("training=top20", "training"),
        ("folder=elsewhere", "folder"),
    ):
        code = main(
            ["run", "direct", "--data", "nowhere", "--out", str(tmp_path / "run"), "--set", setting]
        )
        error = capsys.readouterr().err
        assert (
            code == 2 and error.startswith("error: ") and words in error and error.count("\n") == 1
        )


def test_settings_come_from_options_and_from_set_but_never_from_both():
    assert parse_settings(["lr=0.1"], epochs=3, seed=None) == {"lr": 0.1, "epochs": 3, "seed": None}
    assert parse_settings(["seed=1"], epochs=3, seed=None) == {"seed": 1, "epochs": 3}
    assert parse_settings(["lr=1", "lr=2"]) == {"lr": 2}
    for texts in (["epochs=1"], ["lr=1", " epochs = 3"]):
        with pytest.raises(ConfigError, match="epochs is given twice: leave out --epochs or --set"):
            parse_settings(texts, epochs=3)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("epochs", "-3"),
        ("seed", "0"),
        ("label", "articleType"),
        ("split", "even-odd"),
        ("backbone", "resnet50"),
    ],
)
def test_an_option_of_run_and_the_same_setting_are_refused(option, value, tmp_path, capsys):
    words = ["run", "direct", "--data", "sample", "--weights", "none", "--out", f"{tmp_path}/run"]
    assert main([*words, f"--{option}", value, "--set", f"{option}=1"]) == 2
    assert f"{option} is given twice" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


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


@pytest.mark.parametrize("field", fields(Config), ids=lambda field: field.name)
def test_each_setting_is_read_by_some_code_or_is_an_augmentation(field):
    """One that nothing reads would be taken, kept in run.json, and do nothing."""
    code = (file for file in (REPOSITORY / "fashion_tl").rglob("*.py") if file.name != "config.py")
    read = any(re.search(rf"\.{field.name}\b", file.read_text(encoding="utf-8")) for file in code)
    assert read or field.name in AUGMENTATIONS or field.name in PREPARATION
