# %% [markdown]
# ## 11. Where a number lies in memory
#
# A tensor is one long row of numbers. Its **layout** is the order of the axes, from slowest to fastest: in
# NCHW neighbours along a row of the image are neighbours in memory, in NHWC it is the channels of one pixel,
# in CHWN the images of the batch. The **stride** of an axis is how many numbers one step along it skips:
#
# $$\text{offset}(n, c, h, w) = n\,s_N + c\,s_C + h\,s_H + w\,s_W .$$
#
# The last letter of the layout has stride 1, and each letter before it the stride of the next one times the
# next one's size.
#
# **By hand.** $(N, C, H, W) = (2, 3, 4, 5)$ in NHWC: $s_C = 1$, $s_W = 3$, $s_H = 15$, $s_N = 60$.
#
# ### Exercise: layout_strides


# %% exercise="memory_layouts" topics="memory_layouts"
def layout_strides(shape: tuple[int, int, int, int], layout: str) -> tuple[int, int, int, int]:
    """Strides of a dense tensor, in numbers (not bytes).

    shape   (N, C, H, W), in this order whatever the layout.
    layout  the letters N, C, H, W from the slowest to the fastest axis, such as "NHWC".

    Returns (s_N, s_C, s_H, s_W), in this order whatever the layout.
    """
    ### BEGIN SOLUTION
    size = dict(zip("NCHW", shape, strict=True))
    stride, skipped = {}, 1
    for axis in reversed(layout):
        stride[axis] = skipped
        skipped *= size[axis]
    return tuple(stride[axis] for axis in "NCHW")
    ### END SOLUTION


# %% check="memory_layouts" points=3
with checking.check("memory_layouts"):
    shape = (2, 3, 4, 5)
    checking.equal(
        layout_strides(shape, "NCHW"),
        (60, 20, 5, 1),
        'layout_strides((2, 3, 4, 5), "NCHW")',
        hint="start from the last letter: it has stride 1",
    )
    checking.equal(
        layout_strides(shape, "NHWC"),
        (60, 1, 15, 3),
        'layout_strides((2, 3, 4, 5), "NHWC")',
        hint="the answer's order is N, C, H, W: the stride of the channels, 1, comes second",
    )
    checking.equal(
        layout_strides(shape, "CHWN"),
        (1, 40, 10, 2),
        'layout_strides((2, 3, 4, 5), "CHWN")',
        hint="the shape is always given as N, C, H, W; count numbers, not bytes",
    )
    x = torch.arange(120).reshape(shape)
    for layout in ("NCHW", "NHWC", "CHWN", "HWCN"):
        stored = x.permute(["NCHW".index(axis) for axis in layout]).contiguous().flatten()
        checking.equal(
            stored.as_strided(shape, layout_strides(shape, layout)),
            x,
            f"a tensor stored as {layout}, read with your strides",
        )

# %% [markdown]
# The same 36 numbers in three orders. Each cell is one number in memory, from left to right; its colour is
# its channel, its label the image.

# %% experiment="layout_picture" topics="memory_layouts"
shape = (2, 3, 2, 3)
figure, axes = plt.subplots(3, 1, figsize=(9.2, 2.3))
where = torch.cartesian_prod(*(torch.arange(size) for size in shape))  # (n, c, h, w) of every number
for axis, layout in zip(axes, ("NCHW", "NHWC", "CHWN"), strict=True):
    order = (where * torch.tensor(layout_strides(shape, layout))).sum(1).argsort()
    axis.imshow(
        where[order, 1][None],
        cmap=plt.matplotlib.colors.ListedColormap(["#0072B2", "#009E73", "#E69F00"]),
        aspect="auto",
    )
    for place, image in enumerate(where[order, 0].tolist()):
        axis.text(place, 0, image, ha="center", va="center", color="white", fontsize=8)
    axis.set_yticks([0], [layout])
    axis.set_xticks([])
    axis.grid(visible=False)
axes[0].set_title("N = 2 images, C = 3 channels (colours), 2 x 3 pixels")
axes[-1].set_xlabel("place in memory")
plt.show()

# %% [markdown]
# A layout is good if the innermost loop walks along memory *and is long enough* to fill vectors. The C code
# below is one depthwise 3x3 convolution, written three times: only the index changes, and the inner loop
# always runs along the axis that lies together in memory.

