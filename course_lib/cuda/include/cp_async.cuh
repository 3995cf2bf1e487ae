// cp.async: copies from global to shared memory that go on while the thread computes (sm_80 and later; on older chips
// the copy is made at once, which is slower and equally right).
//
//     cp_async_16(&tile[next][k], &source[k]);   // start some copies
//     cp_async_commit();                         // ... they are one group
//     multiply(tile[now]);                       // meanwhile
//     cp_async_wait<0>();                        // until this thread's groups have landed (all but the newest 0)
//     __syncthreads();                           // until every other thread's have, too
//
// Both addresses are aligned to the size of the copy. With `valid` false nothing is read and zeros are written.
#pragma once

#if defined(COURSE_HOST)
#include "instructions.hpp"
#endif

template <int bytes>
__device__ __forceinline__ void cp_async(void* shared, const void* global, bool valid = true) {
    static_assert(bytes == 4 || bytes == 8 || bytes == 16, "cp.async copies 4, 8 or 16 bytes");
#if defined(COURSE_HOST)
    host::async_copy(shared, global, bytes, valid);
#elif __CUDA_ARCH__ >= 800
    const unsigned to = static_cast<unsigned>(__cvta_generic_to_shared(shared));
    const int read = valid ? bytes : 0;
    if (bytes == 16)  // .cg: past the L1 cache, which would gain nothing from data that lands in shared memory
        asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(global), "r"(read) : "memory");
    else
        asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(to), "l"(global), "n"(bytes), "r"(read) : "memory");
#else
    struct __align__(bytes) Word { unsigned part[bytes / 4]; };
    Word word = {};
    if (valid) word = *static_cast<const Word*>(global);
    *static_cast<Word*>(shared) = word;
#endif
}

__device__ __forceinline__ void cp_async_4(void* shared, const void* global, bool valid = true) {
    cp_async<4>(shared, global, valid);
}
__device__ __forceinline__ void cp_async_8(void* shared, const void* global, bool valid = true) {
    cp_async<8>(shared, global, valid);
}
__device__ __forceinline__ void cp_async_16(void* shared, const void* global, bool valid = true) {
    cp_async<16>(shared, global, valid);
}

// The copies started since the last commit become one group.
__device__ __forceinline__ void cp_async_commit() {
#if defined(COURSE_HOST)
    host::async_commit();
#elif __CUDA_ARCH__ >= 800
    asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

// Wait until at most `newest` of this thread's groups are still on their way.
template <int newest>
__device__ __forceinline__ void cp_async_wait() {
#if defined(COURSE_HOST)
    host::async_wait(newest);
#elif __CUDA_ARCH__ >= 800
    asm volatile("cp.async.wait_group %0;" ::"n"(newest) : "memory");
#endif
}

__device__ __forceinline__ void cp_async_wait_all() {
    cp_async_commit();
    cp_async_wait<0>();
}
