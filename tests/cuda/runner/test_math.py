"""Bit functions, integer and floating-point intrinsics, atomics and vector types on the host."""

import numpy as np
import pytest

from course_lib import cuda


def run(source, *arguments, name="k", grid=1, block=1):
    cuda.compile(source, name, backend="host")(grid, block, arguments)


def test_bit_functions(rng):
    source = """typedef unsigned long long ull;
    __global__ void k(const unsigned* x, const ull* y, unsigned* out, ull* wide, int n) {
        for (int i = 0; i < n; ++i) {
            out[i] = __popc(x[i]); out[n + i] = __clz(x[i]);
            out[2 * n + i] = __ffs(x[i]); out[3 * n + i] = __brev(x[i]);
            out[4 * n + i] = __popcll(y[i]); out[5 * n + i] = __clzll(y[i]); out[6 * n + i] = __ffsll(y[i]);
            wide[i] = __brevll(y[i]);
            out[7 * n + i] = __umulhi(x[i], x[i] ^ 0x5a5a5a5a); out[8 * n + i] = __mulhi((int)x[i], -7);
            wide[n + i] = __umul64hi(y[i], y[i] ^ 0x123456789abcdefull);
            out[9 * n + i] = __byte_perm(x[i], ~x[i], 0x7120); out[10 * n + i] = __funnelshift_l(x[i], ~x[i], 5);
            out[11 * n + i] = __funnelshift_r(x[i], ~x[i], 37); out[12 * n + i] = __mul24(x[i], 3);
        }
    }"""
    x = np.concatenate([[0, 1, 2**31, 2**32 - 1], rng.integers(0, 2**32, 60)]).astype(np.uint32)
    y = np.append(np.array([0, 1, 2**63, 2**64 - 1], np.uint64), rng.integers(0, 2**64, 60, dtype=np.uint64))
    out, wide = np.zeros((13, 64), np.uint32), np.zeros((2, 64), np.uint64)
    run(source, x, y, out, wide, 64)
    for k, (a, b) in enumerate(zip(map(int, x), map(int, y), strict=True)):
        low = ~a & 0xFFFFFFFF
        signed = a - 2**32 if a >> 31 else a
        signed24 = (a & 0xFFFFFF) - (2**24 if a >> 23 & 1 else 0)
        octets = list((low << 32 | a).to_bytes(8, "little"))
        expected = [
            a.bit_count(),
            32 - a.bit_length(),
            (a & -a).bit_length(),
            int(f"{a:032b}"[::-1], 2),
            b.bit_count(),
            64 - b.bit_length(),
            (b & -b).bit_length(),
            a * (a ^ 0x5A5A5A5A) >> 32,
            (signed * -7 >> 32) & 0xFFFFFFFF,
            octets[0] | octets[2] << 8 | octets[1] << 16 | octets[7] << 24,
            ((low << 32 | a) << 5 >> 32) & 0xFFFFFFFF,
            ((low << 32 | a) >> 5) & 0xFFFFFFFF,
            (signed24 * 3) & 0xFFFFFFFF,
        ]
        np.testing.assert_array_equal(out[:, k], np.array(expected, np.uint64).astype(np.uint32))
        assert int(wide[0, k]) == int(f"{b:064b}"[::-1], 2)
        assert int(wide[1, k]) == b * (b ^ 0x123456789ABCDEF) >> 64


def test_dot_products_of_bytes(rng):
    source = """
    #include "dp4a.cuh"
    __global__ void k(const int* a, const int* b, int* out, int n) {
        for (int i = 0; i < n; ++i) {
            out[i] = __dp4a(a[i], b[i], 10);
            out[n + i] = (int)dp4a((unsigned)a[i], (unsigned)b[i], 10u);
            out[2 * n + i] = dp4a_su(a[i], (unsigned)b[i], 10);
            out[3 * n + i] = dp4a(a[i], b[i], -10);
        }
    }"""
    a, b = (rng.integers(-(2**31), 2**31, 50).astype(np.int32) for _ in range(2))
    out = np.zeros((4, 50), np.int32)
    run(source, a, b, out, 50)
    sa, sb, ua, ub = (x.view(t).reshape(50, 4).astype(int) for x, t in ((a, "i1"), (b, "i1"), (a, "u1"), (b, "u1")))
    expected = [(sa * sb).sum(1) + 10, (ua * ub).sum(1) + 10, (sa * ub).sum(1) + 10, (sa * sb).sum(1) - 10]
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("table", [0xEA, 0x96, 0xC0, 0x01, 0x80, 0x1B])
def test_lop3_is_its_table(table, rng):
    source = f"""#include "lop3.cuh"
    __global__ void k(const unsigned* x, unsigned* out) {{ out[0] = lop3<{table}>(x[0], x[1], x[2]); }}"""
    x = rng.integers(0, 2**32, 3, dtype=np.uint64).astype(np.uint32)
    out = np.zeros(1, np.uint32)
    run(source, x, out)
    bits = [
        table >> ((int(x[0]) >> k & 1) << 2 | (int(x[1]) >> k & 1) << 1 | (int(x[2]) >> k & 1)) & 1 for k in range(32)
    ]
    assert int(out[0]) == sum(bit << k for k, bit in enumerate(bits))


