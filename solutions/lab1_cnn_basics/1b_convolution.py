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
loops = measure.latency(lambda: conv2d(x, w, padding=1), warmup=1, runs=5).median
library = measure.latency(lambda: F.conv2d(x, w, padding=1)).median
for name, seconds in (("loops in Python", loops), ("F.conv2d", library)):
    print(f"{name:16} {seconds * 1e3:8.3f} ms  {macs / seconds / 1e9:7.2f} GMAC/s")
print(f"one thread of {cpu}")
record("library_over_python_loops", loops / library, low=5)

# %% [markdown]
# Both do the same arithmetic. Sections 9 to 12 find out where the difference comes from.

# %% [markdown]
# ## 2. Edges by hand
#
# Before filters were learned they were designed. Three of them are worth knowing: they show what nine numbers
# can do, and the first layer of a trained network usually holds relatives of them.
#
# **Sobel.** An edge is a place where brightness changes. The difference $d = (-1, 0, 1)$ measures change
# along one axis. Noise changes too, so Sobel averages the difference over three neighbouring lines with
# weights $s = (1, 2, 1)$. Both together are outer products, with $s$ and $d$ as columns:
#
# $$g_x = s\,d^\top \ \text{(horizontal: change to the right)}, \qquad g_y = d\,s^\top \ \text{(vertical: change downwards)}.$$
#
# The horizontal Sobel filter answers to *vertical* edges: brightness changes from left to right across them.
#
# **By hand.** Three equal rows $(0, 0, 1, 1)$: a step to the right of the second column. $g_x$ has two
# positions, and both give $(1+2+1)\cdot(1 - 0) = 4$. $g_y$ gives 0: nothing changes downwards.
#
# ### Exercise: sobel
#
# Build both filters from $s$ and $d$ and apply them with `F.conv2d` (it takes `[N, C, H, W]`, and does not
# flip). Use no padding: zeros around a bright image would look like an edge.


# %% exercise="sobel" topics="sobel"
def sobel(image: Tensor) -> tuple[Tensor, Tensor]:
    """Horizontal and vertical Sobel responses of one grey image.

    image  float [H, W], H and W at least 3.

    Returns (gx, gy), each float [H - 2, W - 2]. gx is positive where the image gets brighter to the right, gy where it
    gets brighter downwards. The weights are whole numbers (not divided by 8).
    """
    ### BEGIN SOLUTION
    smooth, change = torch.tensor([1.0, 2.0, 1.0]), torch.tensor([-1.0, 0.0, 1.0])
    filters = torch.stack([torch.outer(smooth, change), torch.outer(change, smooth)])
    gx, gy = F.conv2d(image[None, None], filters[:, None].to(image))[0]
    return gx, gy
    ### END SOLUTION


# %% check="sobel" points=3
with checking.check("sobel"):
    step = torch.tensor([[0.0, 0.0, 1.0, 1.0]] * 3)
    gx, gy = sobel(step)
    checking.equal(tuple(gx.shape), (1, 2), "the shape of gx for an image of 3 x 4", hint="no padding")
    checking.close(
        gx,
        [[4.0, 4.0]],
        "gx of the step",
        hint="0: gx and gy are exchanged; -4: the sign; 3: the middle line counts twice; 0.5: do not divide by 8",
    )
    checking.close(gy, [[0.0, 0.0]], "gy of the step", hint="nothing changes downwards in this image")
    image = torch.rand(6, 5, generator=torch.Generator().manual_seed(2))
    gx, gy = sobel(image)
    checking.close(
        gy,
        sobel(image.T)[0].T,
        "gy of an image",
        hint="gy is positive where the image gets brighter downwards: gx of the transposed image, transposed back",
    )
    left, right = image[1:4, 2], image[1:4, 4]
    checking.close(
        gx[1, 2],
        (right - left) @ torch.tensor([1.0, 2.0, 1.0]),
        "gx[1, 2]",
        hint="right column minus left column of the window, weights 1, 2, 1 from top to bottom",
    )
    flat = sobel(torch.ones(5, 5))[0]
    checking.close(flat, torch.zeros(3, 3), "gx of a flat image", hint="no edges, not even at the border")

# %% [markdown]
# **Magnitude and angle.** $(g_x, g_y)$ is an arrow that points to where the image gets brighter. Its length
# says how strong the edge is, whatever its direction; its angle says which way the edge faces:
#
# $$|g| = \sqrt{g_x^2 + g_y^2}, \qquad \varphi = \operatorname{atan2}(g_y, g_x) \in [-\pi, \pi].$$
#
# $\operatorname{atan2}$ looks at both signs; $\arctan(g_y / g_x)$ divides by zero and cannot tell an arrow
# from its opposite. **By hand:** $g_x = 3,\ g_y = 4$ has length 5; $g_x = -1,\ g_y = 0$ has length 1 and
# angle $\pi$.
#
# ### Exercise: gradient magnitude


# %% exercise="gradient_magnitude" topics="gradient_magnitude"
def magnitude_and_angle(gx: Tensor, gy: Tensor) -> tuple[Tensor, Tensor]:
    """Length and direction of the gradient.

    gx, gy  float tensors of one shape: change to the right and change downwards.

    Returns (magnitude >= 0, angle in radians from -pi to pi), each of that shape. Angle 0 points right, pi/2 down.
    """
    ### BEGIN SOLUTION
    return torch.sqrt(gx**2 + gy**2), torch.atan2(gy, gx)
    ### END SOLUTION


# %% check="gradient_magnitude" points=2
with checking.check("gradient_magnitude"):
    gx, gy = torch.tensor([3.0, -1.0, 0.0, -2.0]), torch.tensor([4.0, 0.0, -5.0, -2.0])
    with checking.unchanged(gx=gx, gy=gy):
        magnitude, angle = magnitude_and_angle(gx, gy)
    checking.close(
        magnitude, [5.0, 1.0, 5.0, math.sqrt(8)], "magnitude", hint="7 is |gx| + |gy|; 25 lacks the square root"
    )
    checking.close(
        angle,
        [math.atan2(4, 3), math.pi, -math.pi / 2, -3 * math.pi / 4],
        "angle",
        hint="torch.atan2 takes the downward part first, and knows all four quadrants; the angle is in radians",
    )

# %% [markdown]
# **Laplacian.** Sobel measures the first derivative. The Laplacian adds the second derivatives along both
# axes, $\partial^2 x/\partial i^2 + \partial^2 x/\partial j^2$. On a grid the second derivative along a line
# is $x[i-1] - 2x[i] + x[i+1]$, so for four neighbours the filter is
#
# $$L_4 = \begin{pmatrix}0&1&0\\1&-4&1\\0&1&0\end{pmatrix}.$$
#
# Taking the two diagonals as well gives $L_8$: every neighbour counts 1. In both, the weights add to 0, so a
# flat image gives 0; so does an even ramp. One filter answers to edges in all directions.
#
# **By hand.** A single bright pixel of value 1 gives $-4$ at its own place and $+1$ at its four neighbours.
# The image $x[i, j] = j^2$ gives $0 + 2 = 2$ everywhere with $L_4$.
#
# ### Exercise: laplacian


# %% exercise="laplacian" topics="laplacian"
def laplacian(image: Tensor, diagonal: bool = False) -> Tensor:
    """Laplacian of one grey image.

    image     float [H, W], H and W at least 3.
    diagonal  False: four neighbours count. True: all eight.

    Returns float [H - 2, W - 2] (no padding), negative on a bright pixel among dark ones.
    """
    ### BEGIN SOLUTION
    corner = 1.0 if diagonal else 0.0
    kernel = torch.tensor([[corner, 1.0, corner], [1.0, 0.0, 1.0], [corner, 1.0, corner]])
    kernel[1, 1] = -kernel.sum()
    return F.conv2d(image[None, None], kernel[None, None].to(image))[0, 0]
    ### END SOLUTION


# %% check="laplacian" points=2
with checking.check("laplacian"):
    dot = torch.zeros(5, 5)
    dot[2, 2] = 1
    checking.close(
        laplacian(dot),
        [[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]],
        "laplacian(dot)",
        hint="3 x 3 without padding, -4 on the bright pixel and +1 beside it: both signs, so no absolute value",
    )
    checking.close(
        laplacian(dot, diagonal=True),
        [[1.0, 1.0, 1.0], [1.0, -8.0, 1.0], [1.0, 1.0, 1.0]],
        "laplacian(dot, diagonal=True)",
        hint="with eight neighbours the middle is -8: the weights add to 0",
    )
    column = torch.arange(6.0).expand(5, 6)
    checking.close(laplacian(column), torch.zeros(3, 4), "laplacian(column)", hint="an even ramp has no curvature")
    checking.close(
        laplacian(column**2), torch.full((3, 4), 2.0), "laplacian(column**2)", hint="(j-1)^2 - 2 j^2 + (j+1)^2 = 2"
    )

# %% [markdown]
# Now on a photograph (*china.jpg* by danielbuechele, CC BY 2.0, shipped with scikit-learn).

# %% experiment="edges_in_a_photograph" topics="sobel, gradient_magnitude, laplacian"
from sklearn.datasets import load_sample_image

photo = torch.from_numpy(load_sample_image("china.jpg").copy()).float().mean(2) / 255
photo = F.avg_pool2d(photo[None], 2)[0, :200]  # [200, 320]
gx, gy = sobel(photo)
magnitude, angle = magnitude_and_angle(gx, gy)
figure, axes = plt.subplots(2, 3, figsize=(8.2, 3.3))
panels = (
    ("photograph", photo, "gray", 0, 1),
    ("gx: brighter to the right (red)", gx, "RdBu_r", -2, 2),
    ("gy: brighter downwards (red)", gy, "RdBu_r", -2, 2),
    ("magnitude", magnitude, "gray_r", 0, 2.5),
    ("angle, radians (magnitude > 0.6)", angle.where(magnitude > 0.6, torch.nan), "hsv", -3.15, 3.15),
    ("Laplacian, four neighbours", laplacian(photo), "RdBu_r", -1, 1),
)
for axis, (title, picture, colours, low, high) in zip(axes.flat, panels, strict=True):
    shown = axis.imshow(picture, cmap=colours, vmin=low, vmax=high)
    figure.colorbar(shown, ax=axis, shrink=0.75)
    axis.set_title(title, fontsize=9)
    axis.set_axis_off()
plt.show()

# %% [markdown]
# The Laplacian is one filter instead of two and looks sharper. Why do edge detectors still start from first
# derivatives? Add noise and see. A disc whose true edge is known gives a fair score: the chance that an edge
# pixel gets a stronger response than a pixel elsewhere (1: perfect, 0.5: guessing).

# %% experiment="edges_in_noise" topics="sobel, gradient_magnitude, laplacian"
from sklearn.metrics import roc_auc_score

away = (torch.arange(128) - 63.5) ** 2
radius = (away[:, None] + away[None]).sqrt()
disc, is_edge = (40.5 - radius).clamp(0, 1), ((radius - 40).abs() < 1)[1:-1, 1:-1]
difference = torch.tensor([[0.0, 0, 0], [-1, 0, 1], [0, 0, 0]])
plain = torch.stack([difference, difference.T])[:, None]  # no smoothing across the line


def edge_scores(noise: float) -> list[float]:
    image = disc + noise * torch.randn(128, 128, generator=nb.generator(2))
    unsmoothed = magnitude_and_angle(*F.conv2d(image[None, None], plain)[0])[0]
    responses = (magnitude_and_angle(*sobel(image))[0], unsmoothed, laplacian(image).abs())
    return [roc_auc_score(is_edge.flatten(), response.flatten()) for response in responses]


noises = [0, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5]
scores = torch.tensor([edge_scores(noise) for noise in noises])
figure, axes = plt.subplots(figsize=(6.4, 3.2))
for name, line in zip(
    ("Sobel, magnitude", "difference (-1, 0, 1), magnitude", "Laplacian, absolute value"), scores.T, strict=True
):
    axes.plot(noises, line, "o-", label=name)
axes.set(
    title="Finding a disc's edge in noise",
    xlabel="noise, standard deviation (the edge is a step of 1)",
    ylabel="P(edge pixel > other pixel)",
)
axes.axhline(0.5, color="0.5", linestyle=":")
axes.legend()
plt.show()
sobel_score, _, laplacian_score = scores[noises.index(0.1)].tolist()
record("sobel_edge_score", sobel_score, low=0.99, high=1)
record("laplacian_edge_score", laplacian_score, low=0.7, high=0.85)

