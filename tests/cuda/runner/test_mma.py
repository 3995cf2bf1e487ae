"""The tensor-core wrappers on the host, against fragment tables written from the PTX manual's formulas."""

import numpy as np
import pytest

from course_lib import cuda
from tests.cuda.runner.fragments import (
    a_m8n8k128,
    a_m16n8k16,
    a_m16n8k32,
    a_m16n8k256,
    b_m8n8k128,
    b_m16n8k16,
    b_m16n8k32,
    b_m16n8k256,
    b_sparse_m16n8k32,
    c_m8n8,
    c_m16n8,
    collect,
    pack,
    spread,
)

SOURCE = """
#include "mma.cuh"
#include "mma_sparse.cuh"
template <class T, int n> __device__ void load(T (&to)[n], const T* from) {
    for (int k = 0; k < n; ++k) to[k] = from[threadIdx.x * n + k];
}
template <class T, int n> __device__ void store(T* to, const T (&from)[n]) {
    for (int k = 0; k < n; ++k) to[threadIdx.x * n + k] = from[k];
}
#define DENSE(name, T)                                                                                      \\
    extern "C" __global__ void run_##name(const unsigned* a, const unsigned* b, const T* c, T* d) {         \\
        unsigned ra[4], rb[2];                                                                              \\
        T sum[4];                                                                                           \\
        load(ra, a); load(rb, b); load(sum, c);                                                             \\
        name(sum, ra, rb, sum);                                                                             \\
        store(d, sum);                                                                                      \\
    }
DENSE(mma_m16n8k16_f16, float)
DENSE(mma_m16n8k16_bf16, float)
DENSE(mma_m16n8k32_s8, int)
DENSE(mma_m16n8k256_b1_and, int)
extern "C" __global__ void run_small(const unsigned* a, const unsigned* b, const int* c, int* d) {
    int sum[2], out[2];
    load(sum, c);
    mma_m8n8k128_b1_and(out, a[threadIdx.x], b[threadIdx.x], sum);
    store(d, out);
}
#define SPARSE(name, selector)                                                                              \\
    extern "C" __global__ void run_##name##_##selector(const unsigned* a, const unsigned* b, const float* c, \\
                                                       const unsigned* positions, float* d) {               \\
        unsigned ra[4], rb[4];                                                                              \\
        float sum[4];                                                                                       \\
        load(ra, a); load(rb, b); load(sum, c);                                                             \\
        name<selector>(sum, ra, rb, sum, positions[threadIdx.x]);                                           \\
        store(d, sum);                                                                                      \\
    }
SPARSE(mma_sp_m16n8k32_f16, 0)
SPARSE(mma_sp_m16n8k32_f16, 1)
SPARSE(mma_sp_m16n8k32_bf16, 0)
SPARSE(mma_sp_m16n8k32_bf16, 1)
"""


def run(name, *arrays):
    cuda.compile(SOURCE, f"run_{name}", backend="host")(1, 32, arrays)


