# %% [markdown]
# ## 5. Pooling
#
# A pooling layer replaces each window by one number, channel by channel: the largest, or the mean.
#
# $$\text{max: } y = \max_{(u,v)\in R} x[u, v], \qquad \text{average: } y = \frac{1}{|R|}\sum_{(u,v)\in R} x[u,v]$$
#
# $R$ is the set of *real* pixels in the window. Padding must not join in: it counts as $-\infty$ for the
# maximum, and it is left out of both the sum and the count of the average. (PyTorch's `avg_pool2d` counts
# padding unless told `count_include_pad=False`.) The stride is usually the window's side, so that windows do
# not overlap.
#
# **By hand.** The row of windows
# $\begin{pmatrix}1&2\\3&6\end{pmatrix}, \begin{pmatrix}-4&-1\\-2&-1\end{pmatrix}$ becomes $(6, -1)$ with max
# and $(3, -2)$ with average.
#
# ### Exercise: pool2d
#
# Without torch's pooling functions. `tensor.unfold(axis, size, step)` gives a view of all windows along one
# axis; two of them give all windows of an image.


# %% exercise="pooling" topics="pooling"
def pool2d(x: Tensor, kernel: int, stride: int | None = None, padding: int = 0, mode: str = "max") -> Tensor:
    """Max or average pooling that ignores padding.

    x        float [N, C, H, W]; values may be negative.
    kernel   side of the square window.
    stride   step of the window; None means kernel.
    padding  pixels outside each edge that windows may reach, at most kernel // 2; they never count.
    mode     "max" or "avg".

    Returns float [N, C, H_out, W_out].
    """
    ### BEGIN SOLUTION
    stride = kernel if stride is None else stride

    def windows(values: Tensor, outside: float) -> Tensor:  # [N, C, H_out, W_out, K, K]
        padded = F.pad(values, (padding, padding, padding, padding), value=outside)
        return padded.unfold(2, kernel, stride).unfold(3, kernel, stride)

    if mode == "max":
        return windows(x, -math.inf).amax((4, 5))
    return windows(x, 0.0).sum((4, 5)) / windows(torch.ones_like(x), 0.0).sum((4, 5))
    ### END SOLUTION


# %% check="pooling" points=4
with checking.check("pooling"):
    x = torch.tensor([[[[1.0, 2.0, -4.0, -1.0], [3.0, 6.0, -2.0, -1.0]]]])
    checking.close(
        pool2d(x, 2),
        [[[[6.0, -1.0]]]],
        "pool2d(x, 2)",
        hint="the largest number of each 2x2 window, windows side by side",
    )
    checking.close(
        pool2d(x, 2, mode="avg"), [[[[3.0, -2.0]]]], 'pool2d(x, 2, mode="avg")', hint="the mean of each 2x2 window"
    )
    batch = torch.randn(2, 3, 7, 9, generator=torch.Generator().manual_seed(3)) - 2
    checking.close(
        pool2d(batch, 3),
        F.max_pool2d(batch, 3),
        "pool2d(batch, 3)",
        hint="[2, 3, 2, 3]: images and channels stay apart, a window that does not fit is dropped",
    )
    checking.close(
        pool2d(batch, 3, stride=2),
        F.max_pool2d(batch, 3, 2),
        "pool2d(batch, 3, stride=2)",
        hint="windows overlap when the stride is smaller than the kernel",
    )
    checking.close(
        pool2d(batch, 3, 2, padding=1),
        F.max_pool2d(batch, 3, 2, 1),
        "pool2d(batch, 3, stride=2, padding=1)",
        hint="most pixels are negative here, and a zero from the padding must not win: pad with -math.inf",
    )
    checking.close(
        pool2d(batch, 3, 2, padding=1, mode="avg"),
        F.avg_pool2d(batch, 3, 2, 1, count_include_pad=False),
        'pool2d(batch, 3, stride=2, padding=1, mode="avg")',
        hint="divide by the number of real pixels: 4 in a corner, 6 at an edge, 9 inside",
    )
    with checking.unchanged(x=batch), checking.without("F.max_pool2d", "F.avg_pool2d"):
        for mode in ("max", "avg"):
            pool2d(batch, 3, 2, padding=1, mode=mode)

# %% [markdown]
# Max or average? It depends on what the feature looks like (Boureau, Ponce and LeCun, 2010). Left: 4x4
# windows in which $k$ of 16 pixels are 1, all in noise of standard deviation 0.3; how many standard
# deviations separate windows with the feature from windows without? Right: pooling is often said to make a
# network blind to small shifts. Features of the trained network's first layer, halved in three ways, for
# scenes that move by 0 to 4 pixels.


# %% experiment="which_pooling" topics="pooling"
def separation(active: int, mode: str, windows: int = 4000) -> float:
    draw = nb.generator(active)
    chosen = torch.rand(windows, 16, generator=draw).argsort(1) < active
    noise = 0.3 * torch.randn(2, windows, 16, generator=draw)
    with_feature, without = (
        pool2d(t.reshape(1, windows, 4, 4), 4, mode=mode).flatten() for t in (noise[0] + chosen, noise[1])
    )
    return ((with_feature.mean() - without.mean()) / ((with_feature.var() + without.var()) / 2).sqrt()).item()


network = training.load("shapes_resnet").eval()
wide = data.shapes(train=0, test=200, size=40).test.images
ways = {
    "every second pixel": lambda t: t[:, :, ::2, ::2],
    "max": lambda t: pool2d(t, 2),
    "average": lambda t: pool2d(t, 2, mode="avg"),
}


def change(way: str, shift: int) -> float:
    """Mean distance between features of a scene and of the scene moved, over that between two different scenes."""
    with torch.no_grad():
        here, moved = (
            ways[way](network.relu(network.bn1(network.conv1(wide[:, :, 4:36, 4 + s : 36 + s])))).flatten(1)
            for s in (0, shift)
        )
    return ((here - moved).norm(dim=1).mean() / (here - here.roll(1, 0)).norm(dim=1).mean()).item()


figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.3))
actives = [1, 2, 4, 6, 8, 12, 16]
curves = {mode: [separation(active, mode) for active in actives] for mode in ("max", "avg")}
for mode, name in (("max", "max"), ("avg", "average")):
    left.plot(actives, curves[mode], "o-", label=name)
left.set(
    title="Thin features: max. Areas: average", xlabel="active pixels of 16", ylabel="separation, standard deviations"
)
shifts = range(5)
moves = {way: [change(way, shift) for shift in shifts] for way in ways}
for way, line in moves.items():
    right.plot(shifts, line, "o-", label=way)
right.set(
    title="No way of halving makes features blind to shifts",
    xlabel="shift, pixels",
    ylabel="change (1 = another scene)",
    xticks=list(shifts),
    ylim=(0, None),
)
left.legend()
right.legend()
plt.show()
record("max_over_average_thin", curves["max"][0] / curves["avg"][0], low=2, high=3)
record("max_over_average_full", curves["max"][-1] / curves["avg"][-1], low=0.4, high=0.52)
record("change_after_one_pixel_max", moves["max"][1], low=0.24, high=0.35)

# %% [markdown]
# A thin feature fills few pixels of its window: the mean dilutes it, the maximum keeps it. A feature that
# fills the window is better averaged: noise cancels, while the maximum picks out the largest noise. As for
# shifts, pooling softens them and does not remove them: one pixel already takes the features a good part of
# the way to another scene.
