# ---
# course:
#   title: Learning without labels
#   minutes: 120
#   summary: Write InfoNCE, NT-Xent and the parts of a masked autoencoder, train with both, and measure when they pay.
# ---

# %% [markdown]
# # Learning without labels
#
# Images are cheap and labels are not: someone has to look. Self-supervised learning makes its own task from
# the images alone, trains a network on it, and hopes that what the network had to find out is what you need
# later, with few labels. Two families of tasks are written here from scratch. **Contrastive** learning asks
# which two pictures show the same scene. A **masked autoencoder** hides most of an image and asks for the
# rest.
#
# **You will be able to**
# - measure what a representation is worth with few labels,
# - write InfoNCE and NT-Xent, and say what temperature, negatives and views do to them,
# - write the masking, the un-shuffling and the loss of a masked autoencoder,
# - predict what each task makes a network keep and forget, and check the prediction.
#
# **Time** about two hours. **Needs** a laptop. A GPU adds nothing in the fast profile; in the full profile
# it allows longer training.
#
# **How it works.** In each exercise, replace `raise NotImplementedError(...)` by your code and run the check
# below it. Every section needs only the set-up cell and its own cells; sections 4 and 5 also need your `nt_xent`
# (section 3), and section 7 your functions of section 6.

# %% tags=["parameters"]
profile = "fast"
device = "auto"
seed = 0

# %% tags=["setup"]
import math
import time

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib import checking, data, explore, models, notebook, record, training

nb = notebook.start("1e_self_supervised", profile=profile, device=device, seed=seed)
torch.set_num_threads(1)


