// The unit in which tiles travel: 16 bytes, sixteen neighbours in k of one row.
#pragma once

// Whether every chunk starts at a multiple of 16 bytes and ends inside its row: one wide load then takes it.
__device__ __forceinline__ bool chunks_are_aligned(const signed char* a, const signed char* w, int k) {
    return k % 16 == 0 && (size_t)a % 16 == 0 && (size_t)w % 16 == 0;
}

// Bytes k0 .. k0 + 15 of a row of `matrix` [rows, k]; zeros outside the matrix, which add nothing to a sum.
__device__ __forceinline__ int4 read_chunk(const signed char* matrix, int row, int rows, int k0, int k, bool aligned) {
    if (row >= rows || k0 >= k) return make_int4(0, 0, 0, 0);
    const signed char* from = matrix + (long long)row * k + k0;
    if (aligned) return *reinterpret_cast<const int4*>(from);
    int words[4] = {0, 0, 0, 0};
#pragma unroll
    for (int i = 0; i < 16; ++i)
        if (k0 + i < k) words[i / 4] |= int(unsigned((unsigned char)from[i]) << (8 * (i % 4)));
    return make_int4(words[0], words[1], words[2], words[3]);
}

// Adds four, or sixteen, signed bytes to a sum: the product with ones.
__device__ __forceinline__ int add_bytes(int four, int sum) { return __dp4a(four, 0x01010101, sum); }
__device__ __forceinline__ int add_bytes(unsigned four, int sum) { return add_bytes(int(four), sum); }
__device__ __forceinline__ int add_bytes(int4 sixteen, int sum) {
    return add_bytes(sixteen.x, add_bytes(sixteen.y, add_bytes(sixteen.z, add_bytes(sixteen.w, sum))));
}
