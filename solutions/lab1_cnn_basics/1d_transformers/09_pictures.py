# %% [markdown]
# ## 9. Pictures as tokens
#
# The **vision transformer** (Dosovitskiy et al., 2021) cuts a picture into patches of $P \times P$ pixels and
# treats each as a word:
#
# 1. flatten each patch into $C P^2$ numbers: first all of channel 0, row by row, then channel 1, and so on;
#    patches are taken row by row;
# 2. one linear layer turns each into $d$ numbers;
# 3. a learned **class token** is put in front; its last vector will be the picture's;
# 4. a learned position is added to every token, the class token's first.
#
# **By hand.** A 4x4 picture with the pixels $0 \dots 15$ and $P = 2$ has four patches: $(0, 1, 4, 5)$,
# $(2, 3, 6, 7)$, $(8, 9, 12, 13)$, $(10, 11, 14, 15)$. A photograph of 224x224 with $P = 16$ has 196; pixels as
# tokens would be 50,176, and attention 65,536 times dearer.
#
# ### Exercise: tokens of a picture
#
# Without convolutions and `F.unfold`. Reshape to `[N, C, rows, P, columns, P]` and exchange axes.


# %% exercise="vit_patches" topics="vit_patches"
def picture_tokens(
    images: Tensor, weight: Tensor, bias: Tensor, class_token: Tensor, positions: Tensor, patch: int
) -> Tensor:
    """What the first layer of a ViT reads.

    images       float [N, C, H, W], H and W multiples of patch.
    weight       float [d, C * patch * patch], and bias [d]: of the linear layer on each patch.
    class_token  float [d]
    positions    float [1 + patches, d], the class token's first.

    Returns float [N, 1 + patches, d].
    """
    ### BEGIN SOLUTION
    n, c, height, width = images.shape
    cut = images.reshape(n, c, height // patch, patch, width // patch, patch)
    patches = cut.permute(0, 2, 4, 1, 3, 5).reshape(n, -1, c * patch * patch)
    tokens = F.linear(patches, weight, bias)
    return torch.cat([class_token.expand(n, 1, -1), tokens], dim=1) + positions
    ### END SOLUTION


# %% check="vit_patches" points=4
with checking.check("vit_patches"):
    image, eye = torch.arange(16.0).reshape(1, 1, 4, 4), torch.eye(4)
    found = picture_tokens(image, eye, torch.zeros(4), torch.full((4,), -1.0), torch.zeros(5, 4), 2)
    checking.equal(tuple(found.shape), (1, 5, 4), "the shape for a 4x4 picture and patches of 2x2", hint="4 + 1 tokens")
    checking.close(
        found[0, 1:],
        [[0.0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]],
        "the patches of the example",
        hint="a reshape alone cuts rows, not squares: exchange axes first",
    )
    checking.close(found[0, 0], [-1.0] * 4, "the first token", hint="the class token stands in front")
    draw = torch.Generator().manual_seed(7)
    images, weight, bias = (torch.randn(*size, generator=draw) for size in ((2, 3, 6, 9), (5, 27), (5,)))
    class_token, positions = torch.randn(5, generator=draw), torch.randn(7, 5, generator=draw)
    with checking.without("F.conv2d", "F.unfold"), checking.unchanged(images=images, positions=positions):
        found = picture_tokens(images, weight, bias, class_token, positions, 3)
    expected = F.conv2d(images, weight.reshape(5, 3, 3, 3), bias, stride=3).flatten(2).mT
    checking.close(
        found[:, 1:] - positions[1:],
        expected,
        "the tokens of two colour pictures, without positions",
        atol=1e-5,
        hint="each patch channel by channel, patches row by row, then weight and bias",
    )
    checking.close(
        found[:, 0],
        (class_token + positions[0]).expand(2, 5),
        "the class token of both pictures",
        atol=1e-5,
        hint="position 0 is the class token's",
    )

# %% [markdown]
# Your tokens in a whole ViT: digits of 8x8 pixels become 16 patches of 2x2. After training, two changes to the test digits:
# the patches are shuffled, the same way in all pictures; then the positions are shuffled along with them.

# %% experiment="digits_as_tokens" topics="vit_patches"
splits = data.digits()
width, patch = 48, 2


class Patches(nn.Module):
    """`picture_tokens` as the map of tokens that models.VisionTransformer takes: [N, width, rows, columns]."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(patch * patch, width)
        nn.init.trunc_normal_(self.linear.weight, std=0.5)

    def forward(self, images: Tensor) -> Tensor:
        count = images.shape[2] * images.shape[3] // patch**2
        nothing = images.new_zeros(1 + count, width)  # the model has its own class token and positions
        tokens = picture_tokens(images, self.linear.weight, self.linear.bias, nothing[0], nothing, patch)[:, 1:]
        return tokens.mT.unflatten(2, (images.shape[2] // patch, -1))


torch.manual_seed(nb.seed)
network = models.VisionTransformer(8, patch, width, 2, 4, 2 * width, 10, 1, embed=Patches()).to(nb.device)
fitted = training.fit(
    network,
    splits.train,
    splits.test,
    epochs=nb.pick(fast=10, full=40),
    optimizer=torch.optim.Adam(network.parameters(), lr=3e-3),
    seed=nb.seed,
    progress=False,
)
order = torch.randperm(16, generator=nb.generator(13)).to(nb.device)
test = splits.test.to(nb.device)
cut = F.unfold(test.images, patch, stride=patch)  # [N, 4, 16]
shuffled = F.fold(cut[:, :, order], (8, 8), patch, stride=patch)
moved = data.Labelled(shuffled, test.labels, test.classes)
accuracy = {"as trained": fitted.test_accuracy[-1], "patches\nshuffled": training.evaluate(network, moved).accuracy}
with torch.no_grad():
    positions = network.encoder.pos_embedding
    positions[:, 1:] = positions[:, 1:][:, order]
accuracy["patches and\npositions shuffled"] = training.evaluate(network, moved).accuracy

figure, axes = plt.subplots(1, 3, figsize=(9.2, 3.0), width_ratios=[1, 1, 1.7])
for axis, image, title in ((axes[0], test.images[1, 0], "a digit, 16 tokens"), (axes[1], shuffled[1, 0], "shuffled")):
    axis.imshow(image.cpu(), cmap="gray_r", extent=(0, 8, 8, 0))
    axis.set_xticks(range(0, 9, 2))
    axis.set_yticks(range(0, 9, 2))
    axis.grid(color="#D55E00")
    axis.set(title=title, xlabel="pixels", ylabel="pixels")
bars = axes[2].bar(list(accuracy), list(accuracy.values()), color="#0072B2")
axes[2].bar_label(bars, fmt="%.2f")
axes[2].set(title="A ViT without its order", ylabel="test accuracy", ylim=(0, 1.05))
plt.show()
trained, without_order, both = accuracy.values()
record("vit_digits_accuracy", trained, low=0.85, high=0.99)
record("vit_patches_shuffled", without_order, low=0, high=0.65)
record("vit_all_shuffled_minus_trained", both - trained, low=-0.006, high=0.006)

# %% [markdown]
# A ViT treats its tokens as a set: shuffle the patches *and* their positions, and nothing changes. Only the learned positions know
# that a picture has an above and a below. A convolution knows it from the start, which is why a ViT needs more data
# or more training for the same accuracy.
