// What to say when no thread of a block can go on.
#pragma once
#include <stdio.h>
#include <string.h>

#include "block.hpp"

inline void describe_stuck(Block* block, char* text, size_t bytes) {
    // one thread for each thing that is waited for, at most three
    const Thread* shown[3];
    int kinds = 0;
    for (int k = 0; k < block->thread_count && kinds < 3; ++k) {
        const Thread& thread = block->threads[k];
        if (thread.state == finished) continue;
        bool seen = false;
        for (int j = 0; j < kinds; ++j) seen |= !strcmp(shown[j]->waits_for, thread.waits_for);
        if (!seen) shown[kinds++] = &thread;
    }
    int used = snprintf(text, bytes,
                        "the threads of block (%u, %u, %u) wait for each other and none can go on:", block->index.x,
                        block->index.y, block->index.z);
    for (int k = 0; k < kinds && used < int(bytes); ++k)
        used += snprintf(text + used, bytes - used, "%s thread (%u, %u, %u) is at %s", k ? "," : "", shown[k]->index.x,
                         shown[k]->index.y, shown[k]->index.z, shown[k]->waits_for);
    const int returned = block->thread_count - block->alive;
    if (returned && used < int(bytes))
        snprintf(text + used, bytes - used, "; %d of %d threads have returned", returned, block->thread_count);
}
