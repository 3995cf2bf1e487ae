"""The two torch operations, `course::csr_matmul` and `course::sddmm`: dispatch, shapes for the compiler, gradients.

Each is the other's gradient. With `*` for sampling at the pattern S of the matrix A:

    C = A B             dA = (dC B^T) * S        dB = A^T dC
    p = (L R^T) * S     dL = dP R                dR = dP^T L          dP: the matrix with dp for its values
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from course_lib.cuda.calling import backends
from course_lib.sparse.csr_matmul import reference
from course_lib.sparse.csr_matmul.launch import KERNEL_DTYPES, csr_matmul_launch, sddmm_launch
from course_lib.sparse.formats.patterns import by_length, transpose

__all__ = ["KERNELS", "csr_matmul_op", "sddmm_op"]

KERNELS = {1: "row per thread", 2: "row per warp", 3: "tiled"}


@torch.library.custom_op("course::csr_matmul", mutates_args=())
def csr_matmul_op(
    values: Tensor,
    columns: Tensor,
    row_pointers: Tensor,
    dense: Tensor,
    row_order: Tensor | None,
    transposed: Sequence[Tensor],
    version: int,
) -> Tensor:
    """values [nnz], columns [nnz], row_pointers [rows + 1], dense [columns, width] -> [rows, width].

    row_order    rows by falling length, or None: found when a kernel needs it.
    transposed   the four tensors of a TransposedPattern, or empty: found when the gradient needs it.
    version      1, 2, 3, or 0 to choose.
    """
    values, columns, dense = values.contiguous(), columns.contiguous(), dense.contiguous()
    kernel = chosen_kernel(dense, version)
    if kernel:
        order = by_length(row_pointers) if row_order is None else row_order
        return csr_matmul_launch(kernel, values, columns, row_pointers, order, dense).run()
    multiply = reference.csr_matmul if dense.is_cuda else reference.csr_matmul_by_torch
    return multiply(values, columns, row_pointers, dense)


@torch.library.custom_op("course::sddmm", mutates_args=())
def sddmm_op(
    left: Tensor, right: Tensor, columns: Tensor, row_pointers: Tensor, row_order: Tensor | None, version: int
) -> Tensor:
    """left [rows, width] times right [columns, width] transposed, at the pattern's places only -> [nnz]."""
    left, right, columns = left.contiguous(), right.contiguous(), columns.contiguous()
    if chosen_kernel(left, version):
        order = by_length(row_pointers) if row_order is None else row_order
        return sddmm_launch(left, right, columns, row_pointers, order).run()
    sample = reference.sddmm if left.is_cuda else reference.sddmm_by_torch
    return sample(left, right, columns, row_pointers)


def chosen_kernel(dense: Tensor, version: int) -> int:
    """The kernel that runs, 0 for the reference. Where no version is asked for, device, dtype and `cuda.use` decide."""
    if version:
        return version
    wanted = dense.is_cuda or backends.current().backend is not None
    return max(KERNELS) if wanted and dense.dtype in KERNEL_DTYPES else 0


@csr_matmul_op.register_fake
def _(
    values: Tensor,
    columns: Tensor,
    row_pointers: Tensor,
    dense: Tensor,
    row_order: Tensor | None,
    transposed: Sequence[Tensor],
    version: int,
) -> Tensor:
    return dense.new_empty(row_pointers.shape[0] - 1, dense.shape[1])


@sddmm_op.register_fake
def _(
    left: Tensor, right: Tensor, columns: Tensor, row_pointers: Tensor, row_order: Tensor | None, version: int
) -> Tensor:
    return left.new_empty(columns.shape[0])


def _keep_for_csr_matmul(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    values, columns, row_pointers, dense, row_order, transposed, ctx.version = inputs
    ctx.save_for_backward(values, columns, row_pointers, dense, row_order, *transposed)


def _gradients_of_csr_matmul(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
    values, columns, row_pointers, dense, row_order, *transposed = ctx.saved_tensors
    to_values = to_dense = None
    if ctx.needs_input_grad[0]:
        to_values = sddmm_op(gradient, dense, columns, row_pointers, row_order, ctx.version)
    if ctx.needs_input_grad[3]:
        to_dense = _transposed_matmul(values, columns, row_pointers, gradient, dense.shape[0], transposed, ctx.version)
    return to_values, None, None, to_dense, None, [None] * len(transposed), None


def _keep_for_sddmm(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    *tensors, ctx.version = inputs
    ctx.save_for_backward(*tensors)


def _gradients_of_sddmm(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
    left, right, columns, row_pointers, row_order = ctx.saved_tensors
    to_left = to_right = None
    if ctx.needs_input_grad[0]:
        to_left = csr_matmul_op(gradient, columns, row_pointers, right, row_order, [], ctx.version)
    if ctx.needs_input_grad[1]:
        to_right = _transposed_matmul(gradient, columns, row_pointers, left, right.shape[0], [], ctx.version)
    return to_left, to_right, None, None, None, None


def _transposed_matmul(
    values: Tensor,
    columns: Tensor,
    row_pointers: Tensor,
    dense: Tensor,
    rows: int,
    transposed: Sequence[Tensor],
    version: int,
) -> Tensor:
    """The transposed matrix, which has `rows` rows, times dense."""
    turned, pointers, order, source = transposed or transpose(columns, row_pointers, rows)
    return csr_matmul_op(values[source], turned, pointers, dense, order, [], version)


csr_matmul_op.register_autograd(_gradients_of_csr_matmul, setup_context=_keep_for_csr_matmul)
sddmm_op.register_autograd(_gradients_of_sddmm, setup_context=_keep_for_sddmm)
