// CUDA's header of this name, for the host: the primitives that wrap cp.async. See ../../include/cp_async.cuh.
#pragma once
#include "../instructions.hpp"

inline void __pipeline_memcpy_async(void* shared, const void* global, size_t bytes, size_t zero_fill = 0) {
    host::async_copy(shared, global, int(bytes - zero_fill), true);
    if (zero_fill) memset(static_cast<char*>(shared) + (bytes - zero_fill), 0, zero_fill);
}
inline void __pipeline_commit() { host::async_commit(); }
inline void __pipeline_wait_prior(size_t newest) { host::async_wait(int(newest)); }
