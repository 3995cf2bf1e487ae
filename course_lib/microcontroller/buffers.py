"""Which pieces of memory a run of the network needs, and when: the input of the planner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Buffer", "in_use"]


@dataclass(frozen=True)
class Buffer:
    """A piece of memory that keeps its place for some steps of a run.

    first  the first step at which it is needed.
    sizes  bytes needed at step first, first + 1, ...: they may change, as when a smaller output is written over an
           input.
    """

    name: str
    first: int
    sizes: tuple[int, ...]

    def __post_init__(self) -> None:
        if self.first < 0 or not self.sizes or min(self.sizes) < 1:
            raise ValueError(
                f"buffer {self.name}: {self.sizes} bytes from step {self.first} on; it takes at least one step, from "
                "step 0 on, and at least one byte at each"
            )

    @classmethod
    def steady(cls, name: str, size: int, first: int, last: int) -> Buffer:
        """A buffer of one size from step `first` to step `last`, both included."""
        return cls(name, first, (size,) * (last - first + 1))

    @property
    def last(self) -> int:
        """The last step at which it is needed."""
        return self.first + len(self.sizes) - 1

    @property
    def steps(self) -> slice:
        """Its steps as a slice of all steps."""
        return slice(self.first, self.last + 1)

    def then(self, number: int, size: int, last: int) -> Buffer:
        """The same place when, at the present last step, tensor `number` of `size` bytes is written over it."""
        return Buffer(f"{self.name}, {number}", self.first, self.sizes + (size,) * (last - self.last))


def in_use(buffers: Sequence[Buffer], steps: int) -> np.ndarray:
    """Bytes that must be kept at each step, int64 [steps]; no placement in memory can do with less than the most."""
    total = np.zeros(steps, np.int64)
    for buffer in buffers:
        total[buffer.steps] += buffer.sizes
    return total
