"""Which submitted cell is which cell of ours: by nbgrader's name, by the cell's id, by its text."""

from __future__ import annotations

from dataclasses import dataclass, field

from autograders.engine.repair.released import KnownCell, Released
from course_lib.handin.read_notebook import SubmittedCell

__all__ = ["CellMatch", "match_cells"]


@dataclass
class CellMatch:
    """named     id of a cell of ours -> the submitted cells that go by it, in the order of the file.
    own       cells of the student's own.
    position_of_own  positions of those, to find what stands beside a cell.
    by_grade_id, by_id, by_text  how many cells were recognised in which way.
    """

    named: dict[str, list[SubmittedCell]] = field(default_factory=dict)
    own: list[SubmittedCell] = field(default_factory=list)
    by_grade_id: int = 0
    by_id: int = 0
    by_text: int = 0

    def of(self, known: KnownCell) -> list[SubmittedCell]:
        return self.named.get(known.id, [])


def match_cells(cells: tuple[SubmittedCell, ...], ours: Released) -> CellMatch:
    """Every submitted cell goes to one cell of ours or to the student's own."""
    match = CellMatch()
    unnamed = []
    for cell in cells:
        identifier = next((name for name in cell.ids if name in ours.by_id), "")
        if cell.grade_id in ours.by_id and ours.by_id[cell.grade_id].nbgrader:
            match.by_grade_id += 1
            identifier = cell.grade_id
        elif identifier:
            match.by_id += 1
        else:
            unnamed.append(cell)
            continue
        match.named.setdefault(identifier, []).append(cell)
    _match_by_text(unnamed, ours, match)
    return match


def _match_by_text(cells: list[SubmittedCell], ours: Released, match: CellMatch) -> None:
    """A cell that lost its names and still has the text students got is that cell, unless another goes by the name."""
    texts = {_key(known.released): known.id for known in ours.cells if known.id not in match.named}
    for cell in cells:
        identifier = texts.pop(_key(cell.source), None)
        if identifier is None:
            match.own.append(cell)
        else:
            match.by_text += 1
            match.named[identifier] = [cell]


def _key(text: str) -> str:
    return " ".join(text.split())
