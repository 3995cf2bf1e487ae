// Blocks over OS threads: each worker takes the next few blocks until none are left.
#pragma once
#include <setjmp.h>
#include <time.h>

#include "exit.hpp"
#include "print.hpp"

#if defined(COURSE_CHECKED)
constexpr int32_t shared_guard = 256;  // on either side of each __shared__ variable
constexpr size_t static_shared_bytes = 1024 * 1024;
#else
constexpr int32_t shared_guard = 0;
constexpr size_t static_shared_bytes = 64 * 1024;  // the GPU's own limit is 48 KB; host_place_shared enforces it
#endif
constexpr size_t dynamic_shared_bytes = 232448;  // 227 KB: what one block may have on an H100
constexpr size_t shared_gap = 4096;
constexpr size_t shared_arena_bytes = static_shared_bytes + dynamic_shared_bytes + 2 * shared_gap;
inline int poison_byte = 0xff;  // whatever a kernel reads before it writes is NaN, or -1

struct Worker {
    Launch* launch;
    uint64_t* next_block;
    uint64_t total, chunk;
    Block* block;
    char* shared;
    jmp_buf leave_plain;  // where host_fail goes when the block runs as plain loops
};

inline thread_local Worker* this_worker = nullptr;

inline uint64_t common_divisor(uint64_t a, uint64_t b) { return b ? common_divisor(b, a % b) : a; }

// The k-th block to run. In random order: steps of about total / golden ratio, which visit every block once.
inline uint64_t block_in_order(const Launch& launch, uint64_t k) {
    const uint64_t total = uint64_t(launch.grid[0]) * launch.grid[1] * launch.grid[2];
    if (launch.order == order_reverse) return total - 1 - k;
    if (launch.order != order_random) return k;
    uint64_t step = uint64_t(double(total) * 0.6180339887) + 1;
    while (common_divisor(step, total) != 1) ++step;
    return (uint64_t((unsigned __int128)(k) * step % total) + launch.seed) % total;
}

inline void index_block(host::BlockView& view, const Launch& launch, uint64_t k) {
    k = block_in_order(launch, k);
    view.index = {unsigned(k % launch.grid[0]), unsigned(k / launch.grid[0] % launch.grid[1]),
                  unsigned(k / launch.grid[0] / launch.grid[1])};
}

inline void fill_view(host::BlockView& view, const Launch& launch, char* shared) {
    view.size = {launch.size[0], launch.size[1], launch.size[2]};
    view.grid = {launch.grid[0], launch.grid[1], launch.grid[2]};
    view.shared = shared;
    view.dynamic_shared = shared + static_shared_bytes + shared_gap;
    view.dynamic_bytes = launch.dynamic_bytes;
}

inline void arrange_starts(Block* block) {
    for (int k = 0; k < block->thread_count; ++k) {
        const int other = block->order == order_random ? int(block->random() % unsigned(k + 1)) : k;
        block->start_order[k] = block->start_order[other];
        block->start_order[other] = uint16_t(block->order == order_reverse ? block->thread_count - 1 - k : k);
    }
}

// Everything that stays the same from block to block.
inline void prepare_block(Block* block, Launch* launch) {
    block->launch = launch;
    block->fiber_main = fiber_main;
    block->order = launch->order;
    block->random_state = launch->seed * 2654435761u | 1u;
    block->thread_count = int(launch->size[0] * launch->size[1] * launch->size[2]);
    for (int k = 0; k < block->thread_count; ++k) {
        Thread& thread = block->threads[k];
        thread.linear = uint32_t(k);
        thread.index = {k % launch->size[0], k / launch->size[0] % launch->size[1],
                        k / launch->size[0] / launch->size[1]};
        thread.block = block;
    }
    arrange_starts(block);
}

inline void run_fibers(Block* block) {
    block->alive = block->thread_count;
    block->next_to_start = block->stacks_used = block->arrived = block->true_predicates = 0;
    block->queue.count = 0;
    for (int k = 0; k < block->thread_count; ++k) block->threads[k].state = unstarted;
    for (int warp = 0; warp * 32 < block->thread_count; ++warp) {
        const int lanes = block->thread_count - warp * 32;
        block->warps[warp].live = lanes >= 32 ? 0xffffffffu : (1u << lanes) - 1;
        block->warps[warp].open = 0;
    }
    if (block->order == order_random) arrange_starts(block);
    on_block_start(block);
    Thread* first = start_next(block);
    give_stack(block, first);
    host_current = first;
    host_switch(&block->main, &first->context);
    host_current = nullptr;
}

