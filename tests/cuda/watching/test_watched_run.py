"""What the check calls a fault, what it lets pass, and what it notes without holding it against the kernel."""

from typing import ClassVar

import numpy as np
import pytest

from course_lib import cuda


def check(source, grid, block, *arguments, shared_mem=0, name="k", **options):
    kernel = cuda.compile(source, name, backend="host")
    return cuda.check(kernel, grid, block, arguments, shared_mem, **options)


def zeros(n, dtype=np.float32):
    return np.zeros(n, dtype)


LAST_BLOCK = """
__device__ unsigned ticket = 0;
__global__ void k(const float* x, float* parts, float* out, int n) {
    __shared__ float sum;
    __shared__ bool last;
    if (threadIdx.x == 0) sum = 0;
    __syncthreads();
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) atomicAdd(&sum, x[i]);
    __syncthreads();
    if (threadIdx.x == 0) {
        parts[blockIdx.x] = sum;
        FENCE
        last = atomicInc(&ticket, gridDim.x - 1) == gridDim.x - 1;
    }
    __syncthreads();
    if (last && threadIdx.x == 0) {
        float total = 0;
        for (int b = 0; b < gridDim.x; ++b) total += parts[b];
        *out = total;
    }
}
"""
WARP_EXCHANGE = """__global__ void k(float* x) {
    __shared__ float s[64];
    s[threadIdx.x] = x[threadIdx.x];
    SYNC
    x[threadIdx.x] = s[threadIdx.x ^ 1];
}"""
ASYNC = """
#include "cp_async.cuh"
__global__ void k(const float* x, float* y, int steps) {
    __shared__ __align__(16) float tile[2][128];
    cp_async_16(&tile[0][4 * threadIdx.x], &x[4 * threadIdx.x]);
    cp_async_commit();
    float sum = 0;
    for (int step = 0; step < steps; ++step) {
        const int next = step + 1;
        if (next < steps) cp_async_16(&tile[next % 2][4 * threadIdx.x], &x[128 * next + 4 * threadIdx.x]);
        cp_async_commit();
        WAIT
        BARRIER
        sum += tile[step % 2][127 - threadIdx.x];
        __syncthreads();
    }
    y[threadIdx.x] = sum;
}"""
SWITCHED_OFF = """__global__ void k(float* x) {
    __shared__ float s[33];
    if (threadIdx.x < 32) s[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
"""


