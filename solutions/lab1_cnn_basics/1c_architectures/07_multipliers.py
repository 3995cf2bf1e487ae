# %% [markdown]
# ## 7. Width and resolution multipliers
#
# One design, many sizes: MobileNets come with two knobs. The **width multiplier** $\alpha$ scales the
# channels of every layer, the **resolution multiplier** $\rho$ the side of the image. A separable layer then
# costs, per image of $H \times W$ positions,
#
# $$\rho H \cdot \rho W\,(\alpha C_\text{in}\, K^2 + \alpha C_\text{in} \cdot \alpha C_\text{out}) \ \text{MACs}:$$
#
# nearly $\alpha^2 \rho^2$. Parameters fall with $\alpha^2$ and do not change with $\rho$; activations fall with
# $\alpha \rho^2$.
#
# Scaled channel numbers must be whole, and hardware likes multiples of 8 (a cache line, a vector register, a
# tensor core's tile). MobileNetV2's rule: the nearest multiple of 8, halves upwards, at least 8; but if that is
# less than 90% of the wanted number, the next multiple up, so that no layer shrinks much.
#
# **By hand.** 32 x 0.75 = 24 stays 24. 24 x 0.35 = 8.4: nearest is 8, and 8 is at least 7.56: 8.
# 96 x 0.19 = 18.24: nearest is 16, but $16 < 0.9 \cdot 18.24 = 16.4$: 24. 52 lies half-way: 56.
#
# ### Exercise: round_channels


# %% exercise="round_channels" topics="multipliers"
def round_channels(channels: float, divisor: int = 8) -> int:
    """The multiple of divisor that stands for a scaled number of channels (MobileNetV2's rule).

    channels  above 0, not necessarily whole.

    Returns the nearest multiple (halves go up), at least divisor, and the next one up if it is below 0.9 * channels.
    """
    ### BEGIN SOLUTION
    nearest = max(divisor, math.floor(channels / divisor + 0.5) * divisor)
    return nearest + divisor if nearest < 0.9 * channels else nearest
    ### END SOLUTION


# %% check="round_channels" points=2
with checking.check("round_channels"):
    for channels, expected, hint in (
        (24, 24, "a multiple stays as it is"),
        (8.4, 8, "the nearest multiple"),
        (22, 24, "the nearest multiple, up or down"),
        (12, 16, "12 is half-way between 8 and 16: up. Python's round() takes halves to the even neighbour"),
        (52, 56, "52 is half-way between 48 and 56: up"),
        (95, 96, "the nearest multiple, not the one below"),
        (3, 8, "at least the divisor"),
        (18.24, 24, "16 would be less than 90% of 18.24"),
        (11, 16, "8 would be less than 90% of 11"),
        (33, 32, "32 is more than 90% of 33"),
    ):
        checking.equal(round_channels(channels), expected, f"round_channels({channels})", hint=hint)
    checking.equal(round_channels(10, divisor=4), 12, "round_channels(10, divisor=4)", hint="half-way: up")
    checking.equal(round_channels(5.3, divisor=1), 5, "round_channels(5.3, divisor=1)")
    checking.equal(
        type(round_channels(17.5)).__name__, "int", "the type of round_channels(17.5)", hint="a whole number"
    )
    wide = models.mobilenet_v2(width=0.75, rounded=round_channels)
    checking.equal(
        sum(p.numel() for p in wide.parameters()),
        2_636_424,
        "the parameters of MobileNetV2 with width 0.75 and your rule",
    )

# %% [markdown]
# ### Exercise: scaled_macs
#
# A network of separable layers under both multipliers. Here channels are rounded simply, with `round`.


