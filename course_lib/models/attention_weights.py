"""What attention looked at: the weights of every layer in a model."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from course_lib.models.transformer_layer import TorchAttention

__all__ = ["attention_weights"]


def attention_weights(model: nn.Module, *inputs: Any) -> dict[str, Tensor]:
    """Run `model(*inputs)` once, without gradients and in evaluation mode, and keep the attention weights.

    Returns the weights float [N, heads, L, S] of every TorchAttention by its name in the model, in the order of the
    calls: row i holds how much query i took of each key, and sums to 1. Where attention was given by a notebook, or is
    torchvision's, nothing is seen.
    """
    layers = {name: layer for name, layer in model.named_modules() if isinstance(layer, TorchAttention)}
    seen: dict[str, Tensor] = {}
    modes = {module: module.training for module in model.modules()}
    for name, layer in layers.items():
        layer.watch = partial(seen.__setitem__, name)
    model.eval()
    try:
        with torch.no_grad():
            model(*inputs)
    finally:
        for layer in layers.values():
            layer.watch = None
        for module, mode in modes.items():
            module.training = mode
    return seen
