"""1c: what layers cost. Oracles: torch's modules on the meta device, counted, and torchvision's rounding."""

from __future__ import annotations

import torch
from torch import nn

from autograders.engine.asking.comparison import close, equal, that
from autograders.engine.asking.inputs import Inputs
from autograders.engine.asking.question import Cases, question
from autograders.engine.asking.reference import Reference
from autograders.engine.asking.remote import Student
from course_lib import measure
from course_lib.models.torchvision_blocks import torchvision_rounded


def _layer(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False, device="meta")


def _counted(layers: list[nn.Module], *shape: int) -> measure.Counts:
    return measure.count(nn.Sequential(*layers), torch.empty(1, *shape, device="meta"))


@question("separable_cost")
def separable_cost(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    few, many = rng.integer(5, 20), rng.integer(21, 50)
    tasks = {  # c_in, c_out, height, width, kernel, stride
        "more channels": (few, many, 9, 9, 3, 1),
        "fewer channels": (many, few, 8, 8, 3, 1),
        "an image wider than high": (few, many + 3, 6, 11, 3, 1),
        "larger filters": (few, many, 10, 10, 5, 1),
        "half the size": (few, many, 12, 10, 3, 2),
        "positions left over": (many, few, 13, 7, 3, 3),
    }
    for name, (c_in, c_out, height, width, kernel, stride) in tasks.items():
        dense = _counted([_layer(c_in, c_out, kernel, stride)], c_in, height, width)
        pair = [_layer(c_in, c_in, kernel, stride, c_in), _layer(c_in, c_out, 1)]
        separable = _counted(pair, c_in, height, width)
        expected = (dense.parameters, dense.macs), (separable.parameters, separable.macs)
        with case(name):
            answer = student.separable_cost(c_in, c_out, height, width, kernel=kernel, stride=stride)
            equal(answer, expected, hint="Every weight is used once at each position of the output.")


@question("round_channels")
def round_channels(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    multiple = rng.integer(10, 30)
    tasks = {  # values of channels
        "near a multiple, above and below": (8 * multiple + rng.number(0.5, 3), 8 * multiple - rng.number(0.5, 3)),
        "less than the divisor": (rng.number(0.5, 3.5), rng.number(4.1, 7)),
        "half-way": (8.0 * 2 * multiple + 4, 8.0 * (2 * multiple + 1) + 4),
        "the nearest is too far below": (rng.number(9.2, 11.5), rng.number(18, 19.5)),
        "the nearest is below, but near enough": (rng.number(64.5, 67), rng.number(32.5, 35)),
    }
    for name, values in tasks.items():
        with case(name):
            for channels in values:
                equal(student.round_channels(channels), torchvision_rounded(channels), hint="At least nine tenths.")
    small, large = rng.number(30, 60), rng.number(200, 400)
    with case("other divisors"):
        for channels in (small, large):
            for divisor in (4, 16, 32):
                equal(
                    student.round_channels(channels, divisor),
                    divisor * torchvision_rounded(8 * channels / divisor) // 8,
                )
    whole = 8 * rng.integer(5, 50)
    with case("multiples stay, as whole numbers"):
        equal(student.round_channels(whole + 0.3), torchvision_rounded(whole + 0.3))
        for channels in (whole, float(whole)):
            answer = student.round_channels(channels)
            that(isinstance(answer, int), "The answer should be a whole number.")
            equal(answer, whole)


@question("multipliers")
def multipliers(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    first, second, third = rng.integer(8, 16), rng.integer(17, 30), rng.integer(31, 50)
    one, chain = [(first, second, 1)], [(first, second, 1), (second, third, 2), (third, third, 1), (third, first, 2)]
    tasks = {  # layers, side, width, resolution
        "one layer as it is": (one, 12, 1.0, 1.0),
        "narrower": (one, 12, 0.5, 1.0),
        "wider": (one, 9, 1.5, 1.0),
        "a smaller image": (one, 20, 1.0, 0.6),
        "several layers with strides": (chain, 21, 1.0, 1.0),
        "several layers, both multipliers": (chain, 26, 0.75, 0.5),
        "so narrow that a channel is all that is left": ([(3, 5, 1), (5, 40, 2)], 7, 0.05, 1.0),
    }
    for name, (layers, side, width, resolution) in tasks.items():
        scaled = [(max(1, round(width * a)), max(1, round(width * b)), stride) for a, b, stride in layers]
        modules = [part for a, b, s in scaled for part in (_layer(a, a, 3, s, a), _layer(a, b, 1))]
        # each layer's own input, since a chain may leave out channels by rounding
        size, expected = round(resolution * side), 0
        for (a, _, stride), pair in zip(scaled, zip(modules[::2], modules[1::2], strict=True), strict=True):
            expected += _counted(list(pair), a, size, size).macs
            size = -(-size // stride)
        with case(name):
            answer = student.scaled_macs(layers, side, width=width, resolution=resolution)
            equal(answer, expected, hint="Scale both numbers of channels and both sides of the image.")


@question("last_stage")
def last_stage(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    def sizes() -> tuple[int, ...]:
        """inputs, expanded, projected, features, classes."""
        return tuple(rng.integer(low, 2 * low) for low in (8, 40, 12, 60, 20))

    tasks = {
        "a usual size": (rng.integer(5, 9), *sizes()),
        "a single position": (1, *sizes()),
        "a large image": (rng.integer(14, 20), *sizes()),
        "two classes": (4, *sizes()[:4], 2),
        "few features": (6, *sizes()[:3], rng.integer(2, 5), rng.integer(20, 40)),
    }
    for name, (side, inputs, expanded, projected, features, classes) in tasks.items():
        expand, classify = _layer(inputs, expanded, 1), _layer(features, classes, 1)
        block = [_layer(expanded, expanded, 3, 1, expanded), _layer(expanded, projected, 1)]
        pool = nn.AdaptiveAvgPool2d(1)
        original = [expand, *block, _layer(projected, features, 1), pool, classify]
        redesigned = [expand, pool, _layer(expanded, features, 1), classify]
        expected = tuple(_counted(layers, inputs, side, side).macs for layers in (original, redesigned))
        with case(name):
            answer = student.last_stage_macs(side, inputs, expanded, projected, features, classes)
            equal(answer, expected, hint="What comes after the average runs at one position.")


@question("efficiency_counts")
def efficiency_counts(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    a, b = 4 * rng.integer(2, 5), 4 * rng.integer(5, 9)
    plain = [(a, 3, 1, 1), (b, 3, 2, 1), (10, 1, 1, 1)]
    grouped = [(a, 5, 2, 1), (a, 3, 1, a), (b, 1, 1, 4), (2 * b, 3, 2, 2)]
    pooled = [(b, 3, 2, 1), (0, 0, 0, 0), (a, 1, 1, 1), (7, 1, 1, 1)]
    images = {"plain": (plain, (3, 12, 16)), "grouped": (grouped, (1, 11, 9)), "pooled": (pooled, (2, 13, 7))}
    expected = {name: _six(layers, image) for name, (layers, image) in images.items()}
    asked = {
        "parameters and size": ("parameters", "bytes"),
        "activations": ("activations",),
        "MACs and FLOP": ("macs", "flop"),
    }
    for about, keys in asked.items():
        with case(f"{about}: convolutions and pooling"):
            for name in ("plain", "pooled"):
                layers, image = images[name]
                close(_entries(student.efficiency_counts(layers, *image), keys), [expected[name][key] for key in keys])
    layers, image = images["grouped"]
    with case("convolutions in groups"):
        keys = ("parameters", "macs", "flop", "activations")
        hint = "A filter sees the channels of its group."
        close(
            _entries(student.efficiency_counts(layers, *image), keys), [expected["grouped"][k] for k in keys], hint=hint
        )
    with case("peak activations"):
        for name, (layers, image) in images.items():
            answer = _entries(student.efficiency_counts(layers, *image), ("peak_activations",))
            close(answer, [expected[name]["peak_activations"]], hint="The input and the output of one layer together.")
    bits = rng.choice((2, 3, 4, 8))
    with case("few bits"):
        for layers, image in images.values():
            answer = _entries(student.efficiency_counts(layers, *image, bits=bits), ("bytes", "macs"))
            six = _six(layers, image)
            close(answer, [six["parameters"] * bits / 8, six["macs"]], hint="Bits of weights change the size alone.")


def _entries(answer: object, keys: tuple[str, ...]) -> list[object]:
    """The values under these keys; anything but a dict that has them ends the case."""
    that(isinstance(answer, dict) and all(key in answer for key in keys), "The answer should be a dict with six keys.")
    assert isinstance(answer, dict)
    return [answer[key] for key in keys]


def _six(layers: list[tuple[int, int, int, int]], image: tuple[int, int, int]) -> dict[str, float]:
    """From modules that run on the meta device: their counts, and the sizes of what goes in and out."""
    channels, modules = image[0], []
    for c_out, kernel, stride, groups in layers:
        modules.append(_layer(channels, c_out, kernel, stride, groups) if kernel else nn.AdaptiveAvgPool2d(1))
        channels = c_out or channels
    counts, x, peak = _counted(modules, *image), torch.empty(1, *image, device="meta"), 0
    for module in modules:
        y = module(x)
        peak, x = max(peak, x.numel() + y.numel()), y
    return {
        "parameters": counts.parameters,
        "bytes": 4 * counts.parameters,
        "activations": counts.activations,
        "peak_activations": peak,
        "macs": counts.macs,
        "flop": 2 * counts.macs,
    }
