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
calls = {n: functools.partial(dense, torch.randn(n, side, device=nb.device), weight, bias) for n in batch_sizes}
timed = measure.compare(calls)  # in turn; the fast quartile, since other programs can only make a run slower
seconds = list(timed.values())

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
record("speedup_per_image_at_batch_128", 128 * timed.ratio(1, 128), low=1.5, timed=timed)
