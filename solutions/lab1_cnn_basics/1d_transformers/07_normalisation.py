# %% [markdown]
# ## 7. Normalisation
#
# Layers add to a running sum, so numbers grow. **LayerNorm** (Ba et al., 2016) brings each token back to mean 0
# and variance 1, over *its own* $d$ numbers; other tokens and other samples play no part, so it works for any
# batch size and any length. **RMSNorm** (Zhang and Sennrich, 2019) leaves the mean alone and divides by the
# root mean square: one pass less.
#
# $$\operatorname{LN}(x) = \frac{x - \mu}{\sqrt{\sigma^2 + \varepsilon}} \odot g + b, \qquad
#   \operatorname{RMS}(x) = \frac{x}{\sqrt{\frac1d\sum_j x_j^2 + \varepsilon}} \odot g .$$
#
# $\mu$ and $\sigma^2$ are mean and variance over the $d$ numbers (divide by $d$, not by $d - 1$), $g$ and $b$
# are learned, one number for each place.
#
# **By hand.** $x = (1, 3)$, $g = (1, 1)$, $b = 0$, $\varepsilon = 0$: $\mu = 2$, $\sigma = 1$,
# $\operatorname{LN} = (-1, 1)$. The mean square is 5: $\operatorname{RMS} = (0.447, 1.342)$.
#
# ### Exercise: LayerNorm and RMSNorm
#
# Write out the formulas; `F.layer_norm` and `F.rms_norm` are there to compare with.


# %% exercise="layer_norm" topics="layer_norm"
def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    """LayerNorm over the last axis, without F.layer_norm. x [..., d], weight and bias [d]."""
    ### BEGIN SOLUTION
    centred = x - x.mean(-1, keepdim=True)
    variance = centred.square().mean(-1, keepdim=True)
    return centred / (variance + eps).sqrt() * weight + bias
    ### END SOLUTION


def rms_norm(x: Tensor, weight: Tensor, eps: float = 1e-6) -> Tensor:
    """RMSNorm over the last axis. x [..., d], weight [d]."""
    ### BEGIN SOLUTION
    mean_square = x.square().mean(-1, keepdim=True)
    return x / (mean_square + eps).sqrt() * weight
    ### END SOLUTION


# %% check="layer_norm" points=4
with checking.check("layer_norm"):
    pair, one, zero = torch.tensor([1.0, 3.0]), torch.ones(2), torch.zeros(2)
    with checking.without("F.layer_norm"):
        y = layer_norm(pair, one, zero, eps=0.0)
    checking.close(y, [-1.0, 1.0], "layer_norm((1, 3))", hint="0.707: divide by d, not by d - 1")
    checking.close(rms_norm(pair, one, eps=0.0), [5**-0.5, 3 * 5**-0.5], "rms_norm((1, 3))", hint="the mean stays in")
    draw = torch.Generator().manual_seed(5)
    x, weight, bias = torch.randn(3, 4, 6, generator=draw) + 2, *torch.randn(2, 6, generator=draw)
    checking.close(
        layer_norm(x, weight, bias),
        F.layer_norm(x, (6,), weight, bias),
        "layer_norm of a batch",
        atol=1e-5,
        hint="each token by itself, over the last axis (keepdim=True); then weight and bias, place by place",
    )
    checking.close(
        rms_norm(x, weight), F.rms_norm(x, (6,), weight, 1e-6), "rms_norm of a batch", atol=1e-5, hint="the square root"
    )
    small = 1e-3 * x
    checking.close(
        layer_norm(small, weight, bias, eps=1e-4),
        F.layer_norm(small, (6,), weight, bias, 1e-4),
        "layer_norm of small numbers",
        atol=1e-5,
        hint="eps is added to the variance, inside the root",
    )
    checking.close(
        rms_norm(small, weight, eps=1e-4),
        F.rms_norm(small, (6,), weight, 1e-4),
        "rms_norm of small numbers",
        atol=1e-5,
        hint="eps is added to the mean square, inside the root",
    )
    with checking.unchanged(x=x):
        layer_norm(x, weight, bias)
        rms_norm(x, weight)

# %% [markdown]
# **Where does it stand?** Each half of a layer (attention, feed-forward) is a *part* beside a shortcut. The
# first transformer normalised after the sum, **post-norm**; since GPT-2 the part's input is normalised and the
# shortcut left alone, **pre-norm**:
#
# $$\text{post: } x \leftarrow \operatorname{norm}\big(x + \operatorname{part}(x)\big), \qquad
#   \text{pre: } x \leftarrow x + \operatorname{part}\big(\operatorname{norm}(x)\big).$$
#
# In a pre-norm network a path without any normalisation leads from the first layer to the last.
#
# **By hand.** $x = (0, 2)$, the part doubles, norm is LN without $g$ and $b$. Post: $x + \text{part} = (0, 6)$,
# normalised $(-1, 1)$. Pre: $\operatorname{LN}(x) = (-1, 1)$, doubled $(-2, 2)$, plus $x$: $(-2, 4)$.
#
# ### Exercise: a transformer block
#
# The parts are made for you; `forward` is yours.


