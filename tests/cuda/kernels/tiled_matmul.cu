#define TILE 16

// C [m, n] = A [m, k] * B [k, n], any sizes
template <typename T, int tile>
__global__ void __launch_bounds__(tile * tile) matmulTiled(const T *A, const T *B, T *C, int m, int n, int k) {
    __shared__ T As[tile][tile];
    __shared__ T Bs[tile][tile + 1];
    const int tx = threadIdx.x, ty = threadIdx.y;
    const int row = blockIdx.y * tile + ty;
    const int col = blockIdx.x * tile + tx;
    T acc = 0;
    for (int t = 0; t < (k + tile - 1) / tile; ++t) {
        As[ty][tx] = (row < m && t * tile + tx < k) ? A[row * k + t * tile + tx] : T(0);
        Bs[ty][tx] = (t * tile + ty < k && col < n) ? B[(t * tile + ty) * n + col] : T(0);
        __syncthreads();
#pragma unroll
        for (int i = 0; i < tile; ++i) acc += As[ty][i] * Bs[i][tx];
        __syncthreads();
    }
    if (row < m && col < n) C[row * n + col] = acc;
}
