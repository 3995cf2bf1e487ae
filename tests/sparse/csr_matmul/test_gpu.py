"""The same promises on a GPU. Needs torch with CUDA and CuPy."""

from __future__ import annotations

import pytest
import torch

from course_lib.sparse import CSR, csr_matmul
from tests.sparse.csr_matmul.problems import assert_product, assert_samples, random_dense, random_matrix

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no NVIDIA GPU"),
]

DTYPES = [torch.float32, torch.float16, torch.bfloat16]
SHAPES = [(1, 1, 1), (3, 0, 2), (66, 130, 33), (127, 257, 64), (37, 53, 131), (300, 1000, 512), (50, 40000, 8)]


@pytest.mark.parametrize("version", [None, 1, 2, 3])
@pytest.mark.parametrize("dtype", DTYPES)
def test_product(version, dtype):
    for rows, columns, width in SHAPES:
        for density in (0, 0.2, 1):
            matrix = CSR.from_dense(random_matrix(rows, columns, density, dtype))
            dense = random_dense(columns, width, dtype)
            on_gpu = matrix.to("cuda")
            for each in [on_gpu, on_gpu.with_index_dtype(torch.int32)]:
                assert_product(csr_matmul(each, dense.cuda(), version=version).cpu(), matrix, dense)


def test_nothing_to_compute():
    for rows, columns, width in [(0, 3, 2), (3, 4, 0), (0, 0, 0)]:
        matrix = CSR.from_dense(torch.zeros(rows, columns, device="cuda"))
        assert csr_matmul(matrix, torch.ones(columns, width, device="cuda")).shape == (rows, width)


def test_float64_takes_the_definition():
    matrix = CSR.from_dense(random_matrix(20, 30, 0.3, torch.float64))
    dense = random_dense(30, 5, torch.float64)
    assert_product(csr_matmul(matrix.to("cuda"), dense.cuda()).cpu(), matrix, dense)


@pytest.mark.parametrize("dtype", DTYPES)
def test_gradients(dtype):
    matrix = CSR.from_dense(random_matrix(119, 231, 0.2, dtype))
    values = matrix.values.cuda().requires_grad_()
    dense = random_dense(231, 64, dtype)
    on_gpu, gradient = dense.cuda().requires_grad_(), random_dense(119, 64, dtype, 5)
    csr_matmul(matrix.to("cuda").with_values(values), on_gpu).backward(gradient.cuda())
    assert_samples(values.grad.cpu(), matrix, gradient, dense)
    assert_product(on_gpu.grad.cpu(), matrix.transpose(), gradient)


def test_compiles_whole():
    matrix = CSR.from_dense(random_matrix(64, 96, 0.3, torch.float32)).to("cuda")
    compiled = torch.compile(lambda dense: torch.relu(csr_matmul(matrix, dense * 2)), fullgraph=True)
    dense = random_dense(96, 32, torch.float32).cuda().requires_grad_()
    expected = torch.relu(csr_matmul(matrix, dense * 2))
    torch.testing.assert_close(compiled(dense), expected)


def test_two_runs_give_the_same_bits_on_any_stream():
    matrix = CSR.from_dense(random_matrix(500, 700, 0.3, torch.float32)).to("cuda")
    dense = random_dense(700, 100, torch.float32).cuda()
    first = csr_matmul(matrix, dense)
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        second = csr_matmul(matrix, dense)
    stream.synchronize()
    assert torch.equal(first, second)


def test_it_can_be_captured_in_a_graph():
    matrix = CSR.from_dense(random_matrix(100, 120, 0.3, torch.float16)).to("cuda")
    dense = random_dense(120, 16, torch.float16).cuda()
    expected = csr_matmul(matrix, dense)  # compiles, and finds the row order
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        out = csr_matmul(matrix, dense)
    out.zero_()
    graph.replay()
    assert torch.equal(out, expected)


@pytest.mark.parametrize("version", [1, 2, 3])
def test_more_elements_than_32_bits_count(version):
    columns, width = 66000, 33000
    if torch.cuda.mem_get_info()[0] < 16 << 30:
        pytest.skip("needs 16 GB of GPU memory")
    dense = torch.zeros(columns, width, dtype=torch.float16, device="cuda")
    dense[columns - 1, width - 1] = 3
    weight = torch.zeros(5, columns, dtype=torch.float16, device="cuda")
    weight[4, columns - 1] = 2
    out = csr_matmul(CSR.from_dense(weight), dense, version=version)
    assert out.count_nonzero() == 1
    assert out[4, width - 1] == 6
