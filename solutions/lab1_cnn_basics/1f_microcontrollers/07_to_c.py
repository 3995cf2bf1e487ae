# %% [markdown]
# ## 7. From a network to C
#
# An *interpreter* such as TensorFlow Lite Micro carries code for every layer it might meet and reads at run time
# which layers to run, how large they are and where their data lies. **TinyEngine** (MCUNet) is a *generator*: it knows
# the network, so it writes a C program for this network alone.
#
# - constants (weights, biases, scales) become `const` arrays, which the linker puts into flash,
# - memory is planned beforehand: every tensor is `arena + number`,
# - loops have their bounds written in, windows are unrolled, and code for layers that do not occur is not there.
#
# All numbers are whole. A tensor holds int8 numbers $q$ that stand for $s\,(q - z)$ with a scale $s$ and a zero point
# $z$. A convolution adds products of int8 numbers in 32 bits, and the sum is brought back to int8 by a multiplication
# with $M = s_x s_w / s_y$, which is no whole number. It is written as $M \approx m / 2^{r}$ with a 31-bit
# integer $m$ (Jacob et al., 2018):
#
# $$q_y = \operatorname{clip}\!\Big(z_y + \Big\lfloor \frac{m \big(b + \sum_i (q_{x,i} - z_x)\, q_{w,i}\big) + 2^{r-1}}{2^{r}} \Big\rfloor\Big).$$
#
# The bias $b$ is a 32-bit integer in units of $s_x s_w$; clip keeps the result from $-128$ (after a ReLU, from $z_y$) to
# 127. A multiplication, an addition, a shift: nothing that a processor without floating point lacks. And nothing that
# rounds differently elsewhere: the C program must give the reference's integers *exactly*, whatever its loops
# look like. (Lab 3 is about choosing $s$ and $z$ well. Here the library does it.)
#
# Everything together: train the digit reader on the real scans, enlarged to 32x32, round it, generate C, and let the
# compiled program read the test images.

# %% experiment="digit_reader" topics="tinyengine, mcu_memory, in_place_depthwise, patch_inference"


def enlarged(scans: data.Labelled) -> data.Labelled:
    """The 8x8 scans as 32x32 images."""
    images = F.interpolate(scans.images, size=32, mode="bilinear", align_corners=False)
    return data.Labelled(images, scans.labels, scans.classes)


