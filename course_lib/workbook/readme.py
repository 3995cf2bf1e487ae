"""The table of labs in README.md, kept equal to the syllabus and the notebooks by the build."""

from __future__ import annotations

from pathlib import Path

from course_lib.errors import CourseError
from course_lib.workbook.source import SourceNotebook
from course_lib.workbook.start_here import Lab, hours, notebooks_of, read_labs
from course_lib.workbook.syllabus import TopicCoverage, cover, read_syllabus

__all__ = ["readme_with_table"]

_BEGIN, _END = "<!-- table of labs: written by `course build` -->", "<!-- end of table -->"


def readme_with_table(root: Path, notebooks: dict[str, SourceNotebook]) -> str:
    """The text README.md should have. Raises CourseError if its two marks are gone."""
    path = root / "README.md"
    text = path.read_text(encoding="utf-8")
    if text.count(_BEGIN) != 1 or text.count(_END) != 1:
        raise CourseError(f"{path} needs the lines {_BEGIN} and {_END} once each, around the table of labs")
    before, rest = text.split(_BEGIN)
    after = rest.split(_END)[1]
    return f"{before}{_BEGIN}\n{_table(root, notebooks)}\n{_END}{after}"


def _table(root: Path, notebooks: dict[str, SourceNotebook]) -> str:
    topics = cover(read_syllabus(root), notebooks)
    head = "| lab | what you do | notebooks ready | topics |\n|---|---|---|---|"
    return "\n".join([head, *(_row(lab, topics, notebooks) for lab in read_labs(root))])


def _row(lab: Lab, topics: list[TopicCoverage], notebooks: dict[str, SourceNotebook]) -> str:
    names = notebooks_of(lab, topics)
    own = [topic for topic in topics if topic.notebook in names]
    ready = [
        f"[{notebooks[name].title}](labs/{lab.folder}/{name}.ipynb) ({hours(notebooks[name].minutes)})"
        for name in names
        if name in notebooks
    ]
    state = f"{sum(topic.covered for topic in own)} of {len(own)}"
    return f"| {lab.number} {lab.title} | {lab.goal} | {', '.join(ready) or 'in preparation'} | {state} |"
