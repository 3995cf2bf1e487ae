"""float16 and bfloat16 arithmetic on the host: every operation rounds the exact result once, to nearest even."""

from fractions import Fraction

import numpy as np
import pytest

from course_lib import cuda

torch = pytest.importorskip("torch")

SOURCE = """
#include <cuda_fp16.h>
#include <cuda_bf16.h>
template <class T> __global__ void binary(const T* a, const T* b, const T* c, T* out, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    out[i] = a[i] + b[i];
    out[n + i] = a[i] - b[i];
    out[2 * n + i] = a[i] * b[i];
    out[3 * n + i] = a[i] / b[i];
    out[4 * n + i] = hsqrt(a[i]);
    out[5 * n + i] = __hfma(a[i], b[i], c[i]);
    out[6 * n + i] = __hmax(a[i], b[i]);
    out[7 * n + i] = __hmin(a[i], b[i]);
}
template <class T> __global__ void from_float(const float* x, const double* y, T* out, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    out[i] = T(x[i]);
    out[n + i] = T(y[i]);
}
template <class T> __global__ void to_float(const T* x, float* out, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = x[i];
}
template <class T> __global__ void pairs(const T* a, const T* b, T* out) {
    const T x = a[threadIdx.x], y = b[threadIdx.x];
    out[threadIdx.x] = __hfma2(x, y, __hmul2(x + y, x - y));
}
"""
FORMATS = {
    "__half": (torch.float16, 11, 65504.0),
    "__nv_bfloat16": (torch.bfloat16, 8, float(torch.finfo(torch.bfloat16).max)),
}
# the bit-by-bit conversions that processors without 16-bit instructions use
PATHS = {"native": (), "portable": ("-DCOURSE_PORTABLE_FLOAT16",)}


@pytest.fixture(params=FORMATS)
def kind(request):
    return request.param


@pytest.fixture(params=PATHS)
def options(request):
    return PATHS[request.param]


def random_bits(dtype, n, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randint(-32768, 32768, (n,), generator=generator).to(torch.int16).view(dtype) for _ in range(3)]


def same(got, wanted):
    """Equal bit for bit, where NaNs are one value."""
    return ((got.view(torch.int16) == wanted.view(torch.int16)) | (got.isnan() & wanted.isnan())).all()


