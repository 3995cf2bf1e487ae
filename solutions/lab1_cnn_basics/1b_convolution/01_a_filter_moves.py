# ---
# course:
#   title: Convolution, from one filter to fast loops
#   minutes: 180
#   summary: Write convolution, pooling and edge filters by hand, count what they cost, and find out what makes them fast.
# ---

# %% [markdown]
# # Convolution, from one filter to fast loops
#
# Most of the arithmetic of a vision network is convolution, so most of what this course does later, removing
# weights, storing them in few bits, writing kernels, is done to convolutions. Here you take one apart: first
# what it computes, then what it costs, then what makes it fast.
#
# **You will be able to**
# - write a convolution, a pooling layer and the classical edge filters, and say what every index does,
# - work out the size of an output, the region a unit sees, and the parameters, operations and bytes of a
#   layer,
# - turn a convolution into one matrix multiplication, lay its numbers out in memory, and trade
#   multiplications for additions,
# - measure which of these savings become time on your machine, and which do not.
#
# **Time** about three hours. **Needs** a laptop; a GPU adds nothing here, since every timing is of the CPU.
# Some experiments use a C compiler; without one they say so and the rest goes on.
#
# **How it works.** In each exercise, replace `raise NotImplementedError(...)` by your code and run the check
# below it. A check that fails says what it expected and where to look. Every section needs only the set-up
# cell and its own cells, so you can stop and return to any of them.
#
# Letters used throughout:
#
# | letter | meaning |
# |---|---|
# | $N$ | images in a batch |
# | $C_\text{in},\ C_\text{out}$ | channels of the input and of the output |
# | $H,\ W$ | height and width; $H_\text{out},\ W_\text{out}$ those of the output |
# | $K$ | side of the filter (kernel) |
# | $S,\ P,\ D$ | stride, padding, dilation |
# | $G$ | groups |
#
# A batch of images is a tensor `[N, C, H, W]`, the weight of a layer is `[C_out, C_in, K, K]`.

# %% tags=["parameters"]
profile = "fast"
device = "auto"
seed = 0

# %% tags=["setup"]
import ctypes
import math
from functools import partial

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib import checking, data, explore, measure, models, native, notebook, record, training

nb = notebook.start("1b_convolution", profile=profile, device=device, seed=seed)
cpu = notebook.describe_hardware("cpu")
torch.set_num_threads(1)  # every timing here is of one CPU thread: it compares methods, not core counts

# %% [markdown]
# ## 1. A filter moves over an image
#
# A convolution computes each output number from one small window of the input: multiply window and filter
# number by number, add the products, add a bias.
#
# $$y[n, k, i, j] \;=\; b[k] + \sum_{c=0}^{C_\text{in}-1}\ \sum_{u=0}^{K-1}\ \sum_{v=0}^{K-1}
#    w[k, c, u, v]\; x[n,\ c,\ iS + u - P,\ jS + v - P]$$
#
# $n$ is the image, $k$ the output channel, $(i, j)$ the output position, $c$ the input channel and $(u, v)$
# the place in the filter. Where the indices leave the image, $x$ counts as 0: that is padding with $P$ zeros
# on every side. The window moves $S$ pixels at a time and takes every position at which it fits.
#
# Three facts to keep:
#
# - each output channel has a filter of its own, with one slice for every input channel; the slices' results
#   are added;
# - the same filter is used at every position;
# - the filter is **not** flipped. Mathematicians call this cross-correlation and keep the word convolution
#   for the flipped version. Networks learn their filters, so a flip would change nothing, and PyTorch does
#   without it.
#
# **By hand.** One image, one channel, $K = 2$, no padding:
#
# $$x = \begin{pmatrix}1&2&3\\4&5&6\\7&8&9\end{pmatrix},\quad w = \begin{pmatrix}1&0\\0&-1\end{pmatrix}:\qquad
#   y[0,0] = 1\cdot1 + 2\cdot0 + 4\cdot0 + 5\cdot(-1) = -4$$
#
# and the other three positions give $2-6$, $4-8$, $5-9$: also $-4$. With the filter flipped they would give
# $+4$. With stride 2 only $y[0,0]$ is left.
#
# Move a filter over a scanned digit. Try a preset, then type weights of your own. Which weights find the left
# edge of a stroke, and only the left one?

# %% demo="filter_explorer" topics="conv2d"
digits = data.digits().test
explore.move_filter({f"digit {digits.classes[digits.labels[i]]}": digits.images[i, 0] for i in range(4)})

# %% [markdown]
# ### Exercise: conv2d
#
# Write the formula with loops and slices. Two Python loops, over the output positions, are enough: one window
# for all images and all filters can be handled at once. `torch` may help with everything but the convolution
# itself: no `F.conv2d`, no `F.unfold`.


