"""Blocks that torchvision supplies: what the networks are built of unless they are given others.

torchvision takes a second or more to import, so each function imports what it needs when it is called.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

__all__ = [
    "torchvision_basic_block",
    "torchvision_conv",
    "torchvision_excitation",
    "torchvision_fire",
    "torchvision_inverted_residual",
    "torchvision_mobile_v3_block",
    "torchvision_projection",
    "torchvision_rounded",
    "torchvision_separable",
]


def torchvision_conv(
    inputs: int,
    outputs: int,
    kernel: int = 3,
    stride: int = 1,
    groups: int = 1,
    activation: Callable[..., nn.Module] | None = nn.ReLU,
    norm: Callable[[int], nn.Module] = nn.BatchNorm2d,
) -> nn.Sequential:
    """Convolution without a bias, padded by kernel // 2; normalisation; activation (left out if None)."""
    from torchvision.ops.misc import Conv2dNormActivation

    return Conv2dNormActivation(
        inputs, outputs, kernel, stride=stride, groups=groups, norm_layer=norm, activation_layer=activation
    )


def torchvision_basic_block(inputs: int, width: int, stride: int = 1, shortcut: nn.Module | None = None) -> nn.Module:
    """ResNet's block of two 3x3 convolutions. [N, inputs, H, W] to [N, width, H/stride, W/stride]."""
    from torchvision.models.resnet import BasicBlock

    return BasicBlock(inputs, width, stride, shortcut)


def torchvision_projection(inputs: int, outputs: int, stride: int) -> nn.Module:
    """ResNet's shortcut of option B. [N, inputs, H, W] to [N, outputs, H/stride, W/stride]."""
    return torchvision_conv(inputs, outputs, kernel=1, stride=stride, activation=None)


def torchvision_fire(inputs: int, squeeze: int, expand1x1: int, expand3x3: int) -> nn.Module:
    """SqueezeNet's fire module. [N, inputs, H, W] to [N, expand1x1 + expand3x3, H, W]."""
    from torchvision.models.squeezenet import Fire

    return Fire(inputs, squeeze, expand1x1, expand3x3)


def torchvision_separable(inputs: int, outputs: int, stride: int = 1) -> nn.Module:
    """MobileNetV1's layer pair (figure 3, right). [N, inputs, H, W] to [N, outputs, H/stride, W/stride]."""
    filtering = torchvision_conv(inputs, inputs, stride=stride, groups=inputs)
    return nn.Sequential(filtering, torchvision_conv(inputs, outputs, kernel=1))


def torchvision_inverted_residual(inputs: int, outputs: int, stride: int, expand_ratio: int) -> nn.Module:
    """MobileNetV2's block. [N, inputs, H, W] to [N, outputs, H/stride, W/stride]."""
    from torchvision.models.mobilenetv2 import InvertedResidual

    return InvertedResidual(inputs, outputs, stride, expand_ratio)


def torchvision_mobile_v3_block(
    inputs: int,
    outputs: int,
    stride: int,
    kernel: int,
    expanded: int,
    attention: Callable[[int, int], nn.Module] | None,
    activation: Callable[[], nn.Module],
    norm: Callable[[int], nn.Module] = nn.BatchNorm2d,
) -> nn.Module:
    """MobileNetV3's block (figure 4). [N, inputs, H, W] to [N, outputs, H/stride, W/stride].

    attention  attention(channels, squeezed) makes what follows the depthwise convolution; None for nothing.
    """
    from torchvision.models.mobilenetv3 import InvertedResidual, InvertedResidualConfig

    shape = InvertedResidualConfig(inputs, kernel, expanded, outputs, attention is not None, "HS", stride, 1, 1.0)
    shape.input_channels, shape.expanded_channels, shape.out_channels = inputs, expanded, outputs  # unrounded
    block = InvertedResidual(shape, norm, attention or torchvision_excitation)
    for parent in list(block.modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.Hardswish):
                setattr(parent, name, activation())
    return block


def torchvision_excitation(channels: int, squeezed: int, gate: Callable[[], nn.Module] = nn.Sigmoid) -> nn.Module:
    """SENet's block: channels weighted by a network with `squeezed` hidden neurons. [N, channels, H, W] to the same."""
    from torchvision.ops import SqueezeExcitation

    return SqueezeExcitation(channels, squeezed, scale_activation=gate)


def torchvision_rounded(channels: float) -> int:
    """The nearest multiple of 8 that is at least 8 and not more than 10% below `channels` (MobileNetV2's rule)."""
    from torchvision.models._utils import _make_divisible

    return _make_divisible(channels, 8)
