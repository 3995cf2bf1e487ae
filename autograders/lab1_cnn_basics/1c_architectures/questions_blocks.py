"""1c: the blocks of the families. Oracles: torchvision's blocks, given the same numbers as the student's."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from autograders.engine.asking.comparison import close, equal, raises, unchanged
from autograders.engine.asking.inputs import Inputs
from autograders.engine.asking.module_comparison import compare, lively, made
from autograders.engine.asking.question import Cases, question
from autograders.engine.asking.reference import Reference
from autograders.engine.asking.remote import Student
from course_lib.models.torchvision_blocks import (
    torchvision_basic_block,
    torchvision_excitation,
    torchvision_fire,
    torchvision_inverted_residual,
    torchvision_separable,
)


@question("basic_block")
def basic_block(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    layers = "Two convolutions without bias, each with a normalisation of its own."
    width = rng.integer(3, 6)
    plain = {
        "the input is added": (lively(torchvision_basic_block(width, width), rng), rng.normal(2, width, 6, 5), False),
        "a single image": (lively(torchvision_basic_block(2, 2), rng), rng.normal(1, 2, 5, 7), False),
        "in training": (lively(torchvision_basic_block(3, 3), rng), rng.normal(4, 3, 4, 5), True),
    }
    hint = "Convolution, normalisation, ReLU, convolution, normalisation, then the addition, then the last ReLU."
    for name, (theirs, x, training) in plain.items():
        with case(name):
            channels = x.shape[1]
            compare(student.BasicBlock(channels, channels), theirs, x, layers, hint, training)

    halving, more, inner = ("AvgPool2d", (2,)), ("ConstantPad3d", ((0, 0, 0, 0, 0, 3), 0.5)), rng.integer(3, 5)
    beside = {
        "a shortcut where the size halves": (halving, inner, inner, 2, rng.normal(2, inner, 8, 6)),
        "a shortcut where channels are added": (more, inner, inner + 3, 1, rng.normal(2, inner, 5, 4)),
        "a shortcut that keeps the shape": (("Softmax2d", ()), inner, inner, 1, rng.normal(2, inner, 4, 4)),
    }
    for name, ((kind, settings), inputs, outputs, stride, x) in beside.items():
        theirs = lively(torchvision_basic_block(inputs, outputs, stride, getattr(nn, kind)(*settings)), rng)
        with case(name):
            shortcut = made(student.value("nn")).method(kind, *settings)
            mine = student.BasicBlock(inputs, outputs, stride, made(shortcut))
            compare(mine, theirs, x, layers, "The shortcut's output is added in place of the input.")


@question("shortcuts")
def shortcuts(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    channels = rng.integer(3, 6)
    x = rng.normal(2, channels, 7, 6)
    with case("the same shape: nothing is changed"):
        compare(student.Shortcut(channels, channels, 1), nn.Identity(), x, "The identity has none.")
    tasks = {
        "more channels and half the size": (2 * channels, 2),
        "more channels, same size": (channels + 2, 1),
        "fewer channels": (channels - 1, 1),
        "same channels, half the size": (channels, 2),
        "a third of the size": (channels + 1, 3),
    }
    for name, (outputs, stride) in tasks.items():
        projection = nn.Sequential(nn.Conv2d(channels, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
        theirs = lively(projection, rng)
        with case(name):
            layers = "A projection is a pointwise convolution without bias and a normalisation."
            hint = "The convolution has the block's stride, and no activation follows."
            compare(student.Shortcut(channels, outputs, stride), theirs, x, layers, hint)


@question("squeezenet")
def squeezenet(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    inputs, squeeze = rng.integer(4, 8), rng.integer(2, 4)
    tasks = {
        "equal expansions": (inputs, squeeze, 4, 4),
        "more pointwise filters": (inputs, squeeze, 5, 2),
        "more large filters": (inputs, squeeze, 3, 6),
        "one squeezed channel": (3, 1, 2, 3),
        "all of one width": (4, 4, 4, 4),
    }
    layers = "Both expanding convolutions read what the squeezing one puts out; all three have a bias."
    hint = "A ReLU follows each of the three; the pointwise channels stand before the others."
    for name, settings in tasks.items():
        theirs, x = lively(torchvision_fire(*settings), rng), rng.normal(2, settings[0], 5, rng.integer(3, 7))
        with case(name):
            compare(student.Fire(*settings), theirs, x, layers, hint)


@question("depthwise_separable")
def depthwise_separable(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    channels = rng.integer(3, 7)
    tasks = {  # inputs, outputs, stride, training
        "more channels": (channels, channels + 2, 1, False),
        "fewer channels": (channels, channels - 1, 1, False),
        "the same channels": (channels, channels, 1, False),
        "half the size": (channels, 2 * channels, 2, False),
        "one channel": (1, 3, 1, False),
        "in training": (channels, channels + 1, 2, True),
    }
    layers = "A depthwise and a pointwise convolution without bias, each with a normalisation."
    hint = "The stride is in the depthwise convolution, and both normalisations are followed by a ReLU."
    for name, (inputs, outputs, stride, training) in tasks.items():
        theirs = lively(torchvision_separable(inputs, outputs, stride), rng)
        x = rng.normal(3, inputs, 7, 6)
        with case(name):
            compare(student.DepthwiseSeparable(inputs, outputs, stride), theirs, x, layers, hint, training)


@question("inverted_bottleneck")
def inverted_bottleneck(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    channels, ratio = rng.integer(3, 6), rng.integer(2, 5)
    tasks = {  # inputs, outputs, stride, expand_ratio, training
        "the input is added": (channels, channels, 1, ratio, False),
        "more channels, nothing is added": (channels, channels + 2, 1, ratio, False),
        "half the size, nothing is added": (channels, channels, 2, ratio, False),
        "nothing to expand": (channels, channels, 1, 1, False),
        "nothing to expand, other channels": (channels, channels - 1, 2, 1, False),
        "a wide block": (2, 3, 1, 6, False),
        "in training": (channels, channels, 1, ratio, True),
    }
    layers = "Pointwise (if it expands), depthwise, pointwise, without bias, each with a normalisation."
    hint = "ReLU6 twice and none at the end; the input is added only if stride and channels allow it."
    for name, (inputs, outputs, stride, expand_ratio, training) in tasks.items():
        theirs = lively(torchvision_inverted_residual(inputs, outputs, stride, expand_ratio), rng)
        x = rng.normal(3, inputs, 6, 5, std=6)  # large enough for ReLU6 to clip
        with case(name):
            mine = student.InvertedBottleneck(inputs, outputs, stride, expand_ratio)
            compare(mine, theirs, x, layers, hint, training)


@question("squeeze_excitation")
def squeeze_excitation(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    channels = rng.integer(4, 9)
    tasks = {  # channels, squeezed, shape of x without its channels
        "fewer hidden neurons than channels": (channels, channels // 2, (2, 5, 4)),
        "one hidden neuron": (channels, 1, (2, 4, 3)),
        "more hidden neurons than channels": (3, 5, (2, 3, 6)),
        "as many hidden neurons as channels": (4, 4, (3, 5, 5)),
        "a single image": (channels, 2, (1, 6, 3)),
        "a single position": (5, 2, (4, 1, 1)),
    }
    layers = "Two dense layers with biases, from the channels to the squeezed number and back."
    hint = "Mean over positions, ReLU between the layers, sigmoid after them; each image has weights of its own."
    for name, (width, squeezed, (images, height, across)) in tasks.items():
        theirs = lively(torchvision_excitation(width, squeezed), rng)
        x = rng.normal(images, width, height, across, std=2, mean=0.5)
        with case(name):
            compare(student.SqueezeExcitation(width, squeezed), theirs, x, layers, hint)


@question("channel_shuffle", without=("F.channel_shuffle",))
def channel_shuffle(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    each = rng.integer(3, 6)
    tasks = {  # images, channels, groups, height, width
        "two groups": (1, 2 * each + 2, 2, 1, 1),
        "three groups, several images": (3, 3 * (each + 1), 3, 4, 2),
        "more groups than channels in each": (2, 12, 4, 3, 5),
        "more groups, a square image": (2, 5 * 2, 5, 4, 4),
    }
    hint = "Rows of the table are groups; it is read column by column. Images and positions stay."
    for name, (images, channels, groups, height, width) in tasks.items():
        x = rng.normal(images, channels, height, width)
        with case(name):
            close(student.channel_shuffle(x, groups), F.channel_shuffle(x, groups), hint=hint)

    x = rng.normal(2, 8, 3, 3)
    with case("groups that do not divide the channels are refused"):
        close(student.channel_shuffle(x, 2), F.channel_shuffle(x, 2))
        raises(ValueError, student.channel_shuffle, x, 3)
        raises(ValueError, student.channel_shuffle, x, 16)
    with case("shuffled with four groups, then with two: the old order"):
        y = student.channel_shuffle(x, 4)
        close(y, F.channel_shuffle(x, 4), hint=hint)
        close(student.channel_shuffle(y, 2), x, hint=hint)
    with case("one group, or as many as channels, and x keeps its values"):
        y, after = student.after("channel_shuffle", x, 2)
        close(y, F.channel_shuffle(x, 2))
        unchanged(after[0], x)
        for groups in (1, 8):
            equal(student.channel_shuffle(x, groups), x)


@question("hard_swish", without=("F.hardswish",))
def hard_swish(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    pieces = {
        "far below zero": rng.uniform(3, 5, low=-20, high=-3.1),
        "a little below zero": rng.uniform(4, 6, low=-2.9, high=-0.1),
        "a little above zero": rng.uniform(2, 7, low=0.1, high=2.9),
        "far above zero": rng.uniform(3, 4, low=3.1, high=30),
        "feature maps": rng.normal(2, 3, 4, 5, std=3),
        "where the pieces meet": torch.tensor([-3.0, 0.0, 3.0, rng.number(-2, -1), rng.number(1, 2)]),
    }
    between = rng.uniform(3, low=-2, high=-1)
    for name, x in pieces.items():
        with case(name):
            close(student.hard_swish(x), F.hardswish(x), hint="x times a gate between zero and one.")
            close(student.hard_swish(between), F.hardswish(between))
    x = rng.normal(3, 4, std=2)
    with case("x keeps its values"):
        y, after = student.after("hard_swish", x)
        close(y, F.hardswish(x))
        unchanged(after[0], x)
