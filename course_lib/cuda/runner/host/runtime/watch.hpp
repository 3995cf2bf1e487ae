// Looks at every access that a thread makes: is the memory its own, was it written before, is it ordered with what
// other threads did there?
#pragma once
#include "findings.hpp"
#include "schedule.hpp"

inline bool watching = false;    // false while the runner itself touches a kernel's memory
inline char* tls_low = nullptr;  // the program's thread-local variables
inline char* tls_high = nullptr;

// Constants and static variables of the program: nobody's business here.
#if defined(__linux__)
extern "C" char __executable_start, end;
inline bool in_program(const char* address) { return address >= &__executable_start && address < &end; }
#else
inline bool in_program(const char*) { return false; }  // found readable further down, which is slower
#endif

constexpr size_t split_bytes = 64;

enum Access { access_read, access_write, access_atomic, access_volatile_read, access_volatile_write };

inline bool writes(Access access) {
    return access == access_write || access == access_atomic || access == access_volatile_write;
}
inline bool is_strong(Access access) { return access >= access_atomic; }

inline uint32_t current_stack(Thread* thread) {
    return thread->depth ? thread->frames[(thread->depth < 64 ? thread->depth : 64) - 1] : 0;
}

// ---- a write is judged when it is done: writing the value that is there already conflicts with nobody's same write

struct PendingWrite {
    bool open;
    char* address;
    uint32_t size;
    char before[16];
    Region* region;
    uint32_t thread, site;
    Stamp conflict[3];
    bool against_write[3];
    int conflicts;
};
inline PendingWrite pending;

inline int64_t offset_in(const Region* region, const char* address) { return address - region->base; }

template <class Function>
inline void each_cell(Region* region, const char* address, uint32_t size, Function function);

inline void settle() {
    if (!pending.open) return;
    pending.open = false;
    const bool same = !memcmp(pending.before, pending.address, pending.size);
    bool shared_value = false;
    for (int k = 0; k < pending.conflicts; ++k) {
        const Stamp& other = pending.conflict[k];
        if (same && (pending.against_write[k] || shared_value)) {
            shared_value = true;
            continue;
        }
        report("race", pending.region, offset_in(pending.region, pending.address), pending.size, pending.thread,
               pending.site, &other, pending.against_write[k] ? "write-write" : "read-write");
    }
    if (shared_value)
        each_cell(pending.region, pending.address, pending.size,
                  [](Cell& cell) { cell.write.thread |= flag_same_value; });
}

// ---- which cells an access covers

inline void split_piece(Region* region, size_t piece) {
    region->split[piece] = 1;
    const size_t first = piece * split_bytes;
    for (size_t k = first; k < first + split_bytes && k < region->bytes; ++k)
        region->single_bytes[k] = region->words[k / 4];
}

template <class Function>
inline void each_cell(Region* region, const char* address, uint32_t size, Function function) {
    size_t at = size_t(address - region->base);
    const size_t stop = at + size;
    const bool whole_words = at % 4 == 0 && size % 4 == 0;
    while (at < stop) {
        const size_t piece = at / split_bytes;
        if (!whole_words && !region->split[piece]) split_piece(region, piece);
        if (region->split[piece]) {
            function(region->single_bytes[at]);
            ++at;
        } else {
            function(region->words[at / 4]);
            at += 4;
        }
    }
}

// ---- races and uninitialised reads

inline void add_conflict(Stamp other, bool against_write) {
    for (int k = 0; k < pending.conflicts; ++k)
        if (pending.conflict[k].site == other.site && pending.against_write[k] == against_write) return;
    if (pending.conflicts < 3) {
        pending.conflict[pending.conflicts] = other;
        pending.against_write[pending.conflicts++] = against_write;
    }
}

inline bool both_strong(const Stamp& earlier, Access access) {
    return is_strong(access) && earlier.thread & (flag_atomic | flag_volatile);
}

inline void remember_read(Cell& cell, const Stamp& stamp, uint32_t thread) {
    for (int k = 0; k < 2; ++k)
        if (!cell.read[k].site || (cell.read[k].thread & thread_bits) == thread ||
            history.ordered(cell.read[k], thread)) {
            cell.read[k] = stamp;
            return;
        }
    const uint32_t warp0 = (cell.read[0].thread & thread_bits) / 32, warp1 = (cell.read[1].thread & thread_bits) / 32;
    if (warp0 == warp1 && cell.read[0].block == cell.read[1].block) cell.read[1] = stamp;
}

inline bool of_this_block(const Region* region, const Stamp& stamp) {
    const bool is_shared = region->kind == region_shared || region->kind == region_dynamic_shared;
    return stamp.site && (!is_shared || stamp.block == history.block);
}

inline void judge_read(Region* region, char* address, uint32_t size, Access access, uint32_t thread, uint32_t site) {
    const bool is_shared = region->kind == region_shared || region->kind == region_dynamic_shared;
    const Stamp stamp = {history.block, history.now,
                         uint16_t(thread | (access == access_volatile_read ? flag_volatile : 0)), uint16_t(size), site};
    bool uninitialised = false;
    Stamp racing = {}, in_flight = {};
    each_cell(region, address, size, [&](Cell& cell) {
        const Stamp& write = cell.write;
        if (!of_this_block(region, write)) {
            uninitialised |= is_shared;
        } else if (write.thread & flag_in_flight) {
            in_flight = write;
        } else if (!both_strong(write, access) && !history.ordered(write, thread) &&
                   !(write.thread & flag_same_value)) {
            racing = write;
        }
        remember_read(cell, stamp, thread);
    });
    if (racing.site) report("race", region, offset_in(region, address), size, thread, site, &racing, "write-read");
    if (in_flight.site) report("in flight", region, offset_in(region, address), size, thread, site, &in_flight, "");
    if (uninitialised) report("uninitialised", region, offset_in(region, address), size, thread, site, nullptr, "");
}

