"""ShuffleNetV2 (Ma et al., "ShuffleNet V2: practical guidelines for efficient CNN architecture design", 2018).

A unit leaves half of the channels as they are, convolves the others, and shuffles the two halves together. The shuffle
is an argument: shuffle(groups) makes a module from [N, C, H, W] to the same shape; the default is torch's. Parameters
carry torchvision's names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from course_lib.models.initialisation import initialise
from course_lib.models.registry import architecture

__all__ = [
    "ShuffleNetV2",
    "ShuffleUnitV2",
    "shufflenet_v2_x0_5",
    "shufflenet_v2_x1_0",
    "shufflenet_v2_x1_5",
    "shufflenet_v2_x2_0",
    "small_shufflenet_v2",
]

Shuffle = Callable[[int], nn.Module]


def _depthwise(channels: int, stride: int) -> list[nn.Module]:
    convolution = nn.Conv2d(channels, channels, 3, stride=stride, padding=1, groups=channels, bias=False)
    return [convolution, nn.BatchNorm2d(channels)]


def _pointwise(inputs: int, outputs: int) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, kernel_size=1, bias=False)
    return [convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]


class ShuffleUnitV2(nn.Module):
    """Figure 3, c (stride 1, inputs equal outputs) and d (stride 2).

    [N, inputs, H, W] to [N, outputs, H/stride, W/stride]; `outputs` is even, else ValueError.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, shuffle: Shuffle) -> None:
        super().__init__()
        if outputs % 2 or (stride == 1 and inputs != outputs):
            raise ValueError(f"a unit of stride {stride} cannot take {inputs} to {outputs} channels")
        half = outputs // 2
        self.split = stride == 1
        self.branch1 = nn.Sequential()
        if not self.split:
            self.branch1.extend([*_depthwise(inputs, stride), *_pointwise(inputs, half)])
        into = half if self.split else inputs
        self.branch2 = nn.Sequential(*_pointwise(into, half), *_depthwise(half, stride), *_pointwise(half, half))
        self.shuffle = shuffle(2)

    def forward(self, x: Tensor) -> Tensor:
        left, right = x.chunk(2, dim=1) if self.split else (x, x)
        return self.shuffle(torch.cat([self.branch1(left), self.branch2(right)], dim=1))


class ShuffleNetV2(nn.Module):
    """A convolution and pooling, three stages of units, a 1x1 convolution, global average pooling, a classifier.

    stem    output channels of the first convolution; stride  its stride.
    maxpool what follows it.
    widths  the output channels of each stage, depths  how many units it has; a stage halves height and width.
    head    output channels of the last convolution.

    Input [N, in_channels, H, W] float, any H and W; output logits [N, num_classes].
    """

    def __init__(
        self,
        in_channels: int,
        stem: int,
        stride: int,
        maxpool: nn.Module,
        widths: Sequence[int],
        depths: Sequence[int],
        head: int,
        num_classes: int,
        shuffle: Shuffle,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Sequential(
            nn.Conv2d(in_channels, stem, kernel_size=3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(stem),
            nn.ReLU(inplace=True),
        )
        self.maxpool = maxpool
        self._stages = tuple(f"stage{number}" for number in range(2, 2 + len(widths)))  # the paper counts from 2
        channels = stem
        for name, outputs, depth in zip(self._stages, widths, depths, strict=True):
            units = [ShuffleUnitV2(outputs, outputs, 1, shuffle) for _ in range(depth - 1)]
            self.add_module(name, nn.Sequential(ShuffleUnitV2(channels, outputs, 2, shuffle), *units))
            channels = outputs
        self.conv5 = nn.Sequential(*_pointwise(channels, head))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(head, num_classes)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.conv1(x))
        for name in self._stages:
            x = self.get_submodule(name)(x)
        return self.fc(self.avgpool(self.conv5(x)).flatten(1))


def _imagenet(width: int, head: int, num_classes: int, shuffle: Shuffle) -> ShuffleNetV2:
    pool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
    widths = (width, 2 * width, 4 * width)
    return ShuffleNetV2(3, 24, 2, pool, widths, (4, 8, 4), head, num_classes, shuffle)


@architecture
def shufflenet_v2_x0_5(num_classes: int = 1000, *, shuffle: Shuffle = nn.ChannelShuffle) -> ShuffleNetV2:
    """ShuffleNetV2 0.5x: 1,366,792 parameters, 0.040 GMAC for one image [3, 224, 224]."""
    return _imagenet(48, 1024, num_classes, shuffle)


@architecture
def shufflenet_v2_x1_0(num_classes: int = 1000, *, shuffle: Shuffle = nn.ChannelShuffle) -> ShuffleNetV2:
    """ShuffleNetV2 1x: 2,278,604 parameters, 0.145 GMAC for one image [3, 224, 224]."""
    return _imagenet(116, 1024, num_classes, shuffle)


@architecture
def shufflenet_v2_x1_5(num_classes: int = 1000, *, shuffle: Shuffle = nn.ChannelShuffle) -> ShuffleNetV2:
    """ShuffleNetV2 1.5x: 3,503,624 parameters, 0.296 GMAC for one image [3, 224, 224]."""
    return _imagenet(176, 1024, num_classes, shuffle)


@architecture
def shufflenet_v2_x2_0(num_classes: int = 1000, *, shuffle: Shuffle = nn.ChannelShuffle) -> ShuffleNetV2:
    """ShuffleNetV2 2x: 7,393,996 parameters, 0.583 GMAC for one image [3, 224, 224]."""
    return _imagenet(244, 2048, num_classes, shuffle)


@architecture
def small_shufflenet_v2(
    num_classes: int = 10, in_channels: int = 3, width: int = 32, *, shuffle: Shuffle = nn.ChannelShuffle
) -> ShuffleNetV2:
    """For small pictures: 66,506 parameters, 1.88 MMAC for one image [3, 32, 32].

    A 3x3 convolution of stride 2 with `width` channels, two stages of two units with 2 and 4 times as many, and a last
    convolution with 8 times.
    """
    widths = (2 * width, 4 * width)
    return ShuffleNetV2(in_channels, width, 2, nn.Identity(), widths, (2, 2), 8 * width, num_classes, shuffle)
