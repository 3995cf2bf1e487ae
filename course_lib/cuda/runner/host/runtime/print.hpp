// Device printf: gathered during the launch, shown by Python when the launch is over.
#pragma once
#include <stdarg.h>
#include <stdlib.h>

#include "schedule.hpp"

inline pthread_mutex_t print_lock = PTHREAD_MUTEX_INITIALIZER;
constexpr uint64_t most_printed = 1 << 20;  // as CUDA's own buffer of 1 MB: what comes after is dropped
inline thread_local Launch* printing_launch = nullptr;

COURSE_API int host_print(const char* format, ...) {
    char line[4096];
    va_list values;
    va_start(values, format);
    const int length = vsnprintf(line, sizeof line, format, values);
    va_end(values);
    const uint64_t bytes = length < 0 ? 0 : length < int(sizeof line) ? uint64_t(length) : sizeof line - 1;
    Launch* launch = printing_launch;
    pthread_mutex_lock(&print_lock);
    if (launch && launch->printed_bytes + bytes <= most_printed) {
        if (launch->printed_bytes + bytes > launch->printed_capacity) {
            const uint64_t capacity = 2 * (launch->printed_bytes + bytes) + 4096;
            char* grown = static_cast<char*>(realloc(launch->printed, capacity));
            if (grown) {
                launch->printed = grown;
                launch->printed_capacity = capacity;
            }
        }
        if (launch->printed_bytes + bytes <= launch->printed_capacity) {
            memcpy(launch->printed + launch->printed_bytes, line, bytes);
            launch->printed_bytes += bytes;
        }
    }
    pthread_mutex_unlock(&print_lock);
    return length;
}

COURSE_API void host_release(Launch* launch) {
    free(launch->printed);
    launch->printed = nullptr;
}
