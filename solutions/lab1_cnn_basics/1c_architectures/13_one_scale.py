# %% [markdown]
# ## 13. One scale for all
#
# Accuracy on ImageNet against what it costs, for networks of seven years. The accuracies are torchvision's
# first weights (`IMAGENET1K_V1`, read from the package), those of MobileNetV1 and SE-ResNet-50 their papers'.
# Recipes have improved since: the same ResNet-50 reaches 80.9% today. Compare neighbours, not decimals.
#
# Energy is an estimate: every MAC, every weight read once and every activation written and read once, at 45
# nm costs (Horowitz, ISSCC 2014), all of it from DRAM. Move the budgets. Which families are never on the
# front? Which network would you put on a watch with 5 mJ per image? Does the front change when you count
# parameters instead of MACs?

# %% demo="architecture_tradeoffs" topics="efficiency_counts, latency_energy"
ZOO = {  # name: (family, network, torchvision's name or top-1 accuracy)
    "AlexNet": ("AlexNet, VGG", models.alexnet, "AlexNet"),
    "VGG-16": ("AlexNet, VGG", models.vgg16, "VGG16"),
    "ResNet-18": ("ResNet, ResNeXt, SE", models.resnet18, "ResNet18"),
    "ResNet-34": ("ResNet, ResNeXt, SE", models.resnet34, "ResNet34"),
    "ResNet-50": ("ResNet, ResNeXt, SE", models.resnet50, "ResNet50"),
    "ResNeXt-50": ("ResNet, ResNeXt, SE", models.resnext50_32x4d, "ResNeXt50_32X4D"),
    "SE-ResNet-50": ("ResNet, ResNeXt, SE", models.se_resnet50, 76.71),
    "DenseNet-121": ("DenseNet", models.densenet121, "DenseNet121"),
    "DenseNet-201": ("DenseNet", models.densenet201, "DenseNet201"),
    "SqueezeNet 1.0": ("SqueezeNet", models.squeezenet1_0, "SqueezeNet1_0"),
    "SqueezeNet 1.1": ("SqueezeNet", models.squeezenet1_1, "SqueezeNet1_1"),
    "MobileNetV1": ("MobileNet", models.mobilenet_v1, 70.6),
    "MobileNetV2": ("MobileNet", models.mobilenet_v2, "MobileNet_V2"),
    "MobileNetV3-L": ("MobileNet", models.mobilenet_v3_large, "MobileNet_V3_Large"),
    "MobileNetV3-S": ("MobileNet", models.mobilenet_v3_small, "MobileNet_V3_Small"),
    "ShuffleNetV2 0.5x": ("ShuffleNet", models.shufflenet_v2_x0_5, "ShuffleNet_V2_X0_5"),
    "ShuffleNetV2 1x": ("ShuffleNet", models.shufflenet_v2_x1_0, "ShuffleNet_V2_X1_0"),
}


def top1(source: str | float) -> float:
    """Top-1 accuracy in %."""
    from torchvision.models import get_weight

    if not isinstance(source, str):
        return source
    return get_weight(f"{source}_Weights.IMAGENET1K_V1").meta["_metrics"]["ImageNet-1K"]["acc@1"]


def zoo_row(name: str) -> dict[str, str | float]:
    family, make, source = ZOO[name]
    counts = meta_counts(make)
    return {
        "name": name,
        "family": family,
        "top-1 accuracy, %": top1(source),
        "MACs": counts.macs,
        "parameters": counts.parameters,
        "activations": counts.activations,
        "energy, mJ": 1e3 * measure.energy(counts).total,
    }


explore.tradeoffs([zoo_row(name) for name in ZOO], cost="MACs", quality="top-1 accuracy, %")

# %% [markdown]
# **Measured.** Left: what only a measurement tells, the time of one image on one thread of this machine, and
# the rate at which the network's MACs were done. Right: where the energy would go.

# %% experiment="time_and_energy" topics="latency_energy, efficiency_counts"
chosen = {
    "AlexNet": models.alexnet,
    "ResNet-18": models.resnet18,
    "ResNet-50": models.resnet50,
    "DenseNet-121": models.densenet121,
    "SqueezeNet 1.1": models.squeezenet1_1,
    "MobileNetV1": models.mobilenet_v1,
    "MobileNetV2": models.mobilenet_v2,
    "MobileNetV3-L": models.mobilenet_v3_large,
    "ShuffleNetV2 1x": models.shufflenet_v2_x1_0,
}
image = torch.randn(1, 3, 224, 224, generator=nb.generator(4))
networks = {name: make().eval() for name, make in chosen.items()}
with torch.no_grad():
    calls = {name: partial(network, image) for name, network in networks.items()}
    timed = measure.compare(calls, rounds=nb.pick(fast=5, full=20))
    rows = {}
    for name, network in networks.items():
        counts = measure.count(network, image)
        rows[name] = counts.macs, timed[name], measure.energy(counts), counts
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), sharey=True)
order = sorted(rows, key=lambda name: -rows[name][0])
milliseconds = [1e3 * rows[name][1] for name in order]
left.barh([f"{name}, {rows[name][0] / 1e6:.0f}" for name in order], milliseconds, color="C2")
for place, name in enumerate(order):
    left.text(milliseconds[place], place, f" {rows[name][0] / rows[name][1] / 1e9:.1f} GMAC/s", va="center", fontsize=8)