splits = data.digits()
train, test = enlarged(splits.train), enlarged(splits.test)
network = mcu.describe_digit_reader()
torch.manual_seed(nb.seed)
model = mcu.FloatNetwork(network).to(memory_format=torch.channels_last)  # faster on a CPU
epochs = nb.pick(fast=3, full=20)
optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.01)
scheduler = torch.optim.lr_scheduler.OneCycleLR(
    optimizer, 2e-2, total_steps=epochs * -(-len(train) // 32), pct_start=0.2
)
training.fit(
    model, train, epochs=epochs, optimizer=optimizer, scheduler=scheduler, batch_size=32, seed=nb.seed, progress=False
)

rounded = mcu.to_int8(model, train.images[:200])
images, labels = rounded.image_to_int8(test.images.numpy()), test.labels.numpy()
in_float = training.evaluate(model, test).accuracy
integers = mcu.interpret(rounded, images)
in_int8 = float((integers.argmax(1) == labels).mean())
print(f"{len(labels)} test images: float {in_float:.1%} correct, int8 {in_int8:.1%}")

plan = mcu.Schedule(network, patches=mcu.PatchStage(network, 3, (4, 4)))
program = mcu.generate(rounded, plan, unroll=True)
for board in mcu.BOARDS[:2]:
    print(mcu.fit_on(board, plan))
lines = program.source.splitlines()
print(f"\n{len(lines):,} lines of C, {len(program.source) / KIB:,.0f} KiB of text. The end:\n")
print("\n".join(lines[-16:]))
try:
    compiled = mcu.CompiledNetwork(program)
    answers = np.stack([compiled(image) for image in images])
    print(
        f"\ncompiled: {(answers.argmax(1) == labels).mean():.1%} correct; differs from the reference in {(answers != integers).sum()} integers"
    )
    record("c_differs_from_reference", (answers != integers).sum(), low=0, high=0)
except native.NoCompiler as missing:
    print(f"The C program is not run. {missing}")
wrong = (integers.argmax(1) != labels).nonzero()[0]
figure, axes = plt.subplots(1, 6, figsize=(8.6, 1.9))
for axis, number in zip(axes, [*wrong[:3], *np.setdiff1d(np.arange(len(labels)), wrong)[:3]], strict=False):
    axis.imshow(test.images[number, 0], cmap="gray_r")
    axis.set_title(f"is {labels[number]}, read {integers[number].argmax()}", fontsize=9)
    axis.set_axis_off()
for axis in axes[len(wrong[:3]) + 3 :]:
    axis.set_axis_off()
figure.suptitle("Misread (first) and read correctly, by the int8 network", fontsize=10)
plt.show()
record("digits_float_accuracy", in_float, low=0.96, high=1)
record("digits_int8_minus_float", in_int8 - in_float, low=-0.015, high=0.015)

# %% [markdown]
# A network that is right for almost every scan, with 13 KiB of constants in flash and an arena of 10 KiB in
# SRAM; code and stack come on top.

# %% [markdown]
# ### What the generator's choices are worth
#
# The program can be written in many ways; all give the same integers. Three layers of the usual kinds, each a program of
# its own:
#
# - **sizes at run time** against **written in**, as an interpreter and a generator have them,
# - the same with the other **layout**: each channel a plane (CHW) instead of a pixel's channels side by side (HWC),
# - **unrolled**: nine products stand one after the other without a loop over the window; a pointwise layer uses each
#   number it has loaded for four filters,
# - **im2col**: two windows at a time copied into scratch, then long dot products,
# - **in place**: a padded copy of one channel, unrolled.
#
# Small cores have no vector instructions, larger ones do. So everything is compiled twice: scalar, as the loops are
# written, and with all that this processor has.

# %% experiment="code_choices" topics="tinyengine"
layers = {
    "conv 3x3": mcu.Chain((12, 12, 16)).conv(16),
    "pointwise": mcu.Chain((16, 16, 32)).pointwise(32),
    "depthwise 3x3": mcu.Chain((16, 16, 32)).depthwise(),
}
choices = {  # name: (in place, im2col, layout, sizes written in, unrolled)
    "run time": (False, False, "HWC", False, False),
    "written in": (False, False, "HWC", True, False),
    "written in, CHW": (False, False, "CHW", True, False),
    "unrolled": (False, False, "HWC", True, True),
    "im2col": (False, True, "HWC", True, False),
    "in place": (True, False, "HWC", True, True),
}
only = {"im2col": "conv", "in place": "depthwise"}
compilations = {"scalar": ("-fno-tree-vectorize",), "vector": ("-O3", "-march=native")}
calls = {}


def compiled_layer(network: mcu.Int8Network, image: np.ndarray, name: str, flags: tuple[str, ...]):
    """A call that runs one version of a layer, after a look at its result."""
    in_place, im2col, layout, specialise, unroll = choices[name]
    plan = mcu.Schedule(network.network, in_place=in_place, im2col=im2col)
    program = mcu.generate(network, plan, layout=layout, specialise=specialise, unroll=unroll)
    compiled = mcu.CompiledNetwork(program, flags=flags)
    height, width, channels = network.network.shapes[-1]
    answer = compiled(image).reshape((height, width, channels) if layout == "HWC" else (channels, height, width))
    answer = answer if layout == "HWC" else answer.transpose(1, 2, 0)
    assert (answer.reshape(-1) == mcu.interpret(network, image[None])[0]).all()
    return compiled.prepared(image)


try:
    for kind, chain in layers.items():
        rounded, images = random_int8(chain.network())
        for name in choices:
            if kind.startswith(only.get(name, "")):
                for flavour, flags in compilations.items():
                    calls[kind, name, flavour] = compiled_layer(rounded, images[0], name, flags)
    times = measure.compare(calls, rounds=30)
    figure, axes = plt.subplots(1, 3, figsize=(10.6, 3.4))
    for axis, kind in zip(axes, layers, strict=True):
        names = [name for name in choices if (kind, name, "scalar") in times]
        for shift, flavour in ((-0.2, "scalar"), (0.2, "vector")):
            line = [times[kind, name, flavour] * 1e6 for name in names]
            axis.barh(np.arange(len(names)) + shift, line, 0.4, label=flavour)
        axis.set_yticks(range(len(names)), names)
        axis.invert_yaxis()
        height, width, channels = layers[kind].network().shapes[-1]
        axis.set_title(f"{kind}, {height} x {width} x {channels}", fontsize=10)
        axis.set_xlabel("time, µs")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center", fontsize=8)
    figure.suptitle(f"One layer on one thread of {cpu}", fontsize=10)
    plt.show()
    conv, pointwise, depthwise = layers
    for kind in layers:
        for flavour in compilations:
            best = min((value, name) for (of, name, how), value in times.items() if (of, how) == (kind, flavour))
            gain = times[kind, "run time", flavour] / best[0]
            print(f"{kind:14} {flavour}: fastest is {best[1]}, {gain:.1f} times as fast as sizes at run time")
    record(
        "conv_run_time_over_im2col",
        times.ratio((conv, "run time", "scalar"), (conv, "im2col", "scalar")),
        low=0.8,
        timed=times,
    )
    record(
        "depthwise_run_time_over_in_place",
        times.ratio((depthwise, "run time", "scalar"), (depthwise, "in place", "scalar")),
        low=1.1,
        timed=times,
    )
    record(
        "pointwise_chw_over_hwc_vector",
        times.ratio((pointwise, "written in, CHW", "vector"), (pointwise, "written in", "vector")),
        low=1.2,
        timed=times,
    )
except native.NoCompiler as missing:
    print(f"The timings are left out. {missing}")

# %% [markdown]
# In scalar code, sizes that are written in bring little by themselves here: the compiler keeps run-time sizes in
# registers too. They pay as what they make possible, the unrolled window and the copy without edges: a depthwise layer,
# with nine products per output, spends most of its time on loops and indices, and im2col takes them out of a dense
# one. With vector instructions the order changes. Now it matters that the inner loop has a length known beforehand and
# walks along neighbouring bytes: a pointwise layer in CHW jumps by a whole plane from channel to channel and loses its
# vectors. That is why TinyEngine keeps pixels' channels together (HWC) and copies a depthwise layer's channel into a
# plane of its own. Vectors are no gift to every loop either: some of the depthwise versions can even run slower.
#
# No version wins everywhere. On a Cortex-M4 or M7 the ratios differ again: their dual 16-bit multiplication favours long
# dot products, so CMSIS-NN uses im2col there. A generator can try each choice on the board and keep the best for every single
# layer; an interpreter ships one.
