"""The network run forward without learning: device and precision, logits, features of a frozen backbone."""

import os
from contextlib import AbstractContextManager
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from fashion_tl.batches import Batches, prepare_photos
from fashion_tl.config import Config
from fashion_tl.model import SavedModel
from fashion_tl.photos import decode


def pick_device() -> torch.device:
    """CUDA when there is one, else the CPU; ``FASHION_TL_DEVICE`` overrules."""
    return torch.device(os.environ.get("FASHION_TL_DEVICE") or ("cuda" if torch.cuda.is_available() else "cpu"))


def resolve_precision(precision: str, device: torch.device) -> str:
    """``"auto"`` is ``"bf16"`` where the hardware has it natively (emulated, it would be slow), else ``"fp32"``."""
    if precision != "auto":
        return precision
    native = False
    if device.type == "cuda":
        native = torch.cuda.get_device_capability(device) >= (8, 0)
    elif device.type == "cpu":
        tests = (getattr(torch.cpu, f"_is_{unit}_supported", None) for unit in ("amx_tile", "avx512_bf16"))
        native = any(test() for test in tests if test)
    return "bf16" if native else "fp32"


def autocast(device: torch.device, precision: str) -> AbstractContextManager:
    """``torch.autocast`` to bfloat16, or to nothing."""
    return torch.autocast(device.type, torch.bfloat16, enabled=resolve_precision(precision, device) == "bf16")


@torch.inference_mode()
def forward(model: nn.Module, batches: Batches, precision: str = "auto", desc: str | None = "predicting") -> Tensor:
    """The model's outputs for every sample, in order: float32 [n, outputs], on the CPU.

    The model is left in evaluation mode. ``desc`` names the progress bar; None shows none.
    """
    device = next(model.parameters()).device
    model.eval()
    bar = tqdm(batches.in_order(device), desc, len(batches), leave=False, mininterval=0.5, disable=desc is None)
    with autocast(device, precision):
        outputs = [model(inputs).float() for inputs, _ in bar]
    return torch.cat(outputs).cpu()


def feature_batches(backbone: nn.Module, batches: Batches, precision: str = "auto", desc: str = "features") -> Batches:
    """The same samples as features of a frozen backbone, computed once: they can't change while it is frozen.

    ValueError when the batches are augmented (each epoch's features would differ) or the backbone can learn.
    """
    if batches.augment or any(p.requires_grad for p in backbone.parameters()):
        raise ValueError("features are computed once: freeze the backbone and switch augmentation off first")
    if not len(batches):
        return batches
    features = forward(backbone, batches, precision, desc).clone()  # an inference tensor can't be learned from
    device = next(backbone.parameters()).device
    return replace(batches, inputs=features.to(device), rows=torch.arange(len(features)), prepare=lambda x: x)


def photo_logits(saved: SavedModel, content: bytes) -> np.ndarray:
    """A saved model's logits, float32 [1, num_classes], for one encoded photo, prepared as in its training.

    DataError when the photo can't be decoded.
    """
    config = Config(**saved.config)
    photos = torch.from_numpy(decode(content, config.stored_size).copy())[None]
    with torch.inference_mode():
        return saved.model(prepare_photos(photos, config)).numpy()


@torch.no_grad()
def calibrate_batchnorm(model: nn.Module, batches: Batches) -> None:
    """Give BatchNorm the statistics of these photos: a random network that is to be frozen has none of its own."""
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    model.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.train().momentum = None  # a plain mean over all batches
    for inputs, _ in batches.in_order(next(model.parameters()).device):
        model(inputs)
    for norm in norms:
        norm.eval().momentum = 0.1
