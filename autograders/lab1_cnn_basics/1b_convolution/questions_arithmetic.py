"""1b: sizes, receptive fields, parameters, costs and strides. Oracles: torch on its meta device, NumPy's strides."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from autograders.engine.asking.comparison import equal, parts, raises
from autograders.engine.asking.inputs import Inputs
from autograders.engine.asking.question import Cases, question
from autograders.engine.asking.reference import Reference
from autograders.engine.asking.remote import Student


def empty(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """A tensor without numbers, for what torch says about shapes."""
    return torch.empty(shape, device="meta", dtype=dtype)


def convolved_size(size: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> int:
    return F.conv1d(empty(1, 1, size), empty(1, 1, kernel), None, stride, padding, dilation).shape[-1]


@question("output_size")
def output_size(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    def layers(count: int, **options) -> list[dict[str, int]]:
        """Settings whose window fits several times, with one pixel less than another step would need."""
        found = []
        for _ in range(count):
            layer = {"kernel": rng.integer(2, 8)} | {name: rng.integer(*bounds) for name, bounds in options.items()}
            span = layer.get("dilation", 1) * (layer["kernel"] - 1) + 1
            step = layer.get("stride", 1)
            left_over = rng.integer(1, step) if step > 1 else 0
            size = span + step * rng.integer(4, 12) + left_over - 2 * layer.get("padding", 0)
            found.append({"size": max(size, 1)} | layer)
        return found

    tasks = {
        "a kernel alone": (layers(6), "The window starts at every pixel at which it fits."),
        "with a stride, pixels left over": (layers(6, stride=(2, 6)), "Round down: a window has to fit whole."),
        "with padding": (layers(6, padding=(1, 4)), "Padding is added at both ends."),
        "with dilation": (layers(6, dilation=(2, 5)), "The taps stand apart: from the first to the last."),
        "stride, padding and dilation together": (layers(8, stride=(2, 5), padding=(1, 4), dilation=(2, 4)), ""),
    }
    for name, (settings, hint) in tasks.items():
        with case(name):
            for layer in settings:
                equal(student.output_size(**layer), convolved_size(**layer), hint=hint)

    exact = [(size, size, rng.integer(1, 9)) for size in rng.integers(1, 12, 5).tolist()]
    pixels = [size + 1 for size, _, _ in exact]
    with case("one window fits exactly; kernels of one pixel"):
        for settings in exact:
            equal(student.output_size(*settings), 1, hint="A window that fits exactly counts.")
        for size in pixels:
            equal(student.output_size(size, 1, 2), convolved_size(size, 1, 2))

    spread = [(rng.integer(3, 6), rng.integer(1, 4), rng.integer(1, 3), rng.integer(2, 4)) for _ in range(3)]
    with case("a window that does not fit even once is refused"):
        for kernel, stride, padding, dilation in spread:
            room = dilation * (kernel - 1) + 1 - 2 * padding
            if room > 1:
                equal(student.output_size(room, kernel, stride, padding, dilation), 1)
                raises(ValueError, student.output_size, room - 1, kernel, stride, padding, dilation)
        equal(student.output_size(5, 5), 1)
        raises(ValueError, student.output_size, 4, 5)


def seen(layers: list[tuple[int, int, int]]) -> tuple[int, int]:
    """Receptive field and step, by following two neighbouring units back to the pixels that they read."""
    first, second = (0, 0), (1, 1)
    for kernel, stride, dilation in reversed(layers):
        reach = dilation * (kernel - 1)
        first, second = ((low * stride, high * stride + reach) for low, high in (first, second))
    return first[1] - first[0] + 1, second[0] - first[0]


@question("receptive_field")
def receptive_field(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    def stack(depth: int, strides: tuple[int, int], dilations: tuple[int, int]) -> list[tuple[int, int, int]]:
        return [(rng.integer(2, 6), rng.integer(*strides), rng.integer(*dilations)) for _ in range(depth)]

    conv, down, pool = (3, 1, 1), (3, 2, 1), (2, 2, 1)
    block = [conv] * rng.integer(1, 4)
    tasks = {
        "convolutions of stride one": ([stack(depth, (1, 2), (1, 2)) for depth in (1, 3, 5)], ""),
        "dilated convolutions": (
            [stack(depth, (1, 2), (2, 5)) for depth in (1, 3)],
            "Dilation spreads the taps: count the gaps between them.",
        ),
        "a single layer with a stride": (
            [stack(1, (2, 5), (1, 2)) for _ in range(3)],
            "A layer's own stride matters only for the layers after it.",
        ),
        "strides, then convolutions": (
            [[*stack(2, (2, 4), (1, 2)), *stack(2, (1, 2), (1, 2))] for _ in range(3)],
            "After a stride every tap spans more pixels, and strides multiply.",
        ),
        "convolutions, then a stride": (
            [[*stack(2, (1, 2), (1, 2)), *stack(1, (2, 4), (1, 2))] for _ in range(3)],
            "Layers are listed from the input on.",
        ),
        "strides and dilations together": ([stack(6, (1, 4), (1, 4)) for _ in range(3)], ""),
        "blocks of convolutions and pooling, as in a network": (
            [[down, pool, *([*block, pool] * stages), (1, 1, 1), conv] for stages in (2, 4)],
            "",
        ),
    }
    for name, (stacks, hint) in tasks.items():
        with case(name):
            for layers in stacks:
                equal(student.receptive_field(layers), seen(layers), hint=hint)

    kernel = rng.integer(3, 8)
    with case("no layer at all, then one"):
        equal(student.receptive_field([]), (1, 1), hint="A pixel sees itself.")
        equal(student.receptive_field([(kernel, 1, 1)]), (kernel, 1))


def numbers_in(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def counted_parameters(c_in: int, c_out: int, height: int, width: int, kernel: int) -> tuple[int, int, int]:
    """What torch's layers hold; the local layer is a convolution of one window that has a group for each position."""
    pixels = height * width
    return (
        numbers_in(nn.Linear(c_in * pixels, c_out * pixels, device="meta")),
        numbers_in(nn.Conv2d(c_in * pixels, c_out * pixels, kernel, groups=pixels, device="meta")),
        numbers_in(nn.Conv2d(c_in, c_out, kernel, device="meta")),
    )


