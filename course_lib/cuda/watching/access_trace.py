"""Which thread of a kernel read and wrote what, in which turn: a run on the host runner, written down.

    trace = access_trace.trace(kernel, grid, block, args)
    trace.of("values", writes=False).sectors()       # how many 32-byte sectors a GPU would fetch for these reads

A warp of a GPU executes an instruction for its 32 lanes together, and memory answers in sectors of 32 bytes. The host
runner executes thread after thread; the accesses are put together again by warp, source position and turn: the k-th
time that a lane was at an instruction belongs to the k-th time of its neighbours. Caches are left out of account.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from course_lib.cuda.calling.bound_launch import Launchable
from course_lib.cuda.calling.errors import LaunchError
from course_lib.cuda.calling.geometry import Size
from course_lib.cuda.runner.isolated import run_apart
from course_lib.cuda.runner.job import RunSettings
from course_lib.cuda.runner.process import died_in_words
from course_lib.cuda.watching.source_lines import SourceLines

__all__ = ["SECTOR", "WARP", "Trace", "trace"]

WARP, SECTOR = 32, 32
# runner/host/runtime/trace.hpp: TracedAccess
RECORD = np.dtype(
    [
        ("block", "<u4"),
        ("site", "<u4"),
        ("offset", "<u8"),
        ("thread", "<u2"),
        ("array", "<u2"),
        ("size", "u1"),
        ("write", "u1"),
        ("", "V2"),
    ]
)


@dataclass(frozen=True)
class Trace:
    """The accesses of one launch, in the order in which the host runner made them.

    accesses  structured array [n]: block and thread (linear indices), site (a number for a place in the source),
              offset in bytes from the start of the array, array (a place in `arrays`), size in bytes, write (0 or 1).
    turn      int64 [n]: how often this thread had been at this site before.
    arrays    names of the arguments and shared variables that were touched.
    stacks    site: the call stack that leads there, innermost first; source: finds the lines that these are.
    cut       True if there were more accesses than are kept (about a million).
    """

    accesses: np.ndarray
    turn: np.ndarray
    arrays: tuple[str, ...]
    stacks: dict[int, str]
    source: SourceLines
    cut: bool = False

    @cached_property
    def lines(self) -> dict[int, tuple[int, str]]:
        """Site: (line number, text) of the kernel's source."""
        found = {site: self.source.find(stack) for site, stack in self.stacks.items()}
        return {site: place[1:] for site, place in found.items() if place}

    def __len__(self) -> int:
        return len(self.accesses)

    def of(self, array: str | None = None, *, writes: bool | None = None, block: int | None = None) -> Trace:
        """The accesses to one array, only reads or only writes, of one block: what is None is not asked."""
        keep = np.ones(len(self), bool)
        if array is not None:
            keep &= np.isin(self.accesses["array"], [k for k, name in enumerate(self.arrays) if name == array])
        if writes is not None:
            keep &= self.accesses["write"] == int(writes)
        if block is not None:
            keep &= self.accesses["block"] == block
        return replace(self, accesses=self.accesses[keep], turn=self.turn[keep])

    def requests(self) -> np.ndarray:
        """int64 [n]: a number for the warp instruction that each access belongs to."""
        warp = self.accesses["thread"].astype(np.int64) // WARP
        keys = np.stack([self.accesses["block"], warp, self.accesses["site"], self.turn], 1)
        return np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1) if len(self) else np.zeros(0, np.int64)

    def sectors(self) -> int:
        """How many 32-byte sectors all warp instructions together ask for, each sector once per instruction."""
        first = self.accesses["offset"].astype(np.int64) // SECTOR
        last = (self.accesses["offset"].astype(np.int64) + np.maximum(self.accesses["size"], 1) - 1) // SECTOR
        requests, array = self.requests(), self.accesses["array"].astype(np.int64)
        both = [np.stack([requests, array, sector], 1) for sector in (first, last)]
        return len(np.unique(np.concatenate(both), axis=0)) if len(self) else 0

    def bytes(self) -> int:
        """How many bytes the threads asked for, several askings of one byte counted each."""
        return int(self.accesses["size"].sum())


def trace(
    kernel: Launchable,
    grid: Size,
    block: Size,
    args: Sequence[Any],
    shared_mem: int = 0,
    *,
    time_limit: float = 10.0,
) -> Trace:
    """Run a kernel once on copies of its arguments and return every access to its arrays and shared variables.

    Runs in a process of its own, as `cuda.check` does. Raises LaunchError if the kernel does not come to its end.
    Local variables are left out: on a GPU they are registers.
    """
    launch = kernel.bound(grid, block, args, shared_mem)
    with run_apart(launch, kernel.variables(), RunSettings("traced", time_limit)) as run:
        outcome = run.outcome
        traced = outcome.first("traced")
        if not outcome.finished or traced is None:
            raise LaunchError(f"{launch.name} {died_in_words(outcome, launch)}")
        stopped = outcome.first("pass")
        if stopped and int(stopped[0]):
            raise LaunchError(f"{launch.name}: {stopped[1]}")
        accesses = np.fromfile(run.job.with_name("report.accesses"), RECORD)
    names = tuple(record[3] for record in outcome.records if record[0] == "region")
    stacks = {int(record[1]): record[2] for record in outcome.records if record[0] == "site"}
    source = SourceLines(launch.kernel.source, run.program)
    return Trace(accesses, _turns(accesses), names, stacks, source, cut=traced[1] == "1")


def _turns(accesses: np.ndarray) -> np.ndarray:
    """How often the thread of each access had made one at the same place before."""
    if not len(accesses):
        return np.zeros(0, np.int64)
    keys = np.stack([accesses["block"], accesses["thread"], accesses["site"], accesses["write"]], 1)
    _, group, counts = np.unique(keys, axis=0, return_inverse=True, return_counts=True)
    group = group.reshape(-1)
    order = np.argsort(group, kind="stable")
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    turn = np.empty(len(accesses), np.int64)
    turn[order] = np.arange(len(accesses)) - np.repeat(starts, counts)
    return turn
