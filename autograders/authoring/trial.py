"""Tries answers to an exercise: against its visible check, and against its hidden question.

Trusted code only: everything runs in this process. The answers are the solution, the stub that students get, and those
of `answers.py`.
"""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import nbformat

from autograders.engine.asking.question import Question, ask
from autograders.engine.asking.reference import SETTINGS, LocalAsker, Reference, namespace_of
from autograders.engine.asking.remote import Student
from autograders.engine.verdict import QuestionResult
from course_lib.errors import CourseError
from course_lib.workbook.source import SourceNotebook

__all__ = ["Trial", "released_stubs"]


@dataclass
class Trial:
    """One notebook's settings and imports, executed once; each answer then runs in a copy of them, alone."""

    notebook: SourceNotebook

    @cached_property
    def _start(self) -> dict[str, Any]:
        return namespace_of(self.notebook, SETTINGS)

    @cached_property
    def solutions(self) -> dict[str, str]:
        """Exercise id -> the source of its solution."""
        return {cell.id: cell.source for cell in self.notebook.text.of_kind("exercise")}

    @cached_property
    def checks(self) -> dict[str, str]:
        """Exercise id -> the source of its visible check."""
        return {cell.id: cell.source for cell in self.notebook.text.of_kind("check")}

    @cached_property
    def points(self) -> dict[str, float]:
        return {cell.id: float(cell.points or 0) for cell in self.notebook.text.of_kind("check")}

    @cached_property
    def reference(self) -> Reference:
        namespace = dict(self._start)
        for exercise, source in self.solutions.items():
            _execute(source, f"solution of {exercise}", namespace)
        return Reference(namespace)

    def namespace(self, answer: str) -> dict[str, Any]:
        """What the settings, the imports and one answer define. Raises what the answer's own lines raise."""
        namespace = dict(self._start)
        _execute(answer, f"answer in {self.notebook.id}", namespace)
        return namespace

    def check(self, exercise: str, answer: str) -> Exception | None:
        """Run `answer` in place of the exercise, then its visible check. Returns what they raised, if anything."""
        try:
            _execute(self.checks[exercise], f"check of {exercise}", self.namespace(answer))
        except Exception as error:
            return error
        return None

    def ask(self, entry: Question, namespace: dict[str, Any], seed: int) -> QuestionResult:
        """Put a hidden question to what `namespace` made."""
        student = Student(LocalAsker(namespace))
        return ask(entry, self.points[entry.exercise], student, self.reference, seed)


def released_stubs(root: Path, notebook: SourceNotebook) -> dict[str, str]:
    """Exercise id -> the cell as students get it. Raises CourseError if the notebook was not built."""
    path = root / "labs" / notebook.lab / f"{notebook.id}.ipynb"
    if not path.exists():
        raise CourseError(f"{path} is missing; run `course build`")
    exercises = {cell.id for cell in notebook.text.of_kind("exercise")}
    return {cell.id: cell.source for cell in nbformat.read(path, 4).cells if cell.id in exercises}


def _execute(source: str, label: str, namespace: dict[str, Any]) -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(source, f"<{label}>", "exec"), namespace)
