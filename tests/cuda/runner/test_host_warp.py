"""Shuffles, votes, matches, reductions and masks, against what the programming guide says of each lane."""

import numpy as np
import pytest

from course_lib import cuda

SHUFFLES = """
template <typename T> __global__ void shuffles(const T* x, T* out, int operand, int width) {
    const int lane = threadIdx.x;
    const T v = x[lane];
    out[0 * 32 + lane] = __shfl_sync(0xffffffffu, v, operand, width);
    out[1 * 32 + lane] = __shfl_up_sync(0xffffffffu, v, operand, width);
    out[2 * 32 + lane] = __shfl_down_sync(0xffffffffu, v, operand, width);
    out[3 * 32 + lane] = __shfl_xor_sync(0xffffffffu, v, operand, width);
}
"""


def shuffled(lane, operand, width):
    """The source lane of each of the four, by the programming guide's table."""
    first, last = lane // width * width, lane // width * width + width - 1
    index = first + operand % width
    up = lane - operand if lane - operand >= first else lane
    down = lane + operand if lane + operand <= last else lane
    xor = lane ^ operand if (lane ^ operand) <= last else lane
    return index, up, down, xor


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [
        ("int", np.int32),
        ("float", np.float32),
        ("double", np.float64),
        ("long long", np.int64),
        ("unsigned char", np.uint8),
    ],
)
def test_shuffles(kind, dtype):
    kernel = cuda.compile(SHUFFLES, f"shuffles<{kind}>", backend="host")
    x = (np.arange(32) * 7 + 1).astype(dtype)
    for width in (32, 16, 8, 4, 2):
        for operand in (0, 1, 3, 5, 16, 31):
            out = np.zeros((4, 32), dtype)
            kernel(1, 32, (x, out, operand, width))
            sources = np.array([shuffled(lane, operand, width) for lane in range(32)]).T
            np.testing.assert_array_equal(out, x[sources], f"width {width}, operand {operand}")


def test_half_values_shuffle():
    source = """#include <cuda_fp16.h>
    __global__ void k(half2* x) { x[threadIdx.x] = __shfl_xor_sync(~0u, x[threadIdx.x], 1); }"""
    x = np.arange(64, dtype=np.float16)
    cuda.compile(source, "k", backend="host")(1, 32, (x,))
    np.testing.assert_array_equal(x.reshape(16, 2, 2), np.arange(64).reshape(16, 2, 2)[:, ::-1])


def test_votes_matches_and_reductions(rng):
    source = """__global__ void k(const int* x, unsigned* out, int threshold) {
        const int v = x[threadIdx.x], lane = threadIdx.x;
        const unsigned all = 0xffffffffu;
        int equal;
        out[0 * 32 + lane] = __all_sync(all, v > threshold);
        out[1 * 32 + lane] = __any_sync(all, v > threshold);
        out[2 * 32 + lane] = __ballot_sync(all, v > threshold);
        out[3 * 32 + lane] = __match_any_sync(all, v);
        out[4 * 32 + lane] = __match_all_sync(all, v, &equal);
        out[5 * 32 + lane] = equal;
        out[6 * 32 + lane] = __reduce_add_sync(all, v);
        out[7 * 32 + lane] = __reduce_min_sync(all, v);
        out[8 * 32 + lane] = __reduce_max_sync(all, (unsigned)v);
        out[9 * 32 + lane] = __reduce_and_sync(all, (unsigned)v);
        out[10 * 32 + lane] = __reduce_or_sync(all, (unsigned)v);
        out[11 * 32 + lane] = __reduce_xor_sync(all, (unsigned)v);
    }"""
    kernel = cuda.compile(source, "k", backend="host")
    for x in (rng.integers(-5, 5, 32), np.full(32, -3), rng.integers(-(2**31), 2**31, 32)):
        for threshold in (-6, 0, 5):
            x = x.astype(np.int32)
            out = np.zeros((12, 32), np.uint32)
            kernel(1, 32, (x, out, threshold))
            above = x > threshold
            ballot = sum(1 << k for k in range(32) if above[k])
            match = [sum(1 << j for j in range(32) if x[j] == x[k]) for k in range(32)]
            same = bool((x == x[0]).all())
            unsigned = x.view(np.uint32)
            expected = [
                above.all(),
                above.any(),
                ballot,
                match,
                0xFFFFFFFF if same else 0,
                same,
                np.uint32(int(x.sum(dtype=np.int64)) & 0xFFFFFFFF),
                x.min().view(np.uint32),
                unsigned.max(),
                np.bitwise_and.reduce(unsigned),
                np.bitwise_or.reduce(unsigned),
                np.bitwise_xor.reduce(unsigned),
            ]
            np.testing.assert_array_equal(out, np.array([np.broadcast_to(row, 32) for row in expected], np.uint32))


