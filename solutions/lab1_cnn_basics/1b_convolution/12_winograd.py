# %% [markdown]
# ## 12. Winograd: fewer multiplications
#
# Two neighbouring outputs of a filter of 3 need $2 \cdot 3 = 6$ multiplications. Winograd's $F(2, 3)$ needs 4
# (Lavin and Gray, 2016). With inputs $d_0 \dots d_3$ and filter $g_0, g_1, g_2$:
#
# $$m_1 = (d_0 - d_2)\,g_0,\quad m_2 = (d_1 + d_2)\,\tfrac{g_0+g_1+g_2}{2},\quad m_3 = (d_2 - d_1)\,\tfrac{g_0-g_1+g_2}{2},\quad m_4 = (d_1 - d_3)\,g_2$$
#
# $$y_0 = m_1 + m_2 + m_3, \qquad y_1 = m_2 - m_3 - m_4 .$$
#
# The sums of $g$ are made once, when the network is loaded. As matrices, with $\odot$ the product number by
# number:
#
# $$y = A^\top\big[(G\,g) \odot (B^\top d)\big],\quad
# B^\top = \begin{pmatrix}1&0&-1&0\\0&1&1&0\\0&-1&1&0\\0&1&0&-1\end{pmatrix},\
# G = \begin{pmatrix}1&0&0\\ \frac12&\frac12&\frac12\\ \frac12&-\frac12&\frac12\\0&0&1\end{pmatrix},\
# A^\top = \begin{pmatrix}1&1&1&0\\0&1&-1&-1\end{pmatrix}.$$
#
# For images it is used along both axes. $F(2{\times}2, 3{\times}3)$ makes a tile $Y$ of 2x2 outputs from a
# 4x4 input tile $d$ with $16$ multiplications instead of 36:
#
# $$Y = A^\top\Big[\sum_c \big(G\,g_c\,G^\top\big) \odot \big(B^\top d_c\,B\big)\Big]A .$$
#
# $c$ runs over the input channels: they are added *before* the last transform. Tiles of the input overlap by
# two pixels; tiles of the output lie side by side.
#
# **By hand.** $d = (1, 2, 3, 4)$, $g = (1, 2, 3)$: $m = (-2, 15, 1, -6)$, so $y = (14, 20)$. Directly:
# $1 + 4 + 9 = 14$, $2 + 6 + 12 = 20$.
#
# ### Exercise: Winograd convolution
#
# Two ways to transform all tiles at once: `BT @ tiles @ BT.T` for a tensor `[..., 4, 4]`, or, much faster,
# with the tile's two axes in front, `torch.einsum("ai,bj,ij...->ab...", BT, BT, tiles)`.


