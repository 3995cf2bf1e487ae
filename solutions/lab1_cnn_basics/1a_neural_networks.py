# ---
# course:
#   title: Neural networks from the inside
#   minutes: 120
#   summary: Layers, gradients, regularisers, optimizers and schedules written by hand, checked against PyTorch, measured on real digits.
# ---

# %% [markdown]
# # Neural networks from the inside
#
# The rest of this course removes weights, stores them in few bits, and trains small networks to imitate large ones.
# All of that needs a firm grip on the parts: what a weight is and what an activation is, what flows backward, and what an
# optimizer keeps in memory. In this notebook you write each part yourself, check it against PyTorch, and use it on
# real handwritten digits.
#
# **You will be able to**
# - say which numbers of a network are stored, which are computed, and what each costs in memory and arithmetic,
# - write the forward and backward pass of a multi-layer perceptron and test its gradients,
# - use dropout, weight decay and an L1 prior, and measure what each does to accuracy and to the number of zeros,
# - write SGD with momentum, RMSProp and Adam as functions of their state, and schedules for their learning rate.
#
# **Time** about two hours. **Needs** a laptop; every cell runs in seconds. A GPU adds nothing here: these networks are
# too small to keep one busy.
#
# **How it works.** In each exercise, replace `raise NotImplementedError(...)` by your code and run the check below it. A
# check that fails says what it expected and where to look. Grading tries further inputs, in the same way. Every section
# needs only the set-up cell and its own cells, so you can stop and return to any of them.

# %% tags=["parameters"]
profile = "fast"
device = "auto"
seed = 0

# %% tags=["setup"]
import dataclasses
import functools
import itertools
import math

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib import checking, data, explore, measure, models, notebook, record, training

torch.set_num_threads(1)  # networks this small lose more by waiting for a second thread than they gain
nb = notebook.start("1a_neural_networks", profile=profile, device=device, seed=seed)
digits = data.digits(seed=nb.seed)
train_set, test_set = digits.train.to(nb.device), digits.test.to(nb.device)

# %% [markdown]
# `train_set.images` holds real scans, float32 of shape [N, 1, 8, 8], 0 for paper and 1 for ink; `train_set.labels` says which digit each shows.

# %% experiment="digits_at_a_glance" topics="terminology"
figure, panels = plt.subplots(2, 10, figsize=(8.0, 1.9))
few = train_set.take(20).to("cpu")
for panel, image, label in zip(panels.flat, few.images, few.labels, strict=True):
    panel.imshow(1 - image[0], vmin=0, vmax=1)
    panel.set_title(few.classes[label], fontsize=9, loc="center")
    panel.axis("off")
figure.suptitle(f"20 of the {len(train_set):,} training images; {len(test_set)} others are kept for testing")
plt.show()

# %% [markdown]
# ## 1 Synapse, neuron, cell body
#
# Three words come from biology, and papers on pruning still use them.
#
# | Biology | In the network | Number it holds | Stored in the model's file? |
# |---|---|---|---|
# | synapse | connection from one neuron to another | a **weight** | yes |
# | neuron | its output, sent along all its outgoing synapses | an **activation** | no: computed anew for every input |
# | cell body | adds up what arrives, then applies $f$ | a **bias** $b$ | yes |
#
# A neuron with input activations $x_i$ and weights $w_i$ computes $y = f\big(\sum_i w_i x_i + b\big)$. Here $f$ is
# the rectifier, $\mathrm{ReLU}(z) = \max(z, 0)$.
#
# **By hand.** For $x = (1,\ 0.5,\ -2)$, $w = (0.2,\ -0.4,\ 0.1)$ and $b = 0.3$ the cell body adds up
# $0.2 - 0.2 - 0.2 + 0.3 = 0.1$, so the activation is $0.1$. Without the bias the sum is $-0.2$ and the neuron is silent: 0.

# %% experiment="neuron_and_network" topics="terminology"
figure, (cell, network) = plt.subplots(1, 2, figsize=(9.4, 3.5), width_ratios=(1.25, 1))

x, w, b = (1.0, 0.5, -2.0), (0.2, -0.4, 0.1), 0.3
z = sum(w_i * x_i for w_i, x_i in zip(w, x, strict=True)) + b
for i, height in enumerate((1, 0, -1)):
    cell.plot([0.55, 2.6], [height, 0], lw=1 + 8 * abs(w[i]), color="C0" if w[i] > 0 else "C1", zorder=1)
    cell.text(0.45, height, f"$x_{i + 1}={x[i]:g}$", ha="right", va="center")
    side = -1 if height < 0 else 1
    cell.text(1.4, 0.6 * height + 0.14 * side, f"$w_{i + 1}={w[i]:g}$", ha="center", va="top" if side < 0 else "bottom")
cell.add_patch(plt.Circle((2.95, 0), 0.55, facecolor="white", edgecolor="black", zorder=2))
cell.text(2.95, 0, "$\\Sigma + b$\n$f$", ha="center", va="center")
cell.annotate("", (4.5, 0), (3.5, 0), arrowprops={"arrowstyle": "->", "lw": 1.5})
cell.text(4.55, 0, f"$y={max(z, 0):.1f}$", va="center")
for place, name in (
    (0.2, "activations of\nother neurons"),
    (1.5, "synapses\n(weights)"),
    (2.95, f"cell body\n$z={z:.1f}$"),
    (4.8, "its own\nactivation"),
):
    cell.text(place, -1.65, name, ha="center", va="center")
cell.set(xlim=(-0.6, 5.4), ylim=(-2.0, 1.4), title="One neuron: blue weights excite, orange ones inhibit")

sizes = (3, 4, 2)
places = [[(column, (count - 1) / 2 - row) for row in range(count)] for column, count in enumerate(sizes)]
for left, right in itertools.pairwise(places):
    for start in left:
        for end in right:
            network.plot(*zip(start, end, strict=True), color="0.6", lw=1, zorder=1)
for column, name in zip(places, ("input", "hidden", "output"), strict=True):
    network.scatter(*zip(*column, strict=True), s=330, facecolor="white", edgecolor="black", zorder=2)
    network.text(column[0][0], -2.15, f"{len(column)} {name}\nneurons", ha="center", va="center")
for column in (0, 1):
    network.text(column + 0.5, 1.75, f"{sizes[column]} x {sizes[column + 1]}\nsynapses", ha="center", va="center")
network.set(xlim=(-0.4, 2.4), ylim=(-2.6, 2.1), title="A network: 20 synapses, 6 cell bodies with a bias")
for axes in (cell, network):
    axes.axis("off")
plt.show()

# %% [markdown]
# **Which of the two fills memory?** A network with 64 inputs, 32 hidden and 10 output neurons has
# $64 \cdot 32 + 32 \cdot 10 = 2368$ synapses and $32 + 10 = 42$ cell bodies, together $2410$ stored numbers. Each image
# makes 42 new activations, and a batch of $N$ images makes $42N$. Training has to keep them all for the backward
# pass, so from $N = 58$ on activations outnumber weights.

# %% experiment="weights_and_activations" topics="terminology"
model = models.MLP([64, 32, 10])
cost = measure.count(model, torch.zeros(1, 64))
cost.show()
batches = torch.arange(1, 257)
plt.figure(figsize=(6.4, 3.0))
plt.plot(batches, torch.full_like(batches, cost.parameters) * 4 / 1000, label="weights and biases")
plt.plot(batches, batches * cost.activations * 4 / 1000, label="activations kept for the backward pass")
plt.xlabel("images in the batch")
plt.ylabel("memory (kB, 4 bytes per number)")
plt.title("Weights are paid for once, activations for every image")
plt.legend()
plt.show()
record("mlp_parameters", cost.parameters, low=2410, high=2410)
record("mlp_macs_per_image", cost.macs, low=2368, high=2368)

# %% [markdown]
# ### Quiz
#
# Which statements hold for an MLP with 64 inputs, 32 hidden neurons and 10 outputs, all layers dense, biases everywhere?
#
# - **a** One image costs as many multiply-accumulates as there are synapses.
# - **b** The activations of the hidden neurons are learned in training and stored in the model's file.
# - **c** Removing one hidden neuron removes 74 synapses and one bias.
# - **d** Setting half of the hidden layer's weights to zero halves the number of hidden activations.
# - **e** Doubling the batch size doubles the memory for activations and leaves that for weights as it is.
# - **f** The hidden layer has 64 biases, one for each of its inputs.
#
# Write the letters of the true statements as a set.

# %% quiz="network_words" points=3 topics="terminology"
network_words = None  # a set of letters, such as {"a", "b"}
### BEGIN SOLUTION
network_words = {"a", "c", "e"}
### END SOLUTION

# %% [markdown]
# ## 2 The dense layer
#
# In a dense (fully connected) layer every input neuron has a synapse to every output neuron. For a batch of $N$ inputs
# with $I$ values each and a layer of $J$ neurons:
#
# $$Y = X W^\top + b, \qquad y_{nj} = b_j + \sum_{i=1}^{I} x_{ni}\, w_{ji}$$
#
# $X$ is $[N, I]$, the weight $W$ is $[J, I]$ (one row for each output neuron, as in `torch.nn.Linear`), $b$ is $[J]$ and $Y$ is $[N, J]$.
#
# **By hand.** One input $x = (1, 2)$ into three neurons:
#
# $$W = \begin{pmatrix} 1 & 0 \\ 0 & 1 \\ 1 & -1 \end{pmatrix},\quad b = (0.5,\ 0,\ 0) \quad\Rightarrow\quad y = (1 + 0.5,\ 2,\ 1 - 2) = (1.5,\ 2,\ -1).$$


