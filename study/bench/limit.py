"""How near training and the forward pass come to the machine's own rate of matrix products."""

from collections.abc import Callable
from copy import deepcopy

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from fashion_tl.data.dataset import Data
from fashion_tl.network.inference import pick_device, resolve_precision
from fashion_tl.network.model import build_network
from fashion_tl.recipes import make_config
from study.bench.measures import Size, evenly, forward, training, words
from study.bench.timing import alternate, row

SIDE = 4096  # of the matrices


def of_the_machine(
    data: Data, sizes: list[Size], batch: int = 64, batches: int = 6, side: int = SIDE
) -> list[dict]:
    """The rate of matrix products, and for each size the part of it that our loops reach.

    All run in turns. The operations of the network are counted by torch's own counter.
    """
    dtype = torch.bfloat16 if resolve_precision("auto", pick_device()) == "bf16" else torch.float32
    network = build_network(data.task.num_classes, None, make_config("direct"))
    rows = []
    for number, size in enumerate(sizes):
        config = make_config("direct", image_size=size, batch_size=batch)
        photos = evenly(data.task.train, batches * batch)
        taken = alternate(
            products=products(side, dtype),
            learn=training(data, photos, config),
            answer=forward(data, photos, config),
        )
        rate = [2 * side**3 / seconds for seconds in taken["products"]]
        if not number:
            name = f"matrix products, {str(dtype).removeprefix('torch.')}, {side}×{side}"
            rows.append(row(name, "GFLOP/s", [each / 1e9 for each in rate]))
        for what, key, goal in (
            ("fine-tuning", "learn", "≥ 70 %"),
            ("forward pass", "answer", ""),
        ):
            needed = operations(network, size, learns=key == "learn")
            share = [
                100 * needed / seconds / most
                for seconds, most in zip(taken[key], rate, strict=True)
            ]
            title = f"{what}, {words(size)}: part of the matrix products' rate"
            note = f"{needed / 1e9:.2f} GFLOP a photo, batches of {batch}"
            rows.append(row(title, "%", share, goal=goal, note=note))
    return rows


def products(side: int, dtype: torch.dtype) -> Callable[[], int]:
    """One product of two square matrices."""
    a, b = (torch.randn(side, side, device=pick_device(), dtype=dtype) for _ in range(2))

    def multiply() -> int:
        torch.mm(a, b)
        return 1

    return multiply


def operations(model: nn.Module, size: Size, learns: bool) -> float:
    """Floating-point operations for one photo: forward, and if it learns backward too.

    Nothing runs backward through what is frozen. The model stays as it is.
    """
    model = deepcopy(model).eval()  # else BatchNorm would learn from what is no photo
    device = next(model.parameters()).device
    photos = torch.zeros(2, 3, *size, device=device).to(memory_format=torch.channels_last)
    counter = FlopCounterMode(display=False)
    with counter, torch.set_grad_enabled(learns):
        logits = model(photos)
        if learns:
            logits.sum().backward()
    return counter.get_total_flops() / len(photos)