# %% exercise="winograd" topics="winograd"
def winograd_conv2d(x: Tensor, weight: Tensor) -> Tensor:
    """3x3 convolution, stride 1, padding 1, by F(2x2, 3x3), without F.conv2d.

    x       float [N, C_in, H, W], H and W even.
    weight  float [C_out, C_in, 3, 3]

    Returns float [N, C_out, H, W].
    """
    BT = torch.tensor([[1.0, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]])
    G = torch.tensor([[1.0, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])
    AT = torch.tensor([[1.0, 1, 1, 0], [0, 1, -1, -1]])
    ### BEGIN SOLUTION
    n, c_in, height, width = x.shape
    tiles = F.pad(x, (1, 1, 1, 1)).unfold(2, 4, 2).unfold(3, 4, 2)  # [N, C_in, H/2, W/2, 4, 4]
    tiles = tiles.permute(4, 5, 1, 0, 2, 3).reshape(4, 4, -1)
    inputs = torch.einsum("ai,bj,ijp->abp", BT, BT, tiles).reshape(4, 4, c_in, -1)  # [4, 4, C_in, N * tiles]
    filters = torch.einsum("ai,bj,kcij->abkc", G, G, weight)  # [4, 4, C_out, C_in]
    products = filters @ inputs  # summed over C_in: [4, 4, C_out, N * tiles]
    outputs = torch.einsum("ai,bj,ijp->abp", AT, AT, products.flatten(2))
    outputs = outputs.reshape(2, 2, -1, n, height // 2, width // 2)
    return outputs.permute(3, 2, 4, 0, 5, 1).reshape(n, -1, height, width)
    ### END SOLUTION


# %% check="winograd" points=5
with checking.check("winograd"):
    x = torch.zeros(1, 1, 2, 2)
    x[0, 0, 0, 0] = 1.0
    w = torch.arange(1.0, 10.0).reshape(1, 1, 3, 3)
    with checking.without("F.conv2d"):
        tile = winograd_conv2d(x, w)
    checking.close(
        tile,
        [[[[5.0, 4.0], [2.0, 1.0]]]],
        "winograd_conv2d(one tile, w)",
        hint="left and right: BT @ d @ BT.T, G @ g @ G.T, AT @ m @ AT.T; the products in the middle are number by number",
    )
    draw = torch.Generator().manual_seed(6)
    x, w = torch.randn(1, 1, 4, 6, generator=draw), torch.randn(1, 1, 3, 3, generator=draw)
    checking.equal(
        tuple(winograd_conv2d(x, w).shape),
        (1, 1, 4, 6),
        "the shape for an image of 4 x 6",
        hint="2 x 3 tiles; input tiles are 4 wide and start every 2 pixels of the padded image",
    )
    checking.close(
        winograd_conv2d(x, w),
        F.conv2d(x, w, padding=1),
        "winograd_conv2d(x, w)",
        hint="[tile row, tile column, 2, 2] becomes [2 * tile row + row, 2 * tile column + column]: move axes before reshaping",
    )
    batch, filters = torch.randn(2, 3, 6, 8, generator=draw), torch.randn(4, 3, 3, 3, generator=draw)
    checking.close(
        winograd_conv2d(batch, filters),
        F.conv2d(batch, filters, padding=1),
        "winograd_conv2d(batch, filters)",
        rtol=1e-3,
        atol=1e-4,
        hint="add over the input channels after the products; keep images and output channels apart",
    )

# %% [markdown]
# Is it faster? The multiplication in the middle is 16 small matrix products instead of the one of im2col,
# with $9 \cdot 4 = 36$ against 16 units of work for the same four outputs: 2.25 times less. The transforms
# are extra.


# %% experiment="winograd_in_time" topics="winograd"
def unfold_and_multiply(rows: Tensor, x: Tensor) -> Tensor:
    return rows @ F.unfold(x, 3, padding=1)


figure, axes = plt.subplots(figsize=(7.4, 3.4))
channels = (32, 64, 128, 256)
names = ("im2col, all", "   its product", "your Winograd, all", "   its 16 products", "F.conv2d")
calls = {}
for c in channels:
    x, w = torch.randn(1, c, 28, 28, generator=nb.generator(12)), torch.randn(c, c, 3, 3, generator=nb.generator(13))
    rows, columns = w.flatten(1), F.unfold(x, 3, padding=1)[0]
    filters, tiles = torch.randn(16, c, c), torch.randn(16, c, 14 * 14)
    ways = (
        partial(unfold_and_multiply, rows, x),
        partial(torch.matmul, rows, columns),
        partial(winograd_conv2d, x, w),
        partial(torch.matmul, filters, tiles),
        partial(F.conv2d, x, w, padding=1),
    )
    calls |= {(name, c): way for name, way in zip(names, ways, strict=True)}
timed = measure.compare(calls)
styles = (("#0072B2", "s-"), ("#0072B2", "s:"), ("#D55E00", "o-"), ("#D55E00", "o:"), ("black", "--"))
for name, (colour, style) in zip(names, styles, strict=True):
    axes.loglog(channels, [1e3 * timed[name, c] for c in channels], style, color=colour, label=name)
axes.set_xticks(channels, channels)
axes.yaxis.set_major_locator(plt.LogLocator(subs=(1, 2, 5)))
axes.yaxis.set_major_formatter("{x:g}")
axes.minorticks_off()
axes.set(
    title=f"3x3 convolution, 28x28, one thread of\n{cpu}",
    xlabel="channels in and out",
    ylabel="time, ms (lower quartile)",
)
axes.legend(fontsize=8)
plt.show()
saved = timed.ratio(("   its product", 256), ("   its 16 products", 256))
print(f"256 channels: the 16 products take {saved:.2f} times less time than im2col's product; 2.25 would be ideal")
record("winograd_product_speedup", saved, low=0.9, timed=timed)

# %% [markdown]
# The products get faster, by nearly the promised factor. The transforms are passes over memory with little
# arithmetic, and how they are written decides the rest: one small product per tile costs far more than it
# saves; one pass over all tiles costs about as much as the products. Their share falls with the number of
# channels, since each transformed tile serves all filters. Libraries fuse the transforms into the kernel and
# choose by layer size.
#
# There is a second price. Larger tiles save more: $F(4, 3)$ needs 6 multiplications for 4 outputs, where
# direct needs 12. But its matrices hold larger numbers, and rounding errors grow with them. Below, sums over
# 64 channels with the transformed numbers rounded to float32, float16 and 8-bit integers.

# %% experiment="winograd_rounding" topics="winograd"
F23 = (
    [[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]],
    [[1, 0, 0], [1 / 2, 1 / 2, 1 / 2], [1 / 2, -1 / 2, 1 / 2], [0, 0, 1]],
    [[1, 1, 1, 0], [0, 1, -1, -1]],
)
F43 = (
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ],
    [
        [1 / 4, 0, 0],
        [-1 / 6] * 3,
        [-1 / 6, 1 / 6, -1 / 6],
        [1 / 24, 1 / 12, 1 / 6],
        [1 / 24, -1 / 12, 1 / 6],
        [0, 0, 1],
    ],
    [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]],
)


