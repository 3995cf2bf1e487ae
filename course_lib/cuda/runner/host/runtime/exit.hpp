// A thread returns: those that waited for it need wait no longer.
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
