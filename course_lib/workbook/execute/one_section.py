"""One section of a notebook, to be executed without the others: the set-up, and what it needs of earlier exercises."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from nbformat import NotebookNode

from course_lib.errors import CourseError
from course_lib.workbook.expand import expand
from course_lib.workbook.percent import Cell
from course_lib.workbook.source import SourceNotebook

__all__ = ["section_of", "with_one_section"]

_START = ("parameters", "setup")


def section_of(notebook: SourceNotebook, wanted: str) -> Path:
    """The file of a section, by its number ("3", "03") or the start of its name ("pooling", "03_pool").

    Raises CourseError, with all there are, for a name that stands for none or for several.
    """
    files = notebook.sections
    found = [path for path in files if _stands_for(wanted, path.stem)]
    exact = [path for path in found if wanted in (path.stem, _word(path.stem))]
    if len(exact or found) != 1:
        problem = f"stands for {len(found)} sections" if found else "is no section"
        names = ", ".join(path.stem for path in files)
        raise CourseError(f"{wanted!r} {problem} of {notebook.id}; there are {names}")
    return (exact or found)[0]


def with_one_section(notebook: SourceNotebook, section: Path) -> NotebookNode:
    """The solution notebook with the set-up, one section, and the earlier exercises whose names that section uses."""
    cells = [cell for cell in notebook.cells if cell.path == section and cell.kind not in _START]
    needed = [*cells, *_exercises_used(cells, notebook.cells)]
    start = [cell for cell in notebook.cells if cell.kind in _START]
    return expand(notebook, lambda cell: any(cell is kept for kept in (*start, *needed)))


def _stands_for(wanted: str, stem: str) -> bool:
    if wanted.isdecimal():
        return int(wanted) == int(stem.partition("_")[0])
    return bool(wanted) and (stem.startswith(wanted) or _word(stem).startswith(wanted))


def _word(stem: str) -> str:
    return stem.partition("_")[2]


def _exercises_used(cells: Iterable[Cell], among: Iterable[Cell]) -> Iterator[Cell]:
    """Exercises of other sections that define a name used in `cells`, or used by one of these."""
    own = list(cells)
    defined = {name: cell for cell in among if cell.kind == "exercise" for name in _defined(cell)}
    waiting: list[Cell] = own
    found: list[Cell] = []
    while waiting:
        used = {name for cell in waiting for name in _used(cell)}
        waiting = [cell for name, cell in defined.items() if name in used and cell not in (*own, *found)]
        found += waiting
    yield from dict.fromkeys(found)


def _defined(cell: Cell) -> Iterator[str]:
    for node in _tree(cell).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))


def _used(cell: Cell) -> Iterator[str]:
    return (node.id for node in ast.walk(_tree(cell)) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load))


def _tree(cell: Cell) -> ast.Module:
    if cell.is_markdown:
        return ast.Module(body=[], type_ignores=[])
    return ast.parse(re.sub(r"^\s*[%!].*$", "pass", cell.source, flags=re.MULTILINE))  # IPython's own commands
