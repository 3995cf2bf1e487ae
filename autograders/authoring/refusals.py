"""What staff refuse to build beside what the library refuses: an exercise whose mark would rest on nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from autograders.engine.asking.registry import questions_of
from course_lib.errors import CourseError
from course_lib.workbook.source import SourceNotebook

__all__ = ["refusals"]


def refusals(notebooks: Iterable[SourceNotebook]) -> list[str]:
    """One line for each fault: a question file that does not load or asks amiss, an exercise without a question."""
    return [fault for notebook in notebooks for fault in _faults(notebook)]


def _faults(notebook: SourceNotebook) -> Iterator[str]:
    try:
        questions = questions_of(notebook)
    except CourseError as error:
        yield str(error)
        return
    for cell in notebook.text.of_kind("exercise"):
        if cell.id not in questions:
            yield (
                f"{cell.path}:{cell.line}: exercise {cell.id!r} has no hidden question; "
                f'write one, @question("{cell.id}"), in {notebook.marking / "questions.py"}'
            )