# %% exercise="dense_layer" topics="dense_layer"
def dense(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Apply a dense layer, without an activation function.

    x       float [N, I], N inputs of I values
    weight  float [J, I], one row for each output neuron
    bias    float [J]
    Returns float [N, J]. Write it with tensor operations; no loop is needed.
    """
    ### BEGIN SOLUTION
    return x @ weight.T + bias
    ### END SOLUTION


# %% check="dense_layer" points=2
with checking.check("dense_layer"):
    y = dense(torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0, 0], [0, 1], [1, -1]]), torch.tensor([0.5, 0, 0]))
    hint = "Is the bias added, and nothing clipped? One row for each input, one column for each neuron."
    checking.close(y, torch.tensor([[1.5, 2.0, -1.0]]), "the example's y", hint=hint)

    generator = torch.Generator().manual_seed(1)
    x, weight, bias = (torch.randn(*shape, generator=generator) for shape in ((4, 3), (5, 3), (5,)))
    with checking.unchanged(x=x, weight=weight, bias=bias):
        y = dense(x, weight, bias)
    checking.close(y, F.linear(x, weight, bias), "x [4, 3], weight [5, 3]: y")

    x, weight = (torch.randn(3, 3, generator=generator) for _ in range(2))
    bias = torch.tensor([0.0, 10.0, 20.0])
    hint = "When N = I = J, shapes do not protect you: neuron j uses row j of the weight and adds bias[j] in column j."
    checking.close(dense(x, weight, bias), F.linear(x, weight, bias), "the square case: y", hint=hint)

# %% [markdown]
# **One weight, many images.** A layer with $J \cdot I$ weights does $J \cdot I$ multiply-accumulates (MACs) for each image, but
# it reads its weights from memory once for the whole batch. With one image the processor mostly waits for weights; with
# many it mostly computes. Below, a layer of 2048 x 2048 (16.8 MB of weights) is timed with your function. What does this say about
# a network that answers one user at a time?

# %% experiment="batch_shares_weights" topics="dense_layer"
side = 2048
weight, bias = torch.randn(side, side, device=nb.device) / side**0.5, torch.zeros(side, device=nb.device)
batch_sizes = [1, 2, 4, 8, 16, 32, 64, 128]
seconds = []
for batch_size in batch_sizes:
    x = torch.randn(batch_size, side, device=nb.device)
    timed = measure.latency(functools.partial(dense, x, weight, bias), warmup=3, runs=15)
    seconds.append(timed.low)  # the fast quartile: other work on this machine can only make a run slower

figure, (per_image, rate) = plt.subplots(1, 2, figsize=(9.0, 3.2))
per_image.semilogx(batch_sizes, [1e3 * s / n for s, n in zip(seconds, batch_sizes, strict=True)], "o-")
per_image.set(title="Time per image", xlabel="images in the batch", ylabel="milliseconds per image")
rate.semilogx(batch_sizes, [n * side**2 / s / 1e9 for s, n in zip(seconds, batch_sizes, strict=True)], "o-", color="C1")
rate.set(title="Arithmetic done", xlabel="images in the batch", ylabel="10$^9$ MACs per second")
for axes in (per_image, rate):
    axes.set_xticks(batch_sizes, [str(n) for n in batch_sizes])
    axes.minorticks_off()
    axes.set_ylim(bottom=0)
figure.suptitle(f"Dense layer {side} x {side}, float32, {torch.get_num_threads()} thread, on {nb.hardware}", fontsize=9)
plt.show()
print(f"batch of 1: weights arrive at {4 * side**2 / seconds[0] / 1e9:.1f} GB/s")
record("speedup_per_image_at_batch_128", seconds[0] * 128 / seconds[-1], low=1.5)

# %% [markdown]
# For one image at a time, bytes decide: the layer takes as long as its weights take to arrive. That is why
# storing weights in fewer bits makes inference faster even when the arithmetic stays the same.
#
# ## 3 A multi-layer perceptron, forward and backward
#
# ### Forward
#
# A multi-layer perceptron (MLP) chains $L$ dense layers with a ReLU after each **but the last**, whose outputs, the
# logits, may have any sign:
#
# $$a_0 = x, \qquad a_l = \mathrm{ReLU}(a_{l-1} W_l^\top + b_l) \ \text{ for } l < L, \qquad a_L = a_{L-1} W_L^\top + b_L .$$
#
# The backward pass needs every $a_l$, so the forward pass returns them all.
#
# **By hand.** $x = (1, 2)$, two layers:
#
# $$W_1 = \begin{pmatrix} 1 & -1 \\ 0.5 & 0.5 \end{pmatrix},\ b_1 = (0, 0), \qquad
#   W_2 = \begin{pmatrix} 2 & 1 \\ -1 & 3 \end{pmatrix},\ b_2 = (3, 0).$$
#
# The first layer's sums are $(-1,\ 1.5)$, so $a_1 = (0,\ 1.5)$. The logits are $a_2 = (1.5 + 3,\ 4.5) = (4.5,\ 4.5)$.


# %% exercise="mlp_forward" topics="mlp_forward"
def mlp_forward(x: Tensor, weights: list[Tensor], biases: list[Tensor]) -> list[Tensor]:
    """Run an MLP and keep what the backward pass needs.

    x        float [N, I]
    weights  L tensors; weights[l] is [outputs, inputs] of layer l
    biases   L tensors; biases[l] is [outputs]
    Returns a list of L + 1 tensors: x itself, the activations after the ReLU of each hidden
        layer, and the logits [N, classes].
    """
    ### BEGIN SOLUTION
    activations = [x]
    for layer, (weight, bias) in enumerate(zip(weights, biases, strict=True), start=1):
        z = activations[-1] @ weight.T + bias
        activations.append(z if layer == len(weights) else z.clamp(min=0))
    return activations
    ### END SOLUTION


# %% check="mlp_forward" points=3
with checking.check("mlp_forward"):
    weights = [torch.tensor([[1.0, -1.0], [0.5, 0.5]]), torch.tensor([[2.0, 1.0], [-1.0, 3.0]])]
    biases = [torch.zeros(2), torch.tensor([3.0, 0.0])]
    a = mlp_forward(torch.tensor([[1.0, 2.0]]), weights, biases)
    checking.that(
        isinstance(a, (list, tuple)), f"mlp_forward should return a list of tensors, not a {type(a).__name__}"
    )
    checking.equal(len(a), 3, "the number of tensors for 2 layers", hint="The input x counts as the first.")
    checking.close(a[0], torch.tensor([[1.0, 2.0]]), "the example's a[0]", hint="a[0] is x itself.")
    hint = "Keep what leaves the ReLU: it turns -1 into 0."
    checking.close(a[1], torch.tensor([[0.0, 1.5]]), "the example's a[1]", hint=hint)
    checking.close(a[2], torch.tensor([[4.5, 4.5]]), "the example's a[2]", hint="Layer 2 reads a[1] and adds its bias.")

    generator = torch.Generator().manual_seed(2)
    x = torch.randn(6, 5, generator=generator)
    weights = [torch.randn(*shape, generator=generator) for shape in ((7, 5), (3, 7), (4, 3))]
    biases = [torch.randn(7, generator=generator), torch.randn(3, generator=generator), torch.full((4,), -3.0)]
    with checking.unchanged(x=x, weight=weights[0], bias=biases[0]):
        a = mlp_forward(x, weights, biases)
    expected = x
    for layer in (0, 1):
        expected = F.relu(F.linear(expected, weights[layer], biases[layer]))
        hint = "Every layer but the last has a ReLU."
        checking.close(a[layer + 1], expected, f"three layers: a[{layer + 1}]", hint=hint)
    expected = F.linear(expected, weights[2], biases[2])
    hint = "No ReLU after the last layer: logits may be negative."
    checking.close(a[3], expected, "three layers: logits", hint=hint)

# %% [markdown]
# ### Backward
#
# Let $p = \mathrm{softmax}(a_L)$ be the predicted probabilities [N, classes] and $Y$ the labels as one-hot rows. The loss is the mean
# cross-entropy over the $N$ images, $\mathcal{L} = -\frac1N \sum_{n} \log p_{n, \text{label}_n}$. Write $\delta_l$ for the gradient of $\mathcal{L}$
# with respect to what enters the ReLU of layer $l$ (for the last layer: the logits). The chain rule gives, from the last layer to the first,
#
# $$\delta_L = \tfrac1N (p - Y), \qquad
# \frac{\partial \mathcal{L}}{\partial W_l} = \delta_l^\top a_{l-1}, \qquad
# \frac{\partial \mathcal{L}}{\partial b_l} = \sum_n \delta_{l,n}, \qquad
# \delta_{l-1} = (\delta_l W_l) \odot [a_{l-1} > 0].$$
#
# $\odot$ multiplies element by element, and $[\,\cdot\,]$ is 1 where the condition holds and 0 elsewhere: a silent neuron passes no gradient.
# Backward does two products as large as the one forward did, so a training step costs about three times a forward pass.
#
# **By hand.** In the example above both logits are 4.5, so $p = (0.5, 0.5)$. For label 0: $\delta_2 = (-0.5,\ 0.5)$,
#
# $$\frac{\partial \mathcal{L}}{\partial W_2} = \begin{pmatrix} 0 & -0.75 \\ 0 & 0.75 \end{pmatrix}, \quad
# \delta_2 W_2 = (-1.5,\ 1), \quad \delta_1 = (0,\ 1), \quad
# \frac{\partial \mathcal{L}}{\partial W_1} = \begin{pmatrix} 0 & 0 \\ 1 & 2 \end{pmatrix}.$$


# %% exercise="mlp_backward" topics="mlp_backward"
def mlp_backward(
    activations: list[Tensor],
    weights: list[Tensor],
    labels: Tensor,
) -> tuple[list[Tensor], list[Tensor]]:
    """Gradients of the mean cross-entropy, without autograd.

    activations  L + 1 tensors as the forward pass kept them: x, hidden activations after
        their ReLU, logits
    weights      L tensors [outputs, inputs]
    labels       int64 [N]
    Returns (gradients of the weights, gradients of the biases): two lists of L tensors, in
        the order of the layers.

    torch.softmax and F.one_hot may be used. Logits can be large: do not call exp on them.
    """
    ### BEGIN SOLUTION
    logits = activations[-1]
    delta = torch.softmax(logits, dim=1) - F.one_hot(labels, logits.shape[1])
    delta = delta / len(labels)
    weight_grads, bias_grads = [], []
    for layer in reversed(range(len(weights))):
        weight_grads.insert(0, delta.T @ activations[layer])
        bias_grads.insert(0, delta.sum(dim=0))
        delta = (delta @ weights[layer]) * (activations[layer] > 0)
    return weight_grads, bias_grads
    ### END SOLUTION


# %% check="mlp_backward" points=5
with checking.check("mlp_backward"):
    a = [torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, 1.5]]), torch.tensor([[4.5, 4.5]])]
    weights = [torch.tensor([[1.0, -1.0], [0.5, 0.5]]), torch.tensor([[2.0, 1.0], [-1.0, 3.0]])]
    grads = mlp_backward(a, weights, torch.tensor([0]))
    checking.that(
        isinstance(grads, tuple) and len(grads) == 2 and [len(part) for part in grads] == [2, 2],
        "mlp_backward should return (two weight gradients, two bias gradients) for two layers",
    )
    hint = "It is delta_2 = (p - Y) / N with p = (0.5, 0.5) and N = 1. Are the lists in the order of the layers?"
    checking.close(grads[1][1], torch.tensor([-0.5, 0.5]), "the example's dL/db2", hint=hint)
    by_hand = torch.tensor([[0.0, -0.75], [0.0, 0.75]])
    checking.close(grads[0][1], by_hand, "the example's dL/dW2", hint="delta_2, transposed, times a[1].")
    by_hand = torch.tensor([[0.0, 0.0], [1.0, 2.0]])
    checking.close(grads[0][0], by_hand, "the example's dL/dW1", hint="delta is masked where a[1] is 0.")

    sizes, generator = (5, 7, 6, 4), torch.Generator().manual_seed(3)
    weights = [torch.randn(o, i, generator=generator).double() for i, o in itertools.pairwise(sizes)]
    biases = [torch.randn(o, generator=generator).double() for o in sizes[1:]]
    labels = torch.tensor([0, 3, 1, 1, 2, 0, 3, 2])
    parameters = [value.clone().requires_grad_() for value in weights + biases]
    for scale, name in ((1, ""), (300, ", large logits")):
        a = [scale * torch.randn(8, 5, generator=generator).double()]
        for layer in range(3):
            z = F.linear(a[-1], parameters[layer], parameters[3 + layer])
            a.append(z if layer == 2 else F.relu(z))
        expected = torch.autograd.grad(F.cross_entropy(a[-1], labels), parameters)
        kept = [tensor.detach() for tensor in a]
        with checking.unchanged(x=kept[0], hidden=kept[1], logits=kept[3]):
            weight_grads, bias_grads = mlp_backward(kept, weights, labels)
        hints = (
            "Two steps back: delta goes through W3 with the mask of a[2], then through W2 with the mask of a[1].",
            "One step back: delta goes through W3 and is masked where the activation a[2] is 0.",
            "Is 1/N there (N = 8)? Softmax runs over the classes. The logits have no ReLU, so no mask."
            if scale == 1
            else "Use torch.softmax: exp of a large logit is inf.",
        )
        for layer in (2, 1, 0):
            checking.close(weight_grads[layer], expected[layer], f"8 images{name}: dL/dW{layer + 1}", hint=hints[layer])
            hint = "Add delta over the images; it already contains 1/N."
            checking.close(bias_grads[layer], expected[3 + layer], f"8 images{name}: dL/db{layer + 1}", hint=hint)

# %% [markdown]
# **How to test a gradient without a second program.** Move all weights a little way $h$ along a random direction $d$. The loss should change by
# $h$ times the slope $\langle \nabla\mathcal{L}, d\rangle$, and the central difference
#
# $$\frac{\mathcal{L}(w + hd) - \mathcal{L}(w - hd)}{2h}$$
#
# should agree with it. If $h$ is too large the loss is no longer straight; if too small, rounding drowns the difference.
# Before you run the cell: which step would you choose in float32, whose relative precision is about $10^{-7}$?


# %% experiment="gradient_check" topics="mlp_forward, mlp_backward"
def slope_errors(dtype, steps):
    """Relative error of the central difference against mlp_backward, for each step h."""
    torch.manual_seed(nb.seed)
    parameters = [p.detach().to(dtype) for p in models.MLP([64, 64, 10]).parameters()]
    x, labels = digits.train.images[:256].flatten(1).to(dtype), digits.train.labels[:256]
    weights, biases = parameters[0::2], parameters[1::2]
    grads = mlp_backward(mlp_forward(x, weights, biases), weights, labels)[0]
    direction = [torch.randn(w.shape, generator=nb.generator(1)).to(dtype) / 64 for w in weights]
    exact = sum((g * d).sum() for g, d in zip(grads, direction, strict=True)).item()

    def loss(h):
        moved = [w + h * d for w, d in zip(weights, direction, strict=True)]
        return F.cross_entropy(mlp_forward(x, moved, biases)[-1], labels).item()

    return [abs((loss(h) - loss(-h)) / (2 * h) - exact) / abs(exact) for h in steps]


steps = torch.logspace(-9, 0, 19).tolist()
errors = {name: slope_errors(dtype, steps) for name, dtype in (("float32", torch.float32), ("float64", torch.float64))}
plt.figure()
for name, error in errors.items():
    plt.loglog(steps, error, "o-", label=name)
plt.xlabel("step h")
plt.ylabel("relative error of the slope")
plt.title("Checking your gradient by finite differences")
plt.legend()
plt.show()
record("gradient_error_float64", min(errors["float64"]), high=1e-6)
record("gradient_error_float32", min(errors["float32"]), high=0.1)

# %% [markdown]
# Both curves fall while $h$ shrinks and rise again when rounding takes over; float32 turns far earlier. This is why gradients are
# checked in float64, and why a network that computes in few bits (lab 3) cannot be checked this way at all.
#
# **Training by hand.** Now your two functions train a network: plain gradient descent, $w \leftarrow w - \eta\, \partial\mathcal{L}/\partial w$ with
# learning rate $\eta$, no autograd anywhere.

# %% experiment="train_by_hand" topics="mlp_forward, mlp_backward"
epochs, lr = nb.pick(fast=20, full=100), 0.5
torch.manual_seed(nb.seed)
parameters = [p.detach().to(nb.device) for p in models.MLP([64, 64, 10]).parameters()]
weights, biases = parameters[0::2], parameters[1::2]
generator, losses, accuracies = nb.generator(1), [], []
for _ in range(epochs):
    for images, labels in train_set.batches(64, generator):
        a = mlp_forward(images.flatten(1), weights, biases)
        losses.append(F.cross_entropy(a[-1], labels).item())
        weight_grads, bias_grads = mlp_backward(a, weights, labels)
        for value, grad in zip(weights + biases, weight_grads + bias_grads, strict=True):
            value -= lr * grad
    a = mlp_forward(test_set.images.flatten(1), weights, biases)
    accuracies.append((a[-1].argmax(1) == test_set.labels).float().mean().item())

figure, (left, right) = plt.subplots(1, 2, figsize=(9.0, 3.2))
left.plot(losses, lw=0.8)
left.set(title="Training loss", xlabel="step (64 images each)", ylabel="cross-entropy (nats)", yscale="log")
right.plot(range(1, epochs + 1), [100 * value for value in accuracies], ".-")
right.set(title="Accuracy on the test images", xlabel="epoch", ylabel="correct (%)")
right.xaxis.get_major_locator().set_params(integer=True)
plt.show()
silent = (a[1] == 0).float().mean().item()
print(f"share of hidden activations that are exactly 0 on the test images: {silent:.0%}")
record("hand_trained_accuracy", accuracies[-1], low=0.93)
record("silent_activations", silent, low=0.2, high=0.6)

# %% [markdown]
# A large share of the hidden activations is exactly zero, and nobody asked for it: the ReLU alone does that. Hardware that skips
# zeros can use it, but which activations are zero changes with every image, so it cannot be planned ahead as zero weights can.
#
# ## 4 Dropout
#
# In training, dropout silences each activation with probability $p$, a new draw for each activation of each image, so that
# no neuron can rely on a particular other one. In use nothing is dropped. To keep the expected value the same in both modes, the
# survivors are scaled up in training (*inverted* dropout):
#
# $$\text{training: } y = \frac{m}{1 - p}\, x, \quad m = \begin{cases} 0 & \text{with probability } p \\ 1 & \text{otherwise} \end{cases}
# \qquad\qquad \text{use: } y = x .$$
#
# **By hand.** With $p = 0.5$, $x = (2, 4, 6, 8)$ and drawn $m = (1, 0, 0, 1)$: $y = (4, 0, 0, 16)$. Over all draws the mean of $y$ is $x$ again:
# $0.5 \cdot 0 + 0.5 \cdot 2x = x$.


# %% exercise="dropout" topics="dropout"
def dropout(x: Tensor, p: float, training: bool, generator: torch.Generator) -> Tensor:
    """Inverted dropout.

    x          float, any shape; not changed
    p          probability that a value is dropped, 0 <= p < 1
    training   False: return the values of x as they are
    generator  where the random numbers come from; it is on the device of x, so draw with
        torch.rand(shape, generator=generator, device=x.device)
    Returns a tensor like x.
    """
    ### BEGIN SOLUTION
    if not training:
        return x
    keep = torch.rand(x.shape, generator=generator, device=x.device) >= p
    return x * keep / (1 - p)
    ### END SOLUTION


# %% check="dropout" points=3
with checking.check("dropout"):
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(200, 100, generator=generator) + 1
    with checking.unchanged(x=x):
        used = dropout(x, 0.25, False, generator)
        y = dropout(x, 0.25, True, generator)
    checking.close(used, x, "training=False: y", hint="In use nothing is dropped and nothing is scaled.")
    checking.equal(tuple(y.shape), (200, 100), "the shape in training")
    kept = y != 0
    share = kept.float().mean().item()
    hint = "p is the probability of being dropped."
    checking.that(abs(share - 0.75) < 0.02, f"p = 0.25 should keep about 75% of the values, not {share:.0%}", hint=hint)
    hint = "In training, survivors are divided by 1 - p."
    checking.close(y[kept], (x / 0.75)[kept], "p = 0.25: kept values", hint=hint)
    mixed = all(kept.sum(dim).min() > 0 and kept.sum(dim).max() < kept.shape[dim] for dim in (0, 1))
    hint = "Draw as many random numbers as x has values: the shape is x.shape."
    checking.that(mixed, "each value should be dropped on its own, not whole rows or columns together", hint=hint)
    again = [dropout(x, 0.25, True, torch.Generator().manual_seed(5)) for _ in range(2)]
    checking.equal(again[0], again[1], "two calls with equal generators: y", hint="Draw from the generator passed.")
    again = [dropout(x, 0.25, True, generator) for _ in range(2)]
    hint = "Do not make or seed a generator inside dropout."
    checking.that(not torch.equal(*again), "two calls in a row should drop different values", hint=hint)
    checking.close(dropout(x, 0.0, True, generator), x, "p = 0: y", hint="With p = 0 nothing is dropped.")

# %% [markdown]
# **Does it pay?** Three networks learn from only 200 digits, with $p$ = 0, 0.25 and 0.5 on both hidden layers. Three measurements:
# the accuracy in use; the accuracy when dropout is wrongly left switched on; and the accuracy when a share of the hidden neurons is removed
# *for good*, which is what structured pruning does. Guess first: where will dropout make the largest difference?


# %% experiment="dropout_and_removal" topics="dropout"
class Dropout(nn.Module):
    def __init__(self, p, seed):
        super().__init__()
        self.p, self.generator = p, torch.Generator(nb.device).manual_seed(seed)

    def forward(self, x):
        return dropout(x, self.p, self.training, self.generator)


class Removed(nn.Module):
    """Silences a fixed random share of the neurons and scales up the rest."""

    def __init__(self, share, seed):
        super().__init__()
        order = torch.randperm(256, generator=torch.Generator().manual_seed(seed))
        self.mask = ((order >= share * 256) / (1 - share)).to(nb.device)

    def forward(self, x):
        return x * self.mask


def network(p, seed):
    layers = [nn.Flatten(), nn.Linear(64, 256), nn.ReLU(), Dropout(p, seed)]
    return nn.Sequential(*layers, nn.Linear(256, 256), nn.ReLU(), Dropout(p, seed + 1), nn.Linear(256, 10)).to(
        nb.device
    )


def correct(model):
    with torch.no_grad():
        return 100 * (model(test_set.images).argmax(1) == test_set.labels).float().mean().item()


repeats, epochs = nb.pick(fast=3, full=20), nb.pick(fast=50, full=200)
shares, rates = (0, 0.25, 0.5, 0.625, 0.75, 0.875), (0, 0.25, 0.5)
in_use, left_on, removed = ({p: [] for p in rates} for _ in range(3))
for p in rates:
    for repeat in range(repeats):
        torch.manual_seed(nb.seed + repeat)
        model = network(p, seed=nb.seed + 10 * repeat)
        training.fit(model, train_set.take(200), epochs=epochs, batch_size=50, seed=nb.seed + repeat, progress=False)
        in_use[p].append(correct(model.eval()))
        left_on[p].append(sum(correct(model.train()) for _ in range(5)) / 5)
        model.eval()
        row = []
        for share in shares:
            model[3], model[6] = Removed(share, seed=1), Removed(share, seed=2)
            row.append(correct(model))
        removed[p].append(row)

figure, (left, right) = plt.subplots(1, 2, figsize=(9.0, 3.3))
for offset, marker, name, values in ((-0.01, "o", "in use", in_use), (0.01, "s", "dropout left on", left_on)):
    means = [sum(values[p]) / repeats for p in rates]
    spread = [
        [m - min(values[p]) for m, p in zip(means, rates, strict=True)],
        [max(values[p]) - m for m, p in zip(means, rates, strict=True)],
    ]
    left.errorbar([p + offset for p in rates], means, yerr=spread, fmt=f"{marker}-", capsize=3, label=name)
left.set(title="200 training images", xlabel="dropout probability p", ylabel="test accuracy (%)", xticks=rates)
left.legend()
curves = {p: torch.tensor(removed[p]).mean(0).tolist() for p in rates}
for p in rates:
    right.plot([100 * s for s in shares], curves[p], "o-", label=f"trained with p = {p:g}")
right.set(title="Neurons removed for good", xlabel="hidden neurons removed (%)", ylabel="test accuracy (%)")
right.legend()
plt.show()
record("dropout_gain_in_use", curves[0.5][0] - curves[0][0], low=-3, high=3)
record("dropout_gain_at_75_percent_removed", curves[0.5][4] - curves[0][4], low=4)
record("loss_when_left_on", (sum(in_use[0.5]) - sum(left_on[0.5])) / repeats, low=1)

# %% [markdown]
# On this data the gain in accuracy is about as large as the differences between seeds (the thin bars show the lowest and highest of the runs). Do not claim it from
# one run. Two other effects are plain: a network that is used with dropout left on loses accuracy and answers differently each time, and a
# network trained with dropout survives the removal of neurons far better. Dropout itself makes nothing smaller or faster; it
# makes a network ready to be made smaller.
#
# ## 5 Weight decay
#
# Large weights let a network bend sharply to fit single training images. An L2 penalty $\frac{\lambda}{2} \lVert w \rVert^2$ added to the loss
# pulls all weights towards zero; its gradient is $\lambda w$. There are two ways to apply it. Write the step of an optimizer as
# $w \leftarrow w - \eta\, g / s$, with learning rate $\eta$, gradient $g$, and a scale $s > 0$ for each weight: $s = 1$ in
# plain SGD, and roughly the usual size of that weight's gradient in RMSProp and Adam.
#
# | | step | in PyTorch |
# |---|---|---|
# | **coupled**: the penalty is part of the gradient | $w \leftarrow w - \eta\,(g + \lambda w) / s$ | `SGD`, `Adam` with `weight_decay` |
# | **decoupled**: the weight shrinks on its own | $w \leftarrow w - \eta\, g / s - \eta \lambda w$ | `AdamW` |
#
# For $s = 1$ the two are the same. Otherwise coupled decay is divided by $s$ too: weights with large gradients hardly decay.
#
# **By hand.** $w = (2, 2)$, $g = (0, 0)$, $s = (0.1, 10)$, $\eta = 0.1$, $\lambda = 0.5$. Coupled: $\big(2 - 0.1 \cdot 1/0.1,\ 2 - 0.1 \cdot 1/10\big) = (1,\ 1.99)$.
# Decoupled: both become $2 - 0.1 \cdot 0.5 \cdot 2 = 1.9$.


# %% exercise="weight_decay" topics="weight_decay"
def decayed_step(
    weight: Tensor,
    grad: Tensor,
    scale: Tensor,
    lr: float,
    decay: float,
    decoupled: bool,
) -> Tensor:
    """One optimizer step with weight decay.

    weight, grad, scale  float, all of one shape; scale > 0. None of them is changed.
    lr, decay            learning rate and the decay's strength lambda
    decoupled            False: the penalty's gradient is added to grad
                         True: the weight shrinks by itself
    Returns the new weight. Both forms use the weight as it was before the step.
    """
    ### BEGIN SOLUTION
    if decoupled:
        return weight - lr * grad / scale - lr * decay * weight
    return weight - lr * (grad + decay * weight) / scale
    ### END SOLUTION


# %% check="weight_decay" points=3
with checking.check("weight_decay"):
    w, zero, s = torch.tensor([2.0, 2.0]), torch.zeros(2), torch.tensor([0.1, 10.0])
    hint = "The penalty's gradient is lambda w. It joins the gradient, and both are divided by the scale."
    with checking.unchanged(weight=w):
        coupled = decayed_step(w, zero, s, 0.1, 0.5, False)
    checking.close(coupled, torch.tensor([1.0, 1.99]), "the coupled example's w", hint=hint)
    hint = "Decoupled decay takes away lr * lambda * w, whatever the scale is."
    decoupled = decayed_step(w, zero, s, 0.1, 0.5, True)
    checking.close(decoupled, torch.tensor([1.9, 1.9]), "the decoupled example's w", hint=hint)

    generator = torch.Generator().manual_seed(4)
    w, g = (torch.randn(3, 4, generator=generator) for _ in range(2))
    one, lr, decay = torch.ones(3, 4), 0.2, 0.3
    with checking.unchanged(weight=w, grad=g, scale=one):
        steps = [decayed_step(w, g, one, lr, decay, flag) for flag in (False, True)]
    hint = "Scale 1 makes both forms equal. Both decay the weight as it was before the step."
    checking.close(steps[1], steps[0], "scale 1, decoupled against coupled: w", hint=hint)
    # on its first step Adam divides by |gradient| + eps, whatever its averages are
    for name, make, scale in (
        ("Adam", torch.optim.Adam, (g + decay * w).abs() + 1e-8),
        ("AdamW", torch.optim.AdamW, g.abs() + 1e-8),
    ):
        theirs = w.clone()
        theirs.grad = g.clone()
        make([theirs], lr=lr, weight_decay=decay).step()
        ours = decayed_step(w, g, scale, lr, decay, name == "AdamW")
        checking.close(
            ours, theirs, f"first step of torch.optim.{name}: w", hint="Compare with the table, sign by sign."
        )

# %% [markdown]
# **The same $\lambda$, two meanings.** Some pixels of the digits are blank in every training image. Weights that read them never get a gradient from the
# data, so only decay moves them, and theory says how: decoupled, by the factor $1 - \eta\lambda$ in each step. Coupled in Adam, their
# gradient is $\lambda w$ and its scale about $\lambda \lvert w \rvert$, so $\lambda$ cancels. The left figure follows these weights. The right one asks what
# decay does for accuracy, with 400 training images of which every fifth has a random label.

# %% experiment="decay_two_ways" topics="weight_decay"
lr = 3e-3
forms = {"coupled (Adam)": torch.optim.Adam, "decoupled (AdamW)": torch.optim.AdamW}
blank = (train_set.images == 0).all(0).flatten()


def blank_weights(make, decay, steps=150):
    """Mean |w| of the weights that read a blank pixel, after each step."""
    torch.manual_seed(nb.seed)
    model = models.MLP([64, 64, 10]).to(nb.device)
    optimizer = make(model.parameters(), lr=lr, weight_decay=decay)
    weight, sizes = model.layers[0].weight, []
    while len(sizes) < steps:
        for images, labels in train_set.batches(64, nb.generator(len(sizes))):
            sizes.append(weight[:, blank].abs().mean().item())
            optimizer.zero_grad()
            F.cross_entropy(model(images), labels).backward()
            optimizer.step()
    return sizes[:steps]


few = train_set.take(400)
random_labels = torch.randint(10, (400,), generator=nb.generator(2)).to(nb.device)
spoiled = torch.arange(400, device=nb.device) % 5 == 0
noisy = dataclasses.replace(few, labels=torch.where(spoiled, random_labels, few.labels))


def accuracy(make, decay):
    torch.manual_seed(nb.seed)
    model = models.MLP([64, 256, 10]).to(nb.device)
    optimizer = make(model.parameters(), lr=lr, weight_decay=decay)
    training.fit(
        model,
        noisy,
        epochs=nb.pick(fast=40, full=200),
        optimizer=optimizer,
        batch_size=50,
        seed=nb.seed,
        progress=False,
    )
    return 100 * training.evaluate(model, test_set).accuracy


figure, (left, right) = plt.subplots(1, 2, figsize=(9.4, 3.4))
traces = {}
for (name, make), colour in zip(forms.items(), ("C0", "C1"), strict=True):
    for decay, style in ((0.01, {"lw": 5, "alpha": 0.35}), (1.0, {"lw": 1.5, "ls": "--"})):
        traces[name, decay] = blank_weights(make, decay)
        left.semilogy(traces[name, decay], color=colour, label=f"{name}, $\\lambda$ = {decay:g}", **style)
predicted = [traces["decoupled (AdamW)", 1.0][0] * (1 - lr * 1.0) ** step for step in range(150)]
left.semilogy(range(0, 150, 15), predicted[::15], "k.", label=r"$(1-\eta\lambda)^t$, $\lambda$ = 1")
left.set(
    title=f"Weights that read {int(blank.sum())} blank pixels", xlabel="step t", ylabel="mean |w|", ylim=(1e-5, 0.3)
)
left.legend(fontsize=8, loc="lower left")
decays = [0, 1e-3, 1e-2, 1e-1, 1, 10]
scores = {name: [accuracy(make, decay) for decay in decays] for name, make in forms.items()}
for name, marker in zip(forms, "os", strict=True):
    top = max(scores[name])
    at = decays[scores[name].index(top)]
    right.plot(range(len(decays)), scores[name], f"{marker}-", label=f"{name}: best {top:.0f}%, $\\lambda$ = {at:g}")
right.set_xticks(range(len(decays)), [f"{decay:g}" for decay in decays])
right.set(title="A fifth of the labels random", xlabel=r"decay strength $\lambda$", ylabel="test accuracy (%)")
right.legend(loc="center left")
plt.show()
ratio = traces["decoupled (AdamW)", 1.0][-1] / predicted[-1]
gains = {name: max(values) - values[0] for name, values in scores.items()}
record("decoupled_decay_against_theory", ratio, low=0.999, high=1.001)
record("gain_of_coupled_decay", gains["coupled (Adam)"], low=1)
record("gain_of_decoupled_decay", gains["decoupled (AdamW)"], low=1)

# %% [markdown]
# With noisy labels either form gains a few points, but at values of $\lambda$ a hundred times apart: a decay copied from a paper means nothing without its optimizer. Note also
# what neither does: the weights get small, but decay sets none exactly to zero. Zeros need another prior.
#
# ## 6 L1: a prior that makes zeros
#
# **Penalties are priors.** Suppose that before seeing data we believe each weight to follow a Laplace distribution of scale $b$,
# $\ p(w) = \frac{1}{2b} e^{-|w|/b}$. The *maximum a posteriori* (MAP) weights maximise $p(\text{data} \mid w)\, p(w)$. With $N$ training examples, $D$ weights
# and $\ell_n$ the negative log-likelihood of example $n$ (its cross-entropy), they minimise
#
# $$-\log p(w \mid \text{data}) = \sum_{n=1}^{N} \ell_n + \frac{1}{b} \sum_{d=1}^{D} \lvert w_d \rvert + \text{const}.$$
#
# Training minimises the *mean* over examples. Divide by $N$:
#
# $$J(w) = \frac1N \sum_{n=1}^{N} \ell_n + \lambda \lVert w \rVert_1, \qquad \lambda = \frac{1}{N b}.$$
#
# This is L1 regularisation, the Lasso: $\lambda$ is not arbitrary, it states how strong the prior is against $N$ examples. (A Gaussian prior gives weight decay in the same way.)
# A mini-batch estimates the mean of $\ell_n$, but $N$ in $\lambda$ remains the size of the whole training set.
#
# **By hand.** A batch with $\ell = (1, 3)$ out of $N = 10$ examples, $w = (1, -2)$, $b = 0.5$: $J = 2 + \frac{3}{10 \cdot 0.5} = 2.6$.


# %% exercise="l1_map" topics="l1_map"
def map_loss(nll: Tensor, weight: Tensor, scale: float, examples: int) -> Tensor:
    """The loss J of a MAP estimate under a Laplace prior, estimated from a mini-batch.

    nll       float [B], negative log-likelihood of each example of the batch
    weight    float, any shape: the weights that have the prior
    scale     b of the prior, above 0
    examples  N, the size of the whole training set
    Returns a scalar tensor through which gradients flow; terms without weights or nll are left out.
    """
    ### BEGIN SOLUTION
    return nll.mean() + weight.abs().sum() / (examples * scale)
    ### END SOLUTION


# %% check="l1_map" points=2
with checking.check("l1_map"):
    nll = torch.tensor([1.0, 3.0])
    checking.close(map_loss(nll, torch.zeros(2), 0.5, 10), 2.0, "J for w = 0", hint="Only the mean of nll is left.")
    hint = "The penalty is (1 + 2) / (10 * 0.5) = 0.6: the sum of |w| over N b. N is not the size of the batch."
    checking.close(map_loss(nll, torch.tensor([1.0, -2.0]), 0.5, 10), 2.6, "the example's J", hint=hint)

    # an independent way: PyTorch's own Laplace density. Constants cancel when two weights are compared.
    generator = torch.Generator().manual_seed(5)
    nll = torch.rand(12, generator=generator)
    first, second = (torch.randn(4, 5, generator=generator) for _ in range(2))
    prior = torch.distributions.Laplace(0.0, 0.3)
    posterior = [nll.sum() - prior.log_prob(w).sum() for w in (first, second)]
    ours = [map_loss(nll, w, 0.3, 12) for w in (first, second)]
    hint = "A wide prior (large b) punishes less. All weights count, in a tensor of any shape."
    checking.close((ours[0] - ours[1]) * 12, posterior[0] - posterior[1], "N (J(w) - J(w'))", atol=1e-4, hint=hint)
    halves = [map_loss(part, first, 0.3, 12) for part in nll.split(6)]
    hint = "A smaller batch has the same penalty: it belongs to the training set, not to the batch."
    checking.close(sum(halves) / 2, ours[0], "the mean of J over two half batches", hint=hint)

    weight = torch.tensor([0.5, -0.25], requires_grad=True)
    value = map_loss(torch.ones(2), weight, 0.5, 4)
    connected = isinstance(value, Tensor) and value.requires_grad
    hint = "Return a tensor; .item() and .data cut its connection to the weights."
    checking.that(connected, "gradients should flow from J to the weights", hint=hint)
    value.backward()
    checking.close(weight.grad, torch.tensor([0.5, -0.5]), "the gradient of J, sign(w) / (N b),")

# %% [markdown]
# **The corner at zero.** Gradient descent on $J$ never lands on zero: near it the slope $\lambda\, \mathrm{sign}(w)$ has full strength and flips, so the weight
# jitters around. The *proximal* step takes the penalty exactly instead of its slope. After a gradient step on the data's loss
# alone, move to the point that minimises $\frac12 (u - w)^2 + t\,|u|$ with $t = \eta\lambda$. Its solution is the **soft threshold**
#
# $$S_t(w) = \begin{cases} w - t & w > t \\ 0 & |w| \le t \\ w + t & w < -t. \end{cases}$$
#
# **By hand.** For $t = 1$: $S_1(3) = 2$, $S_1(-0.5) = 0$, $S_1(-2.5) = -1.5$. Everything within $t$ of zero becomes exactly zero, the rest moves by $t$.


# %% exercise="soft_threshold" topics="l1_map"
def soft_threshold(weight: Tensor, threshold: float) -> Tensor:
    """The proximal step of threshold * |w|, element by element, without F.softshrink.

    weight     float, any shape; not changed
    threshold  t, 0 or more
    Returns a new tensor of the same shape.
    """
    ### BEGIN SOLUTION
    return weight.sign() * (weight.abs() - threshold).clamp(min=0)
    ### END SOLUTION


# %% check="soft_threshold" points=3
with checking.check("soft_threshold"):
    w = torch.tensor([3.0, -0.5, -2.5, 1.0, 0.0])
    with checking.unchanged(weight=w), checking.without("F.softshrink"):
        moved = soft_threshold(w, 1.0)
    hint = "Positive weights move down by t, negative ones up by t, and none crosses zero. Survivors move too."
    checking.close(moved, torch.tensor([2.0, 0.0, -1.5, 0.0, 0.0]), "w = (3, -0.5, -2.5, 1, 0), t = 1: S", hint=hint)
    checking.that(moved[1] == 0 and moved[3] == 0, "weights within the threshold should become exactly 0")

    # an independent way: try every u on a fine grid and take the one with the smallest (u - w)^2 / 2 + t |u|
    w, u = torch.linspace(-2, 2, 41).reshape(41, 1), torch.linspace(-3, 3, 6001)
    for t in (0.0, 0.3, 1.2):
        best = u[((u - w) ** 2 / 2 + t * u.abs()).argmin(dim=1)]
        checking.close(soft_threshold(w[:, 0], t), best, f"t = {t}, against a search: S", atol=2e-3, hint=hint)

# %% [markdown]
# **Does it pay?** The same network and the same prior, trained twice: with `map_loss` as the loss (autograd follows the corner), and with the proximal step after each
# step on the data's loss. Then a sweep over the prior's scale $b$. A zero saves memory only if the format can leave it out: CSR (compressed sparse rows) stores each
# non-zero weight with its column index, 8 bytes instead of 4.

# %% experiment="l1_makes_zeros" topics="l1_map"
examples, lr, epochs = len(train_set), 0.1, nb.pick(fast=20, full=100)


def train_with_prior(scale, proximal):
    """An MLP 64-64-10 trained under the prior; returns it with its test accuracy (%)."""
    torch.manual_seed(nb.seed)
    model = models.MLP([64, 64, 10]).to(nb.device)
    matrices = [p for p in model.parameters() if p.ndim == 2]
    optimizer, generator = torch.optim.SGD(model.parameters(), lr=lr), nb.generator(1)
    for _ in range(epochs):
        for images, labels in train_set.batches(64, generator):
            nll = F.cross_entropy(model(images), labels, reduction="none")
            every_weight = torch.cat([w.flatten() for w in matrices])
            optimizer.zero_grad()
            (nll.mean() if proximal else map_loss(nll, every_weight, scale, examples)).backward()
            optimizer.step()
            if proximal:
                with torch.no_grad():
                    for w in matrices:
                        w.copy_(soft_threshold(w, lr / (examples * scale)))
    return model, 100 * training.evaluate(model, test_set).accuracy


def zero_share(model):
    every_weight = torch.cat([p.detach().flatten() for p in model.parameters() if p.ndim == 2])
    return (every_weight == 0).float().mean().item()


scales = [3, 1, 0.5, 0.3, 0.2, 0.14]
sweep = {scale: train_with_prior(scale, proximal=True) for scale in scales}
by_slope, by_slope_accuracy = train_with_prior(0.2, proximal=False)

figure, (left, middle, right) = plt.subplots(1, 3, figsize=(11.0, 3.3), width_ratios=(1.2, 1.2, 1))
for name, model in (("slope of |w|", by_slope), ("proximal step", sweep[0.2][0])):
    ranked = model.layers[0].weight.detach().abs().flatten().sort(descending=True).values.cpu()
    share = torch.arange(len(ranked)) / len(ranked) * 100
    left.semilogy(share[ranked > 0], ranked[ranked > 0], label=f"{name}: {zero_share(model):.0%} exact zeros")
left.axhline(lr / (examples * 0.2), color="0.5", ls=":", label=r"$\eta\lambda$")
left.set(
    title="First-layer weights by size, b = 0.2",
    xlabel="rank (% of weights)",
    ylabel="|w|",
    xlim=(0, 100),
    ylim=(1e-6, 1),
)
left.legend(fontsize=8, loc="upper right")
middle.plot(
    [100 * zero_share(model) for model, _ in sweep.values()], [score for _, score in sweep.values()], "o-", color="C1"
)
for scale, (model, score) in sweep.items():
    middle.annotate(
        f"b={scale:g}", (100 * zero_share(model), score), (0, -13), textcoords="offset points", ha="center", fontsize=8
    )
middle.set(
    title="Tighter prior, more zeros",
    xlabel="weights that are exactly 0 (%)",
    ylabel="test accuracy (%)",
    xlim=(-5, 100),
)
middle.margins(y=0.15)
readers = (sweep[0.2][0].layers[0].weight != 0).sum(0).reshape(8, 8).cpu()
picture = right.imshow(readers, cmap="viridis")
right.set(title="Hidden neurons that read a pixel", xticks=[], yticks=[])
right.grid(False)
figure.colorbar(picture, ax=right, label="neurons (of 64)")
plt.show()

sparse_model, sparse_accuracy = sweep[0.2]
matrices = [p for p in sparse_model.parameters() if p.ndim == 2]
dense_bytes = sum(4 * w.numel() for w in matrices)
csr_bytes = sum(8 * int((w != 0).sum()) + 4 * (len(w) + 1) for w in matrices)
print(
    f"b = 0.2: {zero_share(sparse_model):.0%} zeros, {dense_bytes:,} bytes as dense matrices, {csr_bytes:,} bytes as CSR"
)
record("zeros_by_slope", zero_share(by_slope), low=0, high=0)
record("zeros_by_proximal_step", zero_share(sparse_model), low=0.45, high=0.8)
record("accuracy_lost_to_zeros", sweep[3][1] - sparse_accuracy, high=6)
record("csr_bytes_against_dense", csr_bytes / dense_bytes, high=0.98)

# %% [markdown]
# With the proximal step about 60% of the weights are exactly zero, for one to three points of accuracy; with the slope alone not one is, the weights only
# crowd below $\eta\lambda$. The dark pixels on the right show that the network found out by itself where the paper is always blank. CSR pays only above half zeros, and saved bytes are not
# yet saved time: lab 2 turns zeros into time.
#
# ## 7 Optimizers and what they remember
#
# An optimizer is a function: old weight, gradient and **state** go in, new weight and new state come out. The state is what it remembers of
# earlier gradients, some tensors of the weight's shape, and it costs memory as the weights do. Write all three without changing
# your inputs: return new tensors.
#
# | Optimizer | State per weight | Bytes per weight in training (float32: weight + gradient + state) |
# |---|---|---|
# | SGD | none | 4 + 4 = 8 |
# | SGD with momentum | velocity $v$ | 4 + 4 + 4 = 12 |
# | RMSProp | mean square $s$ | 4 + 4 + 4 = 12 |
# | Adam | mean $m$, mean square $s$ | 4 + 4 + 8 = 16 |
#
# ### SGD with momentum
#
# A ball that rolls: the velocity $v$ collects gradients and forgets them slowly. With gradient $g$, momentum $\mu$ and learning rate $\eta$, starting from $v = 0$,
#
# $$v \leftarrow \mu v + g, \qquad w \leftarrow w - \eta v .$$
#
# **By hand.** $w = 1$, $\eta = 0.1$, $\mu = 0.9$ and $g = 1$ in every step: $v = 1,\ 1.9,\ 2.71$ and $w = 0.9,\ 0.71,\ 0.439$. In the long run $v$ approaches
# $g / (1 - \mu)$, here ten times the gradient.


# %% exercise="sgd_momentum" topics="sgd_momentum"
def sgd_momentum(
    weight: Tensor,
    grad: Tensor,
    velocity: Tensor,
    lr: float,
    momentum: float,
) -> tuple[Tensor, Tensor]:
    """One step of SGD with momentum, as torch.optim.SGD does it.

    weight, grad, velocity  float, all of one shape, none of them changed
    lr, momentum            learning rate and mu

    The velocity is 0 before the first step.
    Returns (new weight, new velocity).
    """
    ### BEGIN SOLUTION
    velocity = momentum * velocity + grad
    return weight - lr * velocity, velocity
    ### END SOLUTION


# %% check="sgd_momentum" points=2
with checking.check("sgd_momentum"):
    w, v, g = torch.tensor([1.0]), torch.zeros(1), torch.ones(1)
    for step, (next_w, next_v) in enumerate(((0.9, 1.0), (0.71, 1.9), (0.439, 2.71)), start=1):
        with checking.unchanged(weight=w, grad=g, velocity=v):
            result = sgd_momentum(w, g, v, 0.1, 0.9)
        pair = isinstance(result, tuple) and len(result) == 2
        checking.that(pair, "sgd_momentum should return (new weight, new velocity)")
        w, v = result
        hint = "v becomes mu v + g: g enters whole, without the learning rate. Return the new v."
        checking.close(v, torch.tensor([next_v]), f"the example, step {step}: v", hint=hint)
        hint = "The step is the learning rate times the new velocity."
        checking.close(w, torch.tensor([next_w]), f"the example, step {step}: w", hint=hint)

    generator = torch.Generator().manual_seed(6)
    ours = torch.randn(3, 4, generator=generator)
    theirs, velocity = ours.clone(), torch.zeros(3, 4)
    reference = torch.optim.SGD([theirs], lr=0.1, momentum=0.8)
    for step, lr in enumerate((0.1, 0.1, 0.1, 0.01, 0.01), start=1):
        reference.param_groups[0]["lr"] = lr
        theirs.grad = torch.randn(3, 4, generator=generator)
        ours, velocity = sgd_momentum(ours, theirs.grad, velocity, lr, 0.8)
        reference.step()
        hint = (
            "From step 4 on the learning rate is lower: it multiplies the step and is no part of v." if step > 3 else ""
        )
        checking.close(ours, theirs, f"torch.optim.SGD, step {step}: w", hint=hint)

# %% [markdown]
# ### RMSProp
#
# Weights whose gradients are always large should take smaller steps, and the other way round. RMSProp keeps a running mean $s$ of the squared gradient
# and divides by its root. With memory $\alpha$ (how much of the old mean is kept) and a small $\varepsilon$ that guards against division by zero, starting from $s = 0$,
#
# $$s \leftarrow \alpha s + (1 - \alpha)\, g^2, \qquad w \leftarrow w - \eta\, \frac{g}{\sqrt{s} + \varepsilon} .$$
#
# **By hand.** $\alpha = 0.75$, first gradient $g = 2$: $s = 0.25 \cdot 4 = 1$, so the step is $2\eta$ (for $\varepsilon = 0$). For $g = 200$ it is
# $s = 10^4$ and again $2\eta$: only the sign of the first gradient counts. But a first step of $\eta/\sqrt{1-\alpha}$ is long: with $\alpha = 0.99$ it is $10\,\eta$.


# %% exercise="rmsprop" topics="rmsprop"
def rmsprop(
    weight: Tensor,
    grad: Tensor,
    square: Tensor,
    lr: float,
    alpha: float,
    eps: float,
) -> tuple[Tensor, Tensor]:
    """One step of RMSProp, as torch.optim.RMSprop does it.

    weight, grad, square  float, all of one shape, none of them changed
    alpha                 share of the old mean square that is kept
    eps                   added to the root, not under it

    The mean square is 0 before the first step. Returns (new weight, new square).
    """
    ### BEGIN SOLUTION
    square = alpha * square + (1 - alpha) * grad**2
    return weight - lr * grad / (square.sqrt() + eps), square
    ### END SOLUTION


# %% check="rmsprop" points=3
with checking.check("rmsprop"):
    w, g, s = torch.tensor([1.0, 1.0]), torch.tensor([2.0, -200.0]), torch.zeros(2)
    with checking.unchanged(weight=w, grad=g, square=s):
        result = rmsprop(w, g, s, 0.1, 0.75, 0.0)
    checking.that(isinstance(result, tuple) and len(result) == 2, "rmsprop should return (new weight, new square)")
    hint = "alpha is the share of the old mean that stays; 1 - alpha is the share of the new squared gradient."
    checking.close(result[1], torch.tensor([1.0, 1e4]), "the example's s", hint=hint)
    hint = "Divide by the root of the new mean square."
    checking.close(result[0], torch.tensor([0.8, 1.2]), "the example's w", hint=hint)

    generator = torch.Generator().manual_seed(7)
    size = torch.tensor([1.0, 1e-2, 1e-4])  # gradients of three sizes, the last below eps
    ours, square = torch.zeros(4, 3), torch.zeros(4, 3)
    theirs = ours.clone()
    reference = torch.optim.RMSprop([theirs], lr=0.1, alpha=0.9, eps=1e-3)
    for step in range(1, 6):
        theirs.grad = size * torch.randn(4, 3, generator=generator)
        ours, square = rmsprop(ours, theirs.grad, square, 0.1, 0.9, 1e-3)
        reference.step()
        hint = "Here eps is 0.001: is it added after the root is taken?"
        checking.close(ours, theirs, f"torch.optim.RMSprop, step {step}: w", hint=hint)

# %% [markdown]
# ### Adam
#
# Adam does both: a running mean $m$ of the gradient (a momentum) and a running mean $s$ of its square, with memories $\beta_1$ and $\beta_2$. Both start at zero and are
# therefore too small at first. After $t$ steps of a constant gradient $m = (1 - \beta_1^t)\, g$, so dividing by $1 - \beta_1^t$ repairs the mean; this is the **bias correction**:
#
# $$\begin{aligned}
# m &\leftarrow \beta_1 m + (1 - \beta_1)\, g, & \hat m &= \frac{m}{1 - \beta_1^t}, \\[1.5ex]
# s &\leftarrow \beta_2 s + (1 - \beta_2)\, g^2, & \hat s &= \frac{s}{1 - \beta_2^t},
# \end{aligned} \qquad\qquad w \leftarrow w - \eta\, \frac{\hat m}{\sqrt{\hat s} + \varepsilon} .$$
#
# $t$ counts steps from 1. The state that is kept is $m$ and $s$, *not* the corrected $\hat m$ and $\hat s$.
#
# **By hand.** $\beta_1 = 0.5$, $\beta_2 = 0.96$, $\varepsilon = 0$, first gradient 2: $m = 1$ and $s = 0.04 \cdot 4 = 0.16$, so $\hat m = 1/0.5 = 2$ and $\hat s = 0.16/0.04 = 4$,
# and the step is $\eta \cdot 2/2 = \eta$. (Uncorrected it would be $\eta \cdot 1/0.4 = 2.5\,\eta$.) If the second gradient is 0: $m = 0.5$, $s = 0.1536$,
# $\hat m = 0.5/0.75 = 0.667$, $\hat s = 0.1536/0.0784 = 1.959$, step $0.476\,\eta$: Adam goes on moving.


# %% exercise="adam" topics="adam"
def adam(
    weight: Tensor,
    grad: Tensor,
    mean: Tensor,
    square: Tensor,
    step: int,
    lr: float,
    betas: tuple[float, float],
    eps: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """One step of Adam, as torch.optim.Adam does it.

    weight, grad, mean, square  float, all of one shape, none of them changed
    step                        number of this step, counted from 1
    betas                       memory of the mean and of the mean square
    eps                         added to the root, not under it

    Both means are 0 before the first step.
    Returns (new weight, new mean, new square), the means without the bias correction.
    """
    ### BEGIN SOLUTION
    mean = betas[0] * mean + (1 - betas[0]) * grad
    square = betas[1] * square + (1 - betas[1]) * grad**2
    corrected_mean = mean / (1 - betas[0] ** step)
    corrected_square = square / (1 - betas[1] ** step)
    return weight - lr * corrected_mean / (corrected_square.sqrt() + eps), mean, square
    ### END SOLUTION


# %% check="adam" points=4
with checking.check("adam"):
    w, g, zero, betas = torch.tensor([1.0]), torch.tensor([2.0]), torch.zeros(1), (0.5, 0.96)
    mean, square = torch.zeros(1), torch.zeros(1)
    with checking.unchanged(weight=w, grad=g, mean=mean, square=square):
        first = adam(w, g, mean, square, 1, 0.1, betas, 0.0)
    checking.that(isinstance(first, tuple) and len(first) == 3, "adam should return (new weight, new mean, new square)")
    hint = "betas[0] belongs to the mean of g, betas[1] to that of g squared. What is returned is not corrected."
    checking.close(first[1], torch.tensor([1.0]), "the example, step 1: m", hint=hint)
    checking.close(first[2], torch.tensor([0.16]), "the example, step 1: s", hint=hint)
    hint = "Divide m by 1 - beta1^t and s by 1 - beta2^t before the root; t is 1 here. Then the step is lr."
    checking.close(first[0], torch.tensor([0.9]), "the example, step 1: w", hint=hint)
    second = adam(first[0], zero, first[1], first[2], 2, 0.1, betas, 0.0)
    checking.close(second[1], torch.tensor([0.5]), "the example, step 2: m", hint="Half of the old mean is kept.")
    checking.close(second[2], torch.tensor([0.1536]), "the example, step 2: s", hint="0.96 of the old mean is kept.")
    hint = "In step 2 the corrections are 1 - 0.5^2 and 1 - 0.96^2."
    checking.close(second[0], torch.tensor([0.9 - 0.0476290]), "the example, step 2: w", hint=hint)

    generator = torch.Generator().manual_seed(8)
    size = torch.tensor([1.0, 1e-2, 1e-4])  # gradients of three sizes, the last below eps
    ours, mean, square = (torch.zeros(4, 3) for _ in range(3))
    theirs = ours.clone()
    reference = torch.optim.Adam([theirs], lr=0.1, betas=(0.8, 0.95), eps=1e-3)
    for step in range(1, 8):
        theirs.grad = size * torch.randn(4, 3, generator=generator)
        ours, mean, square = adam(ours, theirs.grad, mean, square, step, 0.1, (0.8, 0.95), 1e-3)
        reference.step()
        hint = "Here eps is 0.001: it is added after the root of the corrected square is taken."
        checking.close(ours, theirs, f"torch.optim.Adam, step {step}: w", hint=hint)

# %% [markdown]
# **What the correction is for.** All gradients equal 1 and $\eta = 1$. How long are the first steps? Adam without its correction is had by pretending that
# the step number is huge, since then $1 - \beta^t = 1$.

# %% experiment="first_steps" topics="sgd_momentum, rmsprop, adam"
one, count = torch.ones(1), 60
lengths = {"momentum 0.9": [], "RMSProp, memory 0.99": [], "Adam": [], "Adam without correction": []}
v, s, state, uncorrected = torch.zeros(1), torch.zeros(1), [torch.zeros(1)] * 2, [torch.zeros(1)] * 2
for step in range(1, count + 1):
    moved, v = sgd_momentum(0 * one, one, v, 1.0, 0.9)
    lengths["momentum 0.9"].append(-moved.item())
    moved, s = rmsprop(0 * one, one, s, 1.0, 0.99, 1e-8)
    lengths["RMSProp, memory 0.99"].append(-moved.item())
    moved, *state = adam(0 * one, one, *state, step, 1.0, (0.9, 0.999), 1e-8)
    lengths["Adam"].append(-moved.item())
    moved, *uncorrected = adam(0 * one, one, *uncorrected, 10**9, 1.0, (0.9, 0.999), 1e-8)
    lengths["Adam without correction"].append(-moved.item())
plt.figure()
for (name, values), style in zip(lengths.items(), ("-", "-", "-", "--"), strict=True):
    plt.semilogy(range(1, count + 1), values, style, label=name)
plt.xlabel("step")
plt.ylabel("length of the step (learning rates)")
plt.title("Constant gradient 1: how far does each optimizer move?")
plt.legend(fontsize=9)
plt.show()
record("first_rmsprop_step", lengths["RMSProp, memory 0.99"][0], low=9.99, high=10.01)
record("longest_uncorrected_adam_step", max(lengths["Adam without correction"]), low=5, high=8)

# %% [markdown]
# A learning rate is not the length of a step. Momentum grows to ten learning rates, RMSProp starts at ten and shrinks, Adam takes one from the first step on;
# without the correction it would take more than three for its first hundred steps.
#
# **Explore.** A narrow valley, curved $\kappa$ times more across than along. Try: (1) a learning rate just above $2/\kappa$, where SGD must diverge; (2) momentum 0 and 0.99; (3) an angle of 30 degrees: which optimizers notice that the valley was turned, and
# why? (4) memory 0.5 against 0.999.

# %% demo="optimizer_paths" topics="sgd_momentum, rmsprop, adam"
explore.optimizer_paths(learning_rate=0.05, narrowness=20)

# %% [markdown]
# **On real data.** The four rules train the same network for five epochs at eight learning rates, once on the digits and once after every pixel was multiplied by its own constant between 0.01 and 1, as
# if sensors reported in different units. Which optimizer should mind least?

# %% experiment="optimizer_race" topics="sgd_momentum, rmsprop, adam"
rules = {  # number of state tensors, and the rule: (weight, grad, *state, lr, step) -> (new weight, *new state)
    "SGD": (0, lambda w, g, lr, step: (w - lr * g,)),
    "momentum": (1, lambda w, g, v, lr, step: sgd_momentum(w, g, v, lr, 0.9)),
    "RMSProp": (1, lambda w, g, s, lr, step: rmsprop(w, g, s, lr, 0.99, 1e-8)),
    "Adam": (2, lambda w, g, m, s, lr, step: adam(w, g, m, s, step, lr, (0.9, 0.999), 1e-8)),
}


def race(name, lr, train, test):
    """Test accuracy (%) of an MLP 64-64-10 trained by one rule."""
    slots, rule = rules[name]
    torch.manual_seed(nb.seed)
    model = models.MLP([64, 64, 10]).to(nb.device)
    weights, generator, step = list(model.parameters()), nb.generator(1), 0
    state = [[torch.zeros_like(w) for _ in range(slots)] for w in weights]
    for _ in range(nb.pick(fast=5, full=20)):
        for images, labels in train.batches(64, generator):
            step += 1
            grads = torch.autograd.grad(F.cross_entropy(model(images), labels), weights)
            with torch.no_grad():
                for number, (w, g) in enumerate(zip(weights, grads, strict=True)):
                    new, *state[number] = rule(w, g, *state[number], lr, step)
                    w.copy_(new)
    return 100 * training.evaluate(model, test).accuracy


unit = (10 ** (-2 * torch.rand(1, 8, 8, generator=nb.generator(2)))).to(nb.device)
inputs = {
    "Digits as they are": (train_set, test_set),
    "Pixels in different units": tuple(
        dataclasses.replace(part, images=part.images * unit) for part in (train_set, test_set)
    ),
}
rates = [10 ** (exponent / 2) for exponent in range(-6, 2)]
figure, panels = plt.subplots(1, 2, figsize=(9.4, 4.0), sharey=True)
best = {}
for axes, (title, (train, test)) in zip(panels, inputs.items(), strict=True):
    for name, marker in zip(rules, "os^D", strict=True):
        scores = [race(name, lr, train, test) for lr in rates]
        axes.semilogx(rates, scores, f"{marker}-", markersize=4, label=f"{name}: best {max(scores):.0f}%")
        best[title, name] = max(scores)
    axes.set(title=title, xlabel="learning rate", ylabel="test accuracy (%)")
    axes.legend(fontsize=9, ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.18))
plt.show()
as_they_are, different_units = inputs
record("momentum_best_accuracy", best[as_they_are, "momentum"], low=92)
record("adam_best_accuracy", best[as_they_are, "Adam"], low=93)
record(
    "adam_ahead_of_momentum_in_different_units",
    best[different_units, "Adam"] - best[different_units, "momentum"],
    low=3,
)

# %% [markdown]
# With inputs of one scale and a tuned learning rate, momentum comes within a point or two of Adam, for 12 instead of 16 bytes per weight. With inputs in different units the
# adaptive rules win clearly. No learning rate carries over from one rule to another: where Adam is at its best, plain SGD has hardly started, and at the right end all fail.
#
# ## 8 Learning-rate schedules
#
# Large steps get far, small steps settle. A schedule has both. PyTorch's `LambdaLR` sets the rate of step $t$ to $\eta_t = \eta_0 \cdot \lambda(t)$, where $\eta_0$ is the
# optimizer's own learning rate and $\lambda$ is *your function of the step, a factor and not a rate*. It is called with $t = 0, 1, 2, \ldots$; in this course once per batch.
#
# **Multi-stage** schedules multiply the rate by $\gamma$ at each milestone that has been reached ($t \ge$ milestone). A linear **warm-up** over the first $W$ steps goes before:
#
# $$\lambda(t) = \begin{cases} \dfrac{t + 1}{W} & t < W \\[2ex] \gamma^{k} \ \text{ with } k \text{ the number of milestones } \le t & t \ge W. \end{cases}$$
#
# **By hand.** $W = 4$, milestones 10 and 15, $\gamma = 0.1$: the factors are 0.25, 0.5, 0.75, 1 for $t = 0 \ldots 3$, then 1 until $t = 9$, 0.1 from $t = 10$, 0.01 from $t = 15$.


# %% exercise="multi_stage" topics="lr_schedules"
def multi_stage(step: int, warmup: int, milestones: list[int], gamma: float) -> float:
    """Factor on the learning rate: linear warm-up, then a fall by gamma at each milestone.

    step        t, counted from 0
    warmup      W, number of warm-up steps; 0 means none
    milestones  in rising order, none below warmup; from each of these steps on, the factor is
        multiplied once more by gamma
    """
    ### BEGIN SOLUTION
    if step < warmup:
        return (step + 1) / warmup
    return gamma ** sum(step >= milestone for milestone in milestones)
    ### END SOLUTION


# %% check="multi_stage" points=2
with checking.check("multi_stage"):
    factors = {t: multi_stage(t, 4, [10, 15], 0.1) for t in range(17)}

    def among(first, last):
        return {t: factors[t] for t in range(first, last)}

    warmup = {0: 0.25, 1: 0.5, 2: 0.75, 3: 1.0}
    hint = "In the warm-up the factor is (t + 1) / W, so that step 0 moves already. W = 4."
    checking.close(among(0, 4), warmup, "factors", hint=hint)
    checking.close(among(4, 10), dict.fromkeys(range(4, 10), 1.0), "factors", hint="No milestone is reached yet.")
    hint = "Milestones are 10 and 15, counted from step 0. From step 10 on multiply by gamma once, from 15 on twice."
    checking.close(among(10, 15), dict.fromkeys(range(10, 15), 0.1), "factors", hint=hint)
    checking.close(among(15, 17), dict.fromkeys(range(15, 17), 0.01), "factors", hint=hint)

    # against PyTorch: the rates that two optimizers really get, one through LambdaLR, one through MultiStepLR
    rates = []
    for make in (
        lambda optimizer: torch.optim.lr_scheduler.LambdaLR(optimizer, lambda t: multi_stage(t, 0, [3, 4, 8], 0.5)),
        lambda optimizer: torch.optim.lr_scheduler.MultiStepLR(optimizer, [3, 4, 8], gamma=0.5),
    ):
        optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.2)
        scheduler = make(optimizer)
        rates.append([])
        for _ in range(12):
            rates[-1].append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()
    hint = "Return a factor, not a rate: LambdaLR multiplies it by lr = 0.2."
    checking.close(rates[0], rates[1], "no warm-up, milestones 3, 4, 8: rates through LambdaLR", hint=hint)

# %% [markdown]
# **Warm-up and cosine.** Instead of in stages the factor can fall along half a cosine wave from 1 to a floor $\phi$. With $T$ steps in all, of which $W$ are warm-up,
#
# $$\lambda(t) = \begin{cases} \dfrac{t + 1}{W} & t < W \\[2ex]
# \phi + (1 - \phi)\, \dfrac{1 + \cos \pi u}{2}, \quad u = \min\!\Big(\dfrac{t - W}{T - W},\ 1\Big) & t \ge W. \end{cases}$$
#
# **By hand.** $W = 2$, $T = 10$, $\phi = 0$: 0.5, 1 in the warm-up, then $u = 0, \tfrac18, \tfrac28, \ldots$ Half-way, at $t = 6$, $u = 0.5$ and the factor is 0.5. From $t = 10$ on it is 0.


# %% exercise="warmup_cosine" topics="lr_schedules"
def warmup_cosine(step: int, warmup: int, total: int, floor: float = 0.0) -> float:
    """Factor on the learning rate: linear warm-up to 1, then half a cosine wave down to the floor.

    step    t, counted from 0; at `total` and after it the factor stays at the floor
    warmup  W, number of warm-up steps; 0 means none
    total   T, number of all steps, above warmup
    floor   the last factor, from 0 to 1
    """
    ### BEGIN SOLUTION
    if step < warmup:
        return (step + 1) / warmup
    done = min((step - warmup) / (total - warmup), 1.0)
    return floor + (1 - floor) * (1 + math.cos(math.pi * done)) / 2
    ### END SOLUTION


# %% check="warmup_cosine" points=2
with checking.check("warmup_cosine"):
    factors = {t: warmup_cosine(t, 2, 10) for t in range(13)}
    hint = "W = 2: first (t + 1) / W, then the wave starts at step W with cos(0) = 1."
    checking.close({t: factors[t] for t in (0, 1, 2)}, {0: 0.5, 1: 1.0, 2: 1.0}, "factors", hint=hint)
    hint = "Half-way u is 0.5: u = (t - W) / (T - W), and the angle is pi u in radians."
    checking.close(factors[6], 0.5, "factors[6]", hint=hint)
    hint = "After step T the cosine would rise again: limit u to 1."
    checking.close({t: factors[t] for t in (10, 11, 12)}, dict.fromkeys((10, 11, 12), 0.0), "factors", hint=hint)

    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.2)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=20, eta_min=0.2 * 0.1)
    ours, theirs = {}, {}
    for t in range(5, 25):
        ours[t], theirs[t] = warmup_cosine(t, 5, 25, floor=0.1), optimizer.param_groups[0]["lr"] / 0.2
        optimizer.step()
        cosine.step()
    hint = "The floor squeezes the wave into the range from floor to 1; it neither lifts it nor cuts it off."
    checking.close(ours, theirs, "W = 5, T = 25, floor 0.1, against CosineAnnealingLR: factors", hint=hint)

# %% [markdown]
# **Does it pay?** SGD with momentum trains the same network at four peak learning rates, with a constant rate and with your two schedules. The last figure repeats it
# for a deep, narrow network (six hidden layers) under Adam, with and without warm-up.

# %% experiment="schedules_pay" topics="lr_schedules"
epochs, batch_size = nb.pick(fast=12, full=60), 32
total = epochs * math.ceil(len(train_set) / batch_size)
schedules = {
    "constant": lambda t: 1.0,
    "multi-stage": lambda t: multi_stage(t, total // 20, [total // 2, total * 3 // 4], 0.1),
    "cosine": lambda t: warmup_cosine(t, total // 20, total),
}


def train_on_schedule(factor, lr):
    torch.manual_seed(nb.seed)
    model = models.MLP([64, 64, 10]).to(nb.device)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    return training.fit(
        model, train_set, test_set, epochs=epochs, optimizer=optimizer, scheduler=scheduler,
        batch_size=batch_size, seed=nb.seed, progress=False,
    )  # fmt: skip


peaks = [0.03, 0.1, 0.3, 0.5]
runs = {name: {lr: train_on_schedule(factor, lr) for lr in peaks} for name, factor in schedules.items()}
figure, (left, middle, right) = plt.subplots(1, 3, figsize=(11.4, 3.3))
for name, factor in schedules.items():
    left.plot([0.3 * factor(t) for t in range(total)], label=name)
    middle.semilogy(range(1, epochs + 1), runs[name][0.3].train_loss, ".-", label=name)
    right.semilogx(peaks, [100 * runs[name][lr].test_accuracy[-1] for lr in peaks], "o-", label=name)
left.set(title="Learning rate, peak 0.3", xlabel="step", ylabel="learning rate")
middle.set(title="Training loss, peak 0.3", xlabel="epoch", ylabel="mean cross-entropy (nats)")
right.set(title="After the last epoch", xlabel="peak learning rate", ylabel="test accuracy (%)")
right.set_xticks(peaks, [f"{lr:g}" for lr in peaks])
right.minorticks_off()
right.legend()
plt.show()
final = {name: run[0.3].train_loss[-1] for name, run in runs.items()}
record("loss_of_constant_against_cosine", final["constant"] / final["cosine"], low=2)
record("accuracy_with_cosine", runs["cosine"][0.3].test_accuracy[-1], low=0.94)
ends = {name: 100 * run[0.5].test_accuracy[-1] for name, run in runs.items()}
record("cosine_gain_at_peak_0.5", ends["cosine"] - ends["constant"], low=-3)

# %% experiment="warmup_pays" topics="lr_schedules"
deep = [64] * 7 + [10]
epochs, batch_size = nb.pick(fast=20, full=60), 128
total = epochs * math.ceil(len(train_set) / batch_size)
peaks, shares = [0.01, 0.03, 0.05], {"no warm-up": 0.0, "warm-up for 30% of the steps": 0.3}
figure = plt.figure(figsize=(6.4, 3.2))
scores = {}
for name, share in shares.items():
    for lr in peaks:
        torch.manual_seed(nb.seed)
        model = models.MLP(deep).to(nb.device)
        optimizer = torch.optim.Adam(model.parameters(), lr=lr)
        warmup = int(share * total)
        factor = functools.partial(warmup_cosine, warmup=warmup, total=total)
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        training.fit(
            model, train_set, epochs=epochs, optimizer=optimizer, scheduler=scheduler,
            batch_size=batch_size, seed=nb.seed, progress=False,
        )  # fmt: skip
        scores[name, lr] = 100 * training.evaluate(model, test_set).accuracy
    plt.semilogx(peaks, [scores[name, lr] for lr in peaks], "o-", label=name)
plt.gca().set_xticks(peaks, [f"{lr:g}" for lr in peaks])
plt.minorticks_off()
plt.xlabel("peak learning rate")
plt.ylabel("test accuracy (%)")
plt.title("Six hidden layers, Adam, cosine")
plt.legend()
plt.show()
without, with_warmup = (sum(scores[name, lr] for lr in peaks[1:]) / 2 for name in shares)
record("warmup_gain_at_high_rates", with_warmup - without, low=0.5)

# %% [markdown]
# Up to a peak of 0.1 the three schedules end within about a point of each other: no schedule is needed, and none helps. At 0.3 and above the constant rate keeps bouncing, while the same
# peak with a fall at the end reaches a far smaller loss. So a schedule makes a whole range of learning rates usable. Warm-up does the same for the deep network: it adds little at its best
# rate and decides everything at high ones. The shallow network above does not care: set its two warm-ups to 0 and see.
#
# ## 9 Questions
#
# There is no single right answer. Say what you would do, why, and what you would measure. Three to six sentences each.

# %% [markdown] question="optimizer_memory" points=2 topics="sgd_momentum, rmsprop, adam"
# **Question 1.** You want to train all 300 million weights of a network on a device with 4 GB of memory, in float32. Which of the optimizers above fit, counting
# weights, gradients and state? What is missing from that count? Name two ways to make Adam possible after all and say what each costs.
#
# ### BEGIN SOLUTION
# Each number takes 4 bytes, so one tensor of all weights is 1.2 GB. Weights and gradients are 2.4 GB (SGD fits), with one state tensor 3.6 GB (momentum and RMSProp fit, barely), with two 4.8 GB (Adam
# does not). Activations are missing; they grow with the batch and may well decide against momentum too, as do the optimizer's temporary tensors. Ways out: keep Adam's state in 8 or 16 bits (1.2 to 1.8 GB less; noise in the steps, and small values of $s$ need care);
# train only part of the weights, such as low-rank additions or biases (state and gradients only for those; the network can change less); use a smaller network; keep the state in the memory of the host (slow transfers in each step). Momentum with a good schedule is the alternative
# without tricks: the price is a search for its learning rate. I would measure peak memory over one real step before deciding.
# ### END SOLUTION

# %% [markdown] question="small_is_not_zero" points=2 topics="weight_decay, l1_map"
# **Question 2.** A colleague trained with AdamW and finds that 60% of the weights are below 0.001 in size. She wants to report "a model 60% smaller". What would you tell her?
# What would she have to do, and to measure, before such a sentence is true?
#
# ### BEGIN SOLUTION
# Small is not zero: decay shrinks weights by a factor and never reaches zero, so all of them are still stored and multiplied. Nor is 0.001 small in itself: it depends on the size of the activations that it multiplies and on the other weights of its layer. She can set them to zero (or train on with
# an L1 prior and proximal steps) and must then measure accuracy again, and probably train on to win it back. Even 60% true zeros are not 60% smaller: CSR stores an index with each weight, so 40% of the weights at 8 bytes are 80% of the dense size. Time is another matter again and must be measured with a
# kernel that skips zeros on the device in question. If whole neurons are zero they can be cut out, and the dense matrices themselves become smaller and faster.
# ### END SOLUTION

# %% [markdown] question="two_momentums" points=2 topics="sgd_momentum, lr_schedules"
# **Question 3.** Some texts write momentum as $v \leftarrow \mu v + \eta g,\ w \leftarrow w - v$, with the learning rate inside the velocity. Show that this is the same as the form above while $\eta$
# is constant. Then $\eta$ falls to a tenth at a milestone. What does each form do in the next steps, and which would you rather have at the end of a warm-up or at a milestone?
#
# ### BEGIN SOLUTION
# With constant $\eta$ the inner velocity is always $\eta$ times the outer one: both start at 0, and multiplying $v \leftarrow \mu v + g$ by $\eta$ gives the other recurrence; so the steps are equal. At the milestone the form above takes steps ten times smaller
# at once, since the rate multiplies the whole velocity. With the rate inside, the old velocity was collected at the old rate and fades by $\mu$ per step: for $\mu = 0.9$ it takes about 20 steps until they are within twice the new size. The first reacts exactly as the schedule says, which makes results easier to
# reproduce when settings are taken from elsewhere; the second is smoother at sudden falls, and lags behind in a warm-up, which makes it a little more cautious there. With milestones hundreds of steps apart the difference is small. What matters is to know which form a library has before copying a learning rate.
# ### END SOLUTION

# %% [markdown]
# ## 10 Where this comes from
#
# - Back-propagation: D. Rumelhart, G. Hinton, R. Williams, *Learning representations by back-propagating errors*, Nature 323, 1986.
# - Dropout: N. Srivastava and others, *Dropout: a simple way to prevent neural networks from overfitting*, JMLR 15, 2014. Dropout that prepares a network for removal: A. Fan, E. Grave, A. Joulin, *Reducing transformer depth on demand with structured dropout*, ICLR 2020.
# - Weight decay: A. Krogh, J. Hertz, *A simple weight decay can improve generalization*, NIPS 1991. Decoupled: I. Loshchilov, F. Hutter, *Decoupled weight decay regularization*, ICLR 2019.
# - L1: R. Tibshirani, *Regression shrinkage and selection via the lasso*, J. Royal Statistical Society B 58, 1996. The proximal step: I. Daubechies, M. Defrise, C. De Mol, *An iterative thresholding algorithm for linear inverse problems with a sparsity constraint*, Comm. Pure Appl. Math. 57, 2004.
# - Momentum: B. Polyak, *Some methods of speeding up the convergence of iteration methods*, USSR Comput. Math. Math. Phys. 4, 1964; I. Sutskever and others, *On the importance of initialization and momentum in deep learning*, ICML 2013.
# - RMSProp: T. Tieleman, G. Hinton, *Lecture 6.5*, Neural Networks for Machine Learning, 2012. Adam: D. Kingma, J. Ba, *Adam: a method for stochastic optimization*, ICLR 2015.
# - Schedules: I. Loshchilov, F. Hutter, *SGDR: stochastic gradient descent with warm restarts*, ICLR 2017; warm-up: P. Goyal and others, *Accurate, large minibatch SGD: training ImageNet in 1 hour*, 2017.
# - The digits: E. Alpaydin, C. Kaynak, *Optical recognition of handwritten digits*, UCI Machine Learning Repository, 1998.
