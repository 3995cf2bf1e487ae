"""`course run`: which notebooks, in parallel, watched, judged, compared with earlier runs and reported."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from course_lib.busy import BusyWatch
from course_lib.errors import CourseError
from course_lib.workbook.execute import comparison, document, reports, summary
from course_lib.workbook.execute.again import measured_again
from course_lib.workbook.execute.history import History, append, read_history
from course_lib.workbook.execute.pool import run_tasks
from course_lib.workbook.execute.progress import Board
from course_lib.workbook.execute.result import Problem, Result
from course_lib.workbook.execute.selection import select
from course_lib.workbook.execute.settings import Settings
from course_lib.workbook.execute.tasks import Task, plan
from course_lib.workbook.execute.text_places import with_places
from course_lib.workbook.execute.vanished import with_vanished_metrics
from course_lib.workbook.source import SourceNotebook, source_notebooks

__all__ = ["REPORTS", "execute"]

REPORTS = Path("build", "run")


def execute(root: Path, names: Sequence[str], settings: Settings, console: Console | None = None) -> bool:
    """Execute the notebooks that `names` stand for (see selection.py; all when empty); True if all is well.

    Leaves executed copies in `root/build/executed`, report.json and junit.xml in `root/build/run`, and a line in the
    history. Raises CourseError for an unknown name or section, or a student notebook that is not built.
    """
    console = console or Console()
    notebooks = select(source_notebooks(root), names)
    if settings.section:
        _refuse_more_than_a_section(notebooks, settings)
    history = History([] if settings.section else read_history(root), settings.parameters)
    started, watch = time.monotonic(), BusyWatch()
    with TemporaryDirectory(prefix="course-run-", ignore_cleanup_errors=True) as scratch:
        tasks = plan(root, notebooks, settings, Path(scratch), whole_course=not names)
        unchanged = [task for task in tasks if settings.changed and _is_unchanged(task, history)]
        results = _results([task for task in tasks if task not in unchanged], settings, history, console)
    results = with_places(results, notebooks)
    run = document.describe(
        root,
        results,
        settings,
        seconds=time.monotonic() - started,
        busy=watch.remark(),
        unchanged=[document.Name(notebook=task.notebook, part=task.part) for task in unchanged],
        whole=not names,
    )
    run["differences"] = comparison.differences(run, history, accept_removed=settings.accept_removed)
    run["ok"] = run["ok"] and not any(difference["kind"] == "gone" for difference in run["differences"])
    written = [root / REPORTS / "report.json", root / REPORTS / "junit.xml"]
    reports.write_json(written[0], run)
    reports.write_junit(written[1], results, run["seconds"])
    if settings.keep and not settings.section:
        append(root, run)
    summary.show(console, root, results, run, written)
    return run["ok"]


def _refuse_more_than_a_section(notebooks: Sequence[SourceNotebook], settings: Settings) -> None:
    """One section is for its author's eyes: it has no history, and students have no sections."""
    if len(notebooks) != 1:
        raise CourseError(f"--section is for one notebook, and {len(notebooks)} were named; course run 1b --section 3")
    if "student" in settings.parts or settings.changed:
        raise CourseError("--section goes with the solution and its graded part alone, and not with --changed")


def _is_unchanged(task: Task, history: History) -> bool:
    return history.is_unchanged(task.notebook, task.part, task.fingerprint)


def _results(tasks: Sequence[Task], settings: Settings, history: History, console: Console) -> list[Result]:
    """What comes of executing the tasks, each a second time where only a clock was against it."""
    tasks = sorted(tasks, key=lambda task: -(history.seconds(task.notebook, task.part) or task.budget.stop))
    if not tasks:
        return []
    workers = min(settings.workers, len(tasks))
    console.print(
        f"Executing {', '.join(dict.fromkeys(task.notebook for task in tasks))}: {len(tasks)} runs, {workers} at a "
        f"time, profile {settings.profile}, threads for each: {tasks[0].threads}",
        highlight=False,
    )
    with Board(console, len(tasks)) as board:
        results = _judged(run_tasks(tasks, workers, board), settings)
    return [
        with_vanished_metrics(result, history, accepted=settings.accept_removed)
        for result in measured_again(results, lambda doubtful: _alone(doubtful, settings, console))
    ]


def _alone(tasks: Sequence[Task], settings: Settings, console: Console) -> list[Result]:
    console.print("Measuring again, alone:", highlight=False)
    with Board(console, len(tasks)) as board:
        return _judged(run_tasks(tasks, 1, board), settings)


def _judged(results: Sequence[Result], settings: Settings) -> list[Result]:
    return [_strict(result) for result in results] if settings.strict else list(results)


def _strict(result: Result) -> Result:
    late = [Problem("time", warning) for warning in result.warnings]
    return replace(result, problems=result.problems + late, warnings=[])
