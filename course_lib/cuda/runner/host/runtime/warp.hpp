// Lanes of a warp that meet: shuffles, votes, reductions, __syncwarp and the instruction wrappers of ../include.
#pragma once
#include "schedule.hpp"

void on_warp_wait(Thread* thread);  // hooks of the checked build
void on_syncwarp_done(int warp, unsigned mask);
bool pause_watching();
void resume_watching(bool was);
void on_undefined_lane(Thread* reader, int source_lane, const char* name);

inline Warp& warp_of(Block* block, const Thread* thread) { return block->warps[thread->linear / 32]; }

inline Meeting* find_meeting(Warp& warp, unsigned mask) {
    for (int k = 0; k < warp.open; ++k)
        if (warp.meetings[k].mask == mask) return &warp.meetings[k];
    return nullptr;
}

// Lanes that have returned, or never existed, are not waited for.
inline bool complete(const Warp& warp, const Meeting& meeting) { return meeting.arrived == (meeting.mask & warp.live); }

// Everybody is here: exchange, and let the others go on. `me` is the lane that keeps running, or -1.
inline void close_meeting(Block* block, int warp_index, Meeting* meeting, int me) {
    Warp& warp = block->warps[warp_index];
    const unsigned arrived = meeting->arrived;
    if (meeting->everyone && arrived != meeting->mask)
        fail_block(block, status_failed,
                   "%s needs all 32 lanes of its warp; in warp %d of block (%u, %u, %u) only those of the mask 0x%08x "
                   "are there",
                   meeting->name, warp_index, block->index.x, block->index.y, block->index.z, arrived);
    if (meeting->finish) {
        const bool was = pause_watching();  // it reads what other lanes hold in registers
        meeting->finish(meeting->payload, arrived);
        resume_watching(was);
    }
    Meeting* last = &warp.meetings[--warp.open];
    if (meeting != last) *meeting = *last;
    for (unsigned left = arrived; left; left &= left - 1) {
        const int lane = __builtin_ctz(left);
        if (lane != me) make_ready(block, warp_index * 32 + lane);
    }
}

inline void meet(unsigned mask, void* payload, host::Finish finish, const char* name, void* site,
                 bool everyone = false) {
    Thread* me = current_thread();
    Block* block = block_of(me);
    Warp& warp = warp_of(block, me);
    const int lane = int(me->linear % 32);
    me->site = site;
    on_warp_wait(me);
    if (!(mask >> lane & 1))
        fail_block(block, status_failed,
                   "thread (%u, %u, %u) calls %s with the mask 0x%08x, which does not name its own lane %d",
                   me->index.x, me->index.y, me->index.z, name, mask, lane);
    Meeting* meeting = find_meeting(warp, mask);
    if (!meeting) {
        meeting = &warp.meetings[warp.open++];
        meeting->mask = mask;
        meeting->arrived = 0;
        meeting->finish = finish;
        meeting->name = name;
        meeting->everyone = everyone;
    } else if (meeting->finish != finish) {
        fail_block(block, status_stuck,
                   "lanes of one warp meet in different functions: %s and %s, both with the mask 0x%08x", meeting->name,
                   name, mask);
    }
    meeting->arrived |= 1u << lane;
    meeting->payload[lane] = payload;
    if (complete(warp, *meeting)) {
        close_meeting(block, int(me->linear / 32), meeting, lane);
        return;
    }
    me->state = in_warp;
    me->waits_for = name;
    wait(block, me);
}

struct Exchange {  // what a lane brings to a shuffle, vote, match or reduction, and takes away
    Thread* thread;
    uint64_t bits, result;
    int kind, operand, width;
    int flag;
    const char* name;
};

inline Exchange* exchange(void* payload) { return static_cast<Exchange*>(payload); }

// A lane that is not there has no value: all ones, which is NaN in every floating-point type.
inline uint64_t no_value = ~uint64_t(0);

inline void finish_shuffle(void* const* payloads, unsigned mask) {
    for (unsigned left = mask; left; left &= left - 1) {
        const int lane = __builtin_ctz(left);
        Exchange* mine = exchange(payloads[lane]);
        const int width = mine->width, first = lane & ~(width - 1), within = lane & (width - 1);
        int source = lane;
        switch (mine->kind) {
            case host::shuffle_index: source = first + (mine->operand & (width - 1)); break;
            case host::shuffle_up: source = within - mine->operand >= 0 ? lane - mine->operand : lane; break;
            case host::shuffle_down: source = within + mine->operand < width ? lane + mine->operand : lane; break;
            // xor may name a lane of an earlier group, never of a later one (CUDA C++ Programming Guide, Warp Shuffle)
            case host::shuffle_xor:
                source = (lane ^ mine->operand) < first + width ? lane ^ mine->operand : lane;
                break;
        }
        if (mask >> (source & 31) & 1) {
            mine->result = exchange(payloads[source & 31])->bits;
        } else {
            mine->result = no_value;
            on_undefined_lane(mine->thread, source, mine->name);
        }
    }
}

