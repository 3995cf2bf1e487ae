"""Each refusal is planted in a course that builds, and the builder names it and writes nothing."""

from __future__ import annotations

import shutil

import pytest

from course_lib.errors import CourseError
from course_lib.workbook.build import build

CHECK = '# %% check="add" points=3\nwith checking.check("add"):\n    checking.equal(add(1, 2), 3, "add(1, 2)")\n'

PLANTED = {
    "exercise without check": (CHECK, "", "exercise 'add' has no check"),
    "check without exercise": ('check="add"', 'check="subtract"', "check 'subtract' checks no exercise"),
    "quiz without key": ('quiz="sum_words"', 'quiz="other_words"', "quiz 'other_words' has no key"),
    "key without quiz": ('quiz="sum_words"', 'quiz="other_words"', "a key for 'sum_words', which is no quiz"),
    "repeated id": ('experiment="many_sums"', 'experiment="add"', "'add' stands 2 times"),
    "unknown topic": ('topics="addition"', 'topics="alchemy"', "'alchemy', which is not in syllabus.csv"),
    "stderr by name": (
        'checking.equal(add(1, 2), 3, "add(1, 2)")',
        "import sys; print(1, file=sys.stderr)",
        "prints to stderr",
    ),
    "stderr by warning": (
        "checking.equal(",
        "import warnings; warnings.warn('x'); checking.equal(",
        "stderr",
    ),
    "solution left open": (
        "    return a + b\n    ### END SOLUTION\n",
        "    return a + b\n",
        "begun and not ended",
    ),
    "solution never opened": ("    ### BEGIN SOLUTION\n    return", "    return", "not begun"),
    "nested solution": (
        "    return a + b\n",
        "    ### BEGIN SOLUTION\n    return a + b\n",
        "opens a solution inside a solution",
    ),
    "misspelt marker": (
        "    ### BEGIN SOLUTION\n    return",
        "    ## BEGIN SOLUTION\n    return",
        "a marker that is not",
    ),
    "exercise without solution": (
        "    ### BEGIN SOLUTION\n    return a + b\n    ### END SOLUTION",
        "    return a + b",
        "has no solution region",
    ),
    "solution in a check": (
        CHECK,
        CHECK + "### BEGIN SOLUTION\n1\n### END SOLUTION\n",
        "only exercises, questions and quizzes may",
    ),
    "hidden tests": (
        CHECK,
        CHECK + "### BEGIN HIDDEN TESTS\nassert add(1, 1) == 2\n",
        "asked by a hidden question",
    ),
    "check without points": (" points=3", "", "has no points"),
    "unknown key": ('exercise="add" topics', 'exercise="add" topic', "unknown keys topic"),
    "bad id": ('experiment="many_sums"', 'experiment="Many sums"', "lower-case letters"),
    "no setup": (' tags=["setup"]', "", 'has 0 cells tagged "setup"'),
    "markdown exercise": ('# %% exercise="add"', '# %% [markdown] exercise="add"', "is a markdown cell"),
}


def test_the_course_they_are_planted_in_builds(tiny_course):
    assert build(tiny_course.root).problems == []


@pytest.mark.parametrize("fault", PLANTED)
def test_refused(tiny_course, fault):
    old, new, message = PLANTED[fault]
    tiny_course.replace(old, new)
    problems = build(tiny_course.root).problems
    assert any(message in problem for problem in problems), problems
    assert all("lab1_cnn_basics/1a_sums" in problem for problem in problems)
    assert not tiny_course.lab.exists()


def test_ids_are_unique_over_the_whole_course(tiny_course):
    for tree in ("solutions", "autograders"):
        lab = tiny_course.root / tree / "lab1_cnn_basics"
        shutil.copytree(lab / "1a_sums", lab / "1b_products")
    problems = build(tiny_course.root).problems
    first, other = (f"solutions/lab1_cnn_basics/{name}/01_start.py:19" for name in ("1a_sums", "1b_products"))
    assert f"{first}: 'add' stands 2 times, also in {other}; ids are unique over the course" in problems


@pytest.mark.parametrize("points", ["0", "-1", '"3"', "true"])
def test_points_are_numbers_above_zero(tiny_course, points):
    tiny_course.replace("points=3", f"points={points}")
    with pytest.raises(CourseError, match=r"01_start\.py:26: 'add' has points=.*points are a number above 0"):
        build(tiny_course.root)


