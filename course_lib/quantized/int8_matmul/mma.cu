// Version 3: tensor cores. sm_80 and later at full speed; sm_75 (T4) with smaller instructions and no asynchronous copies.
//
// What changes against version 2, and why it is faster:
// 1. mma m16n8k32: one instruction of one warp multiplies 16 x 32 bytes of a by 8 x 32 bytes of w: 4096 products, where
//    dp4a of a warp makes 128. (On sm_75 the wrapper issues four m8n8k16.)
// 2. ldmatrix: one instruction brings four 8 x 16-byte blocks from shared memory into just the registers that mma wants.
// 3. cp.async: tiles go from global to shared memory without passing through registers, STAGES - 1 tiles ahead of the one
//    being multiplied. Only one barrier a tile is left.
// 4. A warp computes WARP_M x WARP_N outputs (64 x 64), so each byte read from shared memory is used 64 times.
// 5. Swizzling replaces the padding of version 2, which ldmatrix and cp.async would also accept, but which costs memory
//    that another stage can use.
// 6. Columns are dealt to threads so that each thread ends with VECTOR neighbours, and stores 16 bytes at once.
// 7. Blocks are numbered so that those running at the same time share rows of a and of w in the L2 cache.
//
// Registers of one mma, by lane = 4 g + q (g = 0..7, q = 0..3); each register of a and w holds four bytes along k:
//
//       a [16, 32]   k: 4q..4q+3   16+4q..     w [8, 32]  k: 4q..   16+4q..     out [16, 8]   column: 2q   2q+1
//       row g           a0            a2       column g      w0        w1       row g                 c0    c1
//       row g+8         a1            a3                                        row g+8               c2    c3
//
// Dealing columns. Instruction j of a warp tile computes 8 columns, of which a thread gets two: its "column 2q, 2q+1" of
// instruction 0, of instruction 1, ... Nothing says that these are neighbours in the output: w's rows can be loaded in any
// order. With VECTOR = 8 (16-byte stores of half), four instructions are dealt 32 columns so:
//
//       output column     0 1   2 3   4 5   6 7    8 9  10 11 12 13 14 15   16 ...
//       instruction j      0     1     2     3      0     1     2     3      0  ...
//       lane's q           0     0     0     0      1     1     1     1      2  ...      thread q owns 8q .. 8q + 7
//
// Swizzling. A row of a tile is 64 bytes, four chunks of 16; two rows fill the 32 banks of shared memory once. ldmatrix
// reads the same chunk of eight rows. Stored plainly they would sit in two groups of banks and take four turns; chunk c
// of a row is stored at place c ^ s instead, where s = 0..3 differs between the four pairs of those eight rows:
//
//       rows 0, 1    c0 c1 c2 c3 | c0 c1 c2 c3       s = 0        eight rows of a: s = row / 2 % 4
//       rows 2, 3    c1 c0 c3 c2 | c1 c0 c3 c2       s = 1        eight rows of w as dealt above (pairs that lie VECTOR
//       rows 4, 5    c2 c3 c0 c1 | c2 c3 c0 c1       s = 2                apart): s = row / VECTOR % 4
//       rows 6, 7    c3 c2 c1 c0 | c3 c2 c1 c0       s = 3
//
// Rows whose length is not a multiple of 16 bytes, or that start elsewhere, are fetched byte by byte: pad K once for speed.
// Left for a Hopper version: wgmma and TMA, without which that chip's tensor cores do not reach their peak.
//
// expect arch=75 kernel="int8_matmul_mma<signed char, true, true, 128, 128, 2>" ptx=mma.sync.aligned.m8n8k16 ptx=ldmatrix
// expect arch=80,89 kernel="int8_matmul_mma<float, false, false, 128, 128, 3>" registers<=200 ptx=mma.sync.aligned.m16n8k32 ptx=ldmatrix ptx=cp.async.cg
// expect arch=90 kernel="int8_matmul_mma<signed char, true, true, 128, 128, 3>" ptx=mma.sync.aligned.m16n8k32 ptx=ldmatrix ptx=cp.async.cg
#include "chunk.cuh"
#include "cp_async.cuh"
#include "epilogue.cuh"
#include "ldmatrix.cuh"
#include "mma.cuh"

constexpr int CHUNK = 16;          // bytes
constexpr int CHUNKS = 4;          // of a row of a tile
constexpr int TILE_K = CHUNKS * CHUNK;
constexpr int WARPS_M = 2, WARPS_N = 2, THREADS = 32 * WARPS_M * WARPS_N;
constexpr int GROUP = 8;           // tiles of rows that are walked together

template <typename Out, int TILE_M, int TILE_N>
struct Layout {
    static constexpr int WARP_M = TILE_M / WARPS_M, WARP_N = TILE_N / WARPS_N;
    static constexpr int MMAS_M = WARP_M / 16, MMAS_N = WARP_N / 8;
    static constexpr int WIDE = CHUNK / int(sizeof(Out));
    static constexpr int VECTOR = WIDE < 2 * MMAS_N ? WIDE : 2 * MMAS_N;  // neighbouring outputs of a thread
    static constexpr int MMAS_VECTOR = VECTOR / 2;                        // instructions that fill them

