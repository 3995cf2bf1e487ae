"""A network whose every number is a whole number: int8 tensors and weights, int32 sums."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from course_lib.microcontroller.network import Network

__all__ = ["Int8Layer", "Int8Network"]


@dataclass(frozen=True, eq=False)
class Int8Layer:
    """The constants of one layer. A tensor's real numbers are scale * (int8 - zero).

    weight      int8, shaped as `Network.weight_shape` says; None for layers without weights.
    bias        int32 [C_out], in units of input scale times the channel's weight scale.
    multiplier, shift  int32 [C_out]: sum * multiplier / 2^shift is the result in units of the output's scale. For
                "add" there are two multipliers, one for each input, and one shift.
    zeros       of the inputs.
    zero        of the output.
    low         the least result: the output's zero after a ReLU, else -128.
    """

    weight: np.ndarray | None
    bias: np.ndarray | None
    multiplier: np.ndarray
    shift: np.ndarray
    zeros: tuple[int, ...]
    zero: int
    low: int


@dataclass(frozen=True, eq=False)
class Int8Network:
    """A `Network` with its constants.

    scales, zeros  of all tensors; entry 0 belongs to the image.
    """

    network: Network
    layers: tuple[Int8Layer, ...]
    scales: tuple[float, ...]
    zeros: tuple[int, ...]

    def image_to_int8(self, images: np.ndarray) -> np.ndarray:
        """Images float [N, C, H, W] as int8 [N, H, W, C], the order in which they lie in memory."""
        levels = np.rint(np.asarray(images, np.float64) / self.scales[0]) + self.zeros[0]
        return np.ascontiguousarray(levels.clip(-128, 127).astype(np.int8).transpose(0, 2, 3, 1))
