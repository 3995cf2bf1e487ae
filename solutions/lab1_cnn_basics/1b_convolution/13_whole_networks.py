# %% [markdown]
# ## 13. Whole networks
#
# A classifier is made of few kinds of layers. Which of these statements are true?
#
# - **a**: The usual order is blocks of convolution, normalisation and activation, now and then a pooling
#   layer or a stride of 2, and at the end global pooling and a dense layer.
# - **b**: Two 3x3 convolutions in a row with nothing between them (stride 1, padding aside) can be replaced
#   by one 5x5 convolution.
# - **c**: Before `nn.CrossEntropyLoss`, the network must end in a softmax layer.
# - **d**: ReLU then 2x2 max pooling gives the same numbers as 2x2 max pooling then ReLU.
# - **e**: For inference, a batch normalisation can be folded into the convolution before it even if a ReLU
#   stands between the two.
# - **f**: The dense layers stand first, because they see the whole image; convolutions then refine the
#   details.
# - **g**: With global average pooling before the dense layer, a network trained on 32x32 images also accepts
#   48x48 images.
# - **h**: A convolution whose output goes straight into batch normalisation gains from having a bias.

# %% quiz="cnn_layer_order" points=4 topics="cnn_layer_order"
cnn_layer_order = None  # a set of letters, such as {"a", "c"}
### BEGIN SOLUTION
cnn_layer_order = {"a", "b", "d", "g"}
### END SOLUTION

# %% [markdown]
# **What early and late layers see.** For six channels of four places in the trained network: at the top, a
# picture made by gradient ascent to excite the channel (it starts from noise, not from an image); below it,
# the three test scenes that excite it most, cut to what the unit sees: 5, 13 and 25 pixels, and in the last
# stage the whole scene.

# %% experiment="what_excites_channels" topics="filter_hierarchy"
network = training.load("shapes_resnet").to(nb.device).eval().requires_grad_(False)
scenes = data.shapes(train=0, test=nb.pick(fast=400, full=1000)).test.images.to(nb.device)
stem = nn.Sequential(network.conv1, network.bn1, network.relu)
stages = [stem, network.layer1, network.layer2, network.layer3]
last_relu = [network.relu, *(stage[-1].relu for stage in stages[1:])]
places = [("stem", 5, 2), ("layer1", 13, 2), ("layer2", 25, 4), ("layer3", 49, 8)]  # receptive field and step, pixels


def before_relu(images: Tensor, depth: int) -> Tensor:
    """What enters the last ReLU of a stage, [N, C, h, w]: unlike what leaves it, it has a gradient everywhere."""
    caught = []
    handle = last_relu[depth].register_forward_pre_hook(lambda _, inputs: caught.append(inputs[0].clone()))
    nn.Sequential(*stages[: depth + 1])(images)
    handle.remove()
    return caught[-1]


