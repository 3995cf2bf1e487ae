"""One run of `course grade`: intake, what is already done left out, grading in parallel, one writer."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from autograders.engine.intake.take_in import read_submissions
from autograders.engine.isolation.caps import remove_leftovers
from autograders.engine.isolation.sandbox import require_sandbox
from autograders.engine.pool import graded
from autograders.engine.records.workspace import Workspace
from autograders.engine.records.writer import Writer
from autograders.engine.submission import Submission
from autograders.engine.submission_grading import GradingSettings
from autograders.engine.verdict import SubmissionResult
from course_lib.errors import CourseError
from course_lib.workbook import source_notebooks

__all__ = ["ClassRun", "class_seed"]


@dataclass(frozen=True)
class ClassRun:
    """What one command line asks for.

    submissions  a folder or zip; None: those already in the workspace.
    student      grade this one alone.
    regrade      grade again what is done.
    """

    settings: GradingSettings
    workspace: Workspace
    submissions: Path | None = None
    jobs: int = 2
    cluster: str | None = None
    student: str | None = None
    regrade: bool = False

    def prepare(self) -> str:
        """A sentence on the sandbox. Raises CourseError if nothing can be graded here."""
        if self.settings.unsafe:
            return "no sandbox: submissions run with your rights on this machine"
        remove_leftovers()
        return require_sandbox(self.settings.limits)

    def students(self) -> list[str]:
        """Names of those to grade; reads every submission once, keeping none."""
        return [submission.student for submission in self._read()]

    def results(self, writer: Writer, skipped: list[str]) -> Iterator[SubmissionResult]:
        """Grade what is not done yet. The caller gives the results to `writer`; only `submitted/` is written here.

        skipped  filled with the students whose marks stand: the same files were graded before.
        """
        yield from graded(self._to_do(writer, skipped), self.settings, jobs=self.jobs, cluster=self.cluster)

    def _to_do(self, writer: Writer, skipped: list[str]) -> Iterator[Submission]:
        for submission in self._read():
            if not self.regrade and writer.done(submission.student) == submission.sha256:
                skipped.append(submission.student)
                continue
            self._keep(submission)
            yield submission

    def _read(self) -> Iterator[Submission]:
        lab = self.settings.lab
        names = [name for name, source in source_notebooks(self.settings.root).items() if source.lab == lab]
        if not names:
            raise CourseError(f"there is no lab {lab!r} in {self.settings.root / 'solutions'}")
        place = self.submissions or self.workspace.root / "submitted"
        found = False
        for submission in read_submissions(place, lab, names):
            if self.student in (None, submission.student):
                found = True
                yield submission
        if not found:
            who = f"nothing of {self.student}" if self.student else "no submission"
            raise CourseError(f"{place} holds {who} for {lab}")

    def _keep(self, submission: Submission) -> None:
        """The files as they came, where nbgrader looks for them."""
        for name, content in submission.files.items():
            path = self.workspace.submitted(submission.student, name)
            if not path.exists() or path.read_bytes() != content:
                self.workspace.write(path, content)


def class_seed(workspace: Workspace, chosen: int | None = None) -> int:
    """The seed that a lab's inputs are drawn from: chosen once for a class, secret, kept beside the evidence.

    The same for everybody, so that all answer the same cases, and for a regrade, so that marks can be traced.
    """
    path = workspace.root / "evidence" / f"{workspace.lab}-seed.json"
    if chosen is None and path.exists():
        return int(json.loads(path.read_text())["seed"])
    seed = secrets.randbelow(2**31) if chosen is None else chosen
    workspace.write(path, json.dumps({"seed": seed}).encode())
    return seed
