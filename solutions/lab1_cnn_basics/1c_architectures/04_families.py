# %% [markdown]
# ## 4. Families around it
#
# You now know enough to read the networks of 2012 to 2017. The library has them all.
#
# - **AlexNet** (Krizhevsky et al., 2012): five convolutions, the first 11x11, then three dense layers.
# - **VGG** (Simonyan and Zisserman, 2015): 3x3 filters alone. Two of them see 5x5 pixels with
#   $2 \cdot 9 = 18$ weights per pair of channels instead of 25, and have a ReLU in between.
# - **ResNet** (2016): stem, four stages of blocks, *global average pooling*, one dense layer.
# - **ResNeXt** (Xie et al., 2017): bottlenecks whose 3x3 convolution works in 32 groups.
# - **DenseNet** (Huang et al., 2017): every layer reads the outputs of *all* layers before it in its stage.
#
# First question: where do their parameters sit? (Networks on torch's `meta` device have shapes and no
# numbers, so that counting VGG-16 takes no memory.)

# %% experiment="where_parameters_sit" topics="alexnet_vgg, resnet"
families = {
    "AlexNet": models.alexnet,
    "VGG-16": models.vgg16,
    "ResNet-50": models.resnet50,
    "MobileNetV2": models.mobilenet_v2,
}
counts = {name: meta_counts(make) for name, make in families.items()}
figure, axes = plt.subplots(1, 2, figsize=(9, 2.9), sharey=True)
for axis, quantity, unit in ((axes[0], "parameters", 1e6), (axes[1], "macs", 1e9)):
    for row, count in enumerate(counts.values()):
        left = 0.0
        for kind, colour, wanted in (
            ("convolutions", "C0", lambda layer: layer.kind == "Conv2d"),
            ("dense layers", "C1", lambda layer: layer.kind == "Linear"),
        ):
            amount = sum(getattr(layer, quantity) for layer in count.layers if wanted(layer)) / unit
            axis.barh(row, amount, left=left, color=colour, label=kind if row == 0 else None)
            left += amount
        axis.text(left, row, f" {left:.3g}", va="center", fontsize=9)
    axis.margins(x=0.12)
axes[0].set_yticks(range(4), counts)
axes[0].invert_yaxis()
axes[0].set(title="Parameters", xlabel="millions")
axes[1].set(title="MACs for one image", xlabel="billions")
axes[0].legend(fontsize=8, loc="lower right")
plt.show()
dense = sum(layer.parameters for layer in counts["VGG-16"].layers if layer.kind == "Linear")
record("vgg16_share_of_parameters_in_dense_layers", dense / counts["VGG-16"].parameters, low=0.89, high=0.9)
record("vgg16_parameters", counts["VGG-16"].parameters, low=138_357_544, high=138_357_544)

# %% [markdown]
# AlexNet and VGG keep nine parameters of ten in dense layers that do almost none of the work: the first of
# them reads all $7 \cdot 7 \cdot 512$ numbers of VGG's last maps. Global average pooling leaves 512 (or 2048)
# numbers to read, and the problem is gone. Pruning and quantization papers like to report on AlexNet and VGG:
# you see why.
#
# **Bottlenecks.** With 256 channels a 3x3 convolution is expensive. ResNet-50's *bottleneck* first reduces
# them to 64 by a 1x1 convolution, convolves, and restores them by another. ResNeXt spends what it saves: 128
# inner channels in 32 groups.

# %% experiment="bottleneck_arithmetic" topics="bottleneck, resnext, basic_block"
from course_lib.models.residual_blocks import Bottleneck

channels, side = 256, 14
blocks = {
    "basic block": BasicBlock(channels, channels),
    "bottleneck, 64 inside": Bottleneck(channels, 64),
    "ResNeXt, 128 in 32 groups": Bottleneck(channels, 64, groups=32, widening=2),
}
x = torch.randn(1, channels, side, side, generator=nb.generator(1))
calls = {}
with torch.no_grad():
    for name, block in blocks.items():
        calls[name] = partial(block.eval(), x)
    seconds = measure.compare(calls)
