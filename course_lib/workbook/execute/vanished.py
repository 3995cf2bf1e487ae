"""A metric that the last passing execution recorded and this one does not: a test that nobody runs any more."""

from __future__ import annotations

from dataclasses import replace

from course_lib.workbook.execute.history import History
from course_lib.workbook.execute.result import Problem, Result

__all__ = ["with_vanished_metrics"]

_ENDED_EARLY = frozenset({"error", "time", "worker"})


def with_vanished_metrics(result: Result, history: History, *, accepted: bool) -> Result:
    """The result with a problem, or if they were removed on purpose a note, for each metric that has vanished.

    What an unanswered notebook records before it stops is no promise.
    """
    if result.task.part == "student":
        return result
    before = history.last_passed(result.task.notebook, result.task.part)
    if before is None or any(problem.kind in _ENDED_EARLY for problem in result.problems):
        return result
    run, entry = before
    present = {metric["name"] for metric in result.metrics}
    gone = [metric["name"] for metric in entry["metrics"] if metric["name"] not in present]
    when = f"on {run['finished'][:10]}" + (f" at commit {run['commit']['id'][:9]}" if run["commit"]["id"] else "")
    if accepted:
        notes = [f"metric {name} is no longer recorded, as accepted; it last was {when}" for name in gone]
        return replace(result, notes=result.notes + notes)
    mend = f"if that is meant: course run {result.task.notebook} --part {result.task.part} --accept-removed"
    found = [
        Problem("vanished", f"metric {name} has vanished; it was last recorded {when}; {mend}", metric=name)
        for name in gone
    ]
    return replace(result, problems=result.problems + found)
