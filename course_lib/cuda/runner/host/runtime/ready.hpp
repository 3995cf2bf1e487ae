// Threads that may go on: a barrier or a meeting has let them, or nothing else can move and they asked who is there.
#pragma once
#include "block.hpp"

inline void make_ready(Block* block, int thread) {
    block->threads[thread].state = ready;
    block->queue.push(thread);
}

// Fibers do not diverge by themselves, so "the lanes that are active together" are taken to be those that reach the
// same __activemask() before anything else in the block can move.
inline bool resolve_activemask(Block* block) {
    bool any = false;
    for (int warp = 0; warp * 32 < block->thread_count; ++warp) {
        unsigned together = 0;
        void* site = nullptr;
        for (int lane = 0; lane < 32 && warp * 32 + lane < block->thread_count; ++lane) {
            const Thread& thread = block->threads[warp * 32 + lane];
            if (thread.state != at_activemask) continue;
            if (!together) site = thread.site;
            if (thread.site == site) together |= 1u << lane;
        }
        for (unsigned left = together; left; left &= left - 1) {
            const int thread = warp * 32 + __builtin_ctz(left);
            block->threads[thread].mask = together;
            make_ready(block, thread);
            any = true;
        }
    }
    return any;
}
