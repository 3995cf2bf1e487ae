// CSR times dense, version 1: one thread for one row.
//
//     out[row, n] = sum over p in row_pointers[row] .. row_pointers[row + 1] of values[p] * dense[columns[p], n]
//
// The index map that comes to mind first. Neighbouring threads take neighbouring rows; blockIdx.y takes the column n:
//
//     thread   0       1       2       3         one step of the loop, what each thread reads:
//     row      0       1       2       3
//     p        0       5       7       12        values[0], values[5], values[7], values[12]    scattered
//     column   3       1       9       0         dense[3,n], dense[1,n], dense[9,n], dense[0,n] scattered
//     out      [0,n]   [1,n]   [2,n]   [3,n]     a whole row of `out` apart
//
// Why it is slow: a warp's 32 reads fall into 32 different 32-byte sectors, of which it uses 4 bytes (2 for half) each,
// so about 1/8 of what memory and cache deliver is used. And a warp works until its longest row is done while the
// threads with shorter rows wait.
//
// Launch: block (128), grid (ceil(rows / 128), min(width, 65535)).
//
// expect kernel="row_per_thread<float, int>" arch=75+ registers<=64 shared=0

#include "element.cuh"

// out [rows, width], values [nnz], columns [nnz], row_pointers [rows + 1], dense [any, width]; all row-major.
template <typename T, typename Index>
__global__ void row_per_thread(T* out, const T* values, const Index* columns, const int* row_pointers, const T* dense,
                               int rows, int width) {
    const int row = blockIdx.x * blockDim.x + threadIdx.x;
    if (row >= rows) return;
    const int first = row_pointers[row], last = row_pointers[row + 1];
    for (int n = blockIdx.y; n < width; n += gridDim.y) {
        float sum = 0;  // half and bfloat16 are summed in float32 too: rounded once, at the end
        for (int p = first; p < last; ++p)
            // size_t: columns * width passes 2^31 in a matrix of 65536 x 65536
            sum += to_float(values[p]) * to_float(dense[size_t(columns[p]) * width + n]);
        out[size_t(row) * width + n] = from_float<T>(sum);
    }
}
