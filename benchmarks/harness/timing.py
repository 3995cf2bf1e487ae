"""Median seconds per call, with the inputs outside the cache."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from course_lib import machine

__all__ = ["Sampler", "Timing", "copies_needed", "interleave"]

MOST_COPIES = {"cuda": 64, "cpu": 8}
BATCH_SECONDS = 2e-3  # long beside the resolution of an event (0.5 us)
MOST_CALLS = 200  # a launch queue holds about a thousand
SLEEP_CYCLES_PER_SECOND = 2e9


@dataclass(frozen=True)
class Timing:
    """Seconds per call: the median, the first and third quartiles, and over how many samples."""

    median: float
    low: float
    high: float
    samples: int


def cache_bytes(device: torch.device) -> int:
    """The last cache before memory, in bytes."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).L2_cache_size
    return machine.cache_bytes()


def copies_needed(device: torch.device, case_bytes: int) -> int:
    """How many sets of inputs to go round, so that each is out of the cache again when its turn comes."""
    wanted = 1 + math.ceil(2 * cache_bytes(device) / max(case_bytes, 1))
    return min(wanted, MOST_COPIES[device.type])


class Sampler:
    """Times one contender: each sample calls it on the next sets of inputs and keeps the outputs alive.

    On a GPU a sample is a batch of calls between two events. The GPU is first sent to sleep for as long as the host
    needs to queue the batch, so that launch overhead, which differs between Python bindings, is not measured.
    """

    def __init__(self, device: torch.device, calls: Sequence[Callable[[], Tensor]]) -> None:
        self.device = device
        self.calls = list(calls)
        self.outputs: list[Tensor | None] = [None] * len(self.calls)
        self.next = 0
        self.seconds: list[float] = []
        for _ in self.calls:  # compiles, selects algorithms, fills allocators
            self._call()
        self._wait()
        self.batch, self.queueing = self._plan()

    def sample(self) -> None:
        self.seconds.append(self._gpu_batch() if self.device.type == "cuda" else self._cpu_call())

    def timing(self) -> Timing:
        low, median, high = statistics.quantiles(self.seconds, n=4, method="inclusive")
        return Timing(median, low, high, len(self.seconds))

    def _call(self) -> None:
        self.outputs[self.next] = self.calls[self.next]()
        self.next = (self.next + 1) % len(self.calls)

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def _plan(self) -> tuple[int, float]:
        """How many calls make a batch, and how long the host takes to queue them."""
        started = time.perf_counter()
        for _ in range(4):
            self._call()
        queued = time.perf_counter() - started
        self._wait()
        each = (time.perf_counter() - started) / 4
        batch = max(1, min(MOST_CALLS, math.ceil(BATCH_SECONDS / each)))
        return batch, queued / 4 * batch

    def _gpu_batch(self) -> float:
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda._sleep(int(min(1.5 * self.queueing, 0.05) * SLEEP_CYCLES_PER_SECOND))
        start.record()
        for _ in range(self.batch):
            self._call()
        end.record()
        end.synchronize()
        return start.elapsed_time(end) / 1e3 / self.batch

    def _cpu_call(self) -> float:
        started = time.perf_counter()
        self._call()
        return time.perf_counter() - started


def interleave(samplers: Sequence[Sampler], samples: int) -> None:
    """Take the samples in turns: a clock or a neighbour that changes during the run changes for all of them.

    Each goes on with the set of inputs after the one that was used last, by whomever: none finds in the cache what
    the contender before it has just read.
    """
    following = samplers[0].next if samplers else 0
    for _ in range(samples):
        for sampler in samplers:
            sampler.next = following % len(sampler.calls)
            sampler.sample()
            following = sampler.next