def conv_encoder(width: int) -> nn.Sequential:
    """Images [N, 3, H, W] to features [N, 4 * width]: three convolutions of stride 2 and global pooling."""
    layers, channels = [], 3
    for outputs, kernel in ((width, 5), (2 * width, 3), (4 * width, 3)):
        convolution = nn.Conv2d(channels, outputs, kernel, stride=2, padding=kernel // 2, bias=False)
        layers += [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]
        channels = outputs
    network = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return network.to(nb.device, memory_format=torch.channels_last)  # a third faster on a CPU


# %% [markdown]
# ## 1. What is a representation worth?
#
# An encoder turns an image into a feature vector $f \in \mathbb R^D$. A good one puts images of one class near
# each other, so that a few labelled examples are enough to name the rest. Two measurements are customary, and
# neither changes the encoder:
#
# - **linear probe**: fit a linear classifier on the features;
# - **k nearest neighbours**: let the labelled images that are most similar vote.
#
# Similarity is the cosine of the angle between two vectors, their dot product after both are scaled to
# length 1:
#
# $$s(f, g) = \frac{f^\top g}{\lVert f\rVert\,\lVert g\rVert} \in [-1, 1].$$
#
# A vote counts more the nearer the neighbour is. With a temperature $\tau$, neighbour $j$ with similarity
# $s_j$ and label $y_j$ votes with weight $e^{s_j/\tau}$, and the class with most weight wins (Wu et al., 2018):
#
# $$\text{score}(c) = \sum_{j \in \text{the } k \text{ nearest}} [y_j = c]\; e^{s_j / \tau}.$$
#
# **By hand.** The three nearest have similarities 0.9, 0.6, 0.6 and labels 0, 1, 1. With $\tau = 1$ class 1
# wins, $2e^{0.6} = 3.6$ against $e^{0.9} = 2.5$. With $\tau = 0.1$ class 0 does, $e^9 = 8103$ against
# $2e^6 = 807$.
#
# ### Exercise: k nearest neighbours


# %% exercise="knn_predict" topics="contrastive"
def knn_predict(bank: Tensor, labels: Tensor, queries: Tensor, classes: int, k: int, temperature: float) -> Tensor:
    """Name each query by a weighted vote of its k most similar labelled features.

    bank         float [N, D], features of the labelled images, of any length but 0.
    labels       int64 [N], from 0 to classes - 1.
    queries      float [M, D].
    k            how many neighbours vote, 1 <= k <= N.
    temperature  a neighbour of cosine similarity s has weight exp(s / temperature); above 0, 0.001 included.

    Returns int64 [M], for each query the class with the largest sum of weights.
    """
    ### BEGIN SOLUTION
    similarity = F.normalize(queries, dim=1) @ F.normalize(bank, dim=1).T
    nearest, index = similarity.topk(k, dim=1)
    weight = torch.exp((nearest - nearest[:, :1]) / temperature)  # at most 1: no overflow, and never all 0
    score = queries.new_zeros(len(queries), classes)
    return score.scatter_add(1, labels[index], weight).argmax(1)
    ### END SOLUTION


# %% check="knn_predict" points=3
with checking.check("knn_predict"):
    angles = torch.tensor([0.9, 0.6, 0.6, 0.5]).acos()
    bank = torch.stack([angles.cos(), angles.sin()], 1) * torch.tensor([[0.5], [1.0], [1.0], [9.0]])
    labels, query = torch.tensor([0, 1, 1, 2]), torch.tensor([[2.0, 0.0]])
    for k, temperature, expected, hint in (
        (
            1,
            1.0,
            0,
            "2: a long vector is not a similar one, so bring all rows to length 1; or the least similar was taken",
        ),
        (3, 1.0, 1, "0: the three nearest vote with weights exp(0.9), exp(0.6) and exp(0.6)"),
        (3, 0.1, 0, "1: a plain majority; the weight of the nearest is exp(9), that of the others only exp(6)"),
    ):
        checking.equal(
            knn_predict(bank, labels, query, 3, k, temperature),
            torch.tensor([expected]),
            f"knn_predict(bank, labels, query, 3, {k}, {temperature})",
            hint=hint,
        )
    checking.equal(
        knn_predict(bank, labels, torch.cat([query, -query]), 3, 2, 0.001),
        torch.tensor([0, 2]),
        "the classes of query and -query at temperature 0.001",
        hint="exp(0.9 / 0.001) overflows, exp(-0.5 / 0.001) is 0: subtract a query's largest similarity first",
    )
    checking.equal(
        knn_predict(bank, labels + 4, query, 9, 4, 0.1),
        torch.tensor([4]),
        "knn_predict with labels 4 to 6 of 9 classes",
        hint="return the class, not the neighbour's place in the bank",
    )
    with checking.unchanged(bank=bank, labels=labels, queries=query):
        knn_predict(bank, labels, query, 3, 2, 0.5)

# %% [markdown]
# Try it on `shapes`, scenes that each show one of ten kinds of figures, in random colours, with 250 labels. Three representations: the
# pixels themselves, a network with random weights, and, as the goal, a network that was trained with 4,000
# labels. Guessing gets 10%.

# %% experiment="worth_of_features" topics="contrastive"
splits = data.shapes(train=250, test=500)
torch.manual_seed(nb.seed)
networks = {"random network": models.small_resnet(), "trained with 4,000 labels": training.load("shapes_resnet")}
features = {"pixels": (splits.train.images.flatten(1), splits.test.images.flatten(1))}
for name, network in networks.items():
    network.fc = nn.Identity()  # the features are what enters the classifier
    features[name] = tuple(training.features_of(network, part.images) for part in (splits.train, splits.test))
scores = {}
for name, (known, asked) in features.items():
    guess = knn_predict(known, splits.train.labels, asked, 10, k=10, temperature=0.1)
    probe = training.linear_probe(known, splits.train.labels, asked, splits.test.labels)
    scores[name] = ((guess == splits.test.labels).float().mean().item(), probe)
figure, axes = plt.subplots(figsize=(6.4, 2.6))
for shift, (label, column) in zip((-0.2, 0.2), (("10 nearest neighbours", 0), ("linear probe", 1)), strict=True):
    axes.barh([y + shift for y in range(3)], [100 * pair[column] for pair in scores.values()], 0.38, label=label)
axes.axvline(10, color="0.4", linestyle=":", label="guessing")
axes.set_yticks(range(3), scores)
axes.set(title="250 labelled scenes, frozen features", xlabel="accuracy on test scenes (%)")
axes.invert_yaxis()
axes.legend()
plt.show()
record("knn_pixels", scores["pixels"][0], low=0.05, high=0.2)
record("knn_trained_features", scores["trained with 4,000 labels"][0], low=0.7)

# %% [markdown]
# In pixels the nearest scene is one of similar colours, which says nothing about the figure. The rest of the
# notebook tries to get from the first two representations towards the third without its labels.

# %% [markdown]
# ## 2. InfoNCE: find your partner
#
# Take two random **views** of every image: turned, zoomed, recoloured. Encode one view as a query $q_i$, the
# other as a key $k_i$. The task: for each query, pick its own key among the keys of the whole batch. That is
# classification with as many classes as keys, and its loss is cross-entropy on similarities:
#
# $$L = -\frac1N \sum_{i=1}^{N} \log
#   \frac{\exp\!\big(s(q_i, k_i)/\tau\big)}{\sum_{j=1}^{M} \exp\!\big(s(q_i, k_j)/\tau\big)}.$$
#
# $s$ is the cosine similarity and $\tau$ the temperature. Key $i$ is the **positive** of query $i$, all other
# keys are its **negatives**. There may be more keys than queries: $M > N$ when old keys are kept in a queue,
# as in MoCo. Nothing in the formula says what the images show; the choice of views does, as section 4 finds.
#
# The loss has a scale: guessing costs $\log M$ nats, and $\log M - L$ is a lower bound on the information
# that a query carries about its key (van den Oord et al., 2018). A batch of 256 can never show more than
# $\log 256 = 5.5$ nats.
#
# **By hand.** $q_1 = (1, 0),\ q_2 = (0, 1),\ k_1 = (2, 0),\ k_2 = (0, 3)$ and $\tau = \tfrac12$. After scaling,
# the similarities are 1 on the diagonal and 0 beside it, so each query has the logits 2 and 0:
# $L = \log(1 + e^{-2}) = 0.127$.
#
# ### Exercise: InfoNCE


# %% exercise="info_nce" topics="contrastive"
def info_nce(queries: Tensor, keys: Tensor, temperature: float) -> Tensor:
    """InfoNCE, from queries to keys.

    queries      float [N, D], of any length but 0.
    keys         float [M, D] with M >= N. Row i < N is the positive of query i; all other rows are its negatives.
    temperature  divides the cosine similarities; above 0, and as small as 0.005 in use.

    Returns a scalar that gradients flow through: the mean over the queries, in nats.
    """
    ### BEGIN SOLUTION
    logits = F.normalize(queries, dim=1) @ F.normalize(keys, dim=1).T / temperature
    return F.cross_entropy(logits, torch.arange(len(queries), device=logits.device))
    ### END SOLUTION


# %% check="info_nce" points=4
with checking.check("info_nce"):
    q, k = torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([[2.0, 0.0], [0.0, 3.0]])
    checking.close(
        info_nce(q, k, 0.5),
        math.log(1 + math.exp(-2)),
        "info_nce(q, k, 0.5)",
        hint="0.01: scale the vectors to length 1; 0.31: the temperature is missing; 0.47: divide by it, do not multiply; 0.25: mean, not sum",
    )
    checking.close(
        info_nce(q, k.flip(0), 0.5),
        math.log(1 + math.exp(2)),
        "info_nce(q, keys in the wrong order, 0.5)",
        hint="key i belongs to query i, however similar another key is",
    )
    draw = torch.Generator().manual_seed(1)
    queries, keys = torch.randn(5, 3, generator=draw), torch.randn(8, 3, generator=draw)
    s = F.cosine_similarity(queries[:, None], keys[None], dim=2)
    one_by_one = torch.stack([s[i].div(0.3).logsumexp(0) - s[i, i] / 0.3 for i in range(5)])
    checking.close(
        info_nce(queries, keys, 0.3),
        one_by_one.mean(),
        "info_nce(queries [5, 3], keys [8, 3], 0.3)",
        hint="each query is compared with all 8 keys, and its softmax runs over the keys; mean over the 5 queries",
    )
    checking.close(
        info_nce(torch.ones(5, 3), torch.ones(8, 3), 0.1),
        math.log(8),
        "info_nce of vectors that are all the same",
        hint="guessing among 8 keys costs log 8; the positive stays in the denominator",
    )
    checking.close(
        info_nce(q, k.flip(0), 0.005),
        200.0,
        "info_nce(q, keys in the wrong order, 0.005)",
        hint="exp(1 / 0.005) is too large for float32: use F.cross_entropy or torch.logsumexp",
    )
    q.requires_grad_()
    info_nce(q, k.flip(0), 0.5).backward()
    checking.that(q.grad is not None and bool(q.grad.abs().sum() > 0), "gradients reach the queries")

# %% [markdown]
# Eight scenes, two views of each; the similarities come from the trained network of section 1. Move the
# temperature. At which values does the query stop caring for all keys but one, and at which does it stop
# telling them apart?

# %% demo="tune_temperature" topics="contrastive"
scenes, draw = data.shapes(train=0, test=8).test.images, torch.Generator().manual_seed(2)
queries, keys = (training.move_at_random(scenes, draw) for _ in range(2))
network = training.load("shapes_resnet")
network.fc = nn.Identity()
one, other = (F.normalize(training.features_of(network, views), dim=1) for views in (queries, keys))
explore.tune_temperature(one @ other.T, queries, keys)

# %% [markdown]
# The gradient explains the picture. With $p_{ij}$ the softmax over the keys of query $i$,
#
# $$\frac{\partial L_i}{\partial s(q_i, k_j)} = \frac{1}{\tau}\big(p_{ij} - [i = j]\big):$$
#
# the query is pushed away from every negative in proportion to $p_{ij}$. A small $\tau$ puts the push on the
# few most similar negatives, a large one spreads it evenly. Section 5 measures what that does to training.

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

# %% [markdown]
# ## 4. The views decide what is kept
#
# InfoNCE rewards whatever tells images apart **and** survives the views. If the views keep the colours, then
# colours are the cheapest answer, and nothing pushes the network to anything else. So train three encoders on
# three kinds of views, and ask each for two things: the figure's class, and the colour of the ground (the
# mean of the border pixels; the score is $R^2$ of a linear fit on test scenes, 1: it knows, 0: it does not).
#
# Write down your guess for each before you run it.

# %% experiment="views_decide" topics="contrastive"
splits = data.shapes(train=nb.pick(fast=3000, full=4000), size=16)
train, test = splits.train, splits.test
epochs = nb.pick(fast=4, full=50)


def ground_colour(images: Tensor) -> Tensor:
    """Mean colour of the border pixels, [N, 3]."""
    inner = torch.zeros(16, 16, dtype=torch.bool)
    inner[1:-1, 1:-1] = True
    return images[:, :, ~inner].mean(2)


def colour_score(known: Tensor, asked: Tensor) -> float:
    """R^2 on test scenes of the least-squares fit from features to the ground's colour."""
    design, tested = (F.pad(part.double(), (0, 1), value=1) for part in (known, asked))
    truth = ground_colour(test.images).double()
    fit = tested @ torch.linalg.lstsq(design, ground_colour(train.images).double(), driver="gelsd").solution
    return 1 - ((fit - truth).square().sum() / (truth - truth.mean(0)).square().sum()).item()


def only_recolour(images: Tensor, generator: torch.Generator) -> Tensor:
    return training.recolour(images, generator)


def move_and_recolour(images: Tensor, generator: torch.Generator) -> Tensor:
    return training.recolour(training.move_at_random(images, generator), generator)


kinds = {"move": training.move_at_random, "recolour": only_recolour, "move and recolour": move_and_recolour}
results = {}
for name, view in kinds.items():
    torch.manual_seed(nb.seed)
    encoder = conv_encoder(16)
    network = nn.Sequential(encoder, nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32)).to(nb.device)
    losses = training.fit_pairs(
        network, train.images, view, lambda a, b: nt_xent(a, b, 0.2), epochs=epochs, seed=nb.seed, progress=False
    )
    known, asked = (training.features_of(encoder, part.images) for part in (train, test))
    score = training.linear_probe(known, train.labels, asked, test.labels)
    results[name] = (losses[-1], score, colour_score(known, asked))
    print(f"{name:18} loss {losses[-1]:.2f}   class {score:.1%}   colour R2 {results[name][2]:.2f}")

