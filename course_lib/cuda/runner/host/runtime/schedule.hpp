// Which thread runs next. Threads start one after another; one that never waits runs to its end and hands its stack
// to the next, so a block that meets no barrier costs no switch at all.
#pragma once
#include <stdarg.h>
#include <stdio.h>

#include "ready.hpp"
#include "stuck.hpp"

inline Block* block_of(host::ThreadView* view) { return static_cast<Block*>(view->block); }
inline Thread* current_thread() { return static_cast<Thread*>(host_current); }

void on_block_start(Block* block);  // hooks of the checked build; empty otherwise
void on_stuck(Block* block);
void on_failure(Launch* launch, const char* message);

inline void record_failure(Launch* launch, int status, const char* message) {
    int expected = 0;
    if (__atomic_compare_exchange_n(&launch->stop, &expected, 1, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
        launch->status = status;
        snprintf(launch->message, sizeof launch->message, "%s", message);
        on_failure(launch, message);
    }
}

// Leaves the block for good: its other threads are abandoned where they stand.
[[noreturn]] inline void abandon_block(Block* block) {
    Context nowhere;
    host_switch(&nowhere, &block->main);
    __builtin_trap();
}

[[noreturn]] inline void fail_block(Block* block, int status, const char* format, ...) {
    char message[960];
    va_list values;
    va_start(values, format);
    vsnprintf(message, sizeof message, format, values);
    va_end(values);
    record_failure(block->launch, status, message);
    abandon_block(block);
}

inline Thread* start_next(Block* block) {
    Thread* thread = &block->threads[block->start_order[block->next_to_start++]];
    thread->state = running;
    return thread;
}

inline void give_stack(Block* block, Thread* thread) {
    const int k = block->stacks_used++;
    block->arena->guard(k);
    thread->stack = int16_t(k);
    prepare(thread->context, block->arena->start_of(k), block->arena->usable(k), block->fiber_main);
}

inline Thread* take_ready(Block* block) {
    const unsigned skip = block->order == order_random    ? block->random() % block->queue.count
                          : block->order == order_reverse ? block->queue.count - 1
                                                          : 0;
    Thread* thread = &block->threads[block->queue.pop(skip)];
    thread->state = running;
    return thread;
}

// The next thread to run, or null if every thread has returned. Does not come back if the block is stuck.
inline Thread* pick(Block* block) {
    if (block->next_to_start < block->thread_count) {
        Thread* thread = start_next(block);
        give_stack(block, thread);
        return thread;
    }
    if (block->queue.count || resolve_activemask(block)) return take_ready(block);
    if (block->alive == 0) return nullptr;
    char text[900];
    describe_stuck(block, text, sizeof text);
    on_stuck(block);
    fail_block(block, status_stuck, "%s", text);
}

inline void switch_to(Thread* from, Thread* to) {
    if (from == to) return;
    host_current = to;
    host_switch(&from->context, &to->context);
}

// The running thread waits (its state says for what) until another makes it ready.
inline void wait(Block* block, Thread* me) {
    Thread* next = pick(block);
    switch_to(me, next);
}
