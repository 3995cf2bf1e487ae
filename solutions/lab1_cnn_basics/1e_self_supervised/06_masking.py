# %% [markdown]
# ## 6. A masked autoencoder: hide, encode, restore
#
# The other family has no pairs, no negatives and no views. Cut the image into patches, hide most of them, and
# let the network draw what is missing. A masked autoencoder (MAE, He et al., 2022) does it in four steps:
#
# 1. **mask**: keep a few patches of each image, chosen at random;
# 2. **encode** the kept patches only, with a transformer: at 75% hidden it reads a quarter of the tokens;
# 3. **un-shuffle**: put the encoded tokens back where they came from, a learned *mask token* everywhere else;
# 4. **decode** with a small transformer to pixels, and count the error on hidden patches only.
#
# Step 1 draws a random number for each token and sorts. The first $K$ in that order are kept. Two lists of
# indices come out:
#
# - *kept* $[N, K]$: which tokens are kept, in the order of their numbers;
# - *restore* $[N, T]$: for each token, its place in the shuffled order. Tokens at places below $K$ are kept.
#
# One list undoes the other: *restore* is the inverse of the permutation that sorts.
#
# **By hand.** Four tokens with the numbers $(0.7, 0.1, 0.9, 0.3)$, $K = 2$. The order is 1, 3, 0, 2, so
# *kept* is $(1, 3)$. Token 0 stands at place 2 of that order, token 1 at place 0, token 2 at place 3, token 3
# at place 1: *restore* is $(2, 0, 3, 1)$. Hidden are tokens 0 and 2.
#
# ### Exercise: random masking


# %% exercise="random_masking" topics="mae"
def random_masking(noise: Tensor, keep: int) -> tuple[Tensor, Tensor, Tensor]:
    """Choose the tokens that an encoder sees.

    noise  float [N, T], one random number for each token of each image; no two of an image are equal.
    keep   how many tokens of each image are kept, 1 <= keep <= T: those with the smallest numbers.

    Returns
        kept     int64 [N, keep], the kept tokens of each image, smallest number first.
        restore  int64 [N, T], the place of each token when the image's tokens are sorted by their numbers.
        hidden   bool [N, T], in the order of the image: True for a token that is not kept.
    """
    ### BEGIN SOLUTION
    order = noise.argsort(dim=1)
    restore = order.argsort(dim=1)
    return order[:, :keep], restore, restore >= keep
    ### END SOLUTION


# %% check="random_masking" points=3
with checking.check("random_masking"):
    kept, restore, hidden = random_masking(torch.tensor([[0.7, 0.1, 0.9, 0.3]]), 2)
    checking.equal(
        kept, torch.tensor([[1, 3]]), "kept", hint="the two tokens with the smallest numbers, smallest first"
    )
    checking.equal(
        restore,
        torch.tensor([[2, 0, 3, 1]]),
        "restore",
        hint="(1, 3, 0, 2) is the order itself; wanted is its inverse: where does each token stand in it?",
    )
    checking.equal(
        hidden,
        torch.tensor([[True, False, True, False]]),
        "hidden",
        hint="in the order of the image, and True for the tokens that are not kept",
    )
    noise = torch.rand(6, 9, generator=torch.Generator().manual_seed(4))
    with checking.unchanged(noise=noise):
        kept, restore, hidden = random_masking(noise, 4)
    checking.equal(
        [tuple(part.shape) for part in (kept, restore, hidden)],
        [(6, 4), (6, 9), (6, 9)],
        "the shapes of kept, restore and hidden for noise [6, 9], keep=4",
    )
    rank = (noise[:, :, None] > noise[:, None, :]).sum(2)
    checking.equal(restore, rank, "restore of a batch", hint="every image has an order of its own")
    checking.equal(hidden, rank >= 4, "hidden of a batch", hint="every image has a mask of its own")
    shuffled = torch.take_along_dim(noise, kept, 1)
    checking.equal(shuffled, noise.sort(dim=1).values[:, :4], "the numbers of the kept tokens")
    everything = random_masking(noise, 9)
    checking.that(not everything[2].any(), "with keep=9 of 9 tokens, none is hidden")

