// Stacks for fibers: 256 KB of address space each, of which the system only backs the pages that are touched.
#pragma once
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "context.hpp"

constexpr size_t stack_bytes = 256 * 1024;
constexpr size_t guard_bytes = 64 * 1024;  // below each stack: running into it is a fault, not silent damage
constexpr size_t stack_stride = stack_bytes + guard_bytes;

// The stacks of one worker: as many as a block has threads that wait at once. Kept for the next launch.
struct StackArena {
    char* base = nullptr;
    int capacity = 0;
    int made = 0;  // stacks below this index have their guard
    StackArena* next = nullptr;

    // Bases differ by more than whole pages, or the tops of all stacks would share a few sets of the cache.
    char* start_of(int k) { return base + size_t(k) * stack_stride + guard_bytes; }
    size_t usable(int k) const { return stack_bytes - size_t(k % 64) * 320 % 4096; }

    bool reserve(int count) {
        if (count <= capacity) return true;
        release();
        void* memory = mmap(nullptr, count * stack_stride, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED) return false;
        base = static_cast<char*>(memory);
        capacity = count;
        made = 0;
        return true;
    }
    void guard(int k) {
        if (k < made) return;
        mprotect(base + size_t(k) * stack_stride, guard_bytes, PROT_NONE);
        made = k + 1;
    }
    // The stack whose guard holds the address, or -1.
    int guard_hit(const void* address) const {
        const char* at = static_cast<const char*>(address);
        if (!base || at < base || at >= base + size_t(capacity) * stack_stride) return -1;
        const size_t offset = size_t(at - base);
        return offset % stack_stride < guard_bytes ? int(offset / stack_stride) : -1;
    }
    void release() {
        if (base) munmap(base, size_t(capacity) * stack_stride);
        base = nullptr;
        capacity = made = 0;
    }
};

inline pthread_mutex_t arena_lock = PTHREAD_MUTEX_INITIALIZER;
inline StackArena* idle_arenas = nullptr;

inline StackArena* borrow_arena(int count) {
    pthread_mutex_lock(&arena_lock);
    StackArena* arena = idle_arenas;
    if (arena) idle_arenas = arena->next;
    pthread_mutex_unlock(&arena_lock);
    if (!arena) {
        arena = static_cast<StackArena*>(calloc(1, sizeof(StackArena)));
        if (!arena) return nullptr;
    }
    if (arena->reserve(count)) return arena;
    free(arena);
    return nullptr;
}

inline void return_arena(StackArena* arena) {
    pthread_mutex_lock(&arena_lock);
    arena->next = idle_arenas;
    idle_arenas = arena;
    pthread_mutex_unlock(&arena_lock);
}
