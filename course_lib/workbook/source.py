"""The course's notebooks as their authors wrote them: a folder each, LAB/NOTEBOOK/, of percent files, one a section."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from course_lib.course_root import places
from course_lib.errors import CourseError
from course_lib.workbook.percent import Cell, PercentFile, read_sections
from course_lib.workbook.quizzes import Statement, read_quizzes

__all__ = ["SourceNotebook", "source_notebooks"]


@dataclass(frozen=True)
class SourceNotebook:
    """One notebook's text, and the folder of what marks it; files are read when they are first asked for.

    id       folder name, such as "1a_neural_networks".
    lab      name of the folder that holds it, such as "lab1_cnn_basics".
    folder   holds the sections, joined in the order of their names; the first one starts with the header.
    marking  holds the quiz key, and all else by which staff mark this notebook.
    """

    id: str
    lab: str
    folder: Path
    marking: Path

    @cached_property
    def text(self) -> PercentFile:
        """Raises CourseError for a file that cannot be read, or an incomplete header."""
        return _read(self.folder, tuple((path.name, path.stat().st_mtime_ns) for path in self.sections))

    @cached_property
    def quizzes(self) -> dict[str, tuple[Statement, ...]]:
        """Quiz id -> its statements. Raises CourseError for a key that cannot be read."""
        return read_quizzes(self.quiz_key)

    @property
    def sections(self) -> list[Path]:
        """The files of its text, in order."""
        return _sections(self.folder)

    @property
    def quiz_key(self) -> Path:
        return self.marking / "quiz.toml"

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


def source_notebooks(root: Path) -> dict[str, SourceNotebook]:
    """Every notebook of the course at `root`, by id, in teaching order; none is read yet.

    Raises CourseError for a file where a notebook's folder should be.
    """
    place = places(root)
    for stray in sorted(place.text.glob("lab*/*.py")):
        raise CourseError(f"{stray} is a file; a notebook is a folder of sections, such as {stray.stem}/01_start.py")
    folders = sorted(path for path in place.text.glob("lab*/*") if path.is_dir() and _sections(path))
    return {
        path.name: SourceNotebook(path.name, path.parent.name, path, place.marking / path.parent.name / path.name)
        for path in folders
    }


def _sections(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.py"))


@lru_cache(maxsize=256)
def _read(folder: Path, versions: tuple[tuple[str, int], ...]) -> PercentFile:
    """jupytext takes a tenth of a second and more for a notebook, so files are read once until one changes."""
    text = read_sections(folder, [folder / name for name, _ in versions])
    missing = [entry for entry in ("title", "summary", "minutes") if entry not in text.header]
    if missing:
        raise CourseError(f"{folder / versions[0][0]} has no {' and no '.join(missing)} under `course:` in its header")
    return text
