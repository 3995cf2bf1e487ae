"""From a result to what the gradebook holds: one mark for every cell that carries points."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from autograders.engine.verdict import NotebookResult, QuestionResult, SubmissionResult
from course_lib.handin.answers import is_untouched
from course_lib.handin.nbgrader_entries import CHECK_PREFIX
from course_lib.handin.stubs import TEXT_STUB
from course_lib.workbook.source import SourceNotebook

__all__ = ["AutoMark", "CellName", "auto_marks"]

CellName = tuple[str, str]  # notebook id, nbgrader's name of the cell


@dataclass(frozen=True)
class AutoMark:
    """What grading says of one cell. `score` is None where only a person can say: free text, a fault of the grader."""

    score: float | None
    points: float


def auto_marks(result: SubmissionResult, sources: Mapping[str, SourceNotebook]) -> dict[CellName, AutoMark]:
    """A mark for every graded cell of the lab's notebooks, whether handed in or not, in their order."""
    notebooks = {notebook.id: notebook for notebook in result.notebooks}
    marks: dict[CellName, AutoMark] = {}
    for source in sources.values():
        notebook = notebooks.get(source.id)
        for cell in source.cells:
            points = float(cell.points or 0.0)
            if cell.kind == "question":
                marks[source.id, cell.id] = AutoMark(_text_score(notebook, cell.id), points)
            elif cell.kind in ("check", "quiz"):
                marks[source.id, f"{CHECK_PREFIX}{cell.id}"] = AutoMark(_score(notebook, cell.id, points), points)
    return marks


def _text_score(notebook: NotebookResult | None, question: str) -> float | None:
    """Nothing written is worth 0, as in plain nbgrader; what is written waits for a person."""
    text = notebook.texts.get(question, "") if notebook else ""
    return 0.0 if is_untouched(text, TEXT_STUB) else None


def _score(notebook: NotebookResult | None, question: str, points: float) -> float | None:
    if notebook is None or not notebook.questions:  # not handed in, or not readable
        return 0.0
    found = next((entry for entry in notebook.questions if entry.id == question), None)
    if found is None or found.is_fault or not found.cases:
        return None
    # the points that count are the notebook's, whatever the result was told
    return round(_share(found) * points, 4)


def _share(question: QuestionResult) -> float:
    return min(max(question.score / question.points, 0.0), 1.0) if question.points > 0 else 0.0
