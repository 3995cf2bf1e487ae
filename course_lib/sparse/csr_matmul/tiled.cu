// CSR times dense, version 3: hierarchical one-dimensional tiling.
// After Gale, Zaharia, Young, Elsen: Sparse GPU Kernels for Deep Learning, SC 2020 ("Sputnik"), section 5.
//
// A block has 4 warps, a warp one row and a tile of its columns, a lane VECTOR neighbouring columns (REPEAT times).
// What changes from version 2, and why each change is faster:
//
// 1. Vector reads. A lane reads 16 bytes of a row of `dense` at once: a quarter (half: an eighth) of the load
//    instructions for the same bytes. The reads of BATCH values are all under way before the first is used.
//
// 2. Narrow matrices. `lanes` lanes cover the tile's columns; the 32 / lanes groups of a warp take the row's values in
//    turn and add their sums at the end, as Bell and Garland (SC 2009) do for a vector. No lane is idle when `dense` has
//    few columns:
//
//        width 16, VECTOR 4 -> lanes = 4        lane    0  1  2  3 | 4  5  6  7 | ... | 28 29 30 31
//                                               value   i          | i + 1      |     | i + 7
//                                               n       0  4  8 12 | 0  4  8 12 |     | 0  4  8 12
//
// 3. Values and columns are staged in shared memory: converted to float once per warp instead of once per lane, read 4
//    at a time, and the next stage is fetched while this one is used. A row begins anywhere, a vector load only at a
//    multiple of 4, so a row is fetched from the multiple before it and the head is masked:
//
//        position       8   9  10  11 |12  13  14  15 |16  17         first = 11, last = 17
//        lane 0 reads   8 ... 11, keeps 11; lane 1 keeps 12 ... 15; lane 2 reads 16 alone, 17 may lie past the array
//        staged                     0   1   2   3   4   5
//
//    A masked value is left out, not replaced by a zero: 0 * infinity is not a number.
//
// 4. Row swizzle. Warps take rows in the order `row_order`, longest first: long rows start at once, short ones fill the
//    gaps at the end, and the four warps of a block finish together.
//
// 5. Column indices of 16 bits where they fit: 4 bytes per half value instead of 6, 6 per float instead of 8. This
//    counts where `dense` is narrow and the matrix itself is most of the traffic.
//
// What bounds it: each multiply-add needs an element of `dense` of its own from the L1 cache, which delivers 128 bytes
// per cycle: 32 float multiply-adds per cycle and multiprocessor, a quarter of what Hopper can do. Only rows that share
// an element would lift that, and a CSR matrix does not say which rows could.
//
// Launch: block (32, 4), grid (ceil(rows / 4), min(ceil(width / tile), 65535)), tile = lanes * VECTOR * REPEAT.
//
// expect kernel="tiled<float, int, 4, 2>" arch=75+ registers<=64 shared=4096 ptx="ld.global.nc.v4" ptx="st.global.v4"
// expect kernel="tiled<__half, short, 8, 2>" arch=75+ registers<=64 shared=4096 ptx="ld.global.nc.v4" ptx="st.global.v4"
// expect kernel="tiled<__nv_bfloat16, short, 8, 2>" arch=80+ registers<=64 shared=4096 ptx="ld.global.nc.v4"

#include "element.cuh"

constexpr unsigned ALL = 0xffffffffu;
constexpr int WARPS = 4;
constexpr int FETCH = 4;           // values that a lane fetches at once
constexpr int STAGE = 32 * FETCH;  // values that a warp stages at once
constexpr int BATCH = 4;           // rows of `dense` that a group has under way
// 8 blocks on a multiprocessor leave 64 registers to a thread: room for a batch. Not told so, the compiler saves registers
// by waiting for each read before it issues the next.
constexpr int BLOCKS = 8;

struct Nonzero {
    float value;
    unsigned column;
};

template <typename T, typename Index> struct Fetched {
    Pack<T, FETCH> value;
    Pack<Index, FETCH> column;
};

// This lane's share of positions base .. base + STAGE, from global memory; nothing at or behind `last` is read.
template <typename T, typename Index>
__device__ inline Fetched<T, Index> fetch(const T* values, const Index* columns, int base, int last) {
    const int mine = base + FETCH * threadIdx.x;
    Fetched<T, Index> fetched = {};
    if (mine + FETCH <= last) {
        fetched.value = load_pack<T, FETCH>(values + mine);
        fetched.column = load_pack<Index, FETCH>(columns + mine);
    } else {
#pragma unroll
        for (int j = 0; j < FETCH - 1; ++j)
            if (mine + j < last) {
                fetched.value.element[j] = values[mine + j];
                fetched.column.element[j] = columns[mine + j];
            }
    }
    return fetched;
}

