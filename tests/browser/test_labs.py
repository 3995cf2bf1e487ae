"""What a student does in the browser: open the course, solve an exercise, move an explorable."""

from __future__ import annotations

from pathlib import Path

import pytest

from course_lib.workbook import source_notebooks

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = source_notebooks(ROOT)
DEMOS = [(name, cell.id) for name, book in NOTEBOOKS.items() for cell in book.text.of_kind("demo")]


def lab_path(name):
    return f"{NOTEBOOKS[name].lab}/{name}.ipynb"


def test_start_here_shows_the_labs_and_runs(open_notebook):
    lab = open_notebook("start_here.ipynb")
    lab.page.get_by_role("heading", name="Lab 6: LLM decoding").wait_for(timeout=30_000)
    code = next(cell_id for cell_id in lab.cell_ids if lab.is_code(cell_id))
    lab.run(code)
    assert "start_here, profile fast, on" in lab.output_text(code)
    assert lab.page.locator(".jp-Dialog").count() == 0


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_student_solves_the_first_exercise(open_notebook, name):
    lab = open_notebook(lab_path(name))
    exercise = NOTEBOOKS[name].text.of_kind("exercise")[0]
    lab.run("setup")
    lab.run(exercise.id)
    lab.run(f"check_{exercise.id}")
    assert "NotImplementedError" in lab.output_text(f"check_{exercise.id}")

    lab.replace_source(exercise.id, exercise.source)
    lab.run(exercise.id)
    lab.run(f"check_{exercise.id}")
    assert "visible checks pass" in lab.output_text(f"check_{exercise.id}")


@pytest.mark.parametrize(("name", "demo"), DEMOS)
def test_an_explorable_moves(open_notebook, name, demo):
    lab = open_notebook(lab_path(name))
    lab.run("setup")
    lab.run(demo)
    before = lab.picture_in(demo)
    handle = lab.cell(demo).locator(".noUi-handle").first
    handle.click()
    for _ in range(3):
        lab.page.keyboard.press("ArrowRight")
    lab.page.wait_for_timeout(1500)
    assert lab.picture_in(demo) != before
