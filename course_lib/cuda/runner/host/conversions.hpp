// Bits seen as another type, and conversions with the rounding in the name. Out of range saturates and NaN becomes
// zero, as on the GPU, where C++ leaves both undefined.
#pragma once
#include <fenv.h>
#include <math.h>
#include <string.h>

#include <limits>

namespace host {

template <class To, class From>
inline To bits_as(From from) {
    static_assert(sizeof(To) == sizeof(From), "the two types differ in size");
    To to;
    memcpy(&to, &from, sizeof to);
    return to;
}

template <class To, class From>
inline To saturate(From rounded) {
    constexpr From low = From(std::numeric_limits<To>::min());
    if (rounded != rounded) return To(0);
    if (rounded <= low) return std::numeric_limits<To>::min();
    // the largest To may round up when it becomes a From, hence >=
    if (rounded >= From(std::numeric_limits<To>::max())) return std::numeric_limits<To>::max();
    return To(rounded);
}

enum Rounding { to_nearest, toward_zero, downward, upward };

// An integer as a float, rounded in one step: round to nearest, then step back if that went the wrong way.
template <class To, class From>
inline To directed(From value, Rounding rounding) {
    To nearest = To(value);
    if (rounding == to_nearest) return nearest;
    const long double exact = (long double)(value), got = (long double)(nearest);
    const bool too_high = got > exact, too_low = got < exact;
    if (too_high && (rounding == downward || (rounding == toward_zero && exact > 0))) return nextafter(nearest, To(-INFINITY));
    if (too_low && (rounding == upward || (rounding == toward_zero && exact < 0))) return nextafter(nearest, To(INFINITY));
    return nearest;
}

}  // namespace host

inline float __int_as_float(int x) { return host::bits_as<float>(x); }
inline int __float_as_int(float x) { return host::bits_as<int>(x); }
inline float __uint_as_float(unsigned x) { return host::bits_as<float>(x); }
inline unsigned __float_as_uint(float x) { return host::bits_as<unsigned>(x); }
inline double __longlong_as_double(long long x) { return host::bits_as<double>(x); }
inline long long __double_as_longlong(double x) { return host::bits_as<long long>(x); }
inline int __double2hiint(double x) { return int(__double_as_longlong(x) >> 32); }
inline int __double2loint(double x) { return int(__double_as_longlong(x)); }
inline double __hiloint2double(int high, int low) {
    return __longlong_as_double((long long)((unsigned long long)(unsigned(high)) << 32 | unsigned(low)));
}

#define COURSE_TO_INTEGER(from, From, to, To)                                                                \
    inline To __##from##2##to##_rn(From x) { return host::saturate<To>(From(rint(x))); }                     \
    inline To __##from##2##to##_rz(From x) { return host::saturate<To>(From(trunc(x))); }                    \
    inline To __##from##2##to##_rd(From x) { return host::saturate<To>(From(floor(x))); }                    \
    inline To __##from##2##to##_ru(From x) { return host::saturate<To>(From(ceil(x))); }
COURSE_TO_INTEGER(float, float, int, int)
COURSE_TO_INTEGER(float, float, uint, unsigned)
COURSE_TO_INTEGER(float, float, ll, long long)
COURSE_TO_INTEGER(float, float, ull, unsigned long long)
COURSE_TO_INTEGER(double, double, int, int)
COURSE_TO_INTEGER(double, double, uint, unsigned)
COURSE_TO_INTEGER(double, double, ll, long long)
COURSE_TO_INTEGER(double, double, ull, unsigned long long)
#undef COURSE_TO_INTEGER

#define COURSE_FROM_INTEGER(from, From, to, To)                                                              \
    inline To __##from##2##to##_rn(From x) { return host::directed<To>(x, host::to_nearest); }               \
    inline To __##from##2##to##_rz(From x) { return host::directed<To>(x, host::toward_zero); }              \
    inline To __##from##2##to##_rd(From x) { return host::directed<To>(x, host::downward); }                 \
    inline To __##from##2##to##_ru(From x) { return host::directed<To>(x, host::upward); }
COURSE_FROM_INTEGER(int, int, float, float)
COURSE_FROM_INTEGER(uint, unsigned, float, float)
COURSE_FROM_INTEGER(ll, long long, float, float)
COURSE_FROM_INTEGER(ull, unsigned long long, float, float)
COURSE_FROM_INTEGER(ll, long long, double, double)
COURSE_FROM_INTEGER(ull, unsigned long long, double, double)
#undef COURSE_FROM_INTEGER
inline double __int2double_rn(int x) { return x; }
inline double __uint2double_rn(unsigned x) { return x; }
inline float __double2float_rn(double x) { return float(x); }
inline float __double2float_rz(double x) {
    const float nearest = float(x);
    return fabs(double(nearest)) > fabs(x) ? nextafterf(nearest, 0.0f) : nearest;
}
