"""The labs that are committed are those that the notebooks' text builds; `course run` executes them."""

from __future__ import annotations

from pathlib import Path

from course_lib.workbook.build import build

ROOT = Path(__file__).resolve().parents[2]


def test_labs_are_what_the_sources_build():
    assert build(ROOT, check=True).problems == []
