# %% [markdown]
# ## 2. Folding it away
#
# In use, batch normalisation multiplies each channel by a constant and adds a constant. So does the convolution
# before it: both are linear, and the second can be worked into the first. With filter $w_k$ and bias $b_k$ of
# output channel $k$ and $s_k = \gamma_k / \sqrt{\sigma_k^2 + \epsilon}$,
#
# $$\gamma_k \frac{(w_k * x + b_k) - \mu_k}{\sqrt{\sigma_k^2+\epsilon}} + \beta_k
#    \;=\; \underbrace{(s_k w_k)}_{\text{new filter}} * x + \underbrace{s_k (b_k - \mu_k) + \beta_k}_{\text{new bias}} .$$
#
# The layer is gone, and with it one pass over the feature map: read, scale, write. Every network is folded
# before it is quantized or shipped.
#
# **By hand.** A filter of one weight 3 without bias, $\mu = 4, \sigma^2 = 4, \gamma = 6, \beta = 1, \epsilon
# = 0$: $s = 3$, new weight 9, new bias $3 \cdot (0-4) + 1 = -11$. Try $x = 2$: $3 \cdot 2 = 6$, normalised
# $(6-4)/2 = 1$, result $6 \cdot 1 + 1 = 7$; folded $9 \cdot 2 - 11 = 7$.
#
# ### Exercise: fold_batch_norm


# %% exercise="bn_folding" topics="bn_folding"
def fold_batch_norm(
    conv_weight: Tensor,
    conv_bias: Tensor | None,
    gamma: Tensor,
    beta: Tensor,
    mean: Tensor,
    var: Tensor,
    eps: float = 1e-5,
) -> tuple[Tensor, Tensor]:
    """One convolution in place of a convolution and the batch normalisation after it.

    conv_weight  float [C_out, C_in / groups, K_h, K_w]; conv_bias float [C_out] or None. They keep their values.
    gamma, beta  the normalisation's weight and bias, float [C_out].
    mean, var    its running statistics, float [C_out].

    Returns (weight, bias) of the new convolution: shapes of conv_weight and [C_out].
    """
    ### BEGIN SOLUTION
    scale = gamma / torch.sqrt(var + eps)
    shifted = -mean if conv_bias is None else conv_bias - mean
    return conv_weight * scale[:, None, None, None], beta + scale * shifted
    ### END SOLUTION


# %% check="bn_folding" points=4
with checking.check("bn_folding"):
    one = [torch.tensor([value]) for value in (6.0, 1.0, 4.0, 4.0)]  # gamma, beta, mean, var
    weight, bias = fold_batch_norm(torch.tensor([[[[3.0]]]]), None, *one, eps=0.0)
    checking.close(weight, [[[[9.0]]]], "the folded weight", hint="6 / sqrt(4) = 3; times 3")
    checking.close(bias, [-11.0], "the folded bias", hint="3 * (0 - 4) + 1; without a bias b is 0")

    draw = torch.Generator().manual_seed(2)
    for groups, has_bias in ((1, False), (1, True), (4, True)):
        x = torch.randn(2, 4, 5, 5, generator=draw)
        w = torch.randn(4, 4 // groups, 3, 3, generator=draw)
        b = torch.randn(4, generator=draw) if has_bias else None
        gamma, beta, mean = torch.randn(3, 4, generator=draw)
        var = torch.rand(4, generator=draw) + 0.2
        expected = F.batch_norm(F.conv2d(x, w, b, groups=groups), mean, var, gamma, beta, eps=0.05)
        with checking.unchanged(conv_weight=w, gamma=gamma, beta=beta, mean=mean, var=var):
            folded = fold_batch_norm(w, b, gamma, beta, mean, var, eps=0.05)
        checking.close(
            F.conv2d(x, *folded, groups=groups),
            expected,
            f"the folded convolution, groups={groups}, {'with' if has_bias else 'without'} a bias",
            atol=1e-4,
            hint="scale[k] belongs to filter k, the first axis; the old bias is shifted by the mean and scaled too",
        )

# %% [markdown]
# Now fold whole networks with your function, and measure. MobileNetV2 has 52 of these pairs.


# %% experiment="folding_pays" topics="bn_folding"
def fold_network(network: nn.Module) -> int:
    """Fold each batch normalisation into the convolution that stands just before it; returns how many."""
    folded = 0
    for parent in list(network.modules()):
        children = list(parent.named_children())
        for (_, conv), (name, bn) in itertools.pairwise(children):
            if isinstance(conv, nn.Conv2d) and isinstance(bn, nn.BatchNorm2d):
                weight, bias = fold_batch_norm(
                    conv.weight.detach(),
                    conv.bias,
                    bn.weight.detach(),
                    bn.bias.detach(),
                    bn.running_mean,
                    bn.running_var,
                    bn.eps,
                )
                conv.weight, conv.bias = nn.Parameter(weight), nn.Parameter(bias)
                setattr(parent, name, nn.Identity())
                folded += 1
    return folded


test = data.shapes(train=0, test=200).test
network = training.load("shapes_resnet").eval()
with torch.no_grad():
    before = network(test.images)
    fold_network(network)
    difference = (network(test.images) - before).abs().max().item()
print(f"the trained network on 200 scenes: logits up to {before.abs().max():.1f}, largest difference {difference:.1e}")

sides = (128, 176, 224)
images = {side: torch.randn(1, 3, side, side, generator=nb.generator()) for side in sides}
pairs, calls = {}, {}
with torch.no_grad():
    for name, make in (("MobileNetV2", models.mobilenet_v2), ("ResNet-18", models.resnet18)):
        network = make().eval()
        folded = copy.deepcopy(network)
        pairs[name] = fold_network(folded)
        for side, image in images.items():
            calls |= {(name, "plain", side): partial(network, image), (name, "folded", side): partial(folded, image)}
    timed = measure.compare(calls, rounds=nb.pick(fast=6, full=40))
figure, axes = plt.subplots(figsize=(5.6, 3.0))
for column, name in enumerate(pairs):
    milliseconds = [1e3 * timed[name, version, 224] for version in ("plain", "folded")]
    bars = axes.bar([column - 0.2, column + 0.2], milliseconds, 0.36, color=["C0", "C1"])
    axes.bar_label(bars, fmt="%.0f")
axes.set_xticks(range(len(pairs)), [f"{name}\n{number} pairs" for name, number in pairs.items()])
axes.set(title=f"One image, one thread of\n{cpu}", ylabel="time, ms")
axes.legend(bars, ["with batch normalisation", "folded"])
axes.margins(y=0.15)
plt.show()
record("folding_largest_difference", difference, low=0, high=1e-3)
plain, folded = ([("MobileNetV2", version, side) for side in sides] for version in ("plain", "folded"))
record("mobilenet_v2_time_over_folded", timed.ratio(plain, folded), low=0.9, high=4, timed=timed)

# %% [markdown]
# The answers are the same to rounding. Batch normalisation takes hardly any operations, but it reads and
# writes every feature map once more: that is what is saved. Runs differ; look at the ratio, and run the cell
# again.
