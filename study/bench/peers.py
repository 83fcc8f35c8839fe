"""What we are measured against: the published way of training, and the bare network."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms
from torchvision.models import resnet50

from fashion_tl.network.inference import pick_device
from fashion_tl.network.model import freeze_first_children, train_mode


class JpegFiles(Dataset):
    """Every photo opened, resized and normalised each time it is asked for, as the published study
    does.
    """

    def __init__(self, files: list[Path], labels: np.ndarray, size: tuple[int, int]) -> None:
        self.files, self.labels = files, labels
        half = (0.5, 0.5, 0.5)
        self.transform = transforms.Compose(
            [transforms.Resize(size), transforms.ToTensor(), transforms.Normalize(half, half)]
        )

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        with Image.open(self.files[index]) as image:
            return self.transform(image.convert("RGB")), int(self.labels[index])


def published_loop(
    files: list[Path],
    labels: np.ndarray,
    size: tuple[int, int],
    classes: int,
    head_only: bool,
    workers: int = 0,
) -> Callable[[], int]:
    """The published training: float32, NCHW, batches of 16, plain SGD at 0.001, class weights in
    the loss.

    With ``head_only`` the backbone is frozen, and runs forward on every photo all the same. Returns
    a function that trains on all of ``files`` once and says how many they were.
    """
    device = pick_device()
    model = resnet50(weights=None).requires_grad_(not head_only)
    model.fc = nn.Linear(2048, classes)
    model.to(device)
    optimizer = torch.optim.SGD(
        model.fc.parameters() if head_only else model.parameters(), lr=0.001
    )
    loss = nn.CrossEntropyLoss(weight=torch.ones(classes, device=device))
    loader = DataLoader(
        JpegFiles(files, labels, size),
        16,
        shuffle=True,
        num_workers=workers,
        persistent_workers=workers > 0,
    )

    def epoch() -> int:
        model.train()
        correct = 0
        for inputs, targets in loader:
            inputs, targets = inputs.to(device), targets.to(device)
            optimizer.zero_grad()
            logits = model(inputs)
            loss(logits, targets).backward()
            optimizer.step()
            correct += (logits.argmax(1) == targets).sum().item()
        return len(files)

    return epoch


def bare_training(
    size: tuple[int, int], batch: int, classes: int, bf16: bool, frozen: bool = False
) -> Callable[[], int]:
    """Forward, backward and optimiser step of torchvision's network on one resident random
    batch."""
    model = resnet50(num_classes=classes).to(memory_format=torch.channels_last)
    if frozen:
        freeze_first_children(model)
    return training_step(model, model, size, batch, bf16)


def training_step(
    model: nn.Module, network: Callable, size: tuple[int, int], batch: int, bf16: bool
) -> Callable[[], int]:
    """The same of any ``model``; ``network`` is what runs forward: itself, or itself compiled."""
    device = pick_device()
    train_mode(model.to(device))
    optimizer = torch.optim.SGD(
        [p for p in model.parameters() if p.requires_grad],
        lr=1e-4,
        momentum=0.9,
        weight_decay=1e-4,
        fused=True,
    )
    inputs = torch.randn(batch, 3, *size, device=device).to(memory_format=torch.channels_last)
    targets = torch.randint(20, (batch,), device=device)

    def step() -> int:
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            logits = network(inputs)
        optimizer.zero_grad()
        F.cross_entropy(logits.float(), targets).backward()
        optimizer.step()
        return batch

    return step


def bare_forward(size: tuple[int, int], batch: int, classes: int, bf16: bool) -> Callable[[], int]:
    """Forward on one resident random batch, weights and inputs in the quicker dtype, in plain
    PyTorch.
    """
    device = pick_device()
    dtype = torch.bfloat16 if bf16 else torch.float32
    model = (
        resnet50(num_classes=classes).to(device, dtype, memory_format=torch.channels_last).eval()
    )
    inputs = torch.randn(batch, 3, *size, device=device, dtype=dtype).to(
        memory_format=torch.channels_last
    )

    @torch.inference_mode()
    def step() -> int:
        model(inputs)
        return batch

    return step