class TestCorrectKernels:
    """Kernels that break no rule, each with something that a hasty checker would complain of."""

    CASES: ClassVar = {
        "every thread writes the same value": (
            "__global__ void k(const float* x, int* found) { if (x[threadIdx.x] > 0) *found = 1; }",
            1,
            64,
            (np.ones(64, np.float32), zeros(1, np.int32)),
        ),
        "each reads back what all wrote alike": (
            "__global__ void k(float* x) { __shared__ int n; n = 5; x[threadIdx.x] = n; }",
            1,
            64,
            (zeros(64),),
        ),
        "the last block adds up, behind a fence": (
            LAST_BLOCK.replace("FENCE", "__threadfence();"),
            5,
            32,
            (np.ones(150, np.float32), zeros(5), zeros(1), 150),
        ),
        "lanes exchange behind __syncwarp": (WARP_EXCHANGE.replace("SYNC", "__syncwarp();"), 1, 64, (zeros(64),)),
        "halves of a warp wait apart": (
            WARP_EXCHANGE.replace("SYNC", "__syncwarp(threadIdx.x % 32 < 16 ? 0xffffu : 0xffff0000u);"),
            1,
            64,
            (zeros(64),),
        ),
        "in place": ("__global__ void k(float* x) { x[threadIdx.x] = 2 * x[threadIdx.x] + 1; }", 1, 32, (zeros(32),)),
        "neighbouring bytes": (
            "__global__ void k(unsigned char* x) { x[threadIdx.x] = threadIdx.x; }",
            1,
            61,
            (zeros(61, np.uint8),),
        ),
        "bytes and words of one array": (
            """__global__ void k(unsigned char* x, unsigned* sum) {
                x[threadIdx.x] = 1;
                __syncthreads();
                if (threadIdx.x < 16) atomicAdd(sum, ((unsigned*)x)[threadIdx.x]);
            }""",
            1,
            64,
            (zeros(64, np.uint8), zeros(1, np.uint32)),
        ),
        "vector loads and stores": (
            "__global__ void k(const float4* x, float4* y) { float4 v = x[threadIdx.x]; v.y = 1; y[threadIdx.x] = v; }",
            1,
            16,
            (zeros(64), zeros(64)),
        ),
        "early return without a barrier": (
            """__global__ void k(float* x, int n) {
                if (threadIdx.x >= n) return;
                float s = x[threadIdx.x];
                for (int m = 16; m; m /= 2) s += __shfl_xor_sync(__activemask(), s, m);
                if (threadIdx.x == 0) x[0] = s;
            }""",
            1,
            64,
            (zeros(32), 32),
        ),
        "a whole warp returns before the others meet": (
            """__global__ void k(float* x) {
                if (threadIdx.x >= 32) return;
                float s = x[threadIdx.x];
                for (int m = 16; m; m /= 2) s += __shfl_down_sync(0xffffffffu, s, m);
                if (threadIdx.x == 0) x[0] = s;
            }""",
            1,
            64,
            (zeros(32),),
        ),
        "local arrays and recursion": (
            """__device__ int fib(int n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
            __global__ void k(int* x) {
                int a[8];
                for (int i = 0; i < 8; ++i) a[i] = fib(i);
                x[threadIdx.x] = a[threadIdx.x % 8];
            }""",
            1,
            32,
            (zeros(32, np.int32),),
        ),
        "a loop with a barrier that counts": (
            """__global__ void k(int* x) {
                __shared__ int left;
                int mine = threadIdx.x;
                while (__syncthreads_or(mine > 0)) --mine;
                if (threadIdx.x == 0) left = mine;
                __syncthreads();
                x[threadIdx.x] = left;
            }""",
            1,
            40,
            (zeros(40, np.int32),),
        ),
        "copies in flight behind waits": (
            ASYNC.replace("WAIT", "cp_async_wait<1>();").replace("BARRIER", "__syncthreads();"),
            1,
            32,
            (np.ones(512, np.float32), zeros(32), 4),
        ),
        "a spin lock inside a block": (
            """__device__ int lock = 0;
            __global__ void k(volatile int* count) {
                bool done = false;
                while (!done) {
                    if (atomicCAS(&lock, 0, 1) == 0) {
                        *count = *count + 1;
                        __threadfence();
                        atomicExch(&lock, 0);
                        done = true;
                    }
                }
            }""",
            2,
            32,
            (zeros(1, np.int32),),
        ),
    }

    @pytest.mark.parametrize("name", CASES)
    def test_no_report(self, name):
        source, grid, block, arguments = self.CASES[name]
        report = check(source, grid, block, *arguments)
        assert report.ok, str(report)
        assert not report.notes, str(report)

    def test_output_and_input_may_be_one_array(self):
        x = np.arange(32, dtype=np.float32)
        report = check(
            "__global__ void k(const float* x, float* y) { y[threadIdx.x] = x[threadIdx.x] + 1; }", 1, 32, x, x
        )
        assert report.ok, str(report)
        assert x[5] == 5

    def test_overlapping_views_stay_overlapping(self):
        x = np.arange(33, dtype=np.float32)
        source = "__global__ void k(const float* x, float* y) { y[threadIdx.x] = x[threadIdx.x]; }"
        report = check(source, 1, 32, x[:32], x[1:])
        assert report.kinds() == {"race"}, str(report)

    def test_an_order_that_atomics_decide_is_only_noted(self):
        source = """__device__ int used = 0;
        __global__ void k(const int* x, int* kept) {
            if (x[threadIdx.x] > 0) kept[atomicAdd(&used, 1)] = x[threadIdx.x];
        }"""
        report = check(source, 1, 64, np.arange(-10, 54, dtype=np.int32), zeros(64, np.int32))
        assert report.ok, str(report)
        assert [note.kind for note in report.notes] == ["order dependence"]


