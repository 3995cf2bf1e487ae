"""The course's notebooks as their authors wrote them: every `solutions/labN_*/Nx_*.py`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
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
    return {path.stem: _read(root, path) for path in paths}


def _read(root: Path, path: Path) -> SourceNotebook:
    text = read_percent(path)
    missing = [entry for entry in ("title", "summary", "minutes") if entry not in text.header]
    if missing:
        raise CourseError(f"{path} has no {' and no '.join(missing)} under `course:` in its header")
    lab = path.parent.name
    keys = root / "autograders" / "quizzes" / lab / f"{path.stem}.toml"
    return SourceNotebook(path.stem, lab, text, read_quizzes(keys))
