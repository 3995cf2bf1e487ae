"""What was out of time or out of a timed band is executed once more, alone: a fault is what is out both times.

Notebooks run side by side, and on a machine that others use too; neither may fail one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from course_lib.recording import describe, in_band
from course_lib.workbook.execute.result import Result
from course_lib.workbook.execute.tasks import Task

__all__ = ["measured_again"]

BY_THE_CLOCK = frozenset({"timing", "time"})


def measured_again(results: Sequence[Result], execute_alone: Callable[[Sequence[Task]], list[Result]]) -> list[Result]:
    """The results, where those that only a clock was against are replaced by what a second execution says.

    execute_alone  executes tasks one at a time, while nothing else of this run goes on.
    """
    doubtful = [number for number, result in enumerate(results) if _only_the_clock_is_against(result)]
    if not doubtful:
        return list(results)
    seconds = execute_alone([results[number].task for number in doubtful])
    merged = list(results)
    for number, second in zip(doubtful, seconds, strict=True):
        merged[number] = _merged(results[number], second)
    return merged


def _only_the_clock_is_against(result: Result) -> bool:
    return not result.ok and all(problem.kind in BY_THE_CLOCK for problem in result.problems)


def _merged(first: Result, second: Result) -> Result:
    out_before = {problem.metric for problem in first.problems if problem.kind == "timing"}
    problems = [problem for problem in second.problems if problem.kind != "timing" or problem.metric in out_before]
    return replace(
        second,
        metrics=[_better(metric, first) for metric in second.metrics],
        problems=problems,
        notes=[*second.notes, *_notes(first, second)],
    )


def _better(metric: dict[str, Any], first: Result) -> dict[str, Any]:
    """A timed metric that was in its band the first time counts as measured then."""
    if in_band(metric) or not metric.get("timed"):
        return metric
    return next((one for one in first.metrics if one["name"] == metric["name"] and in_band(one)), metric)


def _notes(first: Result, second: Result) -> list[str]:
    now = {metric["name"]: metric for metric in second.metrics}
    notes = []
    for problem in first.problems:
        if problem.kind == "timing":
            was = next(describe(metric) for metric in first.metrics if metric["name"] == problem.metric)
            alone = describe(now[problem.metric]) if problem.metric in now else "not recorded"
            notes.append(f"measured again, alone: {alone}; beside others {was}")
        else:
            notes.append(f"measured again, alone: {second.seconds:.1f} s; beside others: {problem.summary}")
    return notes
