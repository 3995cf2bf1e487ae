"""Turns the course's text sources into notebooks, checks what they teach, and executes them."""

from __future__ import annotations

from course_lib.workbook.lean_jsonschema import import_jsonschema

import_jsonschema()

from course_lib.workbook.source import SourceNotebook, source_notebooks  # noqa: E402 - jsonschema comes first

__all__ = ["SourceNotebook", "source_notebooks"]
