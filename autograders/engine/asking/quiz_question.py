"""Marks a quiz: the student's set of letters, fetched as data, against the key that only staff have."""

from __future__ import annotations

from typing import Any

from autograders.engine.student_fault import StudentFault
from autograders.engine.verdict import CaseResult, QuestionResult, Verdict
from course_lib.checking import CheckFailed
from course_lib.checking.quiz import chosen_letters
from course_lib.workbook.quizzes import Statement

__all__ = ["ask_quiz"]


def ask_quiz(quiz: str, points: float, statements: tuple[Statement, ...], student: Any) -> QuestionResult:
    """One case for each statement; the share is (right - wrong judgements) / statements, at least 0."""
    try:
        answer = student.value(quiz)
        chosen = chosen_letters(quiz, answer, "".join(entry.letter for entry in statements))
    except StudentFault as fault:
        return _unjudged(quiz, points, fault.verdict, fault.message)
    except CheckFailed:
        return _unjudged(quiz, points, Verdict.WRONG, "The answer is not a set of the statements' letters.")
    if chosen is None:
        return _unjudged(quiz, points, Verdict.MISSING, "Not answered yet.")
    cases = tuple(_judge(entry, chosen) for entry in statements)
    balance = sum(1 if case.verdict is Verdict.RIGHT else -1 for case in cases)
    return QuestionResult(quiz, points, cases, share=max(balance, 0) / len(cases))


def _judge(entry: Statement, chosen: set[str]) -> CaseResult:
    right = (entry.letter in chosen) == entry.true
    return CaseResult(f"statement {entry.letter}", Verdict.RIGHT if right else Verdict.WRONG)


def _unjudged(quiz: str, points: float, verdict: Verdict, message: str) -> QuestionResult:
    return QuestionResult(quiz, points, (CaseResult("the answer", verdict, message),))
