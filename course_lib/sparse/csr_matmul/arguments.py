"""What `csr_matmul` accepts, and what it says to everything else."""

from __future__ import annotations

import torch
from torch import Tensor

from course_lib.dtypes import dtype_name
from course_lib.errors import CourseError
from course_lib.sparse.formats.csr import CSR

__all__ = ["check_arguments"]

MOST_WIDTH = 1 << 30  # a row of dense then has less than 2^32 bytes


def check_arguments(matrix: CSR, dense: Tensor) -> None:
    """Types, shapes, dtypes and devices; reads no element. Raises CourseError."""
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
    if dense.dtype != matrix.values.dtype:
        raise CourseError(
            f"csr_matmul(matrix, dense): both have one dtype, but matrix is {dtype_name(matrix.values.dtype)} and "
            f"dense {dtype_name(dense.dtype)}. Convert one: dense.to(matrix.values.dtype)."
        )
    if dense.device != matrix.values.device:
        raise CourseError(
            f"csr_matmul(matrix, dense): matrix lies on {matrix.values.device}, dense on {dense.device}. "
            "Move one with .to(device)."
        )
