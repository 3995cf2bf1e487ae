# %% [markdown]
# ## 11. Attention at linear cost
#
# Softmax needs all $L^2$ scores, because $\exp(q\cdot k)$ does not come apart into a factor of the query and one of
# the key. Put $\phi(q)\cdot\phi(k)$ in its place, and the order of multiplication becomes free (Katharopoulos et
# al., 2020). EfficientViT (Cai et al., 2023) takes ReLU, with $\phi(x) = \max(x, 0)$ number by number:
#
# $$o_i = \frac{\sum_j \phi(q_i)\cdot\phi(k_j)\; v_j}{\sum_j \phi(q_i)\cdot\phi(k_j)}
#       = \frac{\phi(q_i)\,\big(\sum_j \phi(k_j)^\top v_j\big)}{\phi(q_i)\cdot\sum_j \phi(k_j)} .$$
#
# On the right, both sums over $j$ are the same for every query: a matrix $[d_k, d_v]$ and a vector $[d_k]$,
# made once. That takes $2 L\,d_k d_v$ multiplications instead of $L^2 (d_k + d_v)$, and nothing of size $L^2$ is ever stored.
#
# **By hand.** $d_k = 1$, keys $1, 3$, values $0, 8$, query 2: sums $1\cdot0 + 3\cdot8 = 24$ and $1 + 3 = 4$,
# output $48 / 8 = 6$. A query of 20 gives 6 too.
#
# ### Exercise: ReLU linear attention
#
# Add $10^{-15}$ to the denominator: a query with no positive number sees nothing and gets 0.


# %% exercise="linear_attention" topics="linear_attention"
def linear_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """ReLU attention, at a cost that grows with the number of tokens and not with its square.

    q  float [..., L, d_k], k [..., S, d_k]: before the ReLU.
    v  float [..., S, d_v]

    Returns float [..., L, d_v].
    """
    ### BEGIN SOLUTION
    q, k = q.relu(), k.relu()
    summary = k.mT @ v  # [..., d_k, d_v]
    total = k.sum(-2, keepdim=True).mT  # [..., d_k, 1]
    return q @ summary / (q @ total + 1e-15)
    ### END SOLUTION


# %% check="linear_attention" points=4
with checking.check("linear_attention"):
    k, v = torch.tensor([[1.0], [3.0]]), torch.tensor([[0.0], [8.0]])
    checking.close(
        linear_attention(torch.tensor([[2.0], [20.0], [-1.0]]), k, v),
        [[6.0], [6.0], [0.0]],
        "the example, and a query of -1",
        hint="48: divide by the sum of the weights; NaN: add 1e-15 to it",
    )
    draw = torch.Generator().manual_seed(9)
    q, k, v = (torch.randn(2, 3, *size, generator=draw) for size in ((5, 4), (7, 4), (7, 6)))
    scores = q.relu() @ k.relu().mT
    with checking.unchanged(q=q, k=k, v=v):
        found = linear_attention(q, k, v)
    checking.close(
        found,
        scores @ v / (scores.sum(-1, keepdim=True) + 1e-15),
        "linear_attention(q, k, v)",
        atol=1e-5,
        hint="ReLU on queries and keys, not on the values; sum over the keys in the denominator too",
    )

    class Counted(nn.Module):
        def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            return linear_attention(q, k, v)

    many = torch.randn(3, 1, 1024, 8, generator=draw)
    checking.that(
        measure.count(Counted(), *many).macs <= 4 * 1024 * 8 * 8,
        "1024 tokens with 8 numbers each need at most 4 * 1024 * 8 * 8 multiplications",
        hint="multiply keys and values first: nothing may have the shape [tokens, tokens]",
    )

# %% experiment="linear_cost" topics="linear_attention"
counts = (256, 512, 1024, 2048, 4096)
calls = {}
for tokens in counts:
    q, k, v = torch.randn(3, 1, 4, tokens, 16, generator=nb.generator(15))
    calls["softmax", tokens] = partial(F.scaled_dot_product_attention, q, k, v)
    calls["ReLU, linear", tokens] = partial(linear_attention, q, k, v)
timed = measure.compare(calls, rounds=7)
seconds = {name: [timed[name, tokens] for tokens in counts] for name in ("softmax", "ReLU, linear")}

lengths = [1, 2, 4, 8, 16, 32]
q, k = torch.randn(1, 16, generator=nb.generator(16)), torch.randn(64, 16, generator=nb.generator(17))
eye = torch.eye(64)  # with these values the output is the weights
sharpest = {
    "softmax": [F.scaled_dot_product_attention(n * q, k, eye).max().item() for n in lengths],
    "ReLU, linear": [linear_attention(n * q, k, eye).max().item() for n in lengths],
}
figure, (left, right) = plt.subplots(1, 2, figsize=(9.4, 3.4))
for name in seconds:
    left.loglog(counts, [s * 1e3 for s in seconds[name]], "o-", label=name)
    right.plot(lengths, sharpest[name], "o-", label=name)
left.set_xticks(counts, counts)
left.minorticks_off()
left.yaxis.set_major_formatter("{x:g}")
left.set(
    title=f"4 heads of 16 numbers, one thread of\n{notebook.describe_hardware('cpu')}",
    xlabel="tokens",
    ylabel="time, ms",
)
right.set_xscale("log", base=2)
right.set_xticks(lengths, lengths)
right.set(title="Can it focus? 64 random keys", xlabel="the query, times", ylabel="largest weight", ylim=(0, 1.05))
left.legend()
right.legend()
plt.show()

network = models.small_efficientvit(linear_attention=linear_attention).eval()
every_pair = models.small_efficientvit().eval()
every_pair.load_state_dict(network.state_dict())
x = torch.randn(1, 3, 256, 256, generator=nb.generator(18))
with torch.no_grad():
    difference = (network(x) - every_pair(x)).abs().max()
ratio = measure.count(every_pair, x).macs / measure.count(network, x).macs
print(f"EfficientViT, 256x256 pixels: with all pairs {ratio:.1f} times the MACs, for the same answer")
record("efficientvit_difference", difference, low=0, high=1e-3)
record("efficientvit_macs_all_pairs_over_linear", ratio, low=1.5)
record("softmax_over_linear_time_4096", timed.ratio(("softmax", 4096), ("ReLU, linear", 4096)), low=4, timed=timed)
record("linear_sharpness_change", sharpest["ReLU, linear"][-1] / sharpest["ReLU, linear"][0], low=0.999, high=1.001)

# %% [markdown]
# The price is on the right. A longer query makes softmax look at one key; ReLU attention divides the length out again, so it always
# spreads its weight. EfficientViT therefore adds convolutions, which see detail, and runs attention also on
# aggregates of neighbouring tokens. For language, where one exact token can decide, linear attention pays more
# dearly.
