# ---
# course:
#   title: Networks on microcontrollers
#   minutes: 150
#   summary: Fit a network into kilobytes. Plan its memory, write over what is no longer needed, compute in patches, generate C.
# ---

# %% [markdown]
# # Networks on microcontrollers
#
# A microcontroller costs a few euros, runs for months on a battery and sits in every thermostat, meter and
# toy. Its memory is measured in kilobytes: a ten-thousandth of a phone's or less, and a millionth of a server's. What stops a
# network there is seldom arithmetic. It is that two feature maps do not fit in memory at the same time.
#
# **You will be able to**
# - say what a network needs of SRAM and of flash, layer by layer, and which layer decides,
# - give every tensor a place in one block of memory, so that tensors in use never overlap,
# - compute a depthwise convolution in the memory of its input, and the first layers of a network patch by patch,
# - turn a trained network into C code of whole numbers that gives the same answers, and measure what it takes.
#
# **Time** about two and a half hours. **Needs** a laptop. The measured parts compile C; without a compiler they
# say so and the rest goes on. No board is needed: the generated C runs on your computer, and its memory is
# measured there byte by byte.
#
# **How it works.** In each exercise, replace `raise NotImplementedError(...)` by your code and run the check
# below it. Every section needs only the set-up cell and its own cells. One KiB is 1024 bytes.

# %% tags=["parameters"]
profile = "fast"
device = "auto"
seed = 0

# %% tags=["setup"]
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib import checking, data, explore, measure, microcontroller as mcu, native, notebook, record, training

nb = notebook.start("1f_microcontrollers", profile=profile, device=device, seed=seed)
cpu = notebook.describe_hardware("cpu")
torch.set_num_threads(1)
KIB = 1024


def quickest(calls: dict, rounds: int = 60) -> dict:
    """Seconds of the least disturbed run of each call, all calls in turn: other programs only ever make a run slower."""
    best = dict.fromkeys(calls, float("inf"))
    for _ in range(rounds):
        for name, call in calls.items():
            best[name] = min(best[name], measure.latency(call, warmup=1, runs=1).median)
    return best


def random_int8(network: mcu.Network) -> tuple[mcu.Int8Network, np.ndarray]:
    """An untrained network in whole numbers and eight random images: enough to measure bytes and time."""
    torch.manual_seed(nb.seed)
    height, width, channels = network.input_shape
    images = torch.rand(8, channels, height, width)
    rounded = mcu.to_int8(mcu.FloatNetwork(network), images)
    return rounded, rounded.image_to_int8(images.numpy())


# %% [markdown]
# ## 1. Two memories, both small
#
# | | data while it runs | program and weights |
# |---|---|---|
# | data-centre GPU | 80 GB and more of HBM | disk |
# | phone | some GB of DRAM | flash of 100 GB and more |
# | STM32F746, a large microcontroller | 320 KiB of SRAM | 1 MiB of flash |
# | micro:bit's first chip, nRF51822 | 16 KiB of SRAM | 256 KiB of flash |
#
# A microcontroller has no DRAM and usually no operating system. **Flash** keeps its content without power; a
# program reads it but does not write it while it runs. **SRAM** can be written, and everything that changes lives
# there: tensors, stack, variables. Larger cores put a cache of a few KiB in front of both. So a network has two
# budgets that cannot be traded:
#
# - weights, biases and scales must fit in *flash*: their sum over all layers counts,
# - tensors must fit in *SRAM*: not their sum counts, but what must be kept at the worst moment, the **peak**.
#
# With int8, a weight and an activation each take one byte. Does MobileNetV2, a network made for phones, fit?

# %% experiment="what_fits" topics="mcu_memory"
plans = {
    (width, resolution): mcu.Schedule(mcu.describe_mobilenet_v2(resolution, width), in_place=False)
    for width in (0.35, 1.0)
    for resolution in (96, 160, 224)
}
figure, axes = plt.subplots(figsize=(7.4, 4.2))
for board, colour in zip(reversed(mcu.BOARDS[2:]), ("#d6ebf7", "#f7e3b8", "#bfe3d4", "#eccfdf"), strict=True):
    label = f"{board.name}: {board.sram // KIB} and {board.flash // KIB} KiB"
    axes.fill_between([300, board.flash / KIB], 60, board.sram / KIB, facecolor=colour, edgecolor="0.5", label=label)
for (width, resolution), plan in plans.items():
    flash, sram = plan.network.flash_bytes() / KIB, plan.peak() / KIB
    axes.plot(flash, sram, "o", color="black")
    axes.annotate(f"{width:g} at {resolution}", (flash, sram), (6, -3), textcoords="offset points", fontsize=8)
axes.set(
    title="MobileNetV2 (width at resolution) in int8: does it lie inside a board?",
    xlabel="constants, KiB (boards: flash)",
    ylabel="peak of the tensors, KiB (boards: SRAM)",
    xscale="log",
    yscale="log",
    xlim=(300, 6000),
    ylim=(60, 2000),
    xticks=[512, 1024, 2048, 4096],
    yticks=[64, 128, 256, 512, 1024],
)
axes.xaxis.set_major_formatter("{x:g}")
axes.yaxis.set_major_formatter("{x:g}")
axes.minorticks_off()
axes.legend(fontsize=8, loc="upper left")
plt.show()
for board in mcu.BOARDS:
    fitting = [f"{width:g} at {side}" for (width, side), plan in plans.items() if mcu.fit_on(board, plan).fits]
    print(f"{board.name:12} {board.core:10} {board.megahertz:3} MHz: {', '.join(fitting) or 'none'}")
head = plans[0.35, 96].network.flash_bytes(len(plans[0.35, 96].network.layers) - 1)
print(f"of the flash, the last layer (1000 classes) takes {head / KIB:,.0f} KiB")
record("boards_of_the_full_network", sum(mcu.fit_on(board, plans[1.0, 224]).fits for board in mcu.BOARDS), high=0)

# %% [markdown]
# Width acts on both memories. Resolution acts on SRAM alone, and with the square: a convolution's weights do not
# know how large the image is. The full network misses every board in both directions. Flash is a matter of
# fewer or smaller weights (and of fewer classes), which later labs are about; this notebook is about SRAM.

# %% [markdown]
# ## 2. Who is alive?
#
# A tensor is **alive** from the step that makes it to the last step that reads it. While layer $i$ runs, memory
# must hold everything that is alive then: what the layer reads, what it writes, and what waits for a later layer.
#
# Number the tensors: 0 is the image, and layer $i$ (from 0) makes tensor $i + 1$. With $s_t$ the bytes of tensor
# $t$, and $a_t \dots b_t$ the steps at which it is alive,
#
# $$m_i = \sum_{t\,:\,a_t \le i \le b_t} s_t, \qquad \text{peak} = \max_i m_i .$$
#
# **By hand.** A residual block: layer 0 turns the image (4 bytes) into tensor 1 (2 bytes), layer 1 expands it to
# tensor 2 (6), layer 2 shrinks that to tensor 3 (2), and layer 3 adds tensors 1 and 3 to tensor 4 (2).
#
# | step | alive | bytes |
# |---|---|---|
# | 0 | 0, 1 | 4 + 2 = 6 |
# | 1 | 1, 2 | 2 + 6 = 8 |
# | 2 | 1 (waits for the addition), 2, 3 | 2 + 6 + 2 = 10 |
# | 3 | 1, 3, 4 | 2 + 2 + 2 = 6 |
#
# The shortcut costs 2 bytes at the worst moment. All tensors together would take 16.
#
# ### Exercise: bytes_alive


