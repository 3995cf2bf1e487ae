"""Matrices to multiply, their exact products, and how far a correctly rounded result may be from them."""

from __future__ import annotations

import scipy.sparse
import torch

from course_lib.sparse import CSR
from tests.rooms.problem import Problem

# rows, columns, width, density, dtype, index dtype
SIZES = {
    "no value, no row of dense": (3, 0, 2, 0.0, torch.float32, torch.int16),
    "no row": (0, 3, 2, 1.0, torch.float32, torch.int16),
    "no column of dense": (3, 4, 0, 1.0, torch.float32, torch.int32),
    "one of each": (1, 1, 1, 1.0, torch.float32, torch.int16),
    "no value at all": (6, 5, 4, 0.0, torch.float16, torch.int32),
    "every value": (7, 9, 5, 1.0, torch.bfloat16, torch.int16),
    "rows of several stages": (5, 301, 12, 1.0, torch.float32, torch.int16),
    "odd everywhere": (37, 53, 131, 0.3, torch.float32, torch.int16),
    "two tiles, the second nearly empty": (21, 150, 260, 0.2, torch.float16, torch.int32),
}
CLOSELY = {
    "float32, 16-bit columns": (7, 150, 37, 0.3, torch.float32, torch.int16),
    "float16, 32-bit columns": (6, 140, 12, 0.3, torch.float16, torch.int32),
    "bfloat16, empty rows": (5, 40, 520, 0.1, torch.bfloat16, torch.int16),
}


def problems():
    return [
        _problem(name, closely, *size)
        for sizes, closely in ((SIZES, False), (CLOSELY, True))
        for name, size in sizes.items()
    ]


def _problem(name, closely, rows, columns, width, density, dtype, index_dtype):
    matrix = CSR.from_dense(random_matrix(rows, columns, density, dtype), index_dtype=index_dtype)
    dense = random_dense(columns, width, dtype)
    args = (matrix.with_values(matrix.values.clone().requires_grad_()), dense.clone().requires_grad_())
    return Problem(name, args, lambda result: assert_product(result, matrix, dense), closely=closely)


# half a unit in the last place, relative; and the smallest step near zero, halved
ROUNDING = {torch.float32: 2.0**-24, torch.float16: 2.0**-11, torch.bfloat16: 2.0**-8, torch.float64: 2.0**-53}
TINY = {torch.float32: 2.0**-150, torch.float16: 2.0**-25, torch.bfloat16: 2.0**-134, torch.float64: 0.0}


def random_matrix(rows, columns, density, dtype, seed=0, empty_rows=0.1):
    """A dense matrix with random zeros; about `empty_rows` of its rows are all zero, and one row is full."""
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(rows, columns, generator=generator)
    weight *= torch.rand(rows, columns, generator=generator) < density
    weight *= torch.rand(rows, 1, generator=generator) >= empty_rows
    if rows > 2 and density > 0:
        weight[rows // 2] = torch.randn(columns, generator=generator)
    return weight.to(dtype)


def random_dense(rows, columns, dtype, seed=1):
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed)).to(dtype)


def to_scipy(matrix: CSR):
    parts = (matrix.values.double().numpy(), matrix.columns.int().numpy(), matrix.row_pointers.numpy())
    return scipy.sparse.csr_matrix(parts, shape=matrix.shape)


def assert_product(result, matrix: CSR, dense):
    """`result` is matrix times dense, summed in float32 in any order and rounded once to its dtype."""
    exact = torch.from_numpy(to_scipy(matrix) @ dense.double().numpy())
    size = torch.from_numpy(abs(to_scipy(matrix)) @ dense.double().abs().numpy())
    terms = matrix.row_pointers.diff()[:, None]
    assert_rounded(result, exact, size, terms)


def assert_samples(result, matrix: CSR, left, right):
    """`result` is left times right transposed at the pattern of `matrix`."""
    rows, columns = matrix.row_indices, matrix.columns.long()
    exact = (left.double() @ right.double().T)[rows, columns]
    size = (left.double().abs() @ right.double().abs().T)[rows, columns]
    assert_rounded(result, exact, size, left.shape[1])


def assert_rounded(result, exact, size, terms):
    """Off by at most one rounding to the dtype and `terms` float32 roundings of the sum of sizes (Higham 2002, 3)."""
    assert result.shape == exact.shape
    unit = ROUNDING[torch.float64 if result.dtype == torch.float64 else torch.float32]
    allowed = ROUNDING[result.dtype] * exact.abs() + TINY[result.dtype] + 1.01 * (terms + 1) * unit * size
    excess = (result.double() - exact).abs() - allowed
    assert not (excess > 0).any(), f"{excess.max().item():.3g} more than rounding explains"
    assert not result.isnan().any()
