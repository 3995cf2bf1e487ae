"""A lab's notebooks and cells in nbgrader's gradebook, as `nbgrader generate_assignment` would save them.

One transaction for the whole lab: nbgrader's own step commits several times for every cell, which takes seconds and,
when killed, leaves half a notebook.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from course_lib.errors import CourseError
from course_lib.workbook.release import gradebook_version

if TYPE_CHECKING:
    from nbformat import NotebookNode
    from nbgrader.api import Gradebook, Notebook

    from course_lib.workbook.source import SourceNotebook

__all__ = ["save_schema"]

Entries = dict[tuple[type, str], dict[str, Any]]  # (nbgrader's class, the cell's name) -> its columns


def save_schema(book: Gradebook, lab: str, sources: Iterable[SourceNotebook]) -> None:
    """Bring the lab's schema up to date and commit.

    Raises CourseError when a notebook with submissions would gain or lose cells: their marks would have no place.
    """
    from nbgrader.api import Assignment, MissingEntry

    try:
        assignment = book.find_assignment(lab)
    except MissingEntry:
        assignment = Assignment(name=lab, course_id=book.course_id)
        book.db.add(assignment)
    present = {notebook.name: notebook for notebook in assignment.notebooks}
    for source in sources:
        _save_notebook(book, assignment, present.get(source.id), gradebook_version(source), source.id)
    book.db.commit()


def _save_notebook(book: Any, assignment: Any, saved: Notebook | None, notebook: NotebookNode, name: str) -> None:
    from nbgrader.api import Notebook

    wanted = _entries(notebook)
    saved = saved or Notebook(name=name, assignment=assignment)
    saved.kernelspec = json.dumps(notebook.metadata.get("kernelspec", {}))
    book.db.add(saved)
    cells = {(type(cell), cell.name): cell for cell in [*saved._base_cells, *saved.source_cells]}
    if saved.submissions and cells.keys() != wanted.keys():
        _refuse(name, cells, wanted)
    for key in cells.keys() - wanted.keys():
        book.db.delete(cells[key])
    for key, columns in wanted.items():
        kind, cell_name = key
        cell = cells.get(key) or kind(name=cell_name, notebook=saved)
        for column, value in columns.items():
            setattr(cell, column, value)
        book.db.add(cell)


def _entries(notebook: NotebookNode) -> Entries:
    """The rows that nbgrader's SaveCells makes of a notebook."""
    from nbgrader import utils
    from nbgrader.api import GradeCell, SolutionCell, SourceCell

    entries: Entries = {}
    for cell in notebook.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id", "")
        if utils.is_grade(cell):
            points = float(cell.metadata.nbgrader["points"])
            entries[GradeCell, name] = {"max_score": points, "cell_type": cell.cell_type}
        if utils.is_solution(cell):
            entries[SolutionCell, name] = {}
        if utils.is_grade(cell) or utils.is_solution(cell) or utils.is_locked(cell):
            entries[SourceCell, name] = {
                "cell_type": cell.cell_type,
                "locked": utils.is_locked(cell),
                "source": cell.source,
                "checksum": cell.metadata.nbgrader["checksum"],
            }
    return entries


def _refuse(notebook: str, saved: Mapping[tuple[type, str], Any], wanted: Entries) -> None:
    gone = sorted({name for _, name in saved.keys() - wanted.keys()})
    new = sorted({name for _, name in wanted.keys() - saved.keys()})
    raise CourseError(
        f"{notebook} has other graded cells than when its first submissions were entered (new: "
        f"{', '.join(new) or 'none'}; gone: {', '.join(gone) or 'none'}): grade into a new folder with --workspace"
    )