class TestRaces:
    def test_the_last_block_without_a_fence(self):
        report = check(LAST_BLOCK.replace("FENCE", ""), 5, 32, np.ones(150, np.float32), zeros(5), zeros(1), 150)
        assert report.kinds() == {"race"}, str(report)
        assert {finding.array for finding in report.findings} == {"parts"}
        assert "blocks run in any order" in report.message

    def test_lanes_exchange_without_syncwarp(self):
        report = check(WARP_EXCHANGE.replace("SYNC", ""), 1, 64, zeros(64))
        assert report.kinds() == {"race"}, str(report)
        assert "__syncwarp" in report.message

    def test_a_shuffle_orders_no_memory(self):
        # CUDA C++ Programming Guide, Warp Shuffle Functions: "These intrinsics do not imply a memory barrier"
        report = check(WARP_EXCHANGE.replace("SYNC", "__shfl_sync(~0u, 1, 0);"), 1, 64, zeros(64))
        assert report.kinds() == {"race"}, str(report)

    def test_waiting_for_the_wrong_half(self):
        sync = "__syncwarp(threadIdx.x % 2 ? 0xaaaaaaaau : 0x55555555u);"
        report = check(WARP_EXCHANGE.replace("SYNC", sync), 1, 32, zeros(64))
        assert report.kinds() == {"race"}, str(report)

    def test_a_copy_that_nobody_waits_for(self):
        source = ASYNC.replace("WAIT", "").replace("BARRIER", "__syncthreads();")
        report = check(source, 1, 32, np.ones(512, np.float32), zeros(32), 4)
        assert report.kinds() == {"race"}, str(report)
        assert "cp.async" in str(report)

    def test_a_copy_that_only_its_own_thread_waits_for(self):
        source = ASYNC.replace("WAIT", "cp_async_wait<1>();").replace("BARRIER", "")
        report = check(source, 1, 32, np.ones(512, np.float32), zeros(32), 4)
        assert report.kinds() == {"race"}, str(report)

    def test_reset_and_count_without_a_barrier(self):
        source = """__global__ void k(int* out) {
            __shared__ int n;
            if (threadIdx.x == 0) n = 0;
            atomicAdd(&n, 1);
            __syncthreads();
            if (threadIdx.x == 0) *out = n;
        }"""
        assert "race" in check(source, 1, 64, zeros(1, np.int32)).kinds()

    def test_order_that_volatile_hides_shows_in_the_result(self):
        source = """__global__ void k(float* x) {
            __shared__ volatile int n;
            n = threadIdx.x;
            __syncwarp();
            x[threadIdx.x] = n;
        }"""
        report = check(source, 1, 32, zeros(32))
        assert report.kinds() == {"order dependence"}, str(report)


class TestOrders:
    @pytest.mark.parametrize("blocks", [1, 2, 7, 64, 101])
    def test_every_block_runs_once_in_every_order(self, blocks):
        # each block adds its own number: an order that left one out, or ran one twice, would give another result
        source = """__global__ void k(int* x) {
            x[blockIdx.x] += blockIdx.x + 1;
            if (x[blockIdx.x] != blockIdx.x + 1) __trap();
        }"""
        report = check(source, blocks, 1, zeros(blocks, np.int32), orders=6)
        assert report.ok, str(report)

    @pytest.mark.parametrize("orders", [1, 2, 4])
    def test_as_many_orders_as_asked_for(self, orders):
        source = """__global__ void k(volatile int* x) { x[0] = x[0] * 2 + blockIdx.x; }"""
        report = check(source, 4, 1, zeros(1, np.int32), orders=orders)
        assert report.ok == (orders == 1), str(report)
        if orders > 1:
            assert "reverse order" in report.message


