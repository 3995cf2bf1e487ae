"""`course nightly`: every step, also after one has failed; the history; the page; one closing line."""

from __future__ import annotations

from pathlib import Path

from course_lib.machine import usable_cores
from course_lib.workbook.execute import document
from course_lib.workbook.execute.history import read_history
from course_lib.workbook.execute.settings import Settings
from course_lib.workbook.nightly.executed_pages import write_executed_pages
from course_lib.workbook.nightly.job_summary import job_summary
from course_lib.workbook.nightly.page import page
from course_lib.workbook.nightly.report import report
from course_lib.workbook.steps import course_steps
from course_lib.workbook.steps.step import Outcome, Step, run_steps
from course_lib.workbook.steps.tests import closing_line, finished_run, keep, note_times, show_times

__all__ = ["FOLDER", "run_night"]

FOLDER = Path("build", "nightly")


def run_night(root: Path, *, jobs: int = 0, accept_removed: bool = False) -> bool:
    """Ask everything of the course at `root`; True if no step failed.

    Leaves index.html, summary.md (for a job's summary or an issue), executed notebooks as pages and the steps' logs
    in `root/build/nightly`, and a line in the history.

    accept_removed  metrics and notebooks that the last passing run had and this one has not were removed on purpose.
    """
    workers = jobs or usable_cores()
    outcomes = run_steps(root, _steps(workers, accept_removed), root / FOLDER / "logs")
    earlier = read_history(root)
    run = finished_run(root) or document.describe(root, [], Settings(), seconds=0)
    keep(root, run, outcomes)
    write_report(root, outcomes, run, earlier)
    show_times(root, outcomes, run, workers)
    note_times(root)
    print(f"Page: {FOLDER / 'index.html'}; in short: {FOLDER / 'summary.md'}")
    failed = [outcome.step.name for outcome in outcomes if not outcome.ok]
    print(f"Failed: {', '.join(failed)}." if failed else "Every step passed.")
    print(closing_line(root, outcomes))
    return not failed


def write_report(
    root: Path, outcomes: list[Outcome], run: document.RunDocument, earlier: list[document.RunDocument]
) -> None:
    """Write the page, its short form and the notebooks that it links to.

    earlier  the history before this run.
    """
    pages = write_executed_pages(root, run["results"], root / FOLDER)
    night = report(outcomes, run, earlier, pages)
    (root / FOLDER / "index.html").write_text(page(night), encoding="utf-8")
    (root / FOLDER / "summary.md").write_text(job_summary(night), encoding="utf-8")


def _steps(workers: int, accept_removed: bool) -> list[Step]:
    options = ["--part", "all", "--strict", *["--accept-removed"] * accept_removed]
    return [
        *course_steps.checks(),
        course_steps.pytest(workers, random=True),
        course_steps.notebooks(workers, *options),
    ]
