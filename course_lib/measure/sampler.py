"""One timer for all: samples of several calls in turn, with inputs outside the cache or in it, on a CPU or a GPU."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch

from course_lib import machine
from course_lib.measure.latency import Latency, seconds_of, wait_for_gpu

__all__ = ["Sampler", "cache_bytes", "copies_needed", "fastest", "interleave"]

MOST_COPIES = {"cuda": 64, "cpu": 8}
BATCH_SECONDS = 2e-3  # long beside the resolution of an event (0.5 us)
MOST_CALLS = 200  # a launch queue holds about a thousand
SLEEP_CYCLES_PER_SECOND = 2e9


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

    device   "cuda": a sample is a batch of calls between two events. The GPU is first sent to sleep for as long as the
        host needs to queue the batch, so that launch overhead, which differs between Python bindings, is not measured.
        "cpu": a sample is wall-clock time, until the GPU is idle where one is in use.
    calls    the same work on different inputs; one call alone finds its inputs in the cache.
    shortest on a CPU: a sample repeats its call until it lasts at least so many seconds, for calls that are short
        beside the clock's own cost.

    seconds  per call, of the samples so far.
    """

    def __init__(self, device: torch.device, calls: Sequence[Callable[[], Any]], *, shortest: float = 0.0) -> None:
        self.device = device
        self.calls = list(calls)
        self.outputs: list[Any] = [None] * len(self.calls)
        self.next = 0
        self.seconds: list[float] = []
        for _ in self.calls:  # compiles, selects algorithms, fills allocators
            self._call()
        wait_for_gpu()
        self.batch, self.queueing = self._plan(BATCH_SECONDS if device.type == "cuda" else shortest)

    def sample(self) -> None:
        self.seconds.append(self._gpu_batch() if self.device.type == "cuda" else seconds_of(self._call, self.batch))

    def timing(self) -> Latency:
        return Latency.of(self.seconds)

    def _call(self) -> None:
        self.outputs[self.next] = self.calls[self.next]()
        self.next = (self.next + 1) % len(self.calls)

    def _plan(self, shortest: float) -> tuple[int, float]:
        """How many calls make a batch that lasts so long, and how long the host takes to queue them."""
        if not shortest:
            return 1, 0.0
        each, queued, calls = 0.0, 0.0, 1
        while calls <= 4 and each < shortest:  # one call is enough to know that it is long
            started = time.perf_counter()
            for _ in range(calls):
                self._call()
            queued = (time.perf_counter() - started) / calls
            wait_for_gpu()
            each = (time.perf_counter() - started) / calls
            calls *= 4
        batch = max(1, min(MOST_CALLS, math.ceil(shortest / max(each, 1e-9))))
        return batch, queued * batch

    def _gpu_batch(self) -> float:
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda._sleep(int(min(1.5 * self.queueing, 0.05) * SLEEP_CYCLES_PER_SECOND))
        start.record()
        for _ in range(self.batch):
            self._call()
        end.record()
        end.synchronize()
        return start.elapsed_time(end) / 1e3 / self.batch


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


def fastest(samplers: Sequence[Sampler], *, patience: int = 30, seconds: float = 1.0) -> list[float]:
    """Seconds per call of each sampler's fastest sample: not the median, since what slows a run down is no property
    of the device.

    More samples are taken, in turn, until none of the samplers has become 1% faster for `patience` rounds, or
    `seconds` have passed: a busy machine interrupts most samples, but not all that are short.
    """
    until, waited, best = time.perf_counter() + seconds, 0, [math.inf] * len(samplers)
    while waited < patience:
        interleave(samplers, 1)
        now = [min(before, sampler.seconds[-1]) for before, sampler in zip(best, samplers, strict=True)]
        waited = 0 if any(new < 0.99 * old for new, old in zip(now, best, strict=True)) else waited + 1
        best = now
        if time.perf_counter() >= until:
            break
    return best
