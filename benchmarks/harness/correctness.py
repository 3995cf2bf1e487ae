"""Is the result right? Nothing is timed before it is."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from benchmarks.harness.case import Case, Contender, Unavailable

__all__ = ["Verdict", "WrongResult", "check", "relative_error"]

POISON_BYTES = 64 << 20


class WrongResult(AssertionError):
    """One of our own contenders computed something else than the oracle."""


class Verdict(dict):
    """A row of the result file: case, contender, and either the relative error or why there is none."""

    @property
    def usable(self) -> bool:
        return self.get("correct", False)


def relative_error(result: Tensor, oracle: Tensor) -> float:
    """||result - oracle|| / ||oracle|| in float64 (Frobenius); ||result|| where the oracle is zero; NaN stays NaN."""
    if result.shape != oracle.shape:
        return math.inf
    scale = torch.linalg.vector_norm(oracle).item() or 1.0
    return torch.linalg.vector_norm(result.to(oracle) - oracle).item() / scale


def check(case: Case, contender: Contender, inputs: Any, oracle: Tensor) -> Verdict:
    """Run the contender once and compare; raises WrongResult if it is ours and differs."""
    verdict = Verdict(case=case.name, contender=contender.name)
    try:
        call = contender.prepare(inputs)
        _poison_freed_memory(oracle.device)
        error = relative_error(call(), oracle)
    except Exception as problem:  # a peer may refuse a dtype or a shape in any way it likes
        if contender.ours and not isinstance(problem, Unavailable):
            raise
        return Verdict(verdict, unavailable=_first_line(problem))
    verdict.update(relative_error=error if math.isfinite(error) else str(error), correct=error <= case.tolerance)
    if contender.ours and not verdict.usable:
        raise WrongResult(f"{contender.name} on {case.name}: relative error {error:.3g}, allowed {case.tolerance:.3g}")
    return verdict


def _poison_freed_memory(device: torch.device) -> None:
    """Leave NaN in the memory that the allocator hands out next: an element that nothing writes then shows."""
    if device.type == "cuda":
        for size in (1 << 20, POISON_BYTES):  # torch keeps blocks below and above 1 MiB apart
            torch.full((size // 8,), math.nan, dtype=torch.float64, device=device)


def _first_line(problem: BaseException) -> str:
    lines = str(problem).strip().splitlines()
    return f"{type(problem).__name__}: {lines[0][:120]}" if lines else type(problem).__name__
