"""What is to be executed: up to three executions of each notebook, each a process of its own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import nbformat

from course_lib.errors import CourseError
from course_lib.workbook.execute.limits import Part, TimeBudget, time_budget
from course_lib.workbook.execute.settings import Settings, usable_cores
from course_lib.workbook.expand import SKIPPED_TAG, expand
from course_lib.workbook.source import SourceNotebook

__all__ = ["Task", "plan"]

START_HERE = "start_here"


@dataclass(frozen=True)
class Task:
    """One execution of one notebook.

    input     the notebook to execute; executed  where its executed copy goes.
    scratch   an empty folder of its own: the kernel's working directory, and the worker's log.
    threads   how many the notebook's libraries may use.
    """

    notebook: str
    lab: str
    part: Part
    input: Path
    executed: Path
    scratch: Path
    parameters: dict[str, str | int]
    budget: TimeBudget
    threads: int

    @property
    def allow_errors(self) -> bool:
        return self.part == "student"

    @property
    def skipped_tag(self) -> str:
        """Cells with this tag are not executed."""
        return SKIPPED_TAG if self.part == "graded" else ""


def plan(
    root: Path, notebooks: Iterable[SourceNotebook], settings: Settings, scratch: Path, *, whole_course: bool
) -> list[Task]:
    """The tasks, longest first; their inputs are written below `scratch`, an empty folder.

    whole_course  start_here belongs to no lab: it is executed when all of them are.

    Raises CourseError if a student notebook has not been built.
    """
    threads = max(1, usable_cores() // settings.workers)
    tasks: dict[Part, list[Task]] = {"solution": [], "graded": [], "student": []}

    def add(part: Part, lab: str, name: str, source: Path) -> None:
        place = Path(part, lab, name)
        tasks[part].append(
            Task(
                notebook=name,
                lab=lab,
                part=part,
                input=source,
                executed=root / "build" / "executed" / place.with_name(f"{name}.ipynb"),
                scratch=scratch / place,
                parameters=settings.parameters,
                budget=time_budget(part, settings.profile),
                threads=threads,
            )
        )

    for notebook in notebooks:
        solution = scratch / "input" / notebook.lab / f"{notebook.id}.ipynb"
        solution.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(expand(notebook), solution)
        add("solution", notebook.lab, notebook.id, solution)
        add("graded", notebook.lab, notebook.id, solution)
        if settings.student:
            add("student", notebook.lab, notebook.id, _built(root / "labs" / notebook.lab / f"{notebook.id}.ipynb"))
    if settings.student and whole_course:
        add("student", "", START_HERE, _built(root / "labs" / f"{START_HERE}.ipynb"))
    return [task for part in tasks.values() for task in part]


def _built(path: Path) -> Path:
    if not path.exists():
        raise CourseError(f"{path} has not been built: run `course build`, or leave it out with --no-student")
    return path