def patch(image: Tensor, unit: tuple[int, int], field: int, step: int) -> Tensor:
    """What one unit sees of an image, enlarged to 32x32."""
    top, left = (max(0, step * place - field // 2) for place in unit)
    return F.interpolate(image[None, :, top : top + field, left : left + field].cpu(), size=32)[0]


def dream(depth: int, chosen: Tensor, steps: int = 50) -> Tensor:
    """One image for each channel, [len(chosen), 3, 32, 32], that excites its middle unit."""
    free = (0.3 * torch.randn(len(chosen), 3, 32, 32, generator=nb.generator(15))).to(nb.device).requires_grad_()
    optimizer = torch.optim.Adam([free], lr=0.15)
    for _ in range(steps):
        maps = before_relu(free.sigmoid(), depth)
        middle = maps.shape[2] // 2
        excitement = maps[torch.arange(len(chosen)), chosen, middle, middle].sum()
        rough = free.diff(dim=2).square().sum() + free.diff(dim=3).square().sum()
        (0.003 * rough - excitement).backward()
        optimizer.step()
        optimizer.zero_grad()
    return free.detach().sigmoid()


figure, axes = plt.subplots(2, 2, figsize=(7.2, 5.2))
for depth, (axis, (name, field, step)) in enumerate(zip(axes.flat, places, strict=True)):
    with torch.no_grad():
        maps = before_relu(scenes, depth)
    units = range(maps.shape[2])
    whole = [u for u in units if field // 2 <= step * u < 32 - field // 2] or list(units)  # field inside the scene
    inner = maps[:, :, whole][:, :, :, whole]
    chosen = torch.linspace(0, maps.shape[1] - 1, 6).long()
    mosaic = torch.ones(3, 4 * 34 - 2, 6 * 34 - 2)
    for column, (channel, image) in enumerate(zip(chosen.tolist(), dream(depth, chosen), strict=True)):
        best = inner[:, channel].flatten(1).max(1)
        tiles = [patch(image, (maps.shape[2] // 2,) * 2, field, step)]
        for scene in best.values.topk(3).indices.tolist():
            row, left = divmod(best.indices[scene].item(), len(whole))
            tiles.append(patch(scenes[scene], (whole[row], whole[left]), field, step))
        for row, tile in enumerate(tiles):
            mosaic[:, 34 * row : 34 * row + 32, 34 * column : 34 * column + 32] = tile
    axis.imshow(mosaic.permute(1, 2, 0), interpolation="nearest")
    axis.set_title(f"{name}: " + (f"{field} x {field} pixels" if field < 32 else "the whole scene"), fontsize=10)
    axis.set_axis_off()
plt.show()

# %% [markdown]
# The stem answers to colours and to edges in one direction, the first stage to curved strokes, corners and
# blobs, the second to parts such as tips and rings, the third to whole figures, mostly of one class.
#
# Pictures persuade easily, so measure as well. Take each channel's largest response in an image. How much of
# its variance over the test scenes is explained by the class of the scene? 0: the channel answers to all
# classes alike; 1: it knows the class. The untrained network is the control.

# %% experiment="class_share_by_depth" topics="filter_hierarchy"
test = data.shapes(train=0, test=nb.pick(fast=500, full=1000)).test.to(nb.device)
torch.manual_seed(nb.seed)
networks = {"trained": training.load("shapes_resnet"), "untrained": models.small_resnet()}


def class_share(network: nn.Module) -> list[float]:
    """Share of variance between classes, mean over channels, after the stem and after each stage."""
    shares, x = [], test.images
    for part in (
        nn.Sequential(network.conv1, network.bn1, network.relu),
        network.layer1,
        network.layer2,
        network.layer3,
    ):
        x = part(x)
        peaks = x.amax((2, 3))
        peaks = peaks[:, peaks.var(0) > 0]  # a channel that never answers has no variance to explain
        means = torch.stack([peaks[test.labels == label].mean(0) for label in range(10)])
        shares.append((means[test.labels].var(0) / peaks.var(0)).mean().item())
    return shares


figure, axes = plt.subplots(figsize=(6.4, 3.0))
with torch.no_grad():
    shares = {name: class_share(network.to(nb.device).eval()) for name, network in networks.items()}
for name, line in shares.items():
    axes.plot(["stem", "layer1", "layer2", "layer3"], line, "o-", label=name)
axes.set(title="How much of a channel is about the class", ylabel="variance explained by class", ylim=(0, None))
axes.legend()
plt.show()
record("class_share_stem", shares["trained"][0], low=0.01, high=0.08)
record("class_share_layer3", shares["trained"][3], low=0.5, high=0.75)
record("class_share_layer3_untrained", shares["untrained"][3], low=0, high=0.08)

# %% [markdown]
# What a channel knows about the class is built up stage by stage, and by training alone: the same layers with
# random weights know nothing. What the stem finds would serve any task on such scenes, what the last stage
# finds serves this one; that is why early layers are kept when a network is fine-tuned for a new task.
#
# And where does the decision come from? **Occlusion** (Zeiler and Fergus, 2014) covers a part of the image
# with grey and asks how far the probability of the true class falls.

# %% experiment="occlusion_maps" topics="filter_hierarchy"
network = training.load("shapes_resnet").to(nb.device).eval()
test = data.shapes(train=0, test=100).test.to(nb.device)
with torch.no_grad():
    probability = network(test.images).softmax(1).gather(1, test.labels[:, None])[:, 0]
doubt = (probability - 0.9).abs()  # scenes it gets right without being certain
chosen = [int(doubt.where(test.labels == label, torch.inf).argmin()) for label in (0, 4, 7, 8, 9)]
tops = range(0, 25, 2)


@torch.no_grad()
def occlusion(scene: int) -> Tensor:
    """Fall of the true class's probability when an 8x8 square is covered: [13, 13]."""
    covered = test.images[scene].repeat(len(tops) ** 2, 1, 1, 1)
    for i, top in enumerate(tops):
        for j, left in enumerate(tops):
            covered[i * len(tops) + j, :, top : top + 8, left : left + 8] = 0.5
    kept = network(covered).softmax(1)[:, test.labels[scene]]
    return (probability[scene] - kept).reshape(len(tops), len(tops)).cpu()


figure, axes = plt.subplots(2, 5, figsize=(9.2, 3.7))
for column, scene in enumerate(chosen):
    axes[0, column].imshow(test.images[scene].permute(1, 2, 0).cpu())
    axes[0, column].set_title(f"{test.classes[test.labels[scene]]}, {probability[scene]:.2f}", fontsize=10)
    shown = axes[1, column].imshow(occlusion(scene), cmap="RdBu_r", vmin=-1, vmax=1, extent=(0, 32, 32, 0))
    axes[0, column].set_axis_off()
    axes[1, column].set_axis_off()
figure.colorbar(shown, ax=axes[1], label="fall of probability")
plt.show()