inline void finish_vote(void* const* payloads, unsigned mask) {
    unsigned ballot = 0;
    for (unsigned left = mask; left; left &= left - 1) {
        const int lane = __builtin_ctz(left);
        ballot |= unsigned(exchange(payloads[lane])->operand != 0) << lane;
    }
    for (unsigned left = mask; left; left &= left - 1) {
        Exchange* mine = exchange(payloads[__builtin_ctz(left)]);
        mine->result = mine->kind == host::vote_all   ? ballot == mask
                       : mine->kind == host::vote_any ? ballot != 0
                                                      : ballot;
    }
}

inline void finish_reduce(void* const* payloads, unsigned mask) {
    Exchange* first = exchange(payloads[__builtin_ctz(mask)]);
    int64_t total = int64_t(first->bits);
    for (unsigned left = mask & (mask - 1); left; left &= left - 1) {
        const int64_t value = int64_t(exchange(payloads[__builtin_ctz(left)])->bits);
        switch (first->kind) {
            case host::reduce_add: total += value; break;
            case host::reduce_min: total = value < total ? value : total; break;
            case host::reduce_max: total = value > total ? value : total; break;
            case host::reduce_and: total &= value; break;
            case host::reduce_or: total |= value; break;
            case host::reduce_xor: total ^= value; break;
        }
    }
    for (unsigned left = mask; left; left &= left - 1)
        exchange(payloads[__builtin_ctz(left)])->result = uint64_t(total);
}

inline void finish_match(void* const* payloads, unsigned mask) {
    for (unsigned left = mask; left; left &= left - 1) {
        const int lane = __builtin_ctz(left);
        Exchange* mine = exchange(payloads[lane]);
        unsigned same = 0;
        for (unsigned other = mask; other; other &= other - 1)
            same |= unsigned(exchange(payloads[__builtin_ctz(other)])->bits == mine->bits) << __builtin_ctz(other);
        mine->flag = same == mask;
        mine->result = same;
    }
}

inline void finish_syncwarp(void* const* payloads, unsigned mask) {
    const Thread* one = static_cast<const Thread*>(payloads[__builtin_ctz(mask)]);
    on_syncwarp_done(int(one->linear / 32), mask);
}

#define COURSE_API extern "C" __attribute__((visibility("default")))

COURSE_API uint64_t host_shuffle(unsigned mask, int kind, uint64_t bits, int operand, int width, const char* name) {
    Exchange mine = {current_thread(), bits, 0, kind, operand, width, 0, name};
    meet(mask, &mine, finish_shuffle, name, __builtin_return_address(0));
    return mine.result;
}

COURSE_API unsigned host_vote(unsigned mask, int kind, int predicate) {
    const char* name = kind == host::vote_all ? "__all_sync" : kind == host::vote_any ? "__any_sync" : "__ballot_sync";
    Exchange mine = {current_thread(), 0, 0, kind, predicate, 32, 0, name};
    meet(mask, &mine, finish_vote, name, __builtin_return_address(0));
    return unsigned(mine.result);
}

COURSE_API uint64_t host_reduce(unsigned mask, int kind, int64_t value) {
    Exchange mine = {current_thread(), uint64_t(value), 0, kind, 0, 32, 0, "__reduce_sync"};
    meet(mask, &mine, finish_reduce, "__reduce_sync", __builtin_return_address(0));
    return mine.result;
}

COURSE_API unsigned host_match_any(unsigned mask, uint64_t bits) {
    Exchange mine = {current_thread(), bits, 0, 0, 0, 32, 0, "__match_any_sync"};
    meet(mask, &mine, finish_match, "__match_any_sync", __builtin_return_address(0));
    return unsigned(mine.result);
}

COURSE_API unsigned host_match_all(unsigned mask, uint64_t bits, int* all_equal) {
    Exchange mine = {current_thread(), bits, 0, 0, 0, 32, 0, "__match_all_sync"};
    meet(mask, &mine, finish_match, "__match_all_sync", __builtin_return_address(0));
    *all_equal = mine.flag;
    return mine.flag ? mask : 0;
}

COURSE_API void host_syncwarp(unsigned mask) {
    meet(mask, current_thread(), finish_syncwarp, "__syncwarp()", __builtin_return_address(0));
}

COURSE_API void host_meet(unsigned mask, void* payload, host::Finish finish, const char* name) {
    meet(mask, payload, finish, name, __builtin_return_address(0), true);
}

// Answered by resolve_activemask, once nothing else in the block can move.
COURSE_API unsigned host_activemask() {
    Thread* me = current_thread();
    me->state = at_activemask;
    me->waits_for = "__activemask()";
    me->site = __builtin_return_address(0);
    on_warp_wait(me);
    wait(block_of(me), me);
    return me->mask;
}
