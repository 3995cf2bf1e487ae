"""`course export`: a lab's marks for a spreadsheet, for Canvas, for Moodle.

Canvas   Gradebook, Import. Columns as its exporter writes them; a student is found by ID, else SIS user id, else login
         id, else name. A title that is no assignment yet makes a new one.
         https://github.com/instructure/canvas-lms/blob/master/lib/gradebook_importer.rb
Moodle   Grades, Import, CSV file. Map "Username", "ID number" or "Email address", and the columns of marks.
         https://docs.moodle.org/en/Grade_import
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autograders.engine.records.gradebook import LabGradebook
from autograders.engine.records.spreadsheet import csv_text
from autograders.engine.records.workspace import Workspace
from course_lib.errors import CourseError

if TYPE_CHECKING:
    from course_lib.workbook.source import SourceNotebook

__all__ = ["FORMATS", "Export", "export"]


@dataclass(frozen=True)
class Export:
    """The file's text, and students whose marks are not final: something of theirs waits for a person."""

    text: str
    waiting: tuple[str, ...]


@dataclass(frozen=True)
class _Row:
    person: dict[str, Any]  # nbgrader's id, first_name, last_name, email, lms_user_id
    scores: dict[str, float]
    waiting: int

    @property
    def total(self) -> float:
        return round(sum(self.scores.values()), 4)

    @property
    def name(self) -> str:
        """ "Last, First" as Canvas sorts them, else the id."""
        names = [self.person["last_name"], self.person["first_name"]]
        return ", ".join(name for name in names if name) or self.person["id"]


def export(root: Path, lab: str, sources: dict[str, SourceNotebook], format: str) -> Export:
    """The marks of one lab as they stand in the gradebook of the workspace `root`; `format` is one of FORMATS."""
    if format not in FORMATS:
        raise CourseError(f"there is no format {format!r}; there are {', '.join(FORMATS)}")
    workspace = Workspace(Path(root).expanduser().resolve(), lab)
    notebooks = {name: source for name, source in sources.items() if source.lab == lab}
    points: dict[str, float] = {name: 0.0 for name in notebooks}
    rows = []
    with LabGradebook(workspace.gradebook, lab) as book:
        for person in book.people():
            marks = book.marks(person["id"]) or {}
            scores = {name: round(sum(m.score for (n, _), m in marks.items() if n == name), 4) for name in notebooks}
            rows.append(_Row(person, scores, sum(mark.needs_person for mark in marks.values())))
    for name, source in notebooks.items():
        points[name] = sum(float(cell.points or 0) for cell in source.cells)
    waiting = tuple(row.person["id"] for row in rows if row.waiting)
    return Export(csv_text(FORMATS[format](lab, points, rows)), waiting)


def _plain(lab: str, points: dict[str, float], rows: list[_Row]) -> list[list[Any]]:
    head = ["student", "last_name", "first_name", "email", *points, "total", "points", "waiting_for_a_person"]
    possible = sum(points.values())
    people = [_of(row.person, "id", "last_name", "first_name", "email") for row in rows]
    marks = [[*row.scores.values(), row.total, possible, row.waiting] for row in rows]
    return [head, *([*person, *mark] for person, mark in zip(people, marks, strict=True))]


def _canvas(lab: str, points: dict[str, float], rows: list[_Row]) -> list[list[Any]]:
    """`intake` names a student of a Canvas zip lastfirst_USER; USER is what Canvas calls ID."""
    head = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", lab]
    possible = ["    Points Possible", "", "", "", "", sum(points.values())]
    return [head, possible, *([row.name, _canvas_id(row.person), "", row.person["id"], "", row.total] for row in rows)]


def _canvas_id(person: dict[str, Any]) -> str:
    found = re.fullmatch(r"[^_\W]+_(\d{1,20})", person["id"])
    return person["lms_user_id"] or (found[1] if found else "")


def _moodle(lab: str, points: dict[str, float], rows: list[_Row]) -> list[list[Any]]:
    head = ["Username", "First name", "Last name", "ID number", "Email address"]
    head += [*(f"{lab}: {name} (Real)" for name in points), f"{lab} (Real)"]
    people = [_of(row.person, "id", "first_name", "last_name", "lms_user_id", "email") for row in rows]
    marks = [[*row.scores.values(), row.total] for row in rows]
    return [head, *([*person, *mark] for person, mark in zip(people, marks, strict=True))]


def _of(person: dict[str, Any], *columns: str) -> list[Any]:
    return [person[column] for column in columns]


FORMATS: dict[str, Callable[[str, dict[str, float], list[_Row]], list[list[Any]]]] = {
    "csv": _plain,
    "canvas": _canvas,
    "moodle": _moodle,
}
