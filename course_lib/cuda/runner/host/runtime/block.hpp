// One block in flight: its threads, who is ready to run, who waits for what.
#pragma once
#include "launch.hpp"
#include "stacks.hpp"

enum ThreadState : uint8_t { unstarted, ready, running, at_barrier, in_warp, at_activemask, finished };

struct Thread : host::ThreadView {
    Context context;
    int16_t stack;  // index into the worker's arena, -1 before the start
    ThreadState state;
    const char* waits_for;  // in words, for messages
    void* site;             // where it waits: a return address
    unsigned mask;          // answer of __activemask
#if defined(COURSE_CHECKED)
    uint32_t frames[64];  // call stacks, the current one last: call_stack.hpp
    int depth;
    uint32_t wait_site;  // where it waits, as a call stack
#endif
};

constexpr int most_threads = 1024;
constexpr int most_warps = most_threads / 32;

// Lanes that wait for each other: they named the same mask.
struct Meeting {
    unsigned mask, arrived;
    host::Finish finish;
    const char* name;
    bool everyone;  // every lane of the mask must come: one that has returned is missed
    void* payload[32];
};

struct Warp {
    unsigned live;  // lanes that exist and have not returned
    int open;       // how many of `meetings` are in use
    Meeting meetings[32];
};

// First in, first out; each thread is in it at most once.
struct ReadyQueue {
    uint16_t items[most_threads];
    unsigned head = 0, count = 0;

    void push(int thread) { items[(head + count++) % most_threads] = uint16_t(thread); }
    int pop(unsigned skip) {
        // `skip` > 0 takes an element from further back (random order); the one at the front takes its place
        unsigned at = (head + skip) % most_threads;
        const int thread = items[at];
        items[at] = items[head];
        head = (head + 1) % most_threads;
        --count;
        return thread;
    }
};

struct Block : host::BlockView {
    Launch* launch;
    StackArena* arena;
    int thread_count, alive, next_to_start, stacks_used;
    ReadyQueue queue;
    Context main;          // the worker, to return to when the block is done or has failed
    void (*fiber_main)();  // what a fresh stack runs: exit.hpp
    // the barrier: how many wait, and what they brought
    int arrived, true_predicates, barrier_kind, barrier_result;
    uint16_t waiting[most_threads];
    int order;
    uint32_t random_state;
    uint16_t start_order[most_threads];
    Thread threads[most_threads];
    Warp warps[most_warps];

    uint32_t random() {  // xorshift32: any spread will do, the same every time
        random_state ^= random_state << 13;
        random_state ^= random_state >> 17;
        random_state ^= random_state << 5;
        return random_state;
    }
};
