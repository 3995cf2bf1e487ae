"""Launch geometry of the kernels: which template, which grid, which block."""

from __future__ import annotations

from pathlib import Path

import torch

from course_lib import cuda
from course_lib.cuda import c_type, ceil_div
from course_lib.quantized.int8_matmul.arguments import Operands

__all__ = ["int8_matmul_launch"]

HERE = Path(__file__).parent
TILE_K = 64  # bytes of a row that a tile holds, as in mma.cu


def int8_matmul_launch(version: int, x: Operands, out: torch.Tensor) -> cuda.Launch:
    """Kernel `version` (1, 2 or 3) on checked operands, to fill out [M, N]."""
    x = x.contiguous()
    (m, k), n, device = x.a.shape, x.w.shape[0], x.a.device
    types = [c_type(out.dtype), *("false" if zero is None else "true" for zero in (x.a_zero_point, x.w_zero_point))]
    args = (x.a, x.w, out, m, n, k, *_vectors(x))
    if version == 1:  # one thread for each output
        return _launch("naive", types, (ceil_div(m, 8), ceil_div(n, 32)), (32, 8), args)
    if version == 2:  # a block for each 64 x 64 outputs, 4 x 4 for each thread
        return _launch("dp4a", types, (ceil_div(m, 64), ceil_div(n, 64)), (16, 16), args)
    # four warps for each tile; large tiles reuse more, small ones keep more multiprocessors busy
    tile = 128 if ceil_div(m, 128) * ceil_div(n, 128) >= _multiprocessors(device) else 64
    stages = 3 if _copies_are_asynchronous(device) else 2
    grid, shared = (ceil_div(m, tile) * ceil_div(n, tile),), stages * (tile + tile) * TILE_K
    return _launch("mma", [*types, str(tile), str(tile), str(stages)], grid, (128,), args, shared)


def _launch(
    name: str,
    template: list[str],
    grid: tuple[int, ...],
    block: tuple[int, ...],
    args: tuple[object, ...],
    shared_mem: int = 0,
) -> cuda.Launch:
    kernel = f"int8_matmul_{name}<{', '.join(template)}>"
    return cuda.Launch(HERE / f"{name}.cu", kernel, grid, block, args, shared_mem)


def _vectors(x: Operands) -> list[object]:
    """Scales and zero points, each with its step: 1 where there is one for every row, else 0; biases; the output's."""
    listed: list[object] = []
    for vector in (x.a_scale, x.w_scale, x.a_zero_point, x.w_zero_point):
        listed += [vector, int(vector is not None and vector.numel() > 1)]
    bias_dtype = None if x.bias is None else x.bias.dtype
    listed += [x.bias if bias_dtype == dtype else None for dtype in (torch.int32, torch.float32)]
    return [*listed, x.out_scale, x.out_zero_point]


def _multiprocessors(device: torch.device) -> int:
    return torch.cuda.get_device_properties(device).multi_processor_count if device.type == "cuda" else 4


def _copies_are_asynchronous(device: torch.device) -> bool:
    return device.type != "cuda" or torch.cuda.get_device_capability(device) >= (8, 0)
