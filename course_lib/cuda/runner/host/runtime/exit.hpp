// A thread returns: those that waited for it need wait no longer. And what to say when nobody can go on.
#pragma once
#include "barrier.hpp"
#include "warp.hpp"

void on_exit(Block* block, Thread* thread);

inline void leave(Block* block, Thread* me) {
    me->state = finished;
    --block->alive;
    on_exit(block, me);
    const int warp_index = int(me->linear / 32);
    Warp& warp = block->warps[warp_index];
    warp.live &= ~(1u << (me->linear % 32));
    for (int k = warp.open - 1; k >= 0; --k)
        if (complete(warp, warp.meetings[k])) close_meeting(block, warp_index, &warp.meetings[k], -1);
    if (block->arrived && block->arrived == block->alive) {
        on_barrier_release(block);
        release_barrier(block);
    }
}

// The first function of every fiber: run one thread after another on this stack until one of them has to wait.
inline void fiber_main() {
    for (;;) {
        Thread* me = current_thread();
        Block* block = block_of(me);
        block->launch->thread(block->launch->arguments);
        leave(block, me);
        if (block->next_to_start < block->thread_count) {
            Thread* next = start_next(block);
            next->stack = me->stack;
            host_current = next;
            continue;
        }
        Thread* next = pick(block);
        Context nowhere;
        host_current = next;
        host_switch(&nowhere, next ? &next->context : &block->main);
    }
}

inline void describe_stuck(Block* block, char* text, size_t bytes) {
    // one thread for each thing that is waited for, at most three
    const Thread* shown[3];
    int kinds = 0;
    for (int k = 0; k < block->thread_count && kinds < 3; ++k) {
        const Thread& thread = block->threads[k];
        if (thread.state == finished) continue;
        bool seen = false;
        for (int j = 0; j < kinds; ++j) seen |= !strcmp(shown[j]->waits_for, thread.waits_for);
        if (!seen) shown[kinds++] = &thread;
    }
    int used = snprintf(text, bytes,
                        "the threads of block (%u, %u, %u) wait for each other and none can go on:", block->index.x,
                        block->index.y, block->index.z);
    for (int k = 0; k < kinds && used < int(bytes); ++k)
        used += snprintf(text + used, bytes - used, "%s thread (%u, %u, %u) is at %s", k ? "," : "", shown[k]->index.x,
                         shown[k]->index.y, shown[k]->index.z, shown[k]->waits_for);
    const int returned = block->thread_count - block->alive;
    if (returned && used < int(bytes))
        snprintf(text + used, bytes - used, "; %d of %d threads have returned", returned, block->thread_count);
}
