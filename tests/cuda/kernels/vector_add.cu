#include <cuda_runtime.h>

__global__ void vectorAdd(const float *A, const float *B, float *C, int numElements) {
    int i = blockDim.x * blockIdx.x + threadIdx.x;
    if (i < numElements) {
        C[i] = A[i] + B[i];
    }
}

// the same with a grid that may be smaller than the array
__global__ void vectorAddStride(const float *__restrict__ A, const float *__restrict__ B, float *__restrict__ C, size_t n) {
    for (size_t i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += blockDim.x * gridDim.x) C[i] = A[i] + B[i];
}
