"""The gradebook as nbgrader and Formgrader read it; what people enter stays."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from autograders.engine.records.gradebook import LabGradebook
from autograders.engine.records.marks import AutoMark, auto_marks
from autograders.engine.records.writer import Writer
from autograders.engine.verdict import CaseResult, QuestionResult, Verdict
from course_lib.errors import CourseError
from course_lib.workbook.nbgrader_settings import nbgrader_settings
from course_lib.workbook.release import write_sources
from tests.autograders.engine.synthetic_results import LAB, synthetic_result, tiny_sources


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    return tiny_sources(tmp_path_factory.mktemp("course"))


@pytest.fixture(scope="module")
def empty(tmp_path_factory, sources):
    path = tmp_path_factory.mktemp("made") / "gradebook.db"
    with LabGradebook(path, LAB, sources):
        pass
    return path


@pytest.fixture
def path(tmp_path, empty):
    return shutil.copy(empty, tmp_path / "gradebook.db")


@pytest.fixture
def book(path, sources):
    with LabGradebook(path, LAB, sources) as book:
        yield book


def nbgrader_book(path):
    from nbgrader.api import Gradebook

    return Gradebook(f"sqlite:///{path}")


def schema(path):
    """Everything nbgrader keeps of the lab's cells, but for the rows' random ids."""
    with nbgrader_book(path) as book:
        return {
            notebook.name: (
                notebook.kernelspec,
                sorted((cell.name, cell.max_score, cell.cell_type) for cell in notebook.grade_cells),
                sorted(cell.name for cell in notebook.solution_cells),
                sorted((c.name, c.cell_type, c.locked, c.source, c.checksum) for c in notebook.source_cells),
            )
            for notebook in book.find_assignment(LAB).notebooks
        }


def test_schema_is_what_generate_assignment_makes(tmp_path, path, sources, empty):
    from nbgrader.converters import GenerateAssignment
    from nbgrader.coursedir import CourseDirectory

    write_sources(sources.values(), tmp_path / "source")
    shutil.copy(empty, tmp_path / "other.db")
    config = nbgrader_settings(tmp_path, source=tmp_path / "source")
    config.CourseDirectory.assignment_id = LAB
    config.CourseDirectory.db_url = f"sqlite:///{tmp_path / 'other.db'}"
    with nbgrader_book(tmp_path / "other.db") as other:
        other.remove_assignment(LAB)
    GenerateAssignment(coursedir=CourseDirectory(config=config), config=config).start()
    assert schema(tmp_path / "other.db") == schema(path)
    assert len(schema(path)["9a_tiny"][1]) == 3


def test_questions_of_formgrader_are_answered(book, sources, path):
    for student, ability in (("ada", 2.0), ("bob", -1.0)):
        book.put(student, auto_marks(synthetic_result(student, LAB, sources, ability=ability), sources))
    with nbgrader_book(path) as formgrader:
        assert len(formgrader.assignment_submissions(LAB)) == 2
        rows = {row["student"]: row for row in formgrader.submission_dicts(LAB)}
        assert rows["ada"]["score"] == rows["ada"]["code_score"] == 10
        assert rows["bob"]["score"] == 0
        assert rows["ada"]["max_score"] == 14
        assert rows["ada"]["max_written_score"] == 4
        assert rows["ada"]["needs_manual_grade"]
        notebooks = formgrader.notebook_submission_dicts("9a_tiny", LAB)
        assert [(row["student"], row["score"]) for row in sorted(notebooks, key=lambda row: row["student"])] == [
            ("ada", 5),
            ("bob", 0),
        ]
        assert {row["id"]: row["score"] for row in formgrader.student_dicts()} == {"ada": 10, "bob": 0}
        assert formgrader.average_assignment_score(LAB) == 5
        assert formgrader.find_grade("check_double", "9a_tiny", LAB, "ada").max_score == 3
        assert formgrader.find_comment("why", "9a_tiny", LAB, "ada").comment is None


def by_hand(path, cell, score=None, comment=None):
    """A person marks in Formgrader: it clears the need of a mark."""
    with nbgrader_book(path) as formgrader:
        grade = formgrader.find_grade(cell, "9a_tiny", LAB, "ada")
        grade.manual_score, grade.extra_credit, grade.needs_manual_grade = score, 0.5, False
        formgrader.find_comment(cell.removeprefix("check_"), "9a_tiny", LAB, "ada").manual_comment = comment
        formgrader.db.commit()


def test_what_people_enter_is_never_overwritten(book, path, sources):
    marks = auto_marks(synthetic_result("ada", LAB, sources, ability=2.0), sources)
    book.put("ada", marks)
    by_hand(path, "why", 1.5, "Nearly.")
    by_hand(path, "check_double", 2.0, "See the margin.")
    worse = auto_marks(synthetic_result("ada", LAB, sources, ability=-1.0), sources)
    for again in (marks, worse):
        book.put("ada", again, unanswered={("9a_tiny", "why"), ("9a_tiny", "double")})
        rows, comments = book.marks("ada"), book.comments("ada")
        assert (rows["9a_tiny", "why"].manual, rows["9a_tiny", "why"].score) == (1.5, 2.0)
        assert (rows["9a_tiny", "check_double"].manual, rows["9a_tiny", "check_double"].score) == (2.0, 2.5)
        assert comments["9a_tiny", "why"] == "Nearly."
        assert comments["9a_tiny", "double"] == "See the margin."


@pytest.mark.parametrize(
    ("new_work", "changed", "again"), [(False, False, False), (False, True, True), (True, False, True)]
)
def test_a_mark_by_hand_is_looked_at_again_only_when_something_changed(book, path, sources, new_work, changed, again):
    marks = auto_marks(synthetic_result("ada", LAB, sources, ability=2.0), sources)
    book.put("ada", marks)
    by_hand(path, "check_double", 2.0)
    if changed:
        marks["9a_tiny", "check_double"] = AutoMark(0.0, 3.0)
    book.put("ada", marks, is_new_work=new_work)
    assert book.marks("ada")["9a_tiny", "check_double"].needs_person == again


@pytest.mark.parametrize("text", ["", "  \n", "*Your answer here.*", " *Your answer   here.*\n"])
def test_an_empty_text_is_zero_and_needs_nobody(sources, text):
    result = synthetic_result("ada", LAB, sources)
    notebook = replace(result.notebooks[0], texts={"why": text})
    marks = auto_marks(replace(result, notebooks=(notebook,)), sources)
    assert marks["9a_tiny", "why"] == AutoMark(0.0, 2.0)
    assert marks["9b_tiny", "why"] == AutoMark(0.0, 2.0)  # the notebook was not handed in
    assert auto_marks(result, sources)["9a_tiny", "why"].score is None


def test_a_fault_of_the_grader_is_no_mark_and_calls_a_person(book, sources):
    result = synthetic_result("ada", LAB, sources, ability=2.0)
    fault = QuestionResult("double", 3.0, (CaseResult("x", Verdict.RIGHT), CaseResult("y", Verdict.FAULT)))
    others = result.notebooks[0].questions[1:]
    result = replace(
        result, notebooks=(replace(result.notebooks[0], questions=(fault, *others)), *result.notebooks[1:])
    )
    book.put("ada", auto_marks(result, sources))
    mark = book.marks("ada")["9a_tiny", "check_double"]
    assert (mark.auto, mark.score, mark.needs_person) == (None, 0.0, True)


def test_points_are_the_notebooks_own(sources):
    """A result that claims other points, or more than all of them, gets its share of the real ones."""
    result = synthetic_result("ada", LAB, sources)
    for question in (
        QuestionResult("double", 300.0, (CaseResult("x", Verdict.RIGHT), CaseResult("y", Verdict.WRONG))),
        QuestionResult("double", 3.0, (CaseResult("x", Verdict.RIGHT), CaseResult("y", Verdict.WRONG))),
    ):
        notebook = replace(result.notebooks[0], questions=(question,))
        mark = auto_marks(replace(result, notebooks=(notebook,)), sources)["9a_tiny", "check_double"]
        assert mark == AutoMark(1.5, 3.0)


def test_a_notebook_added_later_gets_places_for_earlier_students(tmp_path, empty, sources, path):
    fewer = {name: sources[name] for name in ["9a_tiny"]}
    with LabGradebook(tmp_path / "small.db", LAB, fewer) as book:
        book.put("ada", auto_marks(synthetic_result("ada", LAB, fewer, ability=2.0), fewer))
    with LabGradebook(tmp_path / "small.db", LAB, sources) as book:
        result = synthetic_result("ada", LAB, sources, ability=2.0)
        book.put("ada", auto_marks(result, sources))
        assert sum(mark.score for mark in book.marks("ada").values()) == 10


def test_changed_questions_are_refused_only_when_marks_would_lose_their_place(tmp_path, path, sources):
    changed = tiny_sources(tmp_path / "changed")
    [section] = changed["9a_tiny"].folder.glob("*.py")
    section.write_text(section.read_text(encoding="utf-8").replace('"double"', '"twice"'), encoding="utf-8")
    with LabGradebook(path, LAB, changed):
        pass  # nobody was graded yet
    with LabGradebook(path, LAB, sources) as book:
        book.put("ada", auto_marks(synthetic_result("ada", LAB, sources), sources))
    with pytest.raises(CourseError, match="new: check_twice, twice; gone: check_double, double"):
        LabGradebook(path, LAB, changed).__enter__()


@pytest.mark.parametrize("content", [b"not a database at all" * 100, b"SQLite format 3\0" + b"\0" * 5000])
def test_a_file_that_is_no_gradebook_is_one_sentence(tmp_path, sources, content):
    (tmp_path / "gradebook.db").write_bytes(content)
    with pytest.raises(CourseError, match=r"gradebook .* cannot be used") as refusal:
        LabGradebook(tmp_path / "gradebook.db", LAB, sources).__enter__()
    assert "\n" not in str(refusal.value)
    assert (tmp_path / "gradebook.db").read_bytes() == content


def test_a_new_gradebook_has_nbgraders_version(path, monkeypatch):
    import os
    import sqlite3
    import sys
    from pathlib import Path

    from nbgrader.api import get_alembic_version

    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")  # `alembic` is there
    [version] = sqlite3.connect(path).execute("SELECT version_num FROM alembic_version").fetchone()
    assert version == get_alembic_version()


def test_feedback_follows_marks_by_hand(tmp_path, sources, path):
    with Writer(tmp_path, LAB, sources) as writer:
        writer.write(synthetic_result("ada", LAB, sources, ability=2.0))
        by_hand(path, "why", 1.0, "A remark by a person.")
        [page, _] = writer.feedback("ada")
    assert "A remark by a person." in page.read_text(encoding="utf-8")
    assert "Score: 6.5 / 7.0" in page.read_text(encoding="utf-8")
