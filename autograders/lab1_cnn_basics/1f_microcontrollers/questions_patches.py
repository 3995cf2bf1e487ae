"""1f: ranges of rows, inference by patches, smaller kernels. Oracles: the rows that windows read, one by one."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from autograders.engine.asking.comparison import close, equal, raises, that
from autograders.engine.asking.inputs import Inputs
from autograders.engine.asking.question import Cases, question
from autograders.engine.asking.reference import Reference
from autograders.engine.asking.remote import Student
from autograders.engine.asking.tensor_memory import call_watched

Window = tuple[int, int, int]  # kernel, stride, padding
Range = tuple[int, int]


def map_sizes(layers: list[Window], size: int) -> list[int]:
    """Rows of the input and of each layer's output: how often a window fits."""
    sizes = [size]
    for kernel, stride, padding in layers:
        sizes.append(len(range(-padding, sizes[-1] + padding - kernel + 1, stride)))
    return sizes


def read_rows(layers: list[Window], size: int, start: int, stop: int) -> list[Range]:
    """By marking every row that a window reads."""
    marked = [set(range(start, stop))]
    for (kernel, stride, padding), rows in reversed([*zip(layers, map_sizes(layers, size), strict=False)]):
        read = {row * stride - padding + tap for row in marked[0] for tap in range(kernel)}
        marked.insert(0, read & set(range(rows)))
    return [(min(rows), max(rows) + 1) for rows in marked]


def input_size(layers: list[Window], rows: int, left_over: int = 0) -> int:
    """An input that gives at least about `rows` rows; where strides leave rows over, up to `left_over` of them."""
    for kernel, stride, padding in reversed(layers):
        rows = max(1, (rows - 1) * stride + kernel - 2 * padding + min(left_over, stride - 1))
    return rows


