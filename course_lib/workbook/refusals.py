"""What the builder refuses: faults that would give students a broken, ungradable or spoiled notebook."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from course_lib.course_root import shown
from course_lib.workbook.library_answers import answers_in_library
from course_lib.workbook.markers import has_solution, marker_fault
from course_lib.workbook.percent import Cell
from course_lib.workbook.source import SourceNotebook
from course_lib.workbook.start_here import Lab, read_labs
from course_lib.workbook.syllabus import read_syllabus

__all__ = ["refusals"]

Fault = tuple[Cell | Path, str]  # where, and what

_WITH_SOLUTION = ("exercise", "question", "quiz")
_WITH_POINTS = ("check", "question", "quiz")
_SECTION = re.compile(r"\d\d_[a-z0-9_]+\.py")
_NAMED = ("exercise", "experiment", "question", "quiz", "demo")


def refusals(root: Path, notebooks: Iterable[SourceNotebook]) -> list[str]:
    """One line for each fault of the course at `root`, `FILE:LINE: what`, empty when everything may be built."""
    notebooks, topics = list(notebooks), read_syllabus(root)
    planned, known, library = {topic.notebook for topic in topics}, {topic.id for topic in topics}, root / "course_lib"
    faults = [fault for notebook in notebooks for fault in _unlisted(notebook, planned, read_labs(root))]
    faults += [fault for notebook in notebooks for fault in _section_faults(notebook)]
    faults += [fault for notebook in notebooks for fault in _faults(notebook, known, library)]
    return [f"{_place(at)}: {fault}" for at, fault in [*faults, *_repeated(notebooks)]]


def _place(at: Cell | Path) -> str:
    return shown(at) if isinstance(at, Path) else at.place


def _unlisted(notebook: SourceNotebook, planned: set[str], labs: list[Lab]) -> Iterator[Fault]:
    """What no table of labs would name, or under another lab."""
    if notebook.id not in planned:
        yield notebook.folder, f"no row of syllabus.csv is for the notebook {notebook.id!r}, so no table would name it"
    number = next((lab.number for lab in labs if lab.folder == notebook.lab), None)
    if number is None:
        yield notebook.folder.parent, f"labs.csv has no row for {notebook.lab!r}, so no table would name it"
    elif not re.match(rf"{number}[a-z]_", notebook.id):
        yield notebook.folder, f"a notebook of {notebook.lab!r} is called {number}a_..., {number}b_... and so on"


def _section_faults(notebook: SourceNotebook) -> Iterator[Fault]:
    for path in notebook.sections:
        if not _SECTION.fullmatch(path.name):
            yield path, "a section's name is two digits and words, such as 03_pooling.py: names give the order"
    for kind in ("parameters", "setup"):
        cells = notebook.text.of_kind(kind)
        if len(cells) != 1:
            yield notebook.folder, f'has {len(cells)} cells tagged "{kind}"; it needs one'
        elif cells[0].path != notebook.cells[0].path:
            yield cells[0], f"the {kind} cell belongs into the first section"


def _faults(notebook: SourceNotebook, topics: set[str], library: Path) -> Iterator[Fault]:
    yield from _unmatched(notebook)
    for cell in notebook.cells:
        for fault in _cell_faults(cell, topics):
            yield cell, fault
        if cell.kind == "exercise" and not marker_fault(cell.source):
            for place in answers_in_library(cell.source, library):
                yield cell, f"the answer of exercise {cell.id!r} also stands in {place}"


def _unmatched(notebook: SourceNotebook) -> Iterator[Fault]:
    exercises = {cell.id: cell for cell in notebook.text.of_kind("exercise")}
    checks = {cell.id: cell for cell in notebook.text.of_kind("check")}
    for identifier in sorted(exercises.keys() - checks.keys()):
        words = f'exercise {identifier!r} has no check; add a cell  # %% check="{identifier}" points=...'
        yield exercises[identifier], words
    for identifier in sorted(checks.keys() - exercises.keys()):
        yield checks[identifier], f"check {identifier!r} checks no exercise of this notebook"
    quizzes = {cell.id: cell for cell in notebook.text.of_kind("quiz")}
    for cell in quizzes.values():
        if not notebook.quizzes.get(cell.id):
            yield cell, f"quiz {cell.id!r} has no key in {shown(notebook.quiz_key)}"
    for identifier in sorted(notebook.quizzes.keys() - quizzes.keys()):
        yield notebook.quiz_key, f"there is a key for {identifier!r}, which is no quiz of this notebook"


def _cell_faults(cell: Cell, topics: set[str]) -> Iterator[str]:
    label = f"{cell.kind} {cell.id!r}" if cell.id else f"the {cell.kind} cell that starts {cell.source[:40]!r}"
    if cell.unknown_keys:
        yield f"{label} has unknown keys {', '.join(cell.unknown_keys)}"
    for topic in cell.topics:
        if topic not in topics:
            yield f"{label} names the topic {topic!r}, which is not in syllabus.csv"
    if cell.kind in _NAMED and not re.fullmatch(r"[a-z][a-z0-9_]{0,50}", cell.id):
        yield f"{label}: an id is lower-case letters, digits and _, at most 51 characters"
    if cell.kind in _WITH_POINTS and cell.points is None:
        yield f"{label} has no points"
    if cell.is_markdown != (cell.kind in ("text", "question")):
        yield f"{label} is a {'markdown' if cell.is_markdown else 'code'} cell"
    yield from _marker_faults(cell, label)
    if cell.kind == "check" and _prints_to_stderr(cell.source):
        yield f"{label} prints to stderr, which nbgrader counts as a failure"


def _marker_faults(cell: Cell, label: str) -> Iterator[str]:
    fault = marker_fault(cell.source)
    if "HIDDEN TESTS" in cell.source:
        yield f"{label} has hidden tests; those are asked by a hidden question, which students never get"
    if fault:
        yield f"{label}: {fault}"
    elif cell.kind in _WITH_SOLUTION and not has_solution(cell.source):
        yield f"{label} has no solution region"
    elif cell.kind not in _WITH_SOLUTION and has_solution(cell.source):
        yield f"{label} has a solution region; only exercises, questions and quizzes may"


def _prints_to_stderr(source: str) -> bool:
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return False
    return any(
        (isinstance(node, ast.Attribute) and ast.unparse(node) in ("sys.stderr", "warnings.warn", "logging.warning"))
        or (isinstance(node, ast.Name) and node.id in ("stderr", "tqdm"))
        for node in ast.walk(tree)
    )


def _repeated(notebooks: list[SourceNotebook]) -> Iterator[Fault]:
    found: dict[str, list[Cell]] = {}
    for notebook in notebooks:
        for cell in notebook.cells:
            if cell.kind in (*_NAMED, "check"):
                found.setdefault(_unique_name(cell), []).append(cell)
    for name, cells in found.items():
        if len(cells) > 1:
            others = ", ".join(cell.place for cell in cells[1:])
            yield cells[0], f"{name!r} stands {len(cells)} times, also in {others}; ids are unique over the course"


def _unique_name(cell: Cell) -> str:
    return f"check {cell.id}" if cell.kind == "check" else cell.id