# %% [markdown]
# A filter turns noise of standard deviation $\sigma$ (independent in each pixel) into
# $\sigma\sqrt{\sum w^2}$. A step of height 1 gives at most $\sum_{w>0} w$ on its bright side. Signal over
# noise, for $\sigma = 1$:
#
# | filter | step response | noise | ratio |
# |---|---|---|---|
# | Sobel | 4 | $\sqrt{12} = 3.5$ | 1.15 |
# | difference | 1 | $\sqrt{2} = 1.4$ | 0.71 |
# | Laplacian $L_4$ | 1 | $\sqrt{20} = 4.5$ | 0.22 |
#
# The second derivative pays for its sharpness with a ratio five times lower than Sobel's. In practice one
# blurs first: the Laplacian of a Gaussian (Marr and Hildreth, 1980).

# %% [markdown]
# ## 3. How large the output is
#
# Along one axis an input has $n$ numbers, and $n + 2P$ with padding. Dilation $D$ spreads the taps of the
# filter: tap $u$ reads $D \cdot u$ pixels after tap 0, so the window spans $D(K-1) + 1$ pixels. The window
# starts at $0, S, 2S, \dots$ and the last start must leave room for all of it:
#
# $$n_\text{out} = \left\lfloor \frac{n + 2P - D(K-1) - 1}{S} \right\rfloor + 1.$$
#
# $\lfloor\cdot\rfloor$ rounds down: pixels left over at the far end are never read.
#
# **By hand.** $n = 8, K = 3, S = 2, P = 0, D = 1$: starts 0, 2, 4 give 3 outputs (start 6 would need pixel
# 8). In the formula, $\lfloor 5/2 \rfloor + 1 = 3$.
#
# ### Exercise: output_size


# %% exercise="output_size" topics="output_size"
def output_size(size: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> int:
    """How many numbers a convolution or pooling layer puts out along one axis.

    size      pixels of the input along the axis, before padding.
    padding   zeros added at each of the two ends.

    Returns a whole number of at least 1. Raises ValueError if the window does not fit even once.
    """
    ### BEGIN SOLUTION
    room = size + 2 * padding - dilation * (kernel - 1) - 1
    if room < 0:
        raise ValueError(f"a window of {dilation * (kernel - 1) + 1} does not fit in {size} + 2 * {padding} pixels")
    return room // stride + 1
    ### END SOLUTION


# %% check="output_size" points=3
with checking.check("output_size"):
    checking.equal(output_size(5, 3), 3, "output_size(5, 3)", hint="the window starts at 0, 1 and 2")
    checking.equal(
        output_size(8, 3, stride=2),
        3,
        "output_size(8, 3, stride=2)",
        hint="round down: a window that does not fit whole does not count",
    )
    checking.equal(
        output_size(32, 3, padding=1), 32, "output_size(32, 3, padding=1)", hint="padding is added at both ends"
    )
    checking.equal(
        output_size(224, 7, stride=2, padding=3),
        112,
        "output_size(224, 7, stride=2, padding=3), the first layer of ResNet-18",
    )
    checking.equal(
        output_size(32, 3, padding=2, dilation=2),
        32,
        "output_size(32, 3, padding=2, dilation=2)",
        hint="3 taps, 2 apart, span 5 pixels",
    )
    checking.equal(output_size(7, 7, stride=7), 1, "output_size(7, 7, stride=7)", hint="one window fits exactly")
    checking.raises(
        ValueError,
        lambda: output_size(4, 3, dilation=2),
        "output_size(4, 3, dilation=2)",
        hint="the window spans 5 pixels, the input has 4",
    )
    image = torch.zeros(1, 1, 29, 29)
    for settings in ((5, 3, 2, 2), (2, 2, 0, 1), (1, 4, 0, 1), (4, 2, 3, 3)):
        kernel, stride, padding, dilation = settings
        expected = F.conv2d(image, torch.zeros(1, 1, kernel, kernel), None, stride, padding, dilation).shape[2]
        checking.equal(
            output_size(29, *settings),
            expected,
            f"output_size(29, kernel={kernel}, stride={stride}, padding={padding}, dilation={dilation})",
        )

# %% [markdown]
# The formula hides something: not every pixel is read equally often. Each map below counts how many windows
# read each pixel of a 10 x 10 image.

# %% experiment="how_often_pixels_are_read" topics="output_size"
settings = [(3, 1, 0, 1), (3, 2, 0, 1), (3, 2, 1, 1), (2, 2, 0, 1), (3, 1, 2, 2)]
figure, axes = plt.subplots(1, 5, figsize=(10, 2.5))
for axis, (kernel, stride, padding, dilation) in zip(axes, settings, strict=True):
    image = torch.ones(1, 1, 10, 10, requires_grad=True)
    F.conv2d(image, torch.ones(1, 1, kernel, kernel), None, stride, padding, dilation).sum().backward()
    reads = image.grad[0, 0].int()
    axis.imshow(reads, cmap="viridis", vmin=0, vmax=9)
    for (i, j), count in zip(
        torch.cartesian_prod(torch.arange(10), torch.arange(10)).tolist(), reads.flatten().tolist(), strict=True
    ):
        axis.text(j, i, count, ha="center", va="center", fontsize=6, color="white" if count < 6 else "black")
    size = output_size(10, kernel, stride, padding, dilation)
    axis.set_title(
        f"K={kernel} S={stride} P={padding} D={dilation}\n10 to {size}, unread: {(reads == 0).sum()}", fontsize=9
    )
    axis.set_axis_off()
plt.show()

# %% [markdown]
# Without padding a corner is read once and the middle nine times. With $K = 3$, $S = 2$ and no padding the
# last row and column are not read at all. When $K$ is not a multiple of $S$, neighbouring pixels count
# differently: the checkerboard known from gradients and from upsampling layers.

# %% [markdown]
# ## 4. How far a unit sees
#
# The **receptive field** of a unit is the part of the input that can change it. Go through the layers from
# the input and keep two numbers: the field $r$ in input pixels, and the step $j$, the distance in input
# pixels between two neighbouring units. Start with $r = 1, j = 1$ (a pixel sees itself). A layer with kernel
# $K$, stride $S$ and dilation $D$ combines units that are up to $D(K-1)$ steps apart, then keeps every
# $S$-th:
#
# $$r \leftarrow r + D(K-1)\,j, \qquad j \leftarrow j\,S.$$
#
# The field grows with the *old* step. Pooling layers count like convolutions.
#
# **By hand.** A 3x3 convolution, 2x2 pooling with stride 2, a 3x3 convolution:
# $(1, 1) \to (3, 1) \to (4, 2) \to (8, 2)$.
#
# Try it: which of depth, stride and dilation makes the field grow fastest? Which leaves holes? In which
# setting do some pixels in the field count far more than others?

# %% demo="receptive_field_explorer" topics="receptive_field"
explore.grow_receptive_field(kernel=3, stride=1, dilation=1, depth=3)

# %% [markdown]
# ### Exercise: receptive_field


# %% exercise="receptive_field" topics="receptive_field"
def receptive_field(layers: list[tuple[int, int, int]]) -> tuple[int, int]:
    """Receptive field of one unit after a stack of convolution and pooling layers, along one axis.

    layers  (kernel, stride, dilation) of each layer, from the input on; may be empty.

    Returns (field, step): pixels the unit can see, and pixels between the fields of two neighbouring units.
    """
    ### BEGIN SOLUTION
    field, step = 1, 1
    for kernel, stride, dilation in layers:
        field += dilation * (kernel - 1) * step
        step *= stride
    return field, step
    ### END SOLUTION


# %% check="receptive_field" points=4
with checking.check("receptive_field"):
    conv, pool, down = (3, 1, 1), (2, 2, 1), (3, 2, 1)
    checking.equal(receptive_field([]), (1, 1), "receptive_field([])", hint="a pixel sees itself")
    checking.equal(
        receptive_field([conv, conv, conv]),
        (7, 1),
        "receptive_field([conv, conv, conv])",
        hint="each adds K - 1 = 2 pixels at step 1",
    )
    checking.equal(
        receptive_field([conv, pool, conv]),
        (8, 2),
        "receptive_field([conv, pool, conv])",
        hint="after stride 2, a 3x3 filter spans 2 * 2 more pixels",
    )
    checking.equal(
        receptive_field([down]),
        (3, 2),
        "receptive_field([down])",
        hint="the window of one unit is 3 pixels; its own stride matters only for the layers after it",
    )
    checking.equal(
        receptive_field([(3, 1, 1), (3, 1, 2), (3, 1, 4)]),
        (15, 1),
        "receptive_field of dilations 1, 2, 4",
        hint="dilation D spreads K taps over D * (K - 1) steps",
    )
    vgg16 = [conv] * 2 + [pool] + [conv] * 2 + [pool] + ([conv] * 3 + [pool]) * 3
    checking.equal(
        receptive_field(vgg16),
        (212, 32),
        "receptive_field(vgg16) (published: 212)",
        hint="the layers are listed from the input on; strides multiply",
    )
    checking.equal(receptive_field([(7, 2, 1), (3, 2, 1)]), (11, 4), "receptive_field of ResNet-18's first two layers")

# %% [markdown]
# The field says what *can* matter. What does matter? Back-propagate from one unit to the input and average
# the size of the gradient over many images: the **effective** receptive field (Luo et al., 2016). The network
# is a small ResNet trained on `shapes`, 32x32 scenes of ten figures: a 5x5 convolution with stride 2, then
# stages of two 3x3 convolutions, of which the second and third stage start with stride 2. The unit is in the
# middle of the second stage.

# %% experiment="effective_field" topics="receptive_field"
layers = [(5, 2, 1), (3, 1, 1), (3, 1, 1), (3, 2, 1), (3, 1, 1)]  # stem, first stage, second stage
field, step = receptive_field(layers)
torch.manual_seed(nb.seed)
networks = {"untrained": models.small_resnet(), "trained": training.load("shapes_resnet")}
scenes = data.shapes(train=0, test=nb.pick(fast=200, full=1000)).test.images.to(nb.device)


def input_gradient(network: nn.Module, unit: int = 4) -> Tensor:
    """Mean absolute gradient of one unit of the second stage, all channels added: [32, 32], largest 1."""
    images = scenes.clone().requires_grad_()
    network.to(nb.device).eval()
    maps = nn.Sequential(network.conv1, network.bn1, network.relu, network.layer1, network.layer2)(images)
    maps[:, :, unit, unit].sum().backward()
    mean = images.grad.abs().mean((0, 1)).cpu()
    return mean / mean.max()


middle = 4 * step  # with these paddings, unit u looks at the window centred on pixel u * step
figure, axes = plt.subplots(1, 2, figsize=(7, 3.1))
for axis, (name, network) in zip(axes, networks.items(), strict=True):
    gradient = input_gradient(network)
    shown = axis.imshow(gradient, cmap="viridis", vmin=0, vmax=1)
    corner = middle - field / 2
    axis.add_patch(plt.Rectangle((corner, corner), field, field, fill=False, color="#D55E00", linewidth=2))
    axis.set(title=f"{name}: field of {field} px (box)", xlabel="input pixels", ylabel="input pixels")
    axis.grid(visible=False)
    distance = (torch.arange(32) - middle).abs()
    distance = torch.maximum(distance[:, None], distance[None])  # from the middle pixel, along the longer axis
    inside = gradient[distance <= 6].sum() / gradient.sum()
    outside = gradient[distance > field // 2].sum() / gradient.sum()
    print(
        f"{name}: {inside:.0%} of the gradient on the middle 13 x 13 pixels, a quarter of the field; {outside:.1%} outside the field"
    )
figure.colorbar(shown, ax=axes, label="|gradient|, largest = 1")
plt.show()
record("gradient_outside_the_field", outside, low=0, high=1e-6)
record("gradient_in_the_middle_quarter", inside, low=0.6, high=0.75)

# %% [markdown]
# Outside the box the gradient is exactly 0. Inside it fades long before the edge: a pixel in the middle
# reaches the unit along many paths, one at the edge along few, as the explorer's colours showed. A field as
# large as the object is therefore the least that is needed, not plenty.

# %% [markdown]
# ## 5. Pooling
#
# A pooling layer replaces each window by one number, channel by channel: the largest, or the mean.
#
# $$\text{max: } y = \max_{(u,v)\in R} x[u, v], \qquad \text{average: } y = \frac{1}{|R|}\sum_{(u,v)\in R} x[u,v]$$
#
# $R$ is the set of *real* pixels in the window. Padding must not join in: it counts as $-\infty$ for the
# maximum, and it is left out of both the sum and the count of the average. (PyTorch's `avg_pool2d` counts
# padding unless told `count_include_pad=False`.) The stride is usually the window's side, so that windows do
# not overlap.
#
# **By hand.** The row of windows
# $\begin{pmatrix}1&2\\3&6\end{pmatrix}, \begin{pmatrix}-4&-1\\-2&-1\end{pmatrix}$ becomes $(6, -1)$ with max
# and $(3, -2)$ with average.
#
# ### Exercise: pool2d
#
# Without torch's pooling functions. `tensor.unfold(axis, size, step)` gives a view of all windows along one
# axis; two of them give all windows of an image.


# %% exercise="pooling" topics="pooling"
def pool2d(x: Tensor, kernel: int, stride: int | None = None, padding: int = 0, mode: str = "max") -> Tensor:
    """Max or average pooling that ignores padding.

    x        float [N, C, H, W]; values may be negative.
    kernel   side of the square window.
    stride   step of the window; None means kernel.
    padding  pixels outside each edge that windows may reach, at most kernel // 2; they never count.
    mode     "max" or "avg".

    Returns float [N, C, H_out, W_out].
    """
    ### BEGIN SOLUTION
    stride = kernel if stride is None else stride

    def windows(values: Tensor, outside: float) -> Tensor:  # [N, C, H_out, W_out, K, K]
        padded = F.pad(values, (padding, padding, padding, padding), value=outside)
        return padded.unfold(2, kernel, stride).unfold(3, kernel, stride)

    if mode == "max":
        return windows(x, -math.inf).amax((4, 5))
    return windows(x, 0.0).sum((4, 5)) / windows(torch.ones_like(x), 0.0).sum((4, 5))
    ### END SOLUTION


# %% check="pooling" points=4
with checking.check("pooling"):
    x = torch.tensor([[[[1.0, 2.0, -4.0, -1.0], [3.0, 6.0, -2.0, -1.0]]]])
    checking.close(
        pool2d(x, 2),
        [[[[6.0, -1.0]]]],
        "pool2d(x, 2)",
        hint="the largest number of each 2x2 window, windows side by side",
    )
    checking.close(
        pool2d(x, 2, mode="avg"), [[[[3.0, -2.0]]]], 'pool2d(x, 2, mode="avg")', hint="the mean of each 2x2 window"
    )
    batch = torch.randn(2, 3, 7, 9, generator=torch.Generator().manual_seed(3)) - 2
    checking.close(
        pool2d(batch, 3),
        F.max_pool2d(batch, 3),
        "pool2d(batch, 3)",
        hint="[2, 3, 2, 3]: images and channels stay apart, a window that does not fit is dropped",
    )
    checking.close(
        pool2d(batch, 3, stride=2),
        F.max_pool2d(batch, 3, 2),
        "pool2d(batch, 3, stride=2)",
        hint="windows overlap when the stride is smaller than the kernel",
    )
    checking.close(
        pool2d(batch, 3, 2, padding=1),
        F.max_pool2d(batch, 3, 2, 1),
        "pool2d(batch, 3, stride=2, padding=1)",
        hint="most pixels are negative here, and a zero from the padding must not win: pad with -math.inf",
    )
    checking.close(
        pool2d(batch, 3, 2, padding=1, mode="avg"),
        F.avg_pool2d(batch, 3, 2, 1, count_include_pad=False),
        'pool2d(batch, 3, stride=2, padding=1, mode="avg")',
        hint="divide by the number of real pixels: 4 in a corner, 6 at an edge, 9 inside",
    )
    with checking.unchanged(x=batch), checking.without("F.max_pool2d", "F.avg_pool2d"):
        for mode in ("max", "avg"):
            pool2d(batch, 3, 2, padding=1, mode=mode)

# %% [markdown]
# Max or average? It depends on what the feature looks like (Boureau, Ponce and LeCun, 2010). Left: 4x4
# windows in which $k$ of 16 pixels are 1, all in noise of standard deviation 0.3; how many standard
# deviations separate windows with the feature from windows without? Right: pooling is often said to make a
# network blind to small shifts. Features of the trained network's first layer, halved in three ways, for
# scenes that move by 0 to 4 pixels.


# %% experiment="which_pooling" topics="pooling"
def separation(active: int, mode: str, windows: int = 4000) -> float:
    draw = nb.generator(active)
    chosen = torch.rand(windows, 16, generator=draw).argsort(1) < active
    noise = 0.3 * torch.randn(2, windows, 16, generator=draw)
    with_feature, without = (
        pool2d(t.reshape(1, windows, 4, 4), 4, mode=mode).flatten() for t in (noise[0] + chosen, noise[1])
    )
    return ((with_feature.mean() - without.mean()) / ((with_feature.var() + without.var()) / 2).sqrt()).item()


network = training.load("shapes_resnet").eval()
wide = data.shapes(train=0, test=200, size=40).test.images
ways = {
    "every second pixel": lambda t: t[:, :, ::2, ::2],
    "max": lambda t: pool2d(t, 2),
    "average": lambda t: pool2d(t, 2, mode="avg"),
}


def change(way: str, shift: int) -> float:
    """Mean distance between features of a scene and of the scene moved, over that between two different scenes."""
    with torch.no_grad():
        here, moved = (
            ways[way](network.relu(network.bn1(network.conv1(wide[:, :, 4:36, 4 + s : 36 + s])))).flatten(1)
            for s in (0, shift)
        )
    return ((here - moved).norm(dim=1).mean() / (here - here.roll(1, 0)).norm(dim=1).mean()).item()


figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.3))
actives = [1, 2, 4, 6, 8, 12, 16]
curves = {mode: [separation(active, mode) for active in actives] for mode in ("max", "avg")}
for mode, name in (("max", "max"), ("avg", "average")):
    left.plot(actives, curves[mode], "o-", label=name)
