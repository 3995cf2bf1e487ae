// Version 1: one thread for each output, straight from the definition.
//
// Thread (x, y) of block (bx, by) owns one element:
//
//     column n = by * blockDim.x + threadIdx.x        out [M, N]        w [N, K]     k ->
//     row    m = bx * blockDim.y + threadIdx.y          . . n .       n [ ========== ]
//                                                     m . . X .       a [M, K]
//                                                       . . . .       m [ ========== ]
//
// Why it is slow: a thread reads 2 K bytes for K multiplications, each byte by an instruction of its own, and the threads
// of a block read the same bytes again and again; the caches carry all of that. Neighbours in x read rows of w that lie
// K bytes apart, so one load of a warp touches 32 places in memory. Every other version removes one of these.
//
// expect kernel="int8_matmul_naive<signed char, true, true>" registers<=64 shared=0
#include "epilogue.cuh"

template <typename Out, bool A_ZERO, bool W_ZERO>
__global__ void int8_matmul_naive(
    const signed char* __restrict__ a,  // [M, K] row-major
    const signed char* __restrict__ w,  // [N, K] row-major
    Out* __restrict__ out,              // [M, N] row-major
    int m, int n, int k,
    const float* a_scale, int a_scale_step, const float* w_scale, int w_scale_step,
    const signed char* a_zero, int a_zero_step, const signed char* w_zero, int w_zero_step,
    const int* bias_int, const float* bias_float, const float* out_scale, const signed char* out_zero)
{
    const int row = blockIdx.x * blockDim.y + threadIdx.y;
    const int column = blockIdx.y * blockDim.x + threadIdx.x;
    if (row >= m || column >= n) return;

    const Scaling scaling = {a_scale, a_scale_step, w_scale, w_scale_step, a_zero, a_zero_step, w_zero, w_zero_step,
                             bias_int, bias_float, out_scale, out_zero};
    const Row of_row = read_row<Out, A_ZERO>(scaling, row);
    const Column of_column = read_column<Out, W_ZERO>(scaling, column);

    const signed char* a_row = a + (long long)row * k;
    const signed char* w_row = w + (long long)column * k;
    int sum = 0;
    for (int i = 0; i < k; ++i) sum += (a_row[i] - of_row.zero_point) * (w_row[i] - of_column.zero_point);

    out[(long long)row * n + column] = finish<Out>(sum, of_row, of_column, read_requantizer<Out>(scaling));
}