class TestMemory:
    def test_misaligned_vector_load(self):
        source = "__global__ void k(const float* x, float4* y) { y[0] = *(const float4*)(x + 1); }"
        report = check(source, 1, 1, zeros(8), zeros(4))
        assert report.kinds() == {"misaligned access"}, str(report)
        assert report.findings[0].index == 1

    @pytest.mark.parametrize("index", ["-1", "n", "1000000", "-1000000000", "2000000000"])
    def test_out_of_bounds_however_far(self, index):
        source = f"__global__ void k(const float* x, float* y, int n) {{\n  long i = {index};\n  y[0] = x[i];\n}}"
        report = check(source, 1, 1, zeros(8), zeros(1), 8)
        assert report.kinds() == {"out-of-bounds read"}, str(report)
        assert (report.findings[0].array, report.findings[0].line) == ("x", 3)

    def test_an_empty_array_has_no_element(self):
        report = check("__global__ void k(float* x) { x[0] = 1; }", 1, 1, zeros(0))
        assert report.kinds() == {"out-of-bounds write"}
        assert "x is empty" in report.message

    def test_null_pointer(self):
        report = check("__global__ void k(float* x) { x[3] = 1; }", 1, 1, None)
        assert report.kinds() == {"invalid pointer"}
        assert "null pointer" in report.message

    def test_anothers_local_variable(self):
        source = """__global__ void k(float* x) {
            __shared__ float* p;
            float mine = threadIdx.x;
            if (threadIdx.x == 0) p = &mine;
            __syncthreads();
            x[threadIdx.x] = *p;
            __syncthreads();
        }"""
        report = check(source, 1, 32, zeros(32))
        assert report.kinds() == {"invalid pointer"}, str(report)
        assert "local variable of thread (0, 0, 0)" in report.message

    def test_dynamic_shared_memory_that_was_not_asked_for(self):
        source = """__global__ void k(float* x) {
            extern __shared__ float s[];
            s[threadIdx.x] = 1;
            x[threadIdx.x] = s[threadIdx.x];
        }"""
        report = check(source, 1, 8, zeros(8))
        assert "out-of-bounds write" in report.kinds()
        assert "shared_mem=0" in report.message
        assert check(source, 1, 8, zeros(8), shared_mem=32).ok

    def test_a_constant_array_has_an_end(self):
        source = "__constant__ float w[4];\n__global__ void k(float* x) { x[0] = w[threadIdx.x]; }"
        report = check(source, 1, 5, zeros(8))
        assert ("out-of-bounds read", "w") in {(f.kind, f.array) for f in report.findings}, str(report)


class TestUndefinedValues:
    def test_unwritten_shared_memory_that_matters(self):
        report = check(SWITCHED_OFF + "x[threadIdx.x] = s[threadIdx.x + 1]; }", 1, 32, zeros(32))
        assert report.kinds() == {"uninitialised shared memory"}
        assert (report.findings[0].array, report.findings[0].index) == ("s", 32)

    def test_unwritten_shared_memory_that_makes_no_difference(self):
        report = check(
            SWITCHED_OFF + "float v = s[threadIdx.x + 1]; x[threadIdx.x] = threadIdx.x < 31 ? v : 0; }",
            1,
            32,
            zeros(32),
        )
        assert report.ok, str(report)
        assert [note.kind for note in report.notes] == ["uninitialised shared memory"]

    def test_a_value_from_a_lane_that_is_not_there(self):
        source = "__global__ void k(float* x) { x[threadIdx.x] = __shfl_down_sync(0xffffffffu, x[threadIdx.x], 8); }"
        report = check(source, 1, 16, zeros(16))
        assert report.kinds() == {"undefined lane"}, str(report)
        assert check(source, 1, 32, zeros(32)).ok

    def test_a_value_from_a_lane_that_is_not_there_and_not_used(self):
        source = """__global__ void k(float* x) {
            float v = __shfl_down_sync(0xffffffffu, x[threadIdx.x], 8);
            if (threadIdx.x < 8) x[threadIdx.x] += v;
        }"""
        report = check(source, 1, 16, zeros(16))
        assert report.ok, str(report)
        assert [note.kind for note in report.notes] == ["undefined lane"]


class TestDivergence:
    def test_two_barriers_in_two_branches(self):
        report = check(
            "__global__ void k(float* x) {\n if (threadIdx.x < 3)\n __syncthreads();\n else\n __syncthreads();\n}",
            1,
            8,
            zeros(1),
        )
        assert report.kinds() == {"barrier divergence"}
        finding = report.findings[0]
        assert {finding.place.line, finding.other.line} == {3, 5}

    def test_a_barrier_against_a_shuffle(self):
        source = (
            "__global__ void k(int* x) { if (threadIdx.x < 3) __syncthreads(); else x[0] = __shfl_sync(~0u, 1, 0); }"
        )
        report = check(source, 1, 32, zeros(1, np.int32))
        assert report.kinds() == {"barrier divergence"}, str(report)
        assert "neither can go on" in report.message

    def test_lanes_that_never_come(self):
        source = "__global__ void k(float* x) { __shfl_sync(threadIdx.x < 3 ? 15u : ~0u, 1, 0); }"
        report = check(source, 1, 32, zeros(1))
        assert report.kinds() == {"deadlock"}, str(report)

    def test_two_functions_at_one_meeting(self):
        source = "__global__ void k(int* x) { if (threadIdx.x < 3) __all_sync(~0u, 1); else __shfl_sync(~0u, 1, 0); }"
        report = check(source, 1, 32, zeros(1, np.int32))
        assert not report.ok
        assert "__all_sync" in str(report)
        assert "__shfl_sync" in str(report)

    def test_a_mask_without_its_caller(self):
        report = check("__global__ void k(int* x) { x[0] = __shfl_sync(1u, 1, 0); }", 1, 2, zeros(1, np.int32))
        assert report.kinds() == {"stopped"}, str(report)
        assert "does not name its own lane" in report.message


