# %% [markdown]
# ## 7 Optimizers and what they remember
#
# An optimizer is a function: old weight, gradient and **state** go in, new weight and new state come out. The state is what it remembers of
# earlier gradients, some tensors of the weight's shape, and it costs memory as the weights do. Write all three without changing
# your inputs: return new tensors.
#
# | Optimizer | State per weight | Bytes per weight in training (float32: weight + gradient + state) |
# |---|---|---|
# | SGD | none | 4 + 4 = 8 |
# | SGD with momentum | velocity $v$ | 4 + 4 + 4 = 12 |
# | RMSProp | mean square $s$ | 4 + 4 + 4 = 12 |
# | Adam | mean $m$, mean square $s$ | 4 + 4 + 8 = 16 |
#
# ### SGD with momentum
#
# A ball that rolls: the velocity $v$ collects gradients and forgets them slowly. With gradient $g$, momentum $\mu$ and learning rate $\eta$, starting from $v = 0$,
#
# $$v \leftarrow \mu v + g, \qquad w \leftarrow w - \eta v .$$
#
# **By hand.** $w = 1$, $\eta = 0.1$, $\mu = 0.9$ and $g = 1$ in every step: $v = 1,\ 1.9,\ 2.71$ and $w = 0.9,\ 0.71,\ 0.439$. In the long run $v$ approaches
# $g / (1 - \mu)$, here ten times the gradient.


# %% exercise="sgd_momentum" topics="sgd_momentum"
def sgd_momentum(
    weight: Tensor,
    grad: Tensor,
    velocity: Tensor,
    lr: float,
    momentum: float,
) -> tuple[Tensor, Tensor]:
    """One step of SGD with momentum, as torch.optim.SGD does it.

    weight, grad, velocity  float, all of one shape, none of them changed
    lr, momentum            learning rate and mu

    The velocity is 0 before the first step.
    Returns (new weight, new velocity).
    """
    ### BEGIN SOLUTION
    velocity = momentum * velocity + grad
    return weight - lr * velocity, velocity
    ### END SOLUTION


# %% check="sgd_momentum" points=2
with checking.check("sgd_momentum"):
    w, v, g = torch.tensor([1.0]), torch.zeros(1), torch.ones(1)
    for step, (next_w, next_v) in enumerate(((0.9, 1.0), (0.71, 1.9), (0.439, 2.71)), start=1):
        with checking.unchanged(weight=w, grad=g, velocity=v):
            result = sgd_momentum(w, g, v, 0.1, 0.9)
        pair = isinstance(result, tuple) and len(result) == 2
        checking.that(pair, "sgd_momentum should return (new weight, new velocity)")
        w, v = result
        hint = "v becomes mu v + g: g enters whole, without the learning rate. Return the new v."
        checking.close(v, torch.tensor([next_v]), f"the example, step {step}: v", hint=hint)
        hint = "The step is the learning rate times the new velocity."
        checking.close(w, torch.tensor([next_w]), f"the example, step {step}: w", hint=hint)

    generator = torch.Generator().manual_seed(6)
    ours = torch.randn(3, 4, generator=generator)
    theirs, velocity = ours.clone(), torch.zeros(3, 4)
    reference = torch.optim.SGD([theirs], lr=0.1, momentum=0.8)
    for step, lr in enumerate((0.1, 0.1, 0.1, 0.01, 0.01), start=1):
        reference.param_groups[0]["lr"] = lr
        theirs.grad = torch.randn(3, 4, generator=generator)
        ours, velocity = sgd_momentum(ours, theirs.grad, velocity, lr, 0.8)
        reference.step()
        hint = (
            "From step 4 on the learning rate is lower: it multiplies the step and is no part of v." if step > 3 else ""
        )
        checking.close(ours, theirs, f"torch.optim.SGD, step {step}: w", hint=hint)

# %% [markdown]
# ### RMSProp
#
# Weights whose gradients are always large should take smaller steps, and the other way round. RMSProp keeps a running mean $s$ of the squared gradient
# and divides by its root. With memory $\alpha$ (how much of the old mean is kept) and a small $\varepsilon$ that guards against division by zero, starting from $s = 0$,
#
# $$s \leftarrow \alpha s + (1 - \alpha)\, g^2, \qquad w \leftarrow w - \eta\, \frac{g}{\sqrt{s} + \varepsilon} .$$
#
# **By hand.** $\alpha = 0.75$, first gradient $g = 2$: $s = 0.25 \cdot 4 = 1$, so the step is $2\eta$ (for $\varepsilon = 0$). For $g = 200$ it is
# $s = 10^4$ and again $2\eta$: only the sign of the first gradient counts. But a first step of $\eta/\sqrt{1-\alpha}$ is long: with $\alpha = 0.99$ it is $10\,\eta$.


