// The checked build: what the scheduler tells the checks.
#pragma once
inline bool order_may_matter = false;  // the kernel used atomics or a clock: results may depend on the order by right
#include "instrumentation.hpp"

#include "async_copies.hpp"
#include "guarded_memory.hpp"

inline void on_block_start(Block* block) {
    history.start_block(block->index.x + block->grid.x * (block->index.y + block->grid.y * block->index.z));
    for (int k = 0; k < block->thread_count; ++k) {
        block->threads[k].depth = 0;
        async_copies[k].count = 0;
        async_copies[k].group = 0;
    }
    watching = true;
}

inline void remember_wait(Thread* thread) {
    thread->wait_site = call_stacks.number(current_stack(thread), uintptr_t(thread->site));
}

inline void on_barrier(Block*, Thread* thread) {
    settle();
    remember_wait(thread);
}

inline void report_divergence(Block* block, const Thread* here, const Thread* elsewhere, const char* details) {
    Stamp other = {history.block, history.now, uint16_t(elsewhere->linear), 0,
                   elsewhere->state == finished ? 0 : elsewhere->wait_site};
    report("divergence", nullptr, block->thread_count - block->alive, 0, here->linear, here->wait_site, &other,
           details);
}

// All that are still there have come to a barrier. Was it the same one, and is everybody still there?
inline void on_barrier_release(Block* block) {
    const Thread* first = &block->threads[block->waiting[0]];
    for (int k = 1; k < block->arrived; ++k) {
        const Thread* other = &block->threads[block->waiting[k]];
        if (other->wait_site != first->wait_site) {
            report_divergence(block, first, other, "other barrier");
            break;
        }
    }
    if (block->alive < block->thread_count)
        for (int k = 0; k < block->thread_count; ++k)
            if (block->threads[k].state == finished) {
                report_divergence(block, first, &block->threads[k], "returned");
                break;
            }
    history.on_barrier();
}

// Nobody can go on.
inline void on_stuck(Block* block) {
    settle();
    const Thread* at_the_barrier = nullptr;
    const Thread* elsewhere = nullptr;
    for (int k = 0; k < block->thread_count; ++k) {
        const Thread& thread = block->threads[k];
        if (thread.state == at_barrier && !at_the_barrier) at_the_barrier = &thread;
        if ((thread.state == in_warp || thread.state == at_activemask) && !elsewhere) elsewhere = &thread;
    }
    if (at_the_barrier && elsewhere) report_divergence(block, at_the_barrier, elsewhere, "warp function");
    else if (elsewhere) report_divergence(block, elsewhere, elsewhere, "warp function alone");
}

inline void on_warp_wait(Thread* thread) {
    settle();
    remember_wait(thread);
}
inline void on_syncwarp_done(int warp, unsigned mask) { history.on_syncwarp(warp, mask); }
inline bool pause_watching() {
    const bool was = watching;
    watching = false;
    return was;
}
inline void resume_watching(bool was) { watching = was; }

inline void on_shared_placed(const host::SharedSlot& slot, char* address) {
    watch_region({address, slot.bytes, address - shared_guard, address + slot.bytes + shared_guard,
                  address - shared_guard, address + slot.bytes + shared_guard, slot.name, slot.line, region_shared,
                  nullptr, nullptr, nullptr});
}

inline void on_undefined_lane(Thread* reader, int source_lane, const char* name) {
    report("undefined lane", nullptr, source_lane, 0, reader->linear, reader->wait_site, nullptr, name);
}

inline void on_exit(Block*, Thread* thread) {
    settle();
    land(thread, ~0u);
}

inline void on_failure(Launch*, const char*) { watching = false; }
inline void on_clock() { order_may_matter = true; }
