"""BERT, the encoder-only transformer (Devlin et al., "BERT: pre-training of deep bidirectional transformers", 2019).

Bert          tokens to one vector per token and one for the whole sequence
BertMasked    a Bert with logits for hidden tokens, as it is pre-trained
BertClassifier  a Bert with logits for the whole sequence, as it is used
bert_base     the published size; small_bert trains on bytes in seconds
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.models.registry import architecture
from course_lib.models.transformer_layer import (
    AttentionFactory,
    NormFactory,
    TorchAttention,
    TransformerLayer,
    as_bias,
    initialise,
)

__all__ = ["Bert", "BertClassifier", "BertConfig", "BertMasked", "BertOutput", "bert_base", "small_bert"]

_NORM = partial(nn.LayerNorm, eps=1e-12)


@dataclass(frozen=True, kw_only=True)
class BertConfig:
    """Sizes of a BERT; the defaults are BERT-base (uncased).

    vocabulary  number of different tokens.
    positions   longest sequence.
    segments    kinds of token, such as first and second sentence; 0 for none.
    width, layers, heads, hidden  of the transformer (hidden: between its two linear layers).
    dropout     in training, of embeddings, attention weights and every part's output.
    """

    vocabulary: int = 30522
    positions: int = 512
    segments: int = 2
    width: int = 768
    layers: int = 12
    heads: int = 12
    hidden: int = 3072
    dropout: float = 0.1


class BertOutput(NamedTuple):
    """tokens [N, L, width]: what the last layer says of each token; pooled [N, width]: tanh of a layer on the first."""

    tokens: Tensor
    pooled: Tensor


class Bert(nn.Module):
    """Every token sees every other; post-norm, GELU, learned positions.

    attention, norm  make every layer's attention and normalisation, see course_lib/models/transformer_layer.py;
        None takes torch's attention with the config's dropout.

    Input tokens int [N, L], L at most config.positions; output BertOutput.
    padding   bool [N, L], True where a token is filler that no other may see; every sequence needs one that is not.
    segments  int [N, L], each below config.segments; None means 0 everywhere.
    mask      instead of padding: bool (True: may be seen) or float (added to the scores), broadcasts to
        [N, heads, L, L].
    Raises ValueError if the sequence is too long, or if both padding and mask are given.
    """

    def __init__(
        self, config: BertConfig, *, attention: AttentionFactory | None = None, norm: NormFactory = _NORM
    ) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Embedding(config.vocabulary, config.width)
        self.positions = nn.Embedding(config.positions, config.width)
        self.segments = nn.Embedding(config.segments, config.width) if config.segments else None
        self.norm = norm(config.width)
        self.dropout = nn.Dropout(config.dropout)
        self.layers = nn.ModuleList(
            TransformerLayer(
                config.width,
                config.heads,
                config.hidden,
                attention=attention or partial(TorchAttention, dropout=config.dropout),
                norm=norm,
                dropout=config.dropout,
                norm_first=False,
            )
            for _ in range(config.layers)
        )
        self.pooler = nn.Linear(config.width, config.width)
        initialise(self, config.width)

    def forward(
        self,
        tokens: Tensor,
        padding: Tensor | None = None,
        segments: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> BertOutput:
        length = tokens.shape[1]
        if length > self.config.positions:
            raise ValueError(f"this BERT takes at most {self.config.positions} tokens, not {length}")
        if padding is not None and mask is not None:
            raise ValueError("Bert takes padding or mask, not both; put the padding into the mask")
        seen = mask if padding is None else padding.logical_not()[:, None, None, :]
        bias = None if seen is None else as_bias(seen)
        x = self.embed(tokens) + self.positions.weight[:length]
        if self.segments is not None:
            x = x + (self.segments.weight[0] if segments is None else self.segments(segments))
        x = self.dropout(self.norm(x))
        for layer in self.layers:
            x = layer(x, bias)
        return BertOutput(x, self.pooler(x[:, 0]).tanh())


class BertMasked(nn.Module):
    """Logits [N, L, vocabulary] of the token at every place, for places whose token was hidden from the input.

    bert  the encoder; its embedding is also the output layer's weight. Its pooler has no part in this.
    norm  makes the output's normalisation.
    The arguments of a call are those of Bert.
    """

    def __init__(self, bert: Bert, *, norm: NormFactory = _NORM) -> None:
        super().__init__()
        width = bert.config.width
        self.bert = bert
        self.transform = nn.Sequential(nn.Linear(width, width), nn.GELU(), norm(width))
        self.bias = nn.Parameter(torch.zeros(bert.config.vocabulary))

    def forward(
        self, tokens: Tensor, padding: Tensor | None = None, segments: Tensor | None = None, mask: Tensor | None = None
    ) -> Tensor:
        encoded = self.bert(tokens, padding, segments, mask).tokens
        return F.linear(self.transform(encoded), self.bert.embed.weight, self.bias)


class BertClassifier(nn.Module):
    """Logits [N, num_classes] of the whole sequence, from the pooled output of `bert`. Called as Bert is."""

    def __init__(self, bert: Bert, num_classes: int) -> None:
        super().__init__()
        self.bert = bert
        self.dropout = nn.Dropout(bert.config.dropout)
        self.head = nn.Linear(bert.config.width, num_classes)

    def forward(
        self, tokens: Tensor, padding: Tensor | None = None, segments: Tensor | None = None, mask: Tensor | None = None
    ) -> Tensor:
        return self.head(self.dropout(self.bert(tokens, padding, segments, mask).pooled))


@architecture
def bert_base(*, attention: AttentionFactory | None = None) -> Bert:
    """BERT-base, uncased: 109,482,240 parameters, as published ("110M")."""
    return Bert(BertConfig(), attention=attention)


@architecture
def small_bert(
    vocabulary: int = 257,
    positions: int = 128,
    width: int = 64,
    layers: int = 2,
    heads: int = 4,
    *,
    attention: AttentionFactory | None = None,
    norm: NormFactory = _NORM,
) -> Bert:
    """The labs' BERT, for bytes: 128,896 parameters; without segments and dropout.

    The vocabulary has a place for each byte and one more, 256, for the token that hides a byte.
    """
    sizes = {"width": width, "layers": layers, "heads": heads, "hidden": 4 * width}
    config = BertConfig(vocabulary=vocabulary, positions=positions, segments=0, dropout=0.0, **sizes)
    return Bert(config, attention=attention, norm=norm)
