"""1d: pictures as tokens, windows, linear attention. Oracles: convolutions, loops over places, all pairs of tokens."""

from __future__ import annotations

import time

import torch
import torch.nn.functional as F
from torch import Tensor

from autograders.engine.asking.comparison import close, equal, that, unchanged
from autograders.engine.asking.inputs import Inputs
from autograders.engine.asking.question import Cases, question
from autograders.engine.asking.reference import Reference
from autograders.engine.asking.remote import Student


@question("vit_patches", without=("F.conv2d", "F.unfold"))
def vit_patches(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    def task(images: tuple[int, ...], patch: int, width: int) -> tuple[tuple, Tensor]:
        """Arguments, and what a convolution with the patch's size as its stride makes of them."""
        n, channels, height, breadth = images
        count = (height // patch) * (breadth // patch)
        shapes = (images, (width, channels * patch**2), (width,), (width,), (1 + count, width))
        x, weight, bias, first, positions = (rng.normal(*shape) for shape in shapes)
        kernels = weight.reshape(width, channels, patch, patch)
        tokens = F.conv2d(x, kernels, bias, stride=patch).flatten(2).mT
        expected = torch.cat([first.expand(n, 1, width), tokens], dim=1) + positions
        return (x, weight, bias, first, positions, patch), expected

    rows, columns = rng.integer(2, 4), rng.integer(4, 6)
    tasks = {
        "one channel, square": (1, 1, 6, 6),
        "higher than wide": (1, 1, 3 * columns, 3 * rows),
        "colour pictures": (2, 3, 6, 9),
        "many pictures": (4, 2, 3 * rows, 3 * columns),
    }
    hints = {
        "one channel, square": "A patch is a square of the picture, not a run of its rows.",
        "higher than wide": "Patches row by row.",
        "colour pictures": "Within a patch, one channel after the other.",
    }
    for name, shape in tasks.items():
        given, expected = task(shape, 3, rng.integer(3, 7))
        with case(name):
            close(student.picture_tokens(*given), expected, atol=1e-4, hint=hints.get(name, ""))
    given, expected = task((2, 3, 4, 4), 4, 5)
    with case("one patch for the whole picture"):
        close(student.picture_tokens(*given), expected, atol=1e-4)
    given, expected = task((2, 3, 4, 3), 1, 4)
    with case("patches of one pixel"):
        close(student.picture_tokens(*given), expected, atol=1e-4)
    given, expected = task((2, 1, 4, 6), 2, 4)
    with case("the arguments keep their values"):
        found, after = student.after("picture_tokens", *given)
        close(found, expected, atol=1e-4)
        unchanged(after[:5], given[:5])


def places(height: int, width: int, window: int, shift: int) -> list[list[tuple[int, int]]]:
    """For every window the places (row, column) of its tokens in the map, found one by one."""
    return [
        [((top + i + shift) % height, (left + j + shift) % width) for i in range(window) for j in range(window)]
        for top in range(0, height, window)
        for left in range(0, width, window)
    ]


def cut(x: Tensor, window: int, shift: int) -> Tensor:
    squares = places(x.shape[1], x.shape[2], window, shift)
    return torch.stack([torch.stack([x[:, i, j] for i, j in square], dim=1) for square in squares], dim=1)


@question("window_attention")
def window_attention(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    rows, columns = rng.integer(1, 3), rng.integer(3, 5)
    tasks = {  # shape, window, shift
        "a square map": ((1, 4, 4, 1), 2, 0),
        "several wide maps": ((2, 3 * rows, 3 * columns, 4), 3, 0),
        "shifted": ((2, 6, 6, 3), 3, rng.integer(1, 3)),
        "shifted, higher than wide": ((1, 4 * columns, 4 * rows, 2), 4, rng.integer(1, 4)),
    }
    hints = {
        "a square map": "A window is a square of the map.",
        "several wide maps": "Windows row by row, in each map.",
        "shifted": "Windows start further down and to the right.",
    }
    for name, (shape, window, shift) in tasks.items():
        x = rng.normal(*shape)
        with case(f"{name}: into windows"):
            close(student.to_windows(x, window, shift), cut(x, window, shift), hint=hints.get(name, ""))
        with case(f"{name}: and back"):
            found = student.from_windows(cut(x, window, shift), shape[1], shape[2], shift)
            close(found, x, hint="What went out comes back to its own place.")


@question("shifted_windows")
def shifted_windows(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    def expected(height: int, width: int, window: int, shift: int) -> Tensor:
        """Tokens may see each other if they are less than a window apart in the map itself."""
        masks = []
        for square in places(height, width, window, shift):
            row, column = torch.tensor(square).T
            near = (row[:, None] - row).abs() < window
            masks.append(near & ((column[:, None] - column).abs() < window))
        return torch.stack(masks)

    rows, columns = rng.integer(2, 4), rng.integer(4, 6)
    tasks = {
        "half a window": (8, 8, 4, 2),
        "wider than high": (3 * rows, 3 * columns, 3, 1),
        "higher than wide": (3 * columns, 3 * rows, 3, 2),
        "a small shift": (4 * rows, 8, 4, 1),
        "a large shift": (10, 5 * rows, 5, rng.integer(3, 5)),
    }
    hint = "Both have come round or neither, for rows and for columns; True may see."
    for name, sizes in tasks.items():
        with case(name):
            equal(student.shifted_window_mask(*sizes), expected(*sizes), hint=hint)
    with case("no shift"):
        sizes = (2 * rows, 2 * columns, 2, 0)
        equal(student.shifted_window_mask(*sizes), expected(*sizes), hint="All of a window see each other.")
        equal(student.shifted_window_mask(*sizes[:3], 1), expected(*sizes[:3], 1))


@question("linear_attention")
def linear_attention(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    def expected(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Weight by weight, in double precision."""
        scores = torch.einsum("...id,...jd->...ij", q.double().clamp(min=0), k.double().clamp(min=0))
        return (scores @ v.double() / (scores.sum(-1, keepdim=True) + 1e-15)).float()

    width = rng.integer(3, 6)
    tasks = {
        "one query": ((1, width), (5, width), (5, 3)),
        "sequences": ((2, 4, width), (2, 6, width), (2, 6, width)),
        "heads": ((2, 3, 5, 4), (2, 3, 5, 4), (2, 3, 5, 2)),
    }
    hints = {"one query": "ReLU on queries and keys alone, and divide by the sum of the weights."}
    for name, shapes in tasks.items():
        q, k, v = (rng.normal(*shape) + bool(at < 2) for at, shape in enumerate(shapes))
        with case(name):
            close(student.linear_attention(q, k, v), expected(q, k, v), atol=1e-4, hint=hints.get(name, ""))
    q, k, v = -rng.uniform(2, 3, 4), rng.normal(2, 5, 4), rng.normal(2, 5, 3)
    q[0, 1] = 1 + rng.uniform(4)
    with case("queries that see nothing"):
        close(student.linear_attention(q, k, v), expected(q, k, v), atol=1e-4, hint="They get nought, not NaN.")
    given = rng.normal(2, 3, 4), rng.normal(2, 5, 4), rng.normal(2, 5, 3)
    with case("the arguments keep their values"):
        found, after = student.after("linear_attention", *given)
        close(found, expected(*given), atol=1e-4)
        unchanged(after, given)

    def by_sums(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """The same without all pairs: key by key sums, in double precision."""
        q, k = q.double().clamp(min=0), k.double().clamp(min=0)
        sums = q @ torch.einsum("jd,je->de", k, F.pad(v.double(), (0, 1), value=1.0))
        return (sums[:, :-1] / (sums[:, -1:] + 1e-15)).float()

    few, many = rng.normal(3, 256, 8), rng.normal(3, 8192, 8)

    def seconds(tokens: Tensor) -> float:
        """The shorter of two calls."""
        times = []
        for _ in range(2):
            started = time.perf_counter()
            found = student.linear_attention(*tokens)
            times.append(time.perf_counter() - started)
        close(found, by_sums(*tokens), atol=1e-3)
        return min(times)

    with case("the cost grows with the number of tokens, not with its square", weight=2):
        # measured again before it counts: another program may have slowed the larger one alone
        grows_slowly = any(seconds(many) < 60 * seconds(few) for _ in range(3))
        that(grows_slowly, "Many tokens take too long: nothing may be made for every pair.")
