# ---
# course:
#   title: Learning without labels
#   minutes: 120
#   summary: Write InfoNCE, NT-Xent and the parts of a masked autoencoder, train with both, and measure when they pay.
# ---

# %% [markdown]
# # Learning without labels
#
# Images are cheap and labels are not: someone has to look. Self-supervised learning makes its own task from
# the images alone, trains a network on it, and hopes that what the network had to find out is what you need
# later, with few labels. Two families of tasks are written here from scratch. **Contrastive** learning asks
# which two pictures show the same scene. A **masked autoencoder** hides most of an image and asks for the
# rest.
#
# **You will be able to**
# - measure what a representation is worth with few labels,
# - write InfoNCE and NT-Xent, and say what temperature, negatives and views do to them,
# - write the masking, the un-shuffling and the loss of a masked autoencoder,
# - predict what each task makes a network keep and forget, and check the prediction.
#
# **Time** about two hours. **Needs** a laptop. A GPU adds nothing in the fast profile; in the full profile
# it allows longer training.
#
# **How it works.** In each exercise, replace `raise NotImplementedError(...)` by your code and run the check
# below it. Every section needs only the set-up cell and its own cells; sections 4 and 5 also need your `nt_xent`
# (section 3), and section 7 your functions of section 6.

# %% tags=["parameters"]
profile = "fast"
device = "auto"
seed = 0

# %% tags=["setup"]
import math
import time

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib import checking, data, explore, models, notebook, record, training

nb = notebook.start("1e_self_supervised", profile=profile, device=device, seed=seed)
torch.set_num_threads(1)


