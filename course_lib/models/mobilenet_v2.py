"""MobileNetV2 (Sandler et al., "MobileNetV2: inverted residuals and linear bottlenecks", 2018).

The inverted bottleneck is an argument: block(inputs, outputs, stride, expand_ratio) makes a module from
[N, inputs, H, W] to [N, outputs, H/stride, W/stride], its normalisation and its own shortcut included. The default is
torchvision's, and parameters carry torchvision's names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from course_lib.models.initialisation import initialise
from course_lib.models.registry import architecture
from course_lib.models.torchvision_blocks import (
    torchvision_conv,
    torchvision_inverted_residual,
    torchvision_rounded,
)

__all__ = ["MobileNetV2", "mobilenet_v2", "small_mobilenet_v2"]

Inverted = Callable[[int, int, int, int], nn.Module]

# table 2: expansion, output channels, how many blocks, stride of the first
_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


class MobileNetV2(nn.Module):
    """A 3x3 convolution of stride 2, inverted bottlenecks, a 1x1 convolution, pooling, dropout, a linear classifier.

    stem    output channels of the first convolution.
    stages  for each: expansion, output channels, how many blocks, stride of the first block.
    head    output channels of the last convolution.
    block   makes an inverted bottleneck; see above.

    Input [N, in_channels, H, W] float, any H and W; output logits [N, num_classes].
    """

    def __init__(
        self,
        in_channels: int,
        stem: int,
        stages: Sequence[tuple[int, int, int, int]],
        head: int,
        num_classes: int,
        block: Inverted,
    ) -> None:
        super().__init__()
        self.features = nn.Sequential(torchvision_conv(in_channels, stem, stride=2, activation=nn.ReLU6))
        channels = stem
        for ratio, outputs, depth, stride in stages:
            for index in range(depth):
                self.features.append(block(channels, outputs, stride if index == 0 else 1, ratio))
                channels = outputs
        self.features.append(torchvision_conv(channels, head, kernel=1, activation=nn.ReLU6))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(head, num_classes))
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


@architecture
def mobilenet_v2(
    num_classes: int = 1000,
    width: float = 1.0,
    *,
    block: Inverted = torchvision_inverted_residual,
    rounded: Callable[[float], int] = torchvision_rounded,
) -> MobileNetV2:
    """MobileNetV2: 3,504,872 parameters, 0.301 GMAC for one image [3, 224, 224].

    width    the width multiplier: scales the channels of every layer, but never makes the last one smaller.
    rounded  rounded(channels) turns a scaled number of channels into a whole one; by default a multiple of 8.
    """
    stages = [(ratio, rounded(outputs * width), depth, stride) for ratio, outputs, depth, stride in _STAGES]
    return MobileNetV2(3, rounded(32 * width), stages, rounded(1280 * max(1.0, width)), num_classes, block)


@architecture
def small_mobilenet_v2(
    num_classes: int = 10,
    in_channels: int = 3,
    width: int = 16,
    *,
    block: Inverted = torchvision_inverted_residual,
) -> MobileNetV2:
    """For small pictures: 74,858 parameters, 2.35 MMAC for one image [3, 32, 32].

    The first convolution has `width` channels; then come inverted bottlenecks of expansion 1, 4, 4, 4 and 4 with 1,
    2, 2, 4 and 4 times `width` channels, and a last convolution with 8 times.
    """
    stages = ((1, width, 1, 1), (4, 2 * width, 2, 2), (4, 4 * width, 2, 2))
    return MobileNetV2(in_channels, width, stages, 8 * width, num_classes, block)
