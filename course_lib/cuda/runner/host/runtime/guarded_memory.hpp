// A kernel's arrays in a check: each far from everything else, with a mapped guard on both sides.
#pragma once
#include "job.hpp"
#include "watch.hpp"

constexpr size_t mapped_guard = 64 * 1024;

inline Region* watch_region(Region region) {
    region.words = static_cast<Cell*>(lazily_zero((region.bytes / 4 + 1) * sizeof(Cell)));
    region.single_bytes = static_cast<Cell*>(lazily_zero((region.bytes + split_bytes) * sizeof(Cell)));
    region.split = static_cast<uint8_t*>(lazily_zero(region.bytes / split_bytes + 1));
    return regions.add(region);
}

// Everything that was seen is forgotten: the pages become zero again.
inline void forget_accesses() {
    for (int k = 0; k < regions.count; ++k) {
        const Region& region = regions.items[k];
        madvise(region.words, (region.bytes / 4 + 1) * sizeof(Cell), MADV_DONTNEED);
        madvise(region.single_bytes, (region.bytes + split_bytes) * sizeof(Cell), MADV_DONTNEED);
        madvise(region.split, region.bytes / split_bytes + 1, MADV_DONTNEED);
    }
    history.forget();
}

// Address space that nothing else will be mapped into: an index that overflows 32 bits still lands in it.
inline char* place_buffer(const JobBuffer& buffer) {
    const size_t page = 65536;
    const size_t body = (buffer.bytes + buffer.misalignment + page - 1) / page * page + 2 * mapped_guard;
    for (size_t reach = size_t(8) << 30; reach >= page; reach /= 8) {
        const size_t total = body + 2 * (reach / page * page);
        void* memory = mmap(nullptr, total, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED) continue;
        char* low = static_cast<char*>(memory);
        char* mapped = low + reach / page * page;
        if (mprotect(mapped, body, PROT_READ | PROT_WRITE)) return nullptr;
        memset(mapped, 0xff, body);
        char* base = mapped + mapped_guard + buffer.misalignment;
        watch_region({base, buffer.bytes, low, low + total, mapped, mapped + body, buffer.name, 0, region_argument,
                      nullptr, nullptr, nullptr});
        return base;
    }
    return nullptr;
}
