# ---
# course:
#   title: Network architectures and what they cost
#   minutes: 180
#   summary: Write the blocks from ResNet to MobileNetV3, train whole networks of them, and weigh accuracy against parameters, operations, memory, time and energy.
# ---

# %% [markdown]
# # Network architectures and what they cost
#
# AlexNet of 2012 and MobileNetV3 of 2019 sort the same photographs into the same 1000 classes. The second is
# right far more often with a third of the multiplications and a tenth of the parameters. What happened
# in between is a handful of blocks, each a few lines of code, and each an answer to one question: how can a
# network be deeper, or cheaper? Here you write them, plug them into whole networks, and measure what they save
# and what they do not.
#
# **You will be able to**
# - write batch normalisation for training and for use, and make it disappear before the network is shipped,
# - write the blocks of ResNet, SqueezeNet, MobileNetV1 to V3, SENet and ShuffleNet, and say what each one buys,
# - count a network's parameters, bytes, activations, MACs and FLOP from its table of layers,
# - read a claim such as "8 times fewer operations" and say what it does and does not promise about time,
#   memory and energy.
#
# **Time** about three hours. **Needs** a laptop; a GPU adds nothing here, since every timing is of the CPU.
#
# **How it works.** In each exercise, replace `raise NotImplementedError(...)` by your code and run the check
# below it. Some blocks are classes: write both `__init__` and `forward`. The library's networks take blocks as
# arguments, `models.small_resnet(block=BasicBlock)`, so your own code then trains inside them. Every section
# needs only the set-up cell and its own cells, except that section 4 also uses `BasicBlock` of section 3, and section 14
# the blocks you wrote.
#
# Letters: $N$ images, $C$ channels, $H \times W$ positions, $K \times K$ filters, stride $S$. A MAC is one
# multiplication and one addition. Feature maps are tensors `[N, C, H, W]`.

# %% tags=["parameters"]
profile = "fast"
device = "auto"
seed = 0

# %% tags=["setup"]
import copy
import itertools
import math
from collections import OrderedDict
from collections.abc import Callable
from functools import partial

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib import checking, data, explore, measure, models, notebook, record, training

nb = notebook.start("1c_architectures", profile=profile, device=device, seed=seed)
cpu = notebook.describe_hardware("cpu")
torch.set_num_threads(1)  # every timing here is of one CPU thread


def quickest(calls: dict[str, Callable], rounds: int = 10) -> dict[str, float]:
    """Seconds of the best run of each call, all in turn: what else the computer does only ever makes a run slower."""
    best = dict.fromkeys(calls, math.inf)
    for _ in range(rounds):
        for name, call in calls.items():
            best[name] = min(best[name], measure.latency(call, warmup=1, runs=2).low)
    return best


def meta_counts(make: Callable[[], nn.Module], side: int = 224) -> measure.Counts:
    """What a network costs for one image [3, side, side]; torch's meta device has shapes and no numbers."""
    with torch.device("meta"):
        return measure.count(make(), torch.empty(1, 3, side, side))


def by_kind(module: nn.Module) -> dict[str, list[Tensor]]:
    """A module's parameters and running statistics by kind, in the order in which its layers were made."""
    found: dict[str, list[Tensor]] = {}
    for name, tensor in module.state_dict().items():
        kind = name.rpartition(".")[2]
        if kind != "num_batches_tracked":
            found.setdefault(f"filters or matrices: {kind}" if tensor.ndim > 1 else kind, []).append(tensor)
    return found


def shapes(module: nn.Module) -> dict[str, list[list[int]]]:
    """The shapes of what `by_kind` finds; a 1x1 filter counts as a matrix."""
    return {
        kind: [list(t.shape[:2]) if t.shape[2:] == (1, 1) else list(t.shape) for t in tensors]
        for kind, tensors in by_kind(module).items()
    }


def same_numbers(mine: nn.Module, theirs: nn.Module, what: str, hint: str, draw: int = 1) -> None:
    """Check that two modules have the same parameters, give both the same random numbers, and set them to eval."""
    checking.equal(shapes(mine), shapes(theirs), f"the shapes of the parameters of {what}", hint=hint)
    generator = torch.Generator().manual_seed(draw)
    numbers = by_kind(mine)
    for kind, tensors in by_kind(theirs).items():
        for own, other in zip(numbers[kind], tensors, strict=True):
            spread = (2 / other[0].numel()) ** 0.5 if other.ndim > 1 else 0.5
            centre = 1.0 if kind in ("weight", "running_var") else 0.0
            other.copy_(centre + spread * (2 * torch.rand(other.shape, generator=generator) - 1))
            own.copy_(other.reshape(own.shape))
    mine.eval()
    theirs.eval()


# %% [markdown]
# ## 1. Batch normalisation
#
# Each layer's input is the output of layers that are learning at the same time, so its scale drifts, and a
# learning rate that suits one layer is too large for the next. Batch normalisation (Ioffe and Szegedy, 2015)
# gives every channel mean 0 and variance 1, then a scale $\gamma_c$ and a shift $\beta_c$ that are learned:
#
# $$y = \gamma_c \, \frac{x - \mu_c}{\sqrt{\sigma_c^2 + \epsilon}} + \beta_c .$$
#
# Where $\mu_c$ and $\sigma_c^2$ come from depends on the mode.
#
# - **Training**: from this batch: mean and variance of channel $c$ over the $m = N H W$ numbers it has in the
#   batch, the variance with divisor $m$. At the same time running statistics follow along, with momentum
#   $\alpha$ (0.1 in PyTorch):
#   $$r \leftarrow (1 - \alpha)\, r + \alpha \cdot \text{(statistic of this batch)}.$$
#   The running *variance* takes the unbiased estimate, with divisor $m - 1$.
# - **Use** (`eval`): from the running statistics, which stay as they are. An image's result then depends on
#   nothing but the image.
#
# **By hand.** One channel with the numbers 1, 3, 5, 7 in the whole batch: $\mu = 4$,
# $\sigma^2 = (9+1+1+9)/4 = 5$. With $\gamma = 2, \beta = 1, \epsilon = 0$ the first number becomes
# $2 \cdot (1-4)/\sqrt5 + 1 = -1.683$. Running statistics that were 0 and 1 become
# $0.9 \cdot 0 + 0.1 \cdot 4 = 0.4$ and $0.9 \cdot 1 + 0.1 \cdot 20/3 = 1.567$.
#
# ### Exercise: batch_norm
#
# Without torch's own batch normalisation. The running statistics are changed in place
# (`tensor.mul_`, `tensor.add_`, `tensor.lerp_`, `tensor[:] = ...`), and no gradient may flow into them: use
# `with torch.no_grad():` or `.detach()`.