# %% [markdown]
# ### Exercise: restore the order
#
# The encoder returns $K$ tokens in the order of *kept*. Append one mask token for each hidden patch, which
# gives the shuffled order, then look up for each patch the token at its place.
#
# **By hand.** Encoded tokens $a, b$, mask token $m$, *restore* $(2, 0, 3, 1)$: the shuffled order is
# $a, b, m, m$, and the image's order is $m, a, m, b$.


# %% exercise="restore_tokens" topics="mae"
def restore_tokens(encoded: Tensor, mask_token: Tensor, restore: Tensor) -> Tensor:
    """Put encoded tokens back to their places, the mask token everywhere else.

    encoded     float [N, K, D], the kept tokens of each image in shuffled order.
    mask_token  float [D].
    restore     int64 [N, T], T >= K: the place of each token in the shuffled order; places from K on are hidden.

    Returns float [N, T, D] in the order of the image. Gradients flow to encoded and to mask_token.
    """
    ### BEGIN SOLUTION
    n, k, d = encoded.shape
    hidden = mask_token.expand(n, restore.shape[1] - k, d)
    shuffled = torch.cat([encoded, hidden], dim=1)
    return shuffled.gather(1, restore[:, :, None].expand(-1, -1, d))
    ### END SOLUTION


# %% check="restore_tokens" points=3
with checking.check("restore_tokens"):
    encoded = torch.tensor([[[1.0, 10.0], [2.0, 20.0]], [[3.0, 30.0], [4.0, 40.0]]], requires_grad=True)
    mask_token = torch.tensor([-1.0, -2.0], requires_grad=True)
    order = torch.tensor([[2, 0, 3, 1], [0, 3, 1, 2]])
    full = restore_tokens(encoded, mask_token, order)
    checking.equal(tuple(full.shape), (2, 4, 2), "the shape for encoded [2, 2, 2], restore [2, 4]")
    checking.close(
        full[0].detach(),
        [[-1.0, -2.0], [1.0, 10.0], [-1.0, -2.0], [2.0, 20.0]],
        "the first image",
        hint="mask tokens go behind the encoded ones; then token t of the image is number restore[t] of that row",
    )
    checking.close(
        full[1].detach(),
        [[3.0, 30.0], [-1.0, -2.0], [4.0, 40.0], [-1.0, -2.0]],
        "the second image",
        hint="every image has its own row of restore",
    )
    full.sum().backward()
    checking.close(
        mask_token.grad if mask_token.grad is not None else 0 * mask_token.detach(),
        [4.0, 4.0],
        "the gradient of the mask token",
        hint="four patches are hidden in all; do not detach, and do not copy numbers into a fresh tensor's .data",
    )
    checking.close(
        encoded.grad if encoded.grad is not None else 0 * encoded.detach(),
        torch.ones(2, 2, 2),
        "the gradient of encoded",
    )
    whole = restore_tokens(encoded.detach(), mask_token.detach(), torch.tensor([[1, 0], [0, 1]]))
    checking.close(whole, encoded.detach()[torch.tensor([[0], [1]]), torch.tensor([[1, 0], [0, 1]])], "nothing hidden")

# %% [markdown]
# ### Exercise: the loss on hidden patches
#
# A decoder could copy what it sees, so visible patches count nothing. With $\hat y_{nt}, y_{nt} \in \mathbb
# R^P$ the predicted and the true patch $t$ of image $n$ and $H$ the set of hidden patches of the whole batch:
#
# $$L = \frac{1}{|H|} \sum_{(n,t) \in H} \frac1P \lVert \hat y_{nt} - y_{nt} \rVert^2.$$
#
# He et al. gain a little by normalising each true patch by its own mean and variance first, which asks for
# structure instead of brightness: $\tilde y = (y - \mu) / \sqrt{\sigma^2 + 10^{-6}}$ with $\sigma^2 =
# \sum_p (y_p - \mu)^2 / (P - 1)$, as `torch.var` computes it.
#
# **By hand.** One image, two patches of two numbers, the first hidden. Prediction $(1, 2)$, truth $(1, 4)$:
# $L = (0 + 4)/2 = 2$, whatever stands in the second patch. Normalised, the truth has $\mu = 2.5$ and
# $\sigma^2 = 4.5$, becomes $(-0.707, 0.707)$, and $L = (1.707^2 + 1.293^2)/2 = 2.293$.