inline void judge_write(Region* region, char* address, uint32_t size, Access access, uint32_t thread, uint32_t site,
                        uint16_t flags) {
    const uint16_t strength = access == access_atomic           ? flag_atomic
                              : access == access_volatile_write ? flag_volatile
                                                                : 0;
    const Stamp stamp = {history.block, history.now, uint16_t(thread | strength | flags), uint16_t(size), site};
    const bool is_shared = region->kind == region_shared || region->kind == region_dynamic_shared;
    bool uninitialised = false;
    pending.conflicts = 0;
    each_cell(region, address, size, [&](Cell& cell) {
        const bool has_write = of_this_block(region, cell.write);
        uninitialised |= access == access_atomic && is_shared && !has_write;
        if (has_write && !both_strong(cell.write, access) && !history.ordered(cell.write, thread))
            add_conflict(cell.write, true);
        for (const Stamp& read : cell.read)
            if (of_this_block(region, read) && !both_strong(read, access) && !history.ordered(read, thread))
                add_conflict(read, false);
        cell = {stamp, {}};
    });
    if (uninitialised) report("uninitialised", region, offset_in(region, address), size, thread, site, nullptr, "");
    if (!pending.conflicts) return;
    pending.region = region;
    pending.address = address;
    pending.size = size;
    pending.thread = thread;
    pending.site = site;
    if (size <= sizeof pending.before && access == access_write && !flags) {
        memcpy(pending.before, address, size);
        pending.open = true;
        return;
    }
    for (int k = 0; k < pending.conflicts; ++k)
        report("race", region, offset_in(region, address), size, thread, site, &pending.conflict[k],
               pending.against_write[k] ? "write-write" : "read-write");
}

// ---- where an address lies

inline bool on_own_stack(const Block* block, const Thread* thread, const char* address) {
    const char* low = block->arena->start_of(thread->stack);
    return address >= low && address < low + stack_bytes;
}

inline int owner_of_stack(const Block* block, const char* address) {
    for (int k = 0; k < block->thread_count; ++k) {
        const Thread& thread = block->threads[k];
        if (thread.state != unstarted && thread.state != finished && on_own_stack(block, &thread, address)) return k;
    }
    return -1;
}

inline bool is_readable(const char* address) {
    static int pipe_ends[2] = {-1, -1};
    if (pipe_ends[0] < 0 && pipe(pipe_ends)) return false;
    if (write(pipe_ends[1], address, 1) != 1) return false;  // EFAULT where nothing is mapped
    char byte;
    return read(pipe_ends[0], &byte, 1) == 1;
}

[[noreturn]] inline void stop_block(Block* block, const char* why) {
    watching = false;
    fail_block(block, status_failed, "%s", why);
}

inline void outside(Thread* thread, char* address, uint32_t size, Access access, uint32_t site, Region* region) {
    Block* block = block_of(thread);
    const char* verb = writes(access) ? "write" : "read";
    if (region) {
        report("out of bounds", region, offset_in(region, address), size, thread->linear, site, nullptr, verb);
        // beyond the guard there is nothing to read or write: the access itself would end the process
        if (address < region->mapped_low || address + size > region->mapped_high)
            stop_block(block, "an access far out of bounds");
        return;
    }
    const int owner = owner_of_stack(block, address);
    if (owner >= 0) {
        Stamp other = {history.block, history.now, uint16_t(owner), 0, 0};
        report("foreign local", nullptr, 0, size, thread->linear, site, &other, verb);
        return;
    }
    // malloc in a kernel, say: memory that is nobody's business
    if (is_readable(address)) return;
    report(address < reinterpret_cast<char*>(65536) ? "null" : "wild", nullptr,
           int64_t(reinterpret_cast<uintptr_t>(address)), size, thread->linear, site, nullptr, verb);
    stop_block(block, "an access to memory that does not exist");
}

inline uint32_t last_site = 0;  // of the latest access: where a kernel was when its time ran out

inline void watch(void* where, uint32_t size, Access access, uint32_t site, uint16_t flags = 0) {
    Thread* thread = current_thread();
    char* address = static_cast<char*>(where);
    last_site = site;
    settle();
    if (on_own_stack(block_of(thread), thread, address)) return;
    Region* region = regions.find(address);
    if (!region) {
        const char* runner = reinterpret_cast<const char*>(block_of(thread));
        if (address >= runner && address < runner + sizeof(Block)) return;
        if (in_program(address)) return;
        if (address >= tls_low && address < tls_high) return;
    }
    if (!region || address < region->base || address + size > region->base + region->bytes)
        return outside(thread, address, size, access, site, region);
    if (is_strong(access))
        history.on_strong_access(address, thread->linear, access != access_volatile_write, writes(access));
    if (writes(access)) judge_write(region, address, size, access, thread->linear, site, flags);
    else judge_read(region, address, size, access, thread->linear, site);
}
