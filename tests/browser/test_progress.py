"""What a student has done shows on the start page: the record of real kernels that JupyterLab started."""

from __future__ import annotations

import pytest

from course_lib.progress.attempts import read_record
from course_lib.progress.record_file import record_files
from course_lib.workbook import source_notebooks
from tests.browser.conftest import ROOT
from tests.browser.lab_page import START_MS

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(1200)]

NAME = "1a_neural_networks"


def test_a_solved_exercise_moves_the_bar(open_notebook, server):
    for path in record_files(server.root):  # of other tests' exercises
        path.unlink(missing_ok=True)
    notebook = source_notebooks(ROOT)[NAME]
    exercise = notebook.text.of_kind("exercise")[0]
    lab = open_notebook(f"{notebook.lab}/{NAME}.ipynb")
    lab.start()
    lab.run(f"check_{exercise.id}")  # before the exercise's own cell: no attempt
    for answer in (exercise.source.replace("return", "return 7 *"), exercise.source):
        lab.replace_source(exercise.id, answer)
        lab.run(exercise.id)
        lab.run(f"check_{exercise.id}")
    kept = [(attempt.exercise, attempt.outcome, attempt.notebook) for attempt in read_record(server.root).attempts]
    assert kept == [(exercise.id, "failed", NAME), (exercise.id, "passed", NAME)]

    start = open_notebook("start_here.ipynb")
    code = [cell for cell in start.cell_ids if start.is_code(cell)][-1]
    bars = start.run(code).locator(".jp-OutputArea [role=img]")
    total = len(notebook.text.of_kind("exercise"))
    assert bars.nth(1).get_attribute("aria-label") == f"1 passed, 0 tried, {total - 1} left"
    assert bars.nth(1).locator("div").first.bounding_box()["width"] > 2
    assert "hidden questions" in start.output_text(code)
    start.cell(code).get_by_role("link", name=notebook.title).first.click()
    start.page.locator(f".lm-TabBar-tab:has-text('{NAME}')").wait_for(timeout=START_MS)
