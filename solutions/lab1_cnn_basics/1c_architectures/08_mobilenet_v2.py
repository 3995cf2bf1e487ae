# %% [markdown]
# ## 8. MobileNetV2: inverted bottlenecks
#
# A ResNet bottleneck squeezes, convolves, and expands. With depthwise convolutions, which are nearly free, the
# opposite pays (Sandler et al., 2018): the wide layer is inside, and what is kept in memory between blocks is
# narrow.
#
# 1. **expand**: 1x1 convolution to $t \cdot C_\text{in}$ channels, BN, ReLU6 (left out if $t = 1$);
# 2. **filter**: depthwise 3x3 with the stride, BN, ReLU6;
# 3. **project**: 1x1 convolution to $C_\text{out}$ channels, BN, and *no* activation;
# 4. add the block's input if the stride is 1 and $C_\text{in} = C_\text{out}$.
#
# $\text{ReLU6}(x) = \min(\max(x, 0), 6)$: a bounded range is kind to numbers of few bits. No convolution has
# a bias. Why no activation at the end? A ReLU throws away half of each axis. Among many channels another one
# still holds what was lost; among few, it is gone. The experiment below shows it.
#
# **By hand.** 24 to 24 channels, $t = 6$: $24 \cdot 144 + 144 \cdot 9 + 144 \cdot 24 = 8208$ weights.
#
# ### Exercise: InvertedBottleneck


# %% exercise="inverted_bottleneck" topics="inverted_bottleneck"
class InvertedBottleneck(nn.Module):
    """MobileNetV2's block: [N, inputs, H, W] to [N, outputs, H / stride, W / stride].

    expand_ratio  t: how many times `inputs` channels the block has inside; 1: no expanding convolution.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, expand_ratio: int) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        inner = inputs * expand_ratio
        layers: list[nn.Module] = []
        if expand_ratio != 1:
            layers += [nn.Conv2d(inputs, inner, 1, bias=False), nn.BatchNorm2d(inner), nn.ReLU6()]
        layers += [
            nn.Conv2d(inner, inner, 3, stride=stride, padding=1, groups=inner, bias=False),
            nn.BatchNorm2d(inner),
            nn.ReLU6(),
            nn.Conv2d(inner, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        ]
        self.layers = nn.Sequential(*layers)
        self.adds_input = stride == 1 and inputs == outputs
        ### END SOLUTION

    def forward(self, x: Tensor) -> Tensor:
        ### BEGIN SOLUTION
        return x + self.layers(x) if self.adds_input else self.layers(x)
        ### END SOLUTION


# %% check="inverted_bottleneck" points=5
with checking.check("inverted_bottleneck"):
    from torchvision.models.mobilenetv2 import InvertedResidual

    x = 4 * torch.randn(2, 4, 6, 5, generator=torch.Generator().manual_seed(7))
    for arguments in ((4, 4, 1, 6), (4, 7, 1, 3), (4, 4, 2, 2), (4, 4, 1, 1), (4, 6, 2, 1)):
        what = f"InvertedBottleneck{arguments}"
        mine, theirs = InvertedBottleneck(*arguments), InvertedResidual(*arguments)
        same_numbers(
            mine,
            theirs,
            what,
            "expand (not if expand_ratio is 1), depthwise, project: convolutions without bias, each with a BatchNorm2d",
        )
        with torch.no_grad(), checking.unchanged(x=x):
            y, expected = mine(x), theirs(x)
        checking.equal(
            tuple(y.shape), tuple(expected.shape), f"the shape of {what}(x)", hint="the depthwise one strides"
        )
        checking.close(
            y,
            expected,
            f"{what}(x)",
            atol=1e-5,
            hint="ReLU6 after the first two, none at the end; x is added only if stride and channels allow it",
        )

# %% [markdown]
# **What a ReLU throws away** (after figure 1 of the paper). Take a spiral in two dimensions, embed it in $n$
# dimensions by a random matrix $T$, apply a ReLU, and come back by the best linear map. With few dimensions
# parts of the spiral are gone for good; with many, nothing is lost. So: activations where it is wide, none
# where it is narrow.

# %% experiment="what_a_relu_loses" topics="inverted_bottleneck"
angle = torch.linspace(0.5, 3.2 * math.pi, 400)
spiral = torch.stack([angle * angle.cos(), angle * angle.sin()], dim=1) / angle.max()


def lost(dimensions: int, draw: int) -> tuple[Tensor, float]:
    """The spiral after ReLU(spiral T) and the least-squares way back, and the share of its variance that is gone."""
    hidden = F.relu(spiral @ torch.randn(2, dimensions, generator=nb.generator(draw)))
    back = hidden @ torch.linalg.lstsq(hidden, spiral, driver="gelsd").solution
    return back, ((back - spiral).square().sum() / (spiral - spiral.mean(0)).square().sum()).item()


shown, dimensions = [2, 3, 6, 24], [2, 3, 4, 6, 8, 12, 16, 24, 48]
figure, axes = plt.subplots(1, 5, figsize=(10, 2.3), width_ratios=[1, 1, 1, 1, 1.6])
for axis, n in zip(axes, shown, strict=False):
    axis.scatter(*lost(n, 100)[0].T, c=angle, cmap="viridis", s=3)
    axis.set(title=f"n = {n}", xlim=(-1.1, 1.1), ylim=(-1.1, 1.1), aspect="equal")
    axis.set_axis_off()
means = [sum(lost(n, 100 + i)[1] for i in range(60)) / 60 for n in dimensions]
axes[4].semilogx(dimensions, means, "o-")
axes[4].set(title="Lost, mean of 60 matrices", xlabel="dimensions n", ylabel="share of variance", ylim=(0, None))
axes[4].set_xticks([2, 6, 24], [2, 6, 24])
axes[4].minorticks_off()
plt.show()
record("relu_loses_of_2_dimensions", means[0], low=0.2, high=0.8)
record("relu_loses_of_24_dimensions", means[dimensions.index(24)], low=0, high=0.03)

# %% [markdown]
# The second reason to turn the bottleneck around is memory. Between blocks MobileNetV2 keeps 16 to 320
# channels, a sixth of what it computes with; inside a block the wide maps can be made and used up a few
# channels at a time.
