// CUDA's header of this name, for the host: blocks, tiles of a warp, and the threads that run together.
#pragma once
#include "../barrier.hpp"
#include "../warp.hpp"

namespace cooperative_groups {

// Any group: some threads of a block that can wait for each other. A tile lies inside one warp.
class thread_group {
  public:
    unsigned size() const { return members; }
    unsigned num_threads() const { return members; }
    unsigned thread_rank() const { return rank; }
    void sync() const {
        if (whole_block) __syncthreads();
        else __syncwarp(mask);
    }

  protected:
    thread_group(bool block, unsigned lanes, unsigned my_rank, unsigned count)
        : whole_block(block), mask(lanes), rank(my_rank), members(count) {}
    bool whole_block;
    unsigned mask, rank, members;
    friend thread_group tiled_partition(const thread_group& parent, unsigned tile_size);
};

class thread_block : public thread_group {
  public:
    static uint3 thread_index() { return threadIdx; }
    static uint3 group_index() { return blockIdx; }
    static dim3 group_dim() { return blockDim; }
    static dim3 dim_threads() { return blockDim; }
    static unsigned block_threads() { return blockDim.x * blockDim.y * blockDim.z; }

  private:
    thread_block() : thread_group(true, 0xffffffffu, host::linear_thread(), block_threads()) {}
    friend thread_block this_thread_block();
};

inline thread_block this_thread_block() { return thread_block(); }

// What tiles and coalesced groups share: exchanges among the lanes of `mask`.
class warp_group : public thread_group {
  public:
    template <class T>
    T shfl(T value, unsigned source) const {
        return __shfl_sync(mask, value, int(lane_of(source)));
    }
    int any(int predicate) const { return __any_sync(mask, predicate); }
    int all(int predicate) const { return __all_sync(mask, predicate); }
    unsigned ballot(int predicate) const { return compact(__ballot_sync(mask, predicate)); }
    template <class T>
    unsigned match_any(T value) const {
        return compact(__match_any_sync(mask, value));
    }
    template <class T>
    unsigned match_all(T value, int& all_equal) const {
        return compact(__match_all_sync(mask, value, &all_equal));
    }

    // The lane of the warp that has a rank in this group, and a warp's ballot as one over ranks.
    unsigned lane_of(unsigned wanted) const {
        unsigned left = mask;
        for (unsigned k = 0; k < wanted; ++k) left &= left - 1;
        return unsigned(__builtin_ctz(left));
    }
    unsigned compact(unsigned lanes) const {
        unsigned result = 0, position = 0;
        for (unsigned left = mask; left; left &= left - 1) result |= (lanes >> __builtin_ctz(left) & 1) << position++;
        return result;
    }
    unsigned lanes() const { return mask; }

  protected:
    warp_group(unsigned lane_mask, unsigned my_rank, unsigned count) : thread_group(false, lane_mask, my_rank, count) {}
};

template <unsigned tile_size, class Parent = thread_block>
class thread_block_tile : public warp_group {
    static_assert(tile_size >= 1 && tile_size <= 32 && (tile_size & (tile_size - 1)) == 0,
                  "a tile has 1, 2, 4, 8, 16 or 32 threads");

  public:
    explicit thread_block_tile(unsigned rank_in_parent, unsigned parent_size)
        : warp_group(lanes_of(host::linear_thread() % 32), host::linear_thread() % tile_size, tile_size),
          tile(rank_in_parent / tile_size),
          tiles((parent_size + tile_size - 1) / tile_size) {}
    static constexpr unsigned size() { return tile_size; }
    static constexpr unsigned num_threads() { return tile_size; }
    unsigned meta_group_rank() const { return tile; }
    unsigned meta_group_size() const { return tiles; }

    template <class T>
    T shfl(T value, int source) const {
        return __shfl_sync(mask, value, source, int(tile_size));
    }
    template <class T>
    T shfl_up(T value, unsigned delta) const {
        return __shfl_up_sync(mask, value, delta, int(tile_size));
    }
    template <class T>
    T shfl_down(T value, unsigned delta) const {
        return __shfl_down_sync(mask, value, delta, int(tile_size));
    }
    template <class T>
    T shfl_xor(T value, unsigned lane_mask) const {
        return __shfl_xor_sync(mask, value, int(lane_mask), int(tile_size));
    }

