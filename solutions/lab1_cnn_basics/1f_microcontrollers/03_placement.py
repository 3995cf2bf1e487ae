# %% [markdown]
# ## 3. Where does everything go?
#
# A microcontroller program should not ask for memory while it runs: a heap fragments, and a network that worked for
# a week can fail the next day. Since shapes are known before anything runs, every tensor can get a fixed place in one
# block, the **arena**, in advance: an offset $o_t$ such that tensors alive at a common step do not overlap,
#
# $$[a_t, b_t] \cap [a_u, b_u] \ne \emptyset \;\Rightarrow\; o_t + s_t \le o_u \ \text{ or } \ o_u + s_u \le o_t,$$
#
# and the arena, $\max_t (o_t + s_t)$, is small. Picture rectangles, as wide as a tensor's life and as high as
# its size, that may slide up and down but not sideways. The peak of section 2 is a lower bound that cannot always be
# reached, and finding the best placement is NP-hard.
#
# A simple rule does well: **the largest first, each as low as it fits** (after Pisarchyk and Lee, 2020, who take the
# smallest gap that fits). Take the buffers in order of size; put each at the lowest offset where it overlaps none of
# those already placed that share a step with it. That may be a gap between two of them.
#
# **By hand.** Buffers A (6 bytes, steps 0 to 1), B (4, steps 1 to 2), C (3, steps 2 to 3) and D (2, steps 0 to 2).
#
# | buffer | neighbours placed | offset |
# |---|---|---|
# | A | | 0 |
# | B | A at 0..5 | 6 |
# | C | B at 6..9 | 0, below B: A is gone |
# | D | A at 0..5, B at 6..9, C at 0..2 | 10 |
#
# The arena has 12 bytes, and at step 1 all 12 are in use: nothing smaller is possible.
#
# ### Exercise: place_buffers


# %% exercise="buffer_placement" topics="mcu_memory"
def place_buffers(sizes: list[int], first: list[int], last: list[int]) -> list[int]:
    """Offsets in one arena: the largest buffer first, each as low as it fits.

    sizes        bytes of each buffer.
    first, last  the steps at which it is in use, both included: buffers with last[i] == first[j] must not overlap.

    Of buffers of one size, the one with the smaller number comes first. Returns one offset for each buffer, in bytes, in
    the order in which the buffers were given.
    """
    ### BEGIN SOLUTION
    offsets: dict[int, int] = {}
    for number in sorted(range(len(sizes)), key=lambda number: -sizes[number]):
        taken = sorted(
            (offsets[other], offsets[other] + sizes[other])
            for other in offsets
            if first[other] <= last[number] and first[number] <= last[other]
        )
        offset = 0
        for start, stop in taken:
            if offset + sizes[number] <= start:
                break
            offset = max(offset, stop)
        offsets[number] = offset
    return [offsets[number] for number in range(len(sizes))]
    ### END SOLUTION


# %% check="buffer_placement" points=5
with checking.check("place_buffers"):
    checking.equal(
        place_buffers([6, 4, 3, 2], [0, 1, 2, 0], [1, 2, 3, 2]),
        [0, 6, 0, 10],
        "place_buffers of A, B, C, D",
        hint="only buffers that share a step are in each other's way; C goes below B, D above A and B",
    )
    checking.equal(
        place_buffers([2, 6, 4], [0, 0, 0], [0, 0, 0]),
        [10, 0, 6],
        "place_buffers([2, 6, 4], ...), all at one step",
        hint="the largest first; the answer is in the order in which the buffers were given",
    )
    checking.equal(
        place_buffers([3, 3], [0, 2], [2, 4]),
        [0, 3],
        "place_buffers([3, 3], [0, 2], [2, 4])",
        hint="both are in use at step 2; of buffers of one size the first one given comes first",
    )
    checking.equal(
        place_buffers([10, 8, 6, 4], [0, 1, 2, 2], [1, 2, 3, 3]),
        [0, 10, 0, 6],
        "place_buffers([10, 8, 6, 4], [0, 1, 2, 2], [1, 2, 3, 3])",
        hint="the last buffer fits exactly into the gap at 6..9",
    )
    checking.equal(
        place_buffers([10, 8, 6, 5], [0, 1, 2, 2], [1, 2, 3, 3]),
        [0, 10, 0, 18],
        "place_buffers([10, 8, 6, 5], [0, 1, 2, 2], [1, 2, 3, 3])",
        hint="the gap has 4 bytes, the last buffer 5",
    )
    checking.equal(
        place_buffers([10, 4, 3, 2], [0, 2, 2, 0], [1, 3, 3, 3]),
        [0, 0, 4, 10],
        "place_buffers([10, 4, 3, 2], [0, 2, 2, 0], [1, 3, 3, 3])",
        hint="the last buffer meets 0..9 early and 0..3, 4..6 later: behind the lower ones the highest still counts",
    )

