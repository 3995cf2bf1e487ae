// The compiler calls these before every load and store of a kernel that was compiled with -fsanitize=thread. They have
// the names that the compiler emits; the library that usually answers to them is not linked.
#pragma once
#include "watch.hpp"
#if defined(COURSE_TRACED)
#include "trace.hpp"
#endif

// __tsan_read4 and its like get no address of the code but their own return address: the instruction after the call.
#define COURSE_HERE uintptr_t(__builtin_return_address(0))

inline void on_access(void* address, uint32_t size, Access access, uintptr_t code) {
    if (!watching || !host_current) return;
    const uint32_t site = call_stacks.number(current_stack(current_thread()), code);
#if defined(COURSE_TRACED)
    trace_access(address, size, access, site);
#endif
    watch(address, size, access, site);
}

inline void check_alignment(void* address, uint32_t size, Access access, uintptr_t code) {
    if (!watching || !host_current || reinterpret_cast<uintptr_t>(address) % size == 0) return;
    Thread* thread = current_thread();
    Region* region = regions.find(static_cast<char*>(address));
    if (!region) return;
    report("misaligned", region, offset_in(region, static_cast<char*>(address)), size, thread->linear,
           call_stacks.number(current_stack(thread), code), nullptr, writes(access) ? "write" : "read");
}

extern "C" {
void __tsan_init() {}

void __tsan_func_entry(void* caller) {
    if (!host_current) return;
    Thread* thread = current_thread();
    const uint32_t stack = call_stacks.number(current_stack(thread), uintptr_t(caller));
    if (thread->depth < 64) thread->frames[thread->depth] = stack;
    ++thread->depth;
}
void __tsan_func_exit() {
    if (host_current && current_thread()->depth) --current_thread()->depth;
}

#define COURSE_ACCESS(size)                                                                                       \
    void __tsan_read##size(void* a) {                                                                             \
        check_alignment(a, size, access_read, COURSE_HERE);                                                       \
        on_access(a, size, access_read, COURSE_HERE);                                                             \
    }                                                                                                             \
    void __tsan_write##size(void* a) {                                                                            \
        check_alignment(a, size, access_write, COURSE_HERE);                                                      \
        on_access(a, size, access_write, COURSE_HERE);                                                            \
    }                                                                                                             \
    void __tsan_read_write##size(void* a) {                                                                       \
        on_access(a, size, access_read, COURSE_HERE);                                                             \
        on_access(a, size, access_write, COURSE_HERE);                                                            \
    }                                                                                                             \
    void __tsan_volatile_read##size(void* a) { on_access(a, size, access_volatile_read, COURSE_HERE); }           \
    void __tsan_volatile_write##size(void* a) { on_access(a, size, access_volatile_write, COURSE_HERE); }         \
    void __tsan_unaligned_read##size(void* a) { on_access(a, size, access_read, COURSE_HERE); }                   \
    void __tsan_unaligned_write##size(void* a) { on_access(a, size, access_write, COURSE_HERE); }                 \
    void __tsan_unaligned_volatile_read##size(void* a) { on_access(a, size, access_volatile_read, COURSE_HERE); } \
    void __tsan_unaligned_volatile_write##size(void* a) { on_access(a, size, access_volatile_write, COURSE_HERE); }
COURSE_ACCESS(1)
COURSE_ACCESS(2)
COURSE_ACCESS(4)
COURSE_ACCESS(8)
COURSE_ACCESS(16)
#undef COURSE_ACCESS

void __tsan_read_range(void* a, unsigned long size) { on_access(a, uint32_t(size), access_read, COURSE_HERE); }
void __tsan_write_range(void* a, unsigned long size) { on_access(a, uint32_t(size), access_write, COURSE_HERE); }
void __tsan_vptr_update(void**, void*) {}
void __tsan_vptr_read(void**) {}
void __tsan_ignore_thread_begin() {}
void __tsan_ignore_thread_end() {}

void* __tsan_memcpy(void* to, const void* from, size_t size) {
    on_access(const_cast<void*>(from), uint32_t(size), access_read, COURSE_HERE);
    on_access(to, uint32_t(size), access_write, COURSE_HERE);
    return memcpy(to, from, size);
}
void* __tsan_memmove(void* to, const void* from, size_t size) {
    on_access(const_cast<void*>(from), uint32_t(size), access_read, COURSE_HERE);
    on_access(to, uint32_t(size), access_write, COURSE_HERE);
    return memmove(to, from, size);
}
void* __tsan_memset(void* to, int value, size_t size) {
    on_access(to, uint32_t(size), access_write, COURSE_HERE);
    return memset(to, value, size);
}

