"""Decides whether an executed notebook did what is expected of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nbformat import NotebookNode

from course_lib import recording
from course_lib.workbook.execute import executed
from course_lib.workbook.execute.excerpt import error_headline, excerpt, numbered
from course_lib.workbook.execute.limits import MAX_EXECUTED_BYTES
from course_lib.workbook.execute.result import Problem, ProblemKind
from course_lib.workbook.execute.tasks import Task

__all__ = ["budget_overrun", "problems"]


def problems(task: Task, notebook: NotebookNode, size: int) -> list[Problem]:
    """Everything wrong with the executed notebook, `size` bytes large, but for its time."""
    found = list(_error_problems(task, notebook))
    if task.part != "student":
        found += _stderr_problems(notebook)
        found += [_metric_problem(metric) for metric in executed.metrics(notebook) if not recording.in_band(metric)]
    if size > MAX_EXECUTED_BYTES:
        found.append(_size_problem(size))
    return found


def budget_overrun(task: Task, seconds: float) -> str | None:
    """One line if the task took longer than authors are asked to keep to."""
    target = task.budget.target
    if target is None or seconds <= target:
        return None
    what = "its graded part" if task.part == "graded" else "it"
    return f"{what} took {seconds:.1f} s; the budget is {target:.0f} s"


def _error_problems(task: Task, notebook: NotebookNode) -> Iterator[Problem]:
    for cell, error in executed.errors(notebook):
        if task.part == "student":
            if _is_unanswered(notebook, error):
                continue
            summary = (
                f"{error_headline(error)}, in cell {cell.id}; unanswered, a notebook may only stop with "
                "NotImplementedError raised by an exercise or a quiz itself"
            )
        else:
            summary = f"{error_headline(error)}, in cell {cell.id}"
        yield Problem("error", summary, excerpt(notebook, cell, error), cell.id)


def _is_unanswered(notebook: NotebookNode, error: NotebookNode) -> bool:
    if error.ename == "UnwrittenKernel":  # an answer that is a text cannot raise; who reads it does
        return True
    if error.ename != "NotImplementedError":
        return False
    origin = executed.innermost_cell(notebook, error)
    return origin is not None and executed.is_answer_cell(origin)


def _stderr_problems(notebook: NotebookNode) -> Iterator[Problem]:
    for cell in executed.code_cells(notebook):
        text = executed.stderr_text(cell).strip()
        if text and executed.is_check_cell(cell):
            first = text.splitlines()[0]
            yield Problem("stderr", f"check cell {cell.id} prints to stderr: {first}", numbered(text, None), cell.id)


def _metric_problem(metric: dict[str, Any]) -> Problem:
    kind: ProblemKind = "timing" if metric.get("timed") else "metric"
    return Problem(kind, f"metric out of its band: {recording.describe(metric)}", metric=metric["name"])


def _size_problem(size: int) -> Problem:
    megabytes = size / 1e6
    return Problem(
        "size", f"the executed copy has {megabytes:.1f} MB; the limit is {MAX_EXECUTED_BYTES / 1e6:.0f} MB: draw less"
    )