# %% [markdown]
# How good is the rule? Compare it with a simpler one, which stacks the buffers in the order in which they are first
# used and fills no gap, with the library's planner, which searches (`mcu.arrange`), and with the lower bound: on
# random buffers, and on MobileNetV2, drawn on the right.

# %% experiment="placement_quality" topics="mcu_memory"
draw = np.random.default_rng(nb.seed)


def in_order_of_use(sizes: list[int], first: list[int], last: list[int]) -> list[int]:
    """Every buffer on top of those placed that share a step with it: no gap is used."""
    skyline, offsets = np.zeros(max(last) + 1, int), {}
    for number in sorted(range(len(sizes)), key=lambda number: first[number]):
        life = slice(first[number], last[number] + 1)
        offsets[number] = int(skyline[life].max())
        skyline[life] = offsets[number] + sizes[number]
    return [offsets[number] for number in range(len(sizes))]


def ratios(count: int) -> list[float]:
    """Arena over lower bound for random buffers: order of use, largest first, search."""
    first = draw.integers(0, count, count)
    last = first + draw.geometric(0.35, count) - 1
    sizes = (2 ** draw.uniform(0, 6, count)).astype(int)
    buffers = [
        mcu.Buffer.steady(f"{i}", int(s), int(a), int(b))
        for i, (s, a, b) in enumerate(zip(sizes, first, last, strict=True))
    ]
    bound = max(sum(s for s, a, b in zip(sizes, first, last, strict=True) if a <= step <= b) for step in range(count))
    arguments = sizes.tolist(), first.tolist(), last.tolist()
    arenas = [max(np.add(place(*arguments), sizes)) for place in (in_order_of_use, place_buffers)]
    return [arena / bound for arena in (*arenas, mcu.arrange(buffers, most_nodes=2000).size)]


measured = np.array([ratios(20) for _ in range(nb.pick(fast=60, full=500))])
plan = mcu.Schedule(mcu.describe_mobilenet_v2(), in_place=False)
sizes = [max(buffer.sizes) for buffer in plan.buffers]
first, last = [buffer.first for buffer in plan.buffers], [buffer.last for buffer in plan.buffers]
offsets = place_buffers(sizes, first, last)
arena = max(np.add(offsets, sizes))

figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 3.6), width_ratios=[1, 1.5])
left.boxplot(measured, tick_labels=["order\nof use", "largest\nfirst", "search"], whis=(0, 100))
left.set(title=f"{len(measured)} sets of 20 random buffers", ylabel="arena over lower bound")
colours = plt.cm.tab20(np.arange(len(sizes)) % 20)
for number, colour in enumerate(colours):
    box = (first[number] + 0.5, offsets[number] / KIB), last[number] - first[number] + 1, sizes[number] / KIB
    right.add_patch(plt.Rectangle(*box, facecolor=colour, edgecolor="white", linewidth=0.3))
right.axhline(plan.peak() / KIB, color="#D55E00", linestyle="--", label=f"lower bound, {plan.peak() / KIB:,.0f} KiB")
right.set(
    title=f"MobileNetV2, largest first: arena of {arena / KIB:,.0f} KiB",
    xlabel="layer",
    ylabel="place in the arena, KiB",
    xlim=(0, 65),
    ylim=(0, 1.15 * arena / KIB),
)
right.legend()
plt.show()
for name, column in zip(("order of use", "largest first", "search"), measured.T, strict=True):
    print(f"{name:14} mean {column.mean():.3f}, worst {column.max():.3f}, optimal in {np.mean(column == 1):.0%}")
record("largest_first_over_bound", measured[:, 1].mean(), low=1, high=1.12)
record("search_over_bound", measured[:, 2].mean(), low=1, high=1.03)
record("mobilenet_arena_over_bound", arena / plan.peak(), low=1, high=1)

# %% [markdown]
# For MobileNetV2, a chain with short cuts, the lower bound is met: the arena is no problem any more, the peak is. (The
# rule can miss the bound even on a plain chain: try tensors of 10, 5, 6 and 10 bytes.) To lower the peak, layers must
# be computed differently.
