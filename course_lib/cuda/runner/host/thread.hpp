// What a running CUDA thread can ask about itself, and the calls that kernels make into the runner (runtime/).
//
// A CUDA thread is a fiber: a stack of its own that is switched to and from by a few instructions. All threads of a
// block share one OS thread, so a thread runs until it waits: at a barrier, or for the other lanes of its warp.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "vector_types.hpp"

namespace host {

struct BlockView {         // the part of a block that device code reads
    uint3 index;           // blockIdx
    uint3 size;            // blockDim
    uint3 grid;            // gridDim
    char* shared;          // start of the static __shared__ variables
    char* dynamic_shared;  // start of extern __shared__
    uint32_t dynamic_bytes;
};

struct ThreadView {        // the part of a thread that device code reads
    uint3 index;           // threadIdx
    uint32_t linear;       // x + y * blockDim.x + z * blockDim.x * blockDim.y
    BlockView* block;
};

// One __shared__ declaration. Its place in the block's shared memory is chosen when it is first reached.
struct SharedSlot {
    uint32_t bytes, align;
    const char* name;
    int line;
    int32_t offset;        // -1 until placed
};

struct SharedUse {         // of one kernel's __shared__ variables
    int32_t end;           // where the next one may be placed
    int32_t variables;     // their bytes, without gaps
};

enum BarrierKind { barrier_plain, barrier_count, barrier_and, barrier_or };
enum ShuffleKind { shuffle_index, shuffle_up, shuffle_down, shuffle_xor };
enum VoteKind { vote_all, vote_any, vote_ballot };
enum ReduceKind { reduce_add, reduce_min, reduce_max, reduce_and, reduce_or, reduce_xor };

// What the last lane to arrive does for all of them: payloads[lane] is what each lane of `mask` brought.
using Finish = void (*)(void* const* payloads, unsigned mask);

}  // namespace host

#if defined(COURSE_PLAIN)
// Names that nothing defines: a kernel that needs them does not link, and is compiled for fibers instead.
#define host_barrier host_barrier_in_plain_loop
#define host_syncwarp host_syncwarp_in_plain_loop
#define host_activemask host_activemask_in_plain_loop
#define host_shuffle host_shuffle_in_plain_loop
#define host_vote host_vote_in_plain_loop
#define host_reduce host_reduce_in_plain_loop
#define host_match_any host_match_any_in_plain_loop
#define host_match_all host_match_all_in_plain_loop
#define host_meet host_meet_in_plain_loop
#endif

extern "C" {
// Collectives. A kernel whose machine code calls none of them runs as plain loops (see entry.hpp).
int host_barrier(int kind, int predicate);
void host_syncwarp(unsigned mask);
unsigned host_activemask();
uint64_t host_shuffle(unsigned mask, int kind, uint64_t bits, int operand, int width, const char* name);
unsigned host_vote(unsigned mask, int kind, int predicate);
uint64_t host_reduce(unsigned mask, int kind, int64_t value);
unsigned host_match_any(unsigned mask, uint64_t bits);
unsigned host_match_all(unsigned mask, uint64_t bits, int* all_equal);
void host_meet(unsigned mask, void* payload, host::Finish finish, const char* name);
}

extern "C" {
int32_t host_place_shared(host::SharedSlot* slot);
void host_yield();  // lets other threads of the block run: called by code that may be waiting for them
int host_print(const char* format, ...) __attribute__((format(printf, 1, 2)));
[[noreturn]] void host_fail(const char* what, const char* file, int line);
uint64_t host_nanoseconds();
}

#if defined(COURSE_PLAIN)
// Plain loops: the indices are variables that nothing else can reach, so the compiler keeps them in registers.
namespace host {
static thread_local uint3 plain_thread;
static thread_local BlockView plain_block;
inline uint32_t linear_thread() {
    return plain_thread.x + plain_block.size.x * (plain_thread.y + plain_block.size.y * plain_thread.z);
}
}  // namespace host
#define threadIdx (::host::plain_thread)
#define COURSE_BLOCK (::host::plain_block)
#else
// One pointer per OS thread, set at every switch. Initial-exec access is one load, not a function call.
extern "C" {
#if defined(__linux__)
extern thread_local host::ThreadView* host_current __attribute__((tls_model("initial-exec")));
#else
extern thread_local host::ThreadView* host_current;
#endif
}
#if defined(COURSE_CHECKED)
// The checks look at every load; these are the runner's own, so they are kept out of sight.
#define COURSE_UNWATCHED __attribute__((no_sanitize("thread"), noinline))
namespace host {
COURSE_UNWATCHED inline uint3 thread_index() { return host_current->index; }
COURSE_UNWATCHED inline uint3 block_index() { return host_current->block->index; }
COURSE_UNWATCHED inline uint3 block_size() { return host_current->block->size; }
COURSE_UNWATCHED inline uint3 grid_size() { return host_current->block->grid; }
COURSE_UNWATCHED inline uint32_t linear_thread() { return host_current->linear; }
}  // namespace host
#define COURSE_BLOCK (*::host_current->block)
#define threadIdx (::host::thread_index())
#define blockIdx (::host::block_index())
#define blockDim (::host::block_size())
#define gridDim (::host::grid_size())
#else
namespace host {
inline uint32_t linear_thread() { return host_current->linear; }
}  // namespace host
#define threadIdx (::host_current->index)
#define COURSE_BLOCK (*::host_current->block)
#endif
#endif
#if !defined(COURSE_CHECKED)
#define COURSE_UNWATCHED
#define blockIdx (COURSE_BLOCK.index)
#define blockDim (COURSE_BLOCK.size)
#define gridDim (COURSE_BLOCK.grid)
#endif
constexpr int warpSize = 32;
