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