@pytest.mark.parametrize("key", ["a = 3", 'a = { true = "yes", reason = "r" }', "a = { reason = 'r' }", "nonsense"])
def test_malformed_quiz_key(tiny_course, key):
    (tiny_course.root / "autograders/lab1_cnn_basics/1a_sums/quiz.toml").write_text(f"[sum_words]\n{key}\n")
    with pytest.raises(CourseError, match="is not a file of quiz keys"):
        build(tiny_course.root)


def test_a_cell_with_two_roles(tiny_course):
    tiny_course.replace('experiment="many_sums"', 'experiment="many_sums" demo="sums"')
    with pytest.raises(CourseError, match="one cell is both"):
        build(tiny_course.root)


def test_a_fault_comes_with_its_file_and_line(tiny_course):
    (tiny_course.source.parent / "02_more.py").write_text('# %%\n1 + 1\n\n# %% experiment="Many"\n2\n')
    [problem] = build(tiny_course.root).problems
    assert problem.startswith("solutions/lab1_cnn_basics/1a_sums/02_more.py:4: experiment 'Many'")


def test_a_text_that_looks_like_a_cell_costs_the_line_alone(tiny_course):
    more = tiny_course.source.parent / "02_more.py"
    more.write_text('# %%\ntext = """\n# %% no cell\n"""\n\n# %% experiment="Many"\n2\n')
    [problem] = build(tiny_course.root).problems
    assert problem.startswith("solutions/lab1_cnn_basics/1a_sums/02_more.py: experiment 'Many'")


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("2_more.py", "# %%\n1\n", "1a_sums/2_more.py: a section's name is two digits and words"),
        ("more.py", "# %%\n1\n", "1a_sums/more.py: a section's name"),
        ("02_more.py", '# %% tags=["setup"]\n1\n', '1a_sums: has 2 cells tagged "setup"; it needs one'),
    ],
)
def test_sections(tiny_course, name, text, words):
    (tiny_course.source.parent / name).write_text(text)
    [problem] = build(tiny_course.root).problems
    assert words in problem


def test_the_set_up_stands_in_the_first_section(tiny_course):
    text = tiny_course.source.read_text()
    setup = '# %% tags=["setup"]\nfrom course_lib import checking\n'
    tiny_course.replace(setup, "")
    (tiny_course.source.parent / "02_late.py").write_text(setup)
    [problem] = build(tiny_course.root).problems
    assert setup in text and "02_late.py:1: the setup cell belongs into the first section" in problem


def test_a_header_in_another_section(tiny_course):
    (tiny_course.source.parent / "02_more.py").write_text(tiny_course.source.read_text())
    with pytest.raises(CourseError, match=r"02_more\.py has a header; the first section, 01_start\.py, holds"):
        build(tiny_course.root)


def test_a_notebook_that_is_one_file(tiny_course):
    stray = tiny_course.source.parent.with_suffix(".py")
    stray.write_text(tiny_course.source.read_text())
    with pytest.raises(CourseError, match=r"1a_sums\.py is a file; a notebook is a folder of sections"):
        build(tiny_course.root)


@pytest.mark.parametrize(
    ("table", "row", "words"),
    [
        ("syllabus.csv", "1a_sums", "1a_sums: no row of syllabus.csv is for the notebook '1a_sums'"),
        ("labs.csv", "lab1_cnn_basics", "solutions/lab1_cnn_basics: labs.csv has no row for 'lab1_cnn_basics'"),
    ],
)
def test_a_notebook_that_no_table_would_name(tiny_course, table, row, words):
    path = tiny_course.root / "solutions" / table
    path.write_text(path.read_text().replace(row, "elsewhere"))
    assert any(words in problem for problem in build(tiny_course.root).problems)


def test_a_notebook_in_a_lab_of_another_number(tiny_course):
    labs = tiny_course.root / "solutions/labs.csv"
    labs.write_text(labs.read_text().replace("1,lab1_cnn_basics", "8,lab1_cnn_basics"))
    [problem] = build(tiny_course.root).problems
    assert "1a_sums: a notebook of 'lab1_cnn_basics' is called 8a_" in problem


def test_what_staff_refuse_is_refused(tiny_course, monkeypatch):
    project = tiny_course.root / "pyproject.toml"
    project.write_text(project.read_text() + 'refusals = "staff_of_this_test:refusals"\n')
    with pytest.raises(CourseError, match="staff_of_this_test:refusals' cannot be loaded"):
        build(tiny_course.root)
    (tiny_course.root / "staff_of_this_test.py").write_text(
        "def refusals(notebooks):\n    return [f'{notebook.id} is refused' for notebook in notebooks]\n"
    )
    assert build(tiny_course.root).problems == ["1a_sums is refused"]
    assert not tiny_course.lab.exists()
