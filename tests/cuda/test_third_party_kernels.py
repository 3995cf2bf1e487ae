"""Unmodified kernels in the manner of public samples: right results on the host, and nothing to complain of."""

import numpy as np
import pytest

from course_lib import cuda
from tests.cuda.third_party import CASES, tiled_matmul


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_result(case, rng):
    kernel, grid, block, arguments, shared_mem, expected, tolerance = case(rng)
    with cuda.use("host"):
        kernel(grid, block, arguments, shared_mem=shared_mem)
    for position, values in expected.items():
        np.testing.assert_allclose(arguments[position], values, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_a_correct_kernel_gives_no_report(case, rng):
    kernel, grid, block, arguments, shared_mem, _, _ = case(rng)
    before = [np.copy(value) for value in arguments]
    report = cuda.check(kernel, grid, block, arguments, shared_mem)
    assert report.ok, str(report)
    assert not report.notes, str(report)
    for value, kept in zip(arguments, before, strict=True):
        np.testing.assert_array_equal(value, kept)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_in_a_process_of_its_own_the_result_is_the_same(case, rng):
    kernel, grid, block, arguments, shared_mem, expected, tolerance = case(rng)
    with cuda.use("host", isolated=True):
        kernel(grid, block, arguments, shared_mem=shared_mem)
    for position, values in expected.items():
        np.testing.assert_allclose(arguments[position], values, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("m", "n", "k"), [(1, 1, 1), (17, 1, 31), (1, 19, 2), (16, 16, 16), (31, 37, 41)])
def test_matmul_of_awkward_sizes(rng, m, n, k):
    kernel, grid, block, arguments, _, expected, tolerance = tiled_matmul(rng, m, n, k)
    with cuda.use("host"):
        kernel(grid, block, arguments)
    np.testing.assert_allclose(arguments[2], expected[2], rtol=tolerance, atol=tolerance)
