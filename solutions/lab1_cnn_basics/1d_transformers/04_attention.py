# %% [markdown]
# ## 4. Attention
#
# Each token writes three vectors: a **query** (what it looks for), a **key** (what it can be found by), and a
# **value** (what it hands over). The score of a pair is the product of query and key; softmax turns the scores
# of one query into weights that add to 1; the answer is the weighted mean of the values:
#
# $$W = \operatorname{softmax}\!\Big(\frac{Q K^\top}{\sqrt{d_k}}\Big), \qquad \text{output} = W\,V .$$
#
# Row $i$ of $W$ says how much query $i$ takes from each key. A **mask** hides keys: their score becomes
# $-\infty$ *before* the softmax, so their weight is exactly 0 and the others still add to 1.
#
# It is a dictionary with soft look-up: a query equal to one key and far from the others returns that key's
# value; a query between two keys returns a mixture.
#
# **By hand.** $d_k = 1$, $q = 1$, keys $0$ and $\ln 3$, values $0$ and $8$. Scores $0$ and $\ln 3$, weights
# $\frac14$ and $\frac34$, output 6.
#
# ### Exercise: attention


# %% exercise="attention" topics="attention"
def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Scaled dot-product attention.

    q     float [..., L, d_k]
    k     float [..., S, d_k]
    v     float [..., S, d_v]
    mask  bool, broadcasts to [..., L, S]; True: the query may see the key. None: it may see all. Every query may see at
          least one key.

    Returns (output [..., L, d_v], weights [..., L, S]).
    """
    ### BEGIN SOLUTION
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    weights = scores.softmax(dim=-1)
    return weights @ v, weights
    ### END SOLUTION


# %% check="attention" points=5
with checking.check("attention"):
    q, k, v = torch.tensor([[1.0]]), torch.tensor([[0.0], [math.log(3)]]), torch.tensor([[0.0], [8.0]])
    output, weights = attend(q, k, v)
    checking.close(weights, [[0.25, 0.75]], "the weights of the example", hint="softmax over the keys, the last axis")
    checking.close(output, [[6.0]], "the output of the example", hint="the weighted mean of the values")
    draw = torch.Generator().manual_seed(2)
    q, k, v = (torch.randn(2, 3, *size, generator=draw) for size in ((4, 8), (5, 8), (5, 6)))
    output, weights = attend(q, k, v)
    checking.equal(tuple(weights.shape), (2, 3, 4, 5), "the shape of the weights", hint="[..., queries, keys]")
    checking.close(
        output,
        F.scaled_dot_product_attention(q, k, v),
        "attend(q, k, v)[0]",
        atol=1e-5,
        hint="divide the scores by the square root of the numbers per key, here 8",
    )
    mask = torch.rand(4, 5, generator=draw) < 0.5
    mask[:, 2] = True
    output, weights = attend(q, k, v, mask)
    checking.close(
        output,
        F.scaled_dot_product_attention(q, k, v, mask),
        "attend(q, k, v, mask)[0]",
        atol=1e-5,
        hint="True means: may be seen; hide a key before the softmax, by a score of -inf",
    )
    checking.close(
        weights.sum(-1), torch.ones(2, 3, 4), "the sum of each query's weights", hint="also with a mask they add to 1"
    )
    checking.that(
        bool((weights[..., ~mask] == 0).all()), "a hidden key has exactly weight 0", hint="-1 or -10 is not enough"
    )
    checking.close(
        attend(100 * q, 100 * k, v)[0].isnan().any().float(),
        0.0,
        "no NaN for large scores",
        hint="use torch's softmax: it subtracts the largest score first",
    )
    with checking.unchanged(q=q, k=k, v=v, mask=mask):
        attend(q, k, v, mask)

# %% [markdown]
# **Why divide by $\sqrt{d_k}$?** If the numbers of $q$ and $k$ are independent with mean 0 and variance 1, their product is a sum of
# $d_k$ terms and has variance $d_k$. Without the division, scores grow with the width of a head, and softmax turns large
# scores into a single 1 and many zeros. Then almost nothing flows back: the slope of softmax is
# $\partial W_i / \partial s_j = W_i(\delta_{ij} - W_j)$, with $\delta_{ij} = 1$ for $i = j$ and 0 elsewhere, which is 0
# when one weight is 1. Measure it, with 64 random keys.

# %% experiment="why_scale" topics="attention"
widths = [1, 4, 16, 64, 256, 1024]
curves = {"divided by $\\sqrt{d_k}$": [], "not divided": []}
for width in widths:
    q, k = torch.randn(2, 64, width, generator=nb.generator(5)), torch.randn(2, 64, width, generator=nb.generator(6))
    for name, grown in zip(curves, (1.0, math.sqrt(width)), strict=True):
        weights = attend(grown * q, k, k)[1]  # a query times sqrt(d_k) undoes the division
        slopes = torch.diag_embed(weights) - weights[..., :, None] * weights[..., None, :]
        curves[name].append((weights.amax(-1).mean().item(), slopes.norm(dim=(-2, -1)).mean().item()))
figure, axes = plt.subplots(1, 2, figsize=(9.2, 3.1))
for axis, place, title in ((axes[0], 0, "largest weight of a query"), (axes[1], 1, "size of softmax's slopes")):
    for name, line in curves.items():
        axis.plot(widths, [point[place] for point in line], "o-", label=name)
    axis.set_xscale("log", base=2)
    axis.set_xticks(widths, widths)
    axis.set(title=f"64 keys: {title}", xlabel="numbers per key, $d_k$", ylabel="mean over queries", ylim=(0, None))
    axis.legend()
plt.show()
record("largest_weight_divided", curves["divided by $\\sqrt{d_k}$"][-1][0], low=0.05, high=0.2)
record("largest_weight_not_divided", curves["not divided"][-1][0], low=0.85, high=1)

# %% [markdown]
# Divided, attention starts soft at any width, with the same slopes, and can become sharp by learning longer queries. Not
# divided, a wide head starts with its mind made up, at random, and little flows back to change it.
#
# **What do trained heads look at?** A small GPT has just learned to copy a string of eight letters (the task of section 1).
# Choose a query in the second half. In which layer and head does it look seven letters back, at the letter that
# followed this one in the first half and that it must say next? Are there heads that do something else?

# %% demo="copying_heads" topics="attention"
torch.manual_seed(nb.seed)
model, draw = models.small_gpt(vocabulary=16, positions=16), nb.generator(7)
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
for _ in range(120):
    string = torch.randint(16, (32, 8), generator=draw)
    tokens = torch.cat([string, string], dim=1)
    optimizer.zero_grad()
    F.cross_entropy(model(tokens[:, :-1])[:, 7:].flatten(0, 1), string.flatten()).backward()
    optimizer.step()
maps = models.attention_weights(model, tokens[:1, :-1])
letters = ["abcdefghijklmnop"[token] for token in tokens[0, :-1]]
explore.attention_maps([layer[0] for layer in maps.values()], letters)
