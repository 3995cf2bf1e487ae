"""A checked launch: its parts, and what numbers of blocks and threads mean in it."""

import numpy as np
import pytest

from course_lib import cuda

SOURCE = "__global__ void k(float* x, int n) { if (threadIdx.x < n) x[threadIdx.x] = n; }"


@pytest.fixture(scope="module")
def kernel():
    return cuda.compile(SOURCE, "k", backend="host")


def test_its_parts(kernel):
    x = np.zeros(4, np.float32)
    launch = kernel.bound((2, 3), 32, (x, 4), shared_mem=16)
    assert (launch.grid, launch.block, launch.shared_mem) == ((2, 3, 1), (32, 1, 1), 16)
    assert [argument.value for argument in launch.arguments] == [x.ctypes.data, 4]
    assert (launch.name, launch.threads) == ("k", 32)
    assert not x.any()  # nothing has run


@pytest.mark.parametrize(("grid", "block"), [((1, 1, 1), (1, 1, 1)), ((5, 1, 3), (7, 4, 2)), ((2, 6, 1), (64, 3, 5))])
def test_numbers_count_x_first(kernel, grid, block):
    launch = kernel.bound(grid, block, (None, 0))
    for size, index in ((grid, launch.block_index), (block, launch.thread_index)):
        for number in range(np.prod(size)):
            assert index(number) == np.unravel_index(number, size, order="F")
    for number in range(np.prod(block)):
        assert launch.warp_of(launch.thread_index(number)) == number // 32


def test_what_does_not_fit_is_refused_before_anything_runs(kernel):
    x = np.zeros(4, np.float32)
    with pytest.raises(cuda.ArgumentError, match="takes 2 arguments, 1 arrived"):
        kernel.bound(1, 1, (x,))
    for grid, block, shared_mem in ((0, 1, 0), (1, 2000, 0), (1, 1, 10**6)):
        with pytest.raises(cuda.LaunchError):
            kernel.bound(grid, block, (x, 4), shared_mem)
