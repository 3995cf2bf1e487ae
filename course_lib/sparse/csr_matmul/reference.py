"""CSR times dense and its companion for gradients, as they are defined. Any device, any width; the oracle.

    csr_matmul   out[i, n] = sum over the values p of row i of values[p] * dense[columns[p], n]
    sddmm        out[p]    = sum over n of left[row of p, n] * right[columns[p], n]

Sums are taken in float32 for float16 and bfloat16, in the operands' type for float32 and float64, and rounded once.
"""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

from course_lib.sparse.formats.patterns import row_of_value

__all__ = ["csr_matmul", "csr_matmul_by_torch", "sddmm", "sddmm_by_torch"]

# Products held at once: 4 million floats are 16 MiB.
PRODUCTS = 1 << 22


def csr_matmul(values: Tensor, columns: Tensor, row_pointers: Tensor, dense: Tensor) -> Tensor:
    """values [nnz], columns [nnz], row_pointers [rows + 1], dense [columns, width] -> [rows, width]."""
    wide = _accumulator(dense.dtype)
    out = dense.new_zeros((row_pointers.shape[0] - 1, dense.shape[1]), dtype=wide)
    rows = row_of_value(row_pointers, values.shape[0])
    for part in _parts(values.shape[0], dense.shape[1]):
        products = values[part, None].to(wide) * dense[columns[part].long()].to(wide)
        out.index_add_(0, rows[part], products)
    return out.to(dense.dtype)


def sddmm(left: Tensor, right: Tensor, columns: Tensor, row_pointers: Tensor) -> Tensor:
    """left [rows, width], right [columns, width], columns [nnz], row_pointers [rows + 1] -> [nnz]."""
    wide = _accumulator(left.dtype)
    out = left.new_empty(columns.shape[0])
    rows = row_of_value(row_pointers, columns.shape[0])
    for part in _parts(columns.shape[0], left.shape[1]):
        products = left[rows[part]].to(wide) * right[columns[part].long()].to(wide)
        out[part] = products.sum(1).to(out.dtype)
    return out


def csr_matmul_by_torch(values: Tensor, columns: Tensor, row_pointers: Tensor, dense: Tensor) -> Tensor:
    """The same product through torch's sparse CSR tensors, which on a CPU is the fast way.

    torch multiplies float32 and float64 only, so the narrower types pass through float32.
    """
    wide = _accumulator(dense.dtype)
    matrix = _torch_csr(values.to(wide), columns, row_pointers, dense.shape[0])
    return (matrix @ dense.to(wide)).to(dense.dtype)


def sddmm_by_torch(left: Tensor, right: Tensor, columns: Tensor, row_pointers: Tensor) -> Tensor:
    """The same samples through torch's sampled product, the fast way on a CPU; float32 and float64 as above."""
    wide = _accumulator(left.dtype)
    pattern = _torch_csr(left.new_zeros(columns.shape, dtype=wide), columns, row_pointers, right.shape[0])
    return torch.sparse.sampled_addmm(pattern, left.to(wide), right.to(wide).t(), beta=0.0).values().to(left.dtype)


def _torch_csr(values: Tensor, columns: Tensor, row_pointers: Tensor, width: int) -> Tensor:
    shape = (row_pointers.shape[0] - 1, width)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
        return torch.sparse_csr_tensor(row_pointers, columns.int(), values, shape, check_invariants=False)


def _accumulator(dtype: torch.dtype) -> torch.dtype:
    return torch.float32 if dtype in (torch.float16, torch.bfloat16) else dtype


def _parts(nnz: int, width: int) -> list[slice]:
    step = max(1, PRODUCTS // max(width, 1))
    return [slice(start, min(start + step, nnz)) for start in range(0, nnz, step)]
