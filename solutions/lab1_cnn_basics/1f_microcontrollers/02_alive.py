# %% [markdown]
# ## 2. Who is alive?
#
# A tensor is **alive** from the step that makes it to the last step that reads it. While layer $i$ runs, memory
# must hold everything that is alive then: what the layer reads, what it writes, and what waits for a later layer.
#
# Number the tensors: 0 is the image, and layer $i$ (from 0) makes tensor $i + 1$. With $s_t$ the bytes of tensor
# $t$, and $a_t \dots b_t$ the steps at which it is alive,
#
# $$m_i = \sum_{t\,:\,a_t \le i \le b_t} s_t, \qquad \text{peak} = \max_i m_i .$$
#
# **By hand.** A residual block: layer 0 turns the image (4 bytes) into tensor 1 (2 bytes), layer 1 expands it to
# tensor 2 (6), layer 2 shrinks that to tensor 3 (2), and layer 3 adds tensors 1 and 3 to tensor 4 (2).
#
# | step | alive | bytes |
# |---|---|---|
# | 0 | 0, 1 | 4 + 2 = 6 |
# | 1 | 1, 2 | 2 + 6 = 8 |
# | 2 | 1 (waits for the addition), 2, 3 | 2 + 6 + 2 = 10 |
# | 3 | 1, 3, 4 | 2 + 2 + 2 = 6 |
#
# The shortcut costs 2 bytes at the worst moment. All tensors together would take 16.
#
# ### Exercise: bytes_alive


# %% exercise="tensor_lifetimes" topics="mcu_memory"
def bytes_alive(sizes: list[int], reads: list[list[int]]) -> list[int]:
    """Bytes that memory must hold while each layer runs.

    sizes  bytes of each tensor. Tensor 0 is the image; layer i (from 0) makes tensor i + 1.
    reads  for each layer, the numbers of the tensors that it reads; a number may stand there twice.

    The image is there from step 0 on. A tensor is freed after the last layer that reads it. A tensor that nobody reads
    is there only at the step that makes it (the image: at step 0), but the last tensor is the result and stays.

    Returns one number for each layer.
    """
    ### BEGIN SOLUTION
    steps = len(reads)
    alive = [0] * steps
    for tensor, size in enumerate(sizes):
        first = max(tensor - 1, 0)
        last = max((step for step in range(steps) if tensor in reads[step]), default=first)
        for step in range(first, last + 1):
            alive[step] += size
    return alive
    ### END SOLUTION


# %% check="tensor_lifetimes" points=3
with checking.check("bytes_alive"):
    checking.equal(
        bytes_alive([4, 2, 6, 2, 2], [[0], [1], [2], [1, 3]]),
        [6, 8, 10, 6],
        "bytes_alive of the residual block",
        hint="tensor 1 waits for layer 3, so it counts at steps 0 to 3; the output of a layer counts while it is written",
    )
    checking.equal(
        bytes_alive([5, 3, 7], [[0], [1]]), [8, 10], "bytes_alive of a chain", hint="the image is free after step 0"
    )
    checking.equal(
        bytes_alive([5, 3, 7, 1], [[0], [1], [0, 2]]),
        [8, 15, 13],
        "bytes_alive of a network whose last layer reads the image again",
        hint="freed after the last reader, not the first",
    )
    checking.equal(
        bytes_alive([5, 3, 4, 3], [[0], [0], [1, 1]]),
        [8, 12, 6],
        "bytes_alive when tensor 1 is read twice by one layer and tensor 2 by nobody",
        hint="a tensor is in memory once, however often it is read; tensor 2 exists while layer 1 writes it, then no more",
    )
    checking.equal(
        bytes_alive([8, 2, 2], [[0], [0]]),
        [10, 10],
        "bytes_alive when tensor 1 is never read",
        hint="it takes 2 bytes at step 0 only",
    )

# %% [markdown]
# Apply it to MobileNetV2 at 224 x 224, all tensors in int8.

# %% experiment="imbalanced_memory" topics="mcu_memory"
network = mcu.describe_mobilenet_v2()
alive = np.array(bytes_alive(list(network.sizes), [list(layer.inputs) for layer in network.layers]))
weights = np.array([network.flash_bytes(number) for number in range(len(network.layers))])
figure, (top, bottom) = plt.subplots(2, 1, figsize=(8.4, 4.4), sharex=True)
steps = np.arange(1, len(alive) + 1)
top.bar(steps, alive / KIB, 0.8)
top.axhline(320, color="#D55E00", linestyle="--", label="SRAM of the STM32F746")
top.set(title="MobileNetV2 at 224 x 224, int8: memory in use at each layer", ylabel="tensors alive, KiB")
top.legend()
bottom.bar(steps, weights / KIB, 0.8, color="#009E73")
bottom.set(title="constants of each layer", xlabel="layer", ylabel="flash, KiB")
plt.show()
early = int((alive > 320 * KIB).nonzero()[0].max()) + 1
print(f"peak {alive.max() / KIB:,.0f} KiB at layer {alive.argmax() + 1}; all layers after {early} stay below 320 KiB")
print(f"all tensors together: {sum(network.sizes) / KIB:,.0f} KiB")
record("peak_over_rest", alive.max() / alive[early:].max(), low=4, high=6)
record("peak_bytes", alive.max(), low=1470 * KIB, high=1470 * KIB)

# %% [markdown]
# Memory sits early, weights sit late. A dozen layers on the largest maps need up to five times what all others
# need, so they alone decide whether the network fits. Sections 4 to 6 take them apart.
