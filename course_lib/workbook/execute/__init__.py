"""Executes the course's notebooks and judges what they did: errors, time, recorded metrics, output, size."""

from __future__ import annotations

from course_lib.workbook.execute.run import execute
from course_lib.workbook.execute.settings import Settings

__all__ = ["Settings", "execute"]
