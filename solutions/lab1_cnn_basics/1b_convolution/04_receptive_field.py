# %% [markdown]
# ## 4. How far a unit sees
#
# The **receptive field** of a unit is the part of the input that can change it. Go through the layers from
# the input and keep two numbers: the field $r$ in input pixels, and the step $j$, the distance in input
# pixels between two neighbouring units. Start with $r = 1, j = 1$ (a pixel sees itself). A layer with kernel
# $K$, stride $S$ and dilation $D$ combines units that are up to $D(K-1)$ steps apart, then keeps every
# $S$-th:
#
# $$r \leftarrow r + D(K-1)\,j, \qquad j \leftarrow j\,S.$$
#
# The field grows with the *old* step. Pooling layers count like convolutions.
#
# **By hand.** A 3x3 convolution, 2x2 pooling with stride 2, a 3x3 convolution:
# $(1, 1) \to (3, 1) \to (4, 2) \to (8, 2)$.
#
# Try it: which of depth, stride and dilation makes the field grow fastest? Which leaves holes? In which
# setting do some pixels in the field count far more than others?

# %% demo="receptive_field_explorer" topics="receptive_field"
explore.grow_receptive_field(kernel=3, stride=1, dilation=1, depth=3)

# %% [markdown]
# ### Exercise: receptive_field


# %% exercise="receptive_field" topics="receptive_field"
def receptive_field(layers: list[tuple[int, int, int]]) -> tuple[int, int]:
    """Receptive field of one unit after a stack of convolution and pooling layers, along one axis.

    layers  (kernel, stride, dilation) of each layer, from the input on; may be empty.

    Returns (field, step): pixels the unit can see, and pixels between the fields of two neighbouring units.
    """
    ### BEGIN SOLUTION
    field, step = 1, 1
    for kernel, stride, dilation in layers:
        field += dilation * (kernel - 1) * step
        step *= stride
    return field, step
    ### END SOLUTION


# %% check="receptive_field" points=4
with checking.check("receptive_field"):
    conv, pool, down = (3, 1, 1), (2, 2, 1), (3, 2, 1)
    checking.equal(receptive_field([]), (1, 1), "receptive_field([])", hint="a pixel sees itself")
    checking.equal(
        receptive_field([conv, conv, conv]),
        (7, 1),
        "receptive_field([conv, conv, conv])",
        hint="each adds K - 1 = 2 pixels at step 1",
    )
    checking.equal(
        receptive_field([conv, pool, conv]),
        (8, 2),
        "receptive_field([conv, pool, conv])",
        hint="after stride 2, a 3x3 filter spans 2 * 2 more pixels",
    )
    checking.equal(
        receptive_field([down]),
        (3, 2),
        "receptive_field([down])",
        hint="the window of one unit is 3 pixels; its own stride matters only for the layers after it",
    )
    checking.equal(
        receptive_field([(3, 1, 1), (3, 1, 2), (3, 1, 4)]),
        (15, 1),
        "receptive_field of dilations 1, 2, 4",
        hint="dilation D spreads K taps over D * (K - 1) steps",
    )
    vgg16 = [conv] * 2 + [pool] + [conv] * 2 + [pool] + ([conv] * 3 + [pool]) * 3
    checking.equal(
        receptive_field(vgg16),
        (212, 32),
        "receptive_field(vgg16) (published: 212)",
        hint="the layers are listed from the input on; strides multiply",
    )
    checking.equal(receptive_field([(7, 2, 1), (3, 2, 1)]), (11, 4), "receptive_field of ResNet-18's first two layers")

# %% [markdown]
# The field says what *can* matter. What does matter? Back-propagate from one unit to the input and average
# the size of the gradient over many images: the **effective** receptive field (Luo et al., 2016). The network
# is a small ResNet trained on `shapes`, 32x32 scenes of ten figures: a 5x5 convolution with stride 2, then
# stages of two 3x3 convolutions, of which the second and third stage start with stride 2. The unit is in the
# middle of the second stage.

# %% experiment="effective_field" topics="receptive_field"
layers = [(5, 2, 1), (3, 1, 1), (3, 1, 1), (3, 2, 1), (3, 1, 1)]  # stem, first stage, second stage
field, step = receptive_field(layers)
torch.manual_seed(nb.seed)
networks = {"untrained": models.small_resnet(), "trained": training.load("shapes_resnet")}
scenes = data.shapes(train=0, test=nb.pick(fast=200, full=1000)).test.images.to(nb.device)


def input_gradient(network: nn.Module, unit: int = 4) -> Tensor:
    """Mean absolute gradient of one unit of the second stage, all channels added: [32, 32], largest 1."""
    images = scenes.clone().requires_grad_()
    network.to(nb.device).eval()
    maps = nn.Sequential(network.conv1, network.bn1, network.relu, network.layer1, network.layer2)(images)
    maps[:, :, unit, unit].sum().backward()
    mean = images.grad.abs().mean((0, 1)).cpu()
    return mean / mean.max()


middle = 4 * step  # with these paddings, unit u looks at the window centred on pixel u * step
figure, axes = plt.subplots(1, 2, figsize=(7, 3.1))
for axis, (name, network) in zip(axes, networks.items(), strict=True):
    gradient = input_gradient(network)
    shown = axis.imshow(gradient, cmap="viridis", vmin=0, vmax=1)
    corner = middle - field / 2
    axis.add_patch(plt.Rectangle((corner, corner), field, field, fill=False, color="#D55E00", linewidth=2))
    axis.set(title=f"{name}: field of {field} px (box)", xlabel="input pixels", ylabel="input pixels")
    axis.grid(visible=False)
    distance = (torch.arange(32) - middle).abs()
    distance = torch.maximum(distance[:, None], distance[None])  # from the middle pixel, along the longer axis
    inside = gradient[distance <= 6].sum() / gradient.sum()
    outside = gradient[distance > field // 2].sum() / gradient.sum()
    print(
        f"{name}: {inside:.0%} of the gradient on the middle 13 x 13 pixels, a quarter of the field; {outside:.1%} outside the field"
    )
figure.colorbar(shown, ax=axes, label="|gradient|, largest = 1")
plt.show()
record("gradient_outside_the_field", outside, low=0, high=1e-6)
record("gradient_in_the_middle_quarter", inside, low=0.6, high=0.75)

# %% [markdown]
# Outside the box the gradient is exactly 0. Inside it fades long before the edge: a pixel in the middle
# reaches the unit along many paths, one at the edge along few, as the explorer's colours showed. A field as
# large as the object is therefore the least that is needed, not plenty.
