// The remaining calls that kernels make: placing __shared__ variables, failing, yielding, the clock.
#pragma once
#include "worker.hpp"

inline pthread_mutex_t place_lock = PTHREAD_MUTEX_INITIALIZER;
constexpr int32_t most_static_shared = 48 * 1024;
void on_shared_placed(const host::SharedSlot& slot, char* address);

[[noreturn]] inline void fail_here(const char* message) {
    record_failure(this_worker->launch, status_failed, message);
    if (host_current) abandon_block(block_of(host_current));
    longjmp(this_worker->leave_plain, 1);
}

// Gives a __shared__ variable its place, the same in every block; returns what its variables take together.
inline int32_t place(host::SharedSlot* slot, Launch* launch) {
    const int32_t align = slot->align < 16 ? 16 : int32_t(slot->align);
    const int32_t taken = launch->shared->end + shared_guard;
    const int32_t offset = (taken + align - 1) / align * align;
    const int32_t end = offset + int32_t(slot->bytes) + shared_guard;
    const int32_t variables = launch->shared->variables + int32_t(slot->bytes);
    if (variables > most_static_shared || size_t(end) > static_shared_bytes) return variables;
    launch->shared->variables = variables;
    memset(this_worker->shared + offset - shared_guard, poison_byte, slot->bytes + 2 * shared_guard);
    __atomic_store_n(&launch->shared->end, end, __ATOMIC_RELAXED);
    on_shared_placed(*slot, this_worker->shared + offset);
    __atomic_store_n(&slot->offset, offset, __ATOMIC_RELAXED);
    return variables;
}

COURSE_API int32_t host_place_shared(host::SharedSlot* slot) {
    pthread_mutex_lock(&place_lock);
    const int32_t variables = slot->offset < 0 ? place(slot, this_worker->launch) : 0;
    pthread_mutex_unlock(&place_lock);
    if (slot->offset >= 0) return slot->offset;
    char message[300];
    snprintf(message, sizeof message,
             "line %d: with %s the __shared__ variables take %d bytes; a kernel may declare 49152 (48 KB). "
             "Declare more as `extern __shared__` and pass shared_mem=",
             slot->line, slot->name, variables);
    fail_here(message);
}

COURSE_API void host_fail(const char* what, const char* file, int line) {
    char message[900];
    const host::BlockView* view = host_current ? host_current->block : nullptr;
    int used = snprintf(message, sizeof message, "%s:%d: %s", file, line, what);
    if (view && used < int(sizeof message))
        snprintf(message + used, sizeof message - used, ", in thread (%u, %u, %u) of block (%u, %u, %u)",
                 host_current->index.x, host_current->index.y, host_current->index.z, view->index.x, view->index.y,
                 view->index.z);
    fail_here(message);
}

COURSE_API void host_yield() {
    Thread* me = current_thread();
    if (!me) return;  // plain loops: the others have not started or are done
    Block* block = block_of(me);
    if (!block->queue.count && block->next_to_start == block->thread_count) return;
    make_ready(block, int(me->linear));
    wait(block, me);
}

void on_clock();

inline uint64_t monotonic_nanoseconds() {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return uint64_t(now.tv_sec) * 1000000000u + uint64_t(now.tv_nsec);
}

COURSE_API uint64_t host_nanoseconds() {
    on_clock();
    return monotonic_nanoseconds();
}
