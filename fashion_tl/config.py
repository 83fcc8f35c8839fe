"""Every setting of one training, in one frozen dataclass."""

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from fashion_tl.backbones import CHILDREN, DEFAULT_BACKBONE, find_backbone
from fashion_tl.errors import ConfigError, in_a_line
from fashion_tl.split import EVEN_ODD, parse_split, split_text

# Only runs of older versions have it: they can be used, but not trained on.
LOSS_AND_LOGITS = "loss and logits, by an older version"
IN_LOSS = ("loss", "weighted mean")  # the kinds of `balance` that weigh classes in the loss
RECIPES = ("tuned", "published")
# The published study used V1. V2 classifies ImageNet better. But its training (label smoothing,
# mixup, a long schedule) is known to make frozen features transfer worse: Kornblith et al., "Why Do
# Better Loss Functions Lead to Less Transferable Features?", NeurIPS 2021, arXiv 2010.16402;
# pytorch/vision issue 8382. We have measured neither.
DEFAULT_WEIGHTS = "IMAGENET1K_V1"
DEFAULT_LABEL = "articleType"
QUOTED = re.compile(r"""(["'])((?!\1).)*\1""")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

CHOICES = {
    "recipe": RECIPES,
    "bad_rows": ("skip", "recover"),
    "balance": ("none", *IN_LOSS, "logits", LOSS_AND_LOGITS),
    "optimizer": ("sgd", "adamw"),
    "schedule": ("cosine", "constant"),
    "precision": ("auto", "bf16", "fp32"),
}
SIZES = {"stored_size": 8, "image_size": 32}  # the smallest height and width
# The smallest and the largest value of each setting that is a number.
WHOLE_NUMBERS = {
    "largest": (0, 100_000),
    "without_largest": (0, 100_000),
    "seed": (0, 2**31 - 1),
    "split_seed": (0, 2**31 - 1),
    "epochs": (1, 10_000),
    "batch_size": (1, 65_536),
    "blocks": (1, 2),
    "frozen_children": (0, CHILDREN.index("layer4")),  # the last block learns
}
NUMBERS: dict[str, tuple[float, float]] = {
    "lr": (1e-9, 1000),
    "train_fraction": (0.01, 1),
    "val_fraction": (0, 0.5),
    "momentum": (0, 0.9999),
    "weight_decay": (0, 10),
    "label_smoothing": (0, 0.9),
    "backbone_lr_ratio": (0, 10),
    "balance_power": (0, 2),
    "mixup": (0, 10),
}


