"""How long a call takes, measured so that two measurements agree."""

from __future__ import annotations

import contextlib
import gc
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

__all__ = ["Latency", "latency", "seconds_of", "undisturbed", "wait_for_gpu"]


@dataclass(frozen=True, repr=False)
class Latency:
    """Seconds per call.

    median  half of the runs were faster.
    low, high  the first and third quartiles: half of the runs lie between them.
    runs    how many calls were timed.
    """

    median: float
    low: float
    high: float
    runs: int

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Latency:
        """Of single runs, one or more."""
        if len(seconds) == 1:
            return cls(seconds[0], seconds[0], seconds[0], 1)
        low, median, high = statistics.quantiles(seconds, n=4, method="inclusive")
        return cls(median, low, high, len(seconds))

    def __repr__(self) -> str:
        scale, unit = next((s, u) for s, u in _UNITS if self.median >= s or u == "ns")
        low, high = self.low / scale, self.high / scale
        return f"{self.median / scale:.3g} {unit} (half of {self.runs} runs: {low:.3g} to {high:.3g} {unit})"


_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


def latency(call: Callable[[], Any], *, warmup: int = 3, runs: int = 20) -> Latency:
    """Time `call()`, `runs` times after `warmup` untimed calls that fill caches and finish lazy set-up.

    Where CUDA is in use, each run starts with an idle GPU and ends when its work is done. The median is not moved by
    the odd slow run; the quartiles say how steady the machine was. Calls to be compared are timed in turn: `compare`.

    Raises ValueError if `runs` is below 1 or `warmup` below 0.
    """
    if runs < 1 or warmup < 0:
        raise ValueError(f"latency needs runs of 1 or more and warmup of 0 or more, not {runs} and {warmup}")
    for _ in range(warmup):
        call()
    with undisturbed():
        return Latency.of([seconds_of(call) for _ in range(runs)])


def seconds_of(call: Callable[[], Any], calls: int = 1) -> float:
    """Wall-clock seconds per call of so many in a row, from an idle GPU to an idle GPU where CUDA is in use."""
    wait_for_gpu()
    started = time.perf_counter()
    for _ in range(calls):
        call()
    wait_for_gpu()
    return (time.perf_counter() - started) / calls


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """No garbage collection inside: one in the middle of a run is not the call's cost."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def wait_for_gpu() -> None:
    """Return when the GPU is idle; at once where CUDA is not in use.

    A GPU's work goes on after the call that asked for it; clocks and meters are read when it is done.
    """
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()
