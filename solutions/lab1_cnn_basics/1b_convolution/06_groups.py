# %% [markdown]
# ## 6. Channels in groups
#
# With $G$ groups the channels are cut into $G$ equal, neighbouring blocks, and block $g$ of the output reads
# block $g$ of the input alone. The weight is `[C_out, C_in / G, K, K]`: filters are shallower, so parameters
# and MACs fall by a factor of $G$. $G = C_\text{in}$ is a **depthwise** convolution: each channel has its own
# filter and never meets another. Something else, usually a 1x1 convolution, must then mix the channels.
#
# **By hand.** $G = 2$, one pixel with four channels $(1, 2, 3, 4)$, filters $(1, 1)$ and $(1, -1)$: the first
# sees channels $(1, 2)$ and gives 3, the second sees $(3, 4)$ and gives $-1$.
#
# ### Exercise: grouped convolution
#
# Use ordinary convolutions (`F.conv2d` with its default `groups=1`), one per group.


# %% exercise="grouped_conv" topics="grouped_conv"
def grouped_conv2d(x: Tensor, weight: Tensor, groups: int, padding: int = 0) -> Tensor:
    """Convolution in groups, stride 1.

    x       float [N, C_in, H, W]
    weight  float [C_out, C_in / groups, K, K]
    groups  divides C_in and C_out.

    Returns float [N, C_out, H_out, W_out]; output channels stand in the order of the filters. F.conv2d may serve each
    group, without its own `groups`.
    Raises ValueError if groups does not divide C_in and C_out.
    """
    ### BEGIN SOLUTION
    if x.shape[1] % groups or weight.shape[0] % groups:
        raise ValueError(f"{groups} groups do not divide {x.shape[1]} input and {weight.shape[0]} output channels")
    blocks = zip(x.chunk(groups, dim=1), weight.chunk(groups, dim=0), strict=True)
    return torch.cat([F.conv2d(block, filters, padding=padding) for block, filters in blocks], dim=1)
    ### END SOLUTION


# %% check="grouped_conv" points=4
with checking.check("grouped_conv"):
    x = torch.tensor([1.0, 2.0, 3.0, 4.0]).reshape(1, 4, 1, 1)
    w = torch.tensor([[1.0, 1.0], [1.0, -1.0]]).reshape(2, 2, 1, 1)
    checking.close(
        grouped_conv2d(x, w, 2),
        torch.tensor([3.0, -1.0]).reshape(1, 2, 1, 1),
        "grouped_conv2d(x, w, 2)",
        hint="group 0 reads channels 0 and 1, group 1 reads channels 2 and 3; their outputs stand side by side",
    )
    draw = torch.Generator().manual_seed(4)
    batch = torch.randn(2, 6, 5, 4, generator=draw)
    for groups, outputs in ((1, 4), (2, 4), (3, 9), (6, 6), (6, 12)):
        filters = torch.randn(outputs, 6 // groups, 3, 3, generator=draw)
        with checking.without("F.conv2d with groups"):
            y = grouped_conv2d(batch, filters, groups, padding=1)
        checking.close(
            y,
            F.conv2d(batch, filters, padding=1, groups=groups),
            f"grouped_conv2d(batch, {outputs} filters, groups={groups}, padding=1)",
            hint="group g uses C_in/G channels from g * C_in/G on and C_out/G filters from g * C_out/G on",
        )
    for groups, filters in ((4, torch.zeros(4, 1, 3, 3)), (3, torch.zeros(4, 2, 3, 3))):
        checking.raises(
            ValueError,
            partial(grouped_conv2d, batch, filters, groups),
            f"{groups} groups of 6 channels and 4 filters",
            hint="raise ValueError yourself, before slicing; groups must divide C_in and C_out",
        )

# %% [markdown]
# $G$ groups need $G$ times fewer MACs. Do they take $G$ times less time? One 3x3 layer, 128 channels in and
# out, 28x28 pixels.

# %% experiment="groups_in_time" topics="grouped_conv"
x = torch.randn(1, 128, 28, 28, generator=nb.generator(3))
groups = [1, 2, 4, 8, 16, 32, 64, 128]
calls = {}
for g in groups:
    w = torch.randn(128, 128 // g, 3, 3, generator=nb.generator(4))
    assert torch.allclose(grouped_conv2d(x, w, g, 1), F.conv2d(x, w, padding=1, groups=g), atol=1e-3)
    calls[g] = partial(F.conv2d, x, w, padding=1, groups=g)
timed = measure.compare(calls, rounds=30)
milliseconds = [1e3 * timed[g] for g in groups]
figure, axes = plt.subplots(figsize=(6.4, 3.3))
axes.loglog(groups, milliseconds, "o-", label="measured, F.conv2d")
axes.loglog(groups, [milliseconds[0] / g for g in groups], "k:", label="if time followed MACs")
axes.set_xticks(groups, groups)
axes.yaxis.set_major_locator(plt.LogLocator(subs=(1, 2, 5)))
axes.yaxis.set_major_formatter("{x:g}")
axes.minorticks_off()
axes.set(
    title=f"3x3 convolution in groups, 128 channels, 28x28\none thread of {cpu}",
    xlabel="groups G (128: depthwise)",
    ylabel="time, ms",
)
axes.legend()
plt.show()
faster = timed.ratio(1, 128)
print(f"depthwise: 128 times fewer MACs, {faster:.0f} times faster")
record("depthwise_speedup_of_128", faster, low=1, high=100, timed=timed)

# %% [markdown]
# The saving in MACs is exact, the saving in time is not. Shallow filters use each loaded number in few
# products; section 8 makes that precise. And libraries have fast kernels for common shapes only: look for a
# group count that takes *longer* than its neighbour with more MACs.
