"""What a lab's hidden questions catch, for their authors: `course grade LAB --dry-run`.

Puts every question to the solution, to the stub that students get, and to the answers staff keep
beside it. Trusted code only: everything runs in this process.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from autograders.authoring.answers import read_answers, shortages
from autograders.authoring.trial import Trial, released_stubs
from autograders.engine.asking.registry import questions_of
from autograders.engine.verdict import CaseResult, QuestionResult, Verdict
from course_lib.errors import CourseError
from course_lib.workbook import source_notebooks
from course_lib.workbook.source import SourceNotebook

__all__ = ["Answered", "Asked", "DryRun", "dry_run"]


@dataclass(frozen=True)
class Answered:
    """One answer and what a question made of it. `kind` is solution, stub, wrong or right."""

    kind: str
    name: str
    result: QuestionResult

    @property
    def share(self) -> float:
        return self.result.score / self.result.points if self.result.points else 0.0

    @property
    def lost(self) -> tuple[CaseResult, ...]:
        return tuple(case for case in self.result.cases if case.verdict is not Verdict.RIGHT)


@dataclass(frozen=True)
class Asked:
    """One exercise: its question put to every answer there is.

    answers  empty without a question.
    lacks    sentences, if there are too few answers to try it with.
    """

    notebook: str
    exercise: str
    points: float
    answers: tuple[Answered, ...] = ()
    lacks: tuple[str, ...] = ()

    def of_kind(self, kind: str) -> list[Answered]:
        return [answer for answer in self.answers if answer.kind == kind]

    @property
    def cases(self) -> list[str]:
        return [case.name for solution in self.of_kind("solution") for case in solution.result.cases]

    @property
    def problems(self) -> list[str]:
        """Sentences: why this question cannot be trusted yet."""
        if not self.answers:
            return ["It has no hidden question."]
        return [*self._faults(), *self._scores(), *self._idle_cases(), *self.lacks]

    def _faults(self) -> Iterator[str]:
        for answer in self.answers:
            for case in answer.lost:
                if case.verdict is Verdict.FAULT:
                    yield f'The question itself fails on {_titled(answer)}, case "{case.name}": {case.message}'

    def _scores(self) -> Iterator[str]:
        for answer in self.answers:
            if answer.result.is_fault:
                continue
            names = ", ".join(f'"{case.name}"' for case in answer.lost)
            if answer.kind in ("solution", "right") and answer.lost:
                yield f"{_titled(answer)[0].upper()}{_titled(answer)[1:]} loses marks in {names}."
            if answer.kind == "stub" and answer.result.score > 0:
                yield f"The stub gets {answer.share:.0%} of the points."
            if answer.kind == "wrong" and not answer.lost:
                yield f"{_titled(answer)[0].upper()}{_titled(answer)[1:]} is not caught."

    def _idle_cases(self) -> Iterator[str]:
        wrong = self.of_kind("wrong")
        failed = {case.name for answer in wrong for case in answer.lost}
        for name in self.cases if wrong else ():
            if name not in failed:
                yield f'No wrong answer ever fails the case "{name}".'


@dataclass(frozen=True)
class DryRun:
    """Every exercise of one lab, in teaching order."""

    lab: str
    seed: int
    questions: tuple[Asked, ...] = field(default_factory=tuple)

    @property
    def problems(self) -> list[str]:
        return [
            f"{asked.notebook}, {asked.exercise}: {problem}" for asked in self.questions for problem in asked.problems
        ]

    def show(self, console: Console | None = None) -> None:
        """Print a table a notebook, then what is wrong with the questions."""
        console = console or Console()
        for notebook in dict.fromkeys(asked.notebook for asked in self.questions):
            console.print(_table(notebook, [asked for asked in self.questions if asked.notebook == notebook]))
            console.print()
        asked = [asked for asked in self.questions if asked.answers]
        wrong = [answer for entry in asked for answer in entry.of_kind("wrong")]
        caught = sum(bool(answer.lost) for answer in wrong)
        cases = sum(len(entry.cases) for entry in asked)
        console.print(
            f"{self.lab}, seed {self.seed}: {len(asked)} of {len(self.questions)} exercises have a hidden question, "
            f"with {cases} cases; they catch {caught} of {len(wrong)} wrong answers.",
            highlight=False,
        )
        for problem in self.problems:
            console.print(f"[yellow]{escape(problem)}[/]", highlight=False)
        if not self.problems:
            console.print("No problems.")


def dry_run(root: Path, lab: str, seed: int = 0) -> DryRun:
    """Ask a lab's hidden questions of its solution, stub, wrong and right answers.

    Raises CourseError if there is no such lab, or labs/ was not built.
    """
    notebooks = [notebook for notebook in source_notebooks(root).values() if notebook.lab == lab]
    if not notebooks:
        known = sorted({notebook.lab for notebook in source_notebooks(root).values()})
        raise CourseError(f"there is no lab {lab!r}; there are {', '.join(known) or 'none'}")
    return DryRun(lab, seed, tuple(asked for book in notebooks for asked in _asked(root, book, seed)))


def _asked(root: Path, notebook: SourceNotebook, seed: int) -> Iterator[Asked]:
    trial, answers, questions = Trial(notebook), read_answers(notebook), questions_of(notebook)
    stubs = released_stubs(root, notebook) if trial.solutions.keys() & questions.keys() else {}
    lacks = shortages(notebook)
    for exercise, solution in trial.solutions.items():
        points = trial.points.get(exercise, 0.0)
        if exercise not in questions:
            yield Asked(notebook.id, exercise, points)
            continue
        sources = [("solution", "", solution), ("stub", "", stubs.get(exercise, ""))]
        sources += [(cell.kind, cell.name, cell.source) for cell in answers if cell.id == exercise]
        answered = (
            Answered(kind, name, trial.ask(questions[exercise], _namespace(trial, source, f"{kind} {name}"), seed))
            for kind, name, source in sources
        )
        yield Asked(
            notebook.id,
            exercise,
            points,
            tuple(answered),
            tuple(lack for lack in lacks if lack.startswith(f"{exercise} ")),
        )


def _namespace(trial: Trial, source: str, name: str) -> dict[str, Any]:
    try:
        return trial.namespace(source)
    except Exception as error:  # a student's answer may raise; one that staff keep may not
        kind = type(error).__name__
        raise CourseError(f"{trial.notebook.id}: the answer {name.strip()!r} does not run: {kind}: {error}") from error


def _titled(answer: Answered) -> str:
    return f'the {answer.kind} answer "{answer.name}"' if answer.name else f"the {answer.kind}"


def _table(notebook: str, questions: list[Asked]) -> Table:
    table = Table(title=f"{notebook}: what the hidden questions catch", title_justify="left", show_lines=True)
    for heading in ("question", "points", "cases", "solution", "stub"):
        table.add_column(heading, justify="left" if heading == "question" else "right")
    table.add_column("wrong answers: share kept, and the cases that caught them", ratio=1)
    table.add_column("right answers")
    for asked in questions:
        table.add_row(
            escape(asked.exercise),
            f"{asked.points:g}",
            str(len(asked.cases)) if asked.answers else "[yellow]none[/]",
            *(_shares(asked.of_kind(kind), wanted) for kind, wanted in (("solution", 1.0), ("stub", 0.0))),
            "\n".join(_wrong(answer, asked.cases) for answer in asked.of_kind("wrong")),
            _shares(asked.of_kind("right"), 1.0),
        )
    return table


def _shares(answers: list[Answered], wanted: float) -> str:
    return "\n".join(
        f"{answer.share:.0%}" if answer.share == wanted else f"[red]{answer.share:.0%}[/]" for answer in answers
    )


def _wrong(answer: Answered, cases: list[str]) -> str:
    """The cases are named by their numbers where they are many, as the row would be a page long."""
    if not answer.lost:
        return f"[red]{answer.share:>4.0%} {escape(answer.name)}: not caught[/]"
    if len(answer.lost) == len(cases):
        caught = "every case"
    elif len(answer.lost) > 2:
        caught = f"{len(answer.lost)} cases, first: {answer.lost[0].name}"
    else:
        caught = "; ".join(case.name for case in answer.lost)
    return f"{answer.share:>4.0%} {escape(answer.name)} [dim]({escape(caught)})[/]"
