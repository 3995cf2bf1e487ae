# %% [markdown]
# ## 4 Dropout
#
# In training, dropout silences each activation with probability $p$, a new draw for each activation of each image, so that
# no neuron can rely on a particular other one. In use nothing is dropped. To keep the expected value the same in both modes, the
# survivors are scaled up in training (*inverted* dropout):
#
# $$\text{training: } y = \frac{m}{1 - p}\, x, \quad m = \begin{cases} 0 & \text{with probability } p \\ 1 & \text{otherwise} \end{cases}
# \qquad\qquad \text{use: } y = x .$$
#
# **By hand.** With $p = 0.5$, $x = (2, 4, 6, 8)$ and drawn $m = (1, 0, 0, 1)$: $y = (4, 0, 0, 16)$. Over all draws the mean of $y$ is $x$ again:
# $0.5 \cdot 0 + 0.5 \cdot 2x = x$.


# %% exercise="dropout" topics="dropout"
def dropout(x: Tensor, p: float, training: bool, generator: torch.Generator) -> Tensor:
    """Inverted dropout.

    x          float, any shape; not changed
    p          probability that a value is dropped, 0 <= p < 1
    training   False: return the values of x as they are
    generator  where the random numbers come from; it is on the device of x, so draw with
        torch.rand(shape, generator=generator, device=x.device)
    Returns a tensor like x.
    """
    ### BEGIN SOLUTION
    if not training:
        return x
    keep = torch.rand(x.shape, generator=generator, device=x.device) >= p
    return x * keep / (1 - p)
    ### END SOLUTION


# %% check="dropout" points=3
with checking.check("dropout"):
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(200, 100, generator=generator) + 1
    with checking.unchanged(x=x):
        used = dropout(x, 0.25, False, generator)
        y = dropout(x, 0.25, True, generator)
    checking.close(used, x, "training=False: y", hint="In use nothing is dropped and nothing is scaled.")
    checking.equal(tuple(y.shape), (200, 100), "the shape in training")
    kept = y != 0
    share = kept.float().mean().item()
    hint = "p is the probability of being dropped."
    checking.that(abs(share - 0.75) < 0.02, f"p = 0.25 should keep about 75% of the values, not {share:.0%}", hint=hint)
    hint = "In training, survivors are divided by 1 - p."
    checking.close(y[kept], (x / 0.75)[kept], "p = 0.25: kept values", hint=hint)
    mixed = all(kept.sum(dim).min() > 0 and kept.sum(dim).max() < kept.shape[dim] for dim in (0, 1))
    hint = "Draw as many random numbers as x has values: the shape is x.shape."
    checking.that(mixed, "each value should be dropped on its own, not whole rows or columns together", hint=hint)
    again = [dropout(x, 0.25, True, torch.Generator().manual_seed(5)) for _ in range(2)]
    checking.equal(again[0], again[1], "two calls with equal generators: y", hint="Draw from the generator passed.")
    again = [dropout(x, 0.25, True, generator) for _ in range(2)]
    hint = "Do not make or seed a generator inside dropout."
    checking.that(not torch.equal(*again), "two calls in a row should drop different values", hint=hint)
    checking.close(dropout(x, 0.0, True, generator), x, "p = 0: y", hint="With p = 0 nothing is dropped.")

# %% [markdown]
# **Does it pay?** Three networks learn from only 200 digits, with $p$ = 0, 0.25 and 0.5 on both hidden layers. Three measurements:
# the accuracy in use; the accuracy when dropout is wrongly left switched on; and the accuracy when a share of the hidden neurons is removed
# *for good*, which is what structured pruning does. Guess first: where will dropout make the largest difference?


# %% experiment="dropout_and_removal" topics="dropout"
class Dropout(nn.Module):
    def __init__(self, p, seed):
        super().__init__()
        self.p, self.generator = p, torch.Generator(nb.device).manual_seed(seed)

    def forward(self, x):
        return dropout(x, self.p, self.training, self.generator)


class Removed(nn.Module):
    """Silences a fixed random share of the neurons and scales up the rest."""

    def __init__(self, share, seed):
        super().__init__()
        order = torch.randperm(256, generator=torch.Generator().manual_seed(seed))
        self.mask = ((order >= share * 256) / (1 - share)).to(nb.device)

    def forward(self, x):
        return x * self.mask


def network(p, seed):
    layers = [nn.Flatten(), nn.Linear(64, 256), nn.ReLU(), Dropout(p, seed)]
    return nn.Sequential(*layers, nn.Linear(256, 256), nn.ReLU(), Dropout(p, seed + 1), nn.Linear(256, 10)).to(
        nb.device
    )


def correct(model):
    with torch.no_grad():
        return 100 * (model(test_set.images).argmax(1) == test_set.labels).float().mean().item()


repeats, epochs = nb.pick(fast=3, full=20), nb.pick(fast=50, full=200)
shares, rates = (0, 0.25, 0.5, 0.625, 0.75, 0.875), (0, 0.25, 0.5)
in_use, left_on, removed = ({p: [] for p in rates} for _ in range(3))
for p in rates:
    for repeat in range(repeats):
        torch.manual_seed(nb.seed + repeat)
        model = network(p, seed=nb.seed + 10 * repeat)
        training.fit(model, train_set.take(200), epochs=epochs, batch_size=50, seed=nb.seed + repeat, progress=False)
        in_use[p].append(correct(model.eval()))
        left_on[p].append(sum(correct(model.train()) for _ in range(5)) / 5)
        model.eval()
        row = []
        for share in shares:
            model[3], model[6] = Removed(share, seed=1), Removed(share, seed=2)
            row.append(correct(model))
        removed[p].append(row)

figure, (left, right) = plt.subplots(1, 2, figsize=(9.0, 3.3))
for offset, marker, name, values in ((-0.01, "o", "in use", in_use), (0.01, "s", "dropout left on", left_on)):
    means = [sum(values[p]) / repeats for p in rates]
    spread = [
        [m - min(values[p]) for m, p in zip(means, rates, strict=True)],
        [max(values[p]) - m for m, p in zip(means, rates, strict=True)],
    ]
    left.errorbar([p + offset for p in rates], means, yerr=spread, fmt=f"{marker}-", capsize=3, label=name)
left.set(title="200 training images", xlabel="dropout probability p", ylabel="test accuracy (%)", xticks=rates)
left.legend()
curves = {p: torch.tensor(removed[p]).mean(0).tolist() for p in rates}
for p in rates:
    right.plot([100 * s for s in shares], curves[p], "o-", label=f"trained with p = {p:g}")
right.set(title="Neurons removed for good", xlabel="hidden neurons removed (%)", ylabel="test accuracy (%)")
right.legend()
plt.show()
record("dropout_gain_in_use", curves[0.5][0] - curves[0][0], low=-3, high=3)
record("dropout_gain_at_75_percent_removed", curves[0.5][4] - curves[0][4], low=4)
record("loss_when_left_on", (sum(in_use[0.5]) - sum(left_on[0.5])) / repeats, low=1)

# %% [markdown]
# On this data the gain in accuracy is about as large as the differences between seeds (the thin bars show the lowest and highest of the runs). Do not claim it from
# one run. Two other effects are plain: a network that is used with dropout left on loses accuracy and answers differently each time, and a
# network trained with dropout survives the removal of neurons far better. Dropout itself makes nothing smaller or faster; it
# makes a network ready to be made smaller.