figure, (left, right) = plt.subplots(1, 2, figsize=(7.4, 2.4), sharey=True)
left.barh(list(results), [100 * row[1] for row in results.values()], color="C0")
left.axvline(10, color="0.4", linestyle=":")
left.set(title="what figure it is", xlabel="probe accuracy (%), dotted: guessing")
right.barh(list(results), [row[2] for row in results.values()], color="C1")
right.set(title="what colour the ground has", xlabel="$R^2$ on test scenes", xlim=(0, 1))
left.invert_yaxis()
plt.show()
record("loss_views_that_only_move", results["move"][0], high=2.2)
record("class_views_that_only_move", results["move"][1], low=0.08, high=0.2)
record("class_move_and_recolour", results["move and recolour"][1], low=0.22)
record("colour_lost_by_recolouring", results["move"][2] - results["move and recolour"][2], low=0.05)

# %% [markdown]
# With views that keep the colours, colours settle the question and the network hardly looks at figures. Views
# that only recolour make an equally easy task with nearly the same loss, yet that encoder knows twice as much
# about figures. **A contrastive loss is no measure of quality between different views.** What a view changes
# is what the features may lose; what all views share is what they keep. That is prior knowledge about the
# later task, put in by hand: for a task about colours, recolouring would be the wrong view. (It loses only a
# part of the colour here: what is thrown out of the embedding is still there before the projection head.)

# %% [markdown]
# ## 5. Temperature and negatives
#
# Two settings of the loss itself. The temperature you have seen on paper. For the number of negatives, many
# articles change the batch size, which also changes the number of steps and what batch normalisation sees.
# Here the batch stays at 128 images: it is cut into groups, and each view is compared within its group only.

# %% experiment="temperature_and_negatives" topics="contrastive"
splits = data.shapes(train=nb.pick(fast=2000, full=4000), size=16)
train, test = splits.train, splits.test
epochs = nb.pick(fast=6, full=50)


