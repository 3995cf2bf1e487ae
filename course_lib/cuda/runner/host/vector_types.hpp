// float4, int2, uchar4 ...: plain aggregates with CUDA's alignment, and make_float4(...) to build them.
#pragma once

#define COURSE_VECTORS(name, T, align2, align4)                                                  \
    struct name##1 { T x; };                                                                     \
    struct __attribute__((aligned(align2))) name##2 { T x, y; };                                 \
    struct name##3 { T x, y, z; };                                                               \
    struct __attribute__((aligned(align4))) name##4 { T x, y, z, w; };                           \
    inline name##1 make_##name##1(T x) { return {x}; }                                           \
    inline name##2 make_##name##2(T x, T y) { return {x, y}; }                                   \
    inline name##3 make_##name##3(T x, T y, T z) { return {x, y, z}; }                           \
    inline name##4 make_##name##4(T x, T y, T z, T w) { return {x, y, z, w}; }

COURSE_VECTORS(uint, unsigned, 8, 16)
COURSE_VECTORS(char, signed char, 2, 4)
COURSE_VECTORS(uchar, unsigned char, 2, 4)
COURSE_VECTORS(short, short, 4, 8)
COURSE_VECTORS(ushort, unsigned short, 4, 8)
COURSE_VECTORS(int, int, 8, 16)
COURSE_VECTORS(long, long, 16, 16)
COURSE_VECTORS(ulong, unsigned long, 16, 16)
COURSE_VECTORS(longlong, long long, 16, 16)
COURSE_VECTORS(ulonglong, unsigned long long, 16, 16)
COURSE_VECTORS(float, float, 8, 16)
COURSE_VECTORS(double, double, 16, 16)
#undef COURSE_VECTORS

struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
    constexpr dim3(uint3 v) : x(v.x), y(v.y), z(v.z) {}
    constexpr operator uint3() const { return {x, y, z}; }
};
