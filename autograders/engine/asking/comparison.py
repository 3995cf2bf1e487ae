"""Compares an answer with what is expected. What a student reads of it names the kind of difference, no number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from autograders.engine.student_fault import StudentFault
from autograders.engine.verdict import Verdict
from course_lib.checking import CheckFailed, comparing

__all__ = ["close", "equal", "parts", "raises", "that", "unchanged"]


def close(
    actual: Any, expected: Any, *, rtol: float = 1e-4, atol: float = 1e-5, dtype: bool = False, hint: str = ""
) -> None:
    """Require |actual - expected| <= atol + rtol * |expected| everywhere, and the same kind, shape and nesting.

    NaN and infinity never agree with a number, NaN with nothing. `dtype` also compares dtypes. The hint is shown to the
    student: it names a mistake, never a value.
    """
    _compare(lambda: comparing.compare(actual, expected, "the answer", rtol=rtol, atol=atol, dtype=dtype), hint)
    _noted()


def equal(actual: Any, expected: Any, *, hint: str = "") -> None:
    """Require the same value: for tensors the same shape, dtype and numbers, else type and value."""
    _compare(lambda: comparing.compare_exactly(actual, expected, "the answer"), hint)
    _noted()


def unchanged(after: Any, before: Any, *, hint: str = "An argument was changed in place.") -> None:
    """Require what `student.after` brought back to be what was sent."""
    _compare(lambda: comparing.compare_exactly(after, before, "an argument after the call"), hint)
    _noted()


def that(holds: Any, problem: str) -> None:
    """Require a condition of your own; `problem` is what the student reads."""
    if not bool(holds):
        raise StudentFault(Verdict.WRONG, problem)
    _noted()


def raises(kind: type[Exception], call: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
    """Require a call to raise `kind`. Put it in a case that also compares a value: some answers always raise."""
    try:
        call(*args, **kwargs)
    except StudentFault as fault:
        if kind.__name__ in fault.kinds and not fault.ends_process:
            _noted()
            return
        raise
    raise StudentFault(Verdict.WRONG, f"{kind.__name__} was expected, and nothing was raised.")


def parts(answer: Any, count: int, *, hint: str = "") -> tuple[Any, ...]:
    """The parts of an answer of several values: a list or tuple of `count`, or a tensor with that many rows.

    Take an answer apart with this alone: `answer[0]` fails on an answer of another kind, which is then a fault of the
    question's. It is no comparison yet.
    """
    sized = isinstance(answer, (list, tuple)) or (isinstance(answer, torch.Tensor) and answer.ndim > 0)
    if not sized or len(answer) != count:
        problem = "The answer is None." if answer is None else "The answer has not as many parts as it should."
        raise StudentFault(Verdict.WRONG, f"{problem} {hint}".strip())
    return tuple(answer)


comparisons = 0


def _noted() -> None:
    """Counts what held: a case that compared nothing would be right for any answer (`question.Case`)."""
    global comparisons
    comparisons += 1


def _compare(compare: Callable[[], None], hint: str) -> None:
    try:
        compare()
    except CheckFailed as failure:
        headline = str(failure).splitlines()[0].rstrip(".:")
        raise StudentFault(Verdict.WRONG, _sentence(headline) + (f" {hint}" if hint else "")) from None
    except (ValueError, TypeError, RuntimeError, OverflowError, RecursionError, AttributeError, MemoryError) as error:
        # a value of a kind that cannot be compared at all, such as a set where a tensor is expected
        raise StudentFault(Verdict.WRONG, f"The answer is of a kind that cannot be right. {hint}".strip()) from error


def _sentence(headline: str) -> str:
    return headline[:1].upper() + headline[1:] + "."
