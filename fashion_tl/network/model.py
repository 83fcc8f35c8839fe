"""The network: build it, fit weights in, freeze parts, swap the head, save and load it with its
class list.
"""

import copy
import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_eval

from fashion_tl.backbones import find_backbone
from fashion_tl.config import Config
from fashion_tl.distributed import main_first
from fashion_tl.errors import ConfigError, WeightsError
from fashion_tl.files import StrPath, as_path, replacing
from fashion_tl.machine import say
from fashion_tl.network.checkpoints import likeness, quantised
from fashion_tl.network.weights import WAYS, find_tensors, is_random

FIRST_CHILDREN = 5  # of the network: conv1, bn1, relu, maxpool, layer1


def build_network(num_classes: int, weights: StrPath | None, config: Config) -> nn.Module:
    """The backbone of ``config`` with a new last layer of ``num_classes`` outputs, in channels_last
    format.

    ``weights`` is a torchvision name, a file of such a network in any of the usual wrappings, or
    None (or ``"none"``) for random; the seed of ``config`` decides everything random in it.
    WeightsError when the weights can't be read or, naming the tensors, when they don't fit.
    """
    torch.manual_seed(config.seed)
    model = _with_quick_convolutions(find_backbone(config.backbone).build())
    if not is_random(weights):
        model.load_state_dict(read_weights(weights, config.backbone), strict=False)
    replace_head(model, num_classes, config.seed)
    return model.to(memory_format=torch.channels_last)


def _with_quick_convolutions(model: nn.Module) -> nn.Module:
    for module in model.modules():
        if type(module) is nn.Conv2d and Conv.computes(module):
            module.__class__ = Conv
    return model


@main_first()
def available_weights(
    weights: StrPath | None, is_sample: bool, backbone: str = "resnet50"
) -> StrPath | None:
    """The weights asked for; None, which means random ones, where a download fails for the built-in
    sample.

    Of several processes one downloads. WeightsError when they can't be read or don't fit, or when a
    download fails for any other data.
    """
    if not is_random(weights):
        try:
            read_weights(weights, backbone)
            return weights
        except WeightsError as error:
            if not is_sample or str(weights) not in find_backbone(backbone).weights_names:
                raise
            say(str(error).removesuffix(f" {WAYS}"))
    say(
        "NOTE: training starts from RANDOM weights: nothing is transferred, so accuracy is far lower."
    )
    return None


def notes_on_random(config: Config) -> list[str]:
    """What of these settings doesn't suit random weights, in sentences."""
    notes = []
    if config.lr > 0.01:
        notes.append(f"lr={config.lr:g} is too high for random weights; set lr to 0.01 or less")
    if config.frozen_batchnorm:
        notes.append("from random weights BatchNorm learns, whatever the settings say")
    return notes


def read_weights(weights: StrPath, backbone: str = "resnet50") -> dict[str, torch.Tensor]:
    """The tensors of a backbone without its last layer, from torchvision or from a file, unwrapped.

    No code in the file is ever run. WeightsError names the file, or the download that failed, or
    the tensors that are missing, don't fit, or hold values that are impossible or quantised.
    """
    row = find_backbone(backbone)
    given = _body(find_tensors(weights, row))
    if dtype := quantised(given):
        raise WeightsError(
            f"{weights} holds quantised weights ({dtype}), which can't learn. Use the floating-point weights that they "
            f"were made from. {WAYS}"
        )
    with torch.device("meta"):  # shapes alone
        own = _body(row.build().state_dict())
    faults = [f"{k} is missing" for k in own if k not in given]
    faults += [f"{k:.80} is not in a {row.title}" for k in given if k not in own]
    for k in (k for k in own if k in given):
        if not torch.is_tensor(given[k]):
            faults.append(f"{k} is no tensor")
        elif own[k].shape != given[k].shape:
            faults.append(f"{k} is {tuple(given[k].shape)}, not {tuple(own[k].shape)}")
        elif fault := _fault(k, given[k]):
            faults.append(fault)
    if faults:
        more = f" and {len(faults) - 5} more" if len(faults) > 5 else ""
        like = f" It looks like a {other}." if (other := likeness(given)) else ""
        raise WeightsError(
            f"{weights} does not fit {row.title}: {'; '.join(faults[:5])}{more}.{like} {WAYS}"
        )
    return given


