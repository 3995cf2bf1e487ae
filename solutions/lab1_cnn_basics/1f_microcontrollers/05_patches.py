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
seconds = np.array(list(measure.compare(calls, rounds=5).values()))
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
    timed = measure.compare(calls, rounds=30)
    seconds = list(timed.values())
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
    record("patched_time_over_whole", seconds[-1] / seconds[0], low=0.4, high=3, timed=timed)
except native.NoCompiler as missing:
    print(f"The measurement is left out. {missing}")

# %% [markdown]
# From 32 KiB to 10: the same network, the same integers, on a chip with half the memory of the one it needed. With
# 4 x 4 patches it is no longer the patch stage that decides but what follows it, so more patches would only add work.