def to_int8(values: Tensor) -> Tensor:
    """The nearest of 255 even levels, and back."""
    step = values.abs().max() / 127
    return (values / step).round() * step


formats = {"float32": lambda t: t.float().double(), "float16": lambda t: t.half().double(), "int8": to_int8}
draw = nb.generator(14)
g, d = (torch.randn(500, 64, size, generator=draw, dtype=torch.float64) for size in (3, 6))


def relative_error(method: str, rounded) -> float:
    """Root mean square error over root mean square result; 500 one-dimensional sums over 64 channels."""
    outputs = 4 if method == "F(4, 3)" else 2
    exact = torch.stack([(g * d[:, :, i : i + 3]).sum((1, 2)) for i in range(outputs)], dim=1)
    if method == "direct":
        result = torch.stack([(rounded(g) * rounded(d)[:, :, i : i + 3]).sum((1, 2)) for i in range(outputs)], dim=1)
    else:
        bt, gm, at = (torch.tensor(m, dtype=torch.float64) for m in (F43 if outputs == 4 else F23))
        products = rounded(g @ gm.T) * rounded(d[:, :, : outputs + 2] @ bt.T)
        result = products.sum(1) @ at.T
    return ((result - exact).norm() / exact.norm()).item()


methods = ("direct", "F(2, 3)", "F(4, 3)")
errors = {name: [relative_error(method, rounded) for method in methods] for name, rounded in formats.items()}
figure, axes = plt.subplots(figsize=(6.4, 3.2))
for name, line in errors.items():
    axes.semilogy(methods, line, "o-", label=name)
axes.set(
    title="Rounding the transformed numbers",
    ylabel="relative error",
    xlabel="method (multiplications per output: 3, 2, 1.5)",
)
axes.legend()
plt.show()
for name, line in errors.items():
    print(f"{name:8} " + ", ".join(f"{method}: {error:.1e}" for method, error in zip(methods, line, strict=True)))
record("int8_error_f43_over_direct", errors["int8"][2] / errors["int8"][0], low=3, high=30)

# %% [markdown]
# In float32 nobody notices. In int8, with one scale for all numbers, the larger transform multiplies the
# error, and two dimensions make it worse: quantized Winograd needs more bits, a scale for each place in the
# tile, or other matrices.
