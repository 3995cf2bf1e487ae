"""Every check fails on the stub and on named wrong answers, and passes the solution and other right answers."""

from __future__ import annotations

import functools
from pathlib import Path

import nbformat
import pytest

from autograders.authoring.answers import read_answers, shortages
from autograders.authoring.trial import Trial
from course_lib.checking import CheckFailed
from course_lib.workbook import source_notebooks

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = source_notebooks(ROOT)
EXERCISES = [(name, cell.id) for name, book in NOTEBOOKS.items() for cell in book.text.of_kind("exercise")]
ANSWERS = [
    pytest.param(name, cell, id=f"{name}-{cell.kind}-{cell.id}-{cell.name}")
    for name, book in NOTEBOOKS.items()
    for cell in read_answers(book)
]


@functools.cache
def trial(name):
    return Trial(NOTEBOOKS[name])


@functools.cache
def released_cells(name):
    book = NOTEBOOKS[name]
    return {cell.id: cell.source for cell in nbformat.read(ROOT / "labs" / book.lab / f"{name}.ipynb", 4).cells}


@pytest.mark.parametrize(("name", "exercise"), EXERCISES)
def test_solution_passes(name, exercise):
    [solution] = [cell for cell in NOTEBOOKS[name].text.of_kind("exercise") if cell.id == exercise]
    assert trial(name).check(exercise, solution.source) is None


@pytest.mark.parametrize(("name", "exercise"), EXERCISES)
def test_stub_fails_by_not_being_written(name, exercise):
    assert isinstance(trial(name).check(exercise, released_cells(name)[exercise]), NotImplementedError)


@pytest.mark.parametrize(("name", "answer"), ANSWERS)
def test_answer(name, answer):
    error = trial(name).check(answer.id, answer.source)
    if answer.kind == "right":
        assert error is None, error
    else:
        assert error is not None, "the check did not notice"
        # a NameError or SyntaxError would mean that the wrong answer itself is broken, not caught
        assert not isinstance(error, (NameError, SyntaxError, ImportError, NotImplementedError)), repr(error)
        if isinstance(error, CheckFailed):
            assert len(str(error).splitlines()) <= 8


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_every_exercise_has_three_wrong_answers_and_a_right_one(name):
    assert shortages(NOTEBOOKS[name]) == []
