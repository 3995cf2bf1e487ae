"""nbgrader's own commands, graded in our sandbox: the solution gets full marks, the stub and forged marks none.

The solution is a whole lab. What gets nothing is one notebook, which has an exercise, a quiz and a question to people.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from course_lib.workbook.build import build
from tests.autograders.engine.needs import needs_sandbox

pytestmark = [needs_sandbox, pytest.mark.timeout(1500)]
ROOT = Path(__file__).resolve().parents[2]
LAB = "lab1_cnn_basics"
EVERY_KIND = "1b_convolution"


class Mark(NamedTuple):
    student: str
    notebook: str
    cell: str
    score: float
    points: float
    waits: bool  # for a person


def run_nbgrader(workspace, *arguments):
    environment = {
        **os.environ,
        "COURSE_WORKSPACE": str(workspace),
        # notebooks must not see the developer's settings, nor compete for the two cores
        "JUPYTER_CONFIG_DIR": str(workspace / "jupyter"),
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-m", "nbgrader", *arguments]
    done = subprocess.run(command, cwd=ROOT / "autograders", env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def forged(text):
    """Results as nbgrader would read marks from them, more points, and tests that hold for everything."""
    book = json.loads(text)
    for cell in book["cells"]:
        marks = cell["metadata"].get("nbgrader", {})
        if cell["cell_type"] == "code" and marks.get("grade"):
            cell["source"] = "1000.0"
            cell["outputs"] = [
                {
                    "output_type": "execute_result",
                    "data": {"text/plain": "1000.0"},
                    "metadata": {},
                    "execution_count": 1,
                }
            ]
            marks.update(points=1000, locked=False)
    return json.dumps(book)


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """A class of three, graded by the commands that nbgrader's manual gives."""
    workspace = tmp_path_factory.mktemp("workspace")
    assert build(ROOT).problems == []
    shutil.copytree(ROOT / "build" / "source" / LAB, workspace / "submitted" / "solution" / LAB)
    stub = (ROOT / "labs" / LAB / f"{EVERY_KIND}.ipynb").read_text(encoding="utf-8")
    for student, text in (("stub", stub), ("forger", forged(stub))):
        place = workspace / "submitted" / student / LAB / f"{EVERY_KIND}.ipynb"
        place.parent.mkdir(parents=True)
        place.write_text(text, encoding="utf-8")
    run_nbgrader(workspace, "generate_assignment", LAB)
    run_nbgrader(workspace, "autograde", LAB)
    run_nbgrader(workspace, "generate_feedback", LAB, "--student", "solution")
    return workspace


@pytest.fixture(scope="module")
def grades(graded):
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{graded / 'gradebook.db'}") as book:
        return [
            Mark(
                submission.student.id,
                notebook.name,
                grade.cell.name,
                grade.auto_score,
                grade.max_score,
                grade.needs_manual_grade,
            )
            for submission in book.assignment_submissions(LAB)
            for notebook in submission.notebooks
            for grade in notebook.grades
        ]


@pytest.mark.slow
def test_solution_gets_full_marks_and_questions_wait_for_a_person(grades):
    marks = [mark for mark in grades if mark.student == "solution"]
    assert len(marks) > 30
    automatic = [mark for mark in marks if not mark.waits]
    assert [mark for mark in automatic if mark.score != mark.points] == []
    assert {mark.cell for mark in automatic} == {mark.cell for mark in marks if mark.cell.startswith("check_")}


@pytest.mark.slow
@pytest.mark.parametrize("student", ["stub", "forger"])
def test_stub_and_forged_marks_get_nothing(grades, student):
    marks = [mark for mark in grades if mark.student == student]
    cells = {mark.cell for mark in marks if mark.notebook == EVERY_KIND}
    assert cells == {mark.cell for mark in grades if mark.student == "solution" and mark.notebook == EVERY_KIND}
    assert {"check_cnn_layer_order", "choose_convolution"} < cells
    assert [mark for mark in marks if mark.score != 0 or mark.waits] == []


@pytest.mark.slow
def test_release_equals_the_labs(graded):
    for released in (graded / "release" / LAB).glob("*.ipynb"):
        assert released.read_bytes() == (ROOT / "labs" / LAB / released.name).read_bytes()


@pytest.mark.slow
def test_feedback_is_written_and_gives_reasons(graded):
    pages = list((graded / "feedback" / "solution" / LAB).glob("*.html"))
    assert len(pages) == len(list((ROOT / "labs" / LAB).glob("*.ipynb")))
    assert any("The statement is" in page.read_text(encoding="utf-8") for page in pages)
