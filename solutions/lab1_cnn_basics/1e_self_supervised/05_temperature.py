# %% [markdown]
# ## 5. Temperature and negatives
#
# Two settings of the loss itself. The temperature you have seen on paper. For the number of negatives, many
# articles change the batch size, which also changes the number of steps and what batch normalisation sees.
# Here the batch stays at 128 images: it is cut into groups, and each view is compared within its group only.

# %% experiment="temperature_and_negatives" topics="contrastive"
splits = data.shapes(train=nb.pick(fast=2000, full=4000), size=16)
train, test = splits.train, splits.test
epochs = nb.pick(fast=6, full=50)


def view(images: Tensor, generator: torch.Generator) -> Tensor:
    return training.recolour(training.move_at_random(images, generator), generator)


def pretrain(temperature: float, group: int) -> tuple[float, float]:
    """Share of test views whose partner is nearest among 1,000, and probe accuracy with all labels."""
    torch.manual_seed(nb.seed)
    encoder = conv_encoder(16)
    network = nn.Sequential(encoder, nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32)).to(nb.device)

    def loss(first: Tensor, second: Tensor) -> Tensor:
        groups = zip(first.split(group), second.split(group), strict=True)
        return torch.stack([nt_xent(a, b, temperature) for a, b in groups]).mean()

    training.fit_pairs(network, train.images, view, loss, epochs=epochs, seed=nb.seed, progress=False)
    draw = nb.generator(5)
    one, other = (F.normalize(training.features_of(network, view(test.images, draw)), dim=1) for _ in range(2))
    found = ((one @ other.T).argmax(1) == torch.arange(len(test))).float().mean().item()
    known, asked = (training.features_of(encoder, part.images) for part in (train, test))
    return found, training.linear_probe(known, train.labels, asked, test.labels)


temperatures, groups = (0.05, 0.2, 1.0), (2, 16, 128)
by_temperature = {temperature: pretrain(temperature, 128) for temperature in temperatures}
by_group = {group: pretrain(0.2, group) if group < 128 else by_temperature[0.2] for group in groups}
figure, panels = plt.subplots(1, 2, figsize=(7.4, 2.9), sharey=True)
negatives = [2 * group - 2 for group in groups]
for axis, places, outcome in zip(panels, (temperatures, negatives), (by_temperature, by_group), strict=True):
    for column, (name, style) in enumerate((("partner found among 1,000", "s--"), ("class, linear probe", "o-"))):
        axis.semilogx(places, [100 * pair[column] for pair in outcome.values()], style, label=name)
    axis.set_xticks(places, [f"{place:g}" for place in places])
    axis.minorticks_off()
panels[0].set(title="temperature, 254 negatives", xlabel="temperature", ylabel="share of test views or scenes (%)")
panels[1].set(title="negatives, temperature 0.2", xlabel="negatives of each view")
panels[0].set_ylim(0, None)
panels[1].legend(fontsize=8)
plt.show()
record("partner_found_temperature_0_2", by_temperature[0.2][0], low=0.02, high=0.15)
record("partner_found_0_2_over_1", by_temperature[0.2][0] / by_temperature[1.0][0], low=1.2)
record("partner_found_254_over_2_negatives", by_group[128][0] / by_group[2][0], low=1.0)
record("class_254_over_2_negatives", by_group[128][1] - by_group[2][1], low=-0.05, high=0.1)

# %% [markdown]
# The task itself, finding the partner, gains most from a temperature that is not high; more negatives help too, but here
# no longer beyond 30. The class, which nobody asked for, moves by a few points at most. How good a network is at its self-made task and how useful it
# is are two things; only the second one counts, and it needs labels to be measured.
#
# Large batches are how SimCLR got negatives (4,096 images and more). MoCo keeps the keys of earlier batches in
# a queue instead, and has them made by a slowly following copy of the encoder, so that old and new keys agree.
