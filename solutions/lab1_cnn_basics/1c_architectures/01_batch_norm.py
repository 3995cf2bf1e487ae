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
