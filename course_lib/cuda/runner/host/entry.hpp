// How the runner enters a kernel: arguments arrive as an array of pointers, as in cuLaunchKernel.
#pragma once
#include <type_traits>
#include <utility>

#include "thread.hpp"

namespace host {

struct Parameter {   // what the compiler knows about one parameter: Python checks arguments against it
    int kind;        // 0 pointer, 1 integer, 2 floating point, 3 anything else, passed as bytes
    int bytes;
    int is_signed;
};

struct Global {      // a __device__ or __constant__ variable
    const char* name;
    void* address;
    size_t bytes;
};

struct Kernel {
    void (*thread)(void** arguments);                           // runs one thread, inside a fiber
    void (*block)(void** arguments, const BlockView* block);    // runs a whole block as plain loops, or null
    const Parameter* parameters;
    int parameter_count;
    const Global* globals;
    int global_count;
};

template <class P>
constexpr Parameter describe() {
    using T = std::remove_cv_t<P>;
    int kind = std::is_pointer_v<T> ? 0 : std::is_integral_v<T> || std::is_enum_v<T> ? 1 : std::is_floating_point_v<T> ? 2 : 3;
    return {kind, int(sizeof(T)), std::is_signed_v<T>};
}

template <auto function>
struct Entry;

template <class... P, void (*function)(P...)>
struct Entry<function> {
    static constexpr int count = sizeof...(P);
    static constexpr Parameter parameters[sizeof...(P) + 1] = {describe<P>()...};

    template <size_t... k>
    COURSE_UNWATCHED static void call(void** arguments, std::index_sequence<k...>) {
        function(*static_cast<std::remove_cv_t<P>*>(arguments[k])...);
    }
    static void thread(void** arguments) { call(arguments, std::index_sequence_for<P...>()); }

#if defined(COURSE_PLAIN)
    // One row of threads. `flatten` draws the kernel into the loop, where the compiler can work on many at once.
    __attribute__((flatten, noinline)) static void row(unsigned y, unsigned z, P... values) {
        const unsigned width = plain_block.size.x;
        for (unsigned x = 0; x < width; ++x) {
            plain_thread = {x, y, z};
            function(values...);
        }
    }
    static void loop(P... values) {
        for (unsigned z = 0; z < plain_block.size.z; ++z)
            for (unsigned y = 0; y < plain_block.size.y; ++y) row(y, z, values...);
    }
    template <size_t... k>
    static void spread(void** arguments, std::index_sequence<k...>) {
        loop(*static_cast<std::remove_cv_t<P>*>(arguments[k])...);
    }
    static void block(void** arguments, const BlockView* view) {
        plain_block = *view;
        spread(arguments, std::index_sequence_for<P...>());
    }
#else
    static constexpr void (*block)(void**, const BlockView*) = nullptr;
#endif
};

}  // namespace host

#define COURSE_EXPORT extern "C" __attribute__((visibility("default"), used))
