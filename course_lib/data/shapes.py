"""`shapes`: coloured 32x32 scenes of ten figures, drawn in seconds from a seed; nothing to download.

Each scene shows one main figure on a cluttered ground. Colours, place, size, tilt, stretch, surface and light are
random, a smaller object may hide part of the figure, and sensor noise lies over everything. The label names the
main figure.

Pixels are the same bits on every machine: random numbers come from `Stream`, every step is an operation that
IEEE 754 rounds exactly, and nothing is summed in an order that a processor may choose.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from course_lib.data.canvas import Canvas, Pose
from course_lib.data.figures import NAMES
from course_lib.data.labelled import Labelled, Splits
from course_lib.data.stream import Stream

__all__ = ["shapes"]

_BLOCK = 250  # scenes drawn together: 25 of each class, few enough for the processor's cache
_TRAIN, _TEST = 0, 1

# How hard the scenes are. Set so that a small ResNet gets most of them right after a minute, and a weaker one fewer.
_DARK_FIGURE = 0.2  # share of scenes with a dark figure on a light ground; elsewhere it is the other way round
_HIDING = 0.8  # share of scenes in which an object hides part of the figure
_HIDING_SIZE = (0.3, 0.85)  # its size as a share of the figure's, lowest and highest
_CLUTTER = 3  # small objects on the ground
_NOISE = (0.01, 0.10)  # standard deviation of the noise, lowest and highest


def shapes(train: int = 4000, test: int = 1000, size: int = 32, seed: int = 0) -> Splits:
    """Draw scenes: images float32 [N, 3, size, size], red, green and blue from 0 to 1 in steps of 1/255.

    train, test  how many scenes; every run of 250 holds 25 of each class. Training and test scenes come from
        independent streams, and asking for more scenes keeps the first ones as they are.
    size  the side in pixels, at least 8.
    seed  the same seed gives the same bits on every machine.

    Labels are indices into ("disc", "ring", "crescent", "heart", "triangle", "square", "pentagon", "star", "cross",
    "arrow"). Drawing the default 5,000 scenes takes a second or two on one core.

    Raises ValueError if a number is below its least value.
    """
    if size < 8:
        raise ValueError(f"shapes(size) is the side in pixels and needs at least 8, not {size}")
    if train < 0 or test < 0:
        raise ValueError(f"shapes needs train and test of 0 or more scenes, not {train} and {test}")
    return Splits(_split(train, size, seed, _TRAIN), _split(test, size, seed, _TEST))


def _split(count: int, size: int, seed: int, split: int) -> Labelled:
    images = np.empty((count, 3, size, size), np.float32)
    labels = np.empty(count, np.int64)
    for block, start in enumerate(range(0, count, _BLOCK)):
        pixels, kinds = _draw_block(size, Stream(seed, split, block))
        end = min(start + _BLOCK, count)
        np.divide(pixels[: end - start], np.float32(255), out=images[start:end])
        labels[start:end] = kinds[: end - start]
    return Labelled(torch.from_numpy(images), torch.from_numpy(labels), NAMES)


def _draw_block(size: int, stream: Stream) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Pixels uint8 [250, 3, size, size] and labels int64 [250]."""
    n = _BLOCK
    labels = stream.permutation(n) % len(NAMES)
    dark, light = stream.uniform(0.0, 0.55, n, 3), stream.uniform(0.45, 1.0, n, 3)
    swapped = stream.uniform(0.0, 1.0, n, 1) < _DARK_FIGURE

    canvas = Canvas(n, size)
    canvas.image += canvas.surface(np.where(swapped, light, dark), stream)
    for _ in range(_CLUTTER):
        pose = Pose.draw(stream, n, spread=1.0, radius=(0.06, 0.2))
        canvas.add(stream.integers(len(NAMES), n), pose, stream.uniform(0.0, 1.0, n, 3)[:, :, None, None])
    main = Pose.draw(stream, n, spread=0.25, radius=(0.45, 0.75))
    canvas.add(labels, main, canvas.surface(np.where(swapped, dark, light), stream))
    hiding = main.on_outline(stream, share=_HIDING, relative_size=_HIDING_SIZE)
    canvas.add(stream.integers(len(NAMES), n), hiding, canvas.surface(stream.uniform(0.0, 1.0, n, 3), stream))

    lit = canvas.image * (canvas.slope(stream) * 0.2 + 0.9)[:, None]
    noise = stream.bell(n, 3, size, size) * stream.uniform(*_NOISE, n, 1, 1, 1)
    return np.clip((lit + noise) * 255 + 0.5, 0, 255).astype(np.uint8), labels
