"""Quiz answers: a set of letters for the statements that are true. Holds no quiz's key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from course_lib import progress
from course_lib.checking.comparing import CheckFailed

__all__ = ["check_answer", "chosen_letters", "score"]


def chosen_letters(name: str, answer: Any, letters: str) -> set[str] | None:
    """The letters a student chose, or None for a quiz not answered yet.

    Takes a set, list or tuple of letters, or one string of them ("ac", "a, c"); capitals do not matter.
    Raises CheckFailed for anything else.
    """
    if answer is None:
        return None
    if isinstance(answer, str):
        answer = answer.replace(",", " ").split() if set(answer) & {",", " "} else list(answer)
    if not isinstance(answer, (set, frozenset, list, tuple)) or not all(isinstance(item, str) for item in answer):
        raise CheckFailed(f'{name} is a set of letters, such as {{"a", "c"}}, not {answer!r}')
    chosen = {item.strip().lower() for item in answer}
    unknown = sorted(chosen - set(letters))
    if unknown:
        raise CheckFailed(
            f"{name}: there is no statement {', '.join(unknown)}; the statements are {', '.join(letters)}"
        )
    return chosen


def check_answer(name: str, answer: Any, letters: str) -> None:
    """The visible check: says what was understood, never whether it is right."""
    chosen = chosen_letters(name, answer, letters)
    progress.record_answer(name, answered=chosen is not None)
    if chosen is None:
        print(f"{name}: not answered yet.")
    else:
        print(f"{name}: your answer is that {', '.join(sorted(chosen)) or 'none'} of {', '.join(letters)} hold.")


def score(name: str, answer: Any, key: Mapping[str, tuple[bool, str]], points: float) -> float:
    """Points for an answer: one share for each statement judged rightly, one taken for each judged wrongly, at least 0.

    key  letter -> (whether the statement is true, the reason). Prints each judgement with its reason.
    Guessing, or choosing all or none of a balanced quiz, is worth nothing on average.
    """
    chosen = chosen_letters(name, answer, "".join(key))
    if chosen is None:
        return 0.0
    balance = 0
    for letter, (true, reason) in key.items():
        right = (letter in chosen) == true
        balance += 1 if right else -1
        print(f"{letter}: {'right' if right else 'wrong'}. The statement is {'true' if true else 'false'}: {reason}")
    return points * max(balance, 0) / len(key)
