"""How long a call takes, measured so that two measurements agree."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from course_lib.measure.gpu_wait import wait_for_gpu

__all__ = ["Latency", "latency"]


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

    def __repr__(self) -> str:
        scale, unit = next((s, u) for s, u in _UNITS if self.median >= s or u == "ns")
        low, high = self.low / scale, self.high / scale
        return f"{self.median / scale:.3g} {unit} (half of {self.runs} runs: {low:.3g} to {high:.3g} {unit})"


_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


def latency(call: Callable[[], Any], *, warmup: int = 3, runs: int = 20) -> Latency:
    """Time `call()`, `runs` times after `warmup` untimed calls that fill caches and finish lazy set-up.

    Where CUDA is in use, each run starts with an idle GPU and ends when its work is done. The median is not moved by
    the odd slow run; the quartiles say how steady the machine was.

    Raises ValueError if `runs` is below 1 or `warmup` below 0.
    """
    if runs < 1 or warmup < 0:
        raise ValueError(f"latency needs runs of 1 or more and warmup of 0 or more, not {runs} and {warmup}")
    for _ in range(warmup):
        call()
    collecting = gc.isenabled()
    gc.disable()  # a collection in the middle of a run is not the call's cost
    try:
        seconds = [_time_once(call) for _ in range(runs)]
    finally:
        if collecting:
            gc.enable()
    low, median, high = statistics.quantiles(seconds, n=4, method="inclusive") if runs > 1 else seconds * 3
    return Latency(median, low, high, runs)


def _time_once(call: Callable[[], Any]) -> float:
    wait_for_gpu()
    started = time.perf_counter()
    call()
    wait_for_gpu()
    return time.perf_counter() - started
