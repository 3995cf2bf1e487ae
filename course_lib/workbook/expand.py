"""Short keys of a percent source -> a notebook with full nbgrader metadata (schema 3) and stable cell ids."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from course_lib.handin.nbgrader_entries import CHECK_PREFIX
from course_lib.workbook.markers import split_at_solution
from course_lib.workbook.percent import Cell
from course_lib.workbook.source import SourceNotebook

__all__ = ["SKIPPED_TAG", "expand", "expanded_cells"]

SKIPPED_TAG = "experiment"  # cells that grading leaves out


def expand(source: SourceNotebook, keep: Callable[[Cell], bool] = lambda cell: True) -> nbformat.NotebookNode:
    """The source version of one notebook: answers included, nothing executed, byte-identical for equal text.

    keep  leaves out cells; the others are what they are in the whole notebook.
    """
    notebook = new_notebook(cells=[node for cell, node in expanded_cells(source) if keep(cell)])
    notebook.metadata = nbformat.from_dict(notebook_metadata(source.id, source.title))
    return notebook


def expanded_cells(source: SourceNotebook) -> list[tuple[Cell, nbformat.NotebookNode]]:
    """Each cell of the notebook with the cell of the text that it comes from: some become two."""
    cells = [(cell, node) for cell in source.cells for node in _expand_cell(cell, source)]
    _number_repeated_ids([node for _, node in cells])
    return cells


def notebook_metadata(identifier: str, title: str) -> dict[str, Any]:
    """Metadata every built notebook carries: the kernel, its language, its name in the course."""
    return {
        "course": {"notebook": identifier, "title": title},
        "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }


def _expand_cell(cell: Cell, source: SourceNotebook) -> list[nbformat.NotebookNode]:
    if cell.kind == "question":
        return _question_cells(cell)
    if cell.kind == "quiz":
        return _quiz_cells(cell, source)
    identifier = f"{CHECK_PREFIX}{cell.id}" if cell.kind == "check" else cell.id or _content_id(cell)
    return [_node(cell, identifier, cell.source, markdown=cell.is_markdown, nbgrader=_nbgrader(cell, identifier))]


def _nbgrader(cell: Cell, identifier: str) -> dict[str, Any] | None:
    if cell.kind == "exercise":
        return _schema(identifier, solution=True)
    if cell.kind == "check":
        return _schema(identifier, grade=True, locked=True, points=cell.points)
    return None


def _question_cells(cell: Cell) -> list[nbformat.NotebookNode]:
    """A free-text question: its prompt, locked, and an answer cell that staff grade."""
    prompt, model_answer = split_at_solution(cell.source)
    prompt_id = f"{cell.id}_prompt"
    return [
        _node(cell, prompt_id, prompt, markdown=True, nbgrader=_schema(prompt_id, locked=True)),
        _node(
            cell, cell.id, model_answer, markdown=True,
            nbgrader=_schema(cell.id, grade=True, solution=True, points=cell.points),
        ),
    ]  # fmt: skip


def _quiz_cells(cell: Cell, source: SourceNotebook) -> list[nbformat.NotebookNode]:
    """A quiz: the answer cell, and a generated check whose key nbgrader hides from students."""
    key = {statement.letter: (statement.true, statement.reason) for statement in source.quizzes[cell.id]}
    rows = "\n".join(f"    {letter!r}: {entry!r}," for letter, entry in key.items())
    check = (
        "from course_lib import quiz\n\n"
        f'quiz.check_answer("{cell.id}", {cell.id}, "{"".join(key)}")\n'
        "### BEGIN HIDDEN TESTS\n"
        f"key = {{\n{rows}\n}}\n"
        f'quiz.score("{cell.id}", {cell.id}, key, {cell.points!r})\n'
        "### END HIDDEN TESTS"
    )
    check_id = f"{CHECK_PREFIX}{cell.id}"
    locked = _schema(check_id, grade=True, locked=True, points=cell.points)
    return [
        _node(cell, cell.id, cell.source, nbgrader=_schema(cell.id, solution=True)),
        _node(cell, check_id, check, nbgrader=locked, kind="check"),
    ]


def _schema(
    grade_id: str,
    *,
    grade: bool = False,
    solution: bool = False,
    locked: bool = False,
    points: float | None = None,
) -> dict[str, Any]:
    entries: dict[str, Any] = {
        "grade": grade,
        "grade_id": grade_id,
        "locked": locked,
        "schema_version": 3,
        "solution": solution,
        "task": False,
    }
    if points is not None:
        entries["points"] = points
    return entries


def _node(
    cell: Cell,
    identifier: str,
    text: str,
    *,
    markdown: bool = False,
    nbgrader: dict[str, Any] | None = None,
    kind: str | None = None,
) -> nbformat.NotebookNode:
    metadata: dict[str, Any] = {"course": {"kind": kind or cell.kind}}
    if cell.topics:
        metadata["course"]["topics"] = list(cell.topics)
    if nbgrader:
        metadata["nbgrader"] = nbgrader
    tags = _tags(cell)
    if tags:
        metadata["tags"] = tags
    new_cell = new_markdown_cell if markdown else new_code_cell
    return new_cell(source=text, metadata=nbformat.from_dict(metadata), id=identifier)


def _tags(cell: Cell) -> list[str]:
    if cell.kind in ("parameters", "setup"):
        return [cell.kind]
    if cell.kind == "experiment":
        return [SKIPPED_TAG]
    if cell.kind == "demo":
        return ["demo", SKIPPED_TAG]
    return []


def _content_id(cell: Cell) -> str:
    """Cells without a name get one from their text, so that inserting a cell renames no other."""
    if cell.kind in ("parameters", "setup"):
        return cell.kind
    return f"{cell.kind}-{hashlib.sha256(cell.source.encode()).hexdigest()[:10]}"


def _number_repeated_ids(cells: list[nbformat.NotebookNode]) -> None:
    seen: dict[str, int] = {}
    for cell in cells:
        count = seen[cell.id] = seen.get(cell.id, 0) + 1
        if count > 1:
            cell.id = f"{cell.id}-{count}"
