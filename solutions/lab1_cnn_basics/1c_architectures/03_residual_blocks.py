# %% [markdown]
# ## 3. Residual blocks
#
# Twenty layers learn better than eight, but fifty-six plain layers learn *worse* than twenty, even on the
# training images. He et al. (2016) let each block learn only what to *add* to its input:
#
# $$y = \operatorname{ReLU}\big(F(x) + x\big).$$
#
# If a block has nothing to contribute, $F = 0$ is easy to learn, while the identity is not. And the gradient
# has a way back past the layers of $F$: the derivative of $F(x) + x$ contains a 1 (the last ReLU lets it pass wherever
# $y > 0$). The **basic block** of
# ResNet-18 and 34 has two 3x3 convolutions in $F$:
#
# $$x \to \text{conv } 3{\times}3, \text{stride } S \to \text{BN} \to \text{ReLU} \to \text{conv } 3{\times}3 \to \text{BN}
#   \to (+\ \text{shortcut}(x)) \to \text{ReLU}.$$
#
# Padding 1 keeps the size; the convolutions have no bias, since batch normalisation would remove it. The last
# ReLU comes *after* the addition.
#
# ### Exercise: BasicBlock
#
# Call `super().__init__()` first (it is given), make the layers in the order in which they are used, and keep
# the shortcut that you are given: `None` means that $x$ itself is added.