def view(images: Tensor, generator: torch.Generator) -> Tensor:
    return training.recolour(training.move_at_random(images, generator), generator)


def pretrain(temperature: float, group: int) -> tuple[float, float]:
    """Share of test views whose partner is nearest among 1,000, and probe accuracy with all labels."""
    torch.manual_seed(nb.seed)
    encoder = conv_encoder(16)
    network = nn.Sequential(encoder, nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32)).to(nb.device)

    def loss(first: Tensor, second: Tensor) -> Tensor:
        groups = zip(first.split(group), second.split(group), strict=True)
        return torch.stack([nt_xent(a, b, temperature) for a, b in groups]).mean()

    training.fit_pairs(network, train.images, view, loss, epochs=epochs, seed=nb.seed, progress=False)
    draw = nb.generator(5)
    one, other = (F.normalize(training.features_of(network, view(test.images, draw)), dim=1) for _ in range(2))
    found = ((one @ other.T).argmax(1) == torch.arange(len(test))).float().mean().item()
    known, asked = (training.features_of(encoder, part.images) for part in (train, test))
    return found, training.linear_probe(known, train.labels, asked, test.labels)


temperatures, groups = (0.05, 0.2, 1.0), (2, 16, 128)
by_temperature = {temperature: pretrain(temperature, 128) for temperature in temperatures}
by_group = {group: pretrain(0.2, group) if group < 128 else by_temperature[0.2] for group in groups}
figure, panels = plt.subplots(1, 2, figsize=(7.4, 2.9), sharey=True)
negatives = [2 * group - 2 for group in groups]
for axis, places, outcome in zip(panels, (temperatures, negatives), (by_temperature, by_group), strict=True):
    for column, (name, style) in enumerate((("partner found among 1,000", "s--"), ("class, linear probe", "o-"))):
        axis.semilogx(places, [100 * pair[column] for pair in outcome.values()], style, label=name)
    axis.set_xticks(places, [f"{place:g}" for place in places])
    axis.minorticks_off()
panels[0].set(title="temperature, 254 negatives", xlabel="temperature", ylabel="share of test views or scenes (%)")
panels[1].set(title="negatives, temperature 0.2", xlabel="negatives of each view")
panels[0].set_ylim(0, None)
panels[1].legend(fontsize=8)
plt.show()
record("partner_found_temperature_0_2", by_temperature[0.2][0], low=0.02, high=0.15)
record("partner_found_0_2_over_1", by_temperature[0.2][0] / by_temperature[1.0][0], low=1.2)
record("partner_found_254_over_2_negatives", by_group[128][0] / by_group[2][0], low=1.0)
record("class_254_over_2_negatives", by_group[128][1] - by_group[2][1], low=-0.05, high=0.1)

# %% [markdown]
# The task itself, finding the partner, gains most from a temperature that is not high; more negatives help too, but here
# no longer beyond 30. The class, which nobody asked for, moves by a few points at most. How good a network is at its self-made task and how useful it
# is are two things; only the second one counts, and it needs labels to be measured.
#
# Large batches are how SimCLR got negatives (4,096 images and more). MoCo keeps the keys of earlier batches in
# a queue instead, and has them made by a slowly following copy of the encoder, so that old and new keys agree.

# %% [markdown]
# ## 6. A masked autoencoder: hide, encode, restore
#
# The other family has no pairs, no negatives and no views. Cut the image into patches, hide most of them, and
# let the network draw what is missing. A masked autoencoder (MAE, He et al., 2022) does it in four steps:
#
# 1. **mask**: keep a few patches of each image, chosen at random;
# 2. **encode** the kept patches only, with a transformer: at 75% hidden it reads a quarter of the tokens;
# 3. **un-shuffle**: put the encoded tokens back where they came from, a learned *mask token* everywhere else;
# 4. **decode** with a small transformer to pixels, and count the error on hidden patches only.
#
# Step 1 draws a random number for each token and sorts. The first $K$ in that order are kept. Two lists of
# indices come out:
#
# - *kept* $[N, K]$: which tokens are kept, in the order of their numbers;
# - *restore* $[N, T]$: for each token, its place in the shuffled order. Tokens at places below $K$ are kept.
#
# One list undoes the other: *restore* is the inverse of the permutation that sorts.
#
# **By hand.** Four tokens with the numbers $(0.7, 0.1, 0.9, 0.3)$, $K = 2$. The order is 1, 3, 0, 2, so
# *kept* is $(1, 3)$. Token 0 stands at place 2 of that order, token 1 at place 0, token 2 at place 3, token 3
# at place 1: *restore* is $(2, 0, 3, 1)$. Hidden are tokens 0 and 2.
#
# ### Exercise: random masking


# %% exercise="random_masking" topics="mae"
def random_masking(noise: Tensor, keep: int) -> tuple[Tensor, Tensor, Tensor]:
    """Choose the tokens that an encoder sees.

    noise  float [N, T], one random number for each token of each image; no two of an image are equal.
    keep   how many tokens of each image are kept, 1 <= keep <= T: those with the smallest numbers.

    Returns
        kept     int64 [N, keep], the kept tokens of each image, smallest number first.
        restore  int64 [N, T], the place of each token when the image's tokens are sorted by their numbers.
        hidden   bool [N, T], in the order of the image: True for a token that is not kept.
    """
    ### BEGIN SOLUTION
    order = noise.argsort(dim=1)
    restore = order.argsort(dim=1)
    return order[:, :keep], restore, restore >= keep
    ### END SOLUTION