// The share's positions that lie in from .. to, to staged[position - from].
template <typename T, typename Index>
__device__ inline void put(Nonzero* staged, const Fetched<T, Index>& fetched, int base, int from, int to) {
    const int mine = base + FETCH * threadIdx.x;
#pragma unroll
    for (int j = 0; j < FETCH; ++j)
        if (from <= mine + j && mine + j < to)
            staged[mine + j - from] = {to_float(fetched.value.element[j]), unsigned(fetched.column.element[j])};
}

// sum += COUNT staged values, `step` apart, times their rows of dense.
template <int COUNT, typename T, int VECTOR, int REPEAT>
__device__ inline void multiply(float (&sum)[REPEAT][VECTOR], const Nonzero* staged, int step,
                                const char* const (&source)[REPEAT], unsigned row_bytes) {
    Nonzero nonzero[COUNT];
    Pack<T, VECTOR> part[COUNT][REPEAT];
#pragma unroll
    for (int i = 0; i < COUNT; ++i) {
        nonzero[i] = staged[i * step];
#pragma unroll
        for (int r = 0; r < REPEAT; ++r)  // in bytes: the address is then one multiply-add, 32 x 32 + 64 bits
            part[i][r] = load_pack<T, VECTOR>(
                reinterpret_cast<const T*>(source[r] + (unsigned long long)nonzero[i].column * row_bytes));
    }
#pragma unroll
    for (int i = 0; i < COUNT; ++i)
#pragma unroll
        for (int r = 0; r < REPEAT; ++r)
#pragma unroll
            for (int v = 0; v < VECTOR; ++v) sum[r][v] += nonzero[i].value * to_float(part[i][r].element[v]);
}

// out [rows, width], values [nnz], columns [nnz], row_pointers [rows + 1], row_order [rows], dense [any, width].
// values, columns: addresses that are multiples of 4 elements. out, dense: multiples of VECTOR elements, as is width.
// lanes: 1, 2, 4, 8, 16 or 32.
template <typename T, typename Index, int VECTOR, int REPEAT>
__global__ void __launch_bounds__(32 * WARPS, BLOCKS)
tiled(T* __restrict__ out, const T* __restrict__ values, const Index* __restrict__ columns,
      const int* __restrict__ row_pointers, const int* __restrict__ row_order, const T* __restrict__ dense,
      int rows, int width, int lanes) {
    __shared__ Nonzero staged_by_warp[WARPS][STAGE];
    Nonzero* staged = staged_by_warp[threadIdx.y];
    const int slot = blockIdx.x * WARPS + threadIdx.y;
    if (slot >= rows) return;  // the whole warp; from here on only the lanes of one warp wait for each other
    const int row = row_order[slot];
    const int first = row_pointers[row], last = row_pointers[row + 1];
    const int lane = threadIdx.x % lanes, group = threadIdx.x / lanes, groups = 32 / lanes;
    const int tile = lanes * VECTOR * REPEAT;

    for (int n0 = blockIdx.y * tile; n0 < width; n0 += gridDim.y * tile) {
        int n[REPEAT];
        const char* source[REPEAT];
        float sum[REPEAT][VECTOR] = {};
#pragma unroll
        for (int r = 0; r < REPEAT; ++r) {
            n[r] = n0 + (r * lanes + lane) * VECTOR;
            // a lane past the width reads column 0 and stores nothing: cheaper than a test at every read
            source[r] = reinterpret_cast<const char*>(dense + (n[r] < width ? n[r] : 0));
        }

        int base = first / FETCH * FETCH;
        Fetched<T, Index> next = fetch(values, columns, base, last);
        for (; base < last; base += STAGE) {
            const int from = max(base, first), to = min(base + STAGE, last);
            __syncwarp();  // every lane is done with the stage before
            put(staged, next, base, from, to);
            next = fetch(values, columns, base + STAGE, last);
            __syncwarp();  // every lane's share is there
            int i = group;
            for (; i + (BATCH - 1) * groups < to - from; i += BATCH * groups)
                multiply<BATCH, T>(sum, staged + i, groups, source, width * unsigned(sizeof(T)));
            for (; i < to - from; i += groups)
                multiply<1, T>(sum, staged + i, groups, source, width * unsigned(sizeof(T)));
        }

        for (int distance = 16; distance >= lanes; distance /= 2)  // add up what the groups have
#pragma unroll
            for (int r = 0; r < REPEAT; ++r)
#pragma unroll
                for (int v = 0; v < VECTOR; ++v) sum[r][v] += __shfl_xor_sync(ALL, sum[r][v], distance);
#pragma unroll
        for (int r = 0; r < REPEAT; ++r) {
            if (group != 0 || n[r] >= width) continue;
            Pack<T, VECTOR> result;
#pragma unroll
            for (int v = 0; v < VECTOR; ++v) result.element[v] = from_float<T>(sum[r][v]);
            store_pack(out + size_t(row) * width + n[r], result);
        }
    }
}
