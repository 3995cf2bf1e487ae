# %% [markdown]
# ## 14. Your blocks, trained
#
# Your blocks at work: small networks for small pictures, each with your piece in place of the library's, learn
# the digits for three epochs.


# %% experiment="your_blocks_learn" topics="basic_block, shortcuts, depthwise_separable, inverted_bottleneck, squeeze_excitation, mobilenet_v3, channel_shuffle"
class HardSwish(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return hard_swish(x)


class Shuffle(nn.Module):
    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, x: Tensor) -> Tensor:
        return channel_shuffle(x, self.groups)


yours = {
    "ResNet": partial(models.small_resnet, block=BasicBlock, shortcut=Shortcut),
    "MobileNetV1": partial(models.small_mobilenet_v1, block=DepthwiseSeparable),
    "MobileNetV2": partial(models.small_mobilenet_v2, block=InvertedBottleneck),
    "MobileNetV3": partial(models.small_mobilenet_v3, activation=HardSwish, attention=SqueezeExcitation),
    "ShuffleNet": partial(models.small_shufflenet_v1, shuffle=Shuffle),
}
digits = data.digits()
rows = []
for name, make in yours.items():
    torch.manual_seed(nb.seed)
    network = make(in_channels=1, width=16).to(nb.device)
    counts = measure.count(network, digits.test.images[:1].to(nb.device))
    epochs = nb.pick(fast=3, full=20)
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=0.05)
    steps = epochs * -(-len(digits.train) // 96)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=steps, pct_start=0.2)
    training.fit(
        network,
        digits.train,
        epochs=epochs,
        optimizer=optimizer,
        scheduler=schedule,
        batch_size=96,
        seed=nb.seed,
        progress=False,
    )
    rows.append((name, counts.macs, counts.parameters, training.evaluate(network, digits.test).accuracy))
figure, axes = plt.subplots(figsize=(6.8, 3.4))
for name, macs, parameters, accuracy in rows:
    axes.scatter(macs / 1e3, 100 * accuracy, s=parameters / 300, color="C0", alpha=0.6)
    place = (0, -22) if name == "MobileNetV3" else (0, 10)
    axes.annotate(name, (macs / 1e3, 100 * accuracy), place, textcoords="offset points", ha="center", fontsize=8)
axes.set(
    title="Your blocks on 8x8 digits (area: parameters)",
    xlabel="thousand MACs for one image",
    ylabel="test accuracy, %",
)
axes.margins(0.2)
plt.show()
for name, macs, parameters, accuracy in rows:
    print(f"{name:12} {accuracy:6.1%}  {macs:9,} MACs  {parameters:8,} parameters")
accuracies = {row[0]: row[3] for row in rows}
record("accuracy_of_your_resnet", accuracies["ResNet"], low=0.9, high=1)
record("least_accuracy_of_your_mobilenets", min(accuracies[f"MobileNetV{n}"] for n in (1, 2, 3)), low=0.7, high=1)

# %% [markdown]
# All of them learn. Do not take this order for theirs on ImageNet: these are a few steps on tiny pictures,
# and the ShuffleNet is by far the smallest. `profile="full"` trains longer.
