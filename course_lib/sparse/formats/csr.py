"""Compressed sparse rows: the values that are kept, row after row, each with its column.

dense               values       1 2 3 4 5
. 1 . 2             columns      1 3 0 1 3
. . . .     <->     row_pointers 0 2 2 5       row i is values[row_pointers[i] : row_pointers[i + 1]]
3 4 . 5
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from course_lib.dtypes import dtype_name
from course_lib.errors import CourseError
from course_lib.sparse.formats.csr_invariants import FLOATS, INDICES, check_types, check_values
from course_lib.sparse.formats.patterns import (
    SHORT_COLUMNS,
    TransposedPattern,
    by_length,
    narrowest_index,
    row_of_value,
    transpose,
)

__all__ = ["CSR"]


@dataclass(eq=False)
class _Found:
    """What has been computed from a pattern so far."""

    row_order: Tensor | None = None
    transposed: TransposedPattern | None = None


@dataclass(frozen=True, eq=False)
class CSR:
    """A sparse matrix of `shape` (rows, columns) with `nnz` stored values.

    values         [nnz] float32, float16, bfloat16 (float64 for checking gradients).
    columns        [nnz] int16 or int32, the same order; increasing within a row when made by this class. int16 halves
                   the index bytes and is allowed for up to 32768 columns.
    row_pointers   [rows + 1] int32, from 0 to nnz, never decreasing.
    shape          (rows, columns).

    All tensors lie on one device. Stored zeros are allowed and count in `nnz`. The constructor checks types and sizes;
    `check()` also reads the indices, which on a GPU waits for them. Raises CourseError when they do not fit.
    """

    values: Tensor
    columns: Tensor
    row_pointers: Tensor
    shape: tuple[int, int]
    # found when first asked for; matrices with the same pattern share it (see with_values)
    _found: _Found = field(default_factory=_Found, repr=False)

    def __post_init__(self) -> None:
        check_types(self.values, self.columns, self.row_pointers, self.shape)

    @classmethod
    def from_dense(cls, dense: Tensor, *, index_dtype: torch.dtype | None = None) -> CSR:
        """Keep the values of `dense` [rows, columns] that are not zero (NaN and infinities are kept).

        A copy, apart from any gradient of `dense`; train its values with `with_values`.

        index_dtype   torch.int16, torch.int32, or None for int16 where the columns fit.
        """
        if not isinstance(dense, Tensor) or dense.ndim != 2 or dense.dtype not in FLOATS:
            raise CourseError(f"CSR.from_dense needs a matrix of floating point numbers, not {_describe(dense)}.")
        with _quiet():
            return cls.from_torch(dense.detach().to_sparse_csr(), index_dtype=index_dtype)

    @classmethod
    def from_torch(cls, sparse: Tensor, *, index_dtype: torch.dtype | None = None) -> CSR:
        """From torch's own sparse matrix, `torch.sparse_csr` or `torch.sparse_coo` (duplicates are summed)."""
        layout = getattr(sparse, "layout", None)
        if layout not in (torch.sparse_csr, torch.sparse_coo) or sparse.ndim != 2:
            raise CourseError(f"CSR.from_torch needs a torch sparse matrix (CSR or COO), not {_describe(sparse)}.")
        with _quiet():
            matrix = sparse.detach() if layout == torch.sparse_csr else sparse.detach().coalesce().to_sparse_csr()
            columns = matrix.col_indices().to(index_dtype or narrowest_index(matrix.shape[1]), copy=True)
            # a copy: the view that torch gives keeps the sparse tensor as its base, which torch.compile cannot trace
            values = matrix.values().clone()
            row_pointers = matrix.crow_indices().to(torch.int32, copy=True)
            return cls(values, columns, row_pointers, (matrix.shape[0], matrix.shape[1]))

    def to_torch(self) -> Tensor:
        """As a `torch.sparse_csr` tensor that shares the values."""
        with _quiet():
            return torch.sparse_csr_tensor(
                self.row_pointers, self.columns.to(torch.int32), self.values, self.shape, check_invariants=False
            )

    def to_dense(self) -> Tensor:
        """[rows, columns], zeros where nothing is stored; values stored twice at one place are summed."""
        dense = self.values.new_zeros(self.shape)
        return dense.index_put((self.row_indices, self.columns.long()), self.values, accumulate=True)

    def with_values(self, values: Tensor) -> CSR:
        """The same pattern with other values [nnz]; what was computed from the pattern is kept."""
        return replace(self, values=values)

    def with_index_dtype(self, index_dtype: torch.dtype) -> CSR:
        """The same matrix with column indices of torch.int16 or torch.int32."""
        if index_dtype not in INDICES or (index_dtype == torch.int16 and self.shape[1] > SHORT_COLUMNS):
            raise CourseError(
                f"Column indices are torch.int32, or torch.int16 for at most {SHORT_COLUMNS} columns; "
                f"{index_dtype} was asked for {self.shape[1]} columns."
            )
        return replace(self, columns=self.columns.to(index_dtype))

    def to(self, device: torch.device | str) -> CSR:
        """The same matrix on `device`."""
        return CSR(self.values.to(device), self.columns.to(device), self.row_pointers.to(device), self.shape)

    def check(self) -> CSR:
        """Read the indices too: pointers from 0 to nnz that never decrease, columns inside. Returns the matrix."""
        check_values(self.columns, self.row_pointers, self.shape)
        return self

    @property
    def nnz(self) -> int:
        """How many values are stored."""
        return self.values.shape[0]

    @property
    def density(self) -> float:
        """nnz / (rows * columns); 0 for an empty matrix."""
        return self.nnz / max(self.shape[0] * self.shape[1], 1)

    @property
    def nbytes(self) -> int:
        """Bytes of values, columns and row pointers together."""
        return sum(part.numel() * part.element_size() for part in (self.values, self.columns, self.row_pointers))

    @property
    def row_indices(self) -> Tensor:
        """int64 [nnz]: the row of each value; with `columns`, the matrix in coordinate format."""
        return row_of_value(self.row_pointers, self.nnz)

    @property
    def row_order(self) -> Tensor:
        """int32 [rows]: the rows by falling length. Found once for each pattern."""
        if self._found.row_order is None:
            with torch.inference_mode(False):  # a later training step must be able to use it
                self._found.row_order = by_length(self.row_pointers)
        return self._found.row_order

    @property
    def transposed_pattern(self) -> TransposedPattern:
        """Found once for each pattern, for a gradient that multiplies by the transpose in every step."""
        if self._found.transposed is None:
            with torch.inference_mode(False):
                self._found.transposed = transpose(self.columns, self.row_pointers, self.shape[1])
        return self._found.transposed

    def transpose(self) -> CSR:
        """The transpose, shape (columns, rows); gradients flow through its values."""
        pattern = self.transposed_pattern
        return CSR(self.values[pattern.source], pattern.columns, pattern.row_pointers, (self.shape[1], self.shape[0]))

    def __repr__(self) -> str:
        rows, columns = self.shape
        kind = f"{dtype_name(self.values.dtype)}, {dtype_name(self.columns.dtype)} columns, {self.values.device}"
        return f"CSR({rows} x {columns}, {self.nnz} values = {self.density:.1%}, {kind})"


def _describe(value: object) -> str:
    if isinstance(value, Tensor):
        return f"a {dtype_name(value.dtype)} tensor of shape {tuple(value.shape)}, layout {value.layout}"
    return f"a {type(value).__name__}"


class _quiet(warnings.catch_warnings):
    """torch says once per process that its sparse CSR support is a beta, and that it checks no invariants."""

    def __enter__(self) -> None:
        super().__enter__()
        warnings.filterwarnings("ignore", message="Sparse (CSR tensor support|invariant checks)")