# %% check="random_masking" points=3
with checking.check("random_masking"):
    kept, restore, hidden = random_masking(torch.tensor([[0.7, 0.1, 0.9, 0.3]]), 2)
    checking.equal(
        kept, torch.tensor([[1, 3]]), "kept", hint="the two tokens with the smallest numbers, smallest first"
    )
    checking.equal(
        restore,
        torch.tensor([[2, 0, 3, 1]]),
        "restore",
        hint="(1, 3, 0, 2) is the order itself; wanted is its inverse: where does each token stand in it?",
    )
    checking.equal(
        hidden,
        torch.tensor([[True, False, True, False]]),
        "hidden",
        hint="in the order of the image, and True for the tokens that are not kept",
    )
    noise = torch.rand(6, 9, generator=torch.Generator().manual_seed(4))
    with checking.unchanged(noise=noise):
        kept, restore, hidden = random_masking(noise, 4)
    checking.equal(
        [tuple(part.shape) for part in (kept, restore, hidden)],
        [(6, 4), (6, 9), (6, 9)],
        "the shapes of kept, restore and hidden for noise [6, 9], keep=4",
    )
    rank = (noise[:, :, None] > noise[:, None, :]).sum(2)
    checking.equal(restore, rank, "restore of a batch", hint="every image has an order of its own")
    checking.equal(hidden, rank >= 4, "hidden of a batch", hint="every image has a mask of its own")
    shuffled = torch.take_along_dim(noise, kept, 1)
    checking.equal(shuffled, noise.sort(dim=1).values[:, :4], "the numbers of the kept tokens")
    everything = random_masking(noise, 9)
    checking.that(not everything[2].any(), "with keep=9 of 9 tokens, none is hidden")

# %% [markdown]
# ### Exercise: restore the order
#
# The encoder returns $K$ tokens in the order of *kept*. Append one mask token for each hidden patch, which
# gives the shuffled order, then look up for each patch the token at its place.
#
# **By hand.** Encoded tokens $a, b$, mask token $m$, *restore* $(2, 0, 3, 1)$: the shuffled order is
# $a, b, m, m$, and the image's order is $m, a, m, b$.


# %% exercise="restore_tokens" topics="mae"
def restore_tokens(encoded: Tensor, mask_token: Tensor, restore: Tensor) -> Tensor:
    """Put encoded tokens back to their places, the mask token everywhere else.

    encoded     float [N, K, D], the kept tokens of each image in shuffled order.
    mask_token  float [D].
    restore     int64 [N, T], T >= K: the place of each token in the shuffled order; places from K on are hidden.

    Returns float [N, T, D] in the order of the image. Gradients flow to encoded and to mask_token.
    """
    ### BEGIN SOLUTION
    n, k, d = encoded.shape
    hidden = mask_token.expand(n, restore.shape[1] - k, d)
    shuffled = torch.cat([encoded, hidden], dim=1)
    return shuffled.gather(1, restore[:, :, None].expand(-1, -1, d))
    ### END SOLUTION


# %% check="restore_tokens" points=3
with checking.check("restore_tokens"):
    encoded = torch.tensor([[[1.0, 10.0], [2.0, 20.0]], [[3.0, 30.0], [4.0, 40.0]]], requires_grad=True)
    mask_token = torch.tensor([-1.0, -2.0], requires_grad=True)
    order = torch.tensor([[2, 0, 3, 1], [0, 3, 1, 2]])
    full = restore_tokens(encoded, mask_token, order)
    checking.equal(tuple(full.shape), (2, 4, 2), "the shape for encoded [2, 2, 2], restore [2, 4]")
    checking.close(
        full[0].detach(),
        [[-1.0, -2.0], [1.0, 10.0], [-1.0, -2.0], [2.0, 20.0]],
        "the first image",
        hint="mask tokens go behind the encoded ones; then token t of the image is number restore[t] of that row",
    )
    checking.close(
        full[1].detach(),
        [[3.0, 30.0], [-1.0, -2.0], [4.0, 40.0], [-1.0, -2.0]],
        "the second image",
        hint="every image has its own row of restore",
    )
    full.sum().backward()
    checking.close(
        mask_token.grad if mask_token.grad is not None else 0 * mask_token.detach(),
        [4.0, 4.0],
        "the gradient of the mask token",
        hint="four patches are hidden in all; do not detach, and do not copy numbers into a fresh tensor's .data",
    )
    checking.close(
        encoded.grad if encoded.grad is not None else 0 * encoded.detach(),
        torch.ones(2, 2, 2),
        "the gradient of encoded",
    )
    whole = restore_tokens(encoded.detach(), mask_token.detach(), torch.tensor([[1, 0], [0, 1]]))
    checking.close(whole, encoded.detach()[torch.tensor([[0], [1]]), torch.tensor([[1, 0], [0, 1]])], "nothing hidden")

# %% [markdown]
# ### Exercise: the loss on hidden patches
#
# A decoder could copy what it sees, so visible patches count nothing. With $\hat y_{nt}, y_{nt} \in \mathbb
# R^P$ the predicted and the true patch $t$ of image $n$ and $H$ the set of hidden patches of the whole batch:
#
# $$L = \frac{1}{|H|} \sum_{(n,t) \in H} \frac1P \lVert \hat y_{nt} - y_{nt} \rVert^2.$$
#
# He et al. gain a little by normalising each true patch by its own mean and variance first, which asks for
# structure instead of brightness: $\tilde y = (y - \mu) / \sqrt{\sigma^2 + 10^{-6}}$ with $\sigma^2 =
# \sum_p (y_p - \mu)^2 / (P - 1)$, as `torch.var` computes it.
#
# **By hand.** One image, two patches of two numbers, the first hidden. Prediction $(1, 2)$, truth $(1, 4)$:
# $L = (0 + 4)/2 = 2$, whatever stands in the second patch. Normalised, the truth has $\mu = 2.5$ and
# $\sigma^2 = 4.5$, becomes $(-0.707, 0.707)$, and $L = (1.707^2 + 1.293^2)/2 = 2.293$.


# %% exercise="masked_loss" topics="mae"
def masked_loss(prediction: Tensor, patches: Tensor, hidden: Tensor, normalise: bool = False) -> Tensor:
    """Mean squared error over the hidden patches of a batch.

    prediction  float [N, T, P], for every patch.
    patches     float [N, T, P], the true ones, P >= 2.
    hidden      bool [N, T], True for a hidden patch; images may hide different numbers of patches, but at least one
        patch of the batch is hidden.
    normalise   compare with patches that are first brought to mean 0 and variance 1, each by its own mean and variance
        (divisor P - 1, and 1e-6 added to the variance).

    Returns a scalar that gradients flow through.
    """
    ### BEGIN SOLUTION
    if normalise:
        centred = patches - patches.mean(dim=2, keepdim=True)
        patches = centred / (patches.var(dim=2, keepdim=True) + 1e-6).sqrt()
    error = (prediction - patches).square().mean(dim=2)
    return error[hidden].mean()
    ### END SOLUTION


