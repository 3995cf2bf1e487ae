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
