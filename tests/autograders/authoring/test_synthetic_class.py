"""A made-up class: reproducible, of every kind, the same through every layout, and graded as it says."""

from __future__ import annotations

import ast
from collections import Counter

import pytest

from autograders.authoring.synthetic_class import KINDS, Expected, make_class
from autograders.engine.intake.take_in import read_submissions
from autograders.engine.isolation.available import SandboxMissing, require_sandbox
from autograders.engine.isolation.limits import MB, Limits
from autograders.engine.submission_grading import GradingSettings, SubmissionGrader
from autograders.exploits import target
from autograders.exploits.transplant import movable, moved
from course_lib.errors import CourseError
from course_lib.workbook import source_notebooks

NOTEBOOKS = [target.FIRST, target.SECOND]
LAYOUTS = {"folder": "submissions", "canvas": "canvas.zip", "moodle": "moodle.zip", "gradescope": "gradescope.zip"}
FULL = sum(target.POINTS.values()) + sum(target.SECOND_POINTS.values())
LIMITS = Limits(memory=1_200 * MB, tmp=32 * MB, processes=64, cell=6.0, question=4.0, output=2 * MB)


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    return target.write_course(tmp_path_factory.mktemp("course"))


@pytest.fixture(scope="module")
def synthetic(course, tmp_path_factory):
    folder = tmp_path_factory.mktemp("class")
    return folder, make_class(folder, 60, 3, course, target.LAB)


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_equal_arguments_make_equal_files_and_other_seeds_others(course, tmp_path):
    made = {}
    for name, seed in (("one", 5), ("two", 5), ("three", 6)):
        expected = make_class(tmp_path / name, 12, seed, course, target.LAB)
        made[name] = (expected, contents(tmp_path / name))
    assert made["one"] == made["two"]
    assert made["one"][1] != made["three"][1]


def test_every_kind_is_there(synthetic, course, tmp_path):
    _, expected = synthetic
    counts = Counter(entry.kind for entry in expected.values())
    assert len(expected) == 60 and counts.keys() == KINDS.keys()
    assert counts["solution"] == max(counts.values())
    small = make_class(tmp_path, len(KINDS), 0, course, target.LAB)
    assert sorted(entry.kind for entry in small.values()) == sorted(KINDS)
    assert make_class(tmp_path / "none", 0, 0, course, target.LAB) == {}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_holds_the_same_work(synthetic, layout):
    folder, expected = synthetic
    found = {entry.student: entry for entry in read_submissions(folder / LAYOUTS[layout], target.LAB, NOTEBOOKS)}
    assert found.keys() == {entry.names[layout] for entry in expected.values()}
    for student, entry in expected.items():
        place = folder / "submissions" / student
        written = {path.stem: path.read_bytes() for path in place.iterdir()}
        assert found[entry.names[layout]].files == written, entry


def test_expected_marks(synthetic):
    _, expected = synthetic
    for entry in expected.values():
        assert 0 <= entry.score <= FULL
        if entry.kind == "solution":
            assert entry.exact and entry.score == FULL
        if entry.kind == "stub":
            assert entry.exact and entry.score == 0
        if entry.kind == "wrong":
            assert entry.below and not entry.allows(FULL) and entry.allows(FULL - 1)
    assert Expected("hostile", 6.0, exact=False).allows(6.0) and not Expected("hostile", 6.0, exact=False).allows(6.5)
    assert Expected("partial", 6.0).allows(6.0) and not Expected("partial", 6.0).allows(5.0)


def test_attacks_take_the_name_of_what_they_stand_for(course):
    [scaler] = [cell for cell in source_notebooks(course)[target.FIRST].cells if cell.id == "scaler"][:1]
    for exploit in movable():
        text = moved(exploit, scaler)
        ast.parse(text)
        assert "twice" not in text
        # nothing of it may be right by chance
        assert "return 2 *" not in text
    assert len(movable()) >= 15


def test_a_lab_that_is_not_there(course, tmp_path):
    with pytest.raises(CourseError, match="lab77"):
        make_class(tmp_path, 3, 0, course, "lab77")


def test_grading_makes_of_each_what_the_class_says(course, tmp_path):
    try:
        require_sandbox(LIMITS)
    except SandboxMissing as missing:
        pytest.skip(f"no sandbox here, and hostile code runs in nothing else: {missing}")
    expected = make_class(tmp_path, 7, 1, course, target.LAB)
    by_name = {entry.names["moodle"]: entry for entry in expected.values()}
    with SubmissionGrader(GradingSettings(course, target.LAB, 2, LIMITS)) as grader:
        for submission in read_submissions(tmp_path / "moodle.zip", target.LAB, NOTEBOOKS):
            result = grader.grade(submission)
            assert by_name[submission.student].allows(result.score), (by_name[submission.student], result.notebooks)
            assert not result.faults
