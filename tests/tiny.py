"""A backbone for tests where any network will do: a ResNet-18 would take several times as long."""

from fashion_tl.backbones import BACKBONES, Backbone


class TinyBackbone(Backbone):
    """One narrow block for each of the four layers: 0.3 million weights before the last layer."""

    def build(self):
        from torchvision.models.resnet import Bottleneck, ResNet  # most tests need no torch

        class Narrow(Bottleneck):
            expansion = 1

        return ResNet(Narrow, [1, 1, 1, 1], width_per_group=8)

    @property
    def weights(self):
        from torchvision.models import ResNet18_Weights

        return ResNet18_Weights


TINY_BACKBONE = TinyBackbone("tiny", "Tiny ResNet")
BACKBONES[TINY_BACKBONE.name] = TINY_BACKBONE
