"""Every setting of one training, in one frozen dataclass."""

import ast
import re
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from fashion_tl.backbones import find_backbone
from fashion_tl.errors import ConfigError, in_a_line
from fashion_tl.split import EVEN_ODD, parse_split

IN_LOSS = ("loss", "weighted mean")  # where `balance` weighs classes in the loss
RECIPES = ("tuned", "published")
# The published study used V1. V2 classifies ImageNet better, but its training (label smoothing,
# mixup, a long schedule) is known to make frozen features transfer worse: Kornblith et al., "Why Do
# Better Loss Functions Lead to Less Transferable Features?", NeurIPS 2021, arXiv 2010.16402;
# pytorch/vision issue 8382. We could measure neither.
DEFAULT_WEIGHTS = "IMAGENET1K_V1"

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

CHOICES = {
    "recipe": RECIPES,
    "bad_rows": ("skip", "recover"),
    "balance": ("none", *IN_LOSS, "logits"),
    "optimizer": ("sgd", "adamw"),
    "schedule": ("cosine", "constant"),
    "precision": ("auto", "bf16", "fp32"),
}
SIZES = {"stored_size": 8, "image_size": 32}  # the least height and width


@dataclass(frozen=True)
class Config:
    """One training. Sizes are (height, width) in pixels; ``lr`` is the peak learning rate."""

    training: str
    recipe: str = "tuned"
    seed: int = 0
    # data
    label: str = "articleType"  # the column of styles.csv that names the classes
    split: str = EVEN_ODD
    largest: int = 0  # so many of the largest classes alone; 0: all
    bad_rows: str = "skip"
    val_fraction: float = 0.1
    train_fraction: float = 1.0  # of the photos that are left: trials can do with fewer
    split_seed: int = (
        0  # apart from `seed`, so that runs with other seeds share one validation part
    )
    stored_size: tuple[int, int] = (80, 60)
    # the network, and what it sees
    backbone: str = "resnet50"
    image_size: tuple[int, int] = (80, 60)
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    flip: bool = False  # half of the training photos mirrored
    mixup: float = 0.0  # what learns gets pairs of training samples mixed, in parts drawn from Beta(mixup, mixup)
    flip_test: bool = False  # logits averaged over each photo and its mirror image
    # optimisation
    frozen_batchnorm: bool = False  # all of BatchNorm's statistics stay ImageNet's
    epochs: int = 20
    batch_size: int = 64
    optimizer: str = "sgd"
    lr: float = 0.01
    backbone_lr_ratio: float = 1.0  # learning rate of all but the last layer, as a multiple of lr
    momentum: float = 0.9  # SGD's
    weight_decay: float = 1e-4
    schedule: str = "cosine"
    warmup_epochs: float = 0.0
    # Where rare classes count for more: in the loss, each photo's times its class's weight,
    # averaged over photos; the same, but divided by the sum of the weights ("weighted mean", as
    # PyTorch's CrossEntropyLoss does); or in the logits (Menon et al., 2021). A class's weight is
    # (all photos / its photos) to the power `balance_power`.
    balance: str = "loss"
    balance_power: float = 0.5
    label_smoothing: float = 0.0
    precision: str = "auto"

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            object.__setattr__(
                self, field.name, _plain(_size(value) if field.name in SIZES else value)
            )
        self._check()

    def _check(self) -> None:
        def number(name: str, low: float, high: float, kind: type | tuple = (int, float)) -> None:
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, kind) or not low <= value <= high:
                word = "a whole number" if kind is int else "a number"
                raise ConfigError(
                    f"{name} must be {word} from {low} to {high}, not {in_a_line(value)}"
                )

        for name, allowed in CHOICES.items():
            value = getattr(self, name)
            if not isinstance(value, str) or value not in allowed:
                raise ConfigError(
                    f"{name} must be one of {', '.join(allowed)}, not {in_a_line(value)}"
                )
        find_backbone(self.backbone)
        for name in ("training", "label"):
            value = getattr(self, name)
            if not isinstance(value, str) or not value.strip():
                raise ConfigError(f"{name} must be a name, not {in_a_line(value)}")
        parse_split(self.split)
        number("largest", 0, 100_000, int)
        number("seed", 0, 2**31 - 1, int)
        number("split_seed", 0, 2**31 - 1, int)
        number("epochs", 1, 10_000, int)
        number("batch_size", 1, 65_536, int)
        number("lr", 1e-9, 1000)
        number("train_fraction", 0.01, 1)
        most = {
            "val_fraction": 0.5,
            "momentum": 0.9999,
            "weight_decay": 10,
            "warmup_epochs": self.epochs,
        }
        most |= {"label_smoothing": 0.9, "backbone_lr_ratio": 10, "balance_power": 2, "mixup": 10}
        for name, high in most.items():
            number(name, 0, high)
        for name in (field.name for field in fields(self) if isinstance(field.default, bool)):
            if not isinstance(getattr(self, name), bool):
                raise ConfigError(
                    f"{name} must be true or false, not {in_a_line(getattr(self, name))}"
                )
        for name, low in SIZES.items():
            size = getattr(self, name)
            ok = isinstance(size, tuple) and len(size) == 2 and all(type(s) is int for s in size)
            if not ok or not all(low <= s <= 2048 for s in size):
                words = f"height and width, as 160x120, {low} to 2048 each"
                raise ConfigError(f"{name} must be {words}, not {in_a_line(size)}")
        for name in ("mean", "std"):
            value = getattr(self, name)
            ok = (
                isinstance(value, tuple)
                and len(value) == 3
                and all(type(v) in (int, float) for v in value)
            )
            if (
                not ok
                or not all(-10 <= v <= 10 for v in value)
                or (name == "std" and min(value) <= 0)
            ):
                limits = "above 0, up to 10" if name == "std" else "from -10 to 10"
                words = f"three numbers {limits}, for red, green and blue from 0 to 1, as [0.5, 0.5, 0.5]"
                raise ConfigError(f"{name} must be {words}, not {in_a_line(value)}")

    def change(self, **settings: Any) -> "Config":
        """A copy with other settings; None leaves one as it is. ConfigError for a name or value
        that can't be.
        """
        known = [field.name for field in fields(self)]
        for name in settings:
            if name not in known:
                raise ConfigError(f"no setting is called {name!r}; there are {', '.join(known)}")
        return replace(
            self, **{name: value for name, value in settings.items() if value is not None}
        )

    @classmethod
    def from_dict(cls, settings: dict[str, Any]) -> "Config":
        """What :meth:`to_dict` made, also in versions that named some settings otherwise.
        ConfigError, TypeError.
        """
        settings = dict(settings)
        if "class_weights" in settings:
            power = {"total/count": 1.0, "sqrt": 0.5, "none": 0.0}[settings.pop("class_weights")]
            mean, tau = settings.pop("loss_reduction"), settings.pop("logit_adjustment")
            if power and tau:
                raise ConfigError(
                    "class weights and logit adjustment at once: an older version made this"
                )
            kind = (
                "logits"
                if tau
                else ("weighted mean" if mean == "weighted" else "loss")
                if power
                else "none"
            )
            settings |= {"balance": kind, "balance_power": tau or power}
            settings |= {"largest": 20} if settings.get("training") == "top20" else {}
        return cls(**settings)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}


