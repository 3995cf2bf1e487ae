"""1b: the classical edge filters. Oracles: scipy.ndimage inside the border, and NumPy's hypot and arctan2."""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from autograders.engine.asking.comparison import close, parts, unchanged
from autograders.engine.asking.inputs import Inputs
from autograders.engine.asking.question import Cases, question
from autograders.engine.asking.reference import Reference
from autograders.engine.asking.remote import Student

INTERIOR = (slice(1, -1), slice(1, -1))


def sobel_along(image: Tensor, axis: int) -> Tensor:
    """scipy's Sobel response where the window fits; axis 1: change to the right. Float64."""
    return torch.from_numpy(ndimage.sobel(image.double().numpy(), axis)[INTERIOR])


@question("sobel")
def sobel(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    pair = "Return the horizontal and the vertical response."
    images = {
        "a square image": rng.normal(6, 6),
        "an image wider than high": rng.uniform(5, rng.integer(8, 12)),
        "an image higher than wide": rng.uniform(rng.integer(8, 12), 4, low=-1, high=1),
    }
    for name, image in images.items():
        with case(f"{name}: change to the right"):
            gx, _ = parts(student.sobel(image), 2, hint=pair)
            close(gx, sobel_along(image, 1), hint="Right minus left; the middle line counts twice; no padding.")
        with case(f"{name}: change downwards"):
            _, gy = parts(student.sobel(image), 2, hint=pair)
            close(gy, sobel_along(image, 0), hint="Below minus above; the middle column counts twice; no padding.")

    smallest, grey = rng.normal(3, 3), torch.full((5, 4), rng.number(2, 9))
    with case("the smallest image, and a flat one"):
        close(parts(student.sobel(smallest), 2, hint=pair), (sobel_along(smallest, 1), sobel_along(smallest, 0)))
        hint = "A flat image has no edges, not even at its border."
        close(parts(student.sobel(grey), 2, hint=pair), (torch.zeros(3, 2), torch.zeros(3, 2)), hint=hint)

    slope, drop = rng.number(0.5, 2), rng.number(-2, -0.5)
    ramp = slope * torch.arange(7.0) + drop * torch.arange(5.0)[:, None]
    with case("an even ramp"):
        expected = torch.full((3, 5), 8 * slope), torch.full((3, 5), 8 * drop)
        close(parts(student.sobel(ramp), 2, hint=pair), expected, hint="The weights are whole numbers.")


@question("gradient_magnitude")
def gradient_magnitude(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    pair = "Return the magnitude and the angle."

    def arrows(*shape: int) -> tuple[Tensor, Tensor]:
        """Arrows into all four quadrants, none near an axis."""
        gx, gy = (rng.uniform(*shape, low=0.4, high=3) for _ in range(2))
        for index, (right, down) in enumerate(((1, 1), (-1, 1), (-1, -1), (1, -1))):
            gx.view(-1)[index::4] *= right
            gy.view(-1)[index::4] *= down
        return gx, gy

    maps = {"a map": arrows(5, 7), "a row": arrows(rng.integer(6, 12)), "several maps": arrows(2, 3, 4)}
    for name, (gx, gy) in maps.items():
        with case(f"{name}: the magnitude"):
            magnitude, _ = parts(student.magnitude_and_angle(gx, gy), 2, hint=pair)
            close(magnitude, torch.from_numpy(np.hypot(gx.numpy(), gy.numpy())), hint="The arrow's length.")
        with case(f"{name}: the angle"):
            _, angle = parts(student.magnitude_and_angle(gx, gy), 2, hint=pair)
            hint = "In radians, over all four quadrants, zero to the right; the downward part comes first in atan2."
            close(angle, torch.from_numpy(np.arctan2(gy.numpy(), gx.numpy())), hint=hint)

    length = rng.number(0.5, 4)
    gx, gy = length * torch.tensor([1.0, 0.0, -1.0, 0.0]), length * torch.tensor([0.0, 1.0, 0.0, -1.0])
    with case("arrows along the axes"):
        expected = torch.full((4,), length), torch.pi * torch.tensor([0.0, 0.5, 1.0, -0.5])
        close(parts(student.magnitude_and_angle(gx, gy), 2, hint=pair), expected, hint="Divide by no component.")

    given = arrows(4, 3)
    with case("the arguments keep their values"):
        answer, after = student.after("magnitude_and_angle", *given)
        magnitude, _ = parts(answer, 2, hint=pair)
        close(magnitude, torch.from_numpy(np.hypot(given[0].numpy(), given[1].numpy())))
        unchanged(after, given)


def laplace(image: Tensor, diagonal: bool) -> Tensor:
    """scipy's Laplacian where the window fits; with diagonals: nine times (window's mean - middle). Float64."""
    pixels = image.double().numpy()
    response = 9 * (ndimage.uniform_filter(pixels, 3) - pixels) if diagonal else ndimage.laplace(pixels)
    return torch.from_numpy(response[INTERIOR])


@question("laplacian")
def laplacian(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    image, tall = rng.normal(5, rng.integer(6, 10)), rng.uniform(rng.integer(6, 10), 4, low=-1, high=2)
    hints = {
        False: "Every neighbour counts once and the middle is negative; both signs are kept.",
        True: "The weights add to zero: with more neighbours the middle weighs more.",
    }
    for diagonal, neighbours in ((False, "four neighbours"), (True, "eight neighbours")):
        for name, picture in (("an image wider than high", image), ("an image higher than wide", tall)):
            with case(f"{neighbours}, {name}"):
                answer = student.laplacian(picture, diagonal=diagonal)
                close(answer, laplace(picture, diagonal), hint=hints[diagonal])

    dot = torch.zeros(7, 6)
    row, column, brightness = rng.integer(2, 5), rng.integer(2, 4), rng.number(1, 5)
    dot[row, column] = brightness
    with case("a bright pixel among dark ones, four neighbours unless told"):
        close(student.laplacian(dot), laplace(dot, False), hint="Negative on the bright pixel itself.")

    smallest, bend = rng.normal(3, 3), rng.number(0.5, 2)
    ramp = rng.number(1, 3) * torch.arange(6.0) + rng.number(-3, -1) * torch.arange(5.0)[:, None]
    bowl = bend * torch.arange(6.0).expand(5, 6) ** 2
    with case("the smallest image, and an even ramp"):
        close(student.laplacian(smallest), laplace(smallest, False))
        close(student.laplacian(smallest, True), laplace(smallest, True))
        close(student.laplacian(ramp), torch.zeros(3, 4), atol=1e-4, hint="An even ramp has no curvature.")
    with case("a parabola has the same curvature everywhere"):
        close(student.laplacian(bowl), torch.full((3, 4), 2 * bend), atol=1e-4)
        close(student.laplacian(bowl, True), torch.full((3, 4), 6 * bend), atol=1e-4)
