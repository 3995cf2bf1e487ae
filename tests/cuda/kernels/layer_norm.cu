#include <cuda_fp16.h>

template <typename T> __device__ float load_float(const T *p) { return static_cast<float>(*p); }
template <> __device__ float load_float<__half>(const __half *p) { return __half2float(*p); }
template <typename T> __device__ void store_float(T *p, float v) { *p = static_cast<T>(v); }
template <> __device__ void store_float<__half>(__half *p, float v) { *p = __float2half_rn(v); }

// one warp per row; blockDim = (32, rows per block)
template <typename T>
__global__ void layernorm_forward(T *__restrict__ out, float *__restrict__ mean, float *__restrict__ rstd,
                                  const T *__restrict__ inp, const T *__restrict__ weight, const T *__restrict__ bias,
                                  int N, int C, float eps = 1e-5f) {
    int row = blockIdx.x * blockDim.y + threadIdx.y;
    if (row >= N) return;
    const T *x = inp + row * C;
    float sum = 0.0f;
    for (int i = threadIdx.x; i < C; i += 32) sum += load_float(x + i);
    for (int mask = 16; mask > 0; mask >>= 1) sum += __shfl_xor_sync(0xffffffffu, sum, mask, 32);
    float m = sum / C;
    sum = 0.0f;
    for (int i = threadIdx.x; i < C; i += 32) {
        float diff = load_float(x + i) - m;
        sum += diff * diff;
    }
    for (int mask = 16; mask > 0; mask >>= 1) sum += __shfl_xor_sync(0xffffffffu, sum, mask, 32);
    float s = rsqrtf(sum / C + eps);
    if (threadIdx.x == 0) {
        mean[row] = m;
        rstd[row] = s;
    }
    for (int c = threadIdx.x; c < C; c += 32)
        store_float(out + row * C + c, s * (load_float(x + c) - m) * load_float(weight + c) + load_float(bias + c));
}
