# %% [markdown]
# ## 6 L1: a prior that makes zeros
#
# **Penalties are priors.** Suppose that before seeing data we believe each weight to follow a Laplace distribution of scale $b$,
# $\ p(w) = \frac{1}{2b} e^{-|w|/b}$. The *maximum a posteriori* (MAP) weights maximise $p(\text{data} \mid w)\, p(w)$. With $N$ training examples, $D$ weights
# and $\ell_n$ the negative log-likelihood of example $n$ (its cross-entropy), they minimise
#
# $$-\log p(w \mid \text{data}) = \sum_{n=1}^{N} \ell_n + \frac{1}{b} \sum_{d=1}^{D} \lvert w_d \rvert + \text{const}.$$
#
# Training minimises the *mean* over examples. Divide by $N$:
#
# $$J(w) = \frac1N \sum_{n=1}^{N} \ell_n + \lambda \lVert w \rVert_1, \qquad \lambda = \frac{1}{N b}.$$
#
# This is L1 regularisation, the Lasso: $\lambda$ is not arbitrary, it states how strong the prior is against $N$ examples. (A Gaussian prior gives weight decay in the same way.)
# A mini-batch estimates the mean of $\ell_n$, but $N$ in $\lambda$ remains the size of the whole training set.
#
# **By hand.** A batch with $\ell = (1, 3)$ out of $N = 10$ examples, $w = (1, -2)$, $b = 0.5$: $J = 2 + \frac{3}{10 \cdot 0.5} = 2.6$.


# %% exercise="l1_map" topics="l1_map"
def map_loss(nll: Tensor, weight: Tensor, scale: float, examples: int) -> Tensor:
    """The loss J of a MAP estimate under a Laplace prior, estimated from a mini-batch.

    nll       float [B], negative log-likelihood of each example of the batch
    weight    float, any shape: the weights that have the prior
    scale     b of the prior, above 0
    examples  N, the size of the whole training set
    Returns a scalar tensor through which gradients flow; terms without weights or nll are left out.
    """
    ### BEGIN SOLUTION
    return nll.mean() + weight.abs().sum() / (examples * scale)
    ### END SOLUTION


# %% check="l1_map" points=2
with checking.check("l1_map"):
    nll = torch.tensor([1.0, 3.0])
    checking.close(map_loss(nll, torch.zeros(2), 0.5, 10), 2.0, "J for w = 0", hint="Only the mean of nll is left.")
    hint = "The penalty is (1 + 2) / (10 * 0.5) = 0.6: the sum of |w| over N b. N is not the size of the batch."
    checking.close(map_loss(nll, torch.tensor([1.0, -2.0]), 0.5, 10), 2.6, "the example's J", hint=hint)

    # an independent way: PyTorch's own Laplace density. Constants cancel when two weights are compared.
    generator = torch.Generator().manual_seed(5)
    nll = torch.rand(12, generator=generator)
    first, second = (torch.randn(4, 5, generator=generator) for _ in range(2))
    prior = torch.distributions.Laplace(0.0, 0.3)
    posterior = [nll.sum() - prior.log_prob(w).sum() for w in (first, second)]
    ours = [map_loss(nll, w, 0.3, 12) for w in (first, second)]
    hint = "A wide prior (large b) punishes less. All weights count, in a tensor of any shape."
    checking.close((ours[0] - ours[1]) * 12, posterior[0] - posterior[1], "N (J(w) - J(w'))", atol=1e-4, hint=hint)
    halves = [map_loss(part, first, 0.3, 12) for part in nll.split(6)]
    hint = "A smaller batch has the same penalty: it belongs to the training set, not to the batch."
    checking.close(sum(halves) / 2, ours[0], "the mean of J over two half batches", hint=hint)

    weight = torch.tensor([0.5, -0.25], requires_grad=True)
    value = map_loss(torch.ones(2), weight, 0.5, 4)
    connected = isinstance(value, Tensor) and value.requires_grad
    hint = "Return a tensor; .item() and .data cut its connection to the weights."
    checking.that(connected, "gradients should flow from J to the weights", hint=hint)
    value.backward()
    checking.close(weight.grad, torch.tensor([0.5, -0.5]), "the gradient of J, sign(w) / (N b),")

