// CUDA's header of this name, for the host: float16 under the names that CUDA gives it.
#pragma once
#include "../small_floats.hpp"

using __half = host::Small<host::Float16>;
using half = __half;
using __half2 = host::SmallPair<host::Float16>;
using half2 = __half2;
struct __half_raw { unsigned short x; };
struct __half2_raw { unsigned short x, y; };

inline __half __float2half(float x) { return __half(x); }
inline __half __float2half_rn(float x) { return __half(x); }
inline __half __double2half(double x) { return __half(x); }
inline float __half2float(__half x) { return x.value(); }
// the other roundings: step back from the nearest value if it lies on the wrong side
inline __half __float2half_rz(float x) {
    const __half nearest(x);
    return fabsf(nearest.value()) > fabsf(x) ? __half::of_bits(nearest.bits - 1) : nearest;
}
inline __half __float2half_rd(float x) {
    const __half nearest(x);
    if (!(nearest.value() > x)) return nearest;
    return nearest.bits == 0 ? __half::of_bits(0x8001) : __half::of_bits(nearest.bits + (nearest.bits >> 15 ? 1 : -1));
}
inline __half __float2half_ru(float x) { return -__float2half_rd(-x); }

inline __half __int2half_rn(int x) { return __half(x); }
inline __half __uint2half_rn(unsigned x) { return __half(x); }
inline __half __short2half_rn(short x) { return __half(x); }
inline __half __ushort2half_rn(unsigned short x) { return __half(x); }
inline __half __ll2half_rn(long long x) { return __half(x); }
inline int __half2int_rn(__half x) { return host::saturate<int>(rintf(x.value())); }
inline int __half2int_rz(__half x) { return host::saturate<int>(truncf(x.value())); }
inline int __half2int_rd(__half x) { return host::saturate<int>(floorf(x.value())); }
inline int __half2int_ru(__half x) { return host::saturate<int>(ceilf(x.value())); }
inline unsigned __half2uint_rn(__half x) { return host::saturate<unsigned>(rintf(x.value())); }
inline unsigned __half2uint_rz(__half x) { return host::saturate<unsigned>(truncf(x.value())); }
inline short __half2short_rn(__half x) { return host::saturate<short>(rintf(x.value())); }
inline short __half2short_rz(__half x) { return host::saturate<short>(truncf(x.value())); }

inline unsigned short __half_as_ushort(__half x) { return x.bits; }
inline short __half_as_short(__half x) { return short(x.bits); }
inline __half __ushort_as_half(unsigned short x) { return __half::of_bits(x); }
inline __half __short_as_half(short x) { return __half::of_bits(uint16_t(x)); }

inline __half2 make_half2(__half x, __half y) { return {x, y}; }
inline __half2 __halves2half2(__half x, __half y) { return {x, y}; }
inline __half2 __half2half2(__half x) { return {x, x}; }
inline __half2 __float2half2_rn(float x) { return {__half(x), __half(x)}; }
inline __half2 __floats2half2_rn(float x, float y) { return {__half(x), __half(y)}; }
inline __half2 __float22half2_rn(float2 x) { return {__half(x.x), __half(x.y)}; }
