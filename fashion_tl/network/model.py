"""Build the network, load weights, freeze parts, replace the head; save it with its classes."""

import json
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from fashion_tl.backbones import DEFAULT_BACKBONE, find_backbone
from fashion_tl.config import Config
from fashion_tl.distributed import main_first
from fashion_tl.errors import (
    ConfigError,
    ContentError,
    WeightsError,
    fault_of_file,
    in_a_line,
    may_be_whole,
    some_of,
)
from fashion_tl.files import StrPath, as_path, check_readable, replacing
from fashion_tl.machine import say
from fashion_tl.network.calibration import PLAIN
from fashion_tl.network.layers import Head, WithFeatures, build_backbone, folded
from fashion_tl.network.tensors import check_description, impossible, likeness, misfits, quantised
from fashion_tl.network.weights import find_tensors, is_random, ways_to_give
from fashion_tl.runfiles import way_out

# What reading a file that isn't a saved model may raise.
UNREADABLE = (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError, ConfigError)
# How many of a backbone's ``CHILDREN`` two steps freeze: all up to layer1.
FIRST_CHILDREN = 5


def build_network(num_classes: int, weights: StrPath | None, config: Config) -> nn.Module:
    """The backbone of ``config`` with a new last layer of ``num_classes`` outputs, channels last.

    ``weights`` is a torchvision name, a file of such a network in any of the usual wrappings, or
    None (or ``"none"``) for random weights. The seed of ``config`` decides everything random, and
    its ``frozen_children`` how many first children don't learn.
    WeightsError if the weights can't be read, or if they don't fit; it names the tensors.
    """
    torch.manual_seed(config.seed)
    model = build_backbone(config)
    if weights is not None and not is_random(weights):
        model.load_state_dict(read_weights(weights, config.backbone), strict=False)
    replace_head(model, num_classes, config.seed)
    freeze_first_children(model, config.frozen_children)
    return model.to(memory_format=torch.channels_last)


@main_first()
def available_weights(
    weights: StrPath | None, is_sample: bool, backbone: str = DEFAULT_BACKBONE
) -> StrPath | None:
    """The weights asked for, once they can be read, or None for random weights.

    None also if a download fails for the built-in sample. Of several processes one downloads.
    WeightsError if the weights can't be read or don't fit, or if a download fails for other data.
    """
    row = find_backbone(backbone)
    row.outline()  # a row of the table that can't be built is refused before anything is downloaded
    if weights is not None and not is_random(weights):
        try:
            read_weights(weights, backbone)
            return weights
        except WeightsError as error:
            if not is_sample or str(weights) not in row.weights_names:
                raise
            say(str(error).removesuffix(f" {ways_to_give(row)}"))
    say(
        "NOTE: training starts from RANDOM weights: nothing is transferred, "
        "so accuracy is far lower."
    )
    return None


def read_weights(weights: StrPath, backbone: str = DEFAULT_BACKBONE) -> dict[str, torch.Tensor]:
    """The tensors of a backbone without its last layer, from torchvision or from a file.

    No code in the file is ever run. WeightsError names the file, the download that failed, or the
    tensors that are missing, don't fit, are quantised or hold impossible values.
    """
    row = find_backbone(backbone)
    ways = ways_to_give(row)
    given = _body(find_tensors(weights, row))
    if dtype := quantised(given):
        raise WeightsError(
            f"{weights} holds quantised weights ({dtype}), which can't learn. "
            f"Use the floating-point weights that they were made from. {ways}"
        )
    own = _body(row.outline())
    faults = misfits(given, own, f"a {row.title}")
    # Others may be of any size: a small file can say that it holds terabytes.
    fitting = [name for name in own if getattr(given.get(name), "shape", None) == own[name].shape]
    faults += filter(None, (impossible(name, given[name]) for name in fitting))
    if faults:
        other = likeness(given)
        like = f" It looks like a {other}." if other not in ("", row.title) else ""
        raise WeightsError(
            f"{weights} does not fit {row.title}: {some_of(faults, 5, '; ')}.{like} {ways}"
        )
    return given