// The same three under the names that the checked build gives to calls in the source (checked_calls.hpp)
void* host_memcpy(void* to, const void* from, size_t size) {
    on_access(const_cast<void*>(from), uint32_t(size), access_read, COURSE_HERE);
    on_access(to, uint32_t(size), access_write, COURSE_HERE);
    return memcpy(to, from, size);
}
void* host_memset(void* to, int value, size_t size) {
    on_access(to, uint32_t(size), access_write, COURSE_HERE);
    return memset(to, value, size);
}

void host_atomic(void* address, size_t bytes) {
    order_may_matter = true;
    on_access(address, uint32_t(bytes), access_atomic, COURSE_HERE);
}
void host_touch(const void* address, size_t bytes) {
    on_access(const_cast<void*>(address), uint32_t(bytes), access_read, COURSE_HERE);
}
void host_fence() { history.fenced = true; }

// __atomic built-ins and std::atomic in a kernel: watched as atomics, performed sequentially consistent
#define COURSE_TSAN_ATOMIC(bits, T)                                                                    \
    T __tsan_atomic##bits##_load(const volatile T* a, int) {                                           \
        on_access(const_cast<T*>(a), sizeof(T), access_volatile_read, COURSE_HERE);                    \
        return __atomic_load_n(a, __ATOMIC_SEQ_CST);                                                   \
    }                                                                                                  \
    void __tsan_atomic##bits##_store(volatile T* a, T v, int) {                                        \
        on_access(const_cast<T*>(a), sizeof(T), access_volatile_write, COURSE_HERE);                   \
        __atomic_store_n(a, v, __ATOMIC_SEQ_CST);                                                      \
    }                                                                                                  \
    COURSE_TSAN_FETCH(bits, T, exchange, __atomic_exchange_n)                                          \
    COURSE_TSAN_FETCH(bits, T, fetch_add, __atomic_fetch_add)                                          \
    COURSE_TSAN_FETCH(bits, T, fetch_sub, __atomic_fetch_sub)                                          \
    COURSE_TSAN_FETCH(bits, T, fetch_and, __atomic_fetch_and)                                          \
    COURSE_TSAN_FETCH(bits, T, fetch_or, __atomic_fetch_or)                                            \
    COURSE_TSAN_FETCH(bits, T, fetch_xor, __atomic_fetch_xor)                                          \
    int __tsan_atomic##bits##_compare_exchange_strong(volatile T* a, T* expected, T v, int, int) {     \
        host_atomic(const_cast<T*>(a), sizeof(T));                                                     \
        return __atomic_compare_exchange_n(a, expected, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); \
    }                                                                                                  \
    int __tsan_atomic##bits##_compare_exchange_weak(volatile T* a, T* expected, T v, int, int) {       \
        host_atomic(const_cast<T*>(a), sizeof(T));                                                     \
        return __atomic_compare_exchange_n(a, expected, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); \
    }                                                                                                  \
    T __tsan_atomic##bits##_compare_exchange_val(volatile T* a, T expected, T v, int, int) {           \
        host_atomic(const_cast<T*>(a), sizeof(T));                                                     \
        __atomic_compare_exchange_n(a, &expected, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);       \
        return expected;                                                                               \
    }
#define COURSE_TSAN_FETCH(bits, T, name, builtin)             \
    T __tsan_atomic##bits##_##name(volatile T* a, T v, int) { \
        host_atomic(const_cast<T*>(a), sizeof(T));            \
        return builtin(a, v, __ATOMIC_SEQ_CST);               \
    }
COURSE_TSAN_ATOMIC(8, uint8_t)
COURSE_TSAN_ATOMIC(16, uint16_t)
COURSE_TSAN_ATOMIC(32, uint32_t)
COURSE_TSAN_ATOMIC(64, uint64_t)
#undef COURSE_TSAN_ATOMIC
#undef COURSE_TSAN_FETCH
void __tsan_atomic_thread_fence(int) { history.fenced = true; }
void __tsan_atomic_signal_fence(int) {}
}
