"""The layer that ViT, BERT, GPT and T5 are stacks of (Vaswani et al., "Attention is all you need", 2017, section 3).

Attention and normalisation are arguments, so that a notebook can put its own in the place of torch's:

attention(width, heads) -> module   called as module(query, key, value, mask) with query [N, L, width], key and value
    [N, S, width] and a mask as below; returns [N, L, width]. The default is TorchAttention.
norm(width) -> module               called on [..., width], returns the same shape. The default is nn.LayerNorm.
mask    None (every query may see every key), or a float tensor that broadcasts to [N, heads, L, S] and is added to
    the scores before the softmax: 0 lets a query see a key, -inf hides it, other numbers are a bias.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

__all__ = ["AttentionFactory", "NormFactory", "TorchAttention", "TransformerLayer", "as_bias", "initialise"]

AttentionFactory = Callable[[int, int], nn.Module]
NormFactory = Callable[[int], nn.Module]


def as_bias(mask: Tensor) -> Tensor:
    """A mask as numbers to add to the scores: bool (True: may be seen) becomes 0 and -inf, float stays as it is."""
    if mask.dtype != torch.bool:
        return mask
    return torch.zeros(mask.shape, device=mask.device).masked_fill(mask.logical_not(), -torch.inf)


def initialise(model: nn.Module, width: int) -> None:
    """Normal weights for linear layers and embeddings: standard deviation 0.02 at width 768, as BERT and GPT-2 have
    it, and larger at smaller widths, so that sums keep their size. Attention keeps its own start.
    """
    for module in model.modules():
        if isinstance(module, (nn.Linear, nn.Embedding)):
            nn.init.normal_(module.weight, std=0.02 * (768 / width) ** 0.5)


class TorchAttention(nn.MultiheadAttention):
    """torch's multi-head attention, batch first, with the mask of this package and one tensor as its answer.

    width    numbers per token; divisible by heads.
    heads    each works on width / heads of them, and scales its scores by 1 / sqrt(width / heads).
    dropout  share of the attention weights that are set to zero in training.
    bias     whether the four projections have one.

    watch    an attribute: None, or a function that is given the weights [N, heads, L, S] of every call.
    """

    def __init__(self, width: int, heads: int, dropout: float = 0.0, bias: bool = True) -> None:
        super().__init__(width, heads, dropout=dropout, bias=bias, batch_first=True)
        self.watch: Callable[[Tensor], None] | None = None

    def forward(  # type: ignore[override]  # the four arguments that every attention of the course has
        self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None
    ) -> Tensor:
        if mask is not None and mask.ndim > 2:  # one for all samples and heads is passed on without copies
            mask = mask.expand(len(query), self.num_heads, query.shape[1], key.shape[1]).flatten(0, 1)
        watched = self.watch is not None  # torch is faster where it need not keep the weights
        output, weights = super().forward(
            query, key, value, attn_mask=mask, need_weights=watched, average_attn_weights=False
        )
        if self.watch is not None and weights is not None:
            self.watch(weights)
        return output


class TransformerLayer(nn.Module):
    """Self-attention, attention to a memory (only with `cross`), and two linear layers, each beside a shortcut.

    width, heads     of the attention.
    hidden           numbers per token between the two linear layers.
    attention, norm  make the layer's attention and normalisation; see the top of this file.
    activation       makes the module between the two linear layers.
    bias             whether the two linear layers have one.
    dropout          share of each part's output that is set to zero in training.
    norm_first       True normalises what each part reads (pre-norm: GPT-2, T5, ViT), False the sum of a part's output
        and its shortcut (post-norm: the first transformer, BERT).
    cross            adds attention from every token to a memory, as the decoder of an encoder-decoder has.

    The names of the parameters are those of torchvision's ViT (ln_1, self_attention, ln_2, mlp).
    """

    def __init__(
        self,
        width: int,
        heads: int,
        hidden: int,
        *,
        attention: AttentionFactory = TorchAttention,
        norm: NormFactory = nn.LayerNorm,
        activation: Callable[[], nn.Module] = nn.GELU,
        bias: bool = True,
        dropout: float = 0.0,
        norm_first: bool = True,
        cross: bool = False,
    ) -> None:
        super().__init__()
        self.norm_first = norm_first
        self.ln_1 = norm(width)
        self.self_attention = attention(width, heads)
        if cross:
            self.ln_cross = norm(width)
            self.cross_attention = attention(width, heads)
        self.dropout = nn.Dropout(dropout)
        self.ln_2 = norm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, hidden, bias=bias),
            activation(),
            nn.Dropout(dropout),
            nn.Linear(hidden, width, bias=bias),
        )

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        memory: Tensor | None = None,
        memory_mask: Tensor | None = None,
    ) -> Tensor:
        """Tokens [N, L, width] to [N, L, width]; memory [N, S, width], its mask broadcasts to [N, heads, L, S].

        Raises ValueError if there is a memory and no cross-attention, or the other way round.
        """
        if (memory is None) == hasattr(self, "cross_attention"):
            raise ValueError("TransformerLayer takes a memory exactly if it was made with cross=True")
        x = self._beside(x, self.ln_1, lambda y: self.self_attention(y, y, y, mask))
        if memory is not None:
            x = self._beside(x, self.ln_cross, lambda y: self.cross_attention(y, memory, memory, memory_mask))
        return self._beside(x, self.ln_2, self.mlp)

    def _beside(self, x: Tensor, norm: nn.Module, part: Callable[[Tensor], Tensor]) -> Tensor:
        if self.norm_first:
            return x + self.dropout(part(norm(x)))
        return norm(x + self.dropout(part(x)))
