"""A stack of scenes on which figures are painted, all scenes at once.

Coordinates run from -1 to 1 over the picture, x to the right and y down; lengths are in half-sides of the picture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from course_lib.data.figures import FIGURES, NAMES
from course_lib.data.stream import Stream

__all__ = ["Canvas", "Pose"]

Array = NDArray[np.floating]  # float32; the stubs widen it when Python numbers take part
Whole = NDArray[np.int64]

_TURNS = 512  # directions in a full turn
# Rounded far above the last bit, so that every machine's cosine gives the same table.
_COSINE = np.array([round(math.cos(2 * math.pi * i / _TURNS) * 2**14) / 2**14 for i in range(_TURNS)], np.float32)
_SINE = np.roll(_COSINE, _TURNS // 4)
_TILT = _TURNS // 8  # figures lean by up to 45 degrees either way
_OUTSIDE = np.float32(9)  # a centre from which no figure reaches the picture


@dataclass(frozen=True)
class Pose:
    """Where one figure stands in each of N scenes; every field is an array [N].

    x, y     centre. radius  size. stretch  width over height. turn  direction, in 1/512 of a full turn.
    """

    x: Array
    y: Array
    radius: Array
    stretch: Array
    turn: Whole

    @classmethod
    def draw(cls, stream: Stream, n: int, spread: float, radius: tuple[float, float]) -> Pose:
        """Random poses with centres within `spread` of the middle."""
        return cls(
            x=stream.uniform(-spread, spread, n),
            y=stream.uniform(-spread, spread, n),
            radius=stream.uniform(*radius, n),
            stretch=stream.uniform(0.75, 1.0, n),
            turn=(stream.integers(2 * _TILT + 1, n) - _TILT) % _TURNS,
        )

    def on_outline(self, stream: Stream, share: float, relative_size: tuple[float, float]) -> Pose:
        """Poses near this one's outline in about `share` of the scenes, and outside the picture in the others."""
        n = len(self.x)
        side = stream.integers(_TURNS, n)
        present = stream.uniform(0.0, 1.0, n) < share
        return Pose(
            x=np.where(present, self.x + self.radius * _COSINE[side] * 0.8, _OUTSIDE),
            y=np.where(present, self.y + self.radius * _SINE[side] * 0.8, _OUTSIDE),
            radius=self.radius * stream.uniform(*relative_size, n),
            stretch=stream.uniform(0.75, 1.0, n),
            turn=stream.integers(_TURNS, n),
        )


class Canvas:
    """image float32 [N, 3, size, size], at first black; painting may leave 0 to 1 a little."""

    def __init__(self, n: int, size: int) -> None:
        centres = (np.arange(size, dtype=np.float32) * 2 + 1) / size - 1
        self.image = np.zeros((n, 3, size, size), np.float32)
        self._x, self._y = centres[None, None, :], centres[None, :, None]

    def add(self, kinds: Whole, pose: Pose, surface: Array) -> None:
        """Paint figure `NAMES[kinds[i]]` into scene i, its outline softened over one pixel.

        surface  what the figure is made of, broadcast to [N, 3, size, size].
        """
        cover = np.empty(self.image[:, 0].shape, np.float32)
        half_side = self.image.shape[-1] / 2
        for kind, name in enumerate(NAMES):
            rows = np.flatnonzero(kinds == kind)
            pixels = (pose.radius[rows] * half_side)[:, None, None]
            cover[rows] = 0.5 - FIGURES[name](*self._seen_from(pose, rows)) * pixels
        np.clip(cover, 0.0, 1.0, out=cover)
        self.image += (surface - self.image) * cover[:, None]

    def _seen_from(self, pose: Pose, rows: Whole) -> tuple[Array, Array]:
        """Pixel centres in the frame of the chosen scenes' figures: moved, turned, scaled."""
        cosine, sine = _COSINE[pose.turn[rows], None, None], _SINE[pose.turn[rows], None, None]
        dx = self._x - pose.x[rows, None, None]
        dy = self._y - pose.y[rows, None, None]
        radius = pose.radius[rows, None, None]
        width = radius * pose.stretch[rows, None, None]
        return (dx * cosine + dy * sine) / width, (dy * cosine - dx * sine) / radius

    def slope(self, stream: Stream) -> Array:
        """A ramp [N, size, size] that runs from about -1 to 1 in a random direction."""
        turn = stream.integers(_TURNS, len(self.image))
        return self._x * _COSINE[turn, None, None] + self._y * _SINE[turn, None, None]

    def surface(self, colour: Array, stream: Stream) -> Array:
        """A surface [N, 3, size, size] of `colour` [N, 3] and a second shade: plain, ramp, stripes or checks."""
        n = len(colour)
        shade = stream.uniform(-0.2, 0.2, n, 3)
        pitch, phase = stream.uniform(1.5, 5.0, n, 1, 1), stream.uniform(0.0, 1.0, n, 1, 1)
        along, across = self.slope(stream), self.slope(stream)
        kind = stream.integers(4, n)
        ramp, striped, checked = kind == 1, kind >= 2, kind == 3
        blend = np.zeros_like(along)
        blend[ramp] = along[ramp] * 0.5 + 0.5
        blend[striped] = _wave(along[striped] * pitch[striped] + phase[striped])
        blend[checked] *= _wave(across[checked] * pitch[checked] + phase[checked])
        return colour[:, :, None, None] + blend[:, None] * shade[:, :, None, None]


def _wave(position: Array) -> Array:
    """A wave of period 1 between 0 and 1, nearly square: its edges take a sixth of the period each."""
    from_middle = np.abs(position - np.floor(position) - 0.5)
    return np.clip(from_middle * 6 - 1, 0.0, 1.0)
