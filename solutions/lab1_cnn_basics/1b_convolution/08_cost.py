# %% [markdown]
# ## 8. What a convolution costs
#
# Every output number takes one MAC for every weight of its filter. With output `[N, C_out, H_out, W_out]` and
# weight `[C_out, C_in / G, K, K]`:
#
# $$\text{MACs} = N \, C_\text{out} H_\text{out} W_\text{out} \cdot \frac{C_\text{in}}{G} K^2 .$$
#
# Time also depends on memory. At the least, input and weight are read once and the output is written once:
#
# $$\text{bytes} = b\,(|x| + |w| + |y|),$$
#
# $|\cdot|$ counts numbers and $b$ is the bytes of one number (4 for float32, 1 for int8). **MACs per byte**,
# the *arithmetic intensity*, says how often each loaded byte is used. A processor needs many MACs per byte to
# be busy computing rather than waiting.
#
# **By hand.** $x$ `[1, 2, 4, 4]`, $w$ `[3, 2, 1, 1]`, $y$ `[1, 3, 4, 4]`: $48 \cdot 2 = 96$ MACs;
# $4\,(32 + 6 + 48) = 344$ bytes.
#
# ### Exercise: conv_cost


# %% exercise="conv_cost" topics="conv_cost"
def conv_cost(
    x_shape: tuple[int, ...], weight_shape: tuple[int, ...], y_shape: tuple[int, ...], bytes_per_number: int = 4
) -> tuple[int, int]:
    """Cost of one convolution without bias.

    x_shape       (N, C_in, H, W)
    weight_shape  (C_out, C_in / G, K_h, K_w): it tells the number of groups.
    y_shape       (N, C_out, H_out, W_out)

    Returns (macs, bytes): multiply-accumulates for the whole batch, and bytes of input, weight and output together.
    """
    ### BEGIN SOLUTION
    macs = math.prod(y_shape) * math.prod(weight_shape[1:])
    numbers = math.prod(x_shape) + math.prod(weight_shape) + math.prod(y_shape)
    return macs, numbers * bytes_per_number
    ### END SOLUTION


# %% check="conv_cost" points=4
with checking.check("conv_cost"):
    checking.equal(
        conv_cost((1, 2, 4, 4), (3, 2, 1, 1), (1, 3, 4, 4)),
        (96, 344),
        "conv_cost((1, 2, 4, 4), (3, 2, 1, 1), (1, 3, 4, 4))",
        hint="192: one MAC is a product and an addition, counted once; bytes: three tensors, 4 bytes per number",
    )
    macs, size = conv_cost((1, 3, 224, 224), (64, 3, 7, 7), (1, 64, 112, 112))
    checking.equal(
        macs,
        118_013_952,
        "MACs of the first layer of ResNet-18 (published: 118 million)",
        hint="positions of the output, 112x112, not of the input",
    )
    checking.equal(
        size, 4 * (150_528 + 9_408 + 802_816), "bytes of the first layer of ResNet-18", hint="input + weight + output"
    )
    checking.equal(
        conv_cost((1, 128, 28, 28), (128, 1, 3, 3), (1, 128, 28, 28))[0],
        903_168,
        "MACs of a depthwise 3x3 layer, 128 channels, 28x28",
        hint="weight_shape[1] is already C_in / G: each output reads one channel",
    )
    checking.equal(
        conv_cost((8, 16, 9, 11), (32, 4, 3, 5), (8, 32, 7, 7), 1),
        (752_640, 27_136),
        "conv_cost of a batch of 8, in 4 groups, int8",
        hint="the batch counts in input, output and MACs, but the weight is read once; filters need not be square",
    )

# %% [markdown]
# Where do a whole network's parameters, MACs and time lie? Left: the stages of ResNet-18 for one 224x224
# image. Right: single layers; each dot's rate against its MACs per byte.

