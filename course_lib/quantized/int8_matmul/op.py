"""`int8_matmul`: what it computes, which way it takes, and its torch operation."""

from __future__ import annotations

from typing import Literal, TypedDict, Unpack, overload

import torch
from torch import Tensor

from course_lib.operation import Explanation, Operation, Version, register
from course_lib.quantized.int8_matmul.arguments import Operands, operands
from course_lib.quantized.int8_matmul.gradient import gradients
from course_lib.quantized.int8_matmul.launch import int8_matmul_launch
from course_lib.quantized.int8_matmul.reference import int8_matmul_reference

__all__ = ["OPERATION", "Scaling", "int8_matmul"]

OPERATION = Operation(
    "int8_matmul",
    versions={1: Version("naive"), 2: Version("dp4a", needs=(6, 1)), 3: Version("mma", needs=(7, 5))},
    dtypes=(torch.int8,),
    no_cpu="the definition there rests on torch's own int8 product, the fastest so far",
)


class Scaling(TypedDict, total=False):
    """What `int8_matmul` does to the sums; its docstring says how."""

    a_scale: Tensor | float | None
    w_scale: Tensor | float | None
    a_zero_point: Tensor | int | None
    w_zero_point: Tensor | int | None
    bias: Tensor | None
    out_dtype: torch.dtype
    out_scale: Tensor | float | None
    out_zero_point: Tensor | int | None


@overload
def int8_matmul(
    a: Tensor, w: Tensor, *, version: int | None = ..., explain: Literal[False] = ..., **scaling: Unpack[Scaling]
) -> Tensor: ...
@overload
def int8_matmul(
    a: Tensor, w: Tensor, *, version: int | None = ..., explain: Literal[True], **scaling: Unpack[Scaling]
) -> Explanation: ...
def int8_matmul(
    a: Tensor,
    w: Tensor,
    *,
    a_scale: Tensor | float | None = None,
    w_scale: Tensor | float | None = None,
    a_zero_point: Tensor | int | None = None,
    w_zero_point: Tensor | int | None = None,
    bias: Tensor | None = None,
    out_dtype: torch.dtype = torch.int32,
    out_scale: Tensor | float | None = None,
    out_zero_point: Tensor | int | None = None,
    version: int | None = None,
    explain: bool = False,
) -> Tensor | Explanation:
    """Multiply quantized activations by quantized weights; scale the sums or quantize them again on the way out.

    A number q of scale s and zero point z stands for the real number s * (q - z) (Jacob et al. 2018, arXiv:1712.05877,
    equation 1). For row m of `a` and row n of `w` the result is, one line for each `out_dtype`,

        S = sum over k of (a[m, k] - a_zero_point[m]) * (w[n, k] - w_zero_point[n])      exact, in int32
        T = S + bias[n]                                            if bias is int32, else T = S

        int32      T
        float32    y = T * (a_scale[m] * w_scale[n])  + bias[n]    if bias is float32
        float16    y rounded to it, bfloat16 likewise
        int8       min(127, max(-128, round(y * (1 / out_scale)) + out_zero_point))

    T, every product and sum of y, and 1 / out_scale are rounded to float32, once each; `round` takes halves to the
    even neighbour, and NaN to 0. All versions give the same bits on every device.

    a, w           int8 [M, K] and [N, K], any strides; `w` has a row for each output, as torch.nn.Linear stores it.
    a_scale        float32, one number, or [M] (or [M, 1]): one for each row of `a`, such as for each token.
    w_scale        float32, one number, or [N] (or [N, 1]): one for each output channel.
    a_zero_point, w_zero_point  int8, in the same shapes. None: the range is symmetric, which is also less work.
    bias           [N]. float32: in the output's units. int32: in units of a_scale * w_scale (the paper's section 2.4).
    out_dtype      as above. int32 takes no scales; the others need a_scale and w_scale; int8 needs out_scale.
    out_scale, out_zero_point  float32 and int8, one number each; the zero point is 0 unless given.
                   Scales and zero points that are Python numbers become tensors in every call: on a GPU, pass tensors.
    version        1 (naive), 2 (dp4a) or 3 (mma) runs that kernel, through the host compiler for tensors on the CPU;
                   0 the definition in torch. None chooses: the newest that the GPU can run; on the CPU the definition,
                   unless `with cuda.use("host")` asks for kernels.
    explain        True computes nothing and returns which way the call would take and why, with its launch.

    Returns a new [M, N] tensor of `out_dtype`. M, N and K may be 0. Scales must be finite and above 0; numbers are
    checked, the elements of tensors are not. S must fit into int32: a K at which it might not is refused; T is taken
    modulo 2^32.

    Gradients: with a floating-point output, y is differentiated exactly with respect to `a_scale`, `w_scale` and a
    float32 `bias`, the integers being held fixed. Integers have no gradient: int8 and int32 outputs end the graph, as
    everywhere in torch, and a straight-through estimator for `a` and `w` belongs to the function that rounds to them.

    Raises CourseError for a wrong dtype, shape, device, number, combination or version.
    """
    x = operands(a, w, a_scale, w_scale, a_zero_point, w_zero_point, bias, out_dtype, out_scale, out_zero_point)
    OPERATION.check_version(version, a.dtype)
    if explain:
        out = _empty(a, w, out_dtype)
        return OPERATION.explain(a, version, lambda kernel: int8_matmul_launch(kernel, x, out))
    return _operation(
        x.a,
        x.w,
        x.a_scale,
        x.w_scale,
        x.a_zero_point,
        x.w_zero_point,
        x.bias,
        x.out_scale,
        x.out_zero_point,
        x.out_dtype,
        version,
    )


def _empty(a: Tensor, w: Tensor, out_dtype: torch.dtype) -> Tensor:
    return a.new_empty((a.shape[0], w.shape[0]), dtype=out_dtype)


@register("int8_matmul", output=_empty, gradients=gradients)
def _operation(
    a: Tensor,
    w: Tensor,
    a_scale: Tensor | None,
    w_scale: Tensor | None,
    a_zero_point: Tensor | None,
    w_zero_point: Tensor | None,
    bias: Tensor | None,
    out_scale: Tensor | None,
    out_zero_point: Tensor | None,
    out_dtype: torch.dtype,
    version: int | None,
) -> Tensor:
    x = Operands(a, w, a_scale, w_scale, a_zero_point, w_zero_point, bias, out_scale, out_zero_point, out_dtype)
    way = OPERATION.way(a, version)
    if not way.version:
        return int8_matmul_reference(x)
    out = _empty(a, w, out_dtype)
    int8_matmul_launch(way.version, x, out).run()
    return out
