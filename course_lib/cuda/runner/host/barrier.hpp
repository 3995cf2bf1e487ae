// Barriers of a block, and memory fences.
#pragma once
#include "thread.hpp"

inline void __syncthreads() { host_barrier(host::barrier_plain, 0); }
inline int __syncthreads_count(int predicate) { return host_barrier(host::barrier_count, predicate); }
inline int __syncthreads_and(int predicate) { return host_barrier(host::barrier_and, predicate); }
inline int __syncthreads_or(int predicate) { return host_barrier(host::barrier_or, predicate); }
inline void __syncwarp(unsigned mask = 0xffffffffu) { host_syncwarp(mask); }

#if defined(COURSE_CHECKED)
extern "C" void host_fence();
#else
inline void host_fence() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
#endif
inline void __threadfence() { host_fence(); }
inline void __threadfence_block() { host_fence(); }
inline void __threadfence_system() { host_fence(); }
inline void __nanosleep(unsigned) { host_yield(); }
