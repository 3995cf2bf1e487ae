"""What the course must teach (`syllabus.csv` beside their text) against what its notebooks' cells name."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from course_lib.course_root import places
from course_lib.errors import CourseError
from course_lib.workbook.source import SourceNotebook, source_notebooks

__all__ = ["Topic", "TopicCoverage", "coverage", "read_syllabus"]

SERVED_BY = {
    "exercise": ("exercise",),
    "experiment": ("experiment", "demo"),
    "library": ("experiment", "demo"),
    "question": ("question", "quiz"),
}
_COLUMNS = ("id", "title", "notebook", "form")


@dataclass(frozen=True)
class Topic:
    """One row of the syllabus. `form` says how it is taught: exercise, experiment, library or question."""

    id: str
    title: str
    notebook: str
    form: str


@dataclass(frozen=True)
class TopicCoverage:
    """A topic and the cells of its notebook that serve it in the demanded form."""

    topic: str
    title: str
    notebook: str
    form: str
    covered: bool
    cells: list[str]


def read_syllabus(root: Path) -> list[Topic]:
    """The rows of the syllabus of the course at `root`. Raises CourseError for a bad row."""
    path = places(root).text / "syllabus.csv"
    if not path.exists():
        raise CourseError(f"{path} is missing; it lists the topics the course teaches")
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for number, row in enumerate(rows, start=2):
        if row.get("form") not in SERVED_BY or not all(row.get(column) for column in _COLUMNS):
            raise CourseError(
                f"{path}, row {number}: needs {', '.join(_COLUMNS)}, with a form among {', '.join(SERVED_BY)}"
            )
    return [Topic(*(row[column] for column in _COLUMNS)) for row in rows]


def coverage(root: Path) -> list[TopicCoverage]:
    """Every topic in syllabus order, with the cells that teach it."""
    return cover(read_syllabus(root), source_notebooks(root))


def cover(topics: Iterable[Topic], notebooks: dict[str, SourceNotebook]) -> list[TopicCoverage]:
    result = []
    for topic in topics:
        notebook = notebooks.get(topic.notebook)
        cells = notebook.text.of_kind(*SERVED_BY[topic.form]) if notebook else []
        serving = [cell.id for cell in cells if topic.id in cell.topics]
        result.append(TopicCoverage(topic.id, topic.title, topic.notebook, topic.form, bool(serving), serving))
    return result
