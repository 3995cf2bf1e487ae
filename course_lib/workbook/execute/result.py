"""What came of one task: plain data, so that it travels between processes and into reports."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from course_lib.workbook.execute.tasks import Task

__all__ = ["Problem", "ProblemKind", "Progress", "Result"]

# timing: a metric out of its band that was measured with a clock; vanished: a metric that earlier runs recorded
ProblemKind = Literal["error", "metric", "timing", "vanished", "stderr", "size", "time", "worker"]


@dataclass(frozen=True)
class Progress:
    """How far a running task is, in cells."""

    done: int
    total: int


@dataclass(frozen=True)
class Problem:
    """
    summary  one line.
    detail   the failing cell's source and error, a few lines; may be empty.
    cell     id of the cell it happened in; may be empty.
    metric   name of the metric it is about; may be empty.
    """

    kind: ProblemKind
    summary: str
    detail: str = ""
    cell: str = ""
    metric: str = ""


@dataclass(frozen=True)
class Result:
    """
    seconds  what the time budget counts; wall_seconds  from start to end, the kernel's start included.
    size     bytes of the executed copy, None if there is none.
    warnings  what an author should mend though nothing failed; notes  what a reader should know.
    """

    task: Task
    seconds: float
    wall_seconds: float
    cells: Progress
    size: int | None = None
    metrics: list[dict[str, Any]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.problems

    @property
    def executed(self) -> Path | None:
        return self.task.executed if self.size is not None else None
