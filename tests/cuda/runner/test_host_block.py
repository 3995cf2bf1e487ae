"""Grids, blocks, shared memory, barriers, constants, printing and templates on the host."""

import numpy as np
import pytest

from course_lib import cuda
from course_lib.errors import CourseError


def compiled(source, name="k", **options):
    return cuda.compile(source, name, backend="host", **options)


@pytest.mark.parametrize(
    ("grid", "block"),
    [
        (1, 1),
        (3, 1024),
        ((2, 3), (16, 64)),
        ((2, 3, 4), (8, 8, 16)),
        ((1, 1, 5), (1, 1, 64)),
        (70000, 1),
        (1, (3, 5, 7)),
    ],
)
@pytest.mark.parametrize("waits", [False, True], ids=["plain", "fibers"])
def test_every_thread_of_every_block_runs_once_with_its_indices(grid, block, waits):
    source = f"""__global__ void k(int* seen) {{
        int b = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
        int t = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
        {"__syncthreads();" if waits else ""}
        atomicAdd(&seen[b * blockDim.x * blockDim.y * blockDim.z + t], 1);
    }}"""
    kernel = compiled(source)
    assert kernel.host().library.is_plain != waits
    seen = np.zeros(int(np.prod(grid)) * int(np.prod(block)), np.int32)
    kernel(grid, block, (seen,))
    assert (seen == 1).all()


def test_barriers_that_count():
    source = """__global__ void k(int* out) {
        int t = threadIdx.x;
        int n = __syncthreads_count(t % 3 == 0), all = __syncthreads_and(t < 99), any = __syncthreads_or(t == 98);
        int none = __syncthreads_or(t == 99), some = __syncthreads_and(t < 98);
        if (t == 0) { out[0] = n; out[1] = all; out[2] = any; out[3] = none; out[4] = some; }
    }"""
    out = np.zeros(5, np.int32)
    compiled(source)(1, 99, (out,))
    np.testing.assert_array_equal(out, [33, 1, 1, 0, 0])


def test_every_form_of_shared_declaration():
    source = """
    #define N 32
    struct Pair { int a; float b; };
    template <typename T, int n> __global__ void k(T* out) {
        __shared__ T plain[n], *pointer, single;
        static __shared__ Pair pairs[N];
        __shared__ __align__(16) unsigned char raw[16];
        __shared__ alignas(32) float lined[3];
        volatile __shared__ int flag;
        __shared__ struct { int x[2]; } both;
        __shared__ float
            two_lines[2]
                     [4];
        extern __shared__ float dynamic[];
        const int t = threadIdx.x;
        if (t == 0) {
            single = T(3);
            pointer = plain;
            flag = 7;
            both.x[1] = 5;
            raw[15] = 9;
            lined[2] = 11;
            two_lines[1][3] = 13;
            dynamic[N - 1] = 17;
        }
        plain[t] = T(t);
        pairs[t] = {t, 0.5f};
        __syncthreads();
        out[t] = pointer[n - 1 - t] + single + T(pairs[(t + 1) % n].a) + T(flag) + T(both.x[1]) + T(raw[15]) +
                 T(lined[2]) + T(two_lines[1][3]) + T(dynamic[N - 1]);
        if (t == 0) out[n] = T(((size_t)raw % 16 == 0) && ((size_t)lined % 32 == 0));
    }"""
    out = np.zeros(33)
    compiled(source, "k<double, N>")(1, 32, (out,), shared_mem=128)
    t = np.arange(32)
    np.testing.assert_array_equal(out[:32], 31 - t + 3 + (t + 1) % 32 + 7 + 5 + 9 + 11 + 13 + 17)
    assert out[32] == 1


def test_shared_memory_belongs_to_one_block():
    source = """__global__ void k(int* out) {
        __shared__ int mine;
        if (threadIdx.x == 0) mine = blockIdx.x;
        __syncthreads();
        atomicAdd(&out[blockIdx.x], mine);
    }"""
    out = np.zeros(300, np.int32)
    compiled(source)(300, 32, (out,))
    np.testing.assert_array_equal(out, np.arange(300) * 32)


