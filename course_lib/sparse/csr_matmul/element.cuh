// One element type for all kernels of this room: stored as float, half or bfloat16, computed with as float.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

__device__ inline float to_float(float x) { return x; }
__device__ inline float to_float(__half x) { return __half2float(x); }
__device__ inline float to_float(__nv_bfloat16 x) { return __bfloat162float(x); }

// Rounds once, to nearest even.
template <typename T> __device__ inline T from_float(float x);
template <> __device__ inline float from_float<float>(float x) { return x; }
template <> __device__ inline __half from_float<__half>(float x) { return __float2half_rn(x); }
template <> __device__ inline __nv_bfloat16 from_float<__nv_bfloat16>(float x) { return __float2bfloat16_rn(x); }

// COUNT neighbouring elements. The alignment tells the compiler that one instruction can move them all, up to 16 bytes;
// the address must then be a multiple of the pack's size.
template <typename T, int COUNT> struct alignas(sizeof(T) * COUNT) Pack {
    T element[COUNT];
};

template <typename T, int COUNT> __device__ inline Pack<T, COUNT> load_pack(const T* from) {
    return *reinterpret_cast<const Pack<T, COUNT>*>(from);
}

template <typename T, int COUNT> __device__ inline void store_pack(T* to, const Pack<T, COUNT>& pack) {
    *reinterpret_cast<Pack<T, COUNT>*>(to) = pack;
}
