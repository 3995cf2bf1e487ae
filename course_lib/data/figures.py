"""Signed distances to the ten figures of the `shapes` scenes.

A signed distance is negative inside a figure, zero on its outline, positive outside; its size says how far the
outline is, so clipping it over one pixel gives an outline without steps. Every figure is centred near the
origin, points up, is the same left and right, and covers about as much as a disc of radius 0.8.
Coordinates: x to the right, y down.

Only operations that IEEE 754 rounds exactly are used (no sine, no `hypot`), so results are the same bits everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

__all__ = ["FIGURES", "NAMES", "OUTLINES", "mirrored_polygon"]

Array = NDArray[np.floating]  # float32; the stubs widen it when Python numbers take part
Figure = Callable[[Array, Array], Array]
Chain = tuple[tuple[float, float], ...]


def _length(x: Array, y: Array) -> Array:
    return np.sqrt(x * x + y * y)


def mirrored_polygon(x: Array, y: Array, right_half: Chain) -> Array:
    """Signed distance from the points (x, y), of any shape, to a polygon that is the same left and right.

    right_half  its corners with x >= 0, from the top of the axis x = 0 to the bottom of it.

    A point is moved to the right half, where its nearest edge is. The distance is that to the nearest edge;
    the sign flips at each edge that a ray to the right crosses.
    """
    x = np.abs(x)
    nearest = np.full(x.shape, np.inf, dtype=np.float32)
    outside = np.ones(x.shape, dtype=bool)
    for (ax, ay), (bx, by) in pairwise(right_half):
        ex, ey = bx - ax, by - ay
        dx, dy = x - ax, y - ay
        along = np.clip((dx * ex + dy * ey) / (ex * ex + ey * ey), 0.0, 1.0)
        gap_x, gap_y = dx - ex * along, dy - ey * along
        nearest = np.minimum(nearest, gap_x * gap_x + gap_y * gap_y)
        spans = (y >= ay) != (y >= by)
        left_of_edge = (dx * ey < dy * ex) if ey > 0 else (dx * ey > dy * ex)
        outside ^= spans & left_of_edge
    return np.where(outside, np.float32(1), np.float32(-1)) * np.sqrt(nearest)


# right halves, corners from top to bottom
OUTLINES: dict[str, Chain] = {
    "triangle": ((0.0, -1.2), (1.04, 0.6), (0.0, 0.6)),
    "square": ((0.0, -0.71), (0.71, -0.71), (0.71, 0.71), (0.0, 0.71)),
    "pentagon": ((0.0, -0.92), (0.875, -0.284), (0.541, 0.744), (0.0, 0.744)),
    "star": ((0.0, -1.2), (0.317, -0.437), (1.141, -0.371), (0.514, 0.167), (0.705, 0.971), (0.0, 0.54)),
    "cross": (
        (0.0, -0.95),
        (0.32, -0.95),
        (0.32, -0.32),
        (0.95, -0.32),
        (0.95, 0.32),
        (0.32, 0.32),
        (0.32, 0.95),
        (0.0, 0.95),
    ),
    "arrow": ((0.0, -1.1), (0.9, -0.1), (0.35, -0.1), (0.35, 1.0), (0.0, 1.0)),
}
_HEART_BODY: Chain = ((0.0, -0.5), (0.84, -0.08), (0.0, 0.98))


def _disc(x: Array, y: Array) -> Array:
    return _length(x, y) - 0.8


def _ring(x: Array, y: Array) -> Array:
    return np.abs(_length(x, y) - 0.75) - 0.25


def _crescent(x: Array, y: Array) -> Array:
    return np.maximum(_length(x, y + 0.1) - 0.95, 0.8 - _length(x, y + 0.6))


def _heart(x: Array, y: Array) -> Array:
    lobes = _length(np.abs(x) - 0.42, y + 0.35) - 0.5
    return np.minimum(lobes, mirrored_polygon(x, y, _HEART_BODY))


def _polygon_figure(name: str) -> Figure:
    return lambda x, y: mirrored_polygon(x, y, OUTLINES[name])


FIGURES: dict[str, Figure] = {
    "disc": _disc,
    "ring": _ring,
    "crescent": _crescent,
    "heart": _heart,
    **{name: _polygon_figure(name) for name in OUTLINES},
}
NAMES: tuple[str, ...] = tuple(FIGURES)
