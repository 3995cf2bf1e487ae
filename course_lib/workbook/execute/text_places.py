"""Where the text of a cell stands, for what is said about an executed notebook."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from course_lib.workbook.execute.result import Problem, Result
from course_lib.workbook.expand import expanded_cells
from course_lib.workbook.percent import Cell
from course_lib.workbook.source import SourceNotebook

__all__ = ["with_places"]


def with_places(results: Iterable[Result], notebooks: Iterable[SourceNotebook]) -> list[Result]:
    """The results, with the file and line of the cell in each problem that is a cell's."""
    sources = {notebook.id: notebook for notebook in notebooks}
    return [_with_places(result, sources.get(result.task.notebook.partition(".")[0])) for result in results]


def _with_places(result: Result, source: SourceNotebook | None) -> Result:
    if source is None or not any(problem.cell for problem in result.problems):
        return result
    cells = {node.id: cell for cell, node in expanded_cells(source)}
    return replace(result, problems=[_with_place(problem, cells) for problem in result.problems])


def _with_place(problem: Problem, cells: Mapping[str, Cell]) -> Problem:
    if problem.cell not in cells:
        return problem
    return replace(problem, summary=f"{problem.summary} ({cells[problem.cell].place})")
