"""Is the result right? Nothing is timed before it is."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor

from benchmarks.harness.case import Case, Contender, Unavailable
from course_lib.measure.correctness import WrongResult, poison_freed_memory, relative_error

__all__ = ["Verdict", "check"]


class Verdict(dict):
    """A row of the result file: case, contender, and either the relative error or why there is none."""

    @property
    def usable(self) -> bool:
        return self.get("correct", False)


def check(case: Case, contender: Contender, inputs: Any, oracle: Tensor) -> Verdict:
    """Run the contender once and compare; raises WrongResult if it is ours and differs."""
    verdict = Verdict(case=case.name, contender=contender.name)
    try:
        call = contender.prepare(inputs)
        poison_freed_memory(oracle.device)
        error = relative_error(call(), oracle)
    except Exception as problem:  # a peer may refuse a dtype or a shape in any way it likes
        if contender.ours and not isinstance(problem, Unavailable):
            raise
        return Verdict(verdict, unavailable=_first_line(problem))
    verdict.update(relative_error=error if math.isfinite(error) else str(error), correct=error <= case.tolerance)
    if contender.ours and not verdict.usable:
        raise WrongResult(f"{contender.name} on {case.name}: relative error {error:.3g}, allowed {case.tolerance:.3g}")
    return verdict


def _first_line(problem: BaseException) -> str:
    lines = str(problem).strip().splitlines()
    return f"{type(problem).__name__}: {lines[0][:120]}" if lines else type(problem).__name__
