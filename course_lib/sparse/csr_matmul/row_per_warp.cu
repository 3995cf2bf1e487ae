// CSR times dense, version 2: one warp for one row, so that neighbouring threads read neighbouring addresses.
//
// What changes from version 1 is the index map only: the 32 lanes of a warp lie along n instead of along the rows.
//
//     lane     0         1         2       ...   31
//     out      [row,n]   [row,n+1] [row,n+2]     [row,n+31]     one row of `out`, 128 bytes in a row
//     step i   every lane has the same values[p], columns[p] = c and reads
//     dense    [c,n]     [c,n+1]   [c,n+2]       [c,n+31]       one row of `dense`, 128 bytes in a row
//
// Why it is faster: those 32 reads are 4 sectors used in full instead of 32 used to 1/8 (floats; half as many for half).
// The row's own values and columns are read once per warp, 32 at a time and side by side, and handed round by shuffle:
//
//     lane 0..31 load   values[p0 .. p0+31]        one coalesced read
//     i = 0, 1, ...     __shfl_sync(value, i)      lane i's value reaches all lanes, register to register
//
// All lanes of a warp now have the same row, so none waits for a longer one. What is left: one 4-byte read per
// multiply-add and lane, lanes without work where n runs past the width (all but one for a vector), long rows that start
// last. Version 3 takes these up.
//
// Launch: block (32, 4), grid (ceil(rows / 4), min(ceil(width / 32), 65535)).
//
// expect kernel="row_per_warp<__half, short>" arch=75+ registers<=40 shared=0 ptx="shfl.sync.idx"

#include "element.cuh"

// out [rows, width], values [nnz], columns [nnz], row_pointers [rows + 1], dense [any, width]; all row-major.
template <typename T, typename Index>
__global__ void row_per_warp(T* out, const T* values, const Index* columns, const int* row_pointers, const T* dense,
                             int rows, int width) {
    const int lane = threadIdx.x;
    const int row = blockIdx.x * blockDim.y + threadIdx.y;
    if (row >= rows) return;  // the whole warp leaves, so the shuffles below still have all 32 lanes
    const int first = row_pointers[row], last = row_pointers[row + 1];
    for (int n0 = blockIdx.y * 32; n0 < width; n0 += gridDim.y * 32) {
        const int n = n0 + lane;
        float sum = 0;
        for (int p0 = first; p0 < last; p0 += 32) {
            const int count = min(32, last - p0);
            const float my_value = lane < count ? to_float(values[p0 + lane]) : 0;
            const int my_column = lane < count ? columns[p0 + lane] : 0;
            for (int i = 0; i < count; ++i) {
                const float value = __shfl_sync(0xffffffffu, my_value, i);
                const int column = __shfl_sync(0xffffffffu, my_column, i);
                if (n < width) sum += value * to_float(dense[size_t(column) * width + n]);
            }
        }
        if (n < width) out[size_t(row) * width + n] = from_float<T>(sum);
    }
}
