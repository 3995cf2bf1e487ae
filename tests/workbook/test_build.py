from __future__ import annotations

import nbformat
import pytest

from course_lib.errors import CourseError
from course_lib.workbook.build import build


def cells_of(path):
    return {cell.id: cell for cell in nbformat.read(path, as_version=4).cells}


def test_builds_valid_notebooks_with_the_answers_gone(tiny_course):
    report = build(tiny_course.root)
    assert report.problems == []
    notebook = nbformat.read(tiny_course.lab, as_version=4)
    nbformat.validate(notebook)
    text = tiny_course.lab.read_text()
    for secret in ("return a + b", '{\\"a\\"}', "model answer", "HIDDEN", "has no factors"):
        assert secret not in text


def test_cells_carry_nbgrader_metadata(tiny_course):
    build(tiny_course.root)
    cells = cells_of(tiny_course.lab)
    exercise, check = cells["add"].metadata.nbgrader, cells["check_add"].metadata.nbgrader
    assert (exercise.solution, exercise.grade, exercise.locked, exercise.schema_version) == (
        True,
        False,
        False,
        3,
    )
    assert (check.solution, check.grade, check.locked, check.points) == (False, True, True, 3)
    assert cells["check_add"].metadata.editable is False
    answer, prompt = cells["why_add"].metadata.nbgrader, cells["why_add_prompt"].metadata.nbgrader
    assert (answer.solution, answer.grade, answer.points) == (True, True, 2)
    assert (prompt.solution, prompt.grade, prompt.locked) == (False, False, True)
    assert cells["many_sums"].metadata.tags == ["experiment"]
    assert "raise NotImplementedError" in cells["add"].source and "The sum of two" in cells["add"].source


def test_two_builds_are_byte_identical(tiny_course):
    build(tiny_course.root)
    first = tiny_course.lab.read_bytes()
    tiny_course.lab.unlink()
    build(tiny_course.root)
    assert tiny_course.lab.read_bytes() == first
    assert build(tiny_course.root).written == []


def test_editor_noise_does_not_change_the_build(tiny_course):
    build(tiny_course.root)
    before = tiny_course.lab.read_bytes()
    tiny_course.replace("# %% check=", "\n\n\n# %% check=")
    build(tiny_course.root)
    assert tiny_course.lab.read_bytes() == before


class TestCheck:
    def test_clean(self, tiny_course):
        build(tiny_course.root)
        assert build(tiny_course.root, check=True).problems == []

    def test_hand_edited_lab(self, tiny_course):
        build(tiny_course.root)
        tiny_course.lab.write_text(tiny_course.lab.read_text().replace("# Sums", "# Sums!"))
        edited = tiny_course.lab.read_bytes()
        [problem] = build(tiny_course.root, check=True).problems
        assert "1a_sums.ipynb" in problem and "edited by hand" in problem
        assert tiny_course.lab.read_bytes() == edited

    def test_orphan(self, tiny_course):
        build(tiny_course.root)
        orphan = tiny_course.root / "labs/lab1_cnn_basics/notes.txt"
        orphan.write_text("mine")
        for report in (build(tiny_course.root, check=True), build(tiny_course.root)):
            assert ["notes.txt" in problem for problem in report.problems] == [True]
        assert orphan.read_text() == "mine"

    def test_checkpoints_of_the_editor_are_no_orphans(self, tiny_course):
        build(tiny_course.root)
        hidden = tiny_course.root / "labs/.ipynb_checkpoints/start_here-checkpoint.ipynb"
        hidden.parent.mkdir()
        hidden.write_text("{}")
        assert build(tiny_course.root, check=True).problems == []

    def test_unbuilt_change(self, tiny_course):
        build(tiny_course.root)
        tiny_course.replace("# # Sums", "# # Sums and more")
        assert len(build(tiny_course.root, check=True).problems) == 1

    def test_missing_lab(self, tiny_course):
        build(tiny_course.root)
        tiny_course.lab.unlink()
        [problem] = build(tiny_course.root, check=True).problems
        assert "missing" in problem
        assert not tiny_course.lab.exists()


def test_a_students_work_in_a_lab_survives_a_build(tiny_course):
    build(tiny_course.root)
    mine = tiny_course.lab.read_text().replace("# YOUR CODE HERE", "return 42")
    tiny_course.lab.write_text(mine)
    build(tiny_course.root)
    kept = list((tiny_course.root / "build/replaced").iterdir())
    assert [path.read_text() for path in kept] == [mine]


def test_solution_notebooks_are_left_for_nbgrader(tiny_course):
    build(tiny_course.root)
    cells = cells_of(tiny_course.root / "build/source/lab1_cnn_basics/1a_sums.ipynb")
    assert "return a + b" in cells["add"].source
    assert "HIDDEN TESTS" in cells["check_sum_words"].source
    assert cells["why_add"].source == "Because the model answer says so."


def test_start_here_lists_every_lab_and_states(tiny_course):
    build(tiny_course.root)
    table = (tiny_course.root / "labs/start_here.ipynb").read_text()
    assert "[1a Sums](lab1_cnn_basics/1a_sums.ipynb)" in table
    assert "| 1 h 15 min | ready |" in table
    assert "| 1b Products | 1 topics | | in preparation |" in table
    assert "Lab 6: LLM decoding" in table


def test_the_readmes_table_is_kept_up_to_date(tiny_course):
    readme = tiny_course.root / "README.md"
    build(tiny_course.root)
    assert "[Sums](labs/lab1_cnn_basics/1a_sums.ipynb) (1 h 15 min) | 3 of 4 |" in readme.read_text()
    assert readme.read_text().startswith("# Small\n")
    tiny_course.replace("#   minutes: 75", "#   minutes: 60")
    assert any("README" in problem for problem in build(tiny_course.root, check=True).problems)
    readme.write_text("# Tiny\n")
    with pytest.raises(CourseError, match="once each"):
        build(tiny_course.root)


def test_header_without_title_is_one_clear_error(tiny_course):
    tiny_course.replace("#   title: Sums\n", "")
    with pytest.raises(CourseError, match=r"01_start\.py has no title"):
        build(tiny_course.root)


def test_unreadable_source_is_one_clear_error(tiny_course):
    tiny_course.source.write_bytes(b"# %%\nx = '\xff'\n")
    with pytest.raises(CourseError, match=r"01_start\.py"):
        build(tiny_course.root)
