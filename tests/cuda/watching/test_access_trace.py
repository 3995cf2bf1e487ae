"""Traces against what the index maps say by hand."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_lib import cuda
from course_lib.cuda import written_kernel
from course_lib.cuda.watching import access_picture, access_trace
from tests.examples import examples

STRIDED = """
__global__ void k(float* out, const float* x, int n, int stride) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = x[i * stride];
}
"""


def traced(source, grid, block, *arguments, name="k", **options):
    return access_trace.trace(written_kernel.apart(source, name), grid, block, arguments, **options)


def strided(stride, n=64, threads=32):
    x, out = np.arange(n * stride, dtype=np.float32), np.zeros(n, np.float32)
    return traced(STRIDED, -(-n // threads), threads, out, x, n, stride)


@pytest.mark.parametrize(("stride", "sectors"), [(1, 8), (2, 16), (4, 32), (8, 64), (9, 64), (0, 2)])
def test_sectors_of_a_strided_read(stride, sectors):
    stride_or_one = max(stride, 1)
    x, out = np.zeros(64 * stride_or_one, np.float32), np.zeros(64, np.float32)
    trace = traced(STRIDED, 2, 32, out, x, 64, stride)
    reads = trace.of("x", writes=False)
    assert (len(reads), reads.bytes(), reads.sectors()) == (64, 256, sectors)
    assert trace.of("out", writes=True).sectors() == 8
    assert not len(trace.of("out", writes=False)) and not len(trace.of("nothing"))


@examples(20)
@given(st.integers(1, 80), st.integers(1, 12), st.sampled_from([16, 32, 48, 64]))
def test_addresses_are_those_of_the_index_map(n, stride, threads):
    reads = strided(stride, n, threads).of("x", writes=False)
    who = reads.accesses["block"].astype(int) * threads + reads.accesses["thread"]
    assert sorted(zip(who, reads.accesses["offset"] // 4, strict=True)) == [(i, i * stride) for i in range(n)]
    warps = {(int(b), int(t) // 32) for b, t in zip(reads.accesses["block"], reads.accesses["thread"], strict=True)}
    assert len(set(reads.requests())) == len(warps)
    by_hand = {(i // threads, i % threads // 32, i * stride * 4 // 32) for i in range(n)}
    assert reads.sectors() == len(by_hand)


def test_turns_of_a_loop_belong_together_across_lanes():
    source = """
__global__ void k(float* out, const float* x) {
    float sum = 0;
    for (int i = 0; i <= threadIdx.x % 3; ++i) sum += x[i * 32 + threadIdx.x];
    out[threadIdx.x] = sum;
}
"""
    x, out = np.ones(96, np.float32), np.zeros(32, np.float32)
    reads = traced(source, 1, 32, out, x).of("x", writes=False)
    assert sorted(np.bincount(reads.requests())) == [10, 21, 32]
    assert (np.bincount(reads.turn) == [32, 21, 10]).all()
    assert not out.any()  # the arrays passed in stay as they are


def test_shared_memory_and_lines_are_named():
    source = """
__global__ void k(float* out) {
    __shared__ float tile[32];
    tile[threadIdx.x] = 1;
    __syncthreads();
    out[threadIdx.x] = tile[31 - threadIdx.x];
}
"""
    trace = traced(source, 1, 32, np.zeros(32, np.float32))
    assert set(trace.arrays) == {"tile", "out"}
    assert len(trace.of("tile", writes=True)) == len(trace.of("tile", writes=False)) == 32
    assert {line for line, _ in trace.lines.values()} == {4, 6}


def test_vector_loads_count_once_with_their_bytes():
    source = "__global__ void k(float4* out, const float4* x) { out[threadIdx.x] = x[threadIdx.x]; }"
    x, out = np.zeros(128, np.float32), np.zeros(128, np.float32)
    reads = traced(source, 1, 32, out, x).of("x", writes=False)
    assert (reads.bytes(), reads.sectors()) == (512, 16)


def test_a_kernel_that_does_not_end_well_is_an_error():
    with pytest.raises(cuda.LaunchError, match="finish"):
        traced("__global__ void k(volatile int* x) { while (!*x) ; }", 1, 1, np.zeros(1, np.int32), time_limit=0.3)


def test_the_picture_shows_who_read_what():
    trace = strided(3, n=40, threads=64)
    grid, per_sector = access_picture.lane_grid(trace, "x")
    assert per_sector == 8 and grid.shape == (1, 94)
    assert [int(lane) for lane in grid[0][::3]] == list(range(32)) and np.isnan(grid[0][1::3]).all()
    second, _ = access_picture.lane_grid(trace, "x", warp=1)
    assert np.flatnonzero(~np.isnan(second[0])).tolist() == [3 * i for i in range(32, 40)]
    axis = access_picture.draw(trace, "x")
    assert axis.get_title() == "x: 12 sectors fetched, 33% of their bytes used"
    axis = access_picture.draw(trace, "x", warp=5)
    assert "nothing touched" in axis.get_title()
    plt.close("all")