# %% check="masked_loss" points=3
with checking.check("masked_loss"):
    guess, truth = torch.tensor([[[1.0, 2.0], [9.0, 9.0]]]), torch.tensor([[[1.0, 4.0], [0.0, 2.0]]])
    hidden = torch.tensor([[True, False]])
    checking.close(
        masked_loss(guess, truth, hidden),
        2.0,
        "masked_loss(guess, truth, hidden)",
        hint="65: that is the visible patch; 33.5: both patches were counted; 1: divide by the number of hidden patches, not of all; 4: mean over P",
    )
    checking.close(
        masked_loss(guess, truth, hidden, normalise=True),
        (1.7071068**2 + 1.2928932**2) / 2,
        "masked_loss(guess, truth, hidden, normalise=True)",
        hint="only the truth is normalised, with divisor P - 1 in the variance",
        rtol=1e-3,
    )
    draw = torch.Generator().manual_seed(5)
    guess, truth = (
        torch.randn(3, 4, 5, generator=draw),
        torch.rand(3, 4, 5, generator=draw) + torch.arange(4.0)[:, None],
    )
    hidden = torch.tensor([[True, False, False, False], [True, True, True, True], [False, False, True, False]])
    places = hidden.nonzero().tolist()
    checking.close(
        masked_loss(guess, truth, hidden),
        sum((guess[n, t] - truth[n, t]).square().mean() for n, t in places) / 6,
        "a batch whose images hide 1, 4 and 1 patches",
        hint="6 patches are hidden in the whole batch and count the same; no mean per image first",
    )
    z = [(n, t, (truth[n, t] - truth[n, t].mean()) / (truth[n, t].std() ** 2 + 1e-6).sqrt()) for n, t in places]
    checking.close(
        masked_loss(guess, truth, hidden, normalise=True),
        sum((guess[n, t] - patch).square().mean() for n, t, patch in z) / 6,
        "the same batch, normalised",
        hint="each patch has its own mean and variance, over its P numbers",
    )
    flat = masked_loss(torch.zeros(1, 1, 4), torch.full((1, 1, 4), 0.5), torch.tensor([[True]]), normalise=True)
    checking.close(flat, 0.0, "a patch of one colour, normalised", hint="its variance is 0: add 1e-6 before dividing")
    with checking.unchanged(patches=truth, prediction=guess):
        masked_loss(guess, truth, hidden, normalise=True)

# %% [markdown]
# ## 7. Train one
#
# The model around your three functions, given. Encoder and decoder are `nn.TransformerEncoder`s; each patch
# gets a learned vector for its place, once before the encoder and once before the decoder. For a probe, the
# encoder reads *all* patches, and the mean over its tokens is the feature vector.


# %%
class MaskedAutoencoder(nn.Module):
    """Images [N, C, H, W] in patches of side x side, encoded with `width` numbers for each patch."""

    def __init__(self, images: Tensor, side: int, width: int = 32, depth: int = 2) -> None:
        super().__init__()
        self.side = side
        tokens, numbers = self.patches(images[:1]).shape[1:]
        self.embed, self.predict = nn.Linear(numbers, width), nn.Linear(width, numbers)
        self.place, self.decoder_place = (nn.Parameter(0.5 * torch.randn(tokens, width)) for _ in range(2))
        self.mask_token = nn.Parameter(0.02 * torch.randn(width))
        self.encoder, self.decoder = self.transformer(width, depth), self.transformer(width, 1)

    @staticmethod
    def transformer(width: int, depth: int) -> nn.Module:
        layer = nn.TransformerEncoderLayer(width, 4, 2 * width, 0.0, "gelu", batch_first=True, norm_first=True)
        return nn.TransformerEncoder(layer, depth, nn.LayerNorm(width), enable_nested_tensor=False)

    def patches(self, images: Tensor) -> Tensor:
        return F.unfold(images, self.side, stride=self.side).transpose(1, 2)  # [N, T, C * side * side]

    def reconstruct(self, patches: Tensor, kept: Tensor, restore: Tensor) -> Tensor:
        tokens = torch.take_along_dim(self.embed(patches) + self.place, kept[:, :, None], dim=1)
        return self.predict(
            self.decoder(restore_tokens(self.encoder(tokens), self.mask_token, restore) + self.decoder_place)
        )

    def forward(self, images: Tensor) -> Tensor:
        return self.encoder(self.embed(self.patches(images)) + self.place).mean(1)


