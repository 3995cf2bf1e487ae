"""Turns the course's text sources into notebooks, checks what they teach, and executes them."""

from __future__ import annotations

from course_lib.workbook.source import SourceNotebook, source_notebooks

__all__ = ["SourceNotebook", "source_notebooks"]
