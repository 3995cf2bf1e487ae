"""The derivative of a floating-point result of `int8_matmul`: y = T * a_scale * w_scale + bias, with T fixed."""

from __future__ import annotations

import torch
from torch import Tensor

from course_lib.operation import Gradients, Needs

__all__ = ["gradients"]


def gradients(
    gradient: Tensor,
    needs: Needs,
    a: Tensor,
    w: Tensor,
    a_scale: Tensor | None,
    w_scale: Tensor | None,
    a_zero_point: Tensor | None,
    w_zero_point: Tensor | None,
    bias: Tensor | None,
    version: int | None,
) -> Gradients:
    """With G the gradient [M, N]: dL/d a_scale[m] is the sum over n of G * T * w_scale, and so on; all in float32.

    T is computed again rather than kept: it is the output's size, the inputs are mostly smaller.
    """
    gradient = gradient.to(torch.float32)
    found: dict[str, Tensor] = {}
    if "bias" in needs:
        found["bias"] = gradient.sum(0)
    if a_scale is None or w_scale is None or not {"a_scale", "w_scale"} & set(needs):
        return found
    int_bias = bias if bias is not None and bias.dtype == torch.int32 else None
    sums = torch.ops.course.int8_matmul(
        a, w, None, None, a_zero_point, w_zero_point, int_bias, None, None, torch.int32, version
    )
    weighted = gradient * sums.to(torch.float32)
    if "a_scale" in needs:
        found["a_scale"] = (weighted * w_scale).sum(1).sum_to_size(a_scale.shape)
    if "w_scale" in needs:
        found["w_scale"] = (weighted * a_scale[:, None]).sum(0).sum_to_size(w_scale.shape)
    return found
