"""A notebook as nbgrader's own steps make it: as its gradebook keeps it, and as students get it."""

from __future__ import annotations

import copy
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_lib.workbook.expand import expand
from course_lib.workbook.nbgrader_settings import TEXT_STUB, nbgrader_settings

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from course_lib.workbook.source import SourceNotebook

__all__ = ["gradebook_version", "is_unanswered", "student_version"]


def gradebook_version(source: SourceNotebook) -> NotebookNode:
    """Answers replaced by stubs, hidden tests kept, cells locked, checksums: what nbgrader saves of an assignment."""
    return _steps(expand(source), "LockCells", "ClearSolutions", "ClearOutput", "ComputeChecksums")


def student_version(source: SourceNotebook) -> NotebookNode:
    """What is in `labs/`: neither answers nor hidden tests."""
    return _steps(gradebook_version(source), "ClearHiddenTests", "ClearMarkScheme", "ComputeChecksums")


def is_unanswered(text: str, stub: str = TEXT_STUB) -> bool:
    """Whether a cell's text is empty or still what was released, but for white space."""
    return not text.strip() or text.split() == stub.split()


@cache
def _step(name: str) -> Any:
    from nbgrader import preprocessors

    return getattr(preprocessors, name)(config=nbgrader_settings(Path(), source=Path()))


def _steps(notebook: NotebookNode, *names: str) -> NotebookNode:
    result = copy.deepcopy(notebook)
    for name in names:
        result, _ = _step(name).preprocess(result, {})
    return result
