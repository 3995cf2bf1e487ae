# %% [markdown]
# ## 11. ShuffleNet: mixing groups for free
#
# In a MobileNet nearly all MACs are in the 1x1 convolutions. Do those in groups, and they cost $G$ times less
# (ShuffleNet, Zhang et al., 2018). But group $g$ then never hears of the others, however many layers follow.
# The remedy costs no arithmetic: before the next grouped layer, deal the channels out like cards.
#
# With $C = G \cdot n$ channels, the shuffle reads the channels as a table of $G$ rows and $n$ columns, row by
# row, and writes it column by column.
#
# **By hand.** Six channels $0 \dots 5$, $G = 2$: rows $(0,1,2)$ and $(3,4,5)$, so the new order is
# $0, 3, 1, 4, 2, 5$.
#
# ### Exercise: channel_shuffle
#
# Without `F.channel_shuffle`.


# %% exercise="channel_shuffle" topics="channel_shuffle"
def channel_shuffle(x: Tensor, groups: int) -> Tensor:
    """Deal the channels of x out over the groups of the next layer.

    x       float [N, C, H, W]; groups divides C.

    Returns [N, C, H, W]: the table of groups rows and C / groups columns of channels, read column by column.
    Raises ValueError if groups does not divide C.
    """
    ### BEGIN SOLUTION
    n, c, h, w = x.shape
    if c % groups:
        raise ValueError(f"{groups} groups do not divide {c} channels")
    return x.reshape(n, groups, c // groups, h, w).transpose(1, 2).reshape(n, c, h, w)
    ### END SOLUTION


# %% check="channel_shuffle" points=3
with checking.check("channel_shuffle"):
    six = torch.arange(6.0).reshape(1, 6, 1, 1)
    checking.close(
        channel_shuffle(six, 2).flatten(),
        [0.0, 3.0, 1.0, 4.0, 2.0, 5.0],
        "channel_shuffle of channels 0 to 5, 2 groups",
        hint="0 2 4 1 3 5 undoes it instead: the table has as many rows as groups",
    )
    x = torch.randn(2, 12, 3, 4, generator=torch.Generator().manual_seed(9))
    for groups in (1, 2, 3, 4, 12):
        with checking.unchanged(x=x), checking.without("F.channel_shuffle"):
            y = channel_shuffle(x, groups)
        expected = x[:, [row * (12 // groups) + column for column in range(12 // groups) for row in range(groups)]]
        checking.close(
            y, expected, f"channel_shuffle(x, {groups})", hint="only channels move, positions and images stay"
        )
    checking.raises(ValueError, lambda: channel_shuffle(x, 5), "channel_shuffle of 12 channels, 5 groups")

# %% [markdown]
# **Who hears of whom?** One or two 1x1 convolutions in four groups, the two with and without your shuffle in
# between. Dark: an output channel that depends on an input channel.

# %% experiment="groups_and_shuffle" topics="channel_shuffle"
channels, groups = 16, 4


def influence(depth: int, shuffled: bool) -> Tensor:
    """Which of the inputs reach which outputs, bool [outputs, inputs]."""
    x = torch.eye(channels)[:, :, None, None]  # image i: channel i alone
    for layer in range(depth):
        if layer and shuffled:
            x = channel_shuffle(x, groups)
        x = F.conv2d(x, torch.ones(channels, channels // groups, 1, 1), groups=groups)
    return x[:, :, 0, 0].T > 0


figure, axes = plt.subplots(1, 3, figsize=(9, 3.4))
for axis, (depth, shuffled) in zip(axes, ((1, False), (2, False), (2, True)), strict=True):
    reach = influence(depth, shuffled)
    axis.imshow(reach, cmap="Blues", vmin=0, vmax=1.2, interpolation="nearest")
    name = "1 layer" if depth == 1 else f"{depth} layers, {'shuffled' if shuffled else 'no shuffle'}"
    axis.set(title=f"{name}: {reach.float().mean():.0%}", xlabel="input channel", ylabel="output channel")
    axis.grid(visible=False)
plt.show()
record("reach_without_shuffle", influence(3, False).float().mean(), low=0.25, high=0.25)
record("reach_with_shuffle", influence(2, True).float().mean(), low=1, high=1)
macs = {g: meta_counts(partial(models.shufflenet_v1, groups=g)).macs / 1e6 for g in (1, 2, 3, 4, 8)}
print("ShuffleNet 1x, million MACs by groups: " + ", ".join(f"{g}: {value:.0f}" for g, value in macs.items()))

# %% [markdown]
# Without the shuffle four networks run side by side and meet only in the classifier. With it, two layers
# suffice for everything to reach everything (as long as a group has at least as many channels as there are
# groups). ShuffleNet turns the savings into width: 144 channels with one group, 384 with eight, at the same
# MACs.
