// Sampled dense-dense matrix product: left times right transposed, only at the places where a CSR pattern has a value.
//
//     out[p] = sum over n of left[row of p, n] * right[columns[p], n]
//
// With left = the gradient of the output and right = `dense`, this is the gradient of the values of CSR times dense.
// After Gale et al., SC 2020, section 6. A warp takes one row, longest rows first. Its 32 lanes form 32 / lanes groups,
// each with a value of its own; 8 lanes with 16 bytes each read a full line of 128 bytes per step:
//
//     lanes = 8     lane    0 ..  7  |  8 .. 15  |  16 .. 23  |  24 .. 31
//                   value   p        |  p + 1    |  p + 2     |  p + 3
//                   left    the same 128 bytes of one row for all groups: fetched once
//                   right   128 bytes of row columns[p] | of row columns[p + 1] | ...
//
// The dot product over n is spread over the lanes of a group, so a value costs log2(lanes) shuffles at the end: 3 for 8
// lanes. A whole warp per value would need 5, and narrower groups would leave parts of a line unused.
//
// Launch: block (32, 4), grid (ceil(rows / 4)).
//
// expect kernel="sddmm<float, short, 4>" arch=75+ registers<=64 shared=0 ptx="ld.global.nc.v4" ptx="shfl.sync.bfly"
// expect kernel="sddmm<__nv_bfloat16, short, 8>" arch=75+ registers<=64 shared=0 ptx="ld.global.nc.v4"

#include "element.cuh"

constexpr unsigned ALL = 0xffffffffu;
constexpr int WARPS = 4;
constexpr int BATCH = 4;  // reads of each operand that a lane has under way
// 8 blocks on a multiprocessor leave 64 registers to a thread: room for a batch. Not told so, the compiler saves registers
// by waiting for each read before it issues the next.
constexpr int BLOCKS = 8;

// sum += the products at COUNT places, `step` apart.
template <int COUNT, int VECTOR, typename T>
__device__ inline void add_products(float& sum, const T* left, const T* right, int step) {
    Pack<T, VECTOR> a[COUNT], b[COUNT];
#pragma unroll
    for (int i = 0; i < COUNT; ++i) {
        a[i] = load_pack<T, VECTOR>(left + i * step);
        b[i] = load_pack<T, VECTOR>(right + i * step);
    }
#pragma unroll
    for (int i = 0; i < COUNT; ++i)
#pragma unroll
        for (int v = 0; v < VECTOR; ++v) sum += to_float(a[i].element[v]) * to_float(b[i].element[v]);
}

// out [nnz], left [rows, width], right [any, width], columns [nnz], row_pointers [rows + 1], row_order [rows].
// left, right: addresses that are multiples of VECTOR elements, as is width. lanes: 1, 2, 4, 8, 16 or 32.
template <typename T, typename Index, int VECTOR>
__global__ void __launch_bounds__(32 * WARPS, BLOCKS)
sddmm(T* __restrict__ out, const T* __restrict__ left, const T* __restrict__ right, const Index* __restrict__ columns,
      const int* __restrict__ row_pointers, const int* __restrict__ row_order, int rows, int width, int lanes) {
    const int slot = blockIdx.x * WARPS + threadIdx.y;
    if (slot >= rows) return;
    const int row = row_order[slot];
    const int first = row_pointers[row], last = row_pointers[row + 1];
    const int lane = threadIdx.x % lanes, group = threadIdx.x / lanes, groups = 32 / lanes;
    const int step = lanes * VECTOR;
    const T* left_row = left + size_t(row) * width;

    for (int p0 = first; p0 < last; p0 += groups) {
        // groups past the end repeat the last value, so that all 32 lanes reach the shuffles
        const int p = min(p0 + group, last - 1);
        const T* right_row = right + size_t(columns[p]) * width;
        float sum = 0;
        int n = lane * VECTOR;
        for (; n + (BATCH - 1) * step < width; n += BATCH * step)
            add_products<BATCH, VECTOR>(sum, left_row + n, right_row + n, step);
        for (; n < width; n += step) add_products<1, VECTOR>(sum, left_row + n, right_row + n, step);
        for (int distance = lanes / 2; distance > 0; distance /= 2) sum += __shfl_xor_sync(ALL, sum, distance);
        if (lane == 0 && p0 + group < last) out[p] = from_float<T>(sum);
    }
}