# %% [markdown]
# **The corner at zero.** Gradient descent on $J$ never lands on zero: near it the slope $\lambda\, \mathrm{sign}(w)$ has full strength and flips, so the weight
# jitters around. The *proximal* step takes the penalty exactly instead of its slope. After a gradient step on the data's loss
# alone, move to the point that minimises $\frac12 (u - w)^2 + t\,|u|$ with $t = \eta\lambda$. Its solution is the **soft threshold**
#
# $$S_t(w) = \begin{cases} w - t & w > t \\ 0 & |w| \le t \\ w + t & w < -t. \end{cases}$$
#
# **By hand.** For $t = 1$: $S_1(3) = 2$, $S_1(-0.5) = 0$, $S_1(-2.5) = -1.5$. Everything within $t$ of zero becomes exactly zero, the rest moves by $t$.


# %% exercise="soft_threshold" topics="l1_map"
def soft_threshold(weight: Tensor, threshold: float) -> Tensor:
    """The proximal step of threshold * |w|, element by element, without F.softshrink.

    weight     float, any shape; not changed
    threshold  t, 0 or more
    Returns a new tensor of the same shape.
    """
    ### BEGIN SOLUTION
    return weight.sign() * (weight.abs() - threshold).clamp(min=0)
    ### END SOLUTION


# %% check="soft_threshold" points=3
with checking.check("soft_threshold"):
    w = torch.tensor([3.0, -0.5, -2.5, 1.0, 0.0])
    with checking.unchanged(weight=w), checking.without("F.softshrink"):
        moved = soft_threshold(w, 1.0)
    hint = "Positive weights move down by t, negative ones up by t, and none crosses zero. Survivors move too."
    checking.close(moved, torch.tensor([2.0, 0.0, -1.5, 0.0, 0.0]), "w = (3, -0.5, -2.5, 1, 0), t = 1: S", hint=hint)
    checking.that(moved[1] == 0 and moved[3] == 0, "weights within the threshold should become exactly 0")

    # an independent way: try every u on a fine grid and take the one with the smallest (u - w)^2 / 2 + t |u|
    w, u = torch.linspace(-2, 2, 41).reshape(41, 1), torch.linspace(-3, 3, 6001)
    for t in (0.0, 0.3, 1.2):
        best = u[((u - w) ** 2 / 2 + t * u.abs()).argmin(dim=1)]
        checking.close(soft_threshold(w[:, 0], t), best, f"t = {t}, against a search: S", atol=2e-3, hint=hint)

# %% [markdown]
# **Does it pay?** The same network and the same prior, trained twice: with `map_loss` as the loss (autograd follows the corner), and with the proximal step after each
# step on the data's loss. Then a sweep over the prior's scale $b$. A zero saves memory only if the format can leave it out: CSR (compressed sparse rows) stores each
# non-zero weight with its column index, 8 bytes instead of 4.

# %% experiment="l1_makes_zeros" topics="l1_map"
examples, lr, epochs = len(train_set), 0.1, nb.pick(fast=20, full=100)


def train_with_prior(scale, proximal):
    """An MLP 64-64-10 trained under the prior; returns it with its test accuracy (%)."""
    torch.manual_seed(nb.seed)
    model = models.MLP([64, 64, 10]).to(nb.device)
    matrices = [p for p in model.parameters() if p.ndim == 2]
    optimizer, generator = torch.optim.SGD(model.parameters(), lr=lr), nb.generator(1)
    for _ in range(epochs):
        for images, labels in train_set.batches(64, generator):
            nll = F.cross_entropy(model(images), labels, reduction="none")
            every_weight = torch.cat([w.flatten() for w in matrices])
            optimizer.zero_grad()
            (nll.mean() if proximal else map_loss(nll, every_weight, scale, examples)).backward()
            optimizer.step()
            if proximal:
                with torch.no_grad():
                    for w in matrices:
                        w.copy_(soft_threshold(w, lr / (examples * scale)))
    return model, 100 * training.evaluate(model, test_set).accuracy


