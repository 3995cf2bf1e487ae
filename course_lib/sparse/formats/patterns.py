"""What can be known of a CSR matrix from where its values stand, whatever they are."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["SHORT_COLUMNS", "TransposedPattern", "by_length", "narrowest_index", "row_of_value", "transpose"]

# A 16-bit signed index counts to this many columns.
SHORT_COLUMNS = 1 << 15


class TransposedPattern(NamedTuple):
    """The pattern of the transpose.

    columns, row_pointers   of the transpose, as in CSR.
    row_order               int32 [rows of the transpose]: its rows by falling length.
    source                  int64 [nnz]: `transpose.values = matrix.values[source]`.
    """

    columns: Tensor
    row_pointers: Tensor
    row_order: Tensor
    source: Tensor


def narrowest_index(columns: int) -> torch.dtype:
    """The narrowest index type that reaches every column."""
    return torch.int16 if columns <= SHORT_COLUMNS else torch.int32


def row_of_value(row_pointers: Tensor, nnz: int) -> Tensor:
    """int64 [nnz]: the row that each stored value belongs to."""
    rows = torch.arange(row_pointers.shape[0] - 1, device=row_pointers.device)
    return rows.repeat_interleave(row_pointers.diff(), output_size=nnz)


def by_length(row_pointers: Tensor) -> Tensor:
    """int32 [rows]: the rows by falling length, to work on the longest first (Gale et al. 2020: row swizzle)."""
    return row_pointers.diff().argsort(descending=True, stable=True).to(torch.int32)


def transpose(columns: Tensor, row_pointers: Tensor, width: int) -> TransposedPattern:
    """The transpose of a matrix with `width` columns: a stable sort of the column indices keeps rows in order."""
    nnz = columns.shape[0]
    by_column, source = columns.long().sort(stable=True)
    bounds = torch.arange(width + 1, device=columns.device)
    pointers = torch.searchsorted(by_column, bounds).to(torch.int32)
    rows = row_of_value(row_pointers, nnz)[source].to(narrowest_index(row_pointers.shape[0] - 1))
    return TransposedPattern(rows, pointers, by_length(pointers), source)
