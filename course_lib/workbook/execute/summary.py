"""What is printed when a run is over: failing cells, metrics with their bands, differences, one closing line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from course_lib.recording import in_band
from course_lib.workbook.execute.comparison import KINDS
from course_lib.workbook.execute.document import RunDocument
from course_lib.workbook.execute.result import Result

__all__ = ["show"]

NOTEBOOKS_IN_FULL = 3


def show(console: Console, root: Path, results: Sequence[Result], run: RunDocument, reports: Sequence[Path]) -> None:
    for result in results:
        if not result.ok:
            _show_failure(console, root, result)
    _show_metrics(console, [result for result in results if result.task.part == "solution" and result.metrics])
    for result in results:
        for remark in [*result.warnings, *result.notes]:
            console.print(f"[yellow]{result.task.notebook}[/]: {escape(remark)}", highlight=False, soft_wrap=True)
    _show_differences(console, run)
    if run["busy"]:
        console.print(f"[yellow]Note[/]: {escape(run['busy'])}", highlight=False, soft_wrap=True)
    if run["unchanged"]:
        names = [
            name["notebook"] + ("" if name["part"] == "solution" else f" ({name['part']})") for name in run["unchanged"]
        ]
        console.print(f"The same as when they last passed: {', '.join(names)}", highlight=False, soft_wrap=True)
    console.print(_closing_line(root, results, run, reports), highlight=False, soft_wrap=True)


def _closing_line(root: Path, results: Sequence[Result], run: RunDocument, reports: Sequence[Path]) -> str:
    failed = sum(not result.ok for result in results)
    gone = sum(difference["kind"] == "gone" for difference in run["differences"])
    counts = [f"{len(results) - failed} ok"]
    counts += [f"[red]{failed} failed[/]"] * bool(failed) + [f"[red]{gone} gone[/]"] * bool(gone)
    counts += [f"{len(run['unchanged'])} unchanged"] * bool(run["unchanged"])
    places = ", ".join(str(_below(root, report)) for report in reports)
    return f"{', '.join(counts)} in {run['seconds']:.0f} s; executed copies in build/executed, reports: {places}"


def _show_differences(console: Console, run: RunDocument) -> None:
    """What a failing notebook's own lines do not say already."""
    for difference in run["differences"]:
        if difference["kind"] not in ("broken", "vanished"):
            what = f"{KINDS[difference['kind']]}: {difference['notebook']} {difference['part']}".rstrip()
            console.print(f"[yellow]{what}[/]: {escape(difference['text'])}", highlight=False, soft_wrap=True)


def _show_failure(console: Console, root: Path, result: Result) -> None:
    task = result.task
    console.rule(f"[red]{task.notebook}[/], {task.part}", align="left", style="red")
    for problem in result.problems:
        console.print(Text(problem.summary, style="bold"), soft_wrap=True)
        if problem.detail:
            console.print(Text(problem.detail), soft_wrap=True)
    if result.executed:
        console.print(f"executed copy: {_below(root, result.executed)}", highlight=False, soft_wrap=True)
    console.print()


def _show_metrics(console: Console, results: Sequence[Result]) -> None:
    """All metrics of a few notebooks; of many only those out of their band."""
    hidden = 0
    for result in results:
        metrics = result.metrics
        shown = metrics if len(results) <= NOTEBOOKS_IN_FULL else [m for m in metrics if not in_band(m)]
        hidden += len(metrics) - len(shown)
        if shown:
            console.print(_metrics_table(result.task.notebook, shown))
    if hidden:
        console.print(f"{hidden} metrics in their band", highlight=False)


def _metrics_table(notebook: str, metrics: Sequence[dict[str, Any]]) -> Table:
    table = Table(title=f"Recorded metrics of {notebook}", title_justify="left", box=SIMPLE)
    table.add_column("metric", overflow="fold")
    for heading in ("value", "from", "to"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for metric in metrics:
        verdict = "[green]in band[/]" if in_band(metric) else "[red]out of band[/]"
        numbers = [_number(metric[key]) for key in ("value", "low", "high")]
        table.add_row(escape(metric["name"]), *numbers, verdict)
    return table


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _below(root: Path, path: Path) -> Path:
    return path.relative_to(root) if path.is_relative_to(root) else path