def test_shared_memory_starts_as_nan_in_every_block():
    source = """__global__ void k(float* out) {
        __shared__ float s[8];
        extern __shared__ float d[];
        out[blockIdx.x] = s[3] * d[1];
        s[3] = d[1] = 1;
    }"""
    out = np.zeros(50, np.float32)
    compiled(source)(50, 1, (out,), shared_mem=8)
    assert np.isnan(out).all()


@pytest.mark.parametrize("kilobytes", [1, 48, 100, 227])
def test_dynamic_shared_memory(kilobytes):
    source = """extern "C" __global__ void k(int* out, int n) {
        extern __shared__ int s[];
        for (int i = threadIdx.x; i < n; i += blockDim.x) s[i] = i;
        __syncthreads();
        if (threadIdx.x == 0) out[0] = s[n - 1] + s[0];
    }"""
    n = kilobytes * 256
    out = np.zeros(1, np.int32)
    compiled(source)(1, 128, (out, n), shared_mem=4 * n)
    assert out[0] == n - 1


def test_more_shared_memory_than_any_gpu_has():
    kernel = compiled("__global__ void k(int* x) { extern __shared__ int s[]; s[0] = 1; }")
    with pytest.raises(cuda.LaunchError, match=r"227 KB"):
        kernel(1, 1, (np.zeros(1, np.int32),), shared_mem=227 * 1024 + 1)
    static = compiled("__global__ void k(float* x) { __shared__ float s[12289]; s[threadIdx.x] = 1; x[0] = s[0]; }")
    with pytest.raises(cuda.LaunchError, match="with s the __shared__ variables take 49156 bytes"):
        static(1, 1, (np.zeros(1, np.float32),))


def test_constants_and_device_variables():
    source = """
    namespace layer { __constant__ float weights[3] = {1, 2, 3}; }
    __device__ int calls, other = 4;
    __constant__ int scale;
    __device__ float square(float x) { return x * x; }
    __global__ void k(float* x) {
        x[threadIdx.x] = square(layer::weights[threadIdx.x]) * scale;
        atomicAdd(&calls, 1);
    }"""
    kernel = compiled(source)
    x = np.zeros(3, np.float32)
    kernel.variable("scale").view(np.int32)[:] = 10
    kernel(1, 3, (x,))
    np.testing.assert_array_equal(x, [10, 40, 90])
    kernel.variable("layer::weights").view(np.float32)[:] = [0, 1, 5]
    kernel(1, 3, (x,))
    np.testing.assert_array_equal(x, [0, 10, 250])
    assert kernel.variable("calls").view(np.int32)[0] == 6
    assert kernel.variable("other").view(np.int32)[0] == 4
    with pytest.raises(CourseError, match=r"declares: layer::weights, calls, other, scale"):
        kernel.variable("square")


def test_printf(capsys):
    kernel = compiled(
        '__global__ void k(int n) { if (threadIdx.x == 0) printf("block %d: %s %5.2f\\n", blockIdx.x, "pi", 3.14159); }'
    )
    kernel(2, 4, (1,))
    assert sorted(capsys.readouterr().out.splitlines()) == ["block 0: pi  3.14", "block 1: pi  3.14"]


def test_templates_overloads_and_names_in_namespaces():
    source = """
    namespace ops {
        struct Twice { __device__ float operator()(float x) const { return 2 * x; } };
        template <class Op, int n = 3> __global__ void apply(float* x, Op op) {
            if (threadIdx.x < n) x[threadIdx.x] = op(x[threadIdx.x]);
        }
        template <typename T> __global__ void fill(T* x, T value) { x[threadIdx.x] = value; }
    }"""
    x = np.ones(4, np.float32)
    compiled(source, "ops::apply<ops::Twice>")(1, 4, (x, b"\0"))
    np.testing.assert_array_equal(x, [2, 2, 2, 1])
    y = np.zeros(2, np.int64)
    compiled(source, "ops::fill<long long>")(1, 2, (y, -5))
    np.testing.assert_array_equal(y, -5)


