from __future__ import annotations

import pytest
import torch

from course_lib import cuda
from course_lib.errors import CourseError
from course_lib.sparse import CSR, csr_matmul
from course_lib.sparse.csr_matmul import operators
from tests.sparse.csr_matmul.problems import assert_product, random_dense, random_matrix

MATRIX = CSR.from_dense(random_matrix(6, 9, 0.4, torch.float32))
DENSE = random_dense(9, 4, torch.float32)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
def test_default_on_a_cpu(dtype):
    matrix = CSR.from_dense(random_matrix(31, 47, 0.3, dtype))
    dense = random_dense(47, 13, dtype)
    out = csr_matmul(matrix, dense)
    assert out.dtype == dtype
    assert_product(out, matrix, dense)


def launched(monkeypatch, call):
    """Which kernels `call` launches."""
    names = []
    run = operators.csr_matmul_launch

    def spy(version, *args):
        names.append(run(version, *args).file)
        return run(version, *args)

    monkeypatch.setattr(operators, "csr_matmul_launch", spy)
    call()
    return names


def test_version_and_backend_choose_the_kernel(monkeypatch):
    assert launched(monkeypatch, lambda: csr_matmul(MATRIX, DENSE)) == []
    for version, name in ((1, "row_per_thread"), (2, "row_per_warp"), (3, "tiled")):
        assert launched(monkeypatch, lambda v=version: csr_matmul(MATRIX, DENSE, version=v)) == [name]
    with cuda.use("host"):
        assert launched(monkeypatch, lambda: csr_matmul(MATRIX, DENSE)) == ["tiled"]
        double = MATRIX.with_values(MATRIX.values.double())
        assert launched(monkeypatch, lambda: csr_matmul(double, DENSE.double())) == []


def test_gradients_use_the_same_kernel(monkeypatch):
    dense = DENSE.clone().requires_grad_()
    call = lambda: csr_matmul(MATRIX, dense, version=2).sum().backward()  # noqa: E731
    assert launched(monkeypatch, call) == ["row_per_warp", "row_per_warp"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((torch.ones(6, 9), DENSE), "matrix is a CSR, not a Tensor. Make one with CSR.from_dense"),
        ((MATRIX, DENSE.tolist()), "dense is a tensor .* not a list"),
        ((MATRIX, DENSE[:, 0]), r"shape \(9,\). A vector becomes a matrix"),
        ((MATRIX, DENSE.to_sparse_csr()), "dense is a tensor"),
        ((MATRIX, DENSE.T), r"matrix \[6, 9\] has 9 columns, .* but it is \[4, 9\]"),
        ((MATRIX, DENSE.half()), "matrix is float32 and dense float16. Convert one"),
        ((MATRIX, DENSE.to("meta")), "matrix lies on cpu, dense on meta. Move one"),
    ],
)
def test_arguments_that_do_not_fit(arguments, words):
    with pytest.raises(CourseError, match=words):
        csr_matmul(*arguments)


def test_versions_that_do_not_fit():
    with pytest.raises(
        CourseError, match=r"1 \(row per thread\), 2 \(row per warp\), 3 \(tiled\), or None .* 4 is none"
    ):
        csr_matmul(MATRIX, DENSE, version=4)
    with pytest.raises(CourseError, match="0 is none"):
        csr_matmul(MATRIX, DENSE, version=0)
    double = MATRIX.with_values(MATRIX.values.double())
    with pytest.raises(CourseError, match="Leave version out for float64"):
        csr_matmul(double, DENSE.double(), version=3)


def test_too_wide_for_the_kernels():
    with pytest.raises(CourseError, match="Split dense by columns"):
        csr_matmul(MATRIX, torch.empty(9, 1).expand(9, 1 << 30))
