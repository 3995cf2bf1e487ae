"""What became of a question, and the marks that follow: the only place where a score is computed."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum

__all__ = ["CaseResult", "CellRun", "NotebookResult", "QuestionResult", "SubmissionResult", "Verdict"]


class Verdict(StrEnum):
    """right is the only one that earns marks; fault means that the grader failed, which is never a mark."""

    RIGHT = "right"
    WRONG = "wrong"
    ERROR = "error"  # the student's code raised
    MISSING = "missing"  # nothing was written
    TIMEOUT = "timeout"
    MEMORY = "out of memory"
    OUTPUT = "output limit"
    DIED = "process died"
    FAULT = "harness fault"


@dataclass(frozen=True)
class CaseResult:
    """One case of a question.

    name     what was tried, in words that give away neither the input nor the expected value.
    message  what the student may read.
    weight   its share of the question's points, relative to the other cases.
    """

    name: str
    verdict: Verdict
    message: str = ""
    seconds: float = 0.0
    weight: float = 1.0


@dataclass(frozen=True)
class QuestionResult:
    """The cases of one question. `id` is the exercise's or quiz's.

    share  for a quiz: what its balance of right and wrong judgements earns, in place of the cases' weights.
    """

    id: str
    points: float
    cases: tuple[CaseResult, ...] = ()
    share: float | None = None

    @property
    def is_fault(self) -> bool:
        return any(case.verdict is Verdict.FAULT for case in self.cases)

    @property
    def verdict(self) -> Verdict:
        """right when every case is; else the first verdict that is not."""
        return next((case.verdict for case in self.cases if case.verdict is not Verdict.RIGHT), self._when_all_right())

    def _when_all_right(self) -> Verdict:
        return Verdict.RIGHT if self.cases else Verdict.FAULT

    @property
    def score(self) -> float:
        """points * (weight of right cases) / (weight of all cases); 0 with a fault, until a person has looked."""
        total = sum(case.weight for case in self.cases)
        if self.is_fault or not self.cases or not math.isfinite(total) or total <= 0:
            return 0.0
        share = sum(case.weight for case in self.cases if case.verdict is Verdict.RIGHT) / total
        share = share if self.share is None else min(share, self.share)
        return round(self.points * min(max(share, 0.0), 1.0), 4)


@dataclass(frozen=True)
class CellRun:
    """What one cell of the student's left behind, cut to its limits.

    text    stdout and stderr in order, plain text.
    images  PNG files, at most a few.
    error   "" or the traceback's text.
    verdict RIGHT if the cell ran to its end, else what stopped it.
    """

    id: str
    verdict: Verdict
    text: str = ""
    images: tuple[bytes, ...] = ()
    error: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class NotebookResult:
    """One notebook of one student.

    repairs   sentences: what was put right in the submitted file.
    problems  sentences: why it could not be graded as it is (missing file, not JSON ...).
    answers   cell id -> the student's source of exercises and quizzes; texts: question id -> the student's markdown.
    """

    id: str
    questions: tuple[QuestionResult, ...] = ()
    cells: tuple[CellRun, ...] = ()
    answers: dict[str, str] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    repairs: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def score(self) -> float:
        return sum(question.score for question in self.questions)

    @property
    def points(self) -> float:
        return sum(question.points for question in self.questions)


@dataclass(frozen=True)
class SubmissionResult:
    """Everything one submission's grading brought, with what is needed to repeat it.

    sha256       hash over the submitted files, name by name.
    seed         start of the random streams that made the inputs.
    provenance   limits, versions of the library, Python and torch, the sandbox and its caps, the machine.
    """

    student: str
    lab: str
    sha256: str
    seed: int
    notebooks: tuple[NotebookResult, ...] = ()
    problems: tuple[str, ...] = ()
    seconds: float = 0.0
    started: str = ""  # ISO 8601, UTC
    provenance: dict[str, object] = field(default_factory=dict)

    @property
    def score(self) -> float:
        return sum(notebook.score for notebook in self.notebooks)

    @property
    def points(self) -> float:
        return sum(notebook.points for notebook in self.notebooks)

    @property
    def faults(self) -> list[str]:
        """Questions whose grading failed: a person has to look."""
        return [question.id for notebook in self.notebooks for question in notebook.questions if question.is_fault]