def zero_share(model):
    every_weight = torch.cat([p.detach().flatten() for p in model.parameters() if p.ndim == 2])
    return (every_weight == 0).float().mean().item()


scales = [3, 1, 0.5, 0.3, 0.2, 0.14]
sweep = {scale: train_with_prior(scale, proximal=True) for scale in scales}
by_slope, by_slope_accuracy = train_with_prior(0.2, proximal=False)

figure, (left, middle, right) = plt.subplots(1, 3, figsize=(11.0, 3.3), width_ratios=(1.2, 1.2, 1))
for name, model in (("slope of |w|", by_slope), ("proximal step", sweep[0.2][0])):
    ranked = model.layers[0].weight.detach().abs().flatten().sort(descending=True).values.cpu()
    share = torch.arange(len(ranked)) / len(ranked) * 100
    left.semilogy(share[ranked > 0], ranked[ranked > 0], label=f"{name}: {zero_share(model):.0%} exact zeros")
left.axhline(lr / (examples * 0.2), color="0.5", ls=":", label=r"$\eta\lambda$")
left.set(
    title="First-layer weights by size, b = 0.2",
    xlabel="rank (% of weights)",
    ylabel="|w|",
    xlim=(0, 100),
    ylim=(1e-6, 1),
)
left.legend(fontsize=8, loc="upper right")
middle.plot(
    [100 * zero_share(model) for model, _ in sweep.values()], [score for _, score in sweep.values()], "o-", color="C1"
)
for scale, (model, score) in sweep.items():
    middle.annotate(
        f"b={scale:g}", (100 * zero_share(model), score), (0, -13), textcoords="offset points", ha="center", fontsize=8
    )
middle.set(
    title="Tighter prior, more zeros",
    xlabel="weights that are exactly 0 (%)",
    ylabel="test accuracy (%)",
    xlim=(-5, 100),
)
middle.margins(y=0.15)
readers = (sweep[0.2][0].layers[0].weight != 0).sum(0).reshape(8, 8).cpu()
picture = right.imshow(readers, cmap="viridis")
right.set(title="Hidden neurons that read a pixel", xticks=[], yticks=[])
right.grid(False)
figure.colorbar(picture, ax=right, label="neurons (of 64)")
plt.show()

sparse_model, sparse_accuracy = sweep[0.2]
matrices = [p for p in sparse_model.parameters() if p.ndim == 2]
dense_bytes = sum(4 * w.numel() for w in matrices)
csr_bytes = sum(8 * int((w != 0).sum()) + 4 * (len(w) + 1) for w in matrices)
print(
    f"b = 0.2: {zero_share(sparse_model):.0%} zeros, {dense_bytes:,} bytes as dense matrices, {csr_bytes:,} bytes as CSR"
)
record("zeros_by_slope", zero_share(by_slope), low=0, high=0)
record("zeros_by_proximal_step", zero_share(sparse_model), low=0.45, high=0.8)
record("accuracy_lost_to_zeros", sweep[3][1] - sparse_accuracy, high=6)
record("csr_bytes_against_dense", csr_bytes / dense_bytes, high=0.98)

# %% [markdown]
# With the proximal step about 60% of the weights are exactly zero, for one to three points of accuracy; with the slope alone not one is, the weights only
# crowd below $\eta\lambda$. The dark pixels on the right show that the network found out by itself where the paper is always blank. CSR pays only above half zeros, and saved bytes are not
# yet saved time: lab 2 turns zeros into time.
