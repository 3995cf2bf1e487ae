"""Questions are there because their file is; what is amiss with one is said with file and exercise."""

from __future__ import annotations

import os

import pytest

from autograders.authoring.course_maker import Parts, make_course
from autograders.authoring.refusals import refusals
from autograders.engine.asking.registry import questions_of
from course_lib.errors import CourseError
from course_lib.workbook import source_notebooks

LAB, NOTEBOOK = "lab9_signs", "9a_signs"
TEXT = "".join(
    f'# %% exercise="{name}"\ndef {name}(x):\n    ### BEGIN SOLUTION\n    return -x\n    ### END SOLUTION\n\n'
    f'# %% check="{name}" points=1\nassert {name}(1) == -1\n\n'
    for name in ("one", "two")
)
IMPORTS = """\
from autograders.engine.asking.native_question import native_question
from autograders.engine.asking.question import question


"""


def asked(name, decorator="question"):
    return f'@{decorator}("{name}")\ndef about_{name}(student, reference, rng, case):\n    pass\n'


@pytest.fixture
def notebook(tmp_path):
    [notebook] = source_notebooks(make_course(tmp_path, Parts(NOTEBOOK, LAB, TEXT))).values()
    notebook.marking.mkdir(parents=True)
    return notebook


def write(notebook, name, text):
    (notebook.marking / name).write_text(IMPORTS + text)


def test_every_file_called_questions_is_read_and_no_other(notebook):
    write(notebook, "questions.py", asked("two", "native_question"))
    write(notebook, "questions_more.py", asked("one"))
    write(notebook, "more_questions.py", asked("one"))
    found = questions_of(notebook)
    assert list(found) == ["two", "one"]
    assert found["one"].place == (str(notebook.marking / "questions_more.py"), 5)
    assert refusals([notebook]) == []


def test_a_changed_file_is_read_again(notebook):
    write(notebook, "questions.py", asked("one"))
    assert list(questions_of(notebook)) == ["one"]
    write(notebook, "questions.py", asked("two"))  # of the same length
    os.utime(notebook.marking / "questions.py", ns=(1, 1))
    assert list(questions_of(notebook)) == ["two"]


def test_an_exercise_without_a_question(notebook):
    write(notebook, "questions.py", asked("one"))
    [problem] = refusals([notebook])
    assert problem == (
        "solutions/lab9_signs/9a_signs/01_start.py:25: exercise 'two' has no hidden question; "
        'write one, @question("two"), in autograders/lab9_signs/9a_signs/questions.py'
    )


@pytest.mark.parametrize("file", ["questions.py", "questions_again.py"])
def test_a_second_question(notebook, file):
    write(notebook, "questions.py", asked("one"))
    old = (notebook.marking / "questions.py").read_text() if file == "questions.py" else IMPORTS
    (notebook.marking / file).write_text(f"{old}\n\n{asked('one')}")
    with pytest.raises(CourseError) as raised:
        questions_of(notebook)
    place = "autograders/lab9_signs/9a_signs"
    assert str(raised.value).startswith(f"{place}/{file}:")
    assert f": {place}/questions.py:5 asks about 'one' already; keep one question" in str(raised.value)


def test_a_question_about_no_exercise(notebook):
    write(notebook, "questions.py", asked("one") + asked("three"))
    with pytest.raises(CourseError, match=r"questions\.py:8: 9a_signs has no exercise 'three' .* it has one, two"):
        questions_of(notebook)
    assert len(refusals([notebook])) == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("import nowhere_at_all", "No module"),
        ("def (", "SyntaxError"),
    ],
)
def test_a_file_that_does_not_load(notebook, text, words):
    write(notebook, "questions.py", text)
    [problem] = refusals([notebook])
    assert problem.startswith("autograders/lab9_signs/9a_signs/questions.py cannot be loaded") and words in problem


def test_a_dataclass_in_a_file_of_questions(notebook):
    text = "from __future__ import annotations\nfrom dataclasses import dataclass\n" + IMPORTS
    (notebook.marking / "questions.py").write_text(f"{text}@dataclass\nclass Task:\n    size: int\n\n{asked('one')}")
    assert list(questions_of(notebook)) == ["one"]


def test_answers_that_cannot_be_used_are_refused_too(notebook):
    write(notebook, "questions.py", asked("one") + asked("two"))
    (notebook.marking / "answers.py").write_text('# %% wrong="one" name="off by one"\n# - return x\n# + return x + 1\n')
    [problem] = refusals([notebook])
    assert problem.startswith("autograders/lab9_signs/9a_signs/answers.py:")