# %% exercise="masked_loss" topics="mae"
def masked_loss(prediction: Tensor, patches: Tensor, hidden: Tensor, normalise: bool = False) -> Tensor:
    """Mean squared error over the hidden patches of a batch.

    prediction  float [N, T, P], for every patch.
    patches     float [N, T, P], the true ones, P >= 2.
    hidden      bool [N, T], True for a hidden patch; images may hide different numbers of patches, but at least one
        patch of the batch is hidden.
    normalise   compare with patches that are first brought to mean 0 and variance 1, each by its own mean and variance
        (divisor P - 1, and 1e-6 added to the variance).

    Returns a scalar that gradients flow through.
    """
    ### BEGIN SOLUTION
    if normalise:
        centred = patches - patches.mean(dim=2, keepdim=True)
        patches = centred / (patches.var(dim=2, keepdim=True) + 1e-6).sqrt()
    error = (prediction - patches).square().mean(dim=2)
    return error[hidden].mean()
    ### END SOLUTION


# %% check="masked_loss" points=3
with checking.check("masked_loss"):
    guess, truth = torch.tensor([[[1.0, 2.0], [9.0, 9.0]]]), torch.tensor([[[1.0, 4.0], [0.0, 2.0]]])
    hidden = torch.tensor([[True, False]])
    checking.close(
        masked_loss(guess, truth, hidden),
        2.0,
        "masked_loss(guess, truth, hidden)",
        hint="65: that is the visible patch; 33.5: both patches were counted; 1: divide by the number of hidden patches, not of all; 4: mean over P",
    )
    checking.close(
        masked_loss(guess, truth, hidden, normalise=True),
        (1.7071068**2 + 1.2928932**2) / 2,
        "masked_loss(guess, truth, hidden, normalise=True)",
        hint="only the truth is normalised, with divisor P - 1 in the variance",
        rtol=1e-3,
    )
    draw = torch.Generator().manual_seed(5)
    guess, truth = (
        torch.randn(3, 4, 5, generator=draw),
        torch.rand(3, 4, 5, generator=draw) + torch.arange(4.0)[:, None],
    )
    hidden = torch.tensor([[True, False, False, False], [True, True, True, True], [False, False, True, False]])
    places = hidden.nonzero().tolist()
    checking.close(
        masked_loss(guess, truth, hidden),
        sum((guess[n, t] - truth[n, t]).square().mean() for n, t in places) / 6,
        "a batch whose images hide 1, 4 and 1 patches",
        hint="6 patches are hidden in the whole batch and count the same; no mean per image first",
    )
    z = [(n, t, (truth[n, t] - truth[n, t].mean()) / (truth[n, t].std() ** 2 + 1e-6).sqrt()) for n, t in places]
    checking.close(
        masked_loss(guess, truth, hidden, normalise=True),
        sum((guess[n, t] - patch).square().mean() for n, t, patch in z) / 6,
        "the same batch, normalised",
        hint="each patch has its own mean and variance, over its P numbers",
    )
    flat = masked_loss(torch.zeros(1, 1, 4), torch.full((1, 1, 4), 0.5), torch.tensor([[True]]), normalise=True)
    checking.close(flat, 0.0, "a patch of one colour, normalised", hint="its variance is 0: add 1e-6 before dividing")
    with checking.unchanged(patches=truth, prediction=guess):
        masked_loss(guess, truth, hidden, normalise=True)
