# %% [markdown]
# ## 10. Attention in windows
#
# Attention over $L$ tokens computes $L^2$ scores. A picture of twice the side has 4 times the tokens and 16
# times the scores. **Swin** (Liu et al., 2021) lets tokens attend only within windows of $M \times M$ tokens:
# $L \cdot M^2$ scores, linear in the size of the picture.
#
# But then nothing crosses the border of a window. So every second layer **shifts** the windows by $M/2$. To
# keep all windows whole, the map is rolled: what leaves at the top and on the left comes back at the bottom and
# on the right.
#
# **By hand.** One row of tokens $0 \dots 7$ and $M = 4$: windows $(0, 1, 2, 3)$ and $(4, 5, 6, 7)$. Shifted by
# 2: $(2, 3, 4, 5)$ and $(6, 7, 0, 1)$.
#
# ### Exercise: into windows and back


# %% exercise="window_attention" topics="window_attention"
def to_windows(x: Tensor, window: int, shift: int = 0) -> Tensor:
    """Tokens of a map, sorted by window.

    x       float [N, H, W, C], H and W multiples of window.
    window  side of a window, in tokens.
    shift   the windows start `shift` tokens further down and to the right; what lies before comes after the end.

    Returns float [N, windows, window * window, C]: windows row by row, and in each the tokens row by row.
    """
    ### BEGIN SOLUTION
    n, height, width, c = x.shape
    x = x.roll((-shift, -shift), dims=(1, 2))
    x = x.reshape(n, height // window, window, width // window, window, c)
    return x.transpose(2, 3).reshape(n, -1, window * window, c)
    ### END SOLUTION


def from_windows(windowed: Tensor, height: int, width: int, shift: int = 0) -> Tensor:
    """The map [N, height, width, C] that `to_windows` with the same shift was given."""
    ### BEGIN SOLUTION
    n, _, size, c = windowed.shape
    window = math.isqrt(size)
    x = windowed.reshape(n, height // window, width // window, window, window, c)
    x = x.transpose(2, 3).reshape(n, height, width, c)
    return x.roll((shift, shift), dims=(1, 2))
    ### END SOLUTION


# %% check="window_attention" points=5
with checking.check("window_attention"):
    small = torch.arange(16.0).reshape(1, 4, 4, 1)
    checking.close(
        to_windows(small, 2)[0, :, :, 0],
        [[0.0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]],
        "to_windows(0..15 as 4x4, 2)",
        hint="split height and width, exchange the two axes in the middle, then join",
    )
    checking.close(
        to_windows(small, 2, shift=1)[0, :, :, 0],
        [[5.0, 6, 9, 10], [7, 4, 11, 8], [13, 14, 1, 2], [15, 12, 3, 0]],
        "to_windows(0..15 as 4x4, 2, shift=1)",
        hint="the first window starts at row 1, column 1: roll by -1 along both axes",
    )
    x = torch.randn(2, 6, 9, 4, generator=torch.Generator().manual_seed(8))
    with checking.unchanged(x=x):
        checking.equal(tuple(to_windows(x, 3, 1).shape), (2, 6, 9, 4), "the shape for [2, 6, 9, 4] and windows of 3")
    checking.close(
        to_windows(x, 3)[1, 5],
        x[1, 3:, 6:].reshape(9, 4),
        "the last window of the second map",
        hint="windows row by row: window 5 of 2 x 3 is the bottom right one",
    )
    for shift in (0, 1, 2):
        checking.close(
            from_windows(to_windows(x, 3, shift), 6, 9, shift),
            x,
            f"there and back with shift={shift}",
            hint="undo the steps in the opposite order: join first, then roll back by +shift",
        )

# %% [markdown]
# The roll has put strangers side by side: in the window $(6, 7, 0, 1)$ above, 7 and 0 are neighbours now, and
# are at opposite ends of the row. A mask keeps them apart. In a shifted map, the last `shift` rows and the last
# `shift` columns have come round from the other side. Two tokens of a window may see each other if for rows
# *and* for columns either both have come round, or neither.
#
# **By hand.** In `(6, 7, 0, 1)`: 6 and 7 see each other, 0 and 1 see each other, 7 and 0 do not.
#
# ### Exercise: the mask of shifted windows


# %% exercise="shifted_windows" topics="window_attention"
def shifted_window_mask(height: int, width: int, window: int, shift: int) -> Tensor:
    """Who may see whom in each window of a shifted map.

    height, width  of the map, multiples of window and at least twice as large.
    shift          from 0 (all may see all) to window - 1.

    Returns bool [windows, window * window, window * window], windows and tokens in the order of `to_windows`.
    """
    ### BEGIN SOLUTION
    came_down = torch.arange(height) >= height - shift
    came_right = torch.arange(width) >= width - shift
    piece = 2 * came_down[:, None] + came_right.long()[None]  # 0 to 3: [height, width]
    piece = piece.reshape(height // window, window, width // window, window)
    piece = piece.transpose(1, 2).reshape(-1, window * window)
    return piece[:, :, None] == piece[:, None, :]
    ### END SOLUTION


# %% check="shifted_windows" points=4
with checking.check("shifted_windows"):
    mask = shifted_window_mask(4, 4, 2, 1)
    checking.equal(tuple(mask.shape), (4, 4, 4), "the shape for a map of 4x4 and windows of 2")
    checking.equal(mask.dtype, torch.bool, "the dtype")
    checking.that(bool(mask[0].all()), "in the first window all may see all", hint="nothing in it has come round")
    two = torch.tensor([[True, False], [False, True]])
    checking.equal(
        mask[1],
        two.repeat(2, 2),
        "the window at the top right",
        hint="its second column came round from the left side; tokens are numbered row by row",
    )
    checking.equal(mask[2], two.repeat_interleave(2, 0).repeat_interleave(2, 1), "the window at the bottom left")
    checking.equal(mask[3], torch.eye(4).bool(), "the window in the corner", hint="four tokens of four corners")
    checking.that(bool(shifted_window_mask(6, 9, 3, 0).all()), "with shift=0 all may see all")
    mask = shifted_window_mask(6, 9, 3, 2)
    checking.equal(
        mask.sum((1, 2)).tolist(),
        [81, 81, 45, 45, 45, 25],
        "allowed pairs in each window of a 6x9 map, windows of 3, shift 2",
        hint="the last `shift` rows and columns came round: pieces of 1 and 2 lines in a window of 3",
    )
    checking.equal(mask[2, 0].tolist(), [True, False, False] * 3, "what the first token of window 2 sees")

# %% [markdown]
# Left: how far can information travel? In every layer each token of a 16x16 map takes the mean of all tokens it may see, in
# windows of 4. Coloured is what the marked token depends on. Right: what windows save, counted and measured, for
# maps of growing size (4 heads of 16 numbers).


# %% experiment="windows_reach_and_cost" topics="window_attention"
def depends_on(layers: int, shifted: bool, side: int = 16, window: int = 4, at: int = 9) -> Tensor:
    """How much the token at (at, at) takes from each token of the map after some layers: [side, side]."""
    x = torch.ones(1, side, side, 1, requires_grad=True)
    y = x
    for layer in range(layers):
        shift = window // 2 if shifted and layer % 2 else 0
        mask = shifted_window_mask(side, side, window, shift).float()
        y = from_windows(mask / mask.sum(-1, keepdim=True) @ to_windows(y, window, shift), side, side, shift)
    y[0, at, at, 0].backward()
    return x.grad[0, :, :, 0]


sides = (16, 24, 32, 48, 64)
macs, calls = {"global": [], "windows of 8": []}, {}
for side in sides:
    tokens = torch.randn(1, side, side, 64, generator=nb.generator(14))
    calls["global", side] = lambda tokens=tokens: F.scaled_dot_product_attention(
        *[tokens.reshape(1, -1, 4, 16).transpose(1, 2)] * 3
    )
    calls["windows of 8", side] = lambda tokens=tokens: F.scaled_dot_product_attention(
        *[to_windows(tokens, 8)[0].unflatten(2, (4, 16)).transpose(1, 2)] * 3
    )
    for name in macs:
        keys = side**2 if name == "global" else 64
        macs[name].append(2 * side**2 * keys * 64)
timed = measure.compare(calls, rounds=5)
seconds = {name: [timed[name, side] for side in sides] for name in macs}

figure, axes = plt.subplot_mosaic("abce;dfge", figsize=(10, 4.3), width_ratios=[1, 1, 1, 2.4])
for (place, layers), shifted in zip(
    (("a", 1), ("b", 2), ("c", 4), ("d", 1), ("f", 2), ("g", 4)), [False] * 3 + [True] * 3, strict=True
):
    taken = depends_on(layers, shifted)
    axes[place].imshow(taken**0.25, cmap="Blues", vmin=0)
    axes[place].plot(9, 9, "x", color="#D55E00")
    axes[place].set_title(f"{layers} layer{'s' * (layers > 1)}, {'shifted' if shifted else 'not shifted'}", fontsize=8)
    axes[place].set(xticks=[3.5, 7.5, 11.5], yticks=[3.5, 7.5, 11.5], xticklabels=[], yticklabels=[])
    axes[place].grid(color="0.7")
for name, colour in (("global", "#D55E00"), ("windows of 8", "#0072B2")):
    counts = [side**2 for side in sides]
    axes["e"].loglog(counts, [s * 1e3 for s in seconds[name]], "o-", color=colour, label=f"{name}, measured")
    rate = seconds[name][0] / macs[name][0]
    axes["e"].loglog(counts, [m * rate * 1e3 for m in macs[name]], ":", color=colour, label="   as its MACs grow")
axes["e"].set(
    title=f"Attention over a map, one thread of\n{notebook.describe_hardware('cpu')}",
    xlabel="tokens",
    ylabel="time, ms",
)
axes["e"].set_xticks(counts, counts)
axes["e"].minorticks_off()
axes["e"].yaxis.set_major_formatter("{x:g}")
axes["e"].legend(fontsize=8)
plt.show()
record("tokens_reached_not_shifted", (depends_on(4, False) > 0).sum(), low=16, high=16)
record("tokens_reached_shifted", (depends_on(4, True) > 0).sum(), low=100, high=256)
record("global_over_windows_macs", macs["global"][-1] / macs["windows of 8"][-1], low=64, high=64)
record("global_over_windows_time", timed.ratio(("global", 64), ("windows of 8", 64)), low=4, timed=timed)

# %% [markdown]
# Without the shift a token never learns what happens beyond its window, however many layers follow. With it, the field grows like
# that of a convolution (the colour is the fourth root of the share, to show small ones). Time follows the count only
# roughly: cutting the map into windows is itself a copy of it.