  private:
    static unsigned lanes_of(unsigned lane) {
        return tile_size == 32 ? 0xffffffffu : ((1u << (tile_size % 32)) - 1) << (lane / tile_size * tile_size);
    }
    unsigned tile, tiles;
};

template <unsigned tile_size>
inline thread_block_tile<tile_size> tiled_partition(const thread_block& parent) {
    return thread_block_tile<tile_size>(parent.thread_rank(), parent.size());
}
template <unsigned tile_size, unsigned parent_size, class Parent>
inline thread_block_tile<tile_size, thread_block_tile<parent_size, Parent>> tiled_partition(
    const thread_block_tile<parent_size, Parent>& parent) {
    static_assert(tile_size <= parent_size, "a tile is no larger than what it is cut from");
    return thread_block_tile<tile_size, thread_block_tile<parent_size, Parent>>(parent.thread_rank(), parent_size);
}
inline thread_group tiled_partition(const thread_group& parent, unsigned tile_size) {
    const unsigned lane = host::linear_thread() % 32;
    const unsigned tile = tile_size >= 32 ? 0xffffffffu : ((1u << tile_size) - 1) << (lane / tile_size * tile_size);
    return thread_group(false, tile & parent.mask, lane % tile_size, tile_size);
}

class coalesced_group : public warp_group {
  public:
    unsigned meta_group_rank() const { return 0; }
    unsigned meta_group_size() const { return 1; }
    template <class T>
    T shfl_up(T value, unsigned delta) const {
        return shfl(value, rank >= delta ? rank - delta : rank);
    }
    template <class T>
    T shfl_down(T value, unsigned delta) const {
        return shfl(value, rank + delta < members ? rank + delta : rank);
    }

  private:
    explicit coalesced_group(unsigned active)
        : warp_group(active, unsigned(__builtin_popcount(active & ((1u << host::linear_thread() % 32) - 1))),
                     unsigned(__builtin_popcount(active))) {}
    friend coalesced_group coalesced_threads();
};

inline coalesced_group coalesced_threads() { return coalesced_group(__activemask()); }

// The whole grid: its size and ranks. Its sync() would need all blocks at once; here they run one after another.
class grid_group {
  public:
    static unsigned long long block_count() { return (unsigned long long)(gridDim.x) * gridDim.y * gridDim.z; }
    static unsigned long long size() { return block_count() * thread_block::block_threads(); }
    static unsigned long long num_threads() { return size(); }
    static unsigned long long num_blocks() { return block_count(); }
    static unsigned long long block_rank() {
        return blockIdx.x +
               (unsigned long long)(gridDim.x) * (blockIdx.y + (unsigned long long)(gridDim.y) * blockIdx.z);
    }
    static unsigned long long thread_rank() {
        return block_rank() * thread_block::block_threads() + host::linear_thread();
    }
    static dim3 group_dim() { return gridDim; }
    static bool is_valid() { return block_count() == 1; }
    static void sync() {
        if (block_count() > 1)
            host_fail("grid.sync() with more than one block: split the kernel in two launches", "cooperative_groups.h",
                      0);
        __syncthreads();
    }
};
inline grid_group this_grid() { return grid_group(); }

template <class Group>
inline void sync(const Group& group) {
    group.sync();
}

template <class T>
struct plus {
    T operator()(T a, T b) const { return a + b; }
};
template <class T>
struct less {
    T operator()(T a, T b) const { return b < a ? b : a; }
};
template <class T>
struct greater {
    T operator()(T a, T b) const { return a < b ? b : a; }
};
template <class T>
struct bit_and {
    T operator()(T a, T b) const { return a & b; }
};
template <class T>
struct bit_or {
    T operator()(T a, T b) const { return a | b; }
};
template <class T>
struct bit_xor {
    T operator()(T a, T b) const { return a ^ b; }
};

// A butterfly over ranks for whole tiles; one lane after another where ranks have gaps.
template <unsigned tile_size, class Parent, class T, class Op>
inline T reduce(const thread_block_tile<tile_size, Parent>& group, T value, Op op) {
    for (unsigned step = tile_size / 2; step; step /= 2) value = op(value, group.shfl_xor(value, step));
    return value;
}
template <class T, class Op>
inline T reduce(const coalesced_group& group, T value, Op op) {
    T total = group.shfl(value, 0);
    for (unsigned k = 1; k < group.size(); ++k) total = op(total, group.shfl(value, k));
    return total;
}

template <class Group, class T, class Op>
inline T inclusive_scan(const Group& group, T value, Op op) {
    for (unsigned step = 1; step < group.size(); step *= 2) {
        const T before = group.shfl_up(value, step);
        if (group.thread_rank() >= step) value = op(before, value);
    }
    return value;
}
template <class Group, class T>
inline T inclusive_scan(const Group& group, T value) {
    return inclusive_scan(group, value, plus<T>());
}
template <class Group, class T, class Op>
inline T exclusive_scan(const Group& group, T value, Op op) {
    const T before = group.shfl_up(inclusive_scan(group, value, op), 1);
    return group.thread_rank() ? before : T();
}
template <class Group, class T>
inline T exclusive_scan(const Group& group, T value) {
    return exclusive_scan(group, value, plus<T>());
}

}  // namespace cooperative_groups