def test_arithmetic_rounds_the_exact_result(kind, options):
    # torch adds, subtracts, multiplies and divides these types in float32 and rounds the result: the same by
    # Figueroa's theorem, computed by other code
    dtype, _, _ = FORMATS[kind]
    n = 100_000
    a, b, c = random_bits(dtype, n)
    out = torch.zeros(8, n, dtype=dtype)
    cuda.compile(SOURCE, f"binary<{kind}>", options=options, backend="host")((n + 255) // 256, 256, (a, b, c, out, n))
    # NumPy's root is the correctly rounded one; torch's is MKL's, which on some processors is off by a last place
    with np.errstate(invalid="ignore"):
        root = torch.from_numpy(np.sqrt(a.float().numpy())).to(dtype)
    for row, wanted in enumerate([a + b, a - b, a * b, a / b, root]):
        assert same(out[row], wanted), row
    numbers = ~(a.isnan() | b.isnan() | (a == 0))
    assert same(out[6][numbers], torch.maximum(a, b)[numbers])
    assert same(out[7][numbers], torch.minimum(a, b)[numbers])
    assert same(out[6][a.isnan()], b[a.isnan()])


def nearest_even(exact, bits, dtype, largest):
    """The format's value nearest to a fraction, ties to even: from the definition, with integers."""
    if exact == 0:
        return 0.0
    smallest = Fraction(1, 2**24) if dtype == torch.float16 else Fraction(1, 2**133)
    step = max(Fraction(2) ** (_exponent(abs(exact)) - bits + 1), smallest)
    quotient, rest = divmod(abs(exact), step)
    if rest * 2 > step or (rest * 2 == step and quotient % 2):
        quotient += 1
    value = quotient * step
    if value > Fraction(largest):
        return float("inf") if exact > 0 else float("-inf")
    return float(value) if exact > 0 else -float(value)


def _exponent(positive):
    e = positive.numerator.bit_length() - positive.denominator.bit_length()
    return e if Fraction(2) ** e <= positive else e - 1


def test_fused_multiply_add_rounds_once(kind):
    dtype, bits, largest = FORMATS[kind]
    n = 4000
    a, b, c = random_bits(dtype, n, seed=1)
    # sums where the product is half a step of c, give or take next to nothing: what a second rounding gets wrong
    near = torch.arange(n // 2)
    c[near] = (1 + near % 64 / 64).to(dtype)
    a[near] = ((1 + near % 2**7 / 2**7) * 2.0 ** (-bits // 2)).to(dtype)
    b[near] = torch.where(near % 3 == 0, 2.0 ** (-(bits - bits // 2)), 2.0**-5).to(dtype)
    out = torch.zeros(8, n, dtype=dtype)
    cuda.compile(SOURCE, f"binary<{kind}>", backend="host")((n + 255) // 256, 256, (a, b, c, out, n))
    checked = 0
    for x, y, z, got in zip(a.tolist(), b.tolist(), c.tolist(), out[5].tolist(), strict=True):
        if all(np.isfinite([x, y, z])):
            assert got == nearest_even(Fraction(x) * Fraction(y) + Fraction(z), bits, dtype, largest), (x, y, z)
            checked += 1
    assert checked > n // 2


@pytest.mark.parametrize(
    ("a", "b", "c", "wanted"),
    [
        (7, 37, 0, 260),
        (7, 37, -1e-30, 258),
        (7, 37, 1e-30, 260),
        (9, 29, 0, 260),
        (9, 29, 1e-30, 262),
        (9, 29, -1e-30, 260),
    ],
)
def test_a_fused_multiply_add_that_double_precision_gets_wrong(a, b, c, wanted):
    # 259 and 261 lie halfway between two bfloat16; double drops 1e-30, and then the tie goes to even
    values = [torch.tensor([value], dtype=torch.bfloat16) for value in (a, b, c)]
    out = torch.zeros(8, 1, dtype=torch.bfloat16)
    cuda.compile(SOURCE, "binary<__nv_bfloat16>", backend="host")(1, 1, (*values, out, 1))
    assert float(out[5]) == wanted


def test_conversion_from_float_and_double(kind, options):
    dtype, bits, largest = FORMATS[kind]
    every = torch.arange(-32768, 32768, dtype=torch.int32).to(torch.int16).view(dtype).float()
    every = every[every.isfinite()]
    # all values, all midpoints, and the floats right beside the midpoints
    middle = ((every.double()[:-1] + every.double()[1:]) / 2).float()
    x = torch.cat(
        [every, middle, middle.nextafter(torch.tensor(torch.inf)), middle.nextafter(torch.tensor(-torch.inf))]
    )
    x = torch.cat([x, torch.tensor([torch.inf, -torch.inf, torch.nan, largest * 1.01, 1e-30])])
    y = x.double() + 1e-12 * x.double()
    out = torch.zeros(2, len(x), dtype=dtype)
    cuda.compile(SOURCE, f"from_float<{kind}>", options=options, backend="host")(
        (len(x) + 255) // 256, 256, (x, y, out, len(x))
    )
    assert same(out[0], x.to(dtype))
    sample = torch.randperm(len(y), generator=torch.Generator().manual_seed(0))[:3000]
    for value, got in zip(y[sample].tolist(), out[1][sample].tolist(), strict=True):
        if np.isfinite(value):
            assert got == nearest_even(Fraction(value), bits, dtype, largest), value


def test_every_value_survives_the_way_to_float(kind, options):
    dtype = FORMATS[kind][0]
    x = torch.arange(-32768, 32768, dtype=torch.int32).to(torch.int16).view(dtype)
    out = torch.zeros(len(x))
    cuda.compile(SOURCE, f"to_float<{kind}>", options=options, backend="host")(256, 256, (x, out, len(x)))
    assert ((out == x.float()) | (out.isnan() & x.isnan())).all()


def test_pairs_are_two_of_them(kind):
    dtype = FORMATS[kind][0]
    a, b, _ = (values[:64].abs().clamp(1e-3, 10) for values in random_bits(dtype, 200))
    a, b = a.nan_to_num(1.0), b.nan_to_num(2.0)
    out = torch.zeros(64, dtype=dtype)
    pair = "__half2" if kind == "__half" else "__nv_bfloat162"
    cuda.compile(SOURCE, f"pairs<{pair}>", backend="host")(1, 32, (a, b, out))
    single = torch.zeros(8, 64, dtype=dtype)
    third = (a + b) * (a - b)
    cuda.compile(SOURCE, f"binary<{kind}>", backend="host")(1, 64, (a, b, third, single, 64))
    assert same(out, single[5])


def test_scalar_arguments_round_too():
    source = """#include <cuda_fp16.h>
    #include <cuda_bf16.h>
    __global__ void k(float* x, half h, __nv_bfloat16 b) { x[0] = __half2float(h); x[1] = __bfloat162float(b); }"""
    x = np.zeros(2, np.float32)
    cuda.compile(source, "k", backend="host")(1, 1, (x, 0.1, 1.005859375))
    assert x[0] == np.float32(np.float16(0.1))
    assert x[1] == torch.tensor(1.005859375).bfloat16().float().item()


def test_directed_rounding_and_integers():
    source = """#include <cuda_fp16.h>
    __global__ void k(const float* x, half* out, int* whole, int n) {
        for (int i = 0; i < n; ++i) {
            out[i] = __float2half_rz(x[i]); out[n + i] = __float2half_rd(x[i]); out[2 * n + i] = __float2half_ru(x[i]);
            whole[i] = __half2int_rn(__float2half(x[i])); whole[n + i] = __half2int_rz(__float2half(x[i]));
        }
    }"""
    x = np.array([0.1, -0.1, 1 / 3, -1 / 3, 2.5, -2.5, 3.5, 1e-9, -1e-9, 1000.7], np.float32)
    out, whole = np.zeros((3, len(x)), np.float16), np.zeros((2, len(x)), np.int32)
    cuda.compile(source, "k", backend="host")(1, 1, (x, out, whole, len(x)))
    for k, value in enumerate(x):
        assert abs(out[0, k]) <= abs(value) < abs(np.nextafter(out[0, k], np.float16(np.copysign(np.inf, value))))
        assert out[1, k] <= value < np.nextafter(out[1, k], np.float16(np.inf))
        assert np.nextafter(out[2, k], np.float16(-np.inf)) < value <= out[2, k]
    half = x.astype(np.float16).astype(float)
    np.testing.assert_array_equal(whole[0], np.rint(half))
    np.testing.assert_array_equal(whole[1], np.trunc(half))
