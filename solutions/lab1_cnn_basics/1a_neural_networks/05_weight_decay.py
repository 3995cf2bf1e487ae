# %% [markdown]
# ## 5 Weight decay
#
# Large weights let a network bend sharply to fit single training images. An L2 penalty $\frac{\lambda}{2} \lVert w \rVert^2$ added to the loss
# pulls all weights towards zero; its gradient is $\lambda w$. There are two ways to apply it. Write the step of an optimizer as
# $w \leftarrow w - \eta\, g / s$, with learning rate $\eta$, gradient $g$, and a scale $s > 0$ for each weight: $s = 1$ in
# plain SGD, and roughly the usual size of that weight's gradient in RMSProp and Adam.
#
# | | step | in PyTorch |
# |---|---|---|
# | **coupled**: the penalty is part of the gradient | $w \leftarrow w - \eta\,(g + \lambda w) / s$ | `SGD`, `Adam` with `weight_decay` |
# | **decoupled**: the weight shrinks on its own | $w \leftarrow w - \eta\, g / s - \eta \lambda w$ | `AdamW` |
#
# For $s = 1$ the two are the same. Otherwise coupled decay is divided by $s$ too: weights with large gradients hardly decay.
#
# **By hand.** $w = (2, 2)$, $g = (0, 0)$, $s = (0.1, 10)$, $\eta = 0.1$, $\lambda = 0.5$. Coupled: $\big(2 - 0.1 \cdot 1/0.1,\ 2 - 0.1 \cdot 1/10\big) = (1,\ 1.99)$.
# Decoupled: both become $2 - 0.1 \cdot 0.5 \cdot 2 = 1.9$.


# %% exercise="weight_decay" topics="weight_decay"
def decayed_step(
    weight: Tensor,
    grad: Tensor,
    scale: Tensor,
    lr: float,
    decay: float,
    decoupled: bool,
) -> Tensor:
    """One optimizer step with weight decay.

    weight, grad, scale  float, all of one shape; scale > 0. None of them is changed.
    lr, decay            learning rate and the decay's strength lambda
    decoupled            False: the penalty's gradient is added to grad
                         True: the weight shrinks by itself
    Returns the new weight. Both forms use the weight as it was before the step.
    """
    ### BEGIN SOLUTION
    if decoupled:
        return weight - lr * grad / scale - lr * decay * weight
    return weight - lr * (grad + decay * weight) / scale
    ### END SOLUTION


# %% check="weight_decay" points=3
with checking.check("weight_decay"):
    w, zero, s = torch.tensor([2.0, 2.0]), torch.zeros(2), torch.tensor([0.1, 10.0])
    hint = "The penalty's gradient is lambda w. It joins the gradient, and both are divided by the scale."
    with checking.unchanged(weight=w):
        coupled = decayed_step(w, zero, s, 0.1, 0.5, False)
    checking.close(coupled, torch.tensor([1.0, 1.99]), "the coupled example's w", hint=hint)
    hint = "Decoupled decay takes away lr * lambda * w, whatever the scale is."
    decoupled = decayed_step(w, zero, s, 0.1, 0.5, True)
    checking.close(decoupled, torch.tensor([1.9, 1.9]), "the decoupled example's w", hint=hint)

    generator = torch.Generator().manual_seed(4)
    w, g = (torch.randn(3, 4, generator=generator) for _ in range(2))
    one, lr, decay = torch.ones(3, 4), 0.2, 0.3
    with checking.unchanged(weight=w, grad=g, scale=one):
        steps = [decayed_step(w, g, one, lr, decay, flag) for flag in (False, True)]
    hint = "Scale 1 makes both forms equal. Both decay the weight as it was before the step."
    checking.close(steps[1], steps[0], "scale 1, decoupled against coupled: w", hint=hint)
    # on its first step Adam divides by |gradient| + eps, whatever its averages are
    for name, make, scale in (
        ("Adam", torch.optim.Adam, (g + decay * w).abs() + 1e-8),
        ("AdamW", torch.optim.AdamW, g.abs() + 1e-8),
    ):
        theirs = w.clone()
        theirs.grad = g.clone()
        make([theirs], lr=lr, weight_decay=decay).step()
        ours = decayed_step(w, g, scale, lr, decay, name == "AdamW")
        checking.close(
            ours, theirs, f"first step of torch.optim.{name}: w", hint="Compare with the table, sign by sign."
        )