figure, axes = plt.subplots(1, 2, figsize=(9, 2.6), sharey=True)
for row, (name, block) in enumerate(blocks.items()):
    left = 0.0
    for layer in (layer for layer in measure.count(block, x).layers if layer.macs):
        kernel = layer.name.startswith("conv2") or name == "basic block"
        axes[0].barh(row, layer.macs / 1e6, left=left, color="C0" if kernel else "C5", edgecolor="white")
        left += layer.macs / 1e6
    axes[0].text(left, row, f" {left:.3g}", va="center", fontsize=9)
    axes[1].barh(row, 1e3 * seconds[name], color="C1")
    axes[1].text(1e3 * seconds[name], row, f" {1e3 * seconds[name]:.2g}", va="center", fontsize=9)
axes[0].set_yticks(range(3), blocks)
axes[0].invert_yaxis()
axes[0].set(title="Each bar piece is a convolution (dark: 3x3)", xlabel="million MACs, 256 to 256 channels, 14 x 14")
axes[1].set(title="Time", xlabel="ms, one thread")
for axis in axes:
    axis.margins(x=0.15)
plt.show()
macs = {name: measure.count(block, x).macs for name, block in blocks.items()}
record("basic_over_bottleneck_macs", macs["basic block"] / macs["bottleneck, 64 inside"], low=16.9, high=17.0)
record(
    "resnext_over_bottleneck_macs",
    macs["ResNeXt, 128 in 32 groups"] / macs["bottleneck, 64 inside"],
    low=1.0,
    high=1.02,
)
record(
    "resnext_over_bottleneck_time",
    seconds.ratio("ResNeXt, 128 in 32 groups", "bottleneck, 64 inside"),
    low=0.7,
    high=6,
    timed=seconds,
)

# %% [markdown]
# The bottleneck costs 17 times less and has one ReLU more. ResNeXt's costs the same as the bottleneck in
# MACs, and on ImageNet it is more accurate: 77.6 against 76.1% for 50 layers (torchvision). In time it is no
# cheaper: its grouped filters are thin, and few libraries are good at them.
#
# **Dense connections.** In DenseNet each layer adds only 32 channels, but reads all channels before it.

# %% experiment="dense_connections" topics="densenet"
counts = {"ResNet-50": meta_counts(models.resnet50), "DenseNet-121": meta_counts(models.densenet121)}
reads = {}
for name, make in (("ResNet-50", models.resnet50), ("DenseNet-121", models.densenet121)):
    with torch.device("meta"):
        network = make()
    filters = {key: module for key, module in network.named_modules() if isinstance(module, nn.Conv2d)}
    outputs = {layer.name: math.prod(layer.output) for layer in counts[name].layers}
    # a filter's input has as many positions as its output, times the square of its stride
    inputs = sum(
        outputs[key] // conv.out_channels * conv.in_channels * conv.stride[0] ** 2 for key, conv in filters.items()
    )
    reads[name] = inputs
    if name == "DenseNet-121":
        stage = [
            (conv.in_channels, key) for key, conv in filters.items() if "denseblock3" in key and key.endswith("conv1")
        ]
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.0))
left.bar(range(1, len(stage) + 1), [width for width, _ in stage], color="C0", label="reads")
left.bar(range(1, len(stage) + 1), 32, color="C1", label="adds")
left.set(title="DenseNet-121, third stage", xlabel="layer", ylabel="channels")
left.legend()
ratios = {
    "parameters": counts["DenseNet-121"].parameters / counts["ResNet-50"].parameters,
    "MACs": counts["DenseNet-121"].macs / counts["ResNet-50"].macs,
    "numbers read\nper MAC": (reads["DenseNet-121"] / counts["DenseNet-121"].macs)
    / (reads["ResNet-50"] / counts["ResNet-50"].macs),
}
bars = right.bar(ratios.keys(), ratios.values(), color="C2", width=0.5)
right.bar_label(bars, fmt="%.2f")
right.axhline(1, color="0.5", linestyle=":")
right.set(title="DenseNet-121 over ResNet-50", ylabel="ratio", ylim=(0, 2.2))
plt.show()
record("densenet_over_resnet_parameters", ratios["parameters"], low=0.31, high=0.32)
record("densenet_over_resnet_reads_per_mac", ratios["numbers read\nper MAC"], low=2.0, high=2.05)

# %% [markdown]
# A third of ResNet-50's parameters, at 1.7 points less accuracy (74.4%). But it reads twice as many
# activations for each MAC, and it must keep all of a stage's maps in memory to do so: few parameters do not
# mean little memory.
