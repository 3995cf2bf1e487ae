"""A tiny notebook through the whole path: built, executed, and left out while nothing that it rests on changes."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def course(tiny_course):
    """Runs `course` in a tiny course that has the whole library as its own."""
    root = tiny_course.root
    left_out = shutil.ignore_patterns("__pycache__")
    # the library has an `add` of its own, and no exercise's answer may stand there
    tiny_course.source.write_text(re.sub(r"\badd\b", "tiny_sum", tiny_course.source.read_text()))
    shutil.copytree(REPOSITORY / "course_lib", root / "course_lib", ignore=left_out, dirs_exist_ok=True)

    def run(*arguments):
        command = [sys.executable, "-m", "course_lib.cli", *arguments]
        done = subprocess.run(command, cwd=root, env={**os.environ, "COLUMNS": "100"}, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.splitlines()

    run.root = root
    return run


def append(path, text):
    path.write_text(path.read_text() + text)


def test_only_what_rests_on_a_change_is_executed_again(course):
    course("build")
    assert course("run", "--part", "all")[-1].startswith("4 ok in")  # three parts, and the unanswered start_here
    assert course("run", "--changed")[-1].startswith("0 ok, 1 unchanged in")

    append(course.root / "course_lib/explore/temperature.py", "# the notebook does not come here\n")
    skipped = course("run", "--changed", "--part", "all")
    assert skipped[-1].startswith("0 ok, 4 unchanged in")
    assert skipped[-2].startswith("The same as when they last passed: 1a_sums, 1a_sums (student), start_here (student)")

    append(course.root / "course_lib/checking/__init__.py", "# the notebook's set-up cell imports this\n")
    assert course("run", "--changed")[-1].startswith("1 ok in")

    history = (course.root / "build/history.jsonl").read_text().splitlines()
    assert len(history) == 4
    assert [len(json.loads(line)["results"]) for line in history] == [4, 0, 0, 1]
