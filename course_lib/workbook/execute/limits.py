"""How long an executed notebook may take and how large it may become: the one place that says so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

__all__ = ["MAX_EXECUTED_BYTES", "PARTS", "Part", "TimeBudget", "time_budget"]

# solution: everything, answers included; student: labs/ as released; graded: a solution without its experiments
Part = Literal["solution", "student", "graded"]
PARTS: tuple[Part, ...] = get_args(Part)

MAX_EXECUTED_BYTES = 2_000_000


@dataclass(frozen=True)
class TimeBudget:
    """Seconds on 2 cores without a GPU.

    target  what authors keep to, in the graded part counted from the end of the setup cell; None: no target.
    stop    when the whole execution, start of the kernel included, is ended.
    """

    target: float | None
    stop: float


_FAST: dict[Part, TimeBudget] = {
    "solution": TimeBudget(target=90, stop=240),
    "student": TimeBudget(target=90, stop=240),
    "graded": TimeBudget(target=10, stop=120),
}
_FULL = TimeBudget(target=None, stop=12 * 3600)


def time_budget(part: Part, profile: str) -> TimeBudget:
    return _FAST[part] if profile == "fast" else _FULL
