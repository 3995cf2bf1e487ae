"""What staff see while a class is graded: a bar with the time left, a line for what needs a person, a summary."""

from __future__ import annotations

import contextlib
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from autograders.engine.class_run import ClassRun
from autograders.engine.records.evidence import from_json, to_json
from autograders.engine.records.writer import Change, Writer
from autograders.engine.verdict import SubmissionResult, Verdict
from course_lib.workbook import source_notebooks

__all__ = ["grade_class"]


def grade_class(run: ClassRun, console: Console, *, ask: bool = True) -> bool:
    """Grade and enter the marks. Returns False if a submission needs a person because the grader failed on it."""
    sandbox = run.prepare()
    students = run.students()
    console.print(f"{len(students)} submissions of {run.settings.lab}, {run.jobs} at a time; {escape(sandbox)}")
    if run.settings.unsafe:
        console.print("[bold red]Without a sandbox, a submission can read and change whatever you can.[/]")
    skipped: list[str] = []
    tally = _Tally()
    sources = source_notebooks(run.settings.root)
    with (
        Writer(run.workspace.root, run.settings.lab, sources) as writer,
        tempfile.TemporaryDirectory(prefix="course-regrade-") as folder,
    ):
        proposed = _Proposed(Path(folder))
        with _bar(console, len(students)) as advance, contextlib.closing(run.results(writer, skipped)) as results:
            for result in results:
                if run.regrade:
                    proposed.add(result, writer)
                else:
                    writer.write(result)
                    tally.add(result)
                advance(result, console, len(skipped))
        if run.regrade:
            _show_changes(proposed.changes, console)
            if proposed.changes and ask and not typer.confirm("Enter these marks?", default=False):
                console.print("Nothing was changed.")
                return True
            proposed.enter(run, writer, tally)
    tally.show(console, len(skipped), run)
    return not tally.faults


class _Tally:
    """What the summary says; it keeps counts, not results."""

    def __init__(self) -> None:
        self.graded, self.score, self.points = 0, 0.0, 0.0
        self.faults: list[str] = []
        self.verdicts: Counter[Verdict] = Counter()

    def add(self, result: SubmissionResult) -> None:
        self.graded += 1
        self.score, self.points = self.score + result.score, self.points + result.points
        self.verdicts.update(question.verdict for notebook in result.notebooks for question in notebook.questions)
        if result.faults:
            self.faults.append(result.student)

    def show(self, console: Console, skipped: int, run: ClassRun) -> None:
        if skipped:
            console.print(f"{skipped} were graded before and have not changed; --regrade grades them again.")
        if self.graded:
            mean = 100 * self.score / self.points if self.points else 0.0
            console.print(f"Graded {self.graded}; {mean:.0f}% of the automatic points on average.")
            counts = ", ".join(f"{count} {verdict}" for verdict, count in self.verdicts.most_common())
            console.print(f"Questions: {counts}")
        for student in self.faults:
            console.print(
                f"[bold red]The grader failed on {escape(student)}[/]: no mark was given there; look at its evidence."
            )
        lab = run.settings.lab.partition("_")[0]
        console.print(
            f"Marks and feedback are in {escape(str(run.workspace.root))}; [bold]course report {lab}[/] sums them up."
        )


@contextlib.contextmanager
def _bar(console: Console, total: int) -> Iterator:
    columns = (
        TextColumn("[bold]grading"), BarColumn(bar_width=30), MofNCompleteColumn(),
        TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task("grading", total=total)

        def advance(result: SubmissionResult, console: Console, skipped: int) -> None:
            bar.update(task, total=total - skipped)
            bar.advance(task)
            state = "[red]look[/]" if result.faults or result.problems else "[green]ok[/]  "
            marks = f"{result.score:6.1f} of {result.points:g}"
            line = f"{state} {escape(result.student):<28} {marks}  {result.seconds:5.1f} s"
            problems = [f"     {escape(problem)}" for problem in result.problems]
            console.print("\n".join([line, *problems]), highlight=False, soft_wrap=True)

        yield advance


class _Proposed:
    """Results of a regrade that wait in files until somebody has agreed to them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.paths: list[Path] = []
        self.graded: dict[str, str] = {}
        self.changes: list[tuple[str, Change]] = []

    def add(self, result: SubmissionResult, writer: Writer) -> None:
        self.paths.append(self.folder / f"{len(self.paths)}.json")
        self.paths[-1].write_bytes(to_json(result))
        self.graded[result.student] = result.sha256
        self.changes += [(result.student, change) for change in writer.diff(result)]

    def enter(self, run: ClassRun, writer: Writer, tally: _Tally) -> None:
        # the files first: should this be stopped halfway, the next run sees that they are not those of the marks
        run.keep_regraded(self.graded)
        for path in self.paths:
            result = from_json(path.read_bytes())
            writer.write(result)
            tally.add(result)


def _show_changes(changes: list[tuple[str, Change]], console: Console) -> None:
    if not changes:
        console.print("No mark changes.")
        return
    table = Table("student", "notebook", "question", "old", "new", "of", "by hand")
    for student, change in changes:
        row = (change.old, change.new, change.points, change.manual)
        table.add_row(escape(student), change.notebook, change.question, *(_mark(mark) for mark in row))
    console.print(table)


def _mark(mark: float | None) -> str:
    return "-" if mark is None else f"{mark:g}"
