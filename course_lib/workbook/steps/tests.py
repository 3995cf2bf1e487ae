"""`course test`: tests of code, then every notebook executed; both always, and one closing line for both."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from rich.console import Console

from course_lib.machine import usable_cores
from course_lib.workbook.execute.document import RunDocument, Step
from course_lib.workbook.execute.history import append
from course_lib.workbook.source import source_notebooks
from course_lib.workbook.steps import course_steps
from course_lib.workbook.steps.junit import Counts, counted, read_cases
from course_lib.workbook.steps.spent_time import growth, seconds_by_file, show_spent_time
from course_lib.workbook.steps.step import Outcome, run_steps
from course_lib.workbook.syllabus import read_syllabus

__all__ = ["closing_line", "finished_run", "keep", "note_times", "run_tests", "show_times"]

WIDTH = 110
# seconds of a worker by test file
FILE_TIMES = Path("build", "test", "seconds.json")


def run_tests(root: Path, *, jobs: int = 0, arguments: Sequence[str] = ()) -> bool:
    """Test the course at `root`; True if nothing failed.

    jobs       tests, then notebooks, at a time; 0: one for each core that this process may use.
    arguments  for pytest.
    """
    workers = jobs or usable_cores()
    steps = [course_steps.pytest(workers, arguments), course_steps.notebooks(workers)]
    outcomes = run_steps(root, steps, root / "build" / "test")
    run = finished_run(root)
    if run:
        keep(root, run, outcomes)
    show_times(root, outcomes, run, workers)
    if not arguments:
        note_times(root)
    print(closing_line(root, outcomes))
    return all(outcome.ok for outcome in outcomes)


def finished_run(root: Path) -> RunDocument | None:
    """What the notebooks' step reported; None if it came to no end."""
    path = root / course_steps.NOTEBOOKS_REPORT
    return cast(RunDocument, json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None


def keep(root: Path, run: RunDocument, outcomes: Sequence[Outcome]) -> None:
    """Add the notebooks' run to the history with the steps that stood beside it."""
    run["steps"] = [
        Step(name=outcome.step.name, ok=outcome.ok, seconds=round(outcome.seconds, 1)) for outcome in outcomes
    ]
    append(root, run)


def show_times(root: Path, outcomes: Sequence[Outcome], run: RunDocument | None, jobs: int) -> None:
    """Where the time went, and how long the run would take with every notebook that the syllabus names."""
    console = Console(width=WIDTH)
    cases = read_cases(root / course_steps.PYTEST_XML)
    entries = run["results"] if run else []
    show_spent_time(console, cases, entries)
    if entries:
        cost = growth(cases, entries, source_notebooks(root))
        planned = len({topic.notebook for topic in read_syllabus(root) if topic.notebook})
        now = sum(outcome.seconds for outcome in outcomes)
        console.print(
            f"One more notebook adds {cost.of_one:.0f} s of a worker: {cost.executed / cost.notebooks:.0f} s to "
            f"execute it, {cost.tested / cost.notebooks:.0f} s in tests made for it. This run took {now / 60:.0f} min "
            f"with {jobs} workers; with all {planned} notebooks it would take "
            f"{cost.with_all(planned, now, jobs) / 60:.0f} min.",
            highlight=False,
        )


def note_times(root: Path) -> None:
    """Write down what each test file took in a whole run, by which the next one starts with the longest."""
    path = root / FILE_TIMES
    path.parent.mkdir(parents=True, exist_ok=True)
    times = seconds_by_file(read_cases(root / course_steps.PYTEST_XML))
    path.write_text(json.dumps(times, indent=1) + "\n", encoding="utf-8")


def closing_line(root: Path, outcomes: Sequence[Outcome]) -> Counts:
    """Tests and notebooks counted together."""
    reports = {"pytest": course_steps.PYTEST_XML, "notebooks": course_steps.NOTEBOOKS_XML}
    total = Counts()
    for outcome in outcomes:
        report = reports.get(outcome.step.name)
        if report:
            total += counted(read_cases(root / report), ok=outcome.ok)
    return total