# %% exercise="tensor_lifetimes" topics="mcu_memory"
def bytes_alive(sizes: list[int], reads: list[list[int]]) -> list[int]:
    """Bytes that memory must hold while each layer runs.

    sizes  bytes of each tensor. Tensor 0 is the image; layer i (from 0) makes tensor i + 1.
    reads  for each layer, the numbers of the tensors that it reads; a number may stand there twice.

    The image is there from step 0 on. A tensor is freed after the last layer that reads it. A tensor that nobody reads
    is there only at the step that makes it (the image: at step 0), but the last tensor is the result and stays.

    Returns one number for each layer.
    """
    ### BEGIN SOLUTION
    steps = len(reads)
    alive = [0] * steps
    for tensor, size in enumerate(sizes):
        first = max(tensor - 1, 0)
        last = max((step for step in range(steps) if tensor in reads[step]), default=first)
        for step in range(first, last + 1):
            alive[step] += size
    return alive
    ### END SOLUTION


# %% check="tensor_lifetimes" points=3
with checking.check("bytes_alive"):
    checking.equal(
        bytes_alive([4, 2, 6, 2, 2], [[0], [1], [2], [1, 3]]),
        [6, 8, 10, 6],
        "bytes_alive of the residual block",
        hint="tensor 1 waits for layer 3, so it counts at steps 0 to 3; the output of a layer counts while it is written",
    )
    checking.equal(
        bytes_alive([5, 3, 7], [[0], [1]]), [8, 10], "bytes_alive of a chain", hint="the image is free after step 0"
    )
    checking.equal(
        bytes_alive([5, 3, 7, 1], [[0], [1], [0, 2]]),
        [8, 15, 13],
        "bytes_alive of a network whose last layer reads the image again",
        hint="freed after the last reader, not the first",
    )
    checking.equal(
        bytes_alive([5, 3, 4, 3], [[0], [0], [1, 1]]),
        [8, 12, 6],
        "bytes_alive when tensor 1 is read twice by one layer and tensor 2 by nobody",
        hint="a tensor is in memory once, however often it is read; tensor 2 exists while layer 1 writes it, then no more",
    )
    checking.equal(
        bytes_alive([8, 2, 2], [[0], [0]]),
        [10, 10],
        "bytes_alive when tensor 1 is never read",
        hint="it takes 2 bytes at step 0 only",
    )

# %% [markdown]
# Apply it to MobileNetV2 at 224 x 224, all tensors in int8.

# %% experiment="imbalanced_memory" topics="mcu_memory"
network = mcu.describe_mobilenet_v2()
alive = np.array(bytes_alive(list(network.sizes), [list(layer.inputs) for layer in network.layers]))
weights = np.array([network.flash_bytes(number) for number in range(len(network.layers))])
figure, (top, bottom) = plt.subplots(2, 1, figsize=(8.4, 4.4), sharex=True)
steps = np.arange(1, len(alive) + 1)
top.bar(steps, alive / KIB, 0.8)
top.axhline(320, color="#D55E00", linestyle="--", label="SRAM of the STM32F746")
top.set(title="MobileNetV2 at 224 x 224, int8: memory in use at each layer", ylabel="tensors alive, KiB")
top.legend()
bottom.bar(steps, weights / KIB, 0.8, color="#009E73")
bottom.set(title="constants of each layer", xlabel="layer", ylabel="flash, KiB")
plt.show()
early = int((alive > 320 * KIB).nonzero()[0].max()) + 1
print(f"peak {alive.max() / KIB:,.0f} KiB at layer {alive.argmax() + 1}; all layers after {early} stay below 320 KiB")
print(f"all tensors together: {sum(network.sizes) / KIB:,.0f} KiB")
record("peak_over_rest", alive.max() / alive[early:].max(), low=4, high=6)
record("peak_bytes", alive.max(), low=1470 * KIB, high=1470 * KIB)

# %% [markdown]
# Memory sits early, weights sit late. A dozen layers on the largest maps need up to five times what all others
# need, so they alone decide whether the network fits. Sections 4 to 6 take them apart.

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

# %% [markdown]
# ## 4. Writing over the input
#
# A dense convolution needs all input channels for each output channel, so input and output must exist side by side. A
# **depthwise** convolution does not: output channel $c$ comes from input channel $c$ alone, and nothing else ever
# reads that channel. So the output may be written over it (MCUNet, Lin et al., 2020), if one keeps a copy of the
# channel at work, because a window reads neighbours that have already been overwritten. For $C$ channels of
# $H \times W$ bytes, and padding $P = \lfloor K/2 \rfloor$,
#
# $$\underbrace{2\,C H W}_{\text{input and output}} \quad\longrightarrow\quad C H W + \underbrace{(H + 2P)(W + 2P)}_{\text{one padded channel}}.$$
#
# **By hand.** 16 channels of 32 x 32 with a 3x3 filter: 32,768 bytes become $16{,}384 + 34^2 = 17{,}540$.
#
# ### Exercise: depthwise_in_place
#
# `F.conv2d` and `F.pad` on one channel at a time are welcome. The check counts the bytes of all tensors that your
# code makes. Torch needs a few of a channel's size, a microcontroller one.


# %% exercise="in_place_depthwise" topics="in_place_depthwise"
def depthwise_in_place(x: Tensor, weight: Tensor) -> Tensor:
    """Depthwise convolution, stride 1, that leaves its result in the memory of its input.

    x       float [C, H, W]; holds the result afterwards.
    weight  float [C, K, K], K odd: filter c belongs to channel c. Padding with K // 2 zeros keeps height and width.

    Returns x itself. New tensors are of the size of a channel, not of x.
    """
    ### BEGIN SOLUTION
    reach = weight.shape[1] // 2
    for channel, taps in zip(x, weight, strict=True):
        padded = F.pad(channel, (reach, reach, reach, reach))
        channel.copy_(F.conv2d(padded[None, None], taps[None, None])[0, 0])
    return x
    ### END SOLUTION


