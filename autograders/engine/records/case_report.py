"""What a check cell prints in an autograded notebook: one line a case, written by the grader alone."""

from __future__ import annotations

import re

from autograders.engine.records.harmless import one_line
from autograders.engine.verdict import CaseResult, QuestionResult, Verdict
from course_lib.workbook.quizzes import Statement

__all__ = ["case_report", "quiz_report"]

FAULT = "The grader failed here, not your answer: a person will look at it, and the mark is open until then."
NOT_GRADED = "This was not graded: see the notes at the top."


def case_report(question: QuestionResult | None) -> str:
    """Verdict, name and message of every case, then the score. A fault's own message is for staff: it is left out."""
    if question is None or not question.cases:
        return NOT_GRADED
    if question.is_fault:
        return FAULT
    width = max(len(case.verdict) for case in question.cases)
    lines = [_line(case, width) for case in question.cases]
    return "\n".join([*lines, _score(question)])


def quiz_report(question: QuestionResult | None, statements: tuple[Statement, ...]) -> str:
    """For each statement whether the judgement was right, and the reason. An unanswered quiz keeps its reasons."""
    if question is None or not question.cases or question.is_fault:
        return case_report(question)
    judgements = _judgements(question, statements)
    if any(verdict not in (Verdict.RIGHT, Verdict.WRONG) for verdict in judgements.values()) or not judgements:
        return case_report(question)
    lines = [
        f"{entry.letter}: {judgements[entry.letter]}. "
        f"The statement is {'true' if entry.true else 'false'}: {entry.reason}"
        for entry in statements
    ]
    return "\n".join([*lines, _score(question)])


def _judgements(question: QuestionResult, statements: tuple[Statement, ...]) -> dict[str, Verdict]:
    """Letter -> verdict, from cases whose names end in the statement's letter; empty unless they name each once."""
    found: dict[str, Verdict] = {}
    for case in question.cases:
        named = re.search(r"(?:^|\s)([a-z])[.:]?$", case.name.strip().lower())
        if named is None or named[1] in found:
            return {}
        found[named[1]] = case.verdict
    return found if found.keys() == {entry.letter for entry in statements} else {}


def _line(case: CaseResult, width: int) -> str:
    message = one_line(case.message)
    return f"{case.verdict:<{width}}  {one_line(case.name)}{': ' if message else ''}{message}"


def _score(question: QuestionResult) -> str:
    return f"Score: {question.score:g} of {question.points:g}."
