"""Whether tensors, and a description, are those of a network, and what is wrong otherwise."""

import hashlib
import re
import sys
from typing import Any

import torch
from torch import nn

from fashion_tl.backbones import BACKBONES
from fashion_tl.errors import ContentError, in_a_line

HEAD = "fc."  # begins the names of the last layer's tensors
BLOCK = re.compile(r"layer\d+\.\d+\.")  # begins the names of a block's tensors


def likeness(tensors: dict[str, Any]) -> str:
    """The title of the backbone that these tensors look like; empty if they look like none."""
    own = _build_of(tensors)
    alike = (each.title for each in BACKBONES.values() if _build_of(each.outline()) == own)
    return next(alike, "")


def _build_of(tensors: dict[str, Any]) -> tuple[set[str], list[tuple[int, ...]]]:
    """What tells one ResNet from another: the names of its blocks, and shapes in the first one."""
    blocks = {found[0] for name in tensors if (found := BLOCK.match(name))}
    first = (tensors.get(f"layer1.0.conv{number}.weight") for number in (1, 2))
    return blocks, [tuple(getattr(tensor, "shape", ())) for tensor in first]


def quantised(tensors: dict[str, Any]) -> str:
    """The type of the first quantised weight, such as ``"int8"``; empty if there is none."""
    weights = [tensors[name] for name in tensors if name.endswith("weight")]
    for value in filter(torch.is_tensor, weights):
        if value.is_quantized or value.dtype in (torch.int8, torch.uint8):
            return str(value.dtype).removeprefix("torch.")
    return ""


def misfits(given: dict[str, Any], own: dict[str, torch.Tensor], network: str) -> list[str]:
    """Which tensors a network lacks or doesn't have, and which aren't of its shapes."""
    faults = [f"{name} is missing" for name in own if name not in given]
    faults += [f"{name:.80} is not in {network}" for name in given if name not in own]
    for name in filter(given.__contains__, own):
        if not torch.is_tensor(given[name]):
            faults.append(f"{name} is not a tensor")
        elif own[name].shape != given[name].shape:
            faults.append(f"{name} is {tuple(given[name].shape)}, not {tuple(own[name].shape)}")
    return faults


def body_digest(network: nn.Module) -> str:
    """A short text that changes with any weight but the last layer's: with a photo's features."""
    digest = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        if not name.startswith(HEAD):
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().numpy())
    return digest.hexdigest()[:16]


def impossible(name: str, tensor: torch.Tensor) -> str:
    """Why a tensor's values can't be those of a network; empty if they can."""
    if not _holds_numbers(tensor):
        return f"{name} holds values that are not numbers"
    if name.endswith("running_var") and bool((tensor.detach().float() < 0).any()):
        return f"{name} holds negative values, which no variance has"
    return ""


def _holds_numbers(tensor: torch.Tensor) -> bool:
    """Whether it is a plain floating-point tensor with values that are finite as float32."""
    if not tensor.is_floating_point() or tensor.layout is not torch.strided:
        return False
    if tensor.device.type != "cpu":
        return False
    if not tensor.numel():
        return True
    wide = tensor.detach() if tensor.element_size() > 1 else tensor.detach().float()
    ends = torch.stack(torch.aminmax(wide)).float()  # of values with a NaN, both are NaN
    return bool(torch.isfinite(ends).all())


def check_description(about: Any) -> None:
    """ValueError for a description of a network that no ``save_model`` writes."""
    parts = ("classes", "train_counts", "config")
    given = about if isinstance(about, dict) else {}
    if missing := [name for name in parts if name not in given]:
        raise ValueError(f"it lacks the description {', '.join(missing)}")
    classes, counts = about["classes"], about["train_counts"]
    if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
        raise ContentError("its classes are no names")
    if not isinstance(counts, list) or not all(type(n) is int and n >= 0 for n in counts):
        raise ContentError("its counts of training photos are no whole numbers from 0")
    if len(counts) != len(classes):
        raise ContentError("its classes and their counts don't fit together")
    if not any(counts):
        raise ContentError("none of its classes has a training photo")
    temperature = about.get("temperature", 1.0)
    if type(temperature) not in (int, float) or not 0 < temperature <= sys.float_info.max:
        raise ContentError(f"its temperature is {in_a_line(temperature)}")
