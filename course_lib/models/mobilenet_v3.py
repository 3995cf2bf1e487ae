"""MobileNetV3 (Howard et al., "Searching for MobileNetV3", 2019).

Inverted bottlenecks with 3x3 or 5x5 depthwise convolutions, some with attention, and the activation "hard swish" in the
deeper layers. Parameters carry torchvision's names. Three parts are arguments, torch's and torchvision's by default:

activation  activation() makes the module that stands where the paper has hard swish
attention   attention(channels, squeezed) makes a squeeze-and-excitation module from [N, channels, H, W] to the same
block       block(inputs, outputs, stride, kernel, expanded, attention, activation) makes an inverted bottleneck from
            [N, inputs, H, W] to [N, outputs, H/stride, W/stride]; its attention may be None
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from torch import Tensor, nn

from course_lib.models.initialisation import initialise
from course_lib.models.registry import architecture
from course_lib.models.torchvision_blocks import (
    torchvision_conv,
    torchvision_excitation,
    torchvision_mobile_v3_block,
    torchvision_rounded,
)

__all__ = ["MobileNetV3", "mobilenet_v3_large", "mobilenet_v3_small", "small_mobilenet_v3"]

Activation = Callable[[], nn.Module]
Attention = Callable[[int, int], nn.Module]
Block = Callable[..., nn.Module]
_slow_norm = partial(nn.BatchNorm2d, eps=0.001, momentum=0.01)  # section 6.1.1
_hard_excitation = partial(torchvision_excitation, gate=nn.Hardsigmoid)  # section 5.3
_slow_block = partial(torchvision_mobile_v3_block, norm=_slow_norm)


class _Row(NamedTuple):
    """One row of table 1 or 2."""

    kernel: int
    expanded: int
    outputs: int
    attention: bool
    swish: bool
    stride: int


_LARGE = (
    _Row(3, 16, 16, False, False, 1),
    _Row(3, 64, 24, False, False, 2),
    _Row(3, 72, 24, False, False, 1),
    _Row(5, 72, 40, True, False, 2),
    _Row(5, 120, 40, True, False, 1),
    _Row(5, 120, 40, True, False, 1),
    _Row(3, 240, 80, False, True, 2),
    _Row(3, 200, 80, False, True, 1),
    _Row(3, 184, 80, False, True, 1),
    _Row(3, 184, 80, False, True, 1),
    _Row(3, 480, 112, True, True, 1),
    _Row(3, 672, 112, True, True, 1),
    _Row(5, 672, 160, True, True, 2),
    _Row(5, 960, 160, True, True, 1),
    _Row(5, 960, 160, True, True, 1),
)
_SMALL = (
    _Row(3, 16, 16, True, False, 2),
    _Row(3, 72, 24, False, False, 2),
    _Row(3, 88, 24, False, False, 1),
    _Row(5, 96, 40, True, True, 2),
    _Row(5, 240, 40, True, True, 1),
    _Row(5, 240, 40, True, True, 1),
    _Row(5, 120, 48, True, True, 1),
    _Row(5, 144, 48, True, True, 1),
    _Row(5, 288, 96, True, True, 2),
    _Row(5, 576, 96, True, True, 1),
    _Row(5, 576, 96, True, True, 1),
)


class MobileNetV3(nn.Module):
    """A 3x3 convolution of stride 2, the rows' blocks, a 1x1 convolution, pooling, a hidden and a linear layer.

    stem    output channels of the first convolution.
    rows    the blocks, as in the paper's tables.
    hidden  neurons of the layer after pooling.
    activation, attention, block  as above; norm(channels) makes the normalisation of the layers outside the blocks.

    The last convolution has 6 times the last block's channels. Input [N, in_channels, H, W] float, any H and W; output
    logits [N, num_classes].
    """

    def __init__(
        self,
        in_channels: int,
        stem: int,
        rows: Sequence[_Row],
        hidden: int,
        num_classes: int,
        activation: Activation,
        attention: Attention,
        block: Block,
        norm: Callable[[int], nn.Module],
    ) -> None:
        super().__init__()
        conv = partial(torchvision_conv, activation=None, norm=norm)
        self.features = nn.Sequential(conv(in_channels, stem, stride=2).append(activation()))
        channels = stem
        for row in rows:
            excitation = attention if row.attention else None
            kind = activation if row.swish else partial(nn.ReLU, inplace=True)
            self.features.append(block(channels, row.outputs, row.stride, row.kernel, row.expanded, excitation, kind))
            channels = row.outputs
        self.features.append(conv(channels, 6 * channels, kernel=1).append(activation()))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            nn.Linear(6 * channels, hidden), activation(), nn.Dropout(0.2), nn.Linear(hidden, num_classes)
        )
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


def _imagenet(
    rows: Sequence[_Row], hidden: int, width: float, rounded: Callable[[float], int], **arguments: Any
) -> MobileNetV3:
    scaled, inputs, channels = [], 16, rounded(16 * width)
    for row in rows:
        outputs = rounded(row.outputs * width)
        scaled.append(row._replace(expanded=rounded(channels * row.expanded / inputs), outputs=outputs))
        inputs, channels = row.outputs, outputs
    hidden = rounded(hidden * max(1.0, width))
    return MobileNetV3(3, rounded(16 * width), scaled, hidden, norm=_slow_norm, **arguments)


@architecture
def mobilenet_v3_large(
    num_classes: int = 1000,
    width: float = 1.0,
    *,
    activation: Activation = nn.Hardswish,
    attention: Attention = _hard_excitation,
    block: Block = _slow_block,
    rounded: Callable[[float], int] = torchvision_rounded,
) -> MobileNetV3:
    """MobileNetV3-Large: 5,483,032 parameters, 0.217 GMAC for one image [3, 224, 224].

    width    the width multiplier: scales the channels that blocks put out and keeps their expansions, as the authors'
        code does; it never makes the hidden layer smaller.
    rounded  rounded(channels) turns a scaled number of channels into a whole one; by default a multiple of 8.
    """
    parts = {"num_classes": num_classes, "activation": activation, "attention": attention, "block": block}
    return _imagenet(_LARGE, 1280, width, rounded, **parts)


@architecture
def mobilenet_v3_small(
    num_classes: int = 1000,
    width: float = 1.0,
    *,
    activation: Activation = nn.Hardswish,
    attention: Attention = _hard_excitation,
    block: Block = _slow_block,
    rounded: Callable[[float], int] = torchvision_rounded,
) -> MobileNetV3:
    """MobileNetV3-Small: 2,542,856 parameters, 0.057 GMAC for one image [3, 224, 224]; arguments as above.

    For a network that trains on small pictures see small_mobilenet_v3.
    """
    parts = {"num_classes": num_classes, "activation": activation, "attention": attention, "block": block}
    return _imagenet(_SMALL, 1024, width, rounded, **parts)


@architecture
def small_mobilenet_v3(
    num_classes: int = 10,
    in_channels: int = 3,
    width: int = 16,
    *,
    activation: Activation = nn.Hardswish,
    attention: Attention = _hard_excitation,
    block: Block = torchvision_mobile_v3_block,
) -> MobileNetV3:
    """For small pictures: 134,930 parameters, 2.17 MMAC for one image [3, 32, 32].

    The first convolution has `width` channels; then come five blocks with 1, 2, 2, 3 and 3 times as many, and a hidden
    layer of 8 * `width` neurons.
    """
    w = width
    rows = (
        _Row(3, w, w, False, False, 1),
        _Row(3, 4 * w, 2 * w, False, False, 2),
        _Row(3, 6 * w, 2 * w, True, False, 1),
        _Row(5, 8 * w, 3 * w, True, True, 2),
        _Row(5, 12 * w, 3 * w, True, True, 1),
    )
    return MobileNetV3(in_channels, w, rows, 8 * w, num_classes, activation, attention, block, norm=nn.BatchNorm2d)