class TestKernelsThatDoNotEnd:
    def test_endless_loop(self):
        report = check(
            "__global__ void k(float* x) {\n int i = 0;\n while (x[0] == 0)\n  i++;\n}", 1, 1, zeros(1), time_limit=0.5
        )
        assert report.kinds() == {"time limit"}
        assert report.findings[0].line in (3, 4)
        assert report.seconds < 5

    def test_a_slow_kernel_is_not_an_endless_one(self):
        source = "__global__ void k(float* x) { long long start = clock64(); while (clock64() - start < 500000000) ; }"
        report = check(source, 1, 1, zeros(1), time_limit=1.2)  # time for the first order, not for three
        assert report.ok, str(report)

    def test_endless_recursion(self):
        source = """__device__ int f(int n) { volatile int a[9]; a[n % 9] = n; return f(n + 1) + a[1]; }
        __global__ void k(int* x) { x[0] = f(1); }"""
        assert check(source, 1, 1, zeros(1, np.int32)).kinds() == {"stack overflow"}

    def test_abort(self):
        report = check("#include <stdlib.h>\n__global__ void k(float* x) { abort(); }", 1, 1, zeros(1))
        assert report.kinds() == {"crash"}
        assert "abort()" in report.message

    def test_exit(self):
        report = check("#include <stdlib.h>\n__global__ void k(float* x) { exit(0); }", 1, 1, zeros(1))
        assert report.kinds() == {"crash"}
        assert "exit()" in report.message

    def test_failed_assertion(self):
        report = check(
            "__global__ void k(int* x) {\n  assert(x[threadIdx.x] == 0);\n}", 1, 4, np.array([0, 0, 1, 0], np.int32)
        )
        assert report.kinds() == {"stopped"}
        assert "k.cu:2: assertion `x[threadIdx.x] == 0` failed, in thread (2, 0, 0)" in report.message

    def test_too_much_static_shared_memory(self):
        source = "__global__ void k(float* x) { __shared__ float s[13000]; s[threadIdx.x] = 0; x[0] = s[0]; }"
        report = check(source, 1, 1, zeros(1))
        assert report.kinds() == {"stopped"}
        assert "52000 bytes" in report.message

    def test_what_was_found_before_a_crash_is_kept(self):
        source = "__global__ void k(float* x) {\n x[9] = 1;\n *(volatile int*)0x123456 = 1;\n}"
        report = check(source, 1, 1, zeros(8))
        assert {"out-of-bounds write", "invalid pointer"} <= report.kinds(), str(report)


def test_printed_text_is_in_the_report():
    report = check('__global__ void k(float* x) { printf("%d:%g\\n", threadIdx.x, x[0]); }', 1, 2, zeros(1))
    assert report.printed == "0:0\n1:0\n"


def test_torch_tensors():
    torch = pytest.importorskip("torch")
    x = torch.zeros(4)
    report = check("__global__ void k(float* x) { x[threadIdx.x] = 1; }", 1, 5, x)
    assert report.kinds() == {"out-of-bounds write"}
    assert not x.any()


def test_variables_keep_the_values_that_were_set():
    kernel = cuda.compile("__constant__ int n;\n__global__ void k(int* x) { x[n] = 1; }", "k", backend="host")
    kernel.variable("n").view(np.int32)[:] = 3
    assert cuda.check(kernel, 1, 1, (zeros(4, np.int32),)).ok
    kernel.variable("n").view(np.int32)[:] = 4
    assert cuda.check(kernel, 1, 1, (zeros(4, np.int32),)).kinds() == {"out-of-bounds write"}
