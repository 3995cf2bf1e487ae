"""Exports: the columns that Canvas and Moodle look for, the gradebook's marks, no formulas."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograders.engine.records.export import FORMATS, export
from autograders.engine.records.spreadsheet import csv_text
from autograders.engine.records.writer import Writer
from course_lib.errors import CourseError
from tests.autograders.engine.synthetic_results import LAB, synthetic_result, tiny_sources


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    from nbgrader.api import Gradebook

    sources = tiny_sources(tmp_path_factory.mktemp("course"))
    workspace = tmp_path_factory.mktemp("workspace")
    with Writer(workspace, LAB, sources) as writer:
        for student, ability in (("doejane_4711", 2.0), ("bob", -1.0), ('=HYPERLINK("x")', 2.0)):
            writer.write(synthetic_result(student, LAB, sources, ability=ability))
    with Gradebook(f"sqlite:///{workspace / 'gradebook.db'}") as book:
        book.update_or_create_student("bob", first_name="Bob", last_name="@Ray", email="bob@x.org", lms_user_id="99")
        book.find_grade("why", "9a_tiny", LAB, "bob").manual_score = 1.25
        book.db.commit()
    return workspace, sources


def rows(graded, format):
    return list(csv.reader(io.StringIO(export(*graded[:1], LAB, graded[1], format).text, newline="")))


def test_csv_has_every_notebook_and_the_total(graded):
    head, *students = rows(graded, "csv")
    by_name = {row[0]: dict(zip(head, row, strict=True)) for row in students}
    assert by_name["doejane_4711"]["9a_tiny"] == "5"
    assert by_name["doejane_4711"]["total"] == "10"
    assert (by_name["bob"]["total"], by_name["bob"]["points"]) == ("1.25", "14")
    assert by_name["bob"]["last_name"] == "'@Ray"


def test_canvas_finds_its_columns(graded):
    """What `header?` and `update_column_count` of Canvas's importer look at, and the row of possible points."""
    head, possible, *students = rows(graded, "canvas")
    assert "Student" in head[0] and "ID" in head[1]
    assert head[2:5] == ["SIS User ID", "SIS Login ID", "Section"]
    assert head[5:] == [LAB]
    assert "Points Possible" in possible[0] and possible[5] == "14"
    by_login = {row[3]: row for row in students}
    assert by_login["doejane_4711"][1] == "4711"
    assert by_login["bob"][:2] == ["'@Ray, Bob", "99"]
    assert {len(row) for row in students} == {6}


def test_moodle_has_columns_to_map(graded):
    head, *students = rows(graded, "moodle")
    assert head[:5] == ["Username", "First name", "Last name", "ID number", "Email address"]
    assert head[5:] == [f"{LAB}: 9a_tiny (Real)", f"{LAB}: 9b_tiny (Real)", f"{LAB} (Real)"]
    bob = next(row for row in students if row[0] == "bob")
    assert bob[3:] == ["99", "bob@x.org", "1.25", "0", "1.25"]


@pytest.mark.parametrize("format", FORMATS)
def test_no_cell_is_a_formula(graded, format):
    assert "'=HYPERLINK(" in export(graded[0], LAB, graded[1], format).text
    for row in rows(graded, format):
        assert not [cell for cell in row if cell.lstrip().startswith(("=", "+", "-", "@"))]


def test_says_whose_marks_are_not_final(graded):
    assert "doejane_4711" in export(graded[0], LAB, graded[1], "csv").waiting


@given(st.lists(st.lists(st.text(st.characters(), max_size=6), min_size=1, max_size=3), min_size=1, max_size=3))
def test_any_text_is_one_cell_and_no_formula(table):
    text = csv_text(table)
    text.encode("utf-8")
    back = list(csv.reader(io.StringIO(text, newline="")))
    assert [len(row) for row in back] == [len(row) for row in table if row != [""]] or any("" in row for row in table)
    for cell in (cell for row in back for cell in row):
        assert not cell.strip().startswith(("=", "+", "-", "@"))
        assert "\n" not in cell


def test_mistakes_are_one_sentence(graded, tmp_path):
    with pytest.raises(CourseError, match="no format 'xls'; there are csv, canvas, moodle"):
        export(graded[0], LAB, graded[1], "xls")
    with pytest.raises(CourseError, match="no gradebook"):
        export(tmp_path, LAB, graded[1], "csv")
