// __shared__: the loader rewrites each declaration `__shared__ float a[16][17];` to
//     typedef float a_type[16][17];  a_type& a = *host::shared<a_type>(slot);
// so that every block has its own copy in memory that the runner lays out, poisons and, in a check, guards.
#pragma once
#include "thread.hpp"

namespace host {

template <class T>
COURSE_UNWATCHED inline T* shared(SharedSlot& slot) {
    int32_t offset = __atomic_load_n(&slot.offset, __ATOMIC_RELAXED);
    if (offset < 0) offset = host_place_shared(&slot);
    return reinterpret_cast<T*>(COURSE_BLOCK.shared + offset);
}

template <class T>
COURSE_UNWATCHED inline T* dynamic_shared() {
    return reinterpret_cast<T*>(COURSE_BLOCK.dynamic_shared);
}

}  // namespace host

#define COURSE_SHARED(type, name)                                                                             \
    static ::host::SharedSlot COURSE_SLOT_##name = {sizeof(type), alignof(type), #name, __LINE__, -1};        \
    type& name = *::host::shared<type>(COURSE_SLOT_##name)
#define COURSE_DYNAMIC_SHARED(type, name) type& name = *::host::dynamic_shared<type>()

// A declaration that the loader could not rewrite (inside a macro, say): one copy per OS thread does as well, since
// an OS thread runs one block at a time; only the checks know nothing of it.
#define __shared__ static thread_local
