"""The network run forward without learning, as fast as can be: device and precision, frozen parts,
logits.
"""

import os
import re
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch._inductor import config as inductor

from fashion_tl.config import Config
from fashion_tl.data.batches import Batches, mirrored, prepare_photos
from fashion_tl.distributed import everyone, share
from fashion_tl.errors import ConfigError
from fashion_tl.machine import processors, progress, say
from fashion_tl.network.model import folded
from fashion_tl.threads import threads_by_load

COMPILE_FROM = 200_000_000  # pixels to run forward


def pick_device() -> torch.device:
    """CUDA when there is one, else the CPU. ``FASHION_TL_DEVICE`` (``cpu``, ``cuda`` or, say,
    ``cuda:1``) overrules.

    On the CPU torch then uses no more threads than this process has processors: it knows nothing of
    a container's quota, and threads that wait for their turn make all of them slow.
    ``OMP_NUM_THREADS`` overrules. ConfigError where the device isn't there.
    """
    if "OMP_NUM_THREADS" not in os.environ and torch.get_num_threads() > processors():
        torch.set_num_threads(processors())
    with (
        warnings.catch_warnings()
    ):  # torch warns of a GPU that it can't use; that none is used is said anyway
        warnings.simplefilter("ignore")
        gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    wanted = os.environ.get("FASHION_TL_DEVICE") or ("cuda" if gpus else "cpu")
    kind, _, number = wanted.partition(":")
    if kind == "mps":
        raise ConfigError(
            "FASHION_TL_DEVICE=mps: Apple's GPU can't be used, it lacks float64. Set it to cpu."
        )
    if not re.fullmatch(r"cpu|cuda(:(0|[1-9]\d*))?", wanted, re.ASCII):
        raise ConfigError(
            f"FASHION_TL_DEVICE={wanted}: there is no such device. Set it to cpu, cuda or cuda:1."
        )
    if kind == "cuda" and int(number or 0) >= gpus:
        raise ConfigError(
            f"FASHION_TL_DEVICE={wanted}: torch finds {gpus} CUDA GPUs here. Set it to cpu."
        )
    return torch.device(wanted)


def resolve_precision(precision: str, device: torch.device) -> str:
    """``"auto"`` is ``"bf16"`` where the hardware has it natively (emulated, it would be slow),
    else ``"fp32"``.
    """
    if precision != "auto":
        return precision
    native = False
    if device.type == "cuda":
        native = torch.cuda.get_device_capability(device) >= (8, 0)
    elif device.type == "cpu":
        tests = (
            getattr(torch.cpu, f"_is_{unit}_supported", None)
            for unit in ("amx_tile", "avx512_bf16")
        )
        native = any(test() for test in tests if test)
    return "bf16" if native else "fp32"


def autocast(device: torch.device, precision: str) -> AbstractContextManager:
    """``torch.autocast`` to bfloat16, or to nothing."""
    return torch.autocast(
        device.type, torch.bfloat16, enabled=resolve_precision(precision, device) == "bf16"
    )


def outputs(
    model: nn.Module,
    batches: Batches,
    precision: str = "auto",
    desc: str | None = None,
    compiled: bool = False,
    by_load: bool = False,
) -> Iterator[Tensor]:
    """The model's outputs, batch by batch, in order: float32 [batch, outputs], where the model is.

    The model is left in evaluation mode. ``desc`` names the progress bar; None shows none.
    ``compiled`` lets ``torch.compile`` make it quicker, where that pays for its warm-up.
    ``by_load`` lets the number of threads follow the load of the machine, unless it is compiled:
    that is done for one number.
    """
    device = next(model.parameters()).device
    model.eval()
    batches, plain = batches.to(device), frozen_copy(model, precision)
    bar = batches.in_order(device)
    if desc:
        bar = progress(bar, desc, len(batches), leave=False)
    fast = None
    with threads_by_load(device if by_load else None) as each_step:
        for inputs, _ in bar:
            whole = len(inputs) == batches.batch_size  # another size would be compiled anew
            with (
                torch.inference_mode(),
                autocast(device, precision),
            ):  # not around `yield`, which lets other code run
                if fast is None and whole:
                    pays = compiled and _compiling_pays(inputs, len(batches.rows))
                    fast = _compile(plain, inputs) if pays else plain
                result = (fast if whole else plain)(inputs)
            if fast is plain:
                each_step()
            yield result.float()


def forward(
    model: nn.Module,
    batches: Batches,
    precision: str = "auto",
    desc: str | None = "predicting",
    compiled: bool = False,
    flip: bool = False,
    by_load: bool = True,
) -> Tensor:
    """All of :func:`outputs` in one tensor, float32 [n, outputs], on the CPU; with ``flip``, the
    mean of those for each photo and its mirror image. Each process predicts its share, and gets
    all.
    """
    run, own = share(len(batches.rows))
    batches = replace(batches, rows=batches.rows[run], labels=batches.labels[run])
    views = (batches, mirrored(batches)) if flip else (batches,)
    summed = sum(
        torch.cat(list(outputs(model, view, precision, desc, compiled, by_load))) for view in views
    ).cpu()
    return torch.cat(everyone(summed[own] / len(views)))


def frozen_copy(model: nn.Module, precision: str) -> nn.Module:
    """:func:`fashion_tl.network.model.folded` in the dtype of this precision."""
    bf16 = resolve_precision(precision, next(model.parameters()).device) == "bf16"
    return folded(model, torch.bfloat16 if bf16 else torch.float32)


def through(frozen: nn.Module, batches: Batches, precision: str) -> Batches:
    """The same samples as the frozen first part of a network leaves them. It runs folded, and
    without autograd.
    """
    if not len(frozen):
        return batches
    first = frozen_copy(frozen, precision)

    @torch.no_grad()
    def prepare(inputs: Tensor) -> Tensor:
        prepared = batches.prepare(inputs)  # in float32, as for all others
        with autocast(inputs.device, precision):
            return first(prepared)

    return replace(batches, prepare=prepare)


def _compiling_pays(inputs: Tensor, photos: int) -> bool:
    """Whether the photos are many enough: on two cores, compiling itself takes 5 to 20 seconds."""
    return (
        inputs.device.type == "cpu"
        and inputs.ndim == 4
        and photos * inputs[0, 0].numel() >= COMPILE_FROM
    )


def _compile(model: nn.Module, inputs: Tensor) -> nn.Module:
    try:
        torch._dynamo.reset()  # else it would count as the same network compiled again and again, and give up
        fast = torch.compile(model)
        with inductor.patch(
            freezing=True
        ):  # weights are packed once; as an option of compile it does less
            fast(inputs)
        return fast
    except Exception as error:  # no C++ compiler, most often
        say(
            f"NOTE: torch.compile can't be used here ({type(error).__name__}); it goes on without, at half the speed"
        )
        return model


def photo_logits(model: nn.Module, photos: Tensor, config: Config) -> Tensor:
    """Logits, float32 [batch, num_classes], for photos, uint8 [batch, height, width, 3], prepared
    as in testing: with ``config.flip_test``, the mean of those for each photo and its mirror image.
    """
    views = [photos, photos.flip(2)] if config.flip_test else [photos]
    return model(prepare_photos(torch.cat(views), config)).unflatten(0, (len(views), -1)).mean(0)
