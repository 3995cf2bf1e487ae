# %% [markdown]
# ## 3. NT-Xent: every view asks
#
# SimCLR (Chen et al., 2020) makes more of a batch. It encodes both views of all $N$ images with one network
# and lets each of the $2N$ views ask for its partner among the other $2N - 1$:
#
# $$L = \frac{1}{2N}\sum_{a=1}^{2N} -\log
#   \frac{\exp(s(z_a, z_{p(a)})/\tau)}{\sum_{b \ne a} \exp(s(z_a, z_b)/\tau)},
#   \qquad p(a) = \begin{cases} a + N & a \le N\\ a - N & a > N.\end{cases}$$
#
# The name is short for normalised temperature-scaled cross-entropy. Each view has $2N - 2$ negatives: the
# other images' views of *both* kinds. The view itself is left out, since it would always win with similarity 1.
#
# **By hand.** $N = 2$, both views of the first image are $(1, 0)$, both of the second $(0, 1)$, $\tau =
# \tfrac12$. Each view sees its partner with logit 2 and two negatives with logit 0: $L = \log(1 + 2e^{-2}) =
# 0.240$. With itself in the sum it would be $\log(2 + 2e^{-2}) = 0.820$, and never below $\log 2$.
#
# ### Exercise: NT-Xent


