"""The commands that check and test the whole course, run one after the other whatever the first ones say."""

from __future__ import annotations

from course_lib.workbook.steps.checks import run_checks
from course_lib.workbook.steps.tests import run_tests

__all__ = ["run_checks", "run_tests"]