# %% exercise="batch_norm" topics="batch_norm"
def batch_norm(
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    running_mean: Tensor,
    running_var: Tensor,
    training: bool,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Batch normalisation of feature maps.

    x                          float [N, C, H, W]; it keeps its values.
    weight, bias               gamma and beta, float [C].
    running_mean, running_var  float [C]. training=True: changed in place, without gradients; their old values play no
                               part in the result. training=False: used, and left as they are.
    momentum                   share of the new batch in the running statistics.
    eps                        added to the variance.

    Returns float [N, C, H, W].
    """
    ### BEGIN SOLUTION
    if training:
        mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
        count = x.numel() / x.shape[1]
        with torch.no_grad():
            running_mean.lerp_(mean, momentum)
            running_var.lerp_(var * count / (count - 1), momentum)
    else:
        mean, var = running_mean, running_var
    scale = weight / torch.sqrt(var + eps)
    return x * scale[:, None, None] + (bias - mean * scale)[:, None, None]
    ### END SOLUTION


# %% check="batch_norm" points=5
with checking.check("batch_norm"):
    x = torch.tensor([1.0, 3.0, 5.0, 7.0]).reshape(2, 1, 1, 2)
    mean, var = torch.zeros(1), torch.ones(1)
    y = batch_norm(x, torch.tensor([2.0]), torch.tensor([1.0]), mean, var, True, eps=0.0)
    checking.close(
        y.flatten(),
        [-1.683282, 0.105573, 1.894427, 3.683282],
        "batch_norm of 1, 3, 5, 7 in training",
        hint="mean 4, variance 5 (divisor m); first normalise, then times weight, then plus bias",
    )
    checking.close(mean, [0.4], "running_mean after that", hint="90% of the old value and 10% of the batch's mean")
    checking.close(
        var, [0.9 + 2 / 3], "running_var after that", hint="the running variance takes the unbiased estimate, 20 / 3"
    )

    draw = torch.Generator().manual_seed(1)
    batch = 3 * torch.randn(4, 3, 5, 6, generator=draw) + 2
    w, b = torch.rand(3, generator=draw) + 0.5, torch.randn(3, generator=draw)
    mean, var = torch.randn(3, generator=draw), torch.rand(3, generator=draw) + 0.5
    mine, theirs = (mean.clone(), var.clone()), (mean.clone(), var.clone())
    with checking.unchanged(x=batch, weight=w, bias=b), checking.without("F.batch_norm"):
        y = batch_norm(batch, w, b, *mine, True, momentum=0.3, eps=0.1)
    checking.close(
        y,
        F.batch_norm(batch, *theirs, w, b, True, 0.3, 0.1),
        "batch_norm in training, three channels",
        rtol=1e-3,
        atol=1e-5,
        hint="one mean and one variance per channel, over images and positions; the running ones play no part",
    )
    checking.close(mine, theirs, "the running statistics, momentum=0.3", hint="changed in place, one per channel")
    checking.close(
        batch_norm(batch, w, b, mean, var, False, eps=0.1),
        F.batch_norm(batch, mean, var, w, b, False, 0.1, 0.1),
        "batch_norm in use",
        rtol=1e-3,
        atol=1e-5,
        hint="training=False uses the running statistics as they are",
    )
    with checking.unchanged(running_mean=mean, running_var=var):
        batch_norm(batch, w, b, mean, var, False)
    single = batch_norm(batch[:1], w, b, mean, var, False)
    checking.close(
        single,
        batch_norm(batch, w, b, mean, var, False)[:1],
        "the first image alone, in use",
        hint="in use an image's result does not depend on the others",
    )
    mine = (torch.zeros(3), torch.ones(3))
    batch_norm(batch.clone().requires_grad_(), w, b, *mine, True)
    checking.that(
        not mine[0].requires_grad and not mine[1].requires_grad,
        "the running statistics should not require gradients",
        hint="detach the batch's mean and variance before they go into the running ones",
    )

# %% [markdown]
# What does it buy? A small VGG learns the 8x8 digits for two epochs with plain gradient descent, at many
# learning rates, with your normalisation and without any.


# %% experiment="norm_and_learning_rate" topics="batch_norm"
class YourNorm(nn.Module):
    """Keeps gamma, beta and the running statistics for your function."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        return batch_norm(x, self.weight, self.bias, self.running_mean, self.running_var, self.training)


digits = data.digits()
rates = nb.pick(fast=[0.01, 0.1, 0.3, 1.0], full=[0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 2.0, 3.0])
curves = {}
for name, norm in (("with batch normalisation", YourNorm), ("without", None)):
    curves[name] = []
    for rate in rates:
        torch.manual_seed(nb.seed)
        network = models.small_vgg(in_channels=1, width=8, norm=norm).to(nb.device)
        training.fit(
            network,
            digits.train,
            epochs=2,
            optimizer=torch.optim.SGD(network.parameters(), lr=rate),
            batch_size=32,
            seed=nb.seed,
            progress=False,
        )
        curves[name].append(training.evaluate(network, digits.test).accuracy)
figure, axes = plt.subplots(figsize=(6.4, 3.2))
for name, line in curves.items():
    axes.semilogx(rates, line, "o-", label=name)
axes.axhline(0.1, color="0.5", linestyle=":")
axes.set(title="Digits after two epochs", xlabel="learning rate", ylabel="test accuracy", ylim=(0, 1.02))
axes.xaxis.set_major_formatter("{x:g}")
axes.legend()
plt.show()
with_norm, without = curves.values()
record("accuracy_with_norm_rate_1", with_norm[rates.index(1.0)], low=0.3, high=1)
record("accuracy_without_norm_rate_1", without[rates.index(1.0)], low=0, high=0.25)
record("accuracy_with_norm_rate_001", with_norm[rates.index(0.01)], low=0.6, high=1)
record("accuracy_without_norm_rate_001", without[rates.index(0.01)], low=0, high=0.7)

# %% [markdown]
# Normalised, the network learns over a range of learning rates of a hundred to one: a layer's output does not
# change when all its weights grow, so a large step does less harm.
#
# The price is the two modes. Forgetting `network.eval()` is among the most common bugs in deep learning, and
# nothing complains. Here is the trained network of this course in the wrong mode, for batches of different
# sizes.

# %% experiment="forgotten_eval" topics="batch_norm"
network = training.load("shapes_resnet").to(nb.device)
test = data.shapes(train=0, test=nb.pick(fast=320, full=1000)).test.to(nb.device)
right = training.evaluate(network, test).accuracy
for module in network.modules():
    if isinstance(module, nn.BatchNorm2d):
        module.momentum = 0.0  # wrong mode, but the running statistics stay as they are
sizes, wrong = [1, 2, 4, 8, 16, 64], []
with torch.no_grad():
    for size in sizes:
        network.train()
        hits = [(network(x).argmax(1) == y).sum().item() for x, y in test.batches(size)]
        wrong.append(sum(hits) / len(test))
figure, axes = plt.subplots(figsize=(6.4, 3.0))
axes.semilogx(sizes, wrong, "o-", label="training mode: statistics of the batch")
axes.axhline(right, color="C1", label="eval mode: running statistics")
axes.set(
    title="Batch normalisation in the wrong mode", xlabel="images in a batch", ylabel="test accuracy", ylim=(0, 1.02)
)
axes.set_xticks(sizes, sizes)
axes.minorticks_off()
axes.legend(loc="lower right")
plt.show()
record("accuracy_in_eval_mode", right, low=0.8, high=1)
record("accuracy_in_training_mode_batch_1", wrong[0], low=0.1, high=0.6)
record("accuracy_in_training_mode_batch_64", wrong[-1], low=0.75, high=1)

# %% [markdown]
# One image alone loses what distinguishes it: its own brightness and contrast are normalised away. With large
# batches the mistake hides, so test with batches of one.

# %% [markdown]
# ## 2. Folding it away
#
# In use, batch normalisation multiplies each channel by a constant and adds a constant. So does the convolution
# before it: both are linear, and the second can be worked into the first. With filter $w_k$ and bias $b_k$ of
# output channel $k$ and $s_k = \gamma_k / \sqrt{\sigma_k^2 + \epsilon}$,
#
# $$\gamma_k \frac{(w_k * x + b_k) - \mu_k}{\sqrt{\sigma_k^2+\epsilon}} + \beta_k
#    \;=\; \underbrace{(s_k w_k)}_{\text{new filter}} * x + \underbrace{s_k (b_k - \mu_k) + \beta_k}_{\text{new bias}} .$$
#
# The layer is gone, and with it one pass over the feature map: read, scale, write. Every network is folded
# before it is quantized or shipped.
#
# **By hand.** A filter of one weight 3 without bias, $\mu = 4, \sigma^2 = 4, \gamma = 6, \beta = 1, \epsilon
# = 0$: $s = 3$, new weight 9, new bias $3 \cdot (0-4) + 1 = -11$. Try $x = 2$: $3 \cdot 2 = 6$, normalised
# $(6-4)/2 = 1$, result $6 \cdot 1 + 1 = 7$; folded $9 \cdot 2 - 11 = 7$.
#
# ### Exercise: fold_batch_norm


# %% exercise="bn_folding" topics="bn_folding"
def fold_batch_norm(
    conv_weight: Tensor,
    conv_bias: Tensor | None,
    gamma: Tensor,
    beta: Tensor,
    mean: Tensor,
    var: Tensor,
    eps: float = 1e-5,
) -> tuple[Tensor, Tensor]:
    """One convolution in place of a convolution and the batch normalisation after it.

    conv_weight  float [C_out, C_in / groups, K_h, K_w]; conv_bias float [C_out] or None. They keep their values.
    gamma, beta  the normalisation's weight and bias, float [C_out].
    mean, var    its running statistics, float [C_out].

    Returns (weight, bias) of the new convolution: shapes of conv_weight and [C_out].
    """
    ### BEGIN SOLUTION
    scale = gamma / torch.sqrt(var + eps)
    shifted = -mean if conv_bias is None else conv_bias - mean
    return conv_weight * scale[:, None, None, None], beta + scale * shifted
    ### END SOLUTION


# %% check="bn_folding" points=4
with checking.check("bn_folding"):
    one = [torch.tensor([value]) for value in (6.0, 1.0, 4.0, 4.0)]  # gamma, beta, mean, var
    weight, bias = fold_batch_norm(torch.tensor([[[[3.0]]]]), None, *one, eps=0.0)
    checking.close(weight, [[[[9.0]]]], "the folded weight", hint="6 / sqrt(4) = 3; times 3")
    checking.close(bias, [-11.0], "the folded bias", hint="3 * (0 - 4) + 1; without a bias b is 0")

    draw = torch.Generator().manual_seed(2)
    for groups, has_bias in ((1, False), (1, True), (4, True)):
        x = torch.randn(2, 4, 5, 5, generator=draw)
        w = torch.randn(4, 4 // groups, 3, 3, generator=draw)
        b = torch.randn(4, generator=draw) if has_bias else None
        gamma, beta, mean = torch.randn(3, 4, generator=draw)
        var = torch.rand(4, generator=draw) + 0.2
        expected = F.batch_norm(F.conv2d(x, w, b, groups=groups), mean, var, gamma, beta, eps=0.05)
        with checking.unchanged(conv_weight=w, gamma=gamma, beta=beta, mean=mean, var=var):
            folded = fold_batch_norm(w, b, gamma, beta, mean, var, eps=0.05)
        checking.close(
            F.conv2d(x, *folded, groups=groups),
            expected,
            f"the folded convolution, groups={groups}, {'with' if has_bias else 'without'} a bias",
            atol=1e-4,
            hint="scale[k] belongs to filter k, the first axis; the old bias is shifted by the mean and scaled too",
        )

# %% [markdown]
# Now fold whole networks with your function, and measure. MobileNetV2 has 52 of these pairs.


# %% experiment="folding_pays" topics="bn_folding"
def fold_network(network: nn.Module) -> int:
    """Fold each batch normalisation into the convolution that stands just before it; returns how many."""
    folded = 0
    for parent in list(network.modules()):
        children = list(parent.named_children())
        for (_, conv), (name, bn) in itertools.pairwise(children):
            if isinstance(conv, nn.Conv2d) and isinstance(bn, nn.BatchNorm2d):
                weight, bias = fold_batch_norm(
                    conv.weight.detach(),
                    conv.bias,
                    bn.weight.detach(),
                    bn.bias.detach(),
                    bn.running_mean,
                    bn.running_var,
                    bn.eps,
                )
                conv.weight, conv.bias = nn.Parameter(weight), nn.Parameter(bias)
                setattr(parent, name, nn.Identity())
                folded += 1
    return folded


test = data.shapes(train=0, test=200).test
network = training.load("shapes_resnet").eval()
with torch.no_grad():
    before = network(test.images)
    fold_network(network)
    difference = (network(test.images) - before).abs().max().item()
print(f"the trained network on 200 scenes: logits up to {before.abs().max():.1f}, largest difference {difference:.1e}")

image = torch.randn(1, 3, 224, 224, generator=nb.generator())
rows = []
with torch.no_grad():
    for name, make in (("MobileNetV2", models.mobilenet_v2), ("ResNet-18", models.resnet18)):
        network = make().eval()
        folded = copy.deepcopy(network)
        pairs = fold_network(folded)
        times = quickest(
            {"plain": partial(network, image), "folded": partial(folded, image)}, rounds=nb.pick(fast=4, full=40)
        )
        rows.append((name, pairs, *times.values()))
figure, axes = plt.subplots(figsize=(5.6, 3.0))
for column, (_, _, plain, folded) in enumerate(rows):
    bars = axes.bar([column - 0.2, column + 0.2], [1e3 * plain, 1e3 * folded], 0.36, color=["C0", "C1"])
    axes.bar_label(bars, fmt="%.0f")
axes.set_xticks(range(len(rows)), [f"{name}\n{pairs} pairs" for name, pairs, *_ in rows])
axes.set(title=f"One image, one thread of\n{cpu}", ylabel="time, ms")
axes.legend(bars, ["with batch normalisation", "folded"])
axes.margins(y=0.15)
plt.show()
record("folding_largest_difference", difference, low=0, high=1e-3)
record("mobilenet_v2_time_over_folded", rows[0][2] / rows[0][3], low=0.9, high=4)

# %% [markdown]
# The answers are the same to rounding. Batch normalisation takes hardly any operations, but it reads and
# writes every feature map once more: that is what is saved. Runs differ; look at the ratio, and run the cell
# again.

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

# %% [markdown]
# ## 4. Families around it
#
# You now know enough to read the networks of 2012 to 2017. The library has them all.
#
# - **AlexNet** (Krizhevsky et al., 2012): five convolutions, the first 11x11, then three dense layers.
# - **VGG** (Simonyan and Zisserman, 2015): 3x3 filters alone. Two of them see 5x5 pixels with
#   $2 \cdot 9 = 18$ weights per pair of channels instead of 25, and have a ReLU in between.
# - **ResNet** (2016): stem, four stages of blocks, *global average pooling*, one dense layer.
# - **ResNeXt** (Xie et al., 2017): bottlenecks whose 3x3 convolution works in 32 groups.
# - **DenseNet** (Huang et al., 2017): every layer reads the outputs of *all* layers before it in its stage.
#
# First question: where do their parameters sit? (Networks on torch's `meta` device have shapes and no
# numbers, so that counting VGG-16 takes no memory.)

# %% experiment="where_parameters_sit" topics="alexnet_vgg, resnet"
families = {
    "AlexNet": models.alexnet,
    "VGG-16": models.vgg16,
    "ResNet-50": models.resnet50,
    "MobileNetV2": models.mobilenet_v2,
}
counts = {name: meta_counts(make) for name, make in families.items()}
figure, axes = plt.subplots(1, 2, figsize=(9, 2.9), sharey=True)
for axis, quantity, unit in ((axes[0], "parameters", 1e6), (axes[1], "macs", 1e9)):
    for row, count in enumerate(counts.values()):
        left = 0.0
        for kind, colour, wanted in (
            ("convolutions", "C0", lambda layer: layer.kind == "Conv2d"),
            ("dense layers", "C1", lambda layer: layer.kind == "Linear"),
        ):
            amount = sum(getattr(layer, quantity) for layer in count.layers if wanted(layer)) / unit
            axis.barh(row, amount, left=left, color=colour, label=kind if row == 0 else None)
            left += amount
        axis.text(left, row, f" {left:.3g}", va="center", fontsize=9)
    axis.margins(x=0.12)
axes[0].set_yticks(range(4), counts)
axes[0].invert_yaxis()
axes[0].set(title="Parameters", xlabel="millions")
axes[1].set(title="MACs for one image", xlabel="billions")
axes[0].legend(fontsize=8, loc="lower right")
plt.show()
dense = sum(layer.parameters for layer in counts["VGG-16"].layers if layer.kind == "Linear")
record("vgg16_share_of_parameters_in_dense_layers", dense / counts["VGG-16"].parameters, low=0.89, high=0.9)
record("vgg16_parameters", counts["VGG-16"].parameters, low=138_357_544, high=138_357_544)

# %% [markdown]
# AlexNet and VGG keep nine parameters of ten in dense layers that do almost none of the work: the first of
# them reads all $7 \cdot 7 \cdot 512$ numbers of VGG's last maps. Global average pooling leaves 512 (or 2048)
# numbers to read, and the problem is gone. Pruning and quantization papers like to report on AlexNet and VGG:
# you see why.
#
# **Bottlenecks.** With 256 channels a 3x3 convolution is expensive. ResNet-50's *bottleneck* first reduces
# them to 64 by a 1x1 convolution, convolves, and restores them by another. ResNeXt spends what it saves: 128
# inner channels in 32 groups.

# %% experiment="bottleneck_arithmetic" topics="bottleneck, resnext, basic_block"
from course_lib.models.residual_blocks import Bottleneck

channels, side = 256, 14
blocks = {
    "basic block": BasicBlock(channels, channels),
    "bottleneck, 64 inside": Bottleneck(channels, 64),
    "ResNeXt, 128 in 32 groups": Bottleneck(channels, 64, groups=32, widening=2),
}
x = torch.randn(1, channels, side, side, generator=nb.generator(1))
calls = {}
with torch.no_grad():
    for name, block in blocks.items():
        calls[name] = partial(block.eval(), x)
    seconds = quickest(calls, rounds=10)
figure, axes = plt.subplots(1, 2, figsize=(9, 2.6), sharey=True)
for row, (name, block) in enumerate(blocks.items()):
    left = 0.0
    for layer in (layer for layer in measure.count(block, x).layers if layer.macs):
        kernel = layer.name.startswith("conv2") or name == "basic block"
        axes[0].barh(row, layer.macs / 1e6, left=left, color="C0" if kernel else "C5", edgecolor="white")
        left += layer.macs / 1e6
    axes[0].text(left, row, f" {left:.3g}", va="center", fontsize=9)
    axes[1].barh(row, 1e3 * seconds[name], color="C1")
    axes[1].text(1e3 * seconds[name], row, f" {1e3 * seconds[name]:.2g}", va="center", fontsize=9)
axes[0].set_yticks(range(3), blocks)
axes[0].invert_yaxis()
axes[0].set(title="Each bar piece is a convolution (dark: 3x3)", xlabel="million MACs, 256 to 256 channels, 14 x 14")
axes[1].set(title="Time", xlabel="ms, one thread")
for axis in axes:
    axis.margins(x=0.15)
plt.show()
macs = {name: measure.count(block, x).macs for name, block in blocks.items()}
record("basic_over_bottleneck_macs", macs["basic block"] / macs["bottleneck, 64 inside"], low=16.9, high=17.0)
record(
    "resnext_over_bottleneck_macs",
    macs["ResNeXt, 128 in 32 groups"] / macs["bottleneck, 64 inside"],
    low=1.0,
    high=1.02,
)
record(
    "resnext_over_bottleneck_time",
    seconds["ResNeXt, 128 in 32 groups"] / seconds["bottleneck, 64 inside"],
    low=0.7,
    high=6,
)

# %% [markdown]
# The bottleneck costs 17 times less and has one ReLU more. ResNeXt's costs the same as the bottleneck in
# MACs, and on ImageNet it is more accurate: 77.6 against 76.1% for 50 layers (torchvision). In time it is no
# cheaper: its grouped filters are thin, and few libraries are good at them.
#
# **Dense connections.** In DenseNet each layer adds only 32 channels, but reads all channels before it.

# %% experiment="dense_connections" topics="densenet"
counts = {"ResNet-50": meta_counts(models.resnet50), "DenseNet-121": meta_counts(models.densenet121)}
reads = {}
for name, make in (("ResNet-50", models.resnet50), ("DenseNet-121", models.densenet121)):
    with torch.device("meta"):
        network = make()
    filters = {key: module for key, module in network.named_modules() if isinstance(module, nn.Conv2d)}
    outputs = {layer.name: math.prod(layer.output) for layer in counts[name].layers}
    # a filter's input has as many positions as its output, times the square of its stride
    inputs = sum(
        outputs[key] // conv.out_channels * conv.in_channels * conv.stride[0] ** 2 for key, conv in filters.items()
    )
    reads[name] = inputs
    if name == "DenseNet-121":
        stage = [
            (conv.in_channels, key) for key, conv in filters.items() if "denseblock3" in key and key.endswith("conv1")
        ]
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.0))
left.bar(range(1, len(stage) + 1), [width for width, _ in stage], color="C0", label="reads")
left.bar(range(1, len(stage) + 1), 32, color="C1", label="adds")
left.set(title="DenseNet-121, third stage", xlabel="layer", ylabel="channels")
left.legend()
ratios = {
    "parameters": counts["DenseNet-121"].parameters / counts["ResNet-50"].parameters,
    "MACs": counts["DenseNet-121"].macs / counts["ResNet-50"].macs,
    "numbers read\nper MAC": (reads["DenseNet-121"] / counts["DenseNet-121"].macs)
    / (reads["ResNet-50"] / counts["ResNet-50"].macs),
}
bars = right.bar(ratios.keys(), ratios.values(), color="C2", width=0.5)
right.bar_label(bars, fmt="%.2f")
right.axhline(1, color="0.5", linestyle=":")
right.set(title="DenseNet-121 over ResNet-50", ylabel="ratio", ylim=(0, 2.2))
plt.show()
record("densenet_over_resnet_parameters", ratios["parameters"], low=0.31, high=0.32)
record("densenet_over_resnet_reads_per_mac", ratios["numbers read\nper MAC"], low=2.0, high=2.05)

