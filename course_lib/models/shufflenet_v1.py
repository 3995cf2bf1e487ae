"""ShuffleNet (Zhang et al., "ShuffleNet: an extremely efficient convolutional neural network for mobile devices").

1x1 convolutions in groups, between which channels are shuffled. The shuffle is an argument: shuffle(groups) makes a
module from [N, C, H, W] to the same shape; the default is torch's. `shuffle=lambda groups: nn.Identity()` is the
paper's network without it (table 3).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from course_lib.models.initialisation import initialise
from course_lib.models.registry import architecture

__all__ = ["ShuffleNetV1", "ShuffleUnitV1", "shufflenet_v1", "small_shufflenet_v1"]

Shuffle = Callable[[int], nn.Module]

_CHANNELS = {1: 144, 2: 200, 3: 240, 4: 272, 8: 384}  # table 1: of stage 2, by groups; each later stage doubles


class ShuffleUnitV1(nn.Module):
    """Figure 2, b (stride 1) and c (stride 2): [N, inputs, H, W] to [N, outputs, H/stride, W/stride].

    1x1 in groups to outputs / 4 channels, shuffle, 3x3 depthwise, 1x1 in groups; added to the input, or, with stride
    2, concatenated to the average pooled input. first_groups are those of the first convolution.
    """

    def __init__(
        self, inputs: int, outputs: int, stride: int, groups: int, first_groups: int, shuffle: Shuffle
    ) -> None:
        super().__init__()
        inner, new = outputs // 4, outputs - inputs if stride == 2 else outputs
        if outputs % 4 or inner % groups or new % groups:
            raise ValueError(f"{inner} inner and {new} new channels do not divide into {groups} groups")
        self.squeeze = nn.Sequential(
            nn.Conv2d(inputs, inner, kernel_size=1, groups=first_groups, bias=False),
            nn.BatchNorm2d(inner),
            nn.ReLU(inplace=True),
        )
        self.shuffle = shuffle(groups) if groups > 1 else nn.Identity()
        self.depthwise = nn.Sequential(
            nn.Conv2d(inner, inner, kernel_size=3, stride=stride, padding=1, groups=inner, bias=False),
            nn.BatchNorm2d(inner),
        )
        self.expand = nn.Sequential(
            nn.Conv2d(inner, new, kernel_size=1, groups=groups, bias=False), nn.BatchNorm2d(new)
        )
        self.pool = nn.AvgPool2d(kernel_size=3, stride=2, padding=1) if stride == 2 else None
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        new = self.expand(self.depthwise(self.shuffle(self.squeeze(x))))
        if self.pool is None:
            return self.relu(x + new)
        return torch.cat([self.pool(x), self.relu(new)], dim=1)


class ShuffleNetV1(nn.Module):
    """A stem, stages of shuffle units that each halve height and width, global average pooling, a linear classifier.

    stem    the layers before the first unit; they output `channels` channels.
    widths  the output channels of each stage, depths  how many units it has.
    groups  of the 1x1 convolutions; the very first one has a single group, since it reads few channels (section 3.2).

    Input [N, in_channels, H, W] float, any H and W; output logits [N, num_classes].
    Raises ValueError if a unit's channels do not divide into the groups.
    """

    def __init__(
        self,
        stem: nn.Sequential,
        channels: int,
        widths: Sequence[int],
        depths: Sequence[int],
        groups: int,
        num_classes: int,
        shuffle: Shuffle,
    ) -> None:
        super().__init__()
        self.features = stem
        first_groups = 1
        for outputs, depth in zip(widths, depths, strict=True):
            for index in range(depth):
                stride = 2 if index == 0 else 1
                self.features.append(ShuffleUnitV1(channels, outputs, stride, groups, first_groups, shuffle))
                channels, first_groups = outputs, groups
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(channels, num_classes)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


def _convolution(inputs: int, outputs: int, stride: int) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, kernel_size=3, stride=stride, padding=1, bias=False)
    return [convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]


@architecture
def shufflenet_v1(
    num_classes: int = 1000,
    groups: int = 3,
    scale: float = 1.0,
    stem: int | None = None,
    *,
    shuffle: Shuffle = nn.ChannelShuffle,
) -> ShuffleNetV1:
    """ShuffleNet `scale`x with `groups` groups; 1x with 3: 1,865,728 parameters, 0.137 GMAC at [3, 224, 224].

    groups  1, 2, 3, 4 or 8: those of table 1.
    scale   0.25, 0.5, 1, 1.5, 2 are the paper's: scales the channels of every stage.
    stem    output channels of the first convolution, 24 in table 1. The paper does not say how they are scaled; by
        default 12 below 1x, 24 below 2x, 48 at 2x, as in the authors' code (which has 16 for 0.5x with 8 groups).

    Raises ValueError for other groups, and if a scale leaves channels that they do not divide.
    """
    if groups not in _CHANNELS:
        raise ValueError(f"shufflenet_v1's groups are one of {', '.join(map(str, _CHANNELS))}, not {groups}")
    channels = stem or (12 if scale < 1 else 24 * int(scale))
    first = nn.Sequential(*_convolution(3, channels, 2), nn.MaxPool2d(kernel_size=3, stride=2, padding=1))
    widths = [round(_CHANNELS[groups] * scale) * doubled for doubled in (1, 2, 4)]
    return ShuffleNetV1(first, channels, widths, (4, 8, 4), groups, num_classes, shuffle)


@architecture
def small_shufflenet_v1(
    num_classes: int = 10,
    in_channels: int = 3,
    width: int = 32,
    groups: int = 4,
    *,
    shuffle: Shuffle = nn.ChannelShuffle,
) -> ShuffleNetV1:
    """For small pictures: 24,266 parameters, 0.58 MMAC for one image [3, 32, 32].

    A 3x3 convolution of stride 2 with `width` channels, then three stages of two units with 2, 4 and 8 times as many.
    `width` is a multiple of twice the groups, else ValueError.
    """
    if width % (2 * groups):
        raise ValueError(f"small_shufflenet_v1's width must be a multiple of {2 * groups}, not {width}")
    stem = nn.Sequential(*_convolution(in_channels, width, 2))
    widths = (2 * width, 4 * width, 8 * width)
    return ShuffleNetV1(stem, width, widths, (2, 2, 2), groups, num_classes, shuffle)
