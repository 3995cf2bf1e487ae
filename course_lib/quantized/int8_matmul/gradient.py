"""The derivative of a floating-point result of `int8_matmul`: y = T * a_scale * w_scale + bias, with T fixed."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

__all__ = ["backward", "setup_context"]

INPUTS = 11  # of the operator; see op.py


def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    a, w, a_scale, w_scale, a_zero_point, w_zero_point, bias, _, _, _, version = inputs
    int_bias = bias if bias is not None and bias.dtype == torch.int32 else None
    ctx.save_for_backward(a, w, a_scale, w_scale, a_zero_point, w_zero_point, int_bias)
    ctx.version = version


def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
    """With G the gradient [M, N]: dL/d a_scale[m] is the sum over n of G * T * w_scale, and so on; all in float32.

    T is computed again rather than kept: it is the output's size, the inputs are mostly smaller.
    """
    a, w, a_scale, w_scale, a_zero_point, w_zero_point, int_bias = ctx.saved_tensors
    gradient = gradient.to(torch.float32)
    results: list[Tensor | None] = [None] * INPUTS
    if ctx.needs_input_grad[2] or ctx.needs_input_grad[3]:
        sums = torch.ops.course_lib.int8_matmul(
            a, w, None, None, a_zero_point, w_zero_point, int_bias, None, None, torch.int32, ctx.version
        )
        weighted = gradient * sums.to(torch.float32)
        if ctx.needs_input_grad[2]:
            results[2] = (weighted * w_scale).sum(1).sum_to_size(a_scale.shape)
        if ctx.needs_input_grad[3]:
            results[3] = (weighted * a_scale[:, None]).sum(0).sum_to_size(w_scale.shape)
    if ctx.needs_input_grad[6]:
        results[6] = gradient.sum(0)
    return tuple(results)