# %% check="in_place_depthwise" points=4
with checking.check("depthwise_in_place"):
    x = torch.arange(1.0, 10.0).reshape(1, 3, 3)
    result = depthwise_in_place(x, torch.tensor([[[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]]))
    checking.close(
        result,
        [[[0.0, 1.0, 2.0], [0.0, 4.0, 5.0], [0.0, 7.0, 8.0]]],
        "the result of a filter that shifts right by one pixel",
        hint="all 0 means that a pixel was read after it had been overwritten: keep a copy of the channel at work",
    )
    checking.close(
        x, result, "x after the call", hint="the result belongs into x: write with x[c] = ... or x[c].copy_(...)"
    )
    draw = torch.Generator().manual_seed(11)
    for shape, kernel in (((4, 6, 5), 3), ((3, 7, 9), 5), ((2, 4, 3), 1)):
        x, weight = torch.randn(*shape, generator=draw), torch.randn(shape[0], kernel, kernel, generator=draw)
        expected = F.conv2d(x[None], weight[:, None], padding=kernel // 2, groups=shape[0])[0]
        with checking.unchanged(weight=weight):
            result = depthwise_in_place(x, weight)
        checking.close(
            result,
            expected,
            f"depthwise_in_place of {list(shape)} with K = {kernel}",
            hint="filter c for channel c, K // 2 zeros on every side, not flipped",
        )
        checking.equal(result.data_ptr(), x.data_ptr(), "where the result lies in memory", hint="return x itself")
    x, weight = torch.randn(48, 20, 24, generator=draw), torch.randn(48, 3, 3, generator=draw)
    with mcu.watch_allocations() as watch:
        depthwise_in_place(x, weight)
    checking.that(
        watch.peak <= 12 * 20 * 24 * 4,
        f"your code held {watch.peak / (20 * 24 * 4):.0f} channels' worth of new tensors at once; at most 12 of x's 48",
        hint="no second tensor of x's size, and no list of finished channels",
    )

# %% [markdown]
# Does it pay? Generated C (section 7) runs the same network with and without. Its arena is painted with a pattern
# before the run; the highest byte that has changed afterwards is the **high-water mark**, the memory really
# used. The network reads digits from 32x32 images; its first layers are a 3x3 convolution to 16 channels and two
# depthwise layers.

# %% experiment="in_place_measured" topics="in_place_depthwise"
network = mcu.describe_digit_reader()
rounded, images = random_int8(network)
plans = {"input and output": mcu.Schedule(network, in_place=False), "in place": mcu.Schedule(network)}
figure, (left, right) = plt.subplots(1, 2, figsize=(9.2, 3.2), width_ratios=[1.6, 1])
steps = np.arange(1, len(network.layers) + 1)
for place, (name, plan) in enumerate(plans.items()):
    left.bar(steps + 0.4 * place - 0.2, plan.bytes_per_step() / KIB, 0.4, label=name)
left.set(title="Digit reader: memory in use at each layer", xlabel="layer", ylabel="KiB", xticks=steps)
left.legend()
try:
    marks, answers, calls = {}, {}, {}
    for name, plan in plans.items():
        compiled = mcu.CompiledNetwork(mcu.generate(rounded, plan, unroll=True))
        answers[name] = np.stack([compiled(image) for image in images])
        marks[name] = compiled.high_water_mark(images[0])
        calls[name] = compiled.prepared(images[0])
    bars = right.bar(list(marks), [mark / KIB for mark in marks.values()], color=["#0072B2", "#D55E00"])
    right.bar_label(bars, [f"{mark:,} bytes" for mark in marks.values()])
    right.axhline(20, color="0.4", linestyle="--")
    right.text(0.5, 20.5, "SRAM of STM32F103C8", fontsize=8)
    right.set(title="Measured high-water mark", ylabel="KiB", ylim=(0, 38))
    reference = mcu.interpret(rounded, images)
    print(f"same integers as the reference: {all((answer == reference).all() for answer in answers.values())}")
    times = quickest(calls)
    print(f"time in place over time with a second buffer: {times['in place'] / times['input and output']:.2f} on {cpu}")
    record("measured_bytes_plain", marks["input and output"], low=32768, high=32768)
    record("measured_bytes_in_place", marks["in place"], low=17540, high=17540)
except native.NoCompiler as missing:
    print(f"The measurement is left out. {missing}")
plt.show()

# %% [markdown]
# The second bar is the formula's number to the byte. In place is also no slower: the padded copy has no edges to
# look after, so the loops over a window have no conditions in them.
#
# A depthwise layer of stride 2 can write over its input as well, since its output is smaller.
#
# On MobileNetV2 the peak falls less, from 1,470 to 1,372 KiB: the layer that decides is now a *pointwise* one,
# 16 to 96 channels at 112 x 112, and that needs input and output. 1,372 KiB is also what MCUNetV2's authors
# report for this network.

# %% [markdown]
# ## 5. Patch by patch
#
# Why keep a whole map of the first layers? An output pixel depends on a small window of the image. MCUNetV2 (Lin et
# al., 2021) computes the first layers, the **patch stage**, for one part of its output at a time, and keeps only
# that part of every map in between. The stage's output is small (it has been strided several times) and is collected
# patch by patch; the rest of the network runs as usual.
#
# First, geometry. Which rows of the input does a patch of output rows need? Row $r$ of a layer's output reads the
# rows $rS - P, \dots, rS - P + K - 1$ of its input. Rows $a \dots b - 1$ together read
#
# $$[\,aS - P,\ (b - 1)S - P + K\,) \;\cap\; [\,0, n\,),$$
#
# $n$ being the input's rows: what lies outside is padding and need not be computed. Go backwards from the output,
# layer by layer; columns work alike.
#
# **By hand.** A map of 16 rows, a 3x3 convolution with padding 1, then another with stride 2 and padding 1: 16 rows,
# then 8. The last two output rows, $[6, 8)$, need rows $[11, 16)$ of the middle map ($2\cdot 7 - 1 + 3 = 16$)
# and rows $[10, 17) \cap [0, 16) = [10, 16)$ of the input. The two rows before, $[4, 6)$, need $[7, 12)$ and
# $[6, 13)$: rows 10, 11 and 12 of the input are read for both.
#
# ### Exercise: patch_ranges


# %% exercise="patch_ranges" topics="patch_inference"
def patch_ranges(layers: list[tuple[int, int, int]], size: int, start: int, stop: int) -> list[tuple[int, int]]:
    """Which rows of every map are needed for the rows start to stop - 1 of the last one.

    layers  (kernel, stride, padding) of each layer, from the input on; may be empty.
    size    rows of the input.

    Returns a range (first row, last row + 1) for the input and for the output of every layer, in this order, so
    len(layers) + 1 of them; the last is (start, stop). Ranges end at a map's edge: padding is no part of them.
    """
    ### BEGIN SOLUTION
    sizes = [size]
    for kernel, stride, padding in layers:
        sizes.append((sizes[-1] + 2 * padding - kernel) // stride + 1)
    ranges = [(start, stop)]
    for (kernel, stride, padding), rows in zip(reversed(layers), reversed(sizes[:-1]), strict=True):
        start, stop = max(0, start * stride - padding), min(rows, (stop - 1) * stride - padding + kernel)
        ranges.append((start, stop))
    return ranges[::-1]
    ### END SOLUTION


# %% check="patch_ranges" points=4
with checking.check("patch_ranges"):
    two = [(3, 1, 1), (3, 2, 1)]
    checking.equal(
        patch_ranges(two, 16, 6, 8),
        [(10, 16), (11, 16), (6, 8)],
        "patch_ranges(two layers, 16, 6, 8)",
        hint="from the input to the output; row 16 of the middle map and of the input do not exist",
    )
    checking.equal(
        patch_ranges(two, 16, 4, 6),
        [(6, 13), (7, 12), (4, 6)],
        "patch_ranges(two layers, 16, 4, 6)",
        hint="the last output row is stop - 1; its window begins at (stop - 1) * stride - padding and has kernel rows",
    )
    checking.equal(
        patch_ranges(two, 16, 0, 2),
        [(0, 5), (0, 4), (0, 2)],
        "patch_ranges(two layers, 16, 0, 2)",
        hint="no row before 0, in any map",
    )
    checking.equal(patch_ranges([], 9, 2, 5), [(2, 5)], "patch_ranges([], 9, 2, 5)", hint="no layer, one map")
    mobilenet = [(3, 2, 1), (3, 1, 1), (3, 2, 1), (3, 1, 1), (3, 2, 1)]
    checking.equal(
        patch_ranges(mobilenet, 224, 7, 14),
        [(43, 118), (22, 59), (23, 58), (12, 29), (13, 28), (7, 14)],
        "patch_ranges(MobileNetV2's first 3x3 layers, 224, 7, 14)",
        hint="75 rows of the image for 7 of the output",
    )
    checking.equal(
        patch_ranges(mobilenet, 224, 21, 28),
        [(155, 224), (78, 112), (79, 112), (40, 56), (41, 56), (21, 28)],
        "patch_ranges(MobileNetV2's first 3x3 layers, 224, 21, 28)",
        hint="every map has an edge of its own: 224, 112, 112, 56, 56 and 28 rows",
    )
    checking.equal(
        patch_ranges([(2, 2, 0), (3, 1, 0)], 11, 2, 3),
        [(4, 10), (2, 5), (2, 3)],
        "patch_ranges([(2, 2, 0), (3, 1, 0)], 11, 2, 3)",
        hint="without padding nothing is cut; row 10 of the input is read by no window",
    )

# %% [markdown]
# Now compute. For each patch: cut its part out of the image; before each layer put back the zeros of the padding,
# **only on sides where the window leaves the map**; convolve without padding; go on. Zeros at a patch's inner edge
# would be wrong, since the true neighbours are known: they are in the ranges. And the padding belongs to every
# map, not to the image alone: outside a map there are zeros, not what a convolution would have made there.
#
# How many zeros? If rows $[t, b)$ of the output are wanted and rows $[t', b')$ of the input are at hand, then
# $t' - (tS - P)$ above and $(b - 1)S - P + K - b'$ below. With the ranges of the last exercise neither is
# negative.
#
# ### Exercise: infer_by_patches
#
# The ranges are arguments, so your answer to the last exercise is not needed.


# %% exercise="patch_inference" topics="patch_inference"
Range = tuple[int, int]


def infer_by_patches(
    image: Tensor,
    layers: list[tuple[Tensor, Tensor, int, int]],
    rows: list[list[Range]],
    columns: list[list[Range]],
) -> Tensor:
    """A stack of convolutions, each followed by a ReLU, computed patch by patch.

    image    float [C, H, W].
    layers   (weight [C_out, C_in, K, K], bias [C_out], stride, padding) of each convolution.
    rows     rows[p] belongs to the p-th row of patches: a range (first, last + 1) for the image and for the output of
             every layer, such as [(10, 16), (11, 16), (6, 8)] for two layers. The last ranges of all p, one after the
             other, cover the output's rows.
    columns  the same for columns.

    Returns the output of the last layer, float [C_out, H_out, W_out]: the same as without patches. No whole map
    between image and output is ever made.
    """
    ### BEGIN SOLUTION

    def zeros(held: Range, wanted: Range, kernel: int, stride: int, padding: int) -> tuple[int, int]:
        return held[0] - (wanted[0] * stride - padding), (wanted[1] - 1) * stride - padding + kernel - held[1]

    lines = []
    for row in rows:
        line = []
        for column in columns:
            tile = image[:, slice(*row[0]), slice(*column[0])]
            for number, (weight, bias, stride, padding) in enumerate(layers):
                window = weight.shape[2], stride, padding
                above_below = zeros(row[number], row[number + 1], *window)
                left_right = zeros(column[number], column[number + 1], *window)
                tile = F.relu(F.conv2d(F.pad(tile, (*left_right, *above_below)), weight, bias, stride))
            line.append(tile)
        lines.append(torch.cat(line, 2))
    return torch.cat(lines, 1)
    ### END SOLUTION


# %% check="patch_inference" points=5
with checking.check("infer_by_patches"):
    draw = torch.Generator().manual_seed(12)

    def convolution(c_in: int, c_out: int, kernel: int, stride: int, padding: int) -> tuple:
        return (
            torch.randn(c_out, c_in, kernel, kernel, generator=draw),
            torch.rand(c_out, generator=draw),
            stride,
            padding,
        )

    def whole(image: Tensor, layers: list[tuple]) -> Tensor:
        for weight, bias, stride, padding in layers:
            image = F.relu(F.conv2d(image[None], weight, bias, stride, padding))[0]
        return image

    one, image = [convolution(2, 3, 3, 1, 1)], torch.randn(2, 4, 6, generator=draw)
    checking.close(
        infer_by_patches(image, one, [[(0, 4), (0, 4)]], [[(0, 6), (0, 6)]]),
        whole(image, one),
        "one layer, one patch",
        hint="zeros on all four sides, bias, ReLU",
    )
    checking.close(
        infer_by_patches(image, one, [[(0, 3), (0, 2)], [(1, 4), (2, 4)]], [[(0, 4), (0, 3)], [(2, 6), (3, 6)]]),
        whole(image, one),
        "one layer, 2 x 2 patches",
        hint="where two patches meet there is no padding: the range of the input holds the neighbours",
        rtol=1e-3,
        atol=1e-4,
    )
    two, image = [convolution(2, 4, 3, 1, 1), convolution(4, 3, 3, 2, 1)], torch.randn(2, 16, 16, generator=draw)
    cut = [[(0, 5), (0, 4), (0, 2)], [(2, 9), (3, 8), (2, 4)], [(6, 16), (7, 16), (4, 8)]]
    checking.close(
        infer_by_patches(image, two, cut, cut),
        whole(image, two),
        "two layers, 3 x 3 patches of different sizes",
        hint="pad every map where it ends, not only the image; the bias makes a difference outside the map",
        rtol=1e-3,
        atol=1e-4,
    )
    halves = [[(0, 16), (0, 16), (0, 8)]]
    checking.close(
        infer_by_patches(image, two, cut, halves),
        whole(image, two),
        "two layers, 3 x 1 patches",
        hint="rows[p] are ranges of the second axis, columns[p] of the third",
        rtol=1e-3,
        atol=1e-4,
    )
    plain = [convolution(2, 3, 2, 2, 0), convolution(3, 3, 3, 1, 0)]
    checking.close(
        infer_by_patches(
            image[:, :11, :11],
            plain,
            [[(0, 6), (0, 3), (0, 1)], [(2, 10), (1, 5), (1, 3)]],
            [[(0, 10), (0, 5), (0, 3)]],
        ),
        whole(image[:, :11, :11], plain),
        "two layers without padding",
        hint="no zeros at all here",
        rtol=1e-3,
        atol=1e-4,
    )
    image, wide = torch.randn(3, 64, 64, generator=draw), [convolution(3, 24, 3, 1, 1), convolution(24, 4, 3, 2, 1)]
    stage = mcu.PatchStage(mcu.Chain((64, 64, 3)).conv(24).conv(4, stride=2).network(), 2, (8, 8))
    with mcu.watch_allocations() as watch:
        infer_by_patches(image, wide, stage.rows, stage.columns)
    checking.that(
        watch.peak < 24 * 64 * 64 * 4 / 2,
        f"your code held {watch.peak / 1024:.0f} KiB of new tensors at once; the whole middle map has 384 KiB",
        hint="cut the patch out of the image, not out of a map that was computed whole",
    )

# %% [markdown]
# Use it on a large image: one to 64 patches, and the bytes that torch really holds.

# %% experiment="patches_in_torch" topics="patch_inference"
chain = mcu.Chain((192, 192, 3)).conv(16, stride=2).conv(32).conv(24, stride=2).conv(32, stride=2)
network = chain.network()
draw = nb.generator(3)
layers = [
    (
        0.2 * torch.randn(layer.channels, network.in_shape(i)[2], 3, 3, generator=draw),
        torch.zeros(layer.channels),
        layer.stride,
        1,
    )
    for i, layer in enumerate(network.layers)
]
image = torch.rand(3, 192, 192, generator=draw)
results, calls = [], {}
for side in (1, 2, 3, 4, 6, 8):
    stage = mcu.PatchStage(network, 4, (side, side))
    calls[side] = partial(infer_by_patches, image, layers, stage.rows, stage.columns)
    with mcu.watch_allocations() as watch:
        output = calls[side]()
    results.append((side, watch.peak / KIB, stage.overhead))
    if side == 1:
        expected = output
    assert torch.allclose(output, expected, rtol=1e-3, atol=1e-4)
sides, peaks, overheads = np.array(results).T
seconds = np.array(list(quickest(calls, rounds=5).values()))
figure, (left, right) = plt.subplots(1, 2, figsize=(8.6, 3.1))
left.plot(sides, peaks, "o-")
left.set(title="New tensors in torch, float32", xlabel="patches per side", ylabel="peak, KiB", ylim=(0, None))
right.plot(sides, 100 * overheads, "o-", label="MACs, counted")
right.plot(sides, 100 * (seconds / seconds[0] - 1), "s--", label="time, measured")
right.set(title=f"What the overlap costs, on\n{cpu}", xlabel="patches per side", ylabel="% more than whole")
right.legend()
plt.show()
record("torch_peak_whole_over_4x4", peaks[0] / peaks[3], low=4)
record("macs_added_by_4x4", overheads[3], low=0.17, high=0.18)

# %% [markdown]
# Memory falls steeply at first, then flattens: the output has to be kept, and a patch cannot be smaller than the window
# it looks through. The multiply-accumulates grow: the more patches, the larger the share of their rim. The measured
# time follows rules of its own: tiles that fit the processor's cache save some, many small calls of a library cost more.
#
# MobileNetV2 has more to choose: how many patches, and where the patch stage ends. Find the settings that fit
# the board; among these, the one that repeats the least.

# %% demo="patch_memory" topics="patch_inference"
explore.patch_memory()

# %% [markdown]
# A stage that ends too early leaves large maps to the rest. One that ends too late makes each patch see, and compute,
# almost the whole image.
#
# And on a microcontroller's terms? The digit reader once more, in generated C. Its first three layers run in patches;
# the program holds a table with the rows and columns of every map for every patch.

# %% experiment="patches_measured" topics="patch_inference, in_place_depthwise"
network = mcu.describe_digit_reader()
rounded, images = random_int8(network)
reference = mcu.interpret(rounded, images)
plans = {"whole": mcu.Schedule(network, in_place=False), "in place": mcu.Schedule(network)}
plans |= {
    f"in place,\n{side} x {side} patches": mcu.Schedule(network, patches=mcu.PatchStage(network, 3, (side, side)))
    for side in (2, 4)
}
try:
    rows, calls = [], {}
    for name, plan in plans.items():
        compiled = mcu.CompiledNetwork(mcu.generate(rounded, plan, unroll=True), flags=("-fno-tree-vectorize",))
        assert all((compiled(image) == integers).all() for image, integers in zip(images, reference, strict=True))
        mark = max(compiled.high_water_mark(image) for image in images[:2])
        assert mark <= plan.arrange().size
        overhead = plan.patches.network_overhead if plan.patches else 0.0
        rows.append((name, mark, overhead))
        calls[name] = compiled.prepared(images[0])
    seconds = list(quickest(calls).values())
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.4, 3.2), sharey=True)
    names, marks, overheads = zip(*rows, strict=True)
    bars = left.barh(names, [mark / KIB for mark in marks])
    left.bar_label(bars, [f"{mark:,} bytes" for mark in marks], label_type="center", color="white")
    left.invert_yaxis()
    for board, colour in zip(mcu.BOARDS[:2], ("#D55E00", "#009E73"), strict=True):
        left.axvline(board.sram / KIB, color=colour, linestyle="--", zorder=0, label=f"SRAM of {board.name}")
    left.set(title="High-water mark of the arena", xlabel="KiB")
    left.legend(fontsize=8, loc="lower right")
    places = np.arange(len(names))
    right.barh(places - 0.2, [100 * overhead for overhead in overheads], 0.4, label="MACs, counted")
    right.barh(places + 0.2, [100 * (each / seconds[0] - 1) for each in seconds], 0.4, label="time, measured")
    right.axvline(0, color="0.4", linewidth=0.8)
    right.set(title=f"Against the first row, on\n{cpu}", xlabel="% more")
    right.legend(fontsize=8)
    plt.show()
    print("every version gives the reference's integers for every image")
    record("whole_over_patched_bytes", marks[0] / marks[-1], low=3.2, high=3.2)
    record("patched_bytes", marks[-1], low=10240, high=10240)
    record("patched_time_over_whole", seconds[-1] / seconds[0], low=0.4, high=3)
except native.NoCompiler as missing:
    print(f"The measurement is left out. {missing}")

# %% [markdown]
# From 32 KiB to 10: the same network, the same integers, on a chip with half the memory of the one it needed. With
# 4 x 4 patches it is no longer the patch stage that decides but what follows it, so more patches would only add work.

# %% [markdown]
# ## 6. Moving the receptive field
#
# How large a patch of the image must be read follows from kernels and strides alone. Inside the image, without
# clipping, $n$ output rows need $(n - 1)S + K$ input rows; apply this from the last layer of the stage to the
# first. MobileNetV2's stage up to the first 28 x 28 map has the 3x3 layers
#
# | layer | stem | block 1 | block 2 | block 3 | block 4 |
# |---|---|---|---|---|---|
# | stride | 2 | 1 | 2 | 1 | 2 |
# | step $j$ before it, pixels | 1 | 2 | 2 | 4 | 4 |
#
# and a quarter of 28, 7 rows, needs $7 \to 15 \to 17 \to 35 \to 37 \to 75$: a third of the image's side for a
# quarter of the output's. A kernel $K$ at a step of $j$ image pixels adds $(K - 1)\,j$.
#
# **Receptive-field redistribution** (MCUNetV2) takes kernels away where overlap is expensive, in the patch stage,
# and gives the network's later layers larger ones, where nothing overlaps. A layer with a stride keeps its kernel,
# since otherwise it would skip pixels altogether; a depthwise layer of stride 1 may shrink to 1x1. Which first? The
# one that shortens the patch most.
#
# ### Exercise: redistribute


# %% exercise="redistribute" topics="patch_inference"
def redistribute(layers: list[tuple[int, int]], side: int, limit: int) -> tuple[list[int], int]:
    """Shrink kernels of a patch stage until a patch reads no more than `limit` pixels of the image per side.

    layers  (kernel, stride) of each layer of the stage, from the image on.
    side    rows of the stage's output in one patch.

    While a patch is larger than the limit, one layer's kernel becomes 1: of the layers with stride 1 and a kernel above
    1, the one that shortens the patch most; of equal ones the first. Patches are counted inside the image: padding
    plays no part.

    Returns (the kernels, the patch's pixels per side). Raises ValueError if no layer is left to shrink.
    """
    ### BEGIN SOLUTION
    kernels = [kernel for kernel, _ in layers]
    strides = [stride for _, stride in layers]
    while True:
        patch = side
        for kernel, stride in zip(reversed(kernels), reversed(strides), strict=True):
            patch = (patch - 1) * stride + kernel
        if patch <= limit:
            return kernels, patch
        gains, step = [], 1
        for kernel, stride in zip(kernels, strides, strict=True):
            gains.append((kernel - 1) * step if stride == 1 else 0)
            step *= stride
        if max(gains, default=0) == 0:
            raise ValueError(f"a patch of {patch} pixels cannot be made smaller; the limit is {limit}")
        kernels[gains.index(max(gains))] = 1
    ### END SOLUTION


# %% check="redistribute" points=4
with checking.check("redistribute"):
    mobilenet = [(3, 2), (3, 1), (3, 2), (3, 1), (3, 2)]
    checking.equal(
        redistribute(mobilenet, 7, 75),
        ([3, 3, 3, 3, 3], 75),
        "redistribute(mobilenet, 7, 75)",
        hint="75 is not more than the limit: nothing to do",
    )
    checking.equal(
        redistribute(mobilenet, 7, 70),
        ([3, 3, 3, 1, 3], 67),
        "redistribute(mobilenet, 7, 70)",
        hint="block 3 works at a step of 4 pixels and gains 8, block 1 at a step of 2 and gains 4",
    )
    checking.equal(
        redistribute(mobilenet, 7, 63),
        ([3, 1, 3, 1, 3], 63),
        "redistribute(mobilenet, 7, 63)",
        hint="both blocks of stride 1",
    )
    checking.raises(
        ValueError,
        lambda: redistribute(mobilenet, 7, 62),
        "redistribute(mobilenet, 7, 62)",
        hint="layers with stride 2 keep their kernels, so 63 is the least",
    )
    checking.equal(
        redistribute([(7, 1), (3, 2), (3, 1)], 4, 17),
        ([1, 3, 3], 13),
        "redistribute([(7, 1), (3, 2), (3, 1)], 4, 17)",
        hint="a kernel of 7 at step 1 adds 6 pixels, one of 3 at step 2 adds 4",
    )
    checking.equal(
        redistribute([(3, 1), (3, 1), (5, 1)], 2, 8),
        ([3, 3, 1], 6),
        "redistribute([(3, 1), (3, 1), (5, 1)], 2, 8)",
        hint="the largest gain first",
    )
    checking.equal(
        redistribute([(3, 1), (3, 1)], 2, 5),
        ([1, 3], 4),
        "redistribute([(3, 1), (3, 1)], 2, 5)",
        hint="of equal ones the first",
    )

# %% [markdown]
# What it is worth on MobileNetV2. In the second version blocks 1 and 3 lost their windows and two later blocks got
# 7x7 instead of 3x3.

# %% experiment="redistribution" topics="patch_inference"
versions = {"as published": False, "redistributed": True}
figure, (left, right) = plt.subplots(1, 2, figsize=(9.2, 3.4))
found = {}
for name, moved in versions.items():
    network = mcu.describe_mobilenet_v2(redistribute=moved)
    end = network.shapes.index((28, 28, 32))  # the first map of 28 x 28
    for side in (1, 2, 3, 4, 5, 7):
        stage = mcu.PatchStage(network, end, (side, side))
        peak = mcu.Schedule(network, patches=stage).peak()
        found[name, side] = (100 * stage.overhead, 100 * stage.network_overhead, peak / KIB, stage.largest_input()[0])
    line = np.array([found[name, side] for side in (1, 2, 3, 4, 5, 7)])
    left.plot(line[:, 2], line[:, 1], "o-", label=name)
    for side, (_, added, peak, _) in zip((1, 2, 3, 4, 5, 7), line, strict=True):
        left.annotate(f"{side}x{side}", (peak, added), (4, 4), textcoords="offset points", fontsize=8)
    right.plot([1, 2, 3, 4, 5, 7], line[:, 3], "o-", label=name)
left.axvline(320, color="0.4", linestyle="--", label="SRAM of STM32F746")
left.set(
    title="MobileNetV2 by patches", xlabel="peak, KiB (in place, image included)", ylabel="MACs added to the network, %"
)
left.set_xscale("log")
left.set_xticks([250, 320, 500, 1000], ["250", "320", "500", "1000"])
left.minorticks_off()
left.legend(fontsize=8)
right.set(
    title="Part of the image that one patch reads", xlabel="patches per side", ylabel="pixels per side", ylim=(0, 230)
)
right.legend()
plt.show()
for name in versions:
    stage, network, peak, read = found[name, 4]
    print(
        f"{name}, 4 x 4 patches: reads {read} x {read}, stage +{stage:.0f}% MACs, network +{network:.1f}%, peak {peak:.0f} KiB"
    )
record("patch_pixels_published", found["as published", 4][3], low=75, high=75)
record("patch_pixels_redistributed", found["redistributed", 4][3], low=63, high=63)
record("overhead_ratio", found["as published", 4][1] / found["redistributed", 4][1], low=2.3, high=2.9)

# %% [markdown]
# The work that patches repeat falls to less than half, the peak falls too, and the receptive field of the whole network
# has not become smaller. Whether accuracy survives can only be found by training; MCUNetV2's authors lost next to
# none, and let a search choose patches and architecture together.

# %% [markdown]
# ## 7. From a network to C
#
# An *interpreter* such as TensorFlow Lite Micro carries code for every layer it might meet and reads at run time
# which layers to run, how large they are and where their data lies. **TinyEngine** (MCUNet) is a *generator*: it knows
# the network, so it writes a C program for this network alone.
#
# - constants (weights, biases, scales) become `const` arrays, which the linker puts into flash,
# - memory is planned beforehand: every tensor is `arena + number`,
# - loops have their bounds written in, windows are unrolled, and code for layers that do not occur is not there.
#
# All numbers are whole. A tensor holds int8 numbers $q$ that stand for $s\,(q - z)$ with a scale $s$ and a zero point
# $z$. A convolution adds products of int8 numbers in 32 bits, and the sum is brought back to int8 by a multiplication
# with $M = s_x s_w / s_y$, which is no whole number. It is written as $M \approx m / 2^{r}$ with a 31-bit
# integer $m$ (Jacob et al., 2018):
#
# $$q_y = \operatorname{clip}\!\Big(z_y + \Big\lfloor \frac{m \big(b + \sum_i (q_{x,i} - z_x)\, q_{w,i}\big) + 2^{r-1}}{2^{r}} \Big\rfloor\Big).$$
#
# The bias $b$ is a 32-bit integer in units of $s_x s_w$; clip keeps the result from $-128$ (after a ReLU, from $z_y$) to
# 127. A multiplication, an addition, a shift: nothing that a processor without floating point lacks. And nothing that
# rounds differently elsewhere: the C program must give the reference's integers *exactly*, whatever its loops
# look like. (Lab 3 is about choosing $s$ and $z$ well. Here the library does it.)
#
# Everything together: train the digit reader on the real scans, enlarged to 32x32, round it, generate C, and let the
# compiled program read the test images.

# %% experiment="digit_reader" topics="tinyengine, mcu_memory, in_place_depthwise, patch_inference"


def enlarged(scans: data.Labelled) -> data.Labelled:
    """The 8x8 scans as 32x32 images."""
    images = F.interpolate(scans.images, size=32, mode="bilinear", align_corners=False)
    return data.Labelled(images, scans.labels, scans.classes)


splits = data.digits()
train, test = enlarged(splits.train), enlarged(splits.test)
network = mcu.describe_digit_reader()
torch.manual_seed(nb.seed)
model = mcu.FloatNetwork(network).to(memory_format=torch.channels_last)  # faster on a CPU
epochs = nb.pick(fast=3, full=20)
optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.01)
scheduler = torch.optim.lr_scheduler.OneCycleLR(
    optimizer, 2e-2, total_steps=epochs * -(-len(train) // 32), pct_start=0.2
)
training.fit(
    model, train, epochs=epochs, optimizer=optimizer, scheduler=scheduler, batch_size=32, seed=nb.seed, progress=False
)

rounded = mcu.to_int8(model, train.images[:200])
images, labels = rounded.image_to_int8(test.images.numpy()), test.labels.numpy()
in_float = training.evaluate(model, test).accuracy
integers = mcu.interpret(rounded, images)
in_int8 = float((integers.argmax(1) == labels).mean())
print(f"{len(labels)} test images: float {in_float:.1%} correct, int8 {in_int8:.1%}")

plan = mcu.Schedule(network, patches=mcu.PatchStage(network, 3, (4, 4)))
program = mcu.generate(rounded, plan, unroll=True)
for board in mcu.BOARDS[:2]:
    print(mcu.fit_on(board, plan))
lines = program.source.splitlines()
print(f"\n{len(lines):,} lines of C, {len(program.source) / KIB:,.0f} KiB of text. The end:\n")
print("\n".join(lines[-16:]))
try:
    compiled = mcu.CompiledNetwork(program)
    answers = np.stack([compiled(image) for image in images])
    print(
        f"\ncompiled: {(answers.argmax(1) == labels).mean():.1%} correct; differs from the reference in {(answers != integers).sum()} integers"
    )
    record("c_differs_from_reference", (answers != integers).sum(), low=0, high=0)
except native.NoCompiler as missing:
    print(f"The C program is not run. {missing}")
wrong = (integers.argmax(1) != labels).nonzero()[0]
figure, axes = plt.subplots(1, 6, figsize=(8.6, 1.9))
for axis, number in zip(axes, [*wrong[:3], *np.setdiff1d(np.arange(len(labels)), wrong)[:3]], strict=False):
    axis.imshow(test.images[number, 0], cmap="gray_r")
    axis.set_title(f"is {labels[number]}, read {integers[number].argmax()}", fontsize=9)
    axis.set_axis_off()
for axis in axes[len(wrong[:3]) + 3 :]:
    axis.set_axis_off()
figure.suptitle("Misread (first) and read correctly, by the int8 network", fontsize=10)
plt.show()
record("digits_float_accuracy", in_float, low=0.96, high=1)
record("digits_int8_minus_float", in_int8 - in_float, low=-0.015, high=0.015)

# %% [markdown]
# A network that is right for almost every scan, with 13 KiB of constants in flash and an arena of 10 KiB in
# SRAM; code and stack come on top.

# %% [markdown]
# ### What the generator's choices are worth
#
# The program can be written in many ways; all give the same integers. Three layers of the usual kinds, each a program of
# its own:
#
# - **sizes at run time** against **written in**, as an interpreter and a generator have them,
# - the same with the other **layout**: each channel a plane (CHW) instead of a pixel's channels side by side (HWC),
# - **unrolled**: nine products stand one after the other without a loop over the window; a pointwise layer uses each
#   number it has loaded for four filters,
# - **im2col**: two windows at a time copied into scratch, then long dot products,
# - **in place**: a padded copy of one channel, unrolled.
#
# Small cores have no vector instructions, larger ones do. So everything is compiled twice: scalar, as the loops are
# written, and with all that this processor has.

# %% experiment="code_choices" topics="tinyengine"
layers = {
    "conv 3x3": mcu.Chain((12, 12, 16)).conv(16),
    "pointwise": mcu.Chain((16, 16, 32)).pointwise(32),
    "depthwise 3x3": mcu.Chain((16, 16, 32)).depthwise(),
}
choices = {  # name: (in place, im2col, layout, sizes written in, unrolled)
    "run time": (False, False, "HWC", False, False),
    "written in": (False, False, "HWC", True, False),
    "written in, CHW": (False, False, "CHW", True, False),
    "unrolled": (False, False, "HWC", True, True),
    "im2col": (False, True, "HWC", True, False),
    "in place": (True, False, "HWC", True, True),
}
only = {"im2col": "conv", "in place": "depthwise"}
compilations = {"scalar": ("-fno-tree-vectorize",), "vector": ("-O3", "-march=native")}
calls = {}


def compiled_layer(network: mcu.Int8Network, image: np.ndarray, name: str, flags: tuple[str, ...]):
    """A call that runs one version of a layer, after a look at its result."""
    in_place, im2col, layout, specialise, unroll = choices[name]
    plan = mcu.Schedule(network.network, in_place=in_place, im2col=im2col)
    program = mcu.generate(network, plan, layout=layout, specialise=specialise, unroll=unroll)
    compiled = mcu.CompiledNetwork(program, flags=flags)
    height, width, channels = network.network.shapes[-1]
    answer = compiled(image).reshape((height, width, channels) if layout == "HWC" else (channels, height, width))
    answer = answer if layout == "HWC" else answer.transpose(1, 2, 0)
    assert (answer.reshape(-1) == mcu.interpret(network, image[None])[0]).all()
    return compiled.prepared(image)


try:
    for kind, chain in layers.items():
        rounded, images = random_int8(chain.network())
        for name in choices:
            if kind.startswith(only.get(name, "")):
                for flavour, flags in compilations.items():
                    calls[kind, name, flavour] = compiled_layer(rounded, images[0], name, flags)
    times = quickest(calls, rounds=100)
    figure, axes = plt.subplots(1, 3, figsize=(10.6, 3.4))
    for axis, kind in zip(axes, layers, strict=True):
        names = [name for name in choices if (kind, name, "scalar") in times]
        for shift, flavour in ((-0.2, "scalar"), (0.2, "vector")):
            line = [times[kind, name, flavour] * 1e6 for name in names]
            axis.barh(np.arange(len(names)) + shift, line, 0.4, label=flavour)
        axis.set_yticks(range(len(names)), names)
        axis.invert_yaxis()
        height, width, channels = layers[kind].network().shapes[-1]
        axis.set_title(f"{kind}, {height} x {width} x {channels}", fontsize=10)
        axis.set_xlabel("time, µs")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center", fontsize=8)
    figure.suptitle(f"One layer on one thread of {cpu}", fontsize=10)
    plt.show()
    conv, pointwise, depthwise = layers
    for kind in layers:
        for flavour in compilations:
            best = min((value, name) for (of, name, how), value in times.items() if (of, how) == (kind, flavour))
            gain = times[kind, "run time", flavour] / best[0]
            print(f"{kind:14} {flavour}: fastest is {best[1]}, {gain:.1f} times as fast as sizes at run time")
    record("conv_run_time_over_im2col", times[conv, "run time", "scalar"] / times[conv, "im2col", "scalar"], low=0.8)
    record(
        "depthwise_run_time_over_in_place",
        times[depthwise, "run time", "scalar"] / times[depthwise, "in place", "scalar"],
        low=1.1,
    )
    record(
        "pointwise_chw_over_hwc_vector",
        times[pointwise, "written in, CHW", "vector"] / times[pointwise, "written in", "vector"],
        low=1.2,
    )
except native.NoCompiler as missing:
    print(f"The timings are left out. {missing}")

# %% [markdown]
# In scalar code, sizes that are written in bring little by themselves here: the compiler keeps run-time sizes in
# registers too. They pay as what they make possible, the unrolled window and the copy without edges: a depthwise layer,
# with nine products per output, spends most of its time on loops and indices, and im2col takes them out of a dense
# one. With vector instructions the order changes. Now it matters that the inner loop has a length known beforehand and
# walks along neighbouring bytes: a pointwise layer in CHW jumps by a whole plane from channel to channel and loses its
# vectors. That is why TinyEngine keeps pixels' channels together (HWC) and copies a depthwise layer's channel into a
# plane of its own. Vectors are no gift to every loop either: some of the depthwise versions can even run slower.
#
# No version wins everywhere. On a Cortex-M4 or M7 the ratios differ again: their dual 16-bit multiplication favours long
# dot products, so CMSIS-NN uses im2col there. A generator can try each choice on the board and keep the best for every single
# layer; an interpreter ships one.

# %% [markdown]
# ## 8. Questions
#
# Answer in a few sentences, with numbers where they help.

# %% [markdown] question="choose_mcu_plan" points=3 topics="mcu_memory, patch_inference"
# **Question 1.** A door lock is to recognise faces on an STM32F412 (256 KiB of SRAM, 1 MiB of flash, 100 MHz). The
# team has MobileNetV2 at width 0.35 for images of 128 x 128, in int8: 1,694 KiB of constants, of which 1,259 KiB
# belong to the last layer with its 1000 classes; a peak of 240 KiB, or 224 KiB in place; 20 million MACs. Patches
# of 2 x 2 would bring the peak to 135 KiB and add 7% of MACs. Which measures do you take, in which order, and what
# would you still have to measure before promising anything?
#
# ### BEGIN SOLUTION
# Flash first, since no schedule changes it: 1,694 KiB do not fit in 1,024. Three quarters of it is the layer for 1000
# classes; a lock needs an embedding or a few classes, so that layer shrinks to a few KiB (a few classes) or to 160 KiB
# (an embedding of 128 numbers): 440 to 600 KiB are needed instead of 1,694. SRAM: 224 KiB in place is below 256 KiB on paper, but stack, camera buffer and the memory of radio or cryptography come on
# top, so it fits without a margin. Patches bring it to 135 KiB for 7% more MACs and give the same integers, so accuracy
# need not be tested again; redistribution or a lower resolution would help too but change the network, which then must
# be trained and tested anew. Order: new last layer, in place (free), patches, and only then changes of the network. To
# measure: time per image on the board (20 million MACs at 100 MHz take 0.2 s at one MAC per cycle, and plain loops need
# several cycles each; someone stands in front of the door), the high-water marks of arena and stack on the board, energy
# per opening, and accuracy in int8 on the lock's own data. Full marks for other choices argued with both memories, with
# what lies outside the arena, and with time.
# ### END SOLUTION

# %% [markdown] question="patches_everywhere" points=2 topics="patch_inference, tinyengine"
# **Question 2.** A colleague proposes to run *all* layers of a network in 8 x 8 patches, "since the peak falls with every
# patch", and to do so with a ready-made interpreter that gets its layers from a file, "since generated code is
# only about speed". Where is each statement wrong?
#
# ### BEGIN SOLUTION
# Patches: with depth the receptive field of a patch grows until each patch reads almost the whole image; then every
# patch computes nearly everything, so work grows towards 64 times, and the tiles are as large as the maps, so no memory is
# saved. (Global pooling and dense layers cannot be cut at all.) The output of the stage, and the image unless it can be
# streamed, are kept all the time, and once the layers after the stage decide the peak, more patches cost without
# gain, as 4 x 4 showed for the digit reader. The stage should end where maps have become small. Interpreter: generated
# code is also about memory. The interpreter's own code for all kinds of layers and its model file and tables take
# flash, its run-time structures take SRAM, and it must offer in-place layers and patch schedules at all; a generator
# leaves out what is not used and can plan for exactly this network. Speed is a second reason, and largest for layers
# with little arithmetic per output.
# ### END SOLUTION

# %% [markdown]
# ## Read more
#
# - Lin, Chen, Lin, Cohn, Gan, Han: *MCUNet: Tiny Deep Learning on IoT Devices*, NeurIPS 2020,
#   [arXiv:2007.10319](https://arxiv.org/abs/2007.10319). TinyNAS and TinyEngine.
# - Lin, Chen, Cai, Gan, Han: *MCUNetV2: Memory-Efficient Patch-based Inference for Tiny Deep Learning*, NeurIPS 2021,
#   [arXiv:2110.15352](https://arxiv.org/abs/2110.15352). Patches and redistribution.
# - TinyEngine's code: [github.com/mit-han-lab/tinyengine](https://github.com/mit-han-lab/tinyengine).
# - Lai, Suda, Chandra: *CMSIS-NN: Efficient Neural Network Kernels for Arm Cortex-M CPUs*, 2018,
#   [arXiv:1801.06601](https://arxiv.org/abs/1801.06601). im2col for two windows at a time.
# - David et al.: *TensorFlow Lite Micro: Embedded Machine Learning on TinyML Systems*, MLSys 2021,
#   [arXiv:2010.08678](https://arxiv.org/abs/2010.08678). The interpreter's side.
# - Pisarchyk, Lee: *Efficient Memory Management for Deep Neural Net Inference*, 2020,
#   [arXiv:2001.03288](https://arxiv.org/abs/2001.03288). Placing buffers.
# - Jacob et al.: *Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference*, CVPR
#   2018, [arXiv:1712.05877](https://arxiv.org/abs/1712.05877). Multiplier and shift.
# - Sandler, Howard, Zhu, Zhmoginov, Chen: *MobileNetV2: Inverted Residuals and Linear Bottlenecks*, CVPR 2018,
#   [arXiv:1801.04381](https://arxiv.org/abs/1801.04381).
# - Lin, Zhu, Chen, Wang, Gan, Han: *On-Device Training Under 256KB Memory*, NeurIPS 2022,
#   [arXiv:2206.15472](https://arxiv.org/abs/2206.15472). Not only inference.
