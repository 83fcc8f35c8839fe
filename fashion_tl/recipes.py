"""The approaches, the trainings that they consist of, and the two recipes of each training."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fashion_tl.config import RECIPES, Config
from fashion_tl.errors import ConfigError
from fashion_tl.machine import say

LARGEST = 20  # classes in the first step of two-step

# The published study's own settings, the same for all its trainings. docs/method.md says
# what differs ("Two recipes").
PUBLISHED = {
    "image_size": (224, 224),
    "mean": (0.5, 0.5, 0.5),
    "std": (0.5, 0.5, 0.5),
    "epochs": 20,
    "batch_size": 16,
    "lr": 0.001,
    "momentum": 0.0,
    "weight_decay": 0.0,
    "schedule": "constant",
    "balance": "weighted mean",
    "balance_power": 1.0,
}

# The best settings on the validation photos, and mixup: results/tuning.md has the trials.
BALANCED = {
    "balance": "logits",
    "balance_power": 0.5,
    "label_smoothing": 0.1,
    "flip": True,
    "flip_test": True,
}
FINE_TUNING = BALANCED | {
    "image_size": (160, 120),
    "mixup": 0.2,
    "frozen_batchnorm": True,
    "epochs": 8,
    "optimizer": "adamw",
    "lr": 3e-3,
    "backbone_lr_ratio": 0.1,
    "weight_decay": 0.05,
    "warmup_epochs": 0.5,
}
TWO_STEP = FINE_TUNING | {"backbone_lr_ratio": 0.2}


@dataclass(frozen=True)
class Training:
    """A training: its title, the end of its figures' file names, its tuned recipe's settings.

    ``largest`` is the number of largest classes that it learns; 0 stands for all classes.
    ``without`` is the number of largest classes that it leaves out. ``head_only`` is true if only
    the last layer learns: settings that don't suit this are then refused before a run is made.
    """

    title: str
    suffix: str
    tuned: Mapping[str, Any]
    largest: int = 0
    without: int = 0
    head_only: bool = False


@dataclass(frozen=True)
class Approach:
    """An approach: its function, its trainings in order, its notebook.

    ``function`` is written ``module:name``. It is imported only when the approach runs, because the
    command line's help doesn't need torch. The last training gives the approach's result. Its run
    lies in the approach's folder, the others in folders below it, with their names. ``notebook`` is
    empty where another approach's notebook tells of it. ``from_random`` are the settings with which
    a start from random weights learns anything.
    """

    title: str
    function: str
    trainings: tuple[str, ...]
    notebook: str
    from_random: Mapping[str, Any] = field(default_factory=dict)


TRAININGS: dict[str, Training] = {
    "fc_only": Training(
        "FC only",
        "fconly",
        BALANCED | {"image_size": (224, 168), "batch_size": 128, "lr": 1.0, "weight_decay": 1e-5},
        head_only=True,
    ),
    "direct": Training("Direct", "direct", FINE_TUNING),
    "top20": Training("First of two steps (largest classes)", "20", TWO_STEP, LARGEST),
    "rare": Training("Second of two steps (the other classes)", "122", TWO_STEP, without=LARGEST),
    "two_step": Training("Second of two steps (all classes)", "142", TWO_STEP),
}

# The recipes are made for ImageNet's weights. In the sample's few epochs, random weights learn
# nothing with them, and something with these settings.
SMALL_IMAGES = {"image_size": [80, 60]}
FROM_NOTHING = SMALL_IMAGES | {
    "optimizer": "sgd",
    "lr": 0.005,
    "backbone_lr_ratio": 1.0,
    "weight_decay": 1e-4,
    "mixup": 0.0,
}
HERE = "fashion_tl.approaches"
APPROACHES: dict[str, Approach] = {
    "fc_only": Approach(
        "FC only", f"{HERE}:fc_only", ("fc_only",), "01_fc_only", SMALL_IMAGES | {"lr": 0.01}
    ),
    "direct": Approach("Direct", f"{HERE}:direct", ("direct",), "02_direct", FROM_NOTHING),
    "two_step": Approach(
        "Two steps", f"{HERE}:two_step", ("top20", "two_step"), "03_two_step", FROM_NOTHING
    ),
    "rare": Approach(
        "Two steps, the other classes", f"{HERE}:two_step", ("top20", "rare"), "", FROM_NOTHING
    ),
}


def make_config(training: str, recipe: str = "tuned", **settings: Any) -> Config:
    """The settings of a recipe for one training, changed by the given ones that aren't None.

    ConfigError names the unknown training, recipe or setting, or the impossible value.
    """
    if training not in TRAININGS:
        raise ConfigError(f"training must be one of {', '.join(TRAININGS)}, not {training!r}")
    if recipe not in RECIPES:
        raise ConfigError(f"recipe must be one of {', '.join(RECIPES)}, not {recipe!r}")
    row = TRAININGS[training]
    own = PUBLISHED if recipe == "published" else row.tuned
    return (
        Config(training, recipe, largest=row.largest, without_largest=row.without)
        .change(**own)
        .change(**settings)
    )


def approach_configs(name: str, recipe: str = "tuned", **settings: Any) -> list[Config]:
    """The settings of each training of an approach; ConfigError as in :func:`make_config`.

    If some of the trainings learn the largest classes alone, only they get the setting ``largest``,
    and none of them ``without_largest``. A training that leaves these classes out leaves as many of
    them out; ConfigError if ``without_largest`` says otherwise.
    """
    if name not in APPROACHES:
        raise ConfigError(f"no approach is called {name!r}; there are {', '.join(APPROACHES)}")
    trainings = APPROACHES[name].trainings
    some_learn_largest = any(TRAININGS[training].largest for training in trainings)
    configs = []
    for training in trainings:
        row = TRAININGS[training]
        own = dict(settings)
        if row.largest:
            own["without_largest"] = None
        elif some_learn_largest:
            own["largest"] = None
        if row.without:
            if settings.get("without_largest") is not None:
                raise ConfigError(
                    f"{name} leaves out the classes that its first step learns; instead of "
                    "`without_largest`, set their number with `largest`"
                )
            own["without_largest"] = settings.get("largest")
        configs.append(make_config(training, recipe, **own))
    return configs


def suiting_random_weights(name: str, recipe: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of an approach that must start from random weights, though its recipe needs others.

    These are the ``given`` settings that aren't None, and the approach's ``from_random`` in the
    place of the recipe's own. A printed sentence names them. The published recipe stays as it is.
    """
    given = {setting: value for setting, value in given.items() if value is not None}
    changed = {} if recipe == "published" else dict(APPROACHES[name].from_random)
    changed = {setting: value for setting, value in changed.items() if setting not in given}
    if changed:
        pairs = (f"{setting}={_as_text(value)}" for setting, value in changed.items())
        say(f"{name} starts without its weights, so these settings change: {', '.join(pairs)}")
    return changed | given


def notes_on_random(config: Config) -> list[str]:
    """A sentence on each setting that doesn't suit random weights."""
    notes = []
    if config.lr > 0.01:
        notes.append(f"lr={config.lr:g} is too high for random weights; set lr to 0.01 or less")
    if config.frozen_batchnorm:
        notes.append(
            "random weights bring no statistics for BatchNorm, so it learns them, "
            "whatever frozen_batchnorm says"
        )
    if config.frozen_children:
        notes.append(
            "random weights have learned nothing worth keeping, so frozen_children freezes nothing"
        )
    return notes


def _as_text(value: Any) -> str:
    return "x".join(map(str, value)) if isinstance(value, list) else str(value)
