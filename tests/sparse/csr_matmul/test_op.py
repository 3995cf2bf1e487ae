from __future__ import annotations

import pytest
import torch

from course_lib import cuda
from course_lib.errors import CourseError
from course_lib.sparse import CSR, csr_matmul
from tests.rooms.launched import spy_on_launches
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


def test_version_and_backend_choose_the_kernel(monkeypatch):
    launched = spy_on_launches(monkeypatch)
    csr_matmul(MATRIX, DENSE)
    csr_matmul(MATRIX, DENSE, version=0)
    assert launched == []
    for version in (1, 2, 3):
        csr_matmul(MATRIX, DENSE, version=version)
    assert [template.partition("<")[0] for template in launched] == ["row_per_thread", "row_per_warp", "tiled"]
    with cuda.use("host"):
        csr_matmul(MATRIX, DENSE)
        assert launched[3:] == ["tiled<float, short, 4, 1>"]
        csr_matmul(MATRIX.with_values(MATRIX.values.double()), DENSE.double())
    assert len(launched) == 4


@pytest.mark.parametrize(("version", "kernels"), [(0, []), (None, []), (2, ["row_per_warp", "row_per_warp"])])
def test_gradients_take_the_same_way(monkeypatch, version, kernels):
    launched = spy_on_launches(monkeypatch)
    csr_matmul(MATRIX, DENSE.clone().requires_grad_(), version=version).sum().backward()
    assert [template.partition("<")[0] for template in launched] == kernels


def test_explanations():
    said = csr_matmul(MATRIX, DENSE, explain=True)
    assert str(said).startswith("csr_matmul: torch, because the tensors lie in the computer's memory, and torch's own")
    double = csr_matmul(MATRIX.with_values(MATRIX.values.double()), DENSE.double(), explain=True)
    assert str(double) == "csr_matmul: torch, because the kernels do not compute with float64."
    with cuda.use("host"):
        said = csr_matmul(MATRIX, DENSE, explain=True)
    assert "csr_matmul: host, version 3, because" in str(said)
    assert "tiled<float, short, 4, 1> of tiled.cu, grid (2, 1), block (32, 4)" in repr(said)
    said.launch.run()
    assert_product(said.launch.args[0], MATRIX, DENSE)
    assert said.launch.trace().of("dense", writes=False).bytes() == 4 * 4 * MATRIX.nnz


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
        CourseError, match=r"0 \(the definition\), 1 \(row per thread\), 2 \(row per warp\), 3 \(tiled\), or None"
    ):
        csr_matmul(MATRIX, DENSE, version=4)
    double = MATRIX.with_values(MATRIX.values.double())
    with pytest.raises(CourseError, match=r"float32, float16, bfloat16, not with float64. Leave version out"):
        csr_matmul(double, DENSE.double(), version=3)
    assert_product(csr_matmul(double, DENSE.double(), version=0), double, DENSE.double())


def test_too_wide_for_the_kernels():
    with pytest.raises(CourseError, match="Split dense by columns"):
        csr_matmul(MATRIX, torch.empty(9, 1).expand(9, 1 << 30))
