// Warp shuffles, votes, matches and reductions: every lane named in the mask brings a value, all leave together.
#pragma once
#include <string.h>

#include "thread.hpp"

namespace host {

template <class T>
inline uint64_t to_bits(const T& value) {
    static_assert(sizeof(T) <= 8, "warp functions exchange values of at most 8 bytes");
    uint64_t bits = 0;
    memcpy(&bits, &value, sizeof(T));
    return bits;
}

template <class T>
inline T from_bits(uint64_t bits) {
    T value;
    memcpy(&value, &bits, sizeof(T));
    return value;
}

template <class T>
inline T shuffle(unsigned mask, ShuffleKind kind, const T& value, int operand, int width, const char* name) {
    return from_bits<T>(host_shuffle(mask, kind, to_bits(value), operand, width, name));
}

}  // namespace host

template <class T>
inline T __shfl_sync(unsigned mask, T value, int source_lane, int width = 32) {
    return host::shuffle(mask, host::shuffle_index, value, source_lane, width, "__shfl_sync");
}
template <class T>
inline T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32) {
    return host::shuffle(mask, host::shuffle_up, value, int(delta), width, "__shfl_up_sync");
}
template <class T>
inline T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32) {
    return host::shuffle(mask, host::shuffle_down, value, int(delta), width, "__shfl_down_sync");
}
template <class T>
inline T __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = 32) {
    return host::shuffle(mask, host::shuffle_xor, value, lane_mask, width, "__shfl_xor_sync");
}

inline int __all_sync(unsigned mask, int predicate) { return int(host_vote(mask, host::vote_all, predicate)); }
inline int __any_sync(unsigned mask, int predicate) { return int(host_vote(mask, host::vote_any, predicate)); }
inline unsigned __ballot_sync(unsigned mask, int predicate) { return host_vote(mask, host::vote_ballot, predicate); }
inline unsigned __activemask() { return host_activemask(); }

template <class T>
inline unsigned __match_any_sync(unsigned mask, T value) {
    return host_match_any(mask, host::to_bits(value));
}
template <class T>
inline unsigned __match_all_sync(unsigned mask, T value, int* all_equal) {
    return host_match_all(mask, host::to_bits(value), all_equal);
}

inline int __reduce_add_sync(unsigned mask, int v) { return int(host_reduce(mask, host::reduce_add, v)); }
inline int __reduce_min_sync(unsigned mask, int v) { return int(host_reduce(mask, host::reduce_min, v)); }
inline int __reduce_max_sync(unsigned mask, int v) { return int(host_reduce(mask, host::reduce_max, v)); }
inline unsigned __reduce_add_sync(unsigned mask, unsigned v) { return unsigned(host_reduce(mask, host::reduce_add, v)); }
inline unsigned __reduce_min_sync(unsigned mask, unsigned v) { return unsigned(host_reduce(mask, host::reduce_min, v)); }
inline unsigned __reduce_max_sync(unsigned mask, unsigned v) { return unsigned(host_reduce(mask, host::reduce_max, v)); }
inline unsigned __reduce_and_sync(unsigned mask, unsigned v) { return unsigned(host_reduce(mask, host::reduce_and, v)); }
inline unsigned __reduce_or_sync(unsigned mask, unsigned v) { return unsigned(host_reduce(mask, host::reduce_or, v)); }
inline unsigned __reduce_xor_sync(unsigned mask, unsigned v) { return unsigned(host_reduce(mask, host::reduce_xor, v)); }
