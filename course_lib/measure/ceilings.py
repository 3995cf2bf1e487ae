"""The two ceilings of a machine's roofline, measured: how fast it multiplies, and how fast it moves bytes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import torch

from course_lib.measure.gpu_wait import wait_for_gpu
from course_lib.measure.units import with_prefix

__all__ = ["Ceilings", "ceilings"]

_SIDES = {"cpu": (384, 768, 1152), "cuda": (2048, 4096, 8192)}  # of the square matrices
_NUMBERS = {"cpu": 1 << 24, "cuda": 1 << 28}  # float32: arrays of 64 MiB and of 1 GiB, beyond most caches
_RUNS = 5


@dataclass(frozen=True, repr=False)
class Ceilings:
    """What a machine can do at best.

    macs_per_second   multiply-accumulates of a large float32 matrix product.
    bytes_per_second  read and written while long arrays are copied and added.
    device            where they were measured.
    """

    macs_per_second: float
    bytes_per_second: float
    device: str = "cpu"

    def __post_init__(self) -> None:
        if not (self.macs_per_second > 0 and self.bytes_per_second > 0):
            raise ValueError(f"ceilings are above 0, not {self.macs_per_second} MAC/s and {self.bytes_per_second} B/s")

    @property
    def ridge(self) -> float:
        """The arithmetic intensity, in MACs per byte, from which on the arithmetic is the limit."""
        return self.macs_per_second / self.bytes_per_second

    def attainable(self, intensity: float) -> float:
        """MAC/s that work of `intensity` MACs per byte can reach (Williams, Waterman, Patterson, CACM 2009)."""
        return min(self.macs_per_second, self.bytes_per_second * intensity)

    def __repr__(self) -> str:
        rates = f"{with_prefix(self.macs_per_second, 'MAC/s')}, {with_prefix(self.bytes_per_second, 'B/s')}"
        return f"{rates} on {self.device}, ridge at {self.ridge:.3g} MACs per byte"


def ceilings(device: torch.device | str = "cpu") -> Ceilings:
    """Measure both ceilings in about a second, once for each device and number of torch's threads.

    The multiplication rate is the best of products of float32 matrices of several sizes; the bandwidth the best of
    copying an array and of a triad a = b + 3 c (McCalpin's STREAM), each number counted once for every read and write.
    The best of several runs is taken, since anything else that runs only slows them down. A processor whose cache
    holds 192 MiB shows the cache's bandwidth.
    """
    return _measured(str(torch.device(device)), torch.get_num_threads())


@lru_cache(maxsize=8)
def _measured(name: str, threads: int) -> Ceilings:
    device = torch.device(name)
    kind = device.type if device.type in _SIDES else "cpu"
    with torch.inference_mode():
        macs = max(_product_rate(side, device) for side in _SIDES[kind])
        moved = _copy_rate(_NUMBERS[kind], device)
    if kind == "cuda":
        return Ceilings(macs, moved, torch.cuda.get_device_name(device))
    return Ceilings(macs, moved, f"{name}, {threads} thread{'s' if threads > 1 else ''}")


def _product_rate(side: int, device: torch.device) -> float:
    left, right = torch.rand(side, side, device=device), torch.rand(side, side, device=device)
    out = torch.empty_like(left)
    return side**3 / _best_seconds(partial(torch.mm, left, right, out=out))


def _copy_rate(numbers: int, device: torch.device) -> float:
    a, b, c = (torch.ones(numbers, device=device) for _ in range(3))
    copied = 2 * a.nbytes / _best_seconds(partial(a.copy_, b))
    added = 3 * a.nbytes / _best_seconds(partial(torch.add, b, c, alpha=3, out=a))
    return max(copied, added)


def _best_seconds(call: Callable[[], Any]) -> float:
    seconds = []
    for _ in range(1 + _RUNS):
        wait_for_gpu()
        started = time.perf_counter()
        call()
        wait_for_gpu()
        seconds.append(time.perf_counter() - started)
    return min(seconds[1:])  # the first run fills caches and touches fresh pages
