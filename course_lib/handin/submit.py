"""`course submit` for people: what goes in, what is missing, where the file is."""

from __future__ import annotations

import sys
from pathlib import Path

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from course_lib.errors import CourseError
from course_lib.handin.gathering import HandIn, gather
from course_lib.handin.packing import destination, pack, write

__all__ = ["submit"]


def submit(course: Path, lab: str, *, output: Path | None, student: str | None, yes: bool, force: bool) -> bool:
    """Check, show, ask if something is missing, and write the zip. False if the student said no.

    Raises CourseError for what can be mended, and if something is missing and nobody is there to ask.
    """
    console = Console()
    hand_in = gather(course, lab)
    path = destination(output, hand_in.lab, student, force=force)
    archive = pack(hand_in, student)
    _show(hand_in, console)
    if hand_in.gaps and not yes and not _confirmed(len(hand_in.gaps)):
        console.print("Nothing was written.")
        return False
    digest = write(archive, path)
    console.print(f"\nwrote {path} ({len(archive) / 1024:,.0f} KiB)", markup=False, highlight=False, soft_wrap=True)
    console.print(f"sha256 {digest}", highlight=False, soft_wrap=True)
    console.print("Hand in this file as it is. Your notebooks were not changed.")
    return True


def _show(hand_in: HandIn, console: Console) -> None:
    table = Table(title=f"{hand_in.lab}, as it would be handed in", title_justify="left", title_style="bold")
    table.add_column("notebook")
    for name in ("answered", "size", "last saved"):
        table.add_column(name, justify="right", no_wrap=True)
    for part in hand_in.parts:
        size = f"{len(part.raw) / 1024:,.0f} KiB" if part.file else "missing"
        saved = part.saved.astimezone().strftime("%d %b %H:%M") if part.saved else ""
        table.add_row(escape(part.notebook), f"{part.findings.answered} of {part.findings.tasks}", size, saved)
    console.print(table)
    gaps = hand_in.gaps
    notes = [(part.notebook, note) for part in hand_in.parts for note in part.findings.notes]
    _list("Missing, and worth a look before you hand in:", gaps, console)
    _list("Good to know:", [*notes, *(("", note) for note in hand_in.notes)], console)
    if not gaps:
        console.print("Every exercise, quiz and question has an answer.")


def _list(head: str, lines: list[tuple[str, str]], console: Console) -> None:
    if lines:
        console.print(head, style="bold")
    for notebook, line in lines:
        short = f"{notebook.partition('_')[0]}: " if notebook else ""
        console.print(f"  {short}{line}", markup=False, highlight=False, soft_wrap=True)


def _confirmed(count: int) -> bool:
    if not sys.stdin.isatty():
        what = "one thing is" if count == 1 else f"{count} things are"
        raise CourseError(f"{what} missing (listed above); nothing was written. --yes packs it as it is")
    return typer.confirm("Pack it as it is?", default=False)
