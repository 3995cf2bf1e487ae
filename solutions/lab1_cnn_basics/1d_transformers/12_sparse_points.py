# %% [markdown]
# ## 12. Sparse points in equal groups
#
# A laser scanner sees a street as points: most cells of the map are empty. Windows of equal *area* hold very different numbers of
# *points*, and a batch of windows must be padded to the fullest. **FlatFormer** (Liu et al., 2023) sorts the
# points by window and cuts the sorted list into groups of equal *size*: every group is full, and neighbours in
# the list are mostly neighbours in space. Layers sort by $x$, by $x$ with shifted windows, by $y$, by $y$ shifted, so that
# groups overlap. `models.group_points` does it.

# %% experiment="groups_of_points" topics="flatformer"
draw = nb.generator(19)
cells, window, size = 72, 9, 32
distance = 3 + 33 * torch.rand(3000, generator=draw) ** 2  # rings of a scanner in the middle: denser when near
angle = 2 * math.pi * torch.rand(3000, generator=draw)
ground = torch.stack([distance * angle.cos(), distance * angle.sin()], dim=1) + cells / 2
boxes = (torch.rand(500, 2, generator=draw) * torch.tensor([6.0, 3.0])).reshape(5, 100, 2)
boxes = boxes + torch.tensor([[50.0, 50], [12, 40], [55, 20], [25, 60], [30, 12]])[:, None]
points = torch.cat([ground, boxes.reshape(-1, 2)]).long().unique(dim=0)  # occupied cells: [P, 2], column and row
groups = models.group_points(points, window=window, size=size)

number = (points // window) @ torch.tensor([1, cells // window])
per_window = torch.bincount(number, minlength=(cells // window) ** 2)
fullest = int(per_window.max())
features = torch.randn(len(points), 64, generator=draw)
padded = torch.zeros(len(per_window), fullest, 64)
slots = torch.cat([torch.arange(int(count)) for count in per_window])
padded[number.sort(stable=True).values, slots] = features[number.argsort(stable=True)]
real = (torch.arange(fullest) < per_window[:, None])[:, None, None, :]


def four_heads(x: Tensor, mask: Tensor | None = None) -> Tensor:
    return F.scaled_dot_product_attention(*[x.unflatten(2, (4, 16)).transpose(1, 2)] * 3, mask)


mask = real | (per_window == 0)[:, None, None, None]  # an empty window may see its padding: no row without keys
slots_used = {
    "windows, padded": len(per_window) * fullest,
    "equal groups": groups.index.numel(),
}
pairs = {"windows, padded": len(per_window) * fullest**2, "equal groups": len(groups.index) * size**2}
seconds = measure.compare(
    {
        "windows, padded": lambda: four_heads(padded, mask),
        "equal groups": lambda: groups.scatter(four_heads(groups.gather(features)).transpose(1, 2).flatten(2)),
    }
)

figure, (left, middle, right) = plt.subplots(1, 3, figsize=(10, 3.5), width_ratios=[1, 1, 1.15])
left.scatter(*points.T, s=3, c="0.3")
left.set(title=f"{len(points)} points, windows of {window}", xlabel="x, cells", ylabel="y, cells")
colour = torch.empty(len(points))
colour[groups.index[groups.real]] = (
    torch.arange(len(groups.index))[:, None].expand_as(groups.index)[groups.real] * 7 % 20
).float()
middle.scatter(*points.T, s=3, c=colour, cmap="tab20")
middle.set(title=f"{len(groups.index)} groups of {size}", xlabel="x, cells")
for axis in (left, middle):
    axis.set(
        xlim=(0, cells),
        ylim=(0, cells),
        aspect="equal",
        xticks=range(0, cells + 1, window),
        yticks=range(0, cells + 1, window),
    )
    axis.tick_params(labelsize=7)
right.hist(per_window, bins=range(0, fullest + 4, 4), color="#0072B2", label="windows")
right.axvline(size, color="#D55E00", label="every group")
right.set(title="How full is a window?", xlabel="points", ylabel="windows")
right.legend()
plt.show()
for name in slots_used:
    print(
        f"{name:16} {slots_used[name]:6,} places for {len(points):,} points, {pairs[name]:9,} pairs, {seconds[name] * 1e3:.2f} ms"
    )
record("padded_over_real_points", slots_used["windows, padded"] / len(points), low=1.8, high=4)
record("groups_over_real_points", slots_used["equal groups"] / len(points), low=1, high=1.03)
record("padded_over_groups_time", seconds.ratio("windows, padded", "equal groups"), low=1, timed=seconds)
outputs = models.small_flatformer(cells=cells)(torch.ones(len(points), 1), points)
print(f"a FlatFormer of four such layers answers with {tuple(outputs.shape)} logits")

# %% [markdown]
# Padded windows compute on about two empty places for every point; groups waste at most a part of the last one. The price: a group
# may straddle two windows, so it is not exactly a neighbourhood. The paper finds that this costs no accuracy, and
# that the even work is what makes the GPU fast.
