"""Shows a failing cell in a few lines: its source around the failing line, the error, where it was raised."""

from __future__ import annotations

from nbformat import NotebookNode

from course_lib.workbook.execute.executed import innermost_cell
from course_lib.workbook.execute.frames import frames, plain

__all__ = ["error_headline", "excerpt", "numbered"]

LINES_OF_SOURCE, LINES_OF_MESSAGE, WIDTH = 11, 8, 160


def error_headline(error: NotebookNode) -> str:
    """Such as `ValueError: shapes differ`, one line."""
    message = next(iter(plain(error.evalue).splitlines()), "")
    return _cut(f"{error.ename}: {message}" if message else error.ename)


def excerpt(notebook: NotebookNode, cell: NotebookNode, error: NotebookNode) -> str:
    """The cell's source with an arrow at the line that failed, the whole message, and the place in the library or
    the other cell that raised it."""
    trace = frames(error.traceback)
    here = [frame.line for frame in trace if frame.cell == cell.execution_count and frame.line]
    parts = [numbered(cell.source, here[-1] if here else None), "", _message(error)]
    origin = innermost_cell(notebook, error)
    if origin is not None and origin.id != cell.id and trace[-1].line:
        parts += ["", f"raised in cell {origin.id}:", numbered(origin.source, trace[-1].line)]
    elif trace and trace[-1].file:
        parts += ["", f"raised in {trace[-1].file}, line {trace[-1].line}"]
    return "\n".join(parts)


def numbered(source: str, marked: int | None) -> str:
    """At most LINES_OF_SOURCE numbered lines around the marked one, or from the start."""
    lines = source.splitlines()
    first = max(0, min((marked or 1) - 1 - LINES_OF_SOURCE // 2, len(lines) - LINES_OF_SOURCE))
    shown = [
        f"{'->' if number == marked else '  '}{number:4d} | {_cut(line)}"
        for number, line in enumerate(lines[first : first + LINES_OF_SOURCE], start=first + 1)
    ]
    above, below = first, len(lines) - first - len(shown)
    return "\n".join(
        [f"      ... {above} lines above"] * bool(above) + shown + [f"      ... {below} lines below"] * bool(below)
    )


def _message(error: NotebookNode) -> str:
    lines = plain(f"{error.ename}: {error.evalue}").rstrip().splitlines()
    shown = [_cut(line) for line in lines[:LINES_OF_MESSAGE]]
    return "\n".join([*shown, "..."] if len(lines) > LINES_OF_MESSAGE else shown)


def _cut(line: str) -> str:
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 3]}..."
