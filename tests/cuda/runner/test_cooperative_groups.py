"""Blocks, tiles and coalesced threads as groups."""

import numpy as np
import pytest

from course_lib import cuda

SOURCE = """
#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
#include <cooperative_groups/scan.h>
namespace cg = cooperative_groups;

template <int size> __global__ void tiles(const int* x, int* out, int n) {
    auto block = cg::this_thread_block();
    auto tile = cg::tiled_partition<size>(block);
    const int t = block.thread_rank(), v = x[t];
    out[0 * n + t] = cg::reduce(tile, v, cg::plus<int>());
    out[1 * n + t] = cg::reduce(tile, v, cg::greater<int>());
    out[2 * n + t] = tile.shfl(v, 1 % size);
    out[3 * n + t] = tile.shfl_down(v, 1);
    out[4 * n + t] = tile.ballot(v > 0);
    out[5 * n + t] = tile.any(v > 8) + 2 * tile.all(v > -9);
    out[6 * n + t] = cg::inclusive_scan(tile, v);
    out[7 * n + t] = cg::exclusive_scan(tile, v, cg::plus<int>());
    out[8 * n + t] = tile.meta_group_rank() * 1000 + tile.thread_rank();
    tile.sync();
    block.sync();
}
__device__ int sum_all(cg::thread_group g, int* scratch, int v) {
    const int lane = g.thread_rank();
    for (int i = g.size() / 2; i > 0; i /= 2) {
        scratch[lane] = v;
        g.sync();
        if (lane < i) v += scratch[lane + i];
        g.sync();
    }
    return v;
}
__global__ void generic(const int* x, int* out) {
    extern __shared__ int scratch[];
    auto g = cg::this_thread_block();
    const int whole = sum_all(g, scratch, x[g.thread_rank()]);
    auto tile = cg::tiled_partition(g, 16);
    const int part = sum_all(tile, &scratch[g.thread_rank() / 16 * 16], x[g.thread_rank()]);
    if (g.thread_rank() == 0) out[0] = whole;
    if (tile.thread_rank() == 0) out[1 + g.thread_rank() / 16] = part;
}
__global__ void whole_grid(long long* out) {
    auto grid = cg::this_grid();
    out[grid.thread_rank()] = grid.size();
    if (gridDim.x == 1) grid.sync();
}
"""


@pytest.mark.parametrize("size", [1, 2, 8, 32])
def test_tiles(size, rng):
    n = 96
    x = rng.integers(-9, 10, n).astype(np.int32)
    out = np.zeros((9, n), np.int32)
    kernel = cuda.compile(SOURCE, f"tiles<{size}>", backend="host")
    kernel(1, (32, 3), (x, out, n))
    rows = x.reshape(-1, size)
    ballots = [sum(int(v > 0) << k for k, v in enumerate(row)) for row in rows]
    down = np.concatenate([rows[:, 1:], rows[:, -1:]], 1)
    wide = {
        0: rows.sum(1),
        1: rows.max(1),
        2: rows[:, 1 % size],
        4: np.array(ballots, np.uint64).astype(np.uint32).view(np.int32),
        5: (rows > 8).any(1) + 2 * (rows > -9).all(1),
    }
    for row, values in wide.items():
        np.testing.assert_array_equal(out[row].reshape(-1, size), np.repeat(values[:, None], size, 1), f"row {row}")
    sums = rows.cumsum(1)
    np.testing.assert_array_equal(out[3].reshape(-1, size), down)
    np.testing.assert_array_equal(out[6].reshape(-1, size), sums)
    np.testing.assert_array_equal(out[7].reshape(-1, size), sums - rows)
    np.testing.assert_array_equal(out[8], np.arange(n) // size * 1000 + np.arange(n) % size)


def test_a_function_of_any_group(rng):
    x = rng.integers(-9, 10, 64).astype(np.int32)
    out = np.zeros(5, np.int32)
    kernel = cuda.compile(SOURCE, "generic", backend="host")
    kernel(1, 64, (x, out), shared_mem=256)
    np.testing.assert_array_equal(out, [x.sum(), *x.reshape(4, 16).sum(1)])
    report = cuda.check(kernel, 1, 64, (x, out), 256)
    assert report.ok, str(report)


def test_the_grid_as_a_group():
    kernel = cuda.compile(SOURCE, "whole_grid", backend="host")
    out = np.zeros(24, np.int64)
    kernel(3, 8, (out,))
    np.testing.assert_array_equal(out, 24)
    kernel(1, 8, (out,))
    np.testing.assert_array_equal(out, [8] * 8 + [24] * 16)


def test_waiting_for_the_whole_grid_is_refused():
    source = SOURCE + "__global__ void all_blocks(int* x) { cg::this_grid().sync(); }"
    with pytest.raises(cuda.LaunchError, match="split the kernel in two launches"):
        cuda.compile(source, "all_blocks", backend="host")(2, 32, (np.zeros(1, np.int32),))
