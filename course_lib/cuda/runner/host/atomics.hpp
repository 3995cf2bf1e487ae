// Atomic functions. Blocks run on several OS threads, so these are real atomic instructions; what has none (float,
// wrap-around counting) is a compare-and-swap loop.
#pragma once
#include <string.h>

#include <type_traits>

#include "thread.hpp"

#if defined(COURSE_CHECKED)
extern "C" void host_atomic(void* address, size_t bytes);   // tells the checks about an atomic access
#else
inline void host_atomic(void*, size_t) {}
#endif

namespace host {

template <int bytes>
struct Word;
template <>
struct Word<2> { using type = uint16_t; };
template <>
struct Word<4> { using type = uint32_t; };
template <>
struct Word<8> { using type = uint64_t; };

// old = *address; *address = change(old); as one step. Returns old.
template <class T, class Change>
__attribute__((no_sanitize("thread"))) inline T atomically(T* address, Change change) {
    using W = typename Word<sizeof(T)>::type;
    host_atomic(address, sizeof(T));
    W* word = reinterpret_cast<W*>(address);
    W before = __atomic_load_n(word, __ATOMIC_RELAXED), after;
    do {
        T value;
        memcpy(&value, &before, sizeof value);
        value = change(value);
        memcpy(&after, &value, sizeof after);
    } while (!__atomic_compare_exchange_n(word, &before, after, true, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
    T old;
    memcpy(&old, &before, sizeof old);
    return old;
}

// The same for a sum of integers, which processors have an instruction for.
template <class T>
__attribute__((no_sanitize("thread"))) inline T fetch_add(T* address, T value) {
    host_atomic(address, sizeof(T));
    return __atomic_fetch_add(address, value, __ATOMIC_ACQ_REL);
}

template <class T>
using not_deduced = std::enable_if_t<true, T>;

template <class T>
constexpr bool has_instruction = std::is_integral_v<T> && (sizeof(T) == 4 || sizeof(T) == 8);

}  // namespace host

template <class T>
inline T atomicAdd(T* address, host::not_deduced<T> value) {
    if constexpr (host::has_instruction<T>) return host::fetch_add(address, value);
    else return host::atomically(address, [value](T old) { return T(old + value); });
}
template <class T>
inline T atomicSub(T* address, host::not_deduced<T> value) {
    return host::atomically(address, [value](T old) { return T(old - value); });
}
template <class T>
inline T atomicMin(T* address, host::not_deduced<T> value) {
    return host::atomically(address, [value](T old) { return value < old ? value : old; });
}
template <class T>
inline T atomicMax(T* address, host::not_deduced<T> value) {
    return host::atomically(address, [value](T old) { return old < value ? value : old; });
}
template <class T>
inline T atomicAnd(T* address, host::not_deduced<T> value) {
    return host::atomically(address, [value](T old) { return T(old & value); });
}
template <class T>
inline T atomicOr(T* address, host::not_deduced<T> value) {
    return host::atomically(address, [value](T old) { return T(old | value); });
}
template <class T>
inline T atomicXor(T* address, host::not_deduced<T> value) {
    return host::atomically(address, [value](T old) { return T(old ^ value); });
}
// counts 0, 1 ... limit, 0 ...
inline unsigned atomicInc(unsigned* address, unsigned limit) {
    return host::atomically(address, [limit](unsigned old) { return old >= limit ? 0u : old + 1; });
}
// counts limit ... 1, 0, limit ...
inline unsigned atomicDec(unsigned* address, unsigned limit) {
    return host::atomically(address, [limit](unsigned old) { return old == 0 || old > limit ? limit : old - 1; });
}

// Exchange and compare-and-swap are what code waits with: now and then they let the other threads of the block run.
inline void host_maybe_waiting() {
    static thread_local unsigned calls = 0;
    if ((++calls & 255) == 0) host_yield();
}
template <class T>
inline T atomicExch(T* address, host::not_deduced<T> value) {
    host_maybe_waiting();
    return host::atomically(address, [value](T) { return value; });
}
template <class T>
inline T atomicCAS(T* address, host::not_deduced<T> expected, host::not_deduced<T> value) {
    host_maybe_waiting();
    return host::atomically(address, [expected, value](T old) { return memcmp(&old, &expected, sizeof old) ? old : value; });
}

// _block and _system change how far an atomic reaches, which makes no difference here
#define COURSE_SCOPES(name)                                                                           \
    template <class T, class... V>                                                                    \
    inline T name##_block(T* address, V... values) { return name(address, values...); }               \
    template <class T, class... V>                                                                    \
    inline T name##_system(T* address, V... values) { return name(address, values...); }
COURSE_SCOPES(atomicAdd)
COURSE_SCOPES(atomicSub)
COURSE_SCOPES(atomicMin)
COURSE_SCOPES(atomicMax)
COURSE_SCOPES(atomicAnd)
COURSE_SCOPES(atomicOr)
COURSE_SCOPES(atomicXor)
COURSE_SCOPES(atomicExch)
COURSE_SCOPES(atomicCAS)
#undef COURSE_SCOPES
