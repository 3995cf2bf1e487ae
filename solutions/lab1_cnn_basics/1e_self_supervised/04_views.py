# %% [markdown]
# ## 4. The views decide what is kept
#
# InfoNCE rewards whatever tells images apart **and** survives the views. If the views keep the colours, then
# colours are the cheapest answer, and nothing pushes the network to anything else. So train three encoders on
# three kinds of views, and ask each for two things: the figure's class, and the colour of the ground (the
# mean of the border pixels; the score is $R^2$ of a linear fit on test scenes, 1: it knows, 0: it does not).
#
# Write down your guess for each before you run it.

# %% experiment="views_decide" topics="contrastive"
splits = data.shapes(train=nb.pick(fast=3000, full=4000), size=16)
train, test = splits.train, splits.test
epochs = nb.pick(fast=4, full=50)


def ground_colour(images: Tensor) -> Tensor:
    """Mean colour of the border pixels, [N, 3]."""
    inner = torch.zeros(16, 16, dtype=torch.bool)
    inner[1:-1, 1:-1] = True
    return images[:, :, ~inner].mean(2)


def colour_score(known: Tensor, asked: Tensor) -> float:
    """R^2 on test scenes of the least-squares fit from features to the ground's colour."""
    design, tested = (F.pad(part.double(), (0, 1), value=1) for part in (known, asked))
    truth = ground_colour(test.images).double()
    fit = tested @ torch.linalg.lstsq(design, ground_colour(train.images).double(), driver="gelsd").solution
    return 1 - ((fit - truth).square().sum() / (truth - truth.mean(0)).square().sum()).item()


def only_recolour(images: Tensor, generator: torch.Generator) -> Tensor:
    return training.recolour(images, generator)


def move_and_recolour(images: Tensor, generator: torch.Generator) -> Tensor:
    return training.recolour(training.move_at_random(images, generator), generator)


kinds = {"move": training.move_at_random, "recolour": only_recolour, "move and recolour": move_and_recolour}
results = {}
for name, view in kinds.items():
    torch.manual_seed(nb.seed)
    encoder = conv_encoder(16)
    network = nn.Sequential(encoder, nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32)).to(nb.device)
    losses = training.fit_pairs(
        network, train.images, view, lambda a, b: nt_xent(a, b, 0.2), epochs=epochs, seed=nb.seed, progress=False
    )
    known, asked = (training.features_of(encoder, part.images) for part in (train, test))
    score = training.linear_probe(known, train.labels, asked, test.labels)
    results[name] = (losses[-1], score, colour_score(known, asked))
    print(f"{name:18} loss {losses[-1]:.2f}   class {score:.1%}   colour R2 {results[name][2]:.2f}")

figure, (left, right) = plt.subplots(1, 2, figsize=(7.4, 2.4), sharey=True)
left.barh(list(results), [100 * row[1] for row in results.values()], color="C0")
left.axvline(10, color="0.4", linestyle=":")
left.set(title="what figure it is", xlabel="probe accuracy (%), dotted: guessing")
right.barh(list(results), [row[2] for row in results.values()], color="C1")
right.set(title="what colour the ground has", xlabel="$R^2$ on test scenes", xlim=(0, 1))
left.invert_yaxis()
plt.show()
record("loss_views_that_only_move", results["move"][0], high=2.2)
record("class_views_that_only_move", results["move"][1], low=0.08, high=0.2)
record("class_move_and_recolour", results["move and recolour"][1], low=0.22)
record("colour_lost_by_recolouring", results["move"][2] - results["move and recolour"][2], low=0.05)

# %% [markdown]
# With views that keep the colours, colours settle the question and the network hardly looks at figures. Views
# that only recolour make an equally easy task with nearly the same loss, yet that encoder knows twice as much
# about figures. **A contrastive loss is no measure of quality between different views.** What a view changes
# is what the features may lose; what all views share is what they keep. That is prior knowledge about the
# later task, put in by hand: for a task about colours, recolouring would be the wrong view. (It loses only a
# part of the colour here: what is thrown out of the embedding is still there before the projection head.)