# %% exercise="conv2d" topics="conv2d"
def conv2d(x: Tensor, weight: Tensor, bias: Tensor | None = None, stride: int = 1, padding: int = 0) -> Tensor:
    """Convolve a batch of images.

    x        float [N, C_in, H, W]; it keeps its values.
    weight   float [C_out, C_in, K_h, K_w]; height and width may differ.
    bias     float [C_out], or None.
    stride   step of the window in pixels, the same downwards and to the right.
    padding  rows and columns of zeros on each side of x.

    Returns float [N, C_out, H_out, W_out], one number for each position at which the window fits.
    """
    ### BEGIN SOLUTION
    x = F.pad(x, (padding, padding, padding, padding))
    k_h, k_w = weight.shape[2:]
    tops = range(0, x.shape[2] - k_h + 1, stride)
    lefts = range(0, x.shape[3] - k_w + 1, stride)
    y = x.new_empty(len(x), len(weight), len(tops), len(lefts))
    for i, top in enumerate(tops):
        for j, left in enumerate(lefts):
            window = x[:, None, :, top : top + k_h, left : left + k_w]  # [N, 1, C_in, K_h, K_w]
            y[:, :, i, j] = (window * weight).sum((2, 3, 4))
    return y if bias is None else y + bias[:, None, None]
    ### END SOLUTION


# %% check="conv2d" points=5
with checking.check("conv2d"):
    x = torch.arange(1.0, 10.0).reshape(1, 1, 3, 3)
    w = torch.tensor([[[[1.0, 0.0], [0.0, -1.0]]]])
    checking.close(
        conv2d(x, w),
        [[[[-4.0, -4.0], [-4.0, -4.0]]]],
        "conv2d(x, w)",
        hint="+4 means that the filter is flipped: w[..., 0, 0] belongs to the top left number of the window",
    )
    checking.close(
        conv2d(x, w, stride=2),
        [[[[-4.0]]]],
        "conv2d(x, w, stride=2)",
        hint="the window starts at rows and columns 0, stride, 2 * stride, ... as long as it fits",
    )

    draw = torch.Generator().manual_seed(1)
    batch = torch.randn(2, 3, 7, 8, generator=draw)
    filters, bias = torch.randn(4, 3, 3, 2, generator=draw), torch.randn(4, generator=draw)
    checking.equal(
        tuple(conv2d(batch, filters).shape),
        (2, 4, 5, 7),
        "the shape of conv2d(batch [2, 3, 7, 8], filters [4, 3, 3, 2])",
        hint="[N, C_out, H_out, W_out]; a window 3 high and 2 wide has 5 rows and 7 columns of positions",
    )
    checking.close(
        conv2d(batch, filters),
        F.conv2d(batch, filters),
        "conv2d(batch, filters)",
        hint="add the products of all input channels; weight[k] makes output channel k",
    )
    checking.close(
        conv2d(batch, filters, bias),
        F.conv2d(batch, filters, bias),
        "conv2d(batch, filters, bias)",
        hint="bias[k] is added once to every number of output channel k",
    )
    checking.close(
        conv2d(batch, filters, padding=2),
        F.conv2d(batch, filters, padding=2),
        "conv2d(batch, filters, padding=2)",
        hint="2 rows of zeros above and below, 2 columns left and right, before the window moves",
    )
    checking.close(
        conv2d(batch, filters, bias, stride=3, padding=1),
        F.conv2d(batch, filters, bias, stride=3, padding=1),
        "conv2d(batch, filters, bias, stride=3, padding=1)",
        hint="the window moves 3 pixels at a time over the padded image, downwards and to the right",
    )
    with checking.unchanged(x=batch, weight=filters, bias=bias), checking.without("F.conv2d", "F.unfold"):
        conv2d(batch, filters, bias, padding=1)

# %% [markdown]
# Correct, but how fast? A layer of the size below needs 7.2 million multiply-accumulates (MACs: one product,
# added to a sum). Compare your loops with the library.

# %% experiment="loops_against_library" topics="conv2d"
x = torch.randn(1, 32, 28, 28, generator=nb.generator())
w = torch.randn(32, 32, 3, 3, generator=nb.generator(1))
macs = 32 * 28 * 28 * 32 * 3 * 3
calls = {"loops in Python": lambda: conv2d(x, w, padding=1), "F.conv2d": lambda: F.conv2d(x, w, padding=1)}
timed = measure.compare(calls, rounds=5, agree=1e-3)  # first that both say the same, then how long each takes
for name, seconds in timed.items():
    print(f"{name:16} {seconds * 1e3:8.3f} ms  {macs / seconds / 1e9:7.2f} GMAC/s")
print(f"one thread of {cpu}")
record("library_over_python_loops", timed.ratio("loops in Python", "F.conv2d"), low=5, timed=timed)

# %% [markdown]
# Both do the same arithmetic. Sections 9 to 12 find out where the difference comes from.
