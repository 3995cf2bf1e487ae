"""What a student does in the browser: open the course, solve an exercise, move an explorable."""

from __future__ import annotations

from pathlib import Path

import pytest

from course_lib.workbook import source_notebooks
from tests.browser.conftest import keep_screenshot
from tests.browser.lab_page import START_MS, LabPage

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(1200)]

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = source_notebooks(ROOT)
DEMOS = [(name, cell.id) for name, book in NOTEBOOKS.items() for cell in book.text.of_kind("demo")]


@pytest.fixture(scope="module", params=NOTEBOOKS)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def started(browser, server, name):
    """One page for all tests of a notebook, its settings and imports run, as every section asks for."""
    lab = LabPage(browser.new_page())
    lab.open(server, f"{NOTEBOOKS[name].lab}/{name}.ipynb")
    lab.start()
    yield lab
    lab.close()


@pytest.fixture
def lab(started, request):
    yield started
    keep_screenshot(started, request.node.name)


def test_start_here_shows_the_labs_and_runs(open_notebook):
    lab = open_notebook("start_here.ipynb")
    lab.page.get_by_role("heading", name="Lab 6: LLM decoding").wait_for(timeout=START_MS)
    code = next(cell_id for cell_id in lab.cell_ids if lab.is_code(cell_id))
    lab.run(code)
    assert "start_here, profile fast, on" in lab.output_text(code)
    assert lab.page.locator(".jp-Dialog").count() == 0


def test_a_student_solves_the_first_exercise(lab, name):
    exercise = NOTEBOOKS[name].text.of_kind("exercise")[0]
    lab.run(exercise.id)
    lab.run(f"check_{exercise.id}")
    assert "NotImplementedError" in lab.output_text(f"check_{exercise.id}")

    lab.replace_source(exercise.id, exercise.source)
    lab.run(exercise.id)
    lab.run(f"check_{exercise.id}")
    assert "visible checks pass" in lab.output_text(f"check_{exercise.id}")


@pytest.mark.parametrize(("name", "demo"), DEMOS, indirect=["name"], scope="module")
def test_every_control_of_an_explorable_changes_its_picture(lab, demo):
    lab.run(demo)
    assert lab.error_in(demo) == ""
    shown, controls = lab.picture_in(demo), lab.controls_of(demo)
    assert controls
    for control in controls:
        move_back = lab.move(control)
        moved = lab.another_picture_in(demo, shown)
        assert moved != shown, control
        move_back()  # one budget may hide what the next one does
        shown = lab.another_picture_in(demo, moved)
        assert shown != moved, control
    assert lab.error_in(demo) == ""
