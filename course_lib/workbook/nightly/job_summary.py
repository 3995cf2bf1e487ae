"""A night in Markdown, short enough for a job's summary or an issue."""

from __future__ import annotations

import re
from collections.abc import Iterator

from course_lib.workbook.nightly.page import day, duration
from course_lib.workbook.nightly.report import NightReport, NotebookReport

__all__ = ["job_summary"]

# GitHub takes 65,536 characters for an issue
MAX_CHARACTERS = 60_000
LINES_OF_OUTPUT = 25


def job_summary(night: NightReport) -> str:
    """Verdict, failed steps with the end of their output, failed notebooks, differences, times."""
    text = "\n".join(_lines(night)) + "\n"
    return (
        text if len(text) <= MAX_CHARACTERS else f"{text[:MAX_CHARACTERS]}\n```\n\nCut here; the page has all of it.\n"
    )


def _lines(night: NightReport) -> Iterator[str]:
    run = night.run
    yield f"## {night.verdict}"
    commit = f"commit {run['commit']['id'][:10]}: {_plain(run['commit']['subject'])}" if run["commit"]["id"] else ""
    yield f"\n{day(run['finished'])}, {duration(night.seconds)}. {commit}"
    if run["busy"]:
        yield f"\n{run['busy'][:1].upper()}{run['busy'][1:]}."
    for step in night.failed_steps:
        yield f"\n### {step.name} failed with code {step.code}\n"
        yield _fenced("\n".join(step.output.splitlines()[-LINES_OF_OUTPUT:]) or "It printed nothing.")
    for notebook in night.failed_notebooks:
        yield from _failed(notebook)
    for heading, found in night.differences:
        yield f"\n### {heading[:1].upper()}{heading[1:]}\n"
        yield from (f"- **{one['notebook']}** {one['part']}: {_plain(one['text'])}" for one in found)
    yield "\n| step | | time |\n|---|---|---:|"
    yield from (
        f"| {step.name} | {'passed' if step.ok else '**failed**'} | {duration(step.seconds)} |" for step in night.steps
    )
    if night.notebooks:
        yield "\n| notebook | part | | time | budget |\n|---|---|---|---:|---:|"
        yield from (_row(notebook) for notebook in night.notebooks)


def _failed(notebook: NotebookReport) -> Iterator[str]:
    entry = notebook.entry
    yield f"\n### {entry['notebook']}, {entry['part']}{f': failing since {notebook.since}' if notebook.since else ''}\n"
    for problem in entry["problems"]:
        yield f"- {_plain(problem['summary'])}"
        if problem["detail"]:
            yield f"\n{_fenced(problem['detail'])}\n"


def _row(notebook: NotebookReport) -> str:
    entry = notebook.entry
    budget = f"{entry['budget_seconds']:.0f} s" if entry["budget_seconds"] else ""
    time = f"**{duration(entry['seconds'])}**" if notebook.is_over_budget else duration(entry["seconds"])
    state = "passed" if entry["status"] == "ok" else "**failed**"
    return f"| {entry['notebook']} | {entry['part']} | {state} | {time} | {budget} |"


def _plain(text: str) -> str:
    """Text in which Markdown and GitHub find nothing to act on: no mark-up, no mentions of people or issues."""
    return re.sub(r"([\\`*_\[\]<>|])", r"\\\1", " ".join(text.split())).replace("@", "@\u200b").replace("#", "#\u200b")


def _fenced(text: str) -> str:
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"
