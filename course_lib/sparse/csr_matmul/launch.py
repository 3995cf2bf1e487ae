"""Launch geometry of the kernels: which template, which grid, which block."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from course_lib import cuda

__all__ = ["KERNEL_DTYPES", "Launch", "csr_matmul_launch", "sddmm_launch"]

HERE = Path(__file__).parent
C_TYPE = {
    torch.float32: "float",
    torch.float16: "__half",
    torch.bfloat16: "__nv_bfloat16",
    torch.int16: "short",
    torch.int32: "int",
}
KERNEL_DTYPES = (torch.float32, torch.float16, torch.bfloat16)

WARPS = 4  # per block, as in the .cu files
GRID_Y = 65535  # the most blocks that CUDA allows in y; the kernels step over what is left
WIDEST_LOAD = 16  # bytes that one instruction loads
LANE_BYTES = 32  # of `dense` that a lane of `tiled` reads per value: more would not fit its registers


class Launch(NamedTuple):
    """A kernel and what to call it with: `kernel(grid, block, args)`. The first argument is the output."""

    file: str
    template: str
    grid: tuple[int, ...]
    block: tuple[int, ...]
    args: tuple[Tensor | int, ...]

    @property
    def kernel(self) -> cuda.Kernel:
        """Compiled when first asked for: `tiled<float, short, 4, 2>` of tiled.cu."""
        return _compiled(self.file, self.template)

    def run(self) -> Tensor:
        """Launch, unless there is nothing to compute; returns the output."""
        out = self.args[0]
        if out.numel():
            self.kernel(self.grid, self.block, self.args)
        return out


def csr_matmul_launch(
    version: int, values: Tensor, columns: Tensor, row_pointers: Tensor, row_order: Tensor, dense: Tensor
) -> Launch:
    """Kernel `version` (1, 2 or 3) on checked arguments, contiguous, on one device; output [rows, width]."""
    rows, width = row_pointers.shape[0] - 1, dense.shape[1]
    out = dense.new_empty(rows, width)
    types = f"{C_TYPE[dense.dtype]}, {C_TYPE[columns.dtype]}"
    if version == 1:
        grid, block = (_blocks(rows, 128), min(width, GRID_Y)), (128,)
        return Launch("row_per_thread", types, grid, block, (out, values, columns, row_pointers, dense, rows, width))
    if version == 2:
        grid, block = (_blocks(rows, WARPS), min(_blocks(width, 32), GRID_Y)), (32, WARPS)
        return Launch("row_per_warp", types, grid, block, (out, values, columns, row_pointers, dense, rows, width))
    vector = _vector(width, dense)
    lanes = _power_of_two(_blocks(width, vector), at_most=32)
    repeat = _repeat(width, vector, dense.element_size())
    template = f"{types}, {vector}, {repeat}"
    grid, block = (_blocks(rows, WARPS), min(_blocks(width, lanes * vector * repeat), GRID_Y)), (32, WARPS)
    values, columns = _aligned(values, 4), _aligned(columns, 4)
    args = (out, values, columns, row_pointers, row_order, dense, rows, width, lanes)
    return Launch("tiled", template, grid, block, args)


def sddmm_launch(left: Tensor, right: Tensor, columns: Tensor, row_pointers: Tensor, row_order: Tensor) -> Launch:
    """The values' gradient: left [rows, width], right [columns, width], output [nnz]."""
    rows, width = left.shape
    out = left.new_empty(columns.shape[0])
    vector = _vector(width, left, right)
    lanes = _power_of_two(_blocks(width, vector), at_most=8)  # 8 lanes x 16 bytes: one line of 128 bytes
    template = f"{C_TYPE[left.dtype]}, {C_TYPE[columns.dtype]}, {vector}"
    grid, block = (_blocks(rows, WARPS),), (32, WARPS)
    args = (out, left, right, columns, row_pointers, row_order, rows, width, lanes)
    return Launch("sddmm", template, grid, block, args)


@functools.cache
def _compiled(name: str, template: str) -> cuda.Kernel:
    return cuda.compile(HERE / f"{name}.cu", f"{name}<{template}>")


def _blocks(total: int, each: int) -> int:
    return -(-total // each)


def _power_of_two(count: int, at_most: int) -> int:
    return min(at_most, 1 << max(count - 1, 0).bit_length())


def _vector(width: int, *operands: Tensor) -> int:
    """How many elements one load can take: rows of `width` elements must all begin at a multiple of it."""
    size = operands[0].element_size()
    vector = WIDEST_LOAD // size
    while width % vector or any(operand.data_ptr() % (vector * size) for operand in operands):
        vector //= 2
    return vector


def _repeat(width: int, vector: int, size: int) -> int:
    """Vectors per lane: as many as still have columns to cover, up to what the registers hold."""
    repeat = 1
    while repeat < 4 and 2 * repeat * vector * size <= LANE_BYTES and 2 * repeat * vector * 32 <= width:
        repeat *= 2
    return repeat


def _aligned(tensor: Tensor, elements: int) -> Tensor:
    """The tensor at an address that is a multiple of `elements` elements: a slice may begin anywhere."""
    return tensor.clone() if tensor.data_ptr() % (elements * tensor.element_size()) else tensor
