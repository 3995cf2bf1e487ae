"""A course of two notebooks, and lines of its record."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from course_lib.progress.attempts import Attempt, read_record
from course_lib.progress.outline import LabOutline, NotebookOutline, Task, as_metadata

LABS = (
    LabOutline(
        "lab1_sums",
        "Lab 1: Sums & <terms>",
        (
            NotebookOutline(
                "1a_sums",
                "Adding",
                (
                    Task("add", "exercise", 3),
                    Task("words", "quiz", 2),
                    Task("carry", "exercise", 4),
                    Task("why", "question", 1),
                ),
            ),
            NotebookOutline("1b_products", "Multiplying", (Task("multiply", "exercise", 2.5),)),
        ),
    ),
)


def write_course(folder, labs=LABS):
    (folder / "labs" / "lab1_sums").mkdir(parents=True)
    (folder / "course_lib").mkdir()
    (folder / "pyproject.toml").touch()
    page = {"metadata": {"course": {"outline": as_metadata(labs)}}}
    (folder / "labs" / "start_here.ipynb").write_text(json.dumps(page))
    return folder


def attempt(exercise, outcome):
    return Attempt(exercise, outcome, "1a_sums", datetime(2026, 1, 2, tzinfo=UTC))


def outcomes(course):
    return [(found.exercise, found.outcome) for found in read_record(course).attempts]


def check_line(exercise, outcome="passed"):
    entry = {"exercise": exercise, "outcome": outcome, "notebook": "1a", "when": "2026-01-02T03:04:05.678+00:00"}
    return json.dumps(entry)