@question("patch_ranges")
def patch_ranges(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    def stack(depth: int, strides: int = 3, padded: bool = True) -> list[Window]:
        layers = []
        for _ in range(depth):
            kernel = rng.integer(1, 8)
            layers.append((kernel, rng.integer(1, strides + 1), rng.integer(0, kernel) if padded else 0))
        return layers

    def inside(layers: list[Window]) -> tuple[list[Window], int, int, int]:
        """A range somewhere in the last map."""
        size = input_size(layers, rng.integer(5, 12), 2)
        rows = map_sizes(layers, size)[-1]
        start = rng.integer(0, rows)
        return layers, size, start, rng.integer(start + 1, rows + 1)

    def at_edge(layers: list[Window], last: bool) -> tuple[list[Window], int, int, int]:
        size = input_size(layers, 8)
        rows = map_sizes(layers, size)[-1]
        return (layers, size, rows - 2, rows) if last else (layers, size, 0, 2)

    middle, usual = rng.integer(8, 12), [(3, rng.integer(1, 3), 1) for _ in range(4)]
    tasks = {  # layers, size, start, stop
        "one layer, or none": [([], 30, 2, rng.integer(3, 30)), *(inside(stack(1)) for _ in range(5))],
        "in the middle of the maps": [(usual, input_size(usual, 3 * middle), middle, middle + 3)],
        "at the first row": [at_edge([(5, 1, 2), *usual], last=False)],
        "at the last row": [at_edge([(3, 1, 1), (3, 2, 1), (5, 1, 2)], last=True), at_edge(usual, last=True)],
        "without padding": [inside(stack(depth, padded=False)) for depth in (2, 3, 3)],
        "windows that skip rows": [inside([(rng.integer(1, 3), 3, 0), (3, 1, 1), (1, 2, 0)]) for _ in range(3)],
        "deep stacks": [inside(stack(depth)) for depth in (4, 5, 6)],
    }
    hints = {
        "one layer, or none": "The last row is the one before stop; where does its window begin?",
        "in the middle of the maps": "From the input to the output.",
        "at the first row": "There is no row before the first, in any map.",
        "at the last row": "Every map has a last row of its own.",
        "windows that skip rows": "Rows behind the last window are not needed.",
    }
    for name, settings in tasks.items():
        with case(name):
            for arguments in settings:
                equal(student.patch_ranges(*arguments), read_rows(*arguments), hint=hints.get(name, ""))


Layer = tuple[Tensor, Tensor, int, int]  # weight, bias, stride, padding


def whole(image: Tensor, layers: list[Layer]) -> Tensor:
    """Without patches, in float64."""
    x = image.double()[None]
    for weight, bias, stride, padding in layers:
        x = F.conv2d(x, weight.double(), bias.double(), stride, padding).clamp(min=0)
    return x[0].float()


def cut(windows: list[Window], size: int, cuts: list[int]) -> list[list[Range]]:
    """The ranges of patches that end at these rows of the output."""
    return [read_rows(windows, size, start, stop) for start, stop in zip([0, *cuts], cuts, strict=False)]


@question("patch_inference")
def patch_inference(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    def stack(windows: list[Window], bias: float = 0.2) -> list[Layer]:
        layers, channels = [], 2
        for kernel, stride, padding in windows:
            outputs = rng.integer(2, 5)
            weight = rng.normal(outputs, channels, kernel, kernel, std=(2 / channels) ** 0.5 / kernel)
            layers.append((weight, rng.normal(outputs, mean=bias, std=0.1), stride, padding))
            channels = outputs
        return layers

    def uneven(count: int, size: int) -> list[int]:
        """Where `count` patches of a map end."""
        return [*sorted((rng.permutation(size - 1)[: count - 1] + 1).tolist()), size]

    def task(windows: list[Window], rows: int, columns: int, grid: tuple[int, int], bias: float = 0.2) -> tuple:
        """A map of at least rows x columns at the end, cut into a grid."""
        sides = [input_size(windows, side, 1) for side in (rows, columns)]
        cuts = [uneven(count, map_sizes(windows, side)[-1]) for count, side in zip(grid, sides, strict=True)]
        ranges = [cut(windows, side, ends) for side, ends in zip(sides, cuts, strict=True)]
        return rng.normal(2, *sides), stack(windows, bias), *ranges

    two, three = [(3, 1, 1), (3, 2, 1)], [(3, 2, 1), (5, 1, 2), (3, 1, 1)]
    tasks = {  # image, layers, rows, columns
        "one layer, one patch": task([(3, 1, 1)], 6, 9, (1, 1)),
        "one layer, several patches": task([(5, 1, 2)], 9, 7, (2, 3)),
        "two layers, uneven patches": task(two, 8, 10, (3, 2)),
        "cut in one direction only": task(two, 9, 5, (4, 1)),
        "patches that touch no edge": task(two, 16, 18, (5, 5)),
        "large biases": task(three, 7, 9, (2, 2), bias=3.0),
        "sums below nought": task(three, 6, 8, (2, 2), bias=-0.3),
        "without padding": task([(2, 2, 0), (3, 1, 0), (1, 1, 0)], 6, 5, (2, 2)),
        "four layers of all kinds": task([(7, 2, 3), (1, 1, 0), (3, 1, 2), (2, 2, 0)], 5, 6, (2, 3)),
    }
    hints = {
        "one layer, one patch": "Zeros on all four sides, the bias, and a ReLU.",
        "one layer, several patches": "Where two patches meet there is no padding.",
        "two layers, uneven patches": "Every map is padded where it ends.",
        "cut in one direction only": "Rows are the second axis, columns the third.",
        "large biases": "Outside a map there are zeros, whatever the bias is.",
        "sums below nought": "A ReLU after every layer.",
    }
    for name, (image, layers, rows, columns) in tasks.items():
        with case(name):
            answer = student.infer_by_patches(image, layers, rows, columns)
            close(answer, whole(image, layers), rtol=1e-3, atol=1e-4, hint=hints.get(name, ""))

    weights = rng.normal(16, 2, 3, 3, std=0.3), rng.normal(3, 16, 3, 3, std=0.1)
    layers = [(weights[0], rng.normal(16), 1, 1), (weights[1], rng.normal(3), 2, 1)]
    image, ranges = rng.normal(2, 32, 32), cut(two, 32, [4, 8, 12, 16])
    with case("no whole map in between"):
        answer, held = call_watched(student, "infer_by_patches", image, layers, ranges, ranges)
        close(answer, whole(image, layers), rtol=1e-3, atol=1e-4)
        map_bytes = 16 * 32 * 32 * 4
        that(held < map_bytes / 2, "New tensors take as much memory as a good part of the map between the layers.")


def pixels_read(kernels: list[int], strides: list[int], side: int) -> int:
    """Rows from the first to the last that `side` rows of the output read, padding left out."""
    rows = set(range(side))
    for kernel, stride in zip(reversed(kernels), reversed(strides), strict=True):
        rows = {row * stride + tap for row in rows for tap in range(kernel)}
    return max(rows) - min(rows) + 1


def shrunk(layers: list[tuple[int, int]], side: int, limit: int) -> tuple[list[int], int] | None:
    """By trying each layer in turn; None where nothing is left to shrink."""
    kernels, strides = [kernel for kernel, _ in layers], [stride for _, stride in layers]
    while pixels_read(kernels, strides, side) > limit:
        left = [place for place, stride in enumerate(strides) if stride == 1 and kernels[place] > 1]
        trials = [[1 if place == other else kernel for other, kernel in enumerate(kernels)] for place in left]
        if not trials:
            return None
        kernels = min(trials, key=lambda trial: pixels_read(trial, strides, side))
    return kernels, pixels_read(kernels, strides, side)


@question("redistribute")
def redistribute(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    side, odd = rng.integer(3, 9), 2 * rng.integer(2, 4) + 1
    usual = [(3, 2), (3, 1), (3, 2), (3, 1), (5, 2)]
    sized = [(rng.choice((3, 5, 7)), stride) for stride in (1, 1, 2, 1, 2, 1)]
    equal_gains = [(odd, 1), (odd, 1), (1, 1), (odd, 1)]
    at_last = [(odd + 2, 1), (3, 2), (odd, 1)]

    def size(layers: list[tuple[int, int]], kept: int = 1) -> int:
        """Pixels of a patch; without `kept` of no stride at all."""
        kernels = [kernel if kept or stride > 1 else 1 for kernel, stride in layers]
        return pixels_read(kernels, [stride for _, stride in layers], side)

    full, least = size(usual), size(usual, kept=0)
    tasks = {  # layers, limits
        "a limit that leaves room": (usual, [full + rng.integer(1, 40)]),
        "exactly at the limit": (usual, [full, least]),
        "one kernel too large": (usual, [full - 1]),
        "where the step is large a small kernel gains more": (at_last, [size(at_last) - 1]),
        "limit after limit": (sized, list(range(size(sized, kept=0), size(sized) + 2, 2))),
        "of equal ones the first": (equal_gains, [size(equal_gains) - 1, size(equal_gains) - odd]),
    }
    hints = {
        "a limit that leaves room": "Nothing to do: the kernels as they are, and what a patch reads.",
        "exactly at the limit": "A patch of the limit's size is not too large.",
        "one kernel too large": "The layer that shortens the patch most, and no other.",
        "where the step is large a small kernel gains more": "A kernel gains in steps of the strides before it.",
    }
    for name, (layers, limits) in tasks.items():
        with case(name):
            for limit in limits:
                equal(student.redistribute(layers, side, limit), shrunk(layers, side, limit), hint=hints.get(name, ""))

    strided = [(3, 2), (odd, 2), (2, 3)]
    refused = {
        "below what can be reached": (usual, least),
        "only layers with strides": (strided, size(strided)),
        "no layer": ([], side),
    }
    for name, (layers, smallest) in refused.items():
        with case(name):
            equal(student.redistribute(layers, side, smallest), shrunk(layers, side, smallest))
            raises(ValueError, student.redistribute, layers, side, smallest - 1)
