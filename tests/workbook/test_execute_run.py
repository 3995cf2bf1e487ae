"""`course run` on a small course: one sound notebook, and one with every fault a notebook can have."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from xml.etree import ElementTree

import nbformat
import pytest

from autograders.authoring.course_maker import Parts, make_course
from course_lib.workbook import source_notebooks
from course_lib.workbook.expand import expand

START = """\
# %% tags=["parameters"]
profile = "fast"
device = "auto"
seed = 0

# %% tags=["setup"]
import os
from course_lib import record

"""
EXERCISE = """\
# %% exercise="{add}" topics="addition"
def {add}(a, b):
    ### BEGIN SOLUTION
    return a + b
    ### END SOLUTION

"""

SOUND = """\
# %% check="{add}" points=1
assert {add}(1, 2) == 3
print("threads", os.environ["OMP_NUM_THREADS"], "in", os.getcwd())

# %% experiment="sums" topics="sums"
record("sum", {add}(seed, 2), low=8, high=9)
print(profile, device)
"""

FAULTY = """\
# %% check="{add}" points=1
import sys
assert {add}(1, 2) == 3
print("a warning", file=sys.stderr)

# %% experiment="wide" topics="sums"
record("width", 3.0, low=0, high=1)

# %% experiment="unfinished" topics="sums"
def helper():
    raise NotImplementedError
if {add}(1, 1) == 2:
    1 / 0
"""


def parts(name, body):
    return Parts(name, "lab1_cnn_basics", (EXERCISE + body).format(add=f"add_{name[:2]}"), start=START)


def write_student_notebooks(root):
    """Students' copies, with a fault in that of 1b_faulty."""
    for source in source_notebooks(root).values():
        notebook, exercise = expand(source), f"add_{source.id[:2]}"
        for cell in notebook.cells:
            if cell.id == exercise:
                cell.source = f"def {exercise}(a, b):\n    raise NotImplementedError()"
            if cell.id == "unfinished":
                cell.source = "def helper():\n    raise NotImplementedError\nhelper()"
        student = root / "labs" / "lab1_cnn_basics" / f"{source.id}.ipynb"
        student.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, student)


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory):
    """The course's folder after `course run --seed 7` on both notebooks, and the finished command."""
    root = tmp_path_factory.mktemp("a course")  # a space in its path
    make_course(root, parts("1a_sound", SOUND), parts("1b_faulty", FAULTY))
    write_student_notebooks(root)
    words = ["run", "lab1", "--part", "all", "--seed", "7", "--jobs", "2"]
    command = [sys.executable, "-P", "-m", "course_lib.cli", *words]
    home = tmp_path_factory.mktemp("home")
    foreign = home / ".local/share/jupyter/kernels/python3/kernel.json"
    foreign.parent.mkdir(parents=True)
    foreign.write_text(json.dumps({"argv": ["/nonexistent/python"], "display_name": "Old", "language": "python"}))
    environment = {**os.environ, "COLUMNS": "100", "MPLBACKEND": "agg", "HOME": str(home)}
    return root, subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def results(finished_run):
    root, _ = finished_run
    report = json.loads((root / "build/run/report.json").read_text())
    return {(result["notebook"], result["part"]): result for result in report["results"]}


def test_the_command_fails_with_its_worst_notebook(finished_run):
    _, command = finished_run
    assert command.returncode == 1
    assert "Traceback" not in command.stdout + command.stderr


def test_a_sound_notebook_passes_in_all_three_parts(results):
    for part in ("solution", "graded", "student"):
        result = results["1a_sound", part]
        assert result["status"] == "ok", result["problems"]
        assert result["cells_done"] == result["cells_total"]


def test_parameters_reach_the_notebook_and_metrics_come_back(results):
    (metric,) = results["1a_sound", "solution"]["metrics"]
    assert metric == {"name": "sum", "value": 9.0, "low": 8, "high": 9, "timed": False, "in_band": True}


def test_the_graded_part_leaves_experiments_out(results):
    graded, solution = results["1a_sound", "graded"], results["1a_sound", "solution"]
    assert graded["metrics"] == []
    assert graded["cells_total"] == solution["cells_total"] - 1
    assert graded["budget_seconds"] == 10
    assert graded["seconds"] < graded["wall_seconds"]


def test_executed_copies_hold_outputs(finished_run, results):
    root, _ = finished_run
    copy = root / results["1a_sound", "solution"]["executed"]
    assert copy.stat().st_size == results["1a_sound", "solution"]["bytes"]
    printed = "".join(
        output.text
        for cell in nbformat.read(copy, as_version=4).cells
        for output in cell.get("outputs", [])
        if output.output_type == "stream"
    )
    assert "fast auto" in printed
    assert "threads 1 in" in printed
    assert str(root) not in printed, "a notebook runs in a folder of its own, not among the labs"


def test_every_fault_of_a_solution_is_found(results):
    kinds = sorted(problem["kind"] for problem in results["1b_faulty", "solution"]["problems"])
    assert kinds == ["error", "metric", "stderr"]
    failure = next(found for found in results["1b_faulty", "solution"]["problems"] if found["kind"] == "error")
    assert failure["cell"] == "unfinished"
    assert failure["summary"].startswith("ZeroDivisionError: division by zero")
    assert "->   4 |     1 / 0" in failure["detail"]


def test_an_unanswered_notebook_may_stop_in_exercises_alone(results):
    (problem,) = results["1b_faulty", "student"]["problems"]
    assert problem["cell"] == "unfinished"
    assert "NotImplementedError" in problem["summary"]


def test_what_a_person_sees(finished_run):
    _, command = finished_run
    lines = command.stdout.splitlines()
    assert any(line.startswith("ok") and "1a_sound" in line and "solution" in line for line in lines)
    assert any(line.startswith("FAILED") and "1b_faulty" in line for line in lines)
    assert any("width" in line and "out of band" in line for line in lines)
    assert "->   4 |     1 / 0" in command.stdout
    assert lines[-1].startswith("3 ok, 3 failed in")
    assert len(lines) < 80


def test_junit_agrees_with_json(finished_run, results):
    root, _ = finished_run
    suites = ElementTree.parse(root / "build/run/junit.xml").getroot()
    cases = {(case.get("name"), suite.get("name")): case for suite in suites for case in suite}
    assert cases.keys() == results.keys()
    failed = {key for key, case in cases.items() if case.find("failure") is not None}
    assert failed == {key for key, result in results.items() if result["status"] == "failed"}
    assert (suites.get("tests"), suites.get("failures")) == ("6", "3")