# %% experiment="layouts_in_time" topics="memory_layouts"
LAYOUTS = r"""
#define FOR(i, to) for (int i = 0; i < (to); i++)
#define ARGUMENTS const float *restrict x, const float *restrict w, float *restrict y, int N, int C, int H, int W
#define P (H - 2)
#define Q (W - 2)

void NCHW(ARGUMENTS) {  // w: [C][3][3]
  FOR(n, N) FOR(c, C) FOR(p, P) FOR(u, 3) FOR(v, 3)
    FOR(q, Q) y[((n*C + c)*P + p)*Q + q] += w[(c*3 + u)*3 + v] * x[((n*C + c)*H + p + u)*W + q + v];
}
void NHWC(ARGUMENTS) {  // w: [3][3][C]
  FOR(n, N) FOR(p, P) FOR(q, Q) FOR(u, 3) FOR(v, 3)
    FOR(c, C) y[((n*P + p)*Q + q)*C + c] += w[(u*3 + v)*C + c] * x[((n*H + p + u)*W + q + v)*C + c];
}
void CHWN(ARGUMENTS) {  // w: [C][3][3]
  FOR(c, C) FOR(p, P) FOR(q, Q) FOR(u, 3) FOR(v, 3)
    FOR(n, N) y[((c*P + p)*Q + q)*N + n] += w[(c*3 + u)*3 + v] * x[((c*H + p + u)*W + q + v)*N + n];
}
"""
layouts = ("NCHW", "NHWC", "CHWN")


def depthwise(library: ctypes.CDLL, layout: str, batch: int, channels: int = 128, side: int = 16) -> partial:
    """A call of the loops above; the result is compared with torch first."""
    order = ["NCHW".index(axis) for axis in layout]
    x = torch.randn(batch, channels, side, side, generator=nb.generator(10))
    w = torch.randn(channels, 1, 3, 3, generator=nb.generator(11))
    expected = F.conv2d(x, w, groups=channels).permute(order)
    stored, y = x.permute(order).contiguous(), torch.zeros_like(expected.contiguous())
    weight = (w.permute(2, 3, 0, 1) if layout == "NHWC" else w).contiguous()
    pointers = [ctypes.c_void_p(t.data_ptr()) for t in (stored, weight, y)]
    run = partial(getattr(library, layout), *pointers, batch, channels, side, side)
    run()
    assert torch.allclose(y, expected, atol=1e-4)
    run.tensors = stored, weight, y  # a pointer keeps nothing alive
    return run


try:
    library = native.compile_c(LAYOUTS, flags=("-O3", "-march=native"))
except native.NoCompiler as missing:
    print(f"This measurement is left out. {missing}")
else:
    figure, axes = plt.subplots(figsize=(6.4, 3.2))
    calls = {(layout, batch): depthwise(library, layout, batch) for batch in (1, 32) for layout in layouts}
    timed, rates = measure.compare(calls), {}
    for place, batch in enumerate((1, 32)):
        rates[batch] = [9 * batch * 128 * 14 * 14 / timed[layout, batch] / 1e9 for layout in layouts]
        bars = axes.bar(torch.arange(3) + 0.38 * (place - 0.5), rates[batch], 0.36, label=f"batch of {batch}")
        axes.bar_label(bars, fmt="%.2g", fontsize=8)
    axes.set(
        title=f"Depthwise 3x3, 128 channels, 16x16, one thread of\n{cpu}",
        ylabel="rate, GMAC/s",
        xticks=range(3),
        xticklabels=["NCHW\ninner loop: 14 pixels", "NHWC\ninner loop: 128 channels", "CHWN\ninner loop: the batch"],
    )
    axes.legend()
    plt.show()
    record("chwn_batch_32_over_batch_1", 32 * timed.ratio(("CHWN", 1), ("CHWN", 32)), low=3, timed=timed)
    record("nhwc_over_nchw_batch_1", timed.ratio(("NCHW", 1), ("NHWC", 1)), low=1, timed=timed)

# %% [markdown]
# CHWN is fine for large batches and hopeless for one image. NHWC keeps its speed at any batch size and any
# image size, as long as there are many channels; that is why phones, microcontrollers and tensor cores prefer
# it. NCHW's inner loop is a row of the image, short in late layers. In PyTorch,
# `x.to(memory_format=torch.channels_last)` stores NHWC under the same shape `[N, C, H, W]`.
