"""Attention with a ReLU in the place of the softmax (Cai et al., "EfficientViT", 2023, section 3.1)."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

__all__ = ["LinearAttention", "relu_attention"]

LinearAttention = Callable[[Tensor, Tensor, Tensor], Tensor]


def relu_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Weights by ReLU, one for every pair of tokens, normalised to a sum of 1:

        out_i = sum_j relu(q_i).relu(k_j) v_j / (sum_j relu(q_i).relu(k_j) + 1e-15)

    q, k  float [N, heads, tokens, dim], before the ReLU.
    v     float [N, heads, tokens, value dim].

    Returns float [N, heads, tokens, value dim]; 0 for a query that sees nothing. As written this takes
    tokens * tokens * (dim + value dim) multiply-accumulates per head. The same values can be had with a number that
    grows with tokens, not with its square; what computes them so can be given to EfficientViT as `linear_attention`.
    """
    scores = q.relu() @ k.relu().mT
    return scores @ v / (scores.sum(-1, keepdim=True) + 1e-15)
