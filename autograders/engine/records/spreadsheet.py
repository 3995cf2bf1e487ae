"""CSV that a spreadsheet opens as data: no cell of a stranger's making is taken for a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from autograders.engine.records.harmless import one_line

__all__ = ["csv_text"]

FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # full-width forms are read as the plain ones


def csv_text(rows: Iterable[Sequence[Any]]) -> str:
    """Rows as CSV (RFC 4180). Text that begins like a formula gets an apostrophe in front; numbers stay numbers."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, (int, float)):
        return f"{value:.10g}"
    line = one_line(str(value))
    return f"'{line}" if line.lstrip().startswith(FORMULA) else line
