"""One run of `course grade`: intake, what is already done left out, grading in parallel, one writer."""

from __future__ import annotations

import json
import secrets
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

from autograders.engine.intake.take_in import read_submissions
from autograders.engine.isolation.available import require_sandbox
from autograders.engine.isolation.caps import remove_leftovers
from autograders.engine.pool import graded
from autograders.engine.records.workspace import Workspace
from autograders.engine.records.writer import Writer
from autograders.engine.submission import Submission
from autograders.engine.submission_grading import GradingSettings
from autograders.engine.verdict import SubmissionResult
from course_lib.course_root import places
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

    def results(self, writer: Writer, skipped: list[str]) -> Generator[SubmissionResult, None, None]:
        """Grade what is not done yet. The caller gives the results to `writer`, which holds the workspace's lock.

        Only `submitted/` and the seed are written here; nothing for a regrade, which `keep_regraded` completes.

        skipped  filled with the students whose marks stand: the same files were graded before.
        """
        if not self.regrade:
            self._keep_seed()
        yield from graded(self._to_do(writer, skipped), self.settings, jobs=self.jobs, cluster=self.cluster)

    def keep_regraded(self, graded: dict[str, str]) -> None:
        """Keep what a regrade was made from, once its marks are agreed to. `graded`: student -> sha256 of the files."""
        self._keep_seed()
        for submission in self._read():
            if graded.get(submission.student) == submission.sha256:  # else it was changed since, and is graded next
                self._keep(submission)

    def _to_do(self, writer: Writer, skipped: list[str]) -> Iterator[Submission]:
        for submission in self._read():
            if not self.regrade and writer.done(submission.student) == submission.sha256:
                skipped.append(submission.student)
                continue
            if not self.regrade:
                self._keep(submission)
            yield submission

    def _read(self) -> Iterator[Submission]:
        lab = self.settings.lab
        names = [name for name, source in source_notebooks(self.settings.root).items() if source.lab == lab]
        if not names:
            raise CourseError(f"there is no lab {lab!r} in {places(self.settings.root).text}")
        found = False
        for submission in read_submissions(self._place, lab, names):
            if self.student in (None, submission.student):
                found = True
                yield submission
        if not found:
            who = f"nothing of {self.student}" if self.student else "no submission"
            raise CourseError(f"{self._place} holds {who} for {lab}")

    def _keep(self, submission: Submission) -> None:
        """The files as they came, where nbgrader looks for them, and none of an earlier submission beside them."""
        files = {
            self.workspace.submitted(submission.student, name): content for name, content in submission.files.items()
        }
        for path, content in files.items():
            if not path.exists() or path.read_bytes() != content:
                self.workspace.write(path, content)
        if not self._is_in_place:
            self.workspace.remove_others(self.workspace.submitted_folder(submission.student), files)

    @property
    def _place(self) -> Path:
        return self.submissions or self.workspace.root / "submitted"

    @property
    def _is_in_place(self) -> bool:
        """Whether `submitted/` itself is graded: what intake leaves out of it was handed in all the same."""
        place, submitted = self._place.resolve(), (self.workspace.root / "submitted").resolve()
        return place == submitted.parent or place.is_relative_to(submitted)

    def _keep_seed(self) -> None:
        path, seed = _seed_file(self.workspace), _seed(self.settings.seed)
        if not path.exists() or path.read_bytes() != seed:
            self.workspace.write(path, seed)


def class_seed(workspace: Workspace, chosen: int | None = None) -> int:
    """The seed that a lab's inputs are drawn from: chosen once for a class, secret, kept beside the evidence.

    The same for everybody, so that all answer the same cases, and for a regrade, so that marks can be traced. One that
    is given here is kept by the run that uses it, under the workspace's lock.
    """
    if chosen is not None:
        return chosen
    path = _seed_file(workspace)
    if not path.exists():
        workspace.write_first(path, _seed(secrets.randbelow(2**31)))
    return int(json.loads(path.read_text())["seed"])


def _seed_file(workspace: Workspace) -> Path:
    return workspace.root / "evidence" / f"{workspace.lab}-seed.json"


def _seed(seed: int) -> bytes:
    return json.dumps({"seed": seed}).encode()