    // Where column `of_eight` of instruction j lies in the warp's tile.
    static __device__ __forceinline__ int column(int j, int of_eight) {
        return j / MMAS_VECTOR * (4 * VECTOR) + of_eight / 2 * VECTOR + j % MMAS_VECTOR * 2 + of_eight % 2;
    }
};

// Where chunk c of a row lies in a tile. PERIOD: the distance of rows that must not collide.
template <int PERIOD>
__device__ __forceinline__ int place(int row, int chunk) {
    return row * CHUNKS + (chunk ^ (row / PERIOD % 4));
}

// Each thread brings the same chunk of every 32nd row; rows and chunks outside the matrix become zeros.
template <int ROWS, int PERIOD>
__device__ __forceinline__ void fetch_tile(
    int4* tile, const signed char* matrix, int row0, int rows, int k0, int k, bool aligned)
{
    const int chunk = threadIdx.x % CHUNKS, from = k0 + chunk * CHUNK, first = threadIdx.x / CHUNKS;
    if (aligned) {
#pragma unroll
        for (int r = first; r - first < ROWS; r += THREADS / CHUNKS) {
            const bool inside = row0 + r < rows && from < k;
            const long long offset = inside ? (long long)(row0 + r) * k + from : 0;
            cp_async_16(tile + place<PERIOD>(r, chunk), matrix + offset, inside);
        }
    } else {
#pragma unroll 1
        for (int r = first; r < ROWS; r += THREADS / CHUNKS)
            tile[place<PERIOD>(r, chunk)] = read_chunk(matrix, row0 + r, rows, from, k, false);
    }
}

// Writes `count` of a thread's neighbouring outputs, all of them at once where the address allows it.
template <typename Out, int VECTOR>
__device__ __forceinline__ void store(Out* to, const Out (&values)[VECTOR], int count, bool aligned) {
    struct alignas(VECTOR * sizeof(Out)) Together {
        Out values[VECTOR];
    };
    if (aligned && count >= VECTOR) {
        Together together;
#pragma unroll
        for (int e = 0; e < VECTOR; ++e) together.values[e] = values[e];
        *reinterpret_cast<Together*>(to) = together;
    } else {
#pragma unroll
        for (int e = 0; e < VECTOR; ++e)
            if (e < count) to[e] = values[e];
    }
}

// Adds up the four lanes that share a row.
__device__ __forceinline__ int add_quad(int value) {
    value += __shfl_xor_sync(0xffffffffu, value, 1);
    return value + __shfl_xor_sync(0xffffffffu, value, 2);
}

