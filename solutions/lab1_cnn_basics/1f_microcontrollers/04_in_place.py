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
    times = measure.compare(calls)
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
