"""Vision transformers (Dosovitskiy et al., "An image is worth 16x16 words", 2021).

vit_b_16, vit_b_32 and vit_l_16 are the ImageNet family; their parameters carry torchvision's names, so its weights can
be loaded. small_vit is the course's own, for 32x32 pictures.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from course_lib.models.conv_stem import conv_stem
from course_lib.models.registry import architecture
from course_lib.models.transformer_layer import AttentionFactory, NormFactory, TorchAttention, TransformerLayer

__all__ = ["VisionTransformer", "small_vit", "vit_b_16", "vit_b_32", "vit_l_16"]

_NORM = partial(nn.LayerNorm, eps=1e-6)


class VisionTransformer(nn.Module):
    """Square patches as tokens, one token more for the class, layers of a transformer, a linear classifier.

    image_size   height and width of the pictures, in pixels; divisible by `patch`.
    patch        height and width of a patch.
    width        numbers per token.
    layers, heads, hidden  of the transformer (hidden: between its two linear layers).
    attention, norm  make every layer's attention and normalisation: attention(width, heads) and norm(width); their
        modules are described in course_lib/models/transformer_layer.py. The mask is always None.

    dropout      in training, of every part's output.
    embed        makes the tokens' map [N, width, image_size / patch, image_size / patch] from pictures; None takes the
        paper's linear layer on every patch.

    Input [N, in_channels, image_size, image_size] float; output logits [N, num_classes]. Raises ValueError for pictures
    of another size: every patch has its own learned position.
    """

    def __init__(
        self,
        image_size: int,
        patch: int,
        width: int,
        layers: int,
        heads: int,
        hidden: int,
        num_classes: int = 1000,
        in_channels: int = 3,
        *,
        attention: AttentionFactory = TorchAttention,
        norm: NormFactory = _NORM,
        dropout: float = 0.0,
        embed: nn.Module | None = None,
    ) -> None:
        super().__init__()
        if image_size % patch:
            raise ValueError(f"image_size must be a multiple of patch, not {image_size} and {patch}")
        self.image_size = image_size
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))
        self.conv_proj = _linear_patches(in_channels, width, patch) if embed is None else embed
        tokens = (image_size // patch) ** 2 + 1
        make = partial(TransformerLayer, width, heads, hidden, attention=attention, norm=norm, dropout=dropout)
        self.encoder = _Encoder(tokens, width, norm, OrderedDict((f"encoder_layer_{i}", make()) for i in range(layers)))
        head = nn.Linear(width, num_classes)
        nn.init.zeros_(head.weight)
        nn.init.zeros_(head.bias)
        self.heads = nn.Sequential(OrderedDict(head=head))

    def tokens(self, images: Tensor) -> Tensor:
        """Patches as tokens [N, patches, width], row by row, before class token and positions."""
        if images.shape[-2:] != (self.image_size, self.image_size):
            size = " x ".join(map(str, images.shape[-2:]))
            raise ValueError(f"this ViT takes pictures of {self.image_size} x {self.image_size} pixels, not {size}")
        return self.conv_proj(images).flatten(2).transpose(1, 2)

    def features(self, images: Tensor) -> Tensor:
        """The last layer's tokens, normalised, [N, 1 + patches, width]; the class token comes first."""
        tokens = self.tokens(images)
        return self.encoder(torch.cat([self.class_token.expand(len(tokens), -1, -1), tokens], dim=1))

    def forward(self, images: Tensor) -> Tensor:
        return self.heads(self.features(images)[:, 0])


def _linear_patches(in_channels: int, width: int, patch: int) -> nn.Conv2d:
    layer = nn.Conv2d(in_channels, width, kernel_size=patch, stride=patch)
    nn.init.trunc_normal_(layer.weight, std=layer.weight[0].numel() ** -0.5)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


class _Encoder(nn.Module):
    """Positions, layers and a last normalisation, under torchvision's names."""

    def __init__(self, tokens: int, width: int, norm: NormFactory, layers: OrderedDict[str, nn.Module]) -> None:
        super().__init__()
        self.pos_embedding = nn.Parameter(torch.empty(1, tokens, width).normal_(std=0.02))
        self.layers = nn.Sequential(layers)
        self.ln = norm(width)

    def forward(self, x: Tensor) -> Tensor:
        return self.ln(self.layers(x + self.pos_embedding))


@architecture
def vit_b_16(num_classes: int = 1000, *, attention: AttentionFactory = TorchAttention) -> VisionTransformer:
    """ViT-B/16: 86,567,656 parameters, 17.564 GMAC for one image [3, 224, 224]."""
    return VisionTransformer(224, 16, 768, 12, 12, 3072, num_classes, attention=attention)


@architecture
def vit_b_32(num_classes: int = 1000, *, attention: AttentionFactory = TorchAttention) -> VisionTransformer:
    """ViT-B/32: 88,224,232 parameters, 4.409 GMAC for one image [3, 224, 224]."""
    return VisionTransformer(224, 32, 768, 12, 12, 3072, num_classes, attention=attention)


@architecture
def vit_l_16(num_classes: int = 1000, *, attention: AttentionFactory = TorchAttention) -> VisionTransformer:
    """ViT-L/16: 304,326,632 parameters, 61.555 GMAC for one image [3, 224, 224]."""
    return VisionTransformer(224, 16, 1024, 24, 16, 4096, num_classes, attention=attention)


@architecture
def small_vit(
    num_classes: int = 10,
    in_channels: int = 3,
    image_size: int = 32,
    patch: int = 4,
    width: int = 64,
    layers: int = 4,
    heads: int = 4,
    stem: Literal["patches", "convolutions"] = "patches",
    *,
    attention: AttentionFactory = TorchAttention,
    norm: NormFactory = _NORM,
) -> VisionTransformer:
    """The labs' ViT: 142,026 parameters, 10.88 MMAC for one image [3, 32, 32], which it cuts into 64 patches.

    stem  "patches" is the paper's; "convolutions" makes as many tokens by conv_stem, for patches of 4x4 alone. In
        a few passes over some thousand pictures a ViT learns little from patches, and more from convolutions.
    The other arguments are those of VisionTransformer.

    Raises ValueError for another stem, or for convolutions with another patch.
    """
    if stem not in ("patches", "convolutions") or (stem == "convolutions" and patch != 4):
        raise ValueError(f'stem is "patches" or, with patch=4, "convolutions", not {stem!r} with patch={patch}')
    sizes = (image_size, patch, width, layers, heads, 2 * width, num_classes, in_channels)
    embed = conv_stem(in_channels, width) if stem == "convolutions" else None
    return VisionTransformer(*sizes, attention=attention, norm=norm, embed=embed)
