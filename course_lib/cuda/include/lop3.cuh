// lop3: any function of three 32-bit words, bit by bit, in one instruction.
//
// The function is a table of eight bits: bit k of `table` is the result for (a, b, c) = the binary digits of k. To
// build it, apply the function to 0xF0, 0xCC and 0xAA: (a & b) | c is (0xF0 & 0xCC) | 0xAA = 0xEA.
#pragma once

template <int table>
__device__ __forceinline__ unsigned lop3(unsigned a, unsigned b, unsigned c) {
    static_assert(table >= 0 && table < 256, "the table has eight bits");
#if defined(COURSE_HOST)
    unsigned result = 0;
    if (table & 0x01) result |= ~a & ~b & ~c;
    if (table & 0x02) result |= ~a & ~b & c;
    if (table & 0x04) result |= ~a & b & ~c;
    if (table & 0x08) result |= ~a & b & c;
    if (table & 0x10) result |= a & ~b & ~c;
    if (table & 0x20) result |= a & ~b & c;
    if (table & 0x40) result |= a & b & ~c;
    if (table & 0x80) result |= a & b & c;
    return result;
#else
    unsigned result;
    asm("lop3.b32 %0, %1, %2, %3, %4;" : "=r"(result) : "r"(a), "r"(b), "r"(c), "n"(table));
    return result;
#endif
}
