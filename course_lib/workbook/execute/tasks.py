"""What is to be executed: up to three executions of each notebook, each a process of its own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import nbformat

from course_lib.errors import CourseError
from course_lib.machine import usable_cores
from course_lib.workbook.execute.fingerprint import Fingerprints
from course_lib.workbook.execute.limits import PARTS, Part, TimeBudget, time_budget
from course_lib.workbook.execute.one_section import section_of, with_one_section
from course_lib.workbook.execute.settings import Settings
from course_lib.workbook.expand import SKIPPED_TAG, expand
from course_lib.workbook.source import SourceNotebook

__all__ = ["Task", "plan"]

START_HERE = "start_here"
# the notebooks' library is the package that this command is part of
LIBRARY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Task:
    """One execution of one notebook.

    input     the notebook to execute; executed  where its executed copy goes.
    scratch   an empty folder of its own: the kernel's working directory, and the worker's log.
    threads   how many the notebook's libraries may use.
    fingerprint  of all that its outcome rests on (fingerprint.py); empty where nobody asks.
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
    fingerprint: str = ""

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
    """The tasks, part by part; their inputs are written below `scratch`, an empty folder.

    whole_course  start_here belongs to no lab: it is executed when all of them are.

    Raises CourseError if a student notebook has not been built.
    """
    planned = _Plan(root, settings, scratch)
    for notebook in notebooks:
        folders = (notebook.folder, notebook.marking)
        name, content = _solution(notebook, settings.section)
        solution = scratch / "input" / notebook.lab / f"{name}.ipynb"
        solution.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(content, solution)
        planned.add("solution", notebook.lab, name, solution, folders)
        planned.add("graded", notebook.lab, name, solution, folders)
        planned.add("student", notebook.lab, notebook.id, root / "labs" / notebook.lab / f"{notebook.id}.ipynb")
    if whole_course:
        planned.add("student", "", START_HERE, root / "labs" / f"{START_HERE}.ipynb")
    return [task for part in settings.parts for task in planned.tasks[part]]


def _solution(notebook: SourceNotebook, section: str) -> tuple[str, nbformat.NotebookNode]:
    """What the execution is called, and its notebook: the whole, or as `1b_convolution.03_output_size` one section."""
    if not section:
        return notebook.id, expand(notebook)
    file = section_of(notebook, section)
    return f"{notebook.id}.{file.stem}", with_one_section(notebook, file)


class _Plan:
    """Tasks as they are added; those of parts that were not asked for are passed over."""

    def __init__(self, root: Path, settings: Settings, scratch: Path) -> None:
        self.root, self.settings, self.scratch = root, settings, scratch
        self.threads = max(1, usable_cores() // settings.workers)
        self.fingerprints = Fingerprints(root, settings, LIBRARY)
        self.tasks: dict[Part, list[Task]] = {part: [] for part in PARTS}

    def add(self, part: Part, lab: str, name: str, source: Path, folders: Iterable[Path] = ()) -> None:
        if part not in self.settings.parts:
            return
        if not source.exists():
            raise CourseError(f"{source} has not been built: run `course build`, or execute --part solution alone")
        place = Path(part, lab, name)
        task = Task(
            notebook=name,
            lab=lab,
            part=part,
            input=source,
            executed=self.root / "build" / "executed" / place.with_name(f"{name}.ipynb"),
            scratch=self.scratch / place,
            parameters=self.settings.parameters,
            budget=time_budget(part, self.settings.profile),
            threads=self.threads,
            fingerprint=self.fingerprints.of(part, nbformat.read(source, as_version=4), folders),
        )
        self.tasks[part].append(task)