# %% exercise="rmsprop" topics="rmsprop"
def rmsprop(
    weight: Tensor,
    grad: Tensor,
    square: Tensor,
    lr: float,
    alpha: float,
    eps: float,
) -> tuple[Tensor, Tensor]:
    """One step of RMSProp, as torch.optim.RMSprop does it.

    weight, grad, square  float, all of one shape, none of them changed
    alpha                 share of the old mean square that is kept
    eps                   added to the root, not under it

    The mean square is 0 before the first step. Returns (new weight, new square).
    """
    ### BEGIN SOLUTION
    square = alpha * square + (1 - alpha) * grad**2
    return weight - lr * grad / (square.sqrt() + eps), square
    ### END SOLUTION


# %% check="rmsprop" points=3
with checking.check("rmsprop"):
    w, g, s = torch.tensor([1.0, 1.0]), torch.tensor([2.0, -200.0]), torch.zeros(2)
    with checking.unchanged(weight=w, grad=g, square=s):
        result = rmsprop(w, g, s, 0.1, 0.75, 0.0)
    checking.that(isinstance(result, tuple) and len(result) == 2, "rmsprop should return (new weight, new square)")
    hint = "alpha is the share of the old mean that stays; 1 - alpha is the share of the new squared gradient."
    checking.close(result[1], torch.tensor([1.0, 1e4]), "the example's s", hint=hint)
    hint = "Divide by the root of the new mean square."
    checking.close(result[0], torch.tensor([0.8, 1.2]), "the example's w", hint=hint)

    generator = torch.Generator().manual_seed(7)
    size = torch.tensor([1.0, 1e-2, 1e-4])  # gradients of three sizes, the last below eps
    ours, square = torch.zeros(4, 3), torch.zeros(4, 3)
    theirs = ours.clone()
    reference = torch.optim.RMSprop([theirs], lr=0.1, alpha=0.9, eps=1e-3)
    for step in range(1, 6):
        theirs.grad = size * torch.randn(4, 3, generator=generator)
        ours, square = rmsprop(ours, theirs.grad, square, 0.1, 0.9, 1e-3)
        reference.step()
        hint = "Here eps is 0.001: is it added after the root is taken?"
        checking.close(ours, theirs, f"torch.optim.RMSprop, step {step}: w", hint=hint)

# %% [markdown]
# ### Adam
#
# Adam does both: a running mean $m$ of the gradient (a momentum) and a running mean $s$ of its square, with memories $\beta_1$ and $\beta_2$. Both start at zero and are
# therefore too small at first. After $t$ steps of a constant gradient $m = (1 - \beta_1^t)\, g$, so dividing by $1 - \beta_1^t$ repairs the mean; this is the **bias correction**:
#
# $$\begin{aligned}
# m &\leftarrow \beta_1 m + (1 - \beta_1)\, g, & \hat m &= \frac{m}{1 - \beta_1^t}, \\[1.5ex]
# s &\leftarrow \beta_2 s + (1 - \beta_2)\, g^2, & \hat s &= \frac{s}{1 - \beta_2^t},
# \end{aligned} \qquad\qquad w \leftarrow w - \eta\, \frac{\hat m}{\sqrt{\hat s} + \varepsilon} .$$
#
# $t$ counts steps from 1. The state that is kept is $m$ and $s$, *not* the corrected $\hat m$ and $\hat s$.
#
# **By hand.** $\beta_1 = 0.5$, $\beta_2 = 0.96$, $\varepsilon = 0$, first gradient 2: $m = 1$ and $s = 0.04 \cdot 4 = 0.16$, so $\hat m = 1/0.5 = 2$ and $\hat s = 0.16/0.04 = 4$,
# and the step is $\eta \cdot 2/2 = \eta$. (Uncorrected it would be $\eta \cdot 1/0.4 = 2.5\,\eta$.) If the second gradient is 0: $m = 0.5$, $s = 0.1536$,
# $\hat m = 0.5/0.75 = 0.667$, $\hat s = 0.1536/0.0784 = 1.959$, step $0.476\,\eta$: Adam goes on moving.


