"""A ResNet with layers of ours: quick convolutions, two blocks, a head in float32, and folding."""

import copy
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_eval

from fashion_tl.backbones import find_backbone
from fashion_tl.config import Config


class PlainConv(nn.Conv2d):
    """torch's own convolution, without its fault on narrow maps.

    In bf16 on a CPU with AMX, torch 2.15 reads beyond the map if a stride leaves it one pixel wide,
    and gives any numbers. Zeros beside the map, which it ends with anyway, keep it from that.
    """

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        if inputs.shape[3] > self.stride[1] or self.stride[1] == 1:
            return super().forward(inputs)
        return super().forward(F.pad(inputs, (0, self.stride[1])))[..., :1]


class Conv(PlainConv):
    """A convolution that learns faster on a CPU: 1×1, or 3×3 on small maps, as a matrix product.

    torch's own takes up to several times as long backward in these cases. Both are equal up to
    rounding.
    """

    LARGEST_MAP = 24  # positions of the output map, for a kernel of 3×3

    @staticmethod
    def computes(conv: nn.Conv2d) -> bool:
        """Whether this class can replace a convolution: 1×1 or 3×3 over all channels, no gaps."""
        k = conv.kernel_size[0]
        is_plain = conv.groups == 1 and conv.dilation == (1, 1) and conv.padding_mode == "zeros"
        is_square = conv.kernel_size == (k, k) and conv.stride[0] == conv.stride[1]
        return is_plain and is_square and conv.padding == (k // 2, k // 2)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        k = self.kernel_size[0]
        s = self.stride[0]
        height, width = (-(-n // s) for n in inputs.shape[2:])
        as_product = k == 1 or (k == 3 and height * width <= self.LARGEST_MAP)
        if not (as_product and torch.is_grad_enabled() and inputs.device.type == "cpu"):
            return super().forward(inputs)
        maps = inputs.permute(0, 2, 3, 1)
        if k == 1:
            shifted = maps[:, ::s, ::s]
        else:
            maps = F.pad(maps, (0, 0, 1, 1, 1, 1))
            shifts = [
                maps[:, i : i + s * height : s, j : j + s * width : s]
                for i in range(3)
                for j in range(3)
            ]
            shifted = torch.cat(shifts, 3)
        weight = self.weight.permute(0, 2, 3, 1).flatten(1)
        return F.linear(shifted, weight, self.bias).permute(0, 3, 1, 2)


def with_quick_convolutions(model: nn.Module) -> nn.Module:
    """The same network, with :class:`Conv` in all places where it computes the same.

    Its other convolutions are :class:`PlainConv`.
    """
    for module in model.modules():
        if type(module) is nn.Conv2d:
            module.__class__ = Conv if Conv.computes(module) else PlainConv
    return model


class Head(nn.Linear):
    """The last layer, always computed in float32, because logits rounded to bf16 would tie."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        with torch.autocast(inputs.device.type, enabled=False):
            return super().forward(inputs.float())


class Beside(nn.Sequential):
    """A ResNet's last block, beside the mean of what it takes: [batch, both widths, height, width].

    So the last layer takes the features of the last two blocks (Evci et al., "Head2Toe", ICML 2022,
    takes those of all). It is a class for a block that is there, whose parameters keep their names.
    """

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        maps = super().forward(inputs)
        before = inputs.mean((2, 3), keepdim=True).expand(-1, -1, *maps.shape[2:])
        return torch.cat([before, maps], 1)


def build_backbone(config: Config) -> nn.Module:
    """The network of ``config.backbone`` with random weights, for ImageNet's classes.

    Its convolutions are quick, and with two ``blocks`` its last layer takes the features of both.
    """
    model = with_quick_convolutions(find_backbone(config.backbone).build())
    if config.blocks == 2:
        before, last, head = (model.get_submodule(name) for name in ("layer3", "layer4", "fc"))
        assert isinstance(head, nn.Linear), "the last layer of torchvision's ResNets is linear"
        last.__class__ = Beside
        model.fc = nn.Linear(_width(before) + head.in_features, head.out_features)
    return model


def _width(block: nn.Module) -> int:
    """The number of channels that a block of a ResNet gives."""
    *_, norm = (module for module in block.modules() if isinstance(module, _BatchNorm))
    return norm.num_features


class WithFeatures(nn.Module):
    """A network whose outputs are its features, followed by its logits: [batch, width + classes].

    The features are what the last layer takes.
    """

    def __init__(self, body: nn.Module, head: nn.Linear) -> None:
        super().__init__()
        self.body = body
        self.head = head

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        features = self.body(inputs).float()
        return torch.cat([features, self.head(features)], 1)


def folded(model: nn.Module, dtype: torch.dtype = torch.float32) -> nn.Module:
    """A faster copy for inference: each BatchNorm is folded into the convolution before it.

    ``dtype`` is that of the convolutions. The outputs are equal up to rounding.
    """
    model = copy.deepcopy(model).eval().requires_grad_(False)
    for module in list(model.modules()):
        for (name, child), (after, norm) in pairwise(module.named_children()):
            if isinstance(child, nn.Conv2d) and isinstance(norm, _BatchNorm):
                fused = fuse_conv_bn_eval(child, norm).to(dtype)
                setattr(module, name, fused.to(memory_format=torch.channels_last))
                setattr(module, after, nn.Identity())
    return model
