# ---
# course:
#   title: Networks on microcontrollers
#   minutes: 150
#   summary: Fit a network into kilobytes. Plan its memory, write over what is no longer needed, compute in patches, generate C.
# ---

# %% [markdown]
# # Networks on microcontrollers
#
# A microcontroller costs a few euros, runs for months on a battery and sits in every thermostat, meter and
# toy. Its memory is measured in kilobytes: a ten-thousandth of a phone's or less, and a millionth of a server's. What stops a
# network there is seldom arithmetic. It is that two feature maps do not fit in memory at the same time.
#
# **You will be able to**
# - say what a network needs of SRAM and of flash, layer by layer, and which layer decides,
# - give every tensor a place in one block of memory, so that tensors in use never overlap,
# - compute a depthwise convolution in the memory of its input, and the first layers of a network patch by patch,
# - turn a trained network into C code of whole numbers that gives the same answers, and measure what it takes.
#
# **Time** about two and a half hours. **Needs** a laptop. The measured parts compile C; without a compiler they
# say so and the rest goes on. No board is needed: the generated C runs on your computer, and its memory is
# measured there byte by byte.
#
# **How it works.** In each exercise, replace `raise NotImplementedError(...)` by your code and run the check
# below it. Every section needs only the set-up cell and its own cells. One KiB is 1024 bytes.

# %% tags=["parameters"]
profile = "fast"
device = "auto"
seed = 0

# %% tags=["setup"]
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib import checking, data, explore, measure, microcontroller as mcu, native, notebook, record, training

nb = notebook.start("1f_microcontrollers", profile=profile, device=device, seed=seed)
cpu = notebook.describe_hardware("cpu")
torch.set_num_threads(1)
KIB = 1024


def random_int8(network: mcu.Network) -> tuple[mcu.Int8Network, np.ndarray]:
    """An untrained network in whole numbers and eight random images: enough to measure bytes and time."""
    torch.manual_seed(nb.seed)
    height, width, channels = network.input_shape
    images = torch.rand(8, channels, height, width)
    rounded = mcu.to_int8(mcu.FloatNetwork(network), images)
    return rounded, rounded.image_to_int8(images.numpy())


# %% [markdown]
# ## 1. Two memories, both small
#
# | | data while it runs | program and weights |
# |---|---|---|
# | data-centre GPU | 80 GB and more of HBM | disk |
# | phone | some GB of DRAM | flash of 100 GB and more |
# | STM32F746, a large microcontroller | 320 KiB of SRAM | 1 MiB of flash |
# | micro:bit's first chip, nRF51822 | 16 KiB of SRAM | 256 KiB of flash |
#
# A microcontroller has no DRAM and usually no operating system. **Flash** keeps its content without power; a
# program reads it but does not write it while it runs. **SRAM** can be written, and everything that changes lives
# there: tensors, stack, variables. Larger cores put a cache of a few KiB in front of both. So a network has two
# budgets that cannot be traded:
#
# - weights, biases and scales must fit in *flash*: their sum over all layers counts,
# - tensors must fit in *SRAM*: not their sum counts, but what must be kept at the worst moment, the **peak**.
#
# With int8, a weight and an activation each take one byte. Does MobileNetV2, a network made for phones, fit?

# %% experiment="what_fits" topics="mcu_memory"
plans = {
    (width, resolution): mcu.Schedule(mcu.describe_mobilenet_v2(resolution, width), in_place=False)
    for width in (0.35, 1.0)
    for resolution in (96, 160, 224)
}
figure, axes = plt.subplots(figsize=(7.4, 4.2))
for board, colour in zip(reversed(mcu.BOARDS[2:]), ("#d6ebf7", "#f7e3b8", "#bfe3d4", "#eccfdf"), strict=True):
    label = f"{board.name}: {board.sram // KIB} and {board.flash // KIB} KiB"
    axes.fill_between([300, board.flash / KIB], 60, board.sram / KIB, facecolor=colour, edgecolor="0.5", label=label)
for (width, resolution), plan in plans.items():
    flash, sram = plan.network.flash_bytes() / KIB, plan.peak() / KIB
    axes.plot(flash, sram, "o", color="black")
    axes.annotate(f"{width:g} at {resolution}", (flash, sram), (6, -3), textcoords="offset points", fontsize=8)
axes.set(
    title="MobileNetV2 (width at resolution) in int8: does it lie inside a board?",
    xlabel="constants, KiB (boards: flash)",
    ylabel="peak of the tensors, KiB (boards: SRAM)",
    xscale="log",
    yscale="log",
    xlim=(300, 6000),
    ylim=(60, 2000),
    xticks=[512, 1024, 2048, 4096],
    yticks=[64, 128, 256, 512, 1024],
)
axes.xaxis.set_major_formatter("{x:g}")
axes.yaxis.set_major_formatter("{x:g}")
axes.minorticks_off()
axes.legend(fontsize=8, loc="upper left")
plt.show()
for board in mcu.BOARDS:
    fitting = [f"{width:g} at {side}" for (width, side), plan in plans.items() if mcu.fit_on(board, plan).fits]
    print(f"{board.name:12} {board.core:10} {board.megahertz:3} MHz: {', '.join(fitting) or 'none'}")
head = plans[0.35, 96].network.flash_bytes(len(plans[0.35, 96].network.layers) - 1)
print(f"of the flash, the last layer (1000 classes) takes {head / KIB:,.0f} KiB")
record("boards_of_the_full_network", sum(mcu.fit_on(board, plans[1.0, 224]).fits for board in mcu.BOARDS), high=0)

# %% [markdown]
# Width acts on both memories. Resolution acts on SRAM alone, and with the square: a convolution's weights do not
# know how large the image is. The full network misses every board in both directions. Flash is a matter of
# fewer or smaller weights (and of fewer classes), which later labs are about; this notebook is about SRAM.
