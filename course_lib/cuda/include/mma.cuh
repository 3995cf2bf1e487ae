// mma: a warp multiplies two small matrices with one instruction, D = A x B + C. The matrices lie spread over the
// registers of the 32 lanes. With group = lane / 4 and pos = lane % 4 (PTX ISA, "Matrix fragments"):
//
//   m16n8k16, 16-bit floats: A 16x16, B 16x8, two neighbours per register, the first in the low half
//       a[0]  row group      columns 2 pos, + 1          b[0]  rows 2 pos, + 1          column group
//       a[1]  row group + 8  columns 2 pos, + 1          b[1]  rows 2 pos + 8, + 9      column group
//       a[2]  row group      columns 2 pos + 8, + 9
//       a[3]  row group + 8  columns 2 pos + 8, + 9
//   m16n8k32, signed bytes: the same with four neighbours per register: columns 4 pos ... + 3 and 4 pos + 16 ... + 19
//   m16n8k256, bits: the same with 32 per register: columns 32 pos ... + 31 and 32 pos + 128 ... + 159
//   C and D, 16x8, all of them
//       c[0], c[1]  row group      columns 2 pos, + 1
//       c[2], c[3]  row group + 8  columns 2 pos, + 1
//   m8n8k128, bits: A 8x128 is one register (row group), C 8x8 is c[0], c[1] of the above
//
// d and c may be the same array. All 32 lanes call together.
#pragma once

#if defined(COURSE_HOST)
#include "instructions.hpp"
#endif

#if !defined(COURSE_HOST)
#define COURSE_MMA_F32(text)                                                                                      \
    asm volatile(text " {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%10, %11, %12, %13};"                      \
                 : "=f"(d[0]), "=f"(d[1]), "=f"(d[2]), "=f"(d[3])                                                 \
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "f"(c[0]), "f"(c[1]), "f"(c[2]), \
                   "f"(c[3]))
#define COURSE_MMA_S32(text)                                                                                      \
    asm volatile(text " {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%10, %11, %12, %13};"                      \
                 : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3])                                                 \
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "r"(c[0]), "r"(c[1]), "r"(c[2]), \
                   "r"(c[3]))
#endif

// float16 inputs, float32 sums. On sm_75 as two m16n8k8, which is what that chip has.
__device__ __forceinline__ void mma_m16n8k16_f16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2],
                                                 const float (&c)[4]) {
#if defined(COURSE_HOST)
    host::mma_m16n8k16<host::Float16>(d, a, b, c);
#elif __CUDA_ARCH__ >= 800
    COURSE_MMA_F32("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32");
#else
    float half_way[4];
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%7, %8, %9, %10};"
                 : "=f"(half_way[0]), "=f"(half_way[1]), "=f"(half_way[2]), "=f"(half_way[3])
                 : "r"(a[0]), "r"(a[1]), "r"(b[0]), "f"(c[0]), "f"(c[1]), "f"(c[2]), "f"(c[3]));
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%7, %8, %9, %10};"
                 : "=f"(d[0]), "=f"(d[1]), "=f"(d[2]), "=f"(d[3])
                 : "r"(a[2]), "r"(a[3]), "r"(b[1]), "f"(half_way[0]), "f"(half_way[1]), "f"(half_way[2]), "f"(half_way[3]));
#endif
}

// bfloat16 inputs, float32 sums. sm_80 and later; on sm_75, which has no bfloat16, calling it stops the kernel.
__device__ __forceinline__ void mma_m16n8k16_bf16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2],
                                                  const float (&c)[4]) {
#if defined(COURSE_HOST)
    host::mma_m16n8k16<host::BFloat16>(d, a, b, c);
#elif __CUDA_ARCH__ >= 800
    COURSE_MMA_F32("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32");
#else
    __trap();
#endif
}

// Signed bytes, 32-bit integer sums that wrap around. On sm_75 as four m8n8k16.
__device__ __forceinline__ void mma_m16n8k32_s8(int (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2], const int (&c)[4]) {
#if defined(COURSE_HOST)
    host::mma_m16n8k32_s8(d, a, b, c);
#elif __CUDA_ARCH__ >= 800
    COURSE_MMA_S32("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32");
#else
    int sum[4] = {c[0], c[1], c[2], c[3]};
#pragma unroll
    for (int k = 0; k < 2; ++k)
#pragma unroll
        for (int half = 0; half < 2; ++half)
            asm volatile("mma.sync.aligned.m8n8k16.row.col.s32.s8.s8.s32 {%0, %1}, {%2}, {%3}, {%0, %1};"
                         : "+r"(sum[2 * half]), "+r"(sum[2 * half + 1])
                         : "r"(a[2 * k + half]), "r"(b[k]));
    d[0] = sum[0], d[1] = sum[1], d[2] = sum[2], d[3] = sum[3];
#endif
}

// Bits: d counts the positions at which the row of A and the column of B both have a 1. sm_80 and later.
// For vectors of -1 and +1 held as bits, use popc(a ^ b) = popc(a) + popc(b) - 2 popc(a & b): `and` is one
// instruction on every chip since sm_80, `xor` became two.
__device__ __forceinline__ void mma_m16n8k256_b1_and(int (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2],
                                                     const int (&c)[4]) {
#if defined(COURSE_HOST)
    host::mma_m16n8k256_b1_and(d, a, b, c);
#elif __CUDA_ARCH__ >= 800
    COURSE_MMA_S32("mma.sync.aligned.m16n8k256.row.col.s32.b1.b1.s32.and.popc");
#else
    __trap();
#endif
}

__device__ __forceinline__ void mma_m8n8k128_b1_and(int (&d)[2], unsigned a, unsigned b, const int (&c)[2]) {
#if defined(COURSE_HOST)
    host::mma_m8n8k128_b1_and(d, a, b, c);
#elif __CUDA_ARCH__ >= 800
    asm volatile("mma.sync.aligned.m8n8k128.row.col.s32.b1.b1.s32.and.popc {%0, %1}, {%2}, {%3}, {%4, %5};"
                 : "=r"(d[0]), "=r"(d[1]) : "r"(a), "r"(b), "r"(c[0]), "r"(c[1]));
#else
    __trap();
#endif
}