# %% exercise="adam" topics="adam"
def adam(
    weight: Tensor,
    grad: Tensor,
    mean: Tensor,
    square: Tensor,
    step: int,
    lr: float,
    betas: tuple[float, float],
    eps: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """One step of Adam, as torch.optim.Adam does it.

    weight, grad, mean, square  float, all of one shape, none of them changed
    step                        number of this step, counted from 1
    betas                       memory of the mean and of the mean square
    eps                         added to the root, not under it

    Both means are 0 before the first step.
    Returns (new weight, new mean, new square), the means without the bias correction.
    """
    ### BEGIN SOLUTION
    mean = betas[0] * mean + (1 - betas[0]) * grad
    square = betas[1] * square + (1 - betas[1]) * grad**2
    corrected_mean = mean / (1 - betas[0] ** step)
    corrected_square = square / (1 - betas[1] ** step)
    return weight - lr * corrected_mean / (corrected_square.sqrt() + eps), mean, square
    ### END SOLUTION


# %% check="adam" points=4
with checking.check("adam"):
    w, g, zero, betas = torch.tensor([1.0]), torch.tensor([2.0]), torch.zeros(1), (0.5, 0.96)
    mean, square = torch.zeros(1), torch.zeros(1)
    with checking.unchanged(weight=w, grad=g, mean=mean, square=square):
        first = adam(w, g, mean, square, 1, 0.1, betas, 0.0)
    checking.that(isinstance(first, tuple) and len(first) == 3, "adam should return (new weight, new mean, new square)")
    hint = "betas[0] belongs to the mean of g, betas[1] to that of g squared. What is returned is not corrected."
    checking.close(first[1], torch.tensor([1.0]), "the example, step 1: m", hint=hint)
    checking.close(first[2], torch.tensor([0.16]), "the example, step 1: s", hint=hint)
    hint = "Divide m by 1 - beta1^t and s by 1 - beta2^t before the root; t is 1 here. Then the step is lr."
    checking.close(first[0], torch.tensor([0.9]), "the example, step 1: w", hint=hint)
    second = adam(first[0], zero, first[1], first[2], 2, 0.1, betas, 0.0)
    checking.close(second[1], torch.tensor([0.5]), "the example, step 2: m", hint="Half of the old mean is kept.")
    checking.close(second[2], torch.tensor([0.1536]), "the example, step 2: s", hint="0.96 of the old mean is kept.")
    hint = "In step 2 the corrections are 1 - 0.5^2 and 1 - 0.96^2."
    checking.close(second[0], torch.tensor([0.9 - 0.0476290]), "the example, step 2: w", hint=hint)

    generator = torch.Generator().manual_seed(8)
    size = torch.tensor([1.0, 1e-2, 1e-4])  # gradients of three sizes, the last below eps
    ours, mean, square = (torch.zeros(4, 3) for _ in range(3))
    theirs = ours.clone()
    reference = torch.optim.Adam([theirs], lr=0.1, betas=(0.8, 0.95), eps=1e-3)
    for step in range(1, 8):
        theirs.grad = size * torch.randn(4, 3, generator=generator)
        ours, mean, square = adam(ours, theirs.grad, mean, square, step, 0.1, (0.8, 0.95), 1e-3)
        reference.step()
        hint = "Here eps is 0.001: it is added after the root of the corrected square is taken."
        checking.close(ours, theirs, f"torch.optim.Adam, step {step}: w", hint=hint)

# %% [markdown]
# **What the correction is for.** All gradients equal 1 and $\eta = 1$. How long are the first steps? Adam without its correction is had by pretending that
# the step number is huge, since then $1 - \beta^t = 1$.

# %% experiment="first_steps" topics="sgd_momentum, rmsprop, adam"
one, count = torch.ones(1), 60
lengths = {"momentum 0.9": [], "RMSProp, memory 0.99": [], "Adam": [], "Adam without correction": []}
v, s, state, uncorrected = torch.zeros(1), torch.zeros(1), [torch.zeros(1)] * 2, [torch.zeros(1)] * 2
for step in range(1, count + 1):
    moved, v = sgd_momentum(0 * one, one, v, 1.0, 0.9)
    lengths["momentum 0.9"].append(-moved.item())
    moved, s = rmsprop(0 * one, one, s, 1.0, 0.99, 1e-8)
    lengths["RMSProp, memory 0.99"].append(-moved.item())
    moved, *state = adam(0 * one, one, *state, step, 1.0, (0.9, 0.999), 1e-8)
    lengths["Adam"].append(-moved.item())
    moved, *uncorrected = adam(0 * one, one, *uncorrected, 10**9, 1.0, (0.9, 0.999), 1e-8)
    lengths["Adam without correction"].append(-moved.item())
plt.figure()
for (name, values), style in zip(lengths.items(), ("-", "-", "-", "--"), strict=True):
    plt.semilogy(range(1, count + 1), values, style, label=name)
plt.xlabel("step")
plt.ylabel("length of the step (learning rates)")
plt.title("Constant gradient 1: how far does each optimizer move?")
plt.legend(fontsize=9)
plt.show()
record("first_rmsprop_step", lengths["RMSProp, memory 0.99"][0], low=9.99, high=10.01)
record("longest_uncorrected_adam_step", max(lengths["Adam without correction"]), low=5, high=8)

# %% [markdown]
# A learning rate is not the length of a step. Momentum grows to ten learning rates, RMSProp starts at ten and shrinks, Adam takes one from the first step on;
# without the correction it would take more than three for its first hundred steps.
#
# **Explore.** A narrow valley, curved $\kappa$ times more across than along. Try: (1) a learning rate just above $2/\kappa$, where SGD must diverge; (2) momentum 0 and 0.99; (3) an angle of 30 degrees: which optimizers notice that the valley was turned, and
# why? (4) memory 0.5 against 0.999.

# %% demo="optimizer_paths" topics="sgd_momentum, rmsprop, adam"
explore.optimizer_paths(learning_rate=0.05, narrowness=20)

# %% [markdown]
# **On real data.** The four rules train the same network for five epochs at eight learning rates, once on the digits and once after every pixel was multiplied by its own constant between 0.01 and 1, as
# if sensors reported in different units. Which optimizer should mind least?

# %% experiment="optimizer_race" topics="sgd_momentum, rmsprop, adam"
rules = {  # number of state tensors, and the rule: (weight, grad, *state, lr, step) -> (new weight, *new state)
    "SGD": (0, lambda w, g, lr, step: (w - lr * g,)),
    "momentum": (1, lambda w, g, v, lr, step: sgd_momentum(w, g, v, lr, 0.9)),
    "RMSProp": (1, lambda w, g, s, lr, step: rmsprop(w, g, s, lr, 0.99, 1e-8)),
    "Adam": (2, lambda w, g, m, s, lr, step: adam(w, g, m, s, step, lr, (0.9, 0.999), 1e-8)),
}


def race(name, lr, train, test):
    """Test accuracy (%) of an MLP 64-64-10 trained by one rule."""
    slots, rule = rules[name]
    torch.manual_seed(nb.seed)
    model = models.MLP([64, 64, 10]).to(nb.device)
    weights, generator, step = list(model.parameters()), nb.generator(1), 0
    state = [[torch.zeros_like(w) for _ in range(slots)] for w in weights]
    for _ in range(nb.pick(fast=5, full=20)):
        for images, labels in train.batches(64, generator):
            step += 1
            grads = torch.autograd.grad(F.cross_entropy(model(images), labels), weights)
            with torch.no_grad():
                for number, (w, g) in enumerate(zip(weights, grads, strict=True)):
                    new, *state[number] = rule(w, g, *state[number], lr, step)
                    w.copy_(new)
    return 100 * training.evaluate(model, test).accuracy


unit = (10 ** (-2 * torch.rand(1, 8, 8, generator=nb.generator(2)))).to(nb.device)
inputs = {
    "Digits as they are": (train_set, test_set),
    "Pixels in different units": tuple(
        dataclasses.replace(part, images=part.images * unit) for part in (train_set, test_set)
    ),
}
rates = [10 ** (exponent / 2) for exponent in range(-6, 2)]
figure, panels = plt.subplots(1, 2, figsize=(9.4, 4.0), sharey=True)
best = {}
for axes, (title, (train, test)) in zip(panels, inputs.items(), strict=True):
    for name, marker in zip(rules, "os^D", strict=True):
        scores = [race(name, lr, train, test) for lr in rates]
        axes.semilogx(rates, scores, f"{marker}-", markersize=4, label=f"{name}: best {max(scores):.0f}%")
        best[title, name] = max(scores)
    axes.set(title=title, xlabel="learning rate", ylabel="test accuracy (%)")
    axes.legend(fontsize=9, ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.18))
plt.show()
as_they_are, different_units = inputs
record("momentum_best_accuracy", best[as_they_are, "momentum"], low=92)
record("adam_best_accuracy", best[as_they_are, "Adam"], low=93)
record(
    "adam_ahead_of_momentum_in_different_units",
    best[different_units, "Adam"] - best[different_units, "momentum"],
    low=3,
)

# %% [markdown]
# With inputs of one scale and a tuned learning rate, momentum comes within a point or two of Adam, for 12 instead of 16 bytes per weight. With inputs in different units the
# adaptive rules win clearly. No learning rate carries over from one rule to another: where Adam is at its best, plain SGD has hardly started, and at the right end all fail.