# %% [markdown]
# A third of ResNet-50's parameters, at 1.7 points less accuracy (74.4%). But it reads twice as many
# activations for each MAC, and it must keep all of a stage's maps in memory to do so: few parameters do not
# mean little memory.

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

# %% [markdown]
# ## 6. MobileNetV1: filter, then mix
#
# A convolution does two things at once: it looks at the neighbourhood, and it mixes channels. MobileNetV1
# (Howard et al., 2017) does one after the other. A **depthwise separable convolution** is
#
# 1. a depthwise 3x3 convolution (each channel has one filter, `groups` = channels), with the stride, then batch
#    normalisation and ReLU;
# 2. a pointwise (1x1) convolution that mixes the channels, then batch normalisation and ReLU.
#
# Neither convolution has a bias.
#
# ### Exercise: DepthwiseSeparable


# %% exercise="depthwise_separable" topics="depthwise_separable"
class DepthwiseSeparable(nn.Module):
    """MobileNetV1's layer pair: [N, inputs, H, W] to [N, outputs, H / stride, W / stride]."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.layers = nn.Sequential(
            nn.Conv2d(inputs, inputs, 3, stride=stride, padding=1, groups=inputs, bias=False),
            nn.BatchNorm2d(inputs),
            nn.ReLU(),
            nn.Conv2d(inputs, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
        )
        ### END SOLUTION

    def forward(self, x: Tensor) -> Tensor:
        ### BEGIN SOLUTION
        return self.layers(x)
        ### END SOLUTION


# %% check="depthwise_separable" points=4
with checking.check("depthwise_separable"):

    def one_by_one(inputs: int, outputs: int, stride: int) -> nn.Module:
        """The same from torchvision's layers."""
        from torchvision.ops import Conv2dNormActivation as Layer

        return nn.Sequential(Layer(inputs, inputs, 3, stride, groups=inputs), Layer(inputs, outputs, 1))

    x = torch.randn(2, 6, 7, 5, generator=torch.Generator().manual_seed(6))
    for inputs, outputs, stride in ((6, 8, 1), (6, 4, 2), (6, 6, 1)):
        what = f"DepthwiseSeparable({inputs}, {outputs}, {stride})"
        mine, theirs = DepthwiseSeparable(inputs, outputs, stride), one_by_one(inputs, outputs, stride)
        same_numbers(
            mine, theirs, what, "depthwise filters [inputs, 1, 3, 3], then 1x1 filters [outputs, inputs]; no biases"
        )
        with torch.no_grad(), checking.unchanged(x=x):
            checking.close(
                mine(x),
                theirs(x),
                f"{what}(x)",
                hint="depthwise with the stride, BN, ReLU, pointwise, BN, ReLU",
            )

