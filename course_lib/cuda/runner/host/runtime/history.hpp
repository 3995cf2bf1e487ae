// What happened to each piece of memory, and whether two accesses are ordered.
//
// Blocks run one after another and threads take turns, so a counter can serve as a clock: it moves at every
// synchronisation. An access remembers the reading. It happened before what a thread does now if that thread knows of
// a later reading of the other: by a barrier of the block, by __syncwarp, or between blocks by a fence and an atomic.
#pragma once
#include "regions.hpp"

constexpr uint16_t flag_atomic = 0x8000, flag_volatile = 0x4000, flag_same_value = 0x2000, flag_in_flight = 0x1000;
constexpr uint16_t thread_bits = 0x03ff;

struct Stamp {
    uint32_t block;  // linear index
    uint32_t time;
    uint16_t thread;  // linear index, and flags
    uint16_t size;    // bytes of the access
    uint32_t site;    // call stack; 0: there was no such access
};

// The last write, and two reads since: of different threads, of different warps if there were such.
struct Cell {
    Stamp write;
    Stamp read[2];
};

// What one warp of a block made known to those who read the same atomic after it.
struct Release {
    uint32_t variable, block;
    uint16_t warp;  // or whole_block
    bool used;
    uint32_t everything_before;  // whole_block: accesses of all threads before this time, the last barrier
    uint32_t by_lane[32];        // accesses of the warp's lanes before these times
};
constexpr uint16_t whole_block = 0xffff;

struct SyncVariable {
    const void* address;
    uint32_t inherited[8];  // other variables whose releases the releasing blocks had seen
    int inherited_count;
};

struct History {
    uint32_t now = 1;
    uint32_t block = 0;  // the one that runs
    uint32_t barrier_time = 0;
    uint32_t lane_time[most_warps][32][32];  // [warp][lane][other lane]: what lane knows of the other
    bool fenced = false;                     // some thread of this block has used a fence
    uint32_t seen[64];                       // sync variables that this block has read
    int seen_count = 0;

    SyncVariable* variables = nullptr;
    uint32_t variable_count = 0;
    Release* releases = nullptr;  // open addressing by (variable, block)
    uint32_t release_capacity = 0, release_count = 0;

    void start_block(uint32_t index) {
        block = index;
        barrier_time = ++now;
        memset(lane_time, 0, sizeof lane_time);
        fenced = false;
        seen_count = 0;
    }
    void on_barrier() { barrier_time = ++now; }

    void on_syncwarp(int warp, unsigned mask) {
        ++now;
        uint32_t joined[32] = {};
        for (unsigned left = mask; left; left &= left - 1)
            for (int other = 0; other < 32; ++other) {
                const uint32_t time = lane_time[warp][__builtin_ctz(left)][other];
                if (time > joined[other]) joined[other] = time;
            }
        for (unsigned left = mask; left; left &= left - 1) joined[__builtin_ctz(left)] = now;
        for (unsigned left = mask; left; left &= left - 1)
            memcpy(lane_time[warp][__builtin_ctz(left)], joined, sizeof joined);
    }

    bool ordered(const Stamp& earlier, uint32_t thread) {
        const uint32_t other = earlier.thread & thread_bits;
        if (earlier.block == block)
            return other == thread || earlier.time < barrier_time ||
                   (other / 32 == thread / 32 && earlier.time < lane_time[thread / 32][thread % 32][other % 32]);
        for (int k = 0; k < seen_count; ++k)
            if (released(seen[k], earlier)) return true;
        return false;
    }

    // ---- between blocks

    uint32_t variable_of(const void* address, bool create) {
        for (uint32_t k = 0; k < variable_count; ++k)
            if (variables[k].address == address) return k + 1;
        if (!create || variable_count == 4096) return 0;
        if (!variables) variables = static_cast<SyncVariable*>(calloc(4096, sizeof(SyncVariable)));
        variables[variable_count].address = address;
        return ++variable_count;
    }
    Release* release_slot(uint32_t variable, uint32_t of_block, uint16_t warp, bool create) {
        if (create && 2 * (release_count + 1) > release_capacity) grow();
        if (!release_capacity) return nullptr;
        const uint64_t hash = ((uint64_t(variable) << 32 | of_block) + uint64_t(warp) * 0x10001) * 0x9e3779b97f4a7c15u;
        for (uint32_t at = uint32_t(hash >> 32) & (release_capacity - 1);; at = (at + 1) & (release_capacity - 1)) {
            Release& slot = releases[at];
            if (slot.used && slot.variable == variable && slot.block == of_block && slot.warp == warp) return &slot;
            if (!slot.used) {
                if (!create) return nullptr;
                slot.used = true;
                slot.variable = variable;
                slot.block = of_block;
                slot.warp = warp;
                ++release_count;
                return &slot;
            }
        }
    }
    void grow() {
        Release* old = releases;
        const uint32_t old_capacity = release_capacity;
        release_capacity = old_capacity ? 2 * old_capacity : 1024;
        releases = static_cast<Release*>(calloc(release_capacity, sizeof(Release)));
        release_count = 0;
        for (uint32_t k = 0; k < old_capacity; ++k)
            if (old[k].used) *release_slot(old[k].variable, old[k].block, old[k].warp, true) = old[k];
        free(old);
    }
    bool released(uint32_t variable, const Stamp& earlier) {
        if (covers(variable, earlier)) return true;
        const SyncVariable& v = variables[variable - 1];
        for (int k = 0; k < v.inherited_count; ++k)
            if (covers(v.inherited[k], earlier)) return true;
        return false;
    }
    bool covers(uint32_t variable, const Stamp& earlier) {
        const Release* all = release_slot(variable, earlier.block, whole_block, false);
        if (!all) return false;
        if (earlier.time < all->everything_before) return true;
        const uint32_t other = earlier.thread & thread_bits;
        const Release* warp = release_slot(variable, earlier.block, uint16_t(other / 32), false);
        return warp && earlier.time < warp->by_lane[other % 32];
    }
    // An atomic (or volatile) write: what this thread knows of its block becomes known to later readers, if a fence
    // stands before it. An atomic or volatile read: this block knows what earlier ones have released.
    void on_strong_access(const void* address, uint32_t thread, bool reads, bool writes) {
        if (!fenced && !variable_count) return;
        const uint32_t variable = variable_of(address, writes && fenced);
        if (!variable) return;
        if (reads) {
            bool known = false;
            for (int k = 0; k < seen_count; ++k) known |= seen[k] == variable;
            if (!known && seen_count < 64) seen[seen_count++] = variable;
        }
        if (!writes || !fenced) return;
        ++now;
        Release* all = release_slot(variable, block, whole_block, true);
        if (barrier_time > all->everything_before) all->everything_before = barrier_time;
        Release* warp = release_slot(variable, block, uint16_t(thread / 32), true);
        for (int lane = 0; lane < 32; ++lane) {
            const uint32_t time = lane == int(thread % 32) ? now : lane_time[thread / 32][thread % 32][lane];
            if (time > warp->by_lane[lane]) warp->by_lane[lane] = time;
        }
        SyncVariable& v = variables[variable - 1];
        for (int k = 0; k < seen_count && v.inherited_count < 8; ++k) {
            bool known = seen[k] == variable;
            for (int j = 0; j < v.inherited_count; ++j) known |= v.inherited[j] == seen[k];
            if (!known) v.inherited[v.inherited_count++] = seen[k];
        }
    }
    void forget() {
        free(variables);
        free(releases);
        variables = nullptr;
        releases = nullptr;
        variable_count = release_capacity = release_count = 0;
    }
};

inline History history;
