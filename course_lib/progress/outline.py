"""What a student can do in each lab, as the build writes it into the start page's metadata.

A student's copy has no sources, and its notebooks may be lost or changed; this list says what belongs to them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from course_lib.errors import CourseError

__all__ = ["LabOutline", "NotebookOutline", "Task", "as_metadata", "find_lab", "read_outline"]

START_PAGE = "start_here.ipynb"


@dataclass(frozen=True)
class Task:
    """Something to answer: `kind` is "exercise", "quiz" or "question"."""

    id: str
    kind: str
    points: float


@dataclass(frozen=True)
class NotebookOutline:
    id: str
    title: str
    tasks: tuple[Task, ...]

    def of_kind(self, kind: str) -> tuple[Task, ...]:
        return tuple(task for task in self.tasks if task.kind == kind)

    @property
    def label(self) -> str:
        """`1a Neural networks from the inside`."""
        return f"{self.id.partition('_')[0]} {self.title}"


@dataclass(frozen=True)
class LabOutline:
    """`folder` is the lab's name below labs/."""

    folder: str
    title: str
    notebooks: tuple[NotebookOutline, ...]


def as_metadata(labs: Sequence[LabOutline]) -> list[dict[str, Any]]:
    """Lists and dictionaries for a notebook's metadata, which `read_outline` turns back."""
    return json.loads(json.dumps([asdict(lab) for lab in labs]))


def read_outline(course: Path) -> tuple[LabOutline, ...]:
    """The outline in the labs/ of a course. Raises CourseError if the start page is gone, damaged or too old."""
    path = course / "labs" / START_PAGE
    try:
        labs = json.loads(path.read_text(encoding="utf-8"))["metadata"]["course"]["outline"]
        return tuple(_lab(lab) for lab in labs)
    except OSError as error:
        raise CourseError(f"{path} cannot be read ({error.strerror}); copy it from the course as you got it") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CourseError(f"{path} does not list what the labs hold; copy it from the course as you got it") from error


def find_lab(name: str, folders: Sequence[str]) -> str:
    """The lab that `lab1_cnn_basics`, `lab1`, `1` or a path to its folder stands for. Raises CourseError for none."""
    plain = name.replace("\\", "/").rstrip("/").rpartition("/")[2]
    for folder in folders:
        short = folder.partition("_")[0]
        if plain in (folder, short, short.removeprefix("lab")):
            return folder
    raise CourseError(f"there is no lab {name!r}; there are {', '.join(folders) or 'none'}")


def _lab(entry: dict[str, Any]) -> LabOutline:
    return LabOutline(str(entry["folder"]), str(entry["title"]), tuple(map(_notebook, entry["notebooks"])))


def _notebook(entry: dict[str, Any]) -> NotebookOutline:
    tasks = (Task(str(task["id"]), str(task["kind"]), float(task["points"])) for task in entry["tasks"])
    return NotebookOutline(str(entry["id"]), str(entry["title"]), tuple(tasks))
