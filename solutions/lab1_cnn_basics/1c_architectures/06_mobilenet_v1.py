# %% [markdown]
# ## 6. MobileNetV1: filter, then mix
#
# A convolution does two things at once: it looks at the neighbourhood, and it mixes channels. MobileNetV1
# (Howard et al., 2017) does one after the other. A **depthwise separable convolution** is
#
# 1. a depthwise 3x3 convolution (each channel has one filter, `groups` = channels), with the stride, then batch
#    normalisation and ReLU;
# 2. a pointwise (1x1) convolution that mixes the channels, then batch normalisation and ReLU.
#
# Neither convolution has a bias.
#
# ### Exercise: DepthwiseSeparable


# %% exercise="depthwise_separable" topics="depthwise_separable"
class DepthwiseSeparable(nn.Module):
    """MobileNetV1's layer pair: [N, inputs, H, W] to [N, outputs, H / stride, W / stride]."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.layers = nn.Sequential(
            nn.Conv2d(inputs, inputs, 3, stride=stride, padding=1, groups=inputs, bias=False),
            nn.BatchNorm2d(inputs),
            nn.ReLU(),
            nn.Conv2d(inputs, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
        )
        ### END SOLUTION

    def forward(self, x: Tensor) -> Tensor:
        ### BEGIN SOLUTION
        return self.layers(x)
        ### END SOLUTION


# %% check="depthwise_separable" points=4
with checking.check("depthwise_separable"):

    def one_by_one(inputs: int, outputs: int, stride: int) -> nn.Module:
        """The same from torchvision's layers."""
        from torchvision.ops import Conv2dNormActivation as Layer

        return nn.Sequential(Layer(inputs, inputs, 3, stride, groups=inputs), Layer(inputs, outputs, 1))

    x = torch.randn(2, 6, 7, 5, generator=torch.Generator().manual_seed(6))
    for inputs, outputs, stride in ((6, 8, 1), (6, 4, 2), (6, 6, 1)):
        what = f"DepthwiseSeparable({inputs}, {outputs}, {stride})"
        mine, theirs = DepthwiseSeparable(inputs, outputs, stride), one_by_one(inputs, outputs, stride)
        same_numbers(
            mine, theirs, what, "depthwise filters [inputs, 1, 3, 3], then 1x1 filters [outputs, inputs]; no biases"
        )
        with torch.no_grad(), checking.unchanged(x=x):
            checking.close(
                mine(x),
                theirs(x),
                f"{what}(x)",
                hint="depthwise with the stride, BN, ReLU, pointwise, BN, ReLU",
            )

# %% [markdown]
# **What it costs.** Per position of the output a dense $K \times K$ convolution takes $C_\text{in}
# C_\text{out} K^2$ MACs, the separable one $C_\text{in} K^2 + C_\text{in} C_\text{out}$. The ratio is
#
# $$\frac{C_\text{in} K^2 + C_\text{in} C_\text{out}}{C_\text{in} C_\text{out} K^2} = \frac{1}{C_\text{out}} + \frac{1}{K^2} .$$
#
# With 3x3 filters and many channels that is a little more than $1/9$.
#
# **By hand.** 32 to 64 channels, $K = 3$, one position: $32 \cdot 64 \cdot 9 = 18{,}432$ against
# $288 + 2048 = 2336$: 7.9 times fewer.
#
# ### Exercise: separable_cost
#
# The pointwise convolution comes after the stride. Stride $S$ with padding $\lfloor K/2 \rfloor$ and odd $K$
# turns $n$ positions into $\lceil n / S \rceil$; `-(-n // S)` rounds up.


