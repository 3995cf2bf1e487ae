"""CSR times dense: the function to call, and the two torch operations behind it.

    out = csr_matmul(matrix, dense)      # CSR [rows, columns] times [columns, width] -> [rows, width]

`course::csr_matmul` and `course::sddmm` are each other's gradient. With `*` for sampling at the pattern S of A:

    C = A B             dA = (dC B^T) * S        dB = A^T dC
    p = (L R^T) * S     dL = dP R                dR = dP^T L          dP: the matrix with dp for its values
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, overload

import torch
from torch import Tensor

from course_lib.operation import Explanation, Gradients, Needs, Operation, Version, register
from course_lib.sparse.csr_matmul import reference
from course_lib.sparse.csr_matmul.arguments import check_arguments
from course_lib.sparse.csr_matmul.launch import csr_matmul_launch, sddmm_launch
from course_lib.sparse.formats.csr import CSR
from course_lib.sparse.formats.patterns import by_length, transpose

__all__ = ["OPERATION", "csr_matmul", "sddmm_op"]

OPERATION = Operation(
    "csr_matmul",
    versions={1: Version("row per thread"), 2: Version("row per warp"), 3: Version("tiled")},
    dtypes=(torch.float32, torch.float16, torch.bfloat16),
    no_cpu="torch's own sparse product is the fast way there so far",
    on_cpu="torch",
)


@overload
def csr_matmul(
    matrix: CSR, dense: Tensor, *, version: int | None = None, explain: Literal[False] = False
) -> Tensor: ...
@overload
def csr_matmul(matrix: CSR, dense: Tensor, *, version: int | None = None, explain: Literal[True]) -> Explanation: ...
def csr_matmul(
    matrix: CSR, dense: Tensor, *, version: int | None = None, explain: bool = False
) -> Tensor | Explanation:
    """matrix [rows, columns] times dense [columns, width] -> [rows, width], in the operands' dtype.

    matrix    values float32, float16 or bfloat16 (float64 without a kernel), int16 or int32 columns.
    dense     the same dtype and device; copied first if it is not contiguous.
    version   1 row per thread, 2 row per warp, 3 tiled; 0 the definition in torch. None chooses: the newest kernel on a
              GPU, torch's own product on a CPU. Inside `with cuda.use("host")` kernels run on the processor, slowly
              and exactly.
    explain   True computes nothing and returns which way the call would take and why, with its launch.

    Sums are taken in float32 and rounded once; none depends on the order in which threads happen to run. Gradients
    flow to `dense` (the transpose times the gradient) and to `matrix.values` (products sampled at the pattern). The
    pattern's row order and transpose are found when first needed and kept in `matrix`. Works under torch.compile.
    Raises CourseError for arguments that do not fit.
    """
    check_arguments(matrix, dense)
    OPERATION.check_version(version, dense.dtype)
    pattern = (matrix.columns, matrix.row_pointers)
    if explain:
        out = _empty_product(matrix.row_pointers, dense)
        return OPERATION.explain(
            dense,
            version,
            lambda kernel: csr_matmul_launch(kernel, matrix.values, *pattern, matrix.row_order, dense, out),
        )
    needs_transpose = dense.requires_grad and torch.is_grad_enabled()
    transposed = list(matrix.transposed_pattern) if needs_transpose else []
    row_order = matrix.row_order if version or dense.is_cuda else None
    return csr_matmul_op(matrix.values, *pattern, dense, row_order, transposed, version)


def _empty_product(row_pointers: Tensor, dense: Tensor) -> Tensor:
    return dense.new_empty(row_pointers.shape[0] - 1, dense.shape[1])


def _empty_samples(left: Tensor, columns: Tensor) -> Tensor:
    return left.new_empty(columns.shape[0])


def _gradients_of_product(
    gradient: Tensor,
    needs: Needs,
    values: Tensor,
    columns: Tensor,
    row_pointers: Tensor,
    dense: Tensor,
    row_order: Tensor | None,
    transposed: Sequence[Tensor],
    version: int | None,
) -> Gradients:
    found = {}
    if "values" in needs:
        found["values"] = sddmm_op(gradient, dense, columns, row_pointers, row_order, version)
    if "dense" in needs:
        pattern = transposed or transpose(columns, row_pointers, dense.shape[0])
        found["dense"] = _transposed_product(values, pattern, gradient, version)
    return found


def _gradients_of_samples(
    gradient: Tensor,
    needs: Needs,
    left: Tensor,
    right: Tensor,
    columns: Tensor,
    row_pointers: Tensor,
    row_order: Tensor | None,
    version: int | None,
) -> Gradients:
    found = {}
    if "left" in needs:
        found["left"] = csr_matmul_op(gradient, columns, row_pointers, right, row_order, [], version)
    if "right" in needs:
        pattern = transpose(columns, row_pointers, right.shape[0])
        found["right"] = _transposed_product(gradient, pattern, left, version)
    return found


def _transposed_product(values: Tensor, transposed: Sequence[Tensor], dense: Tensor, version: int | None) -> Tensor:
    """The transposed matrix times dense."""
    columns, row_pointers, row_order, source = transposed
    return csr_matmul_op(values[source], columns, row_pointers, dense, row_order, [], version)


@register("csr_matmul", output=_empty_product, gradients=_gradients_of_product)
def csr_matmul_op(
    values: Tensor,
    columns: Tensor,
    row_pointers: Tensor,
    dense: Tensor,
    row_order: Tensor | None,
    transposed: Sequence[Tensor],
    version: int | None,
) -> Tensor:
    """values [nnz], columns [nnz], row_pointers [rows + 1], dense [columns, width] -> [rows, width].

    row_order    rows by falling length, or None: found when a kernel needs it.
    transposed   the four tensors of a TransposedPattern, or empty: found when the gradient needs it.
    """
    way = OPERATION.way(dense, version)
    if way.version:
        order = by_length(row_pointers) if row_order is None else row_order
        out = _empty_product(row_pointers, dense)
        csr_matmul_launch(way.version, values, columns, row_pointers, order, dense, out).run()
        return out
    multiply = reference.csr_matmul_by_torch if way.name == "torch" else reference.csr_matmul
    return multiply(values, columns, row_pointers, dense)


@register("sddmm", output=_empty_samples, gradients=_gradients_of_samples)
def sddmm_op(
    left: Tensor,
    right: Tensor,
    columns: Tensor,
    row_pointers: Tensor,
    row_order: Tensor | None,
    version: int | None,
) -> Tensor:
    """left [rows, width] times right [columns, width] transposed, at the pattern's places only -> [nnz].

    There is one kernel for it, whatever the number in `version`; 0 is the definition, None chooses.
    """
    way = OPERATION.way(left, version)
    if way.version:
        order = by_length(row_pointers) if row_order is None else row_order
        out = _empty_samples(left, columns)
        sddmm_launch(left, right, columns, row_pointers, order, out).run()
        return out
    sample = reference.sddmm_by_torch if way.name == "torch" else reference.sddmm
    return sample(left, right, columns, row_pointers)
