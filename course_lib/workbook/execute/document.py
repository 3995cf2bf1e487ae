"""A finished run as plain data: what report.json holds, the history keeps a line of, and later runs compare with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypedDict

from course_lib.recording import in_band
from course_lib.workbook.execute.result import Result
from course_lib.workbook.execute.settings import Settings
from course_lib.workbook.execute.versions import Commit, Machine, commit_of, installed_versions, this_machine

__all__ = ["FORMAT", "Difference", "Entry", "Kind", "Metric", "Name", "RunDocument", "Step", "describe"]

# of the shapes below; runs of another format are not read
FORMAT = 1

Kind = Literal["gone", "vanished", "broken", "fixed", "drifted", "slower"]


class Metric(TypedDict):
    """A recorded number with its band; None: not finite, an open side. timed: it was measured with a clock."""

    name: str
    value: float | None
    low: float | None
    high: float | None
    timed: bool
    in_band: bool


class Entry(TypedDict):
    """One execution of one notebook. Times are in seconds, sizes in bytes, paths relative to the course's root."""

    notebook: str
    lab: str
    part: str
    status: str  # "ok" or "failed"
    seconds: float
    wall_seconds: float
    budget_seconds: float | None
    stop_seconds: float
    cells_done: int
    cells_total: int
    executed: str | None
    bytes: int | None
    fingerprint: str
    metrics: list[Metric]
    problems: list[dict[str, str]]
    warnings: list[str]
    notes: list[str]


class Name(TypedDict):
    """Which execution: a notebook, and a part of it as limits.py lists them."""

    notebook: str
    part: str


class Difference(TypedDict):
    """Something that is not as it was; comparison.py tells when it is which kind."""

    kind: Kind
    notebook: str
    part: str
    text: str


class Step(TypedDict):
    """A command of a larger run, such as the one that runs pytest."""

    name: str
    ok: bool
    seconds: float


class RunDocument(TypedDict):
    """A run. busy is a clause for people, empty on a quiet machine; unchanged names what was left out.

    whole  it was over the whole course, so that a notebook it lacks is gone from the course.
    """

    format: int
    finished: str
    ok: bool
    seconds: float
    commit: Commit
    versions: dict[str, str]
    machine: Machine
    busy: str
    settings: dict[str, Any]
    unchanged: list[Name]
    whole: bool
    results: list[Entry]
    differences: list[Difference]
    steps: list[Step]


def describe(
    root: Path,
    results: Sequence[Result],
    settings: Settings,
    *,
    seconds: float,
    busy: str = "",
    unchanged: Sequence[Name] = (),
    whole: bool = False,
) -> RunDocument:
    """The run as it is now over, before it is compared with others."""
    return RunDocument(
        format=FORMAT,
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        ok=all(result.ok for result in results),
        seconds=round(seconds, 3),
        commit=commit_of(root),
        versions=installed_versions(),
        machine=this_machine(),
        busy=busy,
        settings={**asdict(settings), "jobs": settings.workers, "parts": list(settings.parts)},
        unchanged=list(unchanged),
        whole=whole,
        results=[_entry(root, result) for result in results],
        differences=[],
        steps=[],
    )


def _entry(root: Path, result: Result) -> Entry:
    task = result.task
    return Entry(
        notebook=task.notebook,
        lab=task.lab,
        part=task.part,
        status="ok" if result.ok else "failed",
        seconds=round(result.seconds, 3),
        wall_seconds=round(result.wall_seconds, 3),
        budget_seconds=task.budget.target,
        stop_seconds=task.budget.stop,
        cells_done=result.cells.done,
        cells_total=result.cells.total,
        executed=result.executed.relative_to(root).as_posix() if result.executed else None,
        bytes=result.size,
        fingerprint=task.fingerprint,
        metrics=[_metric(metric) for metric in result.metrics],
        problems=[{name: str(value) for name, value in asdict(problem).items()} for problem in result.problems],
        warnings=result.warnings,
        notes=result.notes,
    )


def _metric(metric: dict[str, Any]) -> Metric:
    return Metric(
        name=metric["name"],
        value=metric["value"],
        low=metric["low"],
        high=metric["high"],
        timed=bool(metric.get("timed")),
        in_band=in_band(metric),
    )
