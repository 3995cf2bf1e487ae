"""The exercises of the course, for tests of each one. The notebooks are not read, so that collecting tests stays short.

A notebook is read by the first test of it that runs, with its answers and questions; `-k running_mean` reads one.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path

from autograders.authoring.answers import read_answers
from course_lib.workbook import source_notebooks

__all__ = ["EXERCISES", "NOTEBOOKS", "answers_to"]

NOTEBOOKS = source_notebooks(Path(__file__).resolve().parents[1])
EXERCISES = [
    (name, exercise)
    for name, book in NOTEBOOKS.items()
    for path in sorted(book.folder.glob("*.py"))
    for exercise in re.findall(r'^# %%.*\bexercise="([^"]+)"', path.read_text(encoding="utf-8"), re.MULTILINE)
]


def answers_to(name, exercise):
    """The answers that staff keep for one exercise of the notebook `name`."""
    return [answer for answer in _answers(name) if answer.id == exercise]


@functools.cache
def _answers(name):
    return read_answers(NOTEBOOKS[name])
