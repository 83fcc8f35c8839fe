"""Run the network forward without learning: device, precision, frozen parts, logits."""

import os
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch._inductor import config as inductor

from fashion_tl.config import Config
from fashion_tl.data.batches import Batches, mirrored, prepare_photos
from fashion_tl.distributed import everyone, share
from fashion_tl.errors import ConfigError, in_a_line
from fashion_tl.machine import processors, progress, say
from fashion_tl.network.layers import folded
from fashion_tl.threads import threads_by_load

COMPILE_FROM = 200_000_000  # pixels; for fewer, compiling takes more time than it saves


def pick_device() -> torch.device:
    """A CUDA GPU if there is one, otherwise the CPU.

    ``FASHION_TL_DEVICE`` (``cpu``, ``cuda`` or for example ``cuda:1``) chooses another device.
    ConfigError if that device isn't there.

    This also limits torch's threads on the CPU to the processors that this process may use, unless
    ``OMP_NUM_THREADS`` is set. torch doesn't know a container's quota, and threads that wait for
    their turn slow all others down.
    """
    if "OMP_NUM_THREADS" not in os.environ and torch.get_num_threads() > processors():
        torch.set_num_threads(processors())
    with warnings.catch_warnings():  # torch warns about a GPU that it can't use
        warnings.simplefilter("ignore")
        gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    wanted = os.environ.get("FASHION_TL_DEVICE") or ("cuda" if gpus else "cpu")
    kind, _, number = wanted.partition(":")
    shown = in_a_line(wanted).strip("'")
    if kind == "mps":
        raise ConfigError(
            "FASHION_TL_DEVICE=mps: Apple's GPU can't be used, it lacks float64. Set it to cpu."
        )
    if not re.fullmatch(r"cpu|cuda(:(0|[1-9]\d{0,8}))?", wanted, re.ASCII):
        raise ConfigError(
            f"FASHION_TL_DEVICE={shown}: there is no such device. Set it to cpu, cuda or cuda:1."
        )
    if kind == "cuda" and int(number or 0) >= gpus:
        raise ConfigError(
            f"FASHION_TL_DEVICE={shown}: torch finds {gpus} CUDA GPUs here. Set it to cpu."
        )
    return torch.device(wanted)


def resolve_precision(precision: str, device: torch.device) -> str:
    """For ``"auto"``: ``"bf16"`` on hardware that computes it natively, otherwise ``"fp32"``.

    Emulated bf16 would be slow. Any other precision is returned as it is.
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
    """``torch.autocast`` to bfloat16 if that is the precision; otherwise it does nothing."""
    is_bf16 = resolve_precision(precision, device) == "bf16"
    return torch.autocast(device.type, torch.bfloat16, enabled=is_bf16)


def outputs(
    model: nn.Module,
    batches: Batches,
    precision: str = "auto",
    desc: str | None = None,
    compiled: bool = False,
    by_load: bool = False,
) -> Iterator[Tensor]:
    """The model's outputs, batch by batch, in order: float32 [batch, outputs], on its device.

    The model is left in evaluation mode. ``desc`` names the progress bar; without it there is none.
    ``compiled`` lets ``torch.compile`` speed the model up, if that saves more time than it takes.
    ``by_load`` lets the number of threads follow the load of the machine. A compiled model keeps
    its number, because it was compiled for it.
    """
    device = next(model.parameters()).device
    model.eval()
    batches = batches.to(device)
    plain = frozen_copy(model, precision)
    bar = batches.in_order(device)
    if desc:
        bar = progress(bar, desc, len(batches), leave=False)
    fast: Callable[[Tensor], Tensor] | None = None
    with threads_by_load(device if by_load else None) as each_step:
        for inputs, _ in bar:
            whole = len(inputs) == batches.batch_size  # another size would be compiled again
            # Not around `yield`, which lets other code run.
            with torch.inference_mode(), autocast(device, precision):
                if fast is None and whole:
                    pays = compiled and _compiling_pays(inputs, len(batches.rows))
                    fast = _compile(plain, inputs) if pays else plain
                result = fast(inputs) if fast is not None and whole else plain(inputs)
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
    """All of :func:`outputs` in one tensor, float32 [n, outputs], on the CPU.

    With ``flip`` it is the mean of the outputs for each photo and its mirror image. Of several
    processes, each one runs its share and gets all outputs.
    """
    run, own = share(len(batches.rows))
    batches = replace(batches, rows=batches.rows[run], labels=batches.labels[run])

    def of_view(view: Batches) -> Tensor:
        return torch.cat(list(outputs(model, view, precision, desc, compiled, by_load)))

    mean = of_view(batches)
    if flip:
        mean = (mean + of_view(mirrored(batches))) / 2
    return torch.cat(everyone(mean.cpu()[own]))


def frozen_copy(model: nn.Module, precision: str) -> nn.Module:
    """:func:`fashion_tl.network.layers.folded` in the dtype of this precision."""
    bf16 = resolve_precision(precision, next(model.parameters()).device) == "bf16"
    return folded(model, torch.bfloat16 if bf16 else torch.float32)


def through(frozen: nn.Sequential, batches: Batches, precision: str) -> Batches:
    """The same samples after the frozen first part of a network, which runs without autograd."""
    if not len(frozen):
        return batches
    first = frozen_copy(frozen, precision)

    @torch.no_grad()
    def prepare(inputs: Tensor) -> Tensor:
        prepared = batches.prepare(inputs)  # in float32, as everywhere
        with autocast(inputs.device, precision):
            return first(prepared)

    return replace(batches, prepare=prepare)


def _compiling_pays(inputs: Tensor, photos: int) -> bool:
    """Whether there are enough photos: on two cores, compiling takes 5 to 20 seconds."""
    if inputs.device.type != "cpu" or inputs.ndim != 4:
        return False
    return photos * inputs[0, 0].numel() >= COMPILE_FROM


def _compile(model: nn.Module, inputs: Tensor) -> Callable[[Tensor], Tensor]:
    try:
        # Without the reset, torch would count all networks as one, and soon stop compiling it.
        torch._dynamo.reset()
        fast = torch.compile(model)
        # Freezing packs the weights once. As an option of torch.compile it does less.
        with inductor.patch(freezing=True):
            fast(inputs)
        return fast
    except Exception as error:  # most often there is no C++ compiler
        say(
            f"NOTE: torch.compile can't be used here ({type(error).__name__}); "
            "it goes on without it, at half the speed"
        )
        return model


def photo_logits(model: nn.Module, photos: Tensor, config: Config) -> Tensor:
    """Logits, float32 [batch, num_classes], of photos, uint8 [batch, height, width, 3].

    The photos are prepared as in testing. With ``config.flip_test`` the logits are the mean of
    those for each photo and its mirror image.
    """
    views = [photos, photos.flip(2)] if config.flip_test else [photos]
    return model(prepare_photos(torch.cat(views), config)).unflatten(0, (len(views), -1)).mean(0)
