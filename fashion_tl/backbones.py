"""The table of backbones: torchvision's ResNets, and what differs between them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from fashion_tl.errors import ConfigError, in_a_line

if TYPE_CHECKING:  # importing torch takes seconds, and the command line's help doesn't need it
    from torch import Tensor, nn
    from torchvision.models import WeightsEnum


# What a ResNet consists of, in this order; network/model.py freezes and splits it by them.
CHILDREN = (
    *("conv1", "bn1", "relu", "maxpool"),
    *("layer1", "layer2", "layer3", "layer4"),
    *("avgpool", "fc"),
)


@dataclass(frozen=True)
class Backbone:
    """A network by torchvision's ``name``; ``title`` is its name in figures.

    Its children are ``CHILDREN``. ConfigError if torchvision has no such network.
    """

    name: str
    title: str

    def build(self) -> "nn.Module":
        """The network with random weights, for ImageNet's 1,000 classes."""
        from torchvision.models import get_model_builder

        network = self._look_up(get_model_builder)(weights=None)
        children = [name for name, _ in network.named_children()]
        if children != list(CHILDREN):
            raise ConfigError(
                f"BACKBONES has {self.name!r}, which isn't built as a ResNet: its children are "
                f"{', '.join(children)}, not {', '.join(CHILDREN)}. See CONTRIBUTING.md."
            )
        return network

    def outline(self) -> "dict[str, Tensor]":
        """Its tensors by name, with shapes but without values."""
        return dict(_outline(self.build))

    @property
    def weights(self) -> "type[WeightsEnum]":
        """torchvision's weights for it."""
        from torchvision.models import get_model_weights

        return self._look_up(get_model_weights)

    def _look_up(self, table: Callable[[str], Any]) -> Any:
        try:
            return table(self.name)
        except ValueError as error:
            raise ConfigError(
                f"BACKBONES has {self.name!r}, but this torchvision has no such network. "
                "Correct or remove its row (fashion_tl/backbones.py)."
            ) from error

    @property
    def weights_names(self) -> tuple[str, ...]:
        """The names of these weights, without DEFAULT, which is a second name for one of them."""
        return tuple(member.name for member in self.weights)


@cache
def _outline(build: "Callable[[], nn.Module]") -> "dict[str, Tensor]":
    import torch

    with torch.device("meta"):
        return build().state_dict()


DEFAULT_BACKBONE = "resnet50"
BACKBONES = {
    each.name: each
    for each in (
        Backbone("resnet18", "ResNet-18"),
        Backbone("resnet34", "ResNet-34"),
        Backbone("resnet50", "ResNet-50"),
        Backbone("resnet101", "ResNet-101"),
        Backbone("resnet152", "ResNet-152"),
        Backbone("resnext50_32x4d", "ResNeXt-50 32×4d"),
        Backbone("resnext101_32x8d", "ResNeXt-101 32×8d"),
        Backbone("resnext101_64x4d", "ResNeXt-101 64×4d"),
        Backbone("wide_resnet50_2", "Wide ResNet-50-2"),
        Backbone("wide_resnet101_2", "Wide ResNet-101-2"),
    )
}


def find_backbone(name: str) -> Backbone:
    """The backbone of this name; ConfigError for an unknown name."""
    if not isinstance(name, str) or name not in BACKBONES:
        raise ConfigError(f"backbone must be one of {', '.join(BACKBONES)}, not {in_a_line(name)}")
    return BACKBONES[name]