left.set(title=f"Time, one thread of\n{cpu}", xlabel="ms for one image", ylabel="network, million MACs")
left.margins(x=0.3)
left.invert_yaxis()
start = torch.zeros(len(order))
for part, colour in (("arithmetic", "C1"), ("weights", "C0"), ("activations", "C5")):
    values = torch.tensor([1e3 * getattr(rows[name][2], part) for name in order])
    right.barh(range(len(order)), values, left=start, color=colour, label=part)
    start += values
right.set(title="Energy, estimated (float32, DRAM)", xlabel="mJ for one image")
right.legend(fontsize=8, title="energy of", title_fontsize=8, loc="lower right")
plt.show()
rate = {name: macs / seconds for name, (macs, seconds, *_) in rows.items()}
eight_bit = measure.energy(rows["MobileNetV2"][3], numbers="int8", weights_in="sram_1mb", activations_in="sram_1mb")
print(f"MobileNetV2, all in float32 and DRAM: {rows['MobileNetV2'][2]}")
print(f"MobileNetV2 in int8, every access at the price of a 1 MB SRAM (its weights alone are 3.5 MB): {eight_bit}")
record("resnet18_rate_over_mobilenet_v2_rate", rate["ResNet-18"] / rate["MobileNetV2"], low=1, high=20, timed=timed)
record("resnet50_over_mobilenet_v2_macs", rows["ResNet-50"][0] / rows["MobileNetV2"][0], low=13.5, high=13.7)
record("resnet50_over_mobilenet_v2_time", timed.ratio("ResNet-50", "MobileNetV2"), low=1, high=13, timed=timed)
record(
    "mobilenet_v2_share_of_energy_in_memory",
    rows["MobileNetV2"][2].memory / rows["MobileNetV2"][2].total,
    low=0.5,
    high=1,
)
record("mobilenet_v2_energy_over_int8_sram", rows["MobileNetV2"][2].total / eight_bit.total, low=10, high=100)

# %% [markdown]
# MACs order the networks roughly and mislead in detail: light networks run at lower rates than heavy ones.
# And energy is mostly a matter of moving numbers: by this table one 64-bit access to DRAM costs as much as
# 280 float32 MACs. Hence the labs to come: fewer weights (lab 2), fewer bits (lab 3), and numbers that stay
# close to the arithmetic.
#
# Why are the rates so different? The **roofline** puts each layer's rate against its MACs per byte. The
# sloped line is what this machine's memory can deliver, the flat one what its arithmetic can do. A layer may find its
# numbers in a cache, where the layer before it has left them: the dashed line is what the last cache can deliver, and
# dots above the memory's line are hollow.

# %% experiment="roofline_of_blocks" topics="latency_energy, depthwise_separable, basic_block"
image = torch.randn(1, 3, 224, 224, generator=nb.generator(5))
from IPython.display import display

roofs = {
    name: measure.roofline(make().eval(), image, runs=8)
    for name, make in (("ResNet-18", models.resnet18), ("MobileNetV2", models.mobilenet_v2))
}


for name, roof in roofs.items():
    display(roof.plot(name))
    print(f"{name}: {roof}")
kinds: dict[str, list[float]] = {}
for roof in roofs.values():
    for layer in roof.layers:
        total = kinds.setdefault(layer.kind, [0.0, 0.0, 0.0])
        total[0] += layer.macs
        total[1] += layer.seconds
        total[2] += layer.bytes
for kind, (macs, seconds, size) in kinds.items():
    print(f"{kind:24} {macs / seconds / 1e9:6.1f} GMAC/s at {macs / size:6.2f} MACs per byte")
dense, depthwise = kinds["Conv2d 3x3"], kinds["Conv2d 3x3 depthwise"]
record("dense_macs_per_byte_over_depthwise", (dense[0] / dense[2]) / (depthwise[0] / depthwise[2]), low=10, high=100)
rates = dense[0] / dense[1], depthwise[0] / depthwise[1]
record("dense_rate_over_depthwise_rate", rates[0] / rates[1], low=1.2, high=50, timed=True)

# %% [markdown]
# Depthwise layers do about one MAC per byte. No code can make them run near the flat line; only keeping their
# maps in a faster memory, or not writing them at all, helps.
