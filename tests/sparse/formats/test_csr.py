from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import scipy.sparse
import torch
from hypothesis import given
from hypothesis import strategies as st

from course_lib.errors import CourseError
from course_lib.sparse import CSR
from tests.examples import examples

ROOT = Path(__file__).resolve().parents[3]

# the example in the module's documentation
SMALL = torch.tensor([[0.0, 1, 0, 2], [0, 0, 0, 0], [3, 4, 0, 5]])


def test_the_documented_example():
    matrix = CSR.from_dense(SMALL)
    assert matrix.values.tolist() == [1, 2, 3, 4, 5]
    assert matrix.columns.tolist() == [1, 3, 0, 1, 3]
    assert matrix.row_pointers.tolist() == [0, 2, 2, 5]
    assert (matrix.nnz, matrix.density) == (5, 5 / 12)
    assert matrix.nbytes == 5 * 4 + 5 * 2 + 4 * 4
    assert repr(matrix) == "CSR(3 x 4, 5 values = 41.7%, float32, int16 columns, cpu)"


@examples(60)
@given(st.integers(0, 9), st.integers(0, 9), st.floats(0, 1), st.sampled_from([torch.float32, torch.bfloat16]))
def test_round_trip_and_scipy(rows, columns, density, dtype):
    generator = torch.Generator().manual_seed(rows * 10 + columns)
    dense = torch.randn(rows, columns, generator=generator) * (torch.rand(rows, columns, generator=generator) < density)
    dense = dense.to(dtype)
    matrix = CSR.from_dense(dense).check()
    assert torch.equal(matrix.to_dense(), dense)
    assert torch.equal(matrix.to_torch().to_dense(), dense)
    assert torch.equal(matrix.transpose().check().to_dense(), dense.T)
    expected = scipy.sparse.csr_matrix(dense.double().numpy())
    assert matrix.columns.tolist() == expected.indices.tolist()
    assert matrix.row_pointers.tolist() == expected.indptr.tolist()
    assert matrix.transpose().columns.tolist() == scipy.sparse.csr_matrix(dense.T.double().numpy()).indices.tolist()


def test_nan_and_infinity_are_values():
    dense = torch.tensor([[0.0, torch.nan], [-torch.inf, 0.0]])
    assert torch.equal(CSR.from_dense(dense).values.isnan(), torch.tensor([True, False]))
    assert CSR.from_dense(dense).values[1] == -torch.inf


def test_from_torch_sums_duplicates_of_coordinate_format():
    places, values = torch.tensor([[0, 0, 1], [2, 2, 0]]), torch.tensor([1.0, 2, 4])
    coordinates = torch.sparse_coo_tensor(places, values, (2, 3), check_invariants=True)
    assert torch.equal(CSR.from_torch(coordinates).to_dense(), torch.tensor([[0.0, 0, 3], [4, 0, 0]]))


def test_from_torch_shares_nothing_that_the_compiler_cannot_trace():
    sparse = SMALL.to_sparse_csr()
    matrix = CSR.from_torch(sparse)
    matrix.values[0] = 9
    assert sparse.values()[0] == 1
    assert all(part._base is None for part in (matrix.values, matrix.columns, matrix.row_pointers))


@pytest.mark.parametrize(("columns", "expected"), [(32768, torch.int16), (32769, torch.int32)])
def test_columns_take_16_bits_where_they_fit(columns, expected):
    dense = torch.zeros(2, columns)
    dense[1, columns - 1] = 1
    matrix = CSR.from_dense(dense).check()
    assert matrix.columns.dtype == expected
    assert int(matrix.columns[0]) == columns - 1
    assert torch.equal(matrix.with_index_dtype(torch.int32).to_dense(), dense)


def test_same_pattern_shares_what_was_found():
    matrix = CSR.from_dense(SMALL)
    other = matrix.with_values(matrix.values * 2)
    assert other.row_order is matrix.row_order
    assert matrix.transposed_pattern is other.transposed_pattern
    assert torch.equal(other.to_dense(), 2 * SMALL)
    assert matrix.with_index_dtype(torch.int32).row_order is matrix.row_order


def test_what_was_found_under_inference_can_be_trained_with():
    matrix = CSR.from_dense(SMALL)
    with torch.inference_mode():
        assert not matrix.row_order.is_inference()
        assert not matrix.transposed_pattern.source.is_inference()


