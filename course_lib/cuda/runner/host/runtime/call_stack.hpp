// Where a thread is: call stacks as small numbers. A stack is its innermost address plus the stack that called it, so
// equal stacks get equal numbers, and two accesses can be told apart by comparing two integers.
#pragma once
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct StackNode {
    uintptr_t address;
    uint32_t parent;
};

struct CallStacks {
    static constexpr uint32_t capacity = 1 << 20;
    StackNode* nodes;  // number 0 is the empty stack
    uint32_t* table;   // open addressing, 0 is free
    uint32_t count;

    void prepare() {
        nodes = static_cast<StackNode*>(calloc(capacity, sizeof(StackNode)));
        table = static_cast<uint32_t*>(calloc(2 * capacity, sizeof(uint32_t)));
        count = 1;
    }
    uint32_t number(uint32_t parent, uintptr_t address) {
        uint64_t hash = (address ^ (uint64_t(parent) << 32)) * 0x9e3779b97f4a7c15u;
        for (uint32_t at = uint32_t(hash >> 43);; at = (at + 1) % (2 * capacity)) {
            const uint32_t found = table[at];
            if (!found) {
                if (count == capacity) return parent;  // more stacks than fit: the caller stands for its callees
                nodes[count] = {address, parent};
                table[at] = count;
                return count++;
            }
            if (nodes[found].address == address && nodes[found].parent == parent) return found;
        }
    }
};

inline CallStacks call_stacks;
