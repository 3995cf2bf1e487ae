# %% [markdown]
# ## 6. The feed-forward part
#
# Attention mixes tokens and computes little on each. The second half of a layer does the opposite: two linear
# layers on every token by itself, usually with 4 times the width between them:
#
# $$\operatorname{FFN}(x) = \operatorname{GELU}(x W_1^\top + b_1)\, W_2^\top + b_2, \qquad
#   \operatorname{GELU}(x) = x\,\Phi(x), \quad \Phi(x) = \tfrac12\big(1 + \operatorname{erf}(x/\sqrt2)\big).$$
#
# $\Phi(x)$ is the chance that a standard normal number is below $x$. ReLU multiplies $x$ by 0 or 1; GELU
# (Hendrycks and Gimpel, 2016) by the chance that $x$ is large among normal numbers. Its slope is
# $\Phi(x) + x\,\varphi(x)$ with $\varphi(x) = e^{-x^2/2}/\sqrt{2\pi}$: smooth, and not 0 just below 0.
#
# **By hand.** $\operatorname{GELU}(0) = 0$ with slope $\frac12$. $\Phi(1) = 0.8413$, so
# $\operatorname{GELU}(1) = 0.8413$, $\operatorname{GELU}(-1) = -0.1587$, and the slope at 1 is
# $0.8413 + 0.2420 = 1.0833$.
#
# ### Exercise: GELU and the feed-forward network


# %% exercise="ffn_gelu" topics="ffn_gelu"
def gelu(x: Tensor) -> tuple[Tensor, Tensor]:
    """Values and slopes of GELU, each of x's shape: the exact form (with erf, not the tanh approximation), by hand."""
    ### BEGIN SOLUTION
    below = 0.5 * (1 + torch.erf(x / math.sqrt(2)))
    density = torch.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
    return x * below, below + x * density
    ### END SOLUTION


def feed_forward(x: Tensor, w_1: Tensor, b_1: Tensor, w_2: Tensor, b_2: Tensor) -> Tensor:
    """Two linear layers with your GELU between them. w_1 [hidden, d], w_2 [d, hidden]; x and the result [..., d]."""
    ### BEGIN SOLUTION
    values, _ = gelu(F.linear(x, w_1, b_1))
    return F.linear(values, w_2, b_2)
    ### END SOLUTION


# %% check="ffn_gelu" points=3
with checking.check("ffn_gelu"):
    x = torch.tensor([-1.0, 0.0, 1.0])
    with checking.without("F.gelu"):
        values, slopes = gelu(x)
    checking.close(
        values,
        [-0.158655, 0.0, 0.841345],
        "gelu([-1, 0, 1])[0]",
        hint="x * Phi(x); erf takes x / sqrt(2). 0.8412 is the tanh approximation, 0.8458 is x * sigmoid(1.702 x)",
    )
    checking.close(slopes, [-0.083315, 0.5, 1.083315], "gelu([-1, 0, 1])[1]", hint="Phi(x) + x * phi(x)")
    x = torch.linspace(-5, 5, 101)
    checking.close(gelu(x)[0], F.gelu(x), "gelu between -5 and 5", atol=1e-5)
    x.requires_grad_()
    checking.close(
        gelu(x.detach())[1],
        torch.autograd.grad(F.gelu(x).sum(), x)[0],
        "the slopes between -5 and 5",
        atol=1e-5,
        hint="the product rule: the factor Phi(x) has a slope too",
    )
    draw = torch.Generator().manual_seed(4)
    x, w_1, b_1, w_2, b_2 = (torch.randn(*size, generator=draw) for size in ((2, 3, 4), (6, 4), (6,), (4, 6), (4,)))
    checking.close(
        feed_forward(x, w_1, b_1, w_2, b_2),
        F.linear(F.gelu(F.linear(x, w_1, b_1)), w_2, b_2),
        "feed_forward(x, w_1, b_1, w_2, b_2)",
        atol=1e-5,
        hint="GELU stands between the two layers alone, and both have a bias",
    )

# %% experiment="gelu_and_its_price" topics="ffn_gelu"
x = torch.linspace(-4, 4, 161)
values, slopes = gelu(x)
figure, (left, right) = plt.subplots(1, 2, figsize=(9.2, 3.3))
left.plot(x, values, label="GELU", color="#0072B2")
left.plot(x, slopes, "--", label="its slope", color="#0072B2")
left.plot(x, x.relu(), label="ReLU", color="#D55E00")
left.plot(x, (x > 0).float(), "--", label="its slope", color="#D55E00")
left.set(title="GELU and ReLU", xlabel="x", ylabel="value, slope", ylim=(-0.5, 2.5))
left.legend()
width = 768  # of GPT-2 small and ViT-B; multiply-accumulates per token and layer, as functions of the tokens L
lengths = 2 ** torch.arange(6, 15)
parts = {
    "projections, $4 d^2$": torch.full((9,), 4 * width**2),
    "feed-forward, $8 d^2$": torch.full((9,), 8 * width**2),
    "scores and mixing, $2 L d$": 2 * lengths * width,
}
for name, macs in parts.items():
    right.loglog(lengths, macs / 1e6, label=name, base=2)
right.set(title="One layer of width 768", xlabel="tokens L", ylabel="million MACs per token")
right.yaxis.set_major_formatter("{x:g}")
right.legend(fontsize=8)
plt.show()
counted = measure.count(models.TransformerLayer(width, 12, 4 * width), torch.zeros(1, 256, width)).macs
record("counted_over_formula", counted / (256 * sum(int(macs[2]) for macs in parts.values())), low=1, high=1)

# %% [markdown]
# Two thirds of the parameters, and for short sequences two thirds of the work, are in the feed-forward part. The quadratic
# cost of attention, famous as it is, overtakes the rest only from $L = 6d$ on: 4,608 tokens here. Before you make
# attention cheap, look at how many tokens you have.