# %% [markdown]
# **The same $\lambda$, two meanings.** Some pixels of the digits are blank in every training image. Weights that read them never get a gradient from the
# data, so only decay moves them, and theory says how: decoupled, by the factor $1 - \eta\lambda$ in each step. Coupled in Adam, their
# gradient is $\lambda w$ and its scale about $\lambda \lvert w \rvert$, so $\lambda$ cancels. The left figure follows these weights. The right one asks what
# decay does for accuracy, with 400 training images of which every fifth has a random label.

# %% experiment="decay_two_ways" topics="weight_decay"
lr = 3e-3
forms = {"coupled (Adam)": torch.optim.Adam, "decoupled (AdamW)": torch.optim.AdamW}
blank = (train_set.images == 0).all(0).flatten()


def blank_weights(make, decay, steps=150):
    """Mean |w| of the weights that read a blank pixel, after each step."""
    torch.manual_seed(nb.seed)
    model = models.MLP([64, 64, 10]).to(nb.device)
    optimizer = make(model.parameters(), lr=lr, weight_decay=decay)
    weight, sizes = model.layers[0].weight, []
    while len(sizes) < steps:
        for images, labels in train_set.batches(64, nb.generator(len(sizes))):
            sizes.append(weight[:, blank].abs().mean().item())
            optimizer.zero_grad()
            F.cross_entropy(model(images), labels).backward()
            optimizer.step()
    return sizes[:steps]


few = train_set.take(400)
random_labels = torch.randint(10, (400,), generator=nb.generator(2)).to(nb.device)
spoiled = torch.arange(400, device=nb.device) % 5 == 0
noisy = dataclasses.replace(few, labels=torch.where(spoiled, random_labels, few.labels))


def accuracy(make, decay):
    torch.manual_seed(nb.seed)
    model = models.MLP([64, 256, 10]).to(nb.device)
    optimizer = make(model.parameters(), lr=lr, weight_decay=decay)
    training.fit(
        model,
        noisy,
        epochs=nb.pick(fast=40, full=200),
        optimizer=optimizer,
        batch_size=50,
        seed=nb.seed,
        progress=False,
    )
    return 100 * training.evaluate(model, test_set).accuracy


figure, (left, right) = plt.subplots(1, 2, figsize=(9.4, 3.4))
traces = {}
for (name, make), colour in zip(forms.items(), ("C0", "C1"), strict=True):
    for decay, style in ((0.01, {"lw": 5, "alpha": 0.35}), (1.0, {"lw": 1.5, "ls": "--"})):
        traces[name, decay] = blank_weights(make, decay)
        left.semilogy(traces[name, decay], color=colour, label=f"{name}, $\\lambda$ = {decay:g}", **style)
predicted = [traces["decoupled (AdamW)", 1.0][0] * (1 - lr * 1.0) ** step for step in range(150)]
left.semilogy(range(0, 150, 15), predicted[::15], "k.", label=r"$(1-\eta\lambda)^t$, $\lambda$ = 1")
left.set(
    title=f"Weights that read {int(blank.sum())} blank pixels", xlabel="step t", ylabel="mean |w|", ylim=(1e-5, 0.3)
)
left.legend(fontsize=8, loc="lower left")
decays = [0, 1e-3, 1e-2, 1e-1, 1, 10]
scores = {name: [accuracy(make, decay) for decay in decays] for name, make in forms.items()}
for name, marker in zip(forms, "os", strict=True):
    top = max(scores[name])
    at = decays[scores[name].index(top)]
    right.plot(range(len(decays)), scores[name], f"{marker}-", label=f"{name}: best {top:.0f}%, $\\lambda$ = {at:g}")
right.set_xticks(range(len(decays)), [f"{decay:g}" for decay in decays])
right.set(title="A fifth of the labels random", xlabel=r"decay strength $\lambda$", ylabel="test accuracy (%)")
right.legend(loc="center left")
plt.show()
ratio = traces["decoupled (AdamW)", 1.0][-1] / predicted[-1]
gains = {name: max(values) - values[0] for name, values in scores.items()}
record("decoupled_decay_against_theory", ratio, low=0.999, high=1.001)
record("gain_of_coupled_decay", gains["coupled (Adam)"], low=1)
record("gain_of_decoupled_decay", gains["decoupled (AdamW)"], low=1)

# %% [markdown]
# With noisy labels either form gains a few points, but at values of $\lambda$ a hundred times apart: a decay copied from a paper means nothing without its optimizer. Note also
# what neither does: the weights get small, but decay sets none exactly to zero. Zeros need another prior.
