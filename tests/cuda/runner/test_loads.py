"""ldmatrix and cp.async on the host, against the manual's description of which lane holds what."""

import numpy as np
import pytest

from course_lib import cuda, native

SOURCE = """
#include "ldmatrix.cuh"
#include "cp_async.cuh"
template <int count, bool transposed> __global__ void load(const unsigned short* x, unsigned* out) {
    __shared__ __align__(16) unsigned short tile[4][8][24];   // rows 48 bytes apart
    for (int k = threadIdx.x; k < 256; k += 32) tile[k / 64][k / 8 % 8][k % 8] = x[k];
    __syncwarp();
    const int lane = threadIdx.x;
    const void* row = tile[lane / 8 % count][lane % 8];
    unsigned d[4] = {};
    unsigned (&two)[2] = *reinterpret_cast<unsigned (*)[2]>(d);
    if (count == 1) { if (transposed) ldmatrix_x1_trans(d[0], row); else ldmatrix_x1(d[0], row); }
    if (count == 2) { if (transposed) ldmatrix_x2_trans(two, row); else ldmatrix_x2(two, row); }
    if (count == 4) { if (transposed) ldmatrix_x4_trans(d, row); else ldmatrix_x4(d, row); }
    for (int k = 0; k < count; ++k) out[k * 32 + lane] = d[k];
}
template <int bytes> __global__ void copy(const unsigned char* x, unsigned char* y, int valid) {
    __shared__ __align__(16) unsigned char s[32 * bytes];
    cp_async<bytes>(s + threadIdx.x * bytes, x + threadIdx.x * bytes, threadIdx.x < valid);
    cp_async_wait_all();
    __syncthreads();
    for (int k = 0; k < bytes; ++k) y[threadIdx.x * bytes + k] = s[threadIdx.x * bytes + k];
}
extern "C" __global__ void crooked(const unsigned short* x, unsigned* out) {
    __shared__ __align__(16) unsigned short tile[8][12];
    ldmatrix_x1(out[threadIdx.x], tile[threadIdx.x % 8]);
}
"""


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("count", [1, 2, 4])
def test_ldmatrix(count, transposed):
    x = np.arange(256, dtype=np.uint16)
    out = np.zeros((count, 32), np.uint32)
    name = f"load<{count}, {str(transposed).lower()}>"
    kernel = cuda.compile(SOURCE, name, backend="host")
    kernel(1, 32, (x, out))
    matrices = x.reshape(4, 8, 8)
    for matrix in range(count):
        for lane in range(32):
            # PTX ISA, ldmatrix: thread t holds row t / 4, elements 2 * (t % 4) and the next; .trans: of the transpose
            source = matrices[matrix].T if transposed else matrices[matrix]
            low, high = source[lane // 4, 2 * (lane % 4) : 2 * (lane % 4) + 2]
            assert out[matrix, lane] == int(low) | int(high) << 16
    assert cuda.check(kernel, 1, 32, (x, out)).ok


@pytest.mark.parametrize("size", [4, 8, 16])
@pytest.mark.parametrize("valid", [0, 7, 32])
def test_cp_async(size, valid):
    x = np.arange(1, 32 * size + 1).astype(np.uint8)
    y = np.zeros_like(x)
    kernel = cuda.compile(SOURCE, f"copy<{size}>", backend="host")
    kernel(1, 32, (x, y, valid))
    expected = np.where(np.arange(32 * size) < valid * size, x, 0)
    np.testing.assert_array_equal(y, expected)
    # what is not valid is not read: the source may end there
    report = cuda.check(kernel, 1, 32, (x[: valid * size].copy(), y, valid))
    assert report.ok, str(report)


def test_the_pipeline_primitives():
    source = """#include <cuda_pipeline.h>
    __global__ void k(const float4* x, float4* y) {
        __shared__ float4 s[32];
        __pipeline_memcpy_async(&s[threadIdx.x], &x[threadIdx.x], sizeof(float4));
        __pipeline_commit();
        __pipeline_wait_prior(0);
        __syncthreads();
        y[threadIdx.x] = s[31 - threadIdx.x];
    }"""
    x, y = np.arange(128, dtype=np.float32), np.zeros(128, np.float32)
    kernel = cuda.compile(source, "k", backend="host")
    kernel(1, 32, (x, y))
    np.testing.assert_array_equal(y, x.reshape(32, 4)[::-1].ravel())
    assert cuda.check(kernel, 1, 32, (x, y)).ok


def test_wmma_is_refused_with_the_way_out():
    with pytest.raises(native.CompileError, match=r"use mma.cuh and ldmatrix.cuh"):
        cuda.compile("#include <mma.h>\n__global__ void k() {}", "k", backend="host")


def test_rows_have_to_be_aligned():
    with pytest.raises(cuda.LaunchError, match="not a multiple of 16"):
        cuda.compile(SOURCE, "crooked", backend="host")(1, 32, (np.zeros(96, np.uint16), np.zeros(32, np.uint32)))