def test_float_intrinsics():
    source = """__global__ void k(const float* x, float* out, int n) {
        for (int i = 0; i < n; ++i) {
            const float v = x[i];
            out[i] = __expf(v); out[n + i] = __logf(fabsf(v));
            out[2 * n + i] = rsqrtf(fabsf(v)); out[3 * n + i] = __fdividef(v, 3.0f);
            out[4 * n + i] = __saturatef(v); out[5 * n + i] = fmaf(v, v, -v);
            out[6 * n + i] = __frcp_rn(v); out[7 * n + i] = min(v, 0.5f);
            out[8 * n + i] = fmaxf(v, NAN); out[9 * n + i] = __int_as_float(__float_as_int(v) ^ 0x80000000);
            out[10 * n + i] = __powf(fabsf(v), 1.5f); out[11 * n + i] = exp10f(v); out[12 * n + i] = normcdff(v);
        }
    }"""
    x = np.array([-2.5, -0.3, 0.1, 0.5, 1.0, 7.25], np.float32)
    out = np.zeros((13, 6), np.float32)
    run(source, x, out, 6)
    from math import erfc

    y = x.astype(float)
    size = abs(y)
    normal = [erfc(-v / 2**0.5) / 2 for v in y]
    expected = [np.exp(y), np.log(size), size**-0.5, y / 3, y.clip(0, 1), y * y - y, 1 / y, np.minimum(y, 0.5), y, -y]
    np.testing.assert_allclose(out, [*expected, size**1.5, 10**y, normal], rtol=1e-6, atol=1e-7)


def test_roundings_and_saturation():
    source = """__global__ void k(const float* x, int* out, unsigned* u, float* f, const int* i, int n) {
        for (int k = 0; k < n; ++k) {
            out[k] = __float2int_rn(x[k]); out[n + k] = __float2int_rz(x[k]); out[2 * n + k] = __float2int_rd(x[k]);
            out[3 * n + k] = __float2int_ru(x[k]); u[k] = __float2uint_rn(x[k]);
            f[k] = __int2float_rn(i[k]); f[n + k] = __int2float_rz(i[k]);
            f[2 * n + k] = __int2float_rd(i[k]); f[3 * n + k] = __int2float_ru(i[k]);
        }
    }"""
    x = np.array([0.5, 1.5, -2.5, 2.7, -2.7, 3e9, -3e9, np.nan, np.inf], np.float32)
    i = np.array([16777217, -16777217, 16777219, 2**31 - 1, -(2**31), 5, 0, 33554435, -33554435], np.int32)
    n = len(x)
    out, u, f = np.zeros((4, n), np.int32), np.zeros(n, np.uint32), np.zeros((4, n), np.float32)
    run(source, x, out, u, f, i, n)
    for row, rounding in enumerate((np.rint, np.trunc, np.floor, np.ceil)):
        exact = np.nan_to_num(rounding(x.astype(float)), nan=0, posinf=2**40).clip(-(2**31), 2**31 - 1)
        np.testing.assert_array_equal(out[row], exact)
    np.testing.assert_array_equal(u, np.nan_to_num(np.rint(x.astype(float)), posinf=2**40).clip(0, 2**32 - 1))
    exact = i.astype(float)
    np.testing.assert_array_equal(f[0], i.astype(np.float32))
    step = np.spacing(np.abs(f)).astype(float)
    assert (abs(f[1]) <= abs(exact)).all()
    assert (f[2] <= exact).all()
    assert (f[3] >= exact).all()
    assert (abs(f - exact) < step).all()


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [
        ("int", np.int32),
        ("unsigned", np.uint32),
        ("unsigned long long", np.uint64),
        ("float", np.float32),
        ("double", np.float64),
    ],
)
def test_atomic_sums_from_many_blocks(kind, dtype):
    source = f"""extern "C" __global__ void k({kind}* x) {{
        atomicAdd(&x[0], ({kind})1);
        atomicAdd(x + 1, ({kind})threadIdx.x);
        atomicMax(x + 2, ({kind})(blockIdx.x * blockDim.x + threadIdx.x));
        atomicMin(x + 3, ({kind})(threadIdx.x + 5));
        atomicExch(x + 4, ({kind})7);
    }}"""
    x = np.array([0, 0, 0, 1000, 0], dtype)
    run(source, x, grid=50, block=200)
    np.testing.assert_array_equal(x, np.array([10000, 50 * 199 * 100, 9999, 5, 7], dtype))


