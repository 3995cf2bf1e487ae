# %% [markdown]
# ## 3. How large the output is
#
# Along one axis an input has $n$ numbers, and $n + 2P$ with padding. Dilation $D$ spreads the taps of the
# filter: tap $u$ reads $D \cdot u$ pixels after tap 0, so the window spans $D(K-1) + 1$ pixels. The window
# starts at $0, S, 2S, \dots$ and the last start must leave room for all of it:
#
# $$n_\text{out} = \left\lfloor \frac{n + 2P - D(K-1) - 1}{S} \right\rfloor + 1.$$
#
# $\lfloor\cdot\rfloor$ rounds down: pixels left over at the far end are never read.
#
# **By hand.** $n = 8, K = 3, S = 2, P = 0, D = 1$: starts 0, 2, 4 give 3 outputs (start 6 would need pixel
# 8). In the formula, $\lfloor 5/2 \rfloor + 1 = 3$.
#
# ### Exercise: output_size


# %% exercise="output_size" topics="output_size"
def output_size(size: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> int:
    """How many numbers a convolution or pooling layer puts out along one axis.

    size      pixels of the input along the axis, before padding.
    padding   zeros added at each of the two ends.

    Returns a whole number of at least 1. Raises ValueError if the window does not fit even once.
    """
    ### BEGIN SOLUTION
    room = size + 2 * padding - dilation * (kernel - 1) - 1
    if room < 0:
        raise ValueError(f"a window of {dilation * (kernel - 1) + 1} does not fit in {size} + 2 * {padding} pixels")
    return room // stride + 1
    ### END SOLUTION


# %% check="output_size" points=3
with checking.check("output_size"):
    checking.equal(output_size(5, 3), 3, "output_size(5, 3)", hint="the window starts at 0, 1 and 2")
    checking.equal(
        output_size(8, 3, stride=2),
        3,
        "output_size(8, 3, stride=2)",
        hint="round down: a window that does not fit whole does not count",
    )
    checking.equal(
        output_size(32, 3, padding=1), 32, "output_size(32, 3, padding=1)", hint="padding is added at both ends"
    )
    checking.equal(
        output_size(224, 7, stride=2, padding=3),
        112,
        "output_size(224, 7, stride=2, padding=3), the first layer of ResNet-18",
    )
    checking.equal(
        output_size(32, 3, padding=2, dilation=2),
        32,
        "output_size(32, 3, padding=2, dilation=2)",
        hint="3 taps, 2 apart, span 5 pixels",
    )
    checking.equal(output_size(7, 7, stride=7), 1, "output_size(7, 7, stride=7)", hint="one window fits exactly")
    checking.raises(
        ValueError,
        lambda: output_size(4, 3, dilation=2),
        "output_size(4, 3, dilation=2)",
        hint="the window spans 5 pixels, the input has 4",
    )
    image = torch.zeros(1, 1, 29, 29)
    for settings in ((5, 3, 2, 2), (2, 2, 0, 1), (1, 4, 0, 1), (4, 2, 3, 3)):
        kernel, stride, padding, dilation = settings
        expected = F.conv2d(image, torch.zeros(1, 1, kernel, kernel), None, stride, padding, dilation).shape[2]
        checking.equal(
            output_size(29, *settings),
            expected,
            f"output_size(29, kernel={kernel}, stride={stride}, padding={padding}, dilation={dilation})",
        )

# %% [markdown]
# The formula hides something: not every pixel is read equally often. Each map below counts how many windows
# read each pixel of a 10 x 10 image.

# %% experiment="how_often_pixels_are_read" topics="output_size"
settings = [(3, 1, 0, 1), (3, 2, 0, 1), (3, 2, 1, 1), (2, 2, 0, 1), (3, 1, 2, 2)]
figure, axes = plt.subplots(1, 5, figsize=(10, 2.5))
for axis, (kernel, stride, padding, dilation) in zip(axes, settings, strict=True):
    image = torch.ones(1, 1, 10, 10, requires_grad=True)
    F.conv2d(image, torch.ones(1, 1, kernel, kernel), None, stride, padding, dilation).sum().backward()
    reads = image.grad[0, 0].int()
    axis.imshow(reads, cmap="viridis", vmin=0, vmax=9)
    for (i, j), count in zip(
        torch.cartesian_prod(torch.arange(10), torch.arange(10)).tolist(), reads.flatten().tolist(), strict=True
    ):
        axis.text(j, i, count, ha="center", va="center", fontsize=6, color="white" if count < 6 else "black")
    size = output_size(10, kernel, stride, padding, dilation)
    axis.set_title(
        f"K={kernel} S={stride} P={padding} D={dilation}\n10 to {size}, unread: {(reads == 0).sum()}", fontsize=9
    )
    axis.set_axis_off()
plt.show()

# %% [markdown]
# Without padding a corner is read once and the middle nine times. With $K = 3$, $S = 2$ and no padding the
# last row and column are not read at all. When $K$ is not a multiple of $S$, neighbouring pixels count
# differently: the checkerboard known from gradients and from upsampling layers.
