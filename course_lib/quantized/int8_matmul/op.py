"""`int8_matmul`: what it computes, which implementation does it, and how each kernel is launched."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from course_lib.quantized.int8_matmul import gradient
from course_lib.quantized.int8_matmul.arguments import Operands, operands
from course_lib.quantized.int8_matmul.reference import int8_matmul_reference

__all__ = ["KERNELS", "int8_matmul"]

KERNELS = {1: "naive", 2: "dp4a", 3: "mma"}


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
) -> Tensor:
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
    version        1 (naive), 2 (dp4a) or 3 (mma) runs that kernel, through the host compiler for tensors on the CPU.
                   None: the newest that the GPU can run; on the CPU the definition in torch, unless
                   `with cuda.use("host")` asks for kernels.

    Returns a new [M, N] tensor of `out_dtype`. M, N and K may be 0. Scales must be finite and above 0; numbers are
    checked, the elements of tensors are not. S must fit into int32: a K at which it might not is refused; T is taken
    modulo 2^32.

    Gradients: with a floating-point output, y is differentiated exactly with respect to `a_scale`, `w_scale` and a
    float32 `bias`, the integers being held fixed. Integers have no gradient: int8 and int32 outputs end the graph, as
    everywhere in torch, and a straight-through estimator for `a` and `w` belongs to the function that rounds to them.

    Raises TypeError for a wrong dtype, ValueError for a wrong shape, device, number, combination or version.
    """
    if version is not None and version not in KERNELS:
        offered = ", ".join(f"{number} ({name})" for number, name in KERNELS.items())
        raise ValueError(f"int8_matmul: version is {version!r}; it is {offered}, or None to choose.")
    checked = operands(a, w, a_scale, w_scale, a_zero_point, w_zero_point, bias, out_dtype, out_scale, out_zero_point)
    return _operator(*checked.in_order(), version)


@torch.library.custom_op("course_lib::int8_matmul", mutates_args=())
def _operator(
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
    version = version or _newest(a)
    if version is None:
        return int8_matmul_reference(x)
    out = a.new_empty((a.shape[0], w.shape[0]), dtype=out_dtype)
    if out.numel():
        kernel, *launch = prepare(version, x, out)
        kernel(*launch)
    return out


@_operator.register_fake
def _(a: Tensor, w: Tensor, *rest: Any) -> Tensor:
    out_dtype = rest[-2]
    return a.new_empty((a.shape[0], w.shape[0]), dtype=out_dtype)


_operator.register_autograd(gradient.backward, setup_context=gradient.setup_context)


def _newest(a: Tensor) -> int | None:
    """The newest version that runs where `a` lies; None on a CPU that is to use the definition."""
    if not a.is_cuda:
        from course_lib.cuda.calling.backends import current

        return 3 if current().backend else None
    capability = torch.cuda.get_device_capability(a.device)
    return 3 if capability >= (7, 5) else 2 if capability >= (6, 1) else 1


C_TYPES = {
    torch.int32: "int",
    torch.int8: "signed char",
    torch.float32: "float",
    torch.float16: "__half",
    torch.bfloat16: "__nv_bfloat16",
}


def prepare(version: int, x: Operands, out: Tensor) -> tuple[Any, Any, Any, tuple[Any, ...], int]:
    """The kernel and what it is called with: grid, block, arguments, bytes of dynamic shared memory."""
    x = x.contiguous()
    (m, k), n = x.a.shape, x.w.shape[0]
    instance = [C_TYPES[out.dtype], *("false" if zero is None else "true" for zero in (x.a_zero_point, x.w_zero_point))]
    shared_mem = 0
    if version == 1:  # one thread for each output
        block = (32, 8)
        grid = (_tiles(m, 8), _tiles(n, 32))
    elif version == 2:  # a block for each 64 x 64 outputs, 4 x 4 for each thread
        block = (16, 16)
        grid = (_tiles(m, 64), _tiles(n, 64))
    else:  # four warps for each tile; large tiles reuse more, small ones keep more multiprocessors busy
        tile = 128 if _tiles(m, 128) * _tiles(n, 128) >= _multiprocessors(x.a.device) else 64
        stages = 3 if _copies_are_asynchronous(x.a.device) else 2
        block = 128
        grid = _tiles(m, tile) * _tiles(n, tile)
        shared_mem = stages * (tile + tile) * 64
        instance += [str(tile), str(tile), str(stages)]
    kernel = _kernel(KERNELS[version], ", ".join(instance))
    vectors = (x.a_scale, x.w_scale, x.a_zero_point, x.w_zero_point)
    with_steps = [part for vector in vectors for part in (vector, int(vector is not None and vector.numel() > 1))]
    bias_dtype = None if x.bias is None else x.bias.dtype
    biases = [x.bias if bias_dtype == dtype else None for dtype in (torch.int32, torch.float32)]
    args = (x.a, x.w, out, m, n, k, *with_steps, *biases, x.out_scale, x.out_zero_point)
    return kernel, grid, block, args, shared_mem


def _tiles(length: int, tile: int) -> int:
    return -(-length // tile)


@functools.cache
def _kernel(name: str, instance: str) -> Any:
    from course_lib import cuda

    return cuda.compile(Path(__file__).with_name(f"{name}.cu"), f"int8_matmul_{name}<{instance}>")


def _multiprocessors(device: torch.device) -> int:
    return torch.cuda.get_device_properties(device).multi_processor_count if device.type == "cuda" else 4


def _copies_are_asynchronous(device: torch.device) -> bool:
    return device.type != "cuda" or torch.cuda.get_device_capability(device) >= (8, 0)
