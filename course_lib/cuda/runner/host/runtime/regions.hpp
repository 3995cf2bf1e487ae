// The memory that a kernel may touch: its array arguments, the shared memory of its block, its device variables.
// Around each lies a guard: memory that is mapped, so that a stray access is reported and survived, and that nobody owns.
#pragma once
#include <stdint.h>
#include <string.h>

#include "block.hpp"

enum RegionKind : uint8_t { region_argument, region_shared, region_dynamic_shared, region_variable };

struct Cell;

struct Region {
    char* base;
    size_t bytes;
    char* reach_low;   // addresses from here on are taken to be meant for this region ...
    char* reach_high;  // ... up to here
    char* mapped_low;  // the part of them that can be accessed
    char* mapped_high;
    const char* name;
    int line;  // of the declaration, for shared variables
    RegionKind kind;
    Cell* words;         // what was done to each four bytes
    Cell* single_bytes;  // the same for each byte, where a part of four bytes was accessed
    uint8_t* split;      // per 64 bytes: 1 if single_bytes counts
};

constexpr int most_regions = 512;

struct Regions {
    Region items[most_regions];  // sorted by address
    int count = 0;
    int last = 0;

    Region* add(const Region& region) {
        if (count == most_regions) return nullptr;
        int k = count++;
        for (; k > 0 && items[k - 1].base > region.base; --k) items[k] = items[k - 1];
        items[k] = region;
        last = k;
        return &items[k];
    }
    // The region whose reach holds the address, or null.
    Region* find(const char* address) {
        if (last < count && address >= items[last].reach_low && address < items[last].reach_high) return &items[last];
        int low = 0, high = count;
        while (low < high) {
            const int middle = (low + high) / 2;
            if (items[middle].reach_high <= address) low = middle + 1;
            else high = middle;
        }
        if (low == count || address < items[low].reach_low) return nullptr;
        last = low;
        return &items[low];
    }
};

inline Regions regions;

inline void* lazily_zero(size_t bytes) {
    void* memory =
        mmap(nullptr, bytes ? bytes : 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        fprintf(stderr, "not enough address space to watch %zu bytes\n", bytes);
        _exit(70);
    }
    return memory;
}
