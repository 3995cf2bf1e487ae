"""nbgrader's own commands, graded in our sandbox: the solution gets full marks, the stub and forged marks none."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from course_lib.workbook.build import build
from tests.autograders.engine.needs import needs_sandbox

pytestmark = [needs_sandbox, pytest.mark.timeout(1500)]
ROOT = Path(__file__).resolve().parents[2]
LAB = "lab1_cnn_basics"


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
    """A class of two, graded by the commands that nbgrader's manual gives."""
    workspace = tmp_path_factory.mktemp("workspace")
    assert build(ROOT).problems == []
    for student, folder in (
        ("solution", ROOT / "build" / "source"),
        ("stub", ROOT / "labs"),
        ("forger", ROOT / "labs"),
    ):
        shutil.copytree(folder / LAB, workspace / "submitted" / student / LAB)
    for path in (workspace / "submitted" / "forger" / LAB).glob("*.ipynb"):
        path.write_text(forged(path.read_text(encoding="utf-8")), encoding="utf-8")
    run_nbgrader(workspace, "generate_assignment", LAB)
    run_nbgrader(workspace, "autograde", LAB)
    run_nbgrader(workspace, "generate_feedback", LAB)
    return workspace


@pytest.fixture(scope="module")
def grades(graded):
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{graded / 'gradebook.db'}") as book:
        return [
            (
                submission.student.id,
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
    rows = [row for row in grades if row[0] == "solution"]
    assert len(rows) > 30
    automatic = [row for row in rows if not row[4]]
    assert [row for row in automatic if row[2] != row[3]] == []
    assert {row[1] for row in automatic} == {row[1] for row in rows if row[1].startswith("check_")}


@pytest.mark.slow
@pytest.mark.parametrize("student", ["stub", "forger"])
def test_stub_and_forged_marks_get_nothing(grades, student):
    rows = [row for row in grades if row[0] == student]
    assert len(rows) == len([row for row in grades if row[0] == "solution"])
    assert [row for row in rows if row[2] != 0 or row[4]] == []


@pytest.mark.slow
def test_release_equals_the_labs(graded):
    for released in (graded / "release" / LAB).glob("*.ipynb"):
        assert released.read_bytes() == (ROOT / "labs" / LAB / released.name).read_bytes()


@pytest.mark.slow
def test_feedback_is_written_and_gives_reasons(graded):
    pages = list((graded / "feedback" / "solution" / LAB).glob("*.html"))
    assert len(pages) == len(list((ROOT / "labs" / LAB).glob("*.ipynb")))
    assert any("The statement is" in page.read_text(encoding="utf-8") for page in pages)
