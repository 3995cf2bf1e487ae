# %% [markdown]
# ## 8 Learning-rate schedules
#
# Large steps get far, small steps settle. A schedule has both. PyTorch's `LambdaLR` sets the rate of step $t$ to $\eta_t = \eta_0 \cdot \lambda(t)$, where $\eta_0$ is the
# optimizer's own learning rate and $\lambda$ is *your function of the step, a factor and not a rate*. It is called with $t = 0, 1, 2, \ldots$; in this course once per batch.
#
# **Multi-stage** schedules multiply the rate by $\gamma$ at each milestone that has been reached ($t \ge$ milestone). A linear **warm-up** over the first $W$ steps goes before:
#
# $$\lambda(t) = \begin{cases} \dfrac{t + 1}{W} & t < W \\[2ex] \gamma^{k} \ \text{ with } k \text{ the number of milestones } \le t & t \ge W. \end{cases}$$
#
# **By hand.** $W = 4$, milestones 10 and 15, $\gamma = 0.1$: the factors are 0.25, 0.5, 0.75, 1 for $t = 0 \ldots 3$, then 1 until $t = 9$, 0.1 from $t = 10$, 0.01 from $t = 15$.


# %% exercise="multi_stage" topics="lr_schedules"
def multi_stage(step: int, warmup: int, milestones: list[int], gamma: float) -> float:
    """Factor on the learning rate: linear warm-up, then a fall by gamma at each milestone.

    step        t, counted from 0
    warmup      W, number of warm-up steps; 0 means none
    milestones  in rising order, none below warmup; from each of these steps on, the factor is
        multiplied once more by gamma
    """
    ### BEGIN SOLUTION
    if step < warmup:
        return (step + 1) / warmup
    return gamma ** sum(step >= milestone for milestone in milestones)
    ### END SOLUTION


# %% check="multi_stage" points=2
with checking.check("multi_stage"):
    factors = {t: multi_stage(t, 4, [10, 15], 0.1) for t in range(17)}

    def among(first, last):
        return {t: factors[t] for t in range(first, last)}

    warmup = {0: 0.25, 1: 0.5, 2: 0.75, 3: 1.0}
    hint = "In the warm-up the factor is (t + 1) / W, so that step 0 moves already. W = 4."
    checking.close(among(0, 4), warmup, "factors", hint=hint)
    checking.close(among(4, 10), dict.fromkeys(range(4, 10), 1.0), "factors", hint="No milestone is reached yet.")
    hint = "Milestones are 10 and 15, counted from step 0. From step 10 on multiply by gamma once, from 15 on twice."
    checking.close(among(10, 15), dict.fromkeys(range(10, 15), 0.1), "factors", hint=hint)
    checking.close(among(15, 17), dict.fromkeys(range(15, 17), 0.01), "factors", hint=hint)

    # against PyTorch: the rates that two optimizers really get, one through LambdaLR, one through MultiStepLR
    rates = []
    for make in (
        lambda optimizer: torch.optim.lr_scheduler.LambdaLR(optimizer, lambda t: multi_stage(t, 0, [3, 4, 8], 0.5)),
        lambda optimizer: torch.optim.lr_scheduler.MultiStepLR(optimizer, [3, 4, 8], gamma=0.5),
    ):
        optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.2)
        scheduler = make(optimizer)
        rates.append([])
        for _ in range(12):
            rates[-1].append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()
    hint = "Return a factor, not a rate: LambdaLR multiplies it by lr = 0.2."
    checking.close(rates[0], rates[1], "no warm-up, milestones 3, 4, 8: rates through LambdaLR", hint=hint)

# %% [markdown]
# **Warm-up and cosine.** Instead of in stages the factor can fall along half a cosine wave from 1 to a floor $\phi$. With $T$ steps in all, of which $W$ are warm-up,
#
# $$\lambda(t) = \begin{cases} \dfrac{t + 1}{W} & t < W \\[2ex]
# \phi + (1 - \phi)\, \dfrac{1 + \cos \pi u}{2}, \quad u = \min\!\Big(\dfrac{t - W}{T - W},\ 1\Big) & t \ge W. \end{cases}$$
#
# **By hand.** $W = 2$, $T = 10$, $\phi = 0$: 0.5, 1 in the warm-up, then $u = 0, \tfrac18, \tfrac28, \ldots$ Half-way, at $t = 6$, $u = 0.5$ and the factor is 0.5. From $t = 10$ on it is 0.


# %% exercise="warmup_cosine" topics="lr_schedules"
def warmup_cosine(step: int, warmup: int, total: int, floor: float = 0.0) -> float:
    """Factor on the learning rate: linear warm-up to 1, then half a cosine wave down to the floor.

    step    t, counted from 0; at `total` and after it the factor stays at the floor
    warmup  W, number of warm-up steps; 0 means none
    total   T, number of all steps, above warmup
    floor   the last factor, from 0 to 1
    """
    ### BEGIN SOLUTION
    if step < warmup:
        return (step + 1) / warmup
    done = min((step - warmup) / (total - warmup), 1.0)
    return floor + (1 - floor) * (1 + math.cos(math.pi * done)) / 2
    ### END SOLUTION


