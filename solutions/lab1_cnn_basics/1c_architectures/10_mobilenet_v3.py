# %% [markdown]
# ## 10. MobileNetV3: cheaper at both ends
#
# MobileNetV3 (Howard et al., 2019) took its blocks from a search and added squeeze-and-excitation. Two changes
# were made by hand.
#
# **A cheaper activation.** Swish, $x\,\sigma(x)$, helps accuracy in deep layers but needs an exponential,
# slow on a phone and awkward in integers. *Hard swish* replaces the sigmoid by straight lines:
#
# $$\text{h-swish}(x) = x \cdot \frac{\text{ReLU6}(x + 3)}{6} .$$
#
# **By hand.** h-swish(-4) = 0, h-swish(-1) = $-1 \cdot 2/6 = -1/3$, h-swish(1) = $4/6$, h-swish(5) = 5.
#
# ### Exercise: hard_swish
#
# Without `F.hardswish`.


# %% exercise="hard_swish" topics="mobilenet_v3"
def hard_swish(x: Tensor) -> Tensor:
    """x * ReLU6(x + 3) / 6, number by number. x keeps its values; any shape."""
    ### BEGIN SOLUTION
    return x * (x + 3).clamp(0, 6) / 6
    ### END SOLUTION


# %% check="hard_swish" points=2
with checking.check("hard_swish"):
    x = torch.tensor([-4.0, -3.0, -1.0, 0.0, 1.0, 3.0, 5.0, 9.0])
    with checking.unchanged(x=x), checking.without("F.hardswish"):
        y = hard_swish(x)
    checking.close(
        y,
        [0.0, 0.0, -1 / 3, 0.0, 2 / 3, 3.0, 5.0, 9.0],
        "hard_swish of -4, -3, -1, 0, 1, 3, 5, 9",
        hint="the gate is 0 up to x = -3 and 1 from x = 3 on; it multiplies x",
    )
    grid = torch.linspace(-7, 7, 29).reshape(1, 29)
    checking.close(hard_swish(grid), F.hardswish(grid), "hard_swish from -7 to 7")

# %% [markdown]
# **A cheaper last stage.** MobileNetV2 ends with a block at 7x7 and then a wide 1x1 convolution, also at 7x7,
# only to average over the 49 positions right after it. MobileNetV3 averages first: the wide layer then runs
# at a single position. The block's depthwise filter and its projection had kept the input of that expensive
# layer narrow; now that it is cheap, they go too (figure 5 of the paper).
#
# | original last stage | positions | redesigned | positions |
# |---|---|---|---|
# | 1x1, $a \to e$ | $n^2$ | 1x1, $a \to e$ | $n^2$ |
# | 3x3 depthwise, $e$ | $n^2$ | global average | |
# | 1x1, $e \to p$ | $n^2$ | 1x1, $e \to f$ | 1 |
# | 1x1, $p \to f$ | $n^2$ | 1x1, $f \to$ classes | 1 |
# | global average | | | |
# | 1x1, $f \to$ classes | 1 | | |
#
# **By hand.** $n = 2, a = 1, e = 4, p = 2, f = 8$, 10 classes. Original:
# $4\,(4 + 36 + 8 + 16) + 80 = 336$ MACs. Redesigned: $4 \cdot 4 + 32 + 80 = 128$.
#
# ### Exercise: last_stage_macs


# %% exercise="last_stage" topics="mobilenet_v3"
def last_stage_macs(
    side: int, inputs: int, expanded: int, projected: int, features: int, classes: int
) -> tuple[int, int]:
    """MACs of MobileNet's last stage for one image, before and after its redesign.

    side       height and width, n, where the stage begins.
    inputs, expanded, projected, features  the channels a, e, p and f of the table.

    Returns (original, redesigned); averages and biases are not counted.
    """
    ### BEGIN SOLUTION
    positions = side**2
    per_position = inputs * expanded + 9 * expanded + expanded * projected + projected * features
    original = positions * per_position + features * classes
    redesigned = positions * inputs * expanded + expanded * features + features * classes
    return original, redesigned
    ### END SOLUTION


# %% check="last_stage" points=3
with checking.check("last_stage"):
    checking.equal(
        last_stage_macs(2, 1, 4, 2, 8, 10),
        (336, 128),
        "last_stage_macs(2, 1, 4, 2, 8, 10)",
        hint="layers after the average run at one position; a depthwise filter has 9 weights per channel",
    )
    checking.equal(
        last_stage_macs(7, 160, 960, 320, 1280, 1000),
        (44_352_960, 10_035_200),
        "last_stage_macs of MobileNetV3-Large (the paper: 30 million saved)",
    )
    checking.equal(
        last_stage_macs(1, 3, 5, 2, 4, 6)[0] - last_stage_macs(1, 3, 5, 2, 4, 6)[1],
        43,
        "what is saved at a single position",
        hint="at one position too, the depthwise filter and the projection are gone",
    )

# %% [markdown]
# How close is the straight-line version, and what does it save here? The time is of a feature map of 128 x 56
# x 56, through torch's own functions.

# %% experiment="swish_and_hard_swish" topics="mobilenet_v3"
grid = torch.linspace(-7, 7, 281)
x = torch.randn(1, 128, 56, 56, generator=nb.generator(3))
seconds = measure.compare(
    {
        "ReLU": partial(F.relu, x),
        "h-swish": partial(F.hardswish, x),
        "swish": partial(F.silu, x),
        "yours": partial(hard_swish, x),
    }
)
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.0), width_ratios=[1.5, 1])
left.plot(grid, F.silu(grid), label="swish")
left.plot(grid, hard_swish(grid), "--", label="h-swish (yours)")
left.plot(grid, hard_swish(grid) - F.silu(grid), ":", color="0.4", label="difference")
left.set(title="Two activations", xlabel="x", ylabel="value", ylim=(-0.6, 4), xlim=(-7, 4))
left.legend()
bars = right.bar(seconds.keys(), [1e3 * value for value in seconds.values()], color="C1", width=0.6)
right.bar_label(bars, fmt="%.2f")
right.set(title="Time of one map", ylabel="ms, one thread")
right.margins(y=0.15)
plt.show()
record("hard_swish_largest_difference", (hard_swish(grid) - F.silu(grid)).abs().max(), low=0.14, high=0.15)
record("swish_time_over_hard_swish_time", seconds.ratio("swish", "h-swish"), low=0.8, high=12, timed=seconds)
original, redesigned = last_stage_macs(7, 160, 960, 320, 1280, 1000)
whole = meta_counts(models.mobilenet_v3_large)
print(
    f"last stage: {original / 1e6:.1f} MMAC before, {redesigned / 1e6:.1f} after; the whole network has {whole.macs / 1e6:.0f}"
)
record("last_stage_saving_over_network", (original - redesigned) / whole.macs, low=0.15, high=0.17)

# %% [markdown]
# Each operation of your version makes a map of its own, which is why it is slower than torch's, which does
# the same in one pass: fusing operations is a topic of lab 2. The last stage alone would have added a sixth
# to the network's MACs.
