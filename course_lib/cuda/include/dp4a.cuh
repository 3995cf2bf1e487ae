// dp4a: the dot product of four signed (or unsigned) bytes with four, added to a 32-bit sum. sm_61 and later.
#pragma once

__device__ __forceinline__ int dp4a(int a, int b, int sum) { return __dp4a(a, b, sum); }
__device__ __forceinline__ unsigned dp4a(unsigned a, unsigned b, unsigned sum) { return __dp4a(a, b, sum); }

// signed bytes of a with unsigned bytes of b: no intrinsic has the mixed form
__device__ __forceinline__ int dp4a_su(int a, unsigned b, int sum) {
#if defined(COURSE_HOST)
    for (int k = 0; k < 4; ++k) sum += int((signed char)(a >> 8 * k)) * int(b >> 8 * k & 0xff);
    return sum;
#else
    int result;
    asm("dp4a.s32.u32 %0, %1, %2, %3;" : "=r"(result) : "r"(a), "r"(b), "r"(sum));
    return result;
#endif
}
