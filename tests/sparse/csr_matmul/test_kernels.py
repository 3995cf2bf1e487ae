"""Every kernel on the host runner: the result is the exact one, rounded as the dtype rounds."""

from __future__ import annotations

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from course_lib import cuda
from course_lib.sparse import CSR, csr_matmul
from course_lib.sparse.csr_matmul import launch
from course_lib.sparse.csr_matmul.op import sddmm_op
from tests.examples import examples
from tests.sparse.csr_matmul.problems import assert_product, assert_samples, random_dense, random_matrix

# (dtype, index dtype): together they meet every element type and both index types
TYPES = [
    (torch.float32, torch.int16),
    (torch.float16, torch.int32),
    (torch.bfloat16, torch.int16),
]
SHAPES = [(1, 1, 1), (1, 7, 5), (5, 1, 3), (37, 53, 17), (66, 130, 33), (3, 0, 2)]


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("types", TYPES, ids=str)
def test_plain_versions(version, types):
    for rows, columns, width in SHAPES:
        check_product(rows, columns, width, 0.3, types, version)


# rows, columns, width, types; the comments say which template the width selects: (VECTOR, REPEAT), lanes
@pytest.mark.parametrize(
    "problem",
    [
        (37, 53, 17, torch.float32, torch.int16),  # (1, 1), 32 lanes, 15 of them past the width
        (9, 300, 4, torch.float32, torch.int16),  # (4, 1), 1 lane: all 32 groups share a row
        (9, 300, 12, torch.float32, torch.int16),  # (4, 1), 4 lanes, one past the width
        (13, 40, 131, torch.float32, torch.int16),  # (1, 4): rows that begin at odd addresses
        (21, 150, 260, torch.float32, torch.int32),  # (4, 2), two tiles, the second nearly empty
        (17, 64, 40, torch.float16, torch.int16),  # (8, 1), 8 lanes, three past the width
        (11, 70, 12, torch.float16, torch.int32),  # (4, 1)
        (10, 33, 520, torch.bfloat16, torch.int16),  # (8, 2), two tiles
        (10, 33, 7, torch.bfloat16, torch.int16),  # (1, 1)
    ],
    ids=str,
)
@pytest.mark.parametrize("density", [0, 0.2, 1])
def test_tiled(problem, density):
    rows, columns, width, *types = problem
    check_product(rows, columns, width, density, types, 3)


@examples(80)
@given(
    rows=st.integers(1, 40),
    columns=st.integers(0, 300),
    width=st.sampled_from([1, 2, 3, 4, 6, 8, 16, 29, 31, 32, 62, 64]),
    density=st.sampled_from([0.0, 0.02, 0.1, 0.5, 1.0]),
    seed=st.integers(0, 1000),
)
@example(rows=5, columns=257, width=4, density=1.0, seed=0)  # rows longer than two stages of 128
def test_tiled_on_any_shape(rows, columns, width, density, seed):
    check_product(rows, columns, width, density, (torch.float32, torch.int16), 3, seed)


def check_product(rows, columns, width, density, types, version, seed=0):
    dtype, index_dtype = types
    matrix = CSR.from_dense(random_matrix(rows, columns, density, dtype, seed), index_dtype=index_dtype)
    dense = random_dense(columns, width, dtype, seed + 1)
    assert_product(csr_matmul(matrix, dense, version=version), matrix, dense)


@pytest.mark.parametrize(
    ("width", "dtype", "index_dtype"),
    [
        (7, torch.float32, torch.int16),
        (36, torch.float32, torch.int16),  # a batch of 4 reads for one lane, single ones for the rest
        (260, torch.float16, torch.int32),
        (24, torch.bfloat16, torch.int16),
    ],
)
def test_sddmm(width, dtype, index_dtype):
    for rows, columns, density in [(1, 1, 1), (23, 41, 0.3), (6, 80, 1), (9, 30, 0), (4, 300, 0.1)]:
        matrix = CSR.from_dense(random_matrix(rows, columns, density, dtype), index_dtype=index_dtype)
        left, right = random_dense(rows, width, dtype, 2), random_dense(columns, width, dtype, 3)
        with cuda.use("host"):
            samples = sddmm_op(left, right, matrix.columns, matrix.row_pointers, matrix.row_order, 3)
        assert_samples(samples, matrix, left, right)


