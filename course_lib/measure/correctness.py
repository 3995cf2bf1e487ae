"""Is the result right? Nothing is timed before it is."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

__all__ = ["WrongResult", "poison_freed_memory", "relative_error", "require_agreement"]

POISON_BYTES = 64 << 20


class WrongResult(AssertionError):
    """What was to be timed computed something else than it should."""


def relative_error(result: Tensor, oracle: Tensor) -> float:
    """||result - oracle|| / ||oracle|| in float64 (Frobenius); ||result|| where the oracle is zero; NaN stays NaN."""
    if result.shape != oracle.shape:
        return math.inf
    scale = torch.linalg.vector_norm(oracle).item() or 1.0
    return torch.linalg.vector_norm(result.to(oracle) - oracle).item() / scale


def poison_freed_memory(device: torch.device) -> None:
    """Leave NaN in the memory that the allocator hands out next: an element that nothing writes then shows."""
    if device.type == "cuda":
        for size in (1 << 20, POISON_BYTES):  # torch keeps blocks below and above 1 MiB apart
            torch.full((size // 8,), math.nan, dtype=torch.float64, device=device)


def require_agreement(calls: Mapping[Any, Callable[[], Tensor]], allowed: float) -> None:
    """Raises WrongResult unless every call's result has a relative error of at most `allowed` against the first's."""
    (first, reference), *others = calls.items()
    expected = reference().double()
    for name, call in others:
        poison_freed_memory(expected.device)
        error = relative_error(call(), expected)
        if not error <= allowed:
            raise WrongResult(f"{name} and {first} differ: relative error {error:.3g}, allowed {allowed:.3g}")