# %% exercise="nt_xent" topics="contrastive"
def nt_xent(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """The loss of SimCLR over 2 N views.

    first, second  float [N, D], of any length but 0; row i of both comes from image i.
    temperature    divides the cosine similarities; above 0, and as small as 0.005 in use.

    Returns a scalar that gradients flow through: the mean over all 2 N views, in nats. A view is never compared with
    itself.
    """
    ### BEGIN SOLUTION
    n = len(first)
    views = F.normalize(torch.cat([first, second]), dim=1)
    itself = torch.eye(2 * n, dtype=torch.bool, device=views.device)
    logits = (views @ views.T / temperature).masked_fill(itself, -torch.inf)
    return F.cross_entropy(logits, torch.arange(2 * n, device=views.device).roll(n))
    ### END SOLUTION


# %% check="nt_xent" points=4
with checking.check("nt_xent"):
    z = torch.tensor([[3.0, 0.0], [0.0, 0.5]])
    checking.close(
        nt_xent(z, 2 * z, 0.5),
        math.log(1 + 2 * math.exp(-2)),
        "nt_xent(z, 2 * z, 0.5)",
        hint="0.82: a view is compared with itself; 0.13: the first views are negatives of each other, too",
    )
    checking.close(nt_xent(z[:1], -z[:1], 0.5), 0.0, "nt_xent with one image", hint="one candidate is left, no choice")
    draw = torch.Generator().manual_seed(3)
    first, second = torch.randn(4, 3, generator=draw), torch.randn(4, 3, generator=draw)
    everything = torch.cat([first, second])
    s = F.cosine_similarity(everything[:, None], everything[None], dim=2) / 0.2
    losses = [torch.cat([s[a, :a], s[a, a + 1 :]]).logsumexp(0) - s[a, (a + 4) % 8] for a in range(8)]
    checking.close(
        nt_xent(first, second, 0.2),
        torch.stack(losses).mean(),
        "nt_xent(first [4, 3], second [4, 3], 0.2)",
        hint="mean over all 8 views; the partner of view a is a + 4 or a - 4, and all 7 others stand in the sum",
    )
    checking.close(
        nt_xent(second, first, 0.2),
        nt_xent(first, second, 0.2),
        "nt_xent(second, first, 0.2)",
        hint="views of both kinds ask, so the two may be exchanged",
    )
    checking.close(
        nt_xent(z, z.flip(0), 0.005),
        200.0,
        "nt_xent(z, z in the wrong order, 0.005)",
        hint="exp(1 / 0.005) is too large for float32: use F.cross_entropy or torch.logsumexp",
    )
    with checking.unchanged(first=first, second=second):
        nt_xent(first, second, 1.0)
    first.requires_grad_()
    nt_xent(first, second, 0.2).backward()
    checking.that(first.grad is not None and bool(first.grad.isfinite().all()), "gradients are finite")

# %% [markdown]
# Now train with it: 4,000 scenes of 16x16 pixels, no labels. `training.fit_pairs` shows the network two
# views of each image and calls your loss. The loss is taken behind a small **projection head** that is thrown
# away afterwards; the features are what enters the head. The head may forget what the views change, such as
# colour, and the features need not.
#
# Then labels come in. Four ways to use them:
# - a linear probe on a random encoder: what the layers give for nothing;
# - a linear probe on the contrastive encoder, which stays as it is;
# - the same layers trained from scratch, 200 steps (4,000 in the full profile), with the usual flips and shifts;
# - the same from scratch, but on the random views that the contrastive encoder saw.

# %% experiment="contrastive_pays" topics="contrastive"
splits = data.shapes(size=16)
train, test = splits.train, splits.test
width, epochs, steps = nb.pick(fast=(24, 8, 200), full=(64, 100, 4000))
label_counts, scratch_counts = (50, 100, 250, 1000, 4000), (50, 250, 1000)


def view(images: Tensor, generator: torch.Generator) -> Tensor:
    return training.recolour(training.move_at_random(images, generator), generator)


def probe(encoder: nn.Module) -> dict[int, float]:
    known, asked = (training.features_of(encoder, part.images) for part in (train, test))
    return {n: training.linear_probe(known[:n], train.labels[:n], asked, test.labels) for n in label_counts}


def from_scratch(n: int, augment, steps: int) -> float:
    torch.manual_seed(nb.seed)
    network = nn.Sequential(conv_encoder(width), nn.Linear(4 * width, 10)).to(nb.device)
    batches = math.ceil(n / 32)
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=0.05)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=steps // batches * batches)
    settings = {"epochs": steps // batches, "optimizer": optimizer, "scheduler": scheduler, "batch_size": 32}
    training.fit(network, train.take(n), augment=augment, seed=nb.seed, progress=False, **settings)
    return training.evaluate(network, test).accuracy


torch.manual_seed(nb.seed)
encoder = conv_encoder(width)
curves = {"linear probe, random encoder": probe(encoder)}
pictures = {"random encoder": training.features_of(encoder, test.images)}
head = nn.Sequential(nn.Linear(4 * width, 4 * width), nn.ReLU(), nn.Linear(4 * width, 32)).to(nb.device)
network, started = nn.Sequential(encoder, head), time.perf_counter()
losses = training.fit_pairs(
    network, train.images, view, lambda a, b: nt_xent(a, b, 0.2), epochs=epochs, seed=nb.seed, progress=False
)
print(f"{epochs} epochs without labels: {time.perf_counter() - started:.0f} s on {nb.hardware}")
print(f"loss {losses[0]:.2f} in the first epoch, {losses[-1]:.2f} in the last; guessing costs {math.log(255):.2f}")
curves["linear probe, contrastive encoder"] = probe(encoder)
pictures["contrastive encoder"] = training.features_of(encoder, test.images)
flips = "from scratch, flips and shifts"
curves[flips] = {n: from_scratch(n, training.flip_and_shift, steps) for n in scratch_counts}
curves["from scratch, the same views"] = {n: from_scratch(n, view, steps) for n in scratch_counts}
longer = from_scratch(250, view, 2 * steps)

figure, axes = plt.subplots()
for (name, curve), style in zip(curves.items(), ("s:", "o-", "v--", "^--"), strict=True):
    axes.semilogx(list(curve), [100 * value for value in curve.values()], style, label=name)
axes.semilogx(250, 100 * longer, "*", color="C3", markersize=12, label="the same views, twice the steps")
axes.axhline(10, color="0.4", linewidth=0.8, label="guessing")
axes.set_xticks(label_counts, [f"{n:,}" for n in label_counts])
axes.minorticks_off()
axes.set(title="shapes, 16x16 pixels", xlabel="labelled training scenes", ylabel="accuracy on test scenes (%)")
axes.set_ylim(0, None)
axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

figure, rows = plt.subplots(4, 9, figsize=(7.8, 3.9), width_ratios=[1.3] + [1] * 8)
for axis in rows.flat:
    axis.set_axis_off()
for query, row in enumerate(rows):
    shown = [(row[0], query)]
    for start, features in zip((1, 5), pictures.values(), strict=True):
        features = F.normalize(features - features.mean(0), dim=1)
        nearest = (features @ features[query]).argsort(descending=True)[1:5].tolist()
        shown += zip(row[start : start + 4], nearest, strict=True)
    for axis, index in shown:
        axis.imshow(test.images[index].permute(1, 2, 0))
        axis.set_title(test.classes[test.labels[index]], fontsize=8)
figure.suptitle("A test scene | its 4 nearest, random encoder | its 4 nearest, contrastive encoder", fontsize=10)
plt.show()

contrastive, same_views = curves["linear probe, contrastive encoder"], curves["from scratch, the same views"]
record("contrastive_loss_last_epoch", losses[-1], high=3.7)
record("contrastive_250_labels", contrastive[250], low=0.25)
record("contrastive_over_random_250", contrastive[250] - curves["linear probe, random encoder"][250], low=0.1)
record("contrastive_over_flips_250", contrastive[250] - curves[flips][250], low=0.02)
record("contrastive_over_same_views_1000", contrastive[1000] - same_views[1000], low=0.0)
record("twice_the_steps_over_contrastive_250", longer - contrastive[250], low=0.0, high=0.2)

# %% [markdown]
# Three lessons, one of them sobering. Without a label, seconds of training about doubled what a linear classifier
# can read, and the encoder's nearest scenes no longer simply share the colours. The probe beats the usual training at
# every number of labels here. But part of what the encoder learned is what the *views* say, that colour does
# not matter, and a network trained from scratch on the same views profits from that as well: with twice the
# steps (the star) it overtakes the probe. Compare methods at equal knowledge, not only at
# equal labels.
