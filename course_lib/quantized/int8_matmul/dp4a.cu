// Version 2: tiles in shared memory, four products an instruction. Runs on every GPU since sm_61 (T4: sm_75).
//
// What changes against version 1, and why it is faster:
// 1. A block computes a 64 x 64 tile of the output. It walks along k in steps of 64 bytes and keeps one 64 x 64 tile of a
//    and of w in shared memory: each byte fetched from global memory is used 64 times instead of once.
// 2. Bytes move sixteen at a time (int4), from global memory in whole 64-byte pieces of a row.
// 3. __dp4a multiplies four bytes by four bytes and adds the products to an int32: a quarter of the instructions.
// 4. A thread computes 4 x 4 outputs, so 4 + 4 loads from shared memory feed 16 * 4 dp4a.
// 5. The next tiles are already on their way into registers while the present ones are multiplied.
//
//     thread (x, y) owns the 16 outputs marked X         a tile in shared memory, in chunks of 16 bytes along k
//              x    x+16   x+32   x+48                                  chunk 0   1   2   3   (padding)
//        y     X     X      X      X                            row 0      [ 16 ][ 16 ][ 16 ][ 16 ][ -- ]
//        y+16  X     X      X      X                            row 1      [ 16 ][ 16 ][ 16 ][ 16 ][ -- ]
//        y+32  X     X      X      X                            ...
//        y+48  X     X      X      X
//
// Neighbouring threads own neighbouring columns, so stores are contiguous. The same chunk of eight neighbouring rows is
// read in one go: rows are 80 bytes apart, not 64, and 80 * {0..7} falls into eight different groups of four banks.
//
// expect kernel="int8_matmul_dp4a<signed char, true, true>" registers<=128 shared=10240 ptx="dp4a.s32.s32"
#include "chunk.cuh"
#include "epilogue.cuh"

constexpr int TILE = 64;            // rows of a and rows of w in a block
constexpr int CHUNKS = 4;           // 16-byte chunks of k in a tile
constexpr int SIDE = 16;            // threads along x and along y
constexpr int EACH = TILE / SIDE;   // outputs of a thread along x and along y

__device__ __forceinline__ int dot16(int4 p, int4 q, int sum) {
    sum = __dp4a(p.x, q.x, sum);
    sum = __dp4a(p.y, q.y, sum);
    sum = __dp4a(p.z, q.z, sum);
    return __dp4a(p.w, q.w, sum);
}

template <typename Out, bool A_ZERO, bool W_ZERO>
__global__ void __launch_bounds__(SIDE * SIDE) int8_matmul_dp4a(
    const signed char* __restrict__ a,  // [M, K] row-major
    const signed char* __restrict__ w,  // [N, K] row-major
    Out* __restrict__ out,              // [M, N] row-major
    int m, int n, int k,
    const float* a_scale, int a_scale_step, const float* w_scale, int w_scale_step,
    const signed char* a_zero, int a_zero_step, const signed char* w_zero, int w_zero_step,
    const int* bias_int, const float* bias_float, const float* out_scale, const signed char* out_zero)
{
    __shared__ int4 a_tile[TILE][CHUNKS + 1];
    __shared__ int4 w_tile[TILE][CHUNKS + 1];
    const int row0 = blockIdx.x * TILE, column0 = blockIdx.y * TILE;
    const int x = threadIdx.x, y = threadIdx.y;
    const int mine = (y * SIDE + x) / CHUNKS, chunk = (y * SIDE + x) % CHUNKS;  // the piece of both tiles I fetch
    const bool aligned = chunks_are_aligned(a, w, k);

    int sums[EACH][EACH] = {};
    int a_sums[EACH] = {}, w_sums[EACH] = {};  // of whole rows: for the zero points
    int4 next_a = read_chunk(a, row0 + mine, m, chunk * 16, k, aligned);
    int4 next_w = read_chunk(w, column0 + mine, n, chunk * 16, k, aligned);

    for (int k0 = 0; k0 < k; k0 += CHUNKS * 16) {
        a_tile[mine][chunk] = next_a;
        w_tile[mine][chunk] = next_w;
        __syncthreads();  // the tiles are complete
        next_a = read_chunk(a, row0 + mine, m, k0 + (CHUNKS + chunk) * 16, k, aligned);
        next_w = read_chunk(w, column0 + mine, n, k0 + (CHUNKS + chunk) * 16, k, aligned);
#pragma unroll
        for (int c = 0; c < CHUNKS; ++c) {
            int4 p[EACH], q[EACH];
#pragma unroll
            for (int i = 0; i < EACH; ++i) {
                p[i] = a_tile[y + SIDE * i][c];
                q[i] = w_tile[x + SIDE * i][c];
                if (W_ZERO) a_sums[i] = add_bytes(p[i], a_sums[i]);
                if (A_ZERO) w_sums[i] = add_bytes(q[i], w_sums[i]);
            }
#pragma unroll
            for (int i = 0; i < EACH; ++i)
#pragma unroll
                for (int j = 0; j < EACH; ++j) sums[i][j] = dot16(p[i], q[j], sums[i][j]);
        }
        __syncthreads();  // nobody reads the tiles any more
    }

    const Scaling scaling = {a_scale, a_scale_step, w_scale, w_scale_step, a_zero, a_zero_step, w_zero, w_zero_step,
                             bias_int, bias_float, out_scale, out_zero};
    const Requantizer requantizer = read_requantizer<Out>(scaling);
#pragma unroll
    for (int i = 0; i < EACH; ++i) {
        const int row = row0 + y + SIDE * i;
        if (row >= m) break;
        const Row of_row = read_row<Out, A_ZERO>(scaling, row);
#pragma unroll
        for (int j = 0; j < EACH; ++j) {
            const int column = column0 + x + SIDE * j;
            if (column >= n) break;
            const Column of_column = read_column<Out, W_ZERO>(scaling, column);
            const int sum = subtract_zero_points(sums[i][j], a_sums[i], w_sums[j], k, of_row, of_column);
            out[(long long)row * n + column] = finish<Out>(sum, of_row, of_column, requantizer);
        }
    }
}
