"""Giving every buffer its place in one block of memory, so that buffers in use together never overlap."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from course_lib.microcontroller.buffers import Buffer, in_use

__all__ = ["Arrangement", "arrange"]


@dataclass(frozen=True)
class Arrangement:
    """Where each buffer starts, in bytes, and how many bytes the block has.

    proven  whether no arrangement can be smaller.
    """

    offsets: tuple[int, ...]
    size: int
    proven: bool


def arrange(buffers: Sequence[Buffer], *, most_nodes: int = 20_000) -> Arrangement:
    """Search for the smallest block of memory (the problem is NP-hard: dynamic storage allocation).

    Buffers are stacked one by one onto the skyline, the height reached so far at each step of the run. If the buffers
    of a smallest arrangement are stacked in the order of their offsets, none ends higher than it was, so some order
    gives the optimum; branch and bound goes through the orders until it meets the lower bound or has tried them all.

    most_nodes  buffers stacked in all before the search stops with the best arrangement so far.
    """
    found = []
    for order in (_lowest_first, _largest_first):  # either may dive into a poor part of the tree
        search = _Search(buffers, most_nodes // 2, order)
        search.stack(np.zeros(search.steps, np.int64), [])
        found.append(Arrangement(tuple(search.best), search.best_size, search.proven))
        if search.proven:
            break
    return min(found, key=lambda arrangement: (arrangement.size, not arrangement.proven))


_Key = Callable[[int, Buffer], tuple[int, ...]]


def _lowest_first(offset: int, buffer: Buffer) -> tuple[int, ...]:
    return offset, -max(buffer.sizes), -len(buffer.sizes)


def _largest_first(offset: int, buffer: Buffer) -> tuple[int, ...]:
    return -max(buffer.sizes), offset, -len(buffer.sizes)


class _Search:
    def __init__(self, buffers: Sequence[Buffer], most_nodes: int, order: _Key) -> None:
        self.buffers, self.order = buffers, order
        self.steps = max((buffer.last for buffer in buffers), default=-1) + 1
        self.bound = int(in_use(buffers, self.steps).max(initial=0))
        self.nodes, self.most_nodes, self.finished = 0, most_nodes, True
        self.best: list[int] = []
        self.best_size = sum(max(buffer.sizes) for buffer in buffers) + 1  # worse than any arrangement
        self.seen: set[tuple[frozenset[int], bytes]] = set()

    @property
    def proven(self) -> bool:
        return self.finished or self.best_size == self.bound

    def stack(self, skyline: np.ndarray, placed: list[tuple[int, int]]) -> None:
        """Try every order of the buffers left on top of `placed`, (number, offset) of those stacked."""
        if len(placed) == len(self.buffers):
            self._keep(skyline, placed)
            return
        done = {number for number, _ in placed}
        state = (frozenset(done), skyline.tobytes())
        if state in self.seen:
            return
        self.seen.add(state)
        for number, offset in self._candidates(skyline, done):
            if self.best_size == self.bound or self._hopeless(skyline, done):
                return
            self.nodes += 1
            if self.nodes > self.most_nodes and self.best:
                self.finished = False
                return
            buffer = self.buffers[number]
            raised = skyline.copy()
            raised[buffer.steps] = offset + np.array(buffer.sizes)
            self.stack(raised, [*placed, (number, offset)])

    def _candidates(self, skyline: np.ndarray, done: set[int]) -> list[tuple[int, int]]:
        """Buffers left and where they would lie, the most promising first."""
        left = [
            (number, int(skyline[buffer.steps].max()), buffer)
            for number, buffer in enumerate(self.buffers)
            if number not in done
        ]
        left.sort(key=lambda entry: self.order(entry[1], entry[2]))
        return [(number, offset) for number, offset, _ in left]

    def _hopeless(self, skyline: np.ndarray, done: set[int]) -> bool:
        """Whether what is left must, at some step, stand on the skyline at least as high as the best arrangement."""
        height = skyline.copy()
        for number, buffer in enumerate(self.buffers):
            if number not in done:
                height[buffer.steps] += buffer.sizes
        return bool(height.max(initial=0) >= self.best_size)

    def _keep(self, skyline: np.ndarray, placed: list[tuple[int, int]]) -> None:
        size = int(skyline.max(initial=0))
        if size < self.best_size:
            self.best_size, self.best = size, [offset for _, offset in sorted(placed)]
