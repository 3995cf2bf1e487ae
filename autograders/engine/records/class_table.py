"""One lab's class as numbers: what the report, the CSV and the JSON are made of.

Evidence is read one student at a time and only its numbers are kept, so memory grows by a few kilobytes a student.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from autograders.engine.records.gradebook import BookMark
from autograders.engine.records.marks import CellName
from autograders.engine.verdict import QuestionResult, SubmissionResult, Verdict
from course_lib.handin.nbgrader_entries import CHECK_PREFIX

if TYPE_CHECKING:
    from course_lib.workbook.source import SourceNotebook

__all__ = ["ClassTable", "HardCase", "QuestionRow", "StudentRow"]


@dataclass(frozen=True)
class StudentRow:
    """One submission. Marks are the gradebook's: a person's mark counts before the grader's."""

    student: str
    notebooks: dict[str, float]
    score: float
    points: float
    waiting: tuple[str, ...]  # questions that need a person's mark
    verdicts: dict[str, int]  # verdict -> questions
    faults: tuple[str, ...]
    repairs: tuple[str, ...]
    problems: tuple[str, ...]
    seconds: float
    sha256: str


@dataclass
class QuestionRow:
    """One question over the class. Shares are of those that were graded, faults left out."""

    notebook: str
    id: str
    points: float
    verdicts: Counter[str] = field(default_factory=Counter)
    shares: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    @property
    def pass_rate(self) -> float | None:
        """Full marks over submissions graded."""
        return sum(share >= 1 for share in self.shares) / len(self.shares) if self.shares else None

    @property
    def mean_share(self) -> float | None:
        return statistics.fmean(self.shares) if self.shares else None

    @property
    def median_seconds(self) -> float:
        return statistics.median(self.seconds) if self.seconds else 0.0

    @property
    def longest_seconds(self) -> float:
        return max(self.seconds, default=0.0)


@dataclass
class HardCase:
    """One case of a question over those who handed in an answer."""

    notebook: str
    question: str
    name: str
    tried: int = 0
    failed: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    messages: Counter[str] = field(default_factory=Counter)

    @property
    def failure_rate(self) -> float:
        return self.failed / self.tried if self.tried else 0.0

    @property
    def usual_message(self) -> str:
        return self.messages.most_common(1)[0][0] if self.messages else ""


class ClassTable:
    """Add every student once, then read `students`, `questions`, `cases` and `provenance`."""

    MOST_MESSAGES = 200  # different ones kept for a case

    def __init__(self, lab: str, sources: Mapping[str, SourceNotebook]) -> None:
        self.lab = lab
        self.titles = {name: source.title for name, source in sources.items()}
        self.students: list[StudentRow] = []
        self.unreadable: list[str] = []  # students whose evidence is damaged
        self.questions: dict[tuple[str, str], QuestionRow] = {}
        self.provenance: Counter[tuple[str, str]] = Counter()
        self._cases: dict[tuple[str, str, str], HardCase] = {}
        for source in sources.values():
            for cell in source.text.of_kind("check", "quiz"):
                self.questions[source.id, cell.id] = QuestionRow(source.id, cell.id, float(cell.points or 0))

    def add(self, result: SubmissionResult, marks: Mapping[CellName, BookMark]) -> None:
        """One student's evidence and what the gradebook holds for it."""
        verdicts: Counter[str] = Counter()
        for notebook in result.notebooks:
            for question in notebook.questions:
                verdicts[question.verdict.value] += 1
                self._count(notebook.id, question)
        for entry in _flat(result.provenance):
            self.provenance[entry] += 1
        self.students.append(_student_row(result, marks, self.titles, dict(verdicts)))

    @property
    def points(self) -> float:
        return max((row.points for row in self.students), default=0.0)

    @property
    def verdicts(self) -> Counter[str]:
        return sum((row.verdicts for row in self.questions.values()), Counter())

    @property
    def hardest_cases(self) -> list[HardCase]:
        """Cases that some failed, the most often failed first."""
        failed = (case for case in self._cases.values() if case.failed)
        return sorted(failed, key=lambda case: (-case.failure_rate, -case.failed, case.notebook, case.question))

    @property
    def without_sandbox(self) -> int:
        """Submissions whose code ran with the grader's own rights."""
        return sum(count for (name, value), count in self.provenance.items() if name == "sandbox" and "NONE" in value)

    def _count(self, notebook: str, question: QuestionResult) -> None:
        row = self.questions.setdefault(
            (notebook, question.id), QuestionRow(notebook, question.id, question.points)
        )  # fmt: skip
        row.verdicts[question.verdict.value] += 1
        if not question.is_fault and question.points > 0:
            row.shares.append(question.score / question.points)
        if question.verdict is Verdict.MISSING:
            return
        row.seconds.append(sum(case.seconds for case in question.cases))
        for case in question.cases:
            if case.verdict is not Verdict.FAULT:
                key = (notebook, question.id, case.name)
                self._count_case(self._cases.setdefault(key, HardCase(*key)), case.verdict, case.message)

    def _count_case(self, case: HardCase, verdict: Verdict, message: str) -> None:
        case.tried += 1
        if verdict is Verdict.RIGHT:
            return
        case.failed += 1
        case.verdicts[verdict.value] += 1
        if message and (message in case.messages or len(case.messages) < self.MOST_MESSAGES):
            case.messages[message] += 1


def _student_row(
    result: SubmissionResult, marks: Mapping[CellName, BookMark], notebooks: Iterable[str], verdicts: dict[str, int]
) -> StudentRow:
    scores = {name: 0.0 for name in notebooks}
    for (notebook, _), mark in marks.items():
        scores[notebook] = scores.get(notebook, 0.0) + mark.score
    return StudentRow(
        student=result.student,
        notebooks=scores,
        score=sum(mark.score for mark in marks.values()),
        points=sum(mark.points for mark in marks.values()),
        waiting=tuple(cell.removeprefix(CHECK_PREFIX) for (_, cell), mark in marks.items() if mark.needs_person),
        verdicts=verdicts,
        faults=tuple(result.faults),
        repairs=tuple(f"{entry.id}: {text}" for entry in result.notebooks for text in entry.repairs),
        problems=(*result.problems, *(f"{entry.id}: {text}" for entry in result.notebooks for text in entry.problems)),
        seconds=result.seconds,
        sha256=result.sha256,
    )


def _flat(provenance: Mapping[str, object], prefix: str = "") -> list[tuple[str, str]]:
    """Nested entries as ("limits.seconds", "60")."""
    entries: list[tuple[str, str]] = []
    for name, value in provenance.items():
        if isinstance(value, Mapping):
            entries += _flat(value, f"{prefix}{name}.")
        else:
            entries.append((f"{prefix}{name}", str(value)[:200]))
    return entries
