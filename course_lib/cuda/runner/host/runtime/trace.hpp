// Writes down every access of one run, for pictures of which thread reads what. A checked build with -DCOURSE_TRACED.
#pragma once
#include <fcntl.h>

#include "watch.hpp"

struct TracedAccess {  // access_trace.py reads these as they lie here
    uint32_t block, site;
    uint64_t offset;  // bytes from the start of the region
    uint16_t thread, region;
    uint8_t size, is_write, unused[2];
};
static_assert(sizeof(TracedAccess) == 24, "access_trace.py counts on 24 bytes");

constexpr uint32_t most_traced = 1 << 20;
inline TracedAccess* traced = nullptr;
inline uint32_t traced_count = 0;
inline bool traced_overflow = false;

// A copy of each region that was touched: its place in `regions` moves when shared variables join them.
inline Region traced_regions[most_regions];
inline int traced_region_count = 0;

inline int number_of(const Region& region) {
    for (int k = 0; k < traced_region_count; ++k)
        if (traced_regions[k].base == region.base) return k;
    traced_regions[traced_region_count] = region;
    return traced_region_count++;
}

inline void trace_access(void* where, uint32_t size, Access access, uint32_t site) {
    char* address = static_cast<char*>(where);
    Thread* thread = current_thread();
    if (!traced || on_own_stack(block_of(thread), thread, address)) return;
    Region* region = regions.find(address);
    if (!region || address < region->base || address + size > region->base + region->bytes) return;
    if (traced_count == most_traced) {
        traced_overflow = true;
        return;
    }
    traced[traced_count++] = {history.block, site, uint64_t(address - region->base), uint16_t(thread->linear),
                              uint16_t(number_of(*region)), uint8_t(size), uint8_t(writes(access)), {}};
}

inline void start_trace() { traced = static_cast<TracedAccess*>(lazily_zero(most_traced * sizeof(TracedAccess))); }

// region <number> <kind> <name> <bytes>, site <number> <stack>, traced <accesses> <more than fit>; the accesses
// themselves go to a file beside the report.
inline void save_trace(const char* report_path) {
    char path[4096];
    snprintf(path, sizeof path, "%s.accesses", report_path);
    const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (file < 0) _exit(71);
    const char* data = reinterpret_cast<const char*>(traced);
    for (size_t left = traced_count * sizeof(TracedAccess); left;) {
        const ssize_t written = write(file, data, left);
        if (written < 0) _exit(71);
        data += written;
        left -= size_t(written);
    }
    close(file);
    Line line;
    for (int k = 0; k < traced_region_count; ++k) {
        const Region& region = traced_regions[k];
        line.add("region\t%d\t%s\t%s\t%zu", k, region_kind(&region), region.name, region.bytes);
        line.send();
    }
    static bool named[1 << 16];
    for (uint32_t k = 0; k < traced_count; ++k) {
        const uint32_t site = traced[k].site;
        if (site >= sizeof named || named[site]) continue;
        named[site] = true;
        line.add("site\t%u\t", site);
        line.add_stack(site);
        line.send();
    }
    line.add("traced\t%u\t%d", traced_count, int(traced_overflow));
    line.send();
    traced = nullptr;
}