def test_struct_arguments():
    import ctypes

    class Shape(ctypes.Structure):
        _fields_ = (("rows", ctypes.c_int), ("scale", ctypes.c_double))

    source = """struct Shape { int rows; double scale; };
    __global__ void k(double* x, Shape s, const Shape t) { x[0] = s.rows * t.scale; }"""
    kernel = compiled(source)
    x = np.zeros(1)
    kernel(1, 1, (x, Shape(3, 0.5), Shape(9, 1.5)))
    assert x[0] == 4.5
    with pytest.raises(cuda.ArgumentError, match="takes 16 bytes"):
        kernel(1, 1, (x, b"1234", Shape()))


def test_options_reach_the_compiler():
    source = "__global__ void k(int* x) { x[0] = SIZE; x[1] = __cplusplus > 201703L; }"
    x = np.zeros(2, np.int32)
    compiled(source, options=("-DSIZE=12", "-std=c++20", "--use_fast_math", "-lineinfo"))(1, 1, (x,))
    np.testing.assert_array_equal(x, [12, 1])


def test_an_in_process_failure_is_an_error_with_thread_and_block():
    kernel = compiled(
        "__global__ void k(int* x) {\n  assert(blockIdx.x != 2 || threadIdx.x != 5);\n  __syncthreads();\n}"
    )
    with pytest.raises(
        cuda.LaunchError, match=r"k.cu:2: assertion .* failed, in thread \(5, 0, 0\) of block \(2, 0, 0\)"
    ):
        kernel(4, 8, (np.zeros(1, np.int32),))
    plain = compiled("__global__ void k(int* x) { if (x[threadIdx.x]) __trap(); }")
    with pytest.raises(cuda.LaunchError, match=r"__trap\(\) was reached"):
        plain(1, 8, (np.arange(8, dtype=np.int32),))


def test_a_deadlock_is_an_error_and_the_next_launch_works():
    source = """__global__ void k(int* x, int n) {
        if (threadIdx.x < n) __syncthreads();
        else __shfl_sync(~0u, 1, 0);
        x[0] += 1;
    }"""
    kernel = compiled(source)
    x = np.zeros(1, np.int32)
    with pytest.raises(
        cuda.LaunchError,
        match=r"deadlock: .*thread \(0, 0, 0\) is at __syncthreads\(\), thread \(3, 0, 0\) is at __shfl_sync",
    ):
        kernel(1, 32, (x, 3))
    kernel(1, 32, (x, 32))
    assert x[0] == 1 or x[0] == 32


def test_blocks_that_hand_over_through_a_ticket():
    source = """__device__ int turn = 0;
    __global__ void k(int* order) {
        __shared__ int mine;
        if (threadIdx.x == 0) mine = atomicAdd(&turn, 1);
        __syncthreads();
        if (threadIdx.x == 0) order[mine] = blockIdx.x;
    }"""
    order = np.full(100, -1, np.int32)
    compiled(source)(100, 32, (order,))
    np.testing.assert_array_equal(np.sort(order), np.arange(100))


@pytest.mark.parametrize("plain", [True, False])
def test_deep_local_arrays_have_room(plain):
    barrier = "" if plain else "__syncthreads();"
    source = f"""__global__ void k(int* x) {{
        int local[20000];
        for (int i = 0; i < 20000; ++i) local[i] = i + threadIdx.x;
        {barrier}
        x[threadIdx.x] = local[x[threadIdx.x]];
    }}"""
    x = np.full(200, 19999, np.int32)
    compiled(source)(1, 200, (x,))
    np.testing.assert_array_equal(x, 19999 + np.arange(200))
