"""What a student's file did to the cells it was given, in sentences; none of it reaches grading."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from typing import Any

from autograders.engine.repair.answer_pieces import Answer
from autograders.engine.repair.cell_match import CellMatch
from autograders.engine.repair.released import KnownCell, Released
from course_lib.handin.read_notebook import SubmittedCell

__all__ = ["structure_repairs"]

_FLAGS = ("grade", "solution", "locked", "task")


def structure_repairs(ours: Released, match: CellMatch, found: dict[str, Answer]) -> Iterator[str]:
    """One sentence for each fault; cells are named by our ids, never by text of the student's."""
    yield from _lost_names(ours, match)
    yield from _order(ours, match)
    for known in ours.cells:
        cells = match.of(known)
        if known.is_answer and not cells and not found[known.id].source:
            yield f"The cell of {known.id} was deleted: its answer is missing."
        if known.is_locked:
            yield from _locked(known, cells)
        yield from _metadata(known, cells)


def _lost_names(ours: Released, match: CellMatch) -> Iterator[str]:
    if match.by_text and not match.by_grade_id and not match.by_id:
        yield "The cells had lost their ids and nbgrader's names; they were recognised by their text."
        return
    graded = sum(1 for known in ours.cells if known.nbgrader and match.of(known))
    if graded and not match.by_grade_id:
        yield "nbgrader's entries were missing; the cells were recognised by their ids."
    elif match.by_grade_id and not any(cell.ids for cells in match.named.values() for cell in cells):
        yield "The cells had no ids; they were recognised by nbgrader's names."


def _order(ours: Released, match: CellMatch) -> Iterator[str]:
    """Cells outside the longest run that still stands in our order have been moved."""
    places = {
        known.id: match.of(known)[0].position
        for known in ours.cells
        if (known.is_answer or known.is_locked) and match.of(known)
    }
    kept = _longest_rise(list(places.values()))
    moved = [identifier for identifier, place in places.items() if place not in kept]
    if moved:
        yield f"Cells had been moved and were put back in order: {', '.join(moved)}."


def _longest_rise(values: list[int]) -> set[int]:
    """Values of a longest rising subsequence, by patience sorting."""
    ends: list[int] = []
    before: dict[int, int | None] = {}
    for value in values:
        place = bisect_left(ends, value)
        before[value] = ends[place - 1] if place else None
        ends[place : place + 1] = [value]
    rise: set[int] = set()
    last = ends[-1] if ends else None
    while last is not None:
        rise.add(last)
        last = before[last]
    return rise


def _locked(known: KnownCell, cells: list[SubmittedCell]) -> Iterator[str]:
    if not cells:
        yield f"The locked cell {known.id} was deleted; the original was used."
    elif not all(known.is_unaltered(cell.source) and cell.kind == known.cell_type for cell in cells):
        yield f"The locked cell {known.id} was altered; the original was used."
    elif len(cells) > 1:
        yield f"The locked cell {known.id} stood in the file {len(cells)} times; the original was used."


def _metadata(known: KnownCell, cells: list[SubmittedCell]) -> Iterator[str]:
    if not known.nbgrader:
        return
    submitted = [cell.nbgrader for cell in cells if cell.nbgrader]
    points = known.nbgrader.get("points")
    if points is not None and not all(_equal(entries.get("points", points), points) for entries in submitted):
        yield f"The points of {known.id} were changed; they are {points:g}."
    if not all(
        entries.get(flag, known.nbgrader[flag]) is known.nbgrader[flag] for entries in submitted for flag in _FLAGS
    ):
        yield f"nbgrader's entries of {known.id} were changed; the original ones were used."


def _equal(value: Any, points: float) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value == points
