// The same launch several times, with threads and blocks in other orders: what it leaves in memory must be the same.
#pragma once
#include "guarded_memory.hpp"
#include "device_calls.hpp"

inline bool found_race = false;

inline void watch_dynamic_shared(uint32_t bytes) {
    char* base = shared_arena() + static_shared_bytes + shared_gap;
    watch_region({base, bytes, base - shared_gap, base + dynamic_shared_bytes + shared_gap, base - shared_gap,
                  base + dynamic_shared_bytes + shared_gap, "dynamic shared memory", 0, region_dynamic_shared, nullptr,
                  nullptr, nullptr});
}

struct Passes {
    uint32_t buffers;
    const JobBuffer* descriptions;
    char** memory;
    char** first;  // what the first pass left in each buffer

    void prepare(uint32_t count, const JobBuffer* buffer_descriptions, char** buffer_memory) {
        buffers = count;
        descriptions = buffer_descriptions;
        memory = buffer_memory;
        first = static_cast<char**>(calloc(count + 1, sizeof(char*)));
        for (uint32_t k = 0; k < count; ++k) first[k] = static_cast<char*>(lazily_zero(descriptions[k].bytes));
    }
    void run(Launch& launch, int byte) {
        poison_byte = byte;
        no_value = byte == 0xff ? ~uint64_t(0) : 0x3c3c3c3c3c3c3c3cu;
        forget_accesses();
        char* arena = shared_arena();
        memset(arena, byte, shared_arena_bytes);
        host_launch(&launch);
        settle();
        watching = false;
        for (int k = 0; k < finding_count; ++k) found_race |= !strcmp(findings[k].kind, "race");
    }
    bool doubtful() const {
        for (int k = 0; k < finding_count; ++k)
            if (!strcmp(findings[k].kind, "uninitialised") || !strcmp(findings[k].kind, "undefined lane")) return true;
        return false;
    }
    void keep() {
        for (uint32_t k = 0; k < buffers; ++k) memcpy(first[k], memory[k], descriptions[k].bytes);
    }
    int64_t first_difference(uint32_t* which = nullptr) const {
        for (uint32_t k = 0; k < buffers; ++k)
            for (uint64_t at = 0; at < descriptions[k].bytes; ++at)
                if (first[k][at] != memory[k][at]) {
                    if (which) *which = k;
                    return int64_t(at);
                }
        return -1;
    }
    // differs <order> <buffer> <byte> <an atomic was used>
    void compare(const char* order) {
        uint32_t which = 0;
        const int64_t at = first_difference(&which);
        if (at < 0) return;
        Line line;
        line.add("differs\t%s\t%s\t%ld\t%d", order, descriptions[which].name, long(at), int(order_may_matter));
        line.send();
    }
};
