"""EfficientViT (Cai et al., "EfficientViT: multi-scale linear attention for high-resolution dense prediction", 2023).

efficientvit_b0 to b3 are the classifiers published for ImageNet; small_efficientvit is the course's own, for 32x32
pictures. Attention with a ReLU in the place of the softmax is an argument:

linear_attention(q, k, v) -> Tensor   described in course_lib/models/relu_attention.py, the default.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from course_lib.models.registry import architecture
from course_lib.models.relu_attention import LinearAttention, relu_attention

__all__ = [
    "EfficientViT",
    "efficientvit_b0",
    "efficientvit_b1",
    "efficientvit_b2",
    "efficientvit_b3",
    "small_efficientvit",
]


def _conv(
    inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1, norm: bool = True, act: bool = True
) -> nn.Sequential:
    """A convolution, with batch normalisation instead of a bias if `norm`, and hard-swish if `act`."""
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=not norm),
    ]
    layers += [nn.BatchNorm2d(outputs)] if norm else []
    layers += [nn.Hardswish()] if act else []
    return nn.Sequential(*layers)


class Residual(nn.Module):
    """The sum of a module's input and output."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return x + self.inner(x)


def inverted_residual(inputs: int, outputs: int, stride: int = 1, *, expand: int = 4, norms: int = 3) -> nn.Module:
    """1x1 to `expand` times the channels, 3x3 depthwise, 1x1 to `outputs` (Sandler et al., 2018).

    norms  3: batch normalisation after each convolution; 1: after the last alone, biases elsewhere, as the paper has it
        in its last two stages.
    A shortcut is added where the shape stays the same.
    """
    hidden = inputs * expand
    inner = nn.Sequential(
        _conv(inputs, hidden, norm=norms == 3),
        _conv(hidden, hidden, 3, stride, groups=hidden, norm=norms == 3),
        _conv(hidden, outputs, act=False),
    )
    return Residual(inner) if stride == 1 and inputs == outputs else inner


class MultiScaleAttention(nn.Module):
    """ReLU attention over single pixels and, beside it, over aggregates of `scale` x `scale` (figure 2 of the paper).

    channels  of input and output [N, channels, H, W]; divisible by dim.
    dim       numbers per head of each query, key and value.
    scale     odd size of the depthwise convolution that makes a second set of queries, keys and values.
    linear_attention  as at the top of this file; called once, with the heads of both sets.
    """

    def __init__(self, channels: int, dim: int, linear_attention: LinearAttention, scale: int = 5) -> None:
        super().__init__()
        if channels % dim:
            raise ValueError(f"channels must be a multiple of dim, not {channels} and {dim}")
        self.dim, self.attend = dim, linear_attention
        heads, wide = channels // dim, 3 * channels
        self.qkv = nn.Conv2d(channels, wide, kernel_size=1, bias=False)
        self.aggregate = nn.Sequential(
            nn.Conv2d(wide, wide, scale, padding=scale // 2, groups=wide, bias=False),
            nn.Conv2d(wide, wide, kernel_size=1, groups=3 * heads, bias=False),
        )
        self.project = _conv(2 * channels, channels, act=False)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        pixels = self.qkv(x)
        both = torch.cat([pixels, self.aggregate(pixels)], dim=1)
        q, k, v = both.unflatten(1, (-1, 3 * self.dim)).flatten(3).mT.chunk(3, dim=-1)  # each [N, heads, H * W, dim]
        out = self.attend(q, k, v)
        return self.project(out.mT.flatten(1, 2).unflatten(2, (height, width)))


class EfficientViT(nn.Module):
    """A convolutional stem and two convolutional stages, two stages with attention, a classifier of three layers.

    widths  channels of the stem and of the four stages; every one of the five halves height and width.
    depths  blocks of the stem, blocks of the two convolutional stages, attention blocks of the last two stages.
    dim     numbers per head in attention.
    head    numbers after the first and the second layer of the classifier.
    linear_attention  see the top of this file.

    Input [N, in_channels, H, W] float, any H and W; output logits [N, num_classes].
    """

    def __init__(
        self,
        widths: Sequence[int],
        depths: Sequence[int],
        dim: int,
        head: tuple[int, int],
        num_classes: int = 1000,
        in_channels: int = 3,
        *,
        linear_attention: LinearAttention = relu_attention,
    ) -> None:
        super().__init__()
        first = widths[0]
        stem: list[nn.Module] = [_conv(in_channels, first, 3, stride=2)]
        for _ in range(depths[0]):
            depthwise = _conv(first, first, 3, groups=first)
            stem.append(Residual(nn.Sequential(depthwise, _conv(first, first, act=False))))
        self.stem = nn.Sequential(*stem)
        stages = []
        for number, (inputs, outputs, depth) in enumerate(zip(widths, widths[1:], depths[1:], strict=False), start=1):
            if number <= len(widths) - 3:
                blocks = [inverted_residual(inputs, outputs, stride=2)]
                blocks += [inverted_residual(outputs, outputs) for _ in range(depth - 1)]
            else:
                blocks = [inverted_residual(inputs, outputs, stride=2, norms=1)]
                for _ in range(depth):
                    blocks.append(Residual(MultiScaleAttention(outputs, dim, linear_attention)))
                    blocks.append(inverted_residual(outputs, outputs, norms=1))
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.Sequential(*stages)
        self.head = nn.Sequential(
            _conv(widths[-1], head[0]),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(head[0], head[1], bias=False),
            nn.LayerNorm(head[1]),
            nn.Hardswish(),
            nn.Linear(head[1], num_classes),
        )

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.stages(self.stem(images)))


