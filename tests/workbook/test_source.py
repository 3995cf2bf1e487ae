"""Notebooks are read when they are asked for, and again when a file has changed."""

from __future__ import annotations

import os

import pytest

from autograders.authoring.course_maker import Parts, make_course
from autograders.engine.submission_grading import GradingSettings, SubmissionGrader
from course_lib.course_root import places, shown
from course_lib.errors import CourseError
from course_lib.workbook import source_notebooks
from course_lib.workbook.execute.selection import select

SECTIONS = {"02_later.py": "# %%\nlater = 1\n", "01_first.py": "# %%\nfirst = 1\n", "10_last.py": "# %%\nlast = 1\n"}


@pytest.fixture
def root(tmp_path):
    """A sound lab, and one whose only notebook cannot be read."""
    root = make_course(tmp_path, Parts("1a_sound", "lab1_sound", SECTIONS), Parts("2a_broken", "lab2_broken", ""))
    (root / "solutions/lab2_broken/2a_broken/01_start.py").write_bytes(b"\xff")
    (root / "solutions/lab1_sound/notes").mkdir()  # no section in it: no notebook
    return root


def test_sections_are_joined_in_the_order_of_their_names(root):
    notebook = source_notebooks(root)["1a_sound"]
    assert [path.name for path in notebook.sections] == sorted(SECTIONS)
    assert [(cell.source, cell.path.name, cell.line) for cell in notebook.cells[2:]] == [
        ("first = 1", "01_first.py", 16),
        ("later = 1", "02_later.py", 1),
        ("last = 1", "10_last.py", 1),
    ]
    assert notebook.title == "Small" and notebook.minutes == 5


def test_a_lab_does_not_wait_for_another(root):
    notebooks = source_notebooks(root)
    assert list(notebooks) == ["1a_sound", "2a_broken"]
    assert [notebook.id for notebook in select(notebooks, ["lab1"])] == ["1a_sound"]
    assert list(SubmissionGrader(GradingSettings(root, "lab1_sound")).graders) == ["1a_sound"]
    with pytest.raises(CourseError, match=r"01_start\.py cannot be read as a percent file"):
        notebooks["2a_broken"].text  # noqa: B018 - reading it is the claim


def test_a_changed_file_is_read_again(root):
    before = source_notebooks(root)["1a_sound"]
    assert before.text is source_notebooks(root)["1a_sound"].text, "read once"
    changed = before.folder / "02_later.py"
    changed.write_text("# %%\nlater = 2\n")
    os.utime(changed, ns=(1, 1))
    assert [cell.source for cell in source_notebooks(root)["1a_sound"].cells][3] == "later = 2"
    changed.unlink()
    assert len(source_notebooks(root)["1a_sound"].cells) == 4


def test_places_come_from_the_courses_own_project_file(root):
    assert (places(root).text, places(root).marking) == (root / "solutions", root / "autograders")
    (root / "pyproject.toml").write_text('[tool.course]\ntext = "written"\nmarking = "marked"\n')
    (root / "solutions").rename(root / "written")
    notebook = source_notebooks(root)["1a_sound"]
    assert notebook.marking == root / "marked/lab1_sound/1a_sound"
    assert shown(notebook.sections[0]) == "written/lab1_sound/1a_sound/01_first.py"


@pytest.mark.parametrize("text", ["", "[tool.course]\ntext = 'solutions'\n", "[tool.course\n"])
def test_a_project_file_that_does_not_say_it(root, text):
    (root / "pyproject.toml").write_text(text)
    with pytest.raises(CourseError, match=r"pyproject\.toml (needs a table|cannot be read)"):
        source_notebooks(root)