@dataclass(frozen=True)
class Config:
    """The settings of one training.

    Sizes are (height, width) in pixels; ``lr`` is the peak learning rate.
    """

    training: str
    recipe: str = "tuned"
    seed: int = 0
    # data
    label: str = DEFAULT_LABEL  # the column of styles.csv that names the classes
    split: str = EVEN_ODD
    largest: int = 0  # the number of largest classes to learn alone; 0 stands for all classes
    without_largest: int = 0  # the number of largest classes to leave out
    bad_rows: str = "skip"
    val_fraction: float = 0.1
    train_fraction: float = 1.0  # of the remaining training photos; short trials need fewer
    # Of a drawn split, of the validation part and of `train_fraction`. It is separate from `seed`,
    # so that runs with other seeds share these photos.
    split_seed: int = 0
    stored_size: tuple[int, int] = (80, 60)
    # the network, and what it sees
    backbone: str = DEFAULT_BACKBONE
    blocks: int = 1  # the head takes the features of that many of the backbone's last blocks
    image_size: tuple[int, int] = (80, 60)
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    flip: bool = False  # mirror half of the training photos
    mixup: float = 0.0  # mix pairs of training samples, in parts drawn from Beta(mixup, mixup)
    flip_test: bool = False  # average the logits of each test photo and its mirror image
    trim: bool = False  # cut even borders away, so that the product fills the input
    # optimisation
    frozen_batchnorm: bool = False  # BatchNorm keeps ImageNet's statistics
    frozen_children: int = 0  # so many of the network's first children don't learn
    epochs: int = 20
    batch_size: int = 64
    optimizer: str = "sgd"
    lr: float = 0.01
    backbone_lr_ratio: float = 1.0  # learning rate of all but the last layer, as a multiple of lr
    momentum: float = 0.9  # SGD's
    weight_decay: float = 1e-4
    schedule: str = "cosine"
    warmup_epochs: float = 0.0
    # How rare classes count for more. "loss": each photo's loss is multiplied by its class's
    # weight, and averaged over photos. "weighted mean": the same, but divided by the sum of the
    # weights, as PyTorch's CrossEntropyLoss does. "logits": the logits are shifted (Menon et al.,
    # 2021). A class's weight is (all photos / its photos) to the power `balance_power`.
    balance: str = "loss"
    balance_power: float = 0.5
    label_smoothing: float = 0.0
    precision: str = "auto"

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            plain = _plain(_size(value) if field.name in SIZES else value)
            if isinstance(plain, str) and field.name in (*CHOICES, "backbone"):
                plain = plain.strip().lower()  # people write AdamW and ResNet50
            if field.name == "split":
                plain = split_text(plain)
            object.__setattr__(self, field.name, plain)
        self._check()
        if self.balance == "none":
            object.__setattr__(self, "balance_power", 0.0)

    def _check(self) -> None:
        """ConfigError for the first setting that is impossible."""
        for name, allowed in CHOICES.items():
            value = getattr(self, name)
            if not isinstance(value, str) or value not in allowed:
                offered = ", ".join(each for each in allowed if each != LOSS_AND_LOGITS)
                raise _impossible(name, f"one of {offered}", value)
        find_backbone(self.backbone)
        for name in ("training", "label"):
            value = getattr(self, name)
            if not isinstance(value, str) or not value.strip():
                raise _impossible(name, "a name", value)
        parse_split(self.split)
        for name, (low, high) in WHOLE_NUMBERS.items():
            _check_number(name, getattr(self, name), low, high, is_whole=True)
        for name, (least, most) in NUMBERS.items():
            _check_number(name, getattr(self, name), least, most)
        _check_number("warmup_epochs", self.warmup_epochs, 0, self.epochs)
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(field.default, bool) and not isinstance(value, bool):
                raise _impossible(field.name, "true or false", value)
        for name, low in SIZES.items():
            _check_size(name, getattr(self, name), low)
        for name in ("mean", "std"):
            _check_colour(name, getattr(self, name))

    def change(self, **settings: Any) -> "Config":
        """A copy with other settings; a setting given as None stays as it is.

        ConfigError for an unknown name or an impossible value.
        """
        known = [field.name for field in fields(self)]
        for name in settings:
            if name not in known:
                raise ConfigError(f"no setting is called {name!r}; there are {', '.join(known)}")
        given = {name: value for name, value in settings.items() if value is not None}
        return replace(self, **given)

    @classmethod
    def from_dict(cls, settings: dict[str, Any]) -> "Config":
        """The settings that :meth:`to_dict` gave, also in versions with other names for them.

        ConfigError or TypeError if this version can't express them.
        """
        settings = dict(settings)
        if "class_weights" in settings:
            power = {"total/count": 1.0, "sqrt": 0.5, "none": 0.0}[settings.pop("class_weights")]
            reduction = settings.pop("loss_reduction")
            tau = settings.pop("logit_adjustment")
            if tau and power:
                balance = LOSS_AND_LOGITS
            elif tau:
                balance = "logits"
            elif power:
                balance = "weighted mean" if reduction == "weighted" else "loss"
            else:
                balance = "none"
            settings |= {"balance": balance, "balance_power": tau or power}
            if settings.get("training") == "top20":
                settings["largest"] = 20  # the number was fixed
        return cls(**settings)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}


TEXTS = tuple(field.name for field in fields(Config) if isinstance(field.default, str))
SETTINGS = tuple(field.name for field in fields(Config) if field.name not in ("training", "recipe"))


