"""Swin transformers (Liu et al., "Swin transformer: hierarchical vision transformer using shifted windows", 2021).

swin_t and swin_s are the ImageNet family; their parameters carry torchvision's names, so its weights can be loaded.
small_swin is the course's own, for 32x32 pictures. Attention within windows is an argument:

window_attention(width, heads, window, shift) -> module    called on tokens [N, H, W, width], returns the same shape.
    window  height and width of a window, in tokens.
    shift   by how many tokens the windows are moved down and to the right: 0 or window // 2.
The default is torchvision's, with relative position bias; it pads maps that windows do not divide.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.models.conv_stem import conv_stem
from course_lib.models.registry import architecture
from course_lib.models.transformer_layer import NormFactory

__all__ = ["SwinTransformer", "small_swin", "swin_s", "swin_t"]

WindowAttention = Callable[[int, int, int, int], nn.Module]


def _torchvision_attention(width: int, heads: int, window: int, shift: int) -> nn.Module:
    from torchvision.models.swin_transformer import ShiftedWindowAttention  # slow to import, and needed here alone

    return ShiftedWindowAttention(width, [window, window], [shift, shift], heads)


class _ChannelsLast(nn.Module):
    """[N, C, H, W] to [N, H, W, C]."""

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(0, 2, 3, 1)


class SkipResidual(nn.Module):
    """Stochastic depth (Huang et al., 2016): in training, sets whole samples to zero with a probability `p`."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return x
        kept = torch.rand(len(x), *[1] * (x.ndim - 1), device=x.device) >= self.p
        return x * kept / (1 - self.p)


class SwinBlock(nn.Module):
    """Attention within windows and two linear layers, each normalised first and beside a shortcut. [N, H, W, width]."""

    def __init__(self, width: int, attention: nn.Module, norm: NormFactory, skip: float) -> None:
        super().__init__()
        self.norm1 = norm(width)
        self.attn = attention
        self.skip = SkipResidual(skip)
        self.norm2 = norm(width)
        hidden = 4 * width
        self.mlp = nn.Sequential(
            nn.Linear(width, hidden), nn.GELU(), nn.Identity(), nn.Linear(hidden, width)
        )  # the third place is torchvision's dropout

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.skip(self.attn(self.norm1(x)))
        return x + self.skip(self.mlp(self.norm2(x)))


class PatchMerging(nn.Module):
    """Four neighbours become one token of twice the width: [N, H, W, C] to [N, ceil(H/2), ceil(W/2), 2C]."""

    def __init__(self, width: int, norm: NormFactory) -> None:
        super().__init__()
        self.reduction = nn.Linear(4 * width, 2 * width, bias=False)
        self.norm = norm(4 * width)

    def forward(self, x: Tensor) -> Tensor:
        x = F.pad(x, (0, 0, 0, x.shape[2] % 2, 0, x.shape[1] % 2))
        quarters = [x[:, row::2, column::2] for column in (0, 1) for row in (0, 1)]  # the order of the paper's code
        return self.reduction(self.norm(torch.cat(quarters, dim=-1)))


class SwinTransformer(nn.Module):
    """Patches as tokens, stages of blocks with halved maps between them, average pooling, a linear classifier.

    patch   height and width of a patch, in pixels.
    width   numbers per token in the first stage; every further stage doubles it.
    depths, heads  of each stage; every second block shifts its windows by half their size.
    window  height and width of a window, in tokens.
    skip    stochastic depth: the probability of skipping the last block's parts, growing from 0 at the first.
    window_attention  makes every block's attention; see the top of this file.
    norm    makes every normalisation: norm(width).
    embed   makes the tokens' map [N, width, H', W'] from pictures; None takes the paper's linear layer on every patch.

    Input [N, in_channels, H, W] float, H and W at least `patch`; output logits [N, num_classes].
    """

    def __init__(
        self,
        patch: int,
        width: int,
        depths: Sequence[int],
        heads: Sequence[int],
        window: int,
        num_classes: int = 1000,
        in_channels: int = 3,
        *,
        window_attention: WindowAttention = _torchvision_attention,
        norm: NormFactory = nn.LayerNorm,
        skip: float = 0.0,
        embed: nn.Module | None = None,
    ) -> None:
        super().__init__()
        embed = embed or nn.Conv2d(in_channels, width, kernel_size=patch, stride=patch)
        layers: list[nn.Module] = [nn.Sequential(embed, _ChannelsLast(), norm(width))]
        skips = iter(torch.linspace(0, skip, sum(depths), device="cpu").tolist())
        for stage, (depth, stage_heads) in enumerate(zip(depths, heads, strict=True)):
            if stage > 0:
                layers.append(PatchMerging(width, norm))
                width *= 2
            attend = partial(window_attention, width, stage_heads, window)
            blocks = (SwinBlock(width, attend(window // 2 * (i % 2)), norm, next(skips)) for i in range(depth))
            layers.append(nn.Sequential(*blocks))
        self.features = nn.Sequential(*layers)
        self.norm = norm(width)
        self.head = nn.Linear(width, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.norm(self.features(images)).mean((1, 2)))


@architecture
def swin_t(num_classes: int = 1000, *, window_attention: WindowAttention = _torchvision_attention) -> SwinTransformer:
    """Swin-T: 28,288,354 parameters, 4.491 GMAC for one image [3, 224, 224]."""
    sizes = ((2, 2, 6, 2), (3, 6, 12, 24), 7)
    return SwinTransformer(4, 96, *sizes, num_classes, window_attention=window_attention, skip=0.2)


@architecture
def swin_s(num_classes: int = 1000, *, window_attention: WindowAttention = _torchvision_attention) -> SwinTransformer:
    """Swin-S: 49,606,258 parameters, 8.741 GMAC for one image [3, 224, 224]."""
    sizes = ((2, 2, 18, 2), (3, 6, 12, 24), 7)
    return SwinTransformer(4, 96, *sizes, num_classes, window_attention=window_attention, skip=0.3)


@architecture
def small_swin(
    num_classes: int = 10,
    in_channels: int = 3,
    width: int = 32,
    window: int = 4,
    stem: Literal["patches", "convolutions"] = "patches",
    *,
    window_attention: WindowAttention = _torchvision_attention,
    norm: NormFactory = nn.LayerNorm,
) -> SwinTransformer:
    """The labs' Swin: 136,822 parameters, 3.57 MMAC for one image [3, 32, 32].

    Patches of 4x4 pixels make a map of 8x8 tokens, cut into four windows; the second stage has one window of 4x4.
    stem  "patches" is the paper's; "convolutions" makes as many tokens by conv_stem, as in small_vit.
    The keyword arguments take a notebook's own window attention and normalisation, as SwinTransformer does.

    Raises ValueError for another stem.
    """
    if stem not in ("patches", "convolutions"):
        raise ValueError(f'stem is "patches" or "convolutions", not {stem!r}')
    sizes = (4, width, (2, 2), (2, 4), window, num_classes, in_channels)
    embed = conv_stem(in_channels, width) if stem == "convolutions" else None
    return SwinTransformer(*sizes, window_attention=window_attention, norm=norm, embed=embed)
