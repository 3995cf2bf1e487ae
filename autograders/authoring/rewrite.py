"""Rewrites a file of answers: wrong ones in full become edits where those say the mistake more shortly."""

from __future__ import annotations

import ast
import json
from collections.abc import Sequence

from autograders.authoring.answers import Answer, answers_path, read_answers, solution_of
from autograders.authoring.as_edits import edit_between, in_the_words_of
from autograders.authoring.edits import Edit
from course_lib.errors import CourseError
from course_lib.workbook.percent import read_percent
from course_lib.workbook.source import SourceNotebook

__all__ = ["rewrite_as_edits", "shortest_edit"]

SHORT = 0.75  # of the lines that the answer has in full


def rewrite_as_edits(notebook: SourceNotebook) -> list[Answer]:
    """Write the file again, and return the answers that became edits. What they do stays the same.

    Raises CourseError as `read_answers` does, and for a file whose cells have no lines of their own to be found at.
    """
    path, answers = answers_path(notebook), read_answers(notebook)
    if not answers:
        return []
    cells = read_percent(path).cells
    if not all(cell.line for cell in cells):
        raise CourseError(f"{path}: a line looks like a cell's header and is none; is there `# %%` inside a text?")
    lines = path.read_text(encoding="utf-8").rstrip("\n").split("\n")
    solutions = {cell.id: solution_of(cell) for cell in notebook.text.of_kind("exercise")}
    found = {
        (answer.id, answer.name): edit
        for answer in answers
        if (edit := shortest_edit(answer, solutions[answer.id], answers))
    }
    starts = [cell.line - 1 for cell in cells]
    pieces = ["\n".join(lines[: starts[0]])] if starts[0] else []
    for cell, start, stop in zip(cells, starts, [*starts[1:], len(lines)], strict=True):
        edit = found.get((cell.id, cell.name))
        pieces.append(_cell(lines[start], *edit) if edit else "\n".join(lines[start:stop]))
    path.write_text("\n".join(pieces) + "\n", encoding="utf-8")
    return [answer for answer in answers if (answer.id, answer.name) in found]


def shortest_edit(answer: Answer, solution: str, answers: Sequence[Answer]) -> tuple[Edit, str] | None:
    """The edit that says a wrong answer, and the name of what it edits; None where it is not much shorter in full.

    Of edits equally long, that of the solution. Other wrong answers are left to the author: an edit of one takes its
    mistake back as well, so that it shows two.
    """
    if answer.kind != "wrong" or answer.edit or not _is_python(answer.source):
        return None
    bases = {"": solution} | {
        other.name: other.source for other in answers if other.kind == "right" and other.id == answer.id
    }
    edits = [(edit_between(base, in_the_words_of(base, answer.source)), name) for name, base in bases.items()]
    edit, name = min(edits, key=lambda found: _length(found[0].source))
    return (edit, name) if _length(edit.source) <= SHORT * _length(answer.source) else None


def _is_python(source: str) -> bool:
    try:
        ast.parse(source)
    except SyntaxError:
        return False
    return True


def _length(text: str) -> int:
    return text.count("\n") + 1


def _cell(header: str, edit: Edit, of: str) -> str:
    base = f" of={json.dumps(of, ensure_ascii=False)}" if of else ""
    return f"{header}{base}\n{edit.source}\n"