@pytest.mark.parametrize("version", [1, 2, 3])
def test_nothing_to_compute(version):
    for rows, columns, width in [(0, 3, 2), (3, 4, 0), (0, 0, 0)]:
        out = csr_matmul(CSR.from_dense(torch.zeros(rows, columns)), torch.ones(columns, width), version=version)
        assert out.shape == (rows, width)
    assert csr_matmul(CSR.from_dense(torch.zeros(3, 4)), torch.ones(4, 2), version=version).tolist() == [[0, 0]] * 3


@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_value_touches_its_own_row_of_dense_only(version):
    """An infinity in a row of dense that no value of a row of the matrix meets must not become NaN there."""
    weight = random_matrix(9, 140, 0.3, torch.float32)
    weight[::2, :3] = 0
    dense = random_dense(140, 4, torch.float32)
    dense[:3] = torch.tensor([torch.inf, -torch.inf, torch.nan])[:, None]
    out = csr_matmul(CSR.from_dense(weight), dense, version=version)
    meets = (weight[:, :3] != 0).any(1)
    assert torch.equal(out.isfinite().all(1), ~meets)
    dense[:3] = 0
    assert torch.equal(out[~meets], csr_matmul(CSR.from_dense(weight), dense, version=version)[~meets])


@pytest.mark.parametrize("version", [1, 2, 3])
def test_halves_overflow_where_the_exact_result_does(version):
    weight = torch.full((2, 40), 60.0, dtype=torch.float16)
    dense = torch.full((40, 4), 30.0, dtype=torch.float16)
    dense[20:] = -29
    out = csr_matmul(CSR.from_dense(weight, index_dtype=torch.int32), dense, version=version)
    assert (out == 1200).all()  # 36000 on the way, which half cannot add to itself
    dense[20:] = 30
    assert (csr_matmul(CSR.from_dense(weight, index_dtype=torch.int32), dense, version=version) == torch.inf).all()


def test_slices_that_begin_anywhere():
    """Values, columns and dense at addresses that no vector load accepts."""
    matrix = CSR.from_dense(random_matrix(11, 60, 0.4, torch.float32))
    shifted = CSR(
        torch.cat([torch.zeros(1), matrix.values])[1:],
        torch.cat([torch.zeros(3, dtype=torch.int16), matrix.columns])[3:],
        matrix.row_pointers,
        matrix.shape,
    )
    dense = random_dense(60, 8, torch.float32)
    unaligned = torch.cat([torch.zeros(1), dense.flatten()])[1:].view(60, 8)
    assert unaligned.data_ptr() % 16 == 4
    assert_product(csr_matmul(shifted, unaligned, version=3), matrix, dense)
    assert_product(csr_matmul(matrix, dense.T.contiguous().T, version=3), matrix, dense)


def test_wide_matrices_step_over_the_grid_limit(monkeypatch):
    monkeypatch.setattr(launch, "GRID_Y", 1)
    for version in (1, 2, 3):
        check_product(5, 20, 131, 0.4, (torch.float32, torch.int16), version)


def test_columns_behind_the_16_bit_limit():
    weight = torch.zeros(3, 40000)
    weight[0, 39999] = weight[2, 32768] = 2
    dense = random_dense(40000, 3, torch.float32)
    for version in (1, 2, 3):
        out = csr_matmul(CSR.from_dense(weight), dense, version=version)
        assert torch.equal(out, torch.stack([2 * dense[39999], torch.zeros(3), 2 * dense[32768]]))
