"""`labs/start_here.ipynb`: hand-written text around a table of labs that the syllabus and the notebooks give."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from course_lib.course_root import places
from course_lib.errors import CourseError
from course_lib.progress.outline import LabOutline, NotebookOutline, Task, as_metadata
from course_lib.workbook.expand import notebook_metadata
from course_lib.workbook.percent import read_percent
from course_lib.workbook.source import SourceNotebook
from course_lib.workbook.syllabus import TopicCoverage, cover, read_syllabus

__all__ = ["Lab", "hours", "lab_table", "notebooks_of", "outline", "read_labs", "start_here"]

_PLACE_OF_TABLE = "<!-- table of labs -->"


@dataclass(frozen=True)
class Lab:
    """One row of labs.csv; the number is also the first character of its notebooks' ids."""

    number: int
    folder: str
    title: str
    goal: str


def start_here(root: Path, notebooks: dict[str, SourceNotebook]) -> nbformat.NotebookNode:
    """Build the notebook from `start_here.py` beside the notebooks' text, its placeholder filled with the table."""
    text = read_percent(places(root).text / "start_here.py")
    if not any(_PLACE_OF_TABLE in cell.source for cell in text.cells):
        raise CourseError(f"{text.path} has no line {_PLACE_OF_TABLE}, where the table of labs belongs")
    table = lab_table(root, notebooks)
    cells = []
    for index, cell in enumerate(text.cells):
        new_cell = new_markdown_cell if cell.is_markdown else new_code_cell
        cells.append(new_cell(source=cell.source.replace(_PLACE_OF_TABLE, table), id=f"start-{index}"))
    notebook = new_notebook(cells=cells)
    metadata = notebook_metadata("start_here", "Start here")
    metadata["course"]["outline"] = as_metadata(outline(root, notebooks))
    notebook.metadata = nbformat.from_dict(metadata)
    return notebook


def outline(root: Path, notebooks: dict[str, SourceNotebook]) -> list[LabOutline]:
    """Every lab that has notebooks, with what they ask: a student's copy has no other list of it."""
    parts = [
        (lab, tuple(_outline(notebook) for notebook in notebooks.values() if notebook.lab == lab.folder))
        for lab in read_labs(root)
    ]
    return [LabOutline(lab.folder, f"Lab {lab.number}: {lab.title}", found) for lab, found in parts if found]


def _outline(notebook: SourceNotebook) -> NotebookOutline:
    points = {cell.id: cell.points for cell in notebook.text.of_kind("check")}
    tasks = (
        Task(cell.id, cell.kind, (points.get(cell.id) if cell.kind == "exercise" else cell.points) or 0)
        for cell in notebook.text.of_kind("exercise", "quiz", "question")
    )
    return NotebookOutline(notebook.id, notebook.title, tuple(tasks))


def lab_table(root: Path, notebooks: dict[str, SourceNotebook], *, link_base: str = "") -> str:
    """Markdown: every lab with its goal, then its notebooks with subject, time and state."""
    topics = cover(read_syllabus(root), notebooks)
    return "\n\n".join(_lab_section(lab, topics, notebooks, link_base) for lab in read_labs(root))


def read_labs(root: Path) -> list[Lab]:
    """The rows of `labs.csv`, beside the notebooks' text."""
    with (places(root).text / "labs.csv").open(newline="", encoding="utf-8") as file:
        return [Lab(int(row["number"]), row["lab"], row["title"], row["goal"]) for row in csv.DictReader(file)]


def notebooks_of(lab: Lab, topics: list[TopicCoverage]) -> list[str]:
    """Ids of the notebooks the syllabus plans for one lab."""
    return sorted({topic.notebook for topic in topics if topic.notebook.startswith(str(lab.number))})


def _lab_section(lab: Lab, topics: list[TopicCoverage], notebooks: dict[str, SourceNotebook], link_base: str) -> str:
    names = notebooks_of(lab, topics)
    rows = [
        _row(lab, name, [t for t in topics if t.notebook == name], notebooks.get(name), link_base) for name in names
    ]
    head = "| notebook | what it teaches | time | state |\n|---|---|---|---|"
    return "\n".join([f"### Lab {lab.number}: {lab.title}", "", lab.goal, "", head, *rows])


def _row(lab: Lab, name: str, topics: list[TopicCoverage], notebook: SourceNotebook | None, link_base: str) -> str:
    if notebook is None:
        short = name.partition("_")[0]
        subject = name.partition("_")[2].replace("_", " ").capitalize()
        return f"| {short} {subject} | {len(topics)} topics | | in preparation |"
    link = f"[{name.partition('_')[0]} {notebook.title}]({link_base}{lab.folder}/{name}.ipynb)"
    done = sum(topic.covered for topic in topics)
    state = "ready" if done == len(topics) else f"{done} of {len(topics)} topics"
    return f"| {link} | {notebook.summary} | {hours(notebook.minutes)} | {state} |"


def hours(minutes: int) -> str:
    """`90` -> `1 h 30 min`."""
    hours, rest = divmod(minutes, 60)
    return " ".join([f"{hours} h"] * bool(hours) + [f"{rest} min"] * bool(rest))