def _fault(name: str, tensor: torch.Tensor) -> str:
    """Why a tensor's values can't be those of a network; empty where they can."""
    if not _holds_numbers(tensor):
        return f"{name} holds values that are not numbers"
    if name.endswith("running_var") and bool(
        (tensor.detach().float() < 0).any()
    ):  # its root would be no number
        return f"{name} holds negative values, which no variance has"
    return ""


def _holds_numbers(tensor: torch.Tensor) -> bool:
    """Whether all are finite as float32; nothing but a plain tensor of floating-point values will
    do.
    """
    plain = (
        tensor.is_floating_point()
        and tensor.layout is torch.strided
        and tensor.device.type == "cpu"
    )
    return plain and bool(torch.isfinite(tensor.detach().float()).all())


def _body(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Without the last layer, and without BatchNorm's counters, which not every file has."""
    return {
        k: v
        for k, v in state.items()
        if not k.startswith("fc.") and not k.endswith("num_batches_tracked")
    }


class Conv(nn.Conv2d):
    """A ResNet's convolution, as a matrix product where that is quicker: learning on a CPU, 1×1 or
    on small maps.

    There torch's own takes up to several times as long backward. Equal up to rounding.
    """

    SMALL = 24  # positions of the output map

    @staticmethod
    def computes(conv: nn.Conv2d) -> bool:
        """Whether it is one of those that this class can stand in for: 1×1 or 3×3 over all
        channels, no gaps.
        """
        k = conv.kernel_size[0]
        is_plain = conv.groups == 1 and conv.dilation == (1, 1) and conv.padding_mode == "zeros"
        is_square = conv.kernel_size == (k, k) and conv.stride[0] == conv.stride[1]
        return is_plain and is_square and conv.padding == (k // 2, k // 2)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        (s, _), k = self.stride, self.kernel_size[0]
        height, width = (-(-n // s) for n in inputs.shape[2:])
        as_product = k == 1 or (k == 3 and height * width <= self.SMALL)
        if not (as_product and torch.is_grad_enabled() and inputs.device.type == "cpu"):
            return super().forward(inputs)
        maps = inputs.permute(0, 2, 3, 1)
        if k == 1:
            shifted = maps[:, ::s, ::s]
        else:
            maps = F.pad(maps, (0, 0, 1, 1, 1, 1))
            ends = (s * height, s * width)
            shifts = [
                maps[:, i : i + ends[0] : s, j : j + ends[1] : s]
                for i in range(3)
                for j in range(3)
            ]
            shifted = torch.cat(shifts, 3)
        weight = self.weight.permute(0, 2, 3, 1).flatten(1)
        return F.linear(shifted, weight, self.bias).permute(0, 3, 1, 2)


class Head(nn.Linear):
    """The last layer, always computed in float32: logits rounded to bf16 would tie."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        with torch.autocast(inputs.device.type, enabled=False):
            return super().forward(inputs.float())


def replace_head(model: nn.Module, num_classes: int, seed: int = 0) -> None:
    """A new last layer with ``num_classes`` outputs; the rest stays as it is."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model.fc = Head(model.fc.in_features, num_classes).to(model.fc.weight.device)


def freeze_all_but_head(model: nn.Module) -> None:
    """Only the last layer learns."""
    model.requires_grad_(False)
    model.fc.requires_grad_(True)


def freeze_first_children(model: nn.Module, n: int = FIRST_CHILDREN) -> None:
    """The first ``n`` children stay as they are; the rest learns."""
    model.requires_grad_(True)
    for child in list(model.children())[:n]:
        child.requires_grad_(False)


def train_mode(model: nn.Module, frozen_batchnorm: bool = False) -> None:
    """``model.train()``, but frozen parts stay in evaluation mode: else BatchNorm would go on
    moving its statistics.

    With ``frozen_batchnorm`` every BatchNorm keeps its statistics, and normalises by them; its
    weights learn on.
    """
    model.train()
    for module in model.modules():
        parameters = list(module.parameters())
        frozen = parameters and not any(p.requires_grad for p in parameters)
        if frozen or (frozen_batchnorm and isinstance(module, _BatchNorm)):
            module.eval()


def split_frozen(model: nn.Module) -> tuple[nn.Sequential, nn.Sequential]:
    """The leading children that are frozen whole, and the rest: run one after the other, they are
    the network.

    Both share its parameters; something must learn. With all but the head frozen, the first maps
    photos to features [batch, width].
    """
    children = [*list(model.children())[:-1], nn.Flatten(1), model.fc]
    learns = [any(p.requires_grad for p in child.parameters()) for child in children]
    first = learns.index(True)
    return nn.Sequential(*children[:first]), nn.Sequential(*children[first:])


def folded(model: nn.Module, dtype: torch.dtype = torch.float32) -> nn.Module:
    """A copy for inference, quicker and all but equal: every BatchNorm folded into the convolution
    it follows.

    ``dtype`` is that of the convolutions.
    """
    model = copy.deepcopy(model).eval().requires_grad_(False)
    for module in list(model.modules()):
        for (name, child), (after, norm) in pairwise(module.named_children()):
            if isinstance(child, nn.Conv2d) and isinstance(norm, _BatchNorm):
                setattr(
                    module,
                    name,
                    fuse_conv_bn_eval(child, norm).to(dtype, memory_format=torch.channels_last),
                )
                setattr(module, after, nn.Identity())
    return model


def count_parameters(model: nn.Module) -> tuple[int, int]:
    """(those that learn, all)."""
    sizes = [(p.numel(), p.requires_grad) for p in model.parameters()]
    return sum(n for n, learns in sizes if learns), sum(n for n, _ in sizes)


@dataclass(frozen=True)
class SavedModel:
    """A trained network with what it takes to use it.

    ``fit_counts`` are training photos per class: classes without any are never predicted.
    ``config`` holds the settings it was trained with, ``path`` the file it was read from.
    """

    model: nn.Module
    classes: tuple[str, ...]
    fit_counts: tuple[int, ...]
    config: Config
    path: Path | None = None


def save_model(
    path: Path, model: nn.Module, classes: tuple, fit_counts: list[int], config: Config
) -> None:
    """Write a ``.safetensors`` file with the class list and settings inside, whole or not at
    all."""
    about = {"classes": list(classes), "train_counts": fit_counts, "config": config.to_dict()}
    state = {k: v.detach().cpu().contiguous() for k, v in model.state_dict().items()}
    with replacing(path) as temporary:
        temporary.write_bytes(
            save(state, {"fashion_tl": json.dumps(about)})
        )  # save_file would keep it from others


def load_model(path: StrPath) -> SavedModel:
    """Read what :func:`save_model` wrote; WeightsError when the file isn't one of these, or holds
    impossible values.
    """
    path = as_path(path)
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {})["fashion_tl"])
        config = Config.from_dict(about["config"])
        model = _with_quick_convolutions(find_backbone(config.backbone).build())
        replace_head(model, len(about["classes"]))
        model.load_state_dict(load_file(path))
        classes, counts = tuple(about["classes"]), tuple(about["train_counts"])
        saved = SavedModel(model, classes, counts, config, path)
        if len(counts) != len(classes):
            raise ValueError("its parts don't fit together")
    except (
        OSError,
        SafetensorError,
        KeyError,
        TypeError,
        ValueError,
        RuntimeError,
        ConfigError,
    ) as error:
        raise WeightsError(
            f"{path} is not a model saved by fashion_tl, or its run isn't finished: {error}"
        ) from error
    faults = (
        _fault(name, values)
        for name, values in model.state_dict().items()
        if values.is_floating_point()
    )
    if fault := next(filter(None, faults), ""):
        raise WeightsError(
            f"{path} is damaged: {fault}; copy it again, or delete the run and train it again"
        )
    model.to(memory_format=torch.channels_last).eval()
    return saved
