"""1f: lifetimes, places in the arena, and a layer in the memory of its input. Oracles: tables of steps and bytes."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from autograders.engine.asking.comparison import close, equal, parts, that, unchanged
from autograders.engine.asking.inputs import Inputs
from autograders.engine.asking.question import Cases, question
from autograders.engine.asking.reference import Reference
from autograders.engine.asking.remote import Student
from autograders.engine.asking.tensor_memory import call_watched

Graph = tuple[list[int], list[list[int]]]  # sizes, reads
Buffers = tuple[list[int], list[int], list[int]]  # sizes, first, last


def alive(sizes: list[int], reads: list[list[int]]) -> list[int]:
    """From a table of which tensor is read at which step: there, and read now or later, or being written."""
    steps, tensors = np.arange(len(reads))[:, None], np.arange(len(sizes))
    read = np.array([[tensor in row for tensor in tensors.tolist()] for row in reads])
    still_to_be_read = np.logical_or.accumulate(read[::-1])[::-1]
    held = ((tensors <= steps) & still_to_be_read) | (tensors == steps + 1)
    return (held @ np.array(sizes)).tolist()


@question("tensor_lifetimes")
def tensor_lifetimes(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    def bytes_of(layers: int) -> list[int]:
        return rng.integers(1, 5000, layers + 1).tolist()

    def chain(layers: int, **other_reads: list[int]) -> Graph:
        """Each layer reads the tensor before it, but for `step_3=[...]`."""
        return bytes_of(layers), [other_reads.get(f"step_{step}", [step]) for step in range(layers)]

    def graph(layers: int) -> Graph:
        """Each layer reads up to three tensors made before; some are read twice, some never."""
        reads = [rng.integers(0, step + 1, rng.integer(1, 4)).tolist() for step in range(layers)]
        return bytes_of(layers), reads

    late, over = rng.integer(3, 6), rng.integer(2, 5)
    tasks = {
        "one layer": chain(1),
        "a long chain": chain(rng.integer(8, 13)),
        "a shortcut over several layers": chain(7, **{f"step_{over + 2}": [over + 2, over - 1]}),
        "the image is read once more, late": chain(7, **{f"step_{late}": [late, 0]}),
        "a tensor in the middle that nobody reads": chain(6, **{f"step_{over}": [over - 1]}),
        "a tensor read twice by one layer": chain(5, step_2=[2, 2], step_4=[4, 1, 1]),
    }
    graphs = [graph(rng.integer(2, 13)) for _ in range(8)]
    hints = {
        "one layer": "A number for each layer; its output counts while it is written.",
        "a long chain": "A tensor is freed after its last reader.",
        "a shortcut over several layers": "A tensor that waits for a later layer takes memory.",
        "a tensor in the middle that nobody reads": "It is there at the step that makes it alone.",
        "a tensor read twice by one layer": "It lies in memory once.",
    }
    for name, (sizes, reads) in tasks.items():
        with case(name):
            equal(student.bytes_alive(sizes, reads), alive(sizes, reads), hint=hints.get(name, ""))
    with case("networks of all kinds"):
        for sizes, reads in graphs:
            equal(student.bytes_alive(sizes, reads), alive(sizes, reads))


def lowest_places(sizes: list[int], first: list[int], last: list[int]) -> list[int]:
    """On a table of steps and bytes: the first free run of bytes, the largest buffer first."""
    taken = np.zeros((max(last) + 1, sum(sizes)), dtype=bool)
    offsets = [0] * len(sizes)
    for size, number in sorted((-size, number) for number, size in enumerate(sizes)):
        steps = slice(first[number], last[number] + 1)
        busy = np.concatenate([[0], np.cumsum(taken[steps].any(axis=0))])
        start = int((busy[-size:] == busy[:size]).argmax())  # `size` is negative: a window without busy bytes
        taken[steps, start : start - size] = True
        offsets[number] = start
    return offsets


def overlap(buffers: Buffers, offsets: list[int]) -> bool:
    """Whether two buffers in use at a common step share a byte."""
    placed = [*zip(offsets, *buffers, strict=True)]
    return any(
        low < other + length and other < low + size and first <= end and start <= last
        for number, (low, size, first, last) in enumerate(placed)
        for other, length, start, end in placed[:number]
    )


@question("buffer_placement")
def buffer_placement(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    def shuffled(buffers: list[tuple[int, int, int]]) -> Buffers:
        """Buffers (bytes, first, last) in random order."""
        sizes, first, last = zip(*(buffers[place] for place in rng.permutation(len(buffers)).tolist()), strict=True)
        return list(sizes), list(first), list(last)

    def at_random(count: int, largest: int, longest: int) -> Buffers:
        first = rng.integers(0, 8, count)
        last = first + rng.integers(0, longest, count)
        return rng.integers(1, largest, count).tolist(), first.tolist(), last.tolist()

    small, step = rng.integer(2, 9), rng.integer(0, 4)
    middle = small + rng.integer(1, 6)
    between = middle + rng.integer(1, small)
    tower = 2 * middle + small + rng.integer(1, 9)
    growing = torch.sort(rng.permutation(40)[:6] + 1).values.tolist()
    tasks = {  # sizes, first steps, last steps
        "never in use together": (rng.integers(5, 50, 6).tolist(), [0, 2, 4, 6, 8, 9], [1, 3, 5, 7, 8, 10]),
        "all in use at one step, small ones given first": (growing, [step] * 6, [step] * 6),
        "lives that touch at one step": (rng.integers(5, 30, 5).tolist(), [0, 2, 4, 6, 8], [2, 4, 6, 8, 10]),
        "a gap that fits exactly": shuffled(
            [(middle + small, step, step + 1), (between, step + 1, step + 2)]
            + [(size, step + 2, step + 3) for size in (middle, small)]
        ),
        "neighbours of different heights": shuffled(
            [(tower, 0, 1), (middle + 1, 2, 3), (middle, 2, 3), (small - 1, 0, 3)]
        ),
        "buffers of one size": ([small] * 9, *at_random(9, 2, 4)[1:]),
        "lives of one step": at_random(16, 40, 1),
        "many buffers": at_random(rng.integer(20, 26), 60, 5),
    }
    hints = {
        "never in use together": "Only buffers that share a step are in each other's way.",
        "all in use at one step, small ones given first": "The largest first; the answer in the order given.",
        "lives that touch at one step": "First and last step are both included.",
        "a gap that fits exactly": "As low as it fits, also between two others.",
        "neighbours of different heights": "A neighbour that ends lower frees nothing below one that ends higher.",
        "buffers of one size": "Of buffers of one size the first one given comes first.",
    }
    for name, buffers in tasks.items():
        with case(name):
            answer = list(parts(student.place_buffers(*buffers), len(buffers[0]), hint="One offset for each buffer."))
            whole = all(isinstance(offset, int) for offset in answer)
            that(not whole or not overlap(buffers, answer), "Two buffers in use at one step share memory.")
            equal(answer, lowest_places(*buffers), hint=hints.get(name, ""))


def depthwise(x: Tensor, weight: Tensor) -> Tensor:
    return F.conv2d(x[None], weight[:, None], padding=weight.shape[-1] // 2, groups=len(x))[0]


@question("in_place_depthwise")
def in_place_depthwise(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    def task(channels: int, height: int, width: int, kernel: int) -> tuple[Tensor, Tensor]:
        return rng.normal(channels, height, width), rng.normal(channels, kernel, kernel) / kernel

    many = rng.integer(9, 17)
    tasks = {  # x, weight
        "one channel": task(1, 6, 5, 3),
        "many channels": task(many, 4, 7, 3),
        "windows of one pixel": task(4, 5, 3, 1),
        "large windows": task(2, 7, 6, rng.choice((5, 7))),
        "a map smaller than the window": task(3, 2, rng.integer(3, 5), 7),
        "double precision": tuple(part.double() for part in task(3, 5, 6, 3)),
    }
    hints = {
        "one channel": "A pixel that was overwritten cannot be read any more.",
        "many channels": "Filter c belongs to channel c.",
        "large windows": "Half the window's pixels of padding on every side.",
    }
    for name, (x, weight) in tasks.items():
        with case(name):
            close(student.depthwise_in_place(x, weight), depthwise(x, weight), dtype=True, hint=hints.get(name, ""))

    x, weight = task(5, 7, 6, 3)
    with case("the result is in the input's memory", weight=2):
        answer, after = student.after("depthwise_in_place", x, weight)
        close(answer, depthwise(x, weight))
        close(after[0], depthwise(x, weight), hint="The input holds the result afterwards.")
        unchanged(after[1], weight, hint="The filters stay as they are.")
    x, weight = task(32, 4, 5, 3)
    with case("no second tensor of the input's size"):
        answer, held = call_watched(student, "depthwise_in_place", x, weight)
        close(answer, depthwise(x, weight))
        that(held <= x.nbytes / 2, "New tensors take as much memory as a good part of the input.")
