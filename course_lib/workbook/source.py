"""The course's notebooks as their authors wrote them: every `solutions/labN_*/Nx_*.py`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from course_lib.errors import CourseError
from course_lib.workbook.percent import Cell, PercentFile, read_percent
from course_lib.workbook.quizzes import Statement, read_quizzes

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = ["SourceNotebook", "source_notebooks"]


@dataclass(frozen=True)
class SourceNotebook:
    """One notebook's text source with the quiz keys that staff keep for it.

    id    file name without its ending, such as "1a_neural_networks".
    lab   folder name, such as "lab1_cnn_basics".
    """

    id: str
    lab: str
    text: PercentFile
    quizzes: dict[str, tuple[Statement, ...]]

    @property
    def path(self) -> Path:
        return self.text.path

    @property
    def cells(self) -> tuple[Cell, ...]:
        return self.text.cells

    @property
    def title(self) -> str:
        return str(self.text.header["title"])

    @property
    def summary(self) -> str:
        return str(self.text.header["summary"])

    @property
    def minutes(self) -> int:
        return int(self.text.header["minutes"])

    @cached_property
    def notebook(self) -> NotebookNode:
        """The solution notebook with full nbgrader metadata: what nbgrader calls the source version."""
        from course_lib.workbook.expand import expand

        return expand(self)


def source_notebooks(root: Path) -> dict[str, SourceNotebook]:
    """Every notebook below `root/solutions`, by id, in teaching order. Raises CourseError for an unreadable one."""
    paths = sorted((root / "solutions").glob("lab*/*.py"))
    return {path.stem: _read_again(root, path) for path in paths}


def _read_again(root: Path, path: Path) -> SourceNotebook:
    """jupytext takes a second for a notebook, so a file is read once until it, or its quiz keys, change."""
    keys = _quiz_keys(root, path)
    versions = tuple(file.stat().st_mtime_ns if file.exists() else 0 for file in (path, keys))
    return _read(root, path, versions)


def _quiz_keys(root: Path, path: Path) -> Path:
    return root / "autograders" / "quizzes" / path.parent.name / f"{path.stem}.toml"


@cache
def _read(root: Path, path: Path, versions: tuple[int, ...]) -> SourceNotebook:
    text = read_percent(path)
    missing = [entry for entry in ("title", "summary", "minutes") if entry not in text.header]
    if missing:
        raise CourseError(f"{path} has no {' and no '.join(missing)} under `course:` in its header")
    return SourceNotebook(path.stem, path.parent.name, text, read_quizzes(_quiz_keys(root, path)))
