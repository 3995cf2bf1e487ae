"""The plain definition of `int8_matmul`, in torch on any device: what every kernel must equal, bit for bit."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from course_lib.quantized.int8_matmul.arguments import Operands

__all__ = ["exact_products", "int8_matmul_reference"]

# Integers up to 2^24 are exact in float32, and a product of two int8 numbers is at most 2^14 in size.
EXACT_IN_FLOAT32 = 2**24 // 2**14
BLOCK = 2**17  # outputs scaled at a time on the CPU: their float32 intermediates stay in its cache


def int8_matmul_reference(x: Operands) -> Tensor:
    """The formula of `course_lib.quantized.int8_matmul`, one line for each of its lines.

    Every step in floating point is rounded to float32, by being a torch operation of its own.
    """
    total = _sums(x.a, x.w, x.a_zero_point, x.w_zero_point)
    if x.bias is not None and x.bias.dtype == torch.int32:
        total += x.bias
    if x.out_dtype == torch.int32:
        return total
    assert x.a_scale is not None  # every other output is refused without scales
    if x.a.device.type != "cpu" or total.numel() <= BLOCK:
        return _finish(total, x.a_scale, x)
    out = torch.empty(total.shape, dtype=x.out_dtype)
    step = max(1, BLOCK // total.shape[1])
    for start in range(0, len(total), step):
        rows = slice(start, start + step)
        out[rows] = _finish(total[rows], x.a_scale if len(x.a_scale) == 1 else x.a_scale[rows], x)
    return out


def _finish(total: Tensor, a_scale: Tensor, x: Operands) -> Tensor:
    """Scale, add a float32 bias, and round to the output type."""
    assert x.w_scale is not None  # as for a_scale
    y = total.to(torch.float32).mul_(a_scale[:, None] * x.w_scale)
    if x.bias is not None and x.bias.dtype == torch.float32:
        y += x.bias
    if x.out_dtype != torch.int8:
        return y.to(x.out_dtype)
    assert x.out_scale is not None  # int8 is refused without
    q = y.mul_(1.0 / x.out_scale).round_().nan_to_num_(nan=0.0)  # torch rounds half to even
    if x.out_zero_point is not None:
        q += x.out_zero_point
    return q.clamp_(-128, 127).to(torch.int8)


def _sums(a: Tensor, w: Tensor, a_zero_point: Tensor | None, w_zero_point: Tensor | None) -> Tensor:
    """S int32 [M, N]: the sum over k of (a[m, k] - a_zero_point[m]) * (w[n, k] - w_zero_point[n])."""
    total = exact_products(a, w)
    if a_zero_point is not None:
        a_zero_point = a_zero_point.to(torch.int32)[:, None]
        total -= a_zero_point * w.sum(1, dtype=torch.int32)
    if w_zero_point is not None:
        rows = a.sum(1, keepdim=True, dtype=torch.int32)
        if a_zero_point is not None:
            rows = rows - a.shape[1] * a_zero_point  # before the product below, so that nothing leaves int32
        total -= rows * w_zero_point.to(torch.int32)
    return total


def exact_products(a: Tensor, w: Tensor) -> Tensor:
    """The sum over k of a[m, k] * w[n, k], exact, as int32 [M, N]; a int8 [M, K], w int8 [N, K]."""
    if a.device.type == "cuda":
        return (a.double() @ w.double().t()).to(torch.int32)  # exact: float64 holds integers up to 2^53
    if a.device.type != "cpu":
        return exact_products(a.cpu(), w.cpu()).to(a.device)
    if a.shape[1] > 1 and _int_mm_is_fast_and_right():  # at K = 1 torch 2.13 returns memory that it never wrote
        return torch._int_mm(a, w.t())
    total = torch.zeros(a.shape[0], w.shape[0], dtype=torch.int32)
    for part, other in zip(a.split(EXACT_IN_FLOAT32, 1), w.split(EXACT_IN_FLOAT32, 1), strict=True):
        total += (part.float() @ other.float().t()).to(torch.int32)
    return total


@functools.cache
def _int_mm_is_fast_and_right() -> bool:
    """Whether torch._int_mm can be trusted on this processor.

    Without the VNNI instructions oneDNN adds pairs of products in 16 bits, which saturate (pytorch issue 136746); later
    versions of torch are right there, but slower than the float32 route.
    """
    if not getattr(torch.cpu, "_is_vnni_supported", lambda: True)():
        return False
    extremes = torch.tensor([-128, 127, -128, -1, -128], dtype=torch.int8)
    a = extremes.repeat(33, 13)
    w = extremes.flip(0).repeat(40, 13)
    return torch.equal(torch._int_mm(a, w.t()).double(), a.double() @ w.double().t())