@architecture
def efficientvit_b0(num_classes: int = 1000, *, linear_attention: LinearAttention = relu_attention) -> EfficientViT:
    """EfficientViT-B0: 3,410,008 parameters, 0.10 GMAC for one image [3, 224, 224], attention in linear order."""
    sizes = ((8, 16, 32, 64, 128), (1, 2, 2, 2, 2), 16, (1024, 1280))
    return EfficientViT(*sizes, num_classes, linear_attention=linear_attention)


@architecture
def efficientvit_b1(num_classes: int = 1000, *, linear_attention: LinearAttention = relu_attention) -> EfficientViT:
    """EfficientViT-B1: 9,102,024 parameters, 0.52 GMAC for one image [3, 224, 224], attention in linear order."""
    sizes = ((16, 32, 64, 128, 256), (1, 2, 3, 3, 4), 16, (1536, 1600))
    return EfficientViT(*sizes, num_classes, linear_attention=linear_attention)


@architecture
def efficientvit_b2(num_classes: int = 1000, *, linear_attention: LinearAttention = relu_attention) -> EfficientViT:
    """EfficientViT-B2: 24,330,712 parameters, 1.6 GMAC for one image [3, 224, 224], attention in linear order."""
    sizes = ((24, 48, 96, 192, 384), (1, 3, 4, 4, 6), 32, (2304, 2560))
    return EfficientViT(*sizes, num_classes, linear_attention=linear_attention)


@architecture
def efficientvit_b3(num_classes: int = 1000, *, linear_attention: LinearAttention = relu_attention) -> EfficientViT:
    """EfficientViT-B3: 48,646,056 parameters, 4.0 GMAC for one image [3, 224, 224], attention in linear order."""
    sizes = ((32, 64, 128, 256, 512), (1, 4, 6, 6, 9), 32, (2304, 2560))
    return EfficientViT(*sizes, num_classes, linear_attention=linear_attention)


@architecture
def small_efficientvit(
    num_classes: int = 10,
    in_channels: int = 3,
    width: int = 16,
    *,
    linear_attention: LinearAttention = relu_attention,
) -> EfficientViT:
    """The labs' EfficientViT: 127,946 parameters, 3.60 MMAC for one image [3, 32, 32] (linear order).

    A stem and two stages with attention, over maps of 8x8 and of 4x4 pixels.
    """
    sizes = ((width, 2 * width, 4 * width), (1, 1, 1), 16, (8 * width, 8 * width))
    return EfficientViT(*sizes, num_classes, in_channels, linear_attention=linear_attention)