SETTINGS = tuple(field.name for field in fields(Config) if field.name not in ("training", "recipe"))


def parse_setting(text: str) -> tuple[str, Any]:
    """``"lr=0.1"`` or ``"image_size=128x96"`` from a command line, as a name and a plain value."""
    name, equals, value = (part.strip() for part in text.partition("="))
    if not equals:
        raise ConfigError(f"settings are written name=value, not {text!r}")
    if name not in SETTINGS:
        raise ConfigError(f"no setting is called {name!r}; there are {', '.join(SETTINGS)}")
    return name, _size(value) if name in SIZES else _value(value)


def _plain(value: Any) -> Any:
    """Numbers and arrays of numpy and torch, and lists, as Python's numbers and tuples.

    A checkpoint with numpy's numbers in its settings could not be read back.
    """
    value = value.tolist() if hasattr(value, "tolist") else value
    return tuple(map(_plain, value)) if isinstance(value, (list, tuple)) else value


def _size(value: Any) -> Any:
    """``"128x96"`` as [128, 96]; what isn't text as it is."""
    if not isinstance(value, str):
        return value
    sides = re.fullmatch(r"\s*(\d{1,9})\s*[xX×]\s*(\d{1,9})\s*", value)
    return [int(side) for side in sides.groups()] if sides else _value(value)


def _value(text: str) -> Any:
    """A number, a truth value or a list as JSON or Python writes it, its brackets optional; else
    the text itself.
    """
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        number = float(text)  # takes .5 and 2., which JSON does not
        return int(number) if number.is_integer() else number
    except ValueError:
        pass
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text
    if value is None:  # it would leave the setting as it is
        return text
    return list(value) if isinstance(value, tuple) else value
