// ldmatrix: a warp loads one, two or four 8x8 matrices of 16-bit elements from shared memory, in the layout that mma
// wants (sm_75 and later).
//
// Lanes 0..7 pass the addresses of the eight rows of matrix 0, lanes 8..15 of matrix 1, and so on; each row is 16
// bytes, aligned to 16. Lane t receives, of every matrix, two neighbours packed in 32 bits (the first in the low half):
//
//     plain:   row t / 4,          columns 2 * (t % 4) and + 1
//     _trans:  rows 2 * (t % 4) and + 1,  column t / 4
//
// For matrices of bytes, read "16-bit element" as a pair of neighbouring bytes (and do not transpose).
#pragma once

#if defined(COURSE_HOST)
#include "instructions.hpp"
#endif

#if !defined(COURSE_HOST)
#define COURSE_LDMATRIX_ADDRESS static_cast<unsigned>(__cvta_generic_to_shared(row))
#endif

__device__ __forceinline__ void ldmatrix_x1(unsigned& d0, const void* row) {
#if defined(COURSE_HOST)
    unsigned d[4];
    host::ldmatrix(d, row, 1, false);
    d0 = d[0];
#else
    asm volatile("ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%0}, [%1];"
                 : "=r"(d0) : "r"(COURSE_LDMATRIX_ADDRESS) : "memory");
#endif
}

__device__ __forceinline__ void ldmatrix_x2(unsigned (&d)[2], const void* row) {
#if defined(COURSE_HOST)
    unsigned all[4];
    host::ldmatrix(all, row, 2, false);
    d[0] = all[0], d[1] = all[1];
#else
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];"
                 : "=r"(d[0]), "=r"(d[1]) : "r"(COURSE_LDMATRIX_ADDRESS) : "memory");
#endif
}

__device__ __forceinline__ void ldmatrix_x4(unsigned (&d)[4], const void* row) {
#if defined(COURSE_HOST)
    host::ldmatrix(d, row, 4, false);
#else
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3]) : "r"(COURSE_LDMATRIX_ADDRESS) : "memory");
#endif
}

__device__ __forceinline__ void ldmatrix_x1_trans(unsigned& d0, const void* row) {
#if defined(COURSE_HOST)
    unsigned d[4];
    host::ldmatrix(d, row, 1, true);
    d0 = d[0];
#else
    asm volatile("ldmatrix.sync.aligned.m8n8.x1.trans.shared.b16 {%0}, [%1];"
                 : "=r"(d0) : "r"(COURSE_LDMATRIX_ADDRESS) : "memory");
#endif
}

__device__ __forceinline__ void ldmatrix_x2_trans(unsigned (&d)[2], const void* row) {
#if defined(COURSE_HOST)
    unsigned all[4];
    host::ldmatrix(all, row, 2, true);
    d[0] = all[0], d[1] = all[1];
#else
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0, %1}, [%2];"
                 : "=r"(d[0]), "=r"(d[1]) : "r"(COURSE_LDMATRIX_ADDRESS) : "memory");
#endif
}

__device__ __forceinline__ void ldmatrix_x4_trans(unsigned (&d)[4], const void* row) {
#if defined(COURSE_HOST)
    host::ldmatrix(d, row, 4, true);
#else
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3]) : "r"(COURSE_LDMATRIX_ADDRESS) : "memory");
#endif
}
