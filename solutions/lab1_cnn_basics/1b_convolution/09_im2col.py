# %% [markdown]
# ## 9. Convolution as one matrix multiplication
#
# Matrix multiplication is the best tuned routine on every machine, so most convolutions are turned into one
# (Chellapilla et al., 2006). **im2col** writes each window as a column:
#
# $$\underbrace{Y}_{C_\text{out} \times L} \;=\; \underbrace{W}_{C_\text{out} \times C_\text{in}K^2}\ \underbrace{\text{columns}}_{C_\text{in}K^2 \times L}, \qquad L = H_\text{out} W_\text{out}.$$
#
# $W$ is the weight, each filter flattened into a row: channel first, then filter row, then filter column. The
# rows of the columns must have the same order. Column $l$ belongs to output position
# $(l \operatorname{div} W_\text{out},\ l \bmod W_\text{out})$.
#
# **By hand.** The 3x3 image $1 \dots 9$ with $K = 2$ has four windows:
#
# $$\begin{pmatrix}1&2&3\\4&5&6\\7&8&9\end{pmatrix} \;\to\; \begin{pmatrix}1&2&4&5\\2&3&5&6\\4&5&7&8\\5&6&8&9\end{pmatrix}$$
#
# The first column is the top left window, 1 2 4 5. The price is visible too: 9 numbers became 16.
#
# ### Exercise: im2col
#
# Without `F.unfold`. (`tensor.unfold(axis, size, step)`, which gives a view of windows along one axis, is
# welcome.)


# %% exercise="im2col" topics="im2col"
def im2col(x: Tensor, kernel: int, stride: int = 1, padding: int = 0) -> Tensor:
    """All windows of a batch as columns.

    x  float [N, C, H, W]

    Returns float [N, C * kernel * kernel, H_out * W_out]. Rows: channel, then row, then column of the window.
    Columns: output positions, row by row. So `weight.flatten(1) @ im2col(x, ...)` is the convolution.
    """
    ### BEGIN SOLUTION
    x = F.pad(x, (padding, padding, padding, padding))
    windows = x.unfold(2, kernel, stride).unfold(3, kernel, stride)  # [N, C, H_out, W_out, K, K]
    return windows.permute(0, 1, 4, 5, 2, 3).reshape(len(x), x.shape[1] * kernel**2, -1)
    ### END SOLUTION


# %% check="im2col" points=4
with checking.check("im2col"):
    x = torch.arange(1.0, 10.0).reshape(1, 1, 3, 3)
    checking.close(
        im2col(x, 2),
        [[[1, 2, 4, 5], [2, 3, 5, 6], [4, 5, 7, 8], [5, 6, 8, 9]]],
        "im2col(x, 2)",
        hint="a column is one window; this example is its own transpose, the next ones are not",
    )
    x = torch.arange(24.0).reshape(1, 2, 3, 4)
    checking.equal(
        tuple(im2col(x, 2).shape),
        (1, 8, 6),
        "the shape of im2col([1, 2, 3, 4], 2)",
        hint="C * K * K rows, one column for each of the 2 x 3 positions",
    )
    checking.close(
        im2col(x, 2)[0, :, 0],
        [0.0, 1, 4, 5, 12, 13, 16, 17],
        "im2col(x, 2)[0, :, 0]",
        hint="first the window of channel 0, then the window of channel 1, each row by row",
    )
    checking.close(
        im2col(x, 2)[0, 0],
        [0.0, 1, 2, 4, 5, 6],
        "im2col(x, 2)[0, 0]",
        hint="row 0 holds the top left number of every window, positions row by row",
    )
    draw = torch.Generator().manual_seed(5)
    x, w = torch.randn(2, 3, 7, 6, generator=draw), torch.randn(4, 3, 3, 3, generator=draw)
    for stride, padding in ((1, 0), (1, 1), (2, 1), (3, 2)):
        expected = F.conv2d(x, w, stride=stride, padding=padding).flatten(2)
        checking.close(
            w.flatten(1) @ im2col(x, 3, stride, padding),
            expected,
            f"weight @ im2col(x, 3, stride={stride}, padding={padding})",
            hint="padding first, then windows every `stride` pixels in both directions",
        )
    with checking.unchanged(x=x), checking.without("F.unfold"):
        im2col(x, 3)

# %% [markdown]
# What one large multiplication buys, and what it costs: 64 channels, 28x28. The plain version takes the same
# columns one at a time.

# %% experiment="one_matrix_multiplication" topics="im2col"
x = torch.randn(1, 64, 28, 28, generator=nb.generator(6))
w = torch.randn(64, 64, 3, 3, generator=nb.generator(7))
columns, rows = im2col(x, 3, padding=1)[0], w.flatten(1)
each = columns.T.contiguous()
calls = {
    "784 windows, one by one": lambda: torch.stack([rows @ window for window in each], dim=1),
    "im2col, then one product": lambda: rows @ im2col(x, 3, padding=1),
    "   of that, the product": lambda: rows @ columns,
    "F.conv2d": lambda: F.conv2d(x, w, padding=1),
}
timed = measure.compare(calls)
milliseconds = {name: 1e3 * seconds for name, seconds in timed.items()}
figure, (left, right) = plt.subplots(1, 2, figsize=(9.4, 3.1), width_ratios=[1.5, 1])
bars = left.barh(list(milliseconds), list(milliseconds.values()), color=["#D55E00", "#0072B2", "#56B4E9", "0.4"])
left.bar_label(bars, fmt="%.2f", padding=3)
left.invert_yaxis()
left.set(
    title=f"3x3, 64 channels, 28x28, one thread of\n{cpu}",
    xlabel="time, ms",
    xlim=(0, 1.2 * max(milliseconds.values())),
)
kernels = [1, 3, 5, 7]
megabytes = [im2col(x, k, padding=k // 2).numel() * 4 / 1e6 for k in kernels]
right.bar([str(k) for k in kernels], megabytes, color="#0072B2")
right.axhline(x.numel() * 4 / 1e6, color="#D55E00", label="the input itself")
right.set(title="Memory for the columns", xlabel="kernel size K", ylabel="MB (float32)")
right.legend()
plt.show()
record("columns_over_input_bytes", megabytes[1] / (x.numel() * 4 / 1e6), low=9, high=9)
record(
    "one_product_over_window_by_window",
    timed.ratio("784 windows, one by one", "   of that, the product"),
    low=2,
    timed=timed,
)

# %% [markdown]
# The product is fast; writing $K^2$ copies of the input is not. Libraries therefore build the columns piece
# by piece inside the multiplication (*implicit* im2col, cuDNN) or avoid them (direct and Winograd
# convolution).