left.set(
    title="Thin features: max. Areas: average", xlabel="active pixels of 16", ylabel="separation, standard deviations"
)
shifts = range(5)
moves = {way: [change(way, shift) for shift in shifts] for way in ways}
for way, line in moves.items():
    right.plot(shifts, line, "o-", label=way)
right.set(
    title="No way of halving makes features blind to shifts",
    xlabel="shift, pixels",
    ylabel="change (1 = another scene)",
    xticks=list(shifts),
    ylim=(0, None),
)
left.legend()
right.legend()
plt.show()
record("max_over_average_thin", curves["max"][0] / curves["avg"][0], low=2, high=3)
record("max_over_average_full", curves["max"][-1] / curves["avg"][-1], low=0.4, high=0.52)
record("change_after_one_pixel_max", moves["max"][1], low=0.24, high=0.35)

# %% [markdown]
# A thin feature fills few pixels of its window: the mean dilutes it, the maximum keeps it. A feature that
# fills the window is better averaged: noise cancels, while the maximum picks out the largest noise. As for
# shifts, pooling softens them and does not remove them: one pixel already takes the features a good part of
# the way to another scene.

# %% [markdown]
# ## 6. Channels in groups
#
# With $G$ groups the channels are cut into $G$ equal, neighbouring blocks, and block $g$ of the output reads
# block $g$ of the input alone. The weight is `[C_out, C_in / G, K, K]`: filters are shallower, so parameters
# and MACs fall by a factor of $G$. $G = C_\text{in}$ is a **depthwise** convolution: each channel has its own
# filter and never meets another. Something else, usually a 1x1 convolution, must then mix the channels.
#
# **By hand.** $G = 2$, one pixel with four channels $(1, 2, 3, 4)$, filters $(1, 1)$ and $(1, -1)$: the first
# sees channels $(1, 2)$ and gives 3, the second sees $(3, 4)$ and gives $-1$.
#
# ### Exercise: grouped convolution
#
# Use ordinary convolutions (`F.conv2d` with its default `groups=1`), one per group.


# %% exercise="grouped_conv" topics="grouped_conv"
def grouped_conv2d(x: Tensor, weight: Tensor, groups: int, padding: int = 0) -> Tensor:
    """Convolution in groups, stride 1.

    x       float [N, C_in, H, W]
    weight  float [C_out, C_in / groups, K, K]
    groups  divides C_in and C_out.

    Returns float [N, C_out, H_out, W_out]; output channels stand in the order of the filters. F.conv2d may serve each
    group, without its own `groups`.
    Raises ValueError if groups does not divide C_in and C_out.
    """
    ### BEGIN SOLUTION
    if x.shape[1] % groups or weight.shape[0] % groups:
        raise ValueError(f"{groups} groups do not divide {x.shape[1]} input and {weight.shape[0]} output channels")
    blocks = zip(x.chunk(groups, dim=1), weight.chunk(groups, dim=0), strict=True)
    return torch.cat([F.conv2d(block, filters, padding=padding) for block, filters in blocks], dim=1)
    ### END SOLUTION