def bits_of(values, kind):
    """The 16-bit patterns of float values that the type holds exactly."""
    if kind == "f16":
        return values.astype(np.float16).view(np.uint16)
    return (values.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("kind", ["f16", "bf16"])
def test_m16n8k16_multiplies_16_bit_floats(rng, kind):
    a, b = rng.integers(-16, 17, (16, 16)).astype(float), rng.integers(-16, 17, (16, 8)).astype(float)
    c = rng.standard_normal((16, 8)).astype(np.float32)
    out = np.zeros((32, 4), np.float32)
    ra, rb = pack(bits_of(a, kind), a_m16n8k16, 4, 16), pack(bits_of(b, kind), b_m16n8k16, 2, 16)
    run(f"mma_m16n8k16_{kind}", ra, rb, spread(c, c_m16n8, 4).astype(np.float32), out)
    np.testing.assert_allclose(collect(out, c_m16n8, (16, 8)), a @ b + c, rtol=1e-6)


def test_m16n8k32_multiplies_signed_bytes(rng):
    a, b = rng.integers(-128, 128, (16, 32)), rng.integers(-128, 128, (32, 8))
    c = rng.integers(-(2**20), 2**20, (16, 8)).astype(np.int32)
    out = np.zeros((32, 4), np.int32)
    run(
        "mma_m16n8k32_s8",
        pack(a, a_m16n8k32, 4, 8),
        pack(b, b_m16n8k32, 2, 8),
        spread(c, c_m16n8, 4).astype(np.int32),
        out,
    )
    np.testing.assert_array_equal(collect(out, c_m16n8, (16, 8)), a @ b + c)


def test_m16n8k256_counts_common_bits(rng):
    a, b = rng.integers(0, 2, (16, 256)), rng.integers(0, 2, (256, 8))
    c = rng.integers(-100, 100, (16, 8)).astype(np.int32)
    out = np.zeros((32, 4), np.int32)
    ra, rb = pack(a, a_m16n8k256, 4, 1), pack(b, b_m16n8k256, 2, 1)
    run("mma_m16n8k256_b1_and", ra, rb, spread(c, c_m16n8, 4).astype(np.int32), out)
    np.testing.assert_array_equal(collect(out, c_m16n8, (16, 8)), a @ b + c)


def test_m8n8k128_counts_common_bits(rng):
    a, b = rng.integers(0, 2, (8, 128)), rng.integers(0, 2, (128, 8))
    c = rng.integers(-100, 100, (8, 8)).astype(np.int32)
    out = np.zeros((32, 2), np.int32)
    ra, rb = pack(a, a_m8n8k128, 1, 1), pack(b, b_m8n8k128, 1, 1)
    run("small", ra, rb, spread(c, c_m8n8, 2).astype(np.int32), out)
    np.testing.assert_array_equal(collect(out, c_m8n8, (8, 8)), a @ b + c)


def two_of_four(rng):
    """A 16x32 matrix with two values in every four, its stored half and the positions of the stored values."""
    dense, stored, places = np.zeros((16, 32)), np.zeros((16, 16)), np.zeros((16, 16), int)
    for row in range(16):
        for chunk in range(8):
            first, second = sorted(rng.choice(4, 2, replace=False))
            for k, place in enumerate((first, second)):
                stored[row, 2 * chunk + k] = rng.integers(-16, 17)
                places[row, 2 * chunk + k] = place
                dense[row, 4 * chunk + place] = stored[row, 2 * chunk + k]
    return dense, stored, places


def metadata(places, selector):
    """One word per lane. In each group of four lanes, lane 2 * selector has stored columns 0-7 and the next has 8-15:
    bits 0-15 of row `group`, bits 16-31 of row `group + 8`. The other two lanes get noise: they are not to be read."""
    words = np.full(32, 0xDEADBEEF, np.uint32)
    for quad in range(8):
        for half in range(2):
            word = 0
            for k in range(8):
                word |= int(places[quad, 8 * half + k]) << (2 * k)
                word |= int(places[quad + 8, 8 * half + k]) << (16 + 2 * k)
            words[4 * quad + 2 * selector + half] = word
    return words


@pytest.mark.parametrize("selector", [0, 1])
@pytest.mark.parametrize("kind", ["f16", "bf16"])
def test_sparse_m16n8k32_puts_stored_values_where_the_positions_say(rng, kind, selector):
    dense, stored, places = two_of_four(rng)
    b = rng.integers(-16, 17, (32, 8)).astype(float)
    c = rng.standard_normal((16, 8)).astype(np.float32)
    out = np.zeros((32, 4), np.float32)
    ra, rb = pack(bits_of(stored, kind), a_m16n8k16, 4, 16), pack(bits_of(b, kind), b_sparse_m16n8k32, 4, 16)
    sums = spread(c, c_m16n8, 4).astype(np.float32)
    run(f"mma_sp_m16n8k32_{kind}_{selector}", ra, rb, sums, metadata(places, selector), out)
    np.testing.assert_allclose(collect(out, c_m16n8, (16, 8)), dense @ b + c, rtol=1e-6)


def test_an_infinity_beside_a_value_that_is_not_stored_does_not_show(rng):
    dense, stored, places = two_of_four(rng)
    dense[:, :4], stored[:, :2], places[:, :2] = 0, 1, (0, 1)
    dense[:, :2] = 1
    b = np.zeros((32, 8))
    b[2] = np.inf
    out = np.zeros((32, 4), np.float32)
    ra, rb = pack(bits_of(stored, "f16"), a_m16n8k16, 4, 16), pack(bits_of(b, "f16"), b_sparse_m16n8k32, 4, 16)
    run("mma_sp_m16n8k32_f16_0", ra, rb, np.zeros((32, 4), np.float32), metadata(places, 0), out)
    assert np.isfinite(out).all()


def test_mma_needs_a_whole_warp():
    registers = np.zeros((32, 4), np.uint32)
    kernel = cuda.compile(SOURCE, "run_mma_m16n8k32_s8", backend="host")
    with pytest.raises(cuda.LaunchError, match="needs all 32 lanes"):
        kernel(1, 16, (registers, registers, np.zeros((32, 4), np.int32), np.zeros((32, 4), np.int32)))


def _has_gpu():
    from course_lib.cuda.calling import backends

    return backends.preferred() == "cuda"


@pytest.mark.gpu
@pytest.mark.skipif(not _has_gpu(), reason="no GPU")
@pytest.mark.parametrize(
    "name",
    ["mma_m16n8k16_f16", "mma_m16n8k16_bf16", "mma_m16n8k32_s8", "mma_m16n8k256_b1_and", "small"],
)
def test_the_gpu_agrees_with_the_host(rng, name):
    """Whatever the registers hold: the two bodies of a wrapper are one function."""
    cupy = pytest.importorskip("cupy")
    if int(cupy.cuda.Device().compute_capability) < 80 and name != "mma_m16n8k32_s8":
        pytest.skip("needs sm_80")
    is_float = "16_" in name and "n8k16" in name
    sums = np.float32 if is_float else np.int32
    size = 2 if name == "small" else 4
    if is_float:
        values = rng.integers(-8, 9, (2, 32, 8)).astype(float)
        a = bits_of(values[0], name[-4:].strip("_")).view(np.uint32)
        b = bits_of(values[1][:, :4], name[-4:].strip("_")).view(np.uint32)
    else:
        a, b = (rng.integers(0, 2**32, (32, k), dtype=np.uint64).astype(np.uint32) for k in (4, 2))
    c = rng.integers(-100, 100, (32, size)).astype(sums)
    out = np.zeros((32, size), sums)
    run(name, a, b, c, out)
    on_gpu = cupy.zeros((32, size), sums)
    kernel = cuda.compile(SOURCE, f"run_{name}", backend="cuda")
    kernel(1, 32, (*(cupy.asarray(np.ascontiguousarray(v)) for v in (a, b, c)), on_gpu))
    np.testing.assert_array_equal(out, on_gpu.get())


@pytest.mark.gpu
@pytest.mark.skipif(not _has_gpu(), reason="no GPU")
@pytest.mark.parametrize("selector", [0, 1])
@pytest.mark.parametrize("kind", ["f16", "bf16"])
def test_the_gpu_agrees_with_the_host_on_sparse_tiles(rng, kind, selector):
    cupy = pytest.importorskip("cupy")
    if int(cupy.cuda.Device().compute_capability) < 80:
        pytest.skip("needs sm_80")
    dense, stored, places = two_of_four(rng)
    b = rng.integers(-16, 17, (32, 8)).astype(float)
    ra, rb = pack(bits_of(stored, kind), a_m16n8k16, 4, 16), pack(bits_of(b, kind), b_sparse_m16n8k32, 4, 16)
    out = cupy.zeros((32, 4), cupy.float32)
    arguments = (
        cupy.asarray(ra),
        cupy.asarray(rb),
        cupy.zeros((32, 4), cupy.float32),
        cupy.asarray(metadata(places, selector)),
        out,
    )
    cuda.compile(SOURCE, f"run_mma_sp_m16n8k32_{kind}_{selector}", backend="cuda")(1, 32, arguments)
    np.testing.assert_array_equal(collect(out.get(), c_m16n8, (16, 8)), dense @ b)
