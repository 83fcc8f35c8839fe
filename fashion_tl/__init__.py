"""Transfer learning on the Fashion Product Images data: three approaches from an ImageNet ResNet-50."""

__version__ = "0.1.0"