# %% exercise="basic_block" topics="basic_block"
class BasicBlock(nn.Module):
    """ResNet's basic block: [N, inputs, H, W] to [N, width, H / stride, W / stride].

    stride    of the first convolution; the second has stride 1.
    shortcut  a module that brings x to the shape of the result, or None where x has it already.
    """

    def __init__(self, inputs: int, width: int, stride: int = 1, shortcut: nn.Module | None = None) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.conv1 = nn.Conv2d(inputs, width, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.shortcut = shortcut
        ### END SOLUTION

    def forward(self, x: Tensor) -> Tensor:
        ### BEGIN SOLUTION
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return F.relu(y + (x if self.shortcut is None else self.shortcut(x)))
        ### END SOLUTION


# %% check="basic_block" points=5
with checking.check("basic_block"):
    from torchvision.models.resnet import BasicBlock as TheirBlock

    mine, theirs = BasicBlock(4, 4), TheirBlock(4, 4)
    same_numbers(mine, theirs, "BasicBlock(4, 4)", "two 3x3 convolutions without bias, each with a BatchNorm2d")
    x = torch.randn(2, 4, 6, 5, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        with checking.unchanged(x=x):
            y = mine(x)
        checking.equal(tuple(y.shape), (2, 4, 6, 5), "the shape of BasicBlock(4, 4)(x)", hint="padding 1")
        checking.close(
            y,
            theirs(x),
            "BasicBlock(4, 4)(x)",
            hint="conv, bn, ReLU, conv, bn, then add x, and only then the last ReLU",
        )
        halve = nn.AvgPool2d(2)
        mine, theirs = BasicBlock(4, 4, 2, halve), TheirBlock(4, 4, 2, halve)
        same_numbers(mine, theirs, "BasicBlock(4, 4, 2, shortcut)", "two convolutions, two normalisations", draw=2)
        even = x[:, :, :, :4]
        checking.close(
            mine(even),
            theirs(even),
            "BasicBlock(4, 4, stride=2, shortcut=AvgPool2d(2))(x)",
            hint="the first convolution has the stride, and the shortcut's output is added in place of x",
        )
        more = nn.ConstantPad3d((0, 0, 0, 0, 0, 3), 0.5)
        mine, theirs = BasicBlock(4, 7, 1, more), TheirBlock(4, 7, 1, more)
        same_numbers(mine, theirs, "BasicBlock(4, 7)", "inputs to width, then width to width", draw=3)
        checking.close(mine.train()(x), theirs.train()(x), "BasicBlock(4, 7) in training", atol=1e-4)

# %% [markdown]
# **Shortcuts.** Where a stage begins, height and width halve and the channels double, so $x$ does not fit
# $F(x)$. Then a *projection* brings it into shape: a 1x1 convolution with the block's stride, without bias, and
# a batch normalisation, no activation. Everywhere else the shortcut is the *identity*: it costs nothing.
#
# $$\text{identity: } y = F(x) + x, \qquad \text{projection: } y = F(x) + W_s x .$$
#
# ### Exercise: Shortcut


# %% exercise="shortcuts" topics="shortcuts"
class Shortcut(nn.Module):
    """What stands beside a residual block: [N, inputs, H, W] to [N, outputs, H / stride, W / stride].

    If input and output have the same shape, it gives back x and has no parameters; otherwise it is a projection.
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.project = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.project.append(nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False))
            self.project.append(nn.BatchNorm2d(outputs))
        ### END SOLUTION

    def forward(self, x: Tensor) -> Tensor:
        ### BEGIN SOLUTION
        return self.project(x)
        ### END SOLUTION


# %% check="shortcuts" points=3
with checking.check("shortcuts"):
    x = torch.randn(2, 4, 6, 5, generator=torch.Generator().manual_seed(4))
    checking.equal(shapes(Shortcut(4, 4, 1)), {}, "the parameters of Shortcut(4, 4, 1)", hint="the identity has none")
    checking.equal(Shortcut(4, 4, 1)(x), x, "Shortcut(4, 4, 1)(x)", hint="x itself")
    for inputs, outputs, stride in ((4, 8, 2), (4, 6, 1), (4, 4, 2), (4, 2, 1)):
        what = f"Shortcut({inputs}, {outputs}, {stride})"
        theirs = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
        mine = Shortcut(inputs, outputs, stride)
        same_numbers(mine, theirs, what, "a 1x1 convolution without bias and its normalisation, if the shape changes")
        with torch.no_grad():
            checking.close(mine(x), theirs(x), f"{what}(x)", hint="the stride is in the 1x1 convolution; no activation")

# %% [markdown]
# **Does the shortcut matter?** Two networks from your block: with your shortcuts, and with zeros beside each
# block, which leaves everything but the addition. Left: how large the gradient of each convolution is before
# any training, for 42 layers. Right: training on digits, for three depths.


# %% experiment="plain_and_residual" topics="basic_block, shortcuts, resnet"
class Nothing(nn.Module):
    """A shortcut through which nothing passes."""

    def forward(self, x: Tensor) -> Tensor:
        return x.new_zeros(())


def plain_block(inputs: int, width: int, stride: int, shortcut: nn.Module | None) -> nn.Module:
    return BasicBlock(inputs, width, stride, Nothing())


def deep(blocks: int, residual: bool) -> nn.Module:
    """A 3x3 convolution and two stages of blocks with two convolutions each: 4 * blocks + 2 layers with weights."""
    torch.manual_seed(nb.seed)
    stem = OrderedDict(conv=nn.Conv2d(1, 8, 3, padding=1, bias=False), bn=nn.BatchNorm2d(8), relu=nn.ReLU())
    block = BasicBlock if residual else plain_block
    return models.ResNet(stem, 8, block, (blocks, blocks), (8, 16), 10, Shortcut).to(nb.device)


digits = data.digits()
depths = [2, 5, 10]
figure, (left, right) = plt.subplots(1, 2, figsize=(9.2, 3.4))
final, spread = {}, {}
for residual, colour in ((True, "C0"), (False, "C1")):
    name = "residual" if residual else "plain"
    network = deep(depths[-1], residual).train()
    x, y = digits.train.images[:128].to(nb.device), digits.train.labels[:128].to(nb.device)
    F.cross_entropy(network(x), y).backward()
    sizes = [p.grad.norm().item() for p in network.parameters() if p.ndim == 4 and p.shape[2] == 3]
    spread[name] = sizes[0] / sizes[-1]
    left.semilogy(range(1, len(sizes) + 1), sizes, color=colour, label=name)
    final[name] = []
    for blocks in depths:
        network = deep(blocks, residual)
        optimizer = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9)
        history = training.fit(
            network,
            digits.train,
            epochs=nb.pick(fast=2, full=10),
            optimizer=optimizer,
            seed=nb.seed,
            progress=False,
        )
        final[name].append(history.train_loss[-1])
    right.plot([4 * blocks + 2 for blocks in depths], final[name], "o-", color=colour, label=name)
left.set(
    title="Before training, 42 layers", xlabel="convolution, from the image on", ylabel="norm of the weight's gradient"
)
right.set(title="After training", xlabel="layers", ylabel="training loss, last epoch", ylim=(0, None))
right.set_xticks([4 * blocks + 2 for blocks in depths])
left.legend()
right.legend()
plt.show()
record("residual_gradient_first_over_last", spread["residual"], low=1, high=100)
record("plain_gradient_first_over_last", spread["plain"], low=50)
record("plain_42_loss_over_residual_42_loss", final["plain"][-1] / final["residual"][-1], low=1.3)

# %% [markdown]
# With batch normalisation the plain network's gradient does not vanish, it *explodes* towards the image: no
# learning rate suits both ends. With shortcuts the two ends differ by a factor of about ten, not of hundreds,
# and depth hurts far less. More epochs widen the gap between the two.
