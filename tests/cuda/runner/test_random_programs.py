"""One kernel that interprets a program of barriers, exchanges and warp functions, against the same in NumPy."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from course_lib import cuda
from tests.examples import examples

SOURCE = """
// each step is (what, operand); every thread carries one number
__global__ void interpret(const int* program, int steps, unsigned* values) {
    extern __shared__ unsigned s[];
    const int t = threadIdx.x + blockDim.x * threadIdx.y, n = blockDim.x * blockDim.y, lane = t % 32;
    const int lanes = min(32, n - t / 32 * 32);
    const unsigned mask = lanes == 32 ? 0xffffffffu : (1u << lanes) - 1;
    unsigned v = values[blockIdx.x * n + t];
    for (int step = 0; step < steps; ++step) {
        const int what = program[2 * step], k = program[2 * step + 1];
        switch (what) {
            case 0: s[t] = v; __syncthreads(); v += s[(t + k) % n]; __syncthreads(); break;
            case 1: v += __syncthreads_count(v % (k + 2) == 0); break;
            case 2: v ^= __ballot_sync(mask, v >> (k % 32) & 1); break;
            case 3: v = v * 3 + __shfl_sync(mask, v, k % lanes); break;
            case 4: { const unsigned up = __shfl_up_sync(mask, v, k % 32); if (lane >= k % 32) v -= up; break; }
            case 5: v += __reduce_max_sync(mask, v); break;
            case 6: s[t] = v; __syncwarp(mask); v ^= s[t / 32 * 32 + (lane + k) % lanes]; __syncwarp(mask); break;
            case 7: atomicAdd(&s[k % n], 0u), v = v << 1 | v >> 31; break;
            case 8: if (lane % 2) v += __popc(__activemask()); break;
            case 9: if (__any_sync(mask, v % 7 == 0)) v += __match_any_sync(mask, v % (k + 1)); break;
        }
    }
    values[blockIdx.x * n + t] = v;
}
"""
DIALECT = [0, 1, 2, 3, 4, 5, 6, 8, 9]  # 7 mixes atomics into unwritten memory: for the check below only


def simulate(program, values, n):
    """The same program on [blocks, n] numbers."""
    v = values.astype(np.uint64)
    t = np.arange(n)
    lane, first = t % 32, t // 32 * 32
    lanes = np.minimum(32, n - first)
    bit = np.uint64(1) << lane.astype(np.uint64)
    warps = [slice(w, min(w + 32, n)) for w in range(0, n, 32)]

    def over_warps(each):
        return np.concatenate([each(v[:, w], w) for w in warps], 1)

    def spread(column, width):
        return np.broadcast_to(column[:, None], (len(v), width))

    for what, k in program:
        if what == 0:
            v = v + v[:, (t + k) % n]
        elif what == 1:
            v = v + (v % (k + 2) == 0).sum(1, keepdims=True).astype(np.uint64)
        elif what == 2:
            v = v ^ over_warps(
                lambda x, w, k=k: spread((((x >> np.uint64(k % 32)) & np.uint64(1)) * bit[w]).sum(1), x.shape[1])
            )
        elif what == 3:
            v = v * np.uint64(3) + v[:, first + k % lanes]
        elif what == 4:
            source = np.where(lane >= k % 32, t - k % 32, t)
            v = np.where(lane >= k % 32, v - v[:, source], v)
        elif what == 5:
            v = v + over_warps(lambda x, w, k=k: spread(x.max(1), x.shape[1]))
        elif what == 6:
            v = v ^ v[:, first + (lane + k) % lanes]
        elif what == 8:
            odd = lane % 2 == 1
            v = v + np.where(odd, lanes // 2, 0).astype(np.uint64)
        elif what == 9:
            any_seventh = over_warps(lambda x, w, k=k: spread((x % 7 == 0).any(1), x.shape[1])).astype(bool)
            keys = v % np.uint64(k + 1)

            def matches(x, w, keys=keys):
                here = keys[:, w]
                same = here[:, :, None] == here[:, None, :]
                return (same * bit[w][None, None, :]).sum(2, dtype=np.uint64)

            v = np.where(any_seventh, v + over_warps(matches), v)
        v = v & np.uint64(0xFFFFFFFF)
    return v.astype(np.uint32)


programs = st.lists(st.tuples(st.sampled_from(DIALECT), st.integers(0, 100)), min_size=1, max_size=12)
blocks = st.sampled_from([(1, 1), (7, 1), (32, 1), (33, 1), (16, 5), (64, 2), (96, 1), (101, 1), (1024, 1), (32, 31)])


@given(program=programs, block=blocks, grid=st.integers(1, 5), seed=st.integers(0, 1000))
def test_the_host_does_what_the_program_says(program, block, grid, seed):
    kernel = cuda.compile(SOURCE, "interpret", backend="host")
    n = block[0] * block[1]
    values = np.random.default_rng(seed).integers(0, 2**32, (grid, n), dtype=np.uint64).astype(np.uint32)
    expected = simulate(program, values, n)
    code = np.array(program, np.int32)
    kernel(grid, block, (code, len(program), values), shared_mem=4 * n)
    np.testing.assert_array_equal(values, expected)


@examples(25)
@given(program=programs, block=blocks.filter(lambda block: block[0] * block[1] <= 128), seed=st.integers(0, 1000))
def test_the_check_finds_nothing_in_it(program, block, seed):
    kernel = cuda.compile(SOURCE, "interpret", backend="host")
    n = block[0] * block[1]
    values = np.random.default_rng(seed).integers(0, 2**32, (2, n), dtype=np.uint64).astype(np.uint32)
    report = cuda.check(kernel, 2, block, (np.array(program, np.int32), len(program), values), 4 * n, seed=seed)
    assert report.ok, f"{program} {block}\n{report}"


def test_the_check_finds_the_step_that_is_wrong():
    kernel = cuda.compile(SOURCE, "interpret", backend="host")
    values = np.arange(64, dtype=np.uint32)
    # step 6 waits for its own warp only, and step 7 of the other warp touches what this one has written
    report = cuda.check(kernel, 1, 64, (np.array([6, 1, 7, 40], np.int32), 2, values), 256)
    assert "race" in report.kinds(), str(report)
