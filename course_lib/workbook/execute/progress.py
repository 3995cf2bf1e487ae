"""Shows a run while it goes on: a live table in a terminal, one line a notebook elsewhere."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from course_lib.workbook.execute.result import Progress, Result
from course_lib.workbook.execute.tasks import Task

__all__ = ["Board"]


class Board:
    """A Watcher (see pool.py) that writes to a Rich console; use it in a `with` block."""

    def __init__(self, console: Console, total: int) -> None:
        self.console = console
        self.bars = Bars(
            TextColumn("[bold]{task.description}"),
            TextColumn("{task.fields[part]}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[count]}", justify="right"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[budget]}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self.rows: dict[tuple[str, str], TaskID] = {}
        self.total, self.ended = total, 0
        self.overall = self.bars.add_task("all", total=total, part="", count=f"0/{total} runs", budget="")

    def __enter__(self) -> Board:
        self.bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bars.stop()

    def started(self, task: Task) -> None:
        target = task.budget.target
        self.rows[task.notebook, task.part] = self.bars.add_task(
            task.notebook, total=None, part=task.part, count="starting", budget=f"of {target:.0f} s" if target else ""
        )

    def progressed(self, task: Task, progress: Progress) -> None:
        row = self.rows[task.notebook, task.part]
        count = f"{progress.done}/{progress.total} cells"
        self.bars.update(row, total=progress.total, completed=progress.done, count=count)

    def finished(self, result: Result) -> None:
        self.ended += 1
        self.bars.remove_task(self.rows.pop((result.task.notebook, result.task.part)))
        self.bars.update(self.overall, completed=self.ended, count=f"{self.ended}/{self.total} runs")
        self.console.print(_line(result), soft_wrap=True, highlight=False)


def _line(result: Result) -> str:
    task, target = result.task, result.task.budget.target
    state = "[red]FAILED[/]" if not result.ok else "[yellow]slow[/]  " if result.warnings else "[green]ok[/]    "
    facts = [f"{result.cells.done}/{result.cells.total} cells"]
    if result.metrics:
        facts.append(f"{len(result.metrics)} metrics")
    if result.size is not None:
        facts.append(f"{result.size / 1e6:.2f} MB")
    seconds = f"{result.seconds:6.1f} s" + (f" of {target:.0f} s" if target else "")
    line = f"{state} {task.notebook:<28} {task.part:<8} {seconds:<17} {', '.join(facts)}"
    return "\n".join([line, *(f"       {escape(problem.summary)}" for problem in result.problems)])
