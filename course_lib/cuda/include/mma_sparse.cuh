// mma.sp: the A of an m16n8k32 product has at most two non-zero values in every four neighbours of a row (2:4
// sparsity); only those are stored, and their positions (sm_80 and later).
//
// With group = lane / 4 and pos = lane % 4:
//   A  the stored values, 16x16, lie as in the dense m16n8k16 (mma.cuh): stored column 2 c + {0, 1} is the pair of
//      the four neighbours 4 c ... 4 c + 3
//   B  32x8: b[k] holds rows 8 k + 2 pos and + 1 of column group, k = 0..3
//   positions  two bits per stored value, the lower index first (0 < 1, never equal). A register holds eight stored
//      values of two rows: bits 0..15 row group, bits 16..31 row group + 8; the lane that brings it says which eight:
//          selector 0: pos 0 brings stored columns 0..7, pos 1 brings 8..15; pos 2 and 3 are not looked at
//          selector 1: pos 2 brings stored columns 0..7, pos 3 brings 8..15
#pragma once

#if defined(COURSE_HOST)
#include "instructions.hpp"
#endif

#if !defined(COURSE_HOST)
// Positions in rising order are what newer chips are fastest with, and PTX has a word for the promise since CUDA 12.5.
#if __CUDACC_VER_MAJOR__ > 12 || (__CUDACC_VER_MAJOR__ == 12 && __CUDACC_VER_MINOR__ >= 5)
#define COURSE_MMA_SP "mma.sp::ordered_metadata.sync.aligned.m16n8k32.row.col.f32."
#else
#define COURSE_MMA_SP "mma.sp.sync.aligned.m16n8k32.row.col.f32."
#endif
#define COURSE_MMA_SPARSE(types)                                                                                  \
    asm volatile(COURSE_MMA_SP types ".f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9, %10, %11}, "              \
                 "{%12, %13, %14, %15}, %16, %17;"                                                                \
                 : "=f"(d[0]), "=f"(d[1]), "=f"(d[2]), "=f"(d[3])                                                 \
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "r"(b[2]), "r"(b[3]), "f"(c[0]), \
                   "f"(c[1]), "f"(c[2]), "f"(c[3]), "r"(positions), "n"(selector))
#endif

template <int selector = 0>
__device__ __forceinline__ void mma_sp_m16n8k32_f16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[4],
                                                    const float (&c)[4], unsigned positions) {
    static_assert(selector == 0 || selector == 1, "two of a group's four lanes bring the positions: 0 or 1");
#if defined(COURSE_HOST)
    host::mma_sp_m16n8k32<host::Float16>(d, a, b, c, positions, selector);
#elif __CUDA_ARCH__ >= 800
    COURSE_MMA_SPARSE("f16.f16");
#else
    __trap();
#endif
}

template <int selector = 0>
__device__ __forceinline__ void mma_sp_m16n8k32_bf16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[4],
                                                     const float (&c)[4], unsigned positions) {
    static_assert(selector == 0 || selector == 1, "two of a group's four lanes bring the positions: 0 or 1");
#if defined(COURSE_HOST)
    host::mma_sp_m16n8k32<host::BFloat16>(d, a, b, c, positions, selector);
#elif __CUDA_ARCH__ >= 800
    COURSE_MMA_SPARSE("bf16.bf16");
#else
    __trap();
#endif
}
