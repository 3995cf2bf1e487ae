"""What students get of a solution notebook: stubs for answers, no hidden tests, checksums of what was given out.

The same as nbgrader's own `generate_assignment` makes, cell by cell, without the seconds that loading it takes; tests
hold the two equal. Solution regions are whole here: the build refuses a source in which one is not (`refusals.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat

from course_lib.handin.nbgrader_entries import checksum
from course_lib.handin.stubs import BEGIN, CODE_STUB, END, TEXT_STUB
from course_lib.workbook.expand import expand
from course_lib.workbook.source import SourceNotebook

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = ["gradebook_version", "release", "student_version", "write_sources"]

_HIDDEN_TESTS = re.compile(r"\n?[^\n]*### BEGIN HIDDEN TESTS.*?### END HIDDEN TESTS[^\n]*", re.DOTALL)


def write_sources(notebooks: Iterable[SourceNotebook], folder: Path) -> None:
    """Write solution notebooks as `folder/LAB/NOTEBOOK.ipynb`, the layout nbgrader's source folder has."""
    for source in notebooks:
        _write(expand(source), source, folder)


def release(notebooks: Iterable[SourceNotebook], folder: Path) -> None:
    """Write student notebooks as `folder/LAB/NOTEBOOK.ipynb`."""
    for source in notebooks:
        _write(student_version(source), source, folder)


def gradebook_version(source: SourceNotebook) -> NotebookNode:
    """Answers replaced by stubs, hidden tests kept, cells locked, checksums: what nbgrader saves of an assignment."""
    notebook = expand(source)
    for cell in notebook.cells:
        entries = cell.metadata.get("nbgrader")
        if entries:
            if entries["solution"]:
                cell.source = _cleared(cell.source, CODE_STUB if cell.cell_type == "code" else TEXT_STUB)
            _lock(cell)
            _sign(cell)
    return notebook


def student_version(source: SourceNotebook) -> NotebookNode:
    """What is in `labs/`: neither answers nor hidden tests."""
    notebook = gradebook_version(source)
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade"):
            cell.source = _HIDDEN_TESTS.sub("", cell.source)
            _sign(cell)
    return notebook


def _write(notebook: NotebookNode, source: SourceNotebook, folder: Path) -> None:
    path = folder / source.lab / f"{source.id}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.validate(notebook)
    nbformat.write(notebook, path)


def _cleared(source: str, stub: str) -> str:
    """The stub in place of each solution region, indented as its first marker is; of the whole if there is none."""
    if BEGIN not in source:
        return stub
    lines: list[str] = []
    inside = False
    for line in source.split("\n"):
        if BEGIN in line:
            indent = line[: len(line) - len(line.lstrip())]
            lines += [indent + text for text in stub.split("\n")]
        if BEGIN in line or END in line:
            inside = BEGIN in line
        elif not inside:
            lines.append(line)
    return "\n".join(lines)


def _lock(cell: NotebookNode) -> None:
    """JupyterLab lets nobody delete what nbgrader knows, nor edit what is no answer."""
    entries = cell.metadata.nbgrader
    if entries["solution"] or entries["grade"] or entries["locked"]:
        cell.metadata["deletable"] = False
        if not entries["solution"]:
            cell.metadata["editable"] = False


def _sign(cell: NotebookNode) -> None:
    entries = cell.metadata.nbgrader
    entries["checksum"] = checksum(cell.source, cell.cell_type, entries)
    entries["cell_type"] = cell.cell_type