# %% exercise="multipliers" topics="multipliers"
def scaled_macs(layers: list[tuple[int, int, int]], side: int, width: float = 1.0, resolution: float = 1.0) -> int:
    """MACs of depthwise separable 3x3 layers, one after the other, for one square image.

    layers      (c_in, c_out, stride) of each, before scaling; a stride turns n positions into
                ceil(n / stride).
    side        height and width of the first layer's input, before scaling.
    width       multiplies all channels, also those of the first input: round(width * channels), at least 1.
    resolution  multiplies the side: round(resolution * side).
    """
    ### BEGIN SOLUTION
    side, macs = round(resolution * side), 0
    for c_in, c_out, stride in layers:
        c_in, c_out = max(1, round(width * c_in)), max(1, round(width * c_out))
        side = -(-side // stride)
        macs += side**2 * c_in * (9 + c_out)
    return macs
    ### END SOLUTION


# %% check="multipliers" points=3
with checking.check("multipliers"):
    pair = [(32, 64, 1)]
    checking.equal(scaled_macs(pair, 10), 233_600, "scaled_macs([(32, 64, 1)], 10)", hint="100 * (32 * 9 + 32 * 64)")
    checking.equal(
        scaled_macs(pair, 10, width=0.5),
        65_600,
        "scaled_macs([(32, 64, 1)], 10, width=0.5)",
        hint="16 * 9 + 16 * 32: both numbers of channels are halved",
    )
    checking.equal(
        scaled_macs(pair, 10, resolution=0.5),
        58_400,
        "scaled_macs([(32, 64, 1)], 10, resolution=0.5)",
        hint="5 x 5 positions: the multiplier acts on both sides of the image",
    )
    checking.equal(
        scaled_macs([(4, 8, 2), (8, 8, 1)], 9),
        25 * (4 * 17 + 8 * 17),
        "scaled_macs([(4, 8, 2), (8, 8, 1)], 9)",
        hint="the first layer leaves 5 x 5 positions, which the second one starts from",
    )
    outputs = [64, 128, 128, 256, 256, 512, *[512] * 5, 1024, 1024]
    strides = [1, 2, 1, 2, 1, 2, *[1] * 5, 2, 1]
    v1 = list(zip([32, *outputs[:-1]], outputs, strides, strict=True))
    for width, side in ((1.0, 224), (0.5, 160)):
        with torch.device("meta"):  # shapes without numbers
            blocks, x = (
                models.mobilenet_v1(width=width).features[1:],
                torch.empty(1, round(32 * width), side // 2, side // 2),
            )
        expected = measure.count(blocks, x)
        checking.equal(
            scaled_macs(v1, 112, width, side / 224),
            expected.macs,
            f"scaled_macs of MobileNetV1's thirteen layers, width {width}, image {side}",
        )

# %% [markdown]
# Which knob should you turn? The paper trained MobileNet at four widths and four resolutions. Your function
# gives the MACs of the separable layers; the stem and the classifier add their own.

# %% experiment="width_or_resolution" topics="multipliers"
outputs = [64, 128, 128, 256, 256, 512, *[512] * 5, 1024, 1024]
strides = [1, 2, 1, 2, 1, 2, *[1] * 5, 2, 1]
layers = list(zip([32, *outputs[:-1]], outputs, strides, strict=True))


def mobilenet_macs(width: float, side: int) -> int:
    """The whole network: stem of stride 2, thirteen separable layers, classifier of 1000 classes."""
    stem = (side // 2) ** 2 * 27 * round(32 * width)
    return stem + scaled_macs(layers, 112, width, side / 224) + round(1024 * width) * 1000


# top-1 accuracy in %, Howard et al., 2017, tables 6 and 7
by_width = {1.0: 70.6, 0.75: 68.4, 0.5: 63.7, 0.25: 50.6}
by_side = {224: 70.6, 192: 69.1, 160: 67.2, 128: 64.4}
figure, axes = plt.subplots(figsize=(6.4, 3.4))
for name, points, marker in (
    ("width, at 224 x 224", {(w, 224): a for w, a in by_width.items()}, "o-"),
    ("resolution, at width 1", {(1.0, s): a for s, a in by_side.items()}, "s-"),
):
    costs = [mobilenet_macs(*setting) / 1e6 for setting in points]
    axes.semilogx(costs, points.values(), marker, label=name)
    for (w, s), cost, accuracy in zip(points, costs, points.values(), strict=True):
        label, below = (f"{w:g}", True) if s == 224 else (f"{s}", False)
        if (w, s) != (1.0, 224):
            axes.annotate(
                label,
                (cost, accuracy),
                (4, -11) if below else (-4, 7),
                textcoords="offset points",
                ha="left" if below else "right",
                fontsize=8,
            )
axes.set(
    title="MobileNetV1 on ImageNet (published accuracies)", xlabel="million MACs (yours)", ylabel="top-1 accuracy, %"
)
axes.set_xticks([50, 100, 200, 500], [50, 100, 200, 500])
axes.minorticks_off()
axes.margins(y=0.12)
axes.legend()
plt.show()
published = {
    (1.0, 224): 569,
    (0.75, 224): 325,
    (0.5, 224): 149,
    (0.25, 224): 41,
    (1.0, 192): 418,
    (1.0, 160): 290,
    (1.0, 128): 186,
}
worst = max(abs(mobilenet_macs(*setting) / 1e6 / millions - 1) for setting, millions in published.items())
print(f"largest difference from the MACs the paper gives: {worst:.1%}")
record("mobilenet_macs_against_the_paper", worst, low=0, high=0.02)
record("half_width_macs_ratio", mobilenet_macs(1.0, 224) / mobilenet_macs(0.5, 224), low=3.7, high=3.9)

# %% [markdown]
# Both knobs cost nearly the same accuracy for the MACs they save. So other things decide: a thinner network
# has a smaller file, a smaller image leaves more room in activation memory, and a network that must see small
# things cannot give up pixels. In practice both are turned together, and later with depth (EfficientNet).
