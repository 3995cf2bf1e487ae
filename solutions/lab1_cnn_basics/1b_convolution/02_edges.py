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
