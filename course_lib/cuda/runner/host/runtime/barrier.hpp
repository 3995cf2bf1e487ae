// __syncthreads and its counting forms. A thread that has returned counts as arrived, as on the GPU; the checked
// build reports it.
#pragma once
#include "schedule.hpp"

inline void release_barrier(Block* block) {
    block->barrier_result = block->barrier_kind == host::barrier_count ? block->true_predicates
                            : block->barrier_kind == host::barrier_and ? block->true_predicates == block->alive
                                                                       : block->true_predicates > 0;
    const int waiting = block->arrived;
    block->arrived = block->true_predicates = 0;
    for (int k = 0; k < waiting; ++k) {
        const int thread = block->waiting[k];
        if (block->threads[thread].state == at_barrier) make_ready(block, thread);
    }
}

void on_barrier(Block* block, Thread* thread);  // hooks of the checked build
void on_barrier_release(Block* block);

extern "C" __attribute__((visibility("default"))) int host_barrier(int kind, int predicate) {
    Thread* me = current_thread();
    Block* block = block_of(me);
    block->barrier_kind = kind;
    block->true_predicates += predicate != 0;
    me->site = __builtin_return_address(0);
    on_barrier(block, me);
    block->waiting[block->arrived++] = uint16_t(me->linear);
    if (block->arrived == block->alive) {
        on_barrier_release(block);
        release_barrier(block);
        return block->barrier_result;
    }
    me->state = at_barrier;
    me->waits_for = "__syncthreads()";
    wait(block, me);
    return block->barrier_result;
}
