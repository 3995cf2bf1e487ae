"""A night with a fault of every kind: each is named on the page, and none keeps another step from running."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from autograders.authoring.course_maker import Parts
from course_lib.workbook.execute.history import append, read_history
from course_lib.workbook.nightly import night
from course_lib.workbook.steps import course_steps
from tests.workbook.executions import make_metric, make_result, make_run

pytestmark = pytest.mark.slow

SLOW = Parts(
    "1b_products",
    "lab1_cnn_basics",
    """\
# %%
import time
time.sleep(2.5)

# %% experiment="products" topics="product"
print(3 * 4)
""",
    title="Products",
)
# the graded part of a notebook may take two seconds here, not ten
HURRIED = """\
import sys
from course_lib.workbook.execute import limits
limits._FAST["graded"] = limits.TimeBudget(target=2, stop=90)
from course_lib import cli
sys.exit(cli.main(sys.argv[1:]))
"""


def hurried_notebooks(jobs, *options, real=course_steps.notebooks):
    step = real(jobs, *options)
    words = step.command[step.command.index("course_lib.cli") + 1 :]
    return type(step)(step.name, step.what, (sys.executable, "-c", HURRIED, *words), step.environment, step.reports)


@pytest.fixture
def faulty_night(tiny_course, monkeypatch, capsys):
    """The course's folder after a night, what the night said, and its page."""
    root = tiny_course.root
    SLOW.write(root)
    syllabus = root / "solutions/syllabus.csv"
    syllabus.write_text(syllabus.read_text().replace("1b_products,library", "1b_products,experiment"))
    subprocess.run([sys.executable, "-m", "course_lib.cli", "build"], cwd=root, check=True, capture_output=True)
    tiny_course.lab.write_text(tiny_course.lab.read_text().replace("# Sums", "# Sums, edited by hand"))
    (root / "tests").mkdir()
    (root / "tests/test_one.py").write_text("import os\n\n\ndef test_one():\n    pass\n")  # os is not used
    append(root, make_run(make_result(metrics=[make_metric("speedup_of_sums")])))
    monkeypatch.setattr(course_steps, "notebooks", hurried_notebooks)
    assert not night.run_night(root, jobs=2)
    page = (root / night.FOLDER / "index.html").read_text()
    return root, capsys.readouterr().out, page, (root / night.FOLDER / "summary.md").read_text()


def test_every_fault_is_named(faulty_night):
    root, said, page, summary = faulty_night
    run = read_history(root)[-1]
    steps = {step["name"]: step["ok"] for step in run["steps"]}
    assert list(steps) == ["format", "lint", "types", "labs", "syllabus", "pytest", "notebooks"]
    assert [steps[name] for name in ("lint", "labs", "pytest", "notebooks")] == [False, False, True, False]
    *_, failed, closing = said.splitlines()
    assert set(failed.removeprefix("Failed: ").strip(".").split(", ")) >= {"lint", "labs", "notebooks"}
    assert closing == "6 passed, 2 failed"

    for text in (page, summary.replace("\\", "")):
        assert "lint failed" in text and "F401" in text, "a lint fault"
        assert "labs/lab1_cnn_basics/1a_sums.ipynb is not what its source builds" in text, "an edited lab"
        assert "metric speedup_of_sums has vanished" in text, "a metric that is gone"
        assert "1b_products, graded" in text and "the budget is 2 s" in text, "a notebook that is too slow"
    assert page.index("lint failed") < page.index("speedup_of_sums has vanished") < page.index("Machine and versions")
    assert "measured again, alone: 2.5 s" in page

    links = {link.split('"')[0] for link in page.split('<a href="')[1:]}
    assert {f"notebooks/{part}/1b_products.html" for part in ("solution", "student", "graded")} <= links
    assert all((root / night.FOLDER / link).exists() for link in links)
    assert "<pre>12\n</pre>" in (root / night.FOLDER / "notebooks/solution/1b_products.html").read_text(), "its output"
    assert not any(word in page for word in ("<script", "<link", "src=", "url("))


def test_the_page_is_written_though_the_notebooks_came_to_no_end(tiny_course, monkeypatch, capsys):
    def dies(name):
        return course_steps.Step(name, "dies", (sys.executable, "-c", f"print('{name} dies'); raise SystemExit(9)"))

    monkeypatch.setattr(course_steps, "checks", lambda: (dies("lint"),))
    monkeypatch.setattr(course_steps, "pytest", lambda *_, **__: dies("pytest"))
    monkeypatch.setattr(course_steps, "notebooks", lambda *_: dies("notebooks"))
    report = tiny_course.root / course_steps.NOTEBOOKS_REPORT
    assert not night.run_night(tiny_course.root, jobs=2)
    assert not report.exists()
    page = (tiny_course.root / night.FOLDER / "index.html").read_text()
    assert "No notebook was executed to its end" in page
    assert all(f"{name} dies" in page for name in ("lint", "pytest", "notebooks"))
    assert capsys.readouterr().out.splitlines()[-1] == "0 passed, 2 failed"
    assert [step["ok"] for step in json.loads(Path(tiny_course.root, "build/history.jsonl").read_text())["steps"]] == [
        False
    ] * 3
