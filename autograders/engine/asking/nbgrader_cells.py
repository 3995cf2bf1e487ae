"""Exercises that have no hidden question: nbgrader's own test cell decides, in a second disposable sandbox.

Such a test runs in the student's process and can be forged there; its results say "same-process".
"""

from __future__ import annotations

from autograders.engine.isolation.session import Session
from autograders.engine.student_fault import StudentFault
from autograders.engine.verdict import CaseResult, QuestionResult, Verdict
from course_lib.workbook.source import SourceNotebook

__all__ = ["ask_own_tests", "own_test_cells"]

NAME = "the notebook's own tests (same-process)"


def own_test_cells(source: SourceNotebook, exercise: str) -> list[str]:
    """The sources of the check cells of an exercise, hidden tests included."""
    return [cell.source for cell in source.text.of_kind("check") if cell.id == exercise]


def ask_own_tests(exercise: str, points: float, tests: list[str], session: Session) -> QuestionResult:
    """Right if no test cell raises. The session's own kernel never sees a hidden test: a second one runs them."""
    verdict, message = _run(tests, session.second())
    return QuestionResult(exercise, points, (CaseResult(NAME, verdict, message),))


def _run(tests: list[str], session: Session) -> tuple[Verdict, str]:
    for number, test in enumerate(tests):
        try:
            run = session.execute(test, f"test {number}")
        except StudentFault as fault:
            return fault.verdict, fault.message
        if run.verdict is not Verdict.RIGHT:
            # the traceback would quote the hidden test
            return Verdict.WRONG if run.verdict is Verdict.ERROR else run.verdict, ""
    return Verdict.RIGHT, ""