def _impossible(name: str, wanted: str, value: object) -> ConfigError:
    return ConfigError(f"{name} must be {wanted}, not {in_a_line(value)}")


def _check_number(name: str, value: Any, low: float, high: float, is_whole: bool = False) -> None:
    word = "a whole number" if is_whole else "a number"
    is_number = isinstance(value, int if is_whole else (int, float))
    if isinstance(value, bool) or not is_number or not low <= value <= high:
        raise _impossible(name, f"{word} from {low} to {high}", value)


def _check_size(name: str, value: Any, low: int) -> None:
    is_size = isinstance(value, tuple) and len(value) == 2 and all(type(s) is int for s in value)
    if not is_size or not all(low <= side <= 2048 for side in value):
        raise _impossible(name, f"height and width, as 160x120, {low} to 2048 each", value)


def _check_colour(name: str, value: Any) -> None:
    """``mean`` may be any three numbers near 0 to 1; ``std``, which divides, is never tiny."""
    is_colour = (
        isinstance(value, tuple)
        and len(value) == 3
        and all(type(part) in (int, float) and -10 <= part <= 10 for part in value)
    )
    if not is_colour or (name == "std" and min(value) < 0.001):
        limits = "from 0.001 to 10" if name == "std" else "from -10 to 10"
        wanted = f"three numbers {limits}, for red, green and blue from 0 to 1, as [0.5, 0.5, 0.5]"
        raise _impossible(name, wanted, value)


def parse_setting(text: str) -> tuple[str, Any]:
    """``"lr=0.1"`` or ``"image_size=128x96"`` from a command line, as a name and a plain value."""
    name, equals, value = (part.strip() for part in text.partition("="))
    if not equals:
        raise ConfigError(f"settings are written name=value, not {text!r}")
    if name not in SETTINGS:
        raise ConfigError(f"no setting is called {name!r}; there are {', '.join(SETTINGS)}")
    if QUOTED.fullmatch(value):  # not every shell takes quotes away
        value = value[1:-1]
    if name in TEXTS:  # a label may be called 2012, or true
        return name, value
    return name, _size(value) if name in SIZES else _value(value)


def parse_settings(texts: Iterable[str], **options: Any) -> dict[str, Any]:
    """Settings written as for :func:`parse_setting`, and those from options of their own.

    An option that isn't given is None. ConfigError for a setting that is given in both ways. If
    several texts set the same name, the last one counts, as with options.
    """
    settings = dict(map(parse_setting, texts))
    for name in settings:
        if options.get(name) is not None:
            raise ConfigError(f"{name} is given twice: leave out --{name} or --set {name}")
    return options | settings


def _plain(value: Any) -> Any:
    """Numbers and arrays of numpy and torch, and lists, as Python's own numbers and tuples.

    A checkpoint with numpy's numbers in its settings couldn't be read back.
    """
    value = value.tolist() if hasattr(value, "tolist") else value
    return tuple(map(_plain, value)) if isinstance(value, (list, tuple)) else value


def _size(value: Any) -> Any:
    """``"128x96"`` as [128, 96]; anything but text as it is."""
    if not isinstance(value, str):
        return value
    sides = re.fullmatch(r"\s*(\d{1,9})\s*[xX×]\s*(\d{1,9})\s*", value)
    return [int(side) for side in sides.groups()] if sides else _value(value)


def _value(text: str) -> Any:
    """A number, a truth value, or a list of numbers, with or without brackets; otherwise the text.

    Python's ``float`` takes more than people mean: ``1_0`` is no number here, nor are other
    scripts' digits.
    """
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    inner = text[1:-1] if text[:1] + text[-1:] in ("[]", "()") else text
    parts = [part.strip() for part in inner.strip().removesuffix(",").split(",")]
    if not all(map(NUMBER.fullmatch, parts)):
        return text
    numbers = [int(number) if number.is_integer() else number for number in map(float, parts)]
    return numbers[0] if inner == text and len(numbers) == 1 else numbers
