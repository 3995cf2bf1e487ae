"""Which template and which grid a problem gets. An address that a vector load cannot take is a fault on a GPU only."""

from __future__ import annotations

import pytest
import torch

from course_lib.sparse import CSR
from course_lib.sparse.csr_matmul.launch import csr_matmul_launch, sddmm_launch
from tests.sparse.csr_matmul.problems import random_matrix


def tiled(matrix, dense, version=3):
    out = dense.new_empty(matrix.shape[0], dense.shape[1])
    return csr_matmul_launch(version, matrix.values, matrix.columns, matrix.row_pointers, matrix.row_order, dense, out)


def sampled(left, right, matrix):
    out = left.new_empty(matrix.nnz)
    return sddmm_launch(left, right, matrix.columns, matrix.row_pointers, matrix.row_order, out)


def matrix(rows=10, columns=32, dtype=torch.float32, index_dtype=None):
    return CSR.from_dense(random_matrix(rows, columns, 0.5, dtype), index_dtype=index_dtype)


@pytest.mark.parametrize(
    ("width", "dtype", "template", "lanes", "tiles"),
    [
        (1, torch.float32, "float, short, 1, 1", 1, 1),
        (4, torch.float32, "float, short, 4, 1", 1, 1),
        (6, torch.float32, "float, short, 2, 1", 4, 1),
        (16, torch.float32, "float, short, 4, 1", 4, 1),
        (128, torch.float32, "float, short, 4, 1", 32, 1),
        (252, torch.float32, "float, short, 4, 1", 32, 2),
        (512, torch.float32, "float, short, 4, 2", 32, 2),
        (509, torch.float32, "float, short, 1, 4", 32, 4),
        (8, torch.float16, "__half, short, 8, 1", 1, 1),
        (4096, torch.float16, "__half, short, 8, 2", 32, 8),
        (20, torch.bfloat16, "__nv_bfloat16, short, 4, 1", 8, 1),
    ],
)
def test_tiled_template(width, dtype, template, lanes, tiles):
    launch = tiled(matrix(dtype=dtype), torch.ones(32, width, dtype=dtype))
    assert launch.template == f"tiled<{template}>"
    assert launch.args[-1] == lanes
    assert launch.grid == (3, tiles)  # 10 rows, 4 warps to a block
    assert launch.block == (32, 4)


@pytest.mark.parametrize(("offset", "vector"), [(0, 8), (1, 1), (2, 2), (4, 4), (8, 8)])
def test_vector_loads_need_aligned_addresses(offset, vector):
    buffer = torch.zeros(offset + 32 * 64, dtype=torch.float16)
    dense = buffer[offset:].view(32, 64)
    assert tiled(matrix(dtype=torch.float16), dense).template.split(", ")[2] == str(vector)
    left = torch.zeros(10, 64, dtype=torch.float16)
    pattern = matrix(dtype=torch.float16)
    assert sampled(left, dense, pattern).template.split(", ")[2] == f"{vector}>"


def test_values_and_columns_are_moved_to_aligned_addresses():
    whole = matrix()
    shifted = CSR(
        torch.cat([torch.zeros(1), whole.values])[1:],
        torch.cat([torch.zeros(3, dtype=torch.int16), whole.columns])[3:],
        whole.row_pointers,
        whole.shape,
    )
    _, values, columns, *_ = tiled(shifted, torch.ones(32, 4)).args
    assert values.data_ptr() % 16 == 0
    assert columns.data_ptr() % 8 == 0
    assert torch.equal(values, whole.values)
    assert torch.equal(columns, whole.columns)
    assert tiled(whole, torch.ones(32, 4)).args[1].data_ptr() == whole.values.data_ptr()


@pytest.mark.parametrize(("version", "grid"), [(1, (3, 65535)), (2, (65, 2188)), (3, (65, 274))])
def test_grids_stay_within_what_cuda_allows(version, grid):
    launch = tiled(matrix(rows=259), torch.empty(32, 1).expand(32, 70000), version)
    assert launch.grid == grid


@pytest.mark.parametrize(("width", "lanes"), [(1, 1), (8, 2), (12, 4), (32, 8), (512, 8)])
def test_sddmm_lanes(width, lanes):
    launch = sampled(torch.ones(10, width), torch.ones(32, width), matrix())
    assert launch.args[-1] == lanes
    assert launch.grid == (3,)
