# %% [markdown]
# ## 7. Sharing weights
#
# Three layers turn $C_\text{in}$ maps of $H \times W$ into $C_\text{out}$ maps of the same size:
#
# - **dense**: every output number reads every input number, each pair with its own weight;
# - **local**: every output number reads a $K \times K$ window (of all input channels), each position with its
#   own weights;
# - **convolution**: the same window, and all positions share one filter per output channel.
#
# Each output number of the first two has its own bias; a convolution has one bias per output channel.
#
# **By hand.** One channel, 4x4, $K = 3$: dense $16 \cdot 16 + 16 = 272$, local $16 \cdot 9 + 16 = 160$
# (windows at the border count in full), convolution $9 + 1 = 10$.
#
# ### Exercise: parameter counts


# %% exercise="weight_sharing" topics="weight_sharing"
def parameter_counts(c_in: int, c_out: int, height: int, width: int, kernel: int) -> tuple[int, int, int]:
    """Parameters, biases included, of three layers from [c_in, height, width] to [c_out, height, width].

    Returns (dense, local, convolution).
    """
    ### BEGIN SOLUTION
    outputs = c_out * height * width
    window = c_in * kernel * kernel
    return outputs * (c_in * height * width + 1), outputs * (window + 1), c_out * (window + 1)
    ### END SOLUTION


# %% check="weight_sharing" points=3
with checking.check("weight_sharing"):
    checking.equal(
        parameter_counts(1, 1, 4, 4, 3),
        (272, 160, 10),
        "parameter_counts(1, 1, 4, 4, 3)",
        hint="256, 144 or 9: the biases are missing; 25: a convolution's bias belongs to the channel, not to the position",
    )
    checking.equal(
        parameter_counts(3, 64, 32, 32, 3)[0],
        65536 * (3072 + 1),
        "dense, 3 to 64 channels, 32x32",
        hint="every output number, of every channel, reads all 3072 input numbers",
    )
    checking.equal(
        parameter_counts(3, 64, 32, 32, 3)[1],
        65536 * (27 + 1),
        "local, 3 to 64 channels, 32x32",
        hint="27 weights and a bias for each of the 65,536 output numbers",
    )
    checking.equal(
        parameter_counts(3, 64, 32, 32, 3)[2],
        sum(p.numel() for p in nn.Conv2d(3, 64, 3).parameters()),
        "convolution, 3 to 64 channels",
        hint="compare nn.Conv2d(3, 64, 3): the image's size plays no part",
    )
    checking.equal(
        parameter_counts(2, 3, 5, 7, 1),
        (7455, 315, 9),
        "parameter_counts(2, 3, 5, 7, 1)",
        hint="height and width may differ; a 1x1 filter has one weight per input channel",
    )

# %% [markdown]
# Sharing is not only cheaper. A filter that has learned a stroke in one place knows it everywhere. Three
# networks with (nearly) equal numbers of parameters learn centred 8x8 digits on a 16x16 canvas. Then the test
# digits move.
#
# - **dense**: an MLP;
# - **convolution, then dense**: convolutions share weights, but the classifier gives each position its own;
# - **convolution, then global max**: the classifier sees only the largest response of each channel, wherever
#   it is.

# %% experiment="shifted_digits" topics="weight_sharing"
splits = data.digits()


def moved(digits: data.Labelled, down: int, right: int) -> data.Labelled:
    """8x8 digits on a 16x16 canvas, moved from the middle."""
    return data.Labelled(
        F.pad(digits.images, (4 + right, 4 - right, 4 + down, 4 - down)), digits.labels, digits.classes
    )


def accuracy(network: nn.Module, shift: int) -> float:
    """Mean over moves in the four directions."""
    moves = {(shift, 0), (-shift, 0), (0, shift), (0, -shift)}
    return sum(training.evaluate(network, moved(splits.test, *move).to(nb.device)).accuracy for move in moves) / len(
        moves
    )


torch.manual_seed(nb.seed)
stem = [nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
networks = {
    "dense": models.MLP([256, 57, 10]),
    "convolution, then dense": nn.Sequential(
        *stem, nn.Conv2d(16, 19, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(19 * 64, 10)
    ),
    "convolution, then global max": nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(32, 34, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveMaxPool2d(1),
        nn.Flatten(),
        nn.Linear(34, 10),
    ),
}
figure, axes = plt.subplots(figsize=(6.4, 3.3))
curves = {}
for name, network in networks.items():
    optimizer = torch.optim.Adam(network.to(nb.device).parameters(), lr=5e-3)
    training.fit(
        network,
        moved(splits.train, 0, 0),
        epochs=nb.pick(fast=10, full=40),
        optimizer=optimizer,
        seed=nb.seed,
        progress=False,
    )
    curves[name] = [accuracy(network, shift) for shift in range(5)]
    parameters = sum(p.numel() for p in network.parameters())
    axes.plot(range(5), curves[name], "o-", label=f"{name}, {parameters:,} parameters")
axes.axhline(0.1, color="0.5", linestyle=":")
axes.set(
    title="Digits learned in the middle, tested off it",
    xlabel="shift of the test digits, pixels",
    ylabel="accuracy",
    xticks=range(5),
    ylim=(0, 1.02),
)
axes.legend(fontsize=8)
plt.show()
record("dense_accuracy_centred", curves["dense"][0], low=0.92, high=1)
record("dense_accuracy_shift_4", curves["dense"][4], low=0, high=0.3)
record("global_max_accuracy_centred", curves["convolution, then global max"][0], low=0.9, high=1)
record("global_max_accuracy_shift_4", curves["convolution, then global max"][4], low=0.75, high=1)

# %% [markdown]
# Shared weights alone make a network *equivariant*: the features move with the digit. They do not make the
# answer *invariant*: a dense classifier on top is as lost as the MLP. And look at the odd shifts of the last
# curve. After 2x2 pooling the features move in whole steps only when the image moves by 2; for 1 and 3 pixels
# they change (Zhang, 2019).