def conv_encoder(width: int) -> nn.Sequential:
    """Images [N, 3, H, W] to features [N, 4 * width]: three convolutions of stride 2 and global pooling."""
    layers, channels = [], 3
    for outputs, kernel in ((width, 5), (2 * width, 3), (4 * width, 3)):
        convolution = nn.Conv2d(channels, outputs, kernel, stride=2, padding=kernel // 2, bias=False)
        layers += [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]
        channels = outputs
    network = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return network.to(nb.device, memory_format=torch.channels_last)  # a third faster on a CPU


# %% [markdown]
# ## 1. What is a representation worth?
#
# An encoder turns an image into a feature vector $f \in \mathbb R^D$. A good one puts images of one class near
# each other, so that a few labelled examples are enough to name the rest. Two measurements are customary, and
# neither changes the encoder:
#
# - **linear probe**: fit a linear classifier on the features;
# - **k nearest neighbours**: let the labelled images that are most similar vote.
#
# Similarity is the cosine of the angle between two vectors, their dot product after both are scaled to
# length 1:
#
# $$s(f, g) = \frac{f^\top g}{\lVert f\rVert\,\lVert g\rVert} \in [-1, 1].$$
#
# A vote counts more the nearer the neighbour is. With a temperature $\tau$, neighbour $j$ with similarity
# $s_j$ and label $y_j$ votes with weight $e^{s_j/\tau}$, and the class with most weight wins (Wu et al., 2018):
#
# $$\text{score}(c) = \sum_{j \in \text{the } k \text{ nearest}} [y_j = c]\; e^{s_j / \tau}.$$
#
# **By hand.** The three nearest have similarities 0.9, 0.6, 0.6 and labels 0, 1, 1. With $\tau = 1$ class 1
# wins, $2e^{0.6} = 3.6$ against $e^{0.9} = 2.5$. With $\tau = 0.1$ class 0 does, $e^9 = 8103$ against
# $2e^6 = 807$.
#
# ### Exercise: k nearest neighbours


# %% exercise="knn_predict" topics="contrastive"
def knn_predict(bank: Tensor, labels: Tensor, queries: Tensor, classes: int, k: int, temperature: float) -> Tensor:
    """Name each query by a weighted vote of its k most similar labelled features.

    bank         float [N, D], features of the labelled images, of any length but 0.
    labels       int64 [N], from 0 to classes - 1.
    queries      float [M, D].
    k            how many neighbours vote, 1 <= k <= N.
    temperature  a neighbour of cosine similarity s has weight exp(s / temperature); above 0, 0.001 included.

    Returns int64 [M], for each query the class with the largest sum of weights.
    """
    ### BEGIN SOLUTION
    similarity = F.normalize(queries, dim=1) @ F.normalize(bank, dim=1).T
    nearest, index = similarity.topk(k, dim=1)
    weight = torch.exp((nearest - nearest[:, :1]) / temperature)  # at most 1: no overflow, and never all 0
    score = queries.new_zeros(len(queries), classes)
    return score.scatter_add(1, labels[index], weight).argmax(1)
    ### END SOLUTION


# %% check="knn_predict" points=3
with checking.check("knn_predict"):
    angles = torch.tensor([0.9, 0.6, 0.6, 0.5]).acos()
    bank = torch.stack([angles.cos(), angles.sin()], 1) * torch.tensor([[0.5], [1.0], [1.0], [9.0]])
    labels, query = torch.tensor([0, 1, 1, 2]), torch.tensor([[2.0, 0.0]])
    for k, temperature, expected, hint in (
        (
            1,
            1.0,
            0,
            "2: a long vector is not a similar one, so bring all rows to length 1; or the least similar was taken",
        ),
        (3, 1.0, 1, "0: the three nearest vote with weights exp(0.9), exp(0.6) and exp(0.6)"),
        (3, 0.1, 0, "1: a plain majority; the weight of the nearest is exp(9), that of the others only exp(6)"),
    ):
        checking.equal(
            knn_predict(bank, labels, query, 3, k, temperature),
            torch.tensor([expected]),
            f"knn_predict(bank, labels, query, 3, {k}, {temperature})",
            hint=hint,
        )
    checking.equal(
        knn_predict(bank, labels, torch.cat([query, -query]), 3, 2, 0.001),
        torch.tensor([0, 2]),
        "the classes of query and -query at temperature 0.001",
        hint="exp(0.9 / 0.001) overflows, exp(-0.5 / 0.001) is 0: subtract a query's largest similarity first",
    )
    checking.equal(
        knn_predict(bank, labels + 4, query, 9, 4, 0.1),
        torch.tensor([4]),
        "knn_predict with labels 4 to 6 of 9 classes",
        hint="return the class, not the neighbour's place in the bank",
    )
    with checking.unchanged(bank=bank, labels=labels, queries=query):
        knn_predict(bank, labels, query, 3, 2, 0.5)

# %% [markdown]
# Try it on `shapes`, scenes that each show one of ten kinds of figures, in random colours, with 250 labels. Three representations: the
# pixels themselves, a network with random weights, and, as the goal, a network that was trained with 4,000
# labels. Guessing gets 10%.

# %% experiment="worth_of_features" topics="contrastive"
splits = data.shapes(train=250, test=500)
torch.manual_seed(nb.seed)
networks = {"random network": models.small_resnet(), "trained with 4,000 labels": training.load("shapes_resnet")}
features = {"pixels": (splits.train.images.flatten(1), splits.test.images.flatten(1))}
for name, network in networks.items():
    network.fc = nn.Identity()  # the features are what enters the classifier
    features[name] = tuple(training.features_of(network, part.images) for part in (splits.train, splits.test))
scores = {}
for name, (known, asked) in features.items():
    guess = knn_predict(known, splits.train.labels, asked, 10, k=10, temperature=0.1)
    probe = training.linear_probe(known, splits.train.labels, asked, splits.test.labels)
    scores[name] = ((guess == splits.test.labels).float().mean().item(), probe)
figure, axes = plt.subplots(figsize=(6.4, 2.6))
for shift, (label, column) in zip((-0.2, 0.2), (("10 nearest neighbours", 0), ("linear probe", 1)), strict=True):
    axes.barh([y + shift for y in range(3)], [100 * pair[column] for pair in scores.values()], 0.38, label=label)
axes.axvline(10, color="0.4", linestyle=":", label="guessing")
axes.set_yticks(range(3), scores)
axes.set(title="250 labelled scenes, frozen features", xlabel="accuracy on test scenes (%)")
axes.invert_yaxis()
axes.legend()
plt.show()
record("knn_pixels", scores["pixels"][0], low=0.05, high=0.2)
record("knn_trained_features", scores["trained with 4,000 labels"][0], low=0.7)

# %% [markdown]
# In pixels the nearest scene is one of similar colours, which says nothing about the figure. The rest of the
# notebook tries to get from the first two representations towards the third without its labels.