def test_row_order_is_by_falling_length():
    assert CSR.from_dense(SMALL).row_order.tolist() == [2, 0, 1]


def test_gradients_flow_through_values():
    matrix = CSR.from_dense(SMALL)
    values = matrix.values.clone().requires_grad_()
    (matrix.with_values(values).transpose().to_dense() * torch.arange(12.0).reshape(4, 3)).sum().backward()
    assert values.grad.tolist() == [3, 9, 2, 5, 11]


def test_no_warning_reaches_the_student():
    # torch warns once per process, so only a fresh one shows it
    code = """
import torch, warnings
from course_lib.sparse import CSR, csr_matmul
warnings.simplefilter("error")
matrix = CSR.from_dense(torch.eye(3))
csr_matmul(matrix, torch.ones(3, 2, requires_grad=True)).sum().backward()
CSR.from_torch(matrix.to_torch())
CSR.from_torch(torch.eye(3).to_sparse())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


VALUES, COLUMNS, POINTERS = torch.ones(2), torch.tensor([0, 1], dtype=torch.int16), torch.tensor([0, 2]).int()


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        (([1.0], COLUMNS, POINTERS, (1, 2)), "values is a 1-D tensor of float32 or .* not a list"),
        ((VALUES.int(), COLUMNS, POINTERS, (1, 2)), "values is .* not int32"),
        ((VALUES[:, None], COLUMNS, POINTERS, (1, 2)), r"values is .* shape \(2, 1\)"),
        ((VALUES, COLUMNS.long(), POINTERS, (1, 2)), "columns is .* int16 or int32, not int64"),
        ((VALUES, COLUMNS, POINTERS.long(), (1, 2)), "row_pointers is .* int32, not int64"),
        ((VALUES, COLUMNS[:1], POINTERS, (1, 2)), "2 and 1 arrived"),
        ((VALUES, COLUMNS, POINTERS, (2, 2)), "2 rows need 3 row_pointers"),
        ((VALUES, COLUMNS, POINTERS, (1, -2)), r"not \(1, -2\)"),
        ((VALUES, COLUMNS, POINTERS, (1, 40000)), "int16, which reaches 32768 columns"),
        ((VALUES, COLUMNS.to("meta"), POINTERS, (1, 2)), "lie on cpu and meta"),
    ],
)
def test_parts_that_do_not_fit_are_refused(parts, words):
    with pytest.raises(CourseError, match=words):
        CSR(*parts)


@pytest.mark.parametrize(
    ("columns", "pointers", "words"),
    [
        ([0, 2], [0, 2], r"0..1, but columns\[1\] is 2"),
        ([0, -1], [0, 2], r"columns\[1\] is -1"),
        ([0, 1], [0, 1], "not from 0 to 1"),
        ([0, 1], [1, 2], "not from 1 to 2"),
        ([0, 1], [0, 3, 2], "row 1 ends before it begins"),
    ],
)
def test_check_reads_the_indices(columns, pointers, words):
    pointers = torch.tensor(pointers, dtype=torch.int32)
    matrix = CSR(VALUES, torch.tensor(columns, dtype=torch.int32), pointers, (len(pointers) - 1, 2))
    with pytest.raises(CourseError, match=words):
        matrix.check()


@pytest.mark.parametrize("wrong", [torch.ones(3), torch.ones(2, 2, dtype=torch.int64), [[1.0]], torch.ones(1, 1, 1)])
def test_from_dense_refuses_what_is_no_matrix_of_floats(wrong):
    with pytest.raises(CourseError, match="needs a matrix of floating point numbers"):
        CSR.from_dense(wrong)


def test_from_torch_refuses_a_dense_tensor_and_too_narrow_indices():
    with pytest.raises(CourseError, match="needs a torch sparse matrix"):
        CSR.from_torch(SMALL)
    with pytest.raises(CourseError, match=r"use columns.int\(\)"):
        CSR.from_dense(torch.ones(1, 40000), index_dtype=torch.int16)
    with pytest.raises(CourseError, match="40000 columns"):
        CSR.from_dense(torch.ones(1, 40000)).with_index_dtype(torch.int16)
