"""`course run`: which notebooks, in parallel, watched, judged and reported."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from course_lib.workbook.execute import summary
from course_lib.workbook.execute.pool import run_tasks
from course_lib.workbook.execute.progress import Board
from course_lib.workbook.execute.reports import write_json, write_junit
from course_lib.workbook.execute.result import Problem, Result
from course_lib.workbook.execute.selection import select
from course_lib.workbook.execute.settings import Settings
from course_lib.workbook.execute.tasks import plan
from course_lib.workbook.source import source_notebooks

__all__ = ["execute"]


def execute(root: Path, names: Sequence[str], settings: Settings, console: Console | None = None) -> bool:
    """Execute the notebooks that `names` stand for (see selection.py; all when empty); True if all is well.

    Leaves executed copies in `root/build/executed` and report.json and junit.xml in `root/build/run`.
    Raises CourseError for an unknown name or a student notebook that is not built.
    """
    console = console or Console()
    notebooks = select(source_notebooks(root), names)
    with TemporaryDirectory(prefix="course-run-", ignore_cleanup_errors=True) as scratch:
        tasks = plan(root, notebooks, settings, Path(scratch), whole_course=not names)
        workers = min(settings.workers, len(tasks))
        console.print(
            f"Executing {', '.join(notebook.id for notebook in notebooks)}: {len(tasks)} runs, {workers} at a time, "
            f"profile {settings.profile}, threads for each: {tasks[0].threads}",
            highlight=False,
        )
        started = time.monotonic()
        with Board(console, len(tasks)) as board:
            results = run_tasks(tasks, workers, board)
    seconds = time.monotonic() - started
    if settings.strict:
        results = [_strict(result) for result in results]
    folder = root / "build" / "run"
    write_json(folder / "report.json", root, results, settings, seconds)
    write_junit(folder / "junit.xml", results, seconds)
    summary.show(console, root, results, seconds, [folder / "report.json", folder / "junit.xml"])
    return all(result.ok for result in results)


def _strict(result: Result) -> Result:
    late = [Problem("time", warning) for warning in result.warnings]
    return replace(result, problems=result.problems + late, warnings=[])
