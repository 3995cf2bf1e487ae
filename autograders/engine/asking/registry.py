"""The hidden questions of a notebook: every `@question` in the files `questions*.py` of its marking folder.

The folders' names, such as 1b_convolution, are no names of modules, so the files are executed by their paths.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from pathlib import Path
from types import ModuleType

from autograders.engine.asking.question import Question, registered
from course_lib.course_root import shown
from course_lib.errors import CourseError
from course_lib.workbook.source import SourceNotebook

__all__ = ["question_files", "questions_of"]


def question_files(notebook: SourceNotebook) -> list[Path]:
    return sorted(notebook.marking.glob("questions*.py"))


def questions_of(notebook: SourceNotebook) -> dict[str, Question]:
    """Exercise id -> its question.

    Raises CourseError for a file that does not load, an exercise asked about twice, or one that the notebook lacks.
    """
    exercises = [cell.id for cell in notebook.text.of_kind("exercise")]
    questions: dict[str, Question] = {}
    for path in question_files(notebook):
        for entry in _load(path, path.stat().st_mtime_ns):
            if entry.exercise not in exercises:
                raise CourseError(
                    f"{_place(entry)}: {notebook.id} has no exercise {entry.exercise!r} to ask about; "
                    f"it has {', '.join(exercises) or 'none'}"
                )
            if entry.exercise in questions:
                first = _place(questions[entry.exercise])
                raise CourseError(f"{_place(entry)}: {first} asks about {entry.exercise!r} already; keep one question")
            questions[entry.exercise] = entry
    return questions


@lru_cache(maxsize=512)
def _load(path: Path, version: int) -> tuple[Question, ...]:
    """Execute one file. No bytecode is kept: the file's own text is what counts."""
    registered.pop(str(path), None)
    module = ModuleType(f"{'.'.join(path.parts[-3:-1])}.{path.stem}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # where dataclasses look for a module's names
    try:
        exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), vars(module))
    except Exception as error:  # whatever an author's file may raise
        raise CourseError(f"{shown(path)} cannot be loaded: {type(error).__name__}: {error}") from error
    return tuple(registered.pop(str(path), ()))


def _place(entry: Question) -> str:
    file, line = entry.place
    return f"{shown(Path(file))}:{line}"
