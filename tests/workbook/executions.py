"""Tasks, results and whole runs written down by hand, as `course run` would have left them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from course_lib.workbook.execute import document
from course_lib.workbook.execute.limits import TimeBudget
from course_lib.workbook.execute.result import Progress, Result
from course_lib.workbook.execute.settings import Settings
from course_lib.workbook.execute.tasks import Task

ROOT = Path("/course")


def make_task(notebook="1a_sums", part="solution", **changes):
    facts = {
        "notebook": notebook, "lab": "lab1", "part": part, "input": Path("in.ipynb"),
        "executed": ROOT / "build/executed" / part / f"{notebook}.ipynb", "scratch": Path("scratch"),
        "parameters": {}, "budget": TimeBudget(90, 150), "threads": 1, "fingerprint": "f0",
    }  # fmt: skip
    return Task(**facts | changes)


def make_metric(name="accuracy", value=0.9, low=None, high=None, **more):
    return {"name": name, "value": value, "low": low, "high": high, **more}


def make_result(notebook="1a_sums", part="solution", *, fingerprint="f0", **changes):
    facts = {"seconds": 12.5, "wall_seconds": 13.0, "cells": Progress(7, 9), "size": 1_500_000}
    return Result(make_task(notebook, part, fingerprint=fingerprint), **facts | changes)


def make_run(*results, root=ROOT, settings=None, whole=False, unchanged=(), number=1, busy=""):
    """A run of the `number`-th of November."""
    run = document.describe(
        root, list(results), settings or Settings(), seconds=20.0, whole=whole, busy=busy,
        unchanged=[document.Name(notebook=name, part="solution") for name in unchanged],
    )  # fmt: skip
    run["finished"] = f"2026-11-{number:02d}T03:20:00+00:00"
    return run


def failed(result, *problems):
    return replace(result, problems=[*result.problems, *problems])
