"""Where the time of a test run went, and what a course with all its notebooks would take."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from course_lib.workbook.execute.document import Entry
from course_lib.workbook.source import SourceNotebook
from course_lib.workbook.steps.junit import Case

__all__ = ["Growth", "growth", "seconds_by_file", "show_spent_time"]

FILES_SHOWN = 12
_PARAMETERS = re.compile(r"\[(.*)\]$")


@dataclass(frozen=True)
class Growth:
    """What notebooks cost, in seconds of one worker.

    tested    tests whose parameters name a notebook or one of its cells.
    executed  `course run` of the notebooks.
    """

    notebooks: int
    tested: float
    executed: float

    @property
    def of_one(self) -> float:
        return (self.tested + self.executed) / self.notebooks

    def with_all(self, planned: int, now: float, jobs: int) -> float:
        """Seconds from start to end with so many notebooks, if today's run took `now` seconds with `jobs` workers."""
        return now + (planned - self.notebooks) * self.of_one / jobs


def growth(cases: Iterable[Case], entries: Sequence[Entry], notebooks: Mapping[str, SourceNotebook]) -> Growth:
    """Tests made for a notebook are known by what stands between the brackets of their names."""
    names = {*notebooks} | {cell.id for notebook in notebooks.values() for cell in notebook.cells if cell.id}
    tested = sum(case.seconds for case in cases if names & set(_parameters(case.name)))
    executed = sum(entry["wall_seconds"] for entry in entries)
    return Growth(len({entry["notebook"] for entry in entries}), tested, executed)


def _parameters(name: str) -> list[str]:
    found = _PARAMETERS.search(name)
    return re.split(r"[-/]", found[1]) if found else []


def show_spent_time(console: Console, cases: Sequence[Case], entries: Sequence[Entry]) -> None:
    """The slowest test files, then every notebook, in seconds of one worker."""
    console.print(_table_of_files(cases))
    console.print(_table_of_notebooks(entries))


def seconds_by_file(cases: Iterable[Case]) -> dict[str, float]:
    """Seconds of one worker for each test file."""
    seconds: dict[str, float] = defaultdict(float)
    for case in cases:
        seconds[case.file] += case.seconds
    return dict(seconds)


def _table_of_files(cases: Sequence[Case]) -> Table:
    seconds, counts = seconds_by_file(cases), Counter(case.file for case in cases)
    slowest = sorted(seconds, key=lambda file: -seconds[file])
    table = _table("Slowest test files", "tests", "seconds of a worker")
    for file in slowest[:FILES_SHOWN]:
        table.add_row(escape(file), str(counts[file]), f"{seconds[file]:.0f}")
    rest = slowest[FILES_SHOWN:]
    if rest:
        others = sum(counts[file] for file in rest), sum(seconds[file] for file in rest)
        table.add_row(f"{len(rest)} others", str(others[0]), f"{others[1]:.0f}")
    table.add_section()
    table.add_row("all", str(len(cases)), f"{sum(seconds.values()):.0f}")
    return table


def _table_of_notebooks(entries: Sequence[Entry]) -> Table:
    table = _table("Notebooks", "budget", "seconds of a worker")
    for entry in sorted(entries, key=lambda entry: -entry["wall_seconds"]):
        budget = f"{entry['budget_seconds']:.0f} s" if entry["budget_seconds"] else ""
        part = "" if entry["part"] == "solution" else f", {entry['part']}"
        table.add_row(f"{entry['notebook']}{part}", budget, f"{entry['wall_seconds']:.0f}")
    table.add_section()
    table.add_row("all", "", f"{sum(entry['wall_seconds'] for entry in entries):.0f}")
    return table


def _table(title: str, *numbers: str) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE)
    table.add_column("", overflow="fold")
    for heading in numbers:
        table.add_column(heading, justify="right", no_wrap=True)
    return table
