"""What the device can do, measured in the same run: how fast it reads, and the peak rate of each arithmetic."""

from __future__ import annotations

import torch

from benchmarks.harness.case import Case
from course_lib.measure.ceilings import peak as macs_per_second
from course_lib.measure.ceilings import reading_rates

__all__ = ["bandwidth", "limit_seconds", "peak"]


def bandwidth(device: torch.device) -> float:
    """Bytes per second read from memory, beyond all caches."""
    return reading_rates(device)[0]


def peak(device: torch.device, arithmetic: str) -> float:
    """Operations per second, a multiplication and an addition counted as two."""
    return 2 * macs_per_second(device, arithmetic)


def limit_seconds(case: Case, bytes_per_second: float, operations_per_second: float) -> float:
    """No implementation is faster: all bytes at full bandwidth, all operations at the peak rate, overlapped."""
    return max(case.bytes / bytes_per_second, case.operations / operations_per_second)
