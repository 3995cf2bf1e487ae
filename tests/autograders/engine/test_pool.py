"""Many submissions at a time: nothing of those that are done stays in memory."""

from __future__ import annotations

import gc

import pytest

from autograders.engine.pool import AHEAD, graded
from autograders.engine.submission import Submission
from autograders.engine.submission_grading import GradingSettings
from tests.autograders import tiny_course
from tests.autograders.engine.needs import needs_sandbox

pytestmark = [needs_sandbox, pytest.mark.slow]

JOBS, COUNT = 2, 30


def test_submissions_that_are_done_are_kept_nowhere(tmp_path):
    root = tiny_course.tiny_course(tmp_path)
    tiny_course.build_course(root)
    submissions = (
        Submission(f"s{number}", tiny_course.LAB, {tiny_course.NOTEBOOK: f"no notebook {number}".encode() * 20_000})
        for number in range(COUNT)
    )
    settings = GradingSettings(root, tiny_course.LAB, seed=0)
    students, kept = [], []
    for result in graded(submissions, settings, jobs=JOBS):
        students.append(result.student)
        if len(students) % 10 == 0:
            gc.collect()
            kept.append(sum(type(thing) is Submission for thing in gc.get_objects()))
    assert sorted(students) == sorted(f"s{number}" for number in range(COUNT))
    # those in work and waiting, in the caller and in the scheduler
    assert max(kept) <= 3 * AHEAD * JOBS, kept