# %% [markdown]
# **What it costs.** Per position of the output a dense $K \times K$ convolution takes $C_\text{in}
# C_\text{out} K^2$ MACs, the separable one $C_\text{in} K^2 + C_\text{in} C_\text{out}$. The ratio is
#
# $$\frac{C_\text{in} K^2 + C_\text{in} C_\text{out}}{C_\text{in} C_\text{out} K^2} = \frac{1}{C_\text{out}} + \frac{1}{K^2} .$$
#
# With 3x3 filters and many channels that is a little more than $1/9$.
#
# **By hand.** 32 to 64 channels, $K = 3$, one position: $32 \cdot 64 \cdot 9 = 18{,}432$ against
# $288 + 2048 = 2336$: 7.9 times fewer.
#
# ### Exercise: separable_cost
#
# The pointwise convolution comes after the stride. Stride $S$ with padding $\lfloor K/2 \rfloor$ and odd $K$
# turns $n$ positions into $\lceil n / S \rceil$; `-(-n // S)` rounds up.


# %% exercise="separable_cost" topics="depthwise_separable"
def separable_cost(
    c_in: int, c_out: int, height: int, width: int, kernel: int = 3, stride: int = 1
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Cost of a dense convolution and of the depthwise separable one in its place, for one image, without biases.

    height, width  of the input; kernel is odd, the padding kernel // 2.

    Returns ((dense parameters, dense MACs), (separable parameters, separable MACs)); batch normalisation is not counted.
    """
    ### BEGIN SOLUTION
    positions = -(-height // stride) * -(-width // stride)
    dense = c_in * c_out * kernel**2
    separable = c_in * kernel**2 + c_in * c_out
    return (dense, dense * positions), (separable, separable * positions)
    ### END SOLUTION


# %% check="separable_cost" points=3
with checking.check("separable_cost"):
    checking.equal(
        separable_cost(32, 64, 1, 1),
        ((18_432, 18_432), (2_336, 2_336)),
        "separable_cost(32, 64, 1, 1)",
        hint="32 * 64 * 9, and 32 * 9 + 32 * 64",
    )
    checking.equal(
        separable_cost(8, 16, 10, 6, kernel=5),
        ((3_200, 192_000), (328, 19_680)),
        "separable_cost(8, 16, 10, 6, kernel=5)",
        hint="parameters do not depend on the image; every weight is used once at each of the 60 positions",
    )
    checking.equal(
        separable_cost(64, 128, 112, 112, stride=2),
        ((73_728, 231_211_008), (8_768, 27_496_448)),
        "separable_cost(64, 128, 112, 112, stride=2), the second pair of MobileNetV1",
        hint="56 x 56 positions: count output positions, for both convolutions",
    )
    checking.equal(
        separable_cost(4, 4, 7, 5, stride=2)[1][1],
        52 * 12,
        "MACs of the separable one, 7 x 5, stride 2",
        hint="4 x 3 positions: round up",
    )

# %% [markdown]
# Eight to nine times fewer MACs. How much less time? Five layers with the channels and output sizes of MobileNetV1 (all
# with stride 1 here), each as a dense 3x3 convolution with its normalisation and as your separable pair.

# %% experiment="separable_in_time" topics="depthwise_separable"
layers = [(32, 64, 112), (64, 128, 56), (128, 256, 28), (256, 512, 14), (512, 512, 14)]
macs_ratio, time_ratio = [], []
with torch.no_grad():
    for c_in, c_out, side in layers:
        x = torch.randn(1, c_in, side, side, generator=nb.generator(2))
        dense = nn.Sequential(nn.Conv2d(c_in, c_out, 3, padding=1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU()).eval()
        pair = DepthwiseSeparable(c_in, c_out, 1).eval()
        seconds = quickest({"dense": partial(dense, x), "pair": partial(pair, x)}, rounds=8)
        (_, dense_macs), (_, pair_macs) = separable_cost(c_in, c_out, side, side)
        macs_ratio.append(dense_macs / pair_macs)
        time_ratio.append(seconds["dense"] / seconds["pair"])
figure, axes = plt.subplots(figsize=(7, 3.2))
places = torch.arange(len(layers))
axes.bar_label(axes.bar(places - 0.2, macs_ratio, 0.38, label="fewer MACs"), fmt="%.1f")
axes.bar_label(axes.bar(places + 0.2, time_ratio, 0.38, label="less time"), fmt="%.1f")
axes.set_xticks(places, [f"{a} to {b}\n{s} x {s}" for a, b, s in layers])
axes.set(title=f"Dense over separable, one thread of\n{cpu}", xlabel="channels and positions", ylabel="times")
axes.margins(y=0.25)
axes.legend(ncols=2, loc="upper left")
plt.show()
record("separable_fewer_macs", macs_ratio[-1], low=8.84, high=8.85)
record("separable_less_time_first_layer", time_ratio[0], low=0.7, high=7)

# %% [markdown]
# What is saved depends on the layer. In the first ones, with large maps and few channels, the time falls far
# less than the MACs: the pair passes over feature maps three more times, and its depthwise half does few MACs
# for each byte it moves. With small maps and many channels nearly everything is in the 1x1 convolution, a
# plain matrix product, and the time falls by as much as the MACs or more. Section 13 shows where each layer
# stands.

# %% [markdown]
# ## 7. Width and resolution multipliers
#
# One design, many sizes: MobileNets come with two knobs. The **width multiplier** $\alpha$ scales the
# channels of every layer, the **resolution multiplier** $\rho$ the side of the image. A separable layer then
# costs, per image of $H \times W$ positions,
#
# $$\rho H \cdot \rho W\,(\alpha C_\text{in}\, K^2 + \alpha C_\text{in} \cdot \alpha C_\text{out}) \ \text{MACs}:$$
#
# nearly $\alpha^2 \rho^2$. Parameters fall with $\alpha^2$ and do not change with $\rho$; activations fall with
# $\alpha \rho^2$.
#
# Scaled channel numbers must be whole, and hardware likes multiples of 8 (a cache line, a vector register, a
# tensor core's tile). MobileNetV2's rule: the nearest multiple of 8, halves upwards, at least 8; but if that is
# less than 90% of the wanted number, the next multiple up, so that no layer shrinks much.
#
# **By hand.** 32 x 0.75 = 24 stays 24. 24 x 0.35 = 8.4: nearest is 8, and 8 is at least 7.56: 8.
# 96 x 0.19 = 18.24: nearest is 16, but $16 < 0.9 \cdot 18.24 = 16.4$: 24. 52 lies half-way: 56.
#
# ### Exercise: round_channels


# %% exercise="round_channels" topics="multipliers"
def round_channels(channels: float, divisor: int = 8) -> int:
    """The multiple of divisor that stands for a scaled number of channels (MobileNetV2's rule).

    channels  above 0, not necessarily whole.

    Returns the nearest multiple (halves go up), at least divisor, and the next one up if it is below 0.9 * channels.
    """
    ### BEGIN SOLUTION
    nearest = max(divisor, math.floor(channels / divisor + 0.5) * divisor)
    return nearest + divisor if nearest < 0.9 * channels else nearest
    ### END SOLUTION


# %% check="round_channels" points=2
with checking.check("round_channels"):
    for channels, expected, hint in (
        (24, 24, "a multiple stays as it is"),
        (8.4, 8, "the nearest multiple"),
        (22, 24, "the nearest multiple, up or down"),
        (12, 16, "12 is half-way between 8 and 16: up. Python's round() takes halves to the even neighbour"),
        (52, 56, "52 is half-way between 48 and 56: up"),
        (95, 96, "the nearest multiple, not the one below"),
        (3, 8, "at least the divisor"),
        (18.24, 24, "16 would be less than 90% of 18.24"),
        (11, 16, "8 would be less than 90% of 11"),
        (33, 32, "32 is more than 90% of 33"),
    ):
        checking.equal(round_channels(channels), expected, f"round_channels({channels})", hint=hint)
    checking.equal(round_channels(10, divisor=4), 12, "round_channels(10, divisor=4)", hint="half-way: up")
    checking.equal(round_channels(5.3, divisor=1), 5, "round_channels(5.3, divisor=1)")
    checking.equal(
        type(round_channels(17.5)).__name__, "int", "the type of round_channels(17.5)", hint="a whole number"
    )
    wide = models.mobilenet_v2(width=0.75, rounded=round_channels)
    checking.equal(
        sum(p.numel() for p in wide.parameters()),
        2_636_424,
        "the parameters of MobileNetV2 with width 0.75 and your rule",
    )

# %% [markdown]
# ### Exercise: scaled_macs
#
# A network of separable layers under both multipliers. Here channels are rounded simply, with `round`.


# %% exercise="multipliers" topics="multipliers"
def scaled_macs(layers: list[tuple[int, int, int]], side: int, width: float = 1.0, resolution: float = 1.0) -> int:
    """MACs of depthwise separable 3x3 layers, one after the other, for one square image.

    layers      (c_in, c_out, stride) of each, before scaling; a stride turns n positions into
                ceil(n / stride).
    side        height and width of the first layer's input, before scaling.
    width       multiplies all channels, also those of the first input: round(width * channels), at least 1.
    resolution  multiplies the side: round(resolution * side).
    """
    ### BEGIN SOLUTION
    side, macs = round(resolution * side), 0
    for c_in, c_out, stride in layers:
        c_in, c_out = max(1, round(width * c_in)), max(1, round(width * c_out))
        side = -(-side // stride)
        macs += side**2 * c_in * (9 + c_out)
    return macs
    ### END SOLUTION


# %% check="multipliers" points=3
with checking.check("multipliers"):
    pair = [(32, 64, 1)]
    checking.equal(scaled_macs(pair, 10), 233_600, "scaled_macs([(32, 64, 1)], 10)", hint="100 * (32 * 9 + 32 * 64)")
    checking.equal(
        scaled_macs(pair, 10, width=0.5),
        65_600,
        "scaled_macs([(32, 64, 1)], 10, width=0.5)",
        hint="16 * 9 + 16 * 32: both numbers of channels are halved",
    )
    checking.equal(
        scaled_macs(pair, 10, resolution=0.5),
        58_400,
        "scaled_macs([(32, 64, 1)], 10, resolution=0.5)",
        hint="5 x 5 positions: the multiplier acts on both sides of the image",
    )
    checking.equal(
        scaled_macs([(4, 8, 2), (8, 8, 1)], 9),
        25 * (4 * 17 + 8 * 17),
        "scaled_macs([(4, 8, 2), (8, 8, 1)], 9)",
        hint="the first layer leaves 5 x 5 positions, which the second one starts from",
    )
    outputs = [64, 128, 128, 256, 256, 512, *[512] * 5, 1024, 1024]
    strides = [1, 2, 1, 2, 1, 2, *[1] * 5, 2, 1]
    v1 = list(zip([32, *outputs[:-1]], outputs, strides, strict=True))
    for width, side in ((1.0, 224), (0.5, 160)):
        with torch.device("meta"):  # shapes without numbers
            blocks, x = (
                models.mobilenet_v1(width=width).features[1:],
                torch.empty(1, round(32 * width), side // 2, side // 2),
            )
        expected = measure.count(blocks, x)
        checking.equal(
            scaled_macs(v1, 112, width, side / 224),
            expected.macs,
            f"scaled_macs of MobileNetV1's thirteen layers, width {width}, image {side}",
        )

# %% [markdown]
# Which knob should you turn? The paper trained MobileNet at four widths and four resolutions. Your function
# gives the MACs of the separable layers; the stem and the classifier add their own.

# %% experiment="width_or_resolution" topics="multipliers"
outputs = [64, 128, 128, 256, 256, 512, *[512] * 5, 1024, 1024]
strides = [1, 2, 1, 2, 1, 2, *[1] * 5, 2, 1]
layers = list(zip([32, *outputs[:-1]], outputs, strides, strict=True))


def mobilenet_macs(width: float, side: int) -> int:
    """The whole network: stem of stride 2, thirteen separable layers, classifier of 1000 classes."""
    stem = (side // 2) ** 2 * 27 * round(32 * width)
    return stem + scaled_macs(layers, 112, width, side / 224) + round(1024 * width) * 1000


# top-1 accuracy in %, Howard et al., 2017, tables 6 and 7
by_width = {1.0: 70.6, 0.75: 68.4, 0.5: 63.7, 0.25: 50.6}
by_side = {224: 70.6, 192: 69.1, 160: 67.2, 128: 64.4}
figure, axes = plt.subplots(figsize=(6.4, 3.4))
for name, points, marker in (
    ("width, at 224 x 224", {(w, 224): a for w, a in by_width.items()}, "o-"),
    ("resolution, at width 1", {(1.0, s): a for s, a in by_side.items()}, "s-"),
):
    costs = [mobilenet_macs(*setting) / 1e6 for setting in points]
    axes.semilogx(costs, points.values(), marker, label=name)
    for (w, s), cost, accuracy in zip(points, costs, points.values(), strict=True):
        label, below = (f"{w:g}", True) if s == 224 else (f"{s}", False)
        if (w, s) != (1.0, 224):
            axes.annotate(
                label,
                (cost, accuracy),
                (4, -11) if below else (-4, 7),
                textcoords="offset points",
                ha="left" if below else "right",
                fontsize=8,
            )
axes.set(
    title="MobileNetV1 on ImageNet (published accuracies)", xlabel="million MACs (yours)", ylabel="top-1 accuracy, %"
)
axes.set_xticks([50, 100, 200, 500], [50, 100, 200, 500])
axes.minorticks_off()
axes.margins(y=0.12)
axes.legend()
plt.show()
published = {
    (1.0, 224): 569,
    (0.75, 224): 325,
    (0.5, 224): 149,
    (0.25, 224): 41,
    (1.0, 192): 418,
    (1.0, 160): 290,
    (1.0, 128): 186,
}
worst = max(abs(mobilenet_macs(*setting) / 1e6 / millions - 1) for setting, millions in published.items())
print(f"largest difference from the MACs the paper gives: {worst:.1%}")
record("mobilenet_macs_against_the_paper", worst, low=0, high=0.02)
record("half_width_macs_ratio", mobilenet_macs(1.0, 224) / mobilenet_macs(0.5, 224), low=3.7, high=3.9)

# %% [markdown]
# Both knobs cost nearly the same accuracy for the MACs they save. So other things decide: a thinner network
# has a smaller file, a smaller image leaves more room in activation memory, and a network that must see small
# things cannot give up pixels. In practice both are turned together, and later with depth (EfficientNet).

# %% [markdown]
# ## 8. MobileNetV2: inverted bottlenecks
#
# A ResNet bottleneck squeezes, convolves, and expands. With depthwise convolutions, which are nearly free, the
# opposite pays (Sandler et al., 2018): the wide layer is inside, and what is kept in memory between blocks is
# narrow.
#
# 1. **expand**: 1x1 convolution to $t \cdot C_\text{in}$ channels, BN, ReLU6 (left out if $t = 1$);
# 2. **filter**: depthwise 3x3 with the stride, BN, ReLU6;
# 3. **project**: 1x1 convolution to $C_\text{out}$ channels, BN, and *no* activation;
# 4. add the block's input if the stride is 1 and $C_\text{in} = C_\text{out}$.
#
# $\text{ReLU6}(x) = \min(\max(x, 0), 6)$: a bounded range is kind to numbers of few bits. No convolution has
# a bias. Why no activation at the end? A ReLU throws away half of each axis. Among many channels another one
# still holds what was lost; among few, it is gone. The experiment below shows it.
#
# **By hand.** 24 to 24 channels, $t = 6$: $24 \cdot 144 + 144 \cdot 9 + 144 \cdot 24 = 8208$ weights.
#
# ### Exercise: InvertedBottleneck


# %% exercise="inverted_bottleneck" topics="inverted_bottleneck"
class InvertedBottleneck(nn.Module):
    """MobileNetV2's block: [N, inputs, H, W] to [N, outputs, H / stride, W / stride].

    expand_ratio  t: how many times `inputs` channels the block has inside; 1: no expanding convolution.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, expand_ratio: int) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        inner = inputs * expand_ratio
        layers: list[nn.Module] = []
        if expand_ratio != 1:
            layers += [nn.Conv2d(inputs, inner, 1, bias=False), nn.BatchNorm2d(inner), nn.ReLU6()]
        layers += [
            nn.Conv2d(inner, inner, 3, stride=stride, padding=1, groups=inner, bias=False),
            nn.BatchNorm2d(inner),
            nn.ReLU6(),
            nn.Conv2d(inner, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        ]
        self.layers = nn.Sequential(*layers)
        self.adds_input = stride == 1 and inputs == outputs
        ### END SOLUTION

    def forward(self, x: Tensor) -> Tensor:
        ### BEGIN SOLUTION
        return x + self.layers(x) if self.adds_input else self.layers(x)
        ### END SOLUTION


# %% check="inverted_bottleneck" points=5
with checking.check("inverted_bottleneck"):
    from torchvision.models.mobilenetv2 import InvertedResidual

    x = 4 * torch.randn(2, 4, 6, 5, generator=torch.Generator().manual_seed(7))
    for arguments in ((4, 4, 1, 6), (4, 7, 1, 3), (4, 4, 2, 2), (4, 4, 1, 1), (4, 6, 2, 1)):
        what = f"InvertedBottleneck{arguments}"
        mine, theirs = InvertedBottleneck(*arguments), InvertedResidual(*arguments)
        same_numbers(
            mine,
            theirs,
            what,
            "expand (not if expand_ratio is 1), depthwise, project: convolutions without bias, each with a BatchNorm2d",
        )
        with torch.no_grad(), checking.unchanged(x=x):
            y, expected = mine(x), theirs(x)
        checking.equal(
            tuple(y.shape), tuple(expected.shape), f"the shape of {what}(x)", hint="the depthwise one strides"
        )
        checking.close(
            y,
            expected,
            f"{what}(x)",
            atol=1e-5,
            hint="ReLU6 after the first two, none at the end; x is added only if stride and channels allow it",
        )

# %% [markdown]
# **What a ReLU throws away** (after figure 1 of the paper). Take a spiral in two dimensions, embed it in $n$
# dimensions by a random matrix $T$, apply a ReLU, and come back by the best linear map. With few dimensions
# parts of the spiral are gone for good; with many, nothing is lost. So: activations where it is wide, none
# where it is narrow.

# %% experiment="what_a_relu_loses" topics="inverted_bottleneck"
angle = torch.linspace(0.5, 3.2 * math.pi, 400)
spiral = torch.stack([angle * angle.cos(), angle * angle.sin()], dim=1) / angle.max()


def lost(dimensions: int, draw: int) -> tuple[Tensor, float]:
    """The spiral after ReLU(spiral T) and the least-squares way back, and the share of its variance that is gone."""
    hidden = F.relu(spiral @ torch.randn(2, dimensions, generator=nb.generator(draw)))
    back = hidden @ torch.linalg.lstsq(hidden, spiral, driver="gelsd").solution
    return back, ((back - spiral).square().sum() / (spiral - spiral.mean(0)).square().sum()).item()


shown, dimensions = [2, 3, 6, 24], [2, 3, 4, 6, 8, 12, 16, 24, 48]
figure, axes = plt.subplots(1, 5, figsize=(10, 2.3), width_ratios=[1, 1, 1, 1, 1.6])
for axis, n in zip(axes, shown, strict=False):
    axis.scatter(*lost(n, 100)[0].T, c=angle, cmap="viridis", s=3)
    axis.set(title=f"n = {n}", xlim=(-1.1, 1.1), ylim=(-1.1, 1.1), aspect="equal")
    axis.set_axis_off()
means = [sum(lost(n, 100 + i)[1] for i in range(60)) / 60 for n in dimensions]
axes[4].semilogx(dimensions, means, "o-")
axes[4].set(title="Lost, mean of 60 matrices", xlabel="dimensions n", ylabel="share of variance", ylim=(0, None))
axes[4].set_xticks([2, 6, 24], [2, 6, 24])
axes[4].minorticks_off()
plt.show()
record("relu_loses_of_2_dimensions", means[0], low=0.2, high=0.8)
record("relu_loses_of_24_dimensions", means[dimensions.index(24)], low=0, high=0.03)

# %% [markdown]
# The second reason to turn the bottleneck around is memory. Between blocks MobileNetV2 keeps 16 to 320
# channels, a sixth of what it computes with; inside a block the wide maps can be made and used up a few
# channels at a time.

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

# %% [markdown]
# ## 10. MobileNetV3: cheaper at both ends
#
# MobileNetV3 (Howard et al., 2019) took its blocks from a search and added squeeze-and-excitation. Two changes
# were made by hand.
#
# **A cheaper activation.** Swish, $x\,\sigma(x)$, helps accuracy in deep layers but needs an exponential,
# slow on a phone and awkward in integers. *Hard swish* replaces the sigmoid by straight lines:
#
# $$\text{h-swish}(x) = x \cdot \frac{\text{ReLU6}(x + 3)}{6} .$$
#
# **By hand.** h-swish(-4) = 0, h-swish(-1) = $-1 \cdot 2/6 = -1/3$, h-swish(1) = $4/6$, h-swish(5) = 5.
#
# ### Exercise: hard_swish
#
# Without `F.hardswish`.


# %% exercise="hard_swish" topics="mobilenet_v3"
def hard_swish(x: Tensor) -> Tensor:
    """x * ReLU6(x + 3) / 6, number by number. x keeps its values; any shape."""
    ### BEGIN SOLUTION
    return x * (x + 3).clamp(0, 6) / 6
    ### END SOLUTION


# %% check="hard_swish" points=2
with checking.check("hard_swish"):
    x = torch.tensor([-4.0, -3.0, -1.0, 0.0, 1.0, 3.0, 5.0, 9.0])
    with checking.unchanged(x=x), checking.without("F.hardswish"):
        y = hard_swish(x)
    checking.close(
        y,
        [0.0, 0.0, -1 / 3, 0.0, 2 / 3, 3.0, 5.0, 9.0],
        "hard_swish of -4, -3, -1, 0, 1, 3, 5, 9",
        hint="the gate is 0 up to x = -3 and 1 from x = 3 on; it multiplies x",
    )
    grid = torch.linspace(-7, 7, 29).reshape(1, 29)
    checking.close(hard_swish(grid), F.hardswish(grid), "hard_swish from -7 to 7")

# %% [markdown]
# **A cheaper last stage.** MobileNetV2 ends with a block at 7x7 and then a wide 1x1 convolution, also at 7x7,
# only to average over the 49 positions right after it. MobileNetV3 averages first: the wide layer then runs
# at a single position. The block's depthwise filter and its projection had kept the input of that expensive
# layer narrow; now that it is cheap, they go too (figure 5 of the paper).
#
# | original last stage | positions | redesigned | positions |
# |---|---|---|---|
# | 1x1, $a \to e$ | $n^2$ | 1x1, $a \to e$ | $n^2$ |
# | 3x3 depthwise, $e$ | $n^2$ | global average | |
# | 1x1, $e \to p$ | $n^2$ | 1x1, $e \to f$ | 1 |
# | 1x1, $p \to f$ | $n^2$ | 1x1, $f \to$ classes | 1 |
# | global average | | | |
# | 1x1, $f \to$ classes | 1 | | |
#
# **By hand.** $n = 2, a = 1, e = 4, p = 2, f = 8$, 10 classes. Original:
# $4\,(4 + 36 + 8 + 16) + 80 = 336$ MACs. Redesigned: $4 \cdot 4 + 32 + 80 = 128$.
#
# ### Exercise: last_stage_macs


# %% exercise="last_stage" topics="mobilenet_v3"
def last_stage_macs(
    side: int, inputs: int, expanded: int, projected: int, features: int, classes: int
) -> tuple[int, int]:
    """MACs of MobileNet's last stage for one image, before and after its redesign.

    side       height and width, n, where the stage begins.
    inputs, expanded, projected, features  the channels a, e, p and f of the table.

    Returns (original, redesigned); averages and biases are not counted.
    """
    ### BEGIN SOLUTION
    positions = side**2
    per_position = inputs * expanded + 9 * expanded + expanded * projected + projected * features
    original = positions * per_position + features * classes
    redesigned = positions * inputs * expanded + expanded * features + features * classes
    return original, redesigned
    ### END SOLUTION


# %% check="last_stage" points=3
with checking.check("last_stage"):
    checking.equal(
        last_stage_macs(2, 1, 4, 2, 8, 10),
        (336, 128),
        "last_stage_macs(2, 1, 4, 2, 8, 10)",
        hint="layers after the average run at one position; a depthwise filter has 9 weights per channel",
    )
    checking.equal(
        last_stage_macs(7, 160, 960, 320, 1280, 1000),
        (44_352_960, 10_035_200),
        "last_stage_macs of MobileNetV3-Large (the paper: 30 million saved)",
    )
    checking.equal(
        last_stage_macs(1, 3, 5, 2, 4, 6)[0] - last_stage_macs(1, 3, 5, 2, 4, 6)[1],
        43,
        "what is saved at a single position",
        hint="at one position too, the depthwise filter and the projection are gone",
    )

# %% [markdown]
# How close is the straight-line version, and what does it save here? The time is of a feature map of 128 x 56
# x 56, through torch's own functions.

# %% experiment="swish_and_hard_swish" topics="mobilenet_v3"
grid = torch.linspace(-7, 7, 281)
x = torch.randn(1, 128, 56, 56, generator=nb.generator(3))
seconds = quickest(
    {
        "ReLU": partial(F.relu, x),
        "h-swish": partial(F.hardswish, x),
        "swish": partial(F.silu, x),
        "yours": partial(hard_swish, x),
    },
    rounds=8,
)
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.0), width_ratios=[1.5, 1])
left.plot(grid, F.silu(grid), label="swish")
left.plot(grid, hard_swish(grid), "--", label="h-swish (yours)")
left.plot(grid, hard_swish(grid) - F.silu(grid), ":", color="0.4", label="difference")
left.set(title="Two activations", xlabel="x", ylabel="value", ylim=(-0.6, 4), xlim=(-7, 4))
left.legend()
bars = right.bar(seconds.keys(), [1e3 * value for value in seconds.values()], color="C1", width=0.6)
right.bar_label(bars, fmt="%.2f")
right.set(title="Time of one map", ylabel="ms, one thread")
right.margins(y=0.15)
plt.show()
record("hard_swish_largest_difference", (hard_swish(grid) - F.silu(grid)).abs().max(), low=0.14, high=0.15)
record("swish_time_over_hard_swish_time", seconds["swish"] / seconds["h-swish"], low=0.8, high=12)
original, redesigned = last_stage_macs(7, 160, 960, 320, 1280, 1000)
whole = meta_counts(models.mobilenet_v3_large)
print(
    f"last stage: {original / 1e6:.1f} MMAC before, {redesigned / 1e6:.1f} after; the whole network has {whole.macs / 1e6:.0f}"
)
record("last_stage_saving_over_network", (original - redesigned) / whole.macs, low=0.15, high=0.17)

