# %% [markdown]
# ## 5. Several heads
#
# One softmax gives one mean: a token cannot take its subject from here *and* its verb from there. With $h$
# **heads**, each works on $d_k = d/h$ numbers of its own. Project, split, attend, join, project:
#
# $$q = x W_q^\top,\quad k = m W_k^\top,\quad v = m W_v^\top,\qquad
#   \text{output} = [\text{head}_0, \dots, \text{head}_{h-1}]\, W_o^\top .$$
#
# $x$ are the tokens that ask and $m$ those that are asked; in self-attention they are the same. Head $j$ takes
# the numbers $j d_k$ to $(j+1) d_k - 1$ of every $q$, $k$ and $v$. The number of multiplications does not depend on
# $h$: the same numbers are multiplied, in smaller groups.
#
# **By hand.** $d = 4$, $h = 2$, $q = (1, 2, 3, 4)$: head 0 gets $(1, 2)$, head 1 gets $(3, 4)$. In memory
# `[N, L, d]` is `[N, L, h, d_k]`, and attention wants `[N, h, L, d_k]`.
#
# ### Exercise: multi-head attention
#
# `F.scaled_dot_product_attention(q, k, v, mask)` does what section 4 did, for any number of leading axes.


# %% exercise="multi_head" topics="multi_head"
def multi_head(
    x: Tensor,
    memory: Tensor,
    w_q: Tensor,
    w_k: Tensor,
    w_v: Tensor,
    w_o: Tensor,
    heads: int,
    mask: Tensor | None = None,
) -> Tensor:
    """Multi-head attention without biases.

    x       float [N, L, d]: the tokens that ask.
    memory  float [N, S, d]: the tokens that are asked.
    w_*     float [d, d], as the weight of nn.Linear: F.linear(x, w_q) are the queries.
    heads   divides d.
    mask    for F.scaled_dot_product_attention: None, or broadcasts to [N, heads, L, S].

    Returns float [N, L, d].
    """

    ### BEGIN SOLUTION
    def split(projected: Tensor) -> Tensor:  # [N, L, d] to [N, heads, L, d / heads]
        return projected.unflatten(2, (heads, -1)).transpose(1, 2)

    q, k, v = split(F.linear(x, w_q)), split(F.linear(memory, w_k)), split(F.linear(memory, w_v))
    mixed = F.scaled_dot_product_attention(q, k, v, mask)
    return F.linear(mixed.transpose(1, 2).flatten(2), w_o)
    ### END SOLUTION


# %% check="multi_head" points=4
with checking.check("multi_head"):
    eye = torch.eye(4)
    x = torch.tensor([[[8.0, 0, 0, 8], [0, 8.0, 8, 0]]])
    checking.close(
        multi_head(x, x, eye, eye, eye, eye, 2),
        x,
        "two heads, two tokens that each find themselves",
        atol=1e-3,
        hint="head 0 has the first two numbers of every token, head 1 the last two",
    )
    draw = torch.Generator().manual_seed(3)
    x, memory = torch.randn(2, 3, 12, generator=draw), torch.randn(2, 5, 12, generator=draw)
    weights = torch.randn(4, 12, 12, generator=draw) / 12**0.5
    for heads in (1, 3, 4):
        expected, _ = F.multi_head_attention_forward(
            x.transpose(0, 1), memory.transpose(0, 1), memory.transpose(0, 1), 12, heads, weights[:3].flatten(0, 1),
            None, None, None, False, 0.0, weights[3], None, need_weights=False,
        )  # fmt: skip
        checking.close(
            multi_head(x, memory, *weights, heads),
            expected.transpose(0, 1),
            f"multi_head(x, memory, ..., heads={heads})",
            atol=1e-5,
            hint="split each token's numbers, not the sequence: unflatten the last axis, then exchange heads and tokens; "
            "keys and values come from the memory; w_o comes last",
        )
    mask = torch.tensor([[True, False, True, True, True]] * 3)
    changed = memory.clone()
    changed[:, 1] += 1
    checking.close(
        multi_head(x, changed, *weights, 3, mask),
        multi_head(x, memory, *weights, 3, mask),
        "multi_head with a mask",
        hint="pass the mask on: a hidden token of the memory changes nothing",
    )
    checking.that(
        (multi_head(x, changed, *weights, 3) - multi_head(x, memory, *weights, 3)).abs().max() > 1e-3,
        "without a mask every token of the memory is seen",
    )

# %% [markdown]
# A task that needs two places at once: every token must answer with the difference of the two tokens before it,
# $x_{t-1} - x_{t-2}$. One layer of your attention learns it, with 1, 2 and 4 heads and the same number of
# parameters.

# %% experiment="heads_for_two_places" topics="multi_head"
length, content, width = 12, 8, 32
counts = (1, 2, 4)


def examples(count: int, draw: torch.Generator) -> tuple[Tensor, Tensor]:
    x = torch.randn(count, length, content, generator=draw)
    return x, x[:, 1:-1] - x[:, :-2]


def relative_error(heads: int, start: int) -> float:
    """Mean square error after training, over the mean square of the answer (1: no better than answering 0)."""
    torch.manual_seed(nb.seed + start)
    places = nn.Parameter(torch.randn(length, width - content))
    weights = nn.ParameterList(nn.Linear(width, width, bias=False).weight for _ in range(4))
    optimizer = torch.optim.Adam([places, *weights], lr=1e-2)

    def answer(x: Tensor) -> Tensor:
        tokens = torch.cat([x, places.expand(len(x), -1, -1)], dim=2)
        return multi_head(tokens, tokens, *weights, heads)[:, 2:, :content]

    draw = nb.generator(8 + start)
    for _ in range(nb.pick(fast=150, full=2000)):
        x, expected = examples(32, draw)
        optimizer.zero_grad()
        F.mse_loss(answer(x), expected).backward()
        optimizer.step()
    x, expected = examples(200, nb.generator(20))
    with torch.no_grad():
        return (F.mse_loss(answer(x), expected) / expected.square().mean()).item()


errors = {heads: [relative_error(heads, start) for start in range(3)] for heads in counts}
figure, axes = plt.subplots(figsize=(6.4, 3.0))
for place, line in enumerate(errors.values()):
    axes.plot([place - 0.1, place, place + 0.1], line, "o", color="#0072B2", markersize=8)
axes.axhline(0.5, color="0.5", linestyle=":", label="one of the two tokens alone")
axes.set_xticks(range(len(counts)), counts)
axes.set(
    title="Answering $x_{t-1} - x_{t-2}$, one layer, three starts each",
    xlabel="heads (width 32)",
    ylabel="relative error",
    ylim=(-0.05, 1),
)
axes.legend()
plt.show()
record("best_error_one_head", min(errors[1]), low=0.4, high=0.6)
record("worst_error_four_heads", max(errors[4]), low=0, high=0.1)

# %% [markdown]
# One head can take a mixture of two places and cannot give one of them the other sign: all it takes goes through the same
# $W_v$. An error of 0.5 is what one of the two places alone leaves. With two heads the task can be solved, but not from
# every start: both heads may settle on the same place. Spare heads make that unlikely. This is one reason why trained networks
# often keep their accuracy when many of their heads are removed.
