"""Tries answers against an exercise's visible check: the solution, wrong answers, other right ones.

Trusted code only: everything runs in this process. The answers are those of `authoring/answers.py`.
"""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from typing import Any

from autograders.engine.asking.reference import SETTINGS, namespace_of
from course_lib.workbook.source import SourceNotebook

__all__ = ["Trial"]


@dataclass
class Trial:
    """One notebook's settings and imports, executed once; each answer then meets its check in a copy of them."""

    notebook: SourceNotebook

    def __post_init__(self) -> None:
        self._namespace = namespace_of(self.notebook, SETTINGS)

    def check(self, exercise: str, answer: str) -> Exception | None:
        """Run `answer` in place of the exercise cell, then its check. Returns what the check raised, if anything."""
        namespace = dict(self._namespace)
        [check] = [cell for cell in self.notebook.text.of_kind("check") if cell.id == exercise]
        with contextlib.redirect_stdout(io.StringIO()):
            try:
                _execute(answer, f"answer to {exercise}", namespace)
                _execute(check.source, f"check of {exercise}", namespace)
            except Exception as error:
                return error
        return None


def _execute(source: str, label: str, namespace: dict[str, Any]) -> None:
    exec(compile(source, f"<{label}>", "exec"), namespace)
