"""Two convolutions in the place of patches (Xiao et al., "Early convolutions help transformers see better", 2021)."""

from __future__ import annotations

from torch import nn

__all__ = ["conv_stem"]


def conv_stem(in_channels: int, width: int) -> nn.Sequential:
    """Tokens of a picture by two 3x3 convolutions of stride 2: [N, in_channels, H, W] to [N, width, H/4, W/4], rounded
    up. A patch of 4x4 pixels becomes one token too, but from pixels around it as well, which small data sets need.
    """
    return nn.Sequential(
        nn.Conv2d(in_channels, width // 2, kernel_size=3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(width // 2),
        nn.ReLU(inplace=True),
        nn.Conv2d(width // 2, width, kernel_size=3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(width),
    )
