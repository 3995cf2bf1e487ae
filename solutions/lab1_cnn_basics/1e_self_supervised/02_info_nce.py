# %% [markdown]
# ## 2. InfoNCE: find your partner
#
# Take two random **views** of every image: turned, zoomed, recoloured. Encode one view as a query $q_i$, the
# other as a key $k_i$. The task: for each query, pick its own key among the keys of the whole batch. That is
# classification with as many classes as keys, and its loss is cross-entropy on similarities:
#
# $$L = -\frac1N \sum_{i=1}^{N} \log
#   \frac{\exp\!\big(s(q_i, k_i)/\tau\big)}{\sum_{j=1}^{M} \exp\!\big(s(q_i, k_j)/\tau\big)}.$$
#
# $s$ is the cosine similarity and $\tau$ the temperature. Key $i$ is the **positive** of query $i$, all other
# keys are its **negatives**. There may be more keys than queries: $M > N$ when old keys are kept in a queue,
# as in MoCo. Nothing in the formula says what the images show; the choice of views does, as section 4 finds.
#
# The loss has a scale: guessing costs $\log M$ nats, and $\log M - L$ is a lower bound on the information
# that a query carries about its key (van den Oord et al., 2018). A batch of 256 can never show more than
# $\log 256 = 5.5$ nats.
#
# **By hand.** $q_1 = (1, 0),\ q_2 = (0, 1),\ k_1 = (2, 0),\ k_2 = (0, 3)$ and $\tau = \tfrac12$. After scaling,
# the similarities are 1 on the diagonal and 0 beside it, so each query has the logits 2 and 0:
# $L = \log(1 + e^{-2}) = 0.127$.
#
# ### Exercise: InfoNCE


# %% exercise="info_nce" topics="contrastive"
def info_nce(queries: Tensor, keys: Tensor, temperature: float) -> Tensor:
    """InfoNCE, from queries to keys.

    queries      float [N, D], of any length but 0.
    keys         float [M, D] with M >= N. Row i < N is the positive of query i; all other rows are its negatives.
    temperature  divides the cosine similarities; above 0, and as small as 0.005 in use.

    Returns a scalar that gradients flow through: the mean over the queries, in nats.
    """
    ### BEGIN SOLUTION
    logits = F.normalize(queries, dim=1) @ F.normalize(keys, dim=1).T / temperature
    return F.cross_entropy(logits, torch.arange(len(queries), device=logits.device))
    ### END SOLUTION


# %% check="info_nce" points=4
with checking.check("info_nce"):
    q, k = torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([[2.0, 0.0], [0.0, 3.0]])
    checking.close(
        info_nce(q, k, 0.5),
        math.log(1 + math.exp(-2)),
        "info_nce(q, k, 0.5)",
        hint="0.01: scale the vectors to length 1; 0.31: the temperature is missing; 0.47: divide by it, do not multiply; 0.25: mean, not sum",
    )
    checking.close(
        info_nce(q, k.flip(0), 0.5),
        math.log(1 + math.exp(2)),
        "info_nce(q, keys in the wrong order, 0.5)",
        hint="key i belongs to query i, however similar another key is",
    )
    draw = torch.Generator().manual_seed(1)
    queries, keys = torch.randn(5, 3, generator=draw), torch.randn(8, 3, generator=draw)
    s = F.cosine_similarity(queries[:, None], keys[None], dim=2)
    one_by_one = torch.stack([s[i].div(0.3).logsumexp(0) - s[i, i] / 0.3 for i in range(5)])
    checking.close(
        info_nce(queries, keys, 0.3),
        one_by_one.mean(),
        "info_nce(queries [5, 3], keys [8, 3], 0.3)",
        hint="each query is compared with all 8 keys, and its softmax runs over the keys; mean over the 5 queries",
    )
    checking.close(
        info_nce(torch.ones(5, 3), torch.ones(8, 3), 0.1),
        math.log(8),
        "info_nce of vectors that are all the same",
        hint="guessing among 8 keys costs log 8; the positive stays in the denominator",
    )
    checking.close(
        info_nce(q, k.flip(0), 0.005),
        200.0,
        "info_nce(q, keys in the wrong order, 0.005)",
        hint="exp(1 / 0.005) is too large for float32: use F.cross_entropy or torch.logsumexp",
    )
    q.requires_grad_()
    info_nce(q, k.flip(0), 0.5).backward()
    checking.that(q.grad is not None and bool(q.grad.abs().sum() > 0), "gradients reach the queries")

# %% [markdown]
# Eight scenes, two views of each; the similarities come from the trained network of section 1. Move the
# temperature. At which values does the query stop caring for all keys but one, and at which does it stop
# telling them apart?

# %% demo="tune_temperature" topics="contrastive"
scenes, draw = data.shapes(train=0, test=8).test.images, torch.Generator().manual_seed(2)
queries, keys = (training.move_at_random(scenes, draw) for _ in range(2))
network = training.load("shapes_resnet")
network.fc = nn.Identity()
one, other = (F.normalize(training.features_of(network, views), dim=1) for views in (queries, keys))
explore.tune_temperature(one @ other.T, queries, keys)

# %% [markdown]
# The gradient explains the picture. With $p_{ij}$ the softmax over the keys of query $i$,
#
# $$\frac{\partial L_i}{\partial s(q_i, k_j)} = \frac{1}{\tau}\big(p_{ij} - [i = j]\big):$$
#
# the query is pushed away from every negative in proportion to $p_{ij}$. A small $\tau$ puts the push on the
# few most similar negatives, a large one spreads it evenly. Section 5 measures what that does to training.
