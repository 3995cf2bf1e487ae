"""A launch whose parts have been checked: what the runner, the GPU and the watching take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from course_lib.cuda.calling.arguments import Bound
from course_lib.cuda.calling.geometry import Size, Triple
from course_lib.cuda.reading.kernel_text import KernelText

__all__ = ["BoundLaunch", "Launchable"]


@dataclass(slots=True)
class BoundLaunch:
    """One launch.

    grid, block  (x, y, z): how many blocks, and how many threads in each.
    arguments    one for each parameter, ready to pass.
    shared_mem   bytes of dynamic shared memory.
    """

    # made for every launch, hence not frozen, which costs twice as much
    kernel: KernelText
    grid: Triple
    block: Triple
    arguments: list[Bound]
    shared_mem: int = 0

    @property
    def name(self) -> str:
        """The kernel's name."""
        return self.kernel.name

    @property
    def threads(self) -> int:
        """How many threads a block has."""
        return self.block[0] * self.block[1] * self.block[2]

    def block_index(self, linear: int) -> Triple:
        """blockIdx of the block with this number, x counted first."""
        return _unflattened(linear, self.grid)

    def thread_index(self, linear: int) -> Triple:
        """threadIdx of the thread with this number in its block."""
        return _unflattened(linear, self.block)

    def warp_of(self, thread: Triple) -> int:
        """The number, in its block, of the warp that a thread belongs to."""
        width, height, _ = self.block
        return (thread[0] + width * (thread[1] + height * thread[2])) // 32


class Launchable(Protocol):
    """A kernel that can be called, as far as watching it needs to know."""

    def bound(self, grid: Size, block: Size, args: Sequence[Any], shared_mem: int = 0) -> BoundLaunch:
        """The launch that such a call is. Raises ArgumentError or LaunchError."""
        ...

    def variables(self) -> dict[str, bytes]:
        """What its `__device__` and `__constant__` variables hold at present."""
        ...


def _unflattened(linear: int, size: Triple) -> Triple:
    return linear % size[0], linear // size[0] % size[1], linear // size[0] // size[1]
