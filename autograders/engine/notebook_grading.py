"""Grades one notebook of one student: rebuild, run, ask, and nothing believed that was not asked for."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

from autograders.engine.asking.question import Question, ask
from autograders.engine.asking.quiz_question import ask_quiz
from autograders.engine.asking.reference import Reference, namespace_of
from autograders.engine.asking.remote import Student
from autograders.engine.isolation.limits import Limits
from autograders.engine.isolation.session import RunnableCell, SandboxSlot, Session
from autograders.engine.repair.rebuild import Rebuilt, rebuild
from autograders.engine.repair.released import Released, released
from autograders.engine.student_fault import Unanswerable
from autograders.engine.verdict import CaseResult, NotebookResult, QuestionResult, Verdict
from course_lib.workbook.percent import Cell
from course_lib.workbook.source import SourceNotebook

__all__ = ["NotebookGrader", "ungraded"]


def ungraded(source: SourceNotebook, rebuilt: Rebuilt) -> NotebookResult:
    """What a submitted notebook brought, before any question was asked."""
    return NotebookResult(
        source.id, answers=rebuilt.answers, texts=rebuilt.texts, repairs=rebuilt.repairs, problems=rebuilt.problems
    )


class NotebookGrader:
    """Everything about one notebook that is the same for all students; one for each worker process.

    questions  exercise id -> hidden question. The build refuses an exercise without one; should the grader meet one all
        the same, its answers get no mark and wait for a person.
    """

    def __init__(self, source: SourceNotebook, questions: dict[str, Question], limits: Limits) -> None:
        self.source, self.limits = source, limits
        self.questions = questions
        self._points = {cell.id: float(cell.points or 0) for cell in source.text.of_kind("check", "quiz")}

    @cached_property
    def reference(self) -> Reference:
        return Reference(namespace_of(self.source))

    @cached_property
    def _released(self) -> Released:
        return released(self.source)

    def grade(self, raw: bytes, seed: int, slot: SandboxSlot) -> NotebookResult:
        """Marks and everything that led to them. Raises nothing for any `raw`; a fault of the grader is a verdict."""
        rebuilt = rebuild(self.source, raw)
        session = Session(slot, self.runnable_cells(rebuilt))
        questions: list[QuestionResult] = []
        try:
            if any(not self._is_untouched(cell, rebuilt) for cell in self.asked_cells()):
                session.run_cells()
            for cell in self.asked_cells():
                questions.append(self._ask(cell, rebuilt, session, seed))
        except Exception as error:  # whatever of ours failed, what was answered before stands
            message = str(error) if isinstance(error, Unanswerable) else f"{type(error).__name__}: {error}"
            questions += [self._fault(cell, message) for cell in self.asked_cells()[len(questions) :]]
        finally:
            session.drop_process()
        return replace(ungraded(self.source, rebuilt), questions=tuple(questions), cells=tuple(session.runs.values()))

    def missing(self) -> NotebookResult:
        """The result of a notebook that was not handed in."""
        questions = tuple(_single(cell.id, self._points[cell.id], Verdict.MISSING) for cell in self.asked_cells())
        return NotebookResult(self.source.id, questions, problems=("This notebook was not handed in.",))

    def _is_untouched(self, cell: Cell, rebuilt: Rebuilt) -> bool:
        """No answer at all; what is written in part is run and asked like any other."""
        return self._released.by_id[cell.id].is_untouched(rebuilt.answers[cell.id])

    def asked_cells(self) -> list[Cell]:
        """What is asked and marked here; people mark the free text."""
        return self.source.text.of_kind("exercise", "quiz")

    def runnable_cells(self, rebuilt: Rebuilt) -> list[RunnableCell]:
        """What runs in the sandbox: the course's settings and imports, and the answers with their helpers."""
        cells = [
            RunnableCell(cell.kind, cell.source, ours=True) for cell in self.source.text.of_kind("parameters", "setup")
        ]
        for cell in self.asked_cells():
            helpers = [helper for helper in rebuilt.helpers if helper.before == cell.id]
            cells += [
                RunnableCell(f"helper {number} of {cell.id}", helper.source, figures=False)
                for number, helper in enumerate(helpers)
            ]
            if not self._is_untouched(cell, rebuilt):
                cells.append(RunnableCell(cell.id, rebuilt.answers[cell.id]))
        return cells

    def _ask(self, cell: Cell, rebuilt: Rebuilt, session: Session, seed: int) -> QuestionResult:
        points = self._points[cell.id]
        if self._is_untouched(cell, rebuilt):
            return _single(cell.id, points, Verdict.MISSING, "Not written yet.")
        if cell.kind == "exercise" and cell.id not in self.questions:
            return self._fault(cell, f"{cell.id} has no hidden question: write one for {self.source.id}, grade again")
        run = session.runs.get(cell.id)
        if run and run.verdict not in (Verdict.RIGHT, Verdict.ERROR, Verdict.MISSING):
            return _single(cell.id, points, run.verdict, f"While the cell itself ran: {run.error}")
        result = self._put(cell, points, session, seed)
        if result.is_fault:  # once more in a fresh process, then a person looks
            session.drop_process()
            result = self._put(cell, points, session, seed)
        return result

    def _put(self, cell: Cell, points: float, session: Session, seed: int) -> QuestionResult:
        student = Student(session)
        if cell.kind == "quiz":
            session.allow(self.limits.question)
            return ask_quiz(cell.id, points, self.source.quizzes[cell.id], student)
        question = self.questions[cell.id]
        session.allow(question.seconds or self.limits.question)
        return ask(question, points, student, self.reference, seed)

    def _fault(self, cell: Cell, message: str) -> QuestionResult:
        return _single(cell.id, self._points[cell.id], Verdict.FAULT, message)


def _single(identifier: str, points: float, verdict: Verdict, message: str = "") -> QuestionResult:
    return QuestionResult(identifier, points, (CaseResult("the answer", verdict, message),))
