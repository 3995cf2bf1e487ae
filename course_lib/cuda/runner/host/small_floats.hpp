// The 16-bit floating-point types. Each operation computes in float or double and rounds once to nearest even:
//   + - * / sqrt of 11-bit (or 8-bit) numbers, computed in float's 24 bits, round to the same 16 bits as the exact
//   result (Figueroa 1995: 24 >= 2 * 11 + 2); a fused multiply-add needs more, see fused() below.
#pragma once
#include <math.h>
#include <string.h>

#include "conversions.hpp"
#include "vector_types.hpp"

namespace host {

// A double as a float whose last bit also says "there was more": rounding that again, to fewer bits, is exact rounding.
inline float round_to_odd(double x) {
    float nearest = float(x);
    if (double(nearest) == x || x != x || isinf(nearest)) {
        return isinf(nearest) && !isinf(x) ? copysignf(3.402823466e38f, nearest) : nearest;
    }
    uint32_t bits = bits_as<uint32_t>(nearest);
    if (fabs(double(nearest)) > fabs(x)) --bits;
    return bits_as<float>(bits | 1);
}

// a * b + c with all its bits that matter: the product of two floats is exact in double; the last bit of the sum is
// made odd if the sum was not.
inline double fused(float a, float b, float c) {
    const double product = double(a) * double(b), addend = c;
    const double sum = product + addend;
    if (!isfinite(sum)) return sum;
    const double back = sum - product;
    const double error = (product - (sum - back)) + (addend - back);
    int64_t bits = bits_as<int64_t>(sum);
    if (error != 0 && !(bits & 1)) bits += (error > 0) == (sum > 0) ? 1 : -1;
    return bits_as<double>(bits);
}

// The compiler's own 16-bit type, where the processor converts it in one instruction
#if defined(__FLT16_MAX__) && (defined(__F16C__) || defined(__aarch64__)) && !defined(COURSE_PORTABLE_FLOAT16)
#define COURSE_NATIVE_FLOAT16 1
#endif

struct Float16 {  // 1 sign, 5 exponent, 10 fraction bits
    static uint16_t encode(float x) {
#if defined(COURSE_NATIVE_FLOAT16)
        return x != x ? nan : bits_as<uint16_t>(_Float16(x));
#else
        const uint32_t bits = bits_as<uint32_t>(x), sign = bits >> 16 & 0x8000, size = bits & 0x7fffffff;
        if (size > 0x7f800000) return nan;
        if (size >= 0x477ff000) return uint16_t(sign | 0x7c00);  // rounds to infinity
        if (size >= 0x38800000) {                                // a normal number
            const uint32_t rebased = size - 0x38000000;
            return uint16_t(sign | (rebased + 0xfff + (rebased >> 13 & 1)) >> 13);
        }
        // subnormal: adding 0.5 leaves exactly the bits that stay, rounded by the addition itself
        return uint16_t(sign | (bits_as<uint32_t>(bits_as<float>(size) + 0.5f) - 0x3f000000));
#endif
    }
    static float decode(uint16_t half) {
#if defined(COURSE_NATIVE_FLOAT16)
        return float(bits_as<_Float16>(half));
#else
        const uint32_t sign = uint32_t(half & 0x8000) << 16, rest = uint32_t(half & 0x7fff) << 13;
        const float scaled =
            bits_as<float>(rest) * bits_as<float>(0x77800000u);  // times 2^112: the two biases' difference
        const uint32_t bits = (half & 0x7c00) == 0x7c00 ? rest | 0x7f800000 : bits_as<uint32_t>(scaled);
        return bits_as<float>(sign | bits);
#endif
    }
    static constexpr uint16_t nan = 0x7fff, infinity = 0x7c00, largest = 0x7bff;
};

struct BFloat16 {  // the upper half of a float: 1 sign, 8 exponent, 7 fraction bits
    static uint16_t encode(float x) {
        const uint32_t bits = bits_as<uint32_t>(x);
        if ((bits & 0x7fffffff) > 0x7f800000) return 0x7fff;
        return uint16_t((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
    }
    static float decode(uint16_t x) { return bits_as<float>(uint32_t(x) << 16); }
    static constexpr uint16_t nan = 0x7fff, infinity = 0x7f80, largest = 0x7f7f;
};

template <class F>
struct Small {
    uint16_t bits;

    Small() = default;
    Small(float x) : bits(F::encode(x)) {}
    Small(double x) : bits(F::encode(round_to_odd(x))) {}
    template <class I, class = std::enable_if_t<std::is_integral_v<I>>>
    Small(I x) : bits(F::encode(round_to_odd(double(x)))) {}
    static Small of_bits(uint16_t bits) {
        Small made;
        made.bits = bits;
        return made;
    }
    operator float() const { return F::decode(bits); }
    float value() const { return F::decode(bits); }
    template <class I, class = std::enable_if_t<std::is_integral_v<I>>>
    explicit operator I() const {
        return saturate<I>(truncf(value()));
    }
    explicit operator bool() const { return value() != 0; }

    Small operator-() const { return of_bits(bits ^ 0x8000); }
    Small operator+() const { return *this; }
    Small& operator+=(Small o) { return *this = *this + o; }
    Small& operator-=(Small o) { return *this = *this - o; }
    Small& operator*=(Small o) { return *this = *this * o; }
    Small& operator/=(Small o) { return *this = *this / o; }
    Small& operator++() { return *this = *this + Small(1.0f); }
    Small& operator--() { return *this = *this - Small(1.0f); }

    friend Small operator+(Small a, Small b) { return Small(a.value() + b.value()); }
    friend Small operator-(Small a, Small b) { return Small(a.value() - b.value()); }
    friend Small operator*(Small a, Small b) { return Small(a.value() * b.value()); }
    friend Small operator/(Small a, Small b) { return Small(a.value() / b.value()); }
    friend bool operator==(Small a, Small b) { return a.value() == b.value(); }
    friend bool operator!=(Small a, Small b) { return a.value() != b.value(); }
    friend bool operator<(Small a, Small b) { return a.value() < b.value(); }
    friend bool operator<=(Small a, Small b) { return a.value() <= b.value(); }
    friend bool operator>(Small a, Small b) { return a.value() > b.value(); }
    friend bool operator>=(Small a, Small b) { return a.value() >= b.value(); }

    friend Small __hadd(Small a, Small b) { return a + b; }
    friend Small __hsub(Small a, Small b) { return a - b; }
    friend Small __hmul(Small a, Small b) { return a * b; }
    friend Small __hdiv(Small a, Small b) { return a / b; }
    friend Small __hadd_rn(Small a, Small b) { return a + b; }
    friend Small __hsub_rn(Small a, Small b) { return a - b; }
    friend Small __hmul_rn(Small a, Small b) { return a * b; }
    friend Small __hadd_sat(Small a, Small b) { return unit(a + b); }
    friend Small __hsub_sat(Small a, Small b) { return unit(a - b); }
    friend Small __hmul_sat(Small a, Small b) { return unit(a * b); }
    friend Small __hfma(Small a, Small b, Small c) { return Small(fused(a.value(), b.value(), c.value())); }
    friend Small __hfma_sat(Small a, Small b, Small c) { return unit(__hfma(a, b, c)); }
    friend Small __hfma_relu(Small a, Small b, Small c) {
        const Small r = __hfma(a, b, c);
        return r.is_nan() ? of_bits(F::nan) : r.value() > 0 ? r : Small(0.0f);
    }
    friend Small __hneg(Small a) { return -a; }
    friend Small __habs(Small a) { return of_bits(a.bits & 0x7fff); }
    friend Small __hmax(Small a, Small b) { return pick(a, b, a.value() > b.value()); }
    friend Small __hmin(Small a, Small b) { return pick(a, b, a.value() < b.value()); }
    friend Small __hmax_nan(Small a, Small b) { return a.is_nan() || b.is_nan() ? of_bits(F::nan) : __hmax(a, b); }
    friend Small __hmin_nan(Small a, Small b) { return a.is_nan() || b.is_nan() ? of_bits(F::nan) : __hmin(a, b); }

    friend bool __heq(Small a, Small b) { return a == b; }
    friend bool __hne(Small a, Small b) { return a != b && !a.is_nan() && !b.is_nan(); }
    friend bool __hlt(Small a, Small b) { return a < b; }
    friend bool __hle(Small a, Small b) { return a <= b; }
    friend bool __hgt(Small a, Small b) { return a > b; }
    friend bool __hge(Small a, Small b) { return a >= b; }
    friend bool __hisnan(Small a) { return a.is_nan(); }
    friend int __hisinf(Small a) { return (a.bits & 0x7fff) == F::infinity ? (a.bits >> 15 ? -1 : 1) : 0; }

    friend Small hexp(Small a) { return Small(exp(double(a.value()))); }
    friend Small hexp2(Small a) { return Small(exp2(double(a.value()))); }
    friend Small hexp10(Small a) { return Small(pow(10.0, double(a.value()))); }
    friend Small hlog(Small a) { return Small(log(double(a.value()))); }
    friend Small hlog2(Small a) { return Small(log2(double(a.value()))); }
    friend Small hlog10(Small a) { return Small(log10(double(a.value()))); }
    friend Small hsin(Small a) { return Small(sin(double(a.value()))); }
    friend Small hcos(Small a) { return Small(cos(double(a.value()))); }
    friend Small htanh(Small a) { return Small(tanh(double(a.value()))); }
    friend Small hsqrt(Small a) { return Small(sqrtf(a.value())); }
    friend Small hrsqrt(Small a) { return Small(1.0 / sqrt(double(a.value()))); }
    friend Small hrcp(Small a) { return Small(1.0f / a.value()); }
    friend Small hfloor(Small a) { return Small(floorf(a.value())); }
    friend Small hceil(Small a) { return Small(ceilf(a.value())); }
    friend Small htrunc(Small a) { return Small(truncf(a.value())); }
    friend Small hrint(Small a) { return Small(rintf(a.value())); }

    bool is_nan() const { return (bits & 0x7fff) > F::infinity; }

  private:
    // 0..1; NaN becomes 0
    static Small unit(Small a) { return a.value() > 0 ? (a.value() < 1 ? a : Small(1.0f)) : Small(0.0f); }
    // the GPU's max and min: a NaN loses, two NaNs are the canonical one, +0 is above -0
    static Small pick(Small a, Small b, bool first) {
        if (a.is_nan()) return b.is_nan() ? of_bits(F::nan) : b;
        if (b.is_nan()) return a;
        if (a.value() == b.value() && a.bits != b.bits)
            return first == (a.value() > b.value()) ? of_bits(a.bits & b.bits) : a;
        return first ? a : b;
    }
};

// Two of them in 32 bits; every operation is done on both halves.
template <class F>
struct __attribute__((aligned(4))) SmallPair {
    Small<F> x, y;

    using S = Small<F>;
    template <class Function>
    static SmallPair each(SmallPair a, Function f) {
        return {f(a.x), f(a.y)};
    }
    template <class Function>
    static SmallPair each(SmallPair a, SmallPair b, Function f) {
        return {f(a.x, b.x), f(a.y, b.y)};
    }
    static S truth(bool b) { return S(b ? 1.0f : 0.0f); }

    SmallPair operator-() const { return {-x, -y}; }
    SmallPair& operator+=(SmallPair o) { return *this = *this + o; }
    SmallPair& operator-=(SmallPair o) { return *this = *this - o; }
    SmallPair& operator*=(SmallPair o) { return *this = *this * o; }
    SmallPair& operator/=(SmallPair o) { return *this = *this / o; }

    friend SmallPair operator+(SmallPair a, SmallPair b) { return {a.x + b.x, a.y + b.y}; }
    friend SmallPair operator-(SmallPair a, SmallPair b) { return {a.x - b.x, a.y - b.y}; }
    friend SmallPair operator*(SmallPair a, SmallPair b) { return {a.x * b.x, a.y * b.y}; }
    friend SmallPair operator/(SmallPair a, SmallPair b) { return {a.x / b.x, a.y / b.y}; }
    friend bool operator==(SmallPair a, SmallPair b) { return a.x == b.x && a.y == b.y; }
    friend bool operator!=(SmallPair a, SmallPair b) { return !(a == b); }

    friend SmallPair __hadd2(SmallPair a, SmallPair b) { return a + b; }
    friend SmallPair __hsub2(SmallPair a, SmallPair b) { return a - b; }
    friend SmallPair __hmul2(SmallPair a, SmallPair b) { return a * b; }
    friend SmallPair __h2div(SmallPair a, SmallPair b) { return a / b; }
    friend SmallPair __hadd2_rn(SmallPair a, SmallPair b) { return a + b; }
    friend SmallPair __hmul2_rn(SmallPair a, SmallPair b) { return a * b; }
    friend SmallPair __hfma2(SmallPair a, SmallPair b, SmallPair c) {
        return {__hfma(a.x, b.x, c.x), __hfma(a.y, b.y, c.y)};
    }
    friend SmallPair __hfma2_relu(SmallPair a, SmallPair b, SmallPair c) {
        return {__hfma_relu(a.x, b.x, c.x), __hfma_relu(a.y, b.y, c.y)};
    }
    friend SmallPair __hneg2(SmallPair a) { return -a; }
    friend SmallPair __habs2(SmallPair a) { return {__habs(a.x), __habs(a.y)}; }
    friend SmallPair __hmax2(SmallPair a, SmallPair b) { return {__hmax(a.x, b.x), __hmax(a.y, b.y)}; }
    friend SmallPair __hmin2(SmallPair a, SmallPair b) { return {__hmin(a.x, b.x), __hmin(a.y, b.y)}; }
    friend SmallPair __heq2(SmallPair a, SmallPair b) { return {truth(a.x == b.x), truth(a.y == b.y)}; }
    friend SmallPair __hne2(SmallPair a, SmallPair b) { return {truth(__hne(a.x, b.x)), truth(__hne(a.y, b.y))}; }
    friend SmallPair __hlt2(SmallPair a, SmallPair b) { return {truth(a.x < b.x), truth(a.y < b.y)}; }
    friend SmallPair __hle2(SmallPair a, SmallPair b) { return {truth(a.x <= b.x), truth(a.y <= b.y)}; }
    friend SmallPair __hgt2(SmallPair a, SmallPair b) { return {truth(a.x > b.x), truth(a.y > b.y)}; }
    friend SmallPair __hge2(SmallPair a, SmallPair b) { return {truth(a.x >= b.x), truth(a.y >= b.y)}; }
    friend bool __hbeq2(SmallPair a, SmallPair b) { return a.x == b.x && a.y == b.y; }
    friend bool __hblt2(SmallPair a, SmallPair b) { return a.x < b.x && a.y < b.y; }
    friend bool __hble2(SmallPair a, SmallPair b) { return a.x <= b.x && a.y <= b.y; }
    friend bool __hbgt2(SmallPair a, SmallPair b) { return a.x > b.x && a.y > b.y; }
    friend bool __hbge2(SmallPair a, SmallPair b) { return a.x >= b.x && a.y >= b.y; }
    friend SmallPair h2exp(SmallPair a) { return {hexp(a.x), hexp(a.y)}; }
    friend SmallPair h2exp2(SmallPair a) { return {hexp2(a.x), hexp2(a.y)}; }
    friend SmallPair h2log(SmallPair a) { return {hlog(a.x), hlog(a.y)}; }
    friend SmallPair h2sqrt(SmallPair a) { return {hsqrt(a.x), hsqrt(a.y)}; }
    friend SmallPair h2rsqrt(SmallPair a) { return {hrsqrt(a.x), hrsqrt(a.y)}; }
    friend SmallPair h2rcp(SmallPair a) { return {hrcp(a.x), hrcp(a.y)}; }

    friend S __low2half(SmallPair a) { return a.x; }
    friend S __high2half(SmallPair a) { return a.y; }
    friend S __low2bfloat16(SmallPair a) { return a.x; }
    friend S __high2bfloat16(SmallPair a) { return a.y; }
    friend float __low2float(SmallPair a) { return a.x; }
    friend float __high2float(SmallPair a) { return a.y; }
    friend SmallPair __low2half2(SmallPair a) { return {a.x, a.x}; }
    friend SmallPair __high2half2(SmallPair a) { return {a.y, a.y}; }
    friend SmallPair __low2bfloat162(SmallPair a) { return {a.x, a.x}; }
    friend SmallPair __high2bfloat162(SmallPair a) { return {a.y, a.y}; }
    friend SmallPair __lows2half2(SmallPair a, SmallPair b) { return {a.x, b.x}; }
    friend SmallPair __highs2half2(SmallPair a, SmallPair b) { return {a.y, b.y}; }
    friend SmallPair __lowhigh2highlow(SmallPair a) { return {a.y, a.x}; }
    friend float2 __half22float2(SmallPair a) { return {a.x, a.y}; }
    friend float2 __bfloat1622float2(SmallPair a) { return {a.x, a.y}; }
};

}  // namespace host
