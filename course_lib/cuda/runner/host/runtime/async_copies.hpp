// cp.async in a check: a copy is on its way until its thread waits for it, and its destination holds no value meanwhile.
#pragma once
#include "watch.hpp"

struct AsyncCopy {
    char* to;
    const char* from;
    int bytes, valid;
    uint32_t group;
    uint32_t site;
};

struct AsyncCopies {  // of one thread
    AsyncCopy* items;
    int count, capacity;
    uint32_t group;  // the one that is being filled

    void add(const AsyncCopy& copy) {
        if (count == capacity) {
            capacity = capacity ? 2 * capacity : 16;
            items = static_cast<AsyncCopy*>(realloc(items, size_t(capacity) * sizeof(AsyncCopy)));
        }
        items[count++] = copy;
    }
};

inline AsyncCopies async_copies[most_threads];

inline void land(Thread* thread, uint32_t first_group_left) {
    AsyncCopies& mine = async_copies[thread->linear];
    int kept = 0;
    for (int k = 0; k < mine.count; ++k) {
        const AsyncCopy& copy = mine.items[k];
        if (copy.group >= first_group_left) {
            mine.items[kept++] = copy;
            continue;
        }
        if (copy.valid) memcpy(copy.to, copy.from, size_t(copy.bytes));
        else memset(copy.to, 0, size_t(copy.bytes));
        watch(copy.to, uint32_t(copy.bytes), access_write, copy.site);
        settle();
    }
    mine.count = kept;
}

extern "C" {
void host_async_copy(void* to, const void* from, int bytes, int valid) {
    Thread* thread = current_thread();
    const uint32_t site = call_stacks.number(current_stack(thread), uintptr_t(__builtin_return_address(0)));
    check_alignment(to, uint32_t(bytes), access_write, uintptr_t(__builtin_return_address(0)));
    if (valid) {
        check_alignment(const_cast<void*>(from), uint32_t(bytes), access_read, uintptr_t(__builtin_return_address(0)));
        watch(const_cast<void*>(from), uint32_t(bytes), access_read, site);
    }
    watch(to, uint32_t(bytes), access_write, site, flag_in_flight);
    memset(to, 0xff, size_t(bytes));
    async_copies[thread->linear].add({static_cast<char*>(to), static_cast<const char*>(from), bytes, valid,
                                      async_copies[thread->linear].group, site});
}
void host_async_commit() { ++async_copies[current_thread()->linear].group; }
void host_async_wait(int newest) {
    Thread* thread = current_thread();
    const uint32_t group = async_copies[thread->linear].group;
    land(thread, group > uint32_t(newest) ? group - uint32_t(newest) : 0);
}
}
