"""Looks into an executed notebook: errors, metrics, stderr, time per cell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nbformat import NotebookNode

from course_lib.recording import METRIC_MIME
from course_lib.workbook.execute.frames import Frame, frames

__all__ = [
    "code_cells",
    "errors",
    "innermost_cell",
    "is_answer_cell",
    "is_check_cell",
    "metrics",
    "seconds_after_setup",
    "stderr_text",
]


def code_cells(notebook: NotebookNode, *, skipped_tag: str = "") -> list[NotebookNode]:
    """The cells that an execution runs."""
    return [
        cell
        for cell in notebook.cells
        if cell.cell_type == "code" and cell.source.strip() and skipped_tag not in _tags(cell)
    ]


def is_answer_cell(cell: NotebookNode) -> bool:
    """Whether a student writes code here: an exercise or a quiz."""
    return cell.cell_type == "code" and bool(cell.metadata.get("nbgrader", {}).get("solution"))


def is_check_cell(cell: NotebookNode) -> bool:
    """Whether this is a locked cell that tests an answer."""
    marks = cell.metadata.get("nbgrader", {})
    return cell.cell_type == "code" and bool(marks.get("grade")) and not marks.get("solution")


def errors(notebook: NotebookNode) -> Iterator[tuple[NotebookNode, NotebookNode]]:
    """Each (cell, error output), but for cells whose point is their error."""
    for cell in code_cells(notebook):
        if "raises-exception" not in _tags(cell):
            yield from ((cell, output) for output in cell.outputs if output.output_type == "error")


def innermost_cell(notebook: NotebookNode, error: NotebookNode) -> NotebookNode | None:
    """The cell whose own code raised the error; None if that was code in a file."""
    trace: list[Frame] = frames(error.traceback)
    if not trace or trace[-1].cell is None:
        return None
    return next((cell for cell in code_cells(notebook) if cell.execution_count == trace[-1].cell), None)


def metrics(notebook: NotebookNode) -> list[dict[str, Any]]:
    """What `course_lib.record` left: name, value, low, high; in the order recorded."""
    return [
        dict(output.data[METRIC_MIME])
        for cell in code_cells(notebook)
        for output in cell.outputs
        if METRIC_MIME in output.get("data", {})
    ]


def stderr_text(cell: NotebookNode) -> str:
    return "".join(output.text for output in cell.outputs if output.output_type == "stream" and output.name == "stderr")


def seconds_after_setup(notebook: NotebookNode) -> float:
    """Time spent in the cells below the setup cell; in all cells if there is none."""
    cells = notebook.cells
    setup = [index for index, cell in enumerate(cells) if "setup" in _tags(cell)]
    below = cells[setup[-1] + 1 :] if setup else cells
    return sum(cell.metadata.get("papermill", {}).get("duration") or 0.0 for cell in below)


def _tags(cell: NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])