@pytest.mark.parametrize(("kind", "dtype"), [("__half", np.float16), ("__half2", np.float16)])
def test_atomic_sums_of_halves(kind, dtype):
    source = f"""#include <cuda_fp16.h>
    extern "C" __global__ void k({kind}* x, {kind}* one) {{ atomicAdd(x, *one); }}"""
    x = np.zeros(2, dtype)
    run(source, x, np.array([1, 2], dtype), grid=4, block=128)
    np.testing.assert_array_equal(x, [512, 1024 if kind == "__half2" else 0])


def test_other_atomics():
    source = """__global__ void k(unsigned* x, int* swaps) {
        atomicAnd(&x[0], ~(1u << threadIdx.x)); atomicOr(&x[1], 1u << threadIdx.x); atomicXor(&x[2], threadIdx.x);
        atomicInc(&x[3], 9u); atomicDec(&x[4], 9u); atomicSub(&x[5], 2u);
        if (atomicCAS(&x[6], 0u, threadIdx.x + 1) == 0) atomicAdd(swaps, 1);
    }"""
    x, swaps = np.array([0xFFFFFFFF, 0, 0, 0, 0, 100, 0], np.uint32), np.zeros(1, np.int32)
    run(source, x, swaps, block=25)
    np.testing.assert_array_equal(x[:3], [0xFFFFFFFF & ~(2**25 - 1), 2**25 - 1, np.bitwise_xor.reduce(np.arange(25))])
    assert list(x[3:6]) == [25 % 10, (-25) % 10, 50]
    assert swaps[0] == 1
    assert 1 <= x[6] <= 25


def test_min_and_max_beside_those_of_std():
    source = """#include <algorithm>
    using namespace std;
    __global__ void k(float* x, int n, unsigned u, long long l) {
        x[0] = min(n, 3) + max(u, 5u); x[1] = max(x[1], 2.5f); x[2] = min(l, 7LL);
        x[3] = fmaxf(min(2, 1.5f), max(-1.0, n)); x[4] = ::max(n, 1u); x[5] = min(NAN, 3.0f);
    }"""
    x = np.zeros(6, np.float32)
    run(source, x, -2, 4, 2**40)
    np.testing.assert_array_equal(x, np.float32([-2 + 5, 2.5, 7, 1.5, 4294967294, 3]))


def test_vector_types():
    source = """__global__ void k(const float4* a, const uchar4* b, float2* out, int* sizes) {
        float4 v = a[1];
        const uchar4 c = b[0];
        out[0] = make_float2(v.x + v.w, c.x + c.w);
        out[1] = {v.y, float(make_int3(1, 2, 3).z)};
        sizes[0] = sizeof(float3); sizes[1] = alignof(float4); sizes[2] = sizeof(double4);
        sizes[3] = alignof(int2); sizes[4] = alignof(short4); sizes[5] = sizeof(ulonglong2);
        dim3 d(4, 2);
        sizes[6] = d.x * d.y * d.z;
    }"""
    out, sizes = np.zeros(4, np.float32), np.zeros(7, np.int32)
    run(source, np.arange(8, dtype=np.float32), np.array([250, 1, 2, 5], np.uint8), out, sizes)
    np.testing.assert_array_equal(out, [11, 255, 5, 3])
    np.testing.assert_array_equal(sizes, [12, 16, 32, 8, 8, 16, 8])
