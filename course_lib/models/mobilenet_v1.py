"""MobileNetV1 (Howard et al., "MobileNets: efficient convolutional neural networks for mobile vision", 2017).

The depthwise separable convolution is an argument: block(inputs, outputs, stride) makes a module from
[N, inputs, H, W] to [N, outputs, H/stride, W/stride], its normalisation and activations included. The default is put
together from torchvision's layers. The paper's resolution multiplier is the size of the picture: the network takes any.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from course_lib.models.initialisation import initialise
from course_lib.models.registry import architecture
from course_lib.models.torchvision_blocks import torchvision_conv, torchvision_rounded, torchvision_separable

__all__ = ["MobileNetV1", "mobilenet_v1", "small_mobilenet_v1"]

Separable = Callable[[int, int, int], nn.Module]

# table 1: output channels and stride of each depthwise separable convolution
_LAYERS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1))


class MobileNetV1(nn.Module):
    """A 3x3 convolution of stride 2, depthwise separable convolutions, global average pooling, a linear classifier.

    stem    output channels of the first convolution.
    layers  output channels and stride of each depthwise separable convolution.
    block   makes one; see above.

    Input [N, in_channels, H, W] float, any H and W; output logits [N, num_classes].
    """

    def __init__(
        self, in_channels: int, stem: int, layers: Sequence[tuple[int, int]], num_classes: int, block: Separable
    ) -> None:
        super().__init__()
        self.features = nn.Sequential(torchvision_conv(in_channels, stem, stride=2))
        channels = stem
        for outputs, stride in layers:
            self.features.append(block(channels, outputs, stride))
            channels = outputs
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(channels, num_classes)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


@architecture
def mobilenet_v1(
    num_classes: int = 1000,
    width: float = 1.0,
    *,
    block: Separable = torchvision_separable,
    rounded: Callable[[float], int] = torchvision_rounded,
) -> MobileNetV1:
    """MobileNetV1: 4,231,976 parameters, 0.569 GMAC for one image [3, 224, 224].

    width    the width multiplier, usually 0.25, 0.5, 0.75 or 1: scales the channels of every layer.
    rounded  rounded(channels) turns a scaled number of channels into a whole one; by default a multiple of 8.
    """
    layers = [(rounded(outputs * width), stride) for outputs, stride in _LAYERS]
    return MobileNetV1(3, rounded(32 * width), layers, num_classes, block)


@architecture
def small_mobilenet_v1(
    num_classes: int = 10, in_channels: int = 3, width: int = 16, *, block: Separable = torchvision_separable
) -> MobileNetV1:
    """For small pictures: 37,162 parameters, 1.15 MMAC for one image [3, 32, 32].

    The first convolution has `width` channels, five depthwise separable ones 2, 4, 4, 8 and 8 times as many.
    """
    layers = ((2 * width, 1), (4 * width, 2), (4 * width, 1), (8 * width, 2), (8 * width, 1))
    return MobileNetV1(in_channels, width, layers, num_classes, block)
