"""How a question's code hears that an answer is not right; `question.py` turns it into a verdict."""

from __future__ import annotations

from autograders.engine.verdict import Verdict

__all__ = ["StudentFault", "Unanswerable"]


class StudentFault(Exception):
    """The student's side failed: it raised, hung, died or answered what cannot be right.

    message     what the student may read: nothing hidden is in it.
    kinds       class names of the exception that the student's code raised, itself first; empty for other faults.
    ends_process  whether nothing more can be asked of this process.
    """

    def __init__(
        self, verdict: Verdict, message: str, *, kinds: tuple[str, ...] = (), ends_process: bool = False
    ) -> None:
        super().__init__(message)
        self.verdict, self.message, self.kinds, self.ends_process = verdict, message, kinds, ends_process


class Unanswerable(Exception):
    """The grader's own side failed. Never a mark: the question is asked again, then a person looks."""
