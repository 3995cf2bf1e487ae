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
