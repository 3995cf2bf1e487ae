from __future__ import annotations

import pytest

from course_lib.workbook.build import build
from tests.handin.copies import LAB


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The bytes of the built notebook and start page: the build takes seconds."""
    from tests.workbook import conftest

    course = conftest.tiny_course.__wrapped__(tmp_path_factory.mktemp("author"))
    assert build(course.root).problems == []
    return course.lab.read_bytes(), (course.root / "labs" / "start_here.ipynb").read_bytes()


@pytest.fixture
def student(tmp_path, built, monkeypatch):
    """What students get: no solutions/, no autograders/."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    root = tmp_path / "student"
    (root / "labs" / LAB).mkdir(parents=True)
    (root / "course_lib").mkdir()
    (root / "pyproject.toml").touch()
    (root / "labs" / LAB / "1a_sums.ipynb").write_bytes(built[0])
    (root / "labs" / "start_here.ipynb").write_bytes(built[1])
    monkeypatch.chdir(root)
    return root
