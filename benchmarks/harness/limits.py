"""What the device can do, measured in the same run: memory bandwidth and the peak rate of each arithmetic."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks.harness.case import Case
from benchmarks.harness.timing import Sampler, interleave

__all__ = ["PEAKS", "bandwidth", "limit_seconds", "peak"]

SAMPLES = 10


def bandwidth(device: torch.device) -> float:
    """Bytes per second of a large copy, counting bytes read and bytes written."""
    elements = 1 << (28 if device.type == "cuda" else 26)  # 1 GiB, 256 MiB
    source = torch.rand(elements, device=device)
    target = torch.empty_like(source)
    return 2 * 4 * elements / _fastest(device, lambda: target.copy_(source))


def _floating(dtype: torch.dtype) -> Callable[[torch.device, int], Callable[[], Tensor]]:
    def product(device: torch.device, size: int) -> Callable[[], Tensor]:
        left, right = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
        return lambda: left @ right

    return product


def _int8(device: torch.device, size: int) -> Callable[[], Tensor]:
    left, right = (torch.randint(-128, 128, (size, size), device=device, dtype=torch.int8) for _ in range(2))
    right = right.t().contiguous().t()  # cuBLASLt wants the second operand by columns
    return lambda: torch._int_mm(left, right)


# Peak rates are those of a large dense product of the vendor's library: "float32" without TF32.
PEAKS = {
    "float32": _floating(torch.float32),
    "float16": _floating(torch.float16),
    "bfloat16": _floating(torch.bfloat16),
    "int8": _int8,
}


def peak(device: torch.device, arithmetic: str) -> float:
    """Operations per second, a multiplication and an addition counted as two."""
    if arithmetic not in PEAKS:
        raise ValueError(f"arithmetic is one of {', '.join(PEAKS)}, not {arithmetic!r}")
    size = 8192 if device.type == "cuda" else 1024
    return 2 * size**3 / _fastest(device, PEAKS[arithmetic](device, size))


def limit_seconds(case: Case, bytes_per_second: float, operations_per_second: float) -> float:
    """No implementation is faster: all bytes at full bandwidth, all operations at the peak rate, overlapped."""
    return max(case.bytes / bytes_per_second, case.operations / operations_per_second)


def _fastest(device: torch.device, call: Callable[[], Tensor]) -> float:
    """Not the median: what slows a run down is no property of the device."""
    sampler = Sampler(device, [call])
    interleave([sampler], SAMPLES)
    return min(sampler.seconds)
