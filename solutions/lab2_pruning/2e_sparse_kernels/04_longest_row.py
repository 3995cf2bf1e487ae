# %% [markdown]
# ## 4. Waiting for the longest row
#
# The lines of the picture get emptier from above to below: lanes whose row has ended do nothing while the warp
# goes on for the longest one. If row $r$ has $\ell_r$ values, a warp of 32 rows takes $\max_r \ell_r$ steps, and of
# its lanes on average only
#
# $$\text{busy} = \frac{\tfrac1{32}\sum_r \ell_r}{\max_r \ell_r}$$
#
# have work. **By hand:** 31 rows of 10 values and one of 100: 100 steps, busy $(410/32)/100 = 13\%$.
#
# Is that a real problem? Take a trained network, remove the 90% of its weights with the smallest magnitude, over all
# layers together, and look at the rows that are left (a convolution's row is all weights of one output channel).

# %% experiment="row_lengths_of_a_pruned_network" topics="csr_spmm_kernel"
network = training.load("shapes_resnet")
layers = {name: p.detach().flatten(1) for name, p in network.named_parameters() if p.ndim > 1}
magnitudes = torch.cat([weight.abs().flatten() for weight in layers.values()])
threshold = magnitudes.kthvalue(int(0.9 * len(magnitudes))).values
lengths = {name: (weight.abs() > threshold).sum(1) for name, weight in layers.items()}


def busy_lanes(lengths: Tensor) -> float:
    """Share of lanes with work, one thread for one row: useful steps over steps taken by all warps."""
    warps = [*lengths.split(32)]
    return float(lengths.sum() / sum(32 * warp.max() for warp in warps).clamp(min=1))


busy = {name: busy_lanes(kept) for name, kept in lengths.items()}
shown = max((name for name in lengths if len(lengths[name]) >= 64), key=lambda name: int(lengths[name].sum()))
figure, axes = plt.subplots(1, 2, figsize=(9.2, 3.4), width_ratios=(3, 2))
rows = np.arange(len(lengths[shown]))
axes[0].bar(rows, lengths[shown], width=1.0, color="#0072B2", label="values in the row")
longest = torch.cat([warp.max().expand(len(warp)) for warp in lengths[shown].split(32)])
axes[0].step(rows, longest, where="mid", color="#D55E00", label="steps of its warp")
axes[0].set(title=f"{shown}, 90% of the network pruned", xlabel="row (output channel)", ylabel="values, steps")
axes[0].set_ylim(0, 1.2 * float(longest.max()))
axes[0].legend(ncols=2, loc="upper center", fontsize=9)
wide = {name: share for name, share in busy.items() if len(lengths[name]) >= 32}
axes[1].barh(range(len(wide)), [100 * share for share in wide.values()], color="#0072B2")
axes[1].set_yticks(range(len(wide)), list(wide), fontsize=8)
axes[1].invert_yaxis()
axes[1].set(title="Lanes with work, a row per thread", xlabel="busy lanes in %", xlim=(0, 100))
plt.show()
empty = sum(int((kept == 0).sum()) for kept in lengths.values())
print(f"{empty} of {sum(len(kept) for kept in lengths.values())} rows have lost all their weights")
record("busy_lanes_row_per_thread", sum(wide.values()) / len(wide), low=0.2, high=0.8)

# %% [markdown]
# Pruning by magnitude does not cut all rows alike, and a warp pays for the longest. Rows can be sorted by length, so
# that neighbours are alike; or one row is shared by a whole warp, which is next.
