"""The answers that staff keep for a notebook's exercises, in percent cells.

    # %% right="conv2d" name="views of windows and einsum"
    def conv2d(x, weight, bias=None, stride=1, padding=0):
        ...

    # %% wrong="conv2d" name="divides by the number of channels" of="views of windows and einsum"
    # -     return y if bias is None else y + bias[:, None, None]
    # +     return (y if bias is None else y + bias[:, None, None]) / x.shape[1]

A right answer is written in full. A wrong one is written in full or as an edit (`edits.py`) of the solution, or of the
answer that `of` names: a right one of the same exercise, or a wrong one above it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from autograders.authoring.edits import STARTS, Edit, EditFault, read_edit
from autograders.authoring.programs import program
from course_lib.course_root import shown
from course_lib.errors import CourseError
from course_lib.workbook.markers import BEGIN, END
from course_lib.workbook.percent import Cell, read_percent
from course_lib.workbook.source import SourceNotebook

__all__ = ["Answer", "answers_path", "read_answers", "shortages", "solution_of"]

ENOUGH = 3  # wrong answers for each exercise


@dataclass(frozen=True)
class Answer:
    """One answer.

    kind    "wrong" or "right".
    id      the exercise.
    name    what is wrong, or how it differs from the solution.
    source  the whole cell; of an edit, what came of it.
    edit    the mistake alone; None where the answer is written in full.
    of      the name of the answer that is edited; empty for the solution.
    """

    kind: str
    id: str
    name: str
    source: str
    edit: Edit | None = None
    of: str = ""


def read_answers(notebook: SourceNotebook) -> list[Answer]:
    """The answers staff keep for one notebook, in the order of their file; none if there is no file of them.

    Raises CourseError for an answer to another notebook's exercise, one without a name of its own, an edit that does
    not apply, and an answer that is the same program as the solution or another one.
    """
    path = answers_path(notebook)
    if not path.exists():
        return []
    cells = read_percent(path).of_kind("wrong", "right")
    solutions = {cell.id: solution_of(cell) for cell in notebook.text.of_kind("exercise")}
    found: dict[str, dict[str, Answer]] = {}
    for exercise in dict.fromkeys(cell.id for cell in cells):
        mine = [cell for cell in cells if cell.id == exercise]
        if exercise not in solutions:
            raise _refused(mine[0], f"{notebook.id} has no exercise {exercise!r}; it has {_listed(solutions)}")
        found[exercise] = _Reader(solutions[exercise], mine).read()
    return [found[cell.id][cell.name] for cell in cells]


def shortages(notebook: SourceNotebook) -> list[str]:
    """A sentence for each exercise that has too few wrong answers, or no right one. Raises as `read_answers` does."""
    path, answers = shown(answers_path(notebook)), read_answers(notebook)
    found = []
    for exercise in (cell.id for cell in notebook.text.of_kind("exercise")):
        kinds = [answer.kind for answer in answers if answer.id == exercise]
        if (count := kinds.count("wrong")) < ENOUGH:
            words = f"{count} wrong answer{'' if count == 1 else 's'}"
            found.append(f"{exercise} has {words}; write three or more, mistakes that students make, in {path}")
        if "right" not in kinds:
            found.append(f"{exercise} has no right answer; write one, differently from the solution, in {path}")
    return found


def answers_path(notebook: SourceNotebook) -> Path:
    return notebook.marking / "answers.py"


def solution_of(exercise: Cell) -> str:
    """The solution of an exercise, without the markers around what students write."""
    return "\n".join(line for line in exercise.source.split("\n") if line.strip() not in (BEGIN, END))


class _Reader:
    """The answers to one exercise: right ones first, as any edit may name them."""

    def __init__(self, solution: str, cells: list[Cell]) -> None:
        self._solution, self._cells = solution, cells
        self._read: dict[str, Answer] = {}
        self._programs = {_program(solution): "the solution"}

    def read(self) -> dict[str, Answer]:
        for cell in sorted(self._cells, key=lambda cell: cell.kind != "right"):
            if cell.unknown_keys:
                raise _refused(cell, f"its header has unknown keys {', '.join(cell.unknown_keys)}")
            if not cell.name:
                raise _refused(cell, "it has no name: say in `name` what is wrong with it, or how it differs")
            if cell.name in self._read:
                raise _refused(cell, "another answer of this exercise has the same name")
            answer = self._answer(cell)
            same = self._programs.setdefault(_program(answer.source), f'the answer "{cell.name}"')
            if same != f'the answer "{cell.name}"':
                raise _refused(cell, f"it is the same program as {same}")
            self._read[cell.name] = answer
        return self._read

    def _answer(self, cell: Cell) -> Answer:
        if not (cell.of or cell.source.lstrip("\n").startswith(STARTS)):
            if not _program(cell.source):
                raise _refused(cell, f"it has no code; a line of an edit begins with one of {_listed(STARTS)}")
            return Answer(cell.kind, cell.id, cell.name, cell.source)
        if cell.kind == "right":
            raise _refused(cell, "a right answer is written in full, independently of the solution")
        base = self._base(cell)
        try:
            edit = read_edit(cell.source)
            return Answer(cell.kind, cell.id, cell.name, edit.apply(base), edit, cell.of)
        except EditFault as fault:
            what = f'the answer "{cell.of}"' if cell.of else "the solution"
            raise _refused(cell, f"as an edit of {what}: {fault}", fault.line) from fault

    def _base(self, cell: Cell) -> str:
        if not cell.of:
            return self._solution
        if cell.of in self._read:
            return self._read[cell.of].source
        if cell.of in {other.name for other in self._cells}:
            raise _refused(cell, f"it is an edit of {cell.of!r}, a wrong answer that must stand above it")
        names = [other.name for other in self._cells if other.name != cell.name]
        raise _refused(cell, f"it is an edit of {cell.of!r}; there are {_listed(names)}")


def _refused(cell: Cell, problem: str, line: int = 0) -> CourseError:
    """`line` counts from 1 below the cell's header; 0 is the header."""
    place = f"{shown(cell.path)}:{cell.line + line}" if cell.line else shown(cell.path)
    return CourseError(f'{place}: {cell.kind} answer "{cell.name}" to {cell.id}: {problem}')


def _program(source: str) -> str:
    try:
        return program(source)
    except SyntaxError:  # a mistake of its own, which trying the answer reports
        return source


def _listed(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names) or "none"
