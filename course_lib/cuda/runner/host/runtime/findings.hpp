// What the checks find, written to the report as it is found: a kernel that takes the process down later loses nothing.
#pragma once
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "call_stack.hpp"
#include "history.hpp"

inline int report_file = -1;
inline uintptr_t program_start = 0;  // subtracted from addresses: what the line table counts from

// One fault, told apart from others by kind, memory and place; the rest is about its first occurrence.
struct Finding {
    const char* kind;
    const Region* region;
    uint32_t site, other_site;
    uint32_t count;
};

constexpr int most_findings = 64;
inline Finding findings[most_findings];
inline int finding_count = 0;
inline bool found_any = false;  // something that counts against the kernel, in this pass

struct Line {
    char text[4096];
    int used = 0;

    void add(const char* format, ...) __attribute__((format(printf, 2, 3))) {
        va_list values;
        va_start(values, format);
        const int written = vsnprintf(text + used, sizeof text - size_t(used), format, values);
        va_end(values);
        used += written < 0 ? 0 : written;
        if (used > int(sizeof text) - 2) used = int(sizeof text) - 2;
    }
    void add_stack(uint32_t site) {
        for (int depth = 0; site && depth < 24; ++depth) {
            const StackNode& node = call_stacks.nodes[site];
            add("%s%lx", depth ? "," : "", (unsigned long)(node.address - program_start));
            site = node.parent;
        }
    }
    void send() {
        text[used++] = '\n';
        if (write(report_file, text, size_t(used)) < 0) _exit(71);
        used = 0;
    }
};

inline const char* region_kind(const Region* region) {
    static const char* const names[] = {"argument", "shared", "dynamic", "variable"};
    return region ? names[region->kind] : "none";
}

// finding <kind> <region kind> <region name> <byte offset> <region bytes> <access bytes> <block> <thread> <stack>
//         <other block> <other thread> <other stack> <details>
inline void report(const char* kind, const Region* region, int64_t offset, uint32_t bytes, uint32_t thread,
                   uint32_t site, const Stamp* other, const char* details) {
    found_any = true;
    const uint32_t other_site = other ? other->site : 0;
    for (int k = 0; k < finding_count; ++k) {
        Finding& f = findings[k];
        if (!strcmp(f.kind, kind) && f.region == region && f.site == site && f.other_site == other_site) {
            ++f.count;
            return;
        }
    }
    if (finding_count == most_findings) return;
    findings[finding_count++] = {kind, region, site, other_site, 1};
    Line line;
    line.add("finding\t%s\t%s\t%s\t%ld\t%zu\t%u\t%u\t%u\t", kind, region_kind(region), region ? region->name : "",
             (long)(offset), region ? region->bytes : size_t(0), bytes, history.block, thread);
    line.add_stack(site);
    line.add("\t%ld\t%ld\t", other ? long(other->block) : -1L, other ? long(other->thread & thread_bits) : -1L);
    line.add_stack(other_site);
    line.add("\t%s", details);
    line.send();
}
