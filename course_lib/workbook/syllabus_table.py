"""The syllabus and its coverage for people: one table a notebook, or only what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from course_lib.workbook.syllabus import TopicCoverage

__all__ = ["show"]


def show(topics: Sequence[TopicCoverage], *, missing: bool = False, console: Console | None = None) -> None:
    """Print the topics in syllabus order.

    missing  only those that no cell teaches yet.
    """
    console = console or Console()
    shown = [topic for topic in topics if not (missing and topic.covered)]
    for notebook, group in groupby(shown, key=lambda topic: topic.notebook):
        console.print(_table(notebook, list(group)))
        console.print()
    covered = sum(topic.covered for topic in topics)
    console.print(
        f"{covered} of {len(topics)} topics are taught; {len(topics) - covered} are missing.", highlight=False
    )


def _table(notebook: str, topics: Sequence[TopicCoverage]) -> Table:
    covered = sum(topic.covered for topic in topics)
    table = Table("topic", "title", "form", "taught by", title=f"{notebook}: {covered} of {len(topics)} taught")
    table.title_justify = "left"
    for topic in topics:
        cells = escape(", ".join(topic.cells)) if topic.covered else "[yellow]missing[/]"
        table.add_row(topic.topic, escape(topic.title), topic.form, cells)
    return table
