"""The notebook that staff and students see after grading: our own, with the student's answers and what came of them."""

from __future__ import annotations

import base64
import copy
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from autograders.engine.isolation.limits import Limits
from autograders.engine.records.case_report import case_report, quiz_report
from autograders.engine.records.harmless import harmless_markdown, literal_markdown, terminal_text, text_only
from autograders.engine.verdict import CellRun, NotebookResult, Verdict
from course_lib.handin.nbgrader_entries import CHECK_PREFIX

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from course_lib.workbook.source import SourceNotebook

__all__ = ["autograded_notebook"]

LONGEST_SOURCE = 20_000  # ten times the longest stub; the lexer of nbgrader's own pages takes time squared
MOST = Limits()  # of one cell's outputs: feedback carries them all
_BLANK = re.compile(r"\s{100,}")  # and minutes for a run of these
PNG = b"\x89PNG\r\n\x1a\n"
NO_ANSWER = "# The submitted notebook has no answer here."


def autograded_notebook(
    released: NotebookNode,
    source: SourceNotebook,
    result: NotebookResult,
    problems: tuple[str, ...] = (),
) -> NotebookNode:
    """Put one student's answers and results into the released notebook `released` (see `student_version`).

    problems  of the whole submission; they stand at the top with the notebook's own.

    Nothing of the student's is HTML or JavaScript: answers are code, texts are made harmless, outputs are plain text,
    PNG images and tracebacks.
    """
    from nbformat.v4 import new_output

    notebook = copy.deepcopy(released)
    runs = {run.id: run for run in result.cells}
    reports = _reports(source, result)
    for cell in notebook.cells:
        if cell.id in reports:
            cell.outputs = [new_output("stream", name="stdout", text=reports[cell.id] + "\n")]
        elif not cell.metadata.get("nbgrader", {}).get("solution"):
            continue
        elif cell.cell_type == "markdown":
            cell.source = harmless_markdown(result.texts.get(cell.id, ""))
        else:
            cell.source = _shown_source(result.answers.get(cell.id, "")) or NO_ANSWER
            cell.outputs = list(_outputs(runs[cell.id])) if cell.id in runs else []
    notes = [*problems, *result.problems, *result.repairs]
    if notes:
        notebook.cells.insert(0, _notes_cell(notes))
    return notebook


def _shown_source(answer: str) -> str:
    return _BLANK.sub(_count_blank, text_only(answer, LONGEST_SOURCE))


def _count_blank(run: re.Match[str]) -> str:
    return f"\n\n# [{len(run[0]):,} blank characters]\n\n"


def _reports(source: SourceNotebook, result: NotebookResult) -> dict[str, str]:
    """Check cell id -> what it prints."""
    questions = {question.id: question for question in result.questions}
    reports = {}
    for cell in source.cells:
        if cell.kind == "check":
            reports[f"{CHECK_PREFIX}{cell.id}"] = case_report(questions.get(cell.id))
        elif cell.kind == "quiz":
            report = quiz_report(questions.get(cell.id), source.quizzes.get(cell.id, ()))
            reports[f"{CHECK_PREFIX}{cell.id}"] = report
    return reports


def _outputs(run: CellRun) -> Iterator[Any]:
    from nbformat.v4 import new_output

    if run.text:
        yield new_output("stream", name="stdout", text=terminal_text(run.text, MOST.shown))
    for image in run.images[: MOST.images]:
        if image.startswith(PNG) and len(image) <= MOST.image:
            data = {"image/png": base64.b64encode(image).decode("ascii"), "text/plain": "<image>"}
            yield new_output("display_data", data=data, metadata={"image/png": {"alt": "Output of this cell"}})
    if run.error:
        trace = terminal_text(run.error, MOST.shown)
        name = text_only(run.error.strip().rpartition("\n")[2].partition(":")[0], 80)
        yield new_output("error", ename=name, evalue="", traceback=trace.split("\n"))
    elif run.verdict is not Verdict.RIGHT:
        yield new_output("stream", name="stderr", text=f"This cell was stopped: {run.verdict}.\n")


def _notes_cell(notes: list[str]) -> NotebookNode:
    from nbformat.v4 import new_markdown_cell

    lines = [f"- {literal_markdown(note)}" for note in notes[:50]]
    if len(notes) > 50:
        lines.append(f"- and {len(notes) - 50} more")
    text = "**Notes from grading**\n\n" + "\n".join(lines)
    return new_markdown_cell(text, id="grading_notes", metadata={"editable": False, "deletable": False})
