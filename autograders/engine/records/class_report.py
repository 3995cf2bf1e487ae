"""`course report`: one lab's class as a self-contained HTML page, a CSV and a JSON."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import statistics
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autograders.engine.records.class_figures import VERDICT_ORDER, histogram, pass_rates, share_bar
from autograders.engine.records.class_table import ClassTable, StudentRow
from autograders.engine.records.evidence import DamagedEvidence, from_json
from autograders.engine.records.gradebook import LabGradebook
from autograders.engine.records.harmless import one_line
from autograders.engine.records.spreadsheet import csv_text
from autograders.engine.records.workspace import Workspace
from course_lib.errors import CourseError

if TYPE_CHECKING:
    from course_lib.workbook.source import SourceNotebook

__all__ = ["class_table", "report_html", "write_report"]

UNREADABLE = ("The record of this grading cannot be read: grade the submission again.",)
MOST_ROWS = 60  # of a list of things to look at; class.json has them all
SCRIPT = """
for (const table of document.querySelectorAll("table.sortable")) {
  table.querySelectorAll("th").forEach((head, column) => {
    const button = document.createElement("button");
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") !== "descending";
      table.querySelectorAll("th").forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const value = (row) => row.cells[column].textContent.trim();
      const number = (text) => (/^-?[0-9.]+/.test(text) ? parseFloat(text) : -Infinity);
      const numeric = head.classList.contains("n");
      const rows = [...table.tBodies[0].rows].sort((one, other) => numeric
        ? number(value(one)) - number(value(other))
        : value(other).localeCompare(value(one), undefined, { numeric: true }));
      table.tBodies[0].append(...(down ? rows.reverse() : rows));
    });
  });
}
"""


def write_report(root: Path, lab: str, sources: dict[str, SourceNotebook]) -> Path:
    """Write `reports/LAB/class.html`, `.csv` and `.json` below the workspace `root`; returns the page's path.

    Raises CourseError when nothing of the lab has been graded there.
    """
    workspace = Workspace(Path(root).expanduser().resolve(), lab)
    table = class_table(workspace, sources)
    workspace.write(workspace.reports / "class.csv", csv_text(_csv_rows(table)).encode("utf-8"))
    workspace.write(workspace.reports / "class.json", json.dumps(_record(table), indent=1).encode("ascii"))
    workspace.write(workspace.reports / "class.html", report_html(table).encode("utf-8"))
    return workspace.reports / "class.html"


def class_table(workspace: Workspace, sources: dict[str, SourceNotebook]) -> ClassTable:
    """Read every complete evidence of a lab, with the marks that the gradebook holds now."""
    notebooks = {name: source for name, source in sources.items() if source.lab == workspace.lab}
    paths = sorted(workspace.evidence_folder.glob("*.json"))
    if not paths:
        raise CourseError(
            f"nothing of {workspace.lab} has been graded into {workspace.root}; run `course grade {workspace.lab} "
            "SUBMISSIONS`, or name another folder with --workspace"
        )
    table = ClassTable(workspace.lab, notebooks)
    with LabGradebook(workspace.gradebook, workspace.lab) as book:
        for path in paths:
            try:
                result = from_json(path.read_bytes())
            except DamagedEvidence:
                table.unreadable.append(path.stem)
                continue
            table.add(result, book.marks(result.student) or {})
    return table


def report_html(table: ClassTable) -> str:
    """The page. It fetches nothing and runs one script, its own, which sorts tables; all strings are escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    rows = list(table.questions.values())
    scores = [row.score for row in table.students]
    full = sum(sum(share >= 1 for share in row.shares) for row in rows)
    graded = sum(len(row.shares) for row in rows)
    return environment.get_template("report.html.j2").render(
        table=table,
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        mean=f"{statistics.fmean(scores):.1f}" if scores else "none",
        median=f"{statistics.median(scores):.1f}" if scores else "none",
        full_marks=_percent(full / graded if graded else None),
        histogram=Markup(histogram(scores, table.points)),
        verdict_bar=Markup(share_bar(table.verdicts, "What became of all questions")),
        verdicts=[(verdict, table.verdicts[verdict]) for verdict in VERDICT_ORDER if table.verdicts[verdict]],
        figures=[(name, Markup(_figure(table, name))) for name in table.titles],
        questions=rows,
        cases=table.hardest_cases[:25],
        faults=_to_look_at(table.students, "faults"),
        problems=[*((name, UNREADABLE) for name in table.unreadable), *_to_look_at(table.students, "problems")],
        waiting=_to_look_at(table.students, "waiting"),
        waiting_questions=Counter(name for row in table.students for name in row.waiting).most_common(),
        repairs=_to_look_at(table.students, "repairs"),
        slow_questions=sorted(rows, key=lambda row: -row.longest_seconds)[:10],
        slow_students=sorted(table.students, key=lambda row: -row.seconds)[:10],
        students=sorted(table.students, key=lambda row: row.student.casefold()),
        provenance=sorted(table.provenance.items())[:60],
        most=MOST_ROWS,
        percent=_percent,
        line=one_line,
        script=Markup(SCRIPT),
        script_hash=base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode(),
    )


def _figure(table: ClassTable, notebook: str) -> str:
    rows = [(row.id, row.verdicts) for row in table.questions.values() if row.notebook == notebook]
    return pass_rates(rows, f"Verdicts of {notebook}")


def _to_look_at(students: Sequence[StudentRow], what: str) -> list[tuple[str, tuple[str, ...]]]:
    return [(row.student, getattr(row, what)) for row in students if getattr(row, what)]


def _percent(share: float | None) -> str:
    return "none" if share is None else f"{100 * share:.0f}%"


def _csv_rows(table: ClassTable) -> list[list[Any]]:
    lists = ("waiting", "faults", "repairs", "problems")
    rows: list[list[Any]] = [["student", *table.titles, "total", "points", *lists, "seconds", "sha256"]]
    for row in table.students:
        scores = [round(row.notebooks.get(name, 0.0), 4) for name in table.titles]
        counts = [len(getattr(row, name)) for name in lists]
        total = round(row.score, 4)
        rows.append([row.student, *scores, total, row.points, *counts, round(row.seconds, 2), row.sha256])
    return rows


def _record(table: ClassTable) -> dict[str, Any]:
    """Everything the page shows, for other programs. ASCII in the file, so that any string can be held."""
    questions = [
        {
            "notebook": row.notebook,
            "question": row.id,
            "points": row.points,
            "pass_rate": row.pass_rate,
            "mean_share": row.mean_share,
            "verdicts": dict(row.verdicts),
            "median_seconds": row.median_seconds,
            "longest_seconds": row.longest_seconds,
        }
        for row in table.questions.values()
    ]
    cases = [
        {
            "notebook": case.notebook,
            "question": case.question,
            "case": case.name,
            "tried": case.tried,
            "failed": case.failed,
            "verdicts": dict(case.verdicts),
            "usual_message": case.usual_message,
        }
        for case in table.hardest_cases
    ]
    provenance = [{"name": name, "value": value, "submissions": n} for (name, value), n in table.provenance.items()]
    students = [dataclasses.asdict(row) for row in table.students]
    return {
        "lab": table.lab,
        "unreadable": table.unreadable,
        "points": table.points,
        "students": students,
        "questions": questions,
        "hardest_cases": cases,
        "provenance": provenance,
    }
