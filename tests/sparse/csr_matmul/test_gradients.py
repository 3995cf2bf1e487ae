from __future__ import annotations

import pytest
import torch

from course_lib import cuda
from course_lib.sparse import CSR, csr_matmul
from tests.sparse.csr_matmul.problems import assert_product, assert_samples, random_dense, random_matrix


@pytest.mark.parametrize(
    ("rows", "columns", "width", "density"), [(5, 7, 3, 0.4), (1, 4, 1, 1), (4, 3, 2, 0), (2, 3, 0, 1)]
)
def test_first_and_second_derivatives_in_float64(rows, columns, width, density):
    matrix = CSR.from_dense(random_matrix(rows, columns, density, torch.float64))
    values = matrix.values.clone().requires_grad_()
    dense = random_dense(columns, width, torch.float64).requires_grad_()

    def multiply(values, dense):
        return csr_matmul(matrix.with_values(values), dense)

    assert torch.autograd.gradcheck(multiply, (values, dense))
    assert torch.autograd.gradgradcheck(multiply, (values, dense))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_kernels_give_the_gradients_of_the_definition(dtype):
    """dA = (dC B^T) at the pattern, dB = A^T dC, each rounded once."""
    matrix = CSR.from_dense(random_matrix(19, 31, 0.3, dtype))
    values = matrix.values.clone().requires_grad_()
    dense = random_dense(31, 12, dtype).requires_grad_()
    gradient = random_dense(19, 12, dtype, 5)
    with cuda.use("host"):
        csr_matmul(matrix.with_values(values), dense).backward(gradient)
    assert_samples(values.grad, matrix, gradient, dense.detach())
    assert_product(dense.grad, matrix.transpose(), gradient)


def test_only_the_gradients_that_are_asked_for():
    matrix = CSR.from_dense(random_matrix(5, 6, 0.5, torch.float32))
    dense = random_dense(6, 2, torch.float32).requires_grad_()
    csr_matmul(matrix, dense).sum().backward()
    assert dense.grad is not None
    assert matrix.values.grad is None
    assert not csr_matmul(matrix, dense.detach()).requires_grad


def test_the_transpose_is_found_once():
    matrix = CSR.from_dense(random_matrix(5, 6, 0.5, torch.float32))
    csr_matmul(matrix, torch.ones(6, 2))
    assert matrix._found.transposed is None
    csr_matmul(matrix, torch.ones(6, 2, requires_grad=True))
    found = matrix.transposed_pattern
    csr_matmul(matrix, torch.ones(6, 2, requires_grad=True))
    assert matrix.transposed_pattern is found


@pytest.mark.parametrize("version", [None, 3])
def test_torch_accepts_the_operations(version):
    matrix = CSR.from_dense(random_matrix(5, 7, 0.4, torch.float32))
    values = matrix.values.clone().requires_grad_()
    dense, left = (random_dense(size, 3, torch.float32).requires_grad_() for size in (7, 5))
    pattern = (matrix.columns, matrix.row_pointers)
    for order, transposed in ((None, []), (matrix.row_order, list(matrix.transposed_pattern))):
        torch.library.opcheck(
            torch.ops.course.csr_matmul.default, (values, *pattern, dense, order, transposed, version)
        )
    torch.library.opcheck(torch.ops.course.sddmm.default, (left, dense, *pattern, matrix.row_order, version))


@pytest.mark.parametrize("version", [None, 3])
def test_compiles_whole(version):
    matrix = CSR.from_dense(random_matrix(9, 12, 0.4, torch.float32))
    values = matrix.values.clone()

    def step(values, dense):
        return torch.relu(csr_matmul(matrix.with_values(values), dense * 2, version=version)).sum()

    def gradients(call, width):
        leaves = values.clone().requires_grad_(), random_dense(12, width, torch.float32).requires_grad_()
        call(*leaves).backward()
        return [leaf.grad for leaf in leaves]

    compiled = torch.compile(step, fullgraph=True, backend="aot_eager")
    for width in (3, 5, 8):  # the second width makes the graph dynamic
        torch.testing.assert_close(gradients(compiled, width), gradients(step, width))
