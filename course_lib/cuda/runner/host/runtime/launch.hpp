// What Python hands to host_launch, and what it gets back.
#pragma once
#include <stdint.h>

#include "../entry.hpp"

enum Status { status_ok, status_failed, status_stuck, status_no_memory };
enum Order { order_forward, order_reverse, order_random };

struct Launch {
    void (*thread)(void** arguments);
    void (*block)(void** arguments, const host::BlockView* block);
    void** arguments;
    uint32_t grid[3], size[3];
    uint32_t dynamic_bytes;
    host::SharedUse* shared;  // how much of the static shared memory is taken; lives in the compiled kernel
    int32_t workers;          // OS threads
    int32_t order;            // of threads and blocks
    uint32_t seed;            // for order_random
    // results
    int32_t status;
    char message[1024];  // why it stopped
    char* printed;       // what the kernel printed; freed by host_release
    uint64_t printed_bytes, printed_capacity;
    int32_t stop;  // set by the first failure: other workers start no further block
};
