"""What the builder refuses: faults that would give students a broken, ungradable or spoiled notebook."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from course_lib.workbook.library_answers import answers_in_library
from course_lib.workbook.markers import has_solution, marker_fault
from course_lib.workbook.percent import Cell
from course_lib.workbook.source import SourceNotebook

__all__ = ["refusals"]

_WITH_SOLUTION = ("exercise", "question", "quiz")
_WITH_POINTS = ("check", "question", "quiz")
_NAMED = ("exercise", "experiment", "question", "quiz", "demo")


def refusals(notebooks: Iterable[SourceNotebook], topics: set[str], library: Path) -> list[str]:
    """One line for each fault, empty when everything may be built.

    topics   ids of syllabus.csv
    library  the folder students get, which may hold no answer
    """
    notebooks = list(notebooks)
    faults = [
        f"{notebook.path.name}: {fault}" for notebook in notebooks for fault in _faults(notebook, topics, library)
    ]
    return faults + list(_repeated(notebooks))


def _faults(notebook: SourceNotebook, topics: set[str], library: Path) -> Iterator[str]:
    yield from _unmatched(notebook)
    for kind in ("parameters", "setup"):
        count = len(notebook.text.of_kind(kind))
        if count != 1:
            yield f'has {count} cells tagged "{kind}"; it needs one'
    for cell in notebook.cells:
        yield from _cell_faults(cell, topics)
        if cell.kind == "exercise" and not marker_fault(cell.source):
            for place in answers_in_library(cell.source, library):
                yield f"the answer of exercise {cell.id!r} also stands in {place}"


def _unmatched(notebook: SourceNotebook) -> Iterator[str]:
    exercises = {cell.id for cell in notebook.text.of_kind("exercise")}
    checks = {cell.id for cell in notebook.text.of_kind("check")}
    for identifier in sorted(exercises - checks):
        yield f'exercise {identifier!r} has no check; add a cell  # %% check="{identifier}" points=...'
    for identifier in sorted(checks - exercises):
        yield f"check {identifier!r} checks no exercise of this notebook"
    for cell in notebook.text.of_kind("quiz"):
        if not notebook.quizzes.get(cell.id):
            yield f"quiz {cell.id!r} has no key in autograders/quizzes/{notebook.lab}/{notebook.id}.toml"
    quizzes = {cell.id for cell in notebook.text.of_kind("quiz")}
    for identifier in sorted(notebook.quizzes.keys() - quizzes):
        yield f"autograders/quizzes/{notebook.lab}/{notebook.id}.toml has a key for {identifier!r}, no quiz here"


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


def _repeated(notebooks: list[SourceNotebook]) -> Iterator[str]:
    places: dict[str, list[str]] = {}
    for notebook in notebooks:
        for cell in notebook.cells:
            if cell.kind in (*_NAMED, "check"):
                places.setdefault(_unique_name(cell), []).append(notebook.path.name)
    for name, files in places.items():
        if len(files) > 1:
            yield f"{name!r} stands {len(files)} times, in {', '.join(Counter(files))}; ids are unique over the course"


def _unique_name(cell: Cell) -> str:
    return f"check {cell.id}" if cell.kind == "check" else cell.id
