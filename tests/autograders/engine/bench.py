"""Many submissions graded in one sandbox, which a class run never does: a start costs more than grading a small one."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from autograders.engine.isolation.session import SandboxSlot
from autograders.engine.submission import Submission
from autograders.engine.submission_grading import SubmissionGrader
from autograders.engine.verdict import SubmissionResult

__all__ = ["Bench"]


class Bench:
    """Each submission has its own time and its own count of starts; the sandbox goes on to the next one if it can."""

    def __init__(self, grader: SubmissionGrader) -> None:
        self.grader = grader
        self._slot = SandboxSlot(grader.supply, 0.0, free_starts=grader._free_starts())

    def start(self) -> None:
        """Have a sandbox that serves the next submission."""
        with self.slot(60.0) as slot:
            process = slot.fork()
            assert process
            process.close()

    @contextlib.contextmanager
    def slot(self, seconds: float) -> Iterator[SandboxSlot]:
        self._slot.deadline = time.monotonic() + seconds
        self._slot._starts.count = int(self._slot._sandbox is not None)
        yield self._slot

    def grade(self, submission: Submission) -> SubmissionResult:
        started = time.monotonic()
        with self.slot(self.grader.supply.limits.submission) as slot:
            notebooks = tuple(self.grader._notebook(name, submission, slot) for name in self.grader.graders)
        return SubmissionResult(
            submission.student, submission.lab, submission.sha256, self.grader.settings.seed, notebooks,
            submission.problems, seconds=time.monotonic() - started,
        )  # fmt: skip

    def allow(self, patch: pytest.MonkeyPatch, **limits: float) -> None:
        """Other limits while `patch` holds, of those that this side of the sandbox keeps."""
        changed = replace(self.grader.settings.limits, **limits)
        for holder in (self.grader.supply, *self.grader.graders.values()):
            patch.setattr(holder, "limits", changed)

    def close(self) -> None:
        self._slot.discard()
