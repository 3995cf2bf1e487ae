# %% [markdown]
# ## 9. Squeeze and excitation
#
# A convolution sees a window. Which of its channels matter may depend on the whole image. SENet (Hu et al.,
# 2018) asks the whole image and turns channels up or down:
#
# $$z = \frac{1}{HW}\sum_{i,j} x[:, i, j], \qquad s = \sigma\big(W_2 \operatorname{ReLU}(W_1 z + b_1) + b_2\big), \qquad
#   y[c, i, j] = s[c]\; x[c, i, j]$$
#
# **Squeeze**: the mean of each channel. **Excitation**: two dense layers, from $C$ numbers to a few and back,
# end in a sigmoid $\sigma$, so that $0 < s[c] < 1$. The layers have $2 C C_s$ weights and $C + C_s$ biases,
# with $C_s$ the squeezed number; they run once per image, not once per position.
#
# **By hand.** $C = 256, C_s = 16$: 8192 weights, 272 biases; 8192 MACs beside the 28.9 million that one 3x3
# convolution of 64 channels takes at 28x28: nothing.
#
# ### Exercise: SqueezeExcitation
#
# The dense layers may be `nn.Linear` or 1x1 convolutions, in the order of use.


# %% exercise="squeeze_excitation" topics="squeeze_excitation"
class SqueezeExcitation(nn.Module):
    """Weights each channel by a number between 0 and 1 that depends on the whole image: [N, channels, H, W] to the same.

    squeezed  neurons of the hidden layer.
    """

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.down = nn.Linear(channels, squeezed)
        self.up = nn.Linear(squeezed, channels)
        ### END SOLUTION

    def forward(self, x: Tensor) -> Tensor:
        ### BEGIN SOLUTION
        s = torch.sigmoid(self.up(F.relu(self.down(x.mean((2, 3))))))
        return x * s[:, :, None, None]
        ### END SOLUTION


# %% check="squeeze_excitation" points=4
with checking.check("squeeze_excitation"):
    from torchvision.ops import SqueezeExcitation as TheirExcitation

    checking.equal(
        sum(p.numel() for p in SqueezeExcitation(256, 16).parameters()),
        8_464,
        "the parameters of SqueezeExcitation(256, 16)",
        hint="8192 weights and 272 biases",
    )
    x = torch.randn(3, 6, 4, 5, generator=torch.Generator().manual_seed(8))
    mine, theirs = SqueezeExcitation(6, 2), TheirExcitation(6, 2)
    same_numbers(mine, theirs, "SqueezeExcitation(6, 2)", "6 to 2 and 2 to 6, both with a bias")
    with torch.no_grad(), checking.unchanged(x=x):
        y = mine(x)
        checking.close(
            y,
            theirs(x),
            "SqueezeExcitation(6, 2)(x)",
            hint="mean over positions, ReLU between the layers, sigmoid at the end, then times x",
        )
        checking.close(mine(x[1:2]), y[1:2], "the second image alone", hint="each image has weights of its own")

# %% [markdown]
# Train a small SE-ResNet with your module, then look at the weights it gives to the channels. How much of
# their variance over the test images is explained by the class? 0: all classes are treated alike; 1: the
# weight knows the class.


# %% experiment="what_the_gates_know" topics="squeeze_excitation"
def quarter(channels: int) -> nn.Module:
    return SqueezeExcitation(channels, channels // 4)


digits = data.digits()
torch.manual_seed(nb.seed)
network = models.small_se_resnet(in_channels=1, attention=quarter).to(nb.device)
optimizer = torch.optim.AdamW(network.parameters(), lr=5e-3)
training.fit(network, digits.train, epochs=nb.pick(fast=4, full=10), optimizer=optimizer, seed=nb.seed, progress=False)
test = digits.test.to(nb.device)
accuracy = training.evaluate(network, test).accuracy
gates: list[Tensor] = []


def note_gate(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
    """What a channel was multiplied by: output over input, where the input is largest."""
    x, y = inputs[0].flatten(2), output.flatten(2)
    place = x.abs().argmax(2, keepdim=True)
    gates.append((y.gather(2, place) / x.gather(2, place))[:, :, 0])


handles = [
    module.register_forward_hook(note_gate) for module in network.modules() if isinstance(module, SqueezeExcitation)
]
with torch.no_grad():
    network(test.images)
for handle in handles:
    handle.remove()
shares = []
for gate in gates:
    moving = gate[:, gate.var(0) > 1e-8]
    means = torch.stack([moving[test.labels == label].mean(0) for label in range(10)])
    shares.append((means[test.labels].var(0) / moving.var(0)).mean().item())
figure, axes = plt.subplots(1, 3, figsize=(9.6, 3.0), width_ratios=[1.2, 1.2, 1])
for axis, gate, name in ((axes[0], gates[0], "first block"), (axes[1], gates[2], "last block")):
    means = torch.stack([gate[test.labels == label].mean(0) for label in range(10)]).cpu()
    shown = axis.imshow(means, aspect="auto", cmap="viridis", vmin=0, vmax=1, interpolation="nearest")
    axis.set(title=f"Mean weight, {name}", xlabel="channel", ylabel="digit", yticks=range(10))
    axis.grid(visible=False)
figure.colorbar(shown, ax=axes[:2], label="weight of the channel")
axes[2].bar(["first", "second", "third"], shares, color="C2", width=0.5)
axes[2].set(title="About the class", xlabel="block", ylabel="variance explained by class", ylim=(0, 1))
plt.show()
print(f"accuracy {accuracy:.1%}")
plain = measure.count(
    models.small_se_resnet(in_channels=1, attention=lambda channels: nn.Identity()), torch.zeros(1, 1, 8, 8)
)
yours = measure.count(models.small_se_resnet(in_channels=1, attention=quarter), torch.zeros(1, 1, 8, 8))
big = [meta_counts(make) for make in (models.se_resnet50, partial(models.resnet50, early_stride=True))]
print(
    f"SE-ResNet-50 over ResNet-50: {big[0].parameters / big[1].parameters - 1:.1%} parameters, {big[0].macs / big[1].macs - 1:.2%} MACs"
)
record("se_resnet_accuracy_on_digits", accuracy, low=0.85, high=1)
record("gates_class_share_last_block", shares[2], low=0.3, high=0.95)
record("se_resnet50_extra_parameters", big[0].parameters / big[1].parameters - 1, low=0.098, high=0.1)
record("se_resnet50_extra_macs", big[0].macs / big[1].macs - 1, low=0.0005, high=0.0008)

# %% [markdown]
# In the paper's networks, too, early blocks weight channels alike for all classes and late ones class by
# class. On ImageNet the modules bring 1.5 points to ResNet-50 (23.3 instead of 24.8% errors in the paper) for
# a tenth more parameters and 0.07% more MACs. Time grows by more: each module waits for a whole map before it
# can scale it.