# %% exercise="separable_cost" topics="depthwise_separable"
def separable_cost(
    c_in: int, c_out: int, height: int, width: int, kernel: int = 3, stride: int = 1
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Cost of a dense convolution and of the depthwise separable one in its place, for one image, without biases.

    height, width  of the input; kernel is odd, the padding kernel // 2.

    Returns ((dense parameters, dense MACs), (separable parameters, separable MACs)); batch normalisation is not counted.
    """
    ### BEGIN SOLUTION
    positions = -(-height // stride) * -(-width // stride)
    dense = c_in * c_out * kernel**2
    separable = c_in * kernel**2 + c_in * c_out
    return (dense, dense * positions), (separable, separable * positions)
    ### END SOLUTION


# %% check="separable_cost" points=3
with checking.check("separable_cost"):
    checking.equal(
        separable_cost(32, 64, 1, 1),
        ((18_432, 18_432), (2_336, 2_336)),
        "separable_cost(32, 64, 1, 1)",
        hint="32 * 64 * 9, and 32 * 9 + 32 * 64",
    )
    checking.equal(
        separable_cost(8, 16, 10, 6, kernel=5),
        ((3_200, 192_000), (328, 19_680)),
        "separable_cost(8, 16, 10, 6, kernel=5)",
        hint="parameters do not depend on the image; every weight is used once at each of the 60 positions",
    )
    checking.equal(
        separable_cost(64, 128, 112, 112, stride=2),
        ((73_728, 231_211_008), (8_768, 27_496_448)),
        "separable_cost(64, 128, 112, 112, stride=2), the second pair of MobileNetV1",
        hint="56 x 56 positions: count output positions, for both convolutions",
    )
    checking.equal(
        separable_cost(4, 4, 7, 5, stride=2)[1][1],
        52 * 12,
        "MACs of the separable one, 7 x 5, stride 2",
        hint="4 x 3 positions: round up",
    )

# %% [markdown]
# Eight to nine times fewer MACs. How much less time? Five layers with the channels and output sizes of MobileNetV1 (all
# with stride 1 here), each as a dense 3x3 convolution with its normalisation and as your separable pair.

# %% experiment="separable_in_time" topics="depthwise_separable"
layers = [(32, 64, 112), (64, 128, 56), (128, 256, 28), (256, 512, 14), (512, 512, 14)]
macs_ratio, calls = [], {}
with torch.no_grad():
    for c_in, c_out, side in layers:
        x = torch.randn(1, c_in, side, side, generator=nb.generator(2))
        dense = nn.Sequential(nn.Conv2d(c_in, c_out, 3, padding=1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU()).eval()
        pair = DepthwiseSeparable(c_in, c_out, 1).eval()
        calls |= {("dense", side, c_in): partial(dense, x), ("pair", side, c_in): partial(pair, x)}
        (_, dense_macs), (_, pair_macs) = separable_cost(c_in, c_out, side, side)
        macs_ratio.append(dense_macs / pair_macs)
    timed = measure.compare(calls)
time_ratio = [timed.ratio(("dense", side, c_in), ("pair", side, c_in)) for c_in, _, side in layers]
figure, axes = plt.subplots(figsize=(7, 3.2))
places = torch.arange(len(layers))
axes.bar_label(axes.bar(places - 0.2, macs_ratio, 0.38, label="fewer MACs"), fmt="%.1f")
axes.bar_label(axes.bar(places + 0.2, time_ratio, 0.38, label="less time"), fmt="%.1f")
axes.set_xticks(places, [f"{a} to {b}\n{s} x {s}" for a, b, s in layers])
axes.set(title=f"Dense over separable, one thread of\n{cpu}", xlabel="channels and positions", ylabel="times")
axes.margins(y=0.25)
axes.legend(ncols=2, loc="upper left")
plt.show()
record("separable_fewer_macs", macs_ratio[-1], low=8.84, high=8.85)
record("separable_less_time_first_layer", time_ratio[0], low=0.7, high=7, timed=timed)

# %% [markdown]
# What is saved depends on the layer. In the first ones, with large maps and few channels, the time falls far
# less than the MACs: the pair passes over feature maps three more times, and its depthwise half does few MACs
# for each byte it moves. With small maps and many channels nearly everything is in the 1x1 convolution, a
# plain matrix product, and the time falls by as much as the MACs or more. Section 13 shows where each layer
# stands.
