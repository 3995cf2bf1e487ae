"""Results of checks laid over what there is to do: how far a student is in each notebook."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from course_lib.progress.attempts import Attempt, read_record
from course_lib.progress.outline import LabOutline, NotebookOutline, Task, read_outline

__all__ = ["LabStanding", "Next", "NotebookStanding", "next_exercise", "read_standing", "standing"]


@dataclass(frozen=True)
class NotebookStanding:
    """Exercises of one notebook by the result of the last run of their check, in the notebook's order.

    passed    the check passed when it last ran.
    tried     it has been run on an answer, and did not pass when it last ran.
    left      nothing is written yet.
    answered  quizzes that have an answer; whether it is right, no visible check says.
    tries     how often checks were run on an answer, in all.
    """

    notebook: NotebookOutline
    passed: tuple[Task, ...]
    tried: tuple[Task, ...]
    left: tuple[Task, ...]
    answered: tuple[Task, ...]
    tries: int

    @property
    def exercises(self) -> int:
        return len(self.passed) + len(self.tried) + len(self.left)

    @property
    def quizzes(self) -> int:
        return len(self.notebook.of_kind("quiz"))

    @property
    def points(self) -> float:
        """Points of the exercises whose visible check passes."""
        return sum(task.points for task in self.passed)

    @property
    def points_in_all(self) -> float:
        return sum(task.points for task in self.notebook.of_kind("exercise"))

    @property
    def next(self) -> Task | None:
        """The first exercise that does not pass."""
        passed = set(self.passed)
        return next((task for task in self.notebook.of_kind("exercise") if task not in passed), None)


@dataclass(frozen=True)
class LabStanding:
    lab: LabOutline
    notebooks: tuple[NotebookStanding, ...]


@dataclass(frozen=True)
class Next:
    """An exercise to go on with, and where it stands."""

    lab: LabOutline
    notebook: NotebookOutline
    task: Task


def standing(labs: Iterable[LabOutline], attempts: Sequence[Attempt]) -> tuple[LabStanding, ...]:
    """How far each lab is. The last run of a check counts: an answer that was broken again does not pass."""
    last = {attempt.exercise: attempt.outcome for attempt in attempts}
    tries = Counter(attempt.exercise for attempt in attempts if attempt.outcome != "unwritten")

    def of_notebook(notebook: NotebookOutline) -> NotebookStanding:
        exercises, quizzes = notebook.of_kind("exercise"), notebook.of_kind("quiz")
        return NotebookStanding(
            notebook,
            passed=tuple(task for task in exercises if last.get(task.id) == "passed"),
            tried=tuple(task for task in exercises if last.get(task.id) == "failed"),
            left=tuple(task for task in exercises if last.get(task.id) not in ("passed", "failed")),
            answered=tuple(task for task in quizzes if last.get(task.id) == "answered"),
            tries=sum(tries[task.id] for task in exercises),
        )

    return tuple(LabStanding(lab, tuple(map(of_notebook, lab.notebooks))) for lab in labs)


def next_exercise(labs: Sequence[LabStanding], attempts: Sequence[Attempt]) -> Next | None:
    """The first exercise that does not pass, of the notebook worked in last, else of all; None when all pass."""
    open_ones = [
        Next(lab.lab, part.notebook, part.next) for lab in labs for part in lab.notebooks if part.next is not None
    ]
    home = {task.id: part.notebook.id for lab in labs for part in lab.notebooks for task in part.notebook.tasks}
    latest = next((home[attempt.exercise] for attempt in reversed(attempts) if attempt.exercise in home), None)
    return next((found for found in open_ones if found.notebook.id == latest), open_ones[0] if open_ones else None)


def read_standing(course: Path) -> tuple[tuple[LabStanding, ...], Next | None]:
    """Everything the start page shows. Raises CourseError if the course does not list what its labs hold."""
    attempts = read_record(course).attempts
    labs = standing(read_outline(course), attempts)
    return labs, next_exercise(labs, attempts)
