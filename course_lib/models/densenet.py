"""Densely connected networks (Huang et al., "Densely connected convolutional networks", 2017), the paper's DenseNet-BC.

Every layer reads what all earlier layers of its block put out, and adds `growth` channels. Parameters carry
torchvision's names.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from course_lib.models.registry import architecture

__all__ = ["DenseLayer", "DenseNet", "densenet121", "densenet169", "densenet201", "small_densenet"]


class DenseLayer(nn.Module):
    """A 1x1 convolution to 4 * growth channels, a 3x3 to growth. [N, inputs, H, W] to [N, growth, H, W]."""

    def __init__(self, inputs: int, growth: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, 4 * growth, kernel_size=1, bias=False)
        self.norm2 = nn.BatchNorm2d(4 * growth)
        self.conv2 = nn.Conv2d(4 * growth, growth, kernel_size=3, padding=1, bias=False)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(self.relu(self.norm1(x)))
        return self.conv2(self.relu(self.norm2(x)))


class _DenseBlock(nn.Sequential):
    """`depth` dense layers. [N, inputs, H, W] to [N, inputs + depth * growth, H, W]."""

    def __init__(self, inputs: int, growth: int, depth: int) -> None:
        layers = (DenseLayer(inputs + index * growth, growth) for index in range(depth))
        super().__init__(OrderedDict((f"denselayer{number}", layer) for number, layer in enumerate(layers, 1)))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self:
            x = torch.cat([x, layer(x)], dim=1)
        return x


def _transition(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        OrderedDict(
            norm=nn.BatchNorm2d(inputs),
            relu=nn.ReLU(inplace=True),
            conv=nn.Conv2d(inputs, outputs, kernel_size=1, bias=False),
            pool=nn.AvgPool2d(kernel_size=2, stride=2),
        )
    )


class DenseNet(nn.Module):
    """A stem, dense blocks with transitions between them, global average pooling and a linear classifier.

    stem    the layers before the first block, by name; they output `channels` channels.
    growth  how many channels each layer adds (the paper's k).
    depths  how many layers each block has. A transition halves channels, height and width.

    Input [N, in_channels, H, W] float; output logits [N, num_classes].
    """

    def __init__(
        self,
        stem: OrderedDict[str, nn.Module],
        channels: int,
        growth: int,
        depths: Sequence[int],
        num_classes: int,
    ) -> None:
        super().__init__()
        self.features = nn.Sequential(stem)
        for number, depth in enumerate(depths, 1):
            self.features.add_module(f"denseblock{number}", _DenseBlock(channels, growth, depth))
            channels += depth * growth
            if number < len(depths):
                self.features.add_module(f"transition{number}", _transition(channels, channels // 2))
                channels //= 2
        self.features.add_module("norm5", nn.BatchNorm2d(channels))
        self.relu = nn.ReLU(inplace=True)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(channels, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.avgpool(self.relu(self.features(x))).flatten(1))


def _imagenet(depths: Sequence[int], num_classes: int) -> DenseNet:
    stem = OrderedDict(
        conv0=nn.Conv2d(3, 64, kernel_size=7, stride=2, padding=3, bias=False),
        norm0=nn.BatchNorm2d(64),
        relu0=nn.ReLU(inplace=True),
        pool0=nn.MaxPool2d(kernel_size=3, stride=2, padding=1),
    )
    return DenseNet(stem, 64, 32, depths, num_classes)


@architecture
def densenet121(num_classes: int = 1000) -> DenseNet:
    """DenseNet-121: 7,978,856 parameters, 2.834 GMAC for one image [3, 224, 224]; H and W at least 29."""
    return _imagenet((6, 12, 24, 16), num_classes)


@architecture
def densenet169(num_classes: int = 1000) -> DenseNet:
    """DenseNet-169: 14,149,480 parameters, 3.360 GMAC for one image [3, 224, 224]; H and W at least 29."""
    return _imagenet((6, 12, 32, 32), num_classes)


@architecture
def densenet201(num_classes: int = 1000) -> DenseNet:
    """DenseNet-201: 20,013,928 parameters, 4.291 GMAC for one image [3, 224, 224]; H and W at least 29."""
    return _imagenet((6, 12, 48, 32), num_classes)


@architecture
def small_densenet(num_classes: int = 10, in_channels: int = 3, width: int = 8) -> DenseNet:
    """For small pictures: 33,406 parameters, 3.70 MMAC for one image [3, 32, 32].

    A 5x5 convolution of stride 2 with 2 * `width` channels, then three dense blocks of three layers that each add
    `width` channels (the growth rate). H and W are at least 7.
    """
    stem = OrderedDict(
        conv0=nn.Conv2d(in_channels, 2 * width, kernel_size=5, stride=2, padding=2, bias=False),
        norm0=nn.BatchNorm2d(2 * width),
        relu0=nn.ReLU(inplace=True),
    )
    return DenseNet(stem, 2 * width, width, (3, 3, 3), num_classes)
