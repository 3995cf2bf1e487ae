# %% [markdown]
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
