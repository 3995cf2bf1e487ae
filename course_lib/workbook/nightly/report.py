"""What a night has to say, in the order in which it is read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from course_lib.workbook.execute.comparison import KINDS
from course_lib.workbook.execute.document import Difference, Entry, Metric, RunDocument
from course_lib.workbook.execute.frames import plain
from course_lib.workbook.execute.history import History
from course_lib.workbook.nightly.executed_pages import Pages
from course_lib.workbook.steps.step import Outcome

__all__ = ["MetricReport", "NightReport", "NotebookReport", "StepReport", "report"]

LINES_OF_OUTPUT = 40
RUNS_SHOWN = 40


@dataclass(frozen=True)
class StepReport:
    """output  the end of what a failed step printed; earlier  its seconds in former nights, oldest first."""

    name: str
    what: str
    ok: bool
    code: int
    seconds: float
    output: str
    earlier: list[float]


@dataclass(frozen=True)
class MetricReport:
    """values  this and former runs', oldest first; None where one was not finite."""

    metric: Metric
    values: list[float | None]
    moved: bool


@dataclass(frozen=True)
class NotebookReport:
    """
    page     path of the executed notebook as HTML, None if there is none.
    since    day of the first failure in a row, None if it passed.
    """

    entry: Entry
    page: str | None
    cells_failed: int
    is_over_budget: bool
    since: str | None
    seconds: list[float]
    metrics: list[MetricReport]

    @property
    def needs_a_look(self) -> bool:
        """Whether a metric is out of its band or has moved."""
        return any(one.moved or not one.metric["in_band"] for one in self.metrics)


@dataclass(frozen=True)
class NightReport:
    """
    differences  pairs of a heading and what stands below it.
    compared     when the last run ended that this one is compared with; None for the first one.
    runs_shown   how many runs a line of metrics covers at most.
    """

    run: RunDocument
    steps: list[StepReport]
    notebooks: list[NotebookReport]
    differences: list[tuple[str, list[Difference]]]
    compared: str | None
    runs_shown: int = RUNS_SHOWN

    @property
    def failed_steps(self) -> list[StepReport]:
        return [step for step in self.steps if not step.ok]

    @property
    def failed_notebooks(self) -> list[NotebookReport]:
        return [notebook for notebook in self.notebooks if notebook.entry["status"] != "ok"]

    @property
    def by_notebook(self) -> dict[str, dict[str, NotebookReport]]:
        """Notebook -> part -> what came of it."""
        found: dict[str, dict[str, NotebookReport]] = {}
        for report in self.notebooks:
            found.setdefault(report.entry["notebook"], {})[report.entry["part"]] = report
        return dict(sorted(found.items()))

    @property
    def ok(self) -> bool:
        return not self.failed_steps

    @property
    def verdict(self) -> str:
        """Such as `Failed: lint, notebooks`."""
        names = [step.name for step in self.failed_steps]
        return f"Failed: {', '.join(names)}" if names else "Every step passed"

    @property
    def seconds(self) -> float:
        return sum(step.seconds for step in self.steps)


def report(outcomes: Sequence[Outcome], run: RunDocument, earlier: Sequence[RunDocument], pages: Pages) -> NightReport:
    """Put together what the page shows.

    earlier  the history before this run, oldest first.
    """
    nights = [other for other in earlier if other["steps"]]
    parameters = {name: run["settings"][name] for name in ("profile", "device", "seed")}
    history = History(earlier, parameters)
    moved = {
        (found["notebook"], found["part"], found["text"].partition(" = ")[0])
        for found in run["differences"]
        if found["kind"] == "drifted"
    }
    return NightReport(
        run=run,
        steps=[_step(outcome, nights) for outcome in outcomes],
        notebooks=[
            _notebook(entry, history, pages.get((entry["notebook"], entry["part"])), moved) for entry in run["results"]
        ],
        differences=[
            (KINDS[kind], list(found)) for kind, found in groupby(run["differences"], lambda found: found["kind"])
        ],
        compared=earlier[-1]["finished"] if earlier else None,
    )


def _step(outcome: Outcome, nights: Sequence[RunDocument]) -> StepReport:
    step = outcome.step
    times = [one["seconds"] for night in nights for one in night["steps"] if one["name"] == step.name]
    return StepReport(
        name=step.name,
        what=step.what,
        ok=outcome.ok,
        code=outcome.code,
        seconds=outcome.seconds,
        output="" if outcome.ok else _end_of(outcome.log),
        earlier=times[-RUNS_SHOWN:],
    )


def _end_of(log: Path) -> str:
    text = plain(log.read_text(encoding="utf-8", errors="replace"))
    return "\n".join(line.rstrip() for line in text.rstrip().splitlines()[-LINES_OF_OUTPUT:])


def _notebook(entry: Entry, history: History, page: str | None, moved: set[tuple[str, str, str]]) -> NotebookReport:
    past = history.of(entry["notebook"], entry["part"])[-RUNS_SHOWN:]
    budget = entry["budget_seconds"]
    return NotebookReport(
        entry=entry,
        page=page,
        cells_failed=len({problem["cell"] for problem in entry["problems"] if problem["cell"]}),
        is_over_budget=budget is not None and entry["seconds"] > budget,
        since=_failing_since(past) if entry["status"] != "ok" else None,
        seconds=[one["seconds"] for _, one in past] + [entry["seconds"]],
        metrics=[
            MetricReport(
                metric,
                [*_values(metric["name"], (one for _, one in past)), metric["value"]],
                (entry["notebook"], entry["part"], metric["name"]) in moved,
            )
            for metric in entry["metrics"]
        ],
    )


def _failing_since(past: Sequence[tuple[RunDocument, Entry]]) -> str | None:
    """The day of the first failure after the last time it passed; None if this one is the first."""
    since = None
    for run, entry in reversed(past):
        if entry["status"] == "ok":
            break
        since = run["finished"][:10]
    return since


def _values(name: str, entries: Iterable[Entry]) -> list[float | None]:
    return [metric["value"] for entry in entries for metric in entry["metrics"] if metric["name"] == name]
