"""Everything that can be asked of the course, asked at once, and one page that says what came of it."""

from __future__ import annotations

from course_lib.workbook.nightly.night import run_night

__all__ = ["run_night"]
