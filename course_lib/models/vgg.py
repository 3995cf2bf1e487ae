"""VGG networks (Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition", 2015).

3x3 convolutions and 2x2 pooling alone. Parameters carry torchvision's names; the networks with batch normalisation
are torchvision's addition to the paper.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from course_lib.models.initialisation import initialise
from course_lib.models.registry import architecture

__all__ = [
    "VGG",
    "small_vgg",
    "vgg11",
    "vgg11_bn",
    "vgg13",
    "vgg13_bn",
    "vgg16",
    "vgg16_bn",
    "vgg19",
    "vgg19_bn",
]

Norm = Callable[[int], nn.Module]

_WIDTHS = (64, 128, 256, 512, 512)
_DEPTHS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}  # table 1: A, B, D, E


class VGG(nn.Module):
    """Stages of 3x3 convolutions, each ending with 2x2 max pooling; pooling to `grid` x `grid` places; a classifier.

    depths  how many convolutions each stage has.
    widths  how many channels each stage's convolutions put out.
    norm    norm(channels) makes what stands between a convolution and its rectifier; None for nothing.
    grid    the classifier reads grid * grid * widths[-1] numbers.
    classifier  the layers after that.

    Input [N, in_channels, H, W] float, H and W at least 2 ** (number of stages); output what the classifier puts out.
    """

    def __init__(
        self,
        depths: Sequence[int],
        widths: Sequence[int],
        in_channels: int,
        norm: Norm | None,
        grid: int,
        classifier: nn.Module,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = in_channels
        for depth, width in zip(depths, widths, strict=True):
            for _ in range(depth):
                layers.append(nn.Conv2d(channels, width, kernel_size=3, padding=1))
                layers += [] if norm is None else [norm(width)]
                layers.append(nn.ReLU(inplace=True))
                channels = width
            layers.append(nn.MaxPool2d(kernel_size=2, stride=2))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(grid)
        self.classifier = classifier
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


def _imagenet(layers: int, norm: Norm | None, num_classes: int) -> VGG:
    classifier = nn.Sequential(
        nn.Linear(512 * 7 * 7, 4096),
        nn.ReLU(inplace=True),
        nn.Dropout(),
        nn.Linear(4096, 4096),
        nn.ReLU(inplace=True),
        nn.Dropout(),
        nn.Linear(4096, num_classes),
    )
    return VGG(_DEPTHS[layers], _WIDTHS, 3, norm, 7, classifier)


@architecture
def vgg11(num_classes: int = 1000) -> VGG:
    """VGG-11, the paper's A: 132,863,336 parameters, 7.609 GMAC for one image [3, 224, 224]."""
    return _imagenet(11, None, num_classes)


@architecture
def vgg11_bn(num_classes: int = 1000) -> VGG:
    """VGG-11 with batch normalisation: 132,868,840 parameters, 7.609 GMAC for one image [3, 224, 224]."""
    return _imagenet(11, nn.BatchNorm2d, num_classes)


@architecture
def vgg13(num_classes: int = 1000) -> VGG:
    """VGG-13, the paper's B: 133,047,848 parameters, 11.308 GMAC for one image [3, 224, 224]."""
    return _imagenet(13, None, num_classes)


@architecture
def vgg13_bn(num_classes: int = 1000) -> VGG:
    """VGG-13 with batch normalisation: 133,053,736 parameters, 11.308 GMAC for one image [3, 224, 224]."""
    return _imagenet(13, nn.BatchNorm2d, num_classes)


@architecture
def vgg16(num_classes: int = 1000) -> VGG:
    """VGG-16, the paper's D: 138,357,544 parameters, 15.470 GMAC for one image [3, 224, 224]."""
    return _imagenet(16, None, num_classes)


@architecture
def vgg16_bn(num_classes: int = 1000) -> VGG:
    """VGG-16 with batch normalisation: 138,365,992 parameters, 15.470 GMAC for one image [3, 224, 224]."""
    return _imagenet(16, nn.BatchNorm2d, num_classes)


@architecture
def vgg19(num_classes: int = 1000) -> VGG:
    """VGG-19, the paper's E: 143,667,240 parameters, 19.632 GMAC for one image [3, 224, 224]."""
    return _imagenet(19, None, num_classes)


@architecture
def vgg19_bn(num_classes: int = 1000) -> VGG:
    """VGG-19 with batch normalisation: 143,678,248 parameters, 19.632 GMAC for one image [3, 224, 224]."""
    return _imagenet(19, nn.BatchNorm2d, num_classes)


@architecture
def small_vgg(
    num_classes: int = 10, in_channels: int = 3, width: int = 16, *, norm: Norm | None = nn.BatchNorm2d
) -> VGG:
    """For small pictures: 61,514 parameters, 5.16 MMAC for one image [3, 32, 32].

    Three stages of one, one and two convolutions with `width`, 2 and 4 times `width` channels, global average pooling,
    one linear layer. H and W are at least 8. norm(channels) makes the normalisation; None for none.
    """
    classifier = nn.Linear(4 * width, num_classes)
    return VGG((1, 1, 2), (width, 2 * width, 4 * width), in_channels, norm, 1, classifier)
