"""ResNeXt (Xie et al., "Aggregated residual transformations for deep neural networks", 2017).

A residual network whose bottlenecks convolve in groups. Parameters carry torchvision's names.
"""

from __future__ import annotations

from functools import partial

from course_lib.models.registry import architecture
from course_lib.models.residual_blocks import Bottleneck
from course_lib.models.resnet import ResNet, imagenet_resnet, small_stem

__all__ = ["resnext50_32x4d", "resnext101_32x8d", "small_resnext"]


@architecture
def resnext50_32x4d(num_classes: int = 1000) -> ResNet:
    """ResNeXt-50, 32 groups of 4 channels: 25,028,904 parameters, 4.230 GMAC for one image [3, 224, 224]."""
    return imagenet_resnet(partial(Bottleneck, groups=32, widening=2), (3, 4, 6, 3), num_classes)


@architecture
def resnext101_32x8d(num_classes: int = 1000) -> ResNet:
    """ResNeXt-101, 32 groups of 8 channels: 88,791,336 parameters, 16.414 GMAC for one image [3, 224, 224]."""
    return imagenet_resnet(partial(Bottleneck, groups=32, widening=4), (3, 4, 23, 3), num_classes)


@architecture
def small_resnext(num_classes: int = 10, in_channels: int = 3, width: int = 16, groups: int = 8) -> ResNet:
    """For small pictures: 36,794 parameters, 1.91 MMAC for one image [3, 32, 32].

    small_resnet's stem, then three bottlenecks that convolve `width`, 2 and 4 times `width` channels in `groups`
    groups and put out twice as many. `width` is even and a multiple of `groups`, else ValueError.
    """
    if width % 2 or width % groups:
        raise ValueError(f"small_resnext's width must be even and a multiple of groups={groups}, not {width}")
    block = partial(Bottleneck, groups=groups, widening=2)
    stem = small_stem(in_channels, width)
    return ResNet(stem, width, block, (1, 1, 1), (width // 2, width, 2 * width), num_classes)
