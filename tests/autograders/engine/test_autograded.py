"""The autograded notebook: ours, with the student's answers and what came of them."""

from __future__ import annotations

import base64
from dataclasses import replace

import nbformat
import pytest

from autograders.engine.records.autograded import autograded_notebook
from autograders.engine.verdict import CaseResult, CellRun, QuestionResult, Verdict
from course_lib.handin.stubs import TEXT_STUB
from course_lib.workbook.release import student_version
from tests.autograders.engine.synthetic_results import LAB, ROOT, png, synthetic_result, tiny_sources


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return tiny_sources(tmp_path_factory.mktemp("course"), ["9a_tiny"])["9a_tiny"]


@pytest.fixture
def make(source):
    def autograded(**changes):
        [result] = synthetic_result("ada", LAB, {source.id: source}, ability=2.0).notebooks
        notebook = autograded_notebook(student_version(source), source, replace(result, **changes))
        nbformat.validate(notebook)
        return {cell.id: cell for cell in notebook.cells}

    return autograded


def test_all_but_answers_and_outputs_is_the_released_notebook(source, make):
    cells = make()
    for released in student_version(source).cells:
        assert cells[released.id].metadata == released.metadata
        if not released.metadata.get("nbgrader", {}).get("solution"):
            assert cells[released.id].source == released.source


def test_released_versions_equal_the_built_labs():
    from course_lib.workbook.source import source_notebooks

    source = source_notebooks(ROOT)["1b_convolution"]
    built = nbformat.read(ROOT / "labs" / source.lab / "1b_convolution.ipynb", as_version=4)
    assert [(cell.id, cell.source) for cell in student_version(source).cells] == [
        (cell.id, cell.source) for cell in built.cells
    ]


def test_answers_texts_and_outputs_stand_in_their_cells(make):
    run = CellRun("double", Verdict.ERROR, "printed\n", (png(),), "Traceback\nNameError: name 'y'")
    cells = make(answers={"double": "def double(x):\n    return y", "words": ""}, texts={"why": "*So.*"}, cells=(run,))
    stream, picture, error = cells["double"].outputs
    assert cells["double"].source == "def double(x):\n    return y"
    assert stream.text == "printed\n"
    assert base64.b64decode(picture.data["image/png"]) == png()
    assert (error.ename, error.traceback) == ("NameError", ["Traceback", "NameError: name 'y'"])
    assert cells["words"].source.startswith("# The submitted notebook has no answer")
    assert cells["why"].source == "*So.*"


def test_the_hidden_key_is_not_in_the_notebook(make):
    assert "HIDDEN" not in str(make())
    missing = QuestionResult("words", 2.0, (CaseResult("the answer", Verdict.MISSING),))
    assert "A says what is so" not in str(make(questions=(missing,)))


def test_check_cells_tell_every_case_and_the_score(make):
    cases = (CaseResult("one row", Verdict.RIGHT), CaseResult("no rows", Verdict.WRONG, "shape (2,), not\n(3,)"))
    cells = make(questions=(QuestionResult("double", 3.0, cases),))
    [output] = cells["check_double"].outputs
    assert output.text == "right  one row\nwrong  no rows: shape (2,), not (3,)\nScore: 1.5 of 3.\n"
    assert "was not graded" in cells["check_words"].outputs[0].text


def test_what_a_fault_says_is_for_staff_alone(make):
    secret = CaseResult("one", Verdict.FAULT, "ValueError: expected tensor([1, 2, 3])")
    cells = make(questions=(QuestionResult("double", 3.0, (secret,)),))
    assert "tensor" not in str(cells)
    assert "a person will look at it" in cells["check_double"].outputs[0].text


def test_notes_stand_on_top_and_say_what_was_repaired(make):
    cells = make(repairs=("A cell was joined.",), problems=("The file is <b>odd</b>.",))
    assert next(iter(cells)) == "grading_notes"
    assert "A cell was joined" in cells["grading_notes"].source
    assert "grading_notes" not in make()


def test_huge_outputs_are_cut(make):
    images = (png(),) * 50
    run = CellRun("double", Verdict.OUTPUT, "x" * 10_000_000, images, "")
    cells = make(cells=(run,), answers={"double": "#" * 10_000_000}, texts={"why": "y" * 10_000_000})
    assert len(str(cells)) < 400_000
    assert "output limit" in cells["double"].outputs[-1].text


def test_broken_unicode_can_be_written(make):
    run = CellRun("double", Verdict.ERROR, "\ud800", (), "\udfff: x")
    cells = make(cells=(run,), answers={"double": "'\ud800'"}, texts={"why": "\udc80"})
    notebook = nbformat.v4.new_notebook(cells=list(cells.values()))
    assert nbformat.writes(notebook).encode("utf-8")


def test_an_untouched_text_is_the_stub(make):
    assert make(texts={"why": TEXT_STUB})["why"].source == TEXT_STUB