template <typename Out, bool A_ZERO, bool W_ZERO, int TILE_M, int TILE_N, int STAGES>
__global__ void __launch_bounds__(THREADS) int8_matmul_mma(
    const signed char* __restrict__ a,  // [M, K] row-major
    const signed char* __restrict__ w,  // [N, K] row-major
    Out* __restrict__ out,              // [M, N] row-major
    int m, int n, int k,
    const float* a_scale, int a_scale_step, const float* w_scale, int w_scale_step,
    const signed char* a_zero, int a_zero_step, const signed char* w_zero, int w_zero_step,
    const int* bias_int, const float* bias_float, const float* out_scale, const signed char* out_zero)
{
    using L = Layout<Out, TILE_M, TILE_N>;
    extern __shared__ int4 stages[];  // STAGES times: TILE_M rows of a, then TILE_N rows of w
    constexpr int STAGE = (TILE_M + TILE_N) * CHUNKS, W_TILE = TILE_M * CHUNKS;

    // The output tile of this block: down a group of GROUP tiles, then one column on.
    const int tiles_m = (m + TILE_M - 1) / TILE_M, tiles_n = (n + TILE_N - 1) / TILE_N;
    const int group = int(blockIdx.x) / (GROUP * tiles_n), in_group = int(blockIdx.x) % (GROUP * tiles_n);
    const int height = min(GROUP, tiles_m - group * GROUP);
    const int row0 = (group * GROUP + in_group % height) * TILE_M, column0 = in_group / height * TILE_N;

    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, g = lane / 4, q = lane % 4;
    const int warp_row = warp / WARPS_N * L::WARP_M, warp_column = warp % WARPS_N * L::WARP_N;
    const bool aligned = chunks_are_aligned(a, w, k);
    const int tiles_k = (k + TILE_K - 1) / TILE_K;

    const auto fetch = [&](int t) {
        int4* stage = stages + t % STAGES * STAGE;
        fetch_tile<TILE_M, 2>(stage, a, row0, m, t * TILE_K, k, aligned);
        fetch_tile<TILE_N, L::VECTOR>(stage + W_TILE, w, column0, n, t * TILE_K, k, aligned);
    };

    int sums[L::MMAS_M][L::MMAS_N][4] = {};
    int a_sums[L::MMAS_M][2] = {}, w_sums[L::MMAS_N] = {};  // of whole rows: for the zero points

#pragma unroll
    for (int t = 0; t < STAGES - 1; ++t) {
        if (t < tiles_k) fetch(t);
        cp_async_commit();  // an empty group too, so that group t is always tile t
    }
    for (int t = 0; t < tiles_k; ++t) {
        cp_async_wait<STAGES - 2>();  // tile t has arrived for this thread,
        __syncthreads();              // and for all; and all have finished tile t - 1, whose place is free
        if (t + STAGES - 1 < tiles_k) fetch(t + STAGES - 1);
        cp_async_commit();

        const int4* stage = stages + t % STAGES * STAGE;
#pragma unroll
        for (int half = 0; half < 2; ++half) {  // 32 bytes of k each
            unsigned p[L::MMAS_M][4], r[L::MMAS_N][2];
            // Each lane names one row of a block: lanes 0-7 of block 0, 8-15 of block 1, ... 16 rows on, s is the same.
            const int4* a_from = stage + place<2>(warp_row + lane % 16, 2 * half + lane / 16);
            const int w_row = warp_column + L::column(lane / 16, lane % 8);
            const int4* w_from = stage + W_TILE + place<L::VECTOR>(w_row, 2 * half + lane / 8 % 2);
#pragma unroll
            for (int i = 0; i < L::MMAS_M; ++i) ldmatrix_x4(p[i], a_from + i * 16 * CHUNKS);
#pragma unroll
            for (int j = 0; j < L::MMAS_N; j += 2) {
                unsigned both[4];  // of instructions j and j + 1
                ldmatrix_x4(both, w_from + L::column(j, 0) * CHUNKS);
                r[j][0] = both[0], r[j][1] = both[1], r[j + 1][0] = both[2], r[j + 1][1] = both[3];
            }
#pragma unroll
            for (int i = 0; i < L::MMAS_M; ++i)
#pragma unroll
                for (int j = 0; j < L::MMAS_N; ++j) mma_m16n8k32_s8(sums[i][j], p[i], r[j], sums[i][j]);
            if (W_ZERO) {
#pragma unroll
                for (int i = 0; i < L::MMAS_M; ++i) {
                    a_sums[i][0] = add_bytes(p[i][0], add_bytes(p[i][2], a_sums[i][0]));
                    a_sums[i][1] = add_bytes(p[i][1], add_bytes(p[i][3], a_sums[i][1]));
                }
            }
            if (A_ZERO) {
#pragma unroll
                for (int j = 0; j < L::MMAS_N; ++j) w_sums[j] = add_bytes(r[j][0], add_bytes(r[j][1], w_sums[j]));
            }
        }
    }

    const Scaling scaling = {a_scale, a_scale_step, w_scale, w_scale_step, a_zero, a_zero_step, w_zero, w_zero_step,
                             bias_int, bias_float, out_scale, out_zero};
    const Requantizer requantizer = read_requantizer<Out>(scaling);
    const bool aligned_stores = n % L::VECTOR == 0;
#pragma unroll
    for (int i = 0; i < L::MMAS_M; ++i)
        for (int r = 0; W_ZERO && r < 2; ++r) a_sums[i][r] = add_quad(a_sums[i][r]);
#pragma unroll
    for (int j0 = 0; j0 < L::MMAS_N; j0 += L::MMAS_VECTOR) {
        const int column = column0 + warp_column + L::column(j0, 2 * q);  // the first of VECTOR
        Column columns[L::VECTOR];
        int column_sums[L::VECTOR];
#pragma unroll
        for (int e = 0; e < L::VECTOR; ++e) {
            columns[e] = column + e < n ? read_column<Out, W_ZERO>(scaling, column + e) : Column{};
            // the sum of w's row stands in the four lanes whose g is its number of eight
            const int j = j0 + e / 2;
            if (e % 2 == 0 && A_ZERO) w_sums[j] = add_quad(w_sums[j]);
            column_sums[e] = A_ZERO ? __shfl_sync(0xffffffffu, w_sums[j], 4 * (2 * q + e % 2)) : 0;
        }
#pragma unroll
        for (int i = 0; i < L::MMAS_M; ++i) {
#pragma unroll
            for (int r = 0; r < 2; ++r) {
                const int row = row0 + warp_row + 16 * i + 8 * r + g;
                if (row >= m) continue;
                const Row of_row = read_row<Out, A_ZERO>(scaling, row);
                Out values[L::VECTOR];
#pragma unroll
                for (int e = 0; e < L::VECTOR; ++e) {
                    const int sum = subtract_zero_points(sums[i][j0 + e / 2][2 * r + e % 2], a_sums[i][r], column_sums[e],
                                                         k, of_row, columns[e]);
                    values[e] = finish<Out>(sum, of_row, columns[e], requantizer);
                }
                store(out + (long long)row * n + column, values, n - column, aligned_stores);
            }
        }
    }
}