def fit_masked(images: Tensor, side: int, hide: float, epochs: int, seed: int) -> tuple[MaskedAutoencoder, float]:
    """Train on images without labels, hiding the share `hide` of the patches; the model and its last mean loss."""
    torch.manual_seed(seed)
    draw = torch.Generator().manual_seed(seed)
    model, images = MaskedAutoencoder(images, side).to(nb.device), images.to(nb.device)
    keep = max(1, round(len(model.place) * (1 - hide)))
    steps = epochs * (len(images) // 32)
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.05, betas=(0.9, 0.95), fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, total_steps=steps, pct_start=0.2)
    for _ in range(epochs):
        losses = []
        for chosen in torch.randperm(len(images), generator=draw)[: len(images) // 32 * 32].split(32):
            patches = model.patches(images[chosen])
            noise = torch.rand(patches.shape[:2], generator=draw).to(nb.device)
            kept, restore, hidden = random_masking(noise, keep)
            loss = masked_loss(model.reconstruct(patches, kept, restore), patches, hidden)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
    return model.eval(), sum(losses) / len(losses)


# %% [markdown]
# Transformers need more training than this course has seconds, so the images are small: the scans of
# handwritten digits, 8x8 pixels in 16 patches of 2x2. Half of them are hidden.

# %% experiment="masked_digits" topics="mae"
splits = data.digits()
train, test = splits.train, splits.test
started = time.perf_counter()
model, loss = fit_masked(train.images, side=2, hide=0.5, epochs=nb.pick(fast=15, full=400), seed=nb.seed)
seconds = time.perf_counter() - started
torch.manual_seed(nb.seed)
untrained = MaskedAutoencoder(train.images, side=2).to(nb.device)

with torch.no_grad():
    shown = test.images[:10].to(nb.device)
    patches = model.patches(shown)
    kept, restore, hidden = random_masking(torch.rand(10, 16, generator=nb.generator(7)).to(nb.device), 8)
    guessed = model.reconstruct(patches, kept, restore)
    visible = patches.masked_fill(hidden[:, :, None], torch.nan)
    repaired = torch.where(hidden[:, :, None], guessed, patches)
    average = train.images.mean(0, keepdim=True).to(nb.device)
    hidden_error = masked_loss(guessed, patches, hidden).item()
    mean_error = masked_loss(model.patches(average).expand_as(patches), patches, hidden).item()
rows = {"scan": patches, "what the encoder sees": visible, "hidden patches drawn": repaired}
figure, axes = plt.subplots(3, 10, figsize=(8.2, 2.9))
for (name, row), line in zip(rows.items(), axes, strict=True):
    pictures = F.fold(row.transpose(1, 2), 8, 2, stride=2)[:, 0].cpu()
    for axis, picture in zip(line, pictures, strict=True):
        axis.imshow(picture, vmin=0, vmax=1)
        axis.set_facecolor("#E69F00")
        axis.set(xticks=[], yticks=[])
        axis.grid(visible=False)
    line[0].set_title(name, fontsize=9)
plt.show()

labels = (20, 50, 100, 250, 1000)
curves = {}
for name, network in (("untrained encoder", untrained), ("masked autoencoder", model)):
    known, asked = (training.features_of(network, part.images) for part in (train, test))
    curves[name] = [training.linear_probe(known[:n], train.labels[:n], asked, test.labels) for n in labels]
known, asked = train.images.flatten(1), test.images.flatten(1)
curves["the 64 pixels"] = [training.linear_probe(known[:n], train.labels[:n], asked, test.labels) for n in labels]
figure, axes = plt.subplots(figsize=(6.4, 3.2))
for (name, curve), style in zip(curves.items(), ("s:", "o-", "^--"), strict=True):
    axes.semilogx(labels, [100 * value for value in curve], style, label=name)
axes.set_xticks(labels, [f"{n:,}" for n in labels])
axes.minorticks_off()
axes.set(
    title="digits, linear probe", xlabel="labelled training scans", ylabel="accuracy on test scans (%)", ylim=(0, 100)
)
axes.legend()
plt.show()
print(f"{seconds:.0f} s on {nb.hardware}; error on hidden pixels {hidden_error:.3f}, of the mean scan {mean_error:.3f}")
record("hidden_error_over_mean_scan", hidden_error / mean_error, high=0.85)
pixels, masked, nothing = (curves[name][1] for name in ("the 64 pixels", "masked autoencoder", "untrained encoder"))
record("masked_over_untrained_50_labels", masked - nothing, low=-0.01)
record("pixels_over_masked_50_labels", pixels - masked, low=-0.1, high=0.2)

# %% [markdown]
# Against the untrained encoder it pays where labels are few, more with some seeds than with others, and the gain
# melts away as they become many. It
# does not beat plain pixels, which is worth knowing too: on aligned scans of 8x8 pixels a linear classifier on
# pixels is strong. Always put the dullest method into the figure.
#
# How much should be hidden? Hide little, and a neighbour's colour answers every question. Hide nearly all,
# and there is nothing to reason from.

# %% experiment="mask_ratio" topics="mae"
splits = data.digits()
train, test = splits.train, splits.test
shares, outcome = (0.25, 0.5, 0.9375), {}
for hide in shares:
    model, loss = fit_masked(train.images, side=2, hide=hide, epochs=nb.pick(fast=10, full=400), seed=nb.seed)
    known, asked = (training.features_of(model, part.images) for part in (train, test))
    outcome[hide] = (loss, training.linear_probe(known[:50], train.labels[:50], asked, test.labels))
torch.manual_seed(nb.seed)
untrained = MaskedAutoencoder(train.images, side=2).to(nb.device)
known, asked = (training.features_of(untrained, part.images) for part in (train, test))
for_nothing = training.linear_probe(known[:50], train.labels[:50], asked, test.labels)
figure, (left, right) = plt.subplots(1, 2, figsize=(7.4, 2.7))
left.plot([100 * hide for hide in shares], [pair[0] for pair in outcome.values()], "s-")
left.set(title="the task", xlabel="hidden patches (%)", ylabel="squared error, hidden pixels", ylim=(0, None))
right.plot([100 * hide for hide in shares], [100 * pair[1] for pair in outcome.values()], "o-", color="C1")
right.axhline(100 * for_nothing, color="0.4", linestyle=":", label="untrained encoder")
right.set(title="the use: probe, 50 labels", xlabel="hidden patches (%)", ylabel="accuracy on test scans (%)")
right.set_ylim(0, 100)
right.legend()
plt.show()
for hide, (loss, score) in outcome.items():
    print(f"{hide:6.1%} hidden: error {loss:.4f}, probe {score:.1%}")
record("error_at_94_over_50_percent_hidden", outcome[0.9375][0] / outcome[0.5][0], low=1.02)
record("probe_at_50_over_94_percent_hidden", outcome[0.5][1] - outcome[0.9375][1], low=0.0)

# %% [markdown]
# With one visible patch in sixteen hardly anything can be guessed, and the encoder, which never sees two patches
# together, learns less. Hiding little has its own price: few hidden patches, so few answers to learn from in each
# image, and the encoder reads more tokens. Photographs are more redundant than digits; He et al. find their best
# share at 75%, far more than the 15% of words that BERT hides.
#
# Last, the scenes of sections 1 to 5, for a task that fails. Sixteen patches of 4x4 pixels, half of them hidden.

# %% experiment="masked_shapes" topics="mae"
splits = data.shapes(train=2000, test=500, size=16)
train, test = splits.train, splits.test
model, loss = fit_masked(train.images, side=4, hide=0.5, epochs=nb.pick(fast=4, full=400), seed=nb.seed)
known, asked = (training.features_of(model, part.images) for part in (train, test))
score = training.linear_probe(known, train.labels, asked, test.labels)
with torch.no_grad():
    patches = model.patches(test.images[:8].to(nb.device))
    kept, restore, hidden = random_masking(torch.rand(8, 16, generator=nb.generator(9)).to(nb.device), 8)
    guessed = model.reconstruct(patches, kept, restore)
rows = {
    "scene": patches,
    "what the encoder sees": patches.masked_fill(hidden[:, :, None], 1),
    "hidden patches drawn": torch.where(hidden[:, :, None], guessed, patches).clamp(0, 1),
}
figure, axes = plt.subplots(3, 8, figsize=(7.2, 3.1))
for (name, row), line in zip(rows.items(), axes, strict=True):
    for axis, picture in zip(line, F.fold(row.transpose(1, 2), 16, 4, stride=4).cpu(), strict=True):
        axis.imshow(picture.permute(1, 2, 0))
        axis.set_axis_off()
    line[0].set_title(name, fontsize=9)
plt.show()
variance = train.images.var(0).mean().item()
print(f"error {loss:.3f}, variance of a pixel {variance:.3f}; class, probe with {len(train):,} labels: {score:.1%}")
record("masked_shapes_error_over_variance", loss / variance, high=0.75)
record("masked_shapes_class", score, low=0.06, high=0.18)

# %% [markdown]
# The model explains nearly half of what varies in these scenes, colour and light, and knows nothing about the figures:
# their outlines are a small part of the squared error, and come last. Pixels reward what fills the most pixels.
# The contrastive encoder named the figure in more than a third of the scenes after a similar time, because somebody chose views that made
# colour useless. More training helps (He et al. train 800 to 1,600 epochs), and so does fine-tuning: a masked
# autoencoder is meant as a start for training, more than as a frozen encoder.

# %% [markdown]
# ## 8. Questions
#
# Answer in a few sentences, with numbers where they help.

# %% [markdown] question="choose_pretext_task" points=3 topics="contrastive, mae"
# **Question 1.** A factory has two million photographs of circuit boards from one fixed camera and 300 labelled ones.
# The defects are small: a scratch, a missing part, a part of the wrong colour. A colleague proposes SimCLR with its
# usual views, which crop, mirror, blur and change colours, and a linear probe. What do you change, and how do you find
# out whether pre-training was worth it?
#
# ### BEGIN SOLUTION
# Views decide what is lost. Changes of colour hide the wrong colour, blur hides the scratch, mirroring makes a part
# that was put in the wrong way round look right, and a crop may cut the defect out of one view only, so that the
# features are asked to ignore it. Keep the changes that the camera really makes: small shifts, brightness, noise. All
# boards look nearly the same, so "other image" is a weak negative: the defect may be all that differs, and with views
# this mild the cheapest answer may be light or noise. Masked autoencoding needs no such views, and its error at a place
# is itself a sign of a defect, but small defects are few pixels of its loss; hiding less or normalising patches helps.
# Worth: on held-out labelled boards, compare (1) a network trained from scratch on the 300 with the same views and
# enough steps, (2) the probe, (3) fine-tuning from the pre-trained weights, (4) a network trained on other data, all
# over several seeds or folds, since 300 labels make differences of a few points noise. Full marks need at least two
# views named as harmful with the reason, and a comparison with training from scratch.
# ### END SOLUTION

# %% [markdown] question="read_the_losses" points=2 topics="contrastive"
# **Question 2.** Two teams pre-train on the same images with NT-Xent. Team A reports a loss of 2.6 with 32 images
# in a batch and $\tau = 0.5$; team B reports 2.9 with 512 images and $\tau = 0.1$. Team A claims the better encoder.
# What do you answer? Which number tells you more, and what would you want to see in the end?
#
# ### BEGIN SOLUTION
# The losses cannot be compared. Guessing costs log(63) = 4.1 nats for A and log(1023) = 6.9 for B, so A is 1.5 nats
# below guessing and B 4.0. The lowest possible loss differs as well: even with each pair identical and all other
# views at right angles, A gets log(1 + 62 e^-2) = 2.2, because at temperature 0.5 the logits span too little, while B
# gets log(1 + 1022 e^-10) = 0.05. And views that are too easy lower both. The share of views that find their partner
# among a fixed number of candidates, on held-out images and with the same views, does not depend on batch size and
# temperature. In the end only the later task counts: probe or fine-tuned accuracy with the labels one will have, with
# the same encoder and the same time of training, over several seeds.
# ### END SOLUTION

# %% [markdown]
# ## Read more
#
# - van den Oord, Li, Vinyals: *Representation Learning with Contrastive Predictive Coding*, 2018,
#   [arXiv:1807.03748](https://arxiv.org/abs/1807.03748). InfoNCE and the bound on information.
# - Wu, Xiong, Yu, Lin: *Unsupervised Feature Learning via Non-Parametric Instance Discrimination*, CVPR 2018,
#   [arXiv:1805.01978](https://arxiv.org/abs/1805.01978). The weighted nearest-neighbour vote.
# - Chen, Kornblith, Norouzi, Hinton: *A Simple Framework for Contrastive Learning of Visual Representations*
#   (SimCLR), ICML 2020, [arXiv:2002.05709](https://arxiv.org/abs/2002.05709). Which views matter, measured.
# - He, Fan, Wu, Xie, Girshick: *Momentum Contrast for Unsupervised Visual Representation Learning* (MoCo), CVPR
#   2020, [arXiv:1911.05722](https://arxiv.org/abs/1911.05722). A queue of negatives.
# - Wang, Isola: *Understanding Contrastive Representation Learning through Alignment and Uniformity on the
#   Hypersphere*, ICML 2020, [arXiv:2005.10242](https://arxiv.org/abs/2005.10242).
# - Wang, Liu: *Understanding the Behaviour of Contrastive Loss*, CVPR 2021,
#   [arXiv:2012.09740](https://arxiv.org/abs/2012.09740). What the temperature does.
# - He, Chen, Xie, Li, Dollár, Girshick: *Masked Autoencoders Are Scalable Vision Learners*, CVPR 2022,
#   [arXiv:2111.06377](https://arxiv.org/abs/2111.06377).
