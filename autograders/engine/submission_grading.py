"""Grades one submission in a worker process: the bytes go in, a SubmissionResult comes out, nothing else is touched."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from autograders.engine.asking.registry import questions_of
from autograders.engine.isolation.limits import Limits
from autograders.engine.isolation.session import SandboxSlot
from autograders.engine.isolation.supply import SandboxSupply
from autograders.engine.notebook_grading import NotebookGrader
from autograders.engine.provenance import provenance
from autograders.engine.submission import Submission
from autograders.engine.verdict import NotebookResult, SubmissionResult
from course_lib.workbook import source_notebooks

__all__ = ["GradingSettings", "SubmissionGrader"]


@dataclass(frozen=True)
class GradingSettings:
    """What all submissions of a run share.

    root    the course's folder.
    seed    start of every question's random stream.
    unsafe  grade without a sandbox.
    """

    root: Path
    lab: str
    seed: int = 0
    limits: Limits = field(default_factory=Limits)
    unsafe: bool = False


class SubmissionGrader:
    """One for each worker process. Use as a context manager: it keeps sandboxes ahead."""

    def __init__(self, settings: GradingSettings) -> None:
        self.settings = settings
        self.graders = {
            name: NotebookGrader(source, questions_of(source), settings.limits)
            for name, source in source_notebooks(settings.root).items()
            if source.lab == settings.lab
        }
        self.supply = SandboxSupply(settings.limits, unsafe=settings.unsafe)

    def __enter__(self) -> SubmissionGrader:
        self.supply.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self.supply.__exit__(*failure)

    def grade(self, submission: Submission) -> SubmissionResult:
        """Raises nothing for any submission; a notebook that meets a fault of the grader is graded once more."""
        started, clock = datetime.now(UTC), time.monotonic()
        slot = SandboxSlot(self.supply, self.settings.limits.submission, free_starts=self._free_starts())
        try:
            notebooks = tuple(self._notebook(name, submission, slot) for name in self.graders)
        finally:
            slot.discard()
        return SubmissionResult(
            student=submission.student,
            lab=submission.lab,
            sha256=submission.sha256,
            seed=self.settings.seed,
            notebooks=notebooks,
            problems=submission.problems,
            seconds=time.monotonic() - clock,
            started=started.isoformat(timespec="seconds"),
            provenance=provenance(self.settings.limits, unsafe=self.settings.unsafe),
        )

    def _free_starts(self) -> int:
        """The first sandbox, one for each question, should its answer spoil one, and one for each native
        question, which takes a clean one beside it: what the most unlucky honest work can cost.
        """
        graders = self.graders.values()
        native = sum(question.native for grader in graders for question in grader.questions.values())
        return 1 + sum(len(grader.asked_cells()) for grader in graders) + native

    def _notebook(self, name: str, submission: Submission, slot: SandboxSlot) -> NotebookResult:
        grader = self.graders[name]
        if name not in submission.files:
            return grader.missing()
        result = grader.grade(submission.files[name], self.settings.seed, slot)
        if result.questions and all(question.is_fault for question in result.questions):
            slot.discard()
            result = grader.grade(submission.files[name], self.settings.seed, slot)
        return result
