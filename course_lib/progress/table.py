"""Progress in a terminal: one table a lab, one row a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from course_lib.progress.attempts import read_record
from course_lib.progress.outline import find_lab, read_outline
from course_lib.progress.page import ALL_PASS, HIDDEN_REMAIN
from course_lib.progress.record_file import full_files
from course_lib.progress.standing import LabStanding, Next, NotebookStanding, next_exercise, standing

__all__ = ["show_progress", "show_table"]

BAR = 10  # characters


def show_progress(course: Path, lab: str | None = None, console: Console | None = None) -> None:
    """Print how far a student is in one lab, or in all. Raises CourseError for a lab that is not there."""
    console = console or Console()
    outline = read_outline(course)
    if lab is not None:
        folder = find_lab(lab, [entry.folder for entry in outline])
        outline = tuple(entry for entry in outline if entry.folder == folder)
    record = read_record(course)
    labs = standing(outline, record.attempts)
    show_table(labs, next_exercise(labs, record.attempts), console)
    if record.unreadable:
        console.print(f"[dim]Damaged lines of the record, passed over: {record.unreadable}.[/]")
    for path in full_files(course):
        console.print(f"{path} is full: nothing more is recorded until you remove it.", markup=False, soft_wrap=True)


def show_table(labs: Sequence[LabStanding], following: Next | None, console: Console | None = None) -> None:
    """Print what passed, what was tried and what is left, and the exercise to go on with."""
    console = console or Console()
    for lab in labs:
        console.print(_table(lab, ascii_only=console.options.ascii_only))
        console.print()
    if following:
        console.print(f"Next: [bold]{escape(following.task.id)}[/] in {escape(_path(following))}", highlight=False)
    else:
        console.print(ALL_PASS, highlight=False)
    console.print(f"[dim]{HIDDEN_REMAIN} Free-text questions and quizzes are marked when you hand in.[/]")


def _table(lab: LabStanding, *, ascii_only: bool) -> Table:
    table = Table(title=escape(lab.lab.title), title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    table.show_edge = table.pad_edge = False  # fits 80 characters
    table.add_column("notebook", min_width=24)
    table.add_column("exercises", no_wrap=True)
    for name in ("passed", "tried", "left", "points", "quizzes"):
        table.add_column(name, justify="right", no_wrap=True)
    for part in lab.notebooks:
        table.add_row(escape(part.notebook.label), _bar(part, ascii_only), *_figures([part]))
    if len(lab.notebooks) > 1:
        table.add_section()
        table.add_row("together", "", *_figures(lab.notebooks))
    return table


def _figures(parts: Sequence[NotebookStanding]) -> list[str]:
    """Of one notebook, or summed over several."""
    quizzes = sum(part.quizzes for part in parts)
    points = f"{sum(part.points for part in parts):g}/{sum(part.points_in_all for part in parts):g}"
    return [
        str(sum(len(part.passed) for part in parts)),
        str(sum(len(part.tried) for part in parts)),
        str(sum(len(part.left) for part in parts)),
        points,
        f"{sum(len(part.answered) for part in parts)}/{quizzes}" if quizzes else "",
    ]


def _bar(part: NotebookStanding, ascii_only: bool) -> Text:
    """Passed, tried and left as shares of one line; something that exists gets at least one character."""
    exercises = max(part.exercises, 1)
    passed = _share(len(part.passed), exercises)
    tried = min(_share(len(part.tried), exercises), BAR - passed)
    full, half, empty = "#~." if ascii_only else "━━─"
    return Text.assemble(
        (full * passed, "green"), (half * tried, "yellow"), (empty * (BAR - passed - tried), "bright_black")
    )


def _share(count: int, of: int) -> int:
    """Rounded, but 0 only for none and full only for all."""
    return 0 if count == 0 else BAR if count == of else min(max(round(BAR * count / of), 1), BAR - 1)


def _path(following: Next) -> str:
    return f"labs/{following.lab.folder}/{following.notebook.id}.ipynb"
