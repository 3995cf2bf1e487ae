"""Launch geometry of the kernels: which template, which grid, which block."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from course_lib import cuda
from course_lib.cuda import c_type, ceil_div

__all__ = ["csr_matmul_launch", "sddmm_launch"]

HERE = Path(__file__).parent
WARPS = 4  # per block, as in the .cu files
GRID_Y = 65535  # the most blocks that CUDA allows in y; the kernels step over what is left
WIDEST_LOAD = 16  # bytes that one instruction loads
LANE_BYTES = 32  # of `dense` that a lane of `tiled` reads per value: more would not fit its registers


def csr_matmul_launch(
    version: int,
    values: Tensor,
    columns: Tensor,
    row_pointers: Tensor,
    row_order: Tensor,
    dense: Tensor,
    out: Tensor,
) -> cuda.Launch:
    """Kernel `version` (1, 2 or 3) on checked arguments on one device, to fill out [rows, width]."""
    values, columns, dense = values.contiguous(), columns.contiguous(), dense.contiguous()
    rows, width = out.shape
    types = f"{c_type(dense.dtype)}, {c_type(columns.dtype)}"
    args: tuple[object, ...] = (out, values, columns, row_pointers, dense, rows, width)
    if version == 1:
        grid = ceil_div(rows, 128), min(width, GRID_Y)
        return cuda.Launch(HERE / "row_per_thread.cu", f"row_per_thread<{types}>", grid, (128,), args)
    grid, block = (ceil_div(rows, WARPS), min(ceil_div(width, 32), GRID_Y)), (32, WARPS)
    if version == 2:
        return cuda.Launch(HERE / "row_per_warp.cu", f"row_per_warp<{types}>", grid, block, args)
    vector = _vector(width, dense)
    lanes = _power_of_two(ceil_div(width, vector), at_most=32)
    repeat = _repeat(width, vector, dense.element_size())
    grid = grid[0], min(ceil_div(width, lanes * vector * repeat), GRID_Y)
    values, columns = _aligned(values, 4), _aligned(columns, 4)
    args = (out, values, columns, row_pointers, row_order, dense, rows, width, lanes)
    return cuda.Launch(HERE / "tiled.cu", f"tiled<{types}, {vector}, {repeat}>", grid, block, args)


def sddmm_launch(
    left: Tensor, right: Tensor, columns: Tensor, row_pointers: Tensor, row_order: Tensor, out: Tensor
) -> cuda.Launch:
    """The values' gradient: left [rows, width], right [columns, width], to fill out [nnz]."""
    left, right, columns = left.contiguous(), right.contiguous(), columns.contiguous()
    rows, width = left.shape
    vector = _vector(width, left, right)
    lanes = _power_of_two(ceil_div(width, vector), at_most=8)  # 8 lanes x 16 bytes: one line of 128 bytes
    template = f"sddmm<{c_type(left.dtype)}, {c_type(columns.dtype)}, {vector}>"
    grid, block = (ceil_div(rows, WARPS),), (32, WARPS)
    args = (out, left, right, columns, row_pointers, row_order, rows, width, lanes)
    return cuda.Launch(HERE / "sddmm.cu", template, grid, block, args)


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
