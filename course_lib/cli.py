"""The `course` command. Each subcommand imports what it needs when it runs, so that `--help` is quick."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from course_lib.command_line import run as run_line
from course_lib.course_root import course_root, places
from course_lib.errors import CourseError

__all__ = ["app", "main"]

app = typer.Typer(add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False)


class Profile(StrEnum):
    """How much work a notebook does: `fast` is minutes on a CPU, `full` trains for long on a GPU."""

    fast = "fast"
    full = "full"


class Part(StrEnum):
    """Which execution of a notebook; limits.py in workbook/execute says what each is."""

    solution = "solution"
    student = "student"
    graded = "graded"
    all = "all"


def main(arguments: list[str] | None = None) -> int:
    """Run one command line; returns its exit code: 2 for what the user can mend, 130 when interrupted."""
    return run_line(app, arguments)


@app.callback(invoke_without_command=True)
def course(context: typer.Context) -> None:
    """Make neural networks small and fast: open, build, execute and check the course."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command()
def doctor(
    json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Say what this computer has for the course, what it lacks, and what each lack means."""
    from course_lib import doctor as examination

    findings = examination.examine()
    typer.echo(examination.as_json(findings)) if json else examination.show(findings)
    if not examination.is_usable(findings):
        raise typer.Exit(1)


@app.command()
def lab(
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port to try first.")] = 8888,
    browser: Annotated[bool, typer.Option(help="Open a browser window if there is a display.")] = True,
) -> None:
    """Open the course in JupyterLab; Ctrl-C stops it."""
    from course_lib.workbook.lab_server import serve

    serve(course_root(holding="labs"), port=port, browser=browser)


@app.command()
def progress(
    lab: Annotated[str | None, typer.Argument(metavar="[LAB]", help="Such as lab1; all of them when left out.")] = None,
) -> None:
    """Show how far you are: exercises whose visible checks pass, and the next one to do."""
    from course_lib.progress.table import show_progress

    show_progress(course_root(holding="labs"), lab)


@app.command()
def submit(
    lab: Annotated[str, typer.Argument(help="Such as lab1.")],
    output: Annotated[Path | None, typer.Option(metavar="FILE", help="Default: LAB.zip in this folder.")] = None,
    student: Annotated[str | None, typer.Option(metavar="NAME", help="Your name, if your course asks for it.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask if something is missing.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
) -> None:
    """Look whether a lab is complete and pack its notebooks into one zip to hand in."""
    from course_lib.handin.submit import submit as submit_lab

    if not submit_lab(course_root(holding="labs"), lab, output=output, student=student, yes=yes, force=force):
        raise typer.Exit(1)


@app.command()
def build(
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail if labs/ is not up to date.")] = False,
) -> None:
    """Turn the text sources that authors write into the student notebooks in labs/."""
    from course_lib.workbook.build import build as build_labs

    report = build_labs(course_root(), check=check)
    for path in report.written:
        typer.echo(f"wrote {path}")
    for problem in report.problems:
        typer.echo(problem, err=True)
    if report.problems:
        raise typer.Exit(1)
    if not report.written:
        typer.echo("labs/ is up to date.")


@app.command()
def run(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[LAB or NOTEBOOK]...", help="Such as lab1 or 1a; all of them when left out."),
    ] = None,
    part: Annotated[
        list[Part] | None,
        typer.Option(help="Which part of each notebook to execute; repeatable."),
    ] = None,
    section: Annotated[
        str, typer.Option(metavar="SECTION", help="One section of one notebook: its number or the start of its name.")
    ] = "",
    changed: Annotated[
        bool, typer.Option("--changed", help="Leave out what is the same as when it last passed.")
    ] = False,
    profile: Annotated[Profile, typer.Option(help="How much work the notebooks do.")] = Profile.fast,
    jobs: Annotated[int, typer.Option(min=0, help="Notebooks executed at a time; 0: one for each core.")] = 0,
    device: Annotated[str, typer.Option(help='"auto", "cpu" or "cuda".')] = "auto",
    seed: Annotated[int, typer.Option(help="Start of every random stream.")] = 0,
    strict: Annotated[
        bool, typer.Option("--strict", help="A notebook that is over its time budget has failed.")
    ] = False,
    accept_removed: Annotated[
        bool,
        typer.Option(
            "--accept-removed", help="Metrics and notebooks that are no longer there were removed on purpose."
        ),
    ] = False,
    history: Annotated[bool, typer.Option(help="Keep this run to compare later ones with.")] = True,
) -> None:
    """Execute notebooks with papermill and check time, recorded metrics and output against what is expected.

    The parts of a notebook:

    - solution: the notebook with every answer in place; the default

    - student: the unanswered notebook of labs/, which may stop in exercises alone

    - graded: what grading executes of the solution, without experiments

    An author runs "course run 1b", or "course run 1b --section 3" for the set-up and one section, and after a change
    to the library "course run --changed".

    Each run is compared with the ones before it, which build/history.jsonl keeps:
    newly broken, fixed, moved, slower; a metric that has vanished is a fault.
    What only a clock is against is executed once more, alone, before it counts.
    """
    from course_lib.workbook.execute import Settings, execute
    from course_lib.workbook.execute.limits import PARTS

    wanted = {one.value for one in part or [Part.solution]}
    settings = Settings(
        profile=profile.value,
        device=device,
        seed=seed,
        jobs=jobs,
        parts=tuple(one for one in PARTS if one in wanted or "all" in wanted),
        section=section,
        strict=strict,
        changed=changed,
        accept_removed=accept_removed,
        keep=history,
    )
    if not execute(course_root(), names or [], settings):
        raise typer.Exit(1)


@app.command()
def check() -> None:
    """Look at everything but tests: format, lint, types, labs/ as built, syllabus; all of it, also after a fault."""
    from course_lib.workbook.steps import run_checks

    if not run_checks(course_root()):
        raise typer.Exit(1)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def test(
    context: typer.Context,
    jobs: Annotated[int, typer.Option(min=0, help="Tests, then notebooks, at a time; 0: one for each core.")] = 0,
) -> None:
    """Test the code with pytest, then execute every notebook's solution; other arguments go to pytest."""
    from course_lib.workbook.steps import run_tests

    if not run_tests(course_root(), jobs=jobs, arguments=context.args):
        raise typer.Exit(1)


@app.command()
def nightly(
    jobs: Annotated[int, typer.Option(min=0, help="Tests, then notebooks, at a time; 0: one for each core.")] = 0,
    accept_removed: Annotated[
        bool,
        typer.Option(
            "--accept-removed", help="Metrics and notebooks that are no longer there were removed on purpose."
        ),
    ] = False,
) -> None:
    """Do all that check, test and run can do, with random tests, and write build/nightly/index.html about it."""
    from course_lib.workbook.nightly import run_night

    if not run_night(course_root(), jobs=jobs, accept_removed=accept_removed):
        raise typer.Exit(1)


@app.command()
def syllabus(
    missing: Annotated[bool, typer.Option("--missing", help="Only topics that no cell teaches yet.")] = False,
) -> None:
    """List what the course must teach and the cells that teach it."""
    from course_lib.workbook.syllabus import coverage
    from course_lib.workbook.syllabus_table import show

    show(coverage(course_root()), missing=missing)


@app.command()
def train(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="All of them when left out.")] = None,
    output: Annotated[Path | None, typer.Option(help="Folder to write to; default build/checkpoints.")] = None,
) -> None:
    """Train again the weights that the labs start from, and compare them with those shipped."""
    from course_lib import training

    known = list(training.recipe_names())
    unknown = [name for name in names or [] if name not in known]
    if unknown:
        raise CourseError(f"there is no recipe {', '.join(unknown)}; there are {', '.join(known)}")
    folder = output or course_root() / "build" / "checkpoints"
    all_agree = True
    for name in names or known:
        typer.echo(f"Training {name} ...")
        made = training.reproduce(name, folder)
        all_agree &= made["agrees"]
        typer.echo(f"wrote {made['path']} in {made['seconds']:.0f} s: {_comparison(made)}")
    if not all_agree:
        raise typer.Exit(1)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def bench(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Such as csr_matmul; none: list them.")] = None,
) -> None:
    """Time an operation beside its peers; what follows NAME goes to the benchmark, such as --quick."""
    import subprocess

    root = course_root()
    known = sorted(path.stem for path in (root / "benchmarks").glob("*.py") if path.stem != "__init__")
    if name is None:
        typer.echo(f"Benchmarks: {', '.join(known)}")
        return
    if name not in known:
        raise CourseError(f"there is no benchmark {name!r}; there are {', '.join(known)}")
    # a process of its own, so that nothing this command has imported or started takes part in the timing
    code = subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *context.args], cwd=root, check=False).returncode
    if code:
        raise typer.Exit(code)


