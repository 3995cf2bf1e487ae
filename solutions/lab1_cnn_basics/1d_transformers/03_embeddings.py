# %% [markdown]
# ## 3. From tokens to vectors
#
# A token is a number without meaning: 97 is not "more" than 96. The **embedding** gives each its own learned
# row of a table $E$ `[vocabulary, d]`. (It is a linear layer on a one-hot vector, without the multiplications.)
#
# Attention treats its tokens as a set, so the order must be written into the vectors. Vaswani et al. (2017)
# add waves of many lengths. For position $p = 0, 1, \dots$ and the pair of places $2i, 2i+1$ of the vector:
#
# $$P[p, 2i] = \sin\!\big(p / 10000^{2i/d}\big), \qquad P[p, 2i+1] = \cos\!\big(p / 10000^{2i/d}\big),
#   \qquad x_p = \sqrt d\; E[\text{token}_p] + P[p].$$
#
# The fast waves tell neighbours apart, the slow ones the beginning from the end. The product
# $P[p]\cdot P[p']$ depends on $p - p'$ alone. The factor $\sqrt d$ makes rows that start with variance $1/d$ as
# large as the waves.
#
# **By hand.** $d = 4$, position 1: $\sin 1 = 0.841$, $\cos 1 = 0.540$, then with $10000^{2/4} = 100$:
# $\sin 0.01 = 0.010$, $\cos 0.01 = 1.000$.
#
# ### Exercise: embeddings


# %% exercise="embeddings" topics="embeddings"
def embed_tokens(tokens: Tensor, table: Tensor) -> Tensor:
    """Word embedding, scaled by sqrt(d), plus sinusoidal positions.

    tokens  int64 [N, L]
    table   float [vocabulary, d], d even.

    Returns float [N, L, d]; the first token of each sequence has position 0.
    """
    ### BEGIN SOLUTION
    width = table.shape[1]
    frequencies = 10000.0 ** (-torch.arange(0, width, 2) / width)
    angles = torch.arange(tokens.shape[1])[:, None] * frequencies  # [L, d / 2]
    waves = torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)  # sine and cosine take turns
    return math.sqrt(width) * table[tokens] + waves
    ### END SOLUTION


# %% check="embeddings" points=4
with checking.check("embeddings"):
    nothing = torch.zeros(5, 4)
    waves = embed_tokens(torch.tensor([[3, 0, 3]]), nothing)
    checking.equal(tuple(waves.shape), (1, 3, 4), "the shape for tokens [1, 3] and a table [5, 4]", hint="[N, L, d]")
    checking.close(
        waves[0, 0],
        [0.0, 1.0, 0.0, 1.0],
        "position 0, table of zeros",
        hint="sin 0 and cos 0 take turns, place by place",
    )
    checking.close(
        waves[0, 1],
        [math.sin(1), math.cos(1), math.sin(0.01), math.cos(0.01)],
        "position 1, table of zeros",
        hint="10000 ** (2i / d): the second pair has i = 1, so its angle is p / 100",
    )
    table = torch.randn(7, 6, generator=torch.Generator().manual_seed(1))
    two = embed_tokens(torch.tensor([[2, 5, 2, 1], [5, 2, 6, 1]]), table)
    checking.close(
        two[0, 1] - two[1, 0] + two[1, 1] - two[0, 2],
        torch.tensor(
            [
                math.sin(2 * t) * -1 + 2 * math.sin(t) if s else -1 + 2 * math.cos(t) - math.cos(2 * t)
                for t in (1, 10000 ** (-1 / 3), 10000 ** (-2 / 3))
                for s in (1, 0)
            ]
        ),
        "differences between the same words at other places",
        atol=1e-5,
        hint="both sequences of a batch start at position 0; the words cancel in this sum, the waves do not",
    )
    checking.close(
        two[0, 0] - two[1, 0],
        math.sqrt(6) * (table[2] - table[5]),
        "the difference of two words at one place",
        atol=1e-5,
        hint="sqrt(d) times the rows of the table; the positions cancel",
    )
    with checking.unchanged(table=table):
        embed_tokens(torch.tensor([[0, 1]]), table)

# %% experiment="positions_picture" topics="embeddings"
width, length = 64, 128
waves = embed_tokens(torch.zeros(1, length, dtype=torch.int64), torch.zeros(1, width))[0]
near = waves @ waves.T / (width / 2)
figure, (left, right) = plt.subplots(1, 2, figsize=(9.2, 3.2))
shown = left.imshow(waves, cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto")
left.set(title="Positions as waves, d = 64", xlabel="place in the vector", ylabel="position")
left.grid(visible=False)
figure.colorbar(shown, ax=left, label="value")
for position in (16, 64, 112):
    right.plot(torch.arange(length) - position, near[position], label=f"position {position}")
right.set(title="How alike two positions are", xlabel="distance, tokens", ylabel="product, itself = 1", xlim=(-40, 40))
right.legend()
plt.show()
gaps = torch.stack([near.diagonal(offset)[:64] for offset in range(1, 40)])
record("spread_of_products_at_one_distance", gaps.std(1).max(), low=0, high=1e-4)

# %% [markdown]
# The three curves lie on each other: a product of positions says how far apart two tokens are, not where they are. Most
# later models learn their positions (BERT, GPT, ViT) or put the distance into the attention itself (T5's biases,
# and the rotations of RoPE); the reason to do so is the right picture.