# %% check="warmup_cosine" points=2
with checking.check("warmup_cosine"):
    factors = {t: warmup_cosine(t, 2, 10) for t in range(13)}
    hint = "W = 2: first (t + 1) / W, then the wave starts at step W with cos(0) = 1."
    checking.close({t: factors[t] for t in (0, 1, 2)}, {0: 0.5, 1: 1.0, 2: 1.0}, "factors", hint=hint)
    hint = "Half-way u is 0.5: u = (t - W) / (T - W), and the angle is pi u in radians."
    checking.close(factors[6], 0.5, "factors[6]", hint=hint)
    hint = "After step T the cosine would rise again: limit u to 1."
    checking.close({t: factors[t] for t in (10, 11, 12)}, dict.fromkeys((10, 11, 12), 0.0), "factors", hint=hint)

    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.2)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=20, eta_min=0.2 * 0.1)
    ours, theirs = {}, {}
    for t in range(5, 25):
        ours[t], theirs[t] = warmup_cosine(t, 5, 25, floor=0.1), optimizer.param_groups[0]["lr"] / 0.2
        optimizer.step()
        cosine.step()
    hint = "The floor squeezes the wave into the range from floor to 1; it neither lifts it nor cuts it off."
    checking.close(ours, theirs, "W = 5, T = 25, floor 0.1, against CosineAnnealingLR: factors", hint=hint)

# %% [markdown]
# **Does it pay?** SGD with momentum trains the same network at four peak learning rates, with a constant rate and with your two schedules. The last figure repeats it
# for a deep, narrow network (six hidden layers) under Adam, with and without warm-up.

# %% experiment="schedules_pay" topics="lr_schedules"
epochs, batch_size = nb.pick(fast=12, full=60), 32
total = epochs * math.ceil(len(train_set) / batch_size)
schedules = {
    "constant": lambda t: 1.0,
    "multi-stage": lambda t: multi_stage(t, total // 20, [total // 2, total * 3 // 4], 0.1),
    "cosine": lambda t: warmup_cosine(t, total // 20, total),
}


def train_on_schedule(factor, lr):
    torch.manual_seed(nb.seed)
    model = models.MLP([64, 64, 10]).to(nb.device)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    return training.fit(
        model, train_set, test_set, epochs=epochs, optimizer=optimizer, scheduler=scheduler,
        batch_size=batch_size, seed=nb.seed, progress=False,
    )  # fmt: skip


peaks = [0.03, 0.1, 0.3, 0.5]
runs = {name: {lr: train_on_schedule(factor, lr) for lr in peaks} for name, factor in schedules.items()}
figure, (left, middle, right) = plt.subplots(1, 3, figsize=(11.4, 3.3))
for name, factor in schedules.items():
    left.plot([0.3 * factor(t) for t in range(total)], label=name)
    middle.semilogy(range(1, epochs + 1), runs[name][0.3].train_loss, ".-", label=name)
    right.semilogx(peaks, [100 * runs[name][lr].test_accuracy[-1] for lr in peaks], "o-", label=name)
left.set(title="Learning rate, peak 0.3", xlabel="step", ylabel="learning rate")
middle.set(title="Training loss, peak 0.3", xlabel="epoch", ylabel="mean cross-entropy (nats)")
right.set(title="After the last epoch", xlabel="peak learning rate", ylabel="test accuracy (%)")
right.set_xticks(peaks, [f"{lr:g}" for lr in peaks])
right.minorticks_off()
right.legend()
plt.show()
final = {name: run[0.3].train_loss[-1] for name, run in runs.items()}
record("loss_of_constant_against_cosine", final["constant"] / final["cosine"], low=2)
record("accuracy_with_cosine", runs["cosine"][0.3].test_accuracy[-1], low=0.94)
ends = {name: 100 * run[0.5].test_accuracy[-1] for name, run in runs.items()}
record("cosine_gain_at_peak_0.5", ends["cosine"] - ends["constant"], low=-3)

# %% experiment="warmup_pays" topics="lr_schedules"
deep = [64] * 7 + [10]
epochs, batch_size = nb.pick(fast=20, full=60), 128
total = epochs * math.ceil(len(train_set) / batch_size)
peaks, shares = [0.01, 0.03, 0.05], {"no warm-up": 0.0, "warm-up for 30% of the steps": 0.3}
figure = plt.figure(figsize=(6.4, 3.2))
scores = {}
for name, share in shares.items():
    for lr in peaks:
        torch.manual_seed(nb.seed)
        model = models.MLP(deep).to(nb.device)
        optimizer = torch.optim.Adam(model.parameters(), lr=lr)
        warmup = int(share * total)
        factor = functools.partial(warmup_cosine, warmup=warmup, total=total)
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        training.fit(
            model, train_set, epochs=epochs, optimizer=optimizer, scheduler=scheduler,
            batch_size=batch_size, seed=nb.seed, progress=False,
        )  # fmt: skip
        scores[name, lr] = 100 * training.evaluate(model, test_set).accuracy
    plt.semilogx(peaks, [scores[name, lr] for lr in peaks], "o-", label=name)
plt.gca().set_xticks(peaks, [f"{lr:g}" for lr in peaks])
plt.minorticks_off()
plt.xlabel("peak learning rate")
plt.ylabel("test accuracy (%)")
plt.title("Six hidden layers, Adam, cosine")
plt.legend()
plt.show()
without, with_warmup = (sum(scores[name, lr] for lr in peaks[1:]) / 2 for name in shares)
record("warmup_gain_at_high_rates", with_warmup - without, low=0.5)

# %% [markdown]
# Up to a peak of 0.1 the three schedules end within about a point of each other: no schedule is needed, and none helps. At 0.3 and above the constant rate keeps bouncing, while the same
# peak with a fall at the end reaches a far smaller loss. So a schedule makes a whole range of learning rates usable. Warm-up does the same for the deep network: it adds little at its best
# rate and decides everything at high ones. The shallow network above does not care: set its two warm-ups to 0 and see.
