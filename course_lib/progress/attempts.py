"""Results of visible checks as they happen, and read back.

A result is kept only if the check runs in a Jupyter kernel whose working directory lies in the labs/ of a course, as it
does when a student runs a cell. `course run` and grading work in folders of their own, tests in no kernel at all, and
COURSE_PROGRESS=off switches the record off. No text of an answer is kept.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

from course_lib.course_root import enclosing_course
from course_lib.progress.record_file import append, read_lines

__all__ = ["Attempt", "Outcome", "Record", "read_record", "record_answer", "record_check"]

SWITCH = "COURSE_PROGRESS"

# "unwritten": the exercise still raises its NotImplementedError, or the quiz is None
# "answered": a quiz has an answer, right or wrong
Outcome = Literal["passed", "failed", "unwritten", "answered"]


@dataclass(frozen=True)
class Attempt:
    """One run of one check.

    exercise  id of the exercise or quiz.
    notebook  the file's name without its ending as Jupyter gives it, or "".
    """

    exercise: str
    outcome: Outcome
    notebook: str
    when: datetime


@dataclass(frozen=True)
class Record:
    """Every attempt in the order they were made, and how many lines of the record could not be read."""

    attempts: tuple[Attempt, ...] = ()
    unreadable: int = 0


def record_check(exercise: str, error: BaseException | None) -> None:
    """Keep how the check of one exercise ended, `error` being what it raised. Never raises and never prints."""
    outcome: Outcome = "passed"
    if isinstance(error, NotImplementedError):
        outcome = "unwritten"
    elif error is not None:
        if _exercise_was_not_run(error):
            return
        outcome = "failed"
    _record(exercise, outcome)


def record_answer(quiz: str, *, answered: bool) -> None:
    """Keep whether a quiz has an answer. Never raises and never prints."""
    _record(quiz, "answered" if answered else "unwritten")


def read_record(course: Path) -> Record:
    """What is kept for the course at `course`; lines that are damaged are counted and passed over."""
    lines = [line for line in read_lines(course) if line.strip()]
    attempts = tuple(_parsed(lines))
    return Record(attempts, len(lines) - len(attempts))


def _record(exercise: str, outcome: Outcome) -> None:
    # whatever goes wrong here must not change what a check says
    with contextlib.suppress(Exception):
        course = _course_of_this_kernel()
        if course:
            entry = {
                "exercise": exercise,
                "outcome": outcome,
                "notebook": Path(os.environ.get("JPY_SESSION_NAME", "")).stem,
                "when": datetime.now(UTC).isoformat(timespec="milliseconds"),
            }
            append(course, json.dumps(entry))


def _course_of_this_kernel() -> Path | None:
    if os.environ.get(SWITCH, "").lower() in ("off", "0", "no", "false") or "IPython" not in sys.modules:
        return None
    from IPython import get_ipython

    if getattr(get_ipython(), "kernel", None) is None:
        return None
    here = Path.cwd()
    course = enclosing_course(here, "labs")
    return course if course and here.is_relative_to(course / "labs") else None


def _exercise_was_not_run(error: BaseException) -> bool:
    """After a restart the check cell itself misses the exercise's name: that says nothing about the answer."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    # only a cell's own statements have the global names for their local ones
    return isinstance(error, NameError) and trace is not None and trace.tb_frame.f_locals is trace.tb_frame.f_globals


def _parsed(lines: Iterable[str]) -> Iterator[Attempt]:
    for line in lines:
        with contextlib.suppress(ValueError, TypeError, KeyError, RecursionError):
            entry = json.loads(line)
            exercise, outcome, notebook = entry["exercise"], entry["outcome"], entry["notebook"]
            when = datetime.fromisoformat(entry["when"])
            if isinstance(exercise, str) and isinstance(notebook, str) and outcome in get_args(Outcome) and when.tzinfo:
                yield Attempt(exercise, outcome, notebook, when)
