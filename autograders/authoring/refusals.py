"""What staff refuse to build beside what the library refuses: an exercise whose mark would rest on nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from autograders.authoring.answers import read_answers
from autograders.engine.asking.registry import questions_of
from course_lib.course_root import shown
from course_lib.errors import CourseError
from course_lib.workbook.source import SourceNotebook

__all__ = ["refusals"]


def refusals(notebooks: Iterable[SourceNotebook]) -> list[str]:
    """One line for each fault: files of questions or answers that cannot be used, an exercise without a question."""
    return [fault for notebook in notebooks for fault in _faults(notebook)]


def _faults(notebook: SourceNotebook) -> Iterator[str]:
    try:
        read_answers(notebook)  # an edit may no longer apply to its solution
    except CourseError as error:
        yield str(error)
    try:
        questions = questions_of(notebook)
    except CourseError as error:
        yield str(error)
        return
    for cell in notebook.text.of_kind("exercise"):
        if cell.id not in questions:
            yield (
                f"{cell.place}: exercise {cell.id!r} has no hidden question; "
                f'write one, @question("{cell.id}"), in {shown(notebook.marking / "questions.py")}'
            )
