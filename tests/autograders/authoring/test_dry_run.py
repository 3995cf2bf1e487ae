"""The authors' dry run: what it says of sound questions and of planted weak ones."""

from __future__ import annotations

import io
from pathlib import Path

import nbformat
import pytest
from rich.console import Console

from autograders.authoring.course_maker import Parts, make_course
from autograders.authoring.dry_run import dry_run
from course_lib.errors import CourseError

LAB = "lab9_planted"
TEXT = '''\
# %% exercise="double"
def double(x):
    """Twice x."""
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION

# %% check="double" points=4
assert double(1) == 2

# %% exercise="root"
def root(x):
    """The square root of x."""
    ### BEGIN SOLUTION
    return math.sqrt(x)
    ### END SOLUTION

# %% check="root" points=2
assert root(4) == 2
'''
ANSWERS = """# %% wrong="double" name="squares [as text]"
def double(x):
    return x**2

# %% wrong="double" name="halves"
def double(x):
    return x / 2

# %% wrong="double" name="changes the sign"
def double(x):
    return -x

# %% right="double" name="adds"
def double(x):
    return x + x
"""
STUB = 'def {name}(x):\n    raise NotImplementedError("your answer")'


IMPORTS = """\
from autograders.engine.asking.comparison import close, that
from autograders.engine.asking.question import question

"""
SOUND = """\
@question("double")
def sound(student, reference, rng, case):
    large, negative = rng.integer(5, 9), rng.integer(-9, -5)
    with case("a large number"):
        close(student.double(large), 2 * large)
    with case("a negative number"):
        close(student.double(negative), 2 * negative)
"""
WEAK = """\
@question("double")
def weak(student, reference, rng, case):
    with case("the one example of the notebook"):
        close(student.double(2), 4)
    with case("an answer of some kind"):
        that(student.double(1) is not None, "Return something.")
"""
GREEDY = """\
@question("double")
def greedy(student, reference, rng, case):
    with case("more than was promised"):
        close(student.double(3.0), 6.5)
    with case("nothing compared"):
        student.double(1)
"""
STRICT = """\
@question("double")
def strict(student, reference, rng, case):
    with case("more than was promised"):
        close(student.double(3.0), 6.5)
"""


@pytest.fixture
def course(tmp_path: Path) -> Path:
    make_course(tmp_path, Parts("9a_planted", LAB, TEXT, answers=ANSWERS))
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_code_cell(STUB.format(name=name), id=name) for name in ("double", "root")]
    (tmp_path / "labs" / LAB).mkdir(parents=True)
    nbformat.write(notebook, tmp_path / "labs" / LAB / "9a_planted.ipynb")
    return tmp_path


@pytest.fixture
def ask_with(course):
    """Makes a question the notebook's only one."""

    def plant(question):
        folder = course / "autograders" / LAB / "9a_planted"
        (folder / "questions.py").write_text(IMPORTS + question, encoding="utf-8")

    return plant


def of_double(run):
    return next(asked for asked in run.questions if asked.exercise == "double")


def printed(run, width=160):
    console = Console(file=io.StringIO(), width=width)
    run.show(console)
    return console.file.getvalue()


def test_a_sound_question(course, ask_with):
    ask_with(SOUND)
    run = dry_run(course, LAB)
    asked = of_double(run)
    assert asked.problems == []
    assert asked.points == 4 and asked.cases == ["a large number", "a negative number"]
    shares = {(answer.kind, answer.name): answer.share for answer in asked.answers}
    assert shares[("solution", "")] == shares[("right", "adds")] == 1
    assert shares[("stub", "")] == shares[("wrong", "squares [as text]")] == shares[("wrong", "halves")] == 0


def test_an_exercise_without_a_question_is_a_problem(course, ask_with):
    ask_with(SOUND)
    assert dry_run(course, LAB).problems == ["9a_planted, root: It has no hidden question."]


def test_too_few_answers_are_a_problem(course, ask_with):
    ask_with(SOUND)
    path = course / "autograders" / LAB / "9a_planted" / "answers.py"
    path.write_text(ANSWERS.partition('# %% wrong="double" name="changes the sign"')[0], encoding="utf-8")
    few, no_right = of_double(dry_run(course, LAB)).problems
    assert few.startswith("double has 2 wrong answers; write three")
    assert no_right.startswith("double has no right answer; write one")
    assert few.endswith(f"in autograders/{LAB}/9a_planted/answers.py")


def test_a_weak_question(course, ask_with):
    ask_with(WEAK)
    assert of_double(dry_run(course, LAB)).problems == [
        'The wrong answer "squares [as text]" is not caught.',
        'No wrong answer ever fails the case "an answer of some kind".',
    ]


def test_a_question_that_asks_too_much_and_one_that_compares_nothing(course, ask_with):
    ask_with(GREEDY)
    problems = of_double(dry_run(course, LAB)).problems
    assert any("fails on the solution" in problem and "compared nothing" in problem for problem in problems)
    assert any("fails on the right answer" in problem for problem in problems)

    ask_with(STRICT)
    problems = of_double(dry_run(course, LAB)).problems
    assert 'The solution loses marks in "more than was promised".' in problems
    assert 'The right answer "adds" loses marks in "more than was promised".' in problems


def test_a_stub_that_scores_is_a_problem(course, ask_with):
    path = course / "labs" / LAB / "9a_planted.ipynb"
    notebook = nbformat.read(path, 4)
    notebook.cells[0].source = "def double(x):\n    return 2 * x if x > 0 else None"
    nbformat.write(notebook, path)
    ask_with(SOUND)
    assert "The stub gets 50% of the points." in of_double(dry_run(course, LAB)).problems


def test_the_table_names_answers_scores_and_problems(course, ask_with):
    ask_with(WEAK)
    text = printed(dry_run(course, LAB, seed=3))
    for words in ("9a_planted", "double", "squares [as text]", "not caught", "the one example of the notebook", "100%"):
        assert words in text
    assert "seed 3: 1 of 2 exercises have a hidden question, with 2 cases; they catch 2 of 3 wrong answers." in text
    assert "9a_planted, root: It has no hidden question." in text


def test_a_run_without_problems_says_so(course, ask_with):
    path = course / "solutions" / LAB / "9a_planted" / "01_start.py"
    path.write_text(path.read_text(encoding="utf-8").partition('# %% exercise="root"')[0], encoding="utf-8")
    ask_with(SOUND)
    assert "No problems." in printed(dry_run(course, LAB))


def test_unknown_lab_and_unbuilt_labs(course, ask_with):
    ask_with(SOUND)
    with pytest.raises(CourseError, match="there is no lab 'lab0'; there are lab9_planted"):
        dry_run(course, "lab0")
    (course / "labs" / LAB / "9a_planted.ipynb").unlink()
    with pytest.raises(CourseError, match="course build"):
        dry_run(course, LAB)


def test_answers_that_cannot_run_are_reported_by_name(course, ask_with):
    ask_with(SOUND)
    path = course / "autograders" / LAB / "9a_planted" / "answers.py"
    path.write_text('# %% wrong="double" name="broken"\ndouble = undefined', encoding="utf-8")
    with pytest.raises(CourseError, match="broken"):
        dry_run(course, LAB)
