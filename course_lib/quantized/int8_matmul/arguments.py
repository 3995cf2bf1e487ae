"""What `int8_matmul` accepts, and what it says to everything else."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from course_lib.errors import CourseError

__all__ = ["OUT_DTYPES", "Operands", "largest_k", "operands"]

OUT_DTYPES = (torch.int32, torch.int8, torch.float32, torch.float16, torch.bfloat16)
INT32_MAX = 2**31 - 1


@dataclass(frozen=True)
class Operands:
    """Checked arguments: matrices, and vectors of one element or of one for each row of `a` or of `w`; any strides."""

    a: Tensor
    w: Tensor
    a_scale: Tensor | None
    w_scale: Tensor | None
    a_zero_point: Tensor | None
    w_zero_point: Tensor | None
    bias: Tensor | None
    out_scale: Tensor | None
    out_zero_point: Tensor | None
    out_dtype: torch.dtype

    def contiguous(self) -> Operands:
        """The same without gaps, as kernels read them; what has none is not copied."""
        return Operands(
            self.a.contiguous(),
            self.w.contiguous(),
            _contiguous(self.a_scale),
            _contiguous(self.w_scale),
            _contiguous(self.a_zero_point),
            _contiguous(self.w_zero_point),
            _contiguous(self.bias),
            _contiguous(self.out_scale),
            _contiguous(self.out_zero_point),
            self.out_dtype,
        )


def operands(
    a: Tensor,
    w: Tensor,
    a_scale: Tensor | float | None,
    w_scale: Tensor | float | None,
    a_zero_point: Tensor | int | None,
    w_zero_point: Tensor | int | None,
    bias: Tensor | None,
    out_dtype: torch.dtype,
    out_scale: Tensor | float | None,
    out_zero_point: Tensor | int | None,
) -> Operands:
    """Check all that can be checked without reading a tensor's numbers, and bring the arguments to one form.

    Raises CourseError.
    """
    _matrices(a, w)
    _combination(out_dtype, a_scale, w_scale, bias, out_scale, out_zero_point)
    (m, k), n, device = a.shape, w.shape[0], a.device
    limit = largest_k(a_zero_point is not None, w_zero_point is not None)
    if k > limit:
        raise CourseError(
            f"int8_matmul: K is {k}, and a sum of that many products may not fit into int32. Allowed here: K up to "
            f"{limit} (131071 without zero points). Split K and add the int32 results in int64."
        )
    return Operands(
        a,
        w,
        _vector("a_scale", a_scale, torch.float32, m, "row of a", device),
        _vector("w_scale", w_scale, torch.float32, n, "row of w", device),
        _vector("a_zero_point", a_zero_point, torch.int8, m, "row of a", device),
        _vector("w_zero_point", w_zero_point, torch.int8, n, "row of w", device),
        _bias(bias, n, device),
        _vector("out_scale", out_scale, torch.float32, 1, "output", device),
        _vector("out_zero_point", out_zero_point, torch.int8, 1, "output", device),
        out_dtype,
    )


def largest_k(a_has_zero_point: bool, w_has_zero_point: bool) -> int:
    """The largest K for which no numbers whatever can take a sum out of int32.

    |a - a_zero_point| is at most 255 (128 without a zero point), and so for w.
    """
    return INT32_MAX // ((255 if a_has_zero_point else 128) * (255 if w_has_zero_point else 128))


def _matrices(a: Tensor, w: Tensor) -> None:
    for name, matrix, shape in (("a", a, "[M, K]"), ("w", w, "[N, K]")):
        if not isinstance(matrix, Tensor):
            raise CourseError(
                f"int8_matmul: {name} is a {type(matrix).__name__}; it takes a torch.int8 tensor {shape}."
            )
        if matrix.dtype != torch.int8:
            raise CourseError(
                f"int8_matmul: {name} has dtype {matrix.dtype}; it takes torch.int8. "
                "Quantize it first: torch.round(x / scale + zero_point).clamp(-128, 127).to(torch.int8)."
            )
        if matrix.dim() != 2:
            raise CourseError(
                f"int8_matmul: {name} has shape {list(matrix.shape)}; it takes 2 dimensions {shape}. "
                "Join the leading ones with .flatten(0, -2) and unflatten the result."
            )
    if a.shape[1] != w.shape[1]:
        hint = " w is stored as [N, K], one row for each output: pass w.t()." if a.shape[1] == w.shape[0] else ""
        raise CourseError(f"int8_matmul: a is {list(a.shape)} and w is {list(w.shape)}; K, the last, must agree.{hint}")
    if a.device != w.device:
        raise CourseError(f"int8_matmul: a is on {a.device} and w on {w.device}; move them to one device.")


def _combination(
    out_dtype: torch.dtype,
    a_scale: Tensor | float | None,
    w_scale: Tensor | float | None,
    bias: Tensor | None,
    out_scale: Tensor | float | None,
    out_zero_point: Tensor | int | None,
) -> None:
    if out_dtype not in OUT_DTYPES:
        raise CourseError(f"int8_matmul: out_dtype is {out_dtype}; it is one of {', '.join(map(str, OUT_DTYPES))}.")
    scaled, requantized = out_dtype != torch.int32, out_dtype == torch.int8
    for name, value, wanted in (
        ("a_scale", a_scale, scaled),
        ("w_scale", w_scale, scaled),
        ("out_scale", out_scale, requantized),
    ):
        if wanted and value is None:
            raise CourseError(f"int8_matmul: out_dtype {out_dtype} needs {name}; pass a number or a float32 tensor.")
        if not wanted and value is not None:
            raise CourseError(
                f"int8_matmul: {name} was given, but out_dtype {out_dtype} does not use it; leave it out."
            )
    if out_zero_point is not None and not requantized:
        raise CourseError(f"int8_matmul: out_zero_point was given, but out_dtype {out_dtype} does not use it.")
    if bias is not None and bias.dtype == torch.float32 and not scaled:
        raise CourseError("int8_matmul: bias is float32, but out_dtype torch.int32 has no scale; pass an int32 bias.")


def _vector(
    name: str, value: Tensor | float | None, dtype: torch.dtype, count: int, each: str, device: torch.device
) -> Tensor | None:
    """A 1-D tensor of one element, or of `count`."""
    if value is None:
        return None
    if not isinstance(value, Tensor):
        return _constant(name, value, dtype, device)
    if value.dtype != dtype:
        raise CourseError(f"int8_matmul: {name} has dtype {value.dtype}; it takes {dtype}, or one Python number.")
    if value.device != device:
        raise CourseError(f"int8_matmul: {name} is on {value.device} and a on {device}; move it there.")
    column = value.dim() == 2 and value.shape[1] == 1  # what amax(1, keepdim=True) returns
    if value.numel() != 1 and not (value.shape[:1] == (count,) and (value.dim() == 1 or column)):
        raise CourseError(
            f"int8_matmul: {name} has shape {list(value.shape)}; it takes one element"
            + (f", or [{count}], one for each {each}." if each != "output" else ".")
        )
    return value.reshape(-1)


def _constant(name: str, value: float, dtype: torch.dtype, device: torch.device) -> Tensor:
    if dtype == torch.int8 and not (isinstance(value, int) and -128 <= value <= 127):
        raise CourseError(f"int8_matmul: {name} is {value!r}; it is a whole number from -128 to 127.")
    if dtype == torch.float32 and not 0 < value < math.inf:
        raise CourseError(f"int8_matmul: {name} is {value!r}; a scale is a finite number above 0.")
    return torch.full((1,), value, dtype=dtype, device=device)


def _bias(bias: Tensor | None, n: int, device: torch.device) -> Tensor | None:
    if bias is None:
        return None
    if bias.dtype not in (torch.int32, torch.float32):
        raise CourseError(
            f"int8_matmul: bias has dtype {bias.dtype}; it takes torch.float32 (in the output's units) or torch.int32 "
            "(in units of a_scale * w_scale)."
        )
    if bias.shape != (n,):
        raise CourseError(f"int8_matmul: bias has shape {list(bias.shape)}; it takes [{n}], one for each row of w.")
    if bias.device != device:
        raise CourseError(f"int8_matmul: bias is on {bias.device} and a on {device}; move it there.")
    return bias


def _contiguous(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.contiguous()
