// One launch in a process of its own, as Python writes it to a file: this header, the descriptions, then the data.
#pragma once
#include <stdint.h>

enum JobMode : uint32_t { job_run = 0, job_check = 1 };

struct Job {
    uint32_t mode;
    uint32_t grid[3], size[3];
    uint32_t dynamic_bytes;
    int32_t workers;
    uint32_t seed;
    uint32_t passes;        // of a check: forward, reverse, random, random with another seed ...
    uint32_t milliseconds;  // for all of it
    uint32_t arguments, buffers, variables;
    uint32_t unused;
};

struct JobArgument {
    int32_t buffer;   // which buffer it points into; -1: a value
    uint32_t bytes;   // of the value
    uint64_t offset;  // in the buffer, or of the value in the file
};

struct JobBuffer {
    uint64_t offset, bytes;  // in the file
    uint32_t misalignment;   // of the first byte, from a multiple of 64
    char name[60];
};

struct JobVariable {
    uint64_t offset, bytes;
    char name[112];
};