def _body(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The state without the last layer, and without BatchNorm's counters, which some files lack."""
    return {
        name: tensor
        for name, tensor in state.items()
        if not name.startswith("fc.") and not name.endswith("num_batches_tracked")
    }


def replace_head(model: nn.Module, num_classes: int, seed: int = 0) -> None:
    """Give the network a new last layer with ``num_classes`` outputs."""
    old = _head(model)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model.fc = Head(old.in_features, num_classes).to(old.weight.device)


def _head(model: nn.Module) -> nn.Linear:
    head = model.fc
    assert isinstance(head, nn.Linear), "the last layer of torchvision's ResNets is linear"
    return head


def freeze_all_but_head(model: nn.Module) -> None:
    """Let only the last layer learn."""
    model.requires_grad_(False)
    _head(model).requires_grad_(True)


def freeze_first_children(model: nn.Module, n: int = FIRST_CHILDREN) -> None:
    """Freeze the first ``n`` of the network's ``CHILDREN``. What is frozen already stays so."""
    for child in list(model.children())[:n]:
        child.requires_grad_(False)


def train_mode(model: nn.Module, frozen_batchnorm: bool = False) -> None:
    """``model.train()``, but frozen parts stay in evaluation mode.

    Otherwise their BatchNorms would change their statistics. With ``frozen_batchnorm`` every
    BatchNorm keeps its statistics and normalises by them, while its weights learn.
    """
    model.train()
    for module in model.modules():
        parameters = list(module.parameters())
        frozen = parameters and not any(p.requires_grad for p in parameters)
        if frozen or (frozen_batchnorm and isinstance(module, _BatchNorm)):
            module.eval()


def split_frozen(model: nn.Module) -> tuple[nn.Sequential, nn.Sequential]:
    """The network in two parts: the first children that are completely frozen, and the rest.

    The two parts, run one after the other, are the network, and share its parameters. Something
    must learn. If only the head learns, the first part maps photos to features [batch, width].
    """
    children = [*list(model.children())[:-1], nn.Flatten(1), _head(model)]
    learns = [any(p.requires_grad for p in child.parameters()) for child in children]
    first = learns.index(True)
    return nn.Sequential(*children[:first]), nn.Sequential(*children[first:])


def with_features(model: nn.Module) -> WithFeatures:
    """The network, also giving its features; it shares the parameters."""
    body = nn.Sequential(*list(model.children())[:-1], nn.Flatten(1))
    return WithFeatures(body, _head(model))


def count_parameters(model: nn.Module) -> tuple[int, int]:
    """The number of parameters that learn, and that of all parameters."""
    sizes = [(p.numel(), p.requires_grad) for p in model.parameters()]
    learning = sum(n for n, learns in sizes if learns)
    return learning, sum(n for n, _ in sizes)


@dataclass(frozen=True)
class SavedModel:
    """A trained network, and all that is needed to use it.

    ``fit_counts`` are training photos per class; a class without any is never predicted. ``config``
    holds the settings of the training, and ``path`` is the file that was read. Probabilities are
    the softmax of the logits divided by ``temperature``.
    """

    model: nn.Module
    classes: tuple[str, ...]
    fit_counts: tuple[int, ...]
    config: Config
    path: Path | None = None
    temperature: float = PLAIN

    @property
    def width(self) -> int:
        """The number of features that the last layer takes."""
        return _head(self.model).in_features

    @cached_property
    def folded(self) -> WithFeatures:
        """:func:`fashion_tl.network.layers.folded`, also giving features; it is made once."""
        return with_features(folded(self.model))


def save_model(
    path: Path,
    model: nn.Module,
    classes: tuple,
    fit_counts: list[int],
    config: Config,
    temperature: float = PLAIN,
) -> None:
    """Write the network, its classes, settings and temperature as one ``.safetensors`` file.

    The file is written whole or not at all.
    """
    about = {
        "classes": list(classes),
        "train_counts": fit_counts,
        "config": config.to_dict(),
        "temperature": temperature,
    }
    state = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    content = save(state, {"fashion_tl": json.dumps(about)})
    with replacing(path) as temporary:
        temporary.write_bytes(content)  # save_file's files can be read by their owner only


def load_model(path: StrPath) -> SavedModel:
    """Read what :func:`save_model` wrote. Older files have no temperature, so theirs is ``PLAIN``.

    WeightsError if the file is not one of these, or holds impossible values.
    """
    path = as_path(path)
    try:
        check_readable(path)
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {}).get("fashion_tl", "null"))
        check_description(about)
        config = _settings(about["config"], path)
        with torch.device("meta"):  # drawing random weights first would take longer than reading
            model = build_backbone(config)
            replace_head(model, len(about["classes"]))
        # As copies: load_file leaves the values in the file, which may change.
        state = {name: values.clone() for name, values in load_file(path).items()}
        if wrong := misfits(state, model.state_dict(), "this network"):
            raise ContentError(f"its tensors don't fit its settings: {some_of(wrong, 5, '; ')}")
        model.load_state_dict(state, assign=True)
        model.float()
    except UNREADABLE as error:
        is_finished = os.path.isfile(path.parent / "metrics.json")
        if is_finished and type(error) in (ValueError, json.JSONDecodeError):
            error = ContentError(f"{error}")  # about the description
        is_of_finished = isinstance(error, OSError) and is_finished
        is_ours = isinstance(error, SafetensorError | ContentError)
        if may_be_whole(error) or path.is_symlink() or is_of_finished or is_ours:
            raise WeightsError(fault_of_file(path, error, way_out(path.parent))) from error
        raise WeightsError(
            f"{path} is not a model saved by fashion_tl, or its run isn't finished: {error}"
        ) from error
    faults = (
        impossible(name, values)
        for name, values in model.state_dict().items()
        if values.is_floating_point()
    )
    if fault := next(filter(None, faults), ""):
        raise WeightsError(f"{path} is damaged: {fault}; {way_out(path.parent)}")
    model.to(memory_format=torch.channels_last).eval()
    return SavedModel(
        model,
        tuple(about["classes"]),
        tuple(about["train_counts"]),
        config,
        path,
        float(about.get("temperature", PLAIN)),
    )


def _settings(given: Any, path: Path) -> Config:
    """The settings in a saved model; WeightsError if this version doesn't know them."""
    try:
        return Config.from_dict(given)
    except (ConfigError, KeyError, TypeError, ValueError) as error:
        raise WeightsError(
            f"{path} holds settings that this version doesn't know ({in_a_line(str(error))}): it "
            "was changed, or another version made it. Copy it again, or use that version."
        ) from error
