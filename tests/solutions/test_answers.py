"""Every check fails on the stub and on named wrong answers, and passes the solution and other right answers."""

from __future__ import annotations

import functools
from pathlib import Path

import nbformat
import pytest

from autograders.authoring.answers import shortages, solution_of
from autograders.authoring.rewrite import shortest_edit
from autograders.authoring.trial import Trial
from course_lib.checking import CheckFailed
from tests.exercises import EXERCISES, NOTEBOOKS, answers_to

ROOT = Path(__file__).resolve().parents[2]
BROKEN = (NameError, SyntaxError, ImportError, NotImplementedError)  # the wrong answer itself, before it is caught


@functools.cache
def trial(name):
    return Trial(NOTEBOOKS[name])


@functools.cache
def solutions(name):
    return {cell.id: solution_of(cell) for cell in NOTEBOOKS[name].text.of_kind("exercise")}


@functools.cache
def released_cells(name):
    book = NOTEBOOKS[name]
    return {cell.id: cell.source for cell in nbformat.read(ROOT / "labs" / book.lab / f"{name}.ipynb", 4).cells}


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_the_exercises_that_are_tried_are_those_of_the_notebook(name):
    assert [exercise for book, exercise in EXERCISES if book == name] == list(solutions(name))


@pytest.mark.parametrize(("name", "exercise"), EXERCISES)
def test_solution_passes(name, exercise):
    assert trial(name).check(exercise, solutions(name)[exercise]) is None


@pytest.mark.parametrize(("name", "exercise"), EXERCISES)
def test_stub_fails_by_not_being_written(name, exercise):
    assert isinstance(trial(name).check(exercise, released_cells(name)[exercise]), NotImplementedError)


@pytest.mark.parametrize(("name", "exercise"), EXERCISES)
def test_wrong_answers_fail_and_right_ones_pass(name, exercise):
    problems = []
    for answer in answers_to(name, exercise):
        if problem := problem_of(answer, trial(name).check(exercise, answer.source)):
            problems.append(f'{answer.kind} answer "{answer.name}": {problem}')
    assert not problems, "\n".join(problems)


def problem_of(answer, error):
    if answer.kind == "right":
        return error and repr(error)
    if error is None:
        return "the check did not notice"
    if isinstance(error, BROKEN):
        return f"it is broken, not caught: {error!r}"
    if isinstance(error, CheckFailed) and len(str(error).splitlines()) > 8:
        return f"the check says too much: {error}"
    return None


@functools.cache
def missing(name):
    return shortages(NOTEBOOKS[name])


@pytest.mark.parametrize(("name", "exercise"), EXERCISES)
def test_an_exercise_has_three_wrong_answers_and_a_right_one(name, exercise):
    problems = [problem for problem in missing(name) if problem.startswith(f"{exercise} has ")]
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize(("name", "exercise"), EXERCISES)
def test_a_mistake_stands_alone_where_it_can(name, exercise):
    answers = answers_to(name, exercise)
    copies = [answer.name for answer in answers if shortest_edit(answer, solutions(name)[exercise], answers)]
    assert not copies, f"mostly copied: {', '.join(copies)}; `course answers {name[:2]} --as-edits` makes them edits"
