#include <stdint.h>
#define NUM_BINS 256
typedef unsigned int uint;

// counts of byte values; a histogram per block in shared memory first
__global__ void histogram256(const uint8_t *data, uint *bins, uint size) {
    __shared__ uint local[NUM_BINS];
    for (uint i = threadIdx.x; i < NUM_BINS; i += blockDim.x) local[i] = 0;
    __syncthreads();
    for (uint pos = blockIdx.x * blockDim.x + threadIdx.x; pos < size; pos += blockDim.x * gridDim.x)
        atomicAdd(&local[data[pos]], 1u);
    __syncthreads();
    for (uint i = threadIdx.x; i < NUM_BINS; i += blockDim.x)
        if (local[i] > 0) atomicAdd(&bins[i], local[i]);
}
