from __future__ import annotations

import pytest

from course_lib.progress import attempts as attempts_module
from tests.progress.small_course import write_course


@pytest.fixture
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def course(tmp_path, state):
    return write_course(tmp_path / "course")


@pytest.fixture
def in_kernel(course, monkeypatch):
    """As if the caller were a cell of a notebook in that course."""
    monkeypatch.setattr(attempts_module, "_course_of_this_kernel", lambda: course)
    monkeypatch.setenv("JPY_SESSION_NAME", str(course / "labs/lab1_sums/1a_sums.ipynb"))
    return course
