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
    name = os.environ.get("FASHION_TL_DEVICE") or ("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(name)


def native_bf16(device: torch.device) -> bool:
    """Whether the hardware computes in bfloat16 itself; emulated, it would be slower than float32."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type != "cpu":
        return False
    with_amx = getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    with_avx = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    return bool(with_amx() or with_avx())


def resolve_precision(precision: str, device: torch.device) -> str:
    """``"auto"`` as ``"bf16"`` where the hardware has it, else ``"fp32"``."""
    if precision == "auto":
        return "bf16" if native_bf16(device) else "fp32"
    return precision


def autocast(device: torch.device, precision: str) -> AbstractContextManager:
    """``torch.autocast`` to bfloat16, or to nothing."""
    enabled = resolve_precision(precision, device) == "bf16"
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=enabled)


@torch.inference_mode()
def forward(model: nn.Module, batches: Batches, precision: str = "auto", desc: str | None = "predicting") -> Tensor:
    """The model's output for every sample, in order: float32 [n, outputs], on the CPU.

    The model is put in evaluation mode, and left so. ``desc`` names the progress bar; None shows none.
    """
    device = next(model.parameters()).device
    model.eval()
    outputs = []
    with autocast(device, precision):
        parts = batches.in_order(device)
        for inputs, _ in tqdm(parts, desc, len(batches), leave=False, mininterval=0.5, disable=desc is None):
            outputs.append(model(inputs).float())
    return torch.cat(outputs).cpu()


def feature_batches(backbone: nn.Module, batches: Batches, precision: str = "auto", desc: str = "features") -> Batches:
    """The same samples as features of a frozen backbone, computed once: they can't change while it is frozen.

    Raises:
        ValueError: when the batches are augmented (the features would differ each epoch) or the backbone can learn.
    """
    if batches.augment or any(p.requires_grad for p in backbone.parameters()):
        raise ValueError("features are computed once: freeze the backbone and switch augmentation off first")
    features = forward(backbone, batches, precision, desc).clone()  # out of inference mode: the head learns from it
    device = next(backbone.parameters()).device
    rows = torch.arange(len(features))
    return replace(batches, inputs=features.to(device), rows=rows, prepare=lambda inputs: inputs)


def photo_logits(saved: SavedModel, content: bytes) -> np.ndarray:
    """A saved model's logits for one encoded photo, prepared as in its training: float32 [1, num_classes].

    Raises:
        DataError: when the photo can't be decoded.
    """
    config = Config(**saved.config)
    photos = torch.from_numpy(decode(content, config.stored_size).copy())[None]
    with torch.inference_mode():
        return saved.model(prepare_photos(photos, config)).numpy()
