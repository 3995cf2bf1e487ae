"""T5, the encoder-decoder transformer (Raffel et al., "Exploring the limits of transfer learning", 2020).

T5         a source and the start of a target, to the logits of the target's next tokens
t5_small   the published size; small_t5 trains on bytes in seconds
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.models.registry import architecture
from course_lib.models.transformer_layer import AttentionFactory, NormFactory, TorchAttention, TransformerLayer, as_bias

__all__ = ["T5", "T5Config", "small_t5", "t5_small"]

_NORM = partial(nn.RMSNorm, eps=1e-6)


@dataclass(frozen=True, kw_only=True)
class T5Config:
    """Sizes of a T5; the defaults are T5-small.

    vocabulary  number of different tokens, shared by source and target.
    width, heads, hidden  of the transformer (hidden: between its two linear layers).
    layers      of the encoder, and as many of the decoder.
    buckets     how many different relative positions have their own bias.
    farthest    distance from which on all positions share the last bucket.
    dropout     in training, of embeddings, attention weights and every part's output.
    """

    vocabulary: int = 32128
    width: int = 512
    layers: int = 6
    heads: int = 8
    hidden: int = 2048
    buckets: int = 32
    farthest: int = 128
    dropout: float = 0.1


class RelativeBias(nn.Module):
    """A learned number for each head and each distance between query and key, near distances one by one, far ones
    in buckets that grow (section 2.1 of the paper). Called with the length L; returns [1, heads, L, L].

    both_ways  keys after the query have buckets of their own; otherwise they share bucket 0.
    """

    def __init__(self, heads: int, buckets: int, farthest: int, both_ways: bool) -> None:
        super().__init__()
        self.both_ways, self.farthest = both_ways, farthest
        self.embed = nn.Embedding(buckets, heads)

    def forward(self, length: int) -> Tensor:
        places = torch.arange(length, device=self.embed.weight.device)
        return self.embed(self.buckets(places - places[:, None])).permute(2, 0, 1)[None]

    def buckets(self, offset: Tensor) -> Tensor:
        """The bucket of each offset (key's place minus query's), int of the same shape."""
        total = self.embed.num_embeddings // (2 if self.both_ways else 1)
        distance = offset.abs() if self.both_ways else (-offset).clamp(min=0)
        exact = total // 2
        growth = (distance.clamp(min=1) / exact).log() / math.log(self.farthest / exact)
        far = (exact + (growth * (total - exact)).long()).clamp(max=total - 1)
        bucket = torch.where(distance < exact, distance, far)
        return bucket + total * (offset > 0) if self.both_ways else bucket


class T5(nn.Module):
    """An encoder whose tokens see each other, and a decoder whose tokens see those before them and all of the source.

    Pre-norm with RMSNorm, ReLU, no biases, relative positions, one embedding for source, target and output.
    attention, norm  make every layer's attention and normalisation, see course_lib/models/transformer_layer.py; None
        takes torch's attention without biases. It divides its scores by the square root of a head's width; the
        published T5 leaves that out and has query weights that are smaller by that factor.

    Input source int [N, S] and target int [N, T], the target starting with a start token; output logits
    [N, T, vocabulary] of the token that follows each of the target.
    source_padding  bool [N, S], True where the source holds filler; every source needs a token that is not.
    """

    def __init__(
        self, config: T5Config, *, attention: AttentionFactory | None = None, norm: NormFactory = _NORM
    ) -> None:
        super().__init__()
        self.config = config
        make_layer = partial(
            TransformerLayer,
            config.width,
            config.heads,
            config.hidden,
            attention=attention or partial(TorchAttention, dropout=config.dropout, bias=False),
            norm=norm,
            activation=nn.ReLU,
            bias=False,
            dropout=config.dropout,
        )
        self.embed = nn.Embedding(config.vocabulary, config.width)
        self.dropout = nn.Dropout(config.dropout)
        self.encoder = nn.ModuleList(make_layer() for _ in range(config.layers))
        self.encoder_bias = RelativeBias(config.heads, config.buckets, config.farthest, both_ways=True)
        self.encoder_norm = norm(config.width)
        self.decoder = nn.ModuleList(make_layer(cross=True) for _ in range(config.layers))
        self.decoder_bias = RelativeBias(config.heads, config.buckets, config.farthest, both_ways=False)
        self.decoder_norm = norm(config.width)

    def encode(self, source: Tensor, source_padding: Tensor | None = None) -> Tensor:
        """The encoder's output [N, S, width]."""
        bias = self.encoder_bias(source.shape[1])
        if source_padding is not None:
            bias = bias + self._hide(source_padding)
        x = self.dropout(self.embed(source))
        for layer in self.encoder:
            x = layer(x, bias)
        return self.dropout(self.encoder_norm(x))

    def decode(self, target: Tensor, memory: Tensor, source_padding: Tensor | None = None) -> Tensor:
        """Logits [N, T, vocabulary] from the target so far, int [N, T], and the encoder's output."""
        length = target.shape[1]
        causal = nn.Transformer.generate_square_subsequent_mask(length, device=target.device)
        bias = self.decoder_bias(length) + causal
        memory_mask = None if source_padding is None else self._hide(source_padding)
        x = self.dropout(self.embed(target))
        for layer in self.decoder:
            x = layer(x, bias, memory, memory_mask)
        x = self.dropout(self.decoder_norm(x)) * self.config.width**-0.5  # the embedding's numbers are about 1
        return F.linear(x, self.embed.weight)

    def forward(self, source: Tensor, target: Tensor, source_padding: Tensor | None = None) -> Tensor:
        return self.decode(target, self.encode(source, source_padding), source_padding)

    @staticmethod
    def _hide(padding: Tensor) -> Tensor:
        return as_bias(padding.logical_not())[:, None, None, :]


@architecture
def t5_small(*, attention: AttentionFactory | None = None) -> T5:
    """T5-small: 60,506,624 parameters."""
    return T5(T5Config(), attention=attention)


@architecture
def small_t5(
    vocabulary: int = 257,
    width: int = 64,
    layers: int = 2,
    heads: int = 4,
    *,
    attention: AttentionFactory | None = None,
    norm: NormFactory = _NORM,
) -> T5:
    """The labs' T5, for bytes: 246,720 parameters; without dropout.

    The vocabulary has a place for each byte and one more, 256, for the token that starts a target.
    """
    sizes = {"width": width, "layers": layers, "heads": heads, "hidden": 4 * width}
    config = T5Config(vocabulary=vocabulary, buckets=16, farthest=64, dropout=0.0, **sizes)
    return T5(config, attention=attention, norm=norm)
