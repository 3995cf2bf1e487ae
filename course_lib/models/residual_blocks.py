"""Parts of residual networks (He et al., "Deep residual learning for image recognition", 2016)."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["Bottleneck", "PaddedShortcut", "expansion"]


class PaddedShortcut(nn.Module):
    """Option A of the paper: every `stride`-th pixel, new channels filled with zeros; no parameters."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.new_channels = outputs - inputs
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        before = self.new_channels // 2
        kept = x[:, :, :: self.stride, :: self.stride]
        return F.pad(kept, (0, 0, 0, 0, before, self.new_channels - before))


class Bottleneck(nn.Module):
    """1x1 to `width` channels, 3x3, 1x1 to 4 * `width`, beside a shortcut (figure 5, right).

    groups, widening  the inner channels are widening * width, and the 3x3 convolution works on `groups` groups of
        them: (32, 2) is ResNeXt's 32x4d (Xie et al., 2017, figure 3c), (1, 2) a wide ResNet.
    early_stride  the stride stands in the first 1x1 convolution, as in the paper; otherwise in the 3x3 convolution,
        as in torchvision ("ResNet v1.5").
    attention  attention(channels) makes a module from [N, channels, H, W] to the same, which stands before the
        addition (Hu et al., "Squeeze-and-excitation networks", 2018, figure 3).

    [N, inputs, H, W] to [N, 4 * width, H/stride, W/stride]. Raises ValueError if the groups do not divide the inner
    channels.
    """

    expansion: ClassVar[int] = 4

    def __init__(
        self,
        inputs: int,
        width: int,
        stride: int = 1,
        shortcut: nn.Module | None = None,
        *,
        groups: int = 1,
        widening: int = 1,
        early_stride: bool = False,
        attention: Callable[[int], nn.Module] | None = None,
    ) -> None:
        super().__init__()
        inner, outputs = width * widening, width * self.expansion
        if inner % groups:
            raise ValueError(f"{inner} inner channels do not divide into {groups} groups; take a multiple of {groups}")
        first, second = (stride, 1) if early_stride else (1, stride)
        self.conv1 = nn.Conv2d(inputs, inner, kernel_size=1, stride=first, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, kernel_size=3, stride=second, padding=1, groups=groups, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, outputs, kernel_size=1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.attention = None if attention is None else attention(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = shortcut

    def forward(self, x: Tensor) -> Tensor:
        residual = self.relu(self.bn1(self.conv1(x)))
        residual = self.relu(self.bn2(self.conv2(residual)))
        residual = self.bn3(self.conv3(residual))
        if self.attention is not None:
            residual = self.attention(residual)
        identity = x if self.downsample is None else self.downsample(x)
        return self.relu(residual + identity)


def expansion(block: Callable[..., nn.Module]) -> int:
    """How many times its `width` a block puts out: its attribute `expansion` (a functools.partial's own), else 1."""
    return getattr(getattr(block, "func", block), "expansion", 1)
