"""`course grade`, `report`, `export` and `answers`: what staff run. `course` passes their words on to this file."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from autograders.engine.records.workspace import Workspace, default_workspace
from course_lib.command_line import run
from course_lib.course_root import course_root
from course_lib.errors import CourseError
from course_lib.machine import usable_cores
from course_lib.progress.outline import find_lab
from course_lib.workbook import source_notebooks
from course_lib.workbook.execute.selection import select

__all__ = ["main"]

app = typer.Typer(add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False)

WorkspaceOption = Annotated[
    Path | None, typer.Option(help="Gradebook, evidence and feedback; default COURSE_WORKSPACE or ~/course_workspace.")
]
LabArgument = Annotated[str, typer.Argument(help="Such as lab1 or lab1_cnn_basics.")]


class Format(StrEnum):
    """csv: every notebook's marks. canvas, moodle: what their gradebooks import."""

    csv = "csv"
    canvas = "canvas"
    moodle = "moodle"


def main(arguments: list[str] | None = None) -> int:
    """Run one command line; returns its exit code: 2 for what the user can mend, 130 when interrupted."""
    return run(app, arguments, when_stopped="stopped; run the same command to go on where it was.")


@app.command()
def grade(
    lab: LabArgument,
    submissions: Annotated[
        Path | None,
        typer.Argument(
            help="A folder student/*.ipynb, nbgrader's submitted/, or a zip from Canvas, Moodle, Gradescope."
        ),
    ] = None,
    workspace: WorkspaceOption = None,
    jobs: Annotated[int, typer.Option(min=0, help="Submissions at a time; 0: one for each core.")] = 0,
    cluster: Annotated[str | None, typer.Option(metavar="ADDR", help="A dask scheduler, tcp://HOST:PORT.")] = None,
    student: Annotated[str | None, typer.Option(metavar="ID", help="Grade this student alone.")] = None,
    regrade: Annotated[bool, typer.Option("--regrade", help="Grade again; show what changes and ask.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --regrade: enter the changes without asking.")] = False,
    seed: Annotated[int | None, typer.Option(min=0, help="Draw the inputs anew from this seed.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="For authors: what each question catches.")] = False,
    unsafe: Annotated[
        bool, typer.Option("--unsafe-no-sandbox", help="Run submissions with your own rights. Only work you trust.")
    ] = False,
) -> None:
    """Grade a class: sandboxed, in parallel; a run that was stopped goes on where it was."""
    root = course_root()
    lab = _lab(root, lab)
    if dry_run:
        _dry_run(root, lab, seed or 0)
        return
    from autograders.engine.class_run import ClassRun, class_seed
    from autograders.engine.submission_grading import GradingSettings
    from autograders.grade_board import grade_class

    place = Workspace(_workspace(workspace, root), lab)
    run = ClassRun(
        settings=GradingSettings(root, lab, class_seed(place, seed), unsafe=unsafe),
        workspace=place,
        submissions=submissions,
        jobs=jobs or usable_cores(),
        cluster=cluster,
        student=student,
        regrade=regrade,
    )
    if not grade_class(run, Console(), ask=not yes):
        raise typer.Exit(1)


@app.command()
def report(lab: LabArgument, workspace: WorkspaceOption = None) -> None:
    """Write the class report: one HTML page, CSV and JSON."""
    from autograders.engine.records.class_report import write_report

    root = course_root()
    lab = _lab(root, lab)
    typer.echo(f"wrote {write_report(_workspace(workspace, root), lab, source_notebooks(root))}")


@app.command(name="export")
def export_marks(
    lab: LabArgument,
    format: Annotated[Format, typer.Option(help="csv, canvas or moodle.")] = Format.csv,
    output: Annotated[Path | None, typer.Option(help="File to write; default: beside the reports.")] = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Write the marks for a gradebook, manual marks included."""
    from autograders.engine.records.export import export

    root = course_root()
    lab = _lab(root, lab)
    place = Workspace(_workspace(workspace, root), lab)
    exported = export(place.root, lab, source_notebooks(root), format.value)
    path = output or place.reports / f"{format.value}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(exported.text, encoding="utf-8", newline="")
    typer.echo(f"wrote {path}")
    if exported.waiting:
        who = ", ".join(exported.waiting[:5]) + (" and others" if len(exported.waiting) > 5 else "")
        typer.echo(f"Not final: a person must mark answers of {len(exported.waiting)} students ({who}).", err=True)


@app.command()
def answers(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[LAB or NOTEBOOK]...", help="Such as lab1 or 1b; all when left out.")
    ] = None,
    as_edits: Annotated[
        bool, typer.Option("--as-edits", help="Rewrite wrong answers in full as edits, where those are shorter.")
    ] = False,
) -> None:
    """For authors: count the wrong and right answers that each notebook has; say what is missing."""
    from autograders.authoring.answers import read_answers, shortages
    from autograders.authoring.rewrite import rewrite_as_edits

    missing = []
    for notebook in select(source_notebooks(course_root()), names or []):
        for answer in rewrite_as_edits(notebook) if as_edits else ():
            typer.echo(f'{answer.id}: "{answer.name}" is an edit now')
        found = read_answers(notebook)
        wrong = sum(answer.kind == "wrong" for answer in found)
        edits = sum(answer.edit is not None for answer in found)
        typer.echo(f"{notebook.id}: {wrong} wrong answers, {edits} of them edits; {len(found) - wrong} right ones")
        missing += shortages(notebook)
    for shortage in missing:
        typer.echo(shortage, err=True)
    if missing:
        raise typer.Exit(1)


def _dry_run(root: Path, lab: str, seed: int) -> None:
    from autograders.authoring.dry_run import dry_run

    outcome = dry_run(root, lab, seed)
    outcome.show(Console())
    if outcome.problems:
        raise typer.Exit(1)


def _lab(root: Path, name: str) -> str:
    return find_lab(name, sorted({notebook.lab for notebook in source_notebooks(root).values()}))


def _workspace(chosen: Path | None, root: Path) -> Path:
    place = chosen.expanduser().resolve() if chosen else default_workspace()
    if place.is_relative_to(root.resolve()) and not place.is_relative_to(root.resolve() / "build"):
        raise CourseError(
            f"the workspace {place} lies inside the course, where marks could be committed or handed out; give another"
        )
    return place


if __name__ == "__main__":
    sys.exit(main())
