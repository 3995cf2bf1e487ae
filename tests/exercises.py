"""The exercises of the course, for tests of each one. The notebooks are not read, so that collecting tests stays short.

A notebook is read by the first test of it that runs, with its answers and questions; `-k running_mean` reads one.
"""

from __future__ import annotations

import re
from pathlib import Path

from course_lib.workbook import source_notebooks

__all__ = ["EXERCISES", "NOTEBOOKS"]

NOTEBOOKS = source_notebooks(Path(__file__).resolve().parents[1])
EXERCISES = [
    (name, exercise)
    for name, book in NOTEBOOKS.items()
    for path in sorted(book.folder.glob("*.py"))
    for exercise in re.findall(r'^# %%.*\bexercise="([^"]+)"', path.read_text(encoding="utf-8"), re.MULTILINE)
]