@question("weight_sharing")
def weight_sharing(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    def maps() -> tuple[int, int, int, int, int]:
        height = rng.integer(4, 12)
        return rng.integer(2, 6), rng.integer(6, 12), height, height + rng.integer(1, 6), rng.integer(2, 6)

    triple = "Return the counts of the dense, the local and the convolution layer."
    hints = (
        "Every output number of every channel reads every input number and has a bias.",
        "Every output number has a window of weights over all input channels, and a bias.",
        "One filter and one bias for each output channel: the image's size plays no part.",
    )
    several = [maps() for _ in range(4)]
    for place, layer in enumerate(("dense", "local", "convolution")):
        with case(f"several channels, not square: the {layer} layer"):
            for sizes in several:
                counts = parts(student.parameter_counts(*sizes), 3, hint=triple)
                equal(counts[place], counted_parameters(*sizes)[place], hint=hints[place])

    side = rng.integer(4, 20)
    others = {
        "one channel, square": (1, 1, side, side, 3),
        "filters of one pixel": (rng.integer(2, 5), rng.integer(5, 9), side, side + 1, 1),
        "a single position": (rng.integer(2, 9), rng.integer(2, 9), 1, 1, 1),
        "an image higher than wide": (3, rng.integer(4, 9), side + 3, side, 5),
    }
    for name, sizes in others.items():
        with case(name):
            equal(student.parameter_counts(*sizes), counted_parameters(*sizes))


def cost_by_torch(x_shape, weight_shape, dtype: torch.dtype, **options) -> tuple[int, int, tuple[int, ...]]:
    """(MACs, bytes, shape of the output) of one convolution that torch does on its meta device."""
    x, weight = empty(*x_shape, dtype=dtype), empty(*weight_shape, dtype=dtype)
    with FlopCounterMode(display=False) as counter:
        y = F.conv2d(x, weight, groups=x_shape[1] // weight_shape[1], **options)
    return counter.get_total_flops() // 2, x.nbytes + weight.nbytes + y.nbytes, tuple(y.shape)


@question("conv_cost")
def conv_cost(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    side, filters = rng.integer(8, 20), rng.integer(3, 9)
    tasks = {  # x, weight, options, dtype
        "a plain convolution": ((1, 3, side, side + 2), (filters, 3, 3, 3), {}, torch.float32),
        "a stride": ((1, 4, side + 5, side), (filters, 4, 3, 3), {"stride": 2}, torch.float32),
        "a batch": ((rng.integer(2, 9), 3, side, side), (filters, 3, 5, 5), {"padding": 2}, torch.float32),
        "groups": ((1, 6, side, side), (9, 2, 3, 3), {}, torch.float32),
        "a depthwise layer": ((2, filters, side, side), (filters, 1, 3, 3), {"padding": 1}, torch.float32),
        "filters that are not square": ((1, 2, side, side), (filters, 2, 2, 5), {}, torch.float32),
    }
    hints = {
        "a plain convolution": "One MAC is a product and an addition together, at every position of the output.",
        "a batch": "Each image takes its own MACs; the weight is read once.",
        "groups": "The weight's shape tells how many channels each output reads.",
    }
    pair = "Return the MACs and the bytes."
    for name, (x_shape, weight_shape, options, dtype) in tasks.items():
        macs, size, y_shape = cost_by_torch(x_shape, weight_shape, dtype, **options)
        with case(f"{name}: MACs"):
            answer, _ = parts(student.conv_cost(x_shape, weight_shape, y_shape), 2, hint=pair)
            equal(answer, macs, hint=hints.get(name, ""))
        if name in ("a plain convolution", "a batch"):
            with case(f"{name}: bytes"):
                _, answer = parts(student.conv_cost(x_shape, weight_shape, y_shape), 2, hint=pair)
                equal(answer, size, hint="Input, weight and output, in bytes.")

    shapes = (2, 3, side, side), (filters, 3, 3, 3)
    with case("numbers of one, two and eight bytes"):
        for dtype in (torch.int8, torch.float16, torch.float64):
            macs, size, y_shape = cost_by_torch(*shapes, dtype)
            answer = student.conv_cost(*shapes, y_shape, dtype.itemsize)
            equal(answer, (macs, size), hint="The bytes of one number are an argument.")


def stored_strides(shape: tuple[int, ...], layout: str) -> tuple[int, ...]:
    """The strides of an array of one-byte numbers whose memory has the layout's order, seen as N, C, H, W."""
    order = ["NCHW".index(axis) for axis in layout]
    stored = np.empty([shape[axis] for axis in order], dtype=np.int8)
    return stored.transpose(np.argsort(order)).strides


@question("memory_layouts")
def memory_layouts(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    sizes = (2, 3, 5, 7, 11)  # no two alike, none of them 1: every stride is told from every other

    def shape() -> tuple[int, ...]:
        return tuple(sizes[index] for index in rng.permutation(5).tolist()[:4])

    named = {
        "images one after another, row by row": "NCHW",
        "the channels of a pixel side by side": "NHWC",
        "the images of a batch side by side": "CHWN",
        "images slowest but for the rows": "HNCW",
    }
    hints = {
        "NCHW": "The last letter has stride one, and strides count numbers, not bytes.",
        "NHWC": "Shape and answer stand in the order N, C, H, W, whatever the layout is.",
    }
    for name, layout in named.items():
        shapes = [shape() for _ in range(3)]
        with case(name):
            for given in shapes:
                equal(student.layout_strides(given, layout), stored_strides(given, layout), hint=hints.get(layout, ""))

    layouts = ["".join("NCHW"[index] for index in rng.permutation(4).tolist()) for _ in range(6)]
    shapes = [shape() for _ in layouts]
    with case("axes in any order"):
        for given, layout in zip(shapes, layouts, strict=True):
            equal(student.layout_strides(given, layout), stored_strides(given, layout))

    given = shape()
    number = torch.arange(int(np.prod(given))).reshape(given)
    with case("numbers stored in an order are found again with the strides"):
        for layout in ("CNWH", "WHCN"):
            strides = parts(student.layout_strides(given, layout), 4)
            equal(strides, stored_strides(given, layout))
            stored = number.permute(["NCHW".index(axis) for axis in layout]).contiguous().flatten()
            equal(stored.as_strided(given, [int(stride) for stride in strides]), number)
