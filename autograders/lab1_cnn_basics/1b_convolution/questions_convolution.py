"""1b: convolution in its forms, and pooling. Oracles: torch's own functions, which the student's call may not reach."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from autograders.engine.asking.comparison import close, raises, unchanged
from autograders.engine.asking.inputs import Inputs
from autograders.engine.asking.question import Cases, question
from autograders.engine.asking.reference import Reference
from autograders.engine.asking.remote import Student


@question("conv2d", without=("F.conv2d", "F.unfold"))
def conv2d(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    side, channels, filters = rng.integer(5, 8), rng.integer(2, 4), rng.integer(3, 6)
    tasks = {  # x, weight, bias, stride, padding
        "one channel, one filter": ((1, 1, side, side), (1, 1, 3, 3), False, 1, 0),
        "several channels and filters": ((2, channels, 6, 5), (filters, channels, 3, 3), False, 1, 0),
        "a filter higher than wide": ((1, 2, 7, 6), (3, 2, 4, 2), False, 1, 0),
        "a filter wider than high": ((2, 2, 5, 8), (2, 2, 1, 5), False, 1, 0),
        "with a bias": ((2, channels, 4, 6), (filters, channels, 2, 2), True, 1, 0),
        "with padding": ((1, 2, 4, 5), (3, 2, 3, 3), False, 1, rng.integer(1, 3)),
        "with a stride, pixels left over": ((1, 2, 9, 8), (2, 2, 2, 2), False, 3, 0),
        "with bias, stride and padding": ((2, 3, 7, 10), (4, 3, 3, 2), True, 2, 1),
    }
    hints = {
        "one channel, one filter": "The filter is not flipped.",
        "several channels and filters": "The products of all input channels are added.",
        "with a bias": "The bias is added once to each number of its channel.",
        "with padding": "Rows and columns of zeros stand on all four sides.",
        "with a stride, pixels left over": "The window moves in both directions and counts only where it fits.",
    }
    for name, (shape, weight_shape, has_bias, stride, padding) in tasks.items():
        x, weight = rng.normal(*shape), rng.normal(*weight_shape)
        given = (x, weight, rng.normal(weight_shape[0], std=3) if has_bias else None, stride, padding)
        with case(name):
            close(student.conv2d(*given), F.conv2d(*given), hint=hints.get(name, ""))

    x, pixel, whole = rng.normal(2, 3, 4, 3), rng.normal(2, 3, 1, 1), rng.normal(4, 3, 4, 3)
    with case("a filter of one pixel, and one as large as the image"):
        close(student.conv2d(x, pixel), F.conv2d(x, pixel))
        close(student.conv2d(x, whole), F.conv2d(x, whole))

    given = rng.normal(2, 3, 5, 6), rng.normal(4, 3, 3, 2), rng.normal(4)
    with case("the arguments keep their values"):
        y, after = student.after("conv2d", *given, 1, 1)
        close(y, F.conv2d(*given, 1, 1))
        unchanged(after[:3], given)


@question("pooling", without=("F.max_pool2d", "F.avg_pool2d"))
def pooling(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:

    def expected(x: Tensor, kernel: int, stride: int | None = None, padding: int = 0, mode: str = "max") -> Tensor:
        if mode == "max":
            return F.max_pool2d(x, kernel, stride, padding)
        return F.avg_pool2d(x, kernel, stride, padding, count_include_pad=False)

    def images(*shape: int) -> Tensor:
        """Mostly negative, so that a zero of the padding would win."""
        return rng.normal(*shape, mean=-2.0)

    height = 2 * rng.integer(3, 5)
    tasks = {
        "maximum, windows side by side": (images(2, 3, height, 4), (2,), {}),
        "average, windows side by side": (images(2, 3, 6, height), (2,), {"mode": "avg"}),
        "windows that do not fit are dropped": (images(1, 2, 8, 11), (3,), {"mode": rng.choice(("max", "avg"))}),
        "maximum, windows that overlap": (images(2, 2, 7, 9), (3, 2), {}),
        "average, windows with gaps": (images(2, 2, 9, 7), (2, 3), {"mode": "avg"}),
        "maximum with padding": (images(1, 3, 6, 7), (3, 2, 1), {}),
        "average with padding": (images(1, 3, 7, 8), (3, 2), {"padding": 1, "mode": "avg"}),
        "a wide border of padding": (images(2, 1, 5, 6), (5, 1, 2), {"mode": rng.choice(("max", "avg"))}),
    }
    hints = {
        "windows that do not fit are dropped": "The stride is the window's side unless it is given.",
        "maximum with padding": "Padding never wins the maximum, however small the pixels are.",
        "average with padding": "Only real pixels are added and counted.",
    }
    for name, (x, numbers, options) in tasks.items():
        with case(name):
            close(student.pool2d(x, *numbers, **options), expected(x, *numbers, **options), hint=hints.get(name, ""))

    x = images(2, 3, 5, 7)
    with case("x keeps its values"):
        for mode in ("max", "avg"):
            y, after = student.after("pool2d", x, 3, 2, 1, mode)
            close(y, expected(x, 3, 2, 1, mode))
            unchanged(after[0], x)


@question("grouped_conv", without=("F.conv2d with groups",))
def grouped_conv(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    per_group = rng.integer(2, 4)
    tasks = {  # channels in, channels out, groups, kernel, padding
        "one group, with padding": (3, rng.integer(4, 7), 1, 3, 1),
        "two groups": (2 * per_group, 4, 2, 3, 0),
        "three groups, more filters than channels": (6, 3 * (per_group + 1), 3, 2, 0),
        "fewer filters than channels": (4 * per_group, 4, 4, 1, 0),
        "depthwise: as many groups as channels": (5, 5, 5, 3, 0),
        "depthwise with several filters for a channel": (4, 4 * per_group, 4, 3, 0),
        "two groups, with padding": (6, 4, 2, 3, rng.integer(1, 3)),
    }
    hint = "Each group reads its own block of neighbouring channels and has its own block of filters."
    for name, (channels, outputs, groups, kernel, padding) in tasks.items():
        x, weight = rng.normal(2, channels, 5, 4), rng.normal(outputs, channels // groups, kernel, kernel)
        with case(name):
            answer = student.grouped_conv2d(x, weight, groups, padding=padding)
            close(answer, F.conv2d(x, weight, padding=padding, groups=groups), hint=hint)

    x, weight = rng.normal(1, 6, 4, 4), rng.normal(4, 3, 2, 2)
    refused = {"the input": (4, rng.normal(4, 1, 2, 2)), "the output": (3, rng.normal(4, 2, 2, 2))}
    for channels, (groups, filters) in refused.items():
        with case(f"groups that do not divide the channels of {channels} are refused"):
            close(student.grouped_conv2d(x, weight, 2), F.conv2d(x, weight, groups=2))
            raises(ValueError, student.grouped_conv2d, x, filters, groups)


@question("im2col", without=("F.unfold",))
def im2col(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    side, channels = rng.integer(4, 7), rng.integer(2, 5)
    tasks = {  # x, kernel, stride, padding
        "one channel of a square image": ((1, 1, side, side), 2, 1, 0),
        "an image wider than high": ((1, 1, 4, 7), 3, 1, 0),
        "several channels": ((1, channels, 5, 4), 2, 1, 0),
        "several images": ((3, 2, 4, 5), 3, 1, 0),
        "with padding": ((1, 2, 3, 4), 3, 1, rng.integer(1, 3)),
        "with a stride, pixels left over": ((1, 2, 8, 9), 2, 3, 0),
    }
    hints = {
        "one channel of a square image": "A column is one window.",
        "an image wider than high": "Columns: positions row by row. Rows: the window row by row.",
        "several channels": "Rows: first the whole window of one channel, then that of the next.",
    }
    for name, (shape, kernel, stride, padding) in tasks.items():
        x = rng.normal(*shape)
        with case(name):
            answer = student.im2col(x, kernel, stride, padding)
            close(answer, F.unfold(x, kernel, stride=stride, padding=padding), hint=hints.get(name, ""))

    x = rng.normal(2, 3, 4, 4)
    with case("a window of one pixel, and one as large as the image"):
        close(student.im2col(x, 1), x.flatten(2))
        close(student.im2col(x, 4), x.reshape(2, 48, 1))

    x, weight = rng.normal(2, 3, 7, 6), rng.normal(4, 3, 3, 3)
    with case("the product with a weight is the convolution"):
        columns = student.im2col(x, 3, 2, 1)
        expected = F.unfold(x, 3, stride=2, padding=1)
        close(columns, expected)
        close(weight.flatten(1) @ columns, F.conv2d(x, weight, stride=2, padding=1).flatten(2))
    with case("x keeps its values"):
        columns, after = student.after("im2col", x, 3, 1, 1)
        close(columns, F.unfold(x, 3, padding=1))
        unchanged(after[0], x)


@question("winograd", without=("F.conv2d",))
def winograd(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    half, channels, filters = rng.integer(2, 5), rng.integer(2, 5), rng.integer(2, 4)
    tasks = {
        "a single tile": ((1, 1, 2, 2), (1, 1, 3, 3)),
        "one row of tiles": ((1, 1, 2, 2 * half + 2), (1, 1, 3, 3)),
        "a square of tiles": ((1, 1, 2 * half, 2 * half), (1, 1, 3, 3)),
        "an image higher than wide": ((1, 1, 10, 6), (1, 1, 3, 3)),
        "several input channels": ((1, channels, 4, 6), (1, channels, 3, 3)),
        "several filters": ((1, 1, 6, 4), (filters, 1, 3, 3)),
        "several images, channels and filters": ((3, channels, 6, 8), (4, channels, 3, 3)),
    }
    hints = {
        "a single tile": "Both sides are transformed, and the products in the middle are number by number.",
        "a square of tiles": "Move axes before you put the tiles of the output side by side.",
        "several input channels": "Channels are added before the last transform.",
    }
    for name, (shape, weight_shape) in tasks.items():
        x, weight = rng.normal(*shape), rng.normal(*weight_shape)
        with case(name):
            answer = student.winograd_conv2d(x, weight)
            close(answer, F.conv2d(x, weight, padding=1), rtol=1e-3, atol=1e-4, hint=hints.get(name, ""))

    exchange = torch.eye(3)[rng.permutation(3)]
    x, place = rng.normal(2, 3, 4, 4), rng.integers(0, 3, 2).tolist()
    weight = torch.zeros(3, 3, 3, 3)
    weight[:, :, place[0], place[1]] = exchange
    with case("filters that only move and exchange channels"):
        close(student.winograd_conv2d(x, weight), F.conv2d(x, weight, padding=1), rtol=1e-3, atol=1e-4)
