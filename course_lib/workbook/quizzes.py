"""Reads the keys of quizzes, which stand outside the notebooks: a file `quiz.toml` for each, among what marks it.

[cnn_words]
a = { true = true, reason = "one sentence that feedback shows" }
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from course_lib.errors import CourseError

__all__ = ["Statement", "read_quizzes"]


@dataclass(frozen=True)
class Statement:
    """One statement of a quiz: its letter, whether it is true, and the reason shown after grading."""

    letter: str
    true: bool
    reason: str


def read_quizzes(path: Path) -> dict[str, tuple[Statement, ...]]:
    """Quiz id -> its statements in order; empty when the notebook has no file of keys."""
    if not path.exists():
        return {}
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
        return {quiz: tuple(_statement(*row) for row in table.items()) for quiz, table in tables.items()}
    except (tomllib.TOMLDecodeError, KeyError, TypeError, AttributeError) as error:
        raise CourseError(
            f"{path} is not a file of quiz keys ({error}); each statement is a line "
            'such as  a = {{ true = false, reason = "..." }}  under [quiz_id]'.replace("{{", "{").replace("}}", "}")
        ) from error


def _statement(letter: str, entry: dict[str, object]) -> Statement:
    if not isinstance(entry["true"], bool):
        raise TypeError(f"true = {entry['true']!r} of statement {letter} is neither true nor false")
    return Statement(letter, entry["true"], str(entry["reason"]))