def test_disjoint_masks_work_side_by_side():
    source = """__global__ void k(int* out) {
        const unsigned mask = threadIdx.x % 3 == 0 ? 0x49249249u : threadIdx.x % 3 == 1 ? 0x92492492u : 0x24924924u;
        out[threadIdx.x] = __reduce_add_sync(mask, (int)threadIdx.x);
    }"""
    out = np.zeros(32, np.int32)
    cuda.compile(source, "k", backend="host")(1, 32, (out,))
    sums = [sum(range(r, 32, 3)) for r in range(3)]
    np.testing.assert_array_equal(out, [sums[k % 3] for k in range(32)])


def test_activemask_is_the_lanes_of_one_branch():
    source = """__global__ void k(unsigned* masks, int* sums, const int* x) {
        const int v = x[threadIdx.x];
        if (v % 2) {
            const unsigned active = __activemask();
            masks[threadIdx.x] = active;
            sums[threadIdx.x] = __reduce_add_sync(active, v);
        } else if (v % 4) {
            masks[threadIdx.x] = __activemask();
        }
        __syncthreads();
    }"""
    x = np.array([(k * 5 + k // 7) % 13 for k in range(70)], np.int32)
    masks, sums = np.zeros(70, np.uint32), np.zeros(70, np.int32)
    cuda.compile(source, "k", backend="host")(1, 70, (masks, sums, x))
    for k in range(70):
        warp = range(k // 32 * 32, min(k // 32 * 32 + 32, 70))
        branch = (lambda v: v % 2) if x[k] % 2 else (lambda v: not v % 2 and v % 4)
        together = [j for j in warp if branch(x[j])] if x[k] % 2 or x[k] % 4 else []
        assert masks[k] == sum(1 << j % 32 for j in together)
        assert sums[k] == (x[together].sum() if x[k] % 2 else 0)


def test_a_warp_that_is_not_full():
    source = """__global__ void k(int* out, int n) {
        int sum = threadIdx.x;
        for (int m = 16; m; m /= 2) {
            int other = __shfl_down_sync(0xffffffffu, sum, m);
            if (threadIdx.x + m < n) sum += other;
        }
        out[threadIdx.x] = threadIdx.x % 32 ? __popc(__ballot_sync(0xffffffffu, 1)) : sum + 0 * __ballot_sync(~0u, 1);
    }"""
    out = np.zeros(41, np.int32)
    cuda.compile(source, "k", backend="host")(1, 41, (out, 41))
    np.testing.assert_array_equal(out, [sum(range(32)), *[32] * 31, sum(range(32, 41)), *[9] * 8])


def test_lanes_that_returned_are_not_waited_for():
    source = """__global__ void k(int* out) {
        if (threadIdx.x >= 10) return;
        out[threadIdx.x] = __reduce_add_sync(0xffffffffu, 1);
        __syncthreads();
        out[threadIdx.x] += 100;
    }"""
    out = np.zeros(10, np.int32)
    cuda.compile(source, "k", backend="host")(1, 64, (out,))
    np.testing.assert_array_equal(out, 110)
