"""Questions: functions that state cases about one exercise, and the asking of them.

    @question("dense_layer")
    def dense_layer(student, reference, rng, case):
        for rows, inputs, outputs in ((1, 1, 1), (5, 3, 4), (2, 7, 1)):
            x, weight, bias = rng.normal(rows, inputs), rng.normal(outputs, inputs), rng.normal(outputs)
            with case(f"{rows} rows, {inputs} inputs, {outputs} outputs"):
                close(student.dense(x, weight, bias), F.linear(x, weight, bias))

Every `with case(...)` is worth an equal share of the points, or `weight` times that. What fails inside ends the case
alone. A case that compares nothing is a fault of the question. `reference` is the solution notebook, asked in the same
words; an independent oracle is better where there is one.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from autograders.engine.asking import comparison
from autograders.engine.asking.inputs import Inputs
from autograders.engine.student_fault import StudentFault
from autograders.engine.verdict import CaseResult, QuestionResult, Verdict

__all__ = ["Cases", "Question", "ask", "question", "questions_of"]


@dataclass(frozen=True)
class Question:
    """The hidden question of one exercise.

    seconds  wall time for all its cases together; None: the engine's own limit.
    without  torch functions that the exercise builds, so that the answer may not call them: see `checking.without`.
    native   whether it runs the answer in a clean process of its own: see `native_question`.
    """

    exercise: str
    function: Callable[..., None]
    seconds: float | None = None
    without: tuple[str, ...] = ()
    native: bool = False


def question(
    exercise: str, *, seconds: float | None = None, without: tuple[str, ...] = ()
) -> Callable[[Callable[..., None]], Question]:
    """Make a function `(student, reference, rng, case)` the hidden question of an exercise."""
    return lambda function: Question(exercise, function, seconds, without)


def questions_of(lab: str) -> dict[str, Question]:
    """Exercise id -> its question, from `autograders/LAB.py`. An absent module means no questions."""
    name = f"autograders.{lab}"
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        return {}
    return {entry.exercise: entry for entry in module.QUESTIONS}


@dataclass
class Cases:
    """`case` of a question: collects what became of each."""

    results: list[CaseResult] = field(default_factory=list)

    @contextmanager
    def __call__(self, name: str, *, weight: float = 1.0) -> Iterator[None]:
        """State one case. `name` says what is tried, without the input or the expected value."""
        started, compared = time.monotonic(), comparison.comparisons
        verdict, message = Verdict.RIGHT, ""
        try:
            yield
            if comparison.comparisons == compared:
                verdict, message = Verdict.FAULT, "The case compared nothing."
        except StudentFault as fault:
            verdict, message = fault.verdict, fault.message
        except Exception as error:  # the question itself is broken, or the grader is
            verdict, message = Verdict.FAULT, f"{type(error).__name__}: {error}"
        self.results.append(CaseResult(name, verdict, message, time.monotonic() - started, weight))


def ask(entry: Question, points: float, student: Any, reference: Any, seed: int) -> QuestionResult:
    """Put one question; whatever the student's process does, there is a result."""
    cases = Cases()
    if entry.without:
        student = student.without(*entry.without)
    try:
        entry.function(student, reference, Inputs(seed, entry.exercise), cases)
    except Exception as error:  # between the cases only the question's own code runs
        cases.results.append(CaseResult("the question itself", Verdict.FAULT, f"{type(error).__name__}: {error}"))
    if not cases.results:
        cases.results.append(CaseResult("the question itself", Verdict.FAULT, "The question states no case."))
    return QuestionResult(entry.exercise, points, tuple(cases.results))
