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

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from autograders.engine.asking import comparison
from autograders.engine.asking.inputs import Inputs
from autograders.engine.student_fault import StudentFault
from autograders.engine.verdict import CaseResult, QuestionResult, Verdict

__all__ = ["Cases", "Place", "Question", "ask", "place_of", "question", "register", "registered"]

Place = tuple[str, int]  # file, line

registered: dict[str, list[Question]] = {}  # file -> the questions that its functions became, in order


@dataclass(frozen=True)
class Question:
    """The hidden question of one exercise.

    seconds  wall time for all its cases together; None: the engine's own limit.
    without  torch functions that the exercise builds, so that the answer may not call them: see `checking.without`.
    place    where it is written.
    native   whether it runs the answer in a clean process of its own: see `native_question`.
    """

    exercise: str
    function: Callable[..., None]
    seconds: float | None = None
    without: tuple[str, ...] = ()
    place: Place = ("", 0)
    native: bool = False


def place_of(function: Callable[..., None]) -> Place:
    """Where a function's text stands."""
    return function.__code__.co_filename, function.__code__.co_firstlineno


def register(entry: Question) -> Question:
    """Keep a question for `registry.questions_of`; returns it."""
    registered.setdefault(entry.place[0], []).append(entry)
    return entry


def question(
    exercise: str, *, seconds: float | None = None, without: tuple[str, ...] = ()
) -> Callable[[Callable[..., None]], Question]:
    """Make a function `(student, reference, rng, case)` the hidden question of an exercise, and register it."""
    return lambda function: register(Question(exercise, function, seconds, without, place_of(function)))


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
