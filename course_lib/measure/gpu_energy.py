"""The energy that a call really takes on an NVIDIA GPU."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from course_lib.measure.latency import wait_for_gpu
from course_lib.measure.nvml import EnergyCounter, NoEnergyMeter, current_gpu
from course_lib.measure.units import with_prefix

__all__ = ["MeasuredEnergy", "NoEnergyMeter", "gpu_energy"]


@dataclass(frozen=True, repr=False)
class MeasuredEnergy:
    """What one call took on average.

    joules   of the whole GPU board, what it draws when idle included.
    seconds  wall-clock time; `joules / seconds` is the power in watts.
    calls    how many were measured together.
    """

    joules: float
    seconds: float
    calls: int

    @property
    def watts(self) -> float:
        return self.joules / self.seconds

    def __repr__(self) -> str:
        energy, power = with_prefix(self.joules, "J"), with_prefix(self.watts, "W")
        return f"{energy} and {with_prefix(self.seconds, 's')} per call, {power} ({self.calls} calls)"


def gpu_energy(call: Callable[[], Any], *, seconds: float = 2.0, warmup: int = 3) -> MeasuredEnergy:
    """Run `call()` again and again for `seconds` on torch's current GPU and read the GPU's energy counter around it.

    The counter moves in steps of 20 to 100 ms of work, so that a time below one second gives a rough value. Work of
    other programs on the same GPU counts too, and the processor's energy does not.

    Raises NoEnergyMeter (a CourseError) where there is no NVIDIA GPU or its driver offers no counter, and ValueError
    if `seconds` is not above 0 or `warmup` is below 0.
    """
    if seconds <= 0 or warmup < 0:
        raise ValueError(f"gpu_energy needs seconds above 0 and a warmup of 0 or more, not {seconds} and {warmup}")
    counter = EnergyCounter(current_gpu())
    for _ in range(warmup):
        call()
    wait_for_gpu()
    calls, joules, started = 0, counter.joules(), time.perf_counter()
    while (elapsed := time.perf_counter() - started) < seconds:
        call()
        wait_for_gpu()  # else thousands of launches would queue up
        calls += 1
    return MeasuredEnergy((counter.joules() - joules) / calls, elapsed / calls, calls)