# %% experiment="cost_and_time" topics="conv_cost"
network = models.resnet18().eval()
stages = {
    "stem": nn.Sequential(network.conv1, network.bn1, network.relu, network.maxpool),
    "layer1": network.layer1,
    "layer2": network.layer2,
    "layer3": network.layer3,
    "layer4": network.layer4,
    "head": nn.Sequential(network.avgpool, nn.Flatten(), network.fc),
}
x = torch.randn(1, 3, 224, 224, generator=nb.generator(5))
total = measure.count(network, x)
shares = []
with torch.no_grad():
    for stage in stages.values():
        counts, time = measure.count(stage, x), measure.latency(partial(stage, x), warmup=2, runs=9).median
        shares.append((counts.parameters, counts.activations, counts.macs, time))
        x = stage(x)
shares = torch.tensor(shares, dtype=torch.float64)
print(f"ResNet-18: {total}")
print(f"{shares[:, 3].sum() * 1e3:.0f} ms for one image on one thread of {cpu}")

layers = [  # (C_in, C_out, K, G, side)
    (128, 128, 3, 1, 28),
    (128, 128, 1, 1, 28),
    (128, 128, 3, 8, 28),
    (128, 128, 3, 32, 28),
    (128, 128, 3, 128, 28),
    (32, 32, 3, 1, 56),
    (32, 32, 3, 32, 56),
    (512, 512, 1, 1, 7),
    (512, 512, 3, 512, 7),
    (512, 512, 3, 1, 7),
]
costs, calls = [], {}
for layer in layers:
    c_in, c_out, k, g, side = layer
    x, w = torch.randn(1, c_in, side, side), torch.randn(c_out, c_in // g, k, k)
    costs.append(conv_cost(tuple(x.shape), tuple(w.shape), (1, c_out, side, side)))
    calls[layer] = partial(F.conv2d, x, w, padding=k // 2, groups=g)
timed = measure.compare(calls)
points = []
for (c_in, _, k, g, _), (macs, size), seconds in zip(layers, costs, timed.values(), strict=True):
    points.append((macs / size, macs / seconds / 1e9, "depthwise" if g == c_in else "grouped" if g > 1 else f"{k}x{k}"))

figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 3.5))
for i, name in enumerate(("parameters", "activations", "MACs", "time")):
    left.bar(torch.arange(6) + 0.2 * (i - 1.5), 100 * shares[:, i] / shares[:, i].sum(), 0.2, label=name)
left.set(
    title="ResNet-18, share of each stage", ylabel="% of the network", xticks=range(6), xticklabels=stages, ylim=(0, 90)
)
left.legend(fontsize=8, ncols=2, loc="upper left")
for kind, marker in (("3x3", "o"), ("1x1", "s"), ("grouped", "^"), ("depthwise", "v")):
    right.loglog(*zip(*[(p[0], p[1]) for p in points if p[2] == kind], strict=True), marker, label=kind)
right.set(
    title=f"Single layers, one thread of\n{cpu}", xlabel="arithmetic intensity, MACs per byte", ylabel="rate, GMAC/s"
)
right.xaxis.set_major_formatter("{x:g}")
right.yaxis.set_major_locator(plt.LogLocator(subs=(1, 2, 5)))
right.yaxis.set_major_formatter("{x:g}")
right.minorticks_off()
right.legend(fontsize=8)
plt.show()
record("resnet18_macs", total.macs, low=1_814_073_344, high=1_814_073_344)
record("stem_and_layer1_share_of_parameters", shares[:2, 0].sum() / shares[:, 0].sum(), low=0.013, high=0.015)
best = {kind: max(rate for _, rate, of in points if of == kind) for kind in ("3x3", "depthwise")}
record("depthwise_rate_over_dense_rate", best["depthwise"] / best["3x3"], low=0, high=0.8, timed=timed)

# %% [markdown]
# Parameters sit late, activations early. MACs are spread evenly by design: when a stage halves height and
# width, it doubles the channels. So pruning `layer4` saves bytes on disk, pruning `layer1` saves activations,
# and neither number alone tells the time. Depthwise layers have few MACs per byte and run at a small part of
# the machine's rate.
