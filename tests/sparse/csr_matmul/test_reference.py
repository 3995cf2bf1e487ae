from __future__ import annotations

import pytest
import torch

from course_lib.sparse import CSR
from course_lib.sparse.csr_matmul import reference
from tests.sparse.csr_matmul.problems import ROUNDING, assert_product, assert_samples, random_dense, random_matrix

SHAPES = [(0, 3, 2), (3, 0, 2), (3, 4, 0), (1, 1, 1), (7, 11, 13), (64, 96, 1), (37, 50, 40)]


@pytest.mark.parametrize("multiply", [reference.csr_matmul, reference.csr_matmul_by_torch])
@pytest.mark.parametrize("density", [0, 0.3, 1])
@pytest.mark.parametrize("dtype", ROUNDING)
def test_product(multiply, density, dtype):
    for rows, columns, width in SHAPES:
        matrix = CSR.from_dense(random_matrix(rows, columns, density, dtype))
        dense = random_dense(columns, width, dtype)
        assert_product(multiply(matrix.values, matrix.columns, matrix.row_pointers, dense), matrix, dense)


@pytest.mark.parametrize("sample", [reference.sddmm, reference.sddmm_by_torch])
@pytest.mark.parametrize("dtype", ROUNDING)
def test_samples(sample, dtype):
    for rows, columns, width in SHAPES:
        matrix = CSR.from_dense(random_matrix(rows, columns, 0.4, dtype))
        left, right = random_dense(rows, width, dtype, 2), random_dense(columns, width, dtype, 3)
        assert_samples(sample(left, right, matrix.columns, matrix.row_pointers), matrix, left, right)


def test_products_are_taken_in_parts(monkeypatch):
    matrix = CSR.from_dense(random_matrix(13, 17, 0.5, torch.float32))
    dense, left = random_dense(17, 6, torch.float32), random_dense(13, 6, torch.float32)
    monkeypatch.setattr(reference, "PRODUCTS", 20)  # three values at a time
    pattern = (matrix.columns, matrix.row_pointers)
    assert_product(reference.csr_matmul(matrix.values, *pattern, dense), matrix, dense)
    assert_samples(reference.sddmm(left, dense, *pattern), matrix, left, dense)