# %% exercise="norm_placement" topics="layer_norm"
class Block(nn.Module):
    """One layer of a transformer: self-attention, then the feed-forward network, each beside a shortcut."""

    def __init__(self, width: int, heads: int, hidden: int, pre_norm: bool) -> None:
        super().__init__()
        self.pre_norm = pre_norm
        self.attention = models.TorchAttention(width, heads)  # called as attention(query, key, value, mask)
        self.feed = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)  # of the first and of the second part

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """x float [N, L, width] to the same shape.

        mask  None, or float [L, L] that is added to the scores (0: may be seen, -inf: not); hand it on to the attention.
        """
        ### BEGIN SOLUTION
        if self.pre_norm:
            y = self.norm_1(x)
            x = x + self.attention(y, y, y, mask)
            return x + self.feed(self.norm_2(x))
        x = self.norm_1(x + self.attention(x, x, x, mask))
        return self.norm_2(x + self.feed(x))
        ### END SOLUTION


# %% check="norm_placement" points=4
with checking.check("norm_placement"), torch.random.fork_rng():
    torch.manual_seed(6)
    x, causal = torch.randn(2, 5, 8), nn.Transformer.generate_square_subsequent_mask(5)
    for pre_norm in (True, False):
        block = Block(8, 2, 12, pre_norm)
        torchs = nn.TransformerEncoderLayer(8, 2, 12, 0.0, F.gelu, batch_first=True, norm_first=pre_norm)
        names = {
            "norm_1": "norm1",
            "norm_2": "norm2",
            "attention": "self_attn",
            "feed.0": "linear1",
            "feed.2": "linear2",
        }
        own = {name: torch.randn_like(value) / 2 for name, value in block.state_dict().items()}
        block.load_state_dict(own)
        for mine, theirs in names.items():
            torchs.get_submodule(theirs).load_state_dict(block.get_submodule(mine).state_dict())
        kind = "pre-norm" if pre_norm else "post-norm"
        checking.close(
            block(x),
            torchs(x),
            f"a {kind} block",
            atol=1e-4,
            hint="pre: x + part(norm(x)); post: norm(x + part(x)); norm_1 belongs to the attention, norm_2 to the feed-forward",
        )
        checking.close(
            block(x, causal),
            torchs(x, causal),
            f"a {kind} block with a mask",
            atol=1e-4,
            hint="attention(y, y, y, mask)",
        )

# %% [markdown]
# Does the place matter? Stacks of your block read digits row by row (eight tokens of eight pixels), with Adam at a learning
# rate of 0.006 from the first step on: no warm-up.

# %% experiment="norm_and_depth" topics="layer_norm"
splits = data.digits()
depths = (2, 6, 16)


class Rows(nn.Module):
    """Rows of a picture as tokens, blocks, and a linear layer on all tokens."""

    def __init__(self, depth: int, pre_norm: bool, width: int = 32) -> None:
        super().__init__()
        self.embed = nn.Linear(8, width)
        self.positions = nn.Parameter(torch.randn(8, width))
        self.blocks = nn.Sequential(*(Block(width, 4, 2 * width, pre_norm) for _ in range(depth)))
        self.norm = nn.LayerNorm(width) if pre_norm else nn.Identity()  # post-norm ends in one already
        self.head = nn.Linear(8 * width, 10)

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.embed(3 * (images[:, 0] - 0.3)) + self.positions  # about mean 0, variance 1
        return self.head(self.norm(self.blocks(tokens)).flatten(1))


def gradients(network: Rows) -> list[float]:
    """Size of the gradient of each block's first linear layer, before training."""
    F.cross_entropy(network(splits.train.images[:256]), splits.train.labels[:256]).backward()
    return [block.feed[0].weight.grad.norm().item() for block in network.blocks]


figure, (left, right) = plt.subplots(1, 2, figsize=(9.2, 3.3))
accuracy = {}
for pre_norm, name, marker in ((True, "pre-norm", "o"), (False, "post-norm", "s")):
    torch.manual_seed(nb.seed)
    left.plot(range(1, 17), gradients(Rows(16, pre_norm)), marker + "-", label=name)
    accuracy[name] = []
    for depth in depths:
        torch.manual_seed(nb.seed)
        network = Rows(depth, pre_norm).to(nb.device)
        optimizer = torch.optim.Adam(network.parameters(), lr=6e-3)
        fitted = training.fit(
            network,
            splits.train,
            splits.test,
            epochs=nb.pick(fast=2, full=20),
            optimizer=optimizer,
            seed=nb.seed,
            progress=False,
        )
        accuracy[name].append(fitted.test_accuracy[-1])
    right.plot(depths, accuracy[name], marker + "-", label=name)
left.set(
    title="16 blocks before training: first linear layer", xlabel="block", ylabel="norm of a gradient", ylim=(0, None)
)
right.axhline(0.1, color="0.5", linestyle=":", label="guessing")
right.set(title="Digits after two epochs", xlabel="blocks", ylabel="test accuracy", xticks=depths, ylim=(0, 1.02))
left.legend()
right.legend()
plt.show()
record("pre_norm_16_blocks", accuracy["pre-norm"][2], low=0.8, high=1)
record("post_norm_16_blocks", accuracy["post-norm"][2], low=0, high=0.45)
record("post_norm_2_blocks", accuracy["post-norm"][0], low=0.8, high=1)

# %% [markdown]
# With two blocks both learn; with sixteen, post-norm is lost at this learning rate. The gradients of the new networks hardly
# differ (left), so it is not that nothing flows back: the first large steps do the damage. At a rate of 0.001 the
# same network learns, and so it does with a warm-up that starts near 0, as the first transformers had (Xiong et al., 2020).
# Nearly all large models since GPT-2 are pre-norm, and many of the later ones use RMSNorm, since the mean turned out not to
# matter.
