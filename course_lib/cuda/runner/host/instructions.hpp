// The bodies that ../include's instruction wrappers have on the host. A warp's instruction is done by the last lane
// that arrives: it finds what every lane brought, computes the whole tile, and leaves each lane its part.
#pragma once
#include <string.h>

#include "small_floats.hpp"
#include "thread.hpp"

namespace host {

constexpr unsigned whole_warp = 0xffffffffu;

#if defined(COURSE_CHECKED)
}  // namespace host
extern "C" {
void host_touch(const void* address, size_t bytes);  // a read by this lane, for the checks
void host_async_copy(void* shared, const void* global, int bytes, int valid);
void host_async_commit();
void host_async_wait(int newest);
}
namespace host {
inline void touch(const void* address, size_t bytes) { host_touch(address, bytes); }
// In a check the copy is made as late as the GPU may make it: when the thread waits for it.
inline void async_copy(void* shared, const void* global, int bytes, bool valid) {
    host_async_copy(shared, global, bytes, valid);
}
inline void async_commit() { host_async_commit(); }
inline void async_wait(int newest) { host_async_wait(newest); }
#else
inline void touch(const void*, size_t) {}
inline void async_copy(void* shared, const void* global, int bytes, bool valid) {
    if (valid) memcpy(shared, global, size_t(bytes));
    else memset(shared, 0, size_t(bytes));
}
inline void async_commit() {}
inline void async_wait(int) {}
#endif

// ---- ldmatrix

struct LdMatrix {
    const void* row;
    unsigned* d;
    int count;
    bool transposed;
};

inline void finish_ldmatrix(void* const* payloads, unsigned) {
    const LdMatrix* first = static_cast<const LdMatrix*>(payloads[0]);
    uint16_t element[8][8];
    for (int matrix = 0; matrix < first->count; ++matrix) {
        for (int row = 0; row < 8; ++row)
            memcpy(element[row], static_cast<const LdMatrix*>(payloads[8 * matrix + row])->row, 16);
        for (int lane = 0; lane < 32; ++lane) {
            const int group = lane / 4, pair = 2 * (lane % 4);
            const unsigned low = first->transposed ? element[pair][group] : element[group][pair];
            const unsigned high = first->transposed ? element[pair + 1][group] : element[group][pair + 1];
            static_cast<const LdMatrix*>(payloads[lane])->d[matrix] = low | high << 16;
        }
    }
}

inline void ldmatrix(unsigned* d, const void* row, int count, bool transposed) {
    if (int(linear_thread() % 32) < 8 * count) {
        if (reinterpret_cast<uintptr_t>(row) % 16)
            host_fail("ldmatrix: the address of a row is not a multiple of 16", "ldmatrix.cuh", 0);
        touch(row, 16);
    }
    LdMatrix mine = {row, d, count, transposed};
    host_meet(whole_warp, &mine, finish_ldmatrix, "ldmatrix");
}

// ---- mma: fragments as each lane holds them

template <class Sum>
struct Fragments {
    Sum* d;
    const unsigned* a;
    const unsigned* b;
    const Sum* c;
    unsigned positions;
    int selector;
};

template <class Sum>
inline const Fragments<Sum>& fragments(void* const* payloads, int lane) {
    return *static_cast<const Fragments<Sum>*>(payloads[lane]);
}

// Where C and D's element (row, column) of a 16x8 tile lies: which lane, and which of its registers.
inline int sum_lane(int row, int column) { return row % 8 * 4 + column / 2; }
inline int sum_register(int row, int column) { return row / 8 * 2 + column % 2; }

// Where the 32-bit word `word` of row `row` of A (16 rows, 8 words) lies; B has its columns where A has its rows.
inline int word_lane(int row, int word) { return row % 8 * 4 + word % 4; }
inline int a_register(int row, int word) { return row / 8 + word / 4 * 2; }
inline int b_register(int word) { return word / 4; }

// One dot product over `words` words of A's row and B's column.
template <class Sum, class Multiply>
inline void multiply_tile(void* const* payloads, int words, Multiply multiply) {
    unsigned a[16][8], b[8][8];
    for (int word = 0; word < words; ++word) {
        for (int row = 0; row < 16; ++row)
            a[row][word] = fragments<Sum>(payloads, word_lane(row, word)).a[a_register(row, word)];
        for (int column = 0; column < 8; ++column)
            b[column][word] = fragments<Sum>(payloads, word_lane(column, word)).b[b_register(word)];
    }
    Sum d[16][8];
    for (int row = 0; row < 16; ++row)
        for (int column = 0; column < 8; ++column)
            d[row][column] = multiply(a[row], b[column],
                                      fragments<Sum>(payloads, sum_lane(row, column)).c[sum_register(row, column)]);
    // c may be the same registers as d: written only when all of c has been read
    for (int row = 0; row < 16; ++row)
        for (int column = 0; column < 8; ++column)
            fragments<Sum>(payloads, sum_lane(row, column)).d[sum_register(row, column)] = d[row][column];
}

template <class F>
inline void finish_mma_floats(void* const* payloads, unsigned) {
    multiply_tile<float>(payloads, 8, [](const unsigned* a, const unsigned* b, float c) {
        double sum = c;  // the products are exact; how the GPU rounds their sum is not specified
        for (int word = 0; word < 8; ++word)
            for (int half = 0; half < 32; half += 16)
                sum += double(F::decode(uint16_t(a[word] >> half))) * double(F::decode(uint16_t(b[word] >> half)));
        return float(sum);
    });
}

inline void finish_mma_bytes(void* const* payloads, unsigned) {
    multiply_tile<int>(payloads, 8, [](const unsigned* a, const unsigned* b, int c) {
        unsigned sum = unsigned(c);
        for (int word = 0; word < 8; ++word)
            for (int byte = 0; byte < 32; byte += 8)
                sum += unsigned(int((signed char)(a[word] >> byte)) * int((signed char)(b[word] >> byte)));
        return int(sum);
    });
}

inline void finish_mma_bits(void* const* payloads, unsigned) {
    multiply_tile<int>(payloads, 8, [](const unsigned* a, const unsigned* b, int c) {
        for (int word = 0; word < 8; ++word) c += __builtin_popcount(a[word] & b[word]);
        return c;
    });
}

inline void finish_mma_bits_small(void* const* payloads, unsigned) {
    int d[8][8];
    for (int row = 0; row < 8; ++row)
        for (int column = 0; column < 8; ++column) {
            d[row][column] = fragments<int>(payloads, sum_lane(row, column)).c[sum_register(row, column)];
            for (int word = 0; word < 4; ++word)
                d[row][column] += __builtin_popcount(*fragments<int>(payloads, word_lane(row, word)).a &
                                                     *fragments<int>(payloads, word_lane(column, word)).b);
        }
    for (int row = 0; row < 8; ++row)
        for (int column = 0; column < 8; ++column)
            fragments<int>(payloads, sum_lane(row, column)).d[sum_register(row, column)] = d[row][column];
}

// A's stored values are spread out to their places among 32 columns; then it is a dense product.
template <class F>
inline void finish_mma_sparse(void* const* payloads, unsigned) {
    float a[16][32], b[8][32], d[16][8];
    bool stored_here[16][32] = {};
    const int selector = fragments<float>(payloads, 0).selector;
    for (int row = 0; row < 16; ++row)
        for (int stored = 0; stored < 16; ++stored) {
            const unsigned pair = fragments<float>(payloads, word_lane(row, stored / 2)).a[a_register(row, stored / 2)];
            const int bringer = row % 8 * 4 + 2 * selector + stored / 8;
            const unsigned positions = fragments<float>(payloads, bringer).positions >> (row / 8 * 16);
            const int place = int(positions >> (2 * (stored % 8)) & 3);
            a[row][stored / 2 * 4 + place] = F::decode(uint16_t(pair >> (16 * (stored % 2))));
            stored_here[row][stored / 2 * 4 + place] = true;
        }
    for (int column = 0; column < 8; ++column)
        for (int k = 0; k < 32; ++k) {
            const unsigned pair = fragments<float>(payloads, column * 4 + k % 8 / 2).b[k / 8];
            b[column][k] = F::decode(uint16_t(pair >> (16 * (k % 2))));
        }
    for (int row = 0; row < 16; ++row)
        for (int column = 0; column < 8; ++column) {
            double sum = fragments<float>(payloads, sum_lane(row, column)).c[sum_register(row, column)];
            for (int k = 0; k < 32; ++k) {
                // a place that is not stored does not take part: not even an infinity in B shows
                if (stored_here[row][k]) sum += double(a[row][k]) * double(b[column][k]);
            }
            d[row][column] = float(sum);
        }
    for (int row = 0; row < 16; ++row)
        for (int column = 0; column < 8; ++column)
            fragments<float>(payloads, sum_lane(row, column)).d[sum_register(row, column)] = d[row][column];
}

template <class F>
inline void mma_m16n8k16(float* d, const unsigned* a, const unsigned* b, const float* c) {
    Fragments<float> mine = {d, a, b, c, 0, 0};
    host_meet(whole_warp, &mine, finish_mma_floats<F>, "mma_m16n8k16");
}
inline void mma_m16n8k32_s8(int* d, const unsigned* a, const unsigned* b, const int* c) {
    Fragments<int> mine = {d, a, b, c, 0, 0};
    host_meet(whole_warp, &mine, finish_mma_bytes, "mma_m16n8k32_s8");
}
inline void mma_m16n8k256_b1_and(int* d, const unsigned* a, const unsigned* b, const int* c) {
    Fragments<int> mine = {d, a, b, c, 0, 0};
    host_meet(whole_warp, &mine, finish_mma_bits, "mma_m16n8k256_b1_and");
}
inline void mma_m8n8k128_b1_and(int* d, unsigned a, unsigned b, const int* c) {
    Fragments<int> mine = {d, &a, &b, c, 0, 0};
    host_meet(whole_warp, &mine, finish_mma_bits_small, "mma_m8n8k128_b1_and");
}
template <class F>
inline void mma_sp_m16n8k32(float* d, const unsigned* a, const unsigned* b, const float* c, unsigned positions,
                            int selector) {
    Fragments<float> mine = {d, a, b, c, positions, selector};
    host_meet(whole_warp, &mine, finish_mma_sparse<F>, "mma_sp_m16n8k32");
}

}  // namespace host