inline void poison(char* shared, const Launch& launch) {
    const int32_t end = __atomic_load_n(&launch.shared->end, __ATOMIC_RELAXED);
    if (end) memset(shared, poison_byte, size_t(end));
    if (launch.dynamic_bytes) memset(shared + static_shared_bytes + shared_gap, poison_byte, launch.dynamic_bytes);
}

inline void run_block(Worker* worker, uint64_t k) {
    Launch* launch = worker->launch;
    poison(worker->shared, *launch);
    if (launch->block) {
        host::BlockView view;
        fill_view(view, *launch, worker->shared);
        index_block(view, *launch, k);
        if (!setjmp(worker->leave_plain)) launch->block(launch->arguments, &view);
    } else {
        index_block(*worker->block, *launch, k);
        run_fibers(worker->block);
    }
}

inline char* shared_arena() {
#if defined(COURSE_CHECKED)
    static char* kept = nullptr;  // one worker, and addresses that stay from pass to pass
    if (kept) return kept;
#endif
    void* memory = mmap(nullptr, shared_arena_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char* arena = memory == MAP_FAILED ? nullptr : static_cast<char*>(memory);
#if defined(COURSE_CHECKED)
    kept = arena;
#endif
    return arena;
}

inline bool prepare_worker(Worker* worker) {
    worker->shared = shared_arena();
    if (!worker->shared) return false;
    memset(worker->shared, poison_byte, static_shared_bytes);
    if (worker->launch->block) return true;
    void* memory = mmap(nullptr, sizeof(Block), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return false;
    worker->block = static_cast<Block*>(memory);
    prepare_block(worker->block, worker->launch);
    fill_view(*worker->block, *worker->launch, worker->shared);
    worker->block->arena = borrow_arena(worker->block->thread_count);
    return worker->block->arena != nullptr;
}

inline void release_worker(Worker* worker) {
    if (worker->block) {
        if (worker->block->arena) return_arena(worker->block->arena);
        munmap(worker->block, sizeof(Block));
    }
#if !defined(COURSE_CHECKED)
    if (worker->shared) munmap(worker->shared, shared_arena_bytes);
#endif
}

inline void* work(void* argument) {
    Worker* worker = static_cast<Worker*>(argument);
    Launch* launch = worker->launch;
    this_worker = worker;
    printing_launch = launch;
    if (prepare_worker(worker)) {
        while (!__atomic_load_n(&launch->stop, __ATOMIC_RELAXED)) {
            const uint64_t first = __atomic_fetch_add(worker->next_block, worker->chunk, __ATOMIC_RELAXED);
            if (first >= worker->total) break;
            const uint64_t end = first + worker->chunk < worker->total ? first + worker->chunk : worker->total;
            for (uint64_t k = first; k < end && !__atomic_load_n(&launch->stop, __ATOMIC_RELAXED); ++k)
                run_block(worker, k);
        }
    } else {
        record_failure(launch, status_no_memory, "not enough memory for the stacks of a block's threads");
    }
    release_worker(worker);
    this_worker = nullptr;
    printing_launch = nullptr;
    return nullptr;
}

COURSE_API int host_launch(Launch* launch) {
    constexpr int most_workers = 24;  // each may map 2048 pieces of stack; the system allows 65,530
    uint64_t next_block = 0;
    const uint64_t total = uint64_t(launch->grid[0]) * launch->grid[1] * launch->grid[2];
    const uint64_t threads = total * launch->size[0] * launch->size[1] * launch->size[2];
    int workers = launch->workers < most_workers ? launch->workers : most_workers;
    if (launch->block && threads < 4096) workers = 1;  // starting an OS thread costs more than this
    if (uint64_t(workers) > total) workers = int(total);
    uint64_t chunk = total / (uint64_t(workers < 1 ? 1 : workers) * 16);
    chunk = chunk < 1 ? 1 : chunk > 64 ? 64 : chunk;
    Worker states[most_workers] = {};
    pthread_t handles[most_workers];
    bool started[most_workers] = {};
    for (int k = 0; k < (workers < 1 ? 1 : workers); ++k)
        states[k] = {launch, &next_block, total, chunk, nullptr, nullptr, {}};
    for (int k = 1; k < workers; ++k) started[k] = !pthread_create(&handles[k], nullptr, work, &states[k]);
    work(&states[0]);
    for (int k = 1; k < workers; ++k)
        if (started[k]) pthread_join(handles[k], nullptr);
    return launch->status;
}
