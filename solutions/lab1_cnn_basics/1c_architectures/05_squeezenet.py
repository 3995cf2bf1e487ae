# %% [markdown]
# ## 5. SqueezeNet: few parameters
#
# A 3x3 filter has nine times the weights of a 1x1 filter. SqueezeNet (Iandola et al., 2016) uses fewer 3x3
# filters, and lets them see fewer channels. Its **fire module**:
#
# $$x \to \underbrace{\text{conv } 1{\times}1,\ s \text{ filters} \to \text{ReLU}}_{\text{squeeze}} \to z, \qquad
#   y = \big[\operatorname{ReLU}(\text{conv } 1{\times}1,\ e_1 \text{ filters}\ (z)),\
#            \operatorname{ReLU}(\text{conv } 3{\times}3,\ e_3 \text{ filters}\ (z))\big]$$
#
# $[\cdot,\cdot]$ puts channels one after the other. All three convolutions have a bias, since there is no
# normalisation; the 3x3 one has padding 1.
#
# **By hand.** `fire2` of the paper: 96 channels, $s = 16, e_1 = e_3 = 64$. Weights:
# $96 \cdot 16 + 16 \cdot 64 + 16 \cdot 64 \cdot 9 = 11{,}776$, and 144 biases. A plain 3x3 convolution from 96
# to 128 channels has 110,720.
#
# ### Exercise: Fire
#
# Make the layers in the order squeeze, expand 1x1, expand 3x3.


# %% exercise="squeezenet" topics="squeezenet"
class Fire(nn.Module):
    """SqueezeNet's fire module: [N, inputs, H, W] to [N, expand1x1 + expand3x3, H, W].

    squeeze               filters of the first 1x1 convolution.
    expand1x1, expand3x3  filters of the two convolutions that read its output; their results in this order.
    """

    def __init__(self, inputs: int, squeeze: int, expand1x1: int, expand3x3: int) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.squeeze = nn.Conv2d(inputs, squeeze, 1)
        self.expand1x1 = nn.Conv2d(squeeze, expand1x1, 1)
        self.expand3x3 = nn.Conv2d(squeeze, expand3x3, 3, padding=1)
        ### END SOLUTION

    def forward(self, x: Tensor) -> Tensor:
        ### BEGIN SOLUTION
        z = F.relu(self.squeeze(x))
        return F.relu(torch.cat([self.expand1x1(z), self.expand3x3(z)], dim=1))
        ### END SOLUTION


# %% check="squeezenet" points=3
with checking.check("squeezenet"):
    from torchvision.models.squeezenet import Fire as TheirFire

    checking.equal(
        sum(p.numel() for p in Fire(96, 16, 64, 64).parameters()),
        11_920,
        "the parameters of Fire(96, 16, 64, 64)",
        hint="11,776 weights and 144 biases; both expand convolutions read the squeezed channels",
    )
    x = torch.randn(2, 5, 6, 4, generator=torch.Generator().manual_seed(5))
    mine, theirs = Fire(5, 3, 4, 2), TheirFire(5, 3, 4, 2)
    same_numbers(mine, theirs, "Fire(5, 3, 4, 2)", "1x1 to 3 channels, 1x1 to 4, 3x3 to 2, each with a bias")
    with torch.no_grad(), checking.unchanged(x=x):
        y = mine(x)
        checking.equal(tuple(y.shape), (2, 6, 6, 4), "the shape of Fire(5, 3, 4, 2)(x)", hint="channels add; padding 1")
        checking.close(
            y,
            theirs(x),
            "Fire(5, 3, 4, 2)(x)",
            hint="a ReLU after each of the three convolutions; first the 1x1 channels, then the 3x3 channels",
        )

# %% [markdown]
# SqueezeNet's title promises "AlexNet-level accuracy with 50x fewer parameters". Your fire module in the
# whole network, against AlexNet as it was in 2012:

# %% experiment="fifty_times_fewer" topics="squeezenet, alexnet_vgg"
squeeze = meta_counts(partial(models.squeezenet1_0, block=Fire), side=227)
alexnet = meta_counts(models.alexnet_2012, side=227)
quantities = {"parameters": 1e6, "macs": 1e6, "activations": 1e6}
figure, axes = plt.subplots(1, 3, figsize=(9, 2.7))
for axis, (quantity, unit) in zip(axes, quantities.items(), strict=True):
    bars = axis.bar(
        ["AlexNet", "SqueezeNet"],
        [getattr(c, quantity) / unit for c in (alexnet, squeeze)],
        color=["C1", "C0"],
        width=0.5,
    )
    axis.bar_label(bars, fmt="%.3g")
    axis.set(title={"macs": "MACs"}.get(quantity, quantity), ylabel="millions")
    axis.margins(y=0.15)
plt.show()
record("alexnet_over_squeezenet_parameters", alexnet.parameters / squeeze.parameters, low=48, high=50)
record("squeezenet_over_alexnet_macs", squeeze.macs / alexnet.macs, low=1.1, high=1.3)
record("squeezenet_over_alexnet_activations", squeeze.activations / alexnet.activations, low=6.7, high=6.8)

# %% [markdown]
# The promise holds, for parameters. MACs did not fall, and activations grew nearly seven times: SqueezeNet
# was made for a small file, not for a fast or memory-saving run. "Smaller" always needs the question: smaller
# in what?