# %% [markdown]
# Each operation of your version makes a map of its own, which is why it is slower than torch's, which does
# the same in one pass: fusing operations is a topic of lab 2. The last stage alone would have added a sixth
# to the network's MACs.

# %% [markdown]
# ## 11. ShuffleNet: mixing groups for free
#
# In a MobileNet nearly all MACs are in the 1x1 convolutions. Do those in groups, and they cost $G$ times less
# (ShuffleNet, Zhang et al., 2018). But group $g$ then never hears of the others, however many layers follow.
# The remedy costs no arithmetic: before the next grouped layer, deal the channels out like cards.
#
# With $C = G \cdot n$ channels, the shuffle reads the channels as a table of $G$ rows and $n$ columns, row by
# row, and writes it column by column.
#
# **By hand.** Six channels $0 \dots 5$, $G = 2$: rows $(0,1,2)$ and $(3,4,5)$, so the new order is
# $0, 3, 1, 4, 2, 5$.
#
# ### Exercise: channel_shuffle
#
# Without `F.channel_shuffle`.


# %% exercise="channel_shuffle" topics="channel_shuffle"
def channel_shuffle(x: Tensor, groups: int) -> Tensor:
    """Deal the channels of x out over the groups of the next layer.

    x       float [N, C, H, W]; groups divides C.

    Returns [N, C, H, W]: the table of groups rows and C / groups columns of channels, read column by column.
    Raises ValueError if groups does not divide C.
    """
    ### BEGIN SOLUTION
    n, c, h, w = x.shape
    if c % groups:
        raise ValueError(f"{groups} groups do not divide {c} channels")
    return x.reshape(n, groups, c // groups, h, w).transpose(1, 2).reshape(n, c, h, w)
    ### END SOLUTION


# %% check="channel_shuffle" points=3
with checking.check("channel_shuffle"):
    six = torch.arange(6.0).reshape(1, 6, 1, 1)
    checking.close(
        channel_shuffle(six, 2).flatten(),
        [0.0, 3.0, 1.0, 4.0, 2.0, 5.0],
        "channel_shuffle of channels 0 to 5, 2 groups",
        hint="0 2 4 1 3 5 undoes it instead: the table has as many rows as groups",
    )
    x = torch.randn(2, 12, 3, 4, generator=torch.Generator().manual_seed(9))
    for groups in (1, 2, 3, 4, 12):
        with checking.unchanged(x=x), checking.without("F.channel_shuffle"):
            y = channel_shuffle(x, groups)
        expected = x[:, [row * (12 // groups) + column for column in range(12 // groups) for row in range(groups)]]
        checking.close(
            y, expected, f"channel_shuffle(x, {groups})", hint="only channels move, positions and images stay"
        )
    checking.raises(ValueError, lambda: channel_shuffle(x, 5), "channel_shuffle of 12 channels, 5 groups")

# %% [markdown]
# **Who hears of whom?** One or two 1x1 convolutions in four groups, the two with and without your shuffle in
# between. Dark: an output channel that depends on an input channel.

# %% experiment="groups_and_shuffle" topics="channel_shuffle"
channels, groups = 16, 4


def influence(depth: int, shuffled: bool) -> Tensor:
    """Which of the inputs reach which outputs, bool [outputs, inputs]."""
    x = torch.eye(channels)[:, :, None, None]  # image i: channel i alone
    for layer in range(depth):
        if layer and shuffled:
            x = channel_shuffle(x, groups)
        x = F.conv2d(x, torch.ones(channels, channels // groups, 1, 1), groups=groups)
    return x[:, :, 0, 0].T > 0


figure, axes = plt.subplots(1, 3, figsize=(9, 3.4))
for axis, (depth, shuffled) in zip(axes, ((1, False), (2, False), (2, True)), strict=True):
    reach = influence(depth, shuffled)
    axis.imshow(reach, cmap="Blues", vmin=0, vmax=1.2, interpolation="nearest")
    name = "1 layer" if depth == 1 else f"{depth} layers, {'shuffled' if shuffled else 'no shuffle'}"
    axis.set(title=f"{name}: {reach.float().mean():.0%}", xlabel="input channel", ylabel="output channel")
    axis.grid(visible=False)
plt.show()
record("reach_without_shuffle", influence(3, False).float().mean(), low=0.25, high=0.25)
record("reach_with_shuffle", influence(2, True).float().mean(), low=1, high=1)
macs = {g: meta_counts(partial(models.shufflenet_v1, groups=g)).macs / 1e6 for g in (1, 2, 3, 4, 8)}
print("ShuffleNet 1x, million MACs by groups: " + ", ".join(f"{g}: {value:.0f}" for g, value in macs.items()))

# %% [markdown]
# Without the shuffle four networks run side by side and meet only in the classifier. With it, two layers
# suffice for everything to reach everything (as long as a group has at least as many channels as there are
# groups). ShuffleNet turns the savings into width: 144 channels with one group, 384 with eight, at the same
# MACs.

# %% [markdown]
# ## 12. Counting a whole network
#
# Six numbers describe what a network costs, before anything runs:
#
# - **parameters**: the numbers that are learned; a layer has $C_\text{out} \cdot \frac{C_\text{in}}{G} K^2$
#   weights;
# - **model size**: parameters times bits, in bytes;
# - **activations**: the numbers that all layers put out. Training keeps them all for the backward pass;
# - **peak activations**: the most that any layer holds at one time, its input and its output. This, not the
#   total, must fit in memory in use;
# - **MACs**: every weight once per output position;
# - **FLOP**: operations, two per MAC. (FLOPS, operations *per second*, is a property of a machine.) Papers
#   often write FLOPs and mean MACs: always check.
#
# **By hand.** Image 3x8x8; a 3x3 layer to 4 channels with stride 2, then a 1x1 layer to 10. Parameters
# $108 + 40 = 148$, in float32 592 bytes, in 4 bits 74. Outputs $4 \cdot 16 = 64$ and $10 \cdot 16 = 160$: 224
# activations; peak $\max(192 + 64,\ 64 + 160) = 256$. MACs $108 \cdot 16 + 40 \cdot 16 = 2368$; FLOP 4736.
#
# ### Exercise: efficiency_counts
#
# A dense layer is a 1x1 convolution at one position, and global average pooling a way to get there: a kernel
# of 0 stands for it in the table. It has no weights and no MACs, keeps the channels, and leaves one position. In the
# peak it counts like every layer, with its input and its output; it adds nothing to the activations, which are only
# what layers with weights put out.


# %% exercise="efficiency_counts" topics="efficiency_counts"
def efficiency_counts(
    layers: list[tuple[int, int, int, int]], channels: int, height: int, width: int, bits: int = 32
) -> dict[str, int | float]:
    """What a chain of layers costs for one image [channels, height, width], without biases.

    layers  (c_out, kernel, stride, groups) of each convolution; padding kernel // 2 with odd kernels, so that n positions
            become ceil(n / stride). kernel 0: global average pooling (its other numbers mean nothing).
    bits    of one weight.

    Returns {"parameters", "bytes", "activations", "peak_activations", "macs", "flop"}; activations are counted in numbers.
    """
    ### BEGIN SOLUTION
    parameters = macs = activations = peak = 0
    for c_out, kernel, stride, groups in layers:
        before = channels * height * width
        if kernel == 0:
            height = width = 1
        else:
            weights = c_out * (channels // groups) * kernel**2
            channels, height, width = c_out, -(-height // stride), -(-width // stride)
            parameters += weights
            macs += weights * height * width
            activations += channels * height * width
        peak = max(peak, before + channels * height * width)
    return {
        "parameters": parameters,
        "bytes": parameters * bits / 8,
        "activations": activations,
        "peak_activations": peak,
        "macs": macs,
        "flop": 2 * macs,
    }
    ### END SOLUTION


# %% check="efficiency_counts" points=4
with checking.check("efficiency_counts"):
    tiny = [(4, 3, 2, 1), (10, 1, 1, 1)]
    checking.equal(
        efficiency_counts(tiny, 3, 8, 8),
        {"parameters": 148, "bytes": 592, "activations": 224, "peak_activations": 256, "macs": 2368, "flop": 4736},
        "efficiency_counts(tiny, 3, 8, 8)",
        hint="the example above; the image itself is no activation, but it is the first layer's input",
    )
    checking.close(efficiency_counts(tiny, 3, 8, 8, bits=4)["bytes"], 74.0, "bytes with 4 bits", hint="8 bits per byte")
    grouped = [(8, 3, 1, 1), (8, 5, 2, 8), (12, 1, 1, 4), (0, 0, 0, 0), (10, 1, 1, 1)]
    modules = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False),
        nn.Conv2d(8, 8, 5, stride=2, padding=2, groups=8, bias=False),
        nn.Conv2d(8, 12, 1, groups=4, bias=False),
        nn.AdaptiveAvgPool2d(1),
        nn.Conv2d(12, 10, 1, bias=False),
    )
    counted, mine = measure.count(modules, torch.zeros(1, 3, 9, 7)), efficiency_counts(grouped, 3, 9, 7)
    for key, expected in (
        ("parameters", counted.parameters),
        ("macs", counted.macs),
        ("activations", counted.activations),
        ("flop", 2 * counted.macs),
        ("peak_activations", 3 * 63 + 8 * 63),
    ):
        checking.equal(
            mine[key],
            expected,
            f'"{key}" of five layers, in groups and with pooling',
            hint="9 x 7 positions become 5 x 4; a filter sees channels / groups of its input; pooling leaves 1 x 1",
        )

# %% [markdown]
# ## 13. One scale for all
#
# Accuracy on ImageNet against what it costs, for networks of seven years. The accuracies are torchvision's
# first weights (`IMAGENET1K_V1`, read from the package), those of MobileNetV1 and SE-ResNet-50 their papers'.
# Recipes have improved since: the same ResNet-50 reaches 80.9% today. Compare neighbours, not decimals.
#
# Energy is an estimate: every MAC, every weight read once and every activation written and read once, at 45
# nm costs (Horowitz, ISSCC 2014), all of it from DRAM. Move the budgets. Which families are never on the
# front? Which network would you put on a watch with 5 mJ per image? Does the front change when you count
# parameters instead of MACs?

# %% demo="architecture_tradeoffs" topics="efficiency_counts, latency_energy"
ZOO = {  # name: (family, network, torchvision's name or top-1 accuracy)
    "AlexNet": ("AlexNet, VGG", models.alexnet, "AlexNet"),
    "VGG-16": ("AlexNet, VGG", models.vgg16, "VGG16"),
    "ResNet-18": ("ResNet, ResNeXt, SE", models.resnet18, "ResNet18"),
    "ResNet-34": ("ResNet, ResNeXt, SE", models.resnet34, "ResNet34"),
    "ResNet-50": ("ResNet, ResNeXt, SE", models.resnet50, "ResNet50"),
    "ResNeXt-50": ("ResNet, ResNeXt, SE", models.resnext50_32x4d, "ResNeXt50_32X4D"),
    "SE-ResNet-50": ("ResNet, ResNeXt, SE", models.se_resnet50, 76.71),
    "DenseNet-121": ("DenseNet", models.densenet121, "DenseNet121"),
    "DenseNet-201": ("DenseNet", models.densenet201, "DenseNet201"),
    "SqueezeNet 1.0": ("SqueezeNet", models.squeezenet1_0, "SqueezeNet1_0"),
    "SqueezeNet 1.1": ("SqueezeNet", models.squeezenet1_1, "SqueezeNet1_1"),
    "MobileNetV1": ("MobileNet", models.mobilenet_v1, 70.6),
    "MobileNetV2": ("MobileNet", models.mobilenet_v2, "MobileNet_V2"),
    "MobileNetV3-L": ("MobileNet", models.mobilenet_v3_large, "MobileNet_V3_Large"),
    "MobileNetV3-S": ("MobileNet", models.mobilenet_v3_small, "MobileNet_V3_Small"),
    "ShuffleNetV2 0.5x": ("ShuffleNet", models.shufflenet_v2_x0_5, "ShuffleNet_V2_X0_5"),
    "ShuffleNetV2 1x": ("ShuffleNet", models.shufflenet_v2_x1_0, "ShuffleNet_V2_X1_0"),
}


def top1(source: str | float) -> float:
    """Top-1 accuracy in %."""
    from torchvision.models import get_weight

    if not isinstance(source, str):
        return source
    return get_weight(f"{source}_Weights.IMAGENET1K_V1").meta["_metrics"]["ImageNet-1K"]["acc@1"]


def zoo_row(name: str) -> dict[str, str | float]:
    family, make, source = ZOO[name]
    counts = meta_counts(make)
    return {
        "name": name,
        "family": family,
        "top-1 accuracy, %": top1(source),
        "MACs": counts.macs,
        "parameters": counts.parameters,
        "activations": counts.activations,
        "energy, mJ": 1e3 * measure.energy(counts).total,
    }


explore.tradeoffs([zoo_row(name) for name in ZOO], cost="MACs", quality="top-1 accuracy, %")

# %% [markdown]
# **Measured.** Left: what only a measurement tells, the time of one image on one thread of this machine, and
# the rate at which the network's MACs were done. Right: where the energy would go.

# %% experiment="time_and_energy" topics="latency_energy, efficiency_counts"
chosen = {
    "AlexNet": models.alexnet,
    "ResNet-18": models.resnet18,
    "ResNet-50": models.resnet50,
    "DenseNet-121": models.densenet121,
    "SqueezeNet 1.1": models.squeezenet1_1,
    "MobileNetV1": models.mobilenet_v1,
    "MobileNetV2": models.mobilenet_v2,
    "MobileNetV3-L": models.mobilenet_v3_large,
    "ShuffleNetV2 1x": models.shufflenet_v2_x1_0,
}
image = torch.randn(1, 3, 224, 224, generator=nb.generator(4))
rows = {}
with torch.no_grad():
    for name, make in chosen.items():
        network = make().eval()
        counts = measure.count(network, image)
        seconds = measure.latency(partial(network, image), warmup=1, runs=nb.pick(fast=4, full=20)).low
        rows[name] = counts.macs, seconds, measure.energy(counts), counts
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), sharey=True)
order = sorted(rows, key=lambda name: -rows[name][0])
milliseconds = [1e3 * rows[name][1] for name in order]
left.barh([f"{name}, {rows[name][0] / 1e6:.0f}" for name in order], milliseconds, color="C2")
for place, name in enumerate(order):
    left.text(milliseconds[place], place, f" {rows[name][0] / rows[name][1] / 1e9:.1f} GMAC/s", va="center", fontsize=8)
left.set(title=f"Time, one thread of\n{cpu}", xlabel="ms for one image", ylabel="network, million MACs")
left.margins(x=0.3)
left.invert_yaxis()
start = torch.zeros(len(order))
for part, colour in (("arithmetic", "C1"), ("weights", "C0"), ("activations", "C5")):
    values = torch.tensor([1e3 * getattr(rows[name][2], part) for name in order])
    right.barh(range(len(order)), values, left=start, color=colour, label=part)
    start += values
right.set(title="Energy, estimated (float32, DRAM)", xlabel="mJ for one image")
right.legend(fontsize=8, title="energy of", title_fontsize=8, loc="lower right")
plt.show()
rate = {name: macs / seconds for name, (macs, seconds, *_) in rows.items()}
eight_bit = measure.energy(rows["MobileNetV2"][3], numbers="int8", weights_in="sram_1mb", activations_in="sram_1mb")
print(f"MobileNetV2, all in float32 and DRAM: {rows['MobileNetV2'][2]}")
print(f"MobileNetV2 in int8, every access at the price of a 1 MB SRAM (its weights alone are 3.5 MB): {eight_bit}")
record("resnet18_rate_over_mobilenet_v2_rate", rate["ResNet-18"] / rate["MobileNetV2"], low=1, high=20)
record("resnet50_over_mobilenet_v2_macs", rows["ResNet-50"][0] / rows["MobileNetV2"][0], low=13.5, high=13.7)
record("resnet50_over_mobilenet_v2_time", rows["ResNet-50"][1] / rows["MobileNetV2"][1], low=1, high=13)
record(
    "mobilenet_v2_share_of_energy_in_memory",
    rows["MobileNetV2"][2].memory / rows["MobileNetV2"][2].total,
    low=0.5,
    high=1,
)
record("mobilenet_v2_energy_over_int8_sram", rows["MobileNetV2"][2].total / eight_bit.total, low=10, high=100)

# %% [markdown]
# MACs order the networks roughly and mislead in detail: light networks run at lower rates than heavy ones.
# And energy is mostly a matter of moving numbers: by this table one 64-bit access to DRAM costs as much as
# 280 float32 MACs. Hence the labs to come: fewer weights (lab 2), fewer bits (lab 3), and numbers that stay
# close to the arithmetic.
#
# Why are the rates so different? The **roofline** puts each layer's rate against its MACs per byte. The
# sloped line is what this machine's memory can deliver, the flat one what its arithmetic can do.

# %% experiment="roofline_of_blocks" topics="latency_energy, depthwise_separable, basic_block"
image = torch.randn(1, 3, 224, 224, generator=nb.generator(5))
from IPython.display import display

roofs = {
    name: measure.roofline(make().eval(), image, runs=4)
    for name, make in (("ResNet-18", models.resnet18), ("MobileNetV2", models.mobilenet_v2))
}


for name, roof in roofs.items():
    display(roof.plot(name))
    print(f"{name}: {roof}")
kinds: dict[str, list[float]] = {}
for roof in roofs.values():
    for layer in roof.layers:
        total = kinds.setdefault(layer.kind, [0.0, 0.0, 0.0])
        total[0] += layer.macs
        total[1] += layer.seconds
        total[2] += layer.bytes
for kind, (macs, seconds, size) in kinds.items():
    print(f"{kind:24} {macs / seconds / 1e9:6.1f} GMAC/s at {macs / size:6.2f} MACs per byte")
dense, depthwise = kinds["Conv2d 3x3"], kinds["Conv2d 3x3 depthwise"]
record("dense_macs_per_byte_over_depthwise", (dense[0] / dense[2]) / (depthwise[0] / depthwise[2]), low=10, high=100)
record("dense_rate_over_depthwise_rate", (dense[0] / dense[1]) / (depthwise[0] / depthwise[1]), low=1.2, high=50)

# %% [markdown]
# Depthwise layers do about one MAC per byte. No code can make them run near the flat line; only keeping their
# maps in a faster memory, or not writing them at all, helps.

# %% [markdown]
# ## 14. Your blocks, trained
#
# Your blocks at work: small networks for small pictures, each with your piece in place of the library's, learn
# the digits for three epochs.


# %% experiment="your_blocks_learn" topics="basic_block, shortcuts, depthwise_separable, inverted_bottleneck, squeeze_excitation, mobilenet_v3, channel_shuffle"
class HardSwish(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return hard_swish(x)


class Shuffle(nn.Module):
    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, x: Tensor) -> Tensor:
        return channel_shuffle(x, self.groups)


yours = {
    "ResNet": partial(models.small_resnet, block=BasicBlock, shortcut=Shortcut),
    "MobileNetV1": partial(models.small_mobilenet_v1, block=DepthwiseSeparable),
    "MobileNetV2": partial(models.small_mobilenet_v2, block=InvertedBottleneck),
    "MobileNetV3": partial(models.small_mobilenet_v3, activation=HardSwish, attention=SqueezeExcitation),
    "ShuffleNet": partial(models.small_shufflenet_v1, shuffle=Shuffle),
}
digits = data.digits()
rows = []
for name, make in yours.items():
    torch.manual_seed(nb.seed)
    network = make(in_channels=1, width=16).to(nb.device)
    counts = measure.count(network, digits.test.images[:1].to(nb.device))
    epochs = nb.pick(fast=3, full=20)
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=0.05)
    steps = epochs * -(-len(digits.train) // 96)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=steps, pct_start=0.2)
    training.fit(
        network,
        digits.train,
        epochs=epochs,
        optimizer=optimizer,
        scheduler=schedule,
        batch_size=96,
        seed=nb.seed,
        progress=False,
    )
    rows.append((name, counts.macs, counts.parameters, training.evaluate(network, digits.test).accuracy))
figure, axes = plt.subplots(figsize=(6.8, 3.4))
for name, macs, parameters, accuracy in rows:
    axes.scatter(macs / 1e3, 100 * accuracy, s=parameters / 300, color="C0", alpha=0.6)
    place = (0, -22) if name == "MobileNetV3" else (0, 10)
    axes.annotate(name, (macs / 1e3, 100 * accuracy), place, textcoords="offset points", ha="center", fontsize=8)
axes.set(
    title="Your blocks on 8x8 digits (area: parameters)",
    xlabel="thousand MACs for one image",
    ylabel="test accuracy, %",
)
axes.margins(0.2)
plt.show()
for name, macs, parameters, accuracy in rows:
    print(f"{name:12} {accuracy:6.1%}  {macs:9,} MACs  {parameters:8,} parameters")
accuracies = {row[0]: row[3] for row in rows}
record("accuracy_of_your_resnet", accuracies["ResNet"], low=0.9, high=1)
record("least_accuracy_of_your_mobilenets", min(accuracies[f"MobileNetV{n}"] for n in (1, 2, 3)), low=0.7, high=1)

# %% [markdown]
# All of them learn. Do not take this order for theirs on ImageNet: these are a few steps on tiny pictures,
# and the ShuffleNet is by far the smallest. `profile="full"` trains longer.

# %% [markdown]
# ## 15. Questions
#
# Answer in a few sentences, with numbers where they help.

# %% [markdown] question="choose_network" points=3 topics="efficiency_counts, latency_energy"
# **Question 1.** A battery-powered camera has a chip with 1 MB of SRAM, 4 MB of flash and an int8 multiplier.
# It must sort photographs of 160x160 pixels. Somebody proposes SqueezeNet 1.1, "because it has the fewest
# parameters". Which three numbers do you ask for before you agree, and what would you propose instead? Argue
# with the numbers of this notebook.
#
# ### BEGIN SOLUTION
# Parameters decide only whether the file fits into flash: 4 MB hold 4 million int8 weights, so SqueezeNet
# (1.2 M), MobileNetV2 (3.5 M), MobileNetV3-Small (2.5 M) and ShuffleNetV2 1x (2.3 M) all fit, ResNet-18 (11.7
# M) does not. To ask for: (1) peak activations, since input and output of a layer (plus a shortcut's map)
# must fit into 1 MB of SRAM together: MobileNetV2 at 160x160 expands 16 to 96 channels at 80x80, 614 kB in
# int8, which fits with its input if little else is kept; (2) accuracy at that size: SqueezeNet reaches 58% on
# ImageNet, the others 68 to 72%; (3) measured latency or energy on the chip: SqueezeNet 1.1 takes 349 million
# MACs at 224x224, MobileNetV3-Small 57 million, ShuffleNetV2 1x 145 million, and energy follows the MACs and
# the bytes that are moved. So: MobileNetV3-Small or ShuffleNetV2 (or a MobileNetV2 with a width below 1), in
# int8, with batch normalisation folded; the h-swish should be supported by the chip. Full marks for another
# choice that fits both memories and is argued with accuracy and energy, not with parameters alone.
# ### END SOLUTION

# %% [markdown] question="read_a_claim" points=2 topics="depthwise_separable, latency_energy"
# **Question 2.** A paper replaces ResNet-18's 3x3 convolutions by inverted bottlenecks and reports "6 times
# fewer FLOPs at the same accuracy, therefore 6 times faster". Name two reasons why the time may fall by less,
# one why the memory in use may even grow, and say what you would plot to settle the matter.
#
# ### BEGIN SOLUTION
# Time: (1) depthwise layers do about one MAC per byte and are limited by memory, not by arithmetic: their
# rate was several times lower than that of dense 3x3 layers; (2) there are three layers instead of one, each
# with a normalisation and an activation that pass over a map again (folding removes part of it), and small
# layers have a fixed cost for each call. (Also good: libraries have better kernels for dense 3x3, such as
# Winograd; FLOP and MACs may have been mixed up.) Memory: the expanded map has t = 6 times the channels of
# the block's input, so the peak of input plus output of one layer can be larger than in the original block,
# although the maps between blocks are narrow. Plot: measured latency (median and spread, target device, batch
# size 1) of both networks against accuracy, and a roofline of their layers, which shows which of them are
# bound by memory.
# ### END SOLUTION

# %% [markdown]
# ## Read more
#
# - Ioffe, Szegedy: *Batch Normalization*, ICML 2015, [arXiv:1502.03167](https://arxiv.org/abs/1502.03167);
#   and Santurkar et al.: *How Does Batch Normalization Help Optimization?*, NeurIPS 2018,
#   [arXiv:1805.11604](https://arxiv.org/abs/1805.11604), which doubts the first paper's reason.
# - Yang et al.: *A Mean Field Theory of Batch Normalization*, ICLR 2019,
#   [arXiv:1902.08129](https://arxiv.org/abs/1902.08129). Why gradients explode without shortcuts.
# - Krizhevsky, Sutskever, Hinton: *ImageNet Classification with Deep Convolutional Neural Networks*, NIPS
#   2012. AlexNet.
# - Simonyan, Zisserman: *Very Deep Convolutional Networks*, ICLR 2015,
#   [arXiv:1409.1556](https://arxiv.org/abs/1409.1556).
# - He, Zhang, Ren, Sun: *Deep Residual Learning*, CVPR 2016,
#   [arXiv:1512.03385](https://arxiv.org/abs/1512.03385).
# - Iandola et al.: *SqueezeNet*, 2016, [arXiv:1602.07360](https://arxiv.org/abs/1602.07360).
# - Xie et al.: *Aggregated Residual Transformations* (ResNeXt), CVPR 2017,
#   [arXiv:1611.05431](https://arxiv.org/abs/1611.05431).
# - Huang et al.: *Densely Connected Convolutional Networks*, CVPR 2017,
#   [arXiv:1608.06993](https://arxiv.org/abs/1608.06993).
# - Howard et al.: *MobileNets*, 2017, [arXiv:1704.04861](https://arxiv.org/abs/1704.04861); Sandler et al.:
#   *MobileNetV2*, CVPR 2018, [arXiv:1801.04381](https://arxiv.org/abs/1801.04381); Howard et al.: *Searching
#   for MobileNetV3*, ICCV 2019, [arXiv:1905.02244](https://arxiv.org/abs/1905.02244).
# - Hu, Shen, Sun: *Squeeze-and-Excitation Networks*, CVPR 2018,
#   [arXiv:1709.01507](https://arxiv.org/abs/1709.01507).
# - Zhang et al.: *ShuffleNet*, CVPR 2018, [arXiv:1707.01083](https://arxiv.org/abs/1707.01083); Ma et al.:
#   *ShuffleNet V2*, ECCV 2018, [arXiv:1807.11164](https://arxiv.org/abs/1807.11164). Four rules for networks
#   that are fast, not only light.
# - Horowitz: *Computing's Energy Problem (and what we can do about it)*, ISSCC 2014.
# - Williams, Waterman, Patterson: *Roofline: An Insightful Visual Performance Model*, CACM 52(4), 2009.
