"""Squeeze-and-excitation networks (Hu et al., "Squeeze-and-excitation networks", 2018): ResNets that weight channels.

The block that computes the weights is an argument: attention(channels) makes a module from [N, channels, H, W] to the
same shape, here applied to a bottleneck's output before the addition. The default is torchvision's, with the paper's
reduction to channels // 16 hidden neurons.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import nn

from course_lib.models.registry import architecture
from course_lib.models.residual_blocks import Bottleneck
from course_lib.models.resnet import ResNet, imagenet_resnet, small_stem
from course_lib.models.torchvision_blocks import torchvision_excitation

__all__ = ["se_resnet50", "se_resnet101", "se_resnext50_32x4d", "small_se_resnet"]

Attention = Callable[[int], nn.Module]


def _sixteenth(channels: int) -> nn.Module:
    return torchvision_excitation(channels, channels // 16)


def _quarter(channels: int) -> nn.Module:
    return torchvision_excitation(channels, channels // 4)


@architecture
def se_resnet50(num_classes: int = 1000, *, attention: Attention = _sixteenth) -> ResNet:
    """SE-ResNet-50 as in the paper, strides in the first 1x1: 28,088,024 parameters, 3.860 GMAC at [3, 224, 224]."""
    return imagenet_resnet(_block(attention, early_stride=True), (3, 4, 6, 3), num_classes)


@architecture
def se_resnet101(num_classes: int = 1000, *, attention: Attention = _sixteenth) -> ResNet:
    """SE-ResNet-101 as in the paper, strides in the first 1x1: 49,326,872 parameters, 7.575 GMAC at [3, 224, 224]."""
    return imagenet_resnet(_block(attention, early_stride=True), (3, 4, 23, 3), num_classes)


@architecture
def se_resnext50_32x4d(num_classes: int = 1000, *, attention: Attention = _sixteenth) -> ResNet:
    """SE-ResNeXt-50: 27,559,896 parameters, 4.233 GMAC for one image [3, 224, 224]."""
    return imagenet_resnet(_block(attention, groups=32, widening=2), (3, 4, 6, 3), num_classes)


@architecture
def small_se_resnet(
    num_classes: int = 10, in_channels: int = 3, width: int = 16, *, attention: Attention = _quarter
) -> ResNet:
    """For small pictures: 90,162 parameters, 3.46 MMAC for one image [3, 32, 32].

    small_resnet's stem, then three bottlenecks with attention that convolve `width`, 2 and 4 times `width` channels
    and put out twice as many; `width` is even. The default attention has a quarter as many hidden neurons as
    channels. `attention=lambda channels: nn.Identity()` is the same network without it.
    """
    if width % 2:
        raise ValueError(f"small_se_resnet's width must be even, not {width}")
    block = _block(attention, widening=2)
    stem = small_stem(in_channels, width)
    return ResNet(stem, width, block, (1, 1, 1), (width // 2, width, 2 * width), num_classes)


def _block(
    attention: Attention, *, groups: int = 1, widening: int = 1, early_stride: bool = False
) -> Callable[..., nn.Module]:
    return partial(Bottleneck, attention=attention, groups=groups, widening=widening, early_stride=early_stride)