# %% check="grouped_conv" points=4
with checking.check("grouped_conv"):
    x = torch.tensor([1.0, 2.0, 3.0, 4.0]).reshape(1, 4, 1, 1)
    w = torch.tensor([[1.0, 1.0], [1.0, -1.0]]).reshape(2, 2, 1, 1)
    checking.close(
        grouped_conv2d(x, w, 2),
        torch.tensor([3.0, -1.0]).reshape(1, 2, 1, 1),
        "grouped_conv2d(x, w, 2)",
        hint="group 0 reads channels 0 and 1, group 1 reads channels 2 and 3; their outputs stand side by side",
    )
    draw = torch.Generator().manual_seed(4)
    batch = torch.randn(2, 6, 5, 4, generator=draw)
    for groups, outputs in ((1, 4), (2, 4), (3, 9), (6, 6), (6, 12)):
        filters = torch.randn(outputs, 6 // groups, 3, 3, generator=draw)
        with checking.without("F.conv2d with groups"):
            y = grouped_conv2d(batch, filters, groups, padding=1)
        checking.close(
            y,
            F.conv2d(batch, filters, padding=1, groups=groups),
            f"grouped_conv2d(batch, {outputs} filters, groups={groups}, padding=1)",
            hint="group g uses C_in/G channels from g * C_in/G on and C_out/G filters from g * C_out/G on",
        )
    for groups, filters in ((4, torch.zeros(4, 1, 3, 3)), (3, torch.zeros(4, 2, 3, 3))):
        checking.raises(
            ValueError,
            partial(grouped_conv2d, batch, filters, groups),
            f"{groups} groups of 6 channels and 4 filters",
            hint="raise ValueError yourself, before slicing; groups must divide C_in and C_out",
        )

# %% [markdown]
# $G$ groups need $G$ times fewer MACs. Do they take $G$ times less time? One 3x3 layer, 128 channels in and
# out, 28x28 pixels.

# %% experiment="groups_in_time" topics="grouped_conv"
x = torch.randn(1, 128, 28, 28, generator=nb.generator(3))
groups = [1, 2, 4, 8, 16, 32, 64, 128]
milliseconds = []
for g in groups:
    w = torch.randn(128, 128 // g, 3, 3, generator=nb.generator(4))
    assert torch.allclose(grouped_conv2d(x, w, g, 1), F.conv2d(x, w, padding=1, groups=g), atol=1e-3)
    milliseconds.append(measure.latency(partial(F.conv2d, x, w, padding=1, groups=g), runs=30).median * 1e3)
figure, axes = plt.subplots(figsize=(6.4, 3.3))
axes.loglog(groups, milliseconds, "o-", label="measured, F.conv2d")
axes.loglog(groups, [milliseconds[0] / g for g in groups], "k:", label="if time followed MACs")
axes.set_xticks(groups, groups)
axes.yaxis.set_major_locator(plt.LogLocator(subs=(1, 2, 5)))
axes.yaxis.set_major_formatter("{x:g}")
axes.minorticks_off()
axes.set(
    title=f"3x3 convolution in groups, 128 channels, 28x28\none thread of {cpu}",
    xlabel="groups G (128: depthwise)",
    ylabel="time, ms",
)
axes.legend()
plt.show()
faster = milliseconds[0] / milliseconds[-1]
print(f"depthwise: 128 times fewer MACs, {faster:.0f} times faster")
record("depthwise_speedup_of_128", faster, low=1, high=100)

# %% [markdown]
# The saving in MACs is exact, the saving in time is not. Shallow filters use each loaded number in few
# products; section 8 makes that precise. And libraries have fast kernels for common shapes only: look for a
# group count that takes *longer* than its neighbour with more MACs.

# %% [markdown]
# ## 7. Sharing weights
#
# Three layers turn $C_\text{in}$ maps of $H \times W$ into $C_\text{out}$ maps of the same size:
#
# - **dense**: every output number reads every input number, each pair with its own weight;
# - **local**: every output number reads a $K \times K$ window (of all input channels), each position with its
#   own weights;
# - **convolution**: the same window, and all positions share one filter per output channel.
#
# Each output number of the first two has its own bias; a convolution has one bias per output channel.
#
# **By hand.** One channel, 4x4, $K = 3$: dense $16 \cdot 16 + 16 = 272$, local $16 \cdot 9 + 16 = 160$
# (windows at the border count in full), convolution $9 + 1 = 10$.
#
# ### Exercise: parameter counts


# %% exercise="weight_sharing" topics="weight_sharing"
def parameter_counts(c_in: int, c_out: int, height: int, width: int, kernel: int) -> tuple[int, int, int]:
    """Parameters, biases included, of three layers from [c_in, height, width] to [c_out, height, width].

    Returns (dense, local, convolution).
    """
    ### BEGIN SOLUTION
    outputs = c_out * height * width
    window = c_in * kernel * kernel
    return outputs * (c_in * height * width + 1), outputs * (window + 1), c_out * (window + 1)
    ### END SOLUTION


# %% check="weight_sharing" points=3
with checking.check("weight_sharing"):
    checking.equal(
        parameter_counts(1, 1, 4, 4, 3),
        (272, 160, 10),
        "parameter_counts(1, 1, 4, 4, 3)",
        hint="256, 144 or 9: the biases are missing; 25: a convolution's bias belongs to the channel, not to the position",
    )
    checking.equal(
        parameter_counts(3, 64, 32, 32, 3)[0],
        65536 * (3072 + 1),
        "dense, 3 to 64 channels, 32x32",
        hint="every output number, of every channel, reads all 3072 input numbers",
    )
    checking.equal(
        parameter_counts(3, 64, 32, 32, 3)[1],
        65536 * (27 + 1),
        "local, 3 to 64 channels, 32x32",
        hint="27 weights and a bias for each of the 65,536 output numbers",
    )
    checking.equal(
        parameter_counts(3, 64, 32, 32, 3)[2],
        sum(p.numel() for p in nn.Conv2d(3, 64, 3).parameters()),
        "convolution, 3 to 64 channels",
        hint="compare nn.Conv2d(3, 64, 3): the image's size plays no part",
    )
    checking.equal(
        parameter_counts(2, 3, 5, 7, 1),
        (7455, 315, 9),
        "parameter_counts(2, 3, 5, 7, 1)",
        hint="height and width may differ; a 1x1 filter has one weight per input channel",
    )

# %% [markdown]
# Sharing is not only cheaper. A filter that has learned a stroke in one place knows it everywhere. Three
# networks with (nearly) equal numbers of parameters learn centred 8x8 digits on a 16x16 canvas. Then the test
# digits move.
#
# - **dense**: an MLP;
# - **convolution, then dense**: convolutions share weights, but the classifier gives each position its own;
# - **convolution, then global max**: the classifier sees only the largest response of each channel, wherever
#   it is.

# %% experiment="shifted_digits" topics="weight_sharing"
splits = data.digits()


def moved(digits: data.Labelled, down: int, right: int) -> data.Labelled:
    """8x8 digits on a 16x16 canvas, moved from the middle."""
    return data.Labelled(
        F.pad(digits.images, (4 + right, 4 - right, 4 + down, 4 - down)), digits.labels, digits.classes
    )


def accuracy(network: nn.Module, shift: int) -> float:
    """Mean over moves in the four directions."""
    moves = {(shift, 0), (-shift, 0), (0, shift), (0, -shift)}
    return sum(training.evaluate(network, moved(splits.test, *move).to(nb.device)).accuracy for move in moves) / len(
        moves
    )


torch.manual_seed(nb.seed)
stem = [nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
networks = {
    "dense": models.MLP([256, 57, 10]),
    "convolution, then dense": nn.Sequential(
        *stem, nn.Conv2d(16, 19, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(19 * 64, 10)
    ),
    "convolution, then global max": nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(32, 34, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveMaxPool2d(1),
        nn.Flatten(),
        nn.Linear(34, 10),
    ),
}
figure, axes = plt.subplots(figsize=(6.4, 3.3))
curves = {}
for name, network in networks.items():
    optimizer = torch.optim.Adam(network.to(nb.device).parameters(), lr=5e-3)
    training.fit(
        network,
        moved(splits.train, 0, 0),
        epochs=nb.pick(fast=10, full=40),
        optimizer=optimizer,
        seed=nb.seed,
        progress=False,
    )
    curves[name] = [accuracy(network, shift) for shift in range(5)]
    parameters = sum(p.numel() for p in network.parameters())
    axes.plot(range(5), curves[name], "o-", label=f"{name}, {parameters:,} parameters")
axes.axhline(0.1, color="0.5", linestyle=":")
axes.set(
    title="Digits learned in the middle, tested off it",
    xlabel="shift of the test digits, pixels",
    ylabel="accuracy",
    xticks=range(5),
    ylim=(0, 1.02),
)
axes.legend(fontsize=8)
plt.show()
record("dense_accuracy_centred", curves["dense"][0], low=0.92, high=1)
record("dense_accuracy_shift_4", curves["dense"][4], low=0, high=0.3)
record("global_max_accuracy_centred", curves["convolution, then global max"][0], low=0.9, high=1)
record("global_max_accuracy_shift_4", curves["convolution, then global max"][4], low=0.75, high=1)

# %% [markdown]
# Shared weights alone make a network *equivariant*: the features move with the digit. They do not make the
# answer *invariant*: a dense classifier on top is as lost as the MLP. And look at the odd shifts of the last
# curve. After 2x2 pooling the features move in whole steps only when the image moves by 2; for 1 and 3 pixels
# they change (Zhang, 2019).

# %% [markdown]
# ## 8. What a convolution costs
#
# Every output number takes one MAC for every weight of its filter. With output `[N, C_out, H_out, W_out]` and
# weight `[C_out, C_in / G, K, K]`:
#
# $$\text{MACs} = N \, C_\text{out} H_\text{out} W_\text{out} \cdot \frac{C_\text{in}}{G} K^2 .$$
#
# Time also depends on memory. At the least, input and weight are read once and the output is written once:
#
# $$\text{bytes} = b\,(|x| + |w| + |y|),$$
#
# $|\cdot|$ counts numbers and $b$ is the bytes of one number (4 for float32, 1 for int8). **MACs per byte**,
# the *arithmetic intensity*, says how often each loaded byte is used. A processor needs many MACs per byte to
# be busy computing rather than waiting.
#
# **By hand.** $x$ `[1, 2, 4, 4]`, $w$ `[3, 2, 1, 1]`, $y$ `[1, 3, 4, 4]`: $48 \cdot 2 = 96$ MACs;
# $4\,(32 + 6 + 48) = 344$ bytes.
#
# ### Exercise: conv_cost


# %% exercise="conv_cost" topics="conv_cost"
def conv_cost(
    x_shape: tuple[int, ...], weight_shape: tuple[int, ...], y_shape: tuple[int, ...], bytes_per_number: int = 4
) -> tuple[int, int]:
    """Cost of one convolution without bias.

    x_shape       (N, C_in, H, W)
    weight_shape  (C_out, C_in / G, K_h, K_w): it tells the number of groups.
    y_shape       (N, C_out, H_out, W_out)

    Returns (macs, bytes): multiply-accumulates for the whole batch, and bytes of input, weight and output together.
    """
    ### BEGIN SOLUTION
    macs = math.prod(y_shape) * math.prod(weight_shape[1:])
    numbers = math.prod(x_shape) + math.prod(weight_shape) + math.prod(y_shape)
    return macs, numbers * bytes_per_number
    ### END SOLUTION


# %% check="conv_cost" points=4
with checking.check("conv_cost"):
    checking.equal(
        conv_cost((1, 2, 4, 4), (3, 2, 1, 1), (1, 3, 4, 4)),
        (96, 344),
        "conv_cost((1, 2, 4, 4), (3, 2, 1, 1), (1, 3, 4, 4))",
        hint="192: one MAC is a product and an addition, counted once; bytes: three tensors, 4 bytes per number",
    )
    macs, size = conv_cost((1, 3, 224, 224), (64, 3, 7, 7), (1, 64, 112, 112))
    checking.equal(
        macs,
        118_013_952,
        "MACs of the first layer of ResNet-18 (published: 118 million)",
        hint="positions of the output, 112x112, not of the input",
    )
    checking.equal(
        size, 4 * (150_528 + 9_408 + 802_816), "bytes of the first layer of ResNet-18", hint="input + weight + output"
    )
    checking.equal(
        conv_cost((1, 128, 28, 28), (128, 1, 3, 3), (1, 128, 28, 28))[0],
        903_168,
        "MACs of a depthwise 3x3 layer, 128 channels, 28x28",
        hint="weight_shape[1] is already C_in / G: each output reads one channel",
    )
    checking.equal(
        conv_cost((8, 16, 9, 11), (32, 4, 3, 5), (8, 32, 7, 7), 1),
        (752_640, 27_136),
        "conv_cost of a batch of 8, in 4 groups, int8",
        hint="the batch counts in input, output and MACs, but the weight is read once; filters need not be square",
    )

# %% [markdown]
# Where do a whole network's parameters, MACs and time lie? Left: the stages of ResNet-18 for one 224x224
# image. Right: single layers; each dot's rate against its MACs per byte.

# %% experiment="cost_and_time" topics="conv_cost"
network = models.resnet18().eval()
stages = {
    "stem": nn.Sequential(network.conv1, network.bn1, network.relu, network.maxpool),
    "layer1": network.layer1,
    "layer2": network.layer2,
    "layer3": network.layer3,
    "layer4": network.layer4,
    "head": nn.Sequential(network.avgpool, nn.Flatten(), network.fc),
}
x = torch.randn(1, 3, 224, 224, generator=nb.generator(5))
total = measure.count(network, x)
shares = []
with torch.no_grad():
    for stage in stages.values():
        counts, time = measure.count(stage, x), measure.latency(partial(stage, x), warmup=2, runs=9).median
        shares.append((counts.parameters, counts.activations, counts.macs, time))
        x = stage(x)
shares = torch.tensor(shares, dtype=torch.float64)
print(f"ResNet-18: {total}")
print(f"{shares[:, 3].sum() * 1e3:.0f} ms for one image on one thread of {cpu}")

layers = [  # (C_in, C_out, K, G, side)
    (128, 128, 3, 1, 28),
    (128, 128, 1, 1, 28),
    (128, 128, 3, 8, 28),
    (128, 128, 3, 32, 28),
    (128, 128, 3, 128, 28),
    (32, 32, 3, 1, 56),
    (32, 32, 3, 32, 56),
    (512, 512, 1, 1, 7),
    (512, 512, 3, 512, 7),
    (512, 512, 3, 1, 7),
]
points = []
for c_in, c_out, k, g, side in layers:
    x, w = torch.randn(1, c_in, side, side), torch.randn(c_out, c_in // g, k, k)
    macs, size = conv_cost(tuple(x.shape), tuple(w.shape), (1, c_out, side, side))
    seconds = measure.latency(partial(F.conv2d, x, w, padding=k // 2, groups=g), runs=15).median
    points.append((macs / size, macs / seconds / 1e9, "depthwise" if g == c_in else "grouped" if g > 1 else f"{k}x{k}"))

figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 3.5))
for i, name in enumerate(("parameters", "activations", "MACs", "time")):
    left.bar(torch.arange(6) + 0.2 * (i - 1.5), 100 * shares[:, i] / shares[:, i].sum(), 0.2, label=name)
left.set(
    title="ResNet-18, share of each stage", ylabel="% of the network", xticks=range(6), xticklabels=stages, ylim=(0, 90)
)
left.legend(fontsize=8, ncols=2, loc="upper left")
for kind, marker in (("3x3", "o"), ("1x1", "s"), ("grouped", "^"), ("depthwise", "v")):
    right.loglog(*zip(*[(p[0], p[1]) for p in points if p[2] == kind], strict=True), marker, label=kind)
right.set(
    title=f"Single layers, one thread of\n{cpu}", xlabel="arithmetic intensity, MACs per byte", ylabel="rate, GMAC/s"
)
right.xaxis.set_major_formatter("{x:g}")
right.yaxis.set_major_locator(plt.LogLocator(subs=(1, 2, 5)))
right.yaxis.set_major_formatter("{x:g}")
right.minorticks_off()
right.legend(fontsize=8)
plt.show()
record("resnet18_macs", total.macs, low=1_814_073_344, high=1_814_073_344)
record("stem_and_layer1_share_of_parameters", shares[:2, 0].sum() / shares[:, 0].sum(), low=0.013, high=0.015)
best = {kind: max(rate for _, rate, of in points if of == kind) for kind in ("3x3", "depthwise")}
record("depthwise_rate_over_dense_rate", best["depthwise"] / best["3x3"], low=0, high=0.8)

# %% [markdown]
# Parameters sit late, activations early. MACs are spread evenly by design: when a stage halves height and
# width, it doubles the channels. So pruning `layer4` saves bytes on disk, pruning `layer1` saves activations,
# and neither number alone tells the time. Depthwise layers have few MACs per byte and run at a small part of
# the machine's rate.

# %% [markdown]
# ## 9. Convolution as one matrix multiplication
#
# Matrix multiplication is the best tuned routine on every machine, so most convolutions are turned into one
# (Chellapilla et al., 2006). **im2col** writes each window as a column:
#
# $$\underbrace{Y}_{C_\text{out} \times L} \;=\; \underbrace{W}_{C_\text{out} \times C_\text{in}K^2}\ \underbrace{\text{columns}}_{C_\text{in}K^2 \times L}, \qquad L = H_\text{out} W_\text{out}.$$
#
# $W$ is the weight, each filter flattened into a row: channel first, then filter row, then filter column. The
# rows of the columns must have the same order. Column $l$ belongs to output position
# $(l \operatorname{div} W_\text{out},\ l \bmod W_\text{out})$.
#
# **By hand.** The 3x3 image $1 \dots 9$ with $K = 2$ has four windows:
#
# $$\begin{pmatrix}1&2&3\\4&5&6\\7&8&9\end{pmatrix} \;\to\; \begin{pmatrix}1&2&4&5\\2&3&5&6\\4&5&7&8\\5&6&8&9\end{pmatrix}$$
#
# The first column is the top left window, 1 2 4 5. The price is visible too: 9 numbers became 16.
#
# ### Exercise: im2col
#
# Without `F.unfold`. (`tensor.unfold(axis, size, step)`, which gives a view of windows along one axis, is
# welcome.)


# %% exercise="im2col" topics="im2col"
def im2col(x: Tensor, kernel: int, stride: int = 1, padding: int = 0) -> Tensor:
    """All windows of a batch as columns.

    x  float [N, C, H, W]

    Returns float [N, C * kernel * kernel, H_out * W_out]. Rows: channel, then row, then column of the window.
    Columns: output positions, row by row. So `weight.flatten(1) @ im2col(x, ...)` is the convolution.
    """
    ### BEGIN SOLUTION
    x = F.pad(x, (padding, padding, padding, padding))
    windows = x.unfold(2, kernel, stride).unfold(3, kernel, stride)  # [N, C, H_out, W_out, K, K]
    return windows.permute(0, 1, 4, 5, 2, 3).reshape(len(x), x.shape[1] * kernel**2, -1)
    ### END SOLUTION


# %% check="im2col" points=4
with checking.check("im2col"):
    x = torch.arange(1.0, 10.0).reshape(1, 1, 3, 3)
    checking.close(
        im2col(x, 2),
        [[[1, 2, 4, 5], [2, 3, 5, 6], [4, 5, 7, 8], [5, 6, 8, 9]]],
        "im2col(x, 2)",
        hint="a column is one window; this example is its own transpose, the next ones are not",
    )
    x = torch.arange(24.0).reshape(1, 2, 3, 4)
    checking.equal(
        tuple(im2col(x, 2).shape),
        (1, 8, 6),
        "the shape of im2col([1, 2, 3, 4], 2)",
        hint="C * K * K rows, one column for each of the 2 x 3 positions",
    )
    checking.close(
        im2col(x, 2)[0, :, 0],
        [0.0, 1, 4, 5, 12, 13, 16, 17],
        "im2col(x, 2)[0, :, 0]",
        hint="first the window of channel 0, then the window of channel 1, each row by row",
    )
    checking.close(
        im2col(x, 2)[0, 0],
        [0.0, 1, 2, 4, 5, 6],
        "im2col(x, 2)[0, 0]",
        hint="row 0 holds the top left number of every window, positions row by row",
    )
    draw = torch.Generator().manual_seed(5)
    x, w = torch.randn(2, 3, 7, 6, generator=draw), torch.randn(4, 3, 3, 3, generator=draw)
    for stride, padding in ((1, 0), (1, 1), (2, 1), (3, 2)):
        expected = F.conv2d(x, w, stride=stride, padding=padding).flatten(2)
        checking.close(
            w.flatten(1) @ im2col(x, 3, stride, padding),
            expected,
            f"weight @ im2col(x, 3, stride={stride}, padding={padding})",
            hint="padding first, then windows every `stride` pixels in both directions",
        )
    with checking.unchanged(x=x), checking.without("F.unfold"):
        im2col(x, 3)

# %% [markdown]
# What one large multiplication buys, and what it costs: 64 channels, 28x28. The plain version takes the same
# columns one at a time.

# %% experiment="one_matrix_multiplication" topics="im2col"
x = torch.randn(1, 64, 28, 28, generator=nb.generator(6))
w = torch.randn(64, 64, 3, 3, generator=nb.generator(7))
columns, rows = im2col(x, 3, padding=1)[0], w.flatten(1)
each = columns.T.contiguous()
calls = {
    "784 windows, one by one": lambda: torch.stack([rows @ window for window in each], dim=1),
    "im2col, then one product": lambda: rows @ im2col(x, 3, padding=1),
    "   of that, the product": lambda: rows @ columns,
    "F.conv2d": lambda: F.conv2d(x, w, padding=1),
}
milliseconds = {name: measure.latency(call, runs=15).median * 1e3 for name, call in calls.items()}
figure, (left, right) = plt.subplots(1, 2, figsize=(9.4, 3.1), width_ratios=[1.5, 1])
bars = left.barh(list(milliseconds), list(milliseconds.values()), color=["#D55E00", "#0072B2", "#56B4E9", "0.4"])
left.bar_label(bars, fmt="%.2f", padding=3)
left.invert_yaxis()
left.set(
    title=f"3x3, 64 channels, 28x28, one thread of\n{cpu}",
    xlabel="time, ms",
    xlim=(0, 1.2 * max(milliseconds.values())),
)
kernels = [1, 3, 5, 7]
megabytes = [im2col(x, k, padding=k // 2).numel() * 4 / 1e6 for k in kernels]
right.bar([str(k) for k in kernels], megabytes, color="#0072B2")
right.axhline(x.numel() * 4 / 1e6, color="#D55E00", label="the input itself")
right.set(title="Memory for the columns", xlabel="kernel size K", ylabel="MB (float32)")
right.legend()
plt.show()
record("columns_over_input_bytes", megabytes[1] / (x.numel() * 4 / 1e6), low=9, high=9)
record(
    "one_product_over_window_by_window",
    milliseconds["784 windows, one by one"] / milliseconds["   of that, the product"],
    low=2,
)

# %% [markdown]
# The product is fast; writing $K^2$ copies of the input is not. Libraries therefore build the columns piece
# by piece inside the multiplication (*implicit* im2col, cuDNN) or avoid them (direct and Winograd
# convolution).

# %% [markdown]
# ## 10. Loops that run fast
#
# Why is a library's matrix multiplication fast? The three loops of $C[m, n] = \sum_k A[m, k]\,B[k, n]$ may
# stand in any order and may be cut up; the result stays the same (up to rounding) and the time does not. The
# steps below are in C, on the matrices of a real layer after im2col: 3x3, 128 channels in and out, 28x28, so
# $M = 128$, $K = 1152$, $N = 784$.
#
# | step | what changes | why it helps |
# |---|---|---|
# | plain | loops $m, n, k$ | nothing: the inner loop jumps through $B$ by whole rows |
# | reorder | loops $m, k, n$ | the inner loop walks along rows of $B$ and $C$ |
# | SIMD | 8 numbers per instruction | needs the neighbours that reordering made |
# | tile | work on a block of $B$ that fits the fastest cache | each number of $B$ is fetched from far away once per block of work, not once per row of $C$ |
# | unroll | four steps of $k$ at once | $C$ is loaded and stored a quarter as often |
# | registers | a 4 x 16 block of $C$ stays in registers | $C$ is not touched inside the loop; four rows share each load of $B$ |
#
# The first six are compiled with the compiler's own vectorisation switched off, so that what is written is
# what runs. Then the first two again with it switched on.

# %% experiment="loop_transforms" topics="loop_transforms"
LOOPS = r"""
#include <string.h>
#define FOR(i, from, to, step) for (int i = (from); i < (to); i += (step))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
typedef float vec __attribute__((vector_size(32), aligned(4)));  // 8 floats
#define V(p) (*(vec *)(p))
#define ARGUMENTS const float *restrict A, const float *restrict B, float *restrict C, int M, int K, int N

void plain(ARGUMENTS) {
  FOR(m, 0, M, 1) FOR(n, 0, N, 1) {
    float sum = 0;
    FOR(k, 0, K, 1) sum += A[m*K + k] * B[k*N + n];
    C[m*N + n] = sum;
  }
}
void reorder(ARGUMENTS) {
  memset(C, 0, sizeof(float) * M * N);
  FOR(m, 0, M, 1) FOR(k, 0, K, 1)
    FOR(n, 0, N, 1) C[m*N + n] += A[m*K + k] * B[k*N + n];
}
void simd(ARGUMENTS) {
  memset(C, 0, sizeof(float) * M * N);
  FOR(m, 0, M, 1) FOR(k, 0, K, 1)
    FOR(n, 0, N, 8) V(C + m*N + n) += A[m*K + k] * V(B + k*N + n);
}
void tile(ARGUMENTS) {  // 64 x 128 numbers of B: 32 KiB
  memset(C, 0, sizeof(float) * M * N);
  FOR(kt, 0, K, 64) FOR(nt, 0, N, 128)
    FOR(m, 0, M, 1) FOR(k, kt, MIN(kt + 64, K), 1)
      FOR(n, nt, MIN(nt + 128, N), 8) V(C + m*N + n) += A[m*K + k] * V(B + k*N + n);
}
void unroll(ARGUMENTS) {
  memset(C, 0, sizeof(float) * M * N);
  FOR(kt, 0, K, 64) FOR(nt, 0, N, 128)
    FOR(m, 0, M, 1) FOR(k, kt, MIN(kt + 64, K), 4) {
      const float *a = A + m*K + k;
      FOR(n, nt, MIN(nt + 128, N), 8) {
        const float *b = B + k*N + n;
        V(C + m*N + n) += a[0] * V(b) + a[1] * V(b + N) + a[2] * V(b + 2*N) + a[3] * V(b + 3*N);
      }
    }
}
void registers(ARGUMENTS) {
  memset(C, 0, sizeof(float) * M * N);
  FOR(kt, 0, K, 128) FOR(n, 0, N, 16) FOR(m, 0, M, 4) {
    float *c = C + m*N + n;
    vec c00 = V(c),       c01 = V(c + 8),       c10 = V(c + N),   c11 = V(c + N + 8);
    vec c20 = V(c + 2*N), c21 = V(c + 2*N + 8), c30 = V(c + 3*N), c31 = V(c + 3*N + 8);
    FOR(k, kt, MIN(kt + 128, K), 1) {
      const float *a = A + m*K + k;
      vec b0 = V(B + k*N + n), b1 = V(B + k*N + n + 8);
      c00 += a[0] * b0;   c01 += a[0] * b1;   c10 += a[K] * b0;   c11 += a[K] * b1;
      c20 += a[2*K] * b0; c21 += a[2*K] * b1; c30 += a[3*K] * b0; c31 += a[3*K] * b1;
    }
    V(c) = c00;       V(c + 8) = c01;       V(c + N) = c10;   V(c + N + 8) = c11;
    V(c + 2*N) = c20; V(c + 2*N + 8) = c21; V(c + 3*N) = c30; V(c + 3*N + 8) = c31;
  }
}
"""
M, K, N = 128, 128 * 3 * 3, 28 * 28
A, B = torch.randn(M, K, generator=nb.generator(8)), torch.randn(K, N, generator=nb.generator(9))
C = torch.empty(M, N)
exact = A.double() @ B.double()


def gflops(run) -> float:
    """Rate of one multiplication, 2 M K N operations, after a look at its result."""
    C.zero_()
    run()
    assert (C - exact).abs().max() < 1e-2
    return 2 * M * K * N / measure.latency(run, warmup=0, runs=3).median / 1e9


rates = {}
try:
    as_written = native.compile_c(LOOPS, flags=("-O3", "-march=native", "-fno-tree-vectorize"))
    by_compiler = native.compile_c(LOOPS, flags=("-O3", "-march=native"))
    arguments = (*(ctypes.c_void_p(t.data_ptr()) for t in (A, B, C)), M, K, N)
    for name in ("plain", "reorder", "simd", "tile", "unroll", "registers"):
        rates[name] = gflops(partial(getattr(as_written, name), *arguments))
    for name in ("plain", "reorder"):
        rates[f"{name}, vectorised by the compiler"] = gflops(partial(getattr(by_compiler, name), *arguments))
except native.NoCompiler as missing:
    print(f"The C loops are left out. {missing}")
rates["torch.matmul"] = gflops(partial(torch.matmul, A, B, out=C))

figure, axes = plt.subplots(figsize=(7.4, 3.6))
bars = axes.barh(
    list(rates), list(rates.values()), color=["#0072B2"] * 6 + ["#E69F00"] * 2 + ["0.4"] if len(rates) > 1 else "0.4"
)
axes.bar_label(bars, fmt="%.1f", padding=3)
axes.invert_yaxis()
axes.set(title=f"The same multiplication, one thread of\n{cpu}", xlabel="GFLOP/s", xlim=(0, 1.15 * max(rates.values())))
plt.show()
if len(rates) > 1:
    record("reordered_and_simd_over_plain", rates["simd"] / rates["plain"], low=2)
    record("all_steps_over_plain", max(rates["unroll"], rates["registers"]) / rates["plain"], low=4)

# %% [markdown]
# No step changed what is computed. Note the pair that the compiler vectorised: it speeds up the reordered
# loops and leaves the plain ones as they were, because a vectorised sum would add in another order, and C
# does not allow that by itself. The order of loops is your part of the work. What is left between the last
# step and the library is wider vectors, packing $B$ so that tiles lie together, and prefetching (Goto and van
# de Geijn, 2008).

# %% [markdown]
# ## 11. Where a number lies in memory
#
# A tensor is one long row of numbers. Its **layout** is the order of the axes, from slowest to fastest: in
# NCHW neighbours along a row of the image are neighbours in memory, in NHWC it is the channels of one pixel,
# in CHWN the images of the batch. The **stride** of an axis is how many numbers one step along it skips:
#
# $$\text{offset}(n, c, h, w) = n\,s_N + c\,s_C + h\,s_H + w\,s_W .$$
#
# The last letter of the layout has stride 1, and each letter before it the stride of the next one times the
# next one's size.
#
# **By hand.** $(N, C, H, W) = (2, 3, 4, 5)$ in NHWC: $s_C = 1$, $s_W = 3$, $s_H = 15$, $s_N = 60$.
#
# ### Exercise: layout_strides


# %% exercise="memory_layouts" topics="memory_layouts"
def layout_strides(shape: tuple[int, int, int, int], layout: str) -> tuple[int, int, int, int]:
    """Strides of a dense tensor, in numbers (not bytes).

    shape   (N, C, H, W), in this order whatever the layout.
    layout  the letters N, C, H, W from the slowest to the fastest axis, such as "NHWC".

    Returns (s_N, s_C, s_H, s_W), in this order whatever the layout.
    """
    ### BEGIN SOLUTION
    size = dict(zip("NCHW", shape, strict=True))
    stride, skipped = {}, 1
    for axis in reversed(layout):
        stride[axis] = skipped
        skipped *= size[axis]
    return tuple(stride[axis] for axis in "NCHW")
    ### END SOLUTION


# %% check="memory_layouts" points=3
with checking.check("memory_layouts"):
    shape = (2, 3, 4, 5)
    checking.equal(
        layout_strides(shape, "NCHW"),
        (60, 20, 5, 1),
        'layout_strides((2, 3, 4, 5), "NCHW")',
        hint="start from the last letter: it has stride 1",
    )
    checking.equal(
        layout_strides(shape, "NHWC"),
        (60, 1, 15, 3),
        'layout_strides((2, 3, 4, 5), "NHWC")',
        hint="the answer's order is N, C, H, W: the stride of the channels, 1, comes second",
    )
    checking.equal(
        layout_strides(shape, "CHWN"),
        (1, 40, 10, 2),
        'layout_strides((2, 3, 4, 5), "CHWN")',
        hint="the shape is always given as N, C, H, W; count numbers, not bytes",
    )
    x = torch.arange(120).reshape(shape)
    for layout in ("NCHW", "NHWC", "CHWN", "HWCN"):
        stored = x.permute(["NCHW".index(axis) for axis in layout]).contiguous().flatten()
        checking.equal(
            stored.as_strided(shape, layout_strides(shape, layout)),
            x,
            f"a tensor stored as {layout}, read with your strides",
        )

# %% [markdown]
# The same 36 numbers in three orders. Each cell is one number in memory, from left to right; its colour is
# its channel, its label the image.

# %% experiment="layout_picture" topics="memory_layouts"
shape = (2, 3, 2, 3)
figure, axes = plt.subplots(3, 1, figsize=(9.2, 2.3))
where = torch.cartesian_prod(*(torch.arange(size) for size in shape))  # (n, c, h, w) of every number
for axis, layout in zip(axes, ("NCHW", "NHWC", "CHWN"), strict=True):
    order = (where * torch.tensor(layout_strides(shape, layout))).sum(1).argsort()
    axis.imshow(
        where[order, 1][None],
        cmap=plt.matplotlib.colors.ListedColormap(["#0072B2", "#009E73", "#E69F00"]),
        aspect="auto",
    )
    for place, image in enumerate(where[order, 0].tolist()):
        axis.text(place, 0, image, ha="center", va="center", color="white", fontsize=8)
    axis.set_yticks([0], [layout])
    axis.set_xticks([])
    axis.grid(visible=False)
axes[0].set_title("N = 2 images, C = 3 channels (colours), 2 x 3 pixels")
axes[-1].set_xlabel("place in memory")
plt.show()

# %% [markdown]
# A layout is good if the innermost loop walks along memory *and is long enough* to fill vectors. The C code
# below is one depthwise 3x3 convolution, written three times: only the index changes, and the inner loop
# always runs along the axis that lies together in memory.

# %% experiment="layouts_in_time" topics="memory_layouts"
LAYOUTS = r"""
#define FOR(i, to) for (int i = 0; i < (to); i++)
#define ARGUMENTS const float *restrict x, const float *restrict w, float *restrict y, int N, int C, int H, int W
#define P (H - 2)
#define Q (W - 2)

void NCHW(ARGUMENTS) {  // w: [C][3][3]
  FOR(n, N) FOR(c, C) FOR(p, P) FOR(u, 3) FOR(v, 3)
    FOR(q, Q) y[((n*C + c)*P + p)*Q + q] += w[(c*3 + u)*3 + v] * x[((n*C + c)*H + p + u)*W + q + v];
}
void NHWC(ARGUMENTS) {  // w: [3][3][C]
  FOR(n, N) FOR(p, P) FOR(q, Q) FOR(u, 3) FOR(v, 3)
    FOR(c, C) y[((n*P + p)*Q + q)*C + c] += w[(u*3 + v)*C + c] * x[((n*H + p + u)*W + q + v)*C + c];
}
void CHWN(ARGUMENTS) {  // w: [C][3][3]
  FOR(c, C) FOR(p, P) FOR(q, Q) FOR(u, 3) FOR(v, 3)
    FOR(n, N) y[((c*P + p)*Q + q)*N + n] += w[(c*3 + u)*3 + v] * x[((c*H + p + u)*W + q + v)*N + n];
}
"""
layouts = ("NCHW", "NHWC", "CHWN")


def depthwise_rate(library: ctypes.CDLL, layout: str, batch: int, channels: int = 128, side: int = 16) -> float:
    """GMAC/s of the loops above; the result is compared with torch first."""
    order = ["NCHW".index(axis) for axis in layout]
    x = torch.randn(batch, channels, side, side, generator=nb.generator(10))
    w = torch.randn(channels, 1, 3, 3, generator=nb.generator(11))
    expected = F.conv2d(x, w, groups=channels).permute(order)
    stored, y = x.permute(order).contiguous(), torch.zeros_like(expected.contiguous())
    weight = (w.permute(2, 3, 0, 1) if layout == "NHWC" else w).contiguous()
    pointers = [ctypes.c_void_p(t.data_ptr()) for t in (stored, weight, y)]
    run = partial(getattr(library, layout), *pointers, batch, channels, side, side)
    run()
    assert torch.allclose(y, expected, atol=1e-4)
    return 9 * y.numel() / measure.latency(run, warmup=1, runs=9).median / 1e9


try:
    library = native.compile_c(LAYOUTS, flags=("-O3", "-march=native"))
except native.NoCompiler as missing:
    print(f"This measurement is left out. {missing}")
else:
    figure, axes = plt.subplots(figsize=(6.4, 3.2))
    rates = {}
    for place, batch in enumerate((1, 32)):
        rates[batch] = [depthwise_rate(library, layout, batch) for layout in layouts]
        bars = axes.bar(torch.arange(3) + 0.38 * (place - 0.5), rates[batch], 0.36, label=f"batch of {batch}")
        axes.bar_label(bars, fmt="%.2g", fontsize=8)
    axes.set(
        title=f"Depthwise 3x3, 128 channels, 16x16, one thread of\n{cpu}",
        ylabel="rate, GMAC/s",
        xticks=range(3),
        xticklabels=["NCHW\ninner loop: 14 pixels", "NHWC\ninner loop: 128 channels", "CHWN\ninner loop: the batch"],
    )
    axes.legend()
    plt.show()
    record("chwn_batch_32_over_batch_1", rates[32][2] / rates[1][2], low=3)
    record("nhwc_over_nchw_batch_1", rates[1][1] / rates[1][0], low=1)

# %% [markdown]
# CHWN is fine for large batches and hopeless for one image. NHWC keeps its speed at any batch size and any
# image size, as long as there are many channels; that is why phones, microcontrollers and tensor cores prefer
# it. NCHW's inner loop is a row of the image, short in late layers. In PyTorch,
# `x.to(memory_format=torch.channels_last)` stores NHWC under the same shape `[N, C, H, W]`.

# %% [markdown]
# ## 12. Winograd: fewer multiplications
#
# Two neighbouring outputs of a filter of 3 need $2 \cdot 3 = 6$ multiplications. Winograd's $F(2, 3)$ needs 4
# (Lavin and Gray, 2016). With inputs $d_0 \dots d_3$ and filter $g_0, g_1, g_2$:
#
# $$m_1 = (d_0 - d_2)\,g_0,\quad m_2 = (d_1 + d_2)\,\tfrac{g_0+g_1+g_2}{2},\quad m_3 = (d_2 - d_1)\,\tfrac{g_0-g_1+g_2}{2},\quad m_4 = (d_1 - d_3)\,g_2$$
#
# $$y_0 = m_1 + m_2 + m_3, \qquad y_1 = m_2 - m_3 - m_4 .$$
#
# The sums of $g$ are made once, when the network is loaded. As matrices, with $\odot$ the product number by
# number:
#
# $$y = A^\top\big[(G\,g) \odot (B^\top d)\big],\quad
# B^\top = \begin{pmatrix}1&0&-1&0\\0&1&1&0\\0&-1&1&0\\0&1&0&-1\end{pmatrix},\
# G = \begin{pmatrix}1&0&0\\ \frac12&\frac12&\frac12\\ \frac12&-\frac12&\frac12\\0&0&1\end{pmatrix},\
# A^\top = \begin{pmatrix}1&1&1&0\\0&1&-1&-1\end{pmatrix}.$$
#
# For images it is used along both axes. $F(2{\times}2, 3{\times}3)$ makes a tile $Y$ of 2x2 outputs from a
# 4x4 input tile $d$ with $16$ multiplications instead of 36:
#
# $$Y = A^\top\Big[\sum_c \big(G\,g_c\,G^\top\big) \odot \big(B^\top d_c\,B\big)\Big]A .$$
#
# $c$ runs over the input channels: they are added *before* the last transform. Tiles of the input overlap by
# two pixels; tiles of the output lie side by side.
#
# **By hand.** $d = (1, 2, 3, 4)$, $g = (1, 2, 3)$: $m = (-2, 15, 1, -6)$, so $y = (14, 20)$. Directly:
# $1 + 4 + 9 = 14$, $2 + 6 + 12 = 20$.
#
# ### Exercise: Winograd convolution
#
# Two ways to transform all tiles at once: `BT @ tiles @ BT.T` for a tensor `[..., 4, 4]`, or, much faster,
# with the tile's two axes in front, `torch.einsum("ai,bj,ij...->ab...", BT, BT, tiles)`.


# %% exercise="winograd" topics="winograd"
def winograd_conv2d(x: Tensor, weight: Tensor) -> Tensor:
    """3x3 convolution, stride 1, padding 1, by F(2x2, 3x3), without F.conv2d.

    x       float [N, C_in, H, W], H and W even.
    weight  float [C_out, C_in, 3, 3]

    Returns float [N, C_out, H, W].
    """
    BT = torch.tensor([[1.0, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]])
    G = torch.tensor([[1.0, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])
    AT = torch.tensor([[1.0, 1, 1, 0], [0, 1, -1, -1]])
    ### BEGIN SOLUTION
    n, c_in, height, width = x.shape
    tiles = F.pad(x, (1, 1, 1, 1)).unfold(2, 4, 2).unfold(3, 4, 2)  # [N, C_in, H/2, W/2, 4, 4]
    tiles = tiles.permute(4, 5, 1, 0, 2, 3).reshape(4, 4, -1)
    inputs = torch.einsum("ai,bj,ijp->abp", BT, BT, tiles).reshape(4, 4, c_in, -1)  # [4, 4, C_in, N * tiles]
    filters = torch.einsum("ai,bj,kcij->abkc", G, G, weight)  # [4, 4, C_out, C_in]
    products = filters @ inputs  # summed over C_in: [4, 4, C_out, N * tiles]
    outputs = torch.einsum("ai,bj,ijp->abp", AT, AT, products.flatten(2))
    outputs = outputs.reshape(2, 2, -1, n, height // 2, width // 2)
    return outputs.permute(3, 2, 4, 0, 5, 1).reshape(n, -1, height, width)
    ### END SOLUTION


# %% check="winograd" points=5
with checking.check("winograd"):
    x = torch.zeros(1, 1, 2, 2)
    x[0, 0, 0, 0] = 1.0
    w = torch.arange(1.0, 10.0).reshape(1, 1, 3, 3)
    with checking.without("F.conv2d"):
        tile = winograd_conv2d(x, w)
    checking.close(
        tile,
        [[[[5.0, 4.0], [2.0, 1.0]]]],
        "winograd_conv2d(one tile, w)",
        hint="left and right: BT @ d @ BT.T, G @ g @ G.T, AT @ m @ AT.T; the products in the middle are number by number",
    )
    draw = torch.Generator().manual_seed(6)
    x, w = torch.randn(1, 1, 4, 6, generator=draw), torch.randn(1, 1, 3, 3, generator=draw)
    checking.equal(
        tuple(winograd_conv2d(x, w).shape),
        (1, 1, 4, 6),
        "the shape for an image of 4 x 6",
        hint="2 x 3 tiles; input tiles are 4 wide and start every 2 pixels of the padded image",
    )
    checking.close(
        winograd_conv2d(x, w),
        F.conv2d(x, w, padding=1),
        "winograd_conv2d(x, w)",
        hint="[tile row, tile column, 2, 2] becomes [2 * tile row + row, 2 * tile column + column]: move axes before reshaping",
    )
    batch, filters = torch.randn(2, 3, 6, 8, generator=draw), torch.randn(4, 3, 3, 3, generator=draw)
    checking.close(
        winograd_conv2d(batch, filters),
        F.conv2d(batch, filters, padding=1),
        "winograd_conv2d(batch, filters)",
        rtol=1e-3,
        atol=1e-4,
        hint="add over the input channels after the products; keep images and output channels apart",
    )

# %% [markdown]
# Is it faster? The multiplication in the middle is 16 small matrix products instead of the one of im2col,
# with $9 \cdot 4 = 36$ against 16 units of work for the same four outputs: 2.25 times less. The transforms
# are extra.


# %% experiment="winograd_in_time" topics="winograd"
def unfold_and_multiply(rows: Tensor, x: Tensor) -> Tensor:
    return rows @ F.unfold(x, 3, padding=1)


figure, axes = plt.subplots(figsize=(7.4, 3.4))
channels = (32, 64, 128, 256)
times = {"im2col, all": [], "   its product": [], "your Winograd, all": [], "   its 16 products": [], "F.conv2d": []}
for c in channels:
    x, w = torch.randn(1, c, 28, 28, generator=nb.generator(12)), torch.randn(c, c, 3, 3, generator=nb.generator(13))
    rows, columns = w.flatten(1), F.unfold(x, 3, padding=1)[0]
    filters, tiles = torch.randn(16, c, c), torch.randn(16, c, 14 * 14)
    calls = (
        partial(unfold_and_multiply, rows, x),
        partial(torch.matmul, rows, columns),
        partial(winograd_conv2d, x, w),
        partial(torch.matmul, filters, tiles),
        partial(F.conv2d, x, w, padding=1),
    )
    for name, call in zip(times, calls, strict=True):
        times[name].append(1e3 * measure.latency(call, runs=15).low)  # the quartile a busy machine disturbs least
styles = (("#0072B2", "s-"), ("#0072B2", "s:"), ("#D55E00", "o-"), ("#D55E00", "o:"), ("black", "--"))
for (name, line), (colour, style) in zip(times.items(), styles, strict=True):
    axes.loglog(channels, line, style, color=colour, label=name)
axes.set_xticks(channels, channels)
axes.yaxis.set_major_locator(plt.LogLocator(subs=(1, 2, 5)))
axes.yaxis.set_major_formatter("{x:g}")
axes.minorticks_off()
axes.set(
    title=f"3x3 convolution, 28x28, one thread of\n{cpu}",
    xlabel="channels in and out",
    ylabel="time, ms (lower quartile)",
)
axes.legend(fontsize=8)
plt.show()
saved = times["   its product"][-1] / times["   its 16 products"][-1]
print(f"256 channels: the 16 products take {saved:.2f} times less time than im2col's product; 2.25 would be ideal")
record("winograd_product_speedup", saved, low=0.9)

# %% [markdown]
# The products get faster, by nearly the promised factor. The transforms are passes over memory with little
# arithmetic, and how they are written decides the rest: one small product per tile costs far more than it
# saves; one pass over all tiles costs about as much as the products. Their share falls with the number of
# channels, since each transformed tile serves all filters. Libraries fuse the transforms into the kernel and
# choose by layer size.
#
# There is a second price. Larger tiles save more: $F(4, 3)$ needs 6 multiplications for 4 outputs, where
# direct needs 12. But its matrices hold larger numbers, and rounding errors grow with them. Below, sums over
# 64 channels with the transformed numbers rounded to float32, float16 and 8-bit integers.

# %% experiment="winograd_rounding" topics="winograd"
F23 = (
    [[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]],
    [[1, 0, 0], [1 / 2, 1 / 2, 1 / 2], [1 / 2, -1 / 2, 1 / 2], [0, 0, 1]],
    [[1, 1, 1, 0], [0, 1, -1, -1]],
)
F43 = (
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ],
    [
        [1 / 4, 0, 0],
        [-1 / 6] * 3,
        [-1 / 6, 1 / 6, -1 / 6],
        [1 / 24, 1 / 12, 1 / 6],
        [1 / 24, -1 / 12, 1 / 6],
        [0, 0, 1],
    ],
    [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]],
)


def to_int8(values: Tensor) -> Tensor:
    """The nearest of 255 even levels, and back."""
    step = values.abs().max() / 127
    return (values / step).round() * step


formats = {"float32": lambda t: t.float().double(), "float16": lambda t: t.half().double(), "int8": to_int8}
draw = nb.generator(14)
g, d = (torch.randn(500, 64, size, generator=draw, dtype=torch.float64) for size in (3, 6))


def relative_error(method: str, rounded) -> float:
    """Root mean square error over root mean square result; 500 one-dimensional sums over 64 channels."""
    outputs = 4 if method == "F(4, 3)" else 2
    exact = torch.stack([(g * d[:, :, i : i + 3]).sum((1, 2)) for i in range(outputs)], dim=1)
    if method == "direct":
        result = torch.stack([(rounded(g) * rounded(d)[:, :, i : i + 3]).sum((1, 2)) for i in range(outputs)], dim=1)
    else:
        bt, gm, at = (torch.tensor(m, dtype=torch.float64) for m in (F43 if outputs == 4 else F23))
        products = rounded(g @ gm.T) * rounded(d[:, :, : outputs + 2] @ bt.T)
        result = products.sum(1) @ at.T
    return ((result - exact).norm() / exact.norm()).item()


methods = ("direct", "F(2, 3)", "F(4, 3)")
errors = {name: [relative_error(method, rounded) for method in methods] for name, rounded in formats.items()}
figure, axes = plt.subplots(figsize=(6.4, 3.2))
for name, line in errors.items():
    axes.semilogy(methods, line, "o-", label=name)
axes.set(
    title="Rounding the transformed numbers",
    ylabel="relative error",
    xlabel="method (multiplications per output: 3, 2, 1.5)",
)
axes.legend()
plt.show()
for name, line in errors.items():
    print(f"{name:8} " + ", ".join(f"{method}: {error:.1e}" for method, error in zip(methods, line, strict=True)))
record("int8_error_f43_over_direct", errors["int8"][2] / errors["int8"][0], low=3, high=30)

# %% [markdown]
# In float32 nobody notices. In int8, with one scale for all numbers, the larger transform multiplies the
# error, and two dimensions make it worse: quantized Winograd needs more bits, a scale for each place in the
# tile, or other matrices.

# %% [markdown]
# ## 13. Whole networks
#
# A classifier is made of few kinds of layers. Which of these statements are true?
#
# - **a**: The usual order is blocks of convolution, normalisation and activation, now and then a pooling
#   layer or a stride of 2, and at the end global pooling and a dense layer.
# - **b**: Two 3x3 convolutions in a row with nothing between them (stride 1, padding aside) can be replaced
#   by one 5x5 convolution.
# - **c**: Before `nn.CrossEntropyLoss`, the network must end in a softmax layer.
# - **d**: ReLU then 2x2 max pooling gives the same numbers as 2x2 max pooling then ReLU.
# - **e**: For inference, a batch normalisation can be folded into the convolution before it even if a ReLU
#   stands between the two.
# - **f**: The dense layers stand first, because they see the whole image; convolutions then refine the
#   details.
# - **g**: With global average pooling before the dense layer, a network trained on 32x32 images also accepts
#   48x48 images.
# - **h**: A convolution whose output goes straight into batch normalisation gains from having a bias.

# %% quiz="cnn_layer_order" points=4 topics="cnn_layer_order"
cnn_layer_order = None  # a set of letters, such as {"a", "c"}
### BEGIN SOLUTION
cnn_layer_order = {"a", "b", "d", "g"}
### END SOLUTION

# %% [markdown]
# **What early and late layers see.** For six channels of four places in the trained network: at the top, a
# picture made by gradient ascent to excite the channel (it starts from noise, not from an image); below it,
# the three test scenes that excite it most, cut to what the unit sees: 5, 13 and 25 pixels, and in the last
# stage the whole scene.

# %% experiment="what_excites_channels" topics="filter_hierarchy"
network = training.load("shapes_resnet").to(nb.device).eval().requires_grad_(False)
scenes = data.shapes(train=0, test=nb.pick(fast=400, full=1000)).test.images.to(nb.device)
stem = nn.Sequential(network.conv1, network.bn1, network.relu)
stages = [stem, network.layer1, network.layer2, network.layer3]
last_relu = [network.relu, *(stage[-1].relu for stage in stages[1:])]
places = [("stem", 5, 2), ("layer1", 13, 2), ("layer2", 25, 4), ("layer3", 49, 8)]  # receptive field and step, pixels


def before_relu(images: Tensor, depth: int) -> Tensor:
    """What enters the last ReLU of a stage, [N, C, h, w]: unlike what leaves it, it has a gradient everywhere."""
    caught = []
    handle = last_relu[depth].register_forward_pre_hook(lambda _, inputs: caught.append(inputs[0].clone()))
    nn.Sequential(*stages[: depth + 1])(images)
    handle.remove()
    return caught[-1]


def patch(image: Tensor, unit: tuple[int, int], field: int, step: int) -> Tensor:
    """What one unit sees of an image, enlarged to 32x32."""
    top, left = (max(0, step * place - field // 2) for place in unit)
    return F.interpolate(image[None, :, top : top + field, left : left + field].cpu(), size=32)[0]


def dream(depth: int, chosen: Tensor, steps: int = 50) -> Tensor:
    """One image for each channel, [len(chosen), 3, 32, 32], that excites its middle unit."""
    free = (0.3 * torch.randn(len(chosen), 3, 32, 32, generator=nb.generator(15))).to(nb.device).requires_grad_()
    optimizer = torch.optim.Adam([free], lr=0.15)
    for _ in range(steps):
        maps = before_relu(free.sigmoid(), depth)
        middle = maps.shape[2] // 2
        excitement = maps[torch.arange(len(chosen)), chosen, middle, middle].sum()
        rough = free.diff(dim=2).square().sum() + free.diff(dim=3).square().sum()
        (0.003 * rough - excitement).backward()
        optimizer.step()
        optimizer.zero_grad()
    return free.detach().sigmoid()


figure, axes = plt.subplots(2, 2, figsize=(7.2, 5.2))
for depth, (axis, (name, field, step)) in enumerate(zip(axes.flat, places, strict=True)):
    with torch.no_grad():
        maps = before_relu(scenes, depth)
    units = range(maps.shape[2])
    whole = [u for u in units if field // 2 <= step * u < 32 - field // 2] or list(units)  # field inside the scene
    inner = maps[:, :, whole][:, :, :, whole]
    chosen = torch.linspace(0, maps.shape[1] - 1, 6).long()
    mosaic = torch.ones(3, 4 * 34 - 2, 6 * 34 - 2)
    for column, (channel, image) in enumerate(zip(chosen.tolist(), dream(depth, chosen), strict=True)):
        best = inner[:, channel].flatten(1).max(1)
        tiles = [patch(image, (maps.shape[2] // 2,) * 2, field, step)]
        for scene in best.values.topk(3).indices.tolist():
            row, left = divmod(best.indices[scene].item(), len(whole))
            tiles.append(patch(scenes[scene], (whole[row], whole[left]), field, step))
        for row, tile in enumerate(tiles):
            mosaic[:, 34 * row : 34 * row + 32, 34 * column : 34 * column + 32] = tile
    axis.imshow(mosaic.permute(1, 2, 0), interpolation="nearest")
    axis.set_title(f"{name}: " + (f"{field} x {field} pixels" if field < 32 else "the whole scene"), fontsize=10)
    axis.set_axis_off()
plt.show()

# %% [markdown]
# The stem answers to colours and to edges in one direction, the first stage to curved strokes, corners and
# blobs, the second to parts such as tips and rings, the third to whole figures, mostly of one class.
#
# Pictures persuade easily, so measure as well. Take each channel's largest response in an image. How much of
# its variance over the test scenes is explained by the class of the scene? 0: the channel answers to all
# classes alike; 1: it knows the class. The untrained network is the control.

# %% experiment="class_share_by_depth" topics="filter_hierarchy"
test = data.shapes(train=0, test=nb.pick(fast=500, full=1000)).test.to(nb.device)
torch.manual_seed(nb.seed)
networks = {"trained": training.load("shapes_resnet"), "untrained": models.small_resnet()}


def class_share(network: nn.Module) -> list[float]:
    """Share of variance between classes, mean over channels, after the stem and after each stage."""
    shares, x = [], test.images
    for part in (
        nn.Sequential(network.conv1, network.bn1, network.relu),
        network.layer1,
        network.layer2,
        network.layer3,
    ):
        x = part(x)
        peaks = x.amax((2, 3))
        peaks = peaks[:, peaks.var(0) > 0]  # a channel that never answers has no variance to explain
        means = torch.stack([peaks[test.labels == label].mean(0) for label in range(10)])
        shares.append((means[test.labels].var(0) / peaks.var(0)).mean().item())
    return shares


figure, axes = plt.subplots(figsize=(6.4, 3.0))
with torch.no_grad():
    shares = {name: class_share(network.to(nb.device).eval()) for name, network in networks.items()}
for name, line in shares.items():
    axes.plot(["stem", "layer1", "layer2", "layer3"], line, "o-", label=name)
axes.set(title="How much of a channel is about the class", ylabel="variance explained by class", ylim=(0, None))
axes.legend()
plt.show()
record("class_share_stem", shares["trained"][0], low=0.01, high=0.08)
record("class_share_layer3", shares["trained"][3], low=0.5, high=0.75)
record("class_share_layer3_untrained", shares["untrained"][3], low=0, high=0.08)

# %% [markdown]
# What a channel knows about the class is built up stage by stage, and by training alone: the same layers with
# random weights know nothing. What the stem finds would serve any task on such scenes, what the last stage
# finds serves this one; that is why early layers are kept when a network is fine-tuned for a new task.
#
# And where does the decision come from? **Occlusion** (Zeiler and Fergus, 2014) covers a part of the image
# with grey and asks how far the probability of the true class falls.

# %% experiment="occlusion_maps" topics="filter_hierarchy"
network = training.load("shapes_resnet").to(nb.device).eval()
test = data.shapes(train=0, test=100).test.to(nb.device)
with torch.no_grad():
    probability = network(test.images).softmax(1).gather(1, test.labels[:, None])[:, 0]
doubt = (probability - 0.9).abs()  # scenes it gets right without being certain
chosen = [int(doubt.where(test.labels == label, torch.inf).argmin()) for label in (0, 4, 7, 8, 9)]
tops = range(0, 25, 2)


@torch.no_grad()
def occlusion(scene: int) -> Tensor:
    """Fall of the true class's probability when an 8x8 square is covered: [13, 13]."""
    covered = test.images[scene].repeat(len(tops) ** 2, 1, 1, 1)
    for i, top in enumerate(tops):
        for j, left in enumerate(tops):
            covered[i * len(tops) + j, :, top : top + 8, left : left + 8] = 0.5
    kept = network(covered).softmax(1)[:, test.labels[scene]]
    return (probability[scene] - kept).reshape(len(tops), len(tops)).cpu()


figure, axes = plt.subplots(2, 5, figsize=(9.2, 3.7))
for column, scene in enumerate(chosen):
    axes[0, column].imshow(test.images[scene].permute(1, 2, 0).cpu())
    axes[0, column].set_title(f"{test.classes[test.labels[scene]]}, {probability[scene]:.2f}", fontsize=10)
    shown = axes[1, column].imshow(occlusion(scene), cmap="RdBu_r", vmin=-1, vmax=1, extent=(0, 32, 32, 0))
    axes[0, column].set_axis_off()
    axes[1, column].set_axis_off()
figure.colorbar(shown, ax=axes[1], label="fall of probability")
plt.show()

# %% [markdown]
# ## 14. Questions
#
# Answer in a few sentences, with numbers where they help.

# %% [markdown] question="choose_convolution" points=3 topics="im2col, winograd, memory_layouts"
# **Question 1.** A camera chip has 256 KiB of memory for data (weights are in flash) and an instruction that
# multiplies and adds four neighbouring int8 numbers at once. It must run a 3x3 convolution, 64 to 64
# channels, 28x28, on one image at a time. Choose between direct convolution, im2col and Winograd, choose a
# layout, and defend both with numbers.
#
# ### BEGIN SOLUTION
# Input and output take 64 * 28 * 28 = 49 KiB each in int8. Full im2col needs nine times the input, 441 KiB:
# it does not fit. Building the columns for one or two output positions at a time does fit (64 * 9 = 576 bytes
# per position) and keeps the product's inner loop; direct convolution is the same loop without the copy.
# Winograd F(2x2, 3x3) would save 2.25 times the multiplications, but the transformed weights grow from 36 KiB
# to 64 KiB, and the transformed input is a sum of four inputs, so it needs two more bits than int8 offers:
# the four-lane instruction could not be used without losing accuracy. NHWC: the products are summed over the
# channels, and in NHWC the 64 channels of a pixel lie together, so every four-lane load is one aligned word.
# In NCHW the neighbours are pixels of a row, and CHWN has an inner loop of length 1 for one image. So: NHWC
# with partial im2col (or direct) convolution. Full marks for another choice whose numbers are right and which
# fits in memory.
# ### END SOLUTION

# %% [markdown] question="promise_of_depthwise" points=2 topics="conv_cost, grouped_conv"
# **Question 2.** A colleague replaces every 3x3 convolution (128 to 128 channels) by a depthwise 3x3 and a
# 1x1 convolution, counts about 8 times fewer MACs, and promises a network that is 8 times faster. What do you
# answer, and which two measurements do you ask for before anyone decides?
#
# ### BEGIN SOLUTION
# The count is right: 9 * 128 * 128 against 9 * 128 + 128 * 128 weights per position is a factor of 8.4. The
# time will fall by less. A depthwise layer reads and writes as many activations as before, for 128 times
# fewer MACs, so it has few MACs per byte and is limited by memory; in the experiments above its rate was a
# fraction of that of the dense layer. There are now two layers to start and an additional activation map to
# write and read. Measurements: (1) the latency of the whole network, before and after, on the target device
# at the target batch size (with its spread); (2) accuracy after training the new network, since it has fewer
# weights. A profile of time per layer is a good third: if most time was elsewhere, even a free convolution
# would not help.
# ### END SOLUTION

# %% [markdown]
# ## Read more
#
# - Dumoulin, Visin: *A guide to convolution arithmetic for deep learning*, 2016,
#   [arXiv:1603.07285](https://arxiv.org/abs/1603.07285). Sizes, with pictures.
# - Araujo, Norris, Sim: *Computing Receptive Fields of Convolutional Neural Networks*, Distill 2019,
#   [doi:10.23915/distill.00021](https://doi.org/10.23915/distill.00021).
# - Luo, Li, Urtasun, Zemel: *Understanding the Effective Receptive Field in Deep Convolutional Neural
#   Networks*, NIPS 2016, [arXiv:1701.04128](https://arxiv.org/abs/1701.04128).
# - Boureau, Ponce, LeCun: *A Theoretical Analysis of Feature Pooling in Visual Recognition*, ICML 2010.
# - Zhang: *Making Convolutional Networks Shift-Invariant Again*, ICML 2019,
#   [arXiv:1904.11486](https://arxiv.org/abs/1904.11486).
# - Zeiler, Fergus: *Visualizing and Understanding Convolutional Networks*, ECCV 2014,
#   [arXiv:1311.2901](https://arxiv.org/abs/1311.2901).
# - Olah, Mordvintsev, Schubert: *Feature Visualization*, Distill 2017,
#   [doi:10.23915/distill.00007](https://doi.org/10.23915/distill.00007).
# - Chellapilla, Puri, Simard: *High Performance Convolutional Neural Networks for Document Processing*, IWFHR
#   2006. The first im2col.
# - Chetlur et al.: *cuDNN: Efficient Primitives for Deep Learning*, 2014,
#   [arXiv:1410.0759](https://arxiv.org/abs/1410.0759). im2col without the columns.
# - Goto, van de Geijn: *Anatomy of High-Performance Matrix Multiplication*, ACM TOMS 34(3), 2008. Section 10,
#   done to the end.
# - Lavin, Gray: *Fast Algorithms for Convolutional Neural Networks*, CVPR 2016,
#   [arXiv:1509.09308](https://arxiv.org/abs/1509.09308). Winograd.
# - Ma, Zhang, Zheng, Sun: *ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture Design*, ECCV
#   2018, [arXiv:1807.11164](https://arxiv.org/abs/1807.11164). Why MACs are not time.
# - Lin, Chen, Lin, Cohn, Gan, Han: *MCUNet: Tiny Deep Learning on IoT Devices*, NeurIPS 2020,
#   [arXiv:2007.10319](https://arxiv.org/abs/2007.10319). Layouts and loops on a microcontroller.
# - Marr, Hildreth: *Theory of Edge Detection*, Proceedings of the Royal Society B 207, 1980.
