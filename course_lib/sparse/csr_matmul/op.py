"""CSR times dense: the function to call.

    out = csr_matmul(matrix, dense)      # CSR [rows, columns] times [columns, width] -> [rows, width]

On a GPU the newest kernel runs. On a CPU torch's own sparse product runs, unless a kernel is asked for by its number or
by `with cuda.use("host")`: then the same .cu file runs on the processor, slowly and exactly.
"""

from __future__ import annotations

import torch
from torch import Tensor

from course_lib.errors import CourseError
from course_lib.sparse.csr_matmul.operators import KERNELS, csr_matmul_op
from course_lib.sparse.formats.csr import CSR

__all__ = ["csr_matmul"]

MOST_WIDTH = 1 << 30  # a row of dense then has less than 2^32 bytes


def csr_matmul(matrix: CSR, dense: Tensor, *, version: int | None = None) -> Tensor:
    """matrix [rows, columns] times dense [columns, width] -> [rows, width], in the operands' dtype.

    matrix    values float32, float16 or bfloat16 (float64 without a kernel), int16 or int32 columns.
    dense     the same dtype and device; copied first if it is not contiguous.
    version   1 row per thread, 2 row per warp, 3 tiled; None chooses: 3 on a GPU, torch's own product on a CPU.

    Sums are taken in float32 and rounded once; none depends on the order in which threads happen to run. Gradients
    flow to `dense` (the transpose times the gradient) and to `matrix.values` (products sampled at the pattern). The
    pattern's row order and transpose are found when first needed and kept in `matrix`. Works under torch.compile.
    Raises CourseError for arguments that do not fit.
    """
    _check(matrix, dense, version)
    needs_transpose = dense.requires_grad and torch.is_grad_enabled()
    transposed = list(matrix.transposed_pattern) if needs_transpose else []
    row_order = matrix.row_order if version or dense.is_cuda else None
    return csr_matmul_op(matrix.values, matrix.columns, matrix.row_pointers, dense, row_order, transposed, version or 0)


def _check(matrix: CSR, dense: Tensor, version: int | None) -> None:
    if not isinstance(matrix, CSR):
        raise CourseError(
            f"csr_matmul(matrix, dense): matrix is a CSR, not a {type(matrix).__name__}. "
            "Make one with CSR.from_dense(tensor) or CSR.from_torch(sparse tensor)."
        )
    if not isinstance(dense, Tensor) or dense.layout != torch.strided or dense.ndim != 2:
        shape = f" of shape {tuple(dense.shape)}" if isinstance(dense, Tensor) else ""
        raise CourseError(
            f"csr_matmul(matrix, dense): dense is a tensor [columns, width], not a {type(dense).__name__}{shape}. "
            "A vector becomes a matrix with vector[:, None]."
        )
    if dense.shape[0] != matrix.shape[1]:
        raise CourseError(
            f"csr_matmul(matrix, dense): matrix {list(matrix.shape)} has {matrix.shape[1]} columns, "
            f"so dense needs as many rows, but it is {list(dense.shape)}."
        )
    if dense.shape[1] >= MOST_WIDTH:
        raise CourseError(
            f"csr_matmul(matrix, dense): dense has {dense.shape[1]} columns; the kernels count to {MOST_WIDTH}. "
            "Split dense by columns."
        )
    _check_kind(matrix.values, dense, version)


def _check_kind(values: Tensor, dense: Tensor, version: int | None) -> None:
    if dense.dtype != values.dtype:
        raise CourseError(
            f"csr_matmul(matrix, dense): both have one dtype, but matrix is {_name(values.dtype)} and dense "
            f"{_name(dense.dtype)}. Convert one: dense.to(matrix.values.dtype)."
        )
    if dense.device != values.device:
        raise CourseError(
            f"csr_matmul(matrix, dense): matrix lies on {values.device}, dense on {dense.device}. "
            "Move one with .to(device)."
        )
    if version is not None and version not in KERNELS:
        offered = ", ".join(f"{number} ({name})" for number, name in KERNELS.items())
        raise CourseError(
            f"csr_matmul(version=...): versions are {offered}, or None to choose; {version!r} is none of them."
        )
    if version is not None and dense.dtype == torch.float64:
        raise CourseError(
            "csr_matmul(version=...): the kernels compute with float32, float16 and bfloat16. "
            "Leave version out for float64."
        )


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