def _for_staff(name: str) -> None:
    """A command of staff's own module, which has its own words, options and help."""

    @app.command(
        name, context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
        help=_STAFF_COMMANDS[name],
    )  # fmt: skip
    def command(context: typer.Context) -> None:
        import subprocess

        root = course_root()
        place = places(root)
        if not place.commands or not place.marking.exists():
            raise CourseError(f"`course {name}` is for teaching staff: it needs {place.marking}, which is not there")
        words = [sys.executable, "-m", place.commands, name, *context.args]
        code = subprocess.run(words, cwd=root, check=False).returncode
        if code:
            raise typer.Exit(code)


_STAFF_COMMANDS = {
    "grade": "Staff: grade a class of submissions, sandboxed and in parallel.",
    "report": "Staff: write the class report.",
    "export": "Staff: write the marks for Canvas, Moodle or a table.",
    "answers": "Authors: count the wrong and right answers of each exercise, and turn wrong ones into edits.",
}
for _name in _STAFF_COMMANDS:
    _for_staff(_name)


def _comparison(made: dict[str, Any]) -> str:
    """How newly trained weights compare with those that the course ships."""
    accuracy = f"accuracy {made['accuracy']:.4f}"
    if made["shipped_accuracy"] is None:
        return f"{accuracy}; none is shipped"
    verdict = "the same file as" if made["same_bits"] else "agrees with" if made["agrees"] else "DIFFERS from"
    return f"{accuracy}, {verdict} the shipped one ({made['shipped_accuracy']:.4f})"


if __name__ == "__main__":
    sys.exit(main())
